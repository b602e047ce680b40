/* SPDX-License-Identifier: MIT
 *
 * Calendars: the cron language, its error texts, days of month and week, and daylight saving
 * time in zones that do it in odd ways. Expected instants were worked out by hand. What holds
 * for every expression is in test_calendar_laws.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "time/calendar.h"
#include "time/civil.h"

static etl_wall at(const char *text)
{
	etl_wall t;

	assert_true(etl_time_parse_rfc3339(text, strlen(text), &t));
	return t;
}

static struct etl_zone *zone_of(const char *name)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_zone *zone = etl_zone_load(name, &err);

	if (!zone)
		fail_msg("%s", err.message);
	return zone;
}

/* The slots after `from` are `expected`, a list divided by blanks. */
static void slots(
	const char *cron, const char *zone_name, const char *from, const char *expected)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_zone_free) struct etl_zone *zone = zone_of(zone_name);
	etl_cleanup(etl_calendar_free) struct etl_calendar *calendar =
		etl_calendar_cron(cron, zone, &err);
	char got[512] = "", text[ETL_TIME_TEXT_BYTES];
	etl_wall t = at(from);

	if (!calendar)
		fail_msg("%s", err.message);
	while (strlen(got) < strlen(expected)) {
		assert_true(etl_calendar_next(calendar, t, &t));
		etl_time_format_rfc3339(t, text);
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", *got ? " " : "",
			text);
	}
	assert_string_equal(got, expected);
}

static void language(void **state)
{
	(void)state;
	slots("10 * * * *", "UTC", "2026-11-22T15:10:00Z",
		"2026-11-22T16:10:00Z 2026-11-22T17:10:00Z");
	slots("10 * * * *", "UTC", "2026-11-22T15:09:59.999Z", "2026-11-22T15:10:00Z");
	slots("*/20 0 12 * * *", "UTC", "2026-11-22T12:00:00Z",
		"2026-11-22T12:00:20Z 2026-11-22T12:00:40Z 2026-11-23T12:00:00Z");
	slots("5/25 8-10/2 * jan,DEC *", "UTC", "2026-11-22T00:00:00Z",
		"2026-12-01T08:05:00Z 2026-12-01T08:30:00Z 2026-12-01T08:55:00Z "
		"2026-12-01T10:05:00Z");
	slots("0 0 * * FRI-SUN", "UTC", "2026-11-22T15:00:00Z",
		"2026-11-27T00:00:00Z 2026-11-28T00:00:00Z 2026-11-29T00:00:00Z "
		"2026-12-04T00:00:00Z");
	slots("0 0 * * 7-2", "UTC", "2026-11-22T15:00:00Z",
		"2026-11-23T00:00:00Z 2026-11-24T00:00:00Z 2026-11-29T00:00:00Z");
	slots("0 0 * * 7", "UTC", "2026-11-22T15:00:00Z", "2026-11-29T00:00:00Z");
	slots("0 0 * * 0", "UTC", "2026-11-22T15:00:00Z", "2026-11-29T00:00:00Z");
	slots("@hourly", "UTC", "2026-11-22T15:00:00Z", "2026-11-22T16:00:00Z");
	slots("@daily", "UTC", "2026-11-22T15:00:00Z", "2026-11-23T00:00:00Z");
	slots("@midnight", "UTC", "2026-11-22T15:00:00Z", "2026-11-23T00:00:00Z");
	slots("@weekly", "UTC", "2026-11-22T15:00:00Z", "2026-11-29T00:00:00Z");
	slots("@monthly", "UTC", "2026-11-22T15:00:00Z", "2026-12-01T00:00:00Z");
	slots("@yearly", "UTC", "2026-11-22T15:00:00Z", "2027-01-01T00:00:00Z");
	slots("@annually", "UTC", "2026-11-22T15:00:00Z", "2027-01-01T00:00:00Z");
}

