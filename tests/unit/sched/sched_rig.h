/* SPDX-License-Identifier: MIT
 *
 * The scheduler on a virtual clock, its owner played by lists: what it asked for, in order.
 * Runs end when the test says so. Header only; include after cmocka.h.
 */
#ifndef TESTS_UNIT_JOB_SCHED_RIG_H
#define TESTS_UNIT_JOB_SCHED_RIG_H

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "sched/sched.h"

#define T0 INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define MINUTE INT64_C(60000)
#define RIG_JOBS 12
#define RIG_ASKED 4096
#define UNUSED __attribute__((unused))

struct asked {
	char what; /* S start, C cancel, K skip, N note, Q question to a sensor */
	const char *job;
	struct etl_trigger trigger; /* S; K: its skip; N: its slot */
	int64_t at; /* minutes after T0, by the wall clock */
};

struct sched_rig {
	struct etl_clock_virtual clock;
	struct etl_wheel *wheel;
	struct etl_sched *sched;
	struct etl_job config[RIG_JOBS];
	struct etl_sched_job jobs[RIG_JOBS];
	const struct etl_job *dependants[RIG_JOBS];
	size_t n;
	struct asked asked[RIG_ASKED];
	size_t n_asked, seen;
};

static struct sched_rig rig;

static int64_t rig_minute(void)
{
	return (rig.clock.wall.ms - T0) / MINUTE;
}

static void rig_note(char what, const struct etl_sched_job *job, const struct etl_trigger *trigger)
{
	assert_true(rig.n_asked < RIG_ASKED);
	rig.asked[rig.n_asked++] = (struct asked){what, job ? job->name : "",
		trigger ? *trigger : (struct etl_trigger){0}, rig_minute()};
}

static void *rig_start(void *ctx, struct etl_sched_job *job, struct etl_trigger *trigger)
{
	(void)ctx;
	rig_note('S', job, trigger);
	etl_trigger_fini(trigger);
	return job;
}

static void rig_cancel(void *ctx, void *run)
{
	(void)ctx;
	rig_note('C', run, NULL);
}

static void rig_skip(void *ctx, struct etl_sched_job *job, const struct etl_skip *skip,
	const char *schedule)
{
	struct etl_trigger trigger = {.skip = *skip};

	(void)ctx;
	assert_true(*schedule);
	rig_note('K', job, &trigger);
}

static void rig_noted(void *ctx, struct etl_sched_job *job, etl_wall slot)
{
	struct etl_trigger trigger = {.slot = slot};

	(void)ctx;
	rig_note('N', job, &trigger);
}

static void rig_sense(void *ctx, struct etl_sched_job *job)
{
	(void)ctx;
	rig_note('Q', job, NULL);
}

static struct etl_sched_job *rig_find(void *ctx, const char *name)
{
	(void)ctx;
	for (size_t i = 0; i < rig.n; i++)
		if (etl_streq(rig.jobs[i].name, name))
			return &rig.jobs[i];
	return NULL;
}

static int rig_setup(void **state)
{
	static const struct etl_sched_ops ops = {
		.start = rig_start,
		.cancel = rig_cancel,
		.skip = rig_skip,
		.note = rig_noted,
		.sense = rig_sense,
		.find = rig_find,
	};

	(void)state;
	memset(&rig, 0, sizeof rig);
	etl_clock_virtual_init(&rig.clock, (etl_wall){T0});
	rig.wheel = etl_wheel_new(etl_mono_now(&rig.clock.clock));
	rig.sched = etl_sched_new(rig.wheel, &rig.clock.clock, "host", &ops, NULL);
	etl_sched_limit(rig.sched, 4);
	return 0;
}

static int rig_teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < rig.n; i++) {
		etl_sched_remove(rig.sched, &rig.jobs[i]);
		etl_calendar_free((struct etl_calendar *)(uintptr_t)rig.config[i].calendar);
	}
	etl_sched_free(rig.sched);
	etl_wheel_free(rig.wheel);
	return 0;
}

