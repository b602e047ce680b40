/* SPDX-License-Identifier: MIT
 *
 * Due windows against tables, and against a naive reference over random ledgers: hours of a
 * small grid, each judged on its own by the words of etld.yaml(5), window.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/plugin.h"
#include "plan/window_plan.h"

#define T0 INT64_C(1704067200000)
#define HOUR_MS INT64_C(3600000)
#define HOURS 60 /* of the random ledgers */

static etl_wall hour(int64_t h)
{
	return (etl_wall){T0 + h * HOUR_MS};
}

static etl_wall minute(int64_t m)
{
	return (etl_wall){T0 + m * 60000};
}

static const struct etl_window_rules hourly = {
	.grid = {.start = {T0}, .size = ETL_HOURS(1)},
};

static void test_limit(void **state)
{
	static const struct {
		int64_t settle, end, now, want; /* minutes, hour (0 = none), minutes, hour */
	} rows[] = {
		{0, 0, 0, 0},	   {0, 0, 59, 0},     {0, 0, 60, 1},	{0, 0, 61, 1},
		{10, 0, 69, 0},	   {10, 0, 70, 1},    {70, 0, 130, 1},	{70, 0, 129, 0},
		{0, 5, 600, 5},	   {0, 5, 240, 4},    {90, 5, 391, 5},	{90, 5, 389, 4},
		{0, 0, -500, 0},   {600, 0, 300, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct etl_window_rules rules = hourly;

		rules.settle = ETL_MINUTES(rows[i].settle);
		rules.end = rows[i].end ? hour(rows[i].end) : (etl_wall){0};
		assert_int_equal(etl_window_limit(&rules, minute(rows[i].now)).ms,
			hour(rows[i].want).ms);
	}
}

/* The grid begins at start, wherever that is; an end inside a window leaves that window out. */
static void test_grid(void **state)
{
	struct etl_window_rules rules = hourly;
	struct etl_watermark mark = {.origin = minute(17), .processed = minute(17)};
	struct etl_due_list due = {0};

	(void)state;
	rules.grid.start = minute(17);
	rules.end = minute(17 + 150);
	etl_window_plan(&rules, &mark, hour(100), NULL, 0, NULL, &due);
	assert_int_equal(due.n, 2);
	assert_int_equal(due.windows[0].window.start.ms, minute(17).ms);
	assert_int_equal(due.windows[1].window.end.ms, minute(137).ms);
	assert_int_equal(etl_window_at(&rules, minute(76)).start.ms, minute(17).ms);
	assert_int_equal(etl_window_at(&rules, minute(77)).start.ms, minute(77).ms);
	etl_due_list_fini(&due);
}

static void test_spans(void **state)
{
	struct etl_window_rules rules = hourly;
	struct etl_due_window windows[8] = {0};
	struct etl_due_list due = {.windows = windows, .n = 8};
	static const int hours[8] = {0, 1, 2, 3, 5, 6, 7, 20};

	(void)state;
	for (size_t i = 0; i < 8; i++)
		windows[i].window = (struct etl_window){hour(hours[i]), hour(hours[i] + 1)};
	assert_int_equal(etl_window_span(&rules, &due, 0), 1); /* no max_span: one window */
	rules.max_span = ETL_HOURS(3);
	assert_int_equal(etl_window_span(&rules, &due, 0), 3);
	assert_int_equal(etl_window_span(&rules, &due, 3), 1);
	assert_int_equal(etl_window_span(&rules, &due, 4), 3);
	assert_int_equal(etl_window_span(&rules, &due, 7), 1);
	rules.max_span = ETL_MINUTES(90);
	assert_int_equal(etl_window_span(&rules, &due, 0), 1);
	rules.max_span = ETL_DAYS(9);
	assert_int_equal(etl_window_span(&rules, &due, 0), 4); /* a gap ends a span */
}

static void test_cap(void **state)
{
	struct etl_watermark mark = {.origin = {T0}, .processed = {T0}};
	struct etl_due_list due = {0};

	(void)state;
	etl_window_plan(&hourly, &mark, hour(ETL_DUE_MAX + 5), NULL, 0, NULL, &due);
	assert_int_equal(due.n, ETL_DUE_MAX);
	assert_true(due.more);
	assert_int_equal(due.more_from.ms, hour(ETL_DUE_MAX).ms);
	due.from = due.more_from;
	etl_window_plan(&hourly, &mark, hour(ETL_DUE_MAX + 5), NULL, 0, NULL, &due);
	assert_int_equal(due.n, 5);
	assert_false(due.more);
	assert_int_equal(due.windows[0].window.start.ms, hour(ETL_DUE_MAX).ms);
	etl_due_list_fini(&due);
	etl_window_plan(&hourly, &mark, hour(ETL_DUE_MAX), NULL, 0, NULL, &due);
	assert_int_equal(due.n, ETL_DUE_MAX);
	assert_false(due.more);
	etl_due_list_fini(&due);
}

static void test_none(void **state)
{
	struct etl_window_rules rules = {.none = true};
	struct etl_watermark mark = {.processed = hour(3)};
	struct etl_ledger_brief had = {.state = ETL_WINDOW_LOADED};
	struct etl_due_list due = {0};
	struct etl_window range = etl_window_scan_range(&rules, &mark, hour(4));

	(void)state;
	assert_true(range.start.ms < 0 && range.end.ms > 0); /* holds the entry [0, 0) */
	etl_window_plan(&rules, &mark, hour(4), &had, 1, NULL, &due);
	assert_int_equal(due.n, 1);
	assert_int_equal(due.windows[0].why, ETL_DUE_AGAIN);
	assert_int_equal(due.windows[0].had.state, ETL_WINDOW_LOADED);
	assert_int_equal(etl_window_contiguous(&rules, &mark, &had, 1, &due).ms, hour(3).ms);
	etl_due_list_fini(&due);
}

/* A grid without a size is asked by mistake: one point, nothing is due, and nothing divides. */
static void test_a_grid_without_a_size(void **state)
{
	struct etl_window_rules none = {.none = true, .settle = ETL_HOURS(1)};
	struct etl_window_rules zero = {.grid = {.start = {T0}}};
	struct etl_watermark mark = {.processed = hour(3)};
	struct etl_due_list due = {0};
	struct etl_window at;

	(void)state;
	assert_int_equal(etl_window_limit(&none, hour(4)).ms, 0);
	at = etl_window_at(&none, hour(4));
	assert_int_equal(at.start.ms, 0);
	assert_int_equal(at.end.ms, 0);
	assert_int_equal(etl_window_limit(&zero, hour(4)).ms, T0);
	etl_window_plan(&zero, &mark, hour(4), NULL, 0,
		&(struct etl_asked){{hour(0), hour(4)}, ETL_REPROCESS_ALL}, &due);
	assert_int_equal(due.n, 0);
	assert_int_equal(etl_window_contiguous(&zero, &mark, NULL, 0, &due).ms, hour(3).ms);
	etl_due_list_fini(&due);
}

/* Entries of another grid do not count; an open one below the watermark does. */
static void test_older_entries(void **state)
{
	struct etl_ledger_brief had[] = {
		{.window = {hour(2), hour(3)}, .state = ETL_WINDOW_FAILED},
		{.window = {minute(270), minute(330)}, .state = ETL_WINDOW_FAILED},
		{.window = {hour(6), hour(8)}, .state = ETL_WINDOW_HELD},
		{.window = {hour(8), hour(9)}, .state = ETL_WINDOW_LOADED, .dirty = true},
		{.window = {hour(9), hour(10)}, .state = ETL_WINDOW_UNRECOVERABLE},
	};
	struct etl_watermark mark = {.origin = {T0}, .processed = hour(50)};
	struct etl_due_list due = {0};

	(void)state;
	etl_window_plan(&hourly, &mark, hour(50), had, 5, NULL, &due);
	assert_int_equal(due.n, 2);
	assert_int_equal(due.windows[0].window.start.ms, hour(2).ms);
	assert_int_equal(due.windows[0].why, ETL_DUE_OPEN);
	assert_int_equal(due.windows[1].window.start.ms, hour(8).ms);
	assert_int_equal(due.windows[1].why, ETL_DUE_DIRTY);
	etl_due_list_fini(&due);
}

/* A start that was moved back: what lies before the origin was never closed, though it is below the
 * watermark. */
static void test_a_start_moved_back(void **state)
{
	struct etl_watermark mark = {.origin = hour(3), .processed = hour(6)};
	struct etl_ledger_brief had[3];
	struct etl_due_list due = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		had[i] = (struct etl_ledger_brief){.window = {hour(3 + i), hour(4 + i)},
			.state = ETL_WINDOW_LOADED};
	assert_int_equal(etl_window_scan_range(&hourly, &mark, hour(6)).start.ms, hour(0).ms);
	etl_window_plan(&hourly, &mark, hour(6), had, 3, NULL, &due);
	assert_int_equal(due.n, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(due.windows[i].window.start.ms, hour(i).ms);
		assert_int_equal(due.windows[i].why, ETL_DUE_NEW);
	}
	etl_due_list_fini(&due);
}

/* After a rewind: what was closed is due again, oldest first, up to the old watermark and what
 * is read again by rule; the watermark does not jump over a window that is still open. */
static void test_after_rewind(void **state)
{
	struct etl_window_rules rules = hourly;
	struct etl_watermark mark = {.origin = {T0}, .processed = hour(5)};
	struct etl_ledger_brief had[20];
	struct etl_due_list due = {0};
	struct etl_window range = etl_window_scan_range(&rules, &mark, hour(20));

	(void)state;
	assert_int_equal(range.start.ms, hour(5).ms);
	for (int i = 0; i < 20; i++)
		had[i] = (struct etl_ledger_brief){.window = {hour(i), hour(i + 1)},
			.state = i < 5 || i >= 12 ? ETL_WINDOW_LOADED : ETL_WINDOW_PENDING};
	etl_window_plan(&rules, &mark, hour(20), had + 5, 15, NULL, &due);
	assert_int_equal(due.n, 7);
	for (int i = 0; i < 7; i++) {
		assert_int_equal(due.windows[i].window.start.ms, hour(5 + i).ms);
		assert_int_equal(due.windows[i].why, ETL_DUE_OPEN);
	}
	assert_int_equal(etl_window_contiguous(&rules, &mark, had + 5, 15, &due).ms, hour(5).ms);
	due.windows[0].done = true;
	due.windows[2].done = true;
	assert_int_equal(etl_window_contiguous(&rules, &mark, had + 5, 15, &due).ms, hour(6).ms);
	due.windows[1].left_open = true;
	assert_int_equal(etl_window_contiguous(&rules, &mark, had + 5, 15, &due).ms, hour(6).ms);
	due.windows[1].left_open = false;
	for (int i = 0; i < 7; i++)
		due.windows[i].done = true;
	assert_int_equal(etl_window_contiguous(&rules, &mark, had + 5, 15, &due).ms, hour(20).ms);
	etl_due_list_fini(&due);
}

/* After a set: skipped windows are not due, whatever is read again, and count as closed. */
static void test_after_set(void **state)
{
	struct etl_window_rules rules = hourly;
	struct etl_watermark mark = {.origin = {T0}, .processed = hour(8)};
	struct etl_ledger_brief had[10];
	struct etl_due_list due = {0};

	(void)state;
	rules.lookback = ETL_HOURS(6);
	for (int i = 0; i < 10; i++)
		had[i] = (struct etl_ledger_brief){.window = {hour(i), hour(i + 1)},
			.state = i >= 4 && i < 8 ? ETL_WINDOW_SKIPPED : ETL_WINDOW_LOADED};
	etl_window_plan(&rules, &mark, hour(11), had, 10, NULL, &due);
	assert_int_equal(due.n, 3); /* two of the lookback, one that is new */
	assert_int_equal(due.windows[0].window.start.ms, hour(8).ms);
	assert_int_equal(due.windows[0].why, ETL_DUE_AGAIN);
	assert_int_equal(due.windows[2].why, ETL_DUE_NEW);
	mark.processed = hour(4); /* the ledger alone leads over them */
	due.windows[2].done = true;
	assert_int_equal(etl_window_contiguous(&rules, &mark, had, 10, &due).ms, hour(11).ms);
	etl_due_list_fini(&due);
}

/* A window that is noted as read in the far future was read while the clock was wrong: it is read
 * again at once and not when that time comes. A few seconds ahead are another machine's. */
static void test_reread_of_the_future(void **state)
{
	struct etl_window_rules rules = hourly;
	struct etl_watermark mark = {.origin = {T0}, .processed = hour(8)};
	struct etl_ledger_brief had[8];
	struct etl_due_list due = {0};

	(void)state;
	rules.reread_every = ETL_HOURS(24);
	rules.reread_span = ETL_HOURS(6);
	for (int i = 0; i < 8; i++)
		had[i] = (struct etl_ledger_brief){.window = {hour(i), hour(i + 1)},
			.state = ETL_WINDOW_LOADED, .fetched = etl_wall_add(hour(8), ETL_SECONDS(90))};
	etl_window_plan(&rules, &mark, hour(8), had, 8, NULL, &due);
	assert_int_equal(due.n, 0);
	etl_due_list_fini(&due);
	had[5].fetched = hour(24 * 3652);
	etl_window_plan(&rules, &mark, hour(8), had, 8, NULL, &due);
	assert_int_equal(due.n, 6);
	assert_int_equal(due.windows[0].window.start.ms, hour(2).ms);
	etl_due_list_fini(&due);
}

/* A window is gone when its end has left what the source keeps. */
static void test_retention(void **state)
{
	struct etl_window_rules rules = hourly;
	etl_wall now = minute(24 * 60 + 10 * 60 + 30); /* 10:30 of the second day */

	(void)state;
	rules.retention = ETL_HOURS(24);
	assert_true(etl_window_is_gone(&rules, (struct etl_window){hour(9), hour(10)}, now));
	assert_false(etl_window_is_gone(&rules, (struct etl_window){hour(10), hour(11)}, now));
	rules.retention = (etl_dur){0};
	assert_false(etl_window_is_gone(&rules, (struct etl_window){hour(9), hour(10)}, now));
}

/* ---- against a reference ------------------------------------------------------------------ */

struct world {
	struct etl_window_rules rules;
	struct etl_watermark mark;
	etl_wall now;
	bool has[HOURS];
	struct etl_ledger_brief all[HOURS];
	struct etl_ledger_brief given[HOURS]; /* what the plan is shown */
	size_t n_given;
	bool reread;
	struct etl_window asked;
};

static void random_entry(uint64_t *r, struct world *w, size_t h)
{
	static const enum etl_window_state states[] = {ETL_WINDOW_LOADED, ETL_WINDOW_LOADED,
		ETL_WINDOW_EMPTY, ETL_WINDOW_FAILED, ETL_WINDOW_HELD, ETL_WINDOW_RUNNING,
		ETL_WINDOW_SKIPPED, ETL_WINDOW_UNRECOVERABLE, ETL_WINDOW_PENDING};

	w->all[h] = (struct etl_ledger_brief){
		.window = {hour((int64_t)h), hour((int64_t)h + 1)},
		.state = states[test_random(r) % 9],
		.dirty = test_random(r) % 8 == 0,
		.fetched = hour((int64_t)(h + test_random(r) % 20)),
	};
	w->has[h] = true;
}

static bool counts_as_closed(const struct world *w, size_t h)
{
	return w->has[h] && etl_window_is_closed(w->all[h].state);
}

static void random_world(uint64_t *r, struct world *w)
{
	size_t mark = 0;

	*w = (struct world){.rules = hourly};
	w->rules.settle = ETL_MINUTES(test_random(r) % 180);
	w->rules.lookback = ETL_HOURS(test_random(r) % 6);
	w->rules.end = test_random(r) % 4 ? (etl_wall){0} : hour(30 + (int64_t)(test_random(r) % 20));
	if (test_random(r) % 2) {
		w->rules.reread_every = ETL_HOURS(6);
		w->rules.reread_span = ETL_HOURS(1 + test_random(r) % 20);
	}
	w->now = minute((int64_t)(test_random(r) % ((HOURS - 1) * 60)));
	for (size_t h = 0; h < HOURS; h++)
		if (hour((int64_t)h + 1).ms <= etl_window_limit(&w->rules, w->now).ms &&
			test_random(r) % 5)
			random_entry(r, w, h);
	while (mark < HOURS && counts_as_closed(w, mark) && test_random(r) % 30)
		mark++;
	/* What lies below the watermark may be open all the same (held when it was read again). */
	w->mark = (struct etl_watermark){.origin = {T0}, .processed = hour((int64_t)mark)};
	if (mark && test_random(r) % 4 == 0)
		w->all[test_random(r) % mark].state = ETL_WINDOW_HELD;
	if (test_random(r) % 5 == 0) {
		int64_t from = (int64_t)(test_random(r) % (HOURS * 60));
		int64_t to = from + 1 + (int64_t)(test_random(r) % 600);

		w->asked = (struct etl_window){minute(from), minute(to)};
	}
}

/* As the store would answer: all of the scan range, and what is open before it. */
static void show(struct world *w)
{
	struct etl_window range = etl_window_scan_range(&w->rules, &w->mark, w->now);

	if (w->asked.end.ms && w->asked.start.ms < range.start.ms)
		range.start = w->asked.start;
	for (size_t h = 0; h < HOURS; h++) {
		const struct etl_ledger_brief *e = &w->all[h];
		bool inside = e->window.end.ms > range.start.ms && e->window.start.ms < range.end.ms;
		bool open = e->dirty || !etl_window_is_closed(e->state);

		if (w->has[h] && (inside || (open && e->window.start.ms < range.start.ms)))
			w->given[w->n_given++] = *e;
	}
}

static bool reread_now(const struct world *w, etl_wall limit)
{
	etl_wall from = etl_wall_sub(limit, w->rules.reread_span);

	for (size_t h = 0; w->rules.reread_every.us && h < HOURS; h++)
		if ((w->all[h].state == ETL_WINDOW_LOADED || w->all[h].state == ETL_WINDOW_EMPTY) &&
			counts_as_closed(w, h) && w->all[h].window.start.ms >= from.ms &&
			w->all[h].window.start.ms < limit.ms &&
			llabs(w->now.ms - w->all[h].fetched.ms) >= etl_dur_ms(w->rules.reread_every))
			return true;
	return false;
}

static bool should_be_due(const struct world *w, size_t h, etl_wall limit)
{
	const struct etl_ledger_brief *e = &w->all[h];
	etl_wall start = hour((int64_t)h), end = hour((int64_t)h + 1);

	if (end.ms > limit.ms)
		return false;
	if (w->asked.end.ms)
		return end.ms > w->asked.start.ms && start.ms < w->asked.end.ms;
	if (w->has[h] && e->state == ETL_WINDOW_UNRECOVERABLE)
		return false;
	if (w->has[h] && e->dirty)
		return true;
	if (w->has[h] && e->state == ETL_WINDOW_SKIPPED)
		return false;
	if (w->has[h] && !etl_window_is_closed(e->state))
		return true;
	if (!w->has[h] && end.ms > w->mark.processed.ms)
		return true;
	if (end.ms > limit.ms - etl_dur_ms(w->rules.lookback))
		return true;
	return reread_now(w, limit) && end.ms > limit.ms - etl_dur_ms(w->rules.reread_span);
}

static void need_same(const struct world *w, const struct etl_due_list *due, uint64_t round)
{
	etl_wall limit = etl_window_limit(&w->rules, w->now);
	size_t at = 0;

	assert_true(limit.ms <= w->now.ms - etl_dur_ms(w->rules.settle) || limit.ms == T0);
	for (size_t h = 0; h < HOURS; h++) {
		bool want = should_be_due(w, h, limit);
		bool got = at < due->n && due->windows[at].window.start.ms == hour((int64_t)h).ms;

		if (want != got)
			fail_msg("round %llu, hour %zu: %s", (unsigned long long)round, h,
				want ? "should be due" : "should not be due");
		at += got;
	}
	assert_int_equal(at, due->n); /* in order, each once, nothing else */
}

/* Closes some of the due windows and looks where the watermark may go. */
static void need_contiguous(uint64_t *r, struct world *w, struct etl_due_list *due)
{
	bool closed[HOURS];
	etl_wall got;
	size_t want = (size_t)((w->mark.processed.ms - T0) / HOUR_MS);

	for (size_t h = 0; h < HOURS; h++)
		closed[h] = counts_as_closed(w, h);
	for (size_t i = 0; i < due->n; i++) {
		size_t h = (size_t)((due->windows[i].window.start.ms - T0) / HOUR_MS);

		due->windows[i].done = test_random(r) % 4 != 0;
		due->windows[i].left_open = !due->windows[i].done && test_random(r) % 2;
		if (due->windows[i].done)
			closed[h] = true;
		else if (due->windows[i].left_open)
			closed[h] = false;
	}
	while (want < HOURS && closed[want])
		want++;
	got = etl_window_contiguous(&w->rules, &w->mark, w->given, w->n_given, due);
	assert_int_equal((got.ms - T0) / HOUR_MS, want);
}

static void test_against_reference(void **state)
{
	uint64_t seed = test_seed(), r = seed;
	static struct world w;

	(void)state;
	for (uint64_t round = 0; round < 20000; round++) {
		struct etl_due_list due = {0};
		struct etl_asked asked;

		random_world(&r, &w);
		asked = (struct etl_asked){w.asked, ETL_REPROCESS_ALL};
		show(&w);
		etl_window_plan(&w.rules, &w.mark, w.now, w.given, w.n_given,
			w.asked.end.ms ? &asked : NULL, &due);
		need_same(&w, &due, round);
		need_contiguous(&r, &w, &due);
		etl_due_list_fini(&due);
	}
}

static void test_asked_windows_by_their_state(void **state)
{
	static const enum etl_window_state states[] = {ETL_WINDOW_PENDING, ETL_WINDOW_RUNNING,
		ETL_WINDOW_LOADED, ETL_WINDOW_EMPTY, ETL_WINDOW_HELD, ETL_WINDOW_FAILED,
		ETL_WINDOW_UNRECOVERABLE, ETL_WINDOW_SKIPPED};
	/* the last is a window without an entry; bits: all, missing, failed */
	static const int wanted[] = {7, 7, 1, 1, 5, 5, 1, 7, 7};
	struct etl_watermark mark = {.origin = hour(0), .processed = hour(9)};
	struct etl_ledger_brief had[8] = {0};

	(void)state;
	for (int i = 0; i < 8; i++) {
		had[i].window = (struct etl_window){hour(i), hour(i + 1)};
		had[i].state = states[i];
	}
	for (int r = 0; r < ETL_REPROCESS_MAX; r++) {
		struct etl_asked asked = {{hour(0), hour(9)}, (enum etl_reprocess)r};
		struct etl_due_list due = {0};
		size_t at = 0;

		etl_window_plan(&hourly, &mark, hour(50), had, 8, &asked, &due);
		for (int i = 0; i < 9; i++)
			if (wanted[i] >> r & 1)
				assert_int_equal(due.windows[at++].window.start.ms, hour(i).ms);
		assert_int_equal(at, due.n);
		etl_due_list_fini(&due);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked_windows_by_their_state),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_a_grid_without_a_size),
		cmocka_unit_test(test_older_entries),
		cmocka_unit_test(test_a_start_moved_back),
		cmocka_unit_test(test_after_rewind),
		cmocka_unit_test(test_after_set),
		cmocka_unit_test(test_retention),
		cmocka_unit_test(test_reread_of_the_future),
		cmocka_unit_test(test_against_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
