/* SPDX-License-Identifier: MIT
 *
 * The load step: one slice's records into the target, inside a transaction of the state
 * store where there is one. The commit step follows on the same worker; if the transaction
 * is refused, both are done again from here.
 */
#include "base/alloc.h"
#include "flow/strand.h"

static int open_sink(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_run *run = strand->run;
	struct etl_sink_env env = {
		.mongo = run->env->mongo,
		.database = run->env->database,
		.job = run->job->name,
		.run_id = run->run_id,
	};

	work->sink = etl_calloc(1, run->job->sink->size);
	return run->job->sink->open(work->sink, run->job->sink_options, &env, err);
}

struct etl_go etl_step_load(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_sink_type *sink = strand->run->job->sink;
	struct etl_state *state = strand->run->env->state;

	if (!work->sink && open_sink(strand, err) < 0)
		return etl_go(ETL_AT_FAILED);
	if (!work->slice_attempt++)
		work->slice_began = etl_mono_now(strand->run->env->clock);
	etl_slice_cut(strand);
	if (state->ops->begin(state, &work->txn, err) < 0)
		return etl_go(ETL_AT_FAILED);
	if (sink->begin(work->sink, work->txn, err) < 0)
		return etl_go(ETL_AT_FAILED);
	if (work->slice->n && etl_strand_doubts(strand) && etl_slice_doubt(strand, err) < 0)
		return etl_go(ETL_AT_FAILED);
	if (work->slice->n && sink->write(work->sink, work->slice, &work->result, err) < 0) {
		sink->abort(work->sink);
		if (etl_strand_doubts(strand))
			etl_slice_unanswered(strand);
		etl_error_prefix(err, "loading %zu records", work->slice->n);
		return etl_slice_again(strand, err);
	}
	/* Before the commit: what the target refuses counts like what was refused on the way. */
	if (etl_slice_judge(strand, err) < 0) {
		sink->abort(work->sink);
		if (work->txn)
			state->ops->abort(state, ETL_TAKE(work->txn));
		return etl_go(ETL_AT_FAILED);
	}
	return etl_go(ETL_AT_COMMIT);
}
