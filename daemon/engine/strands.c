/* SPDX-License-Identifier: MIT
 *
 * Carries the parts of a run back and forth between workers (their steps) and the loop (their
 * transfer, their waits, their share of the memory). A part is on at most one thread; its mail
 * waits here while a worker has it. What its end or a change of step means for the run is told to
 * the run (events).
 *
 * A strand's way, with an example: a worker plans and says FETCH; the loop starts the transfer; the
 * head and pieces come as mail; INPUT hands them over; the worker decodes, transforms and commits,
 * and says FETCH again for the next page, or NOTHING. While the worker is at it, 512 KiB of mail
 * fill up here, the transfer is paused, the socket fills, and the other side waits: memory has a
 * bound however large the answer is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "engine/strands.h"
#include "flow/flow.h"

/* Unread bytes of a strand at which its socket is paused. */
#define MAIL_HIGH_BYTES (512 * 1024)

static void give_to_worker(struct strand *s);

/* Of an answer that nobody reads any more: its mail is freed with it, or the next answer would
 * begin with the rest of the last one. */
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

/* Paused above the mark; what libcurl still has is given again when it goes on. The clock of the
 * fetch stops, for the other side is not slow: we are. */
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

/* A copy: the texts are lent for the call. */
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

/* The end is mail like all else, so that it is read behind the last piece. */
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

static void on_strand_timer(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	give_to_worker(ctx);
}

/* How long was decided by the policy (lib/run/policy.h), with what the other side asked for. */
static void wait_for_timer(struct strand *s)
{
	struct etld *etld = s->run->etld;

	s->retry_at = etl_mono_add(etl_mono_now(etld->clock), s->part->wait);
	etl_timer_arm(etld_loop_wheel(etld->loop), &s->timer, s->retry_at);
	s->waiting = true;
	s->run->events->waits(s->run);
}

/* Those that wait for input or memory are at work: their end is near. What waits for a retry of
 * minutes is not waited for by a daemon that stops. */
bool etld_strands_only_wait(const struct etld_run *run, etl_dur patience)
{
	size_t waiting = 0;

	for (size_t i = 0; i < run->n_strands && i < run->next_strand; i++)
		waiting += run->strands[i].waiting && run->strands[i].part->wait.us > patience.us;
	return run->begun && waiting > 0 && waiting == run->active;
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
	if (etld_shares_ask(s->run->etld->shares, &s->share, s->part->memory))
		etld_strand_granted(s);
}

/* The worker goes on where it said that it lacks memory. */
void etld_strand_granted(void *ctx)
{
	struct strand *s = ctx;

	s->part->granted = s->share.has;
	give_to_worker(s);
}

/* What the worker left behind in memory says what others may have. Said at each visit, so that a
 * share which is not needed any more goes to the next one at once. */
static void return_memory(struct strand *s)
{
	etld_shares_return(s->run->etld->shares, &s->share, s->part->memory);
	s->part->granted = s->share.has;
}

/* The work's own function: a flow walks its steps until it needs something. */
static void strand_work(struct etld_task *task)
{
	struct strand *s = ETL_OF(struct strand, task, task);

	etld_on_worker();
	s->need = s->run->run->job->work->go(s->part);
}

/* Backfills are behind live runs at the gate of a host too: history must not make today late. */
static enum etld_priority priority_of(const struct etld_run *run)
{
	return run->run->trigger.kind == ETL_TRIGGER_BACKFILL ? ETLD_BACKFILL : ETLD_LIVE;
}

/* The request is the strand's own and lives until its next one. */
static void fetch(struct strand *s)
{
	const struct etl_strand *strand = etl_strand_of(s->part);

	s->wants_input = true;
	etld_fetch_clock_reset(&s->clock, strand->fetch_limit);
	s->transfer = etld_http_start(s->run->etld->http, &strand->request, priority_of(s->run),
		&transfer_events, s);
}

/* Mail that came while the worker was at it is handed over at once. */
static void wait_for_input(struct strand *s)
{
	s->wants_input = true;
	if (s->mail)
		give_to_worker(s);
	else if (s->transfer)
		go_on_reading(s);
}

/* Its place among max_active is free before the run hears of it. */
static void strand_ended(struct strand *s)
{
	s->ended = true;
	s->run->active--;
	s->run->events->ended(s->run);
}

/* What others may see of the strand while a worker has it. It says where it goes on; until the
 * answer comes it is at its extract. */
