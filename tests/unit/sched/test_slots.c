/* SPDX-License-Identifier: MIT
 *
 * Slots between two instants, and what each policy makes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sched/slots.h"

#define T0 INT64_C(1767225600000) /* 2026-01-01T00:00:00Z, a slot of every rhythm below */
#define MINUTE INT64_C(60000)

static struct etl_job job_every(etl_dur every, int misfire)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_job job = {.name = "job", .misfire = misfire, .misfire_age = ETL_HOURS(2)};

	job.calendar = etl_calendar_every(every, (etl_dur){0}, &err);
	assert_non_null(job.calendar);
	return job;
}

static void free_job(struct etl_job *job)
{
	etl_calendar_free((struct etl_calendar *)(uintptr_t)job->calendar);
}

static struct etl_slots between(const struct etl_job *job, int64_t after, int64_t until)
{
	struct etl_slots slots;

	etl_slots_between(job->calendar, (etl_wall){T0 + after}, (etl_wall){T0 + until}, &slots);
	return slots;
}

static void test_between(void **state)
{
	struct etl_job job = job_every(ETL_MINUTES(5), 0);
	struct etl_slots slots = between(&job, 0, 5 * MINUTE - 1);

	(void)state;
	assert_int_equal(slots.n, 0); /* open at its start */
	slots = between(&job, 0, 5 * MINUTE);
	assert_int_equal(slots.n, 1); /* closed at its end */
	assert_int_equal(slots.first.ms, T0 + 5 * MINUTE);
	slots = between(&job, -1, 60 * MINUTE);
	assert_int_equal(slots.n, 13);
	assert_int_equal(slots.first.ms, T0);
	assert_int_equal(slots.newest.ms, T0 + 60 * MINUTE);
	slots = between(&job, 0, -5);
	assert_int_equal(slots.n, 0); /* the clock was set back */
	slots = between(&job, 0, INT64_C(5256000) * MINUTE); /* ten years */
	assert_int_equal(slots.n, ETL_SLOTS_COUNTED);
	assert_int_equal(slots.newest.ms, T0 + INT64_C(5256000) * MINUTE);
	free_job(&job);
}

static void test_nth_last(void **state)
{
	struct etl_job job = job_every(ETL_MINUTES(5), 0);
	etl_wall after = {T0}, until = {T0 + 61 * MINUTE};

	(void)state;
	assert_int_equal(etl_slots_nth_last(job.calendar, after, until, 1).ms, T0 + 60 * MINUTE);
	assert_int_equal(etl_slots_nth_last(job.calendar, after, until, 12).ms, T0 + 5 * MINUTE);
	assert_int_equal(etl_slots_nth_last(job.calendar, after, until, 13).ms, 0);
	free_job(&job);
}

/* The verdict about the slots of (0, until], looked at `late` after `until`. */
static struct etl_slot_verdict decide(struct etl_job *job, int64_t until, int64_t late)
{
	struct etl_slots slots = between(job, 0, until);

	return etl_misfire_decide(job, &slots, (etl_wall){T0 + until + late});
}

/* One slot that comes in time runs under every policy. */
static void test_on_time(void **state)
{
	(void)state;
	for (int misfire = ETL_MISFIRE_RUN_EACH; misfire <= ETL_MISFIRE_SKIP; misfire++) {
		struct etl_job job = job_every(ETL_MINUTES(5), misfire);
		struct etl_slot_verdict verdict = decide(&job, 5 * MINUTE, 60000);

		assert_true(verdict.run && !verdict.each && !verdict.late);
		assert_int_equal(verdict.skip.last.ms, 0);
		verdict = decide(&job, 5 * MINUTE, 60001);
		assert_true(verdict.late);
		assert_int_equal(verdict.run, misfire != ETL_MISFIRE_SKIP);
		free_job(&job);
	}
}

/* A short period has a short grace: half of it. */
static void test_grace_of_a_short_period(void **state)
{
	struct etl_job job = job_every(ETL_SECONDS(10), ETL_MISFIRE_SKIP);

	(void)state;
	assert_true(decide(&job, 10000, 5000).run);
	assert_false(decide(&job, 10000, 5001).run);
	free_job(&job);
}

static void need_skip(const struct etl_skip *skip, int64_t first, int64_t last, uint64_t n,
	enum etl_skip_code code)
{
	assert_int_equal(skip->first.ms, T0 + first);
	assert_int_equal(skip->last.ms, T0 + last);
	assert_int_equal(skip->slots, n);
	assert_int_equal(skip->code, code);
}

static void test_run_latest(void **state)
{
	struct etl_job job = job_every(ETL_MINUTES(5), ETL_MISFIRE_RUN_LATEST);
	struct etl_slot_verdict verdict = decide(&job, 60 * MINUTE, 2 * MINUTE);

	(void)state;
	assert_true(verdict.run && verdict.late && !verdict.each);
	need_skip(&verdict.skip, 5 * MINUTE, 55 * MINUTE, 11, ETL_SKIP_MISFIRE);
	verdict = decide(&job, 60 * MINUTE, 0); /* the newest in time, others missed */
	assert_true(verdict.run && !verdict.late);
	need_skip(&verdict.skip, 5 * MINUTE, 55 * MINUTE, 11, ETL_SKIP_MISFIRE);
	free_job(&job);
}

