/* SPDX-License-Identifier: MIT
 *
 * Whole runs, and what became of each record: nothing is closed without proof, nothing is
 * counted twice, and the laws of state/counts.h hold in the run and in each ledger entry.
 */
#include "run_rig.h"

static int count_letters(void *ctx, const bson_t *run)
{
	(void)run;
	++*(size_t *)ctx;
	return 0;
}

/* ---- refused -------------------------------------------------------------------------------- */

#define ROW(hour, minute) "{\"ts\":\"2024-01-01 0" #hour ":" #minute ":00\",\"v\":1}"
#define BAD(n) "{\"time\":\"2024-01-01 00:30:00\",\"v\":" #n "}"
#define BODY(rows) ((struct scripted){.status = 200, .body = "{\"data\":[" rows "]}"})

/* The source has renamed its time field: ten records or fewer an hour, below rejects.max. */
static void test_a_renamed_time_field_closes_nothing(void **state)
{
	struct rig *rig = rig_new(yaml_with("max: 2, max_ratio: 0.25", "max: 10, max_ratio: 0.05"), 4);

	(void)state;
	for (int i = 0; i < 20; i++)
		service_say(rig, BODY(BAD(1) "," BAD(2) "," BAD(3)));
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->run->windows.loaded + rig->run->windows.empty, 0);
	assert_int_equal(rig->run->windows.failed, 4);
	for (int64_t h = 0; h < 4; h++)
		NEED_STATE(rig, h, ETL_WINDOW_FAILED);
	NEED_WATERMARK(rig, 0);
	assert_int_equal(rig->run->counts.rejected, 4 * 3); /* those of the single hours alone */
	assert_int_equal(rig->run->rejects.n, 1);
	assert_int_equal(rig->run->rejects.rows[0].n, 4 * 3);
	assert_string_equal(rig->run->rejects.rows[0].step, "decode");
	assert_string_equal(rig->run->rejects.rows[0].rule, "time");
	assert_non_null(strstr(entry_at(rig, "job", "a", 1).reason, "ts"));
	need_balance(rig);
	rig_free(rig);
}

/* What has no place may be any window's: the span is halved until it is known whose it is, and each
 * window is judged as if it had been asked for alone. */
static void test_the_limits_are_a_windows(void **state)
{
	struct rig *rig = rig_new(yaml_with("max: 2, max_ratio: 0.25", "max: 2, max_ratio: 0.3"), 2);

	(void)state;
	service_say(rig, BODY(ROW(0, 10) "," ROW(1, 10) "," BAD(1) "," BAD(2) "," BAD(3) "," BAD(4)));
	service_say(rig, BODY(ROW(0, 10) "," BAD(1) "," BAD(2) "," BAD(3)));
	service_say(rig, BODY(ROW(1, 10) "," BAD(4)));
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.requests, 3);
	assert_string_equal(rig->run->error.code, "unit.rejects");
	NEED_STATE(rig, 0, ETL_WINDOW_FAILED);
	NEED_STATE(rig, 1, ETL_WINDOW_LOADED);
	assert_non_null(strstr(entry_at(rig, "job", "a", 0).reason, "3 of 4 records were rejected"));
	assert_int_equal(rig->target->n, 1);
	assert_int_equal(rig->run->counts.rejected, 4);
	assert_int_equal(rig->run->counts.in, 2);
	need_balance(rig);
	rig_free(rig);
}

/* Three hours with one bad record each, at most two in an hour, asked for together: they are within
 * the limits, as they are one by one; an hour with three of four is not, whatever the others have. */
static void test_rejects_of_many_windows(void **state)
{
	static char yaml[4096];
	struct rig *rig;

	(void)state;
	snprintf(yaml, sizeof yaml, "%scheck:\n  - range: {field: v, max: 900, on_fail: reject}\n", rig_yaml);
	rig = rig_new(yaml, 4);
	service_fill(rig, "a", 0, 4);
	for (int64_t h = 0; h < 3; h++)
		service_put(rig, "a", (etl_wall){hour(h).ms + 1000}, 1000);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->counts.rejected, 3);
	assert_int_equal(rig->driver.requests, 1);
	for (int64_t i = 1; i < 4; i++)
		service_put(rig, "a", (etl_wall){hour(4).ms + i * 1000}, 1000);
	service_fill(rig, "a", 4, 30);
	pass_hours(rig, 26);
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "unit.rejects");
	assert_int_equal(rig->run->windows.failed, 1);
	NEED_STATE(rig, 29, ETL_WINDOW_LOADED);
	need_balance(rig);
	rig_free(rig);
}

