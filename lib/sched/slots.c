/* SPDX-License-Identifier: MIT
 *
 * Slots to verdicts: misfire and overlap.
 *
 * The law of slots: a slot is a UTC instant of the calendar, and each slot of (decided, due] is
 * found exactly once. What the policies below say about a slot is carried out by sched.c; this
 * file keeps no state, reads no clock and records nothing.
 */
#include "sched/slots.h"

/* The newest slot of (after, until]. A calendar only tells the next slot after an instant, so
 * the newest one is searched by halving: the next slot never moves back when the instant that
 * is asked for moves on. Ten years take about 40 questions, where a walk over `every 5m` would
 * take a million. */
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

/* The interval is open at its start and closed at its end, so that neighbouring intervals share
 * no slot and lose none. Example: for `every 5m`, (00:00:00, 00:04:59.999] holds no slot,
 * (00:00, 00:05] holds 00:05, and (00:00, 01:00] holds 12 slots, 00:05 to 01:00.
 *
 * Counting ends at ETL_SLOTS_COUNTED, because a clock that jumped by years would block the loop
 * here; first and newest are exact in any case. */
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

/* Example: for `every 5m` and (00:00, 01:01] the first from the end is 01:00, the twelfth is
 * 00:05, and there is no thirteenth. */
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

/* How late a slot may be found and still count as on time: 60 s, or half of the time to its
 * successor if that is shorter. Without the second half of the rule a slot of `every 10s` would
 * still be on time when five later ones had fallen due. Example: `every 5m`, slot 00:05: on
 * time until 00:06:00.000, late from 00:06:00.001 on. `every 10s`, slot 00:00:10: on time until
 * 00:00:15.000. */
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

/* The newest ETL_RUN_EACH_MAX missed slots run, all older ones are skipped: a job that was down
 * for years must not be busy with its past for days. Example: of 1,005 missed slots of `every
 * 10m`, 00:20 and its successors, the slots 00:20 to 01:00 are skipped as `misfire_limit`, and
 * 1,000 runs begin with 01:10. The first of them is found by counting forward where the slots
 * could be counted, since that asks the calendar once a slot; from the end each slot costs a
 * search. */
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

/* The law of misfire. One slot that is found in time runs under every policy; whatever else is
 * found was missed, and the job's policy decides. Only the newest slot can be on time, so that
 * `late` speaks of it alone; the older ones were missed even if the newest comes in time.
 *
 * Example: `every 5m`, etld was down from 00:00 on and looks at 01:02. The slots 00:05 to 01:00
 * are found, twelve of them, and the newest is two minutes old, later than its grace of 60 s:
 *
 *    run_each               00:05, 00:10, ... 01:00 run one after the other
 *    run_latest             01:00 runs; 00:05 to 00:55 (11) are skipped as `misfire`
 *    run_if_younger(2h)     the same; had 01:00 been older than two hours, all twelve would be
 *                           skipped as `misfire_age`
 *    skip                   all twelve are skipped; had etld looked at 01:00:30, 01:00 would have
 *                           run and only the other eleven been skipped */
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

/* The law of overlap: what becomes of a slot that comes while a run of its job goes on.
 * Example: the run of 00:10 still goes when 00:20 and later 00:30 come.
 *
 *    skip             00:20 and 00:30 are skipped as `overlap`
 *    queue_one        00:20 waits; 00:30 takes its place, and 00:20 is skipped as `overlap_queue`
 *    cancel_running   at 00:20 the run of 00:10 is cancelled; 00:20 starts when that run has ended
 *
 * Only a slot that comes in time can be skipped or cancel: a missed slot (CATCH_UP) was already
 * let through by the misfire policy, and other triggers have no slot. A run of a backfill never
 * costs a slot, since operators start backfills without a thought for the schedule. */
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
