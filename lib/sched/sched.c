/* SPDX-License-Identifier: MIT
 *
 * Slots: the timer for the next one, and what becomes of those that have fallen due. Decides
 * with slots.c, records through sched_record.c, offers through sched_queue.c. Never starts a
 * run itself and never asks the store.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sched/sched_internal.h"

struct etl_sched *etl_sched_new(struct etl_wheel *wheel, const struct etl_clock *clock,
	const char *host, const struct etl_sched_ops *ops, void *ctx)
{
	struct etl_sched *sched = ETL_NEW(struct etl_sched);

	sched->wheel = wheel;
	sched->clock = clock;
	sched->host = host;
	sched->ops = ops;
	sched->ctx = ctx;
	sched->max_active = 1;
	return sched;
}

void etl_sched_free(struct etl_sched *sched)
{
	free(sched);
}

/* ---- the timer ----------------------------------------------------------------------------- */

/* Jitter moves the moment at which a slot is looked at, never the slot itself: records, claims
 * and policies speak of the slot that the calendar tells. */
static etl_wall jittered(const struct etl_sched *sched, const struct etl_sched_job *job, etl_wall slot)
{
	return etl_wall_add(slot, etl_job_jitter(job->job, sched->host));
}

/* Arms the timer for the next slot. The wheel runs on monotonic time, so the wait is measured
 * with the wall clock's present reading; etl_sched_replan arms again when the wall clock is
 * set. Where the clock is slewed the timer may fire a little early: then nothing is due yet,
 * and it is armed once more.
 *
 * Example: `every 10m`, jitter 42 s. At 00:03:00 the timer is armed for 00:10:42. At 00:10:30,
 * with 00:10 not decided yet, it is armed for 00:10:42 as well: a slot is past only when its
 * jitter is. */
static void arm(struct etl_sched *sched, struct etl_sched_job *job)
{
	etl_wall now = etl_now(sched->clock);
	etl_wall after = etl_wall_sub(now, etl_job_jitter(job->job, sched->host));
	etl_dur wait;

	etl_timer_cancel(sched->wheel, &job->slot_timer);
	job->next.ms = 0;
	if (!job->job->calendar || job->paused || sched->stopped)
		return;
	if (after.ms < job->decided.ms)
		after = job->decided;
	if (!etl_calendar_next(job->job->calendar, after, &job->next)) {
		job->next.ms = 0;
		return;
	}
	wait = etl_wall_diff(jittered(sched, job, job->next), now);
	etl_timer_arm(sched->wheel, &job->slot_timer,
		etl_mono_add(etl_mono_now(sched->clock), wait.us > 0 ? wait : (etl_dur){0}));
}

/* ---- decisions ----------------------------------------------------------------------------- */

static void run_newest(struct etl_sched *sched, struct etl_sched_job *job, etl_wall slot,
	const struct etl_slot_verdict *verdict)
{
	struct etl_trigger trigger = {
		.kind = verdict->late ? ETL_TRIGGER_CATCH_UP : ETL_TRIGGER_SCHEDULE,
		.slot = slot,
		.skip = verdict->skip,
	};

	etl_sched_offer(sched, job, &trigger);
}

/* Slots that wait are older than the slots that are skipped now. They cannot run behind a
 * record that covers newer slots, so they become part of the skip. */
static void skip_waiting_too(const struct etl_sched_job *job, etl_wall waits, struct etl_skip *skip)
{
	struct etl_slots slots;

	etl_slots_between(job->job->calendar, waits, skip->last, &slots);
	skip->first = slots.first;
	skip->slots = slots.n;
}

/* Missed slots run one after the other, in the order of their times. Slots that wait already
 * are older and belong in front: the range begins before them, and the trigger that held them
 * is dropped. Example: 00:20 waits behind the run of 00:10 when 00:30 and 00:40 are missed; the
 * range becomes (00:19:59.999, 00:40], and 00:20, 00:30 and 00:40 run in turn. */
static void run_each(struct etl_sched *sched, struct etl_sched_job *job, etl_wall newest,
	const struct etl_slot_verdict *verdict)
{
	struct etl_skip skip = verdict->skip;
	etl_wall after = {verdict->run_first.ms - 1}, waits;

	if (etl_sched_waits_from(job, &waits)) {
		if (skip.last.ms)
			skip_waiting_too(job, waits, &skip);
		else
			after = waits;
		etl_sched_drop_live_slot(job);
	}
	job->each_after = after;
	job->each_until = newest;
	if (skip.last.ms)
		etl_sched_skip(sched, job, &skip);
	etl_sched_make_ready(sched, job);
}

