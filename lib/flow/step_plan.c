/* SPDX-License-Identifier: MIT
 *
 * The plan step: the partition's watermark and ledger, and from them the due windows in
 * spans. Reads the store; writes nothing but the fence on the watermark.
 *
 * Example: hourly, watermark 08:00, run at 12:05; the ledger has 05:00 dirty and 09:00 loaded. Due
 * are 05:00, 08:00, 10:00 and 11:00; neighbours that are due make a span: 05, 08, and 10 with 11.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "flow/strand.h"
#include "job/elsewhere.h"
#include "time/civil.h"

static void cut_into_spans(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_window_rules *rules = &strand->run->job->window;

	for (size_t from = work->plan.lost; from < work->plan.due.n;) {
		size_t n = etl_window_span(rules, &work->plan.due, from);

		ETL_GROW(work->plan.spans, work->plan.n_spans, work->plan.spans_cap);
		work->plan.spans[work->plan.n_spans++] = (struct etl_span){from, n};
		from += n;
	}
	for (size_t i = 0; i < work->plan.n_spans / 2; i++) { /* the oldest comes last: popped first */
		struct etl_span swap = work->plan.spans[i];

		work->plan.spans[i] = work->plan.spans[work->plan.n_spans - 1 - i];
		work->plan.spans[work->plan.n_spans - 1 - i] = swap;
	}
}

/* A job whose start was moved back owes windows before the origin; until they are closed the
 * watermark keeps speaking of the old origin. */
static void settle_origin(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	etl_wall start = strand->run->job->window.grid.start;

	if (start.ms >= work->plan.watermark.origin.ms)
		return;
	for (size_t i = 0; i < work->plan.due.n; i++)
		if (work->plan.due.windows[i].window.start.ms < work->plan.watermark.origin.ms)
			return;
	work->plan.watermark.origin = start;
}

/* What was loaded and would only be read again stays as it is; an old end is not told twice.
 * What was skipped before is lost when an operator asks for it. */
static bool is_lost(const struct etl_due_window *due)
{
	return !etl_window_is_closed(due->had.state) ||
		(due->why == ETL_DUE_ASKED && due->had.state == ETL_WINDOW_SKIPPED);
}

/* `fence` is not set: ledger_mark writes its own. */
static void fill_lost(const struct etl_strand *strand, const struct etl_due_window *due,
	struct etl_ledger_entry *entry)
{
	entry->window = due->window;
	entry->state = ETL_WINDOW_UNRECOVERABLE;
	entry->attempt = due->had.attempt;
	memcpy(entry->run_id, strand->run->run_id, sizeof entry->run_id);
	snprintf(entry->reason, sizeof entry->reason,
		"older than the source keeps (window.retention)");
}

/* Each is told once, the ledger then has it. */
static void count_lost(struct etl_strand *strand, const struct etl_ledger_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strand->part.windows.lost++)
			strand->part.lost = entries[i].window;
		strand->part.lost.end = entries[i].window.end;
	}
}

/* Windows that the source no longer has: closed with that word, never asked for. They keep
 * their place at the front of the list, done, so that the watermark can pass them. An
 * operator who names a window gets it tried all the same. */
static int give_up_lost(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	struct etl_state *state = strand->run->env->state;
	struct etl_ledger_entry *entries;
	size_t n = 0;
	int rc = 0;

	while (work->plan.lost < work->plan.due.n &&
		etl_window_is_gone(&job->window, work->plan.due.windows[work->plan.lost].window,
			strand->run->planned))
		work->plan.lost++;
	if (!work->plan.lost)
		return 0;
	entries = etl_calloc(work->plan.lost, sizeof *entries);
	for (size_t i = 0; i < work->plan.lost; i++)
		if (is_lost(&work->plan.due.windows[i]))
			fill_lost(strand, &work->plan.due.windows[i], &entries[n++]);
	if (n)
		rc = state->ops->ledger_mark(state, job->name, strand->part.partition->name,
			strand->run->fence, entries, n, err);
	if (rc == 0)
		count_lost(strand, entries, n);
	for (size_t i = 0; rc == 0 && i < work->plan.lost; i++)
		work->plan.due.windows[i].done = true;
	free(entries);
	return rc;
}

/* A job without windows has one unit at 0. */
static etl_wall origin_of(const struct etl_job *job)
{
	return job->window.none ? (etl_wall){0} : job->window.grid.start;
}

/* No commit moves a watermark beyond the store's clock. One that lies there was written by hand,
 * restored wrongly, or made while the server's clock was wrong: until then nothing would be due,
 * and all would look well. */
