/* SPDX-License-Identifier: MIT
 *
 * Which windows are due (ADR 0012). Everything here is about the windows of a grid (time/grid.h)
 * from its start on. Reads no store and no clock, and changes nothing but the list that
 * it fills: whoever asks why a window is due gets the answer that a run gets.
 */
#include "plan/window_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static etl_wall wall_max(etl_wall a, etl_wall b)
{
	return a.ms > b.ms ? a : b;
}

static etl_wall wall_min(etl_wall a, etl_wall b)
{
	return a.ms < b.ms ? a : b;
}

/* Nothing is before the start. Example: start 00:17, size 1h: 01:16 lies in the window of 00:17,
 * 01:17 begins the next one, and 00:05 is in the first. A grid without windows (window: none) has one
 * point, its start: a caller that forgets to ask for `none` finds nothing due. */
struct etl_window etl_window_at(const struct etl_window_rules *rules, etl_wall t)
{
	return etl_grid_at(&rules->grid, wall_max(t, rules->grid.start));
}

static etl_wall grid_floor(const struct etl_window_rules *rules, etl_wall t)
{
	return etl_window_at(rules, t).start;
}

void etl_due_list_fini(struct etl_due_list *list)
{
	free(list->windows);
	free(list->after);
	etl_arena_free(list->arena);
	*list = (struct etl_due_list){0};
}

/* The law of the final window: a window may be touched when its end and `settle` have passed,
 * since sources still add to what is younger. Example: size 1h, settle 10m: at 01:09 no window
 * is final, the limit is 00:00; at 01:10 the window 00:00 to 01:00 is, the limit is 01:00. Only
 * whole windows of the grid count, so an `end` inside a window leaves that window out. */
etl_wall etl_window_limit(const struct etl_window_rules *rules, etl_wall now)
{
	etl_wall last = etl_wall_sub(now, rules->settle);

	if (rules->end.ms)
		last = wall_min(last, rules->end);
	return grid_floor(rules, last);
}

bool etl_window_is_final(const struct etl_window_rules *rules, struct etl_window window, etl_wall now)
{
	return rules->none || window.end.ms <= etl_window_limit(rules, now).ms;
}

/* From where closed windows matter too: behind the watermark everything is looked at, and
 * before it what lookback or re-read cover. A start that was moved back makes windows due
 * before the origin, so then the whole grid is walked. */
static etl_wall scan_start(const struct etl_window_rules *rules,
	const struct etl_watermark *watermark, etl_wall limit)
{
	etl_dur again = rules->lookback.us > rules->reread_span.us ? rules->lookback :
								     rules->reread_span;
	etl_wall from = wall_min(watermark->processed, etl_wall_sub(limit, again));

	if (rules->grid.start.ms < watermark->origin.ms)
		from = rules->grid.start;
	return grid_floor(rules, from);
}

struct etl_window etl_window_scan_range(const struct etl_window_rules *rules,
	const struct etl_watermark *watermark, etl_wall now)
{
	etl_wall limit;

	if (rules->none)
		return (struct etl_window){{-1}, {1}}; /* overlaps the one entry, [0, 0) */
	limit = etl_window_limit(rules, now);
	return (struct etl_window){scan_start(rules, watermark, limit), limit};
}

void etl_ledger_brief(const struct etl_ledger_entry *entry, struct etl_ledger_brief *out)
{
	*out = (struct etl_ledger_brief){
		.window = entry->window,
		.state = entry->state,
		.dirty = entry->dirty,
		.was_loaded = entry->state == ETL_WINDOW_LOADED ||
			(*entry->change_id && entry->was == ETL_WINDOW_LOADED),
		.attempt = entry->attempt,
		.out = entry->counts.out,
		.definition = entry->definition,
		.fetched = entry->fetched,
		.held_since = etl_window_is_closed(entry->state) && !entry->dirty ? (etl_wall){0} :
										  entry->held.since,
		.released = *entry->held.by != '\0',
		.in_doubt = *entry->writer != '\0',
	};
	memcpy(out->hash, entry->hash, sizeof out->hash);
	memcpy(out->dirty_token, entry->dirty_token, sizeof out->dirty_token);
}