/* The cursor moves before anything is offered: whatever the offer leads to, these slots are not
 * found a second time. */
static void decide(struct etl_sched *sched, struct etl_sched_job *job, const struct etl_slots *slots,
	etl_wall due)
{
	struct etl_slot_verdict verdict = etl_misfire_decide(job->job, slots, due);

	if (sched->ops->fired)
		sched->ops->fired(sched->ctx, job, slots->n, etl_wall_diff(due, slots->newest));
	job->decided = slots->newest;
	if (!verdict.run)
		etl_sched_skip(sched, job, &verdict.skip);
	else if (verdict.each)
		run_each(sched, job, slots->newest, &verdict);
	else
		run_newest(sched, job, slots->newest, &verdict);
}

/* The law of a clock that was far ahead. A cursor more than ETL_SLOT_AHEAD_MAX in the future
 * was set by a wrong clock: the job would stand still until that time comes, so slots count
 * from now on, and a record says so. A smaller step back is waited out instead, and nothing
 * runs twice. Example: at 01:00 the slots up to 01:00 have run, and the clock is set back to
 * 00:30. The cursor stays, and the next slot that runs is 01:10.
 *
 * A run that goes on answers for its slot no longer: the slot is taken back with all others of
 * that time, and what the run learns of the stored cursor is older than the cursor that is put
 * back here. Example: the run of 2017-11-15 20:03:04 asks for its lease, and the clock is set
 * back to 2012. From there on the slots of 2012 count and wait; that another etld had the lease
 * in 2017, as the answer then says, takes back none of them. */
static void forget_the_future(struct etl_sched *sched, struct etl_sched_job *job, etl_wall now)
{
	struct etl_skip skip = {.first = now, .last = job->decided, .code = ETL_SKIP_CLOCK};

	if (job->decided.ms <= etl_wall_add(now, ETL_SLOT_AHEAD_MAX).ms)
		return;
	if (job->closed.ms > now.ms)
		job->closed = now;
	etl_sched_take_back_all(job);
	job->taken_back = true;
	if (job->decided.ms > now.ms)
		job->decided = now;
	etl_sched_skip(sched, job, &skip);
}

/* The clock was set back while a slot waited for its sensor or for a place: the time of that
 * slot is still to come, so it is taken back and not started early. Example: the slot 00:10
 * waits for a place, and the clock is set back to 00:05. When a place becomes free at 00:06
 * nothing starts; the slot falls due again at 00:10. */
static void take_back_early(struct etl_sched_job *job, etl_wall due)
{
	if (job->waiting && job->waiting->slot.ms > due.ms)
		etl_sched_take_back_all(job);
	else if (job->each_until.ms > due.ms || (job->live && job->live->slot.ms > due.ms) ||
		(job->sensed && job->sensed->slot.ms > due.ms))
		etl_sched_take_back(job);
}

/* The law of slots: what is due is the interval (decided, now - jitter], whatever has passed
 * since the last look. No timer has to fire at the right moment for a slot to be found, so
 * sleep, a stopped process and a clock that is set forward need no code of their own. Example:
 * `every 10m`, jitter 42 s, decided 00:00. A look at 00:10:41 finds nothing, one at 00:10:42
 * the slot 00:10. If the machine slept until 00:35:42, the look finds 00:10, 00:20 and 00:30
 * together, and the misfire policy decides. */
void etl_sched_look(struct etl_sched *sched, struct etl_sched_job *job)
{
	etl_wall now = etl_now(sched->clock);
	struct etl_slots slots;
	etl_wall due;

	if (sched->store && !sched->stopped && job->job->calendar)
		forget_the_future(sched, job, now); /* also of a paused job: its slots count from then on */
	if (sched->store && !sched->stopped && !job->paused && job->job->calendar) {
		due = etl_wall_sub(now, etl_job_jitter(job->job, sched->host));
		take_back_early(job, due);
		etl_slots_between(job->job->calendar, job->decided, due, &slots);
		if (slots.n)
			decide(sched, job, &slots, due);
	}
	arm(sched, job);
}

