/* SPDX-License-Identifier: MIT
 *
 * The scheduler at its edges: slots and their policies, jitter, clock steps, pause, restart,
 * another etld, MongoDB unreachable, pools and lanes, sensors. tests/sim plays whole histories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sched_rig.h"

/* ---- slots --------------------------------------------------------------------------------- */

static void test_each_slot_once(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	for (int64_t slot = 10; slot <= 100; slot += 10) {
		rig_turn(10);
		rig_need_run(a, slot);
		rig_end(a);
	}
	rig_need_nothing();
}

static void test_nothing_before_the_store(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_turn(25);
	rig_need_nothing();
	etl_sched_store(rig.sched, true);
	assert_int_equal(rig_need('S', a)->trigger.skip.slots, 1);
	rig_end(a);
	etl_sched_store(rig.sched, false);
	rig_turn(10);
	rig_need_nothing();
	etl_sched_store(rig.sched, true);
	rig_need_run(a, 30);
	rig_need_nothing();
}

static void test_jitter(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	etl_dur shift;

	(void)state;
	rig_config(a)->jitter = ETL_MINUTES(9);
	shift = etl_job_jitter(a->job, "host");
	assert_true(shift.us > ETL_MINUTES(1).us); /* of this very name */
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need_nothing();
	rig_turn(shift.us / ETL_MINUTES(1).us + 1);
	rig_need_run(a, 10);
	assert_true(rig.clock.wall.ms >= T0 + 10 * MINUTE + shift.us / 1000);
}

static void test_run_each_plans_as_of_its_slot(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->misfire = ETL_MISFIRE_RUN_EACH;
	rig_sleep(35);
	etl_sched_store(rig.sched, true);
	for (int64_t slot = 10; slot <= 30; slot += 10) {
		const struct asked *got = rig_need('S', a);

		assert_int_equal(got->trigger.kind, ETL_TRIGGER_CATCH_UP);
		assert_int_equal(got->trigger.slot.ms, T0 + slot * MINUTE);
		assert_int_equal(got->trigger.as_of.ms, T0 + slot * MINUTE);
		rig_need_nothing();
		rig_end(a);
	}
	rig_turn(5);
	assert_int_equal(rig_need('S', a)->trigger.as_of.ms, 0); /* in time: as of now */
	rig_need_nothing();
}

/* ---- overlap ------------------------------------------------------------------------------- */

static void test_overlap_skip(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->overlap = ETL_OVERLAP_SKIP;
	etl_sched_store(rig.sched, true);
	rig_turn(35);
	rig_need_run(a, 10);
	rig_need_nothing(); /* the claim of 10 may still be on its way */
	rig_end(a);
	rig_need_skip(a, 20, 30, ETL_SKIP_OVERLAP);
	rig_need_nothing();
	rig_turn(5);
	rig_need_run(a, 40);
}

/* The slot that goes was not claimed: what came under it is decided with it. */
static void test_overlap_skip_of_a_refused_run(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->overlap = ETL_OVERLAP_SKIP;
	etl_sched_store(rig.sched, true);
	rig_turn(20);
	rig_need_run(a, 10);
	rig_end_as(a, (struct etl_run_outcome){.busy = true});
	rig_turn(1);
	rig_need_run(a, 20);
	assert_int_equal(a->running.slot.ms, T0 + 20 * MINUTE);
	assert_int_equal(rig.asked[1].trigger.skip.first.ms, T0 + 10 * MINUTE);
}

/* A skip is not on record before older slots have run: their claims would be refused. */
static void test_overlap_skip_while_catching_up(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->misfire = ETL_MISFIRE_RUN_EACH;
	rig_config(a)->overlap = ETL_OVERLAP_SKIP;
	rig_sleep(25);
	etl_sched_store(rig.sched, true);
	rig_need_run(a, 10);
	rig_turn(5);
	rig_need_nothing();
	rig_end(a);
	rig_need_run(a, 20);
	rig_need_nothing();
	rig_end(a);
	rig_need_skip(a, 30, 30, ETL_SKIP_OVERLAP);
	rig_need_nothing();
}

