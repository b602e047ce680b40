/* SPDX-License-Identifier: MIT
 *
 * The timing wheel: order, re-arming from callbacks, sleeping, and a long random walk beside
 * a plain sorted list. With a million timers: test_wheel_million.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "time/wheel.h"

static const etl_mono birth = {INT64_C(5000000000)};

static etl_mono after_ms(int64_t ms)
{
	return etl_mono_add(birth, ETL_MS(ms));
}

/* What fired, as the numbers of the timers. */
struct log {
	int fired[64];
	int count;
};

struct probe {
	struct etl_timer timer; /* first */
	struct log *log;
	int number;
};

static void note(struct etl_timer *timer, void *ctx)
{
	struct probe *probe = (struct probe *)timer;
	struct log *log = ctx;

	assert_false(etl_timer_is_armed(timer));
	assert_in_range(log->count, 0, 63);
	log->fired[log->count++] = probe->number;
}

static void probes_init(struct probe *probes, int n, struct log *log)
{
	memset(probes, 0, (size_t)n * sizeof *probes);
	log->count = 0;
	for (int i = 0; i < n; i++) {
		probes[i].timer.fire = note;
		probes[i].timer.ctx = log;
		probes[i].log = log;
		probes[i].number = i;
	}
}

static void fires_in_order_of_due_then_of_arming(void **state)
{
	etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = etl_wheel_new(birth);
	static const int64_t due[] = {5000, 70, 5000, 70, 5000, 1, 4096, 5000};
	static const int order[] = {5, 1, 3, 6, 0, 2, 4, 7};
	struct probe p[8];
	struct log log;

	(void)state;
	probes_init(p, 8, &log);
	for (int i = 0; i < 6; i++)
		etl_timer_arm(wheel, &p[i].timer, after_ms(due[i]));
	/* The last two are armed when the others have moved to finer levels. */
	etl_wheel_advance(wheel, after_ms(4090));
	assert_int_equal(log.count, 3);
	etl_timer_arm(wheel, &p[6].timer, after_ms(due[6]));
	etl_timer_arm(wheel, &p[7].timer, after_ms(due[7]));
	assert_int_equal(etl_wheel_count(wheel), 5);
	etl_wheel_advance(wheel, after_ms(1000000));
	assert_int_equal(log.count, 8);
	assert_memory_equal(log.fired, order, sizeof order);
	assert_int_equal(etl_wheel_count(wheel), 0);
}

static void never_fires_early(void **state)
{
	etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = etl_wheel_new(birth);
	etl_mono due = {birth.us + 1500}, at;
	struct probe p[1];
	struct log log;

	(void)state;
	probes_init(p, 1, &log);
	etl_timer_arm(wheel, &p[0].timer, due);
	etl_wheel_advance(wheel, (etl_mono){due.us - 1});
	assert_int_equal(log.count, 0);
	assert_true(etl_wheel_next(wheel, &at));
	assert_true(at.us >= due.us && at.us < due.us + 1000);
	etl_wheel_advance(wheel, at);
	assert_int_equal(log.count, 1);
	assert_false(etl_wheel_next(wheel, &at));
}

static void cancel_and_move(void **state)
{
	etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = etl_wheel_new(birth);
	struct probe p[3];
	struct log log;

	(void)state;
	probes_init(p, 3, &log);
	for (int i = 0; i < 3; i++)
		etl_timer_arm(wheel, &p[i].timer, after_ms(100));
	etl_timer_cancel(wheel, &p[1].timer);
	etl_timer_cancel(wheel, &p[1].timer);
	assert_false(etl_timer_is_armed(&p[1].timer));
	etl_timer_arm(wheel, &p[0].timer, after_ms(90000));
	assert_int_equal(etl_wheel_count(wheel), 2);
	etl_wheel_advance(wheel, after_ms(100));
	assert_int_equal(log.count, 1);
	assert_int_equal(log.fired[0], 2);
	etl_wheel_advance(wheel, after_ms(89999));
	assert_int_equal(log.count, 1);
	etl_wheel_advance(wheel, after_ms(90000));
	assert_int_equal(log.count, 2);
}

static struct etl_wheel *the_wheel;
static struct probe *others;

static void rearm_in_the_past(struct etl_timer *timer, void *ctx)
{
	note(timer, ctx);
	etl_timer_arm(the_wheel, timer, birth);
}

static void rearm_a_little_later(struct etl_timer *timer, void *ctx)
{
	note(timer, ctx);
	etl_timer_arm(the_wheel, timer, after_ms(2));
}

