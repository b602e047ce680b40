/* SPDX-License-Identifier: MIT
 *
 * Plans of an operator's changes: which times are good, and, over random ledgers, the law that
 * after every window of a plan the watermark is the end of the contiguous closed windows, and
 * that an undo brings back what was there.
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
#include "plan/change_plan.h"

#define T0 INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define HOUR_MS INT64_C(3600000)
#define HOURS 40

static etl_wall hour(int64_t h)
{
	return (etl_wall){T0 + h * HOUR_MS};
}

static const struct etl_window_rules hourly = {
	.grid = {.start = {T0}, .size = ETL_HOURS(1)},
	.settle = {INT64_C(600000000)},
};

/* ---- times --------------------------------------------------------------------------------- */

static void test_times(void **state)
{
	static const struct {
		enum etl_change_kind kind;
		int64_t minute;
		int64_t retention_h;
		const char *says; /* NULL: it is good */
	} rows[] = {
		{ETL_CHANGE_SET, 0, 0, NULL},
		{ETL_CHANGE_SET, 60, 0, NULL},
		{ETL_CHANGE_SET, 1200, 0, NULL}, /* now is 20:10, the newest final window ends at 20:00 */
		{ETL_CHANGE_SET, 1201, 0, "not final yet"},
		{ETL_CHANGE_SET, 1260, 0, "after 2024-01-01T20:00:00Z"},
		{ETL_CHANGE_SET, -60, 0, "begins at 2024-01-01T00:00:00Z (window.start)"},
		{ETL_CHANGE_SET, 90, 0, "take 2024-01-01T01:00:00Z or 2024-01-01T02:00:00Z"},
		{ETL_CHANGE_REWIND, 90, 0, "take 2024-01-01T01:00:00Z or 2024-01-01T02:00:00Z"},
		{ETL_CHANGE_REWIND, 600, 10, NULL},
		{ETL_CHANGE_REWIND, 540, 10, "go back to is 2024-01-01T10:00:00Z"},
		{ETL_CHANGE_SET, 540, 10, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct etl_window_rules rules = hourly;
		struct etl_error err = ETL_ERROR_INIT;
		etl_wall t = {T0 + rows[i].minute * 60000}, now = {T0 + 1210 * 60000};
		int rc;

		rules.retention = ETL_HOURS(rows[i].retention_h);
		rc = etl_change_check_time(&rules, rows[i].kind, t, now, &err);
		assert_int_equal(rc, rows[i].says ? -1 : 0);
		if (rows[i].says && !strstr(err.message, rows[i].says))
			fail_msg("row %zu: %s", i, err.message);
	}
}

static void test_no_windows(void **state)
{
	struct etl_window_rules rules = {.none = true};
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	assert_int_equal(etl_change_check_time(&rules, ETL_CHANGE_SET, hour(0), hour(1), &err), -1);
	assert_non_null(strstr(err.message, "window: none"));
}

/* ---- the cap ------------------------------------------------------------------------------- */

static void test_too_many(void **state)
{
	struct etl_watermark mark = {.origin = {T0}, .processed = {T0}};
	struct etl_ledger_brief *all = calloc(ETL_CHANGE_WINDOWS_MAX + 5, sizeof *all);
	struct etl_change_plan plan;

	(void)state;
	etl_change_plan_set(&hourly, &mark, hour(ETL_CHANGE_WINDOWS_MAX), NULL, 0, &plan);
	assert_false(plan.too_many);
	assert_int_equal(plan.n, ETL_CHANGE_WINDOWS_MAX);
	etl_change_plan_fini(&plan);
	etl_change_plan_set(&hourly, &mark, hour(ETL_CHANGE_WINDOWS_MAX + 5), NULL, 0, &plan);
	assert_true(plan.too_many);
	assert_int_equal(plan.to.ms, hour(ETL_CHANGE_WINDOWS_MAX).ms);
	etl_change_plan_fini(&plan);

	for (int i = 0; i < ETL_CHANGE_WINDOWS_MAX + 5; i++)
		all[i] = (struct etl_ledger_brief){
			.window = {hour(i), hour(i + 1)}, .state = ETL_WINDOW_LOADED};
	mark.processed = hour(ETL_CHANGE_WINDOWS_MAX + 5);
	etl_change_plan_rewind(&hourly, &mark, hour(0), all, ETL_CHANGE_WINDOWS_MAX + 5, &plan);
	assert_true(plan.too_many);
	assert_int_equal(plan.to.ms, hour(5).ms);
	etl_change_plan_fini(&plan);
	free(all);
}

/* Entries of an older grid stay what they are; below the old watermark an undo passes them. */
static void test_older_grid(void **state)
{
	struct etl_ledger_brief had[] = {
		{.window = {hour(0), hour(2)}, .state = ETL_WINDOW_LOADED},
		{.window = {hour(2), hour(4)}, .state = ETL_WINDOW_LOADED},
		{.window = {hour(4), hour(5)}, .state = ETL_WINDOW_LOADED},
	};
	struct etl_watermark mark = {.origin = {T0}, .processed = hour(5)};
	struct etl_change undone = {.kind = ETL_CHANGE_REWIND, .from = hour(5), .to = hour(1)};
	struct etl_change_plan plan;

	(void)state;
	etl_change_plan_rewind(&hourly, &mark, hour(1), had, 3, &plan);
	assert_int_equal(plan.n, 1);
	assert_int_equal(plan.windows[0].start.ms, hour(4).ms);
	assert_int_equal(plan.to.ms, hour(1).ms);
	etl_change_plan_fini(&plan);
	mark.processed = hour(1);
	etl_change_plan_undo(&hourly, &mark, &undone, had, 3, &had[2].window, 1, &plan);
	assert_int_equal(plan.to.ms, hour(5).ms);
	etl_change_plan_fini(&plan);
	/* But not what a run tried in between: that is open. */
	had[1] = (struct etl_ledger_brief){
		.window = {hour(2), hour(3)}, .state = ETL_WINDOW_FAILED};
	etl_change_plan_undo(&hourly, &mark, &undone, had, 3, &had[2].window, 1, &plan);
	assert_int_equal(plan.to.ms, hour(2).ms);
	etl_change_plan_fini(&plan);
}

/* ---- against a model ----------------------------------------------------------------------- */

struct model {
	bool has[HOURS];
	enum etl_window_state state[HOURS];
	bool touched[HOURS];
	int64_t mark;
};

static bool is_closed(const struct model *m, size_t h)
{
	return m->has[h] && etl_window_is_closed(m->state[h]);
}

static int64_t contiguous_from(const struct model *m, int64_t at)
{
	while (at < HOURS && is_closed(m, (size_t)at))
		at++;
	return at;
}

static void random_model(uint64_t *r, struct model *m)
{
	static const enum etl_window_state states[] = {ETL_WINDOW_LOADED, ETL_WINDOW_LOADED,
		ETL_WINDOW_EMPTY, ETL_WINDOW_LOADED, ETL_WINDOW_FAILED, ETL_WINDOW_PENDING,
		ETL_WINDOW_SKIPPED, ETL_WINDOW_UNRECOVERABLE};

	*m = (struct model){0};
	for (size_t h = 0; h < HOURS - 1; h++) {
		m->has[h] = test_random(r) % 6;
		m->state[h] = states[test_random(r) % 8];
	}
	m->mark = contiguous_from(m, 0);
}

static size_t briefs_of(const struct model *m, struct etl_ledger_brief *out)
{
	size_t n = 0;

	for (size_t h = 0; h < HOURS; h++)
		if (m->has[h])
			out[n++] = (struct etl_ledger_brief){
				.window = {hour((int64_t)h), hour((int64_t)h + 1)},
				.state = m->state[h]};
	return n;
}

static size_t index_of(struct etl_window window)
{
	return (size_t)((window.start.ms - T0) / HOUR_MS);
}

/* Walks the plan over the model; the law is looked at after each window. */
static void walk(struct model *m, const struct etl_change_plan *plan,
	enum etl_window_state becomes, const struct model *back)
{
	assert_int_equal(plan->from.ms, hour(m->mark).ms);
	for (size_t i = 0; i <= plan->n; i++) {
		m->mark = (etl_change_plan_after(plan, i).ms - T0) / HOUR_MS;
		if (i || plan->forward) /* a plan may begin where the ledger says already more */
			assert_int_equal(contiguous_from(m, 0), m->mark);
		if (i == plan->n)
			break;
		size_t h = index_of(plan->windows[i]);

		assert_int_not_equal(is_closed(m, h), plan->forward);
		m->has[h] = back ? back->has[h] : true;
		m->state[h] = back ? back->state[h] : becomes;
		m->touched[h] = !back;
	}
}

static void undo(struct model *m, const struct model *before, enum etl_change_kind kind)
{
	struct etl_watermark mark = {.origin = {T0}, .processed = hour(m->mark)};
	struct etl_change undone = {.kind = kind, .from = hour(before->mark), .to = hour(m->mark)};
	struct etl_ledger_brief briefs[HOURS];
	struct etl_window touched[HOURS];
	struct etl_change_plan plan;
	struct model after = *m;
	size_t n, n_touched = 0;

	for (size_t h = 0; h < HOURS; h++)
		if (m->touched[h]) {
			after.has[h] = true; /* as `was` of an entry that was made: pending */
			after.state[h] = before->has[h] ? before->state[h] : ETL_WINDOW_PENDING;
			touched[n_touched++] = (struct etl_window){
				hour((int64_t)h), hour((int64_t)h + 1)};
		}
	n = briefs_of(&after, briefs);
	etl_change_plan_undo(&hourly, &mark, &undone, briefs, n, touched, n_touched, &plan);
	assert_int_equal(plan.n, n_touched);
	walk(m, &plan, ETL_WINDOW_PENDING, before);
	assert_int_equal(m->mark, before->mark);
	for (size_t h = 0; h < HOURS; h++) {
		assert_int_equal(m->has[h], before->has[h]);
		assert_true(!m->has[h] || m->state[h] == before->state[h]);
	}
	etl_change_plan_fini(&plan);
}

static void test_set_and_back(void **state)
{
	uint64_t r = test_seed();

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct etl_ledger_brief briefs[HOURS];
		struct etl_change_plan plan;
		struct model m, before;
		struct etl_watermark mark;
		int64_t t;
		size_t n;

		random_model(&r, &m);
		before = m;
		mark = (struct etl_watermark){.origin = {T0}, .processed = hour(m.mark)};
		t = m.mark + (int64_t)(test_random(&r) % (uint64_t)(HOURS - m.mark));
		n = briefs_of(&m, briefs);
		etl_change_plan_set(&hourly, &mark, hour(t), briefs, n, &plan);
		walk(&m, &plan, ETL_WINDOW_SKIPPED, NULL);
		assert_true(m.mark >= t);
		etl_change_plan_fini(&plan);
		undo(&m, &before, ETL_CHANGE_SET);
	}
}

