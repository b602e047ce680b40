/* SPDX-License-Identifier: MIT
 *
 * When jobs run: their slots on the timing wheel, what missed slots and overlaps come to, and
 * the queue of those that wait for a free place. Decides; exec.c does. A slot is a UTC
 * instant that fires at most once: last_slot never goes back, whatever the clock does.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "etld.h"
#include "journal.h"
#include "time/civil.h"

struct etld_job *etld_job_find(struct etld *etld, const char *name)
{
	struct etld_job *job;

	HASH_FIND_STR(etld->jobs, name, job);
	return job;
}

static void trigger_fini(struct etld_trigger *trigger)
{
	free(trigger->partition);
	*trigger = (struct etld_trigger){0};
}

/* ---- slots --------------------------------------------------------------------------------- */

static etl_wall later(etl_wall a, etl_wall b)
{
	return a.ms > b.ms ? a : b;
}

/* Arms the timer for the job's next slot: monotonic time until slot + jitter, from the wall
 * clock's present reading. A step of the clock plans again. */
static void arm(struct etld *etld, struct etld_job *job)
{
	etl_wall due = etl_wall_add(job->next, etl_job_jitter(job->job, etld->host));
	etl_dur wait = etl_wall_diff(due, etl_now(etld->clock));

	etl_timer_arm(etld_loop_wheel(etld->loop), &job->timer,
		etl_mono_add(etl_mono_now(etld->clock), wait.us > 0 ? wait : (etl_dur){0}));
}

void etld_sched_plan(struct etld *etld, struct etld_job *job)
{
	etl_timer_cancel(etld_loop_wheel(etld->loop), &job->timer);
	job->next.ms = 0;
	if (!job->job->calendar || etld->draining)
		return;
	if (!etl_calendar_next(job->job->calendar, later(etl_now(etld->clock), job->last_slot),
		    &job->next)) {
		job->next.ms = 0;
		return;
	}
	arm(etld, job);
}

/* The clock was set. Forward: a slot that is now past fires at once, once. Back: nothing runs
 * again, the next slot is after the newest that fired. */
void etld_sched_replan_all(struct etld *etld)
{
	etl_wall now = etl_now(etld->clock);

	for (struct etld_job *job = etld->jobs; job; job = job->hh.next) {
		if (job->next.ms && job->next.ms <= now.ms)
			arm(etld, job);
		else
			etld_sched_plan(etld, job);
	}
}

static void on_slot(struct etl_timer *timer, void *ctx)
{
	struct etld *etld = ctx;
	struct etld_job *job =
		(struct etld_job *)((char *)timer - offsetof(struct etld_job, timer));
	struct etld_trigger trigger = {.name = "schedule", .slot = job->next};

	job->last_slot = job->next;
	etld_sched_plan(etld, job);
	if (!job->paused)
		etld_sched_trigger(etld, job, &trigger, NULL);
}

/* ---- triggers ------------------------------------------------------------------------------ */

static bool is_by_hand(const struct etld_trigger *trigger)
{
	return trigger->asked.end.ms > 0 || trigger->partition;
}

/* One waits; the newer replaces it, except that a slot never pushes out what an operator
 * asked for: what fell due with the slot is found by the next plan in any case. */
static void queue(struct etld_job *job, struct etld_trigger *trigger)
{
	if (job->has_queued && is_by_hand(&job->queued) && !is_by_hand(trigger)) {
		trigger_fini(trigger);
		return;
	}
	if (job->has_queued)
		trigger_fini(&job->queued);
	job->queued = *trigger;
	job->has_queued = true;
	*trigger = (struct etld_trigger){0};
}

static void make_ready(struct etld *etld, struct etld_job *job)
{
	if (job->in_ready)
		return;
	job->in_ready = true;
	job->ready_next = NULL;
	*etld->ready_last = job;
	etld->ready_last = &job->ready_next;
}

static bool is_full(const struct etld *etld)
{
	return etld->active_runs >= (unsigned)etld->generation->settings.limits.max_active;
}