/* A job every `minutes`; 0 = it has no schedule. */
static UNUSED struct etl_sched_job *rig_add(const char *name, int minutes)
{
	struct etl_error err = ETL_ERROR_INIT;
	size_t i = rig.n++;

	assert_true(i < RIG_JOBS);
	rig.config[i] = (struct etl_job){.name = name, .misfire = ETL_MISFIRE_RUN_LATEST,
		.misfire_age = ETL_HOURS(2), .overlap = ETL_OVERLAP_QUEUE_ONE,
		.schedule_text = "every", .timezone = "UTC"};
	if (minutes)
		rig.config[i].calendar = etl_calendar_every(ETL_MINUTES(minutes), (etl_dur){0}, &err);
	etl_sched_add(rig.sched, &rig.jobs[i], name, &rig.config[i]);
	return &rig.jobs[i];
}

static UNUSED struct etl_job *rig_config(struct etl_sched_job *job)
{
	return &rig.config[job - rig.jobs];
}

/* Turns the wheel until `minutes` after T0 by the monotonic clock. */
static UNUSED void rig_turn(int64_t minutes)
{
	int64_t end = rig.clock.mono.us + minutes * MINUTE * 1000;
	etl_mono at;

	while (etl_wheel_next(rig.wheel, &at) && at.us <= end) {
		if (at.us > rig.clock.mono.us)
			etl_clock_virtual_advance(&rig.clock, (etl_dur){at.us - rig.clock.mono.us});
		etl_wheel_advance(rig.wheel, rig.clock.mono);
	}
	etl_clock_virtual_advance(&rig.clock, (etl_dur){end - rig.clock.mono.us});
}

/* Time passes and nobody looks: the process sleeps, or is not there. */
static UNUSED void rig_sleep(int64_t minutes)
{
	etl_clock_virtual_advance(&rig.clock, ETL_MINUTES(minutes));
}

static UNUSED void rig_end(struct etl_sched_job *job)
{
	struct etl_run_outcome outcome = {.moved = true, .claimed = true};

	assert_non_null(job->run);
	etl_sched_ended(rig.sched, job, &outcome);
}

static UNUSED void rig_end_as(struct etl_sched_job *job, struct etl_run_outcome outcome)
{
	assert_non_null(job->run);
	etl_sched_ended(rig.sched, job, &outcome);
}

/* The next thing that was asked for; it must be a `what` of `job`. */
static UNUSED const struct asked *rig_need(char what, const struct etl_sched_job *job)
{
	const struct asked *got = &rig.asked[rig.seen];

	if (rig.seen == rig.n_asked)
		fail_msg("wanted %c of %s, nothing was asked for", what, job->name);
	rig.seen++;
	if (got->what != what || !etl_streq(got->job, job->name))
		fail_msg("wanted %c of %s, got %c of %s", what, job->name, got->what, got->job);
	return got;
}

static UNUSED void rig_need_nothing(void)
{
	if (rig.seen != rig.n_asked)
		fail_msg("wanted nothing, got %c of %s", rig.asked[rig.seen].what,
			rig.asked[rig.seen].job);
}

/* A run for the slot `minutes` after T0. */
static UNUSED void rig_need_run(const struct etl_sched_job *job, int64_t minutes)
{
	const struct asked *got = rig_need('S', job);

	assert_int_equal((got->trigger.slot.ms - T0) / MINUTE, minutes);
}

/* The store has it on record then. */
static UNUSED void rig_need_skip(struct etl_sched_job *job, int64_t first, int64_t last,
	enum etl_skip_code code)
{
	const struct etl_skip *skip = &rig_need('K', job)->trigger.skip;

	assert_int_equal(skip->code, code);
	assert_int_equal((skip->first.ms - T0) / MINUTE, first);
	assert_int_equal((skip->last.ms - T0) / MINUTE, last);
	etl_sched_recorded(rig.sched, job);
}

#endif
