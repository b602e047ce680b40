/* SPDX-License-Identifier: MIT
 *
 * Which definition made a window: what a commit writes down, what of it is stale when the job changes,
 * and a restatement, after which nothing is, however the stale windows lie.
 */
#include "run_rig.h"

#include "job/definition.h"
#include "job/elsewhere.h"
#include "job/stale.h"
#include "ops/backfill.h"

/* ---- the job changes ------------------------------------------------------------------------ */

static uint64_t *definition(struct rig *rig)
{
	return &rig->job->partitions[0].definition;
}

static struct etl_watermark mark_of(struct rig *rig)
{
	struct etl_watermark mark = {0};
	const struct etl_state_ops *ops = rig->driver.state->ops;

	assert_int_equal(ops->watermark_get(rig->driver.state, rig->job->name, "a", &mark, &rig->err), 1);
	return mark;
}

struct stale_hours {
	struct etl_current current;
	char text[512];
	size_t at;
};

static int add_stale(void *ctx, const struct etl_ledger_entry *e, struct etl_error *err)
{
	struct stale_hours *hours = ctx;

	(void)err;
	if (etl_stale_of(&hours->current, e->state, e->definition, e->window.start) != ETL_STALE_NOT)
		hours->at += (size_t)snprintf(hours->text + hours->at, sizeof hours->text - hours->at, "%s%d",
			hours->at ? " " : "", (int)((e->window.start.ms - T0) / HOUR_MS));
	return 0;
}

/* "0 1 7": the hours whose entries are stale. */
static const char *stale(struct rig *rig)
{
	static struct stale_hours hours;
	struct etl_watermark mark = mark_of(rig);
	char target[ETL_TARGET_BYTES];

	etl_job_target(rig->job, "etl", target);
	hours = (struct stale_hours){.current = {*definition(rig), target, &mark.targets}};
	assert_int_equal(rig->driver.state->ops->ledger_scan(rig->driver.state, rig->job->name, "a", NULL,
		ETL_LEDGER_ALL, add_stale, &hours, &rig->err), 0);
	return hours.text;
}

/* What status tells of it, from the ranges alone. */
static const char *told(struct rig *rig)
{
	static char text[ETL_ELSEWHERE_TEXT_BYTES];
	struct etl_elsewhere sum = {.definition = *definition(rig)};
	struct etl_watermark mark = mark_of(rig);

	*text = '\0';
	etl_job_target(rig->job, "etl", sum.target);
	if (etl_elsewhere_add(&sum, &rig->job->window, &mark))
		etl_elsewhere_text(&sum, text);
	return text;
}

static struct rig *rig_at(int64_t now)
{
	struct rig *rig = rig_new(NULL, now);

	rig->target->name = "etl.a";
	service_fill(rig, "a", 0, now);
	NEED_RUN(rig, ETL_RUN_OK);
	return rig;
}

static void run_hours(struct rig *rig, int64_t from, int64_t until)
{
	run_job(rig, rig->job, (struct etl_window){hour(from), hour(until)});
}

