/* SPDX-License-Identifier: MIT
 *
 * What holds for every calendar, on random expressions in random zones, beside a predicate
 * "is this second a slot?" written down as the manual says it: the next slot lies after the
 * instant asked, is the same from wherever before it one asks, and none lies between. Any
 * instant is answered, and at once. The seed is printed; ETL_TEST_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "time/calendar.h"
#include "time/civil.h"
#include "time/cron.h"

#define FOLDER "/usr/share/zoneinfo/"
enum { ZONES = 40, DAY = 86400 };

static uint64_t random_state;
static struct etl_zone *zones[ZONES];

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static unsigned pick(unsigned n)
{
	return (unsigned)(random_next() >> 33) % n;
}

/* The odd ones by name, the others by lot from what the system has. */
static int load_zones(void **state)
{
	static const char *const odd[] = {"UTC", "Europe/Paris", "Europe/Dublin",
		"Australia/Lord_Howe", "Africa/Casablanca", "America/St_Johns", "Pacific/Apia",
		"Antarctica/Troll", "America/Havana", "Asia/Manila"};
	struct etl_error err = ETL_ERROR_INIT;
	const char *given = getenv("ETL_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)clock() * 2654435761u + 1;
	size_t n = 0;
	glob_t all;

	(void)state;
	print_message("seed %llu (ETL_TEST_SEED repeats it)\n", (unsigned long long)seed);
	random_state = seed ? seed : 1;
	for (; n < sizeof odd / sizeof *odd; n++)
		if (!(zones[n] = etl_zone_load(odd[n], &err)))
			return -1;
	if (glob(FOLDER "*/*", 0, NULL, &all) != 0)
		return -1;
	while (n < ZONES) {
		const char *name = all.gl_pathv[pick((unsigned)all.gl_pathc)] + strlen(FOLDER);
		struct etl_error ignored = ETL_ERROR_INIT;

		/* posix/ and right/ have folders in them, and there are lists of names. */
		if ((zones[n] = etl_zone_load(name, &ignored)) != NULL)
			n++;
	}
	globfree(&all);
	return 0;
}

static int free_zones(void **state)
{
	(void)state;
	for (int i = 0; i < ZONES; i++)
		etl_zone_free(zones[i]);
	return 0;
}

/* ---- random expressions ---- */

static void random_element(char *out, size_t size, unsigned low, unsigned high)
{
	unsigned span = high - low + 1, a = low + pick(span), b = low + pick(span);
	unsigned from = a < b ? a : b, to = a < b ? b : a;

	switch (pick(7)) {
	case 0:
		snprintf(out, size, "*");
		break;
	case 1:
		snprintf(out, size, "*/%u", 1 + pick(high));
		break;
	case 2:
		snprintf(out, size, "%u/%u", a, 1 + pick(high));
		break;
	case 3:
		snprintf(out, size, "%u-%u/%u", from, to, 1 + pick(high));
		break;
	case 4:
		snprintf(out, size, "%u-%u", from, to);
		break;
	default:
		snprintf(out, size, "%u", a);
		break;
	}
}

static void random_field(char *out, size_t size, unsigned low, unsigned high)
{
	static const char *const days[] = {"L", "1,L", "L,13-15"};
	static const char *const weekdays[] = {"5#2", "MON#1", "5L", "fri-SUN", "0#5,3", "7L,2#3"};
	static const char *const months[] = {"JAN", "feb", "NOV-DEC", "2"};
	unsigned count = 1 + (pick(4) == 0) * pick(4);

	*out = '\0';
	if (high == 31 && pick(4) == 0)
		snprintf(out, size, "%s", days[pick(3)]);
	else if (high == 7 && pick(3) == 0)
		snprintf(out, size, "%s", weekdays[pick(6)]);
	else if (high == 12 && pick(4) == 0)
		snprintf(out, size, "%s", months[pick(4)]);
	else
		for (; count; count--) {
			size_t n = strlen(out);

			if (n)
				out[n++] = ',';
			random_element(out + n, size - n, low, high);
		}
}

/* `wide`: day, month and weekday are mostly free, so that slots are near. */
static void random_cron(char *out, size_t size, bool wide)
{
	char f[6][64];

	random_field(f[0], sizeof f[0], 0, 59);
	random_field(f[1], sizeof f[1], 0, 59);
	random_field(f[2], sizeof f[2], 0, 23);
	random_field(f[3], sizeof f[3], 1, 31);
	random_field(f[4], sizeof f[4], 1, 12);
	random_field(f[5], sizeof f[5], 0, 7);
	for (int i = 3; wide && i < 6; i++)
		if (pick(5))
			snprintf(f[i], sizeof f[i], "*");
	if (pick(3))
		snprintf(f[0], sizeof f[0], " ");
	snprintf(out, size, "%s %s %s %s %s %s", f[0], f[1], f[2], f[3], f[4], f[5]);
}

static struct etl_calendar *calendar_of(
	const char *text, const struct etl_zone *zone, struct etl_cron *cron)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_calendar *calendar = etl_calendar_cron(text, zone, &err);

	if (!calendar || etl_cron_parse(text, cron, &err) != 0)
		fail_msg("%s: %s", text, err.message);
	return calendar;
}