static int need_past_watermark(const struct etl_strand *strand, struct etl_error *err)
{
	const struct etl_run *run = strand->run;
	etl_wall mark = strand->work->plan.watermark.processed;
	char is[ETL_TIME_TEXT_BYTES], now[ETL_TIME_TEXT_BYTES];

	if (mark.ms <= etl_wall_add(run->present, ETL_FUTURE_TOLERANCE).ms)
		return 0;
	etl_time_format_rfc3339(mark, is);
	etl_time_format_rfc3339(run->present, now);
	return etl_error_set(err, ETL_PERMANENT, "watermark.future",
		"the watermark of %s is %s and now is %s: nothing would be due until then; "
		"'etlctl windows %s' shows up to where all is loaded, 'etlctl watermark rewind %s "
		"TIME --reason TEXT' sets it there",
		strand->part.partition->name, is, now, run->job->name, run->job->name);
}

/* The watermark, ours from now on, and the part of the ledger that a plan has to see. */
static int read_state(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_run *run = strand->run;
	const struct etl_job *job = run->job;
	struct etl_state *state = run->env->state;
	const char *partition = strand->part.partition->name;
	/* Once: what this run itself leaves open is found by asking again. */
	const struct etl_open_list *open = work->walk.planned ? NULL : &etl_flow_of(run)->open;
	struct etl_window range;
	int holes;

	work->walk.planned = true;
	if (state->ops->watermark_claim(state, job->name, partition, run->fence, origin_of(job),
		    etl_window_longest_ms(&job->window), &work->plan.watermark, err) < 0 ||
		need_past_watermark(strand, err) < 0)
		return -1;
	strand->part.watermark = work->plan.watermark.processed;
	etl_job_target(job, run->env->database, work->plan.target);
	etl_strand_keep_targets(strand);
	if (job->window.object)
		return 0;
	range = etl_window_scan_range(&job->window, &work->plan.watermark, run->planned);
	if (etl_run_is_asked(run) && run->trigger.asked.start.ms < range.start.ms)
		range.start = run->trigger.asked.start;
	if (etl_run_wants_stale(run))
		range.start = etl_strand_stale_from(strand, range.start);
	holes = etl_holes_look(strand, &range, err);
	if (holes < 0 || etl_ledger_part_read(&work->plan.ledger, state, job->name, partition, &range,
				 open, err) < 0)
		return -1;
	if (holes)
		etl_holes_add(work, &job->window);
	if (etl_run_wants_stale(run))
		etl_strand_mark_stale(strand);
	return 0;
}

/* Which windows are due, without those that wait for others and those that nobody has any more.
 * Asked for too much is refused and not cut: an operator who names a range relies on all of it. */
static int list_due(struct etl_strand *strand, struct etl_error *err)
{
	const struct etl_run *run = strand->run;
	const struct etl_job *job = run->job;
	struct etl_plan_work *plan = &strand->work->plan;
	struct etl_asked asked = {run->trigger.asked, run->trigger.reprocess};
	bool is_asked = etl_run_is_asked(run);
	bool is_backfill = run->trigger.kind == ETL_TRIGGER_BACKFILL;

	if (job->window.object && etl_plan_objects(strand, err) < 0)
		return -1;
	if (!job->window.object)
		etl_window_plan(&job->window, &plan->watermark, run->planned, plan->ledger.entries,
			plan->ledger.n, is_asked ? &asked : NULL, &plan->due);
	if (is_asked && plan->due.more && !job->window.object)
		return etl_error_set(err, ETL_PERMANENT, "run.too_many",
			"more than %d windows were asked for at once; ask for them in parts",
			ETL_DUE_MAX);
	if (!is_asked) /* only a plan of everything that is due can tell */
		settle_origin(strand);
	if (job->n_upstream && etl_upstream_filter(strand, &plan->due, err) < 0)
		return -1;
	return !is_asked || is_backfill ? give_up_lost(strand, err) : 0;
}

/* Its time is charged here and not in visit(): the plan is counted from zero in each attempt.
 * Blocked is a part of which nothing is due but what waits for another job. */
struct etl_go etl_step_plan(struct etl_strand *strand, struct etl_error *err)
{
	const struct etl_clock *clock = strand->run->env->clock;
	struct etl_strand_work *work = strand->work;
	etl_mono began = etl_mono_now(clock);

	etl_plan_reset(work);
	if (read_state(strand, err) < 0 || list_due(strand, err) < 0)
		return etl_go(ETL_AT_FAILED);
	work->span.used[ETL_STEP_PLAN].us = 0;
	if (etl_step_charge(strand, ETL_STEP_PLAN, etl_mono_diff(etl_mono_now(clock), began), err) < 0)
		return etl_go(ETL_AT_FAILED);
	strand->part.windows_due += work->plan.due.n - work->plan.lost;
	cut_into_spans(strand);
	if (!strand->part.windows_due && strand->part.windows_blocked)
		strand->part.state = ETL_PART_BLOCKED;
	return etl_span_next(strand);
}
