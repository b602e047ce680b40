/* SPDX-License-Identifier: MIT
 *
 * Facts from a store in memory: what is due beyond the first list of a plan, what a run would
 * give up, chains of jobs and their cap, records of runs. That the answer is what a run does is
 * proven on the real daemon (tests/system/test_why.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "state/run_record.h"
#include "tell/explain.h"

#define T0 INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define HOUR_MS INT64_C(3600000)
#define RUN "0197c5d2-7a10-7b3c-9f00-4f1c2a9b3d5e"

static const char *const no_names[] = {NULL};
static struct etl_partition whole[] = {{.name = "all"}};
static struct etl_clock_virtual clock_;
static struct etl_state *store;

static etl_wall hour(int64_t h)
{
	return (etl_wall){T0 + h * HOUR_MS};
}

static struct etl_window window(int64_t h)
{
	return (struct etl_window){hour(h), hour(h + 1)};
}

static struct etl_job hourly(const char *name)
{
	return (struct etl_job){.name = name, .partition_names = no_names, .partitions = whole,
		.n_partitions = 1, .host = "", .window = {.grid = {.start = hour(0), .size = ETL_HOURS(1)}}};
}

static int setup(void **state)
{
	(void)state;
	etl_clock_virtual_init(&clock_, hour(100000));
	store = etl_state_memory_new(&clock_.clock);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	store->ops->free(store);
	return 0;
}

static void mark(const char *job, int64_t h, enum etl_window_state as, const char *reason)
{
	struct etl_ledger_entry entry = {.window = window(h), .state = as, .attempt = 1};
	struct etl_watermark watermark;
	struct etl_error err = ETL_ERROR_INIT;

	snprintf(entry.reason, sizeof entry.reason, "%s", reason);
	snprintf(entry.run_id, sizeof entry.run_id, "%s", RUN);
	assert_int_equal(store->ops->watermark_claim(store, job, "all", 1, hour(0), HOUR_MS, &watermark,
				 &err), 0);
	assert_int_equal(store->ops->ledger_mark(store, job, "all", 1, &entry, 1, &err), 0);
}

static struct etl_why_window explain(const struct etl_job *job, int64_t h, int64_t now)
{
	struct etl_why_window out = {0};
	struct etl_error err = ETL_ERROR_INIT;

	assert_int_equal(etl_explain_window(store, job, whole, window(h), hour(now), &out, &err), 0);
	return out;
}

/* A plan lists 10,000 windows; the window asked for lies in the third list. */
static void test_windows_beyond_the_first_list(void **state)
{
	struct etl_job job = hourly("far");
	struct etl_why_window out = explain(&job, 25000, 26000);
	struct etl_why_owed owed;
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	assert_true(out.due && !out.has_entry && !out.has_mark);
	assert_int_equal(out.why, ETL_DUE_NEW);
	out = explain(&job, 26000, 26000); /* is not over */
	assert_false(out.due);
	assert_int_equal(etl_explain_owed(store, &job, hour(26000), &owed, &err), 0);
	assert_int_equal(owed.n, ETL_DUE_MAX);
	assert_true(owed.more);
	assert_int_equal(owed.oldest.start.ms, hour(0).ms);
	assert_int_equal(etl_explain_owed(store, &job, hour(5), &owed, &err), 0);
	assert_int_equal(owed.n, 5);
	assert_false(owed.more);
	assert_int_equal(owed.looked, 1);
}

static void test_entries_and_what_the_source_lost(void **state)
{
	struct etl_job job = hourly("kept");
	struct etl_why_window out;

	(void)state;
	mark("kept", 3, ETL_WINDOW_FAILED, "HTTP 500");
	mark("kept", 4, ETL_WINDOW_SKIPPED, "manually");
	out = explain(&job, 3, 10);
	assert_true(out.has_entry && out.due && !out.lost && out.has_mark);
	assert_int_equal(out.why, ETL_DUE_OPEN);
	assert_string_equal(out.entry.reason, "HTTP 500");
	out = explain(&job, 4, 10);
	assert_true(out.has_entry && !out.due);
	job.window.retention = ETL_HOURS(6); /* at 10: what ends by 4 is gone */
	assert_true(explain(&job, 3, 10).lost);
	assert_false(explain(&job, 4, 10).lost);
	assert_false(explain(&job, 5, 10).lost);
	assert_true(explain(&job, 5, 10).due);
}

