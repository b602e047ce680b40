/* SPDX-License-Identifier: MIT
 *
 * Forecasts: slots as the calendars give them and in their order, the two nights of the
 * clocks in Europe/Paris and Lord_Howe in words, collisions and loads counted by hand and by
 * a naive reference, and the caps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tell/forecast.h"
#include "time/civil.h"

static etl_wall at(const char *text)
{
	etl_wall t;

	assert_true(etl_time_parse_rfc3339(text, strlen(text), &t));
	return t;
}

/* A job as the forecast sees it. */
struct made {
	struct etl_job job;
	struct etl_zone *zone;
	struct etl_calendar *calendar;
};

static void make(struct made *m, const char *cron, const char *zone, size_t partitions)
{
	struct etl_error err = ETL_ERROR_INIT;

	*m = (struct made){.zone = etl_zone_load(zone, &err)};
	if (!m->zone)
		fail_msg("%s", err.message);
	m->calendar = etl_calendar_cron(cron, m->zone, &err);
	if (!m->calendar)
		fail_msg("%s", err.message);
	m->job = (struct etl_job){.name = cron, .schedule_text = cron, .timezone = zone, .zone = m->zone,
		.calendar = m->calendar, .n_partitions = partitions, .max_active = 8, .host = ""};
}

static void unmake(struct made *m)
{
	etl_calendar_free(m->calendar);
	etl_zone_free(m->zone);
}

/* ---- the clocks ---------------------------------------------------------------------------- */

static void clocks(const char *cron, const char *zone, const char *from, const char *to,
	const char *expected)
{
	struct made m;
	struct etl_forecast f = {0};
	char text[ETL_FORECAST_TEXT_BYTES] = "";

	make(&m, cron, zone, 1);
	struct etl_forecast_job job = {.job = &m.job};
	etl_forecast_make(&job, 1, (struct etl_window){at(from), at(to)}, 16, &f);
	assert_int_equal(f.n_notes, expected ? 1 : 0);
	assert_int_equal(f.all_notes, f.n_notes);
	if (expected) {
		etl_forecast_note_text(&f.notes[0], &m.job, text);
		assert_string_equal(text, expected);
	}
	etl_forecast_fini(&f);
	unmake(&m);
}

#define SPRING "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"
#define AUTUMN "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"
#define FORWARD "the clocks of Europe/Paris go forward from 02:00 to 03:00: "
#define BACK "the clocks of Europe/Paris go back from 03:00 to 02:00: "

