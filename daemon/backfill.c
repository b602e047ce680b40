/* SPDX-License-Identifier: MIT
 *
 * Keeps backfills going. A backfill is in one place at a time: with a worker (step), with the
 * scheduler (its piece waits or runs), or waiting for its timer.
 */
#include "backfill.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/uuid.h"
#include "job/lease.h"
#include "journal.h"
#include "message_ids.h"

#define LEASE_TTL ETL_MINUTES(5)  /* a piece may take long; it is renewed at each step */
#define LOOK_AGAIN ETL_MINUTES(5) /* for backfills of other etlds that may have died */
#define TRY_LATER ETL_SECONDS(15)

struct watcher {
	struct watcher *next;
	etld_backfill_fn fn;
	void *ctx;
};

struct etld_backfill {
	struct etld_task task; /* first */
	struct etld_backfill *next;
	struct etld *etld;
	struct etl_backfill b;
	struct etl_timer timer;
	struct watcher *watchers;
	bool on_worker, offered, cancelled;
	etl_mono piece_began;
	struct etl_window piece;
	const char *phase;
	etl_mono again; /* its timer is armed for then */

	/* the worker's while on_worker */
	struct etl_backfill save; /* a copy of b */
	struct etld_generation *generation;
	const struct etl_job *job; /* NULL: it left the configuration */
	bool owned;
	int64_t fence;
	int found;
	struct etl_error error;
};

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
	struct watcher *w = ETL_NEW(struct watcher);

	*w = (struct watcher){f->watchers, fn, ctx};
	f->watchers = w;
}

void etld_backfill_unwatch(struct etld *etld, void *ctx)
{
	for (struct etld_backfill *f = etld->backfills->list; f; f = f->next)
		for (struct watcher **p = &f->watchers; *p;) {
			struct watcher *w = *p;

			if (w->ctx == ctx) {
				*p = w->next;
				free(w);
			} else {
				p = &w->next;
			}
		}
}

static void tell(struct etld_backfill *f, bool ended)
{
	for (struct watcher *w = f->watchers, *next; w; w = next) {
		next = w->next;
		w->fn(w->ctx, &f->b, ended);
	}
}

/* ---- the end ------------------------------------------------------------------------------- */

static void unlink_and_free(struct etld_backfill *f)
{
	struct etld_backfill **p = &f->etld->backfills->list;

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	etl_timer_cancel(etld_loop_wheel(f->etld->loop), &f->timer);
	while (f->watchers) {
		struct watcher *w = f->watchers;

		f->watchers = w->next;
		free(w);
	}
	free(f);
}

static void log_end(const struct etl_backfill *b)
{
	const char *state = etl_backfill_state_word(b->state);
	struct etld_field fields[] = {{"ETL_JOB", b->job, 0}, {"ETL_BACKFILL_ID", b->id, 0},
		{"ETL_STATE", state, 0}, {"ETL_WINDOWS_DONE", NULL, (int64_t)b->done},
		{"ETL_WINDOWS_FAILED", NULL, (int64_t)b->failed},
		{"ETL_WINDOWS_LOST", NULL, (int64_t)b->lost}};
	bool bad = b->state == ETL_BACKFILL_FAILED || b->failed || b->lost;

	etld_log(bad ? ETLD_WARNING : ETLD_NOTICE, ETLD_MSG_BACKFILL_ENDED, fields, 6,
		"%s: backfill %s %s: %llu windows loaded or empty, %llu failed, %llu given up, %llu "
		"blocked%s%s", b->job, b->id, state, (unsigned long long)b->done,
		(unsigned long long)b->failed, (unsigned long long)b->lost,
		(unsigned long long)b->blocked, *b->reason ? "; " : "", b->reason);
}

/* ---- a step: save, and the next piece -------------------------------------------------------- */

static void lease_name(const struct etl_backfill *b, char out[64])
{
	snprintf(out, 64, "backfill/%s", b->id); /* a job's name holds no '/' */
}

/* 1 = we drive it, 0 = another etld does, -1. */
static int own(struct etld_backfill *f)
{
	struct etl_state *state = f->etld->state;
	struct etl_lease lease = {0};
	char name[64];
	struct etl_lease_ask ask = {.job = name, .holder = f->etld->holder, .ttl = LEASE_TTL};
	int got;

	lease_name(&f->save, name);
	if (f->owned && state->ops->lease_renew(state, name, f->fence, LEASE_TTL, &f->error) < 0) {
		if (f->error.kind != ETL_CONFLICT)
			return -1;
		etl_error_clear(&f->error);
		f->owned = false;
		return 0;
	}
	if (f->owned)
		return 1;
	got = etl_lease_take(&f->etld->run_env, &ask, &lease, &f->error);
	f->owned = got == 1;
	f->fence = lease.fence;
	return got;
}

static int next_piece(struct etld_backfill *f)
{
	if (!f->job) {
		f->save.state = ETL_BACKFILL_FAILED;
		etl_text_copy(f->save.reason, sizeof f->save.reason, "its job left the configuration");
		return 0;
	}
	f->found = etl_backfill_next(f->etld->state, f->job, &f->save, &f->piece, &f->error);
	if (f->found == 0)
		f->save.state = ETL_BACKFILL_DONE;
	return f->found < 0 ? -1 : 0;
}

