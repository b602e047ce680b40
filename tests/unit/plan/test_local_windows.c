/* SPDX-License-Identifier: MIT
 *
 * Planning knows windows and not their length: the same ledger on hours and on days, weeks, months or
 * years of a zone gives the same plans, window by window. Random ledgers and zones; the seed is printed,
 * ETL_TEST_SEED repeats a run. And what becomes of windows when a zone's file has changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plan/change_plan.h"
#include "plan/cover.h"
#include "plan/owed.h"
#include "plan/window_plan.h"
#include "time/civil.h"

enum { WINDOWS = 60, HISTORIES = 400 };

static uint64_t random_state;

static unsigned pick(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % n;
}

static int seed(void **state)
{
	const char *given = getenv("ETL_TEST_SEED");

	(void)state;
	random_state = given ? strtoull(given, NULL, 10) : (uint64_t)clock() * 2654435761u + 1;
	print_message("seed %llu (ETL_TEST_SEED repeats it)\n", (unsigned long long)random_state);
	random_state += !random_state;
	return 0;
}

static etl_wall at(const char *text)
{
	etl_wall t;

	if (!etl_time_parse(text, &t))
		fail_msg("'%s'", text);
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

static struct etl_grid grid_of(const struct etl_zone *zone, const char *date, const char *step)
{
	struct etl_grid_step s;
	struct etl_grid grid;
	const char *why;
	etl_wall start;

	assert_true(etl_grid_step_parse(step, &s, &why) && etl_zone_time_parse(zone, date, &start));
	if (!etl_grid_init(&grid, start, s, zone))
		fail_msg("%s is no start of %s in %s", date, step, etl_zone_name(zone));
	return grid;
}

/* ---- a ledger on two grids ------------------------------------------------------------------- */

struct side {
	struct etl_window_rules rules;
	etl_wall points[WINDOWS + 1];
	struct etl_ledger_brief entries[WINDOWS];
	size_t n;
	struct etl_watermark mark;
	etl_wall now;
	struct etl_due_list due;
};

static void side_init(struct side *side, struct etl_grid grid)
{
	struct etl_window window = etl_grid_at(&grid, grid.start);

	*side = (struct side){.rules = {.grid = grid}};
	for (int i = 0; i <= WINDOWS; i++, window = etl_grid_after(&grid, window))
		side->points[i] = window.start;
}

static struct etl_window window_of(const struct side *side, unsigned i)
{
	return (struct etl_window){side->points[i], side->points[i + 1]};
}

/* Its number; -1 = it is no window of these. */
static int number_of(const struct side *side, struct etl_window window)
{
	for (int i = 0; i < WINDOWS; i++)
		if (side->points[i].ms == window.start.ms && side->points[i + 1].ms == window.end.ms)
			return i;
	return -1;
}

static int point_of(const struct side *side, etl_wall t)
{
	for (int i = 0; i <= WINDOWS; i++)
		if (side->points[i].ms == t.ms)
			return i;
	return -1;
}

/* The same dice for both. */
struct throw {
	int state[WINDOWS]; /* -1 = no entry */
	bool dirty[WINDOWS], done[WINDOWS];
	unsigned processed, limit, settle_h, within;
	bool has_end, again;
};

static void throw_dice(struct throw *t)
{
	static const int states[] = {ETL_WINDOW_LOADED, ETL_WINDOW_LOADED, ETL_WINDOW_EMPTY,
		ETL_WINDOW_FAILED, ETL_WINDOW_HELD, ETL_WINDOW_PENDING, ETL_WINDOW_SKIPPED, -1};
	bool tidy = pick(2);

	t->processed = pick(WINDOWS - 2);
	t->limit = pick(WINDOWS - 1);
	t->settle_h = pick(200);
	t->within = pick(1000);
	t->has_end = !pick(4);
	t->again = !pick(3);
	for (unsigned i = 0; i < WINDOWS; i++) {
		t->state[i] = states[i < t->processed && tidy ? pick(3) : pick(8)];
		t->dirty[i] = !pick(10);
		t->done[i] = pick(2);
	}
}

static void side_lay(struct side *side, const struct throw *t)
{
	side->n = 0;
	side->mark = (struct etl_watermark){.origin = side->points[0],
		.processed = side->points[t->processed]};
	side->rules.settle = ETL_HOURS(t->settle_h);
	side->rules.lookback = t->again ? ETL_DAYS(400 * 366) : (etl_dur){0};
	side->rules.end = (etl_wall){t->has_end ? side->points[t->limit].ms : 0};
	/* Somewhere in the window in which the newest final one ends; with an end, long after. */
	side->now = (etl_wall){side->points[t->limit].ms +
		(side->points[t->limit + 1].ms - side->points[t->limit].ms) * t->within / 1000};
	side->now = etl_wall_add(side->now, side->rules.settle);
	if (t->has_end)
		side->now = etl_wall_add(side->now, ETL_DAYS(10000));
	for (unsigned i = 0; i < WINDOWS; i++)
		if (t->state[i] >= 0)
			side->entries[side->n++] = (struct etl_ledger_brief){.window = window_of(side, i),
				.state = (enum etl_window_state)t->state[i], .dirty = t->dirty[i],
				.attempt = 1};
}

