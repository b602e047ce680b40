/* SPDX-License-Identifier: MIT
 *
 * Keys of slices: what was put in is found, nothing else, up to the cap.
 */
#include "flow/repeats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

static uint64_t key(uint64_t i)
{
	return etl_hash64(&i, sizeof i, 0) | 1;
}

static void what_was_put_in_is_found(void **state)
{
	struct etl_repeats r = {0};

	(void)state;
	assert_false(etl_repeats_has(&r, key(1)));
	for (uint64_t i = 0; i < 10000; i++) {
		etl_repeats_add(&r, key(i));
		etl_repeats_add(&r, key(i / 2)); /* twice is once */
	}
	assert_int_equal(r.n, 10000);
	for (uint64_t i = 0; i < 10000; i++)
		assert_true(etl_repeats_has(&r, key(i)));
	for (uint64_t i = 10000; i < 20000; i++)
		assert_false(etl_repeats_has(&r, key(i)));
	etl_repeats_reset(&r);
	assert_false(etl_repeats_has(&r, key(1)));
	etl_repeats_reset(&r);
}

static void no_key_is_nobodys(void **state)
{
	struct etl_repeats r = {0};

	(void)state;
	etl_repeats_add(&r, 0);
	assert_int_equal(r.n, 0);
	etl_repeats_add(&r, key(1));
	assert_false(etl_repeats_has(&r, 0));
	etl_repeats_reset(&r);
}

static void neighbours_share_a_place(void **state)
{
	struct etl_repeats r = {0};

	(void)state;
	for (uint64_t i = 0; i < 900; i++) /* all want slot 1 */
		etl_repeats_add(&r, 1 + (i << 32));
	for (uint64_t i = 0; i < 900; i++)
		assert_true(etl_repeats_has(&r, 1 + (i << 32)));
	assert_false(etl_repeats_has(&r, 1 + (UINT64_C(900) << 32)));
	etl_repeats_reset(&r);
}

static void it_has_a_cap(void **state)
{
	struct etl_repeats r = {0};

	(void)state;
	for (uint64_t i = 0; i < ETL_REPEATS_MAX; i++)
		etl_repeats_add(&r, key(i));
	assert_false(r.full);
	etl_repeats_add(&r, key(7));
	assert_false(r.full);
	etl_repeats_add(&r, key(ETL_REPEATS_MAX));
	assert_true(r.full);
	assert_false(etl_repeats_has(&r, key(ETL_REPEATS_MAX)));
	assert_true(etl_repeats_has(&r, key(7)));
	etl_repeats_reset(&r);
	assert_false(r.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_in_is_found),
		cmocka_unit_test(no_key_is_nobodys),
		cmocka_unit_test(neighbours_share_a_place),
		cmocka_unit_test(it_has_a_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