/* An operator ends it, whoever drives it. */
static int cancel_in_store(struct etld_backfill *f)
{
	struct etl_state *state = f->etld->state;

	return state->ops->backfill_end(state, f->save.id, ETL_BACKFILL_CANCELLED, f->save.reason,
		etl_now(f->etld->clock), &f->error);
}

/* What the store has counts, if it was ended there, or if another etld may have driven it since we
 * knew it. 1 = it goes on, 0 = it was ended there, -1. */
static int read_back(struct etld_backfill *f, bool taken_over)
{
	struct etl_state *state = f->etld->state;
	struct etl_backfill stored;
	int found = state->ops->backfill_get(state, f->save.id, &stored, &f->error);

	if (found < 0)
		return -1;
	if (!found) {
		stored = f->save;
		stored.state = ETL_BACKFILL_CANCELLED;
		etl_text_copy(stored.reason, sizeof stored.reason, "its document was removed");
	}
	if (taken_over || stored.state != ETL_BACKFILL_RUNNING)
		f->save = stored;
	return stored.state == ETL_BACKFILL_RUNNING;
}

/* Saves where it is. Ended in the store meanwhile: so it is here. */
static int save(struct etld_backfill *f)
{
	struct etl_state *state = f->etld->state;

	f->save.updated = etl_now(f->etld->clock);
	if (f->save.state != ETL_BACKFILL_RUNNING)
		f->save.ended = f->save.updated;
	if (state->ops->backfill_save(state, &f->save, &f->error) == 0)
		return 0;
	if (f->error.kind != ETL_CONFLICT)
		return -1;
	etl_error_clear(&f->error);
	return read_back(f, true) < 0 ? -1 : 0;
}

static void step_work(struct etld_task *task)
{
	struct etld_backfill *f = (struct etld_backfill *)task;
	struct etl_state *state = f->etld->state;
	struct etl_error ignored = ETL_ERROR_INIT;
	bool had = f->owned;
	char name[64];
	int ours, goes_on;

	f->found = 0;
	if (f->cancelled && cancel_in_store(f) < 0)
		return;
	ours = own(f);
	goes_on = ours < 0 ? -1 : read_back(f, !had);
	if (goes_on < 0)
		return;
	if (ours && f->save.state == ETL_BACKFILL_RUNNING && next_piece(f) < 0)
		return;
	if (ours && goes_on && save(f) < 0)
		return;
	lease_name(&f->save, name);
	if (ours && f->save.state != ETL_BACKFILL_RUNNING) /* else it runs out by itself */
		(void)state->ops->lease_drop(state, name, f->fence, &ignored);
}

static void later(struct etld_backfill *f, etl_dur wait, const char *phase)
{
	f->phase = phase;
	f->again = etl_mono_add(etl_mono_now(f->etld->clock), wait);
	etl_timer_arm(etld_loop_wheel(f->etld->loop), &f->timer, f->again);
}

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
	f->piece_began = etl_mono_now(f->etld->clock);
	f->phase = "a free place, behind live runs";
	if (etl_sched_trigger(f->etld->sched, &job->sched, &trigger) != ETL_ACCEPT_REFUSED)
		return;
	f->offered = false;
	later(f, TRY_LATER, job->sched.paused ? "the job is paused" :
						"another backfill of the job has its turn");
}

static void ended(struct etld_backfill *f)
{
	f->b = f->save;
	tell(f, true);
	if (f->owned || f->cancelled) /* else whoever drove it tells */
		log_end(&f->b);
	unlink_and_free(f);
}

static void step_done(struct etld_task *task)
{
	struct etld_backfill *f = (struct etld_backfill *)task;
	struct etld *etld = f->etld;

	f->on_worker = false;
	etld_generation_unref(f->generation);
	if (f->error.kind != ETL_OK) {
		if (etl_store_is_away(&f->error))
			etld_backend_lost(etld, &f->error);
		later(f, TRY_LATER, "MongoDB");
	} else if (f->save.state != ETL_BACKFILL_RUNNING) {
		ended(f);
	} else if (f->cancelled) { /* meanwhile */
		step(f);
	} else if (!f->owned) {
		later(f, LOOK_AGAIN, "another etld drives it");
	} else {
		f->b = f->save;
		tell(f, false);
		offer(f);
	}
}

static void step(struct etld_backfill *f)
{
	if (f->on_worker || f->etld->draining)
		return;
	if (!f->etld->mongodb_up) {
		later(f, TRY_LATER, "MongoDB");
		return;
	}
	f->phase = "the ledger";
	f->save = f->b;
	f->error = (struct etl_error)ETL_ERROR_INIT;
	f->generation = etld_generation_ref(f->etld->generation);
	f->job = etld_generation_job(f->generation, f->b.job);
	f->on_worker = true;
	f->task = (struct etld_task){.work = step_work, .done = step_done, .name = "backfill"};
	etld_pool_submit(f->etld->pool, &f->task);
}

