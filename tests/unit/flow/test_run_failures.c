/* SPDX-License-Identifier: MIT
 *
 * Whole runs in which something fails: retries and their waits, what is halved, what stops,
 * rejects, checks, cancelling at every step, being fenced, the store that says "again".
 */
#include "run_rig.h"

#define NO_ANSWER(k) ((struct scripted){.status = 0, .kind = (k)})

static void test_transient_is_tried_again(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	service_say(rig, NO_ANSWER(ETL_TRANSIENT));
	service_say(rig, (struct scripted){.status = 500, .body = "{}"});
	service_say(rig, (struct scripted){.status = 200, .cut = true, .kind = ETL_TRANSIENT});
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 4);
	assert_int_equal(rig->driver.timers, 3);
	/* Between half and all of 5 + 10 + 20 seconds. */
	assert_true(rig->driver.waited.us >= ETL_SECONDS(15).us / 2);
	assert_true(rig->driver.waited.us <= ETL_SECONDS(35).us);
	assert_int_equal(rig->target->n, 5);
	assert_int_equal(rig->run->counts.in, 5);
	assert_int_equal(rig->run->windows.loaded, 5);
	assert_int_equal(rig->run->error.kind, ETL_OK);
	rig_free(rig);
}

static void test_tries_are_used_up(void **state)
{
	struct rig *rig = rig_new(NULL, 5);
	struct etl_ledger_entry entry;

	(void)state;
	for (int i = 0; i < 4; i++)
		service_say(rig, (struct scripted){.status = 503, .body = "{}"});
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.requests, 4);
	assert_int_equal(rig->run->error.kind, ETL_TRANSIENT);
	entry = entry_at(rig, "job", "a", 0);
	assert_int_equal(entry.state, ETL_WINDOW_FAILED);
	assert_non_null(strstr(entry.reason, "503"));
	assert_int_equal(rig->run->windows.failed, 5);
	NEED_WATERMARK(rig, 0);
	service_fill(rig, "a", 0, 5);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 5);
	assert_int_equal(entry_at(rig, "job", "a", 0).attempt, 2);
	rig_free(rig);
}

static void test_retry_after(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	service_say(rig, (struct scripted){.status = 429, .retry_after = ETL_SECONDS(90), .body = ""});
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.waited.us, ETL_SECONDS(90).us);
	assert_int_equal(rig->run->parts[0]->last.kind, ETL_THROTTLED);
	rig_free(rig);
}

/* Asked to wait longer than the run may last: the run ends now and the windows stay due. */
static void test_retry_after_the_timeout(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	service_say(rig, (struct scripted){.status = 429, .retry_after = ETL_HOURS(2), .body = ""});
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.timers, 0);
	assert_int_equal(rig->run->error.kind, ETL_THROTTLED);
	/* The same when the answer itself took longer than the timeout. */
	service_say(rig, (struct scripted){.status = 500, .body = "", .takes = ETL_HOURS(2)});
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.timers, 0);
	rig_free(rig);
}

static void test_auth_stops(void **state)
{
	struct rig *rig = rig_new(NULL, 30); /* two spans */

	(void)state;
	service_say(rig, (struct scripted){.status = 401, .body = "{}"});
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.requests, 1);
	assert_int_equal(rig->run->error.kind, ETL_AUTH);
	assert_int_equal(rig->run->parts[0]->failed_at, ETL_STEP_EXTRACT);
	NEED_STATE(rig, 0, ETL_WINDOW_FAILED);
	NEED_STATE(rig, 25, ETL_WINDOW_PENDING);
	rig_free(rig);
}

/* One unreadable hour: the day is asked for in halves until that hour stands alone. */
static void test_halves(void **state)
{
	(void)state;
	for (int64_t bad = 0; bad < 24; bad += 5) {
		struct rig *rig = rig_new(NULL, 30);

		service_fill(rig, "a", 0, 30);
		rig->bad_from = hour(bad).ms;
		rig->bad_to = hour(bad + 1).ms;
		NEED_RUN(rig, ETL_RUN_FAILED);
		assert_int_equal(rig->run->error.kind, ETL_DATA);
		assert_int_equal(rig->run->parts[0]->failed_at, ETL_STEP_DECODE);
		assert_int_equal(rig->target->n, 29);
		assert_int_equal(rig->run->windows.failed, 1);
		assert_int_equal(rig->run->windows.loaded, 29);
		for (int64_t h = 0; h < 30; h++)
			NEED_STATE(rig, h, h == bad ? ETL_WINDOW_FAILED : ETL_WINDOW_LOADED);
		NEED_WATERMARK(rig, bad);
		rig->bad_to = 0;
		NEED_RUN(rig, ETL_RUN_OK);
		NEED_WATERMARK(rig, 30);
		assert_int_equal(rig->target->n, 30);
		rig_free(rig);
	}
}

