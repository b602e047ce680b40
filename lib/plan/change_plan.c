/* SPDX-License-Identifier: MIT
 *
 * Windows and watermarks of an operator's change (packaging/doc/adr/0015). After each window of
 * a plan the watermark is the end of the contiguous closed ones, as if a run had moved it.
 * Nothing is read or written here.
 */
#include "plan/change_plan.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "time/civil.h"

void etl_change_plan_fini(struct etl_change_plan *plan)
{
	free(plan->windows);
	*plan = (struct etl_change_plan){0};
}

static etl_wall wall_max(etl_wall a, etl_wall b)
{
	return a.ms > b.ms ? a : b;
}

static etl_wall wall_min(etl_wall a, etl_wall b)
{
	return a.ms < b.ms ? a : b;
}

/* ---- which times are good ---------------------------------------------------------------- */

static int refuse_none(struct etl_error *err)
{
	return etl_error_set(err, ETL_PERMANENT, "change.time",
		"a job with window: none reads everything in each run: it has no watermark to move");
}

/* A watermark inside a window would say that half of it is processed, which no ledger entry can
 * say. */
static int check_grid(const struct etl_window_rules *rules, etl_wall t, struct etl_error *err)
{
	char asked[ETL_TIME_TEXT_BYTES], before[ETL_TIME_TEXT_BYTES], after[ETL_TIME_TEXT_BYTES];
	struct etl_window window = etl_window_at(rules, t);

	if (window.start.ms == t.ms)
		return 0;
	etl_time_format_rfc3339(t, asked);
	etl_time_format_rfc3339(window.start, before);
	etl_time_format_rfc3339(window.end, after);
	return etl_error_set(err, ETL_PERMANENT, "change.time",
		"no window of this job begins at %s: take %s or %s", asked, before, after);
}

/* A window that the source no longer keeps would become unrecoverable by the rewind, whether it
 * was loaded or not. */
static int check_retention(const struct etl_window_rules *rules, etl_wall t, etl_wall now,
	struct etl_error *err)
{
	etl_wall kept = etl_wall_sub(now, rules->retention), first;
	char text[ETL_TIME_TEXT_BYTES];

	if (!rules->retention.us || etl_window_at(rules, t).end.ms > kept.ms)
		return 0;
	first = etl_window_at(rules, kept).start;
	etl_time_format_rfc3339(first, text);
	return etl_error_set(err, ETL_PERMANENT, "change.time",
		"the source does not keep these windows any more (window.retention); the earliest "
		"time to go back to is %s", text);
}

int etl_change_check_time(const struct etl_window_rules *rules, enum etl_change_kind kind,
	etl_wall t, etl_wall now, struct etl_error *err)
{
	char text[ETL_TIME_TEXT_BYTES];
	etl_wall limit;

	if (rules->none)
		return refuse_none(err);
	if (t.ms < rules->grid.start.ms) {
		etl_time_format_rfc3339(rules->grid.start, text);
		return etl_error_set(err, ETL_PERMANENT, "change.time",
			"the first window of this job begins at %s (window.start)", text);
	}
	limit = etl_window_limit(rules, now);
	if (t.ms > limit.ms) {
		etl_time_format_rfc3339(limit, text);
		return etl_error_set(err, ETL_PERMANENT, "change.time",
			"windows that end after %s are not final yet (window.settle, window.end): a "
			"watermark cannot pass it", text);
	}
	if (check_grid(rules, t, err) < 0)
		return -1;
	return kind == ETL_CHANGE_REWIND ? check_retention(rules, t, now, err) : 0;
}

struct etl_window etl_change_scan_range(const struct etl_window_rules *rules,
	const struct etl_watermark *mark, etl_wall t, const struct etl_change *undone,
	etl_wall now)
{
	etl_wall from = mark->processed, to = etl_window_limit(rules, now);

	if (undone) {
		from = wall_min(from, wall_min(undone->from, undone->to));
		to = wall_max(to, wall_max(undone->from, undone->to));
	} else {
		from = wall_min(from, t);
	}
	if (!undone) /* a start that has moved since does not keep an undo from its windows */
		from = etl_window_at(rules, from).start;
	return (struct etl_window){from, wall_max(to, etl_window_at(rules, from).end)};
}

