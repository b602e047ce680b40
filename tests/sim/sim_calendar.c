/* SPDX-License-Identifier: MIT
 *
 * Twenty years of slots, 2020 to 2040, in thirty zones: every change of the clock that the
 * zone files promise for these years, in zones that do it in odd ways (half an hour, two
 * hours, at midnight, backwards in winter, for Ramadan). Expected instants come from offsets
 * and a search, never from the calendar.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "time/calendar.h"
#include "time/civil.h"

#define FROM INT64_C(1577836800)  /* 2020-01-01T00:00:00 */
#define UNTIL INT64_C(2208988800) /* 2040-01-01T00:00:00 */
enum { DAY = 86400, HOUR = 3600, DAYS = (UNTIL - FROM) / DAY };

static const char *const zones[] = {"UTC", "Europe/Paris", "Europe/Dublin", "Europe/Istanbul",
	"Europe/Moscow", "Europe/Volgograd", "Atlantic/Azores", "America/New_York",
	"America/St_Johns", "America/Havana", "America/Sao_Paulo", "America/Asuncion",
	"America/Santiago", "America/Nuuk", "America/Scoresbysund", "Africa/Casablanca",
	"Africa/Cairo", "Africa/Juba", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Gaza",
	"Asia/Beirut", "Asia/Tehran", "Asia/Amman", "Australia/Lord_Howe",
	"Australia/Adelaide", "Pacific/Chatham", "Pacific/Apia", "Pacific/Norfolk",
	"Antarctica/Troll"};
enum { ZONES = sizeof zones / sizeof *zones };

static struct etl_zone *zone_of(const char *name)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_zone *zone = etl_zone_load(name, &err);

	if (!zone)
		fail_msg("%s", err.message);
	return zone;
}

static struct etl_calendar *calendar_of(const char *cron, const struct etl_zone *zone)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_calendar *calendar = etl_calendar_cron(cron, zone, &err);

	if (!calendar)
		fail_msg("%s: %s", cron, err.message);
	return calendar;
}

static int64_t offset_at(const struct etl_zone *zone, int64_t t)
{
	return etl_zone_offset(zone, (etl_wall){t * 1000}, NULL);
}

static int64_t local_at(const struct etl_zone *zone, int64_t t)
{
	return t + offset_at(zone, t);
}

static int64_t next_of(const struct etl_calendar *calendar, int64_t t)
{
	etl_wall next;

	assert_true(etl_calendar_next(calendar, (etl_wall){t * 1000}, &next));
	assert_int_equal(next.ms % 1000, 0);
	return next.ms / 1000;
}

static void fail_in(const char *law, const char *cron, const struct etl_zone *zone, int64_t t)
{
	char text[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339((etl_wall){t * 1000}, text);
	fail_msg("%s: \"%s\" in %s at %s", law, cron, etl_zone_name(zone), text);
}

/* Runs `law` in each zone. */
static int in_every_zone(void (*law)(const struct etl_zone *zone))
{
	for (int i = 0; i < ZONES; i++) {
		etl_cleanup(etl_zone_free) struct etl_zone *zone = zone_of(zones[i]);

		law(zone);
	}
	return ZONES;
}

/* ---- a wild hour follows elapsed time ---- */

/* Slots have a rhythm of `period` seconds, but where the clock moves by something else. */
static void check_rhythm(const char *cron, const struct etl_zone *zone, int64_t period)
{
	etl_cleanup(etl_calendar_free) struct etl_calendar *calendar = calendar_of(cron, zone);
	int64_t t = next_of(calendar, FROM), next;
	const int64_t phase = local_at(zone, t) % period;

	for (; t < UNTIL; t = next) {
		int64_t moved;

		next = next_of(calendar, t);
		if (next <= t)
			fail_in("does not ascend", cron, zone, t);
		if (local_at(zone, next) % period != phase)
			fail_in("not what the field says", cron, zone, next);
		moved = offset_at(zone, next) - offset_at(zone, t);
		if (moved % period == 0 ? next - t != period
					: next - t <= 0 || next - t >= 2 * period)
			fail_in("wrong gap before", cron, zone, next);
	}
}

static void hourly(const struct etl_zone *zone)
{
	check_rhythm("10 * * * *", zone, HOUR);
	check_rhythm("59 59 * * * *", zone, HOUR);
	check_rhythm("0 */1 * * *", zone, HOUR);
	/* Nobody moves by less than half an hour: this is exact in every zone. */
	check_rhythm("30 */30 * * * *", zone, HOUR / 2);
}

static void a_wild_hour_follows_elapsed_time(void **state)
{
	(void)state;
	assert_int_equal(in_every_zone(hourly), 30);
}

/* ---- a fixed hour comes once a day ---- */

/* The first instant at which the clock shows `local`, or jumps over it. */
static int64_t first_showing(const struct etl_zone *zone, int64_t local)
{
	int64_t low = local - 2 * DAY, high = local + 2 * DAY, best = INT64_MAX;

	for (int64_t near = local - DAY; near <= local + DAY; near += 6 * HOUR) {
		int64_t t = local - offset_at(zone, near);

		if (local_at(zone, t) == local && t < best)
			best = t;
	}
	if (best != INT64_MAX)
		return best;
	/* Jumped over: around it the clock only goes forward. */
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (local_at(zone, middle) < local)
			low = middle;
		else
			high = middle;
	}
	return high;
}

