/* SPDX-License-Identifier: MIT
 *
 * Whole runs that meet a limit or another job: slices, more windows than one plan, answers
 * larger than memory; upstream and dependants, dirty marks and their races.
 */
#include "run_rig.h"

#include "flow/strand.h"

#include <malloc.h>

static void put_many(struct rig *rig, int64_t h, int n)
{
	for (int i = 0; i < n; i++)
		service_put(rig, "a", (etl_wall){hour(h).ms + i * 1000}, i);
}

/* 2,500 records in one window: three transactions, the window closes with the last. */
static void test_large_window(void **state)
{
	struct rig *rig = rig_new(NULL, 3);

	(void)state;
	service_fill(rig, "a", 0, 1);
	put_many(rig, 1, 2500);
	service_fill(rig, "a", 2, 3);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->n, 2502);
	assert_true(rig->driver.commits >= 4);
	/* Ledger entry and watermark count too: under 1,000 documents in all. */
	assert_true(rig->target->largest_slice <= 1000 - 2);
	assert_int_equal(entry_at(rig, "job", "a", 1).counts.out, 2500);
	assert_int_equal(rig->run->windows.loaded, 3);
	assert_int_equal(rig->run->windows_changed, 3);
	NEED_WATERMARK(rig, 3);
	rig_free(rig);
}

/* Stopped between two slices of one window: it stays open and is read whole the next time. */
static void test_large_window_cut(void **state)
{
	struct rig *rig = rig_new(NULL, 1);

	(void)state;
	put_many(rig, 0, 2500);
	rig->target->write_fault = (struct target_fault){1, 1, ETL_PERMANENT, "target.full"};
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_true(rig->target->n > 0 && rig->target->n < 2500);
	NEED_STATE(rig, 0, ETL_WINDOW_FAILED);
	NEED_WATERMARK(rig, 0);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->n, 2500);
	assert_int_equal(rig->target->updates, 0);
	NEED_WATERMARK(rig, 1);
	rig_free(rig);
}

static void test_many_windows(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 100d"), 2200);

	(void)state;
	service_fill(rig, "a", 0, 10);
	service_fill(rig, "a", 2100, 2200);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 1);
	assert_int_equal(rig->run->windows.empty, 2090);
	assert_true(rig->driver.commits >= 3);
	NEED_WATERMARK(rig, 2200);
	rig_free(rig);
}

static void test_more_than_one_plan(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 400d"), 12000);

	(void)state;
	service_fill(rig, "a", 0, 12000);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->windows.loaded, 12000);
	NEED_WATERMARK(rig, 12000);
	/* All of it read again: more than a plan holds, each window once. */
	rig->job->window.lookback = ETL_HOURS(12000);
	rig->job->timeout = ETL_HOURS(1);
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->counts.in, 11999);
	assert_int_equal(rig->run->counts.unchanged, 11999);
	rig_free(rig);
}

/* A bad window in the first plan does not keep the second one from being made. */
static void test_bad_window_in_first_plan(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 400d"), 12000);

	(void)state;
	service_fill(rig, "a", 0, 12000);
	rig->bad_from = hour(0).ms;
	rig->bad_to = hour(1).ms;
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->target->n, 11999);
	rig_free(rig);
}

static void test_too_many_asked(void **state)
{
	struct rig *rig = rig_new(NULL, 12000);

	(void)state;
	assert_int_equal(run_job(rig, rig->job, (struct etl_window){hour(0), hour(11000)}),
		ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "run.too_many");
	assert_int_equal(rig->driver.requests, 0);
	rig_free(rig);
}

/* A day that does not fit: halves until it does. */
static void test_memory_halves(void **state)
{
	struct rig *rig = rig_new(NULL, 24);

	(void)state;
	for (int64_t h = 0; h < 24; h++)
		put_many(rig, h, 500);
	rig->driver.env.memory_max = 600 * 1000;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_true(rig->driver.requests > 2);
	assert_int_equal(rig->target->n, 24 * 500);
	assert_int_equal(rig->run->windows.loaded, 24);
	NEED_WATERMARK(rig, 24);
	rig_free(rig);
}