/* A missed slot waits behind the run, and newer ones are skipped: the records do not pass it. */
static void test_overlap_skip_around_a_slot_that_waits(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->overlap = ETL_OVERLAP_SKIP;
	etl_sched_store(rig.sched, true);
	rig_turn(20);
	rig_need_run(a, 10); /* 20 is skipped */
	rig_sleep(15);
	etl_sched_replan(rig.sched); /* 30 is late: it waits */
	rig_turn(15);		     /* 40 and 50 are skipped */
	rig_need_nothing();
	rig_end(a);
	rig_need_skip(a, 20, 20, ETL_SKIP_OVERLAP);
	rig_need_run(a, 30);
	rig_end(a);
	rig_need_skip(a, 40, 50, ETL_SKIP_OVERLAP);
	rig_need_nothing();
}

static void test_overlap_queues_one(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	const struct etl_skip *skip;

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(45);
	rig_need_run(a, 10);
	rig_need_nothing();
	rig_end(a);
	skip = &rig_need('S', a)->trigger.skip;
	assert_int_equal(skip->first.ms, T0 + 20 * MINUTE);
	assert_int_equal(skip->last.ms, T0 + 30 * MINUTE);
	assert_int_equal(skip->slots, 2);
	assert_int_equal(skip->code, ETL_SKIP_QUEUE);
	assert_int_equal(a->running.slot.ms, T0 + 40 * MINUTE);
}

/* A slot waits for a place while others are passed over; then a newer one takes its place. All of
 * it is on record with the newer one's run, before its claim. (Seed 1795759331000221.) */
static void test_a_newer_slot_takes_skips_along(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10), *b = rig_add("b", 10);
	const struct etl_trigger *got;

	(void)state;
	rig_config(b)->misfire = ETL_MISFIRE_SKIP;
	etl_sched_limit(rig.sched, 1);
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	if (!a->run) { /* whichever came first has the one place */
		struct etl_sched_job *first = b;

		b = a;
		a = first;
		rig_config(b)->misfire = ETL_MISFIRE_SKIP;
	}
	rig_need_run(a, 10);
	rig_sleep(35); /* 20 to 40 were missed, and are skipped behind 10, which waits */
	etl_sched_replan(rig.sched);
	rig_turn(5); /* 50 takes the place of 10 */
	rig_end(a);
	while (!b->run && a->run)
		rig_end(a);
	got = &b->running;
	assert_int_equal((got->skip.first.ms - T0) / MINUTE, 10);
	assert_int_equal((got->skip.last.ms - T0) / MINUTE, 40);
	assert_int_equal(got->skip.slots, 4);
	assert_int_equal((got->slot.ms - T0) / MINUTE, 50);
	assert_int_equal(b->n_skips, 0);
}

static void test_overlap_cancels(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->overlap = ETL_OVERLAP_CANCEL_RUNNING;
	etl_sched_store(rig.sched, true);
	rig_turn(20);
	rig_need_run(a, 10);
	rig_need('C', a);
	rig_end(a);
	rig_need_run(a, 20);
}

/* A backfill never costs a slot. */
static void test_backfill_is_no_overlap(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_trigger backfill = {.kind = ETL_TRIGGER_BACKFILL};

	(void)state;
	rig_config(a)->overlap = ETL_OVERLAP_SKIP;
	etl_sched_store(rig.sched, true);
	etl_sched_trigger(rig.sched, a, &backfill);
	rig_need('S', a);
	rig_turn(10);
	rig_need_nothing();
	rig_end(a);
	rig_need_run(a, 10);
}

/* ---- clocks -------------------------------------------------------------------------------- */

static void test_clock_set_forward(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	etl_clock_virtual_step(&rig.clock, ETL_MINUTES(35));
	etl_sched_replan(rig.sched);
	rig_need_run(a, 30);
	assert_int_equal(rig.asked[0].trigger.skip.slots, 2);
}

/* A small step back is waited out: nothing runs again. */
static void test_clock_set_back(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(60);
	rig_need_run(a, 10);
	rig_end(a);
	rig_need_run(a, 60); /* the newest of those that came meanwhile */
	rig_end(a);
	etl_clock_virtual_step(&rig.clock, ETL_MINUTES(-30));
	etl_sched_replan(rig.sched);
	rig_turn(39);
	rig_need_nothing();
	rig_turn(1);
	rig_need_run(a, 70);
}

/* What waits for a place and is not due any more is taken back. */
static void test_clock_set_back_under_a_slot_that_waits(void **state)
{
	struct etl_sched_job *b = rig_add("b", 10), *a = rig_add("a", 10);

	(void)state;
	etl_sched_limit(rig.sched, 1);
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need_run(a, 10);
	etl_clock_virtual_step(&rig.clock, ETL_MINUTES(-5));
	etl_sched_replan(rig.sched);
	rig_end(a);
	rig_need_nothing();
	rig_turn(5);
	rig_need_run(b, 10);
}

