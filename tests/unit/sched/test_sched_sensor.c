/* SPDX-License-Identifier: MIT
 *
 * `wait_for` on the virtual clock, at its edges: who waits and who does not, MongoDB unreachable,
 * answers that come too late, and a reload, a pause, a stop or a removal in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sched_rig.h"

static const struct etl_wait_for sensor = {
	.poke = {INT64_C(120000000)}, .timeout = {INT64_C(300000000)}};

/* Every ten minutes, with a sensor that is asked every two, for five at most. */
static struct etl_sched_job *rig_add_sensor(const char *name)
{
	struct etl_sched_job *job = rig_add(name, 10);

	rig_config(job)->wait_for = &sensor;
	return job;
}

static void say(struct etl_sched_job *job, bool satisfied)
{
	etl_sched_sensed(rig.sched, job, satisfied, satisfied ? "there" : "not yet");
}

static void trigger(struct etl_sched_job *job, enum etl_trigger_kind kind)
{
	struct etl_trigger t = {.kind = kind};

	etl_sched_trigger(rig.sched, job, &t);
}

/* ---- who waits --------------------------------------------------------------------------- */

static void test_by_hand_nobody_waits(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	trigger(a, ETL_TRIGGER_MANUAL);
	assert_int_equal(rig_need('S', a)->trigger.kind, ETL_TRIGGER_MANUAL);
	rig_end(a);
	trigger(a, ETL_TRIGGER_BACKFILL);
	assert_int_equal(rig_need('S', a)->trigger.kind, ETL_TRIGGER_BACKFILL);
	rig_end(a);
	rig_need_nothing();
}

static void test_after_another_job_waits(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	trigger(a, ETL_TRIGGER_AFTER);
	rig_need('Q', a);
	say(a, true);
	assert_int_equal(rig_need('S', a)->trigger.kind, ETL_TRIGGER_AFTER);
	rig_end(a);
	/* It has no slot that could be skipped: in vain it ends without a record. */
	trigger(a, ETL_TRIGGER_AFTER);
	for (int i = 0; i < 3; i++) {
		rig_need('Q', a);
		say(a, false);
		rig_turn(2);
	}
	rig_need('Q', a);
	say(a, false);
	rig_need_nothing();
	assert_int_equal(etl_sched_phase(rig.sched, a), ETL_PHASE_IDLE);
}

/* Three missed slots, one run each: each waits for itself. */
static void test_each_missed_slot_waits(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	rig_config(a)->misfire = ETL_MISFIRE_RUN_EACH;
	rig_sleep(35);
	etl_sched_store(rig.sched, true);
	for (int slot = 10; slot <= 30; slot += 10) {
		rig_need('Q', a);
		rig_need_nothing();
		say(a, true);
		rig_need_run(a, slot);
		rig_end(a);
	}
	rig_need_nothing();
}

/* It takes no place and needs none: it is asked while the pool is full. */
static void test_it_takes_no_place(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a"), *b = rig_add("b", 10);
	struct etl_sched_facts facts;

	(void)state;
	etl_sched_limit(rig.sched, 1);
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	etl_sched_facts(rig.sched, &facts);
	assert_int_equal(facts.active, 1);
	assert_true(a->sensing);
	assert_non_null(b->run);
	rig.seen = rig.n_asked;
	say(a, true); /* but its run needs one */
	assert_int_equal(etl_sched_phase(rig.sched, a), ETL_PHASE_PLACE);
	rig_need_nothing();
	rig_end(b);
	rig_need_run(a, 10);
}

/* By hand while it waits: at once, and the slot waits on. */
static void test_by_hand_while_it_waits(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	trigger(a, ETL_TRIGGER_MANUAL);
	assert_int_equal(rig_need('S', a)->trigger.kind, ETL_TRIGGER_MANUAL);
	say(a, false);
	rig_turn(2);
	rig_need('Q', a); /* asked on while that run goes */
	say(a, true);
	rig_need_nothing();
	rig_end(a);
	rig_need_run(a, 10);
	rig_end(a);
	rig_need_nothing();
}

static void test_a_backfill_while_it_waits(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	trigger(a, ETL_TRIGGER_BACKFILL);
	assert_int_equal(rig_need('S', a)->trigger.kind, ETL_TRIGGER_BACKFILL);
	rig_end(a);
	assert_int_equal(etl_sched_phase(rig.sched, a), ETL_PHASE_SENSING);
	say(a, true);
	rig_need_run(a, 10);
}

/* ---- MongoDB ----------------------------------------------------------------------------- */

/* Away for longer than the timeout: nothing is given up, it is asked when it is back. */
static void test_the_store_is_away(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	etl_sched_store(rig.sched, false);
	etl_sched_sensed(rig.sched, a, false, "no server");
	rig_turn(9);
	rig_need_nothing();
	assert_string_equal(a->sense_said, "MongoDB is unreachable");
	assert_true(a->sensing);
	etl_sched_store(rig.sched, true);
	rig_need('Q', a);
	say(a, true);
	rig_need_run(a, 10);
	rig_need_nothing();
}

static void test_back_and_still_nothing(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	etl_sched_store(rig.sched, false);
	etl_sched_sensed(rig.sched, a, false, "no server");
	rig_turn(8);
	etl_sched_store(rig.sched, true);
	rig_need('Q', a);
	say(a, false);
	rig_need_skip(a, 10, 10, ETL_SKIP_SENSOR);
	rig_turn(1);
	rig_need_nothing();
}

