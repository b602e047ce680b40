/* SPDX-License-Identifier: MIT
 *
 * Carries runs through their life: begin on a worker, each strand back and forth between
 * workers (its steps) and the loop (its transfer, its waits), finish on a worker, report on
 * the loop. A strand is on at most one thread; its mail waits here while a worker has it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "engine/exec_run.h"
#include "engine/outcome.h"
#include "io/journal.h"
#include "io/message_ids.h"

/* Unread bytes of a strand at which its socket is paused. */
#define MAIL_HIGH_BYTES (512 * 1024)
/* A stopping daemon waits this long for a retry; what waits longer ends, its windows due. */
#define DRAIN_PATIENCE ETL_SECONDS(1)

/* `lane`: of pool.h; 0 = none. */
static void submit(struct etld_run *run, struct etld_task *task, uint64_t lane,
	void (*work)(struct etld_task *), void (*done)(struct etld_task *), const char *name)
{
	*task = (struct etld_task){.work = work, .done = done, .name = name, .lane = lane,
		.of = run->run->job->name};
	etld_pool_submit(run->etld->pool, task);
}

/* ---- the end of a run ---------------------------------------------------------------------- */

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
		etld_exec_unwatch(run, run->watchers->ctx);
	etl_run_free(run->run);
	etld_picture_free(run->picture);
	etld_generation_unref(run->generation);
	free(run->strands);
	free(run);
}

static void finish_work(struct etld_task *task)
{
	struct etld_run *run = (struct etld_run *)((char *)task - offsetof(struct etld_run, task));

	etld_on_worker();
	etl_run_finish(run->run, &run->finish_error);
	etld_picture_read_after(run->picture, run->run);
}

static void finish_done(struct etld_task *task)
{
	struct etld_run *run = (struct etld_run *)((char *)task - offsetof(struct etld_run, task));
	struct etld *etld = run->etld;

	etld->news->ended(etld, run);
	run_free(run);
	etld->news->changed(etld);
}

static void maybe_finish(struct etld_run *run)
{
	if (run->active || run->renewing || run->finishing || !run->begun)
		return;
	if (run->next_strand < run->n_strands && atomic_load(&run->run->cancel) == ETL_CANCEL_NO)
		return;
	run->finishing = true;
	run->picture = run->job ? etld_picture_new(run->etld, run->job) : NULL;
	etl_timer_cancel(etld_loop_wheel(run->etld->loop), &run->renew);
	submit(run, &run->task, 0, finish_work, finish_done, "finish");
}

/* ---- strands ------------------------------------------------------------------------------- */

static void give_to_worker(struct strand *s);
static void start_strands(struct etld_run *run);
static void end_if_only_waiting(struct etld_run *run);

static void drop_transfer(struct strand *s)
{
	etld_fetch_clock_stop(&s->clock);
	etld_http_abort(ETL_TAKE(s->transfer));
	while (s->mail) {
		struct etl_mail *next = s->mail->next;

		etl_mail_free(s->mail);
		s->mail = next;
	}
	s->mail_last = &s->mail;
	s->mail_bytes = 0;
}

static void post(struct strand *s, struct etl_mail *mail)
{
	*s->mail_last = mail;
	s->mail_last = &mail->next;
	s->mail_bytes += mail->len;
	if (s->mail_bytes > MAIL_HIGH_BYTES && s->transfer) {
		etld_fetch_clock_stop(&s->clock);
		etld_http_pause(s->transfer, true);
	}
	if (s->wants_input && !s->on_worker)
		give_to_worker(s);
}

static void on_begun(void *ctx)
{
	struct strand *s = ctx;

	etld_fetch_clock_go(&s->clock);
}

static void on_head(void *ctx, const struct etl_response *response)
{
	post(ctx, etl_mail_of_head(response));
}

static void on_chunk(void *ctx, const char *bytes, size_t len)
{
	struct etl_mail *mail = ETL_NEW(struct etl_mail);

	mail->kind = ETL_MAIL_CHUNK;
	mail->data = etl_memdup0(bytes, len);
	mail->len = len;
	post(ctx, mail);
}

