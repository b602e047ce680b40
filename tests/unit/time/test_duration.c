/* SPDX-License-Identifier: MIT
 *
 * Durations: what is read, what is refused and why, and that printing reads back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "time/duration.h"

static void reads(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"90s", 90000},
		{"15m", 900000},
		{"1h30m", 5400000},
		{"7d", 604800000},
		{"250ms", 250},
		{"2w", 1209600000},
		{"0s", 0},
		{"1w2d3h4m5s6ms", 788645006},
		{"1m1ms", 60001},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *why = NULL;
		etl_dur d;

		assert_true(etl_duration_parse(cases[i].text, &d, &why));
		assert_int_equal(d.us, cases[i].ms * 1000);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"90", "needs a unit: "},
		{"1h30", "needs a unit: "},
		{"0", "needs a unit: "},
		{"", "a number with a unit"},
		{"s", "a number with a unit"},
		{"-5s", "may not be negative"},
		{"5 s", "unknown unit"},
		{"5s ", "unknown unit"},
		{"5x", "unknown unit"},
		{"1.5h", "unknown unit"},
		{"30m1h", "units go from large to small"},
		{"1h1h", "units go from large to small"},
		{"1ms1s", "units go from large to small"},
		{"99999999999999999999s", "too long"},
		{"9223372036854775807w", "too long"},
		{"9223372036854s9223372036854ms", "too long"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *why = NULL;
		etl_dur d = {7};

		assert_false(etl_duration_parse(cases[i].text, &d, &why));
		assert_non_null(why);
		if (strncmp(why, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("\"%s\": %s", cases[i].text, why);
		assert_int_equal(d.us, 7);
	}
}

static void prints(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{0, "0s"},
		{999, "0s"},
		{-999, "0s"},
		{250000, "250ms"},
		{5400000000, "1h30m"},
		{60001000, "1m1ms"},
		{-90000000, "-1m30s"},
		{691200000000, "8d"},
		{1209600000000, "2w"},
		{INT64_MAX, "106751991d4h54s775ms"},
		{INT64_MIN, "-106751991d4h54s775ms"},
	};
	char text[ETL_DURATION_TEXT_BYTES], small[4];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		etl_duration_format((etl_dur){cases[i].us}, text, sizeof text);
		assert_string_equal(text, cases[i].text);
	}
	etl_duration_format(ETL_MS(123456), small, sizeof small);
	assert_string_equal(small, "2m3");
}

static void prints_what_it_reads(void **state)
{
	(void)state;
	for (int64_t ms = 1; ms < INT64_C(1) << 50; ms = ms * 3 + 7) {
		char text[ETL_DURATION_TEXT_BYTES];
		const char *why;
		etl_dur d;

		etl_duration_format(ETL_MS(ms), text, sizeof text);
		assert_true(etl_duration_parse(text, &d, &why));
		assert_int_equal(d.us, ms * 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(prints),
		cmocka_unit_test(prints_what_it_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
