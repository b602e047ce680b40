/* SPDX-License-Identifier: MIT
 *
 * The ranges of windows by their maker: noting one cuts it out of all others, and joins neighbours.
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

/* What of `range` lies in [from, until). An empty one is none; one that touches its neighbour of the
 * same maker is part of it, which is why years of windows are one range. */
static void add(struct draft *d, const struct etl_target_range *range, etl_wall from, etl_wall until)
{
	struct etl_target_range *last = d->n ? &d->ranges[d->n - 1] : NULL;

	if (from.ms < range->windows.start.ms)
		from = range->windows.start;
	if (until.ms > range->windows.end.ms)
		until = range->windows.end;
	if (from.ms >= until.ms)
		return;
	if (last && last->maker == range->maker && last->windows.end.ms == from.ms) {
		last->windows.end = until;
		last->loose |= range->loose;
	} else {
		d->ranges[d->n] = *range;
		d->ranges[d->n++].windows = (struct etl_window){from, until};
	}
}

/* The list with the fresh range in it: what lies before it, it, what lies behind. */
static void redraw(const struct etl_targets *t, const struct etl_target_range *fresh, struct draft *d)
{
	const struct etl_window w = fresh->windows;
	bool in = false;

	for (size_t i = 0; i < t->n; i++) {
		const struct etl_target_range *r = &t->ranges[i];

		if (!in && r->windows.end.ms > w.start.ms) {
			add(d, r, r->windows.start, w.start);
			add(d, fresh, w.start, w.end);
			in = true;
		}
		add(d, r, in ? w.end : r->windows.start, r->windows.end);
	}
	if (!in)
		add(d, fresh, w.start, w.end);
}

static int64_t length(const struct etl_target_range *r)
{
	return r->windows.end.ms - r->windows.start.ms;
}

/* Of how much time nothing sharp would be known any more if both were one range. */
static int64_t loss(const struct etl_target_range *a, const struct etl_target_range *b)
{
	int64_t gap = b->windows.start.ms - a->windows.end.ms;

	if (a->maker == b->maker)
		return gap;
	return gap + (a->maker == ETL_TARGET_MIXED ? 0 : length(a)) +
		(b->maker == ETL_TARGET_MIXED ? 0 : length(b));
}

static bool holds(const struct etl_target_range *r, struct etl_window w)
{
	return r->windows.start.ms <= w.start.ms && w.end.ms <= r->windows.end.ms;
}

/* The pair to join: the one that costs least, and not the fresh range. */
static size_t least(const struct draft *d, struct etl_window fresh)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i + 1 < d->n; i++) {
		if (holds(&d->ranges[i], fresh) || holds(&d->ranges[i + 1], fresh))
			continue;
		if (best == SIZE_MAX ||
			loss(&d->ranges[i], &d->ranges[i + 1]) < loss(&d->ranges[best], &d->ranges[best + 1]))
			best = i;
	}
	return best;
}

static void join(struct etl_target_range *a, const struct etl_target_range *b)
{
	a->loose |= b->loose || a->maker != b->maker || a->windows.end.ms != b->windows.start.ms;
	a->maker = a->maker == b->maker ? a->maker : ETL_TARGET_MIXED;
	a->windows.end = b->windows.end;
}

/* More ranges than there is room for come from repairs strewn over the years: the two that lose least
 * become one, whose windows' entries tell who made them. */
static void fit(struct draft *d, struct etl_window fresh)
{
	while (d->n > ETL_TARGET_RANGES_MAX) {
		size_t at = least(d, fresh);

		join(&d->ranges[at], &d->ranges[at + 1]);
		memmove(&d->ranges[at + 1], &d->ranges[at + 2], (d->n - at - 2) * sizeof *d->ranges);
		d->n--;
	}
}

static int64_t length_of(const struct etl_targets *t, size_t maker)
{
	int64_t all = 0;

	for (size_t i = 0; i < t->n; i++)
		all += t->ranges[i].maker == maker ? length(&t->ranges[i]) : 0;
	return all;
}

static void forget(struct etl_targets *t, size_t maker)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->ranges[i].maker == maker) {
			t->ranges[i].maker = ETL_TARGET_MIXED;
			t->ranges[i].loose = true;
		}
}

/* What is nobody's goes before what made little, and the older before the newer. Where they stand
 * decides nothing: a document gives them back in another order. */