/* A station's year of hours is some 2 MiB of records: it is asked for once, not in halves of
 * halves, with the share of memory that a daemon has by default. */
static void test_a_year_is_asked_for_once(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 400d"), 8760);

	(void)state;
	service_fill(rig, "a", 0, 8760);
	rig->driver.env.memory_max = 8 * 1024 * 1024;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 1);
	assert_int_equal(rig->run->windows.loaded, 8760);
	rig_free(rig);
}

/* ---- what a plan asks of the store -------------------------------------------------------- */

static unsigned scans, opens, marks;
static int64_t earliest; /* of the begins that were asked for */

static int counting_scan(struct etl_state *s, const char *job, const char *partition,
	const struct etl_window *range, enum etl_ledger_select select, etl_ledger_fn fn, void *ctx,
	struct etl_error *err)
{
	scans++;
	if (select != ETL_LEDGER_BEGUN)
		earliest = INT64_MIN;
	else if (range->start.ms < earliest)
		earliest = range->start.ms;
	return driver_real_ops->ledger_scan(s, job, partition, range, select, fn, ctx, err);
}

static int counting_open(struct etl_state *s, const char *job, size_t max,
	int (*fn)(void *ctx, const char *partition, const struct etl_ledger_entry *entry), void *ctx,
	struct etl_error *err)
{
	opens++;
	return driver_real_ops->ledger_open(s, job, max, fn, ctx, err);
}

static int counting_get(struct etl_state *s, const char *job, const char *partition,
	struct etl_watermark *out, struct etl_error *err)
{
	marks++;
	return driver_real_ops->watermark_get(s, job, partition, out, err);
}

static void count_questions(struct rig *rig)
{
	scans = opens = marks = 0;
	rig->driver.after_commit = NULL; /* it asks too */
	earliest = INT64_MAX;
	driver_ops.ledger_scan = counting_scan;
	driver_ops.ledger_open = counting_open;
	driver_ops.watermark_get = counting_get;
}

/* With 5,000 hours behind it, a run of three partitions asks once for all of them what is open,
 * and each for what begins in the hours that are read again, bounded on both sides. */
static void test_a_plan_reads_what_is_recent(void **state)
{
	struct rig *rig = rig_new(yaml_with("station: [a]", "station: [a, b, c]"), 1);

	(void)state;
	rig->job->window.max_span = ETL_DAYS(400);
	rig->job->timeout = ETL_HOURS(1);
	pass_hours(rig, 4999);
	NEED_RUN(rig, ETL_RUN_OK);
	count_questions(rig);
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(opens, 1);
	assert_int_equal(scans, 3);
	assert_true(earliest >= hour(4990).ms);
	rig_free(rig);
}

/* What is dirty far behind the watermark is found all the same, in each partition its own, and
 * what of other partitions stands in the same list is not. */
static void test_old_marks_are_still_found(void **state)
{
	static const struct etl_dirty_mark marked[] = {
		{"job", "a", {{T0 + 5 * HOUR_MS}, {T0 + 6 * HOUR_MS}}},
		{"job", "c", {{T0 + 9 * HOUR_MS}, {T0 + 10 * HOUR_MS}}},
		{"job", "c", {{T0 + 19 * HOUR_MS}, {T0 + 20 * HOUR_MS}}},
	};
	struct rig *rig = rig_new(yaml_with("station: [a]", "station: [a, b, c]"), 200);
	unsigned usual;

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	rig->mark_at_commit = marked;
	rig->n_marks = 3;
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK);
	usual = rig->driver.requests;
	for (size_t i = 0; i < 3; i++)
		assert_true(entry_at(rig, "job", marked[i].partition, i ? 10 * (int)i - 1 : 5).dirty);
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, usual + 3);
	for (size_t i = 0; i < 3; i++)
		assert_false(entry_at(rig, "job", marked[i].partition, i ? 10 * (int)i - 1 : 5).dirty);
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, usual);
	rig_free(rig);
}