static void test_a_window_of_rejects_alone(void **state)
{
	static char close[4096];
	struct rig *rig;

	(void)state;
	for (int closes = 0; closes < 2; closes++) {
		snprintf(close, sizeof close, "%scheck:\n  - range: {field: v, max: 100, on_fail: reject}\n",
			closes ? yaml_with("max: 2, max_ratio: 0.25",
				"max: 9, max_ratio: 1, whole_unit: close") :
				 yaml_with("max: 2, max_ratio: 0.25", "max: 9, max_ratio: 1"));
		rig = rig_new(close, 5);
		service_fill(rig, "a", 0, 5);
		service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 1000);
		NEED_RUN(rig, closes ? ETL_RUN_OK : ETL_RUN_FAILED);
		NEED_STATE(rig, 2, closes ? ETL_WINDOW_LOADED : ETL_WINDOW_FAILED);
		NEED_STATE(rig, 3, ETL_WINDOW_LOADED);
		assert_int_equal(entry_at(rig, "job", "a", 2).counts.rejected, 1);
		assert_int_equal(rig->target->n, 4);
		NEED_WATERMARK(rig, closes ? 5 : 2);
		need_balance(rig);
		rig_free(rig);
	}
}

/* What the target refuses counts like what was refused on the way, before the commit. */
static void test_the_load_refuses(void **state)
{
	struct rig *rig = rig_new(yaml_with("max: 2, max_ratio: 0.25", "max: 0, max_ratio: 0"), 5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	rig->target->refuse_from = hour(0);
	rig->target->refuse_to = hour(5);
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "span.rejects");
	assert_int_equal(rig->target->commits, 0);
	assert_int_equal(rig->run->windows.loaded, 0);
	assert_int_equal(rig->run->counts.rejected, 5);
	assert_int_equal(rig->run->rejects.rows[0].n, 5);
	assert_string_equal(rig->run->rejects.rows[0].step, "load");
	NEED_WATERMARK(rig, 0);
	need_balance(rig);
	/* One hour of them, within the limits: that hour fails, whatever they say. */
	rig->job->max_rejects = 10;
	rig->target->refuse_from = hour(3);
	rig->target->refuse_to = hour(4);
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "unit.refused");
	NEED_STATE(rig, 2, ETL_WINDOW_LOADED);
	NEED_STATE(rig, 3, ETL_WINDOW_FAILED);
	NEED_STATE(rig, 4, ETL_WINDOW_LOADED);
	assert_int_equal(entry_at(rig, "job", "a", 3).counts.refused, 1);
	assert_int_equal(rig->run->counts.rejected, 1);
	need_balance(rig);
	rig_free(rig);
}

/* An hour of two slices, of which some rows have changed: what the first slice updated is not counted
 * once more among the unchanged rows of the second. */
static void test_a_window_of_two_slices(void **state)
{
	struct rig *rig = rig_new(NULL, 1);

	(void)state;
	rig->driver.after_commit = NULL; /* between its slices it is open, behind the watermark */
	for (int i = 0; i < 1500; i++)
		service_put(rig, "a", etl_wall_add(hour(0), ETL_SECONDS(i)), i);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->counts.inserted, 1500);
	for (int i = 0; i < 10; i++)
		service_put(rig, "a", etl_wall_add(hour(0), ETL_SECONDS(i)), -1);
	assert_int_equal(run_job(rig, rig->job, (struct etl_window){hour(0), hour(1)}), ETL_RUN_OK);
	assert_int_equal(rig->run->counts.updated, 10);
	assert_int_equal(rig->run->counts.unchanged, 1490);
	assert_int_equal(entry_at(rig, "job", "a", 0).counts.updated, 10);
	need_balance(rig);
	rig_free(rig);
}

/* ---- outside -------------------------------------------------------------------------------- */

/* The source ignores what it is asked for: one request, no halves, and nothing is closed. */
static void test_all_outside(void **state)
{
	struct rig *rig = rig_new(NULL, 5);
	struct etl_ledger_entry entry;

	(void)state;
	service_say(rig, (struct scripted){.status = 200, .body = "{\"data\":["
		"{\"ts\":\"2023-12-01 08:00:00\"},{\"ts\":\"2023-11-01 07:00:00\"}]}"});
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.requests, 1);
	assert_string_equal(rig->run->error.code, "span.outside");
	entry = entry_at(rig, "job", "a", 0);
	assert_int_equal(entry.state, ETL_WINDOW_FAILED);
	assert_non_null(strstr(entry.reason, "2023-11-01T07:00:00Z to 2023-12-01T08:00:00Z"));
	assert_non_null(strstr(entry.reason, "covers: all"));
	assert_int_equal(rig->run->counts.outside, 2);
	assert_int_equal(rig->run->counts.seen, 2);
	NEED_WATERMARK(rig, 0);
	need_balance(rig);
	rig_free(rig);
}

