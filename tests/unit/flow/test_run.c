/* SPDX-License-Identifier: MIT
 *
 * Whole runs that go well: first load, lookback, changed and missing records, full reads,
 * two partitions, windows that an operator asks for, rewinding and moving the start.
 */
#include "run_rig.h"

static void test_first_load(void **state)
{
	struct rig *rig = rig_new(NULL, 30);

	(void)state;
	service_fill(rig, "a", 0, 31);
	service_put(rig, "a", hour(29), -1); /* on a boundary: belongs to hour 29 */
	NEED_RUN(rig, ETL_RUN_OK);
	/* At 30:10 with a settle of 10 minutes hour 29 is final and hour 30 is not. */
	assert_int_equal(rig->run->windows.loaded, 30);
	assert_int_equal(rig->run->counts.in, 31);
	assert_int_equal(rig->run->counts.out, 31);
	assert_int_equal(rig->run->counts.inserted, 31);
	assert_int_equal(rig->target->n, 31);
	assert_int_equal(rig->driver.requests, 2); /* a day, then the rest */
	assert_string_equal(rig->asked[0], "a 0+24");
	assert_string_equal(rig->asked[1], "a 24+6");
	NEED_WATERMARK(rig, 30);
	NEED_STATE(rig, 29, ETL_WINDOW_LOADED);
	NEED_STATE(rig, 30, ETL_WINDOW_PENDING);
	assert_int_equal(entry_at(rig, "job", "a", 29).counts.in, 2);
	rig_free(rig);
}

static void test_nothing_due(void **state)
{
	struct rig *rig = rig_new(yaml_with("lookback: 2h", "lookback: 0s"), 0);

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 0);
	assert_int_equal(rig->driver.commits, 0);
	rig_free(rig);
}

static void test_lookback_unchanged(void **state)
{
	struct rig *rig = rig_new(NULL, 10);
	unsigned writes;

	(void)state;
	service_fill(rig, "a", 0, 12);
	NEED_RUN(rig, ETL_RUN_OK);
	writes = rig->target->writes;
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK);
	/* One new hour and the one before it inside the lookback: only the new one is written. */
	assert_int_equal(rig->driver.requests, 1);
	assert_string_equal(rig->asked[0], "a 9+2");
	assert_int_equal(rig->target->writes, writes + 1);
	assert_int_equal(rig->target->inserts, 11);
	assert_int_equal(rig->run->counts.inserted, 1);
	assert_int_equal(rig->run->counts.unchanged, 1);
	assert_int_equal(rig->run->windows_changed, 1);
	/* Nothing new at all: a run writes nothing into the target. */
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->writes, writes + 1);
	assert_int_equal(rig->run->windows_changed, 0);
	rig_free(rig);
}

static void test_changed_record(void **state)
{
	struct rig *rig = rig_new(NULL, 10);
	double v = 0;

	(void)state;
	service_fill(rig, "a", 0, 10);
	NEED_RUN(rig, ETL_RUN_OK);
	service_put(rig, "a", (etl_wall){hour(9).ms + HOUR_MS / 2}, 99);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->updates, 1);
	assert_int_equal(rig->run->counts.updated, 1);
	assert_int_equal(rig->run->windows_changed, 1);
	assert_true(target_double(target_find(rig->target, "a",
					  (etl_wall){hour(9).ms + HOUR_MS / 2}), "v", &v));
	assert_true(v == 99);
	rig_free(rig);
}

static void test_empty_window(void **state)
{
	struct rig *rig = rig_new(NULL, 10);

	(void)state;
	service_fill(rig, "a", 0, 4);
	service_fill(rig, "a", 6, 10);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->windows.empty, 2);
	assert_int_equal(rig->run->windows.loaded, 8);
	NEED_STATE(rig, 4, ETL_WINDOW_EMPTY);
	NEED_WATERMARK(rig, 10);
	rig_free(rig);
}

static void test_source_forgot(void **state)
{
	struct rig *rig = rig_new(NULL, 10);
	struct etl_ledger_entry entry;

	(void)state;
	service_fill(rig, "a", 0, 10);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->warnings, 0);
	rig->n_rows--; /* hour 9 is gone at the source */
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->warnings, 1);
	entry = entry_at(rig, "job", "a", 9);
	assert_int_equal(entry.state, ETL_WINDOW_LOADED);
	assert_non_null(strstr(entry.reason, "what was loaded stays"));
	assert_int_equal(entry.counts.out, 1);
	assert_int_equal(rig->target->n, 10);
	service_fill(rig, "a", 9, 10); /* it comes back as it was: nothing to write */
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->warnings, 0);
	assert_int_equal(rig->target->inserts + rig->target->updates, 10);
	rig_free(rig);
}