static void note_progress(struct strand *s)
{
	bool waits = s->need == ETL_NEED_FETCH || s->need == ETL_NEED_INPUT;

	s->step = waits ? ETL_STEP_EXTRACT : s->part->step;
	s->records = s->part->counts.in;
	s->windows = s->part->windows.loaded + s->part->windows.empty;
}

static void follow_need(struct strand *s)
{
	switch (s->need) {
	case ETL_NEED_FETCH:
		s->run->events->moved(s->run);
		fetch(s);
		break;
	case ETL_NEED_INPUT:
		wait_for_input(s);
		break;
	case ETL_NEED_WORK:
		s->run->events->moved(s->run);
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

/* The cancel is looked at before the need: a worker that has just asked for an hour's wait is
 * called again at once, and ends. */
static void strand_done(struct etld_task *task)
{
	struct strand *s = ETL_OF(struct strand, task, task);

	s->on_worker = false;
	note_progress(s);
	if ((s->transfer || s->mail) && !etl_strand_of(s->part)->reading)
		drop_transfer(s);
	if (s->need != ETL_NEED_MEMORY)
		return_memory(s);
	if (s->need != ETL_NEED_NOTHING && atomic_load(&s->run->run->cancel) != ETL_CANCEL_NO)
		give_to_worker(s); /* cancelled while the worker had it: nothing is waited for */
	else
		follow_need(s);
}

/* What came while it was elsewhere is behind what it has not read yet. One link moves all of it:
 * mail is never copied between threads. */
static void move_mail(struct strand *s)
{
	struct etl_mail **last = &etl_strand_of(s->part)->inbox;

	while (*last)
		last = &(*last)->next;
	*last = ETL_TAKE(s->mail);
	s->mail_last = &s->mail;
	s->mail_bytes = 0;
}

/* What was waited for is over, whatever it was: mail goes along, flags are cleared, and until
 * strand_done the strand is the worker's. */
static void give_to_worker(struct strand *s)
{
	const struct etl_job *job = s->run->run->job;

	if (s->mail)
		move_mail(s);
	s->wants_input = false;
	s->waiting = false;
	s->on_worker = true;
	s->task = (struct etld_task){.work = strand_work, .done = strand_done, .name = "strand",
		.lane = s->share.lane, .blocks = s->part->blocks, .of = job->name};
	etld_pool_submit(s->run->etld->pool, &s->task);
}

/* Whose strands never take all workers and all memory: those that ask one host, or one job. By host
 * and not by job, since it is the host that makes them wait; never 0, which is no lane. */
static uint64_t lane_of(const struct etl_job *job)
{
	const char *text = *job->host ? job->host : job->name;

	return etl_hash64(text, strlen(text), 1) | 1;
}

void etld_strands_open(struct etld_run *run, const struct etld_run_events *events)
{
	run->events = events;
	run->n_strands = run->run->n_parts;
	run->strands = etl_calloc(run->n_strands, sizeof *run->strands);
}

/* Parts in the order of the job's partitions, as many as max_active of the job allows. */
void etld_strands_start(struct etld_run *run)
{
	while (run->next_strand < run->n_strands &&
		run->active < (size_t)run->run->job->max_active &&
		atomic_load(&run->run->cancel) == ETL_CANCEL_NO) {
		struct strand *s = &run->strands[run->next_strand];

		s->run = run;
		s->part = run->run->parts[run->next_strand++];
		s->mail_last = &s->mail;
		s->share = (struct etld_share){.lane = lane_of(run->run->job), .ctx = s};
		etld_fetch_clock_init(&s->clock, etld_loop_wheel(run->etld->loop), run->etld->clock,
			on_late, s);
		s->timer = (struct etl_timer){.fire = on_strand_timer, .ctx = s, .name = "strand"};
		run->active++;
		give_to_worker(s);
	}
}

/* Those on a worker find the flag themselves. What was waited for in memory is given back: others
 * can go on while this one ends. */
void etld_strands_call(struct etld_run *run)
{
	for (size_t i = 0; i < run->n_strands && i < run->next_strand; i++) {
		struct strand *s = &run->strands[i];

		if (s->ended || s->on_worker)
			continue;
		etl_timer_cancel(etld_loop_wheel(run->etld->loop), &s->timer);
		etld_shares_return(run->etld->shares, &s->share, s->share.has); /* waits no more */
		give_to_worker(s);
	}
}
