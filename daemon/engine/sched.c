/* SPDX-License-Identifier: MIT
 *
 * Jobs as the daemon lives with them: taken over from one generation to the next, and the
 * hands of the scheduler, which decides (lib/sched/sched.h). Loop thread.
 *
 * Between two reloads a job is in one of three states: known and running by its calendar; left out
 * for an error in its file, where the store's word about its slots is kept so that mending it loses
 * none; or gone, where the store is told up to where its slots were decided, so that coming back
 * replays none.
 */
#include "engine/sched.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/backfill.h"
#include "engine/counters.h"
#include "engine/deadline.h"
#include "engine/elsewhere.h"
#include "engine/picture.h"
#include "engine/runs.h"
#include "engine/sense.h"
#include "engine/slots.h"
#include "io/instance.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/message_ids.h"
#include "plan/owed.h"
#include "time/civil.h"

static struct etld_job *job_of(struct etl_sched_job *job)
{
	return ETL_OF(struct etld_job, sched, job);
}

unsigned etld_active_runs(const struct etld *etld)
{
	struct etl_sched_facts facts;

	etl_sched_facts(etld->sched, &facts);
	return facts.active;
}

/* ---- the scheduler's hands ------------------------------------------------------------------- */

/* The law of slots: none goes without a reason. This is where the reason is told; slots.c stores
 * it. */