static void test_clock_far_ahead(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	etl_clock_virtual_step(&rig.clock, ETL_DAYS(3650));
	etl_sched_replan(rig.sched);
	rig_need('S', a);
	rig_end(a);
	etl_clock_virtual_step(&rig.clock, ETL_DAYS(-3650));
	rig_turn(1);
	etl_sched_replan(rig.sched);
	rig_need_skip(a, 1, INT64_C(3650) * 24 * 60, ETL_SKIP_CLOCK);
	rig_turn(9);
	rig_need_run(a, 10);
}

/* ---- pause --------------------------------------------------------------------------------- */

static void test_pause(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	etl_sched_pause(rig.sched, a);
	rig_turn(35);
	rig_need_nothing();
	etl_sched_resume(rig.sched, a, (etl_wall){0});
	rig_need_skip(a, 10, 30, ETL_SKIP_PAUSED);
	rig_need_nothing();
	rig_turn(5);
	rig_need_run(a, 40);
}

static void test_resume_from(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->misfire = ETL_MISFIRE_RUN_EACH;
	etl_sched_store(rig.sched, true);
	etl_sched_pause(rig.sched, a);
	rig_turn(45);
	etl_sched_resume(rig.sched, a, (etl_wall){T0 + 30 * MINUTE});
	rig_need_skip(a, 10, 20, ETL_SKIP_PAUSED);
	rig_need_run(a, 30);
	rig_end(a);
	rig_need_run(a, 40);
	rig_end(a);
	rig_need_nothing();
}

/* No slot starts while a skip is on its way to the store: its claim would stand for both. */
static void test_slots_wait_for_the_record(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	etl_sched_pause(rig.sched, a);
	rig_turn(15);
	etl_sched_resume(rig.sched, a, (etl_wall){0});
	rig_turn(10);
	assert_int_equal(rig.n_asked, 1);
	rig_need_skip(a, 10, 10, ETL_SKIP_PAUSED);
	rig_need_run(a, 20);
}

/* One record of a job at a time: two workers might store them the other way round. */
static void test_one_record_after_the_other(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->misfire = ETL_MISFIRE_SKIP;
	etl_sched_store(rig.sched, true);
	rig_sleep(15);
	etl_sched_replan(rig.sched);
	rig_sleep(10);
	etl_sched_replan(rig.sched);
	assert_int_equal(rig.n_asked, 1);
	rig_need_skip(a, 10, 10, ETL_SKIP_MISFIRE);
	rig_need_skip(a, 20, 20, ETL_SKIP_MISFIRE);
	rig_turn(5);
	rig_need_run(a, 30);
}

/* A slot that waits behind a run is older than those that are missed meanwhile. */
static void test_run_each_in_order(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->misfire = ETL_MISFIRE_RUN_EACH;
	etl_sched_store(rig.sched, true);
	rig_turn(20); /* 20 waits behind the run of 10 */
	rig_sleep(25);
	etl_sched_replan(rig.sched);
	for (int64_t slot = 10; slot <= 40; slot += 10) {
		rig_need_run(a, slot);
		rig_need_nothing();
		rig_end(a);
	}
	rig_need_nothing();
}

/* The clock jumps under a run: 1000 slots are made up one by one, those before them are skipped as soon as
 * the run has ended. Newer slots that come meanwhile take one another's place, and nothing else's: the
 * first of the 1000 claims past the skip, whose record would be lost with a crash. */
static void test_run_each_keeps_what_it_cannot_make_up(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->misfire = ETL_MISFIRE_RUN_EACH;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_sleep(10055); /* 20 to 10060 are missed: 1005 slots */
	etl_sched_replan(rig.sched);
	rig_turn(20); /* 10070 and 10080 come in time */
	rig_need_run(a, 10);
	rig_need_nothing();
	rig_end(a);
	rig_need_skip(a, 20, 60, ETL_SKIP_TOO_MANY);
	rig_need_run(a, 70);
	rig_need_nothing();
}

