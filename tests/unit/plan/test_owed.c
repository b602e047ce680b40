/* SPDX-License-Identifier: MIT
 *
 * What a partition owes: its first window, since when it has been due, "late by".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "job/job.h"
#include "plan/owed.h"

#define T0 INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define MINUTE INT64_C(60000)

static etl_wall at(int hours, int minutes)
{
	return (etl_wall){T0 + (hours * 60 + minutes) * MINUTE};
}

/* Hourly windows from T0 on, final 10 minutes after their end; slots at :15. */
static struct etl_job hourly(void)
{
	struct etl_error err = ETL_ERROR_INIT;

	return (struct etl_job){
		.window = {.grid = {.start = {T0}, .size = ETL_HOURS(1)}, .settle = ETL_MINUTES(10)},
		.calendar = etl_calendar_every(ETL_HOURS(1), ETL_MINUTES(15), &err),
	};
}

static void fini(struct etl_job *job)
{
	etl_calendar_free((struct etl_calendar *)(uintptr_t)job->calendar);
}

static int64_t late(const struct etl_job *job, etl_wall mark, etl_wall now)
{
	const struct etl_owed_facts facts = {.watermark = mark};

	return etl_late_by(&job->window, job->calendar, &facts, now).us / 60000000;
}

static int64_t late_open(const struct etl_job *job, etl_wall mark, etl_wall oldest, etl_wall now)
{
	const struct etl_owed_facts facts = {mark, true, oldest};

	return etl_late_by(&job->window, job->calendar, &facts, now).us / 60000000;
}

static bool owes(const struct etl_job *job, etl_wall mark, etl_wall now)
{
	const struct etl_owed_facts facts = {.watermark = mark};
	etl_wall since = {-1};
	bool owed = etl_owed_since(&job->window, job->calendar, &facts, now, &since);

	assert_true(owed ? since.ms <= now.ms : since.ms == -1);
	return owed;
}

/* -1 = none. */
static int64_t next_hour(const struct etl_window_rules *rules, etl_wall mark)
{
	struct etl_window out = {{-1}, {-1}};

	if (!etl_owed_next(rules, mark, &out)) {
		assert_int_equal(out.end.ms, -1);
		return -1;
	}
	assert_int_equal(out.end.ms, out.start.ms + 60 * MINUTE);
	return (out.start.ms - T0) / (60 * MINUTE);
}

static void test_the_first_window(void **state)
{
	struct etl_window_rules rules = {.grid = {.start = {T0}, .size = ETL_HOURS(1)}};

	(void)state;
	assert_int_equal(next_hour(&rules, at(5, 0)), 5);
	assert_int_equal(next_hour(&rules, at(5, 30)), 5);     /* of another grid */
	assert_int_equal(next_hour(&rules, (etl_wall){0}), 0); /* it never ran */
	rules.grid.start = at(-24 * 365 * 60, 0);		       /* 1964 */
	assert_int_equal(next_hour(&rules, (etl_wall){0}), -24 * 365 * 60);
	rules.grid.start = at(7, 0); /* moved on */
	assert_int_equal(next_hour(&rules, at(5, 0)), 7);
	rules.end = at(8, 0);
	assert_int_equal(next_hour(&rules, at(7, 0)), 7);
	assert_int_equal(next_hour(&rules, at(8, 0)), -1);
	rules.end = at(7, 30); /* not one window fits */
	assert_int_equal(next_hour(&rules, at(5, 0)), -1);
	assert_int_equal(next_hour(&(struct etl_window_rules){.none = true}, at(5, 0)), -1);
}

static void test_since_its_slot(void **state)
{
	struct etl_job job = hourly();

	(void)state;
	assert_false(owes(&job, at(9, 0), at(10, 14)));
	assert_true(owes(&job, at(9, 0), at(10, 15))); /* from the very instant on */
	assert_false(owes(&job, (etl_wall){0}, at(99, 0)));
	fini(&job);
	job.calendar = NULL;
	assert_false(owes(&job, at(9, 0), at(10, 9)));
	assert_true(owes(&job, at(9, 0), at(10, 10)));
}