/* All pieces, as the daemon takes them. Gives the number of windows that were asked for. */
static uint64_t restate(struct rig *rig, int64_t until)
{
	struct etl_backfill b = {.range = {hour(0), hour(until)}, .at = hour(0), .attempt = 1,
		.reprocess = ETL_REPROCESS_STALE};
	const struct etl_backfill_of of = {rig->driver.state, "etl", rig->job, &b};
	struct etl_backfill_survey survey;
	struct etl_window piece;
	etl_dur wait;

	assert_int_equal(etl_backfill_survey(&of, hour(until + 1), &survey, &rig->err), 0);
	while (etl_backfill_next(&of, &piece, &rig->err) == 1) {
		struct etl_trigger trigger = {.kind = ETL_TRIGGER_BACKFILL, .asked = piece,
			.reprocess = b.reprocess};

		run_triggered(rig, rig->job, &trigger);
		assert_int_equal(rig->run->state, ETL_RUN_OK);
		assert_int_equal(etl_backfill_judge(&b, rig->run, &piece, ETL_SECONDS(0), &wait),
			ETL_BACKFILL_ON);
	}
	assert_int_equal(b.done, survey.wanted);
	return survey.wanted;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static int need_definition(void *ctx, const struct etl_ledger_entry *e, struct etl_error *err)
{
	(void)err;
	assert_true(e->definition == *(uint64_t *)ctx);
	return 0;
}

static void a_commit_writes_it_down(void **state)
{
	struct rig *rig = rig_at(6);

	(void)state;
	assert_true(etl_definition_is_known(*definition(rig)));
	assert_int_equal(rig->driver.state->ops->ledger_scan(rig->driver.state, rig->job->name, "a", NULL,
		ETL_LEDGER_ALL, need_definition, definition(rig), &rig->err), 0);
	assert_string_equal(stale(rig), "");
	assert_string_equal(told(rig), "");
	rig_free(rig);
}

/* An older etld noted no ranges: of what it closed nobody knows where it is, and what each commit of this
 * run closes stays noted when the next one comes. */
static void what_an_older_etld_closed_is_unknown(void **state)
{
	struct rig *rig = rig_at(6);
	struct etl_watermark mark = mark_of(rig);
	const struct etl_targets none = {.absent = true};
	const struct etl_commit old = {.job = rig->job->name, .partition = "a", .run_id = "old",
		.fence = mark.fence, .origin = mark.origin, .window_ms = mark.window_ms, .targets = &none};

	(void)state;
	assert_int_equal(rig->driver.state->ops->commit(rig->driver.state, NULL, &old, &rig->err), 0);
	assert_true(mark_of(rig).targets.absent);
	rig->job->window.max_span = ETL_HOURS(1);
	rig->job->window.lookback = ETL_HOURS(0);
	service_fill(rig, "a", 6, 9);
	pass_hours(rig, 3);
	NEED_RUN(rig, ETL_RUN_OK);
	mark = mark_of(rig);
	assert_false(mark.targets.absent);
	for (int h = 0; h < 9; h++)
		assert_string_equal(etl_targets_at(&mark.targets, hour(h)),
			h < 6 ? ETL_TARGET_UNKNOWN : "etl.a");
	rig_free(rig);
}

/* What the source has let go of is not asked for: it would be found empty. */
static void what_the_source_has_no_more_is_kept(void **state)
{
	struct rig *rig = rig_at(10);
	struct etl_job job = *rig->job;
	struct etl_backfill b = {.range = {hour(0), hour(10)}, .at = hour(0),
		.reprocess = ETL_REPROCESS_STALE};
	const struct etl_backfill_of of = {rig->driver.state, "etl", &job, &b};
	struct etl_backfill_survey survey;

	(void)state;
	++*definition(rig);
	job.window.retention = ETL_HOURS(6);
	assert_int_equal(etl_backfill_survey(&of, hour(10), &survey, &rig->err), 0);
	assert_int_equal(survey.windows, 10);
	assert_int_equal(survey.kept, 4);
	assert_int_equal(survey.wanted, 6);
	assert_int_equal(survey.too_old, 0);
	rig_free(rig);
}

static void a_change_is_told_and_replays_nothing(void **state)
{
	struct rig *rig = rig_at(6);

	(void)state;
	++*definition(rig);
	assert_string_equal(stale(rig), "0 1 2 3 4 5");
	assert_string_equal(told(rig), "6 windows were made by an older definition");
	service_put(rig, "a", (etl_wall){hour(6).ms + HOUR_MS / 2}, 6);
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK); /* the new one, and the lookback of two hours: the same content */
	assert_string_equal(stale(rig), "0 1 2 3 4");
	assert_string_equal(told(rig), "5 windows were made by an older definition");
	--*definition(rig); /* back: what it made then is current again */
	assert_string_equal(stale(rig), "5 6");
	assert_string_equal(told(rig), "2 windows were made by an older definition");
	rig_free(rig);
}

static void a_restatement_takes_exactly_these(void **state)
{
	struct rig *rig = rig_at(10);

	(void)state;
	++*definition(rig);
	run_hours(rig, 3, 5);
	assert_string_equal(stale(rig), "0 1 2 5 6 7 8 9");
	assert_int_equal(restate(rig, 10), 8);
	assert_string_equal(stale(rig), "");
	assert_string_equal(told(rig), "");
	assert_int_equal(restate(rig, 10), 0);
	rig_free(rig);
}

/* Another target comes first: it is the more urgent word. */
static void in_another_target(void **state)
{
	struct rig *rig = rig_at(4);
	struct etl_watermark mark;
	struct etl_ledger_entry e = {.window = {hour(1), hour(2)}, .state = ETL_WINDOW_LOADED};
	char text[ETL_STALE_TEXT_BYTES];

	(void)state;
	e.definition = (*definition(rig))++;
	rig->target->name = "etl.b";
	mark = mark_of(rig);
	etl_stale_text(&(struct etl_current){*definition(rig), "etl.b", &mark.targets}, &e, text);
	assert_string_equal(text, "in 'a', now 'b'");
	assert_string_equal(told(rig), "4 windows are in 'a', none in 'b'");
	etl_stale_text(&(struct etl_current){*definition(rig), "etl.a", &mark.targets}, &e, text);
	assert_string_equal(text, "made by another definition of 2024-01-01");
	assert_int_equal(restate(rig, 4), 4);
	assert_string_equal(told(rig), "");
	rig_free(rig);
}

