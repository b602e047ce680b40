/* SPDX-License-Identifier: MIT
 *
 * Grids beside an oracle that knows no numbers of days: it goes from one change of the clocks to the
 * next until it finds the first instant of a date. Random zones, starts, steps and years; the seed is
 * printed, ETL_TEST_SEED repeats a run. Before that, what the manual says of odd days, word by word.
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

#include "time/civil.h"
#include "time/grid.h"

#define FOLDER "/usr/share/zoneinfo/"
#define DAY_S  INT64_C(86400)
enum { ZONES = 60, TRIES = 40, POINTS = 50 };

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

static struct etl_zone *zone_of(const char *name)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_zone *zone = etl_zone_load(name, &err);

	if (!zone)
		fail_msg("%s", err.message);
	return zone;
}

/* The odd ones by name, the others by lot from what the system has. */
static int load_zones(void **state)
{
	static const char *const odd[] = {"UTC", "Europe/Paris", "Africa/Cairo", "America/Santiago",
		"America/St_Johns", "Asia/Beirut", "Pacific/Apia", "Pacific/Kwajalein", "America/Juneau",
		"Asia/Manila", "America/Havana", "America/Sao_Paulo", "Africa/Casablanca",
		"Antarctica/Troll"};
	const char *given = getenv("ETL_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)clock() * 2654435761u + 1;
	size_t n = 0;
	glob_t all;

	(void)state;
	print_message("seed %llu (ETL_TEST_SEED repeats it)\n", (unsigned long long)seed);
	random_state = seed ? seed : 1;
	for (; n < sizeof odd / sizeof *odd; n++)
		zones[n] = zone_of(odd[n]);
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

/* ---- the oracle ---------------------------------------------------------------------------- */

/* The first instant at which clocks show this date or a later one. */
static etl_wall day_begins(const struct etl_zone *zone, int64_t day)
{
	int64_t at = (day - 4) * DAY_S;

	for (;;) {
		int64_t seconds = day * DAY_S - etl_zone_offset(zone, (etl_wall){at * 1000}, NULL);
		int64_t found = seconds > at ? seconds : at;
		etl_wall change;

		if (!etl_zone_next_transition(zone, (etl_wall){at * 1000}, &change) ||
			found * 1000 < change.ms)
			return (etl_wall){found * 1000};
		at = change.ms / 1000;
	}
}

/* ---- words of the manual ------------------------------------------------------------------- */

static etl_wall at(const char *text)
{
	etl_wall t;

	if (!etl_time_parse(text, &t))
		fail_msg("'%s'", text);
	return t;
}

static struct etl_grid grid_of(const struct etl_zone *zone, const char *start, const char *step)
{
	struct etl_grid_step s;
	struct etl_grid grid;
	const char *why;

	assert_true(etl_grid_step_parse(step, &s, &why));
	if (!etl_grid_init(&grid, at(start), s, zone))
		fail_msg("%s is no start of %s in %s", start, step, etl_zone_name(zone));
	return grid;
}

static void test_odd_days(void **state)
{
	static const struct {
		const char *zone, *step, *start, *within, *begins, *ends;
	} rows[] = {
		{"Europe/Paris", "1d", "2026-01-01T00:00+01:00", "2026-03-29T12:00Z", "2026-03-28T23:00Z",
			"2026-03-29T22:00Z"}, /* 23 hours */
		{"Europe/Paris", "1d", "2026-01-01T00:00+01:00", "2026-10-25T22:59Z", "2026-10-24T22:00Z",
			"2026-10-25T23:00Z"}, /* 25 hours */
		{"Africa/Cairo", "1d", "2024-01-01T00:00+02:00", "2024-04-26T12:00Z", "2024-04-25T22:00Z",
			"2024-04-26T21:00Z"}, /* 00:00 became 01:00 */
		{"America/Santiago", "1d", "2024-01-01T03:00Z", "2024-09-08T12:00Z", "2024-09-08T04:00Z",
			"2024-09-09T03:00Z"},
		{"America/St_Johns", "1d", "2010-01-01T00:00-03:30", "2010-11-07T02:31Z",
			"2010-11-07T02:30Z", "2010-11-08T03:30Z"}, /* 00:01 became 23:01 */
		{"America/St_Johns", "1d", "2010-01-01T00:00-03:30", "2010-11-07T03:29Z",
			"2010-11-07T02:30Z", "2010-11-08T03:30Z"}, /* second pass of 23:59 */
		{"Pacific/Apia", "1d", "2011-01-01T00:00-10:00", "2011-12-30T09:59Z", "2011-12-29T10:00Z",
			"2011-12-30T10:00Z"}, /* the 29th */
		{"Pacific/Apia", "1d", "2011-01-01T00:00-10:00", "2011-12-30T10:00Z", "2011-12-30T10:00Z",
			"2011-12-31T10:00Z"}, /* the 31st */
		{"Europe/Paris", "1w", "2026-03-02T00:00+01:00", "2026-03-29T21:59Z", "2026-03-22T23:00Z",
			"2026-03-29T22:00Z"}, /* Monday to Monday, 167 hours */
		{"Europe/Paris", "1mo", "2023-01-01T00:00+01:00", "2024-02-29T22:59Z", "2024-01-31T23:00Z",
			"2024-02-29T23:00Z"},
		{"Europe/Paris", "1mo", "2023-01-01T00:00+01:00", "2026-03-31T21:59Z", "2026-02-28T23:00Z",
			"2026-03-31T22:00Z"},
		{"Europe/Paris", "3mo", "2025-12-01T00:00+01:00", "2026-04-01T00:00Z", "2026-02-28T23:00Z",
			"2026-05-31T22:00Z"},
		{"Europe/Paris", "1y", "2024-04-01T00:00+02:00", "2023-01-01T00:00Z", "2022-03-31T22:00Z",
			"2023-03-31T22:00Z"}, /* April to April, before the start too */
		{"UTC", "1mo", "2024-01-01", "2024-02-29", "2024-02-01", "2024-03-01"},
		{"UTC", "1d", "2024-01-01T06:00Z", "2024-02-29", "2024-02-28T06:00Z", "2024-02-29T06:00Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		etl_cleanup(etl_zone_free) struct etl_zone *zone = zone_of(rows[i].zone);
		struct etl_grid grid = grid_of(zone, rows[i].start, rows[i].step);
		struct etl_window window = etl_grid_at(&grid, at(rows[i].within));
		char begins[ETL_TIME_TEXT_BYTES], ends[ETL_TIME_TEXT_BYTES];

		etl_time_format_rfc3339(window.start, begins);
		etl_time_format_rfc3339(window.end, ends);
		if (window.start.ms != at(rows[i].begins).ms || window.end.ms != at(rows[i].ends).ms)
			fail_msg("%s %s in %s: %s to %s", rows[i].step, rows[i].within, rows[i].zone, begins,
				ends);
	}
}

/* Nothing is rounded: the nearest boundaries are told. */
static void test_starts(void **state)
{
	static const struct {
		const char *zone, *step, *start;
		bool good;
	} rows[] = {
		{"Europe/Paris", "1d", "2026-10-24T00:00+02:00", true},
		{"Europe/Paris", "1d", "2026-10-24", false},
		{"Europe/Paris", "1mo", "2026-10-31T00:00+01:00", false},
		{"Europe/Paris", "1y", "2026-10-01T00:00+02:00", true},
		{"Africa/Cairo", "1d", "2024-04-26T01:00+03:00", true}, /* the first instant of it */
		{"America/St_Johns", "1d", "2010-11-07T00:00-02:30", true},
		{"America/St_Johns", "1d", "2010-11-07T00:00-03:30", false}, /* second pass */
		{"UTC", "1mo", "2026-10-02", false},
		{"UTC", "1d", "2026-10-02T07:13:00Z", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		etl_cleanup(etl_zone_free) struct etl_zone *zone = zone_of(rows[i].zone);
		struct etl_grid_step step;
		struct etl_grid grid;
		const char *why;

		assert_true(etl_grid_step_parse(rows[i].step, &step, &why));
		if (etl_grid_init(&grid, at(rows[i].start), step, zone) != rows[i].good)
			fail_msg("%s as a start of %s in %s", rows[i].start, rows[i].step, rows[i].zone);
		assert_true(etl_grid_at(&grid, at(rows[i].start)).start.ms <= at(rows[i].start).ms);
	}
}

static void test_steps_as_text(void **state)
{
	static const struct {
		const char *text, *same;
		int64_t seconds, months;
		bool local;
	} rows[] = {
		{"1h", "1h", 3600, 0, false}, {"36h", "1d12h", 129600, 0, false},
		{"1d", "1d", 86400, 0, true}, {"24h", "1d", 86400, 0, true},
		{"7d", "1w", 604800, 0, true}, {"1mo", "1mo", 0, 1, true},
		{"3mo", "3mo", 0, 3, true}, {"12mo", "1y", 0, 12, true}, {"2y", "2y", 0, 24, true},
	};
	static const char *const wrong[] = {"", "mo", "0mo", "1mo1d", "1.5mo", "-1y", "1M", "1month",
		"99999y", "101y", "1 mo", "1Y"};
	struct etl_grid_step step;
	const char *why;
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_true(etl_grid_step_parse(rows[i].text, &step, &why));
		assert_int_equal(step.length.us, rows[i].seconds * 1000000);
		assert_int_equal(step.months, rows[i].months);
		assert_int_equal(etl_grid_step_is_local(step), rows[i].local);
		etl_grid_step_format(step, text, sizeof text);
		assert_string_equal(text, rows[i].same);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		why = NULL;
		if (etl_grid_step_parse(wrong[i], &step, &why) || !why)
			fail_msg("'%s' was read", wrong[i]);
	}
}

static void test_names(void **state)
{
	etl_cleanup(etl_zone_free) struct etl_zone *paris = zone_of("Europe/Paris");
	struct etl_grid hourly = {.start = {0}, .size = ETL_HOURS(1)}, none = {.start = {7}};
	struct etl_grid days = grid_of(paris, "2026-10-24T00:00+02:00", "1d");
	struct etl_grid years = grid_of(etl_zone_utc(), "2026-01-01", "1y");
	char text[ETL_GRID_TEXT_BYTES];

	(void)state;
	etl_grid_text(&hourly, text);
	assert_string_equal(text, "1h");
	etl_grid_text(&days, text);
	assert_string_equal(text, "1d Europe/Paris");
	etl_grid_text(&years, text);
	assert_string_equal(text, "1y UTC");
	assert_false(etl_grid_has_windows(&none));
	assert_int_equal(etl_grid_at(&none, (etl_wall){100}).start.ms, 7);
	assert_int_equal(etl_grid_count(&none, (struct etl_window){{0}, {100}}), 0);
}

/* ---- beside the oracle --------------------------------------------------------------------- */

/* Boundaries in a row; equal ones once, as a day that was left out has no window. */
static size_t boundaries(const struct etl_zone *zone, int64_t day, struct etl_grid_step step,
	etl_wall out[POINTS])
{
	size_t n = 0;
	int year, month, ignored;

	etl_civil_from_days(day, &year, &month, &ignored);
	for (int64_t i = 0; n < POINTS; i++) {
		int64_t months = (int64_t)month - 1 + i * step.months;
		etl_wall t = day_begins(zone, step.months ?
			etl_civil_days(year + months / 12, (int)(months % 12) + 1, 1) :
			day + i * (step.length.us / ETL_DAYS(1).us));

		if (!n || t.ms != out[n - 1].ms)
			out[n++] = t;
	}
	return n;
}

static void check_grid(const struct etl_grid *grid, const etl_wall *points, const char *what)
{
	for (int i = 0; i + 1 < POINTS; i++) {
		struct etl_window want = {points[i], points[i + 1]};
		int64_t length = want.end.ms - want.start.ms;
		etl_wall within[] = {want.start, {want.end.ms - 1},
			{want.start.ms + (int64_t)(random_next() >> 1) % length}};

		for (size_t k = 0; k < sizeof within / sizeof *within; k++) {
			struct etl_window got = etl_grid_at(grid, within[k]);

			if (got.start.ms != want.start.ms || got.end.ms != want.end.ms)
				fail_msg("%s: %lld is in %lld to %lld, not %lld to %lld", what,
					(long long)within[k].ms, (long long)got.start.ms,
					(long long)got.end.ms, (long long)want.start.ms,
					(long long)want.end.ms);
		}
		assert_true(etl_grid_has(grid, want));
		assert_false(etl_grid_has(grid, (struct etl_window){want.start, {want.end.ms + 3600000}}));
		assert_false(etl_grid_has(grid, (struct etl_window){{want.start.ms + 1}, want.end}));
		assert_true(length <= etl_dur_ms(etl_grid_longest(grid)));
		if (i + 2 < POINTS)
			assert_int_equal(etl_grid_after(grid, want).end.ms, points[i + 2].ms);
	}
}

static void check_counts(const struct etl_grid *grid, const etl_wall *points, const char *what)
{
	for (int i = 0; i < 20; i++) {
		int64_t all = points[POINTS - 1].ms - points[0].ms;
		struct etl_window range = {{points[0].ms + (int64_t)(random_next() >> 1) % all},
			points[pick(POINTS)]};
		uint64_t n = 0;

		if (pick(2))
			range.start = points[pick(POINTS)];
		for (int k = 0; k < POINTS; k++)
			n += etl_window_holds(&range, points[k]);
		if (etl_grid_count(grid, range) != n)
			fail_msg("%s: %llu windows begin from %lld to %lld, not %llu", what,
				(unsigned long long)n, (long long)range.start.ms, (long long)range.end.ms,
				(unsigned long long)etl_grid_count(grid, range));
	}
}

/* So many steps on there are at most so many windows, and none is passed over. */
static void check_steps(const struct etl_grid *grid, const etl_wall *points)
{
	unsigned from = pick(POINTS), n = pick(POINTS);
	etl_wall there = etl_grid_steps(grid, points[from], n);

	assert_true(etl_grid_count(grid, (struct etl_window){points[from], there}) <= n);
	assert_int_equal(etl_grid_floor(grid, there).ms, there.ms);
	there = etl_grid_steps(grid, points[from], -(int64_t)n);
	assert_true(etl_grid_count(grid, (struct etl_window){there, points[from]}) <= n);
	assert_int_equal(etl_grid_floor(grid, there).ms, there.ms);
}

static void try_zone(const struct etl_zone *zone)
{
	static const char *const steps[] = {"1d", "2d", "3d", "1w", "10d", "1mo", "3mo", "5mo", "1y"};
	const char *text = steps[pick(sizeof steps / sizeof *steps)], *why;
	struct etl_grid_step step;
	etl_wall points[POINTS];
	struct etl_grid grid;
	int64_t day = etl_civil_days(1840 + pick(220), (int)pick(12) + 1, 1);
	char what[128];

	assert_true(etl_grid_step_parse(text, &step, &why));
	if (!step.months)
		day += pick(400);
	boundaries(zone, day, step, points);
	snprintf(what, sizeof what, "%s in %s", text, etl_zone_name(zone));
	if (!etl_grid_init(&grid, points[0], step, zone))
		fail_msg("%s: no start at %lld", what, (long long)points[0].ms);
	if (!grid.zone) /* days in UTC */
		assert_ptr_equal(zone, zones[0]);
	check_grid(&grid, points, what);
	check_counts(&grid, points, what);
	check_steps(&grid, points);
	assert_int_equal(etl_grid_init(&grid, (etl_wall){points[0].ms + 60000}, step, zone), !grid.zone);
}

/* Each odd zone around the days for which it is in the list, the others anywhere. */
static void test_random_grids(void **state)
{
	(void)state;
	for (int z = 0; z < ZONES; z++)
		for (int i = 0; i < TRIES; i++)
			try_zone(zones[z]);
}

static void test_every_change_of_a_zone(void **state)
{
	struct etl_grid_step step = {.length = ETL_DAYS(1)};
	etl_wall points[POINTS];
	struct etl_grid grid;

	(void)state;
	for (int z = 1; z < ZONES; z++) {
		etl_wall change = at("1830-01-01");

		for (int i = 0; i < 400 && etl_zone_next_transition(zones[z], change, &change); i++) {
			boundaries(zones[z], change.ms / 86400000 - 25, step, points);
			if (!etl_grid_init(&grid, points[0], step, zones[z]))
				fail_msg("%s: no start at %lld", etl_zone_name(zones[z]),
					(long long)points[0].ms);
			if (!grid.zone)
				break;
			check_grid(&grid, points, etl_zone_name(zones[z]));
			check_counts(&grid, points, etl_zone_name(zones[z]));
		}
	}
}

/* At the ends of time a window is still two dates. */
static void test_ends_of_time(void **state)
{
	static const int64_t ends[] = {INT64_MIN / 2, INT64_C(-62135596800000), INT64_C(253402300799999),
		INT64_MAX / 2};
	static const struct etl_grid_step steps[] = {{.length = ETL_DAYS(1)}, {.months = 1}, {.months = 12}};
	struct etl_zone *zone = zone_of("Pacific/Apia");

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
			struct etl_grid grid;
			struct etl_window w;

			etl_grid_init(&grid, (etl_wall){0}, steps[i], zone);
			etl_grid_init(&grid, grid.start, steps[i], zone);
			w = etl_grid_at(&grid, (etl_wall){ends[k]});
			assert_true(w.start.ms < w.end.ms && etl_grid_has(&grid, w));
			assert_true(w.start.ms >= ETL_CIVIL_SECONDS_MIN * 1000);
			assert_true(w.end.ms <= ETL_CIVIL_SECONDS_MAX * 1000);
		}
	etl_zone_free(zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_odd_days),
		cmocka_unit_test(test_starts),
		cmocka_unit_test(test_steps_as_text),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ends_of_time),
		cmocka_unit_test(test_random_grids),
		cmocka_unit_test(test_every_change_of_a_zone),
	};

	return cmocka_run_group_tests(tests, load_zones, free_zones);
}
