/* SPDX-License-Identifier: MIT
 *
 * The step table, and the walk of a strand along it. Each row says what is done at a place and
 * which places may follow; what a place does stands in its own file, and returns where the walk
 * goes on.
 *
 * Who walks: a worker, for as long as no place needs anything. Then etl_strand_walk returns with
 * the need (a transfer, time, memory, another turn), the loop sees to it, and a worker walks on at
 * the same place. All that has to survive the wait is in strand->work, nothing on a stack; no lock
 * is needed, since at any time one thread has the strand.
 *
 * Cancelling is looked for between places and never inside one: a commit that has begun ends.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "flow/strand.h"

/* Requests of one attempt share the limit of the step. */
static struct etl_go extract(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	etl_dur limit = strand->run->job->step_timeout[ETL_STEP_EXTRACT];

	(void)err;
	if (etl_strand_blocks(strand))
		return etl_go(ETL_AT_DECODE);
	strand->part.steps[ETL_STEP_EXTRACT].visits++;
	work->walk.fetch_began = etl_mono_now(strand->run->env->clock);
	strand->fetch_limit = limit;
	if (limit.us) {
		strand->fetch_limit.us -= work->span.used[ETL_STEP_EXTRACT].us;
		if (strand->fetch_limit.us < 1000) /* just used up: it fails as late, not as none */
			strand->fetch_limit = ETL_MS(1);
	}
	return etl_go_when(ETL_NEED_FETCH, ETL_AT_DECODE);
}

#define AT(place) (1u << ETL_AT_##place)

/* Name, thread and fault points of a step: etl_steps (job/steps.h), by the same number. Its limit
 * of time: step_timeout of the job. FAILED may follow every place but itself: it is not listed.
 *
 * Example, two pages of one window, the first slice refused once by the store: PLAN OPEN EXTRACT
 * DECODE EXTRACT DECODE TRANSFORM CHECK LOAD COMMIT (wait) LOAD COMMIT END. */
static const struct row {
	struct etl_go (*go)(struct etl_strand *strand, struct etl_error *err);
	unsigned next; /* the places that may follow */
} table[ETL_PLACES] = {
	[ETL_AT_PLAN] = {etl_step_plan, AT(OPEN) | AT(PLAN) | AT(END)},
	[ETL_AT_OPEN] = {etl_span_open, AT(EXTRACT)},
	[ETL_AT_EXTRACT] = {extract, AT(DECODE)},
	[ETL_AT_DECODE] = {etl_step_decode, AT(TRANSFORM) | AT(DECODE) | AT(EXTRACT)},
	[ETL_AT_TRANSFORM] = {etl_step_transform, AT(CHECK)},
	[ETL_AT_CHECK] = {etl_step_check, AT(LOAD) | AT(DECODE) | AT(EXTRACT)},
	[ETL_AT_LOAD] = {etl_step_load, AT(COMMIT) | AT(LOAD)},
	[ETL_AT_COMMIT] = {etl_step_commit,
		AT(LOAD) | AT(DECODE) | AT(EXTRACT) | AT(OPEN) | AT(PLAN) | AT(END)},
	[ETL_AT_FAILED] = {etl_strand_failed, AT(OPEN) | AT(PLAN) | AT(END)},
};