static void on_end(void *ctx, const struct etl_error *err)
{
	struct strand *s = ctx;
	struct etl_mail *mail = ETL_NEW(struct etl_mail);

	s->transfer = NULL; /* it frees itself */
	mail->kind = err->kind == ETL_OK ? ETL_MAIL_END : ETL_MAIL_ERROR;
	mail->error = *err;
	mail->took = etld_fetch_clock_stop(&s->clock);
	post(s, mail);
}

/* The answer is not waited for any longer. */
static void on_late(struct etl_timer *timer, void *ctx)
{
	struct strand *s = ctx;
	struct etl_error err = ETL_ERROR_INIT;
	etl_dur limit = s->run->run->job->step_timeout[ETL_STEP_EXTRACT];

	(void)timer;
	etl_step_timeout(&err, ETL_STEP_EXTRACT, limit, limit);
	etld_http_abort(ETL_TAKE(s->transfer));
	on_end(s, &err);
}

static const struct etld_transfer_events transfer_events = {
	.begun = on_begun,
	.head = on_head,
	.chunk = on_chunk,
	.end = on_end,
};

static void strand_ended(struct strand *s)
{
	s->ended = true;
	s->run->active--;
	if (atomic_load(&s->run->run->fenced)) /* nothing of this run may be written any more */
		etld_exec_cancel(s->run, ETL_CANCEL_FENCED);
	etld_exec_tell(s->run, false);
	start_strands(s->run);
	end_if_only_waiting(s->run);
	maybe_finish(s->run);
}

static void on_strand_timer(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	give_to_worker(ctx);
}

/* True if nothing of the run is at work: all that is left of it waits for a retry. */
static bool only_waits(const struct etld_run *run)
{
	size_t waiting = 0;

	for (size_t i = 0; i < run->n_strands && i < run->next_strand; i++)
		waiting += run->strands[i].waiting &&
			run->strands[i].strand->wait.us > DRAIN_PATIENCE.us;
	return run->begun && waiting > 0 && waiting == run->active;
}

/* A daemon that stops does not wait out a retry. */
static void end_if_only_waiting(struct etld_run *run)
{
	if (run->etld->draining && only_waits(run))
		etld_exec_cancel(run, ETL_CANCEL_SHUTDOWN);
}

void etld_exec_drain(struct etld *etld)
{
	for (struct etld_run *run = etld->runs, *next; run; run = next) {
		next = run->next;
		end_if_only_waiting(run);
	}
}

static void wait_for_timer(struct strand *s)
{
	struct etld *etld = s->run->etld;

	s->retry_at = etl_mono_add(etl_mono_now(etld->clock), s->strand->wait);
	etl_timer_arm(etld_loop_wheel(etld->loop), &s->timer, s->retry_at);
	s->waiting = true;
	end_if_only_waiting(s->run);
}

static enum etld_priority priority_of(const struct etld_run *run)
{
	return run->run->trigger.kind == ETL_TRIGGER_BACKFILL ? ETLD_BACKFILL : ETLD_LIVE;
}

static void go_on_reading(struct strand *s)
{
	etld_fetch_clock_go(&s->clock);
	etld_http_pause(s->transfer, false);
}

/* It reads no further before it has the memory for it; what comes meanwhile waits in the kernel. */
static void wait_for_memory(struct strand *s)
{
	etld_fetch_clock_stop(&s->clock);
	if (s->transfer)
		etld_http_pause(s->transfer, true);
	if (etld_shares_ask(s->run->etld->shares, &s->share, s->strand->memory))
		etld_exec_granted(s);
}

void etld_exec_granted(void *ctx)
{
	struct strand *s = ctx;

	s->strand->granted = s->share.has;
	give_to_worker(s);
}

