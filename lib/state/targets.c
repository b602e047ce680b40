/* SPDX-License-Identifier: MIT
 *
 * The ranges of windows by target: noting one cuts it out of all others, and joins neighbours.
 *
 * Why it is noted: `loads to dw.orders` is changed to `dw.orders_v2` in the configuration. The
 * windows before that stay in the old collection, the ledger calls them loaded, and nobody who
 * reads the new one would learn that they are missing there. By the note an operator is told so.
 *
 *   before:        dw.orders Jan 1 - Apr 1, dw.orders_v2 Apr 1 - May 1
 *   Feb 3 again:   dw.orders Jan 1 - Feb 3, dw.orders_v2 Feb 3 - Feb 4, dw.orders Feb 4 - Apr 1,
 *                  dw.orders_v2 Apr 1 - May 1
 */
#include "state/targets.h"

#include <string.h>

#include "base/str.h"

/* ---- noting -------------------------------------------------------------------------------- */

/* Room for what one note may add before the list is made to fit: a range that is split, and the
 * new one. */
struct draft {
	struct etl_target_range ranges[ETL_TARGET_RANGES_MAX + 2];
	size_t n;
};

/* An empty range is none; one that touches its neighbour of the same name is part of it, which is
 * why years of windows are one range. */
static void add(struct draft *d, size_t name, etl_wall from, etl_wall until)
{
	struct etl_target_range *last = d->n ? &d->ranges[d->n - 1] : NULL;

	if (from.ms >= until.ms)
		return;
	if (last && last->name == name && last->windows.end.ms == from.ms)
		last->windows.end = until;
	else
		d->ranges[d->n++] = (struct etl_target_range){{from, until}, name};
}

/* The list with the window under its name: what lies before it, it, what lies behind. */
static void redraw(const struct etl_targets *t, size_t name, struct etl_window w, struct draft *d)
{
	bool in = false;

	for (size_t i = 0; i < t->n; i++) {
		const struct etl_target_range *r = &t->ranges[i];

		if (!in && r->windows.end.ms > w.start.ms) {
			if (r->windows.start.ms < w.start.ms)
				add(d, r->name, r->windows.start, w.start);
			add(d, name, w.start, w.end);
			in = true;
		}
		if (!in)
			add(d, r->name, r->windows.start, r->windows.end);
		else
			add(d, r->name, r->windows.start.ms > w.end.ms ? r->windows.start : w.end,
				r->windows.end);
	}
	if (!in)
		add(d, name, w.start, w.end);
}

static int64_t length(const struct etl_target_range *r)
{
	return r->windows.end.ms - r->windows.start.ms;
}

/* The one to forget: not the fresh one, of the target's own before others, the shortest. */
static size_t least(const struct draft *d, size_t name, struct etl_window fresh)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < d->n; i++) {
		const struct etl_target_range *r = &d->ranges[i];
		bool own = r->name == name, best_own = best != SIZE_MAX && d->ranges[best].name == name;

		if (r->windows.start.ms <= fresh.start.ms && fresh.end.ms <= r->windows.end.ms)
			continue;
		if (best == SIZE_MAX || own > best_own ||
			(own == best_own && length(r) < length(&d->ranges[best])))
			best = i;
	}
	return best;
}

/* More ranges than there is room for come from repairs strewn over the years; what is forgotten is
 * as if it had never been noted. */
static void fit(struct draft *d, size_t name, struct etl_window fresh)
{
	while (d->n > ETL_TARGET_RANGES_MAX) {
		size_t at = least(d, name, fresh);

		memmove(&d->ranges[at], &d->ranges[at + 1], (d->n - at - 1) * sizeof *d->ranges);
		d->n--;
	}
}

static int64_t length_of(const struct etl_targets *t, size_t name)
{
	int64_t all = 0;

	for (size_t i = 0; i < t->n; i++)
		all += t->ranges[i].name == name ? length(&t->ranges[i]) : 0;
	return all;
}

/* A name without ranges is free for another. */
static void forget(struct etl_targets *t, size_t name)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++)
		if (t->ranges[i].name != name)
			t->ranges[kept++] = t->ranges[i];
	t->n = kept;
}

