/* SPDX-License-Identifier: MIT
 *
 * One span of windows from its first request to its last commit: opening the source, the
 * transforms and the checks, and what happens when something fails on the way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "flow/strand.h"
#include "run/policy.h"

struct etl_window etl_span_window(const struct etl_strand_work *work)
{
	return (struct etl_window){work->due.windows[work->span.from].window.start,
		work->due.windows[work->span.from + work->span.n - 1].window.end};
}

long etl_span_index(const struct etl_strand_work *work, etl_wall t)
{
	struct etl_window span = etl_span_window(work);
	const struct etl_window *first = &work->due.windows[work->span.from].window;

	if (!etl_window_holds(&span, t))
		return -1;
	return (long)((t.ms - span.start.ms) / (first->end.ms - first->start.ms));
}

static void close_instances(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;

	if (work->source) {
		job->source->close(work->source);
		free(ETL_TAKE(work->source));
	}
	etl_stages_close(strand);
}

static void drop_slice(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_sink_type *sink = strand->run->job->sink;

	if (work->txn)
		strand->run->env->state->ops->abort(strand->run->env->state, ETL_TAKE(work->txn));
	if (work->sink) {
		sink->close(work->sink);
		free(ETL_TAKE(work->sink));
	}
	etl_batch_free(ETL_TAKE(work->slice));
	etl_load_result_fini(&work->result);
	free(ETL_TAKE(work->sorted));
	etl_repeats_reset(&work->repeats);
	work->n_sorted = 0;
}

/* Records and what was made of them: they shall not wait for a retry, which reads anew. The
 * request is left: its transfer may still run. */
static void forget_records(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	drop_slice(strand);
	close_instances(strand);
	for (size_t i = 0; i < work->n_staged; i++)
		etl_batch_free(work->staged[i]);
	work->n_staged = 0;
	work->staged_bytes = 0;
	etl_batch_free(ETL_TAKE(work->batch));
}

static void free_held(struct etl_strand_work *work, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(work->windows[i].held);
}

/* Forgets all that the current span holds. */
void etl_span_close(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	forget_records(strand);
	free_held(work, work->windows ? work->span_windows : 0);
	free(ETL_TAKE(work->windows));
	etl_arena_free(ETL_TAKE(strand->request.arena));
	while (strand->inbox) {
		struct etl_mail *next = strand->inbox->next;

		etl_mail_free(strand->inbox);
		strand->inbox = next;
	}
}

void etl_strand_fini(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	if (!work)
		return;
	if (work->due.windows)
		etl_span_close(strand);
	etl_account_reset(strand);
	free(work->staged);
	free(work->ledger.entries);
	free(work->spans);
	etl_due_list_fini(&work->due);
	free(ETL_TAKE(strand->work));
}

static int open_source(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	work->source_env = (struct etl_source_env){
		.vars = &work->vars,
		.mongo = strand->run->env->mongo,
		.database = strand->run->env->database,
		.job = job->name,
		.shared = job->source_shared,
		.memory_max = strand->run->env->memory_max,
	};

	work->source = etl_calloc(1, job->source->size);
	return job->source->open(work->source, job->source_options, &work->source_env, err);
}

static struct etl_window asked_window(const struct etl_strand *strand)
{
	if (strand->run->job->window.none)
		return (struct etl_window){{0}, strand->run->planned};
	return etl_span_window(strand->work);
}

/* Opens the span that work->span names: instances anew, first request. */
enum etl_go etl_span_begin(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;

	work->restart = false;
	work->begun++;
	memset(work->used, 0, sizeof work->used);
	etl_span_close(strand);
	work->vars = (struct etl_vars){
		.window = asked_window(strand),
		.partition_names = job->partition_names,
		.partition_values = strand->partition->values,
		.run_id = strand->run->run_id,
	};
	work->input_ended = false;
	work->spilled = false;
	work->have_request = false;
	etl_account_reset(strand);
	work->window_at = 0;
	work->record_at = 0;
	work->slice_attempt = 0;
	work->fetched = etl_now(strand->run->env->clock);
	work->batch = etl_batch_new();
	work->windows = etl_calloc(work->span.n, sizeof *work->windows);
	work->span_windows = work->span.n;
	for (size_t i = 0; i < work->span.n; i++) {
		work->windows[i].due = &work->due.windows[work->span.from + i];
		work->windows[i].newest.ms = ETL_NO_TIME;
	}
	if (open_source(strand, err) < 0 || etl_stages_open(strand, err) < 0)
		return ETL_GO_FAIL;
	strand->requests++;
	if (etl_strand_blocks(strand))
		return ETL_GO_FETCH;
	strand->request = (struct etl_request){.arena = etl_arena_new(0)};
	if (job->source->first(work->source, &work->vars.window,
		    etl_now(strand->run->env->clock), &strand->request, err) < 0)
		return ETL_GO_FAIL;
	return ETL_GO_FETCH;
}

