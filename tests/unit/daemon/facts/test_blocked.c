/* SPDX-License-Identifier: MIT
 *
 * What a job owes and waits for, by the watermarks that the loop knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "facts/blocked.h"
#include "facts/owed.h"

#define T0 INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define HOUR_MS INT64_C(3600000)

static etl_wall hour(int64_t h)
{
	return (etl_wall){T0 + h * HOUR_MS};
}

/* "down" comes after "up"; both have hourly windows and two partitions. It is 10:00. */
static struct etl_clock_virtual clock_now;
static struct etld etld;
static struct etl_partition names[] = {{.name = "a"}, {.name = "b"}};
static struct etl_job up_config, down_config;
static const struct etl_job *upstream[] = {&up_config};
static struct etld_partition up_parts[2], down_parts[2];
static struct etld_job up, down;

static void add(struct etld_job *job, char *name, struct etl_job *config, struct etld_partition *partitions)
{
	*config = (struct etl_job){.name = name, .partitions = names, .n_partitions = 2,
		.window = {.grid = {.start = {T0}, .size = ETL_HOURS(1)}}};
	memset(partitions, 0, 2 * sizeof *partitions);
	*job = (struct etld_job){.name = name, .job = config, .partitions = partitions};
	for (size_t i = 0; i < 2; i++)
		partitions[i].name = names[i].name;
	HASH_ADD_KEYPTR(hh, etld.jobs, job->name, strlen(job->name), job);
}

static int set_up(void **state)
{
	static char up_name[] = "up", down_name[] = "down";

	(void)state;
	etl_clock_virtual_init(&clock_now, hour(10));
	etld = (struct etld){.clock = &clock_now.clock};
	add(&up, up_name, &up_config, up_parts);
	add(&down, down_name, &down_config, down_parts);
	down_config.upstream = upstream;
	down_config.n_upstream = 1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	HASH_CLEAR(hh, etld.jobs);
	return 0;
}

static void expect_block(size_t partition, int64_t window)
{
	struct etld_block block;

	assert_true(etld_blocked_by(&etld, &down, &block));
	assert_ptr_equal(block.upstream, &up);
	assert_int_equal(block.partition, partition);
	assert_int_equal(block.window.start.ms, hour(window).ms);
}

static void expect_none(void)
{
	struct etld_block block;

	assert_false(etld_blocked_by(&etld, &down, &block));
}

/* MongoDB was never asked, or neither ever ran: the first window of all is waited for. */
static void no_watermark(void **state)
{
	struct etld_due due;

	(void)state;
	expect_block(0, 0);
	assert_int_equal(etld_owed_late_most(&etld, &down).us, 0);
	down_config.deadline = ETL_MINUTES(20);
	assert_false(etld_owed_deadline(&etld, &down, &due));
}

/* Of several partitions the slowest owes first, and waits for its namesake alone. */
static void the_slowest_partition(void **state)
{
	struct etld_owed owed;

	(void)state;
	down_parts[0].watermark = hour(9);
	down_parts[1].watermark = hour(7);
	assert_true(etld_owed_of(&etld, &down, &owed));
	assert_int_equal(owed.partition, 1);
	assert_int_equal(owed.window.start.ms, hour(7).ms);
	up_parts[0].watermark = hour(2);
	up_parts[1].watermark = hour(7);
	expect_block(1, 7);
	up_parts[1].watermark = hour(8);
	expect_none();
	assert_int_equal(etld_owed_late_most(&etld, &down).us, ETL_HOURS(2).us);
	assert_int_equal(etld_owed_late(&etld, &down, 0).us, 0);
}

static void nothing_is_owed(void **state)
{
	struct etld_owed owed;

	(void)state;
	down_parts[0].watermark = down_parts[1].watermark = hour(10);
	assert_false(etld_owed_of(&etld, &down, &owed));
	assert_int_equal(owed.window.start.ms, hour(10).ms); /* comes next */
	expect_none();
	down_config.window.end = hour(10); /* all that will ever be is closed */
	assert_false(etld_owed_of(&etld, &down, &owed));
	assert_int_equal(owed.window.end.ms, 0);
	down_config.window = (struct etl_window_rules){.none = true};
	assert_false(etld_owed_of(&etld, &down, &owed));
	expect_none();
}

static void an_upstream_that_ends(void **state)
{
	(void)state;
	down_parts[0].watermark = down_parts[1].watermark = hour(6);
	up_parts[0].watermark = up_parts[1].watermark = hour(3);
	up_config.window.end = hour(6); /* not reached, and yet nothing of 06:00 to 07:00 will come */
	expect_none();
	up_config.window.end = hour(7);
	expect_block(0, 3);
}

static void an_upstream_without_windows(void **state)
{
	struct etld_block block;

	(void)state;
	up_config.window = (struct etl_window_rules){.none = true};
	down_parts[0].watermark = down_parts[1].watermark = hour(6);
	assert_true(etld_blocked_by(&etld, &down, &block));
	assert_int_equal(block.window.start.ms, hour(6).ms); /* it has none of its own to name */
	up_parts[0].watermark = hour(1);
	expect_none();
}

static void an_upstream_that_is_left_out(void **state)
{
	(void)state;
	down_parts[0].watermark = down_parts[1].watermark = hour(10); /* it owes nothing */
	up_config.left_out = "line 3: unknown key";
	expect_block(0, 10);
}

static void the_first_deadline(void **state)
{
	struct etld_due due;

	(void)state;
	down_config.deadline = ETL_MINUTES(20);
	down_parts[0].watermark = hour(9);
	down_parts[1].watermark = hour(8);
	assert_true(etld_owed_deadline(&etld, &down, &due));
	assert_int_equal(due.partition, 1);
	assert_int_equal(due.window.start.ms, hour(8).ms);
	assert_int_equal(due.due.ms, hour(9).ms + 20 * 60000);
	assert_true(due.missed);
	down_parts[1].watermark = hour(10);
	assert_true(etld_owed_deadline(&etld, &down, &due));
	assert_int_equal(due.partition, 0);
	assert_false(due.missed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_watermark, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_slowest_partition, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_owed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_upstream_that_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_upstream_without_windows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_upstream_that_is_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_first_deadline, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