/* For the assertion in turn(), and for the test that draws the table. */
bool etl_walk_may(enum etl_place from, enum etl_place to)
{
	if (to == ETL_AT_FAILED)
		return table[from].go && from != ETL_AT_FAILED;
	return table[from].next >> to & 1;
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

/* A step that overran its limit fails the span, but what is in is in: of a commit the limit
 * ends the tries. The plan looks for itself, before it counts anything. */
static struct etl_go judge(struct etl_strand *strand, enum etl_step_id id, struct etl_go go,
	etl_dur took, struct etl_error *err)
{
	struct etl_error late = ETL_ERROR_INIT;
	bool refused = go.need == ETL_NEED_TIMER;

	if (id == ETL_STEP_PLAN || etl_step_charge(strand, id, took, &late) == 0 ||
		go.to == ETL_AT_FAILED || (id == ETL_STEP_COMMIT && !refused))
		return go;
	*err = late;
	return etl_go(ETL_AT_FAILED);
}

/* A step of a worker: between its fault points, its time counted and held against its limit. */
static struct etl_go visit(struct etl_strand *strand, enum etl_step_id id, struct etl_error *err)
{
	const struct etl_clock *clock = strand->run->env->clock;
	struct etl_step_time *time = &strand->part.steps[id];
	etl_mono begin = etl_mono_now(clock);
	struct etl_go go = etl_go(ETL_AT_FAILED);
	etl_dur took;

	strand->work->walk.read = (etl_dur){0};
	if (etl_fault(etl_steps[id].fault_before, err) == 0) {
		go = table[id].go(strand, err);
		if (go.to != ETL_AT_FAILED && etl_fault(etl_steps[id].fault_after, err) != 0)
			go = etl_go(ETL_AT_FAILED);
	}
	took = etl_mono_diff(etl_mono_now(clock), begin);
	took.us -= strand->work->walk.read.us;
	time->visits++;
	time->busy.us += took.us;
	return judge(strand, id, go, took, err);
}

/* What is no step has no limit; the time of opening a span is told with the step before it. */
static struct etl_go pass(struct etl_strand *strand, enum etl_place at, struct etl_error *err)
{
	const struct etl_clock *clock = strand->run->env->clock;
	etl_mono begin = etl_mono_now(clock);
	struct etl_go go = table[at].go(strand, err);

	if (at == ETL_AT_OPEN)
		strand->part.steps[strand->part.step].busy.us +=
			etl_mono_diff(etl_mono_now(clock), begin).us;
	return go;
}

/* Steps and places share one row of numbers, steps first. */
static bool is_step(enum etl_place place)
{
	return place < (enum etl_place)ETL_STEP_MAX;
}

/* One place of the walk; it stands at the next one then. */
static struct etl_go turn(struct etl_strand *strand, struct etl_error *err)
{
	enum etl_place at = strand->work->walk.place;
	struct etl_go go;

	if (at != ETL_AT_FAILED)
		etl_error_clear(err);
	if (at != ETL_AT_FAILED && is_cancelled(strand, err))
		go = etl_go(ETL_AT_FAILED);
	else if (is_step(at) && etl_steps[at].thread == ETL_THREAD_WORKER)
		go = visit(strand, (enum etl_step_id)at, err);
	else
		go = pass(strand, at, err);
	assert(etl_walk_may(at, go.to));
	strand->work->walk.place = go.to;
	if (is_step(go.to)) /* the others are no steps: people see the step before */
		strand->part.step = (enum etl_step_id)go.to;
	return go;
}

/* A state that was set before stays: blocked, cancelled and failed are known where they are
 * decided. */
static enum etl_need end(struct etl_strand *strand)
{
	struct etl_part *part = &strand->part;

	if (part->state == ETL_PART_GOING)
		part->state = part->error.kind == ETL_OK ? ETL_PART_OK : ETL_PART_FAILED;
	etl_strand_fini(strand);
	return ETL_NEED_NOTHING;
}

/* An answer larger than memory is loaded while it comes: its transfer waits meanwhile. */
static bool is_reading(const struct etl_strand *strand, enum etl_need need)
{
	const struct etl_strand_work *work = strand->work;

	if (need == ETL_NEED_INPUT || need == ETL_NEED_MEMORY)
		return true;
	if (need == ETL_NEED_FETCH || need == ETL_NEED_NOTHING)
		return false;
	return work->span.spilled && work->walk.place != ETL_AT_OPEN && work->span.input == ETL_INPUT_COMES;
}

/* The place that needs something is not left: `place` is the next one already, and the need has to
 * be met before it is walked to. */
enum etl_need etl_strand_walk(struct etl_strand *strand)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_go go;

	if (!strand->work)
		strand->work = etl_strand_work_new();
	strand->part.state = ETL_PART_GOING;
	do {
		go = turn(strand, &err);
	} while (go.to != ETL_AT_END && go.need == ETL_NEED_NOTHING);
	if (go.to == ETL_AT_END)
		go.need = end(strand);
	strand->reading = is_reading(strand, go.need);
	if (go.need != ETL_NEED_MEMORY) /* what it still holds, it has been granted */
		(void)etl_strand_lacks_memory(strand);
	return go.need;
}
