/* SPDX-License-Identifier: MIT
 *
 * The transform step: the batch through the chain, and at the proven end of the input the
 * flush of transforms that keep state (what one of them lets go passes those behind it).
 */
#include <stddef.h>

#include "flow/strand.h"

#define COUNT(name) offsetof(struct etl_counts, name)

/* One that keeps state takes records in: what came, less what goes on and what was refused, is merged. */
static int apply_state(struct etl_strand *strand, size_t i, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_transform_type *type = strand->run->job->transforms[i].type;
	size_t rejects = work->span.batch->n_rejects;

	etl_account_flow(strand, work->span.batch, 1, COUNT(merged));
	if (type->apply(work->span.transforms[i], work->span.batch, err) < 0)
		return -1;
	etl_account_flow(strand, work->span.batch, -1, COUNT(merged));
	etl_account_new_rejects(strand, rejects, COUNT(merged));
	return 0;
}

/* Of any other each record goes on, is refused, or was told of (env->count), by window: what it makes
 * and lets go of one batch could not be told apart by their difference. */
static int apply_one(struct etl_strand *strand, size_t i, struct etl_error *err)
{
	struct etl_span_work *span = &strand->work->span;
	const struct etl_transform_type *type = strand->run->job->transforms[i].type;
	size_t n = span->batch->n, rejects = span->batch->n_rejects;

	span->told = (struct etl_told){0};
	if (type->apply(span->transforms[i], span->batch, err) < 0)
		return -1;
	if (!type->filters && (span->told.made || span->told.gone))
		return etl_error_set(err, ETL_BUG, "transform.told",
			"it says that it makes or filters records, and its type does not");
	if (n + rejects + span->told.made == span->batch->n + span->batch->n_rejects + span->told.gone)
		return 0;
	return etl_error_set(err, ETL_BUG, "transform.lost",
		"%zu records came and %zu went on, with %zu rejects: it has lost some without a word", n,
		span->batch->n, span->batch->n_rejects - rejects);
}

static int flush(struct etl_strand *strand, size_t i, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_transform_type *type = strand->run->job->transforms[i].type;

	if (work->span.input != ETL_INPUT_ENDED || !type->flush)
		return 0;
	etl_account_flow(strand, work->span.batch, -1, COUNT(made));
	if (type->flush(work->span.transforms[i], work->span.batch, err) < 0)
		return -1;
	etl_account_flow(strand, work->span.batch, 1, COUNT(made));
	return 0;
}

struct etl_go etl_step_transform(struct etl_strand *strand, struct etl_error *err)
{
	const struct etl_job *job = strand->run->job;

	for (size_t i = 0; i < job->n_transforms; i++) {
		int rc = job->transforms[i].type->flush ? apply_state(strand, i, err) :
							  apply_one(strand, i, err);

		if (rc < 0 || flush(strand, i, err) < 0) {
			etl_error_prefix(err, "transform %s", job->transforms[i].type->name);
			return etl_go(ETL_AT_FAILED);
		}
		if (etl_strand_judge_state(strand, err) < 0)
			return etl_go(ETL_AT_FAILED);
	}
	return etl_go(ETL_AT_CHECK);
}
