/* SPDX-License-Identifier: MIT
 *
 * The walk of a strand through the worker steps of the table.
 */
#include <stdlib.h>

#include "base/fault.h"
#include "flow/strand.h"

/* Kept apart from the names so that every row above can come from the one list. */
static enum etl_go (*const go[ETL_STEP_MAX])(struct etl_strand *, struct etl_error *) = {
	[ETL_STEP_PLAN] = etl_step_plan,
	[ETL_STEP_DECODE] = etl_step_decode,
	[ETL_STEP_TRANSFORM] = etl_step_transform,
	[ETL_STEP_CHECK] = etl_step_check,
	[ETL_STEP_LOAD] = etl_step_load,
	[ETL_STEP_COMMIT] = etl_step_commit,
};

bool etl_strand_blocks(const struct etl_strand *strand)
{
	return strand->run->job->source->read != NULL;
}

bool etl_strand_doubts(const struct etl_strand *strand)
{
	struct etl_state *state = strand->run->env->state;

	return strand->run->job->sink->joins_transaction && !state->ops->has_transactions(state);
}

static bool is_cancelled(struct etl_strand *strand, struct etl_error *err)
{
	static const char *const why[] = {
		[ETL_CANCEL_OPERATOR] = "cancelled by an operator",
		[ETL_CANCEL_TIMEOUT] = "the run passed its timeout",
		[ETL_CANCEL_SHUTDOWN] = "the daemon is stopping",
		[ETL_CANCEL_FENCED] = "the lease of this job was lost: another etld has it",
		[ETL_CANCEL_OVERLAP] = "the next slot came (overlap: cancel_running)",
	};
	int cancel = atomic_load(&strand->run->cancel);

	if (cancel == ETL_CANCEL_NO)
		return false;
	etl_error_set(err, ETL_CANCELLED, "run.cancelled", "%s", why[cancel]);
	return true;
}

int etl_step_charge(struct etl_strand *strand, enum etl_step_id id, etl_dur took,
	struct etl_error *err)
{
	etl_dur limit = strand->run->job->step_timeout[id];
	etl_dur *used = &strand->work->used[id];

	used->us += took.us;
	return limit.us && used->us > limit.us ? etl_step_timeout(err, id, *used, limit) : 0;
}

/* A step that overran its limit fails the span, but what is in is in: of a commit the limit
 * ends the tries. The plan looks for itself, before it counts anything. */
static enum etl_go judge(struct etl_strand *strand, enum etl_step_id id, enum etl_go said,
	etl_dur took, struct etl_error *err)
{
	struct etl_error late = ETL_ERROR_INIT;
	bool refused = said == ETL_GO_WAIT && strand->work->resume == ETL_STEP_LOAD;

	if (id == ETL_STEP_PLAN || etl_step_charge(strand, id, took, &late) == 0 ||
		said == ETL_GO_FAIL || (id == ETL_STEP_COMMIT && !refused))
		return said;
	*err = late;
	return ETL_GO_FAIL;
}

static enum etl_go visit(struct etl_strand *strand, enum etl_step_id id, struct etl_error *err)
{
	const struct etl_clock *clock = strand->run->env->clock;
	uint64_t begun = strand->work ? strand->work->begun : 0;
	etl_mono begin = etl_mono_now(clock);
	enum etl_go said = ETL_GO_FAIL;
	etl_dur took;

	if (strand->work)
		strand->work->read = (etl_dur){0};
	if (etl_fault(etl_steps[id].fault_before, err) == 0) {
		said = go[id](strand, err);
		if (said != ETL_GO_FAIL && etl_fault(etl_steps[id].fault_after, err) != 0)
			said = ETL_GO_FAIL;
	}
	took = etl_mono_diff(etl_mono_now(clock), begin);
	if (strand->work)
		took.us -= strand->work->read.us;
	strand->part.steps[id].visits++;
	strand->part.steps[id].busy.us += took.us;
	if (strand->work && strand->work->begun == begun)
		said = judge(strand, id, said, took, err);
	return said;
}

/* Where a step's word leads. Returns true if the worker has to let go of the strand, with
 * what it needs in *need. */
