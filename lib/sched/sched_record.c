/* SPDX-License-Identifier: MIT
 *
 * The cursor `decided` and what is on record about it. Skips are recorded in the order of their
 * slots: the record moves the stored cursor, and a claim of an older slot would then be
 * refused. So a skip waits until all older slots of the job have run or been skipped and the
 * skip before it is stored, and no slot starts while a skip is on its way to the store.
 *
 * Example: `every 10m`, overlap: skip. The run of 00:10 goes on and 00:20 and 00:30 are
 * skipped. If their record were written at once, the stored cursor would be 00:30, and the
 * claim of 00:10, which may still be on its way, would be refused as decided already: 00:10
 * would be lost. So the record waits for the end of the run.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sched/sched_internal.h"

/* ---- skips ----------------------------------------------------------------------------------- */

static bool is_older(const struct etl_trigger *trigger, etl_wall slot)
{
	return trigger && trigger->slot.ms && trigger->slot.ms < slot.ms;
}

/* True if a slot before this one runs, or waits to run: whatever is recorded about `slot` must
 * wait. */
static bool older_goes(const struct etl_sched_job *job, etl_wall slot)
{
	return is_older(job->run ? &job->running : NULL, slot) ||
		is_older(job->sensed, slot) ||
		is_older(job->waiting, slot) ||
		is_older(job->live, slot) ||
		(job->each_until.ms && job->each_after.ms < slot.ms);
}

static void record(struct etl_sched *sched, struct etl_sched_job *job, const struct etl_skip *skip)
{
	char schedule[ETL_SCHEDULE_BYTES];

	etl_job_schedule_key(job->job, schedule);
	job->recording = true;
	sched->ops->skip(sched->ctx, job, skip, schedule);
}

static bool is_between(const struct etl_trigger *trigger, etl_wall after, etl_wall slot)
{
	return trigger && trigger->slot.ms > after.ms && trigger->slot.ms < slot.ms;
}

/* True if a slot between two skips runs, or waits to run. One record of both skips would cover
 * that slot too, and its claim would be refused. Example: 00:20 was skipped, 00:30 waits, 00:40
 * and 00:50 are skipped: two records, 00:20 and 00:40 to 00:50, and the claim of 00:30 comes
 * between them. */
static bool goes_between(const struct etl_sched_job *job, etl_wall after, etl_wall slot)
{
	return is_between(job->run ? &job->running : NULL, after, slot) ||
		is_between(job->sensed, after, slot) ||
		is_between(job->waiting, after, slot) ||
		is_between(job->live, after, slot) ||
		(job->each_until.ms > after.ms && job->each_after.ms < slot.ms);
}

/* Skips are kept in the order of their slots. A new skip nearly always goes behind the others;
 * only the slot of a run that claimed nothing is older than all that was skipped while it ran,
 * and goes in front. Neighbours with one reason become one record, so that a run of a day
 * leaves one, not thousands. */
static void keep(struct etl_sched_job *job, const struct etl_skip *skip)
{
	bool in_front = job->n_skips && skip->last.ms < job->skips[0].first.ms;
	struct etl_skip *next = !job->n_skips ? NULL :
		in_front ? &job->skips[0] : &job->skips[job->n_skips - 1];

	if (next && next->code == skip->code &&
		!(in_front ? goes_between(job, skip->last, next->first) :
			     goes_between(job, next->last, skip->first))) {
		etl_skip_merge(next, skip);
		return;
	}
	ETL_GROW(job->skips, job->n_skips, job->skips_cap);
	if (in_front)
		memmove(&job->skips[1], &job->skips[0], job->n_skips * sizeof *job->skips);
	job->skips[in_front ? 0 : job->n_skips] = *skip;
	job->n_skips++;
}

void etl_sched_skip(struct etl_sched *sched, struct etl_sched_job *job, const struct etl_skip *skip)
{
	/* Before etl_sched_restore nothing may be recorded: `closed` keeps the reason, and the
	 * restore skips from the stored cursor on. */
	if (!job->known)
		return;
	job->last_skip = *skip;
	job->last_skip_at = etl_now(sched->clock);
	if (job->recording || job->n_skips || older_goes(job, skip->first))
		keep(job, skip);
	else
		record(sched, job, skip);
}

/* Only skips behind the first slot of `skip` go: what stays is older, and its record has to be
 * stored before the trigger that takes `skip` can claim its slot. */
void etl_sched_take_kept(struct etl_sched_job *job, struct etl_skip *skip)
{
	size_t stay = 0;

	while (stay < job->n_skips && job->skips[stay].first.ms < skip->first.ms)
		stay++;
	for (size_t i = stay; i < job->n_skips; i++)
		etl_skip_merge(skip, &job->skips[i]);
	job->n_skips = stay;
}

static void drop_first(struct etl_sched_job *job)
{
	job->n_skips--;
	for (size_t i = 0; i < job->n_skips; i++)
		job->skips[i] = job->skips[i + 1];
}

/* The note speaks of the slots up to `noted`. Slots that were decided after the edit still wait
 * to run, so their time must not get into the store with it: their claims would be refused. */