static void days(void **state)
{
	(void)state;
	slots("0 0 L * *", "UTC", "2028-01-31T00:00:00Z",
		"2028-02-29T00:00:00Z 2028-03-31T00:00:00Z 2028-04-30T00:00:00Z");
	slots("0 9 * * 5#2", "UTC", "2026-11-22T00:00:00Z",
		"2026-12-11T09:00:00Z 2027-01-08T09:00:00Z");
	slots("0 9 * * MON#5", "UTC", "2026-11-22T00:00:00Z",
		"2026-11-30T09:00:00Z 2027-03-29T09:00:00Z");
	slots("0 9 * * 5L", "UTC", "2026-11-22T00:00:00Z",
		"2026-11-27T09:00:00Z 2026-12-25T09:00:00Z");
	/* Both restricted: either. */
	slots("0 0 13 * 5", "UTC", "2026-11-07T00:00:00Z",
		"2026-11-13T00:00:00Z 2026-11-20T00:00:00Z 2026-11-27T00:00:00Z "
		"2026-12-04T00:00:00Z "
		"2026-12-11T00:00:00Z 2026-12-13T00:00:00Z");
	/* A star with a step is not restricted: both. 29 February on a Sunday. */
	slots("0 0 29 2 */7", "UTC", "2004-02-29T00:00:00Z", "2032-02-29T00:00:00Z");
	slots("0 0 29 2 */7", "UTC", "1880-02-29T00:00:00Z", "1920-02-29T00:00:00Z");
}

static void never(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	static const char *const texts[] = {"0 0 30 2 *", "0 0 31 4,6,9,11 *", "30 2 30 2 *",
		"* * 30 2 *"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		etl_cleanup(etl_calendar_free) struct etl_calendar *calendar =
			etl_calendar_cron(texts[i], NULL, &err);
		etl_wall t = {77};

		assert_non_null(calendar);
		assert_false(etl_calendar_next(calendar, at("2026-11-22T00:00:00Z"), &t));
		assert_int_equal(t.ms, 77);
	}
}

static void ends_with_the_calendar(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_calendar_free) struct etl_calendar *calendar =
		etl_calendar_cron("* * * * *", NULL, &err);
	etl_wall t;

	(void)state;
	assert_false(etl_calendar_next(calendar, (etl_wall){INT64_MAX}, &t));
	assert_true(etl_calendar_next(calendar, (etl_wall){INT64_MIN}, &t));
	assert_false(etl_calendar_next(calendar, at("9999-12-31T23:59:59Z"), &t));
}

static void errors_name_field_and_column(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"0 25 * * *", "cron: hour: 25 is out of range 0-23 (column 3)"},
		{"60 * * * *", "cron: minute: 60 is out of range 0-59 (column 1)"},
		{"0 0 0 * *", "cron: day of month: 0 is out of range 1-31 (column 5)"},
		{"0 0 1-32 * *", "cron: day of month: 32 is out of range 1-31 (column 7)"},
		{"* * * FOO *", "cron: month: a number is due, not \"FOO\" (column 7)"},
		{"* * * * 8", "cron: day of week: 8 is out of range 0-7 (column 9)"},
		{"*/0 * * * *", "cron: minute: 0 is out of range 1-59 (column 3)"},
		{"*/90 * * * *", "cron: minute: 90 is out of range 1-59 (column 3)"},
		{"5-1 * * * *", "cron: minute: the range 5-1 runs backwards; as two it is 5-59,0-1 "
				"(column 1)"},
		{"* * 22-4 * *", "cron: day of month: the range 22-4 runs backwards; as two it "
				 "is 22-31,1-4 (column 5)"},
		{"* * * * FRI-MON", "cron: day of week: the range FRI-MON runs backwards; as "
				    "two it is 5-6,0-1 (column 9)"},
		{"1,,2 * * * *", "cron: minute: a number is due, not \",\" (column 3)"},
		{"* * * * 5#6", "cron: day of week: 6 is out of range 1-5 (column 11)"},
		{"* * * * MONDAY", "cron: day of week: unexpected \"D\" (column 12)"},
		{"99999999999999999999 * * * *",
			"cron: minute: 99999999999999999999 is out of range 0-59 (column 1)"},
		{"* * * *", "cron: 4 fields instead of 5 (minute hour day month weekday) or 6 "
			    "(second "
			    "first)"},
		{"", "cron: 0 fields instead of 5 (minute hour day month weekday) or 6 (second "
		     "first)"},
		{"@reboot", "cron: unknown word \"@reboot\"; there are @hourly @daily "
			    "@midnight @weekly "
			    "@monthly @yearly @annually"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_error err = ETL_ERROR_INIT;

		assert_null(etl_calendar_cron(cases[i].text, NULL, &err));
		assert_int_equal(err.kind, ETL_CONFIG);
		assert_string_equal(err.message, cases[i].message);
	}
}