static void test_paris(void **state)
{
	(void)state;
	clocks("30 2 * * *", "Europe/Paris", SPRING,
		FORWARD "02:30 does not exist and runs at 2026-03-29T01:00:00Z");
	clocks("0,20 2 * * *", "Europe/Paris", SPRING,
		FORWARD "02:00 and 1 more do not exist; one run stands for them, at 2026-03-29T01:00:00Z");
	clocks("15 * * * *", "Europe/Paris", SPRING,
		FORWARD "02:15 does not exist; the next slot is 2026-03-29T01:15:00Z");
	clocks("*/10 * * * *", "Europe/Paris", SPRING,
		FORWARD "02:00 and 5 more do not exist; the next slot is 2026-03-29T01:00:00Z");
	clocks("0 2,3 * * *", "Europe/Paris", SPRING,
		FORWARD "02:00 does not exist; the next slot is 2026-03-29T01:00:00Z");
	clocks("30 3 * * *", "Europe/Paris", SPRING, NULL);
	clocks("30 2 * * *", "Europe/Paris", AUTUMN,
		BACK "02:30 comes twice and runs once, at 2026-10-25T00:30:00Z");
	clocks("0,30 2 * * *", "Europe/Paris", AUTUMN,
		BACK "02:00 and 1 more come twice and run once, from 2026-10-25T00:00:00Z on");
	clocks("30 * * * *", "Europe/Paris", AUTUMN,
		BACK "02:30 comes twice and runs both times, first at 2026-10-25T00:30:00Z");
	clocks("*/10 * * * *", "Europe/Paris", AUTUMN,
		BACK "02:00 and 5 more come twice and run both times, from 2026-10-25T00:00:00Z on");
	clocks("30 3 * * *", "Europe/Paris", AUTUMN, NULL);
	clocks("30 2 * * *", "Europe/Paris", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z", NULL);
	clocks("30 2 * * *", "UTC", "2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z", NULL);
}

/* Half an hour: forward on the first Sunday of October at 02:00 (+10:30), back in April. */
static void test_lord_howe(void **state)
{
	(void)state;
	clocks("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-04T12:00:00Z",
		"the clocks of Australia/Lord_Howe go forward from 02:00 to 02:30: "
		"02:15 does not exist and runs at 2026-10-03T15:30:00Z");
	clocks("45 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-04T12:00:00Z", NULL);
	clocks("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-05T12:00:00Z",
		"the clocks of Australia/Lord_Howe go back from 02:00 to 01:30: "
		"01:45 comes twice and runs once, at 2026-04-04T14:45:00Z");
	clocks("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-05T12:00:00Z",
		"the clocks of Australia/Lord_Howe go back from 02:00 to 01:30: "
		"01:30 and 1 more come twice and run both times, from 2026-04-04T14:30:00Z on");
	clocks("15 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-05T12:00:00Z", NULL);
}

static void test_local_texts(void **state)
{
	static const struct {
		const char *zone, *utc, *local;
	} rows[] = {
		{"UTC", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00+00:00"},
		{"Europe/Paris", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59+01:00"},
		{"Europe/Paris", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00"},
		{"Australia/Lord_Howe", "2026-04-04T14:59:00Z", "2026-04-05T01:59:00+11:00"},
		{"Australia/Lord_Howe", "2026-04-04T15:00:00Z", "2026-04-05T01:30:00+10:30"},
		{"America/St_Johns", "2026-01-01T00:00:00Z", "2025-12-31T20:30:00-03:30"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct etl_error err = ETL_ERROR_INIT;
		struct etl_zone *zone = etl_zone_load(rows[i].zone, &err);
		char text[ETL_LOCAL_TEXT_BYTES];

		assert_non_null(zone);
		etl_forecast_local(zone, at(rows[i].utc), text);
		assert_string_equal(text, rows[i].local);
		etl_zone_free(zone);
	}
}

static void test_each_word_is_there(void **state)
{
	(void)state;
	for (int i = 0; i < ETL_FORECAST_CLOCK_MAX; i++) {
		struct etl_job job = {.timezone = "Z"};
		struct etl_forecast_note note = {.kind = (enum etl_forecast_clock)i, .n = 1};
		char one[ETL_FORECAST_TEXT_BYTES] = "", two[ETL_FORECAST_TEXT_BYTES] = "";

		assert_non_null(etl_forecast_clock_word((enum etl_forecast_clock)i));
		etl_forecast_note_text(&note, &job, one);
		note.n = 2;
		etl_forecast_note_text(&note, &job, two);
		assert_non_null(strstr(one, "1970-01-01T00:00:00Z"));
		assert_non_null(strstr(two, "and 1 more"));
	}
}

/* ---- slots --------------------------------------------------------------------------------- */

static const struct etl_window year = {{INT64_C(1767225600000)}, {INT64_C(1798761600000)}}; /* 2026 */

/* Job by job the very slots that the calendar gives, also around the clocks. */
static void test_slots_are_those_of_the_calendar(void **state)
{
	static const char *const crons[] = {"30 2 * * *", "*/20 * * * *", "0 0 1 * *", "5 1,2,3 * * 0"};
	struct made made[4];
	struct etl_forecast_job jobs[4];
	struct etl_forecast f = {0};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		make(&made[i], crons[i], i % 2 ? "Europe/Paris" : "Australia/Lord_Howe", 1);
		jobs[i] = (struct etl_forecast_job){&made[i].job, ETL_SECONDS(7 * i), 0};
	}
	etl_forecast_make(jobs, 4, year, 16, &f);
	assert_false(f.cut);
	for (size_t i = 0; i < 4; i++) {
		etl_wall next = {year.start.ms - 1};
		size_t k = 0;

		while (etl_calendar_next(made[i].calendar, next, &next) && next.ms < year.end.ms) {
			while (k < f.n_slots && f.slots[k].job != i)
				k++;
			assert_true(k < f.n_slots);
			assert_int_equal(f.slots[k].slot.ms, next.ms);
			assert_int_equal(f.slots[k++].at.ms, next.ms + 7000 * (int64_t)i);
		}
		while (k < f.n_slots && f.slots[k].job != i)
			k++;
		assert_int_equal(k, f.n_slots); /* and no other */
	}
	for (size_t k = 1; k < f.n_slots; k++)
		assert_true(f.slots[k - 1].at.ms <= f.slots[k].at.ms);
	etl_forecast_fini(&f);
	for (size_t i = 0; i < 4; i++)
		unmake(&made[i]);
}

/* The end of the range is outside of it, its start inside. */
static void test_range_is_half_open(void **state)
{
	struct made m;
	struct etl_forecast f = {0};

	(void)state;
	make(&m, "0 * * * *", "UTC", 1);
	struct etl_forecast_job job = {.job = &m.job};
	etl_forecast_make(&job, 1, (struct etl_window){at("2026-01-01T00:00:00Z"),
		at("2026-01-01T03:00:00Z")}, 16, &f);
	assert_int_equal(f.n_slots, 3);
	assert_int_equal(f.slots[0].slot.ms, at("2026-01-01T00:00:00Z").ms);
	etl_forecast_fini(&f);
	etl_forecast_make(&job, 1, (struct etl_window){at("2026-01-01T00:00:01Z"),
		at("2026-01-01T00:59:59Z")}, 16, &f);
	assert_int_equal(f.n_slots, 0);
	assert_int_equal(f.n_busiest, 0);
	etl_forecast_fini(&f);
	job.job = &(struct etl_job){.name = "after others", .host = ""};
	etl_forecast_make(&job, 1, year, 16, &f);
	assert_int_equal(f.n_slots, 0);
	etl_forecast_fini(&f);
	unmake(&m);
}

/* Cut in time, not by job: up to cut_at the list is whole. */
static void test_too_many_slots(void **state)
{
	struct made fast, slow;
	struct etl_forecast f = {0};
	size_t n_slow = 0;

	(void)state;
	make(&fast, "* * * * * *", "UTC", 1);
	make(&slow, "0 * * * *", "UTC", 1);
	struct etl_forecast_job jobs[] = {{.job = &fast.job}, {.job = &slow.job}};
	etl_forecast_make(jobs, 2, year, 16, &f);
	assert_true(f.cut);
	assert_int_equal(f.n_slots, ETL_FORECAST_SLOTS_MAX);
	for (size_t i = 0; i < f.n_slots; i++) {
		assert_true(f.slots[i].slot.ms <= f.cut_at.ms);
		n_slow += f.slots[i].job == 1;
	}
	assert_int_equal(n_slow, (f.cut_at.ms - year.start.ms) / 3600000 + 1);
	assert_int_equal(f.n_collisions, ETL_FORECAST_LIST_MAX); /* 60 a minute, 16 places */
	assert_int_equal(f.all_collisions, (f.cut_at.ms - year.start.ms + 59999) / 60000);
	etl_forecast_fini(&f);
	unmake(&fast);
	unmake(&slow);
}

/* ---- meetings ------------------------------------------------------------------------------ */

static void test_collisions_and_hosts(void **state)
{
	struct made a, b, c;
	struct etl_forecast f = {0};

	(void)state;
	make(&a, "0 * * * *", "UTC", 20); /* sends 8 at once, by its max_active */
	make(&b, "0 6 * * *", "UTC", 3);
	make(&c, "30 * * * *", "UTC", 1);
	struct etl_forecast_job jobs[] = {{&a.job, {0}, 10}, {&b.job, ETL_SECONDS(59), 10}, {&c.job, {0}, 1}};

	a.job.host = b.job.host = "api.example.org";
	c.job.host = "other.example.org:8443";
	etl_forecast_make(jobs, 3, (struct etl_window){at("2026-01-01T00:00:00Z"),
		at("2026-01-02T00:00:00Z")}, 1, &f);
	assert_int_equal(f.n_slots, 49);
	assert_int_equal(f.n_hosts, 2);
	assert_string_equal(f.hosts[0].host, "api.example.org");
	assert_int_equal(f.hosts[0].jobs, 2);
	assert_int_equal(f.hosts[0].runs, 25);
	assert_int_equal(f.hosts[0].requests, 24 * 20 + 3);
	assert_int_equal(f.hosts[0].minute_peak, 23);
	assert_int_equal(f.hosts[0].minute_at.ms, at("2026-01-01T06:00:00Z").ms);
	assert_int_equal(f.hosts[0].hour_peak, 23);
	assert_int_equal(f.hosts[1].requests, 24);
	assert_int_equal(f.hosts[1].minute_peak, 1);
	assert_int_equal(f.n_collisions, 2); /* two runs for one place, 8 + 3 requests for 10 */
	assert_int_equal(f.all_collisions, 2);
	assert_null(f.collisions[0].host);
	assert_int_equal(f.collisions[0].n, 2);
	assert_string_equal(f.collisions[1].host, "api.example.org");
	assert_int_equal(f.collisions[1].n, 11);
	assert_int_equal(f.collisions[1].minute.ms, at("2026-01-01T06:00:00Z").ms);
	assert_int_equal(f.busiest[0].starts, 2);
	assert_int_equal(f.busiest[0].at.ms, at("2026-01-01T06:00:00Z").ms);
	assert_int_equal(f.n_busiest, ETL_FORECAST_BUSIEST);
	assert_int_equal(f.busiest[1].at.ms, at("2026-01-01T00:00:00Z").ms); /* the earlier of equals */
	etl_forecast_fini(&f);
	unmake(&a);
	unmake(&b);
	unmake(&c);
}

/* Random jobs against a table of minutes. */
static void test_against_a_table(void **state)
{
	enum { JOBS = 40, MINUTES = 1440 };
	struct made made[JOBS];
	struct etl_forecast_job jobs[JOBS];
	static unsigned starts[MINUTES + 60], asked[MINUTES + 60];
	struct etl_forecast f = {0};
	unsigned most = 0, most_asked = 0, places = 0, host = 0, seed = 20261122;
	struct etl_window day = {year.start, {year.start.ms + MINUTES * 60000}};
	char crons[JOBS][32];

	(void)state;
	for (size_t i = 0; i < JOBS; i++) {
		unsigned r = seed = seed * 1103515245 + 12345;
		int64_t shift = r >> 16 & 1023;

		snprintf(crons[i], sizeof crons[i], "%u */%u * * *", r >> 8 & 31, 1 + (r >> 5 & 3));
		make(&made[i], crons[i], "UTC", 1 + (r >> 20 & 3));
		jobs[i] = (struct etl_forecast_job){&made[i].job, ETL_SECONDS(shift), 6};
		made[i].job.host = i % 3 ? "h" : "";
		for (etl_wall t = {day.start.ms - 1};
			etl_calendar_next(made[i].calendar, t, &t) && t.ms < day.end.ms;) {
			size_t m = (size_t)(t.ms - day.start.ms + shift * 1000) / 60000;

			starts[m]++;
			asked[m] += i % 3 ? (unsigned)made[i].job.n_partitions : 0;
		}
	}
	for (size_t m = 0; m < MINUTES + 60; m++) {
		most = starts[m] > most ? starts[m] : most;
		most_asked = asked[m] > most_asked ? asked[m] : most_asked;
		places += starts[m] > 3;
		host += asked[m] > 6;
	}
	etl_forecast_make(jobs, JOBS, day, 3, &f);
	assert_int_equal(f.busiest[0].starts, most);
	assert_int_equal(f.hosts[0].minute_peak, most_asked);
	assert_int_equal(f.all_collisions, places + host);
	assert_true(places && host);
	for (size_t i = 0; i < f.n_collisions; i++) {
		size_t m = (size_t)(f.collisions[i].minute.ms - day.start.ms) / 60000;

		assert_int_equal(f.collisions[i].n, f.collisions[i].host ? asked[m] : starts[m]);
	}
	etl_forecast_fini(&f);
	for (size_t i = 0; i < JOBS; i++)
		unmake(&made[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paris),
		cmocka_unit_test(test_lord_howe),
		cmocka_unit_test(test_local_texts),
		cmocka_unit_test(test_each_word_is_there),
		cmocka_unit_test(test_slots_are_those_of_the_calendar),
		cmocka_unit_test(test_range_is_half_open),
		cmocka_unit_test(test_too_many_slots),
		cmocka_unit_test(test_collisions_and_hosts),
		cmocka_unit_test(test_against_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