/* What the worker left behind in memory says what others may have. */
static void return_memory(struct strand *s)
{
	etld_shares_return(s->run->etld->shares, &s->share, s->strand->memory);
	s->strand->granted = s->share.has;
}

static void strand_work(struct etld_task *task)
{
	struct strand *s = (struct strand *)((char *)task - offsetof(struct strand, task));

	etld_on_worker();
	s->need = etl_strand_work(s->strand);
}

static void strand_done(struct etld_task *task)
{
	struct strand *s = (struct strand *)((char *)task - offsetof(struct strand, task));

	s->on_worker = false;
	/* a strand says where it goes on; until the answer comes it is at its extract */
	s->step = s->need == ETL_NEED_FETCH || s->need == ETL_NEED_INPUT ? ETL_STEP_EXTRACT :
									    s->strand->step;
	s->records = s->strand->counts.in;
	s->windows = s->strand->windows_loaded + s->strand->windows_empty;
	if (!s->strand->reading)
		drop_transfer(s);
	if (s->need != ETL_NEED_MEMORY)
		return_memory(s);
	if (s->need != ETL_NEED_NOTHING && atomic_load(&s->run->run->cancel) != ETL_CANCEL_NO) {
		give_to_worker(s); /* cancelled while the worker had it: nothing is waited for */
		return;
	}
	switch (s->need) {
	case ETL_NEED_FETCH:
		etld_exec_tell(s->run, false);
		s->wants_input = true;
		etld_fetch_clock_reset(&s->clock, s->strand->fetch_limit);
		s->transfer = etld_http_start(s->run->etld->http, &s->strand->request,
			priority_of(s->run), &transfer_events, s);
		break;
	case ETL_NEED_INPUT:
		s->wants_input = true;
		if (s->mail)
			give_to_worker(s);
		else if (s->transfer)
			go_on_reading(s);
		break;
	case ETL_NEED_WORK:
		etld_exec_tell(s->run, false);
		give_to_worker(s);
		break;
	case ETL_NEED_TIMER:
		wait_for_timer(s);
		break;
	case ETL_NEED_MEMORY:
		wait_for_memory(s);
		break;
	case ETL_NEED_NOTHING:
		strand_ended(s);
		break;
	}
}

/* Moves the mail over and hands the strand to a worker. */
static void give_to_worker(struct strand *s)
{
	struct etl_mail **last = &s->strand->inbox;

	while (*last)
		last = &(*last)->next;
	*last = s->mail;
	s->mail = NULL;
	s->mail_last = &s->mail;
	s->mail_bytes = 0;
	s->wants_input = false;
	s->waiting = false;
	s->on_worker = true;
	submit(s->run, &s->task, s->share.lane, strand_work, strand_done, "strand");
}

/* Whose strands never take all workers and all memory: those that ask one host, or one job. */
static uint64_t lane_of(const struct etl_job *job)
{
	const char *text = *job->host ? job->host : job->name;

	return etl_hash64(text, strlen(text), 1) | 1;
}

static void start_strands(struct etld_run *run)
{
	while (run->next_strand < run->n_strands &&
		run->active < (size_t)run->run->job->max_active &&
		atomic_load(&run->run->cancel) == ETL_CANCEL_NO) {
		struct strand *s = &run->strands[run->next_strand];

		s->run = run;
		s->strand = &run->run->strands[run->next_strand++];
		s->mail_last = &s->mail;
		s->share = (struct etld_share){.lane = lane_of(run->run->job), .ctx = s};
		etld_fetch_clock_init(&s->clock, etld_loop_wheel(run->etld->loop), run->etld->clock,
			on_late, s);
		s->timer = (struct etl_timer){.fire = on_strand_timer, .ctx = s, .name = "strand"};
		run->active++;
		give_to_worker(s);
	}
}

/* ---- the begin of a run -------------------------------------------------------------------- */

static void begin_work(struct etld_task *task)
{
	struct etld_run *run = (struct etld_run *)((char *)task - offsetof(struct etld_run, task));

	etld_on_worker();
	etl_run_begin(run->run);
}

