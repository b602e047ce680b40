/* SPDX-License-Identifier: MIT
 *
 * Backoff: the whole doubles up to the cap, the jitter stays in its upper half.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "time/backoff.h"

static void between_half_and_whole(void **state)
{
	static const int64_t whole_s[] = {30, 30, 60, 120, 240, 480, 600, 600, 600};

	(void)state;
	for (unsigned attempt = 0; attempt < 9; attempt++) {
		int64_t low = INT64_MAX, high = 0, whole = whole_s[attempt] * 1000000;

		for (uint64_t i = 0; i < 5000; i++) {
			etl_dur d = etl_backoff(attempt, ETL_SECONDS(30), ETL_MINUTES(10),
				i * UINT64_C(0x9e3779b97f4a7c15));

			low = d.us < low ? d.us : low;
			high = d.us > high ? d.us : high;
		}
		assert_true(low >= whole / 2 && low < whole / 2 + whole / 100);
		assert_true(high <= whole && high > whole - whole / 100);
	}
}

static void edges(void **state)
{
	(void)state;
	assert_int_equal(etl_backoff(1, (etl_dur){1}, (etl_dur){1}, UINT64_MAX).us, 1);
	assert_true(etl_backoff(4000000000u, ETL_SECONDS(1), ETL_MINUTES(1), 0).us == 30000000);
	assert_true(etl_backoff(200, ETL_SECONDS(1), (etl_dur){INT64_MAX}, UINT64_MAX).us > 0);
	/* A cap below the base wins. */
	assert_true(etl_backoff(1, ETL_MINUTES(1), ETL_SECONDS(1), 7).us <= 1000000);
	assert_int_equal(etl_backoff(3, ETL_SECONDS(1), ETL_MINUTES(1), 99).us,
		etl_backoff(3, ETL_SECONDS(1), ETL_MINUTES(1), 99).us);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(between_half_and_whole),
		cmocka_unit_test(edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