/* What a check keeps counts too. The span is halved; an hour that is too much alone says which
 * rule it is and what helps. */
static void test_state_of_a_check_is_bounded(void **state)
{
	struct rig *rig = rig_new(
		yaml_with("load:", "check: [{unique: {fields: [n], on_fail: warn}}]\nload:"), 2);

	(void)state;
	put_many(rig, 0, 3000);
	put_many(rig, 1, 10);
	rig->driver.env.memory_max = 100 * 1024;
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "span.state");
	assert_non_null(strstr(rig->run->error.message, "check unique holds"));
	assert_non_null(strstr(rig->run->error.message, "limits.memory"));
	NEED_STATE(rig, 0, ETL_WINDOW_FAILED);
	NEED_STATE(rig, 1, ETL_WINDOW_LOADED);
	rig_free(rig);
}

static void test_state_of_a_transform_is_bounded(void **state)
{
	struct rig *rig = rig_new(
		yaml_with("set: {station_id: '{station}'}", "aggregate: {every: 1s, mean: [v]}"), 2);

	(void)state;
	put_many(rig, 0, 3000);
	put_many(rig, 1, 10);
	rig->driver.env.memory_max = 100 * 1024;
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "span.state");
	assert_non_null(strstr(rig->run->error.message, "transform aggregate holds"));
	NEED_STATE(rig, 0, ETL_WINDOW_FAILED);
	NEED_STATE(rig, 1, ETL_WINDOW_LOADED);
	rig_free(rig);
}

/* A record above a share waits for the oversize place and is loaded. */
static void test_a_large_record_waits_for_its_turn(void **state)
{
	struct rig *rig = rig_new(NULL, 1);
	struct etl_buf body;

	(void)state;
	etl_buf_init(&body, 4 * 1024 * 1024);
	etl_buf_str(&body, "{\"data\":[{\"ts\":\"2024-01-01 00:10:00\",\"n\":1,\"v\":1,\"text\":\"");
	for (int i = 0; i < 1024 * 1024; i++)
		etl_buf_char(&body, 'x');
	etl_buf_str(&body, "\"}]}");
	service_say(rig, (struct scripted){.status = 200, .body = etl_buf_text(&body)});
	rig->driver.env.memory_max = 512 * 1024;
	rig->driver.piece_max = 16 * 1024;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->n, 1);
	assert_int_equal(rig->driver.memory_waits, 2); /* for a share, then for oversize */
	assert_int_equal(rig->run->parts[0]->memory, ETL_MEMORY_NONE); /* all of it given back */
	etl_buf_fini(&body);
	rig_free(rig);
}

static size_t most_held, held_at_restart;

static void note_memory(void *ctx, struct etl_run *run, struct etl_strand *strand)
{
	size_t held = etl_strand_held(strand);

	(void)ctx;
	(void)run;
	if (held > most_held)
		most_held = held;
	if (strand->part.last.kind == ETL_TRANSIENT && !held_at_restart)
		held_at_restart = held + 1;
}

/* A retry reads anew: while it waits, nothing of the last try is held. */
static void test_a_retry_holds_nothing(void **state)
{
	struct rig *rig = rig_new(NULL, 24);

	(void)state;
	for (int64_t h = 0; h < 24; h++)
		put_many(rig, h, 200);
	service_say(rig, (struct scripted){.status = 200, .cut = true, .kind = ETL_TRANSIENT});
	rig->driver.before_work = note_memory;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.timers, 1);
	assert_true(most_held > 256 * 1024);
	assert_int_equal(held_at_restart, 1); /* noted, and none */
	rig_free(rig);
}