static void test_from_the_slot_on(void **state)
{
	struct etl_job job = hourly();

	(void)state;
	assert_int_equal(late(&job, at(9, 0), at(10, 9)), 0);  /* not final */
	assert_int_equal(late(&job, at(9, 0), at(10, 14)), 0); /* final, its slot is to come */
	assert_int_equal(late(&job, at(9, 0), at(10, 15)), 0);
	assert_int_equal(late(&job, at(9, 0), at(10, 40)), 25);
	assert_int_equal(late(&job, at(10, 0), at(10, 40)), 0); /* closed: the next is not final */
	assert_int_equal(late(&job, at(7, 0), at(10, 40)), 2 * 60 + 25);
	fini(&job);
	job.calendar = NULL; /* `after` others: due when it is final */
	assert_int_equal(late(&job, at(9, 0), at(10, 40)), 30);
}

/* What failed behind windows that are closed is older than the watermark's, or is all there is. */
static void test_open_units_of_the_ledger(void **state)
{
	struct etl_job job = hourly();

	(void)state;
	assert_int_equal(late_open(&job, at(10, 0), at(5, 0), at(10, 40)), 4 * 60 + 25);
	assert_int_equal(late_open(&job, at(7, 0), at(9, 0), at(10, 40)), 2 * 60 + 25);
	fini(&job);
}

static void test_nothing_is_due(void **state)
{
	struct etl_job job = hourly();

	(void)state;
	assert_int_equal(late(&job, (etl_wall){0}, at(100, 0)), 0); /* it never ran */
	assert_int_equal(late_open(&job, (etl_wall){0}, at(5, 0), at(100, 0)), 0);
	job.window.end = at(10, 0);
	assert_int_equal(late(&job, at(10, 0), at(100, 0)), 0); /* all that it will ever have */
	assert_int_equal(late(&job, at(9, 0), at(12, 15)), 2 * 60);
	job.window.end.ms = 0;
	job.window.grid.start = at(50, 0); /* moved on: what was before is nobody's */
	assert_int_equal(late(&job, at(9, 0), at(51, 9)), 0);
	assert_int_equal(late(&job, at(9, 0), at(51, 20)), 5);
	fini(&job);
}

static void test_full_reads(void **state)
{
	struct etl_job job = hourly();

	(void)state;
	job.window = (struct etl_window_rules){.none = true};
	assert_int_equal(late(&job, at(9, 15), at(10, 14)), 0);
	assert_int_equal(late(&job, at(9, 16), at(10, 20)), 5);
	assert_false(owes(&job, at(10, 15), at(11, 14))); /* its own slot asks for nothing more */
	assert_true(owes(&job, at(10, 14), at(10, 15)));
	fini(&job);
	job.calendar = NULL;
	assert_int_equal(late(&job, at(9, 16), at(99, 0)), 0);
}

/* What no plan has found is owed by nobody; what one has found is owed since then, whatever the slots
 * are and whether all was ever in. */
static void test_objects(void **state)
{
	struct etl_job job = hourly();

	(void)state;
	job.window = (struct etl_window_rules){.none = true, .object = true};
	assert_int_equal(late(&job, at(9, 15), at(99, 0)), 0);
	assert_int_equal(late_open(&job, (etl_wall){0}, at(9, 20), at(10, 20)), 60);
	assert_int_equal(late_open(&job, at(10, 0), at(9, 20), at(9, 20)), 0);
	fini(&job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_window),
		cmocka_unit_test(test_since_its_slot),
		cmocka_unit_test(test_from_the_slot_on),
		cmocka_unit_test(test_open_units_of_the_ledger),
		cmocka_unit_test(test_nothing_is_due),
		cmocka_unit_test(test_full_reads),
		cmocka_unit_test(test_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