static void arm_renew(struct etld_run *run, etl_dur wait)
{
	etl_timer_arm(etld_loop_wheel(run->etld->loop), &run->renew,
		etl_mono_add(etl_mono_now(run->etld->clock), wait));
}

static void begin_done(struct etld_task *task)
{
	struct etld_run *run = (struct etld_run *)((char *)task - offsetof(struct etld_run, task));

	run->begun = true;
	if (run->job && run->run->state == ETL_RUN_RUNNING)
		run->job->prepared = run->generation->number;
	run->n_strands = run->run->n_strands;
	run->strands = etl_calloc(run->n_strands, sizeof *run->strands);
	if (run->run->leased)
		arm_renew(run, ETL_LEASE_RENEWED);
	start_strands(run);
	maybe_finish(run);
}

static void renew_work(struct etld_task *task)
{
	struct etld_run *run =
		(struct etld_run *)((char *)task - offsetof(struct etld_run, renew_task));

	etld_on_worker();
	etl_error_clear(&run->renew_error);
	etl_run_renew(run->run, &run->renew_error);
}

static void renew_done(struct etld_task *task)
{
	struct etld_run *run =
		(struct etld_run *)((char *)task - offsetof(struct etld_run, renew_task));

	run->renewing = false;
	if (run->renew_error.kind == ETL_CONFLICT) {
		struct etld_field fields[] = {{"ETL_JOB", run->run->job->name, 0},
			{"ETL_RUN_ID", run->run->run_id, 0}};

		etld_log(ETLD_WARNING, ETLD_MSG_LEASE_LOST, fields, 2,
			"%s: the lease was lost, run %s stops", run->run->job->name, run->run->run_id);
		atomic_store(&run->run->fenced, true);
		etld_exec_cancel(run, ETL_CANCEL_FENCED);
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
	run->renew_task = (struct etld_task){.work = renew_work, .done = renew_done, .name = "renew",
		.of = run->run->job->name};
	etld_pool_submit(run->etld->lease_pool, &run->renew_task);
}

static void on_timeout(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	etld_exec_cancel(ctx, ETL_CANCEL_TIMEOUT);
}

struct etld_run *etld_exec_start(struct etld *etld, struct etld_job *job,
	struct etl_trigger *trigger)
{
	struct etld_run *run = ETL_NEW(struct etld_run);

	etld_on_loop(etld->loop);
	run->etld = etld;
	run->job = job;
	run->generation = etld_generation_ref(etld->generation);
	run->run = etl_run_new(job->job, etld->run_env, etld->generation->number, trigger);
	run->run->prepare = job->prepared != etld->generation->number;
	run->run->audit = etld_job_audit_is_due(etld, job);
	run->run->before = job->last;
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
	submit(run, &run->task, 0, begin_work, begin_done, "begin");
	etld->news->changed(etld);
	return run;
}

/* Strands that wait for the network or a timer are called at once: they look at `cancel`. */
void etld_exec_cancel(struct etld_run *run, enum etl_cancel why)
{
	int no = ETL_CANCEL_NO;

	etld_on_loop(run->etld->loop);
	if (!atomic_compare_exchange_strong(&run->run->cancel, &no, why))
		return;
	for (size_t i = 0; i < run->n_strands && i < run->next_strand; i++) {
		struct strand *s = &run->strands[i];

		if (s->ended || s->on_worker)
			continue;
		etl_timer_cancel(etld_loop_wheel(run->etld->loop), &s->timer);
		etld_shares_return(run->etld->shares, &s->share, s->share.has); /* waits no more */
		give_to_worker(s);
	}
	maybe_finish(run);
}

void etld_exec_cancel_all(struct etld *etld, enum etl_cancel why)
{
	for (struct etld_run *run = etld->runs, *next; run; run = next) {
		next = run->next;
		etld_exec_cancel(run, why);
	}
}

void etld_exec_orphan(struct etld_run *run)
{
	run->job = NULL;
}