/* An answer that stays out is waited for; it alone decides, however late. */
static void test_a_slow_answer(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	rig_turn(9);
	rig_need_nothing();
	say(a, true);
	rig_need_run(a, 10);
}

/* ---- in between -------------------------------------------------------------------------- */

static void test_a_reload_drops_the_sensor(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");
	struct etl_job other;

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	other = *rig_config(a);
	other.wait_for = NULL;
	etl_sched_change(rig.sched, a, &other);
	rig_need_nothing(); /* its owner has not taken the change up yet */
	etl_sched_limit(rig.sched, 4);
	rig_need_run(a, 10);
	say(a, false); /* the old question's answer */
	rig_need_nothing();
	etl_sched_change(rig.sched, a, rig_config(a));
}

/* An answer that the old configuration's question brings home is not given to the scheduler;
 * one that was on its way all the same finds no sensor. */
static void test_an_answer_without_a_sensor(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	rig_config(a)->wait_for = NULL;
	say(a, false);
	rig_need_run(a, 10);
}

static void test_a_reload_asks_anew(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");
	struct etl_wait_for other = sensor;
	struct etl_job changed;

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	say(a, false);
	changed = *rig_config(a);
	other.newer_than = ETL_HOURS(9);
	changed.wait_for = &other;
	etl_sched_change(rig.sched, a, &changed);
	rig_need('Q', a);
	say(a, true);
	rig_need_run(a, 10);
	etl_sched_change(rig.sched, a, rig_config(a));
}

static void test_a_new_schedule_forgets_it(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");
	struct etl_job changed;

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	changed = *rig_config(a);
	changed.schedule_text = "edited";
	etl_sched_change(rig.sched, a, &changed);
	rig_need_skip(a, 10, 10, ETL_SKIP_EDITED);
	say(a, true);
	rig_need_nothing();
	assert_false(a->sensing);
	etl_sched_change(rig.sched, a, rig_config(a));
}

static void test_a_pause(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	etl_sched_pause(rig.sched, a);
	say(a, true);
	rig_turn(5);
	rig_need_nothing();
	etl_sched_resume(rig.sched, a, (etl_wall){0});
	rig_need_skip(a, 10, 10, ETL_SKIP_PAUSED);
	rig_need_nothing();
}

/* Resumed from before the slot: it is missed, and waits anew. */
static void test_a_pause_and_back(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	etl_sched_pause(rig.sched, a);
	etl_sched_resume(rig.sched, a, (etl_wall){T0 + 10 * MINUTE});
	rig_need('Q', a);
	say(a, true);
	rig_need_run(a, 10);
	rig_need_nothing();
}

static void test_a_stop(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	etl_sched_stop(rig.sched);
	say(a, true);
	rig_turn(60);
	rig_need_nothing();
	assert_true(a->decided.ms < T0 + 10 * MINUTE); /* nothing has come of the slot: still due */
}

/* Removed while it waits for its next poke: no timer is left of it. */
static void test_removed(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a"), *b = rig_add("b", 0);

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	say(a, false);
	etl_sched_remove(rig.sched, a);
	assert_int_equal(etl_wheel_count(rig.wheel), 0);
	rig_turn(60);
	rig_need_nothing();
	etl_sched_add(rig.sched, a, "a", rig_config(a)); /* for the teardown */
	(void)b;
}

/* The next slot comes while one waits: it takes the one place behind it. */
static void test_the_next_slot_comes(void **state)
{
	static const struct etl_wait_for patient = {
		.poke = {INT64_C(120000000)}, .timeout = {INT64_C(3600000000)}};
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	rig_config(a)->wait_for = &patient;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	rig_turn(21); /* the slots of 20 and 30 have come */
	rig_need_nothing();
	say(a, true);
	rig_need_run(a, 10);
	rig_end(a);
	rig_need('Q', a);
	say(a, true);
	rig_need_run(a, 30);
	rig_end(a);
	rig_need_nothing();
}

#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)

/* ---- the clock ----------------------------------------------------------------------------- */

/* Its time is to come again, and so is the question. */
static void test_clock_set_back_under_a_slot_that_waits(void **state)
{
	struct etl_sched_job *a = rig_add_sensor("a");

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	etl_clock_virtual_step(&rig.clock, ETL_MINUTES(-5));
	etl_sched_replan(rig.sched);
	say(a, true); /* to what was asked before */
	rig_need_nothing();
	rig_turn(5);
	rig_need('Q', a);
	say(a, true);
	rig_need_run(a, 10);
	rig_need_nothing();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_by_hand_nobody_waits),
		RIG_TEST(test_after_another_job_waits),
		RIG_TEST(test_each_missed_slot_waits),
		RIG_TEST(test_it_takes_no_place),
		RIG_TEST(test_by_hand_while_it_waits),
		RIG_TEST(test_a_backfill_while_it_waits),
		RIG_TEST(test_the_store_is_away),
		RIG_TEST(test_back_and_still_nothing),
		RIG_TEST(test_a_slow_answer),
		RIG_TEST(test_a_reload_drops_the_sensor),
		RIG_TEST(test_an_answer_without_a_sensor),
		RIG_TEST(test_a_reload_asks_anew),
		RIG_TEST(test_a_new_schedule_forgets_it),
		RIG_TEST(test_a_pause),
		RIG_TEST(test_a_pause_and_back),
		RIG_TEST(test_a_stop),
		RIG_TEST(test_removed),
		RIG_TEST(test_the_next_slot_comes),
		RIG_TEST(test_clock_set_back_under_a_slot_that_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