/* An inclusive source gives the record at the end of each range: a quiet hour is empty. */
static void test_the_border_is_no_outside(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 1h"), 3);
	struct etl_ledger_entry entry;

	(void)state;
	service_say(rig, BODY(ROW(1, 00)));
	service_say(rig, BODY(ROW(1, 00) "," ROW(2, 00)));
	service_say(rig, BODY(ROW(3, 00)));
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 0, ETL_WINDOW_EMPTY);
	NEED_STATE(rig, 1, ETL_WINDOW_LOADED);
	NEED_STATE(rig, 2, ETL_WINDOW_EMPTY);
	entry = entry_at(rig, "job", "a", 0);
	assert_int_equal(entry.counts.outside, 1); /* told all the same */
	assert_int_equal(rig->run->counts.outside, 3);
	need_balance(rig);
	rig_free(rig);
}

/* Stamps at the end of an interval: the lower end of an inclusive range is one before it. */
static void test_the_border_of_labels_at_the_end(void **state)
{
	struct rig *rig = rig_new(yaml_with("timezone: UTC}", "timezone: UTC, label: end, interval: 1h}"),
		2);

	(void)state;
	service_say(rig, BODY(ROW(0, 00)));
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->windows.empty, 2);
	assert_int_equal(rig->run->counts.outside, 1);
	rig_free(rig);
	rig = rig_new(yaml_with("timezone: UTC}", "timezone: UTC, label: end, interval: 1h}"), 2);
	service_say(rig, BODY("{\"ts\":\"2023-12-31 23:30:00\"}"));
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "span.outside");
	rig_free(rig);
}

/* A source that takes the hours for local ones: what it gives is in, but the hours at the
 * edge, of which it says nothing, are not empty. One between two that have records is. */
static void test_a_shifted_answer(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	service_say(rig, BODY(ROW(2, 10) "," ROW(4, 10) "," ROW(5, 10) "," ROW(6, 10)));
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "unit.outside");
	NEED_STATE(rig, 0, ETL_WINDOW_FAILED);
	NEED_STATE(rig, 1, ETL_WINDOW_FAILED);
	NEED_STATE(rig, 2, ETL_WINDOW_LOADED);
	NEED_STATE(rig, 3, ETL_WINDOW_EMPTY);
	NEED_STATE(rig, 4, ETL_WINDOW_LOADED);
	assert_int_equal(rig->run->counts.outside, 1);
	assert_int_equal(rig->run->counts.unplaced, 1); /* 06:10 is to come yet */
	NEED_WATERMARK(rig, 0);
	need_balance(rig);
	rig_free(rig);
}

/* So far ahead of the clock that all of it is refused as to come: that is no empty hour. */
static void test_an_answer_from_the_future(void **state)
{
	struct rig *rig = rig_new(NULL, 1);

	(void)state;
	rig->job->max_rejects = 10;
	service_say(rig, BODY(ROW(2, 30)));
	NEED_RUN(rig, ETL_RUN_FAILED);
	NEED_STATE(rig, 0, ETL_WINDOW_FAILED);
	assert_int_equal(rig->run->counts.rejected, 1);
	need_balance(rig);
	rig_free(rig);
}

/* Declared to give more than it is asked for: then it is nothing strange. */
static void test_covers_all(void **state)
{
	struct rig *rig = rig_new(yaml_with("extract:\n", "extract:\n  covers: all\n"), 2);

	(void)state;
	service_say(rig, (struct scripted){.status = 200, .body = "{\"data\":["
		"{\"ts\":\"2023-12-01 08:00:00\"},{\"ts\":\"2023-11-01 07:00:00\"}]}"});
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->windows.empty, 2);
	assert_int_equal(rig->run->counts.outside, 2);
	NEED_WATERMARK(rig, 2);
	rig_free(rig);
}

/* ---- once ------------------------------------------------------------------------------------ */

/* A large hour: the first slice is in, the second is refused by the store for a while, and the
 * source is asked again. The run has inserted each row once, and says so. */
