/* SPDX-License-Identifier: MIT
 *
 * What an operator's change of a watermark comes to: which windows it touches, in which order,
 * and where the watermark stands after each of them. Pure functions over the window rules, the
 * watermark and the ledger, as window_plan.h; any thread.
 */
#ifndef ETL_PLAN_CHANGE_PLAN_H
#define ETL_PLAN_CHANGE_PLAN_H

#include "plan/window_plan.h"

#define ETL_CHANGE_WINDOWS_MAX 20000 /* of one partition in one change */

struct etl_change_plan {
	/* In the order of the change: a watermark that goes on passes them oldest first, one that
	 * goes back newest first. Owned. */
	struct etl_window *windows;
	size_t n, cap;
	bool forward;
	etl_wall from, to; /* the watermark before and after all of it */
	bool too_many;	   /* more than ETL_CHANGE_WINDOWS_MAX: `to` is as far as one can go */
};
/* Frees the windows and empties the plan; fine for an empty one. */
void etl_change_plan_fini(struct etl_change_plan *plan);

/* May a watermark be moved to `t` at all? 0, or -1 with ETL_PERMANENT "change.time" and what
 * would do instead: it lies on the grid, between window.start and the newest final window; a
 * rewind asks for nothing that the source no longer keeps. `window: none` is refused. */
int etl_change_check_time(const struct etl_window_rules *rules, enum etl_change_kind kind,
	etl_wall t, etl_wall now, struct etl_error *err);

/* The part of the ledger that a plan has to see. `undone` is the change to take back, of which
 * the windows between its ends are looked at; NULL for set and rewind. */
struct etl_window etl_change_scan_range(const struct etl_window_rules *rules,
	const struct etl_watermark *mark, etl_wall t, const struct etl_change *undone,
	etl_wall now);

/* These fill an empty plan. `entries`: all of the scan range, in order of start. The times are
 * on the right side of the watermark. */
void etl_change_plan_set(const struct etl_window_rules *rules, const struct etl_watermark *mark,
	etl_wall t, const struct etl_ledger_brief *entries, size_t n, struct etl_change_plan *out);
void etl_change_plan_rewind(const struct etl_window_rules *rules,
	const struct etl_watermark *mark, etl_wall t, const struct etl_ledger_brief *entries,
	size_t n, struct etl_change_plan *out);

/* Plans a decision about one unit, which closes it or not. If it does, and the watermark is at
 * the unit, `entries` are those behind the unit; else none are needed. */
void etl_change_plan_unit(const struct etl_window_rules *rules, const struct etl_watermark *mark,
	struct etl_window unit, bool closes, const struct etl_ledger_brief *entries, size_t n,
	struct etl_change_plan *out);
/* True if the watermark is at this unit, so that it moves when the unit closes. */
bool etl_change_is_at(const struct etl_window_rules *rules, const struct etl_watermark *mark,
	struct etl_window unit);

/* `entries` as they are after the undo; `touched`, in order of start, those that still carry
 * the change. */
void etl_change_plan_undo(const struct etl_window_rules *rules, const struct etl_watermark *mark,
	const struct etl_change *undone, const struct etl_ledger_brief *entries, size_t n,
	const struct etl_window *touched, size_t n_touched, struct etl_change_plan *out);

/* The watermark when the first `n` windows of the plan are in. */
etl_wall etl_change_plan_after(const struct etl_change_plan *plan, size_t n);

#endif