/* ---- the predicate ---- */

static bool day_matches(const struct etl_cron *cron, int64_t day)
{
	int year, month, mday, last, weekday = etl_civil_weekday(day);
	uint8_t nth = cron->nth[weekday];
	bool by_day, by_week;

	etl_civil_from_days(day, &year, &month, &mday);
	last = etl_civil_month_days(year, month);
	by_day = (cron->day >> mday & 1) || (cron->day_last && mday == last);
	by_week = (cron->weekday >> weekday & 1) || (nth >> ((mday + 6) / 7) & 1) ||
		  ((nth & ETL_CRON_NTH_LAST) && mday + 7 > last);
	return (cron->month >> month & 1) &&
	       (cron->either_day ? by_day || by_week : by_day && by_week);
}

static int64_t day_of(int64_t local)
{
	return local / DAY - (local % DAY < 0);
}

static bool names_local(const struct etl_cron *cron, int64_t local)
{
	int64_t second = local - day_of(local) * DAY;

	return (cron->second >> second % 60 & 1) && (cron->minute >> second / 60 % 60 & 1) &&
	       (cron->hour >> second / 3600 & 1) && day_matches(cron, day_of(local));
}

static int64_t offset_at(const struct etl_zone *zone, int64_t t)
{
	return etl_zone_offset(zone, (etl_wall){t * 1000}, NULL);
}

static bool is_slot(const struct etl_cron *cron, const struct etl_zone *zone, int64_t t)
{
	int64_t offset = offset_at(zone, t), before = offset_at(zone, t - 1);
	etl_wall first, second;

	if (cron->wild_hour)
		return names_local(cron, t + offset);
	/* What the clock jumped over counts here. */
	for (int64_t local = t + before; local < t + offset; local++)
		if (names_local(cron, local))
			return true;
	etl_zone_to_utc(zone, t + offset, &first, &second);
	return first.ms == t * 1000 && names_local(cron, t + offset);
}

/* The next second worth a look: whole minutes of local time if slots have no seconds. */
static int64_t look_next(const struct etl_cron *cron, const struct etl_zone *zone, int64_t t)
{
	int64_t offset = offset_at(zone, t);
	int64_t next = t + 60 - ((t + offset) % 60 + 60) % 60;

	if (cron->second != 1 || offset_at(zone, next) != offset)
		return t + 1;
	return next;
}

/* ---- laws ---- */

static void fail_at(const char *law, const char *text, const struct etl_zone *zone, int64_t ms)
{
	fail_msg("%s: \"%s\" in %s at %lld ms", law, text, etl_zone_name(zone), (long long)ms);
}