/* ---- plans ------------------------------------------------------------------------------- */

static void add(struct etl_change_plan *plan, struct etl_window window)
{
	ETL_GROW(plan->windows, plan->n, plan->cap);
	plan->windows[plan->n++] = window;
}

/* The end of the contiguous closed windows from `at` on, as the plan of a run would find it. */
static etl_wall contiguous(const struct etl_window_rules *rules, etl_wall at,
	const struct etl_ledger_brief *entries, size_t n)
{
	struct etl_watermark mark = {.processed = at};
	struct etl_due_list nothing = {0};

	return etl_window_contiguous(rules, &mark, entries, n, &nothing);
}

static const struct etl_ledger_brief *entry_at(const struct etl_ledger_brief *entries, size_t n,
	size_t *at, struct etl_window window)
{
	while (*at < n && entries[*at].window.start.ms < window.start.ms)
		(*at)++;
	if (*at < n && entries[*at].window.start.ms == window.start.ms &&
		entries[*at].window.end.ms == window.end.ms)
		return &entries[*at];
	return NULL;
}

/* The law of a set: what is not closed becomes skipped, what is closed stays. Example:
 * watermark 04:00, 06:00 is loaded, set to 08:00: 04:00, 05:00 and 07:00 become skipped, and
 * the watermark ends at 08:00, or further on if the windows behind 08:00 are closed already. */
void etl_change_plan_set(const struct etl_window_rules *rules, const struct etl_watermark *mark,
	etl_wall t, const struct etl_ledger_brief *entries, size_t n, struct etl_change_plan *out)
{
	size_t at = 0;

	*out = (struct etl_change_plan){.forward = true, .from = mark->processed};
	for (struct etl_window w = etl_window_at(rules, mark->processed); w.start.ms < t.ms;
		w = etl_grid_after(&rules->grid, w)) {
		const struct etl_ledger_brief *entry = entry_at(entries, n, &at, w);

		if (entry && etl_window_is_closed(entry->state))
			continue;
		if (out->n == ETL_CHANGE_WINDOWS_MAX) {
			out->too_many = true;
			out->to = w.start;
			return;
		}
		add(out, w);
	}
	out->to = contiguous(rules, t, entries, n);
}

static bool is_on_grid(const struct etl_window_rules *rules, struct etl_window window)
{
	return window.start.ms >= rules->grid.start.ms && etl_grid_has(&rules->grid, window);
}

/* The law of a rewind: what is closed from `t` on becomes pending, newest first, down from
 * where the ledger is contiguous. That may be beyond the watermark: a rewind that was killed
 * between the watermark and the ledger is completed by the same command. Example: the watermark
 * is 04:00, the ledger closed up to 07:00, rewind to 02:00: 06:00, 05:00, 04:00, 03:00 and
 * 02:00 are opened. */
void etl_change_plan_rewind(const struct etl_window_rules *rules,
	const struct etl_watermark *mark, etl_wall t, const struct etl_ledger_brief *entries,
	size_t n, struct etl_change_plan *out)
{
	etl_wall top = contiguous(rules, mark->processed, entries, n);

	*out = (struct etl_change_plan){.from = mark->processed, .to = t};
	for (size_t i = n; i-- > 0;) {
		const struct etl_window *w = &entries[i].window;

		if (w->start.ms < t.ms || w->start.ms >= top.ms ||
			!etl_window_is_closed(entries[i].state) || !is_on_grid(rules, *w))
			continue;
		if (out->n == ETL_CHANGE_WINDOWS_MAX) {
			out->too_many = true;
			out->to = out->windows[out->n - 1].start;
			return;
		}
		add(out, *w);
	}
}

bool etl_change_is_at(const struct etl_window_rules *rules, const struct etl_watermark *mark,
	struct etl_window unit)
{
	struct etl_window at = etl_window_at(rules, mark->processed);

	return !rules->none && at.start.ms == unit.start.ms && at.end.ms == unit.end.ms;
}

