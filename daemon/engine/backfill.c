/* SPDX-License-Identifier: MIT
 *
 * Keeps backfills going. A backfill is in one place at a time: with a worker (step), with the
 * scheduler (its piece waits or runs), or waiting for its timer. What a piece has done is saved
 * before anything is waited for, and the lease is kept alive all the time: else two etlds would
 * take the backfill from one another, and do the same piece over and over.
 */
#include "engine/backfill_step.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/uuid.h"
#include "engine/backend.h"
#include "engine/runs.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/message_ids.h"

/* also during a long piece or a wait: a third of the lease's length */
#define RENEW ETL_SECONDS(100)
#define LOOK_AGAIN ETL_MINUTES(5) /* for backfills of other etlds that may have died */
#define TRY_LATER ETL_SECONDS(15)

struct etld_backfills {
	struct etld_task task; /* first: lists what is running in the store */
	struct etld *etld;
	struct etld_backfill *list;
	struct etl_timer look_timer;
	bool looking;
	struct etl_backfill *running;
	size_t n, cap;
	struct etl_error error;
};

static void step(struct etld_backfill *f);

/* ---- watchers ------------------------------------------------------------------------------ */

void etld_backfill_watch(struct etld_backfill *f, etld_backfill_fn fn, void *ctx)
{
	struct etld_backfill_watcher *w = ETL_NEW(struct etld_backfill_watcher);

	*w = (struct etld_backfill_watcher){f->watchers, fn, ctx};
	f->watchers = w;
}

void etld_backfill_unwatch(struct etld *etld, void *ctx)
{
	for (struct etld_backfill *f = etld->backfills->list; f; f = f->next)
		for (struct etld_backfill_watcher **p = &f->watchers; *p;) {
			struct etld_backfill_watcher *w = *p;

			if (w->ctx == ctx) {
				*p = w->next;
				free(w);
			} else {
				p = &w->next;
			}
		}
}

/* The next watcher is read first: a watcher may take itself out when it is told. */
static void tell(struct etld_backfill *f, bool ended)
{
	for (struct etld_backfill_watcher *w = f->watchers, *next; w; w = next) {
		next = w->next;
		w->fn(w->ctx, &f->b, ended);
	}
}

/* ---- the end ------------------------------------------------------------------------------- */

/* The trigger that waits with the scheduler holds the backfill's id and not a pointer to it: a run
 * that ends after this finds nothing by that id, and nothing is done. */
static void unlink_and_free(struct etld_backfill *f)
{
	struct etld_backfill **p = &f->etld->backfills->list;

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	etl_timer_cancel(etld_loop_wheel(f->etld->loop), &f->timer);
	while (f->watchers) {
		struct etld_backfill_watcher *w = f->watchers;

		f->watchers = w->next;
		free(w);
	}
	free(f);
}

