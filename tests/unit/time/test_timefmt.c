/* SPDX-License-Identifier: MIT
 *
 * Time formats: what each directive reads, what is refused, zones, and round trips.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "time/civil.h"
#include "time/timefmt.h"
#include "time/zone.h"

static struct etl_timefmt compiled(const char *format)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_timefmt fmt;

	if (etl_timefmt_compile(format, &fmt, &err) != 0)
		fail_msg("%s", err.message);
	return fmt;
}

static bool read_as(
	const char *format, const char *text, const struct etl_zone *zone, etl_wall *t)
{
	struct etl_timefmt fmt = compiled(format);

	return etl_timefmt_parse(&fmt, text, strlen(text), zone, t);
}

static void reads(void **state)
{
	static const struct {
		const char *format, *text, *expected;
	} cases[] = {
		{"%Y-%m-%d %H:%M:%S", "2026-11-22 15:04:05", "2026-11-22T15:04:05Z"},
		{"%Y%m%d-%H%M", "20261122-1504", "2026-11-22T15:04:00Z"},
		{"%d/%m/%y", "22/11/68", "2068-11-22T00:00:00Z"},
		{"%d/%m/%y", "22/11/69", "1969-11-22T00:00:00Z"},
		{"%Y.%j", "2024.366", "2024-12-31T00:00:00Z"},
		{"%d %b %Y", "22 nov 2026", "2026-11-22T00:00:00Z"},
		{"%B %e, %Y", "NOVEMBER 2, 2026", "2026-11-02T00:00:00Z"},
		{"%b %e %Y", "Nov  2 2026", "2026-11-02T00:00:00Z"},
		{"%b %e %Y", "Nov 22 2026", "2026-11-22T00:00:00Z"},
		{"%Y-%m-%d %I:%M %p", "2026-11-22 12:30 AM", "2026-11-22T00:30:00Z"},
		{"%Y-%m-%d %I:%M %p", "2026-11-22 12:30 pm", "2026-11-22T12:30:00Z"},
		{"%Y-%m-%d %I:%M %p", "2026-11-22 03:30 PM", "2026-11-22T15:30:00Z"},
		{"%Y-%m-%dT%H:%M:%S.%f%z", "2026-11-22T15:04:05.5Z",
			"2026-11-22T15:04:05.500Z"},
		{"%Y-%m-%dT%H:%M:%S.%fZ", "2026-11-22T15:04:05.123456789Z",
			"2026-11-22T15:04:05.123Z"},
		{"%Y-%m-%dT%H:%M%z", "2026-11-22T15:04+05:30", "2026-11-22T09:34:00Z"},
		{"%Y-%m-%dT%H:%M%z", "2026-11-22T15:04-0530", "2026-11-22T20:34:00Z"},
		{"%Y-%m-%dT%H:%M%z", "2026-11-22T15:04+05", "2026-11-22T10:04:00Z"},
		{"%Y-%m-%d %H:%M %Z", "2026-11-22 15:04 GMT", "2026-11-22T15:04:00Z"},
		{"%s", "1795359600", "2026-11-22T15:00:00Z"},
		{"%s.%f", "1795359600.25", "2026-11-22T15:00:00.250Z"},
		{"@%s", "@-1", "1969-12-31T23:59:59Z"},
		{"100%% %Y-%m-%d", "100% 2026-11-22", "2026-11-22T00:00:00Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char got[ETL_TIME_TEXT_BYTES];
		etl_wall t;

		if (!read_as(cases[i].format, cases[i].text, NULL, &t))
			fail_msg("\"%s\" refused \"%s\"", cases[i].format, cases[i].text);
		etl_time_format_rfc3339(t, got);
		assert_string_equal(got, cases[i].expected);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *format, *text;
	} cases[] = {
		{"%Y-%m-%d", "2026-02-30"},
		{"%Y-%m-%d", "2023-02-29"},
		{"%Y-%m-%d", "2026-11-2"},
		{"%Y-%m-%d", "2026-11-022"},
		{"%Y-%m-%d", " 2026-11-22"},
		{"%Y-%m-%d", "2026-11-22 "},
		{"%Y-%m-%d", "2026/11/22"},
		{"%Y-%m-%d", "+026-11-22"},
		{"%Y-%m-%d", "0000-11-22"},
		{"%Y-%m-%d", ""},
		{"%Y-%m-%d %H", "2026-11-22 24"},
		{"%Y-%m-%d %H:%M:%S", "2026-11-22 15:04:60"},
		{"%Y-%m-%d %I %p", "2026-11-22 13 PM"},
		{"%Y-%m-%d %I %p", "2026-11-22 00 AM"},
		{"%Y-%j", "2023-366"},
		{"%Y-%j", "2023-000"},
		{"%Y-%m-%d %j", "2026-11-22 001"},
		{"%d %b %Y", "22 foo 2026"},
		{"%Y-%m-%d %f", "2026-11-22 "},
		{"%Y-%m-%d %f", "2026-11-22 1234567890"},
		{"%Y-%m-%d%z", "2026-11-22"},
		{"%Y-%m-%d%z", "2026-11-22+"},
		{"%Y-%m-%d%z", "2026-11-22+5"},
		{"%Y-%m-%d%z", "2026-11-22+05:3"},
		{"%Y-%m-%d%z", "2026-11-22+24:00"},
		{"%Y-%m-%d %Z", "2026-11-22 CET"},
		{"%s", "9999999999999"},
		{"%s", "-"},
		/* Formats that name no date. */
		{"%H:%M", "15:04"},
		{"%m-%d", "11-22"},
		{"%Y-%m-%d %I:%M", "2026-11-22 03:04"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		etl_wall t = {7};

		if (read_as(cases[i].format, cases[i].text, NULL, &t))
			fail_msg("\"%s\" accepted \"%s\"", cases[i].format, cases[i].text);
		assert_int_equal(t.ms, 7);
	}
}