/* A single window that does not fit goes in while it comes. */
static void test_spill(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 1h"), 1);

	(void)state;
	put_many(rig, 0, 3600);
	rig->driver.env.memory_max = 64 * 1024;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 1);
	assert_true(rig->driver.commits > 2);
	assert_int_equal(rig->target->n, 3600);
	assert_int_equal(rig->run->counts.in, 3600);
	assert_int_equal(rig->run->counts.out, 3600);
	assert_int_equal(rig->run->windows_changed, 1);
	assert_int_equal(entry_at(rig, "job", "a", 0).counts.out, 3600);
	assert_string_equal(entry_at(rig, "job", "a", 0).hash, "");
	NEED_STATE(rig, 0, ETL_WINDOW_LOADED);
	NEED_WATERMARK(rig, 1);
	rig_free(rig);
}

/* The answer breaks off after parts of it are in: the window is not closed. */
static void test_spill_cut(void **state)
{
	struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 1h"), 1);

	(void)state;
	put_many(rig, 0, 3600);
	rig->driver.env.memory_max = 64 * 1024;
	rig->job->retry_max = 0;
	service_say(rig, (struct scripted){.status = 200, .cut = true, .kind = ETL_TRANSIENT});
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_true(rig->target->n > 0);
	NEED_STATE(rig, 0, ETL_WINDOW_FAILED);
	NEED_WATERMARK(rig, 0);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->n, 3600);
	assert_int_equal(rig->target->updates, 0);
	rig_free(rig);
}

/* A full read of several slices: done is done only with the last. */
static void test_full_read_in_slices(void **state)
{
	struct rig *rig = rig_new(
		"schedule: {cron: '@hourly'}\n"
		"window: none\n"
		"extract:\n"
		"  http:\n"
		"    url: 'http://peer.test/'\n"
		"    records: /data\n"
		"    time: {field: ts, format: '%Y-%m-%d %H:%M:%S', timezone: UTC}\n"
		"load: {\"null\": {}}\n", 3);

	(void)state;
	for (int i = 0; i < 2500; i++)
		service_put(rig, "all", (etl_wall){T0 + i * 1000}, i);
	rig->target->write_fault = (struct target_fault){1, 1, ETL_PERMANENT, "target.full"};
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(watermark_of(rig, "job", "all").ms, 0);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->n, 2500);
	assert_int_equal(watermark_of(rig, "job", "all").ms,
		etl_now(&rig->driver.clock.clock).ms);
	rig_free(rig);
}

/* ---- upstream and dependants ------------------------------------------------------------- */

static const char daily_yaml[] =
	"schedule: {cron: '30 * * * *'}\n"
	"after: [job]\n"
	"partitions: {station: [a]}\n"
	"window: {size: 1d, settle: 10m, start: 2024-01-01}\n"
	"extract:\n"
	"  http:\n"
	"    url: 'http://peer.test/{station}'\n"
	"    query: {from: '{window.start:%Y%m%d%H}', to: '{window.end:%Y%m%d%H}'}\n"
	"    records: /data\n"
	"    time: {field: ts, format: '%Y-%m-%d %H:%M:%S', timezone: UTC}\n"
	"load: {\"null\": {}}\n";

static struct rig *rig_with_daily(int64_t now, struct etl_job **daily)
{
	struct rig *rig = rig_new(NULL, now);

	*daily = job_rig_add(&rig->jobs, "daily", daily_yaml);
	job_rig_link(&rig->jobs);
	service_fill(rig, "a", 0, now);
	return rig;
}

#define NOTHING_ASKED ((struct etl_window){0})

/* The run's record says what it waited for, as its partition does. */
static void need_recorded_reason(struct etl_run *run, const char *reason)
{
	bson_t record = BSON_INITIALIZER;
	bson_iter_t iter;

	etl_run_to_bson(run, &record);
	assert_true(bson_iter_init_find(&iter, &record, "reason"));
	assert_string_equal(bson_iter_utf8(&iter, NULL), reason);
	bson_destroy(&record);
}