static void count_and_log_skip(struct etld *etld, const struct etld_job *job,
	const struct etl_skip *skip)
{
	char first[ETL_TIME_TEXT_BYTES], last[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339(skip->first, first);
	etl_time_format_rfc3339(skip->last, last);
	struct etld_field fields[] = {{"ETL_JOB", job->name, 0}, {"ETL_SLOT_FIRST", first, 0},
		{"ETL_SLOT_LAST", last, 0}, {"ETL_SLOTS", NULL, (int64_t)skip->slots},
		{"ETL_REASON", etl_skip_text(skip->code), 0}};

	etld_count_skipped(etld->counters, skip);
	if (skip->slots == 1)
		etld_log(ETLD_NOTICE, ETLD_MSG_SLOTS_SKIPPED, fields, 5,
			"%s: slot %s does not run: %s", job->name, last, etl_skip_text(skip->code));
	else
		etld_log(ETLD_NOTICE, ETLD_MSG_SLOTS_SKIPPED, fields, 5,
			"%s: slots from %s to %s do not run: %s", job->name, first, last,
			etl_skip_text(skip->code));
}

/* How long it waited is counted from when its slot fires and not from the slot: jitter is no delay.
 */
static void *on_start(void *ctx, struct etl_sched_job *sched_job, struct etl_trigger *trigger)
{
	struct etld_job *job = job_of(sched_job);
	struct etld *etld = ctx;
	etl_wall due = etl_wall_add(trigger->slot, etl_job_jitter(job->job, etld->host));
	struct etld_follower *follower = trigger->tag;
	struct etld_run *run;

	if (trigger->skip.last.ms)
		count_and_log_skip(etld, job, &trigger->skip);
	etld_count_started(etld->counters, trigger, etl_wall_diff(etl_now(etld->clock), due));
	run = etld_run_start(etld, job, trigger);
	if (follower)
		follower->started(follower, run);
	return run;
}

/* A manual run that waited, of a job that a reload has taken away. */
static void on_drop(void *ctx, void *tag)
{
	struct etld_follower *follower = tag;

	(void)ctx;
	follower->dropped(follower);
}

static void on_cancel(void *ctx, void *run)
{
	(void)ctx;
	etld_run_cancel(run, ETL_CANCEL_OVERLAP);
}

static void on_skip(void *ctx, struct etl_sched_job *sched_job, const struct etl_skip *skip,
	const char *schedule)
{
	struct etld_job *job = job_of(sched_job);

	count_and_log_skip(ctx, job, skip);
	etld_slots_skip(ctx, job->name, skip, schedule);
}

static void on_note(void *ctx, struct etl_sched_job *job, etl_wall slot)
{
	etld_slots_note(ctx, job_of(job), slot);
}

/* Late by the wheel, not by waiting for a place: this is the daemon's own punctuality. */
static void on_fired(void *ctx, struct etl_sched_job *job, uint64_t slots, etl_dur late)
{
	struct etld *etld = ctx;

	(void)job;
	etld_count_slots(etld->counters, slots, late);
}

static void on_sense(void *ctx, struct etl_sched_job *job)
{
	etld_sense_ask(ctx, job_of(job));
}

static struct etl_sched_job *on_find(void *ctx, const char *name)
{
	struct etld_job *job = etld_job_find(ctx, name);

	return job ? &job->sched : NULL;
}

/* The scheduler asks nothing of the store by itself: all that it wants done comes through these. */
void etld_sched_open(struct etld *etld)
{
	static const struct etl_sched_ops ops = {
		.start = on_start,
		.cancel = on_cancel,
		.drop = on_drop,
		.skip = on_skip,
		.note = on_note,
		.sense = on_sense,
		.fired = on_fired,
		.find = on_find,
	};

	etld->sched =
		etl_sched_new(etld_loop_wheel(etld->loop), etld->clock, etld->host, &ops, etld);
}

/* ---- what the store knows ------------------------------------------------------------------- */

/* The job may come back by a reload, and then goes on from there. */
static void keep_slots(struct etld_job *job, const struct etl_schedule_info *info)
{
	free(job->slots);
	job->slots = ETL_NEW(struct etl_schedule_info);
	*job->slots = *info;
}

/* Where the slots of a job stand. What is no job any more is retired, so that it does not
 * replay old slots if it comes back. */
void etld_sched_known(struct etld *etld, const char *name, const struct etl_schedule_info *info)
{
	struct etld_job *job = etld_job_find(etld, name);

	if (job) {
		etl_sched_restore(etld->sched, &job->sched, info);
		if (job->job->left_out)
			keep_slots(job, info);
		job->restored = true;
		job->interrupted = *info->holder && etld_instance_dead(info->holder);
	} else if (*info->schedule) {
		etld_slots_retire(etld, name, info->slot);
	}
}

/* A job without any record is new: its slots count from now on, or from its first slot on if it has
 * a start. */
void etld_sched_unheard(struct etld *etld)
{
	for (struct etld_job *job = etld->jobs; job; job = job->hh.next)
		if (!job->restored) {
			etl_sched_restore(etld->sched, &job->sched, NULL);
			job->restored = true;
		}
}

/* ---- catching up ----------------------------------------------------------------------------- */

/* Windows are due since a slot that has passed: the run that should have loaded them failed, or
 * died with its etld. Open ones behind the watermark wait for the next slot. */
static bool owes_windows(const struct etld *etld, const struct etld_job *job, etl_wall watermark)
{
	const struct etl_owed_facts facts = {.watermark = watermark};
	etl_wall since;

	return etl_owed_since(&job->job->window, job->job->calendar, &facts, etl_now(etld->clock),
		&since);
}

/* A dependant that ran before always looks: its upstream may have changed windows that it
 * closed, and the daemon died before it was told. */
static bool owes_a_run(const struct etld *etld, const struct etld_job *job)
{
	if (job->interrupted)
		return true;
	for (size_t i = 0; i < job->job->n_partitions; i++)
		if (job->partitions[i].watermark.ms &&
			(job->job->n_upstream ||
				owes_windows(etld, job, job->partitions[i].watermark)))
			return true;
	return false;
}

/* Not for a job that runs or waits already, whose run will find the same windows due. `misfire:
 * skip` means that what was missed stays missed until the next slot, which reads it by the ledger
 * all the same. */
static void catch_up(struct etld *etld, struct etld_job *job)
{
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_CATCH_UP};

	if (job->job->left_out || job->sched.run || etl_sched_has_waiting(&job->sched))
		return;
	if (owes_a_run(etld, job) && job->job->misfire != ETL_MISFIRE_SKIP)
		etl_sched_trigger(etld->sched, &job->sched, &trigger);
	job->interrupted = false;
}

void etld_sched_catch_up(struct etld *etld)
{
	etld_on_loop(etld->loop);
	for (struct etld_job *job = etld->jobs; job; job = job->hh.next)
		catch_up(etld, job);
}

/* ---- generations --------------------------------------------------------------------------- */

/* A job that was left out at start is right now. It goes on as at a start: its slots stand where
 * the store had them, and those since then are missed ones. */
static void come_back(struct etld *etld, struct etld_job *job, const struct etl_job *config)
{
	bool paused = job->sched.paused;

	etl_sched_remove(etld->sched, &job->sched);
	memset(&job->sched, 0, sizeof job->sched);
	etl_sched_add(etld->sched, &job->sched, job->name, config);
	if (etld->marks_known)
		etl_sched_restore(etld->sched, &job->sched, job->slots);
	if (paused)
		etl_sched_pause(etld->sched, &job->sched);
	free(ETL_TAKE(job->slots));
	job->came_back = true;
	etld_log(ETLD_NOTICE, NULL, (struct etld_field[]){{"ETL_JOB", job->name, 0}}, 1,
		"%s: is right now and runs again", job->name);
}

/* The first generation is a start, where slots since the last stop count as missed; a job of a
 * later one begins now. */
