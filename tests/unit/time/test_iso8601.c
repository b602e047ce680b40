/* SPDX-License-Identifier: MIT
 *
 * ISO 8601: each way of writing one instant, what is none, and all days of 400 years as week
 * and ordinal dates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "time/civil.h"
#include "time/iso8601.h"

static void test_ways_of_writing(void **state)
{
	static const struct {
		const char *text, *utc;
	} ways[] = {
		{"2026-11-20T10:00:00.977+0100", "2026-11-20T09:00:00.977Z"},
		{"2026-11-20T10:00Z", "2026-11-20T10:00:00Z"},
		{"2026-11-20T10:00:00+01", "2026-11-20T09:00:00Z"},
		{"2026-11-20T10:00:00-05:30", "2026-11-20T15:30:00Z"},
		{"2026-11-20T10:00:00\xe2\x88\x92" "05:00", "2026-11-20T15:00:00Z"},
		{"2026-11-20 10:00:00 +0100", "2026-11-20T09:00:00Z"},
		{"2026-11-20t10:00:00z", "2026-11-20T10:00:00Z"},
		{"20261120T100000Z", "2026-11-20T10:00:00Z"},
		{"20261120T1000+01", "2026-11-20T09:00:00Z"},
		{"20261120T10Z", "2026-11-20T10:00:00Z"},
		{"2026-11-20T10", "2026-11-20T10:00:00Z"},
		{"2026-11-20T10:00:00,5", "2026-11-20T10:00:00.500Z"},
		{"2026-11-20T10:00:00.1234567891234", "2026-11-20T10:00:00.123Z"},
		{"2026-11-20T10:30.5Z", "2026-11-20T10:30:30Z"},
		{"2026-11-20T10.25Z", "2026-11-20T10:15:00Z"},
		{"2026-11-20T24:00:00Z", "2026-11-21T00:00:00Z"},
		{"2026-12-31T24:00", "2027-01-01T00:00:00Z"},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
		{"2026-11-20", "2026-11-20T00:00:00Z"},
		{"20261120", "2026-11-20T00:00:00Z"},
		{"2026-11", "2026-11-01T00:00:00Z"},
		{"2026-W47-5T10:00Z", "2026-11-20T10:00:00Z"},
		{"2026W475", "2026-11-20T00:00:00Z"},
		{"2026-W47", "2026-11-16T00:00:00Z"},
		{"2026-324T10Z", "2026-11-20T10:00:00Z"},
		{"2026324", "2026-11-20T00:00:00Z"},
		{"2020-W53-7", "2021-01-03T00:00:00Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct etl_iso8601 iso;
		char utc[ETL_TIME_TEXT_BYTES];
		etl_wall t;

		if (!etl_iso8601_parse(ways[i].text, strlen(ways[i].text), &iso))
			fail_msg("'%s' is not read", ways[i].text);
		t.ms = iso.local.ms - (int64_t)iso.offset * 1000;
		etl_time_format_rfc3339(t, utc);
		assert_string_equal(utc, ways[i].utc);
		for (size_t cut = 0; cut < strlen(ways[i].text); cut++) /* no read beyond the end */
			etl_iso8601_parse(ways[i].text, cut, &iso);
	}
}

static void test_what_is_none(void **state)
{
	static const char *const none[] = {"", "2026", "202611", "2026-13-01", "2026-02-29",
		"2026-11-20T", "2026-11-20T25:00", "2026-11-20T24:01", "2026-11-20T24:00:00.1",
		"2026-11-20T10:60", "2026-11-20T10:00:61", "2026-11-20T10:30:60",
			"2026-11-20T1000:00",
		"2026-11-20T10:0000", "2026-11-20T10:00:00.", "2026-11-20T10:00:00+1",
		"2026-11-20T10:00:00+24:00", "2026-11-20T10:00:00+01:60", "2026-11-20T10:00:00Zx",
		"2026-11-20T10:00:00 ", "2026-11-20  10:00", " 2026-11-20", "2026-1-2", "2026-11-2",
		"2026-W00", "2026-W54", "2021-W53", "2026-W47-0", "2026-W47-8", "2026-000",
			"2026-366",
		"0000-01-01", "2026-1120", "202611-20", "10:00", "20261120T", "2026-W4",
			"-2026-11-20",
		"2026-11-20T10:00:00+01:00:00", "2026-11-20T10:00:00UTC"};

	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		struct etl_iso8601 iso;

		if (etl_iso8601_parse(none[i], strlen(none[i]), &iso))
			fail_msg("'%s' was read", none[i]);
	}
}

/* Each day has one week date; counted up beside the calendar, Monday by Monday. */
static void test_every_day_of_400_years(void **state)
{
	int64_t day = etl_civil_days(2000, 1, 3); /* Monday of 2000-W01 */
	int year = 2000, week = 1;

	(void)state;
	while (year < 2400) {
		int y, m, d;
		char text[32];
		struct etl_iso8601 iso;

		for (int k = 0; k < 7; k++) {
			snprintf(text, sizeof text, "%04d-W%02d-%d", year, week, k + 1);
			assert_true(etl_iso8601_parse(text, strlen(text), &iso));
			assert_int_equal(iso.local.ms, (day + k) * INT64_C(86400000));
			etl_civil_from_days(day + k, &y, &m, &d);
			snprintf(text, sizeof text, "%04d-%03d", y,
				(int)(day + k - etl_civil_days(y, 1, 1)) + 1);
			assert_true(etl_iso8601_parse(text, strlen(text), &iso));
			assert_int_equal(iso.local.ms, (day + k) * INT64_C(86400000));
		}
		day += 7;
		/* A week belongs to the year of its Thursday. */
		etl_civil_from_days(day + 3, &y, &m, &d);
		week = y == year ? week + 1 : 1;
		year = y;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways_of_writing),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_every_day_of_400_years),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