/* The place of a name: its own, one that no range has any more, or that of the target with the
 * least in it. */
static size_t place_of(struct etl_targets *t, const char *target)
{
	size_t least = 0;

	for (size_t i = 0; i < ETL_TARGETS_MAX; i++)
		if (etl_streq(t->names[i], target))
			return i;
	for (size_t i = 1; i < ETL_TARGETS_MAX; i++)
		if (length_of(t, i) < length_of(t, least))
			least = i;
	forget(t, least);
	etl_text_copy(t->names[least], sizeof t->names[least], target);
	return least;
}

/* A unit without a length has a millisecond, so that it is found by its start. */
static struct etl_window as_range(struct etl_window w)
{
	if (w.end.ms <= w.start.ms)
		w.end.ms = w.start.ms + 1;
	return w;
}

/* The list stays sorted and without overlaps: all else here relies on that. */
void etl_targets_note(struct etl_targets *t, const char *target, struct etl_window window)
{
	struct draft d = {.n = 0};
	size_t name;

	window = as_range(window);
	name = place_of(t, target);
	redraw(t, name, window, &d);
	fit(&d, name, window);
	memcpy(t->ranges, d.ranges, d.n * sizeof *d.ranges);
	t->n = d.n;
}

/* NULL: not known. */
const char *etl_targets_at(const struct etl_targets *t, etl_wall start)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->ranges[i].windows.start.ms <= start.ms && start.ms < t->ranges[i].windows.end.ms)
			return t->names[t->ranges[i].name];
	return NULL;
}

/* ---- documents ----------------------------------------------------------------------------- */

void etl_targets_append(const struct etl_targets *t, bson_t *to)
{
	bson_t list, item;
	char index[16];
	const char *key;

	BSON_APPEND_ARRAY_BEGIN(to, "targets", &list);
	for (size_t i = 0; i < t->n; i++) {
		const struct etl_target_range *r = &t->ranges[i];

		bson_uint32_to_string((uint32_t)i, &key, index, sizeof index);
		BSON_APPEND_DOCUMENT_BEGIN(&list, key, &item);
		BSON_APPEND_UTF8(&item, "target", t->names[r->name]);
		BSON_APPEND_DATE_TIME(&item, "from", r->windows.start.ms);
		BSON_APPEND_DATE_TIME(&item, "until", r->windows.end.ms);
		bson_append_document_end(&list, &item);
	}
	bson_append_array_end(to, &list);
}

/* {target, from, until}; false if one of them is not there. */
static bool read_range(const bson_iter_t *item, const char **target, struct etl_window *w)
{
	bson_iter_t at, field;

	if (!BSON_ITER_HOLDS_DOCUMENT(item))
		return false;
	if (!bson_iter_recurse(item, &at) || !bson_iter_find_descendant(&at, "target", &field) ||
		!BSON_ITER_HOLDS_UTF8(&field))
		return false;
	*target = bson_iter_utf8(&field, NULL);
	if (!bson_iter_recurse(item, &at) || !bson_iter_find_descendant(&at, "from", &field) ||
		!BSON_ITER_HOLDS_DATE_TIME(&field))
		return false;
	w->start.ms = bson_iter_date_time(&field);
	if (!bson_iter_recurse(item, &at) || !bson_iter_find_descendant(&at, "until", &field) ||
		!BSON_ITER_HOLDS_DATE_TIME(&field))
		return false;
	w->end.ms = bson_iter_date_time(&field);
	return **target && w->end.ms > w->start.ms;
}

void etl_targets_read(const bson_t *doc, struct etl_targets *out)
{
	bson_iter_t list, item;
	struct etl_window w;
	const char *target;

	memset(out, 0, sizeof *out);
	out->absent = !bson_iter_init_find(&list, doc, "targets") || !BSON_ITER_HOLDS_ARRAY(&list);
	if (out->absent || !bson_iter_recurse(&list, &item))
		return;
	while (bson_iter_next(&item))
		if (read_range(&item, &target, &w))
			etl_targets_note(out, target, w);
}
