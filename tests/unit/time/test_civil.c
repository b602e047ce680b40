/* SPDX-License-Identifier: MIT
 *
 * Calendar dates: every day of 9999 years in a row, and RFC 3339 both ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "time/civil.h"

static void every_day_in_a_row(void **state)
{
	int64_t day = etl_civil_days(1, 1, 1);
	int weekday = 1; /* 0001-01-01 was a Monday */

	(void)state;
	assert_int_equal(day * 86400, ETL_CIVIL_SECONDS_MIN);
	for (int y = 1; y <= 9999; y++)
		for (int m = 1; m <= 12; m++)
			for (int d = 1; d <= etl_civil_month_days(y, m); d++, day++) {
				int year, month, mday;

				etl_civil_from_days(day, &year, &month, &mday);
				if (year != y || month != m || mday != d ||
					etl_civil_days(y, m, d) != day ||
					etl_civil_weekday(day) != weekday)
					fail_msg("%d-%d-%d", y, m, d);
				weekday = (weekday + 1) % 7;
			}
	assert_int_equal(day * 86400 - 1, ETL_CIVIL_SECONDS_MAX);
}

static void known_days(void **state)
{
	struct etl_civil c = {2026, 11, 22, 15, 0, 0, 250};

	(void)state;
	assert_int_equal(etl_civil_days(1970, 1, 1), 0);
	assert_int_equal(etl_civil_days(2000, 3, 1), 11017);
	assert_int_equal(etl_civil_weekday(etl_civil_days(2026, 11, 22)), 0);
	assert_int_equal(etl_civil_to_utc(&c).ms, INT64_C(1795359600250));
	etl_civil_from_utc((etl_wall){-1}, &c);
	assert_int_equal(c.year, 1969);
	assert_int_equal(c.second, 59);
	assert_int_equal(c.ms, 999);
	assert_true(etl_civil_is_leap(2000) && !etl_civil_is_leap(1900));
}

static void reads_rfc3339(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"2026-11-22T15:00:00Z", 1795359600000},
		{"2026-11-22t15:00:00z", 1795359600000},
		{"2026-11-22 16:00:00+01:00", 1795359600000},
		{"2026-11-22T09:30:00.5-05:30", 1795359600500},
		{"2026-11-22T15:00:00.123999999Z", 1795359600123},
		{"1969-12-31T23:59:59.999Z", -1},
		{"0001-01-01T00:00:00Z", -62135596800000},
	};
	static const char *const bad[] = {"", "2026-11-22", "2026-11-22T15:00:00",
		"2026-11-22T15:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
		"2026-11-22T24:00:00Z", "2026-11-22T15:00:60Z", "2026-11-22T15:00:00.Z",
		"2026-11-22T15:00:00.1234567891Z", "2026-11-22T15:00:00+0100",
		"2026-11-22T15:00:00+24:00", "2026-11-22T15:00:00Z ", " 2026-11-22T15:00:00Z",
		"0000-01-01T00:00:00Z", "2026-1-22T15:00:00Z", "2026-11-22T15:00:00+1:00"};
	etl_wall t;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(etl_time_parse_rfc3339(good[i].text, strlen(good[i].text), &t));
		assert_int_equal(t.ms, good[i].ms);
	}
	t.ms = 7;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (etl_time_parse_rfc3339(bad[i], strlen(bad[i]), &t))
			fail_msg("accepted \"%s\"", bad[i]);
	/* Every cut of a good one, and a NUL where a sign may stand. */
	for (size_t len = 0; len < 20; len++)
		assert_false(etl_time_parse_rfc3339("2026-11-22T15:00:00Z", len, &t));
	assert_false(etl_time_parse_rfc3339("2026-11-22T15:00:00\0", 20, &t));
	assert_false(etl_time_parse_rfc3339("2026-11-22\00015:00:00Z", 20, &t));
	assert_int_equal(t.ms, 7);
}

static void reads_dates(void **state)
{
	etl_wall t = {7};

	(void)state;
	assert_false(etl_time_parse_date("2026-11-31", 10, &t));
	assert_false(etl_time_parse_date("2026-11-22T", 11, &t));
	assert_false(etl_time_parse_date("2026-11-2", 9, &t));
	assert_int_equal(t.ms, 7);
	assert_true(etl_time_parse_date("2024-02-29", 10, &t));
	assert_int_equal(t.ms, INT64_C(1709164800000));
}

static void reads_what_people_type(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* -1 = no time */
	} rows[] = {{"2026-11-22", 1795305600}, {"2026-11-22T15:00:00Z", 1795359600},
		{"2026-11-22T15:00Z", 1795359600}, {"2026-11-22T15:00", 1795359600},
		{"2026-11-22 15:00:00", 1795359600}, {"2026-11-22T16:00+01:00", 1795359600}, {"", -1},
		{"yesterday", -1}, {"2026-11-22T15", -1}, {"2026-11-31", -1}, {"2026-11-22T25:00Z", -1}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		etl_wall t = {0};
		bool ok = etl_time_parse(rows[i].text, &t);

		if (ok != (rows[i].seconds >= 0) || (ok && t.ms != rows[i].seconds * 1000))
			fail_msg("%s: %lld", rows[i].text, (long long)t.ms);
	}
}

static void prints_rfc3339(void **state)
{
	char text[ETL_TIME_TEXT_BYTES];

	(void)state;
	etl_time_format_rfc3339((etl_wall){1795359600000}, text);
	assert_string_equal(text, "2026-11-22T15:00:00Z");
	etl_time_format_rfc3339((etl_wall){-1}, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
	etl_time_format_rfc3339((etl_wall){INT64_MAX}, text);
	assert_memory_equal(text, "9999-12-31T23:59:59", 19);
	etl_time_format_rfc3339((etl_wall){INT64_MIN}, text);
	assert_memory_equal(text, "0001-01-01T00:00:00", 19);
	for (int64_t ms = -62135596800000; ms < INT64_C(253402300800000); ms += 98765432123) {
		etl_wall t;

		etl_time_format_rfc3339((etl_wall){ms}, text);
		assert_true(etl_time_parse_rfc3339(text, strlen(text), &t));
		assert_int_equal(t.ms, ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_day_in_a_row),
		cmocka_unit_test(known_days),
		cmocka_unit_test(reads_rfc3339),
		cmocka_unit_test(reads_dates),
		cmocka_unit_test(reads_what_people_type),
		cmocka_unit_test(prints_rfc3339),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