/* A warning if anything was left behind: somebody asked for these windows and has to know. */
static void log_end(const struct etl_backfill *b)
{
	const char *state = etl_backfill_state_word(b->state);
	struct etld_field fields[] = {{"ETL_JOB", b->job, 0}, {"ETL_BACKFILL_ID", b->id, 0},
		{"ETL_STATE", state, 0}, {"ETL_WINDOWS_DONE", NULL, (int64_t)b->done},
		{"ETL_WINDOWS_FAILED", NULL, (int64_t)b->failed},
		{"ETL_WINDOWS_LOST", NULL, (int64_t)b->lost}};
	bool bad = b->state == ETL_BACKFILL_FAILED || b->failed || b->lost;

	etld_log(bad ? ETLD_WARNING : ETLD_NOTICE, ETLD_MSG_BACKFILL_ENDED, fields, 6,
		"%s: backfill %s %s: %llu windows loaded or empty, %llu failed, %llu given up, "
		"%llu "
		"blocked%s%s", b->job, b->id, state, (unsigned long long)b->done,
		(unsigned long long)b->failed, (unsigned long long)b->lost,
		(unsigned long long)b->blocked, *b->reason ? "; " : "", b->reason);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void arm(struct etld_backfill *f, etl_dur wait)
{
	f->again = etl_mono_add(etl_mono_now(f->etld->clock), wait);
	etl_timer_arm(etld_loop_wheel(f->etld->loop), &f->timer, f->again);
}

/* `phase` is what `etlctl backfills` shows under WAITS FOR. */
static void later(struct etld_backfill *f, etl_dur wait, const char *phase)
{
	f->phase = phase;
	arm(f, wait);
}

/* A refusal is no error: the job is paused, or another backfill of it has its turn. The piece
 * is looked for anew after TRY_LATER, since the ledger may have changed by then. */
static void offer(struct etld_backfill *f)
{
	struct etld_job *job = etld_job_find(f->etld, f->b.job);
	struct etl_trigger trigger = {
		.kind = ETL_TRIGGER_BACKFILL,
		.asked = f->piece,
		.reprocess = f->b.reprocess,
	};

	if (!job) {
		step(f);
		return;
	}
	etl_text_copy(trigger.cause, sizeof trigger.cause, f->b.id);
	trigger.partition = *f->b.partition ? etl_strdup(f->b.partition) : NULL;
	f->offered = true;
	f->phase = "a free place, behind live runs";
	if (etl_sched_trigger(f->etld->sched, &job->sched, &trigger) != ETL_ACCEPT_REFUSED) {
		arm(f, RENEW);
		return;
	}
	f->offered = false;
	later(f, TRY_LATER, job->sched.paused ? "the job is paused" :
						"another backfill of the job has its turn");
}

/* True if the next piece is not due yet: its rate or a retry keeps it waiting. */
static bool is_early(const struct etld_backfill *f)
{
	return f->not_before.us > etl_mono_now(f->etld->clock).us;
}

/* True: the backfill waits, at most RENEW at a time, so that its lease lives on. The piece is
 * looked for when the wait is over and not before it: other runs load windows too. */
static bool waits(struct etld_backfill *f)
{
	etl_dur left = etl_mono_diff(f->not_before, etl_mono_now(f->etld->clock));

	if (!is_early(f))
		return false;
	later(f, left.us < RENEW.us ? left : RENEW, f->wait_phase);
	return true;
}

/* Whoever waits for the backfill is told before it is freed; the log tells it once, by the etld
 * that drove it. */
static void ended(struct etld_backfill *f)
{
	f->b = f->save;
	tell(f, true);
	if (f->tells)
		log_end(&f->b);
	unlink_and_free(f);
}

/* The law of a backfill's steps: after each step it is with the scheduler, waiting for a timer,
 * or over; never two of them, and never none. Example: a step saves "behind 13:00" and finds
 * the piece 13:00 to 23:00. The rate says 5 s: the timer. Then another step finds the piece
 * again, since a live run may have loaded 14:00 meanwhile, and offers it. The run ends, its
 * counts are saved by the next step, and so on, until a step finds nothing. */
static void step_done(struct etld_task *task)
{
	struct etld_backfill *f = (struct etld_backfill *)task;
	struct etld *etld = f->etld;

	f->on_worker = false;
	etld_generation_unref(f->generation);
	if (f->error.kind != ETL_OK) {
		if (etl_store_is_unreachable(&f->error))
			etld_backend_lost(etld, &f->error);
		later(f, TRY_LATER, "MongoDB");
	} else if (f->save.state != ETL_BACKFILL_RUNNING) {
		ended(f);
	} else if (f->cancelled) { /* during the step */
		step(f);
	} else if (!f->owned) {
		later(f, LOOK_AGAIN, "another etld drives it");
	} else {
		f->b = f->save;
		tell(f, false);
		if (!waits(f))
			offer(f);
	}
}

/* The worker gets a copy (`save`) and a generation of its own: the loop may cancel the
 * backfill, and a reload may take the job away, while the worker is at it. */
static void submit(struct etld_backfill *f, void (*work)(struct etld_task *task),
	void (*done)(struct etld_task *task))
{
	f->save = f->b;
	f->error = (struct etl_error)ETL_ERROR_INIT;
	f->generation = etld_generation_ref(f->etld->generation);
	f->job = etld_generation_job(f->generation, f->b.job);
	f->on_worker = true;
	f->task =
		(struct etld_task){.work = work, .done = done, .name = "backfill", .of = f->b.job};
	etld_pool_submit(f->etld->pool, &f->task);
}

/* A job whose file has errors keeps its backfills waiting instead of ending them: the next
 * reload mends it. */
static bool is_left_out(const struct etld_backfill *f)
{
	const struct etl_job *job = etld_generation_job(f->etld->generation, f->b.job);

	return job && job->left_out && !f->cancelled;
}

static void step(struct etld_backfill *f)
{
	if (f->on_worker || f->etld->draining)
		return;
	if (!f->etld->mongodb_up) {
		later(f, TRY_LATER, "MongoDB");
		return;
	}
	if (is_left_out(f)) {
		later(f, TRY_LATER, "the job is left out: its configuration has errors");
		return;
	}
	f->phase = "the ledger";
	submit(f, etld_backfill_step_work, step_done);
}

/* ---- the lease, while a piece is with the scheduler or has to wait -------------------------- */

/* The piece may have ended, or the operator cancelled, while the renewal was under way:
 * whatever etld_backfills_run_ended and etld_backfill_cancel could not do at that time is done
 * here. */
static void renew_done(struct etld_task *task)
{
	struct etld_backfill *f = (struct etld_backfill *)task;

	f->on_worker = false;
	etld_generation_unref(f->generation);
	if (f->offered)
		arm(f, RENEW);
	else if (!f->owned || f->cancelled || !waits(f))
		step(f); /* its piece has ended during the renewal, or its time has come */
}

/* Not a step: a step would read the ledger for a piece that is not wanted yet. While MongoDB is
 * unreachable the lease may run out; then another etld may go on with the backfill, which is right
 * if it can reach the store and this one cannot. */
static void renew(struct etld_backfill *f)
{
	if (f->etld->draining)
		return;
	if (!f->etld->mongodb_up) {
		arm(f, TRY_LATER);
		return;
	}
	submit(f, etld_backfill_renew_work, renew_done);
}

/* The same timer for all three waits: with a piece out or an early one it is time for the lease,
 * else for the next step. */
static void on_timer(struct etl_timer *timer, void *ctx)
{
	struct etld_backfill *f = ctx;

	(void)timer;
	if (f->offered || (f->owned && is_early(f)))
		renew(f);
	else
		step(f);
}

/* ---- runs ---------------------------------------------------------------------------------- */

/* The whole id: this is asked by runs, not by people. */
static struct etld_backfill *by_id(struct etld *etld, const char *id)
{
	for (struct etld_backfill *f = etld->backfills->list; f; f = f->next)
		if (etl_streq(f->b.id, id))
			return f;
	return NULL;
}

/* Called before the scheduler hears of the end, so that the place of the backfill is known when
 * the next piece could be offered. A cancelled backfill keeps the state that the cancel has
 * set. */
void etld_backfills_run_ended(struct etld *etld, const struct etl_run *run)
{
	struct etld_backfill *f = run->trigger.kind == ETL_TRIGGER_BACKFILL ?
		by_id(etld, run->trigger.cause) : NULL;
	enum etl_backfill_go go;
	etl_dur took, wait;

	etld_on_loop(etld->loop);
	if (!f || !f->offered)
		return;
	f->offered = false;
	etl_timer_cancel(etld_loop_wheel(etld->loop), &f->timer);
	took = etl_mono_diff(etl_mono_now(etld->clock), run->began);
	if (!f->cancelled) {
		go = etl_backfill_judge(&f->b, run, &f->piece, took, &wait);
		f->not_before = etl_mono_add(etl_mono_now(etld->clock), wait);
		f->wait_phase = go == ETL_BACKFILL_AGAIN ? "the next attempt at this piece" : "its rate";
	}
	step(f);
}

/* Offered and running are two things: a piece may wait behind live runs for hours. */
static bool its_piece_runs(const struct etld_backfill *f, const struct etld_job *job)
{
	return f->offered && job && etld_running(job) &&
		etl_streq(job->sched.running.cause, f->b.id);
}

/* A running piece is cancelled like any run, and its end is the next step; a piece that waits
 * is taken out of the scheduler. Either way the store hears of it in the next step, even if
 * another etld drives the backfill. */
void etld_backfill_cancel(struct etld_backfill *f, const char *who)
{
	struct etld_job *job = etld_job_find(f->etld, f->b.job);
	bool runs = its_piece_runs(f, job);

	etld_on_loop(f->etld->loop);
	f->cancelled = true;
	f->b.state = ETL_BACKFILL_CANCELLED;
	snprintf(f->b.reason, sizeof f->b.reason, "cancelled by %s", who);
	if (runs) {
		etld_run_cancel(etld_running(job), ETL_CANCEL_OPERATOR);
		return; /* the end of that run makes the next step */
	}
	if (f->offered && job)
		etl_sched_drop_backfill(f->etld->sched, &job->sched);
	f->offered = false;
	etl_timer_cancel(etld_loop_wheel(f->etld->loop), &f->timer);
	step(f);
}

/* ---- which there are ----------------------------------------------------------------------- */

/* The first step takes the lease: whether this etld drives it, or only waits for the one that does,
 * is not known before. */
struct etld_backfill *etld_backfill_start(struct etld *etld, const struct etl_backfill *b)
{
	struct etld_backfill *f = ETL_NEW(struct etld_backfill);

	etld_on_loop(etld->loop);
	f->etld = etld;
	f->b = *b;
	f->phase = "";
	f->timer = (struct etl_timer){.fire = on_timer, .ctx = f, .name = "backfill"};
	f->next = etld->backfills->list;
	etld->backfills->list = f;
	step(f);
	return f;
}

/* An id may be cut short by whoever types it; one that fits two backfills names neither. */
struct etld_backfill *etld_backfill_find(struct etld *etld, const char *id)
{
	struct etld_backfill *found = NULL;

	for (struct etld_backfill *f = etld->backfills->list; f; f = f->next) {
		if (!etl_uuid_matches(f->b.id, id))
			continue;
		if (found)
			return NULL;
		found = f;
	}
	return found;
}

const struct etl_backfill *etld_backfill_facts(const struct etld_backfill *f)
{
	return &f->b;
}

/* A pause is told before anything else that the backfill waits for: nothing of it starts while
 * the job is paused. */
const char *etld_backfill_waits_for(const struct etld_backfill *f, etl_mono *until)
{
	const struct etld_job *job = etld_job_find(f->etld, f->b.job);

	if (until)
		*until = (etl_mono){0};
	if (its_piece_runs(f, job))
		return "";
	if (job && job->sched.paused)
		return "the job is paused";
	if (until && etl_timer_is_armed(&f->timer) && !f->offered)
		*until = f->phase == f->wait_phase ? f->not_before : f->again;
	return f->phase;
}

void etld_backfills_each(struct etld *etld,
	void (*fn)(void *ctx, const struct etld_backfill *backfill), void *ctx)
{
	for (const struct etld_backfill *f = etld->backfills->list; f; f = f->next)
		fn(ctx, f);
}

/* The scheduler dropped the piece with the job, and no run of it will end: the step finds out
 * that the job is gone. */
void etld_backfills_job_gone(struct etld *etld, const char *job)
{
	for (struct etld_backfill *f = etld->backfills->list, *next; f; f = next) {
		next = f->next;
		if (!f->offered || !etl_streq(f->b.job, job))
			continue;
		f->offered = false;
		step(f);
	}
}

/* Copied: the list is lent, and the loop starts them when the worker is done. */
static int keep_running(void *ctx, const void *thing)
{
	const struct etl_backfill *b = thing;
	struct etld_backfills *all = ctx;

	ETL_GROW(all->running, all->n, all->cap);
	all->running[all->n++] = *b;
	return 0;
}

static void look_work(struct etld_task *task)
{
	struct etld_backfills *all = (struct etld_backfills *)task;
	struct etl_state *state = all->etld->state;

	etld_on_worker();
	all->n = 0;
	etl_backfill_list(state, NULL, true, 0, keep_running, all, &all->error);
}

/* Backfills that another etld drives are taken up too. Their first step finds the lease held
 * and looks again every LOOK_AGAIN: that is how the backfill of an etld that died goes on here. */
static void look_done(struct etld_task *task)
{
	struct etld_backfills *all = (struct etld_backfills *)task;

	all->looking = false;
	for (size_t i = 0; all->error.kind == ETL_OK && i < all->n; i++)
		if (!by_id(all->etld, all->running[i].id))
			etld_backfill_start(all->etld, &all->running[i]);
	if (etl_store_is_unreachable(&all->error))
		etld_backend_lost(all->etld, &all->error);
}

/* Every LOOK_AGAIN, as long as MongoDB is there: backfills that were ordered on another etld, or
 * whose etld has died, are found by this and by nothing else. */
static void look(struct etld_backfills *all)
{
	if (all->looking || !all->etld->mongodb_up || all->etld->draining)
		return;
	all->looking = true;
	all->error = (struct etl_error)ETL_ERROR_INIT;
	all->task = (struct etld_task){.work = look_work, .done = look_done, .name = "backfills"};
	etld_pool_submit(all->etld->pool, &all->task);
	etl_timer_arm(etld_loop_wheel(all->etld->loop), &all->look_timer,
		etl_mono_add(etl_mono_now(all->etld->clock), LOOK_AGAIN));
}

static void on_look(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	look(ctx);
}

/* At each return of MongoDB and not only the first: in the outage other etlds may have died. */
void etld_backfills_up(struct etld *etld)
{
	if (!etld->backfills->look_timer.fire)
		etld->backfills->look_timer = (struct etl_timer){
			.fire = on_look, .ctx = etld->backfills, .name = "backfills"};
	look(etld->backfills);
}

struct etld_backfills *etld_backfills_new(struct etld *etld)
{
	struct etld_backfills *all = ETL_NEW(struct etld_backfills);

	all->etld = etld;
	return all;
}

/* The workers are gone: what was on one will not come back. */
void etld_backfills_free(struct etld *etld)
{
	struct etld_backfills *all = etld->backfills;

	if (!all)
		return;
	while (all->list) {
		if (all->list->on_worker)
			etld_generation_unref(all->list->generation);
		unlink_and_free(all->list);
	}
	etl_timer_cancel(etld_loop_wheel(etld->loop), &all->look_timer);
	free(all->running);
	free(all);
}