static void test_run_if_younger(void **state)
{
	struct etl_job job = job_every(ETL_HOURS(6), ETL_MISFIRE_RUN_IF_YOUNGER);
	struct etl_slot_verdict verdict = decide(&job, 12 * 60 * MINUTE, 120 * MINUTE);

	(void)state;
	assert_true(verdict.run && verdict.late);
	need_skip(&verdict.skip, 360 * MINUTE, 360 * MINUTE, 1, ETL_SKIP_MISFIRE);
	verdict = decide(&job, 12 * 60 * MINUTE, 120 * MINUTE + 1);
	assert_false(verdict.run);
	need_skip(&verdict.skip, 360 * MINUTE, 720 * MINUTE, 2, ETL_SKIP_TOO_OLD);
	free_job(&job);
}

static void test_skip(void **state)
{
	struct etl_job job = job_every(ETL_MINUTES(5), ETL_MISFIRE_SKIP);
	struct etl_slot_verdict verdict = decide(&job, 15 * MINUTE, 2 * MINUTE);

	(void)state;
	assert_false(verdict.run);
	need_skip(&verdict.skip, 5 * MINUTE, 15 * MINUTE, 3, ETL_SKIP_MISFIRE);
	verdict = decide(&job, 15 * MINUTE, 0);
	assert_true(verdict.run);
	need_skip(&verdict.skip, 5 * MINUTE, 10 * MINUTE, 2, ETL_SKIP_MISFIRE);
	free_job(&job);
}

/* Of very many the newest thousand run; counted forward, and where they are not counted. */
static void test_run_each(void **state)
{
	struct etl_job job = job_every(ETL_MINUTES(5), ETL_MISFIRE_RUN_EACH);
	struct etl_slot_verdict verdict = decide(&job, 15 * MINUTE, 2 * MINUTE);
	int64_t all[] = {ETL_RUN_EACH_MAX, ETL_RUN_EACH_MAX + 1, 3 * ETL_RUN_EACH_MAX,
		ETL_SLOTS_COUNTED - 1};

	(void)state;
	assert_true(verdict.run && verdict.each && verdict.late);
	assert_int_equal(verdict.run_first.ms, T0 + 5 * MINUTE);
	assert_int_equal(verdict.skip.last.ms, 0);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		int64_t skipped = all[i] - ETL_RUN_EACH_MAX;

		verdict = decide(&job, all[i] * 5 * MINUTE, 0);
		assert_int_equal(verdict.run_first.ms, T0 + (skipped + 1) * 5 * MINUTE);
		if (skipped)
			need_skip(&verdict.skip, 5 * MINUTE, skipped * 5 * MINUTE,
				(uint64_t)skipped, ETL_SKIP_TOO_MANY);
		else
			assert_int_equal(verdict.skip.last.ms, 0);
	}
	verdict = decide(&job, 5 * MINUTE * 4 * ETL_SLOTS_COUNTED, 0);
	assert_int_equal(verdict.run_first.ms,
		T0 + (4 * ETL_SLOTS_COUNTED - ETL_RUN_EACH_MAX + 1) * 5 * MINUTE);
	assert_int_equal(verdict.skip.last.ms, verdict.run_first.ms - 5 * MINUTE);
	assert_int_equal(verdict.skip.first.ms, T0 + 5 * MINUTE);
	free_job(&job);
}

static void test_overlap(void **state)
{
	struct etl_job job = {.overlap = ETL_OVERLAP_SKIP};

	(void)state;
	assert_int_equal(etl_overlap_decide(&job, ETL_TRIGGER_SCHEDULE, true), ETL_OVERLAP_SKIPPED);
	assert_int_equal(etl_overlap_decide(&job, ETL_TRIGGER_SCHEDULE, false), ETL_OVERLAP_WAITS);
	assert_int_equal(etl_overlap_decide(&job, ETL_TRIGGER_CATCH_UP, true), ETL_OVERLAP_WAITS);
	assert_int_equal(etl_overlap_decide(&job, ETL_TRIGGER_AFTER, true), ETL_OVERLAP_WAITS);
	job.overlap = ETL_OVERLAP_QUEUE_ONE;
	assert_int_equal(etl_overlap_decide(&job, ETL_TRIGGER_SCHEDULE, true), ETL_OVERLAP_WAITS);
	job.overlap = ETL_OVERLAP_CANCEL_RUNNING;
	assert_int_equal(etl_overlap_decide(&job, ETL_TRIGGER_SCHEDULE, true), ETL_OVERLAP_CANCELS);
	assert_int_equal(etl_overlap_decide(&job, ETL_TRIGGER_SCHEDULE, false), ETL_OVERLAP_WAITS);
}

static void test_before(void **state)
{
	struct etl_trigger none = {.kind = ETL_TRIGGER_MANUAL};
	struct etl_trigger one = {.slot = {T0}};
	struct etl_trigger more = {.slot = {T0}, .skip = {{T0 - 50}, {T0 - 10}, 2, ETL_SKIP_MISFIRE}};

	(void)state;
	assert_int_equal(etl_trigger_before(&none).ms, 0);
	assert_int_equal(etl_trigger_before(&one).ms, T0 - 1);
	assert_int_equal(etl_trigger_before(&more).ms, T0 - 51);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_between),
		cmocka_unit_test(test_nth_last),
		cmocka_unit_test(test_on_time),
		cmocka_unit_test(test_grace_of_a_short_period),
		cmocka_unit_test(test_run_latest),
		cmocka_unit_test(test_run_if_younger),
		cmocka_unit_test(test_skip),
		cmocka_unit_test(test_run_each),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