static void test_many_bad_windows(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 1h"), 40);

	(void)state;
	rig->bad_from = hour(0).ms;
	rig->bad_to = hour(40).ms;
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.requests, 16); /* then the strand stops asking, and says so */
	assert_non_null(strstr(rig->run->error.message,
		"16 requests failed, 24 due windows were left for the next run; the first: "));
	rig_free(rig);
}

/* Spans of two, each asked for again in halves: what is left is counted by windows. */
static void test_many_bad_spans(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 2h"), 40);

	(void)state;
	rig->bad_from = hour(0).ms;
	rig->bad_to = hour(40).ms;
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.requests, 8 + 16);
	assert_non_null(strstr(rig->run->error.message, "24 due windows were left for the next run"));
	rig_free(rig);
}

static void put_rejects(struct rig *rig, int n)
{
	struct etl_buf body;

	etl_buf_init(&body, 65536);
	etl_buf_str(&body, "{\"data\":[");
	for (int i = 0; i < 10; i++)
		etl_buf_printf(&body, "%s{\"ts\":\"2024-01-01 0%d:30:00%s\",\"v\":%d}", i ? "," : "",
			i % 5, i < n ? "?" : "", i);
	etl_buf_str(&body, "]}");
	service_say(rig, (struct scripted){.status = 200, .body = etl_arena_strdup(rig->jobs.arena,
							      etl_buf_text(&body))});
	etl_buf_fini(&body);
}

static void test_rejects_within_limit(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	put_rejects(rig, 2);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->counts.rejected, 2);
	assert_int_equal(rig->run->counts.in, 8);
	NEED_WATERMARK(rig, 5);
	rig_free(rig);
}

/* What the daemon has of the run before is handed to the next one. */
static void run_next(struct rig *rig, struct etl_trigger trigger)
{
	struct etl_last_run before = rig->run->last;

	etl_run_free(rig->run);
	rig->run = etl_run_new(rig->job, &rig->driver.env, 1, &trigger);
	rig->run->before = before;
	assert_int_equal(driver_run(&rig->driver, rig->run, &rig->err), 0);
	assert_int_equal(rig->run->state, ETL_RUN_OK);
}

static void run_after(struct rig *rig, int64_t from, int64_t to)
{
	run_next(rig, (struct etl_trigger){.kind = ETL_TRIGGER_MANUAL, .asked = {hour(from), hour(to)}});
}

/* "6 records were rejected" is told until what they lie in has been read again, from whichever end;
 * a run for less takes nothing back. */
static void test_rejects_are_taken_back(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	put_rejects(rig, 2);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->last.rejected, 2);
	assert_int_equal(rig->run->last.rejected_in.start.ms, hour(0).ms);
	assert_int_equal(rig->run->last.rejected_in.end.ms, hour(5).ms);
	service_fill(rig, "a", 0, 5);
	run_after(rig, 1, 4);
	assert_int_equal(rig->run->last.rejected, 2);
	run_after(rig, 3, 5);
	assert_int_equal(rig->run->last.rejected, 2);
	assert_int_equal(rig->run->last.rejected_in.end.ms, hour(3).ms);
	assert_string_not_equal(rig->run->last.first_reject, "");
	run_after(rig, 0, 3);
	assert_int_equal(rig->run->last.rejected, 0);
	assert_string_equal(rig->run->last.first_reject, "");
	rig_free(rig);
}

/* The job is mended, which makes its windows stale, and `restate` has read all of them again: nothing is
 * left of the refusals. A restatement that passed one window over takes nothing back, it may be theirs. */