static void on_timer(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	step(ctx);
}

/* ---- runs ---------------------------------------------------------------------------------- */

static struct etld_backfill *by_id(struct etld *etld, const char *id)
{
	for (struct etld_backfill *f = etld->backfills->list; f; f = f->next)
		if (etl_streq(f->b.id, id))
			return f;
	return NULL;
}

void etld_backfills_run_ended(struct etld *etld, const struct etl_run *run)
{
	struct etld_backfill *f = run->trigger.kind == ETL_TRIGGER_BACKFILL ?
		by_id(etld, run->trigger.cause) : NULL;
	etl_dur took, wait;

	if (!f || !f->offered)
		return;
	f->offered = false;
	took = etl_mono_diff(etl_mono_now(etld->clock), run->began);
	if (f->cancelled ||
		etl_backfill_judge(&f->b, run, &f->piece, took, &wait) == ETL_BACKFILL_END ||
		!wait.us)
		step(f);
	else
		later(f, wait, f->b.attempt > 1 ? "the next attempt at this piece" : "its rate");
}

static bool its_piece_runs(const struct etld_backfill *f, const struct etld_job *job)
{
	return f->offered && job && etld_running(job) &&
		etl_streq(job->sched.running.cause, f->b.id);
}

void etld_backfill_cancel(struct etld_backfill *f, const char *who)
{
	struct etld_job *job = etld_job_find(f->etld, f->b.job);
	bool runs = its_piece_runs(f, job);

	f->cancelled = true;
	f->b.state = ETL_BACKFILL_CANCELLED;
	snprintf(f->b.reason, sizeof f->b.reason, "cancelled by %s", who);
	if (runs) {
		etld_exec_cancel(etld_running(job), ETL_CANCEL_OPERATOR);
		return; /* its end is the next step */
	}
	if (f->offered && job)
		etl_sched_drop_backfill(f->etld->sched, &job->sched);
	f->offered = false;
	etl_timer_cancel(etld_loop_wheel(f->etld->loop), &f->timer);
	step(f);
}

/* ---- which there are ----------------------------------------------------------------------- */

struct etld_backfill *etld_backfill_start(struct etld *etld, const struct etl_backfill *b)
{
	struct etld_backfill *f = ETL_NEW(struct etld_backfill);

	f->etld = etld;
	f->b = *b;
	f->phase = "";
	f->timer = (struct etl_timer){.fire = on_timer, .ctx = f, .name = "backfill"};
	f->next = etld->backfills->list;
	etld->backfills->list = f;
	step(f);
	return f;
}

struct etld_backfill *etld_backfill_find(struct etld *etld, const char *id)
{
	struct etld_backfill *found = NULL;
	size_t n = strlen(id);

	for (struct etld_backfill *f = etld->backfills->list; f; f = f->next) {
		size_t all = strlen(f->b.id);

		if (n < 6 || n > all ||
			(strncmp(f->b.id, id, n) != 0 && strcmp(f->b.id + all - n, id) != 0))
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

const char *etld_backfill_waits_for(const struct etld_backfill *f, etl_mono *until)
{
	const struct etld_job *job = etld_job_find(f->etld, f->b.job);

	if (until)
		*until = (etl_mono){0};
	if (its_piece_runs(f, job))
		return "";
	if (job && job->sched.paused)
		return "the job is paused";
	if (until && etl_timer_is_armed(&f->timer))
		*until = f->again;
	return f->phase;
}

void etld_backfills_each(struct etld *etld,
	void (*fn)(void *ctx, const struct etld_backfill *backfill), void *ctx)
{
	for (const struct etld_backfill *f = etld->backfills->list; f; f = f->next)
		fn(ctx, f);
}

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

static int keep_running(void *ctx, const struct etl_backfill *b)
{
	struct etld_backfills *all = ctx;

	ETL_GROW(all->running, all->n, all->cap);
	all->running[all->n++] = *b;
	return 0;
}

static void look_work(struct etld_task *task)
{
	struct etld_backfills *all = (struct etld_backfills *)task;
	struct etl_state *state = all->etld->state;

	all->n = 0;
	state->ops->backfill_list(state, NULL, true, 0, keep_running, all, &all->error);
}

static void look_done(struct etld_task *task)
{
	struct etld_backfills *all = (struct etld_backfills *)task;

	all->looking = false;
	for (size_t i = 0; all->error.kind == ETL_OK && i < all->n; i++)
		if (!by_id(all->etld, all->running[i].id))
			etld_backfill_start(all->etld, &all->running[i]);
	if (etl_store_is_away(&all->error))
		etld_backend_lost(all->etld, &all->error);
}

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

void etld_backfills_up(struct etld *etld)
{
	if (!etld->backfills->look_timer.fire)
		etld->backfills->look_timer =
			(struct etl_timer){.fire = on_look, .ctx = etld->backfills, .name = "backfills"};
	look(etld->backfills);
}

struct etld_backfills *etld_backfills_new(struct etld *etld)
{
	struct etld_backfills *all = ETL_NEW(struct etld_backfills);

	all->etld = etld;
	return all;
}

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