static void due_add(struct etl_due_list *out, struct etl_window window, enum etl_due why,
	const struct etl_ledger_brief *entry)
{
	struct etl_due_window *due;

	if (out->more || (out->from.ms && window.start.ms < out->from.ms))
		return;
	if (out->n == ETL_DUE_MAX) {
		out->more = true;
		out->more_from = window.start;
		return;
	}
	ETL_GROW(out->windows, out->n, out->cap);
	due = &out->windows[out->n++];
	*due = (struct etl_due_window){.window = window, .why = why};
	if (entry)
		due->had = *entry;
	due->had.window = window;
}

/* Skipped and unrecoverable windows were closed without being read: they never ask for a
 * re-read. */
static bool was_read(const struct etl_ledger_brief *entry)
{
	return entry->state == ETL_WINDOW_LOADED || entry->state == ETL_WINDOW_EMPTY;
}

/* A read that is noted as far in the future was made while a clock was wrong: nobody knows when
 * it was made, so it counts as long ago. A few seconds ahead are the difference of two
 * machines. */
static bool is_far(etl_wall fetched, etl_wall now, etl_dur every)
{
	return etl_wall_diff(now, fetched).us >= every.us || etl_wall_diff(fetched, now).us >= every.us;
}

/* True if the oldest read in the re-read span is `reread_every` ago: then the whole span is
 * read again, in one request, instead of one window here and one there. Example: reread 24h
 * over 6h, hourly windows up to 08:00: when one window of 02:00 to 08:00 was read 24 h ago, all
 * six are due. */
static bool reread_is_due(const struct etl_window_rules *rules, etl_wall limit, etl_wall now,
	const struct etl_ledger_brief *entries, size_t n)
{
	etl_wall from = etl_wall_sub(limit, rules->reread_span);

	if (!rules->reread_every.us)
		return false;
	for (size_t i = 0; i < n; i++)
		if (entries[i].window.start.ms >= from.ms && was_read(&entries[i]) &&
			is_far(entries[i].fetched, now, rules->reread_every))
			return true;
	return false;
}

struct plan {
	const struct etl_window_rules *rules;
	etl_wall again_from; /* closed windows that end after it are read again */
	const struct etl_asked *asked;
};

static bool is_asked(const struct etl_asked *asked, struct etl_window window,
	const struct etl_ledger_brief *entry)
{
	return window.end.ms > asked->range.start.ms && window.start.ms < asked->range.end.ms &&
		etl_reprocess_wants(asked->reprocess, entry != NULL,
			entry ? entry->state : ETL_WINDOW_PENDING, entry && entry->stale);
}

/* The law of due windows. The first rule that fits decides, and its order matters:
 *
 *    asked           an operator named the window: the request alone decides, also about closed ones
 *    unrecoverable   never due: the source has it no more, and a read would find it empty
 *    dirty           due, even if skipped: an upstream job has changed since somebody skipped it
 *    skipped         not due: an operator closed it
 *    open            due: pending, running, failed or held
 *    no entry        due beyond the watermark, or before the origin; below the watermark it
 *                    counts as closed here (flow/holes.c looks for entries that were lost)
 *    closed          due if it ends behind `again_from`: lookback or re-read
 *
 * Example: hourly windows, watermark 08:00, limit 11:00, lookback 6h (from 05:00 on), 04:00 to
 * 08:00 skipped by an operator, 08:00 to 10:00 loaded. Due are 08:00 and 09:00 (again) and
 * 10:00 (new); the skipped ones are not, although the lookback covers three of them. */