/* Nobody knows: no alarm. Of another form of fingerprints as well. */
static void what_is_not_known_is_not_stale(void **state)
{
	struct etl_targets targets = {.n = 0};
	const struct etl_current current = {UINT64_C(0x0100000000000001), "etl.a", &targets};
	const struct etl_current nowhere = {UINT64_C(0x0100000000000001), "", &targets};
	const uint64_t other = UINT64_C(0x0100000000000002);

	(void)state;
	assert_int_equal(etl_stale_of(&current, ETL_WINDOW_LOADED, 0, hour(1)), ETL_STALE_NOT);
	assert_int_equal(etl_stale_of(&current, ETL_WINDOW_LOADED, UINT64_C(0x0200000000000002), hour(1)),
		ETL_STALE_NOT);
	assert_int_equal(etl_stale_of(&nowhere, ETL_WINDOW_LOADED, other, hour(1)), ETL_STALE_NOT);
	etl_targets_note(&targets, "etl.b", (struct etl_window){hour(1), hour(2)});
	assert_int_equal(etl_stale_of(&current, ETL_WINDOW_LOADED, 0, hour(1)), ETL_STALE_TARGET);
	for (int s = 0; s < ETL_WINDOW_STATE_MAX; s++)
		assert_int_equal(etl_stale_of(&current, (enum etl_window_state)s, other, hour(5)),
			s == ETL_WINDOW_LOADED || s == ETL_WINDOW_EMPTY ? ETL_STALE_DEFINITION :
									  ETL_STALE_NOT);
}

/* What the source has no more stays what it was, and says so. */
static void what_the_source_forgot_stays_stale(void **state)
{
	struct rig *rig = rig_at(4);

	(void)state;
	++*definition(rig);
	rig->n_rows = 0;
	service_put(rig, "a", (etl_wall){hour(1).ms + HOUR_MS / 2}, 1);
	restate(rig, 4);
	assert_string_equal(stale(rig), "0 2 3");
	assert_string_equal(told(rig), "3 windows were made by an older definition");
	rig_free(rig);
}

/* An attempt that fails has made nothing of what is there. */
static void a_failed_attempt_changes_nothing(void **state)
{
	struct rig *rig = rig_at(4);

	(void)state;
	++*definition(rig);
	rig->bad_from = hour(0).ms;
	rig->bad_to = hour(4).ms;
	run_hours(rig, 0, 4);
	assert_int_equal(rig->run->state, ETL_RUN_FAILED);
	assert_string_equal(stale(rig), "0 1 2 3");
	rig_free(rig);
}

/* More pieces than the list of ranges takes: the ledger knows which are stale, status says at most how
 * many, and a restatement makes the list sharp again. */
static void scattered(void **state)
{
	struct rig *rig = rig_at(120);
	int left = 0;

	(void)state;
	++*definition(rig);
	for (int h = 1; h < 118; h += 3)
		run_hours(rig, h, h + 1);
	for (const char *at = stale(rig); *at; at += strcspn(at, " "), at += strspn(at, " "))
		left++;
	assert_int_equal(left, 120 - 39);
	assert_non_null(strstr(told(rig), "up to "));
	assert_int_equal(mark_of(rig).targets.n, ETL_TARGET_RANGES_MAX);
	assert_int_equal(restate(rig, 120), 120 - 39);
	assert_string_equal(stale(rig), "");
	assert_string_equal(told(rig), "");
	assert_int_equal(mark_of(rig).targets.n, 1);
	rig_free(rig);
}

/* Ten hours, of which five from `from` on were loaded since the job has changed, all of them in one mixed
 * range, as a list that was full may have it. */
static void restate_mixed(int from, const char *left)
{
	struct rig *rig = rig_at(10);
	struct etl_watermark mark;
	struct etl_commit c = {.job = rig->job->name, .partition = "a", .run_id = "", .window_ms = HOUR_MS};

	++*definition(rig);
	run_hours(rig, from, from + 5);
	mark = mark_of(rig);
	assert_int_equal(mark.targets.n, 2);
	mark.targets.n = 1;
	mark.targets.ranges[0] = (struct etl_target_range){{hour(0), hour(10)}, ETL_TARGET_MIXED, true};
	c.fence = mark.fence;
	c.origin = mark.origin;
	c.watermark = mark.processed;
	c.targets = &mark.targets;
	assert_int_equal(driver_real_ops->commit(rig->driver.state, NULL, &c, &rig->err), 0);
	assert_string_equal(told(rig), "up to 10 windows were made by an older definition");
	assert_string_equal(stale(rig), left);
	assert_int_equal(restate(rig, 10), 5);
	assert_string_equal(told(rig), "");
	rig_free(rig);
}

/* What is before the first stale window and behind the last one is sharp again as well. */
static void around_the_stale_ones(void **state)
{
	(void)state;
	restate_mixed(5, "0 1 2 3 4");
	restate_mixed(0, "5 6 7 8 9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_writes_it_down),
		cmocka_unit_test(what_an_older_etld_closed_is_unknown),
		cmocka_unit_test(what_the_source_has_no_more_is_kept),
		cmocka_unit_test(a_change_is_told_and_replays_nothing),
		cmocka_unit_test(a_restatement_takes_exactly_these),
		cmocka_unit_test(in_another_target),
		cmocka_unit_test(what_is_not_known_is_not_stale),
		cmocka_unit_test(what_the_source_forgot_stays_stale),
		cmocka_unit_test(a_failed_attempt_changes_nothing),
		cmocka_unit_test(scattered),
		cmocka_unit_test(around_the_stale_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