/* What waited for a place when MongoDB went is decided with what comes until it is back. */
static void test_store_lost_while_a_slot_waits(void **state)
{
	struct etl_sched_job *b = rig_add("b", 10), *a = rig_add("a", 10);

	(void)state;
	rig_config(b)->misfire = ETL_MISFIRE_SKIP;
	etl_sched_limit(rig.sched, 1);
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need_run(a, 10);
	etl_sched_store(rig.sched, false);
	rig_turn(5);
	etl_sched_store(rig.sched, true);
	rig_need_skip(b, 10, 10, ETL_SKIP_MISFIRE);
	rig_end(a);
	rig_need_nothing();
}

/* Another etld's clock was far ahead: its cursor is put back, and the slot runs. */
static void test_refused_by_a_cursor_far_ahead(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need_run(a, 10);
	rig_end_as(a, (struct etl_run_outcome){.busy = true, .decided = {T0 + 3000 * MINUTE}});
	rig_need_skip(a, 9, 3000, ETL_SKIP_CLOCK);
	rig_need_run(a, 10);
}

/* What waits behind a run when the job is paused is decided at its end, not lost. */
static void test_pause_takes_back_what_waits(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(25);
	rig_need_run(a, 10);
	etl_sched_pause(rig.sched, a);
	rig_end(a);
	rig_turn(1);
	etl_sched_resume(rig.sched, a, (etl_wall){0});
	rig_need_skip(a, 20, 20, ETL_SKIP_PAUSED);
	rig_need_nothing();
}

/* ---- edits and restarts -------------------------------------------------------------------- */

static void test_edit_replays_nothing(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_job edited = *rig_config(a);
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(25); /* 20 waits behind the run of 10 */
	rig_need_run(a, 10);
	edited.calendar = etl_calendar_every(ETL_MINUTES(4), (etl_dur){0}, &err);
	edited.schedule_text = "every 4m";
	etl_sched_change(rig.sched, a, &edited);
	rig_need_nothing(); /* the claim of 10 may still be on its way */
	rig_end(a);
	rig_need_skip(a, 20, 25, ETL_SKIP_EDITED);
	rig_need_nothing();
	rig_turn(3);
	rig_need_run(a, 28);
	etl_sched_change(rig.sched, a, rig_config(a));
	etl_calendar_free((struct etl_calendar *)(uintptr_t)edited.calendar);
}

/* The run of an old slot fails to claim it after the edit: it is not tried again. */
static void test_edit_under_a_run_that_claims_nothing(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_job edited = *rig_config(a);

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(15);
	rig_need_run(a, 10);
	edited.schedule_text = "every, but otherwise";
	etl_sched_change(rig.sched, a, &edited);
	rig_end_as(a, (struct etl_run_outcome){.store_lost = true});
	rig_need_skip(a, 10, 10, ETL_SKIP_EDITED);
	rig_need('N', a);
	rig_need_nothing();
	rig_turn(5);
	rig_need_run(a, 20);
	etl_sched_change(rig.sched, a, rig_config(a));
}

/* Slots that came under the run are passed over by the edit too; the run's own, of which nothing
 * came, is older than they are. (Seed 1795753404000019 of the simulation.) */
static void test_edit_with_slots_under_a_run_that_claims_nothing(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_job edited = *rig_config(a);

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(35);
	rig_need_run(a, 10);
	edited.schedule_text = "every, but otherwise";
	etl_sched_change(rig.sched, a, &edited);
	rig_end_as(a, (struct etl_run_outcome){.store_lost = true});
	rig_need_skip(a, 10, 35, ETL_SKIP_EDITED); /* up to the moment of the edit */
	rig_need_nothing();
	etl_sched_change(rig.sched, a, rig_config(a));
}

/* Seed 70005155 of the simulation. */
static void test_edit_at_the_moment_of_a_slot(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_job edited = *rig_config(a);

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need_run(a, 10);
	edited.schedule_text = "every, but otherwise";
	etl_sched_change(rig.sched, a, &edited);
	rig_need_nothing(); /* the claim of 10 may still be on its way */
	rig_end(a);
	rig_need('N', a);
	etl_sched_change(rig.sched, a, rig_config(a));
}

/* Two slots of the new schedule come while what the edit passed over waits for the end of a run, and
 * the job is paused: the slots are taken back, what was passed over is told. (Seed 9950020942 of the
 * simulation.) */