/* Paris: gap 2024-03-31 02:00-03:00 (01:00Z), fold 2024-10-27 02:00-03:00 (00:00Z, 01:00Z). */
static void paris(void **state)
{
	(void)state;
	slots("30 2 * * *", "Europe/Paris", "2024-03-29T12:00:00Z",
		"2024-03-30T01:30:00Z 2024-03-31T01:00:00Z 2024-04-01T00:30:00Z");
	slots("0,30 2 * * *", "Europe/Paris", "2024-03-30T12:00:00Z",
		"2024-03-31T01:00:00Z 2024-04-01T00:00:00Z");
	slots("15 2,3 * * *", "Europe/Paris", "2024-03-30T12:00:00Z",
		"2024-03-31T01:00:00Z 2024-03-31T01:15:00Z 2024-04-01T00:15:00Z");
	slots("30 2 * * *", "Europe/Paris", "2024-10-26T12:00:00Z",
		"2024-10-27T00:30:00Z 2024-10-28T01:30:00Z");
	/* Asked between the passes, and inside the second one. */
	slots("30 2 * * *", "Europe/Paris", "2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z");
	slots("30 2 * * *", "Europe/Paris", "2024-10-27T01:10:00Z", "2024-10-28T01:30:00Z");
	slots("30 1-3 * * *", "Europe/Paris", "2024-10-26T23:00:00Z",
		"2024-10-26T23:30:00Z 2024-10-27T00:30:00Z 2024-10-27T02:30:00Z");
	slots("30 * * * *", "Europe/Paris", "2024-03-30T23:59:00Z",
		"2024-03-31T00:30:00Z 2024-03-31T01:30:00Z");
	slots("30 * * * *", "Europe/Paris", "2024-10-26T23:59:00Z",
		"2024-10-27T00:30:00Z 2024-10-27T01:30:00Z 2024-10-27T02:30:00Z");
	slots("0 */2 * * *", "Europe/Paris", "2024-03-30T22:59:00Z",
		"2024-03-30T23:00:00Z 2024-03-31T02:00:00Z");
	slots("0 */2 * * *", "Europe/Paris", "2024-10-26T21:59:00Z",
		"2024-10-26T22:00:00Z 2024-10-27T00:00:00Z 2024-10-27T01:00:00Z "
		"2024-10-27T03:00:00Z");
	/* Far beyond the file's own table. */
	slots("30 2 * * *", "Europe/Paris", "2444-03-26T12:00:00Z",
		"2444-03-27T01:00:00Z 2444-03-28T00:30:00Z");
}

/* Lord Howe moves by half an hour: gap 02:00-02:30 on 2024-10-06 (2024-10-05T15:30Z), fold
 * 01:30-02:00 on 2024-04-07 (14:30Z and 15:00Z of the 6th). */
static void lord_howe(void **state)
{
	(void)state;
	slots("15 2 * * *", "Australia/Lord_Howe", "2024-10-05T00:00:00Z",
		"2024-10-05T15:30:00Z 2024-10-06T15:15:00Z");
	slots("45 1 * * *", "Australia/Lord_Howe", "2024-04-06T00:00:00Z",
		"2024-04-06T14:45:00Z 2024-04-07T15:15:00Z");
	slots("45 * * * *", "Australia/Lord_Howe", "2024-04-06T14:00:00Z",
		"2024-04-06T14:45:00Z 2024-04-06T15:15:00Z 2024-04-06T16:15:00Z");
	slots("15 * * * *", "Australia/Lord_Howe", "2024-10-05T14:50:00Z",
		"2024-10-05T16:15:00Z 2024-10-05T17:15:00Z");
}

/* Casablanca goes back for Ramadan: fold 02:00-03:00 on 2024-03-10 (01:00Z, 02:00Z), gap
 * 02:00-03:00 on 2024-04-14 (02:00Z). */