static size_t entries_from(const struct side *side, etl_wall from)
{
	size_t i = 0;

	while (i < side->n && side->entries[i].window.start.ms < from.ms)
		i++;
	return i;
}

static void same_due(struct side *a, struct side *b, const struct throw *t)
{
	etl_window_plan(&a->rules, &a->mark, a->now, a->entries, a->n, NULL, &a->due);
	etl_window_plan(&b->rules, &b->mark, b->now, b->entries, b->n, NULL, &b->due);
	assert_int_equal(a->due.n, b->due.n);
	for (size_t i = 0; i < a->due.n; i++) {
		int number = number_of(a, a->due.windows[i].window);

		assert_true(number >= 0);
		assert_int_equal(number, number_of(b, b->due.windows[i].window));
		assert_int_equal(a->due.windows[i].why, b->due.windows[i].why);
		a->due.windows[i].done = b->due.windows[i].done = t->done[number];
	}
	for (size_t i = 0; i < a->due.n; i++)
		assert_int_equal(etl_window_span(&a->rules, &a->due, i),
			etl_window_span(&b->rules, &b->due, i));
	assert_int_equal(point_of(a, etl_window_contiguous(&a->rules, &a->mark, a->entries, a->n, &a->due)),
		point_of(b, etl_window_contiguous(&b->rules, &b->mark, b->entries, b->n, &b->due)));
}

static void same_questions(const struct side *a, const struct side *b)
{
	struct etl_window x, y;
	bool owed = etl_owed_next(&a->rules, a->mark.processed, &x);

	assert_int_equal(point_of(a, etl_window_limit(&a->rules, a->now)),
		point_of(b, etl_window_limit(&b->rules, b->now)));
	assert_int_equal(owed, etl_owed_next(&b->rules, b->mark.processed, &y));
	if (owed)
		assert_int_equal(number_of(a, x), number_of(b, y));
	x = etl_window_scan_range(&a->rules, &a->mark, a->now);
	y = etl_window_scan_range(&b->rules, &b->mark, b->now);
	assert_int_equal(point_of(a, x.start), point_of(b, y.start));
	assert_int_equal(point_of(a, x.end), point_of(b, y.end));
}

static void same_change(const struct side *a, const struct side *b, const struct etl_change_plan *x,
	const struct etl_change_plan *y)
{
	assert_int_equal(x->n, y->n);
	for (size_t i = 0; i < x->n; i++)
		assert_int_equal(number_of(a, x->windows[i]), number_of(b, y->windows[i]));
	assert_int_equal(point_of(a, x->to), point_of(b, y->to));
}

static void same_changes(const struct side *a, const struct side *b, unsigned to)
{
	const struct side *sides[] = {a, b};
	struct etl_change_plan plans[2] = {{0}};
	struct etl_error err = ETL_ERROR_INIT;

	for (int s = 0; s < 2; s++) {
		const struct side *side = sides[s];
		size_t from = entries_from(side, side->mark.processed);

		if (side->points[to].ms > side->mark.processed.ms)
			etl_change_plan_set(&side->rules, &side->mark, side->points[to],
				side->entries + from, side->n - from, &plans[s]);
		else
			etl_change_plan_rewind(&side->rules, &side->mark, side->points[to], side->entries,
				side->n, &plans[s]);
		assert_int_equal(etl_change_check_time(&side->rules, ETL_CHANGE_REWIND,
					 (etl_wall){side->points[to].ms + 60000}, side->now, &err), -1);
		err = (struct etl_error)ETL_ERROR_INIT;
	}
	same_change(a, b, &plans[0], &plans[1]);
	etl_change_plan_fini(&plans[0]);
	etl_change_plan_fini(&plans[1]);
}

static bool is_covered(const struct side *side, struct etl_window window)
{
	struct etl_cover cover;

	etl_cover_begin(&cover, &side->rules, &side->mark, &window);
	for (size_t i = 0; i < side->n && !etl_cover_is_full(&cover); i++)
		etl_cover_add(&cover, side->entries[i].window, side->entries[i].state);
	return etl_cover_is_full(&cover);
}

