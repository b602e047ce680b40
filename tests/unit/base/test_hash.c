/* SPDX-License-Identifier: MIT
 *
 * Hashes: the published values of XXH3, and adding in pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/hash.h"

/* A jitter computed from it must not change with a release of the library. */
static void values_are_those_of_xxh3(void **state)
{
	(void)state;
	assert_true(etl_hash64("", 0, 0) == UINT64_C(0x2d06800538d394c2));
	assert_true(etl_hash64("airqino", 7, 1) != etl_hash64("airqino", 7, 2));
	assert_true(etl_hash64("airqino", 7, 1) == etl_hash64("airqino", 7, 1));
}

static void pieces_make_the_same_text(void **state)
{
	struct etl_hash_state *whole = etl_hash_new(), *parts = etl_hash_new();
	char data[1000], a[ETL_HASH_TEXT_BYTES], b[ETL_HASH_TEXT_BYTES];

	(void)state;
	etl_hash_text(whole, a);
	assert_string_equal(a, "99aa06d3014798d86001c324468d497f");
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)(i * 31);
	etl_hash_add(whole, data, sizeof data);
	for (size_t at = 0, n = 1; at < sizeof data; at += n, n = n * 2 % 97)
		etl_hash_add(parts, data + at, n < sizeof data - at ? n : sizeof data - at);
	etl_hash_text(whole, a);
	etl_hash_text(parts, b);
	assert_string_equal(a, b);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	etl_hash_add(parts, "", 0);
	etl_hash_text(parts, b);
	assert_string_equal(a, b);
	etl_hash_add(parts, "x", 1);
	etl_hash_text(parts, b);
	assert_string_not_equal(a, b);
	etl_hash_reset(parts);
	etl_hash_text(parts, b);
	assert_string_equal(b, "99aa06d3014798d86001c324468d497f");
	etl_hash_free(whole);
	etl_hash_free(parts);
	etl_hash_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_those_of_xxh3),
		cmocka_unit_test(pieces_make_the_same_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