static void test_late_row(void **state)
{
	struct rig *rig = rig_new(NULL, 10);

	(void)state;
	service_fill(rig, "a", 0, 9);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 9, ETL_WINDOW_EMPTY);
	service_fill(rig, "a", 9, 10);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 9, ETL_WINDOW_LOADED);
	assert_int_equal(rig->run->windows_changed, 1);
	rig_free(rig);
}

static void test_window_none(void **state)
{
	struct rig *rig = rig_new(
		"schedule: {cron: '@hourly'}\n"
		"window: none\n"
		"extract: {http: {url: 'http://peer.test/users', records: /data}}\n"
		"load: {\"null\": {}}\n", 10);
	unsigned writes;

	(void)state;
	/* Without partitions there is one, "all". */
	service_put(rig, "all", hour(1), 1);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->counts.in, 1);
	assert_true(watermark_of(rig, "job", "all").ms > 0);
	writes = rig->target->writes;
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->writes, writes); /* the same content: no write */
	assert_int_equal(rig->run->counts.unchanged, 1);
	service_put(rig, "all", hour(1), 2);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->writes, writes + 1);
	rig_free(rig);
}

static void test_two_partitions(void **state)
{
	struct rig *rig = rig_new(yaml_with("[a]", "[a, b]"), 10);

	(void)state;
	service_fill(rig, "a", 0, 10);
	service_fill(rig, "b", 0, 10);
	/* The second request is b's first one: AUTH for b alone. */
	service_say(rig, (struct scripted){.status = 200});
	service_say(rig, (struct scripted){.status = 401, .body = "{}"});
	NEED_RUN(rig, ETL_RUN_PARTIAL);
	assert_int_equal(rig->run->error.kind, ETL_AUTH);
	assert_non_null(strstr(rig->run->error.message, "b"));
	NEED_WATERMARK(rig, 10);
	assert_int_equal(watermark_of(rig, "job", "b").ms, T0);
	assert_int_equal(rig->target->n, 10);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(watermark_of(rig, "job", "b").ms, hour(10).ms);
	assert_int_equal(rig->target->n, 20);
	rig_free(rig);
}

static void test_only_partition(void **state)
{
	struct rig *rig = rig_new(yaml_with("[a]", "[a, b]"), 10);
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_MANUAL, .partition = etl_strdup("b")};

	(void)state;
	service_fill(rig, "b", 0, 10);
	rig->run = etl_run_new(rig->job, &rig->driver.env, 1, &trigger);
	assert_int_equal(driver_run(&rig->driver, rig->run, &rig->err), 0);
	assert_int_equal(rig->run->state, ETL_RUN_OK);
	assert_int_equal(rig->run->n_parts, 1);
	assert_int_equal(rig->target->n, 10);
	assert_int_equal(watermark_of(rig, "job", "a").ms, 0);
	rig_free(rig);
}

/* What an operator names is compared record by record, whatever the hashes say. */
static void test_asked(void **state)
{
	struct rig *rig = rig_new(NULL, 20);
	unsigned writes;

	(void)state;
	service_fill(rig, "a", 0, 20);
	NEED_RUN(rig, ETL_RUN_OK);
	writes = rig->target->writes;
	service_put(rig, "a", (etl_wall){hour(5).ms + HOUR_MS / 2}, -5);
	assert_int_equal(run_job(rig, rig->job,
				 (struct etl_window){etl_wall_add(hour(4), ETL_MINUTES(20)), hour(7)}),
		ETL_RUN_OK);
	assert_string_equal(rig->asked[0], "a 4+3");
	assert_int_equal(rig->target->writes, writes + 1);
	assert_int_equal(rig->run->counts.updated, 1);
	assert_int_equal(rig->run->counts.unchanged, 2);
	/* Beyond what is final there is nothing to have, asked for or not. */
	assert_int_equal(run_job(rig, rig->job, (struct etl_window){hour(19), hour(40)}), ETL_RUN_OK);
	assert_string_equal(rig->asked[0], "a 19+1");
	NEED_WATERMARK(rig, 20);
	rig_free(rig);
}

static void move_start(struct rig *rig, int64_t h)
{
	rig->job->window.grid.start = hour(h);
}

static void test_start_moved_back(void **state)
{
	struct rig *rig = rig_new(NULL, 20);
	struct etl_watermark mark;

	(void)state;
	service_fill(rig, "a", 0, 20);
	move_start(rig, 12);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->n, 8);
	move_start(rig, 2);
	/* An operator's run of something else must not settle what is due before hour 12. */
	assert_int_equal(run_job(rig, rig->job, (struct etl_window){hour(15), hour(16)}), ETL_RUN_OK);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->n, 18);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.state->ops->watermark_get(rig->driver.state, "job", "a", &mark,
				 &rig->err), 1);
	assert_int_equal(mark.origin.ms, hour(2).ms);
	assert_int_equal(mark.processed.ms, hour(20).ms);
	rig_free(rig);
}

