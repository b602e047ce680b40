/* SPDX-License-Identifier: MIT
 *
 * The check step: row rules on the batch, then the batch is staged; at the proven end of the
 * input the rules of units, and the records in order of their windows. Also keeps the limit of
 * memory; what the answer proves, and the limit of rejects: proof.c.
 *
 * What becomes of a finding stands in the check's on_fail:
 *
 *   reject   this record is a dead letter, the others are loaded
 *   warn     counted and told, loaded all the same
 *   hold     the window waits for an operator's word
 *   fail     the window has failed and is read again
 *
 * Rows are judged batch by batch; units only when the end of the input is proven, since "at least
 * 100 records" cannot be said of half an answer.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "flow/strand.h"

/* The last finding's message is the window's reason; all that hold it are noted. */
static void judge(struct etl_strand *strand, struct etl_window_work *window,
	const struct etl_job_check *rule, const struct etl_finding *finding)
{
	if (rule->on_fail == ETL_ON_FAIL_WARN) {
		etl_account_warning(strand, window, (size_t)(rule - strand->run->job->checks), finding);
		if (!*strand->part.reason)
			snprintf(strand->part.reason, sizeof strand->part.reason, "check %s: %s",
				rule->type->name, finding->message);
		return;
	}
	strand->part.checks_failed |= rule->on_fail == ETL_ON_FAIL_FAIL;
	if (rule->on_fail == ETL_ON_FAIL_HOLD)
		etl_hold_note(window, rule->type->name, finding);
	window->hold |= rule->on_fail == ETL_ON_FAIL_HOLD;
	window->fail |= rule->on_fail == ETL_ON_FAIL_FAIL;
	window->code = "check.failed";
	snprintf(window->reason, sizeof window->reason, "check %s: %s", rule->type->name,
		finding->message);
}

/* What else the record breaks, for its dead letter. A check that keeps state is not asked: it would
 * remember what is not loaded. */
static void check_further(struct etl_strand *strand, size_t from, const struct etl_record *record,
	const struct etl_record_unit *unit)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;

	for (size_t k = from; k < job->n_checks; k++) {
		const struct etl_job_check *rule = &job->checks[k];
		struct etl_finding finding = {.path = ""};

		if (rule->on_fail != ETL_ON_FAIL_REJECT || !rule->type->row || rule->type->held)
			continue;
		if (!rule->type->row(work->span.checks[k], record, unit, &finding))
			etl_batch_reject_also(work->span.batch, rule->type->name, finding.path,
				finding.message);
	}
}

/* Checks in the order of the configuration. The first that rejects ends the record's way; only for
 * the letter the others are asked as well. */
static void check_row(struct etl_strand *strand, size_t i)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	struct etl_record *record = &work->span.batch->records[i];
	struct etl_record_unit unit = etl_unit_of(strand, record->time);

	for (size_t k = 0; k < job->n_checks; k++) {
		const struct etl_job_check *rule = &job->checks[k];
		struct etl_finding finding = {.path = ""};

		if (!rule->type->row || rule->type->row(work->span.checks[k], record, &unit, &finding))
			continue;
		if (rule->on_fail == ETL_ON_FAIL_REJECT) {
			struct etl_record whole = *record;

			etl_batch_reject_record(work->span.batch, i, "check", rule->type->name,
				finding.path, "%s", finding.message);
			check_further(strand, k + 1, &whole, &unit);
			return;
		}
		judge(strand, &work->span.windows[unit.number], rule, &finding);
	}
}

/* By the clock alone, so that the verdict is the same whatever else is due. */
static bool is_newest(const struct etl_run *run, struct etl_window window)
{
	const struct etl_window_rules *rules = &run->job->window;

	return rules->none || window.end.ms == etl_window_limit(rules, run->planned).ms;
}

/* `now` is what the run plans by and not the clock: a run that is late judges as one that was in
 * time. */
