/* SPDX-License-Identifier: MIT
 *
 * The oldest open unit of a partition, and the slot at which it was due.
 */
#include "tell/overdue.h"

#include "plan/window_plan.h"

/* The first instant at which the oldest open unit is final; false if nothing is open. That unit
 * is the window at the watermark, or an older one that the ledger has as open, such as one that
 * an operator's rewind has opened again. */
static bool oldest_final(const struct etl_window_rules *rules, const struct etl_owed_facts *facts,
	etl_wall now, etl_wall *out)
{
	etl_wall from = facts->watermark.ms > rules->start.ms ? facts->watermark : rules->start;
	struct etl_window next = etl_window_at(rules, from);
	bool owed = next.end.ms <= etl_window_limit(rules, now).ms;

	if (facts->has_open && (!owed || facts->oldest.ms < next.start.ms)) {
		next = etl_window_at(rules, facts->oldest);
		owed = true;
	}
	*out = etl_wall_add(next.end, rules->settle);
	return owed;
}

/* Counted from the slot and not from the window's end. Example: a job runs at 03:00 each day.
 * At noon the window that ended at 11:00 is final, and not late: it is due at 03:00 tomorrow. */
etl_dur etl_late_by(const struct etl_job *job, const struct etl_owed_facts *facts, etl_wall now)
{
	const struct etl_window_rules *rules = &job->window;
	etl_wall due, slot;

	if (!facts->watermark.ms)
		return (etl_dur){0};
	if (rules->none)
		due = (etl_wall){facts->watermark.ms + 1};
	else if (!oldest_final(rules, facts, now, &due))
		return (etl_dur){0};
	if (job->calendar) {
		if (!etl_calendar_next(job->calendar, (etl_wall){due.ms - 1}, &slot))
			return (etl_dur){0};
		due = slot;
	} else if (rules->none) {
		return (etl_dur){0}; /* only others or an operator make it run */
	}
	return due.ms < now.ms ? etl_wall_diff(now, due) : (etl_dur){0};
}
