/* SPDX-License-Identifier: MIT
 *
 * What follows when something fails on the way of a span: the same again after a wait, its halves,
 * the next one, or the end of the strand. run/policy.h decides by the error's kind; here it is
 * carried out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "flow/strand.h"
#include "run/policy.h"

/* The first error is the strand's: what follows is often its consequence. */
static void remember(struct etl_strand *strand, const struct etl_error *err)
{
	if (strand->part.error.kind != ETL_OK)
		return;
	strand->part.error = *err;
	strand->part.failed_at = strand->part.step;
	snprintf(strand->part.reason, sizeof strand->part.reason, "%.*s", ETL_REASON_MAX - 1, err->message);
}

/* The ledger learns why these windows are still due. A store that refuses this changes nothing:
 * they stay due in any case. */
static void mark_failed(struct etl_strand *strand, const struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	struct etl_state *state = strand->run->env->state;
	struct etl_ledger_entry *entries = etl_calloc(work->walk.span.n, sizeof *entries);
	struct etl_error ignored = ETL_ERROR_INIT;

	for (size_t i = 0; i < work->walk.span.n; i++) {
		const struct etl_due_window *due = &work->plan.due.windows[work->walk.span.from + i];

		strand->part.windows_left_open += !etl_window_is_closed(due->had.state);
		entries[i].window = due->window;
		if (due->object)
			entries[i].object = *due->object;
		if (etl_span_is_refused(err))
			entries[i].counts = work->span.windows[i].counts;
		entries[i].state = ETL_WINDOW_FAILED;
		entries[i].attempt = due->had.attempt + 1;
		entries[i].updated = etl_now(strand->run->env->clock);
		memcpy(entries[i].run_id, strand->run->run_id, sizeof entries[i].run_id);
		snprintf(entries[i].reason, sizeof entries[i].reason, "%.*s", ETL_REASON_MAX - 1,
			err->message);
	}
	(void)state->ops->ledger_mark(state, strand->run->job->name, strand->part.partition->name,
		strand->run->fence, entries, work->walk.span.n, &ignored);
	free(entries);
	strand->part.windows.failed += work->walk.span.n;
}

/* The law of halving: what is bad in one window keeps no other window open. A span that was refused
 * is asked for in halves until the refusal is that of a single window; only that one is marked as
 * failed. The limits of rejects are each window's, so that a half is judged no other way than the
 * whole. An answer that has nothing at all of what was asked for is not halved: its halves would be
 * refused for the same reason.
 *
 * Example, hours 0 to 7, hour 5 unreadable: 0-7 fails; 0-3 is in; 4-7 fails; 4-5 fails; 4 is in; 5
 * fails and is marked; 6-7 is in. The spans are a stack, so the older half is always asked for
 * first. */
static bool split(struct etl_strand_work *work, const struct etl_error *err)
{
	size_t half = work->walk.span.n / 2;

	if (work->walk.span.n < 2 || etl_span_is_hopeless(err))
		return false;
	ETL_GROW(work->plan.spans, work->plan.n_spans, work->plan.spans_cap);
	work->plan.spans[work->plan.n_spans++] =
		(struct etl_span){work->walk.span.from + half, work->walk.span.n - half};
	ETL_GROW(work->plan.spans, work->plan.n_spans, work->plan.spans_cap);
	work->plan.spans[work->plan.n_spans++] = (struct etl_span){work->walk.span.from, half};
	return true;
}

/* What a source says of one object (it changed, it may not be read) keeps no other one open, and to ask
 * for it again within the same run would only make the others wait. */
static bool is_of_object(const struct etl_strand *strand, const struct etl_error *err)
{
	return strand->run->job->window.object && strand->work->span.windows &&
		etl_starts_with(err->code, "object.");
}

/* `left` is what remains of the run's time: a wait that would end behind it is not begun. The
 * random number comes from run and attempt, so that a simulation that is repeated waits as long. */
static enum etl_verdict decide(struct etl_strand *strand, const struct etl_error *err,
	etl_dur *delay)
{
	const struct etl_job *job = strand->run->job;
	etl_dur used = etl_mono_diff(etl_mono_now(strand->run->env->clock), strand->run->began);
	struct etl_policy_input in = {
		.kind = err->kind,
		.attempt = strand->work->walk.attempt,
		.retry_max = job->retry_max,
		.backoff = job->retry_backoff,
		.max_backoff = job->retry_max_backoff,
		.retry_after_ms = err->retry_after_ms,
		.left = {job->timeout.us - used.us},
		.random = etl_hash64(strand->run->run_id, sizeof strand->run->run_id,
			(uint64_t)strand->work->walk.attempt),
	};

	return is_of_object(strand, err) ? ETL_VERDICT_NEXT_SPAN : etl_policy_decide(&in, delay);
}

/* Not marked are windows of a run that was cancelled, since nothing is wrong with them, and of one
 * that has lost its lease: they are another's now. */
static struct etl_go stop(struct etl_strand *strand, const struct etl_error *err, bool in_span)
{
	remember(strand, err);
	strand->part.state = err->kind == ETL_CANCELLED ? ETL_PART_CANCELLED : ETL_PART_FAILED;
	if (in_span && err->kind != ETL_CANCELLED && err->kind != ETL_CONFLICT)
		mark_failed(strand, err);
	return etl_go(ETL_AT_END);
}

