/* SPDX-License-Identifier: MIT
 *
 * The load step: one slice's records into the targets, inside a transaction of the state
 * store where there is one. The commit step follows on the same worker; if the transaction
 * is refused, both are done again from here.
 */
#include "flow/strand.h"

struct etl_go etl_step_load(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	struct etl_state *state = strand->run->env->state;
	int rc = 0;

	if (etl_loads_open(strand, err) < 0)
		return etl_go(ETL_AT_FAILED);
	if (!work->slice.attempt++)
		work->slice.began = etl_mono_now(strand->run->env->clock);
	etl_slice_cut(strand);
	if (state->ops->begin(state, &work->slice.txn, err) < 0)
		return etl_go(ETL_AT_FAILED);
	if (etl_loads_begin(strand, err) < 0)
		return etl_go(ETL_AT_FAILED);
	if (work->slice.batch->n && etl_strand_doubts(strand) && etl_slice_doubt(strand, err) < 0)
		return etl_go(ETL_AT_FAILED);
	if (work->slice.batch->n)
		rc = etl_loads_write(strand, err);
	if (rc) {
		etl_loads_abort(strand);
		if (rc < 0 && etl_strand_doubts(strand))
			etl_slice_unanswered(strand);
		if (rc > 0)
			etl_error_set(err, ETL_TRANSIENT, "txn.retry",
				"%zu records are refused; the slice goes in without them",
				work->slice.refused.n);
		etl_error_prefix(err, "loading %zu records", work->slice.batch->n);
		return etl_slice_again(strand, err);
	}
	/* Before the commit: what the target refuses counts like what was refused on the way. */
	if (etl_slice_judge(strand, err) < 0) {
		etl_loads_abort(strand);
		if (work->slice.txn)
			state->ops->abort(state, ETL_TAKE(work->slice.txn));
		return etl_go(ETL_AT_FAILED);
	}
	return etl_go(ETL_AT_COMMIT);
}