static bool is_due(const struct plan *plan, struct etl_window window,
	const struct etl_ledger_brief *entry, bool below_watermark, enum etl_due *why)
{
	if (plan->asked) {
		*why = ETL_DUE_ASKED;
		return is_asked(plan->asked, window, entry);
	}
	if (entry && entry->state == ETL_WINDOW_UNRECOVERABLE)
		return false;
	if (entry && entry->dirty) {
		*why = ETL_DUE_DIRTY;
		return true;
	}
	if (entry && entry->state == ETL_WINDOW_SKIPPED)
		return false;
	if (entry && !etl_window_is_closed(entry->state)) {
		*why = ETL_DUE_OPEN;
		return true;
	}
	if (!entry && !below_watermark) {
		*why = ETL_DUE_NEW;
		return true;
	}
	*why = ETL_DUE_AGAIN;
	return window.end.ms > plan->again_from.ms;
}

/* The lists are both in order of start: one walk over the grid, one over the entries. */
static void walk_grid(const struct plan *plan, const struct etl_watermark *watermark,
	etl_wall from, etl_wall limit, const struct etl_ledger_brief *entries, size_t n,
	struct etl_due_list *out)
{
	const struct etl_grid *grid = &plan->rules->grid;
	size_t i = 0;

	if (!etl_grid_has_windows(grid))
		return;
	for (struct etl_window window = etl_grid_at(grid, from);
		window.start.ms < limit.ms && !out->more; window = etl_grid_after(grid, window)) {
		const struct etl_ledger_brief *entry = NULL;
		enum etl_due why;

		while (i < n && entries[i].window.start.ms < window.start.ms)
			i++;
		if (i < n && entries[i].window.start.ms == window.start.ms &&
			entries[i].window.end.ms == window.end.ms)
			entry = &entries[i];
		if (is_due(plan, window, entry,
			    window.end.ms <= watermark->processed.ms &&
				    window.start.ms >= watermark->origin.ms,
			    &why))
			due_add(out, window, why, entry);
	}
}

/* Open and dirty windows before the walk's beginning: walking the grid that far back would cost
 * a step for each window of a job's life, and the ledger knows which of them are open. Example:
 * on an hourly grid a failed 02:00 to 03:00 is due; a failed 04:30 to 05:30 and a held 06:00 to
 * 08:00 are of an older grid, and no run can load them any more. */
static void take_older(const struct plan *plan, etl_wall from,
	const struct etl_ledger_brief *entries, size_t n, struct etl_due_list *out)
{
	for (size_t i = 0; i < n && entries[i].window.start.ms < from.ms; i++) {
		struct etl_window on_grid = etl_window_at(plan->rules, entries[i].window.start);
		enum etl_due why;

		if (on_grid.start.ms != entries[i].window.start.ms ||
			on_grid.end.ms != entries[i].window.end.ms)
			continue; /* of an older grid */
		if (is_due(plan, on_grid, &entries[i], true, &why) && why != ETL_DUE_AGAIN)
			due_add(out, on_grid, why, &entries[i]);
	}
}

/* A job without windows has one unit, written as [0, 0), and reads it in each run. */
static void plan_full_read(const struct etl_ledger_brief *entries, size_t n,
	struct etl_due_list *out)
{
	struct etl_window whole = {{0}, {0}};

	due_add(out, whole, n ? ETL_DUE_AGAIN : ETL_DUE_NEW, n ? &entries[0] : NULL);
}

/* A plan for an operator begins at the start of the range that was asked for, and leaves open
 * windows elsewhere to the next ordinary run. */
void etl_window_plan(const struct etl_window_rules *rules, const struct etl_watermark *watermark,
	etl_wall now, const struct etl_ledger_brief *entries, size_t n_entries,
	const struct etl_asked *asked, struct etl_due_list *out)
{
	etl_wall limit, from;

	out->n = 0;
	out->more = false;
	if (rules->none) {
		plan_full_read(entries, n_entries, out);
		return;
	}
	limit = etl_window_limit(rules, now);
	from = scan_start(rules, watermark, limit);
	if (asked)
		from = grid_floor(rules, asked->range.start);

	struct plan plan = {.rules = rules, .asked = asked};
	plan.again_from = etl_wall_sub(limit, rules->lookback);
	if (reread_is_due(rules, limit, now, entries, n_entries))
		plan.again_from = wall_min(plan.again_from, etl_wall_sub(limit, rules->reread_span));
	if (!asked)
		take_older(&plan, from, entries, n_entries, out);
	walk_grid(&plan, watermark, from, asked ? wall_min(limit, asked->range.end) : limit, entries,
		n_entries, out);
}

