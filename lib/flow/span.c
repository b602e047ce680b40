/* SPDX-License-Identifier: MIT
 *
 * One span of windows: its source, transforms and checks from the opening to the close, and which
 * one is next.
 *
 * A span is neighbouring due windows that are asked for with one question: hours 0 to 23 as one
 * day, if the source allows it. That is a matter of transport alone. What a window holds, whether
 * it is judged good, and what its entry says do not depend on which others were asked for together
 * with it.
 *
 * What lives how long: instances and records one attempt, windows one span, the walk all of them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "flow/strand.h"

/* Also after an opening that failed half way. */
static void close_instances(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;

	if (work->span.source) {
		job->source->close(work->span.source);
		free(ETL_TAKE(work->span.source));
	}
	etl_decode_free(ETL_TAKE(work->span.decode));
	etl_stages_close(strand);
}

/* The request is left: its transfer may still run. */
void etl_span_forget_records(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	etl_slice_reset(strand);
	close_instances(strand);
	for (size_t i = 0; i < work->span.n_staged; i++)
		etl_batch_free(work->span.staged[i]);
	work->span.n_staged = 0;
	work->span.staged_bytes = 0;
	etl_batch_free(ETL_TAKE(work->span.batch));
}

/* The one thing that a window owns. */
static void free_held(struct etl_span_work *span, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(span->windows[i].held);
}

/* Mail that the transfer has sent and nobody will read. No transfer runs any more, so nothing comes
 * after it. */
static void drop_mail(struct etl_strand *strand)
{
	while (strand->inbox) {
		struct etl_mail *next = strand->inbox->next;

		etl_mail_free(strand->inbox);
		strand->inbox = next;
	}
}

/* The request's memory is freed here: only when it is known that no transfer uses it. */
void etl_span_reset(struct etl_strand *strand)
{
	struct etl_span_work *span = &strand->work->span;

	etl_span_forget_records(strand);
	free_held(span, span->windows ? span->n_windows : 0);
	free(span->windows);
	free(span->staged);
	etl_account_fini(span);
	*span = (struct etl_span_work){.input = ETL_INPUT_COMES};
	etl_arena_free(ETL_TAKE(strand->request.arena));
	drop_mail(strand);
}

/* May be called twice, and for a strand that never walked. */
void etl_strand_fini(struct etl_strand *strand)
{
	if (!strand->work)
		return;
	etl_span_reset(strand);
	etl_plan_reset(strand->work);
	free(strand->work->plan.due.after);
	free(ETL_TAKE(strand->work));
}

/* The committed windows of a span that failed behind them go off its front, so that halves and
 * retries are of the others alone. */
void etl_span_cut_front(struct etl_strand *strand, size_t n)
{
	struct etl_span_work *span = &strand->work->span;
	struct etl_span *asked = &strand->work->walk.span;

	asked->from += n;
	asked->n -= n;
	free_held(span, n);
	span->n_windows -= n;
	memmove(span->windows, span->windows + n, asked->n * sizeof *span->windows);
}

/* All places but PLAN are reached by walking; zero is PLAN. */
struct etl_strand_work *etl_strand_work_new(void)
{
	struct etl_strand_work *work = ETL_NEW(struct etl_strand_work);

	work->walk.attempt = 1;
	return work;
}

struct etl_vars etl_span_vars(const struct etl_strand *strand)
{
	return (struct etl_vars){
		.partition_names = strand->run->job->partition_names,
		.partition_values = strand->part.partition->values,
		.run_id = strand->run->run_id,
	};
}

struct etl_source_env etl_span_source_env(const struct etl_strand *strand, const struct etl_vars *vars,
	struct etl_decode *decode)
{
	const struct etl_run_env *env = strand->run->env;

	return (struct etl_source_env){
		.vars = vars,
		.decode = decode,
		.mongo = env->mongo,
		.database = env->database,
		.job = strand->run->job->name,
		.now = etl_now(env->clock),
		.shared = strand->run->job->source_shared,
		.memory_max = env->memory_max,
	};
}

/* What a source keeps from run to run (a token) is in `shared`. */
static int open_source(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;

	if (etl_decode_new(job->decode, strand->run->env->memory_max, &work->span.decode, err) < 0)
		return -1;
	work->span.source_env = etl_span_source_env(strand, &work->span.vars, work->span.decode);
	work->span.source = etl_calloc(1, job->source->size);
	return job->source->open(work->span.source, job->source_options, &work->span.source_env, err);
}

/* A job without windows asks for everything up to the time that the run plans by. */
static struct etl_window asked_window(const struct etl_strand *strand)
{
	if (strand->run->job->window.none)
		return (struct etl_window){{0}, strand->run->planned};
	return etl_span_window(strand->work);
}

/* `fetched` is now, until an answer brings the time at which it was received (take_head). */
static void begin_span(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	struct etl_span_work *span = &work->span;

	etl_span_reset(strand);
	work->walk.before = work->walk.partial;
	span->vars = etl_span_vars(strand);
	span->vars.window = asked_window(strand);
	span->vars.object = work->plan.due.windows[work->walk.span.from].object;
	span->fetched = etl_now(strand->run->env->clock);
	span->batch = etl_batch_new();
	span->n_windows = work->walk.span.n;
	span->windows = etl_calloc(span->n_windows, sizeof *span->windows);
	for (size_t i = 0; i < span->n_windows; i++) {
		span->windows[i].due = &work->plan.due.windows[work->walk.span.from + i];
		span->windows[i].newest.ms = ETL_NO_TIME;
	}
}

/* Opens the span that work->walk.span names: instances anew, first request. A source that blocks
 * makes its requests itself, at decode. */
struct etl_go etl_span_open(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_span_work *span = &strand->work->span;

	begin_span(strand);
	if (open_source(strand, err) < 0 || etl_stages_open(strand, err) < 0)
		return etl_go(ETL_AT_FAILED);
	strand->part.requests++;
	if (etl_strand_blocks(strand))
		return etl_go(ETL_AT_EXTRACT);
	strand->request = (struct etl_request){.arena = etl_arena_new(0)};
	if (strand->run->job->source->first(span->source, &span->vars.window,
		    etl_now(strand->run->env->clock), &strand->request, err) < 0)
		return etl_go(ETL_AT_FAILED);
	return etl_go(ETL_AT_EXTRACT);
}

/* The failed span's request is left as it is, since its transfer may still run: the loop drops that
 * one when it gets the strand back (ETL_NEED_WORK), and the next opening frees the request. */
struct etl_go etl_span_skip(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	if (!work->plan.n_spans && !work->plan.due.more)
		return etl_go(ETL_AT_END);
	work->walk.attempt = 1;
	if (!work->plan.n_spans) { /* the plan was cut: another one for what lies behind it */
		etl_span_reset(strand);
		work->plan.due.from = work->plan.due.more_from;
		return etl_go_when(ETL_NEED_WORK, ETL_AT_PLAN);
	}
	work->walk.span = work->plan.spans[--work->plan.n_spans];
	return etl_go_when(ETL_NEED_WORK, ETL_AT_OPEN);
}

/* After a success, its memory free, the next span is begun at once. */
struct etl_go etl_span_next(struct etl_strand *strand)
{
	struct etl_go go;

	if (strand->work->span.windows)
		etl_span_reset(strand);
	go = etl_span_skip(strand);
	return go.to == ETL_AT_OPEN ? etl_go(ETL_AT_OPEN) : go;
}
