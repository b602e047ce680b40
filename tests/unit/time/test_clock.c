/* SPDX-License-Identifier: MIT
 *
 * The clocks: the real one moves on, the virtual one only when told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "time/clock.h"
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
		cmocka_unit_test(windows_are_half_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