static void test_blocked_and_released(void **state)
{
	struct etl_job *daily;
	struct rig *rig = rig_with_daily(49, &daily);

	(void)state;
	assert_int_equal(run_job(rig, daily, NOTHING_ASKED), ETL_RUN_BLOCKED);
	assert_int_equal(rig->driver.requests, 0);
	assert_int_equal(rig->run->windows_blocked, 2);
	assert_string_equal(rig->run->parts[0]->reason,
		"waits for window 2024-01-01T00:00:00Z of job/a");
	need_recorded_reason(rig->run, "waits for window 2024-01-01T00:00:00Z of job/a");
	rig->bad_from = hour(30).ms;
	rig->bad_to = hour(31).ms;
	NEED_RUN(rig, ETL_RUN_FAILED);
	/* The first day is complete, the second has a hole. */
	assert_int_equal(run_job(rig, daily, NOTHING_ASKED), ETL_RUN_OK);
	assert_int_equal(rig->run->windows.loaded, 1);
	assert_int_equal(rig->run->windows_blocked, 1);
	assert_non_null(strstr(rig->run->parts[0]->reason,
		"waits for window 2024-01-02T06:00:00Z of job/a, which is failed"));
	rig->bad_to = 0;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(run_job(rig, daily, NOTHING_ASKED), ETL_RUN_OK);
	assert_int_equal(watermark_of(rig, "daily", "a").ms, hour(48).ms);
	rig_free(rig);
}

static void test_changed_hour_makes_its_day_dirty(void **state)
{
	struct etl_job *daily;
	struct rig *rig = rig_with_daily(73, &daily);

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(run_job(rig, daily, NOTHING_ASKED), ETL_RUN_OK);
	assert_int_equal(run_job(rig, daily, NOTHING_ASKED), ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 0);
	service_put(rig, "a", (etl_wall){hour(30).ms + HOUR_MS / 2}, -1);
	assert_int_equal(run_job(rig, rig->job, (struct etl_window){hour(28), hour(33)}), ETL_RUN_OK);
	assert_int_equal(rig->run->windows_changed, 1);
	assert_false(entry_at(rig, "daily", "a", 0).dirty);
	assert_true(entry_at(rig, "daily", "a", 24).dirty);
	assert_false(entry_at(rig, "daily", "a", 48).dirty);
	assert_int_equal(run_job(rig, daily, NOTHING_ASKED), ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 1);
	assert_string_equal(rig->asked[0], "a 24+24");
	assert_false(entry_at(rig, "daily", "a", 24).dirty);
	rig_free(rig);
}

/* The mark comes while the dependant reads: its commit must not wipe it out. */
static void test_mark_between_plan_and_commit(void **state)
{
	struct etl_dirty_mark mark = {"daily", "a", {hour(0), hour(24)}};
	struct etl_job *daily;
	struct rig *rig = rig_with_daily(25, &daily);

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	rig->mark_at_commit = &mark;
	assert_int_equal(run_job(rig, daily, NOTHING_ASKED), ETL_RUN_OK);
	assert_true(entry_at(rig, "daily", "a", 0).dirty);
	assert_int_equal(entry_at(rig, "daily", "a", 0).state, ETL_WINDOW_LOADED);
	assert_int_equal(run_job(rig, daily, NOTHING_ASKED), ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 1);
	assert_false(entry_at(rig, "daily", "a", 0).dirty);
	rig_free(rig);
}

/* The marks of today's hours make an entry for a day that is not over: not due before. */
static void test_mark_of_an_open_day(void **state)
{
	struct etl_job *daily;
	struct rig *rig = rig_with_daily(30, &daily);

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(entry_at(rig, "daily", "a", 24).state, ETL_WINDOW_PENDING);
	assert_int_equal(run_job(rig, daily, NOTHING_ASKED), ETL_RUN_OK);
	assert_string_equal(rig->asked[0], "a 0+24");
	assert_int_equal(rig->driver.requests, 1);
	rig_free(rig);
}

