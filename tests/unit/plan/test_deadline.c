/* SPDX-License-Identifier: MIT
 *
 * Deadlines: what their text may be, and which window is due first, by when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "plan/deadline.h"

#define T0 INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define HOUR_MS INT64_C(3600000)

static etl_wall hour(int64_t h)
{
	return (etl_wall){T0 + h * HOUR_MS};
}

static void test_texts(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* 0 = refused */
		const char *why;
	} rows[] = {
		{"window.end + 20m", 1200, NULL},
		{"window.end+20m", 1200, NULL},
		{"window.end   +   1h30m", 5400, NULL},
		{"window.end", 0, "'window.end + ' and a length"},
		{"window.end 20m", 0, "'window.end + ' and a length"},
		{"window.end - 20m", 0, "'window.end + ' and a length"},
		{"window.start + 20m", 0, "'window.end + ' and a length"},
		{"window.ending + 20m", 0, "'window.end + ' and a length"},
		{"20m", 0, "'window.end + ' and a length"},
		{"", 0, "'window.end + ' and a length"},
		{"window.end + 0s", 0, "zero"},
		{"window.end + 20", 0, "unit"},
		{"window.end + 20m ", 0, ""},
		{"window.end + ", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *why = "";
		etl_dur got = {-1};
		bool ok = etl_deadline_parse(rows[i].text, &got, &why);

		if (ok != (rows[i].seconds > 0))
			fail_msg("'%s' is %s", rows[i].text, ok ? "taken" : why);
		assert_int_equal(got.us, ok ? ETL_SECONDS(rows[i].seconds).us : -1);
		if (!ok && !strstr(why, rows[i].why))
			fail_msg("'%s': wanted '%s' in '%s'", rows[i].text, rows[i].why, why);
	}
}

static const struct etl_window_rules hourly = {
	.grid = {.start = {T0}, .size = ETL_HOURS(1)},
	.settle = {INT64_C(600000000)},
};

static void test_the_window_at_the_watermark(void **state)
{
	static const struct {
		int64_t mark_minutes, start; /* of the window, in hours; -1 = none */
		int64_t end;		     /* of all windows, in hours; 0 = no end */
	} rows[] = {
		{0, 0, 0},
		{60, 1, 0},
		{24 * 60, 24, 0},
		{-600, 0, 0},  /* of an earlier start: what lies before the new one is not due */
		{90, 1, 0},    /* of another grid: the window that holds it */
		{60, 1, 2},
		{120, -1, 2},  /* all there will ever be is closed */
		{180, -1, 2},
		{0, -1, -1},   /* an end before the first window */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct etl_window_rules rules = hourly;
		etl_wall mark = {T0 + rows[i].mark_minutes * 60000};
		struct etl_deadline d;
		bool found;

		if (rows[i].end)
			rules.end = rows[i].end < 0 ? (etl_wall){T0 + 60000} : hour(rows[i].end);
		found = etl_deadline_next(&rules, ETL_MINUTES(20), mark, &d);
		assert_int_equal(found, rows[i].start >= 0);
		if (!found)
			continue;
		assert_int_equal(d.window.start.ms, hour(rows[i].start).ms);
		assert_int_equal(d.window.end.ms, hour(rows[i].start + 1).ms);
		assert_int_equal(d.due.ms, d.window.end.ms + 20 * 60000);
	}
}

static void test_nothing_to_miss(void **state)
{
	const struct etl_window_rules none = {.none = true};
	struct etl_deadline d;

	(void)state;
	assert_false(etl_deadline_next(&hourly, ETL_MINUTES(20), (etl_wall){0}, &d)); /* it never ran */
	assert_false(etl_deadline_next(&hourly, (etl_dur){0}, hour(5), &d)); /* no deadline */
	assert_false(etl_deadline_next(&none, ETL_MINUTES(20), hour(5), &d));
}

static void test_missed_from_the_instant_on(void **state)
{
	struct etl_deadline d;

	(void)state;
	assert_true(etl_deadline_next(&hourly, ETL_MINUTES(20), hour(5), &d));
	assert_false(etl_deadline_is_missed(&d, (etl_wall){hour(6).ms + 20 * 60000 - 1}));
	assert_true(etl_deadline_is_missed(&d, (etl_wall){hour(6).ms + 20 * 60000}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_the_window_at_the_watermark),
		cmocka_unit_test(test_nothing_to_miss),
		cmocka_unit_test(test_missed_from_the_instant_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