/* The plan was cut: another one for what lies behind it. */
static void plan_again(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	etl_span_close(strand);
	work->due.from = work->due.more_from;
	work->attempt = 1;
	strand->step = ETL_STEP_PLAN;
}

enum etl_go etl_span_next(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;

	if (!work->n_spans) {
		if (!work->due.more)
			return ETL_GO_END;
		plan_again(strand);
		work->resume = ETL_STEP_PLAN;
		strand->wait = (etl_dur){0};
		return ETL_GO_WAIT;
	}
	work->span = work->spans[--work->n_spans];
	work->attempt = 1;
	return etl_span_begin(strand, err);
}

/* ---- failure ----------------------------------------------------------------------------- */

static void remember(struct etl_strand *strand, const struct etl_error *err)
{
	if (strand->error.kind != ETL_OK)
		return;
	strand->error = *err;
	strand->failed_at = strand->step;
	snprintf(strand->reason, sizeof strand->reason, "%.*s", ETL_REASON_MAX - 1, err->message);
}

/* The ledger learns why these windows are still due. Its own failure changes nothing: they
 * stay due in any case. */
static void mark_failed(struct etl_strand *strand, const struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	struct etl_state *state = strand->run->env->state;
	struct etl_ledger_entry *entries = etl_calloc(work->span.n, sizeof *entries);
	struct etl_error ignored = ETL_ERROR_INIT;

	for (size_t i = 0; i < work->span.n; i++) {
		const struct etl_due_window *due = &work->due.windows[work->span.from + i];

		strand->windows_left_open += !etl_window_is_closed(due->had.state);
		entries[i].window = due->window;
		if (etl_span_is_refused(err))
			entries[i].counts = work->windows[i].counts;
		entries[i].state = ETL_WINDOW_FAILED;
		entries[i].attempt = due->had.attempt + 1;
		entries[i].updated = etl_now(strand->run->env->clock);
		memcpy(entries[i].run_id, strand->run->run_id, sizeof entries[i].run_id);
		snprintf(entries[i].reason, sizeof entries[i].reason, "%.*s", ETL_REASON_MAX - 1,
			err->message);
	}
	(void)state->ops->ledger_mark(state, strand->run->job->name, strand->partition->name,
		strand->run->fence, entries, work->span.n, &ignored);
	free(entries);
	strand->windows_failed += work->span.n;
}

/* A long span with something unreadable in it is asked for in halves, so that only the
 * windows that really are bad stay open. */
static bool split(struct etl_strand_work *work, const struct etl_error *err)
{
	size_t half = work->span.n / 2;

	if (work->span.n < 2 || etl_span_is_hopeless(err))
		return false;
	ETL_GROW(work->spans, work->n_spans, work->spans_cap);
	work->spans[work->n_spans++] =
		(struct etl_span){work->span.from + half, work->span.n - half};
	ETL_GROW(work->spans, work->n_spans, work->spans_cap);
	work->spans[work->n_spans++] = (struct etl_span){work->span.from, half};
	return true;
}

static enum etl_need next_span(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	if (!work->n_spans && !work->due.more)
		return ETL_NEED_NOTHING;
	if (!work->n_spans) {
		plan_again(strand);
		return ETL_NEED_WORK;
	}
	work->span = work->spans[--work->n_spans];
	work->attempt = 1;
	work->restart = true;
	return ETL_NEED_WORK;
}

static enum etl_verdict decide(struct etl_strand *strand, const struct etl_error *err,
	etl_dur *delay)
{
	const struct etl_job *job = strand->run->job;
	etl_dur used = etl_mono_diff(etl_mono_now(strand->run->env->clock), strand->run->began);
	struct etl_policy_input in = {
		.kind = err->kind,
		.attempt = strand->work->attempt,
		.retry_max = job->retry_max,
		.backoff = job->retry_backoff,
		.max_backoff = job->retry_max_backoff,
		.retry_after_ms = err->retry_after_ms,
		.left = {job->timeout.us - used.us},
		.random = etl_hash64(strand->run->run_id, sizeof strand->run->run_id,
			(uint64_t)strand->work->attempt),
	};

	return etl_policy_decide(&in, delay);
}

