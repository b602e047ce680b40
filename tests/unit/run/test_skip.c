/* SPDX-License-Identifier: MIT
 *
 * What is stored of slots that will not run: the record first, then the cursor. Who brings
 * another schedule also tells of what others have decided by the one before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "run/run.h"
#include "state/state.h"

#define T0 INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define HOUR_MS INT64_C(3600000)

static struct etl_clock_virtual clock_;
static struct etl_run_env env;
static struct etl_error err;

static etl_wall hour(int64_t h)
{
	return (etl_wall){T0 + h * HOUR_MS};
}

static int setup(void **state)
{
	(void)state;
	etl_clock_virtual_init(&clock_, hour(5));
	env = (struct etl_run_env){.state = etl_state_memory_new(&clock_.clock),
		.clock = &clock_.clock, .host = "host"};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	env.state->ops->free(env.state);
	return 0;
}

/* What another etld has stored. */
static void stored(int64_t h, const char *schedule)
{
	struct etl_slot_note note = {"j", hour(h), schedule, false};

	assert_int_equal(env.state->ops->slots_save(env.state, &note, 1, &err), 0);
}

static void need_cursor(int64_t h, const char *schedule)
{
	struct etl_schedule_info info;

	assert_int_equal(env.state->ops->schedule_get(env.state, "j", &info, &err), 1);
	assert_int_equal(info.slot.ms, hour(h).ms);
	assert_string_equal(info.schedule, schedule);
}

static int64_t date_of(const bson_t *run, const char *key)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, run, key) ? bson_iter_date_time(&it) : 0;
}

struct records {
	int n;
	int64_t first, last;
};

static int take_record(void *ctx, const bson_t *run)
{
	struct records *records = ctx;

	int64_t first = date_of(run, "slot_first"), last = date_of(run, "slot");

	records->first = records->n && records->first < first ? records->first : first;
	records->last = records->n && records->last > last ? records->last : last;
	records->n++;
	return 0;
}

static struct records records(void)
{
	struct records found = {0};

	assert_int_equal(etl_run_list(env.state, "j", 0, take_record, &found, &err), 0);
	return found;
}

static void test_an_edit_reaches_as_far_as_others_have_decided(void **state)
{
	struct etl_skip skip = {hour(2), hour(5), 3, ETL_SKIP_EDITED};

	(void)state;
	stored(9, "old");
	assert_int_equal(etl_skip_save(&env, "j", &skip, "new", &err), 0);
	assert_int_equal(records().n, 2);
	assert_int_equal(records().first, hour(2).ms);
	assert_int_equal(records().last, hour(9).ms);
	need_cursor(9, "new");
}

static void test_an_edit_that_skips_nothing_itself(void **state)
{
	struct etl_slot_note note = {"j", hour(5), "new", false};

	(void)state;
	stored(9, "old");
	assert_int_equal(etl_edit_save(&env, &note, &err), 0);
	assert_int_equal(records().n, 1);
	assert_int_equal(records().first, hour(5).ms + 1);
	assert_int_equal(records().last, hour(9).ms);
	need_cursor(9, "new");
}

static void test_an_edit_that_others_have_taken_up(void **state)
{
	struct etl_slot_note note = {"j", hour(5), "new", false};

	(void)state;
	stored(9, "new"); /* they ran, or have said why not */
	assert_int_equal(etl_edit_save(&env, &note, &err), 0);
	assert_int_equal(records().n, 0);
}

static void test_an_edit_of_what_nobody_is_ahead_of(void **state)
{
	struct etl_slot_note note = {"j", hour(5), "new", false};

	(void)state;
	stored(4, "old");
	assert_int_equal(etl_edit_save(&env, &note, &err), 0);
	assert_int_equal(records().n, 0);
	need_cursor(5, "new");
}

/* That one is put back: its slots run. */
static void test_an_edit_under_a_clock_far_ahead(void **state)
{
	struct etl_slot_note note = {"j", hour(5), "new", false};

	(void)state;
	stored(5 + 25, "old");
	assert_int_equal(etl_edit_save(&env, &note, &err), 0);
	assert_int_equal(records().n, 0);
}

/* The other one had not heard of the edit, and went on by the old schedule. (Seed 70082295 of
 * the simulation.) */
static void test_a_skip_that_brings_the_schedule_back(void **state)
{
	struct etl_skip skip = {hour(2), hour(4), 3, ETL_SKIP_MISFIRE};

	(void)state;
	stored(9, "old");
	assert_int_equal(etl_skip_save(&env, "j", &skip, "new", &err), 0);
	assert_int_equal(records().n, 2);
	assert_int_equal(records().last, hour(9).ms);
	need_cursor(9, "new");
}

static void test_a_slot_refused_by_another_schedule(void **state)
{
	(void)state;
	stored(9, "old");
	assert_int_equal(etl_skip_refused(&env, "j", hour(6), "new", &err), 0);
	assert_int_equal(records().n, 1);
	assert_int_equal(records().first, hour(6).ms);
	assert_int_equal(records().last, hour(9).ms);
	need_cursor(9, "old");
}

static void test_skips_behind_a_cursor_of_the_same_schedule(void **state)
{
	struct etl_skip skip = {hour(2), hour(4), 3, ETL_SKIP_MISFIRE};

	(void)state;
	stored(9, "new");
	assert_int_equal(etl_skip_save(&env, "j", &skip, "new", &err), 0);
	assert_int_equal(records().n, 1);
	assert_int_equal(records().last, hour(4).ms);
	need_cursor(9, "new");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_an_edit_reaches_as_far_as_others_have_decided),
		TEST(test_an_edit_that_skips_nothing_itself),
		TEST(test_an_edit_that_others_have_taken_up),
		TEST(test_an_edit_of_what_nobody_is_ahead_of),
		TEST(test_an_edit_under_a_clock_far_ahead),
		TEST(test_a_skip_that_brings_the_schedule_back),
		TEST(test_a_slot_refused_by_another_schedule),
		TEST(test_skips_behind_a_cursor_of_the_same_schedule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