static void test_edit_then_newer_slots_and_a_pause_under_a_run(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_job edited = *rig_config(a);

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(35); /* 30 waits behind the run of 10 */
	rig_need_run(a, 10);
	edited.schedule_text = "every, but otherwise";
	etl_sched_change(rig.sched, a, &edited);
	rig_turn(20); /* 50 takes the place of 40 */
	etl_sched_pause(rig.sched, a);
	rig_end(a);
	rig_need_skip(a, 20, 35, ETL_SKIP_EDITED);
	etl_sched_resume(rig.sched, a, (etl_wall){0});
	rig_need_skip(a, 40, 50, ETL_SKIP_PAUSED);
	rig_need_nothing();
	etl_sched_change(rig.sched, a, rig_config(a));
}

/* The note of an edit waits for a record; a slot of the new schedule that came meanwhile is not
 * what it speaks of. (Seed 60002615 of the simulation.) */
static void test_edit_is_noted_as_it_was(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_job edited = *rig_config(a);

	(void)state;
	rig_config(a)->misfire = edited.misfire = ETL_MISFIRE_SKIP;
	etl_sched_store(rig.sched, true);
	rig_sleep(15);
	etl_sched_replan(rig.sched);
	edited.schedule_text = "every, but otherwise";
	etl_sched_change(rig.sched, a, &edited);
	rig_turn(6);
	rig_need_skip(a, 10, 10, ETL_SKIP_MISFIRE);
	assert_int_equal(rig_need('N', a)->trigger.slot.ms, T0 + 15 * MINUTE);
	rig_need_run(a, 20);
	etl_sched_change(rig.sched, a, rig_config(a));
}

static struct etl_schedule_info info_of(int64_t minutes, const char *schedule)
{
	struct etl_schedule_info info = {.slot = {T0 + minutes * MINUTE}};

	snprintf(info.schedule, sizeof info.schedule, "%s", schedule);
	return info;
}

static void test_restore(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_schedule_info info = info_of(-60, "every|UTC");

	(void)state;
	etl_sched_restore(rig.sched, a, &info);
	etl_sched_store(rig.sched, true);
	rig_need_run(a, 0);
	assert_int_equal(rig.asked[0].trigger.skip.slots, 5);
	rig_need_nothing();
}

/* Paused and resumed before MongoDB was there: nothing is on record before the stored cursor
 * is known, and then all that was missed has that reason. */
static void test_resume_before_the_restore(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_schedule_info info = info_of(-60, "every|UTC");

	(void)state;
	etl_sched_pause(rig.sched, a);
	rig_turn(25);
	etl_sched_resume(rig.sched, a, (etl_wall){0});
	rig_need_nothing();
	etl_sched_restore(rig.sched, a, &info);
	etl_sched_store(rig.sched, true);
	rig_need_skip(a, -50, 20, ETL_SKIP_PAUSED);
	rig_need_nothing();
	rig_turn(5);
	rig_need_run(a, 30);
}

static void test_restore_after_an_edit(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_schedule_info info = info_of(-60, "other|UTC");

	(void)state;
	etl_sched_restore(rig.sched, a, &info);
	rig_need_skip(a, -60, 0, ETL_SKIP_EDITED);
	etl_sched_store(rig.sched, true);
	rig_need_nothing();
	rig_turn(10);
	rig_need_run(a, 10);
}

/* Slots were decided by a clock that was ahead: the new schedule's up to there are on record too.
 * (Seed 5015114 of the simulation.) */
static void test_edit_after_a_clock_ahead(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_schedule_info info = info_of(35, "every|UTC");
	struct etl_job edited = *rig_config(a);

	(void)state;
	etl_sched_restore(rig.sched, a, &info);
	etl_sched_store(rig.sched, true);
	rig_need_nothing();
	edited.schedule_text = "every, but otherwise";
	etl_sched_change(rig.sched, a, &edited);
	rig_need_skip(a, 10, 35, ETL_SKIP_EDITED);
	rig_turn(40);
	rig_need_run(a, 40);
	etl_sched_change(rig.sched, a, rig_config(a));
}

static void test_restore_after_an_edit_and_a_clock_ahead(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_schedule_info info = info_of(35, "other|UTC");

	(void)state;
	etl_sched_restore(rig.sched, a, &info);
	rig_need_skip(a, 10, 35, ETL_SKIP_EDITED);
	etl_sched_store(rig.sched, true);
	rig_turn(40);
	rig_need_run(a, 40);
}

static void test_restore_of_a_retired_job(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);
	struct etl_schedule_info info = info_of(-60, "");

	(void)state;
	etl_sched_restore(rig.sched, a, &info);
	rig_need('N', a);
	etl_sched_store(rig.sched, true);
	rig_need_nothing();
}