static void casablanca(void **state)
{
	(void)state;
	slots("30 2 * * *", "Africa/Casablanca", "2024-03-09T12:00:00Z",
		"2024-03-10T01:30:00Z 2024-03-11T02:30:00Z");
	slots("30 2 * * *", "Africa/Casablanca", "2024-04-13T12:00:00Z",
		"2024-04-14T02:00:00Z 2024-04-15T01:30:00Z");
	slots("30 * * * *", "Africa/Casablanca", "2024-03-10T01:00:00Z",
		"2024-03-10T01:30:00Z 2024-03-10T02:30:00Z 2024-03-10T03:30:00Z");
}

/* Samoa left out 30 December 2011 altogether. */
static void a_day_left_out(void **state)
{
	(void)state;
	slots("0 9 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z",
		"2011-12-29T19:00:00Z 2011-12-30T10:00:00Z 2011-12-30T19:00:00Z");
	slots("0 */6 * * *", "Pacific/Apia", "2011-12-30T03:00:00Z",
		"2011-12-30T04:00:00Z 2011-12-30T10:00:00Z");
}

static void every(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_calendar_free) struct etl_calendar *calendar =
		etl_calendar_every(ETL_HOURS(1), ETL_MINUTES(10), &err);
	etl_wall t;

	(void)state;
	assert_true(etl_calendar_next(calendar, at("2026-11-22T15:10:00Z"), &t));
	assert_int_equal(t.ms, at("2026-11-22T16:10:00Z").ms);
	assert_true(etl_calendar_next(calendar, at("2026-11-22T15:09:59.999Z"), &t));
	assert_int_equal(t.ms, at("2026-11-22T15:10:00Z").ms);
	assert_true(etl_calendar_next(calendar, at("1969-12-31T23:00:00Z"), &t));
	assert_int_equal(t.ms, at("1969-12-31T23:10:00Z").ms);
	assert_true(etl_calendar_next(calendar, (etl_wall){INT64_MIN}, &t));
	assert_false(etl_calendar_next(calendar, (etl_wall){INT64_MAX}, &t));
	assert_null(etl_calendar_every(ETL_HOURS(1), ETL_HOURS(1), &err));
	assert_string_equal(err.message, "`offset` must be shorter than `every`");
	assert_null(etl_calendar_every(ETL_HOURS(1), ETL_MS(-1), &err));
	assert_null(etl_calendar_every(ETL_MS(999), ETL_MS(0), &err));
	assert_null(etl_calendar_every((etl_dur){1000001}, ETL_MS(0), &err));
	assert_int_equal(err.kind, ETL_CONFIG);
}

/* The examples of calendar.c: the search within a day, the weekdays of a month, a rhythm from the epoch. */
static void examples(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_calendar_free) struct etl_calendar *tens =
		etl_calendar_every(ETL_MINUTES(10), ETL_MINUTES(3), &err);
	etl_wall t;

	(void)state;
	slots("0,30 2,3 * * *", "UTC", "2026-10-01T02:31:00Z", "2026-10-01T03:00:00Z");
	slots("0 0 * * 5", "UTC", "2026-10-01T00:00:00Z",
		"2026-10-02T00:00:00Z 2026-10-09T00:00:00Z 2026-10-16T00:00:00Z 2026-10-23T00:00:00Z "
		"2026-10-30T00:00:00Z");
	slots("0 0 * * 5#2", "UTC", "2026-10-01T00:00:00Z", "2026-10-09T00:00:00Z");
	slots("0 0 * * 5L", "UTC", "2026-10-01T00:00:00Z", "2026-10-30T00:00:00Z");
	slots("0 0 * * 5L", "UTC", "2024-02-01T00:00:00Z", "2024-02-23T00:00:00Z");
	assert_true(etl_calendar_next(tens, at("2026-10-01T00:00:00Z"), &t));
	assert_int_equal(t.ms, at("2026-10-01T00:03:00Z").ms);
	assert_true(etl_calendar_next(tens, t, &t));
	assert_int_equal(t.ms, at("2026-10-01T00:13:00Z").ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(language),
		cmocka_unit_test(days),
		cmocka_unit_test(never),
		cmocka_unit_test(ends_with_the_calendar),
		cmocka_unit_test(errors_name_field_and_column),
		cmocka_unit_test(paris),
		cmocka_unit_test(lord_howe),
		cmocka_unit_test(casablanca),
		cmocka_unit_test(a_day_left_out),
		cmocka_unit_test(every),
		cmocka_unit_test(examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