static enum etld_accept overlap(struct etld_job *job, struct etld_trigger *trigger)
{
	bool is_slot = strcmp(trigger->name, "schedule") == 0;

	if (job->job->overlap == ETL_OVERLAP_SKIP && is_slot) {
		struct etld_field fields[] = {{"ETL_JOB", job->name, 0}};

		etld_log(ETLD_NOTICE, NULL, fields, 1,
			"%s: slot skipped, the run before is still going (overlap: skip)", job->name);
		trigger_fini(trigger);
		return ETLD_REFUSED;
	}
	if (job->job->overlap == ETL_OVERLAP_CANCEL_RUNNING && is_slot)
		etld_exec_cancel(job->running, ETL_CANCEL_OPERATOR);
	queue(job, trigger);
	return ETLD_QUEUED;
}

enum etld_accept etld_sched_trigger(struct etld *etld, struct etld_job *job,
	struct etld_trigger *trigger, struct etld_run **run)
{
	struct etld_run *started;

	if (etld->draining) {
		trigger_fini(trigger);
		return ETLD_REFUSED;
	}
	if (job->running)
		return overlap(job, trigger);
	if (!etld->mongodb_up) {
		job->owed = true; /* windows that fell due are found again by the plan */
		trigger_fini(trigger);
		return ETLD_REFUSED;
	}
	if (is_full(etld)) {
		queue(job, trigger);
		make_ready(etld, job);
		return ETLD_QUEUED;
	}
	started = etld_exec_start(etld, job, trigger);
	if (run)
		*run = started;
	return ETLD_ACCEPTED;
}

static void start_ready(struct etld *etld)
{
	while (etld->ready && !is_full(etld) && etld->mongodb_up && !etld->draining) {
		struct etld_job *job = etld->ready;

		etld->ready = job->ready_next;
		if (!etld->ready)
			etld->ready_last = &etld->ready;
		job->in_ready = false;
		if (job->has_queued && !job->running) {
			struct etld_trigger trigger = job->queued;

			job->has_queued = false;
			etld_exec_start(etld, job, &trigger);
		}
	}
}

/* Dependants run when an upstream job closed or changed windows. */
static void trigger_dependants(struct etld *etld, const struct etl_job *job)
{
	for (size_t i = 0; i < job->n_dependants; i++) {
		struct etld_job *dependant = etld_job_find(etld, job->dependants[i]->name);
		struct etld_trigger trigger = {.name = "after"};

		if (dependant && !dependant->paused)
			etld_sched_trigger(etld, dependant, &trigger, NULL);
	}
}

void etld_sched_run_ended(struct etld *etld, struct etld_job *job)
{
	const struct etl_run *run = etld_exec_run(job->running);
	bool moved = run->windows_loaded || run->windows_empty || run->windows_changed;
	const struct etl_job *config = etld_generation_job(etld->generation, job->name);

	job->running = NULL;
	if (moved && config)
		trigger_dependants(etld, config);
	if (job->has_queued && !etld->draining)
		make_ready(etld, job);
	start_ready(etld);
}

void etld_sched_resume_owed(struct etld *etld)
{
	for (struct etld_job *job = etld->jobs; job; job = job->hh.next) {
		struct etld_trigger trigger = {.name = "catch_up"};

		if (!job->owed || job->paused)
			continue;
		job->owed = false;
		etld_sched_trigger(etld, job, &trigger, NULL);
	}
	start_ready(etld);
}

/* A slot was missed if the first window that is owed fell due before one that has passed. */
static bool missed_a_slot(const struct etld *etld, const struct etld_job *job, etl_wall watermark)
{
	const struct etl_window_rules *rules = &job->job->window;
	etl_wall due, slot, now = etl_now(etld->clock);

	if (rules->none)
		due = watermark;
	else if (etl_window_limit(rules, now).ms <= watermark.ms)
		return false;
	else
		due = etl_wall_add(etl_wall_add(watermark, rules->size), rules->settle);
	if (!job->job->calendar)
		return !rules->none;
	due.ms--;
	return etl_calendar_next(job->job->calendar, due, &slot) && slot.ms <= now.ms;
}