static void on_slot(struct etl_timer *timer, void *ctx)
{
	struct etl_sched *sched = ctx;
	struct etl_sched_job *job = ETL_OF(struct etl_sched_job, slot_timer, timer);

	etl_sched_look(sched, job);
	etl_sched_dispatch(sched);
}

/* The run that should have loaded these windows lost MongoDB, or could not start. Without a run
 * in its place they would stay due until the next slot, and without a calendar until somebody
 * triggers the job. */
static void pay_owed(struct etl_sched *sched, struct etl_sched_job *job)
{
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_CATCH_UP};

	if (!job->owed || job->paused || !sched->store)
		return;
	job->owed = false;
	etl_sched_offer(sched, job, &trigger);
}

/* The sensor is to be asked again, or a slot that was given back may be claimed by now: another
 * etld's lease has run out, or MongoDB may answer again. */
static void on_again(struct etl_timer *timer, void *ctx)
{
	struct etl_sched *sched = ctx;
	struct etl_sched_job *job = ETL_OF(struct etl_sched_job, again_timer, timer);

	job->held_until.us = 0;
	if (job->sensing) {
		etl_sched_sense_again(sched, job);
	} else {
		etl_sched_look(sched, job);
		pay_owed(sched, job);
		etl_sched_make_ready(sched, job);
	}
	etl_sched_dispatch(sched);
}

/* ---- jobs ---------------------------------------------------------------------------------- */

void etl_sched_add(struct etl_sched *sched, struct etl_sched_job *job, const char *name,
	const struct etl_job *config)
{
	job->name = name;
	job->job = config;
	job->decided = etl_now(sched->clock);
	job->slot_timer = (struct etl_timer){.fire = on_slot, .ctx = sched, .name = "slot"};
	job->again_timer = (struct etl_timer){.fire = on_again, .ctx = sched, .name = "again"};
	job->next_job = sched->jobs;
	if (job->next_job)
		job->next_job->prev = job;
	sched->jobs = job;
	arm(sched, job);
}

/* A job that is new in a running daemon does not replay slots of the time in which it was not
 * configured, even if the store still has its old cursor. */
void etl_sched_from_now_on(struct etl_sched_job *job)
{
	etl_sched_close(job, job->decided, ETL_SKIP_EDITED);
	job->edited = true;
}

void etl_sched_remove(struct etl_sched *sched, struct etl_sched_job *job)
{
	etl_timer_cancel(sched->wheel, &job->slot_timer);
	etl_timer_cancel(sched->wheel, &job->again_timer);
	etl_sched_unready(sched, job);
	etl_sched_take_back_all(job);
	etl_sched_drop_pending(sched, job);
	free(ETL_TAKE(job->skips));
	free(ETL_TAKE(job->sense_said));
	job->n_skips = job->skips_cap = 0;
	if (job->run) { /* its end is not told to the scheduler any more */
		sched->active--;
		etl_sched_count_run(sched, job, false);
		sched->active_backfills -= job->running.kind == ETL_TRIGGER_BACKFILL;
	}
	if (job->prev)
		job->prev->next_job = job->next_job;
	else
		sched->jobs = job->next_job;
	if (job->next_job)
		job->next_job->prev = job->prev;
	etl_sched_dispatch(sched);
}

/* The law of edits: a schedule counts from the moment at which it comes into force. Slots of
 * the old one that are not decided by then are not replayed, and are put on record as skipped,
 * together with the new schedule. Example: `every 10m` becomes `every 4m` at 00:25, while the
 * run of 00:10 goes on and 00:20 waits behind it. 00:20 is taken back; when the run has ended,
 * one record skips 00:20 to 00:25 as `edited`, and the first slot of the new schedule is 00:28.
 *
 * After a clock that was ahead the cursor may lie in the future: slots of the new schedule up
 * to there are skipped too, since their times were decided once. Example: the cursor is 00:35,
 * the clock says 00:00, and the schedule is edited: 00:10, 00:20 and 00:30 are skipped, 00:40
 * runs. */
