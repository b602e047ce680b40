/* SPDX-License-Identifier: MIT
 *
 * Slots to verdicts: misfire and overlap.
 */
#include "sched/slots.h"

/* The newest slot of (after, until]: the last instant whose next slot is not behind `until`,
 * by halving, since the next slot grows with the instant that is asked for. */
static bool newest_slot(const struct etl_calendar *calendar, etl_wall after, etl_wall until,
	etl_wall *out)
{
	int64_t low = after.ms, high = until.ms;
	etl_wall slot;

	if (!etl_calendar_next(calendar, after, &slot) || slot.ms > until.ms)
		return false;
	*out = slot;
	while (low < high) {
		int64_t middle = low + (high - low + 1) / 2;

		if (etl_calendar_next(calendar, (etl_wall){middle}, &slot) && slot.ms <= until.ms) {
			*out = slot;
			low = slot.ms;
		} else {
			high = middle - 1;
		}
	}
	return true;
}

void etl_slots_between(const struct etl_calendar *calendar, etl_wall after, etl_wall until,
	struct etl_slots *out)
{
	etl_wall at = after;

	*out = (struct etl_slots){0};
	if (!newest_slot(calendar, after, until, &out->newest))
		return;
	while (out->n < ETL_SLOTS_COUNTED && at.ms < out->newest.ms &&
		etl_calendar_next(calendar, at, &at))
		if (!out->n++)
			out->first = at;
}

etl_wall etl_slots_nth_last(const struct etl_calendar *calendar, etl_wall after, etl_wall until,
	uint64_t n)
{
	etl_wall slot = {0};

	for (; n; n--) {
		if (!newest_slot(calendar, after, until, &slot))
			return (etl_wall){0};
		until.ms = slot.ms - 1;
	}
	return slot;
}

/* ---- misfire ------------------------------------------------------------------------------- */

static etl_dur grace(const struct etl_job *job, etl_wall slot)
{
	etl_dur limit = ETL_SLOT_GRACE;
	etl_wall next;

	if (etl_calendar_next(job->calendar, slot, &next) && etl_wall_diff(next, slot).us / 2 < limit.us)
		limit.us = etl_wall_diff(next, slot).us / 2;
	return limit;
}

/* All slots before the newest, or all of them. */
static struct etl_skip skip_before(const struct etl_job *job, const struct etl_slots *slots,
	bool newest_too, enum etl_skip_code code)
{
	uint64_t n = slots->n - !newest_too;
	etl_wall last = slots->newest;

	if (!n)
		return (struct etl_skip){.code = code};
	if (!newest_too)
		last = etl_slots_nth_last(job->calendar, (etl_wall){slots->first.ms - 1},
			(etl_wall){slots->newest.ms - 1}, 1);
	return (struct etl_skip){slots->first, last, n, code};
}

/* The newest ETL_RUN_EACH_MAX of them run. Forward where they are counted, that is cheaper. */
static struct etl_slot_verdict run_each(const struct etl_job *job, const struct etl_slots *slots)
{
	struct etl_slot_verdict verdict = {.run = true, .each = true, .run_first = slots->first};
	etl_wall before = {slots->first.ms - 1}, last = slots->first;

	if (slots->n <= ETL_RUN_EACH_MAX)
		return verdict;
	if (slots->n < ETL_SLOTS_COUNTED)
		for (uint64_t i = 1; i < slots->n - ETL_RUN_EACH_MAX; i++)
			etl_calendar_next(job->calendar, last, &last);
	else
		last = etl_slots_nth_last(job->calendar, before, slots->newest, ETL_RUN_EACH_MAX + 1);
	etl_calendar_next(job->calendar, last, &verdict.run_first);
	verdict.skip = (struct etl_skip){
		slots->first, last, slots->n - ETL_RUN_EACH_MAX, ETL_SKIP_TOO_MANY};
	return verdict;
}

struct etl_slot_verdict etl_misfire_decide(const struct etl_job *job, const struct etl_slots *slots,
	etl_wall now)
{
	etl_dur age = etl_wall_diff(now, slots->newest);
	bool late = age.us > grace(job, slots->newest).us;
	struct etl_slot_verdict verdict = {.run = true, .late = late};

	if (slots->n == 1 && !late)
		return verdict;
	switch ((enum etl_misfire)job->misfire) {
	case ETL_MISFIRE_RUN_EACH:
		verdict = run_each(job, slots);
		verdict.late = late;
		return verdict;
	case ETL_MISFIRE_RUN_LATEST:
		verdict.skip = skip_before(job, slots, false, ETL_SKIP_MISFIRE);
		return verdict;
	case ETL_MISFIRE_RUN_IF_YOUNGER:
		verdict.run = !late || age.us <= job->misfire_age.us;
		verdict.skip = verdict.run ? skip_before(job, slots, false, ETL_SKIP_MISFIRE) :
					     skip_before(job, slots, true, ETL_SKIP_TOO_OLD);
		return verdict;
	case ETL_MISFIRE_SKIP:
		verdict.run = !late;
		verdict.skip = skip_before(job, slots, late, ETL_SKIP_MISFIRE);
		return verdict;
	}
	return verdict;
}

/* ---- overlap ------------------------------------------------------------------------------- */

enum etl_overlap_verdict etl_overlap_decide(const struct etl_job *job, enum etl_trigger_kind kind,
	bool live)
{
	if (kind != ETL_TRIGGER_SCHEDULE || !live)
		return ETL_OVERLAP_WAITS;
	switch ((enum etl_overlap)job->overlap) {
	case ETL_OVERLAP_SKIP:
		return ETL_OVERLAP_SKIPPED;
	case ETL_OVERLAP_CANCEL_RUNNING:
		return ETL_OVERLAP_CANCELS;
	case ETL_OVERLAP_QUEUE_ONE:
		break;
	}
	return ETL_OVERLAP_WAITS;
}
