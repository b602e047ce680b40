/* SPDX-License-Identifier: MIT
 *
 * The life of a run on the loop: begin on a worker, its parts (strands.c), finish on a worker,
 * report here; its lease, its timeout, its end by a cancel. Knows of its work only that it has
 * parts.
 *
 * The law of a run's end: it finishes once, when no strand is out, no renewal is under way, and
 * none is left to be started; whoever comes to rest last calls maybe_finish. Example: a run is
 * cancelled by its timeout while one strand is on a worker and another waits for a retry. The
 * second is called at once and ends; the first finds the flag at its next step and ends; only then
 * the record is written, with both of them as cancelled.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "engine/outcome.h"
#include "engine/runs.h"
#include "engine/strands.h"
#include "io/journal.h"
#include "io/message_ids.h"

/* A stopping daemon waits this long for a retry; what waits longer ends, its windows due. */
#define DRAIN_PATIENCE ETL_SECONDS(1)

static void submit(struct etld_run *run, void (*work)(struct etld_task *),
	void (*done)(struct etld_task *), const char *name)
{
	run->task = (struct etld_task){.work = work, .done = done, .name = name,
		.of = run->run->job->name};
	etld_pool_submit(run->etld->pool, &run->task);
}

/* ---- the end of a run ---------------------------------------------------------------------- */

/* Watchers are unhooked and not told: they heard of the end in news.c. */
static void run_free(struct etld_run *run)
{
	struct etl_wheel *wheel = etld_loop_wheel(run->etld->loop);

	etl_timer_cancel(wheel, &run->timeout);
	etl_timer_cancel(wheel, &run->renew);
	if (run->prev)
		run->prev->next = run->next;
	else
		run->etld->runs = run->next;
	if (run->next)
		run->next->prev = run->prev;
	while (run->watchers)
		etld_run_unwatch(run, run->watchers->ctx);
	etl_run_free(run->run);
	etld_picture_free(run->picture);
	etld_generation_unref(run->generation);
	free(run->strands);
	free(run);
}

/* The ledger is read in the same task, if there is reason to (picture_read.c): status is right as
 * soon as the run's end is told. */
static void finish_work(struct etld_task *task)
{
	struct etld_run *run = ETL_OF(struct etld_run, task, task);

	etld_on_worker();
	etl_run_finish(run->run, &run->finish_error);
	etld_picture_read_after(run->picture, run->run);
}

static void finish_done(struct etld_task *task)
{
	struct etld_run *run = ETL_OF(struct etld_run, task, task);
	struct etld *etld = run->etld;

	etld->news->ended(etld, run);
	run_free(run);
	etld->news->changed(etld);
}

/* A renewal that is under way still uses the run: its answer calls this again. Strands that were
 * not started count as left unless the run is cancelled. */
static void maybe_finish(struct etld_run *run)
{
	if (run->active || run->renewing || run->finishing || !run->begun)
		return;
	if (run->next_strand < run->n_strands && atomic_load(&run->run->cancel) == ETL_CANCEL_NO)
		return;
	run->finishing = true;
	run->picture = run->job ? etld_picture_new(run->etld, run->job) : NULL;
	etl_timer_cancel(etld_loop_wheel(run->etld->loop), &run->renew);
	submit(run, finish_work, finish_done, "finish");
}

/* ---- what its strands tell ----------------------------------------------------------------- */

/* A daemon that stops does not wait out a retry. */
static void end_if_only_waiting(struct etld_run *run)
{
	if (run->etld->draining && etld_strands_only_wait(run, DRAIN_PATIENCE))
		etld_run_cancel(run, ETL_CANCEL_SHUTDOWN);
}

/* The next run is read first: a cancel may end one at once and free it. */
void etld_runs_drain(struct etld *etld)
{
	for (struct etld_run *run = etld->runs, *next; run; run = next) {
		next = run->next;
		end_if_only_waiting(run);
	}
}

static void strand_moved(struct etld_run *run)
{
	etld_run_tell(run, false);
}

/* A fenced run writes nothing more: its other strands are ended as well. Then the next strand gets
 * the place, and at last the run may have come to its end. */
static void strand_ended(struct etld_run *run)
{
	if (atomic_load(&run->run->fenced)) /* nothing of this run may be written any more */
		etld_run_cancel(run, ETL_CANCEL_FENCED);
	etld_run_tell(run, false);
	etld_strands_start(run);
	end_if_only_waiting(run);
	maybe_finish(run);
}

static const struct etld_run_events strand_events = {
	.moved = strand_moved,
	.waits = end_if_only_waiting,
	.ended = strand_ended,
};

/* ---- the begin of a run -------------------------------------------------------------------- */

/* Whatever comes of it is in the run (state, error): begin_done goes on in either case, and a run
 * that could not begin has no parts and finishes at once. */
static void begin_work(struct etld_task *task)
{
	struct etld_run *run = ETL_OF(struct etld_run, task, task);

	etld_on_worker();
	etl_run_begin(run->run);
}