static void test_a_restatement_takes_rejects_back(void **state)
{
	static const struct {
		int64_t again; /* this hour was loaded by the new definition before; -1 = none */
		uint64_t rejected;
	} rows[] = {{-1, 0}, {2, 2}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct rig *rig = rig_new(NULL, 5);

		rig->target->name = "etl.a";
		put_rejects(rig, 2);
		NEED_RUN(rig, ETL_RUN_OK);
		rig->job->partitions[0].definition ^= 1;
		service_fill(rig, "a", 0, 5);
		if (rows[i].again >= 0)
			run_after(rig, rows[i].again, rows[i].again + 1);
		run_next(rig, (struct etl_trigger){.kind = ETL_TRIGGER_BACKFILL,
			.asked = {hour(0), hour(5)}, .reprocess = ETL_REPROCESS_STALE});
		assert_int_equal(rig->run->windows.loaded, rows[i].again >= 0 ? 4 : 5);
		assert_int_equal(rig->run->last.rejected, rows[i].rejected);
		rig_free(rig);
	}
}

static void test_rejects_above_limit(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 5h"), 5);

	(void)state;
	/* 3 of 10 is above 2 and above a quarter; so are the halves that are asked for next. */
	put_rejects(rig, 3);
	for (int i = 0; i < 20; i++)
		put_rejects(rig, 3);
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "unit.rejects");
	assert_int_equal(rig->target->n, 0);
	NEED_WATERMARK(rig, 0);
	assert_true(rig->run->counts.rejected > 0); /* the evidence is stored */
	rig_free(rig);
}

/* Records dated in the future are rejects of their own and count among the seen. */
static void test_future_records(void **state)
{
	struct rig *rig = rig_new(NULL, 1);

	(void)state;
	rig->job->max_rejects = 0;
	service_say(rig, (struct scripted){.status = 200,
		.body = "{\"data\":[{\"ts\":\"2024-01-01 00:20:00\"},{\"ts\":\"2024-01-01 00:30:00\"},"
			"{\"ts\":\"2030-01-01 00:00:00\"}]}"});
	service_say(rig, (struct scripted){.status = 200,
		.body = "{\"data\":[{\"ts\":\"2024-01-01 00:20:00\"},{\"ts\":\"2024-01-01 00:30:00\"},"
			"{\"ts\":\"2024-01-01 00:40:00\"},{\"ts\":\"2030-01-01 00:00:00\"}]}"});
	NEED_RUN(rig, ETL_RUN_FAILED);
	NEED_RUN(rig, ETL_RUN_OK); /* one of four is not more than a quarter */
	assert_int_equal(rig->run->counts.rejected, 1);
	NEED_WATERMARK(rig, 1);
	rig_free(rig);
}

/* The present is the store's, and goes on while the run does; the slot that a run makes up for is
 * none of it. What lies behind the span is left out. */
static void test_the_present(void **state)
{
	struct rig *rig = rig_new(NULL, 5);
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_CATCH_UP};

	(void)state;
	service_say(rig, (struct scripted){.status = 200, .takes = ETL_MINUTES(45),
		.body = "{\"data\":[{\"ts\":\"2024-01-01 00:30:00\"},{\"ts\":\"2024-01-01 04:30:00\"},"
			"{\"ts\":\"2024-01-01 05:50:00\"}]}"});
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->counts.rejected, 0);
	assert_int_equal(rig->run->counts.outside, 1);
	NEED_WATERMARK(rig, 5);
	rig_free(rig);

	rig = rig_new(NULL, 5);
	trigger.slot = trigger.as_of = etl_wall_sub(etl_now(&rig->driver.clock.clock), ETL_HOURS(2));
	service_say(rig, (struct scripted){.status = 200,
		.body = "{\"data\":[{\"ts\":\"2024-01-01 00:30:00\"},{\"ts\":\"2024-01-01 02:30:00\"},"
			"{\"ts\":\"2024-01-01 04:30:00\"}]}"});
	rig->run = etl_run_new(rig->job, &rig->driver.env, 1, &trigger);
	assert_int_equal(driver_run(&rig->driver, rig->run, &rig->err), 0);
	assert_int_equal(rig->run->counts.rejected, 0);
	NEED_WATERMARK(rig, 3);
	rig_free(rig);
}

/* What cannot be read has no time. Asked for alone, its window has nothing but it and fails;
 * among others, the ones without a record are asked for again in halves, until it is known
 * whose it is. */