static struct etld_job *new_job(struct etld *etld, const struct etl_job *config)
{
	struct etld_job *job = ETL_NEW(struct etld_job);

	job->name = etl_strdup(config->name);
	HASH_ADD_KEYPTR(hh, etld->jobs, job->name, strlen(job->name), job);
	etl_sched_add(etld->sched, &job->sched, job->name, config);
	if (etld->generation->number > 1) /* a reload: it is new, or comes back */
		etl_sched_from_now_on(&job->sched);
	if (etld->marks_known) {
		etl_sched_restore(etld->sched, &job->sched, NULL);
		job->restored = true;
	}
	return job;
}

/* What is known of targets is of the old one if that has changed. */
static void look_at_target(struct etld *etld, struct etld_job *job, const struct etl_job *config)
{
	if (!etld_elsewhere_changes(etld, job, config))
		return;
	etld_elsewhere_forget(job);
	job->retargeted = etld->generation->number > 1 ? ETLD_UNTOLD : 0;
}

/* The partitions are carried before the configuration is replaced: both lists are needed, by name.
 */
static void adopt_job(struct etld *etld, const struct etl_job *config)
{
	struct etld_job *job = etld_job_find(etld, config->name);
	struct etld_partition *partitions;

	if (job && job->job->left_out)
		come_back(etld, job, config);
	else if (job)
		etl_sched_change(etld->sched, &job->sched, config);
	else
		job = new_job(etld, config);
	look_at_target(etld, job, config);
	partitions = etld_job_carry(job, config);
	etld_elsewhere_forget(job); /* of partitions that are no more */
	free(job->partitions);
	job->partitions = partitions;
	job->job = config;
}

/* What is out on a worker (a question, alerts) is cut off and frees itself when it comes back. */
static void free_job(struct etld *etld, struct etld_job *job)
{
	etld_sense_drop(job);
	etld_deadline_drop(etld, job);
	etl_sched_remove(etld->sched, &job->sched);
	HASH_DEL(etld->jobs, job);
	etld_elsewhere_forget(job);
	free(job->elsewhere_told);
	free(job->partitions);
	free(job->slots);
	free(job->last);
	etld_job_note_pause(job, NULL, NULL, (etl_wall){0});
	free(job->failed_why);
	free(job->held_why);
	free(job->name);
	free(job);
}

/* A running job that is gone from the configuration ends its run on the generation that the
 * run holds; the job is forgotten at once. Should it come back, its old slots are not replayed. */
static void forget_job(struct etld *etld, struct etld_job *job)
{
	if (etld_running(job)) {
		etld_run_cancel(etld_running(job), ETL_CANCEL_OPERATOR);
		etld_run_orphan(etld_running(job));
	}
	etld_slots_retire(etld, job->name, job->sched.decided);
	etld_backfills_job_gone(etld, job->name);
	free_job(etld, job);
}

/* What those that came back have missed. The scheduler is told once for all of them, and only then
 * each may owe a run besides its slots. */
static void start_again(struct etld *etld)
{
	bool any = false;

	for (struct etld_job *job = etld->jobs; job; job = job->hh.next)
		any |= job->came_back;
	if (any)
		etl_sched_replan(etld->sched);
	for (struct etld_job *job = etld->jobs; any && job; job = job->hh.next) {
		if (job->came_back && etld->marks_known)
			catch_up(etld, job);
		job->came_back = false;
	}
}

/* In this order: the jobs that are there, then those that are gone, whose places are free by that;
 * then the limits, by which more may run; then what those that came back have missed. */
void etld_sched_adopt(struct etld *etld, struct etld_generation *generation)
{
	struct etld_generation *old = etld->generation;
	struct etld_job *job, *next;

	etld_on_loop(etld->loop);
	etld->generation = generation;
	for (size_t i = 0; i < generation->n_jobs; i++)
		adopt_job(etld, generation->jobs[i]);
	HASH_ITER(hh, etld->jobs, job, next)
		if (!etld_generation_job(generation, job->name))
			forget_job(etld, job);
	etl_sched_limit(etld->sched, (unsigned)generation->settings.limits.max_active);
	start_again(etld);
	etld_deadline_look_all(etld);
	etld_picture_hurry(etld); /* what is new here may be known there */
	if (old && old != generation)
		etld_generation_unref(old);
}

/* The workers are gone: a question that was out comes back to nobody, so that it is freed here. */
void etld_sched_free(struct etld *etld)
{
	struct etld_job *job, *next;

	if (!etld->sched)
		return;
	HASH_ITER(hh, etld->jobs, job, next) {
		etld_sense_free(job);
		free_job(etld, job);
	}
	etl_sched_free(etld->sched);
}
