/* SPDX-License-Identifier: MIT
 *
 * The rule of `after`: what of a window an upstream partition has to have closed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/cover.h"

#define T0 INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define HOUR_MS INT64_C(3600000)

static etl_wall hour(int64_t h)
{
	return (etl_wall){T0 + h * HOUR_MS};
}

static struct etl_window hours(int64_t from, int64_t until)
{
	return (struct etl_window){hour(from), hour(until)};
}

static const struct etl_window_rules hourly = {
	.grid = {.start = {T0}, .size = ETL_HOURS(1)},
	.settle = {INT64_C(600000000)},
};

static bool by_mark(const struct etl_window_rules *rules, const struct etl_watermark *mark,
	struct etl_window window)
{
	struct etl_cover cover;

	etl_cover_begin(&cover, rules, mark, &window);
	return etl_cover_is_full(&cover);
}

static void test_what_the_watermark_says(void **state)
{
	const struct etl_watermark mark = {.origin = hour(2), .processed = hour(10)};

	(void)state;
	assert_true(by_mark(&hourly, &mark, hours(9, 10)));
	assert_true(by_mark(&hourly, &mark, hours(2, 10)));
	assert_false(by_mark(&hourly, &mark, hours(9, 11)));
	assert_false(by_mark(&hourly, &mark, hours(1, 3))); /* before its origin it closed nothing */
	assert_false(by_mark(&hourly, NULL, hours(9, 10))); /* it never ran */
}

static void test_what_never_comes(void **state)
{
	struct etl_window_rules rules = hourly;
	const struct etl_watermark mark = {.origin = hour(4), .processed = hour(5)};

	(void)state;
	rules.grid.start = hour(4);
	assert_true(by_mark(&rules, NULL, hours(2, 4)));  /* before its start */
	assert_false(by_mark(&rules, NULL, hours(2, 5))); /* reaches into it */
	rules.end = hour(6);
	assert_true(by_mark(&rules, &mark, hours(6, 7))); /* behind its end, which it has not reached */
	assert_false(by_mark(&rules, &mark, hours(5, 8)));
	rules.end.ms += HOUR_MS / 2; /* no whole window fits behind 06:00 */
	assert_true(by_mark(&rules, &mark, hours(6, 7)));
}

/* A mark is made by the first claim; only a read moves it. */
static void test_a_job_without_windows(void **state)
{
	const struct etl_window_rules none = {.none = true};
	const struct etl_watermark claimed = {.processed = {0}}, read = {.processed = hour(1)};
	const struct etl_window whole = {{0}, {0}};

	(void)state;
	assert_false(by_mark(&none, NULL, hours(9, 10)));
	assert_false(by_mark(&none, &claimed, hours(9, 10)));
	assert_false(by_mark(&none, &claimed, whole));
	assert_true(by_mark(&none, &read, hours(9, 10))); /* once is enough */
	assert_true(by_mark(&none, &read, whole));
	assert_true(by_mark(&hourly, NULL, whole)); /* a full read waits for no window */
}

static void test_windows_of_the_ledger(void **state)
{
	static const struct {
		struct {
			int from, until;
			enum etl_window_state state;
		} entries[3];
		int n;
		int covered; /* hours, of [10, 12) */
		bool is_hole;
	} rows[] = {
		{{{0}}, 0, 10, false},
		{{{10, 11, ETL_WINDOW_LOADED}, {11, 12, ETL_WINDOW_EMPTY}}, 2, 12, false},
		{{{10, 11, ETL_WINDOW_LOADED}}, 1, 11, false},
		{{{11, 12, ETL_WINDOW_LOADED}}, 1, 10, false},
		{{{10, 11, ETL_WINDOW_FAILED}, {11, 12, ETL_WINDOW_LOADED}}, 2, 10, true},
		{{{10, 11, ETL_WINDOW_LOADED}, {11, 12, ETL_WINDOW_HELD}}, 2, 11, true},
		{{{11, 12, ETL_WINDOW_FAILED}}, 1, 10, false}, /* the hole is before it */
		{{{9, 10, ETL_WINDOW_FAILED}, {10, 12, ETL_WINDOW_LOADED}}, 2, 12, false},
		{{{8, 11, ETL_WINDOW_LOADED}, {11, 14, ETL_WINDOW_LOADED}}, 2, 14, false},
		{{{10, 11, ETL_WINDOW_UNRECOVERABLE}, {11, 12, ETL_WINDOW_SKIPPED}}, 2, 12, false},
		{{{10, 12, ETL_WINDOW_RUNNING}, {10, 12, ETL_WINDOW_LOADED}}, 2, 10, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct etl_window window = hours(10, 12);
		struct etl_cover cover;
		bool is_hole = false;

		etl_cover_begin(&cover, &hourly, NULL, &window);
		for (int k = 0; k < rows[i].n; k++)
			is_hole |= !etl_cover_add(&cover,
				hours(rows[i].entries[k].from, rows[i].entries[k].until),
				rows[i].entries[k].state);
		if (cover.covered.ms != hour(rows[i].covered).ms || is_hole != rows[i].is_hole)
			fail_msg("row %zu: covered to %lld, %s", i,
				(long long)((cover.covered.ms - T0) / HOUR_MS), is_hole ? "hole" : "none");
		assert_int_equal(etl_cover_is_full(&cover), rows[i].covered >= 12);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_watermark_says),
		cmocka_unit_test(test_what_never_comes),
		cmocka_unit_test(test_a_job_without_windows),
		cmocka_unit_test(test_windows_of_the_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