/* ---- another etld, MongoDB unreachable ----------------------------------------------------- */

static void test_busy_is_tried_again(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need_run(a, 10);
	rig_end_as(a, (struct etl_run_outcome){.busy = true, .held_for = ETL_SECONDS(20)});
	rig_need_nothing();
	rig_turn(1);
	rig_need_run(a, 10);
	rig_end_as(a, (struct etl_run_outcome){.busy = true, .decided = {T0 + 10 * MINUTE}});
	rig_turn(5);
	rig_need_nothing();
}

/* What was passed over for the slot is not lost with it. */
static void test_busy_gives_back_what_was_passed_over(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_sleep(35);
	etl_sched_store(rig.sched, true);
	assert_int_equal(rig_need('S', a)->trigger.skip.slots, 2);
	rig_end_as(a, (struct etl_run_outcome){.busy = true, .held_for = ETL_SECONDS(20)});
	rig_turn(1);
	assert_int_equal(rig_need('S', a)->trigger.skip.slots, 2);
}

/* It has decided more than that: what waits of it is not even tried. */
static void test_busy_passes_what_is_decided(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->misfire = ETL_MISFIRE_RUN_EACH;
	rig_sleep(65);
	etl_sched_store(rig.sched, true);
	rig_need_run(a, 10);
	rig_end_as(a, (struct etl_run_outcome){.busy = true, .decided = {T0 + 40 * MINUTE}});
	rig_need_run(a, 50);
	rig_end(a);
	rig_need_run(a, 60);
}

/* A run without a slot that another etld keeps from starting: what it was to load is looked at when the
 * lease has run out, however often. */
static void test_busy_dependant_looks_again(void **state)
{
	struct etl_sched_job *a = rig_add("a", 0);
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_AFTER};

	(void)state;
	etl_sched_store(rig.sched, true);
	etl_sched_trigger(rig.sched, a, &trigger);
	assert_int_equal(rig_need('S', a)->trigger.kind, ETL_TRIGGER_AFTER);
	for (int i = 0; i < 3; i++) {
		rig_end_as(a, (struct etl_run_outcome){.busy = true, .held_for = ETL_SECONDS(25)});
		rig_need_nothing();
		rig_turn(1);
		assert_int_equal(rig_need('S', a)->trigger.kind, ETL_TRIGGER_CATCH_UP);
	}
	rig_end(a);
	rig_turn(5);
	rig_need_nothing();
}

static void test_store_lost_before_the_claim(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need_run(a, 10);
	etl_sched_store(rig.sched, false);
	rig_end_as(a, (struct etl_run_outcome){.store_lost = true});
	rig_turn(5);
	rig_need_nothing();
	etl_sched_store(rig.sched, true);
	rig_need_run(a, 10);
}

static void test_store_lost_under_a_run(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need_run(a, 10);
	etl_sched_store(rig.sched, false);
	rig_end_as(a, (struct etl_run_outcome){.store_lost = true, .claimed = true});
	etl_sched_store(rig.sched, true);
	assert_int_equal(rig_need('S', a)->trigger.slot.ms, 0);
	assert_int_equal(a->running.kind, ETL_TRIGGER_CATCH_UP);
}

/* ---- pools, lanes, dependants --------------------------------------------------------------- */

static void test_pool(void **state)
{
	struct etl_sched_job *c = rig_add("c", 10), *b = rig_add("b", 10), *a = rig_add("a", 10);
	struct etl_sched_facts facts; /* same tick: the job that was added last comes first */

	(void)state;
	etl_sched_limit(rig.sched, 2);
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	etl_sched_facts(rig.sched, &facts);
	assert_int_equal(facts.active, 2);
	assert_int_equal(facts.ready, 1);
	rig_need_run(a, 10);
	rig_need_run(b, 10);
	rig_need_nothing();
	rig_end(b);
	rig_need_run(c, 10);
}

/* Eight places, nine jobs of one slow host: the eighth place is for whoever asks another host,
 * though he came last; two of the nine wait for one of theirs to end. */
