/* SPDX-License-Identifier: MIT
 *
 * One span of windows: its source, transforms and checks from the opening to the close, and which one
 * is next.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "flow/strand.h"

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

void etl_span_forget_slice(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	if (work->txn)
		strand->run->env->state->ops->abort(strand->run->env->state, ETL_TAKE(work->txn));
	etl_loads_close(strand);
	etl_batch_free(ETL_TAKE(work->slice));
	etl_load_result_fini(&work->result);
	free(ETL_TAKE(work->sorted));
	etl_repeats_reset(&work->repeats);
	work->n_sorted = 0;
}

/* The request is left: its transfer may still run. */
void etl_span_forget_records(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	etl_span_forget_slice(strand);
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
static void span_close(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	etl_span_forget_records(strand);
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
		span_close(strand);
	etl_account_reset(strand);
	free(work->staged);
	free(work->ledger.entries);
	free(work->spans);
	free(work->warnings);
	etl_due_list_fini(&work->due);
	free(ETL_TAKE(strand->work));
}

void etl_span_cut_front(struct etl_strand *strand, size_t n)
{
	struct etl_strand_work *work = strand->work;

	work->span.from += n;
	work->span.n -= n;
	work->window_at = 0;
	free_held(work, n);
	work->span_windows -= n;
	memmove(work->windows, work->windows + n, work->span.n * sizeof *work->windows);
}

struct etl_strand_work *etl_strand_work_new(void)
{
	struct etl_strand_work *work = ETL_NEW(struct etl_strand_work);

	work->attempt = 1;
	return work;
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
struct etl_go etl_span_open(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;

	memset(work->used, 0, sizeof work->used);
	span_close(strand);
	work->vars = (struct etl_vars){
		.window = asked_window(strand),
		.partition_names = job->partition_names,
		.partition_values = strand->part.partition->values,
		.run_id = strand->run->run_id,
	};
	work->input = ETL_INPUT_COMES;
	work->spilled = false;
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
		return etl_go(ETL_AT_FAILED);
	strand->part.requests++;
	if (etl_strand_blocks(strand))
		return etl_go(ETL_AT_EXTRACT);
	strand->request = (struct etl_request){.arena = etl_arena_new(0)};
	if (job->source->first(work->source, &work->vars.window,
		    etl_now(strand->run->env->clock), &strand->request, err) < 0)
		return etl_go(ETL_AT_FAILED);
	return etl_go(ETL_AT_EXTRACT);
}

struct etl_go etl_span_skip(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	if (!work->n_spans && !work->due.more)
		return etl_go(ETL_AT_END);
	work->attempt = 1;
	if (!work->n_spans) { /* the plan was cut: another one for what lies behind it */
		span_close(strand);
		work->due.from = work->due.more_from;
		return etl_go_when(ETL_NEED_WORK, ETL_AT_PLAN);
	}
	work->span = work->spans[--work->n_spans];
	return etl_go_when(ETL_NEED_WORK, ETL_AT_OPEN);
}

struct etl_go etl_span_next(struct etl_strand *strand)
{
	struct etl_go go;

	if (strand->work->windows)
		span_close(strand);
	go = etl_span_skip(strand);
	return go.to == ETL_AT_OPEN ? etl_go(ETL_AT_OPEN) : go;
}
