/* SPDX-License-Identifier: MIT
 *
 * The oldest open unit of a partition, and the slot at which it was due.
 */
#include "plan/owed.h"

bool etl_owed_next(const struct etl_window_rules *rules, etl_wall watermark, struct etl_window *out)
{
	struct etl_window next = etl_window_at(rules, watermark.ms ? watermark : rules->grid.start);

	if (rules->none || (rules->end.ms && next.end.ms > rules->end.ms))
		return false;
	*out = next;
	return true;
}

/* The first instant at which nothing more can be waited for; false: nothing is open. */
static bool oldest_final(const struct etl_window_rules *rules, const struct etl_owed_facts *facts,
	etl_wall now, etl_wall *out)
{
	struct etl_window next;
	bool owed = etl_owed_next(rules, facts->watermark, &next) && etl_window_is_final(rules, next, now);

	if (facts->has_open && (!owed || facts->oldest.ms < next.start.ms)) {
		next = etl_window_at(rules, facts->oldest);
		owed = true;
	}
	if (owed)
		*out = etl_wall_add(next.end, rules->settle);
	return owed;
}

bool etl_owed_since(const struct etl_window_rules *rules, const struct etl_calendar *calendar,
	const struct etl_owed_facts *facts, etl_wall now, etl_wall *since)
{
	etl_wall due = {facts->watermark.ms + 1}; /* the slot that made a full read is not due again */

	if (rules->object) {
		*since = facts->oldest;
		return facts->has_open && facts->oldest.ms <= now.ms;
	}
	if (!facts->watermark.ms || (rules->none && !calendar))
		return false;
	if (!rules->none && !oldest_final(rules, facts, now, &due))
		return false;
	if (calendar && !etl_calendar_next(calendar, (etl_wall){due.ms - 1}, &due))
		return false;
	if (due.ms > now.ms)
		return false;
	*since = due;
	return true;
}

etl_dur etl_late_by(const struct etl_window_rules *rules, const struct etl_calendar *calendar,
	const struct etl_owed_facts *facts, etl_wall now)
{
	etl_wall since;

	return etl_owed_since(rules, calendar, facts, now, &since) ? etl_wall_diff(now, since) : (etl_dur){0};
}