static void a_callback_in_the_past_waits_for_the_next_advance(void **state)
{
	etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = etl_wheel_new(birth);
	struct probe p[2];
	struct log log;
	etl_mono at;

	(void)state;
	the_wheel = wheel;
	probes_init(p, 2, &log);
	p[0].timer.fire = rearm_in_the_past;
	p[1].timer.fire = rearm_a_little_later;
	etl_timer_arm(wheel, &p[0].timer, after_ms(1));
	etl_timer_arm(wheel, &p[1].timer, after_ms(1));
	for (int turn = 1; turn <= 5; turn++) {
		/* The same time again and again: still one round each. */
		etl_wheel_advance(wheel, after_ms(1000));
		assert_int_equal(log.count, 2 * turn);
		assert_true(etl_wheel_next(wheel, &at));
		assert_true(at.us <= after_ms(1000).us);
	}
}

static void meddle(struct etl_timer *timer, void *ctx)
{
	note(timer, ctx);
	etl_timer_cancel(the_wheel, &others[1].timer); /* same tick, not yet fired */
	etl_timer_arm(the_wheel, &others[2].timer, after_ms(7000)); /* same tick, moved on */
	etl_timer_cancel(the_wheel, &others[4].timer);              /* later in this advance */
	etl_timer_arm(the_wheel, timer, after_ms(9000));
}

static void a_callback_may_arm_and_cancel_anything(void **state)
{
	etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = etl_wheel_new(birth);
	static const int order[] = {0, 3, 2, 0};
	struct probe p[5];
	struct log log;

	(void)state;
	the_wheel = wheel;
	others = p;
	probes_init(p, 5, &log);
	p[0].timer.fire = meddle;
	for (int i = 0; i < 4; i++)
		etl_timer_arm(wheel, &p[i].timer, after_ms(50));
	etl_timer_arm(wheel, &p[4].timer, after_ms(60));
	etl_wheel_advance(wheel, after_ms(100));
	assert_int_equal(log.count, 2);
	p[0].timer.fire = note;
	etl_wheel_advance(wheel, after_ms(10000));
	assert_int_equal(log.count, 4);
	assert_memory_equal(log.fired, order, sizeof order);
}

/* Ten years ahead: few wakes on the way, the last one exact. */
static void a_far_timer_lets_the_process_sleep(void **state)
{
	static const int64_t days[] = {1, 40, 365, 3653, 36525};

	(void)state;
	for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
		etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = etl_wheel_new(birth);
		etl_mono due = etl_mono_add(birth, ETL_DAYS(days[i])), at;
		struct probe p[1];
		struct log log;
		int wakes = 0;

		due.us += 1234567;
		probes_init(p, 1, &log);
		etl_timer_arm(wheel, &p[0].timer, due);
		while (etl_wheel_next(wheel, &at)) {
			assert_true(log.count == 0 && at.us < due.us + 1000);
			etl_wheel_advance(wheel, at);
			wakes++;
		}
		assert_int_equal(log.count, 1);
		assert_true(at.us >= due.us);
		assert_in_range(wakes, 1, 10);
	}
}

static void any_due_time_is_in_range(void **state)
{
	etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = etl_wheel_new((etl_mono){-7});
	struct probe p[2];
	struct log log;

	(void)state;
	probes_init(p, 2, &log);
	etl_timer_arm(wheel, &p[0].timer, (etl_mono){INT64_MAX});
	etl_timer_arm(wheel, &p[1].timer, (etl_mono){INT64_MIN});
	etl_wheel_advance(wheel, (etl_mono){0});
	assert_int_equal(log.count, 1);
	assert_int_equal(log.fired[0], 1);
	etl_wheel_advance(wheel, (etl_mono){-5000000});
	assert_int_equal(etl_wheel_count(wheel), 1);
}

/* ---- beside a sorted list ---- */

enum { MODEL_TIMERS = 200, MODEL_STEPS = 40000 };

static struct model {
	struct etl_timer timer;
	bool armed;
	int64_t due; /* tick at which it counts as due */
	uint64_t order;
} model[MODEL_TIMERS];
static uint64_t model_order;
static int64_t model_now;
static bool model_failed;

static uint64_t random_state;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static int64_t random_delay(void)
{
	return (int64_t)(random_next() >> (64 - random_next() % 36 - 1)) - 3;
}

static struct model *model_first(void)
{
	struct model *best = NULL;

	for (int i = 0; i < MODEL_TIMERS; i++) {
		struct model *m = &model[i];

		if (m->armed && (!best || m->due < best->due ||
					(m->due == best->due && m->order < best->order)))
			best = m;
	}
	return best;
}

