/* SPDX-License-Identifier: MIT
 *
 * A job whose time-zone file changes under it: the same text stands for other slots from then
 * on. What ran stays run, what is to come is planned by the new file, nothing goes unseen.
 *
 * "30 12 * * *" is 03:30Z (minute 210) in Tokyo and 11:30Z (minute 690) in Paris in winter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sched_rig.h"

enum { TOKYO_SLOT = 210, PARIS_SLOT = 690, DAY = 1440 };

/* A job "30 12 * * *" of a zone that is called the same whatever file it was read from. */
struct placed {
	struct etl_job job;
	struct etl_zone *zone;
};

static void place(struct placed *p, const char *zone, const char *cron, int misfire)
{
	struct etl_error err = ETL_ERROR_INIT;

	p->zone = etl_zone_load(zone, &err);
	if (!p->zone)
		skip(); /* no tzdata */
	p->job = (struct etl_job){.name = "a", .misfire = misfire, .overlap = ETL_OVERLAP_QUEUE_ONE,
		.schedule_text = cron, .timezone = "Europe/Paris", .zone = p->zone};
	p->job.calendar = etl_calendar_cron(cron, p->zone, &err);
	assert_non_null(p->job.calendar);
}

static void displace(struct placed *p)
{
	etl_calendar_free((struct etl_calendar *)(uintptr_t)p->job.calendar);
	etl_zone_free(p->zone);
}

static struct etl_sched_job *begin(const struct placed *p)
{
	etl_sched_add(rig.sched, &rig.jobs[0], "a", &p->job);
	rig.n = 1;
	etl_sched_store(rig.sched, true);
	return &rig.jobs[0];
}

/* As a reload does: the pools come after the jobs. */
static void change(struct etl_sched_job *job, const struct placed *to)
{
	etl_sched_change(rig.sched, job, &to->job);
	etl_sched_limit(rig.sched, 4);
}

static void end(struct placed *was, struct placed *is)
{
	etl_sched_remove(rig.sched, &rig.jobs[0]);
	rig.n = 0;
	displace(was);
	displace(is);
}

/* Today's slot lies behind us by the new file, and has not run: it is a missed one. */
static void to_the_east(void **state)
{
	struct placed paris, tokyo;
	struct etl_sched_job *a;

	(void)state;
	place(&paris, "Europe/Paris", "30 12 * * *", ETL_MISFIRE_RUN_LATEST);
	place(&tokyo, "Asia/Tokyo", "30 12 * * *", ETL_MISFIRE_RUN_LATEST);
	a = begin(&paris);
	rig_turn(600);
	rig_need_nothing();
	change(a, &tokyo);
	rig_need_run(a, TOKYO_SLOT);
	assert_int_equal(a->running.kind, ETL_TRIGGER_CATCH_UP);
	rig_end(a);
	rig_turn(DAY - 600 + TOKYO_SLOT - 1);
	rig_need_nothing();
	rig_turn(1);
	rig_need_run(a, DAY + TOKYO_SLOT);
	rig_end(a);
	rig_need_nothing();
	end(&paris, &tokyo);
}

/* Today's slot has run, and lies ahead again by the new file: another instant, so it runs then.
 * Nothing runs at the change itself. */
static void to_the_west(void **state)
{
	struct placed paris, tokyo;
	struct etl_sched_job *a;

	(void)state;
	place(&tokyo, "Asia/Tokyo", "30 12 * * *", ETL_MISFIRE_RUN_LATEST);
	place(&paris, "Europe/Paris", "30 12 * * *", ETL_MISFIRE_RUN_LATEST);
	a = begin(&tokyo);
	rig_turn(TOKYO_SLOT);
	rig_need_run(a, TOKYO_SLOT);
	rig_end(a);
	rig_turn(60);
	change(a, &paris);
	rig_need_nothing();
	assert_int_equal((a->next.ms - T0) / MINUTE, PARIS_SLOT);
	assert_int_equal((a->decided.ms - T0) / MINUTE, TOKYO_SLOT);
	rig_turn(PARIS_SLOT - TOKYO_SLOT - 60);
	rig_need_run(a, PARIS_SLOT);
	rig_end(a);
	rig_need_nothing();
	end(&tokyo, &paris);
}

/* run_each is in the middle of its slots: those that are left are the new file's. */
static void among_missed_slots(void **state)
{
	struct placed tokyo, paris;
	struct etl_sched_job *a;

	(void)state;
	place(&tokyo, "Asia/Tokyo", "30 12 * * *", ETL_MISFIRE_RUN_EACH);
	place(&paris, "Europe/Paris", "30 12 * * *", ETL_MISFIRE_RUN_EACH);
	a = begin(&tokyo);
	rig_sleep(DAY + TOKYO_SLOT + 60);
	etl_sched_replan(rig.sched);
	rig_need_run(a, TOKYO_SLOT);
	change(a, &paris);
	rig_end(a);
	rig_need_run(a, PARIS_SLOT); /* yesterday's; today's is still to come */
	assert_int_equal(a->running.as_of.ms, T0 + PARIS_SLOT * MINUTE);
	rig_end(a);
	rig_need_nothing();
	assert_int_equal((a->next.ms - T0) / MINUTE, DAY + PARIS_SLOT);
	rig_turn(PARIS_SLOT - TOKYO_SLOT - 60);
	rig_need_run(a, DAY + PARIS_SLOT);
	rig_end(a);
	rig_need_nothing();
	end(&tokyo, &paris);
}

/* A missed slot waits for a place and is none any more: it must not become the next one of the
 * new file, which has not come yet. */
static void a_slot_that_waits(void **state)
{
	struct placed tokyo, paris;
	struct etl_sched_job *a;

	(void)state;
	place(&tokyo, "Asia/Tokyo", "30 12 * * *", ETL_MISFIRE_RUN_EACH);
	place(&paris, "Europe/Paris", "30 12 * * *", ETL_MISFIRE_RUN_EACH);
	etl_sched_limit(rig.sched, 0);
	a = begin(&tokyo);
	rig_sleep(TOKYO_SLOT + 60);
	etl_sched_replan(rig.sched);
	assert_true(etl_sched_has_waiting(a));
	change(a, &paris);
	rig_need_nothing();
	assert_int_equal((a->next.ms - T0) / MINUTE, PARIS_SLOT);
	rig_turn(PARIS_SLOT - TOKYO_SLOT - 60);
	rig_need_run(a, PARIS_SLOT);
	rig_end(a);
	rig_need_nothing();
	end(&tokyo, &paris);
}

/* The file was written anew and says the same: nothing is taken back, nothing is asked for. */
static void the_same_file_again(void **state)
{
	struct placed one, two;
	struct etl_sched_job *a;

	(void)state;
	place(&one, "Europe/Paris", "0 * * * *", ETL_MISFIRE_RUN_EACH);
	place(&two, "Europe/Paris", "0 * * * *", ETL_MISFIRE_RUN_EACH);
	assert_int_equal(etl_zone_digest(one.zone), etl_zone_digest(two.zone));
	a = begin(&one);
	rig_sleep(190);
	etl_sched_replan(rig.sched);
	for (int slot = 60; slot <= 180; slot += 60) {
		rig_need_run(a, slot);
		change(a, slot == 120 ? &one : &two);
		rig_end(a);
	}
	rig_need_nothing();
	end(&one, &two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(to_the_east, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(to_the_west, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(among_missed_slots, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_slot_that_waits, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(the_same_file_again, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests_name("sched_zone", tests, NULL, NULL);
}
