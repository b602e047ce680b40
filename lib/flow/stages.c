/* SPDX-License-Identifier: MIT
 *
 * The instances of transforms and checks that one attempt at a span works with, and what they may
 * ask: which unit a record belongs to, and which units had records. Spans are a matter of
 * transport: no answer given here depends on which units are asked for together.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "flow/strand.h"

/* ---- units ------------------------------------------------------------------------------- */

/* Outside of the span: a transform moved it, and the check step will reject it. */
static struct etl_record_unit stray_unit(const struct etl_strand *strand, etl_wall time)
{
	const struct etl_window_rules *rules = &strand->run->job->window;
	bool before = time.ms < etl_span_window(strand->work).start.ms;

	return (struct etl_record_unit){etl_window_at(rules, time),
		before ? 0 : strand->work->walk.span.n - 1};
}

struct etl_record_unit etl_unit_of(const struct etl_strand *strand, etl_wall time)
{
	const struct etl_strand_work *work = strand->work;
	long index;

	if (strand->run->job->window.none)
		return (struct etl_record_unit){work->span.vars.window, 0};
	index = etl_span_index(work, time);
	if (index < 0)
		return stray_unit(strand, time);
	return (struct etl_record_unit){work->span.windows[index].due->window, (size_t)index};
}

/* What stages get: they know a context and no strand. */
static struct etl_record_unit unit_of(void *ctx, etl_wall time)
{
	return etl_unit_of(ctx, time);
}

/* ---- counts, tables ---------------------------------------------------------------------- */

static void count(void *ctx, etl_wall time, uint64_t made, uint64_t gone)
{
	etl_account_told(ctx, time, made, gone);
}

static const struct etl_table *table_of(void *ctx, const struct etl_table_place *place)
{
	const struct etl_strand *strand = ctx;

	return etl_tables_find(&etl_flow_of(strand->run)->tables, place);
}

/* ---- history ----------------------------------------------------------------------------- */

/* A unit of the span as the ledger will have it: what was loaded stays when the source gives
 * nothing for it any more. */
static bool has_records(const struct etl_window_work *window)
{
	return window->counts.in || (window->due->had.was_loaded && window->due->had.out);
}

static int find_records(void *found, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	(void)err;
	*(bool *)found |= entry->counts.in || entry->counts.out;
	return 0;
}

/* Units of the span are asked themselves: what the ledger has of them is about to change. For the
 * check of freshness: has anything come in this range? 1, 0, -1. What lies before the span is asked
 * of the ledger, what lies in it of the attempt. */
static int had_records(void *ctx, struct etl_window range, struct etl_error *err)
{
	const struct etl_strand *strand = ctx;
	const struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	struct etl_window span;
	bool found = false;

	if (job->window.none)
		return 0;
	span = etl_span_window(work);
	for (size_t i = 0; i < work->walk.span.n; i++) {
		struct etl_window unit = work->span.windows[i].due->window;

		if (unit.end.ms > range.start.ms && unit.start.ms < range.end.ms &&
			has_records(&work->span.windows[i]))
			return 1;
	}
	if (range.end.ms > span.start.ms)
		range.end = span.start;
	if (range.start.ms < range.end.ms &&
		strand->run->env->state->ops->ledger_scan(strand->run->env->state, job->name,
			strand->part.partition->name, &range, ETL_LEDGER_ALL, find_records, &found, err) < 0)
		return -1;
	return found;
}

/* ---- instances --------------------------------------------------------------------------- */

/* Zeroed memory of the type's size is the whole of an instance; one whose open fails is closed like
 * the others. */
static int open_transforms(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;

	work->span.transforms = etl_calloc(job->n_transforms, sizeof *work->span.transforms);
	for (size_t i = 0; i < job->n_transforms; i++) {
		const struct etl_transform_type *type = job->transforms[i].type;

		work->span.transforms[i] = etl_calloc(1, type->size);
		if (type->open && type->open(work->span.transforms[i], job->transforms[i].options,
					  &work->span.stage_env, err) < 0)
			return -1;
	}
	return 0;
}

static int open_checks(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;

	work->span.checks = etl_calloc(job->n_checks, sizeof *work->span.checks);
	for (size_t i = 0; i < job->n_checks; i++) {
		const struct etl_check_type *type = job->checks[i].type;

		work->span.checks[i] = etl_calloc(1, type->size);
		if (type->open && type->open(work->span.checks[i], job->checks[i].options,
					  &work->span.stage_env, err) < 0)
			return -1;
	}
	return 0;
}

/* A stage sees no window in its variables: it would give other records in a span of one window than
 * in one of many. */
int etl_stages_open(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;

	work->span.stage_vars = work->span.vars;
	work->span.stage_vars.window = (struct etl_window){{0}, {0}};
	work->span.stage_env = (struct etl_stage_env){
		.vars = &work->span.stage_vars,
		.memory_max = strand->run->env->memory_max,
		.ctx = strand,
		.unit = unit_of,
		.count = count,
		.table = table_of,
		.had_records = had_records,
	};
	return open_transforms(strand, err) < 0 || open_checks(strand, err) < 0 ? -1 : 0;
}

/* Safe after a failed open and twice. */
void etl_stages_close(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;

	for (size_t i = 0; work->span.transforms && i < job->n_transforms; i++)
		if (work->span.transforms[i]) {
			if (job->transforms[i].type->close)
				job->transforms[i].type->close(work->span.transforms[i]);
			free(work->span.transforms[i]);
		}
	free(ETL_TAKE(work->span.transforms));
	for (size_t i = 0; work->span.checks && i < job->n_checks; i++)
		if (work->span.checks[i]) {
			if (job->checks[i].type->close)
				job->checks[i].type->close(work->span.checks[i]);
			free(work->span.checks[i]);
		}
	free(ETL_TAKE(work->span.checks));
}