static void test_one_host_leaves_a_place(void **state)
{
	static const char *const names[] = {"a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"};
	struct etl_sched_job *a[9], *b = rig_add("b", 0);
	unsigned running = 0;

	(void)state;
	etl_sched_limit(rig.sched, 8);
	etl_sched_store(rig.sched, true);
	rig_config(b)->host = "b.example.org";
	for (size_t i = 0; i < 9; i++) {
		struct etl_trigger trigger = {.kind = ETL_TRIGGER_MANUAL};

		a[i] = rig_add(names[i], 0);
		rig_config(a[i])->host = "a.example.org";
		etl_sched_trigger(rig.sched, a[i], &trigger);
	}
	for (size_t i = 0; i < 9; i++)
		running += a[i]->run != NULL;
	assert_int_equal(running, 7);
	etl_sched_trigger(rig.sched, b, &(struct etl_trigger){.kind = ETL_TRIGGER_MANUAL});
	assert_non_null(b->run);
	rig_end(b);
	assert_null(a[7]->run);
	rig_end(a[0]);
	assert_non_null(a[7]->run);
	assert_null(a[8]->run);
	rig_end(a[1]);
	assert_non_null(a[8]->run);
}

static void test_live_before_backfill(void **state)
{
	struct etl_sched_job *c = rig_add("c", 10), *b = rig_add("b", 10), *a = rig_add("a", 10);
	struct etl_sched_job *jobs[] = {a, b, c};

	(void)state;
	etl_sched_limit(rig.sched, 2);
	etl_sched_store(rig.sched, true);
	for (int i = 0; i < 3; i++) {
		struct etl_trigger backfill = {.kind = ETL_TRIGGER_BACKFILL};

		etl_sched_trigger(rig.sched, jobs[i], &backfill);
	}
	rig_need('S', a); /* half of the places */
	rig_need_nothing();
	rig_turn(10);
	rig_need_run(b, 10);
	rig_need_nothing();
	rig_end(a); /* two live ones wait: no backfill gets the place */
	rig_need_run(c, 10);
	rig_end(b);
	rig_need_run(a, 10);
	rig_end(c);
	rig_need('S', b);
	assert_int_equal(b->running.kind, ETL_TRIGGER_BACKFILL);
	rig_end(b);
	rig_need('S', c);
	rig_need_nothing();
}

static void test_dependant(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10), *b = rig_add("b", 0);

	(void)state;
	rig.dependants[0] = b->job;
	rig_config(a)->dependants = rig.dependants;
	rig_config(a)->n_dependants = 1;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need_run(a, 10);
	rig_end(a);
	assert_int_equal(rig_need('S', b)->trigger.kind, ETL_TRIGGER_AFTER);
	rig_turn(10);
	rig_need_run(a, 20);
	rig_end_as(a, (struct etl_run_outcome){.claimed = true}); /* nothing moved */
	rig_end(b);
	rig_need_nothing();
}

/* A dependant without a schedule looks when it goes on: nothing else would make it. */
static void test_paused_dependant(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10), *b = rig_add("b", 0);

	(void)state;
	rig.dependants[0] = b->job;
	rig_config(a)->dependants = rig.dependants;
	rig_config(a)->n_dependants = 1;
	etl_sched_store(rig.sched, true);
	etl_sched_pause(rig.sched, b);
	rig_turn(10);
	rig_need_run(a, 10);
	rig_end(a);
	rig_need_nothing();
	etl_sched_resume(rig.sched, b, (etl_wall){0});
	assert_int_equal(rig_need('S', b)->trigger.kind, ETL_TRIGGER_CATCH_UP);
}

static void test_manual(void **state)
{
	struct etl_sched_job *a = rig_add("a", 0);

	(void)state;
	etl_sched_store(rig.sched, true);
	etl_sched_pause(rig.sched, a);
	for (int i = 0; i < ETL_MANUAL_MAX + 2; i++) {
		struct etl_trigger trigger = {.kind = ETL_TRIGGER_MANUAL};
		enum etl_accept said = etl_sched_trigger(rig.sched, a, &trigger);

		assert_int_equal(said, i == 0 ? ETL_ACCEPT_STARTED :
			i <= ETL_MANUAL_MAX ? ETL_ACCEPT_WAITS : ETL_ACCEPT_REFUSED);
	}
	for (int i = 0; i <= ETL_MANUAL_MAX; i++) {
		rig_need('S', a);
		rig_end(a);
	}
	rig_need_nothing();
}

static void test_stop(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	etl_sched_store(rig.sched, true);
	etl_sched_stop(rig.sched);
	rig_turn(60);
	rig_need_nothing();
	assert_int_equal(etl_sched_phase(rig.sched, a), ETL_PHASE_STOPPING);
}