static void test_rewind_and_back(void **state)
{
	uint64_t r = test_seed();

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct etl_ledger_brief briefs[HOURS];
		struct etl_change_plan plan;
		struct model m, before;
		struct etl_watermark mark;
		int64_t t;
		size_t n;

		random_model(&r, &m);
		before = m;
		t = (int64_t)(test_random(&r) % (uint64_t)(m.mark + 1));
		mark = (struct etl_watermark){.origin = {T0}, .processed = hour(m.mark)};
		n = briefs_of(&m, briefs);
		etl_change_plan_rewind(&hourly, &mark, hour(t), briefs, n, &plan);
		walk(&m, &plan, ETL_WINDOW_PENDING, NULL);
		assert_int_equal(m.mark, t);
		etl_change_plan_fini(&plan);
		undo(&m, &before, ETL_CHANGE_REWIND);
	}
}

/* The watermark went back and its windows did not (no transactions, killed in between): the
 * same rewind again opens the rest. */
static void test_rewind_again(void **state)
{
	struct etl_ledger_brief all[10];
	struct etl_watermark mark = {.origin = {T0}, .processed = hour(4)};
	struct etl_change_plan plan;

	(void)state;
	for (int i = 0; i < 10; i++)
		all[i] = (struct etl_ledger_brief){.window = {hour(i), hour(i + 1)},
			.state = i < 7 ? ETL_WINDOW_LOADED : ETL_WINDOW_PENDING};
	etl_change_plan_rewind(&hourly, &mark, hour(2), all, 10, &plan);
	assert_int_equal(plan.n, 5);
	assert_int_equal(plan.windows[0].start.ms, hour(6).ms);
	assert_int_equal(plan.windows[4].start.ms, hour(2).ms);
	assert_int_equal(etl_change_plan_after(&plan, 1).ms, hour(4).ms);
	assert_int_equal(etl_change_plan_after(&plan, 4).ms, hour(3).ms);
	etl_change_plan_fini(&plan);
}