static void test_unreadable_records_are_placed(void **state)
{
	static const char unreadable[] = "{\"data\":[{\"ts\":\"2024-01-01 00:30:00?\",\"v\":1}]}";
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 1h"), 1);
	struct etl_ledger_entry entry;

	(void)state;
	service_say(rig, (struct scripted){.status = 200, .body = unreadable});
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "unit.refused");
	entry = entry_at(rig, rig->job->name, "a", 0);
	assert_int_equal(entry.state, ETL_WINDOW_FAILED);
	assert_int_equal(entry.counts.rejected, 1);
	rig_free(rig);

	rig = rig_new(NULL, 3);
	service_say(rig, (struct scripted){.status = 200, .body = unreadable}); /* hours 0 to 3 */
	service_say(rig, (struct scripted){.status = 200, .body = unreadable}); /* 0 */
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.requests, 3); /* 1 and 2 answer with nothing */
	NEED_STATE(rig, 0, ETL_WINDOW_FAILED);
	NEED_STATE(rig, 1, ETL_WINDOW_EMPTY);
	NEED_STATE(rig, 2, ETL_WINDOW_EMPTY);
	assert_int_equal(rig->run->counts.rejected, 1); /* once, though it was tried twice */
	assert_int_equal(rig->run->counts.unplaced, 1);
	rig_free(rig);
}

/* The extract step's time is that of the transfer, which no worker sees. */
static void test_extract_tells_its_time(void **state)
{
	struct rig *rig = rig_new(NULL, 3);

	(void)state;
	service_say(rig, (struct scripted){.status = 200, .takes = ETL_SECONDS(5)});
	NEED_RUN(rig, ETL_RUN_OK);
	assert_true(rig->run->parts[0]->steps[ETL_STEP_EXTRACT].busy.us >= ETL_SECONDS(5).us);
	rig_free(rig);
}

static void test_ledger_counts_what_was_written(void **state)
{
	struct rig *rig = rig_new(NULL, 3);
	struct etl_ledger_entry entry;

	(void)state;
	service_fill(rig, "a", 0, 3);
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 4}, 7); /* a second one in hour 2 */
	NEED_RUN(rig, ETL_RUN_OK);
	entry = entry_at(rig, rig->job->name, "a", 2);
	assert_int_equal(entry.counts.inserted, 2);
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 4}, 8);
	NEED_RUN(rig, ETL_RUN_OK); /* read again by the lookback */
	entry = entry_at(rig, rig->job->name, "a", 2);
	assert_int_equal(entry.counts.inserted, 0);
	assert_int_equal(entry.counts.updated, 1);
	assert_int_equal(entry.counts.unchanged, 1);
	entry = entry_at(rig, rig->job->name, "a", 1);
	assert_int_equal(entry.counts.unchanged, 1);
	rig_free(rig);
}

/* Hours 0 to 4, of which hour 2 holds a value that the check refuses. */
static struct rig *rig_with_check(const char *check)
{
	static char text[4096];
	struct rig *rig;

	snprintf(text, sizeof text, "%scheck:\n  - %s\n", rig_yaml, check);
	rig = rig_new(text, 5);
	service_fill(rig, "a", 0, 5);
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 1000);
	return rig;
}

static void test_check_hold(void **state)
{
	struct rig *rig = rig_with_check("range: {field: v, max: 100, on_fail: hold}");

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_true(rig->run->checks_failed);
	assert_int_equal(rig->run->windows.held, 1);
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	assert_non_null(strstr(entry_at(rig, "job", "a", 2).reason, "range"));
	assert_int_equal(rig->target->n, 4);
	NEED_WATERMARK(rig, 2);
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 7);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 5);
	assert_int_equal(rig->target->n, 5);
	rig_free(rig);
}

static void test_check_fail(void **state)
{
	struct rig *rig = rig_with_check("range: {field: v, max: 100, on_fail: fail}");

	(void)state;
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "check.failed");
	assert_int_equal(rig->run->parts[0]->failed_at, ETL_STEP_CHECK);
	assert_int_equal(rig->run->windows.failed, 1);
	NEED_STATE(rig, 2, ETL_WINDOW_FAILED);
	NEED_STATE(rig, 3, ETL_WINDOW_LOADED);
	NEED_WATERMARK(rig, 2);
	rig_free(rig);
}

static void test_check_warn(void **state)
{
	struct rig *rig = rig_with_check("range: {field: v, max: 100, on_fail: warn}");

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->warnings, 1);
	assert_false(rig->run->checks_failed);
	assert_non_null(strstr(rig->run->parts[0]->reason, "range"));
	assert_int_equal(rig->target->n, 5);
	rig_free(rig);
}