/* Six jobs in a row: the chain is told as far as there is room, the nearest first. */
static void test_chains(void **state)
{
	enum { JOBS = 6 };
	static const char *const names[JOBS] = {"j0", "j1", "j2", "j3", "j4", "j5"};
	struct etl_job jobs[JOBS];
	const struct etl_job *upstream[JOBS];
	struct etl_why_window out;
	struct etl_why_owed owed;
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = hourly(names[i]);
		upstream[i] = i ? &jobs[i - 1] : NULL;
		jobs[i].upstream = &upstream[i];
		jobs[i].n_upstream = i > 0;
	}
	out = explain(&jobs[5], 2, 10);
	assert_true(out.due);
	assert_int_equal(out.n_links, ETL_WHY_LINKS);
	for (size_t i = 0; i < out.n_links; i++) {
		assert_ptr_equal(out.links[i].job, &jobs[4 - i]);
		assert_int_equal(out.links[i].window.start.ms, hour(2).ms);
		assert_true(out.links[i].is_final);
		assert_string_equal(out.links[i].why, "");
	}
	mark("j0", 2, ETL_WINDOW_FAILED, "HTTP 500");
	out = explain(&jobs[2], 2, 10);
	assert_int_equal(out.n_links, 2);
	assert_string_equal(out.links[1].why, "failed: HTTP 500");
	mark("j1", 2, ETL_WINDOW_SKIPPED, "manually"); /* closed: nothing is waited for any more */
	assert_int_equal(explain(&jobs[2], 2, 10).n_links, 0);
	jobs[1].window.settle = ETL_HOURS(20);
	out = explain(&jobs[2], 3, 10);
	assert_false(out.links[0].is_final);
	assert_int_equal(etl_explain_owed(store, &jobs[2], hour(10), &owed, &err), 0);
	assert_int_equal(owed.blocked.start.ms, hour(0).ms);
	assert_ptr_equal(owed.links[0].job, &jobs[1]);
}

/* What is written of a run is what is read. */
static void test_a_record_comes_back(void **state)
{
	struct etl_run_record record = {.run_id = RUN, .job = "a", .trigger = "manual", .state = "failed",
		.reason = "why", .cause = "uid 7", .host = "h", .slot = hour(1), .started = hour(2),
		.ended = hour(3), .window = window(4), .windows.failed = 5, .windows.lost = 6};
	struct etl_why_run run;
	bson_t doc = BSON_INITIALIZER;

	(void)state;
	record.passed_over.first = hour(0);
	record.passed_over.last = hour(1);
	record.passed_over.slots = 2;
	record.passed_over.code = etl_skip_word(ETL_SKIP_QUEUE);
	etl_run_record_to_bson(&record, &doc);
	etl_explain_run(&doc, &run);
	assert_string_equal(run.run_id, RUN);
	assert_string_equal(run.trigger, "manual");
	assert_string_equal(run.cause, "uid 7");
	assert_string_equal(run.reason, "why");
	assert_string_equal(run.code, "");
	assert_int_equal(run.slot.ms, hour(1).ms);
	assert_int_equal(run.ended.ms, hour(3).ms);
	assert_int_equal(run.asked.end.ms, hour(5).ms);
	assert_int_equal(run.windows_failed, 5);
	assert_int_equal(run.windows_lost, 6);
	assert_int_equal(run.passed_over.code, ETL_SKIP_QUEUE);
	assert_int_equal(run.passed_over.first.ms, hour(0).ms);
	assert_int_equal(run.passed_over.slots, 2);
	bson_destroy(&doc);
	bson_init(&doc); /* of an etld that knew nothing of all this */
	etl_explain_run(&doc, &run);
	assert_string_equal(run.state, "");
	assert_int_equal(run.passed_over.last.ms, 0);
	assert_int_equal(run.passed_over.code, ETL_SKIP_MAX);
	bson_destroy(&doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_windows_beyond_the_first_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entries_and_what_the_source_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chains, setup, teardown),
		cmocka_unit_test(test_a_record_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