/* A dependant that ran before always looks: its upstream may have changed windows that it
 * closed, and the daemon died before it was told. */
void etld_sched_catch_up(struct etld *etld)
{
	for (struct etld_job *job = etld->jobs; job; job = job->hh.next) {
		struct etld_trigger trigger = {.name = "catch_up"};
		bool missed = false;

		for (size_t i = 0; i < job->job->n_partitions && !missed; i++)
			missed = job->partitions[i].watermark.ms &&
				(job->job->n_upstream ||
					missed_a_slot(etld, job, job->partitions[i].watermark));
		if (missed && !job->paused && job->job->misfire != ETL_MISFIRE_SKIP)
			etld_sched_trigger(etld, job, &trigger, NULL);
	}
}

/* ---- generations --------------------------------------------------------------------------- */

static struct etld_partition *carry_partitions(const struct etld_job *old, const struct etl_job *job)
{
	struct etld_partition *partitions = etl_calloc(job->n_partitions, sizeof *partitions);

	for (size_t i = 0; i < job->n_partitions; i++) {
		partitions[i].name = job->partitions[i].name;
		for (size_t k = 0; old->job && k < old->job->n_partitions; k++)
			if (strcmp(old->partitions[k].name, partitions[i].name) == 0)
				partitions[i].watermark = old->partitions[k].watermark;
	}
	return partitions;
}

/* A new or changed schedule begins with its next slot: what lies before is not replayed. */
static void adopt_job(struct etld *etld, const struct etl_job *config)
{
	struct etld_job *job = etld_job_find(etld, config->name);
	struct etld_partition *partitions;

	if (!job) {
		job = ETL_NEW(struct etld_job);
		job->name = etl_strdup(config->name);
		job->timer = (struct etl_timer){.fire = on_slot, .ctx = etld, .name = "slot"};
		HASH_ADD_KEYPTR(hh, etld->jobs, job->name, strlen(job->name), job);
	}
	partitions = carry_partitions(job, config);
	free(job->partitions);
	job->partitions = partitions;
	job->job = config;
	etld_sched_plan(etld, job);
}

static void forget_job(struct etld *etld, struct etld_job *job)
{
	etl_timer_cancel(etld_loop_wheel(etld->loop), &job->timer);
	for (struct etld_job **p = &etld->ready; *p; p = &(*p)->ready_next)
		if (*p == job) {
			*p = job->ready_next;
			break;
		}
	etld->ready_last = &etld->ready;
	while (*etld->ready_last)
		etld->ready_last = &(*etld->ready_last)->ready_next;
	HASH_DEL(etld->jobs, job);
	if (job->has_queued)
		trigger_fini(&job->queued);
	free(job->partitions);
	free(job->pause_reason);
	free(job->name);
	free(job);
}

/* Swaps the generation in. A running job that is gone from the configuration ends its run on
 * the generation that the run holds; then it is forgotten. */
void etld_sched_adopt(struct etld *etld, struct etld_generation *generation)
{
	struct etld_generation *old = etld->generation;
	struct etld_job *job, *next;

	if (!etld->ready_last)
		etld->ready_last = &etld->ready;
	etld->generation = generation;
	for (size_t i = 0; i < generation->n_jobs; i++)
		adopt_job(etld, generation->jobs[i]);
	HASH_ITER(hh, etld->jobs, job, next)
	{
		if (etld_generation_job(generation, job->name))
			continue;
		if (job->running) {
			etld_exec_cancel(job->running, ETL_CANCEL_OPERATOR);
			etld_exec_orphan(job->running);
		}
		forget_job(etld, job);
	}
	if (old && old != generation)
		etld_generation_unref(old);
}

void etld_sched_stop(struct etld *etld)
{
	for (struct etld_job *job = etld->jobs; job; job = job->hh.next)
		etl_timer_cancel(etld_loop_wheel(etld->loop), &job->timer);
}

void etld_sched_free(struct etld *etld)
{
	struct etld_job *job, *next;

	HASH_ITER(hh, etld->jobs, job, next)
		forget_job(etld, job);
}