static bool any_day(int64_t day)
{
	return day >= 0;
}

static bool is_sunday(int64_t day)
{
	return etl_civil_weekday(day) == 0;
}

static bool is_monday(int64_t day)
{
	return etl_civil_weekday(day) == 1;
}

static bool is_last_of_month(int64_t day)
{
	int year, month, mday;

	etl_civil_from_days(day + 1, &year, &month, &mday);
	return mday == 1;
}

static bool is_second_friday(int64_t day)
{
	int year, month, mday;

	etl_civil_from_days(day, &year, &month, &mday);
	return etl_civil_weekday(day) == 5 && mday >= 8 && mday <= 14;
}

static bool is_leap_day(int64_t day)
{
	int year, month, mday;

	etl_civil_from_days(day, &year, &month, &mday);
	return month == 2 && mday == 29;
}

static const struct daily {
	const char *cron;
	int64_t second; /* of the day */
	bool (*day)(int64_t day);
} dailies[] = {
	{"0 0 * * *", 0, any_day},
	{"30 0 * * *", HOUR / 2, any_day},
	{"15 1 * * *", HOUR + 900, any_day},
	{"30 2 * * *", 2 * HOUR + 1800, any_day},
	{"20 5 3 * * *", 3 * HOUR + 320, any_day},
	{"59 59 23 * * *", DAY - 1, any_day},
	{"30 22 * * *", 22 * HOUR + 1800, any_day},
	{"0 12 * * *", 12 * HOUR, any_day},
	{"30 2 * * MON", 2 * HOUR + 1800, is_monday},
	{"@weekly", 0, is_sunday},
	{"30 1 L * *", HOUR + 1800, is_last_of_month},
	{"10 0 0 * * FRI#2", 10, is_second_friday},
	{"0 2 29 2 *", 2 * HOUR, is_leap_day},
};

/* Day by day: what comes next is the first showing on the next of its days. In Nuuk that can
 * be the midnight that follows: the clock jumps from 23:00 to 24:00. */
static void check_daily(const struct daily *d, const struct etl_zone *zone)
{
	etl_cleanup(etl_calendar_free) struct etl_calendar *calendar =
		calendar_of(d->cron, zone);
	int64_t t = first_showing(zone, FROM) - 1;

	for (int64_t day = FROM / DAY; day < UNTIL / DAY; day++) {
		if (!d->day(day))
			continue;
		t = next_of(calendar, t);
		if (t != first_showing(zone, day * DAY + d->second))
			fail_in("not the first showing on its next day", d->cron, zone, t);
	}
}

static void daily(const struct etl_zone *zone)
{
	for (size_t i = 0; i < sizeof dailies / sizeof *dailies; i++)
		check_daily(&dailies[i], zone);
}

static void a_fixed_hour_comes_once_on_each_day(void **state)
{
	(void)state;
	assert_int_equal(DAYS, 7305);
	assert_int_equal(in_every_zone(daily), 30);
}

/* Each hour of the wall by name: once, and hours that the clock jumps over fall together with
 * the one after them. */
static void hours_by_name(const struct etl_zone *zone)
{
	static const char cron[] = "0 0-23 * * *";
	etl_cleanup(etl_calendar_free) struct etl_calendar *calendar = calendar_of(cron, zone);
	int64_t t = first_showing(zone, FROM) - 1;

	for (int64_t local = FROM; local < UNTIL; local += HOUR) {
		int64_t expected = first_showing(zone, local);

		if (expected == t)
			continue;
		t = next_of(calendar, t);
		if (t != expected)
			fail_in("not the next hour", cron, zone, expected);
	}
}

static void hours_by_name_come_once(void **state)
{
	(void)state;
	assert_int_equal(in_every_zone(hours_by_name), 30);
}

/* ---- a rhythm knows no zone ---- */

static void every_is_exact(void **state)
{
	static const struct {
		int64_t every, offset; /* seconds */
	} rhythms[] = {{HOUR, 600}, {7 * DAY, 3 * DAY}, {900, 0}, {100 * 60 + 1, 59}, {DAY, DAY - 1}};
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof rhythms / sizeof *rhythms; i++) {
		const int64_t every = rhythms[i].every, offset = rhythms[i].offset;
		etl_cleanup(etl_calendar_free) struct etl_calendar *calendar =
			etl_calendar_every(ETL_SECONDS(every), ETL_SECONDS(offset), &err);
		int64_t t = (FROM / every - 1) * every + offset;

		assert_non_null(calendar);
		for (; t < UNTIL; t += every)
			assert_int_equal(next_of(calendar, t), t + every);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wild_hour_follows_elapsed_time),
		cmocka_unit_test(a_fixed_hour_comes_once_on_each_day),
		cmocka_unit_test(hours_by_name_come_once),
		cmocka_unit_test(every_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