static bool goes_before(const struct etl_targets *t, size_t a, size_t b)
{
	const struct etl_maker *x = &t->makers[a], *y = &t->makers[b];
	int64_t in_a = length_of(t, a), in_b = length_of(t, b);

	if (!*x->target || !*y->target)
		return !*x->target && *y->target;
	if (in_a != in_b)
		return in_a < in_b;
	if (x->since.ms != y->since.ms)
		return x->since.ms < y->since.ms;
	return x->definition != y->definition ? x->definition < y->definition :
						strcmp(x->target, y->target) < 0;
}

/* The place of a maker: its own, a free one, or that of the one with the least. */
static size_t place_of(struct etl_targets *t, const struct etl_maker *by)
{
	size_t least = 0;

	for (size_t i = 0; i < ETL_TARGETS_MAX; i++)
		if (t->makers[i].definition == by->definition && etl_streq(t->makers[i].target, by->target))
			return i;
	for (size_t i = 1; i < ETL_TARGETS_MAX; i++)
		if (goes_before(t, i, least))
			least = i;
	forget(t, least);
	t->makers[least] = *by;
	return least;
}

/* A unit without a length has a millisecond, so that it is found by its start. */
static struct etl_window as_range(struct etl_window w)
{
	if (w.end.ms <= w.start.ms)
		w.end.ms = w.start.ms + 1;
	return w;
}

/* A maker without a range is known as long as the entry of a window in a mixed one may name it. */
static void prune(struct etl_targets *t)
{
	bool mixed = false;

	for (size_t i = 0; i < t->n; i++)
		mixed |= t->ranges[i].maker == ETL_TARGET_MIXED;
	for (size_t i = 0; i < ETL_TARGETS_MAX; i++)
		if (!length_of(t, i) && !(mixed && t->makers[i].definition))
			t->makers[i] = (struct etl_maker){.definition = 0};
}

static void note(struct etl_targets *t, const struct etl_target_range *fresh)
{
	struct draft d = {.n = 0}, out = {.n = 0};

	redraw(t, fresh, &d);
	fit(&d, fresh->windows);
	for (size_t i = 0; i < d.n; i++) /* a joined one may touch its like */
		add(&out, &d.ranges[i], d.ranges[i].windows.start, d.ranges[i].windows.end);
	memcpy(t->ranges, out.ranges, out.n * sizeof *out.ranges);
	t->n = out.n;
	prune(t);
}

/* What nearly every commit does: a window that is its maker's already, or the next one behind the last.
 * A third of the instructions, and the same list. */
static bool note_next(struct etl_targets *t, size_t maker, struct etl_window w)
{
	struct etl_target_range *last = t->n ? &t->ranges[t->n - 1] : NULL;

	for (size_t i = 0; i < t->n; i++)
		if (t->ranges[i].maker == maker && holds(&t->ranges[i], w))
			return true;
	if (!last || last->maker != maker || last->windows.end.ms != w.start.ms)
		return false;
	last->windows.end = w.end;
	return true;
}

/* The list stays sorted and without overlaps: all else here relies on that. */
void etl_targets_note_by(struct etl_targets *t, const struct etl_maker *by, struct etl_window window)
{
	struct etl_target_range fresh = {as_range(window), place_of(t, by), false};

	if (!note_next(t, fresh.maker, fresh.windows))
		note(t, &fresh);
}

void etl_targets_note(struct etl_targets *t, const char *target, struct etl_window window)
{
	struct etl_maker by = {.definition = 0};

	etl_text_copy(by.target, sizeof by.target, target);
	etl_targets_note_by(t, &by, window);
}

/* ---- asking -------------------------------------------------------------------------------- */

const struct etl_target_range *etl_targets_range(const struct etl_targets *t, etl_wall start)
{
	for (size_t i = 0; i < t->n; i++)
		if (etl_window_holds(&t->ranges[i].windows, start))
			return &t->ranges[i];
	return NULL;
}

const struct etl_maker *etl_targets_maker(const struct etl_targets *t, etl_wall start, uint64_t definition)
{
	const struct etl_target_range *range = etl_targets_range(t, start);

	if (range && range->maker != ETL_TARGET_MIXED)
		return &t->makers[range->maker];
	for (size_t i = 0; range && definition && i < ETL_TARGETS_MAX; i++)
		if (t->makers[i].definition == definition)
			return &t->makers[i];
	return NULL;
}

/* NULL: not known. */
const char *etl_targets_at(const struct etl_targets *t, etl_wall start)
{
	const struct etl_maker *maker = etl_targets_maker(t, start, 0);

	return maker ? maker->target : NULL;
}

/* ---- documents ----------------------------------------------------------------------------- */