/* ---- sensors ------------------------------------------------------------------------------- */

static const struct etl_wait_for sensor = {
	.poke = {INT64_C(120000000)}, .timeout = {INT64_C(300000000)}};

static void test_sensor(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->wait_for = &sensor;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	rig_need('Q', a);
	assert_int_equal(etl_sched_phase(rig.sched, a), ETL_PHASE_SENSING);
	etl_sched_sensed(rig.sched, a, false, "nothing yet");
	rig_turn(2);
	rig_need('Q', a);
	etl_sched_sensed(rig.sched, a, true, "there it is");
	rig_need_run(a, 10);
	rig_need_nothing();
}

static void test_sensor_gives_up(void **state)
{
	struct etl_sched_job *a = rig_add("a", 10);

	(void)state;
	rig_config(a)->wait_for = &sensor;
	etl_sched_store(rig.sched, true);
	rig_turn(10);
	for (int i = 0; i < 4; i++) { /* at 0, 2, 4 and 5 minutes */
		rig_need('Q', a);
		etl_sched_sensed(rig.sched, a, false, "nothing yet");
		rig_turn(i < 2 ? 2 : 1);
	}
	rig_need_skip(a, 10, 10, ETL_SKIP_SENSOR);
	rig_need_nothing();
}

#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_each_slot_once),
		RIG_TEST(test_nothing_before_the_store),
		RIG_TEST(test_jitter),
		RIG_TEST(test_run_each_plans_as_of_its_slot),
		RIG_TEST(test_overlap_skip),
		RIG_TEST(test_overlap_skip_of_a_refused_run),
		RIG_TEST(test_overlap_skip_while_catching_up),
		RIG_TEST(test_overlap_skip_around_a_slot_that_waits),
		RIG_TEST(test_overlap_queues_one),
		RIG_TEST(test_a_newer_slot_takes_skips_along),
		RIG_TEST(test_overlap_cancels),
		RIG_TEST(test_backfill_is_no_overlap),
		RIG_TEST(test_clock_set_forward),
		RIG_TEST(test_clock_set_back),
		RIG_TEST(test_clock_set_back_under_a_slot_that_waits),
		RIG_TEST(test_clock_far_ahead),
		RIG_TEST(test_pause),
		RIG_TEST(test_resume_from),
		RIG_TEST(test_slots_wait_for_the_record),
		RIG_TEST(test_one_record_after_the_other),
		RIG_TEST(test_run_each_in_order),
		RIG_TEST(test_run_each_keeps_what_it_cannot_make_up),
		RIG_TEST(test_store_lost_while_a_slot_waits),
		RIG_TEST(test_refused_by_a_cursor_far_ahead),
		RIG_TEST(test_pause_takes_back_what_waits),
		RIG_TEST(test_edit_replays_nothing),
		RIG_TEST(test_edit_under_a_run_that_claims_nothing),
		RIG_TEST(test_edit_with_slots_under_a_run_that_claims_nothing),
		RIG_TEST(test_edit_then_newer_slots_and_a_pause_under_a_run),
		RIG_TEST(test_edit_at_the_moment_of_a_slot),
		RIG_TEST(test_edit_is_noted_as_it_was),
		RIG_TEST(test_restore),
		RIG_TEST(test_resume_before_the_restore),
		RIG_TEST(test_restore_after_an_edit),
		RIG_TEST(test_edit_after_a_clock_ahead),
		RIG_TEST(test_restore_after_an_edit_and_a_clock_ahead),
		RIG_TEST(test_restore_of_a_retired_job),
		RIG_TEST(test_busy_is_tried_again),
		RIG_TEST(test_busy_gives_back_what_was_passed_over),
		RIG_TEST(test_busy_passes_what_is_decided),
		RIG_TEST(test_busy_dependant_looks_again),
		RIG_TEST(test_store_lost_before_the_claim),
		RIG_TEST(test_store_lost_under_a_run),
		RIG_TEST(test_pool),
		RIG_TEST(test_one_host_leaves_a_place),
		RIG_TEST(test_live_before_backfill),
		RIG_TEST(test_dependant),
		RIG_TEST(test_paused_dependant),
		RIG_TEST(test_manual),
		RIG_TEST(test_stop),
		RIG_TEST(test_sensor),
		RIG_TEST(test_sensor_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