static void model_arm(struct etl_wheel *wheel, struct model *m, int64_t due)
{
	etl_timer_arm(wheel, &m->timer, (etl_mono){due * 1000});
	m->armed = true;
	m->due = due > model_now ? due : model_now;
	m->order = model_order++;
}

static uint64_t round_order; /* what was armed later than this may not fire now */

static void model_fire(struct etl_timer *timer, void *ctx)
{
	struct model *m = (struct model *)timer;

	if (m != model_first() || m->due > model_now ||
		(m->order >= round_order))
		model_failed = true;
	m->armed = false;
	if (random_next() % 3 == 0)
		model_arm(
			ctx, &model[random_next() % MODEL_TIMERS], model_now + random_delay());
	if (random_next() % 8 == 0) {
		struct model *victim = &model[random_next() % MODEL_TIMERS];

		etl_timer_cancel(ctx, &victim->timer);
		victim->armed = false;
	}
}

static void model_step(struct etl_wheel *wheel)
{
	struct model *m = &model[random_next() % MODEL_TIMERS];
	etl_mono at;

	switch (random_next() % 8) {
	case 0:
	case 1:
	case 2:
		model_arm(wheel, m, model_now + random_delay());
		return;
	case 3:
		etl_timer_cancel(wheel, &m->timer);
		m->armed = false;
		return;
	case 4:
		model_now += (int64_t)(random_next() >> (64 - random_next() % 30 - 1));
		break;
	default:
		if (etl_wheel_next(wheel, &at) && at.us / 1000 > model_now)
			model_now = at.us / 1000;
		break;
	}
	round_order = model_order;
	etl_wheel_advance(wheel, (etl_mono){model_now * 1000 + 999});
}

static void behaves_like_a_sorted_list(void **state)
{
	etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = NULL;
	const char *given = getenv("ETL_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)clock() * 2654435761u + 1;

	(void)state;
	print_message("seed %llu (ETL_TEST_SEED repeats it)\n", (unsigned long long)seed);
	random_state = seed ? seed : 1;
	model_now = (int64_t)(random_next() >> 20);
	wheel = etl_wheel_new((etl_mono){model_now * 1000});
	for (int i = 0; i < MODEL_TIMERS; i++)
		model[i] = (struct model){.timer = {.fire = model_fire, .ctx = wheel}};
	for (int step = 0; step < MODEL_STEPS; step++) {
		const struct model *first;
		size_t armed = 0;
		etl_mono at;

		model_step(wheel);
		assert_false(model_failed);
		first = model_first();
		assert_int_equal(etl_wheel_next(wheel, &at), first != NULL);
		if (first)
			assert_true(at.us <= first->due * 1000);
		for (int i = 0; i < MODEL_TIMERS; i++) {
			assert_int_equal(etl_timer_is_armed(&model[i].timer), model[i].armed);
			armed += model[i].armed;
			/* Only what was armed late in this round may be due. */
			if (model[i].armed && model[i].order < round_order)
				assert_true(model[i].due >= model_now);
		}
		assert_int_equal(etl_wheel_count(wheel), armed);
	}
}

/* The example at the head of wheel.c: a timer of tick 165, armed at tick 100, is spread to the finest level
 * at 128. */
static void a_timer_moves_to_finer_levels(void **state)
{
	etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = etl_wheel_new(birth);
	struct probe p[1];
	struct log log;
	etl_mono at;

	(void)state;
	probes_init(p, 1, &log);
	etl_wheel_advance(wheel, after_ms(100));
	etl_timer_arm(wheel, &p[0].timer, after_ms(165));
	assert_int_equal(p[0].timer.level, 1);
	assert_int_equal(p[0].timer.slot, 2);
	assert_true(etl_wheel_next(wheel, &at));
	assert_int_equal(at.us, after_ms(128).us);
	etl_wheel_advance(wheel, at);
	assert_int_equal(p[0].timer.level, 0);
	assert_int_equal(p[0].timer.slot, 37);
	assert_int_equal(log.count, 0);
	assert_true(etl_wheel_next(wheel, &at));
	assert_int_equal(at.us, after_ms(165).us);
	etl_wheel_advance(wheel, at);
	assert_int_equal(log.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_in_order_of_due_then_of_arming),
		cmocka_unit_test(never_fires_early),
		cmocka_unit_test(a_timer_moves_to_finer_levels),
		cmocka_unit_test(cancel_and_move),
		cmocka_unit_test(a_callback_in_the_past_waits_for_the_next_advance),
		cmocka_unit_test(a_callback_may_arm_and_cancel_anything),
		cmocka_unit_test(a_far_timer_lets_the_process_sleep),
		cmocka_unit_test(any_due_time_is_in_range),
		cmocka_unit_test(behaves_like_a_sorted_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