static void test_a_retry_counts_nothing_twice(void **state)
{
	struct rig *rig = rig_new(yaml_with("transform:", "check:\n"
		"  - range: {field: v, max: 1399, on_fail: warn}\ntransform:"), 1);

	(void)state;
	for (int i = 0; i < 1400; i++)
		service_put(rig, "a", (etl_wall){hour(0).ms + i * 1000}, i < 1399 ? i : 5000);
	rig->target->commit_fault = (struct target_fault){1, 1, ETL_TRANSIENT, "test.down"};
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 2);
	assert_int_equal(rig->target->inserts, 1400);
	assert_int_equal(rig->run->counts.in, 1400);
	assert_int_equal(rig->run->counts.inserted, 1400);
	assert_int_equal(rig->run->counts.unchanged, 0);
	assert_int_equal(rig->run->warnings, 1);
	assert_int_equal(rig->run->warned.n, 1);
	assert_string_equal(rig->run->warned.rows[0].rule, "range");
	assert_string_equal(rig->run->warned.rows[0].field, "v");
	need_balance(rig);
	rig_free(rig);
}

/* Slices of some windows are in when another fails: their rejects and warnings count once. */
static void test_a_retry_of_the_rest(void **state)
{
	struct rig *rig = rig_new(yaml_with("transform:", "check:\n"
		"  - range: {field: v, max: 2000, on_fail: reject}\n"
		"  - range: {field: v, max: 1000, on_fail: warn}\ntransform:"), 3);

	(void)state;
	for (int h = 0; h < 3; h++) {
		for (int i = 0; i < 600; i++)
			service_put(rig, "a", (etl_wall){hour(h).ms + i * 1000}, i);
		service_put(rig, "a", (etl_wall){hour(h).ms + 700 * 1000}, 1500);
		service_put(rig, "a", (etl_wall){hour(h).ms + 701 * 1000}, 2500);
	}
	rig->target->commit_fault = (struct target_fault){1, 1, ETL_TRANSIENT, "test.down"};
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 2);
	assert_int_equal(rig->run->counts.in, 3 * 602);
	assert_int_equal(rig->run->counts.inserted, 3 * 601);
	assert_int_equal(rig->run->counts.rejected, 3);
	assert_int_equal(rig->run->rejects.rows[0].n, 3);
	assert_int_equal(rig->run->warnings, 3);
	assert_int_equal(rig->run->warned.rows[0].n, 3);
	need_balance(rig);
	rig_free(rig);
}

static void test_held_rows_are_withheld(void **state)
{
	struct rig *rig = rig_new(yaml_with("transform:", "check:\n"
		"  - range: {field: v, max: 3, on_fail: hold}\ntransform:"), 5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->windows.held, 1);
	assert_int_equal(rig->run->counts.withheld, 1);
	assert_int_equal(rig->run->counts.out, 5);
	assert_int_equal(entry_at(rig, "job", "a", 4).counts.withheld, 1);
	need_balance(rig);
	rig_free(rig);
}

static void test_an_aggregate_balances(void **state)
{
	struct rig *rig = rig_new(yaml_with("transform:\n", "transform:\n"
		"  - aggregate: {every: 1h, mean: [v]}\n"), 3);

	(void)state;
	for (int i = 0; i < 30; i++)
		service_put(rig, "a", (etl_wall){hour(i / 12).ms + i * 1000}, i);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->counts.in, 30);
	assert_int_equal(rig->run->counts.merged, 30);
	assert_int_equal(rig->run->counts.made, 3);
	assert_int_equal(rig->run->counts.out, 3);
	need_balance(rig);
	rig_free(rig);
}

static int lose(void *self, struct etl_batch *batch, struct etl_error *err)
{
	(void)self;
	(void)err;
	if (batch->n)
		etl_batch_remove(batch, 0);
	etl_batch_compact(batch);
	return 0;
}

struct filter {
	const struct etl_stage_env *env;
};

static int open_filter(void *self, const void *options, const struct etl_stage_env *env,
	struct etl_error *err)
{
	(void)options, (void)err;
	((struct filter *)self)->env = env;
	return 0;
}

static int let_go(void *self, struct etl_batch *batch, struct etl_error *err)
{
	const struct etl_stage_env *env = ((struct filter *)self)->env;

	if (batch->n)
		env->count(env->ctx, batch->records[0].time, 0, 1);
	return lose(self, batch, err);
}

/* A transform that drops a record without a word is a bug of ours, and closes nothing. */
static void test_a_transform_loses_a_record(void **state)
{
	static const struct etl_transform_type losing = {.name = "losing", .apply = lose, .filters = true};
	static const struct etl_transform_type filter = {.name = "filter", .size = sizeof(struct filter),
		.open = open_filter, .apply = let_go, .filters = true};
	struct rig *rig = rig_new(NULL, 3);

	(void)state;
	service_fill(rig, "a", 0, 3);
	rig->job->transforms[0].type = &losing;
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "transform.lost");
	NEED_WATERMARK(rig, 0);
	rig->job->transforms[0].type = &filter;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->counts.filtered, 1);
	assert_int_equal(rig->run->counts.in, 3);
	need_balance(rig);
	rig_free(rig);
}