#define MIXED "*"

/* `r` NULL: of a maker without a range, `by` NULL: of a mixed range. */
static void append_item(bson_t *list, uint32_t at, const struct etl_target_range *r,
	const struct etl_maker *by)
{
	char index[16];
	const char *key;
	bson_t item;

	bson_uint32_to_string(at, &key, index, sizeof index);
	BSON_APPEND_DOCUMENT_BEGIN(list, key, &item);
	BSON_APPEND_UTF8(&item, "target", by ? by->target : MIXED);
	if (r) {
		BSON_APPEND_DATE_TIME(&item, "from", r->windows.start.ms);
		BSON_APPEND_DATE_TIME(&item, "until", r->windows.end.ms);
	}
	if (by && by->definition)
		BSON_APPEND_INT64(&item, "definition", (int64_t)by->definition);
	if (by && by->since.ms)
		BSON_APPEND_DATE_TIME(&item, "since", by->since.ms);
	if (r && r->loose)
		BSON_APPEND_BOOL(&item, "loose", true);
	bson_append_document_end(list, &item);
}

void etl_targets_append(const struct etl_targets *t, bson_t *to)
{
	uint32_t at = 0;
	bson_t list;

	BSON_APPEND_ARRAY_BEGIN(to, "targets", &list);
	for (size_t i = 0; i < t->n; i++)
		append_item(&list, at++, &t->ranges[i], t->ranges[i].maker == ETL_TARGET_MIXED ? NULL :
			&t->makers[t->ranges[i].maker]);
	for (size_t i = 0; i < ETL_TARGETS_MAX; i++) /* last: with the mixed range that needs them known */
		if (t->makers[i].definition && !length_of(t, i))
			append_item(&list, at++, NULL, &t->makers[i]);
	bson_append_array_end(to, &list);
}

/* One field; false if it is not there with this type. */
static bool find(const bson_iter_t *item, const char *name, bson_type_t type, bson_iter_t *out)
{
	bson_iter_t at;

	return BSON_ITER_HOLDS_DOCUMENT(item) && bson_iter_recurse(item, &at) &&
		bson_iter_find_descendant(&at, name, out) && bson_iter_type(out) == type;
}

static bool read_maker(const bson_iter_t *item, struct etl_maker *by)
{
	bson_iter_t at;

	*by = (struct etl_maker){.definition = 0};
	if (!find(item, "target", BSON_TYPE_UTF8, &at))
		return false;
	etl_text_copy(by->target, sizeof by->target, bson_iter_utf8(&at, NULL));
	if (find(item, "definition", BSON_TYPE_INT64, &at))
		by->definition = (uint64_t)bson_iter_int64(&at);
	if (find(item, "since", BSON_TYPE_DATE_TIME, &at))
		by->since.ms = bson_iter_date_time(&at);
	return *by->target;
}

static bool read_range(const bson_iter_t *item, struct etl_target_range *out)
{
	bson_iter_t at;

	if (!find(item, "from", BSON_TYPE_DATE_TIME, &at))
		return false;
	out->windows.start.ms = bson_iter_date_time(&at);
	if (!find(item, "until", BSON_TYPE_DATE_TIME, &at))
		return false;
	out->windows.end.ms = bson_iter_date_time(&at);
	out->loose = find(item, "loose", BSON_TYPE_BOOL, &at) && bson_iter_bool(&at);
	return out->windows.end.ms > out->windows.start.ms;
}

static void read_into(struct etl_targets *out, const bson_iter_t *item, const struct etl_maker *by)
{
	struct etl_target_range range;

	if (!read_range(item, &range))
		return;
	range.maker = etl_streq(by->target, MIXED) ? ETL_TARGET_MIXED : place_of(out, by);
	note(out, &range);
}

void etl_targets_read(const bson_t *doc, struct etl_targets *out)
{
	bson_iter_t list, item;
	struct etl_maker by;

	memset(out, 0, sizeof *out);
	out->absent = !bson_iter_init_find(&list, doc, "targets") || !BSON_ITER_HOLDS_ARRAY(&list);
	if (out->absent || !bson_iter_recurse(&list, &item))
		return;
	while (bson_iter_next(&item)) {
		if (!read_maker(&item, &by))
			continue;
		if (find(&item, "from", BSON_TYPE_DATE_TIME, &(bson_iter_t){0}))
			read_into(out, &item, &by);
		else if (find(&item, "definition", BSON_TYPE_INT64, &(bson_iter_t){0}))
			place_of(out, &by);
	}
}