/* 60 days that wait for hours: the upstream partition is asked once for all of them, for its
 * watermark and for what that leaves open; and once more for the words about the first. */
static void test_upstream_is_asked_once(void **state)
{
	struct etl_job *daily;
	struct rig *rig = rig_with_daily(24 * 60, &daily);

	(void)state;
	rig->job->window.max_span = ETL_DAYS(100);
	rig->bad_from = hour(30).ms;
	rig->bad_to = hour(31).ms;
	NEED_RUN(rig, ETL_RUN_FAILED);
	rig->bad_from = rig->bad_to = 0;
	count_questions(rig);
	run_job(rig, daily, NOTHING_ASKED);
	assert_int_equal(rig->run->windows_blocked, 1);
	assert_non_null(strstr(rig->run->parts[0]->reason, "waits for window 2024-01-02T06:00:00Z"));
	assert_true(marks <= 2);
	assert_true(scans <= 3); /* its own plan, the upstream's open part, the words */
	assert_int_equal(watermark_of(rig, "daily", "a").ms, hour(24).ms);
	rig_free(rig);
}

/* One partition is asked for: strands for what runs, not for what the job has. */
static void test_a_run_allocates_what_runs(void **state)
{
	struct rig *rig = rig_new(yaml_with("station: [a]", "station: [a, b, c]"), 1);
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_MANUAL, .partition = etl_strdup("b")};

	(void)state;
	rig->run = etl_run_new(rig->job, &rig->driver.env, 1, &trigger);
	assert_int_equal(driver_run(&rig->driver, rig->run, &rig->err), 0);
	assert_int_equal(rig->run->n_parts, 1);
	assert_string_equal(rig->run->parts[0]->partition->name, "b");
	assert_true(malloc_usable_size(etl_strand_of(rig->run->parts[0])) < 2 * sizeof(struct etl_strand));
	rig_free(rig);
}

/* An upstream job that ended for good: what lies behind its end is not waited for. */
static void test_upstream_with_an_end(void **state)
{
	struct etl_job *daily;
	struct rig *rig = rig_with_daily(73, &daily);

	(void)state;
	rig->job->window.end = hour(30);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(run_job(rig, daily, NOTHING_ASKED), ETL_RUN_OK);
	assert_int_equal(rig->run->windows_blocked, 0);
	assert_int_equal(watermark_of(rig, "daily", "a").ms, hour(72).ms);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_window),
		cmocka_unit_test(test_large_window_cut),
		cmocka_unit_test(test_many_windows),
		cmocka_unit_test(test_more_than_one_plan),
		cmocka_unit_test(test_bad_window_in_first_plan),
		cmocka_unit_test(test_too_many_asked),
		cmocka_unit_test(test_memory_halves),
		cmocka_unit_test(test_state_of_a_check_is_bounded),
		cmocka_unit_test(test_state_of_a_transform_is_bounded),
		cmocka_unit_test(test_a_large_record_waits_for_its_turn),
		cmocka_unit_test(test_a_retry_holds_nothing),
		cmocka_unit_test(test_a_year_is_asked_for_once),
		cmocka_unit_test(test_a_plan_reads_what_is_recent),
		cmocka_unit_test(test_old_marks_are_still_found),
		cmocka_unit_test(test_spill),
		cmocka_unit_test(test_spill_cut),
		cmocka_unit_test(test_full_read_in_slices),
		cmocka_unit_test(test_blocked_and_released),
		cmocka_unit_test(test_changed_hour_makes_its_day_dirty),
		cmocka_unit_test(test_mark_between_plan_and_commit),
		cmocka_unit_test(test_mark_of_an_open_day),
		cmocka_unit_test(test_upstream_with_an_end),
		cmocka_unit_test(test_upstream_is_asked_once),
		cmocka_unit_test(test_a_run_allocates_what_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