/* The target refuses the only row of an hour, and the store the slice: the next attempt refuses it again. */
static void test_all_refused_and_tried_again(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	rig->target->refuse_from = hour(2);
	rig->target->refuse_to = hour(3);
	rig->refuse_commits = 2;
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "unit.refused");
	assert_int_equal(rig->run->counts.rejected, 1);
	assert_int_equal(rig->run->counts.refused, 1);
	assert_int_equal(rig->run->counts.withheld, 0);
	assert_int_equal(rig->run->rejects.n, 1);
	NEED_STATE(rig, 2, ETL_WINDOW_FAILED);
	NEED_STATE(rig, 3, ETL_WINDOW_LOADED);
	need_balance(rig);
	rig_free(rig);
}

/* ---- a load that keeps nothing ---------------------------------------------------------------- */

static void test_null_closes_nothing(void **state)
{
	struct rig *rig = rig_new(NULL, 3);

	(void)state;
	service_fill(rig, "a", 0, 3);
	rig->job->loads[0].type = etl_sink_find("null");
	for (int i = 0; i < 2; i++) {
		NEED_RUN(rig, ETL_RUN_OK);
		assert_int_equal(rig->run->windows.loaded, 0);
		assert_int_equal(rig->run->windows.discarded, 3);
		assert_int_equal(rig->run->counts.inserted, 0);
		assert_int_equal(rig->run->counts.withheld, 3);
		assert_non_null(strstr(rig->run->parts[0]->reason, "keeps nothing"));
		NEED_STATE(rig, 0, ETL_WINDOW_PENDING);
		NEED_WATERMARK(rig, 0);
		need_balance(rig);
	}
	rig_free(rig);
}

static void test_the_record_has_it_all(void **state)
{
	struct rig *rig = rig_new(NULL, 2);
	struct etl_state *s = rig->driver.state;
	size_t runs = 0;
	bson_t doc;

	(void)state;
	service_say(rig, BODY(ROW(0, 10) "," ROW(1, 10) "," BAD(1) "," ROW(2, 00)));
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(etl_run_list(s, "job", 10, count_letters, &runs, &rig->err), 0);
	assert_int_equal(runs, 1);
	assert_int_equal(etl_doc_get(s, &etl_runs, rig->run->run_id, &doc, &rig->err), 1);
	for (size_t i = 0; i < etl_counts_n; i++) {
		char path[64];
		bson_iter_t it, found;

		snprintf(path, sizeof path, "counts.%s", etl_counts_rows[i].name);
		assert_true(bson_iter_init(&it, &doc) && bson_iter_find_descendant(&it, path, &found));
		assert_int_equal(bson_iter_as_int64(&found),
			etl_counts_get(&rig->run->counts, &etl_counts_rows[i]));
	}
	assert_int_equal(rig->run->counts.seen, 4);
	assert_int_equal(rig->run->counts.outside, 1);
	assert_int_equal(rig->run->counts.unplaced, 1);
	bson_destroy(&doc);
	need_balance(rig);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_renamed_time_field_closes_nothing),
		cmocka_unit_test(test_the_limits_are_a_windows),
		cmocka_unit_test(test_rejects_of_many_windows),
		cmocka_unit_test(test_a_window_of_rejects_alone),
		cmocka_unit_test(test_the_load_refuses),
		cmocka_unit_test(test_a_window_of_two_slices),
		cmocka_unit_test(test_all_outside),
		cmocka_unit_test(test_the_border_is_no_outside),
		cmocka_unit_test(test_the_border_of_labels_at_the_end),
		cmocka_unit_test(test_a_shifted_answer),
		cmocka_unit_test(test_an_answer_from_the_future),
		cmocka_unit_test(test_covers_all),
		cmocka_unit_test(test_a_retry_counts_nothing_twice),
		cmocka_unit_test(test_a_retry_of_the_rest),
		cmocka_unit_test(test_held_rows_are_withheld),
		cmocka_unit_test(test_an_aggregate_balances),
		cmocka_unit_test(test_a_transform_loses_a_record),
		cmocka_unit_test(test_all_refused_and_tried_again),
		cmocka_unit_test(test_null_closes_nothing),
		cmocka_unit_test(test_the_record_has_it_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