/* A decision about one unit moves the watermark only if the watermark waits for that very unit.
 * Example: watermark 05:00, 05:00 is held and 06:00 is loaded. Discarding 05:00 moves the
 * watermark to 07:00; discarding a held 09:00 leaves it at 05:00. */
void etl_change_plan_unit(const struct etl_window_rules *rules, const struct etl_watermark *mark,
	struct etl_window unit, bool closes, const struct etl_ledger_brief *entries, size_t n,
	struct etl_change_plan *out)
{
	*out = (struct etl_change_plan){.forward = true, .from = mark->processed,
		.to = mark->processed};
	add(out, unit);
	if (closes && etl_change_is_at(rules, mark, unit))
		out->to = contiguous(rules, unit.end, entries, n);
}

/* A rewind may pass windows of which the ledger has no entry on this grid (they were loaded on
 * an older one). Below the old watermark they counted as closed, and do so again after the
 * undo. Example: the watermark was 05:00, 00:00 to 04:00 were loaded in windows of two hours
 * and 04:00 in one of one hour; rewind to 01:00 opened 04:00 alone, and the undo leads back to
 * 05:00. Had a run failed at 02:00 to 03:00 in between, the watermark would stop at 02:00. */
static etl_wall contiguous_again(const struct etl_window_rules *rules, etl_wall at,
	const struct etl_change *undone, const struct etl_ledger_brief *entries, size_t n)
{
	size_t k = 0;

	for (;;) {
		struct etl_window w;

		at = contiguous(rules, at, entries, n);
		w = etl_window_at(rules, at);
		if (at.ms < undone->to.ms || at.ms >= undone->from.ms ||
			entry_at(entries, n, &k, w))
			return at;
		at = wall_min(w.end, undone->from);
	}
}

/* A release does not close its unit, a discard of newer content left its unit closed, and a unit of
 * another grid is not where a watermark can stand: undoing such a decision moves nothing. */
static bool leads_back(const struct etl_window_rules *rules, const struct etl_change *undone,
	const struct etl_ledger_brief *entries, size_t n, const struct etl_window *touched,
	size_t n_touched)
{
	size_t k = 0;
	const struct etl_ledger_brief *unit;

	if (!n_touched || undone->kind == ETL_CHANGE_RELEASE)
		return false;
	if (!etl_change_is_decision(undone->kind))
		return true;
	unit = entry_at(entries, n, &k, touched[0]);
	return is_on_grid(rules, touched[0]) && !(unit && etl_window_is_closed(unit->state));
}

/* An undo of a rewind goes forward, oldest window first; an undo of a set or a decision goes
 * back, newest first. Either way the watermark never claims a window that is not closed. */
void etl_change_plan_undo(const struct etl_window_rules *rules, const struct etl_watermark *mark,
	const struct etl_change *undone, const struct etl_ledger_brief *entries, size_t n,
	const struct etl_window *touched, size_t n_touched, struct etl_change_plan *out)
{
	bool forward = undone->kind == ETL_CHANGE_REWIND;

	*out = (struct etl_change_plan){.forward = forward, .from = mark->processed};
	for (size_t i = 0; i < n_touched; i++)
		add(out, touched[forward ? i : n_touched - 1 - i]);
	if (forward)
		out->to = contiguous_again(rules, mark->processed, undone, entries, n);
	else
		out->to = leads_back(rules, undone, entries, n, touched, n_touched) ?
			wall_min(mark->processed, touched[0].start) : mark->processed;
}

/* The watermark between two slices. Example: the rewind from 04:00 to 02:00 above opens 06:00,
 * 05:00, 04:00, 03:00 and 02:00: after one window it is still 04:00, after four 03:00, after
 * all 02:00. Forward it stops in front of the next window that is still to come. */
etl_wall etl_change_plan_after(const struct etl_change_plan *plan, size_t n)
{
	if (n == plan->n)
		return plan->to;
	if (plan->forward)
		return wall_max(plan->from, wall_min(plan->to, plan->windows[n].start));
	return n ? wall_min(plan->from, plan->windows[n - 1].start) : plan->from;
}
