/* SPDX-License-Identifier: MIT
 *
 * The clocks: the real one moves on, the virtual one only when told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "time/calendar.h"
#include "time/clock.h"
#include "time/wheel.h"
#include "time/window.h"

static void real_clock(void **state)
{
	const struct etl_clock *clock = etl_clock_real();
	etl_mono first = etl_mono_now(clock), later = first;

	(void)state;
	assert_true(etl_now(clock).ms > INT64_C(1700000000000));
	assert_true(etl_now(clock).ms < INT64_C(253402300800000));
	for (int i = 0; i < 10000000 && later.us == first.us; i++)
		later = etl_mono_now(clock);
	assert_true(later.us > first.us);
}

static void virtual_clock(void **state)
{
	struct etl_clock_virtual v;
	etl_mono start;

	(void)state;
	etl_clock_virtual_init(&v, (etl_wall){1000});
	start = etl_mono_now(&v.clock);
	assert_int_equal(etl_now(&v.clock).ms, 1000);
	etl_clock_virtual_advance(&v, ETL_SECONDS(5));
	assert_int_equal(etl_now(&v.clock).ms, 6000);
	assert_int_equal(etl_mono_diff(etl_mono_now(&v.clock), start).us, 5000000);
	etl_clock_virtual_step(&v, ETL_HOURS(-1));
	assert_int_equal(etl_now(&v.clock).ms, 6000 - 3600000);
	assert_int_equal(etl_mono_diff(etl_mono_now(&v.clock), start).us, 5000000);
}

/* Steps below a millisecond reach the wall clock in the end. */
static void small_steps_add_up(void **state)
{
	struct etl_clock_virtual v;

	(void)state;
	etl_clock_virtual_init(&v, (etl_wall){0});
	for (int i = 0; i < 10000; i++)
		etl_clock_virtual_advance(&v, (etl_dur){300});
	assert_int_equal(etl_now(&v.clock).ms, 3000);
}

/* What a scheduler does with each of its slots: counts it and arms the timer for the next. */
struct beat {
	struct etl_timer timer;
	struct etl_wheel *wheel;
	struct etl_clock_virtual *v;
	struct etl_calendar *calendar;
	etl_wall decided;
	int looks, slots;
};

static void arm_beat(struct beat *b)
{
	etl_wall next;
	etl_dur wait;

	assert_true(etl_calendar_next(b->calendar, b->decided, &next));
	wait = etl_wall_diff(next, etl_now(&b->v->clock));
	etl_timer_arm(b->wheel, &b->timer,
		etl_mono_add(etl_mono_now(&b->v->clock), wait.us > 0 ? wait : (etl_dur){0}));
}

static void look(struct etl_timer *timer, void *ctx)
{
	struct beat *b = ctx;
	etl_wall slot;

	(void)timer;
	b->looks++;
	while (etl_calendar_next(b->calendar, b->decided, &slot) && slot.ms <= etl_now(&b->v->clock).ms) {
		b->decided = slot;
		b->slots++;
	}
	arm_beat(b);
}

static void begin_beat(struct beat *b, struct etl_clock_virtual *v)
{
	struct etl_error err = ETL_ERROR_INIT;

	etl_clock_virtual_init(v, (etl_wall){INT64_C(1767225600000)}); /* 2026-01-01 */
	*b = (struct beat){.v = v, .decided = etl_now(&v->clock)};
	b->timer = (struct etl_timer){.fire = look, .ctx = b, .name = "beat"};
	b->wheel = etl_wheel_new(etl_mono_now(&v->clock));
	b->calendar = etl_calendar_every(ETL_HOURS(1), (etl_dur){0}, &err);
	assert_non_null(b->calendar);
	arm_beat(b);
}

static void end_beat(struct beat *b)
{
	etl_timer_cancel(b->wheel, &b->timer);
	etl_wheel_free(b->wheel);
	etl_calendar_free(b->calendar);
}

static void turn(struct beat *b)
{
	etl_wheel_advance(b->wheel, etl_mono_now(&b->v->clock));
}

/* A night in suspend: both clocks have moved at the first turn. The timer fires once, finds all
 * slots of the night, and is set to the next one, neither early nor by a night late. */
static void suspend(void **state)
{
	struct etl_clock_virtual v;
	struct beat b;
	etl_mono wake;

	(void)state;
	begin_beat(&b, &v);
	etl_clock_virtual_advance(&v, ETL_MINUTES(30));
	turn(&b);
	assert_int_equal(b.looks, 0);
	etl_clock_virtual_advance(&v, ETL_HOURS(8));
	turn(&b);
	assert_int_equal(b.looks, 1);
	assert_int_equal(b.slots, 8);
	etl_clock_virtual_advance(&v, (etl_dur){ETL_MINUTES(30).us - 1000});
	turn(&b);
	assert_int_equal(b.looks, 1);
	assert_true(etl_wheel_next(b.wheel, &wake));
	assert_true(wake.us - etl_mono_now(&v.clock).us <= 1000);
	etl_clock_virtual_advance(&v, ETL_MS(1));
	turn(&b);
	assert_int_equal(b.looks, 2);
	assert_int_equal(b.slots, 9);
	end_beat(&b);
}

/* A clock that was set moves no timer: whoever is told of it (here: calls look) arms anew.
 * Without being told he is late by the step at most once, and loses nothing. */
static void steps(void **state)
{
	struct etl_clock_virtual v;
	struct beat b;

	(void)state;
	begin_beat(&b, &v);
	etl_clock_virtual_step(&v, ETL_HOURS(3));
	turn(&b);
	assert_int_equal(b.looks, 0);
	look(&b.timer, &b);
	assert_int_equal(b.slots, 3);
	etl_clock_virtual_step(&v, ETL_HOURS(-3));
	look(&b.timer, &b);
	assert_int_equal(b.slots, 3);
	etl_clock_virtual_advance(&v, (etl_dur){ETL_HOURS(4).us - 1000});
	turn(&b);
	assert_int_equal(b.slots, 3);
	etl_clock_virtual_advance(&v, ETL_MS(1));
	turn(&b);
	assert_int_equal(b.slots, 4);
	etl_clock_virtual_step(&v, ETL_MINUTES(90)); /* nobody tells */
	etl_clock_virtual_advance(&v, ETL_HOURS(1));
	turn(&b);
	assert_int_equal(b.slots, 6);
	end_beat(&b);
}

static void ages_are_never_negative(void **state)
{
	(void)state;
	assert_int_equal(etl_wall_age((etl_wall){5000}, (etl_wall){2000}).us, 3000000);
	assert_int_equal(etl_wall_age((etl_wall){5000}, (etl_wall){5000}).us, 0);
	assert_int_equal(etl_wall_age((etl_wall){5000}, (etl_wall){5001}).us, 0);
}

static void windows_are_half_open(void **state)
{
	struct etl_window w = {{1000}, {2000}};

	(void)state;
	assert_false(etl_window_holds(&w, (etl_wall){999}));
	assert_true(etl_window_holds(&w, (etl_wall){1000}));
	assert_true(etl_window_holds(&w, (etl_wall){1999}));
	assert_false(etl_window_holds(&w, (etl_wall){2000}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_clock),
		cmocka_unit_test(virtual_clock),
		cmocka_unit_test(small_steps_add_up),
		cmocka_unit_test(suspend),
		cmocka_unit_test(steps),
		cmocka_unit_test(ages_are_never_negative),
		cmocka_unit_test(windows_are_half_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