static bool turn(struct etl_strand *strand, enum etl_go said, struct etl_error *err,
	enum etl_need *need)
{
	switch (said) {
	case ETL_GO_NEXT:
		strand->part.step++;
		return false;
	case ETL_GO_FETCH:
		strand->part.step = ETL_STEP_EXTRACT;
		return false;
	case ETL_GO_INPUT:
		strand->part.step = ETL_STEP_DECODE;
		*need = etl_strand_blocks(strand) ? ETL_NEED_WORK : ETL_NEED_INPUT;
		return etl_strand_blocks(strand) || !strand->inbox;
	case ETL_GO_MEMORY:
		*need = ETL_NEED_MEMORY;
		return true;
	case ETL_GO_LOAD:
		strand->part.step = ETL_STEP_LOAD;
		*need = ETL_NEED_WORK; /* others may have waited for this worker */
		return true;
	case ETL_GO_WAIT:
		strand->part.step = strand->work->resume;
		*need = ETL_NEED_TIMER;
		return true;
	case ETL_GO_END:
		strand->part.step = ETL_STEP_FINISH;
		*need = ETL_NEED_NOTHING;
		return true;
	case ETL_GO_FAIL:
		*need = etl_span_failed(strand, err);
		return true;
	}
	abort();
}

static enum etl_need finished(struct etl_strand *strand, enum etl_need need)
{
	if (need != ETL_NEED_NOTHING)
		return need;
	strand->part.step = ETL_STEP_FINISH;
	if (strand->part.state == ETL_PART_GOING)
		strand->part.state = strand->part.error.kind == ETL_OK ? ETL_PART_OK : ETL_PART_FAILED;
	etl_strand_fini(strand);
	return need;
}

/* An answer larger than memory is loaded while it comes: its transfer waits meanwhile. */
static bool is_reading(const struct etl_strand *strand, enum etl_need need)
{
	const struct etl_strand_work *work = strand->work;

	if (need == ETL_NEED_INPUT || need == ETL_NEED_MEMORY)
		return true;
	if (need == ETL_NEED_FETCH || need == ETL_NEED_NOTHING)
		return false;
	return work->spilled && !work->restart && !work->input_ended && !work->have_request;
}

/* Requests of one attempt share the limit of the step. */
static enum etl_need fetch(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	etl_dur limit = strand->run->job->step_timeout[ETL_STEP_EXTRACT];

	strand->part.step = ETL_STEP_DECODE; /* where its mail will be read */
	strand->part.steps[ETL_STEP_EXTRACT].visits++;
	work->fetch_began = etl_mono_now(strand->run->env->clock);
	strand->fetch_limit = limit;
	if (limit.us) {
		strand->fetch_limit.us -= work->used[ETL_STEP_EXTRACT].us;
		if (strand->fetch_limit.us < 1000) /* just used up: it fails as late, not as none */
			strand->fetch_limit = ETL_MS(1);
	}
	return ETL_NEED_FETCH;
}

static enum etl_need walk(struct etl_strand *strand)
{
	struct etl_error err = ETL_ERROR_INIT;
	enum etl_need need = ETL_NEED_NOTHING;
	enum etl_go said;

	strand->part.state = ETL_PART_GOING;
	do {
		etl_error_clear(&err);
		if (is_cancelled(strand, &err)) {
			said = ETL_GO_FAIL;
		} else if (strand->work && strand->work->restart) {
			said = etl_span_begin(strand, &err);
		} else if (strand->part.step == ETL_STEP_EXTRACT) {
			if (!etl_strand_blocks(strand))
				return fetch(strand);
			said = ETL_GO_NEXT;
		} else {
			said = visit(strand, strand->part.step, &err);
		}
	} while (!turn(strand, said, &err, &need));
	return finished(strand, need);
}

enum etl_need etl_strand_walk(struct etl_strand *strand)
{
	enum etl_need need = walk(strand);

	strand->reading = is_reading(strand, need);
	if (need != ETL_NEED_MEMORY) /* what it still holds, it has been granted */
		(void)etl_strand_lacks_memory(strand);
	return need;
}