static void errors(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_timefmt fmt;
	char text[200];

	(void)state;
	assert_int_equal(etl_timefmt_compile("%Y-%Q", &fmt, &err), -1);
	assert_int_equal(err.kind, ETL_CONFIG);
	assert_non_null(
		strstr(err.message, "unknown directive %Q in the time format (column 4)"));
	assert_int_equal(etl_timefmt_compile("%Y-%", &fmt, &err), -1);
	assert_string_equal(err.message, "the time format ends in a single % (column 4)");
	assert_int_equal(etl_timefmt_compile("", &fmt, &err), -1);
	memset(text, 'x', sizeof text);
	text[ETL_TIMEFMT_MAX + 1] = '\0';
	assert_int_equal(etl_timefmt_compile(text, &fmt, &err), -1);
	text[ETL_TIMEFMT_MAX] = '\0';
	assert_int_equal(etl_timefmt_compile(text, &fmt, &err), 0);
}

static void local_time(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"2026-07-01 12:00:00.5", "2026-07-01T10:00:00.500Z"},
		{"2024-03-31 02:30:00.5",
			"2024-03-31T01:00:00Z"}, /* gap: first instant after */
		{"2024-10-27 02:30:00.5", "2024-10-27T00:30:00.500Z"}, /* fold: first pass */
	};
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_zone_free) struct etl_zone *paris = etl_zone_load("Europe/Paris", &err);
	char got[ETL_TIME_TEXT_BYTES];
	etl_wall t;

	(void)state;
	assert_non_null(paris);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_true(read_as("%Y-%m-%d %H:%M:%S.%f", cases[i].text, paris, &t));
		etl_time_format_rfc3339(t, got);
		assert_string_equal(got, cases[i].expected);
	}
	/* An offset in the text wins over the zone. */
	assert_true(read_as("%Y-%m-%d %H%z", "2026-07-01 12Z", paris, &t));
	assert_int_equal(t.ms, INT64_C(1782907200000));
}

static void prints(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_zone_free) struct etl_zone *john =
		etl_zone_load("America/St_Johns", &err);
	struct etl_timefmt fmt =
		compiled("%Y %y %m %d %e %j %b %B %H %I %p %M %S %f %z %Z %s %%x");
	const char *utc = "2026 26 11 02 "
			  " 2 306 Nov November 15 03 PM 04 05 006 +0000 UTC 1793631845 %x";
	const char *local = "2026 26 11 02 "
			    " 2 306 Nov November 11 11 AM 34 05 006 -0330 -0330 1793631845 %x";
	etl_wall t = {1793631845006};
	char text[128];

	(void)state;
	assert_non_null(john);
	assert_int_equal(etl_timefmt_print(&fmt, t, NULL, text, sizeof text), strlen(utc));
	assert_string_equal(text, utc);
	assert_int_equal(etl_timefmt_print(&fmt, t, john, text, sizeof text), strlen(local));
	assert_string_equal(text, local);
	for (size_t size = 0; size <= strlen(utc); size++)
		assert_int_equal(etl_timefmt_print(&fmt, t, NULL, text, size), -1);
	assert_int_equal(etl_timefmt_print(&fmt, t, NULL, text, strlen(utc) + 1), strlen(utc));
	assert_int_equal(
		etl_timefmt_print(&fmt, (etl_wall){INT64_MAX}, NULL, text, sizeof text), -1);
	assert_int_equal(
		etl_timefmt_print(&fmt, (etl_wall){INT64_MIN}, john, text, sizeof text), -1);
}

static void round_trips(void **state)
{
	static const char *const formats[] = {"%Y-%m-%d %H:%M:%S.%f", "%d %B %Y %I:%M:%S.%f %p",
		"%j/%Y %H%M%S%f", "%s.%f", "%e %b %Y %H:%M:%S,%f", "%Y-%m-%dT%H:%M:%S.%f%z"};
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_zone_free) struct etl_zone *tokyo = etl_zone_load("Asia/Tokyo", &err);

	(void)state;
	assert_non_null(tokyo);
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		struct etl_timefmt fmt = compiled(formats[i]);

		/* From 1952 on: Tokyo had folds before. */
		for (int64_t ms = -550000000000; ms < INT64_C(250000000000000);
			ms += 912345678912) {
			const struct etl_zone *zone = ms % 2 ? tokyo : NULL;
			char text[128];
			etl_wall t;
			int n = etl_timefmt_print(
				&fmt, (etl_wall){ms}, zone, text, sizeof text);

			assert_true(n > 0);
			if (ms < 0 && strcmp(formats[i], "%s.%f") == 0)
				continue; /* "-2.250" is read as a whole number and a part */
			assert_true(etl_timefmt_parse(&fmt, text, (size_t)n, zone, &t));
			assert_int_equal(t.ms, ms);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(errors),
		cmocka_unit_test(local_time),
		cmocka_unit_test(prints),
		cmocka_unit_test(round_trips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