static void note(struct etl_sched *sched, struct etl_sched_job *job)
{
	etl_wall slot = job->noted.ms < job->decided.ms ? job->noted : job->decided;

	job->noted.ms = 0;
	sched->ops->note(sched->ctx, job, slot);
	job->edited = false;
}

void etl_sched_record_kept(struct etl_sched *sched, struct etl_sched_job *job)
{
	if (job->n_skips && !job->recording && !older_goes(job, job->skips[0].first)) {
		struct etl_skip skip = job->skips[0];

		drop_first(job);
		record(sched, job, &skip);
	}
	if (job->noted.ms && !job->n_skips && !job->recording &&
		/* a slot at that instant claims first */
		!older_goes(job, (etl_wall){job->noted.ms + 1}))
		note(sched, job);
}

void etl_sched_note(struct etl_sched *sched, struct etl_sched_job *job)
{
	job->noted = job->known ? job->decided : (etl_wall){0};
	etl_sched_record_kept(sched, job);
}

/* The slots that fell due while the record was on its way have had to wait (has_live_work), so
 * the job is looked at again and offered to the pool. */
void etl_sched_recorded(struct etl_sched *sched, struct etl_sched_job *job)
{
	job->recording = false;
	etl_sched_record_kept(sched, job);
	if (job->recording)
		return; /* the next one */
	etl_sched_look(sched, job);
	etl_sched_make_ready(sched, job);
	etl_sched_dispatch(sched);
}

/* ---- the cursor goes back ---------------------------------------------------------------------- */

/* The law of edits: up to `until` nothing is decided a second time, whatever the cursor does
 * later. Example: the job is edited at 00:15 while the run of 00:10 goes on. If that run claims
 * nothing, the cursor stays at 00:15: 00:10 belonged to a schedule that is gone, and is skipped
 * as `edited`. */
void etl_sched_close(struct etl_sched_job *job, etl_wall until, enum etl_skip_code code)
{
	job->closed = until;
	job->closed_code = code;
}

/* The law of the cursor: it goes back only over slots of which nothing has come, and never
 * behind `closed`. Whatever waits to run the slots behind the point goes with them, and so do
 * the skips that are not recorded yet; the next look decides all of them anew. Example: `every
 * 10m`, the cursor is 00:50, and 00:50 waits for a place when the job is paused. The cursor
 * goes back to 00:49:59.999, and the resume decides about 00:50 with what came under the pause.
 * An
 * edit that closed the slots up to 00:50 would keep the cursor there. */
void etl_sched_undecide(struct etl_sched_job *job, etl_wall point)
{
	if (point.ms < job->closed.ms)
		point = job->closed;
	if (job->decided.ms > point.ms)
		job->decided = point;
	job->each_until.ms = 0;
	while (job->n_skips && job->skips[job->n_skips - 1].last.ms > point.ms)
		job->n_skips--;
	if (job->live && job->live->slot.ms > point.ms)
		etl_trigger_drop(&job->live);
}

/* A run that claimed nothing gives its slot back, together with the slots that it passed over.
 * Example: the run of 00:30 passed over 00:10 and 00:20 and could not reach MongoDB: all three
 * are decided again. If the job was edited in the meantime (closed at 00:35), none of them may
 * run any more, and one record skips 00:10 to 00:30 with the reason of the edit. */
void etl_sched_unrun(struct etl_sched *sched, struct etl_sched_job *job, const struct etl_trigger *ran)
{
	struct etl_skip skip = {.first = ran->skip.last.ms ? ran->skip.first : ran->slot,
		.last = ran->slot,
		.slots = ran->skip.slots + 1,
		.code = job->closed_code};

	etl_sched_undecide(job, etl_trigger_before(ran));
	if (ran->slot.ms <= job->closed.ms)
		etl_sched_skip(sched, job, &skip);
}

/* Moves the point in front of all that this trigger decides about. */
static void before(etl_wall *point, const struct etl_trigger *trigger)
{
	if (trigger && trigger->slot.ms && etl_trigger_before(trigger).ms < point->ms)
		*point = etl_trigger_before(trigger);
}

bool etl_sched_waits_from(const struct etl_sched_job *job, etl_wall *point)
{
	point->ms = INT64_MAX;
	if (job->each_until.ms)
		*point = job->each_after;
	before(point, job->live);
	return point->ms != INT64_MAX;
}

/* Everything that waits for a place goes back to undecided: a slot that waits behind a run,
 * missed slots one by one, skips that are not recorded, a slot whose sensor has said yes. The
 * run that goes on keeps its slot: it may have claimed it already. */
void etl_sched_take_back(struct etl_sched_job *job)
{
	etl_wall point = job->decided, waits;

	if (etl_sched_waits_from(job, &waits) && waits.ms < point.ms)
		point = waits;
	if (job->n_skips && job->skips[0].first.ms - 1 < point.ms)
		point.ms = job->skips[0].first.ms - 1;
	before(&point, job->sensed);
	etl_sched_undecide(job, point);
	etl_trigger_drop(&job->sensed);
}

void etl_sched_take_back_all(struct etl_sched_job *job)
{
	etl_wall point = job->decided;

	before(&point, job->waiting);
	etl_sched_take_back(job);
	etl_sched_undecide(job, point);
	etl_trigger_drop(&job->waiting);
	job->sensing = false;
}