static void test_check_reject(void **state)
{
	struct rig *rig = rig_with_check("range: {field: v, max: 100, on_fail: reject}");

	(void)state;
	NEED_RUN(rig, ETL_RUN_FAILED); /* hour 2 has nothing but a bad record */
	assert_int_equal(rig->run->counts.rejected, 1);
	assert_int_equal(rig->target->n, 4);
	NEED_STATE(rig, 2, ETL_WINDOW_FAILED);
	NEED_WATERMARK(rig, 2);
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 4}, 7);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_LOADED); /* a good one and a bad one, within the limits */
	NEED_WATERMARK(rig, 5);
	rig_free(rig);
}

/* Held after it was loaded: open again, and the watermark of this run stays below it. */
static void test_held_after_loaded(void **state)
{
	struct rig *rig = rig_with_check("range: {field: v, max: 100, on_fail: hold}");

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK); /* 2 is held, 3 and 4 are in, the watermark is at 2 */
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 7);
	service_put(rig, "a", (etl_wall){hour(3).ms + HOUR_MS / 2}, 1000);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_LOADED);
	NEED_STATE(rig, 3, ETL_WINDOW_HELD);
	NEED_WATERMARK(rig, 3);
	rig_free(rig);
}

static void test_txn_retry(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	rig->refuse_commits = 3;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 1); /* the slice again, not the span */
	assert_int_equal(rig->driver.timers, 3);
	assert_true(rig->driver.waited.us < ETL_SECONDS(2).us);
	assert_int_equal(rig->run->counts.inserted + rig->run->counts.unchanged, 5);
	assert_int_equal(rig->run->windows_changed, 5); /* counted once */
	assert_int_equal(rig->target->inserts, 5);
	NEED_WATERMARK(rig, 5);
	rig_free(rig);
}

static void test_txn_retry_from_the_sink(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	rig->target->write_fault = (struct target_fault){0, 2, ETL_TRANSIENT, "txn.retry"};
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 1);
	assert_int_equal(rig->target->aborts, 2);
	assert_int_equal(rig->run->counts.inserted, 5);
	rig_free(rig);
}

/* Refused for two minutes: the span is given back to the retry rules, and in the end open. */
static void test_txn_retry_for_ever(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	rig->refuse_commits = 100000;
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.requests, 4);
	assert_true(rig->driver.waited.us > ETL_SECONDS(4 * 120).us);
	assert_int_equal(rig->run->counts.inserted, 0);
	assert_int_equal(rig->run->windows_changed, 0);
	rig->refuse_commits = 0;
	NEED_RUN(rig, ETL_RUN_OK);
	rig_free(rig);
}

static void test_sink_fails(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	rig->target->write_fault = (struct target_fault){0, 1, ETL_PERMANENT, "target.broken"};
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "target.broken");
	assert_int_equal(rig->run->parts[0]->failed_at, ETL_STEP_LOAD);
	NEED_STATE(rig, 0, ETL_WINDOW_FAILED);
	NEED_WATERMARK(rig, 0);
	NEED_RUN(rig, ETL_RUN_OK);
	rig_free(rig);
}

/* A target of its own (no transaction of the store) has to have the data first: a window is
 * never closed before the target said yes. */
static void test_sink_commit_fails(void **state)
{
	struct rig *rig = rig_new(NULL, 5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	rig->target->commit_fault = (struct target_fault){0, 1, ETL_PERMANENT, "target.flush"};
	NEED_RUN(rig, ETL_RUN_FAILED);
	NEED_WATERMARK(rig, 0);
	NEED_STATE(rig, 0, ETL_WINDOW_FAILED);
	assert_int_equal(rig->target->n, 0);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->n, 5);
	rig_free(rig);
}

/* The flag is looked at before every step; whenever it comes, what is in is whole. */
static void test_cancel_everywhere(void **state)
{
	unsigned at = 1;

	(void)state;
	for (bool ended = false; !ended; at++) {
		struct rig *rig = rig_new(NULL, 30);
		enum etl_run_state got;

		service_fill(rig, "a", 0, 30);
		rig->driver.piece_max = 300;
		rig->refuse_commits = 1;
		service_say(rig, NO_ANSWER(ETL_TRANSIENT));
		rig->cancel_at = at;
		got = run_due(rig);
		ended = rig->cancel_at > 0; /* the run was over before */
		assert_int_equal(got, ended ? ETL_RUN_OK : ETL_RUN_CANCELLED);
		/* The data goes first: never more hours behind the watermark than in the target. */
		assert_true(watermark_of(rig, "job", "a").ms <= hour((int64_t)rig->target->n).ms);
		rig->cancel_at = 0;
		NEED_RUN(rig, ETL_RUN_OK);
		assert_int_equal(rig->target->n, 30);
		assert_int_equal(rig->target->updates, 0);
		rig_free(rig);
	}
	assert_true(at > 10);
}