static void edit_schedule(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_job *config)
{
	struct etl_skip skip = {.code = ETL_SKIP_EDITED};
	etl_wall now = etl_now(sched->clock);
	struct etl_slots slots = {0};

	etl_sched_take_back_all(job);
	if (job->decided.ms > now.ms && config->calendar)
		etl_slots_between(config->calendar, now, job->decided, &slots);
	else if (job->job->calendar)
		etl_slots_between(job->job->calendar, job->decided, now, &slots);
	if (job->decided.ms < now.ms)
		job->decided = now;
	job->job = config;
	if (!config->calendar)
		return;
	etl_sched_close(job, job->decided, ETL_SKIP_EDITED);
	job->edited = true;
	skip.first = slots.first;
	skip.last = job->decided;
	skip.slots = slots.n;
	if (slots.n)
		etl_sched_skip(sched, job, &skip);
	else
		etl_sched_note(sched, job);
}

/* A new version of a zone's file can move the slots of an unchanged schedule text, so the files
 * are compared and not the names. */
static bool same_zone(const struct etl_job *a, const struct etl_job *b)
{
	return a->zone && b->zone && etl_zone_digest(a->zone) == etl_zone_digest(b->zone);
}

/* The schedule's key decides whether this is an edit: other settings of a job change without
 * any effect on its slots. If only the zone's file changed, the cursor stays where it is, and
 * missed slots that still have to run one by one are found anew in the new calendar. */
void etl_sched_change(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_job *config)
{
	char was[ETL_SCHEDULE_BYTES], is[ETL_SCHEDULE_BYTES];

	etl_job_schedule_key(job->job, was);
	etl_job_schedule_key(config, is);
	if (!etl_streq(was, is))
		edit_schedule(sched, job, config);
	else if (job->each_until.ms && !same_zone(job->job, config))
		/* the new slots decide about the rest */
		etl_sched_undecide(job, job->each_after);
	job->job = config;
	if (job->sensing)
		etl_sched_sense_again(sched, job);
	etl_sched_look(sched, job);
}

/* Slots up to `closed` are not replayed: the job was resumed or edited before the store was
 * known. They still lie behind the stored cursor, so the record is made here. */
static void skip_closed(struct etl_sched *sched, struct etl_sched_job *job)
{
	struct etl_skip skip = {.code = job->closed_code};
	struct etl_slots slots;

	if (job->closed.ms <= job->decided.ms)
		return;
	etl_slots_between(job->job->calendar, job->decided, job->closed, &slots);
	job->decided = job->closed;
	skip.first = slots.first;
	skip.last = slots.newest;
	skip.slots = slots.n;
	if (slots.n)
		etl_sched_skip(sched, job, &skip);
}

/* What the store knows of the job comes in after the start. Three cases, for `every 10m` and a
 * start at 00:00:
 *
 *    same schedule, cursor 23:00       23:10 to 00:00 are missed: the misfire policy decides
 *    another schedule, cursor 23:00    the job was edited while etld was down: one record skips
 *                                      23:00 to 00:00 as `edited`, and 00:10 is the first slot
 *    nothing, or a retired job         slots count from now on; only the cursor is stored
 *
 * The number of slots of a schedule that is gone cannot be counted any more and stays unknown
 * (0). */
void etl_sched_restore(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_schedule_info *info)
{
	char key[ETL_SCHEDULE_BYTES];
	struct etl_slots ahead = {0};
	bool edited = info && info->slot.ms && *info->schedule;

	job->known = true;
	if (!job->job->calendar)
		return;

	etl_job_schedule_key(job->job, key);
	if (info && info->slot.ms && etl_streq(info->schedule, key)) {
		job->decided = info->slot;
		skip_closed(sched, job);
		return;
	}
	if (info && info->slot.ms > job->decided.ms) { /* the clock: see forget_the_future */
		etl_slots_between(job->job->calendar, job->decided, info->slot, &ahead);
		job->decided = info->slot;
	}
	etl_sched_close(job, job->decided, ETL_SKIP_EDITED);
	if (edited && (info->slot.ms < job->decided.ms || ahead.n)) {
		struct etl_skip skip = {.first = ahead.n ? ahead.first : info->slot,
			.last = job->decided, .slots = ahead.n, .code = ETL_SKIP_EDITED};

		etl_sched_skip(sched, job, &skip);
	} else {
		etl_sched_note(sched, job);
	}
}

/* ---- pause --------------------------------------------------------------------------------- */

