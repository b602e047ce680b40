/* SPDX-License-Identifier: MIT
 *
 * The transform step: the batch through the chain, and at the proven end of the input the
 * flush of transforms that keep state (what one of them lets go passes those behind it).
 */
#include <stddef.h>

#include "flow/strand.h"

#define COUNT(name) offsetof(struct etl_counts, name)

/* One transform over the batch. Of those that may remove and make records the difference is
 * counted, for each window: what came less what went and what was rejected. */
static int apply(struct etl_strand *strand, size_t i, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_transform_type *type = strand->run->job->transforms[i].type;
	size_t n = work->span.batch->n, rejects = work->span.batch->n_rejects;
	bool counted = type->flush || type->filters;
	size_t gone = type->flush ? COUNT(merged) : COUNT(filtered);

	if (counted)
		etl_account_flow(strand, work->span.batch, 1, gone);
	if (type->apply(work->span.transforms[i], work->span.batch, err) < 0)
		return -1;
	if (counted) {
		etl_account_flow(strand, work->span.batch, -1, gone);
		etl_account_new_rejects(strand, rejects, gone);
	} else if (work->span.batch->n + work->span.batch->n_rejects != n + rejects) {
		return etl_error_set(err, ETL_BUG, "transform.lost",
			"%zu records came and %zu went on, with %zu rejects: it has lost some without a "
			"word", n, work->span.batch->n, work->span.batch->n_rejects - rejects);
	}
	return 0;
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
		if (apply(strand, i, err) < 0 || flush(strand, i, err) < 0) {
			etl_error_prefix(err, "transform %s", job->transforms[i].type->name);
			return etl_go(ETL_AT_FAILED);
		}
		if (etl_strand_judge_state(strand, err) < 0)
			return etl_go(ETL_AT_FAILED);
	}
	return etl_go(ETL_AT_CHECK);
}