/* The examples of change_plan.c: what is closed stays through a set, and a decision moves the watermark only
 * if the watermark is at its unit. */
static void test_examples(void **state)
{
	struct etl_ledger_brief set[] = {{.window = {hour(6), hour(7)}, .state = ETL_WINDOW_LOADED}};
	struct etl_ledger_brief behind[] = {{.window = {hour(6), hour(7)}, .state = ETL_WINDOW_LOADED},
		{.window = {hour(9), hour(10)}, .state = ETL_WINDOW_HELD}};
	struct etl_watermark mark = {.origin = {T0}, .processed = hour(4)};
	static const int skipped[] = {4, 5, 7};
	struct etl_change_plan plan;

	(void)state;
	etl_change_plan_set(&hourly, &mark, hour(8), set, 1, &plan);
	assert_int_equal(plan.n, 3);
	for (size_t i = 0; i < plan.n; i++)
		assert_int_equal(plan.windows[i].start.ms, hour(skipped[i]).ms);
	assert_int_equal(plan.to.ms, hour(8).ms);
	etl_change_plan_fini(&plan);
	mark.processed = hour(5);
	etl_change_plan_unit(&hourly, &mark, (struct etl_window){hour(5), hour(6)}, true, behind, 2, &plan);
	assert_int_equal(plan.to.ms, hour(7).ms);
	etl_change_plan_fini(&plan);
	etl_change_plan_unit(&hourly, &mark, (struct etl_window){hour(9), hour(10)}, true, NULL, 0, &plan);
	assert_int_equal(plan.to.ms, hour(5).ms);
	etl_change_plan_fini(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_no_windows),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_older_grid),
		cmocka_unit_test(test_set_and_back),
		cmocka_unit_test(test_rewind_and_back),
		cmocka_unit_test(test_rewind_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