void etl_sched_pause(struct etl_sched *sched, struct etl_sched_job *job)
{
	if (job->paused)
		return;
	job->paused = true;
	etl_sched_take_back_all(job);
	/* a trigger without a slot has no slot to be taken back to; its windows stay due */
	if (job->live) {
		etl_trigger_drop(&job->live);
		job->owed |= !job->job->calendar;
	}
	etl_timer_cancel(sched->wheel, &job->again_timer);
	job->held_until.us = 0;
	arm(sched, job);
}

/* Decides about the slots of the pause, then starts what has waited for its end. */
static void goes_on(struct etl_sched *sched, struct etl_sched_job *job)
{
	etl_sched_look(sched, job);
	pay_owed(sched, job);
	etl_sched_make_ready(sched, job);
	etl_sched_dispatch(sched);
}

/* The other etld has recorded which slots the pause kept from running, up to the stored cursor.
 * Counting from that cursor on leaves the slots behind it to whoever claims them first;
 * counting from now on would lose them if the other etld dies before it runs them. */
void etl_sched_resumed_elsewhere(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_schedule_info *info)
{
	etl_wall at = etl_now(sched->clock);
	char key[ETL_SCHEDULE_BYTES];

	if (!job->paused)
		return;
	job->paused = false;
	etl_job_schedule_key(job->job, key);
	if (info && info->slot.ms && etl_streq(info->schedule, key))
		at = info->slot;
	if (job->job->calendar && at.ms > job->decided.ms)
		job->decided = at;
	goes_on(sched, job);
}

/* Example: a job of `every 10m` was paused at 00:00 and is resumed at 00:45. Without `from` the
 * slots 00:10 to 00:40 are skipped as `paused`, and 00:50 is the next. With `from` 00:30 only
 * 00:10 and 00:20 are skipped; 00:30 and 00:40 are missed slots, about which the misfire policy
 * decides. */
void etl_sched_resume(struct etl_sched *sched, struct etl_sched_job *job, etl_wall from)
{
	etl_wall now = etl_now(sched->clock);
	etl_wall until = from.ms && from.ms <= now.ms ? (etl_wall){from.ms - 1} : now;
	struct etl_slots slots = {0};

	if (!job->paused)
		return;
	job->paused = false;
	if (job->job->calendar && until.ms > job->decided.ms) {
		etl_slots_between(job->job->calendar, job->decided, until, &slots);
		job->decided = until;
		etl_sched_close(job, until, ETL_SKIP_PAUSED);
	}
	if (slots.n) {
		struct etl_skip skip = {slots.first, slots.newest, slots.n, ETL_SKIP_PAUSED};

		etl_sched_skip(sched, job, &skip);
	}
	goes_on(sched, job);
}

/* ---- the whole ----------------------------------------------------------------------------- */

void etl_sched_limit(struct etl_sched *sched, unsigned max_active)
{
	sched->max_active = max_active;
	etl_sched_dispatch(sched);
}

void etl_sched_store(struct etl_sched *sched, bool there)
{
	sched->store = there;
	for (struct etl_sched_job *job = sched->jobs; !there && job; job = job->next_job)
		/* what waited for a place is decided again, together with what comes until then */
		etl_sched_take_back(job);
	if (!there)
		return;
	for (struct etl_sched_job *job = sched->jobs; job; job = job->next_job) {
		job->held_until.us = 0;
		job->known = true;
		if (job->sensing)
			etl_sched_sense_again(sched, job);
		etl_sched_look(sched, job);
		pay_owed(sched, job);
		etl_sched_make_ready(sched, job);
	}
	etl_sched_dispatch(sched);
}

void etl_sched_replan(struct etl_sched *sched)
{
	for (struct etl_sched_job *job = sched->jobs; job; job = job->next_job)
		etl_sched_look(sched, job);
	etl_sched_dispatch(sched);
}

/* Slots that wait are taken back and not skipped: the next etld finds them behind the stored
 * cursor. */
void etl_sched_stop(struct etl_sched *sched)
{
	sched->stopped = true;
	for (struct etl_sched_job *job = sched->jobs; job; job = job->next_job) {
		etl_timer_cancel(sched->wheel, &job->slot_timer);
		etl_timer_cancel(sched->wheel, &job->again_timer);
		etl_sched_take_back_all(job);
	}
}
