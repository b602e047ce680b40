/* SPDX-License-Identifier: MIT
 *
 * The cursor `decided` and what is on record about it. Skips are recorded in the order of
 * their slots: the record moves the stored cursor, and a claim of an older slot would then be
 * refused. So a skip waits until all older slots of the job have come to something and the skip
 * before it is in, and no slot starts while one is on its way to the store.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sched/sched_internal.h"

/* ---- skips ----------------------------------------------------------------------------------- */

static bool is_older(const struct etl_trigger *trigger, bool has, etl_wall slot)
{
	return has && trigger->slot.ms && trigger->slot.ms < slot.ms;
}

/* A slot before this one goes, or waits to run. */
static bool older_goes(const struct etl_sched_job *job, etl_wall slot)
{
	return is_older(&job->running, job->run != NULL, slot) ||
		is_older(&job->sensed, job->has_sensed, slot) ||
		is_older(&job->waiting, job->sensing, slot) ||
		is_older(&job->live, job->has_live, slot) ||
		(job->each_until.ms && job->each_after.ms < slot.ms);
}

static void record(struct etl_sched *sched, struct etl_sched_job *job, const struct etl_skip *skip)
{
	char schedule[ETL_SCHEDULE_BYTES];

	etl_job_schedule_key(job->job, schedule);
	job->recording = true;
	sched->ops->skip(sched->ctx, job, skip, schedule);
}

static bool is_between(const struct etl_trigger *trigger, bool has, etl_wall after, etl_wall slot)
{
	return has && trigger->slot.ms > after.ms && trigger->slot.ms < slot.ms;
}

/* A slot that lies between two skips goes, or waits to run: they stay two. */
static bool goes_between(const struct etl_sched_job *job, etl_wall after, etl_wall slot)
{
	return is_between(&job->running, job->run != NULL, after, slot) ||
		is_between(&job->sensed, job->has_sensed, after, slot) ||
		is_between(&job->waiting, job->sensing, after, slot) ||
		is_between(&job->live, job->has_live, after, slot) ||
		(job->each_until.ms > after.ms && job->each_after.ms < slot.ms);
}

/* In the order of their slots: nearly always behind the others, but the slot of a run of which
 * nothing came is older than all that came under it. */
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
	if (!job->known) /* `closed` has it; etl_sched_restore skips from the stored cursor on */
		return;
	job->last_skip = *skip;
	job->last_skip_at = etl_now(sched->clock);
	if (job->recording || job->n_skips || older_goes(job, skip->first))
		keep(job, skip);
	else
		record(sched, job, skip);
}

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

/* What has been decided since waits to run, and is none of its business. */
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
		!older_goes(job, (etl_wall){job->noted.ms + 1})) /* nor the one at that very moment */
		note(sched, job);
}

void etl_sched_note(struct etl_sched *sched, struct etl_sched_job *job)
{
	job->noted = job->known ? job->decided : (etl_wall){0};
	etl_sched_record_kept(sched, job);
}

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

void etl_sched_close(struct etl_sched_job *job, etl_wall until, enum etl_skip_code code)
{
	job->closed = until;
	job->closed_code = code;
}

void etl_sched_undecide(struct etl_sched_job *job, etl_wall point)
{
	if (point.ms < job->closed.ms)
		point = job->closed;
	if (job->decided.ms > point.ms)
		job->decided = point;
	job->each_until.ms = 0;
	while (job->n_skips && job->skips[job->n_skips - 1].last.ms > point.ms)
		job->n_skips--;
	if (job->has_live && job->live.slot.ms > point.ms) {
		etl_trigger_fini(&job->live);
		job->has_live = false;
	}
}

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

static void before(etl_wall *point, const struct etl_trigger *trigger, bool has)
{
	if (has && trigger->slot.ms && etl_trigger_before(trigger).ms < point->ms)
		*point = etl_trigger_before(trigger);
}

bool etl_sched_waits_from(const struct etl_sched_job *job, etl_wall *point)
{
	point->ms = INT64_MAX;
	if (job->each_until.ms)
		*point = job->each_after;
	before(point, &job->live, job->has_live);
	return point->ms != INT64_MAX;
}

void etl_sched_take_back(struct etl_sched_job *job)
{
	etl_wall point = job->decided, waits;

	if (etl_sched_waits_from(job, &waits) && waits.ms < point.ms)
		point = waits;
	if (job->n_skips && job->skips[0].first.ms - 1 < point.ms)
		point.ms = job->skips[0].first.ms - 1;
	before(&point, &job->sensed, job->has_sensed);
	etl_sched_undecide(job, point);
	if (job->has_sensed)
		etl_trigger_fini(&job->sensed);
	job->has_sensed = false;
}

void etl_sched_take_back_all(struct etl_sched_job *job)
{
	etl_wall point = job->decided;

	before(&point, &job->waiting, job->sensing);
	etl_sched_take_back(job);
	etl_sched_undecide(job, point);
	if (job->sensing)
		etl_trigger_fini(&job->waiting);
	job->sensing = false;
}