static enum etl_need stop(struct etl_strand *strand, const struct etl_error *err, bool in_span)
{
	remember(strand, err);
	strand->state = err->kind == ETL_CANCELLED ? ETL_STRAND_CANCELLED : ETL_STRAND_FAILED;
	if (in_span && err->kind != ETL_CANCELLED && err->kind != ETL_CONFLICT)
		mark_failed(strand, err);
	return ETL_NEED_NOTHING;
}

/* What slices of this span have committed stays so: only the rest failed. A spilled window
 * is not in before its last slice. The number of windows that are in. */
static size_t keep_committed(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	size_t in = work->window_at;

	if (work->spilled || in >= work->span.n)
		return 0;
	if (in)
		etl_account_span(strand, false);
	return in;
}

static void forget_committed(struct etl_strand_work *work, size_t in)
{
	work->span.from += in;
	work->span.n -= in;
	work->window_at = 0;
	free_held(work, in);
	work->span_windows -= in;
	memmove(work->windows, work->windows + in, work->span.n * sizeof *work->windows);
}

/* The answer was whole and is refused: its rejects are the evidence, and count. A store that
 * fails here leaves the windows due, like the reason. */
static void keep_evidence(struct etl_strand *strand)
{
	struct etl_error ignored = ETL_ERROR_INIT;

	(void)etl_rejects_store_staged(strand, &ignored);
	if (strand->work->slice)
		(void)etl_rejects_store(strand, strand->work->slice, &ignored);
	etl_account_refused(strand);
}

/* Before its records go: what of the attempt counts. */
static void settle_attempt(struct etl_strand *strand, const struct etl_error *err, size_t in,
	bool final)
{
	struct etl_strand_work *work = strand->work;

	if (final && etl_span_is_refused(err))
		keep_evidence(strand);
	else if (final)
		etl_account_partial(strand);
	drop_slice(strand);
	forget_committed(work, in);
}

/* What the run does not try any more is told: what has failed is not all that is due. */
static void tell_left(struct etl_strand *strand)
{
	const struct etl_strand_work *work = strand->work;
	size_t left = 0;

	for (size_t i = 0; i < work->n_spans; i++)
		left += work->spans[i].n;
	if (left || work->due.more)
		etl_error_prefix(&strand->error,
			"%d requests failed, %zu%s due windows were left for the next run; the first",
			ETL_FAILED_SPANS_MAX, left, work->due.more ? " and more" : "");
}

static enum etl_need give_up_span(struct etl_strand *strand, const struct etl_error *err)
{
	remember(strand, err);
	mark_failed(strand, err);
	if (++strand->work->failed_spans < ETL_FAILED_SPANS_MAX)
		return next_span(strand);
	tell_left(strand);
	return ETL_NEED_NOTHING;
}

static enum etl_need follow(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	bool in_span = work && work->windows;
	enum etl_verdict verdict = ETL_VERDICT_STOP;
	etl_dur delay = {0};

	strand->last = *err;
	if (work)
		verdict = decide(strand, err, &delay);
	if (in_span) {
		size_t in = keep_committed(strand);
		bool halves = verdict == ETL_VERDICT_NEXT_SPAN && work->span.n - in > 1 &&
			!etl_span_is_hopeless(err);

		settle_attempt(strand, err, in, verdict != ETL_VERDICT_RETRY && !halves);
	}
	switch (verdict) {
	case ETL_VERDICT_RETRY:
		strand->wait = delay;
		work->attempt++;
		if (in_span)
			work->restart = true;
		else
			strand->step = ETL_STEP_PLAN;
		return ETL_NEED_TIMER;
	case ETL_VERDICT_NEXT_SPAN:
		if (!in_span)
			return stop(strand, err, false);
		return split(work, err) ? next_span(strand) : give_up_span(strand, err);
	case ETL_VERDICT_STOP_RUN:
		if (err->kind == ETL_CONFLICT)
			atomic_store(&strand->run->fenced, true);
		return stop(strand, err, in_span);
	case ETL_VERDICT_STOP:
		return stop(strand, err, in_span);
	}
	abort();
}

enum etl_need etl_span_failed(struct etl_strand *strand, struct etl_error *err)
{
	enum etl_need need = follow(strand, err);

	if (strand->work && strand->work->restart)
		forget_records(strand);
	return need;
}