/* What slices of this span have committed stays so: only the rest failed. A spilled window is not
 * in before its last slice. Gives the number of windows that are in.
 *
 * Example: a span of 24 hours, the slice of the first 10 is in, the second one is refused for good.
 * The retry, or the halves, are for the last 14. */
static size_t keep_committed(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	size_t in = work->slice.window_at;

	if (work->span.spilled || in >= work->walk.span.n)
		return 0;
	if (in)
		etl_account_span(strand, false);
	return in;
}

/* The answer was whole and is refused: its rejects are the evidence, and count. A store that
 * fails here leaves the windows due, like the reason. */
static void keep_evidence(struct etl_strand *strand)
{
	struct etl_error ignored = ETL_ERROR_INIT;

	(void)etl_rejects_store_staged(strand, &ignored);
	if (strand->work->slice.batch)
		(void)etl_rejects_store(strand, strand->work->slice.batch, &ignored);
	etl_account_refused(strand);
}

/* Before its records go: what of the attempt counts. */
static void settle_attempt(struct etl_strand *strand, const struct etl_error *err, size_t in,
	bool final)
{
	if (final && etl_span_is_refused(err))
		keep_evidence(strand);
	else if (final)
		etl_account_partial(strand);
	etl_slice_reset(strand);
	etl_span_cut_front(strand, in);
}

static unsigned failed_max(const struct etl_strand *strand)
{
	return strand->run->job->window.object ? ETL_FAILED_OBJECTS_MAX : ETL_FAILED_SPANS_MAX;
}

/* What the run does not try any more is told: what has failed is not all that is due. */
static void tell_left(struct etl_strand *strand)
{
	const struct etl_strand_work *work = strand->work;
	size_t left = 0;

	for (size_t i = 0; i < work->plan.n_spans; i++)
		left += work->plan.spans[i].n;
	if (left || work->plan.due.more)
		etl_error_prefix(&strand->part.error,
			"%u requests failed, %zu%s due windows were left for the next run; the first",
			failed_max(strand), left, work->plan.due.more ? " and more" : "");
}

/* A bound of spans, so that a source which refuses every hour of ten years is not asked for each of
 * them. The next run goes on. */
static struct etl_go give_up_span(struct etl_strand *strand, const struct etl_error *err)
{
	remember(strand, err);
	mark_failed(strand, err);
	if (++strand->work->walk.failed_spans < failed_max(strand))
		return etl_span_skip(strand);
	tell_left(strand);
	return etl_go(ETL_AT_END);
}

/* Before its records go: what of this attempt is in, and what of it counts. */
static void end_attempt(struct etl_strand *strand, const struct etl_error *err,
	enum etl_verdict verdict)
{
	size_t in = keep_committed(strand);
	bool halves = verdict == ETL_VERDICT_NEXT_SPAN && strand->work->walk.span.n - in > 1 &&
		!etl_span_is_hopeless(err);

	settle_attempt(strand, err, in, verdict != ETL_VERDICT_RETRY && !halves);
}

/* A span is opened anew and read from the beginning: half an answer proves nothing. An error in the
 * plan has it planned again. */
static struct etl_go retry(struct etl_strand *strand, etl_dur delay, bool in_span)
{
	strand->part.wait = delay;
	strand->work->walk.attempt++;
	return etl_go_when(ETL_NEED_TIMER, in_span ? ETL_AT_OPEN : ETL_AT_PLAN);
}

/* A run reads many objects: whatever is said of one says which. */
static void name_object(const struct etl_strand *strand, struct etl_error *err)
{
	const struct etl_object *object = strand->work->span.vars.object;
	char shown[160];

	if (!strand->work->span.windows || !object || err->kind == ETL_CANCELLED ||
		etl_starts_with(err->code, "object."))
		return;
	etl_object_show(object->name, shown, sizeof shown);
	etl_error_prefix(err, "%s", shown);
}

/* What the records were is forgotten by the caller, after this has decided with them. */
static struct etl_go follow(struct etl_strand *strand, const struct etl_error *err)
{
	bool in_span = strand->work->span.windows;
	etl_dur delay = {0};
	enum etl_verdict verdict = decide(strand, err, &delay);

	strand->part.last = *err;
	if (in_span)
		end_attempt(strand, err, verdict);
	switch (verdict) {
	case ETL_VERDICT_RETRY:
		return retry(strand, delay, in_span);
	case ETL_VERDICT_NEXT_SPAN:
		if (!in_span)
			return stop(strand, err, false);
		return split(strand->work, err) ? etl_span_skip(strand) : give_up_span(strand, err);
	case ETL_VERDICT_STOP_RUN:
		if (err->kind == ETL_CONFLICT)
			atomic_store(&strand->run->fenced, true);
		return stop(strand, err, in_span);
	case ETL_VERDICT_STOP:
		return stop(strand, err, in_span);
	}
	abort();
}

/* Before the wait, which may be long: records of an attempt that is lost would only hold memory. */
struct etl_go etl_strand_failed(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_go go;

	name_object(strand, err);
	go = follow(strand, err);

	if (go.to == ETL_AT_OPEN)
		etl_span_forget_records(strand);
	return go;
}
