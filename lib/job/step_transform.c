/* SPDX-License-Identifier: MIT
 *
 * The transform step: the batch through the chain, and at the proven end of the input the
 * flush of transforms that keep state (what one of them lets go passes those behind it).
 */
#include "job/strand.h"

enum etl_go etl_step_transform(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;

	for (size_t i = 0; i < job->n_transforms; i++) {
		const struct etl_transform_type *type = job->transforms[i].type;

		if (type->apply(work->transforms[i], work->batch, err) < 0 ||
			(work->input_ended && type->flush &&
				type->flush(work->transforms[i], work->batch, err) < 0)) {
			etl_error_prefix(err, "transform %s", type->name);
			return ETL_GO_FAIL;
		}
		if (etl_strand_judge_state(strand, err) < 0)
			return ETL_GO_FAIL;
	}
	return ETL_GO_NEXT;
}