static void arm_renew(struct etld_run *run, etl_dur wait)
{
	etl_timer_arm(etld_loop_wheel(run->etld->loop), &run->renew,
		etl_mono_add(etl_mono_now(run->etld->clock), wait));
}

/* `prepared` by generation: indexes and validators are made once for each configuration, and again
 * by the next run if this one failed. */
static void begin_done(struct etld_task *task)
{
	struct etld_run *run = ETL_OF(struct etld_run, task, task);

	run->begun = true;
	if (run->job && run->run->state == ETL_RUN_RUNNING)
		run->job->prepared = run->generation->number;
	etld_strands_open(run, &strand_events);
	if (run->run->leased)
		arm_renew(run, ETL_LEASE_RENEWED);
	etld_strands_start(run);
	maybe_finish(run);
}

/* On the one thread for leases, over a connection of its own: whatever keeps the workers busy, this
 * does not wait for them. */
static void renew_work(struct etld_task *task)
{
	struct etld_run *run = ETL_OF(struct etld_run, renew_task, task);

	etld_on_worker();
	etl_error_clear(&run->renew_error);
	etl_run_renew(run->run, &run->renew_error);
}

/* Lost for good (somebody else has it) ends the run; a renewal that got no answer is tried again in
 * a second, of which a lease of 30 s leaves time for many. */
static void renew_done(struct etld_task *task)
{
	struct etld_run *run = ETL_OF(struct etld_run, renew_task, task);

	run->renewing = false;
	if (run->renew_error.kind == ETL_CONFLICT) {
		struct etld_field fields[] = {{"ETL_JOB", run->run->job->name, 0},
			{"ETL_RUN_ID", run->run->run_id, 0}};

		etld_log(ETLD_WARNING, ETLD_MSG_LEASE_LOST, fields, 2,
			"%s: the lease was lost, run %s stops", run->run->job->name,
			run->run->run_id);
		atomic_store(&run->run->fenced, true);
		etld_run_cancel(run, ETL_CANCEL_FENCED);
	} else if (!run->finishing) {
		arm_renew(run,
			run->renew_error.kind == ETL_OK ? ETL_LEASE_RENEWED : ETL_LEASE_AGAIN);
	}
	maybe_finish(run);
}

static void on_renew(struct etl_timer *timer, void *ctx)
{
	struct etld_run *run = ctx;

	(void)timer;
	if (run->finishing)
		return;
	run->renewing = true;
	run->renew_task = (struct etld_task){
		.work = renew_work, .done = renew_done, .name = "renew", .of = run->run->job->name};
	etld_pool_submit(run->etld->lease_pool, &run->renew_task);
}

static void on_timeout(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	etld_run_cancel(ctx, ETL_CANCEL_TIMEOUT);
}

/* The timeout counts from here: a run that waits for a worker all its time ends by it as well. */
struct etld_run *etld_run_start(struct etld *etld, struct etld_job *job,
	struct etl_trigger *trigger)
{
	struct etld_run *run = ETL_NEW(struct etld_run);

	etld_on_loop(etld->loop);
	run->etld = etld;
	run->job = job;
	run->generation = etld_generation_ref(etld->generation);
	run->run = etl_run_new(job->job, etld->run_env, etld->generation->number, trigger);
	run->run->prepare = job->prepared != etld->generation->number;
	run->run->seek_holes = etld_job_holes_are_due(etld, job);
	run->run->before = *etld_job_last(job);
	run->finish_error = (struct etl_error)ETL_ERROR_INIT;
	run->renew_error = (struct etl_error)ETL_ERROR_INIT;
	run->timeout = (struct etl_timer){.fire = on_timeout, .ctx = run, .name = "run timeout"};
	run->renew = (struct etl_timer){.fire = on_renew, .ctx = run, .name = "lease"};
	run->next = etld->runs;
	if (run->next)
		run->next->prev = run;
	etld->runs = run;
	etl_timer_arm(etld_loop_wheel(etld->loop), &run->timeout,
		etl_mono_add(etl_mono_now(etld->clock), job->job->timeout));
	submit(run, begin_work, begin_done, "begin");
	etld->news->changed(etld);
	return run;
}

/* The first reason counts. Nothing is torn: a worker looks at the flag between two steps, and a
 * commit that was sent is waited for. */
void etld_run_cancel(struct etld_run *run, enum etl_cancel why)
{
	int no = ETL_CANCEL_NO;

	etld_on_loop(run->etld->loop);
	if (!atomic_compare_exchange_strong(&run->run->cancel, &no, why))
		return;
	etld_strands_call(run);
	maybe_finish(run);
}

void etld_runs_cancel_all(struct etld *etld, enum etl_cancel why)
{
	for (struct etld_run *run = etld->runs, *next; run; run = next) {
		next = run->next;
		etld_run_cancel(run, why);
	}
}

/* The run goes on to its end on the generation that it holds; there is no job any more to remember
 * it. */
void etld_run_orphan(struct etld_run *run)
{
	run->job = NULL;
}