static int check_unit(struct etl_strand *strand, size_t at, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	struct etl_window window =
		job->window.none ? work->span.vars.window : work->span.windows[at].due->window;
	struct etl_unit_facts facts = {
		.unit = {window, at},
		.now = strand->run->planned,
		.records = work->span.windows[at].counts.out,
		.newest = work->span.windows[at].newest,
		.is_newest = is_newest(strand->run, window),
	};

	for (size_t k = 0; k < job->n_checks; k++) {
		const struct etl_job_check *rule = &job->checks[k];
		struct etl_finding finding = {.path = ""};

		int passes = rule->type->unit ?
			rule->type->unit(work->span.checks[k], &facts, &finding, err) : 1;

		if (passes < 0)
			return etl_error_prefix(err, "check %s", rule->type->name);
		if (!passes)
			judge(strand, &work->span.windows[at], rule, &finding);
	}
	return 0;
}

/* A transform may move records in time (aggregate), but not out of what is being loaded. */
static void reject_strays(struct etl_strand *strand)
{
	struct etl_batch *batch = strand->work->span.batch;

	if (strand->run->job->window.none)
		return;
	for (size_t i = 0; i < batch->n; i++)
		if (etl_span_index(strand->work, batch->records[i].time) < 0)
			etl_batch_reject_record(batch, i, "transform", "window", "",
				"its time lies outside the windows being loaded: is the bucket "
				"longer than the window?");
	etl_batch_compact(batch);
}

/* A batch with nothing in it is used again. */
static void stage(struct etl_strand_work *work)
{
	if (!work->span.batch->n && !work->span.batch->n_rejects) {
		etl_batch_reset(work->span.batch);
		return;
	}
	ETL_GROW(work->span.staged, work->span.n_staged, work->span.staged_cap);
	work->span.staged[work->span.n_staged++] = work->span.batch;
	work->span.staged_bytes += etl_batch_held(work->span.batch);
	work->span.batch = etl_batch_new();
}

/* More than fits memory: several windows are asked for in halves; a single one goes in by
 * slices while the rest still comes. */
static struct etl_go make_room(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;

	if (work->walk.span.n > 1) {
		etl_error_set(err, ETL_LIMIT, "span.memory",
			"the answer for %zu windows is larger than limits.memory", work->walk.span.n);
		return etl_go(ETL_AT_FAILED);
	}
	work->span.spilled = true;
	etl_slice_sort(strand);
	return etl_rejects_store_staged(strand, err) < 0 ? etl_go(ETL_AT_FAILED) : etl_go(ETL_AT_LOAD);
}

static int check_units(struct etl_strand *strand, struct etl_error *err)
{
	for (size_t i = 0; i < strand->work->walk.span.n; i++)
		if (check_unit(strand, i, err) < 0)
			return -1;
	return 0;
}

/* The order at the end matters: sort (hashes), then proof (may refuse the whole answer), then
 * units, then releases, which compare hashes and need the checks' word. */
struct etl_go etl_step_check(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;

	reject_strays(strand);
	for (size_t i = 0; i < work->span.batch->n; i++)
		check_row(strand, i);
	etl_batch_compact(work->span.batch);
	etl_account_rejects(strand);
	stage(work);
	if (etl_strand_judge_state(strand, err) < 0)
		return etl_go(ETL_AT_FAILED);
	if (work->span.input == ETL_INPUT_ENDED) {
		etl_slice_sort(strand);
		if (etl_span_proof(strand, err) < 0 || etl_rejects_store_staged(strand, err) < 0)
			return etl_go(ETL_AT_FAILED);
		if (check_units(strand, err) < 0 || etl_holds_settle(strand, err) < 0)
			return etl_go(ETL_AT_FAILED);
		return etl_go(ETL_AT_LOAD);
	}
	if (work->span.staged_bytes + etl_strand_state_held(strand) > strand->run->env->memory_max)
		return make_room(strand, err);
	return etl_go_on_reading(strand);
}