/* A window is gone when its end has left what the source keeps. Example: retention 24h: at
 * 10:30 the window 09:00 to 10:00 of yesterday is gone, 10:00 to 11:00 is not. */
bool etl_window_is_gone(const struct etl_window_rules *rules, struct etl_window window, etl_wall now)
{
	return rules->retention.us && !rules->none &&
		window.end.ms <= etl_wall_sub(now, rules->retention).ms;
}

static bool closed_in(const struct etl_ledger_brief *entries, size_t n, size_t *at,
	struct etl_window window)
{
	while (*at < n && entries[*at].window.start.ms < window.start.ms)
		(*at)++;
	return *at < n && entries[*at].window.start.ms == window.start.ms &&
		entries[*at].window.end.ms == window.end.ms &&
		etl_window_is_closed(entries[*at].state);
}

/* What this run made of a window, or NULL if it did not touch it. */
static const struct etl_due_window *due_in(const struct etl_due_list *due, size_t *at,
	struct etl_window window)
{
	while (*at < due->n && due->windows[*at].window.start.ms < window.start.ms)
		(*at)++;
	if (*at < due->n && due->windows[*at].window.start.ms == window.start.ms)
		return &due->windows[*at];
	return NULL;
}

/* The law of the watermark: it is the end of the closed windows that lie side by side, from
 * where it stands on. It passes nothing that is open, whatever is closed behind that, so that
 * "processed up to" is true for every window below it. Example: watermark 05:00, 05:00 to 12:00
 * open, 12:00 to 20:00 closed in the ledger. A run that closes 05:00 and 07:00 moves it to
 * 06:00; 07:00 waits for 06:00. A run that closes all seven moves it to 20:00 at once.
 *
 * A window that this run read and left open (held, failed) stops the walk even if the ledger
 * that was read before had it as closed. */
etl_wall etl_window_contiguous(const struct etl_window_rules *rules,
	const struct etl_watermark *watermark, const struct etl_ledger_brief *entries, size_t n,
	const struct etl_due_list *due)
{
	size_t in_ledger = 0, in_due = 0;
	struct etl_window window;

	if (rules->none || !etl_grid_has_windows(&rules->grid))
		return watermark->processed;
	for (window = etl_window_at(rules, watermark->processed);;
		window = etl_grid_after(&rules->grid, window)) {
		const struct etl_due_window *here = due_in(due, &in_due, window);
		bool closed = closed_in(entries, n, &in_ledger, window);

		if (here && (here->left_open || (!closed && !here->done)))
			break;
		if (!here && !closed)
			break;
	}
	return wall_max(window.start, watermark->processed);
}

/* One request covers adjacent due windows up to max_span: a gap ends it, since the windows
 * between were not asked for. Example: max_span 3h, due are 00, 01, 02, 03, 05, 06, 07 and 20
 * o'clock: the requests are 00 to 03, 03, 05 to 08 and 20. The first window is always taken,
 * even if max_span is shorter than the window. */
size_t etl_window_span(const struct etl_window_rules *rules, const struct etl_due_list *list,
	size_t from)
{
	const struct etl_due_window *first = &list->windows[from];
	etl_wall furthest = etl_wall_add(first->window.start, rules->max_span);
	size_t n = 1;

	if (rules->none) /* each object alone */
		return 1;
	furthest = wall_max(furthest, first->window.end);
	while (from + n < list->n) {
		const struct etl_window *next = &list->windows[from + n].window;

		if (next->start.ms != list->windows[from + n - 1].window.end.ms ||
			next->end.ms > furthest.ms)
			break;
		n++;
	}
	return n;
}