static void test_the_same_as_hours(void **state)
{
	static const char *const zones[] = {"Europe/Paris", "America/St_Johns", "Africa/Cairo",
		"Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata", "UTC"};
	static const char *const steps[] = {"1d", "2d", "1w", "1mo", "3mo", "1y"};

	(void)state;
	for (int i = 0; i < HISTORIES; i++) {
		etl_cleanup(etl_zone_free) struct etl_zone *zone =
			zone_of(zones[pick(sizeof zones / sizeof *zones)]);
		char date[32];
		struct side hours, local;
		struct throw dice;
		unsigned from = pick(WINDOWS - 1), to = from + 1 + pick(WINDOWS - 1 - from);

		snprintf(date, sizeof date, "%04u-%02u-01", 1990 + pick(40), 1 + pick(12));
		side_init(&hours, (struct etl_grid){.start = at("2024-01-01"), .size = ETL_HOURS(1)});
		side_init(&local, grid_of(zone, date, steps[pick(sizeof steps / sizeof *steps)]));
		throw_dice(&dice);
		side_lay(&hours, &dice);
		side_lay(&local, &dice);
		same_due(&hours, &local, &dice);
		same_questions(&hours, &local);
		same_changes(&hours, &local, pick(WINDOWS));
		assert_int_equal(
			is_covered(&hours, (struct etl_window){hours.points[from], hours.points[to]}),
			is_covered(&local, (struct etl_window){local.points[from], local.points[to]}));
		etl_due_list_fini(&hours.due);
		etl_due_list_fini(&local.due);
	}
}

/* ---- days and hours -------------------------------------------------------------------------- */

/* The day of 25 hours waits for 25 windows of hours, and each of these hours for that day. */
static void test_after(void **state)
{
	etl_cleanup(etl_zone_free) struct etl_zone *paris = zone_of("Europe/Paris");
	struct etl_window_rules hourly = {.grid = {.start = at("2026-10-01"), .size = ETL_HOURS(1)}};
	struct etl_window_rules daily = {.grid = grid_of(paris, "2026-10-01", "1d")};
	struct etl_window day = etl_window_at(&daily, at("2026-10-25T12:00Z"));
	struct etl_window last = {etl_wall_sub(day.end, ETL_HOURS(1)), day.end};
	struct etl_cover cover;

	(void)state;
	etl_cover_begin(&cover, &hourly, NULL, &day);
	for (int h = 0; h < 25; h++) {
		etl_wall start = etl_wall_add(day.start, ETL_HOURS(h));

		assert_false(etl_cover_is_full(&cover));
		etl_cover_add(&cover, (struct etl_window){start, etl_wall_add(start, ETL_HOURS(1))},
			ETL_WINDOW_LOADED);
	}
	assert_true(etl_cover_is_full(&cover));
	etl_cover_begin(&cover, &daily, NULL, &last);
	etl_cover_add(&cover, day, ETL_WINDOW_FAILED);
	assert_false(etl_cover_is_full(&cover));
	etl_cover_begin(&cover, &daily, NULL, &last);
	etl_cover_add(&cover, day, ETL_WINDOW_LOADED);
	assert_true(etl_cover_is_full(&cover));
}

/* ---- another zone file ------------------------------------------------------------------------ */

/* The days of Paris were loaded as Paris has them; then its file says what Helsinki's says, and days
 * begin an hour earlier. What is below the watermark stays as it is; the day in which the watermark
 * lies comes, and whole days behind it. A day that had failed is of an older grid. */
static void test_a_zone_that_has_changed(void **state)
{
	etl_cleanup(etl_zone_free) struct etl_zone *paris = zone_of("Europe/Paris");
	etl_cleanup(etl_zone_free) struct etl_zone *changed = zone_of("Europe/Helsinki");
	struct etl_window_rules old = {.grid = grid_of(paris, "2026-01-01", "1d")};
	struct etl_window_rules rules = {.grid = grid_of(changed, "2026-01-01", "1d")};
	struct etl_ledger_brief entries[40];
	struct etl_window window = etl_grid_at(&old.grid, old.grid.start);
	struct etl_watermark mark;
	struct etl_due_list due = {0};
	etl_wall now = at("2026-02-05T00:00Z");
	size_t n = 0;

	(void)state;
	for (; n < 31; n++, window = etl_grid_after(&old.grid, window))
		entries[n] = (struct etl_ledger_brief){.window = window, .state = ETL_WINDOW_LOADED};
	/* Were the origin the old start, the day in which that lies would be due, too. */
	mark = (struct etl_watermark){.origin = rules.grid.start, .processed = window.start};
	entries[n++] = (struct etl_ledger_brief){.window = window, .state = ETL_WINDOW_FAILED};
	etl_window_plan(&rules, &mark, now, entries, n, NULL, &due);
	assert_int_equal(due.n, 4); /* of February by the new clocks: 1 to 4, in the first lies the mark */
	for (size_t i = 0; i < due.n; i++) {
		assert_true(etl_grid_has(&rules.grid, due.windows[i].window));
		assert_int_equal(due.windows[i].why, ETL_DUE_NEW);
		due.windows[i].done = true;
	}
	assert_true(etl_window_holds(&due.windows[0].window, mark.processed));
	assert_int_equal(due.windows[0].window.start.ms, at("2026-01-31T22:00Z").ms);
	assert_int_equal(etl_window_contiguous(&rules, &mark, entries, n, &due).ms,
		at("2026-02-04T22:00Z").ms);
	due.windows[0].done = false;
	assert_int_equal(etl_window_contiguous(&rules, &mark, entries, n, &due).ms, mark.processed.ms);
	etl_due_list_fini(&due);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_as_hours),
		cmocka_unit_test(test_after),
		cmocka_unit_test(test_a_zone_that_has_changed),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