/* The laws that need no predicate. False if there is no slot. */
static bool check_next(const char *text, const struct etl_calendar *calendar,
	const struct etl_zone *zone, etl_wall after, etl_wall *next)
{
	etl_wall again = {-77};
	uint64_t span;

	if (!etl_calendar_next(calendar, after, next)) {
		if (etl_calendar_next(calendar, after, &again) || again.ms != -77)
			fail_at("no slot, but an answer", text, zone, after.ms);
		return false;
	}
	if (next->ms <= after.ms)
		fail_at("does not ascend", text, zone, after.ms);
	if (next->ms % 1000 != 0)
		fail_at("not a whole second", text, zone, after.ms);
	if (!etl_calendar_next(calendar, (etl_wall){next->ms - 1}, &again) ||
		again.ms != next->ms)
		fail_at("not its own next", text, zone, after.ms);
	span = (uint64_t)next->ms - (uint64_t)after.ms;
	again.ms = (int64_t)((uint64_t)after.ms + random_next() % span);
	if (!etl_calendar_next(calendar, again, &again) || again.ms != next->ms)
		fail_at("depends on where one asks from", text, zone, after.ms);
	return true;
}

/* Most of them near a change of the clock, a third so near that they may lie between the two
 * passes of an hour. */
static int64_t random_start(const struct etl_zone *zone)
{
	int64_t t = (int64_t)(random_next() % (UINT64_C(250) * 366 * DAY)) -
		    INT64_C(90) * 366 * DAY;
	etl_wall change;
	unsigned near = pick(3);

	if (near && etl_zone_next_transition(zone, (etl_wall){t * 1000}, &change))
		t = change.ms / 1000 + (near == 1 ? 7200 - (int64_t)pick(14400) : -(int64_t)pick(2 * DAY));
	return t;
}

static void no_slot_lies_between(void **state)
{
	unsigned looked = 0;

	(void)state;
	for (int i = 0; i < 400; i++) {
		const struct etl_zone *zone = zones[pick(ZONES)];
		etl_cleanup(etl_calendar_free) struct etl_calendar *calendar = NULL;
		int64_t t = random_start(zone), end = t + 3 * DAY;
		struct etl_cron cron;
		char text[512];

		random_cron(text, sizeof text, true);
		calendar = calendar_of(text, zone, &cron);
		for (int budget = 5000; t < end && budget; budget--) {
			etl_wall next = {INT64_MAX};

			check_next(text, calendar, zone, (etl_wall){t * 1000}, &next);
			for (t = look_next(&cron, zone, t); t < end && budget; budget--) {
				if (t * 1000 >= next.ms)
					break;
				if (is_slot(&cron, zone, t))
					fail_at("left out", text, zone, t * 1000);
				t = look_next(&cron, zone, t);
				looked++;
			}
			if (t * 1000 < next.ms)
				break;
			t = next.ms / 1000;
			if (!is_slot(&cron, zone, t))
				fail_at("not a slot", text, zone, next.ms);
		}
	}
	print_message("looked at %u instants between slots\n", looked);
	assert_in_range(looked, 50000, UINT32_MAX);
}

/* Samoa had no 30 December 2011. */
static bool is_skipped(const struct etl_zone *zone, int64_t day)
{
	etl_wall first, second;

	return etl_zone_to_utc(zone, day * DAY, &first, &second) == ETL_LOCAL_GAP &&
	       etl_zone_to_utc(zone, day * DAY + DAY - 1, &first, &second) == ETL_LOCAL_GAP;
}

