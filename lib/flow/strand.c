/* SPDX-License-Identifier: MIT
 *
 * What every step of a strand may ask: its span, its kind of source and target, what a step's limit
 * of time has left. Stands below all steps and calls none of them.
 */
#include <stdlib.h>

#include "flow/strand.h"

/* `due.from` stays: a plan that was cut at ETL_DUE_MAX goes on there. */
void etl_plan_reset(struct etl_strand_work *work)
{
	etl_wall from = work->plan.due.from;
	char *after = ETL_TAKE(work->plan.due.after);

	work->walk.partial_of = NULL;
	free(work->plan.ledger.entries);
	free(work->plan.spans);
	etl_due_list_fini(&work->plan.due);
	work->plan = (struct etl_plan_work){.due = {.from = from, .after = after}};
}

/* A source has `read` or the functions for transfers, never both. */
bool etl_strand_blocks(const struct etl_strand *strand)
{
	return strand->run->job->source->read != NULL;
}

bool etl_strand_doubts(const struct etl_strand *strand)
{
	struct etl_state *state = strand->run->env->state;
	const struct etl_job *job = strand->run->job;

	return job->loads[job->committing].type->joins_transaction &&
		!state->ops->has_transactions(state);
}

struct etl_window etl_span_window(const struct etl_strand_work *work)
{
	return (struct etl_window){work->plan.due.windows[work->walk.span.from].window.start,
		work->plan.due.windows[work->walk.span.from + work->walk.span.n - 1].window.end};
}

/* Asked for each record. Windows of one length are found by one division; the months and the local
 * days of a span lie at most a few places beside. */
long etl_span_index(const struct etl_strand_work *work, etl_wall t)
{
	const struct etl_due_window *windows = &work->plan.due.windows[work->walk.span.from];
	struct etl_window span = etl_span_window(work);
	int64_t i;

	if (!etl_window_holds(&span, t))
		return -1;
	i = (t.ms - span.start.ms) * (int64_t)work->walk.span.n / (span.end.ms - span.start.ms);
	while (windows[i].window.start.ms > t.ms)
		i--;
	while (windows[i].window.end.ms <= t.ms)
		i++;
	return (long)i;
}

int etl_step_charge(struct etl_strand *strand, enum etl_step_id id, etl_dur took,
	struct etl_error *err)
{
	etl_dur limit = strand->run->job->step_timeout[id];
	etl_dur *used = &strand->work->span.used[id];

	used->us += took.us;
	return limit.us && used->us > limit.us ? etl_step_timeout(err, id, *used, limit) : 0;
}

/* Mail that is there already is read at once; else the worker is given back until more comes. */
struct etl_go etl_go_on_reading(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	if (etl_decode_waits(work->span.decode))
		return etl_go(ETL_AT_DECODE);
	if (work->span.input == ETL_INPUT_NEXT_PAGE) {
		work->span.input = ETL_INPUT_COMES;
		return etl_go(ETL_AT_EXTRACT);
	}
	if (etl_strand_blocks(strand))
		return etl_go_when(ETL_NEED_WORK, ETL_AT_DECODE);
	return strand->inbox ? etl_go(ETL_AT_DECODE) : etl_go_when(ETL_NEED_INPUT, ETL_AT_DECODE);
}