static void test_fenced(void **state)
{
	struct rig *rig = rig_new(NULL, 30);

	(void)state;
	service_fill(rig, "a", 0, 30);
	rig->fence_at = 2;
	NEED_RUN(rig, ETL_RUN_FENCED);
	assert_int_equal(rig->run->error.kind, ETL_CONFLICT);
	NEED_WATERMARK(rig, 24); /* the first slice was ours, the second was not */
	NEED_STATE(rig, 24, ETL_WINDOW_PENDING);
	/* The other one has the lease: the next run here does not start. */
	NEED_RUN(rig, ETL_RUN_BUSY);
	assert_int_equal(rig->driver.requests, 0);
	assert_non_null(strstr(rig->run->error.message, "driver 2"));
	pass_hours(rig, 1); /* it runs out */
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 31);
	rig_free(rig);
}

/* Written by hand, or by a clock that was wrong: nothing would be due for 174 years, and the job
 * would look well. */
static void test_a_watermark_in_the_future(void **state)
{
	struct rig *rig = rig_new(NULL, 5);
	struct etl_state *s = rig->driver.state;
	struct etl_commit c = {.job = "job", .partition = "a", .run_id = "x", .origin = hour(0),
		.watermark = hour(1000000), .window_ms = HOUR_MS};
	struct etl_watermark mark;

	(void)state;
	service_fill(rig, "a", 0, 6);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(s->ops->watermark_get(s, "job", "a", &mark, &rig->err), 1);
	c.fence = mark.fence;
	assert_int_equal(driver_real_ops->commit(s, NULL, &c, &rig->err), 0);
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.requests, 0);
	assert_string_equal(rig->run->error.code, "watermark.future");
	assert_int_equal(rig->run->parts[0]->failed_at, ETL_STEP_PLAN);
	assert_non_null(strstr(rig->run->error.message, "etlctl watermark rewind job"));
	rig_free(rig);
}

/* Slices that are in are in: after a failure only what is left is asked for again. */
static void test_retry_after_some_slices(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 200d"), 3000);

	(void)state;
	service_fill(rig, "a", 0, 3000);
	/* One request, slices of some 500 hours; the third fails, the retry asks for the rest. */
	rig->target->write_fault = (struct target_fault){2, 1, ETL_TRANSIENT, "target.busy"};
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 2);
	assert_string_equal(rig->asked[0], "a 0+3000");
	assert_string_not_equal(rig->asked[1], "a 0+3000");
	assert_int_equal(rig->run->windows.loaded, 3000);
	assert_int_equal(rig->run->counts.in, 3000);
	assert_int_equal(rig->run->counts.inserted, 3000);
	NEED_WATERMARK(rig, 3000);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transient_is_tried_again),
		cmocka_unit_test(test_a_watermark_in_the_future),
		cmocka_unit_test(test_tries_are_used_up),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_retry_after_the_timeout),
		cmocka_unit_test(test_auth_stops),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_many_bad_windows),
		cmocka_unit_test(test_many_bad_spans),
		cmocka_unit_test(test_rejects_within_limit),
		cmocka_unit_test(test_rejects_are_taken_back),
		cmocka_unit_test(test_a_restatement_takes_rejects_back),
		cmocka_unit_test(test_rejects_above_limit),
		cmocka_unit_test(test_unreadable_records_are_placed),
		cmocka_unit_test(test_ledger_counts_what_was_written),
		cmocka_unit_test(test_extract_tells_its_time),
		cmocka_unit_test(test_future_records),
		cmocka_unit_test(test_the_present),
		cmocka_unit_test(test_check_hold),
		cmocka_unit_test(test_check_fail),
		cmocka_unit_test(test_check_warn),
		cmocka_unit_test(test_check_reject),
		cmocka_unit_test(test_held_after_loaded),
		cmocka_unit_test(test_txn_retry),
		cmocka_unit_test(test_txn_retry_from_the_sink),
		cmocka_unit_test(test_txn_retry_for_ever),
		cmocka_unit_test(test_sink_fails),
		cmocka_unit_test(test_sink_commit_fails),
		cmocka_unit_test(test_cancel_everywhere),
		cmocka_unit_test(test_fenced),
		cmocka_unit_test(test_retry_after_some_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