/* Whole days over the years of a long wait, for expressions that are rare or impossible. */
static void no_day_lies_between(void **state)
{
	unsigned never = 0;

	(void)state;
	for (int i = 0; i < 1500; i++) {
		const struct etl_zone *zone = zones[pick(ZONES)];
		etl_cleanup(etl_calendar_free) struct etl_calendar *calendar = NULL;
		int64_t t = random_start(zone), last;
		etl_wall next;
		struct etl_cron cron;
		char text[512];

		random_cron(text, sizeof text, false);
		calendar = calendar_of(text, zone, &cron);
		if (check_next(text, calendar, zone, (etl_wall){t * 1000}, &next)) {
			last = day_of(next.ms / 1000 + offset_at(zone, next.ms / 1000));
			/* A gap may have moved it by a day. */
			if (!day_matches(&cron, last) && !day_matches(&cron, last - 1))
				fail_at("not its day", text, zone, next.ms);
		} else {
			last = day_of(t) + INT64_C(40) * 365;
			never++;
		}
		for (int64_t day = day_of(t) + 2; day < last - 1; day++)
			if (day_matches(&cron, day) && !(cron.wild_hour && is_skipped(zone, day)))
				fail_at("left out", text, zone, day * DAY * 1000);
	}
	print_message("%u expressions never match\n", never);
	assert_in_range(never, 1, 700);
}

/* Of any size: as many small as large, and the very edges. */
static int64_t random_instant(void)
{
	switch (pick(16)) {
	case 0:
		return INT64_MIN + pick(3);
	case 1:
		return INT64_MAX - pick(3);
	case 2:
		return ETL_CIVIL_SECONDS_MIN * 1000 + (int64_t)pick(4 * DAY) * 1000;
	case 3:
		return ETL_CIVIL_SECONDS_MAX * 1000 - (int64_t)pick(4 * DAY) * 1000;
	default:
		return (int64_t)random_next() >> pick(60);
	}
}

static void any_instant_is_answered(void **state)
{
	static const char *const hard[] = {"0 0 30 2 *", "0 0 31 4,6,9,11 *", "* * * 30 2 *",
		"0 0 */31 * 5#2", "* * * */31 * 1#3", "0 0 29 2 */7", "* * 0-23 * * *",
		"* * * * * *", "59 59 23 31 12 *"};

	(void)state;
	for (int i = 0; i < 20000; i++) {
		const struct etl_zone *zone = zones[pick(ZONES)];
		etl_cleanup(etl_calendar_free) struct etl_calendar *calendar = NULL;
		struct etl_cron cron;
		char text[512];
		etl_wall next;

		random_cron(text, sizeof text, false);
		if (pick(4) == 0)
			snprintf(text, sizeof text, "%s", hard[pick(sizeof hard / sizeof *hard)]);
		calendar = calendar_of(text, zone, &cron);
		check_next(text, calendar, zone, (etl_wall){random_instant()}, &next);
	}
}

static void a_rhythm_is_exact(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t every = 1000 + (int64_t)(random_next() >> (12 + pick(50))) % (INT64_MAX / 2000);
		int64_t offset = (int64_t)(random_next() % (uint64_t)every);
		struct etl_error err = ETL_ERROR_INIT;
		etl_cleanup(etl_calendar_free) struct etl_calendar *calendar =
			etl_calendar_every(ETL_MS(every), ETL_MS(offset), &err);
		etl_wall after = {random_instant()}, next, again;

		if (!calendar)
			fail_msg("%lld + %lld: %s", (long long)every, (long long)offset,
				err.message);
		if (!etl_calendar_next(calendar, after, &next)) {
			assert_true(after.ms > INT64_MAX - every);
			continue;
		}
		assert_true(next.ms > after.ms);
		assert_true((uint64_t)next.ms - (uint64_t)after.ms <= (uint64_t)every);
		assert_int_equal((next.ms % every - offset) % every, 0);
		if (etl_calendar_next(calendar, next, &again))
			assert_int_equal(again.ms - next.ms, every);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_slot_lies_between),
		cmocka_unit_test(no_day_lies_between),
		cmocka_unit_test(any_instant_is_answered),
		cmocka_unit_test(a_rhythm_is_exact),
	};

	return cmocka_run_group_tests(tests, load_zones, free_zones);
}
