/* SPDX-License-Identifier: MIT
 *
 * A clock that was far ahead and is put right while the run of one of its slots waits for the lease.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sched_rig.h"

#define AHEAD (INT64_C(3650) * 24 * 60) /* minutes */

/* Its first run goes, for the slot 10 minutes after the clock's begin. */
static struct etl_sched_job *add_far_ahead(void)
{
	struct etl_sched_job *job;

	etl_clock_virtual_step(&rig.clock, ETL_MINUTES(AHEAD));
	job = rig_add("a", 10);
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need_run(job, AHEAD + 10);
	return job;
}

/* The clock is put right while a run waits for its lease, which another etld has, and which had decided
 * less by then. What the run learned takes nothing back: the slots that are missed since then wait. */
static void test_clock_far_ahead_under_a_run_that_claims_nothing(void **state)
{
	struct etl_sched_job *a = add_far_ahead();

	(void)state;
	rig_config(a)->misfire = ETL_MISFIRE_RUN_EACH;
	etl_clock_virtual_step(&rig.clock, ETL_MINUTES(-AHEAD));
	etl_sched_replan(rig.sched);
	rig_need_skip(a, 10, AHEAD + 10, ETL_SKIP_CLOCK);
	rig_sleep(25);
	etl_sched_replan(rig.sched); /* 20 and 30 wait behind the run */
	rig_end_as(a, (struct etl_run_outcome){
		.busy = true, .decided = {T0 + AHEAD * MINUTE}, .held_for = ETL_SECONDS(20)});
	rig_need_run(a, 20);
	rig_end(a);
	rig_need_run(a, 30);
	rig_need_nothing();
}

/* The same, but the run ends before anybody looks at the clock: a cursor behind its slot has refused
 * nothing, however far ahead it is, and the slot is taken back when the clock is looked at. */
static void test_clock_far_ahead_under_a_run_before_a_look(void **state)
{
	struct etl_sched_job *a = add_far_ahead();

	(void)state;
	etl_clock_virtual_step(&rig.clock, ETL_MINUTES(-AHEAD));
	rig_end_as(a, (struct etl_run_outcome){
		.busy = true, .decided = {T0 + AHEAD * MINUTE}, .held_for = ETL_SECONDS(20)});
	rig_need_nothing();
	etl_sched_replan(rig.sched);
	rig_need_skip(a, 10, AHEAD + 9, ETL_SKIP_CLOCK); /* up to before the slot that claimed nothing */
	rig_turn(10);
	rig_need_run(a, 20);
	rig_need_nothing();
}

/* The same, but the clock is put right while the job is paused. */
static void test_clock_far_ahead_under_a_run_of_a_paused_job(void **state)
{
	struct etl_sched_job *a = add_far_ahead();

	(void)state;
	etl_sched_pause(rig.sched, a);
	etl_clock_virtual_step(&rig.clock, ETL_MINUTES(-AHEAD));
	etl_sched_replan(rig.sched);
	rig_need_skip(a, 10, AHEAD + 10, ETL_SKIP_CLOCK);
	rig_end_as(a, (struct etl_run_outcome){
		.busy = true, .decided = {T0 + AHEAD * MINUTE}, .held_for = ETL_SECONDS(20)});
	rig_need_nothing();
	etl_sched_resume(rig.sched, a, (etl_wall){0});
	rig_turn(10);
	rig_need_run(a, 20);
}

/* Slots of the right time count from the instant at which the clock was put right, also while the job is
 * paused: those until it is resumed are skipped for the pause, and none is without a reason. */
static void test_slots_of_a_pause_behind_a_clock_far_ahead(void **state)
{
	struct etl_sched_job *a = add_far_ahead();

	(void)state;
	rig_end(a);
	etl_sched_pause(rig.sched, a);
	etl_clock_virtual_step(&rig.clock, ETL_MINUTES(-AHEAD));
	etl_sched_replan(rig.sched);
	rig_need_skip(a, 10, AHEAD + 10, ETL_SKIP_CLOCK);
	rig_turn(25);
	etl_sched_resume(rig.sched, a, (etl_wall){0});
	rig_need_skip(a, 20, 30, ETL_SKIP_PAUSED);
	rig_turn(5);
	rig_need_run(a, 40);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_clock_far_ahead_under_a_run_that_claims_nothing),
		RIG_TEST(test_clock_far_ahead_under_a_run_before_a_look),
		RIG_TEST(test_clock_far_ahead_under_a_run_of_a_paused_job),
		RIG_TEST(test_slots_of_a_pause_behind_a_clock_far_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