static void test_start_moved_forward(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	service_fill(rig, "a", 0, 30);
	NEED_RUN(rig, ETL_RUN_OK);
	move_start(rig, 10);
	pass_hours(rig, 10);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(rig->asked[0], "a 10+5");
	rig_free(rig);
}

static void test_larger_windows(void **state)
{
	struct rig *rig = rig_new(NULL, 11);

	(void)state;
	service_fill(rig, "a", 0, 30);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 11);
	rig->job->window.grid.size = ETL_HOURS(2);
	pass_hours(rig, 2);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 12);
	assert_int_equal(entry_at(rig, "job", "a", 10).window.end.ms, hour(12).ms);
	assert_int_equal(rig->target->n, 12);
	assert_int_equal(rig->target->updates, 0);
	rig_free(rig);
}

static void test_retention(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 1d, retention: 20h"), 30);
	struct etl_ledger_entry entry;

	(void)state;
	service_fill(rig, "a", 0, 30);
	NEED_RUN(rig, ETL_RUN_OK);
	/* 30:10 less 20 h: hours that ended by 10:10 are given up; the watermark passes them. */
	NEED_STATE(rig, 0, ETL_WINDOW_UNRECOVERABLE);
	NEED_STATE(rig, 9, ETL_WINDOW_UNRECOVERABLE);
	NEED_STATE(rig, 10, ETL_WINDOW_LOADED);
	assert_string_equal(rig->asked[0], "a 10+20");
	NEED_WATERMARK(rig, 30);
	/* What was loaded and is read again no more keeps its word and its run. */
	rig->job->window.lookback = ETL_HOURS(48);
	entry = entry_at(rig, "job", "a", 10);
	pass_hours(rig, 5);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(entry_at(rig, "job", "a", 10).run_id, entry.run_id);
	assert_string_equal(entry_at(rig, "job", "a", 10).reason, "");
	rig_free(rig);
}

/* Everything is too old: closed with that word, and the watermark does not hang. */
static void test_retention_all(void **state)
{
	struct rig *rig = rig_new(
		yaml_with("max_span: 1d", "end: 2024-01-01T05:00:00Z, retention: 20h"), 100);

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 0);
	NEED_STATE(rig, 4, ETL_WINDOW_UNRECOVERABLE);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 4, ETL_WINDOW_UNRECOVERABLE);
	rig_free(rig);
}

static void test_record_of_run(void **state)
{
	struct rig *rig = rig_new(NULL, 3);
	bson_t saved, built = BSON_INITIALIZER;
	bson_iter_t iter;

	(void)state;
	service_fill(rig, "a", 0, 3);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(etl_doc_get(rig->driver.state, &etl_runs, rig->run->run_id, &saved,
				 &rig->err), 1);
	etl_run_to_bson(rig->run, &built);
	assert_true(bson_equal(&saved, &built));
	assert_true(bson_iter_init_find(&iter, &saved, "state"));
	assert_string_equal(bson_iter_utf8(&iter, NULL), "ok");
	bson_destroy(&saved);
	bson_destroy(&built);
	rig_free(rig);
}

/* The wall clock goes back by an hour under a run: it has taken five seconds all the same. */
static void test_length_of_run(void **state)
{
	struct rig *rig = rig_new(NULL, 3);
	bson_t saved;
	bson_iter_t iter;

	(void)state;
	service_say(rig, (struct scripted){.status = 404, .body = "", .takes = ETL_SECONDS(5),
		.step = ETL_HOURS(-1)});
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_true(rig->run->ended.ms < rig->run->started.ms);
	assert_int_equal(etl_doc_get(rig->driver.state, &etl_runs, rig->run->run_id, &saved,
				 &rig->err), 1);
	assert_true(bson_iter_init_find(&iter, &saved, "duration_ms"));
	assert_int_equal(bson_iter_int64(&iter), 5000);
	bson_destroy(&saved);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_load),
		cmocka_unit_test(test_nothing_due),
		cmocka_unit_test(test_lookback_unchanged),
		cmocka_unit_test(test_changed_record),
		cmocka_unit_test(test_empty_window),
		cmocka_unit_test(test_source_forgot),
		cmocka_unit_test(test_late_row),
		cmocka_unit_test(test_window_none),
		cmocka_unit_test(test_two_partitions),
		cmocka_unit_test(test_only_partition),
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_start_moved_back),
		cmocka_unit_test(test_start_moved_forward),
		cmocka_unit_test(test_larger_windows),
		cmocka_unit_test(test_retention),
		cmocka_unit_test(test_retention_all),
		cmocka_unit_test(test_record_of_run),
		cmocka_unit_test(test_length_of_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
