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
	etl_hash_free(whole);
	etl_hash_free(parts);
	etl_hash_free(NULL);
}

static void text_of(const char *const *pieces, uint64_t seed, char out[ETL_HASH_TEXT_BYTES])
{
	struct etl_hash_set set = {0};

	for (; *pieces; pieces++)
		etl_hash_set_add(&set, *pieces, strlen(*pieces));
	etl_hash_set_text(&set, seed, out);
}

/* One row for each, all different but the first two. */
static void a_set_has_no_order(void **state)
{
	static const char *const sets[][4] = {
		{"a", "b"}, {"b", "a"}, {"ab"}, {"a"}, {"a", "a"}, {"a", "a", "b"}, {""}, {NULL}};
	enum { N = sizeof sets / sizeof *sets };
	char texts[N][ETL_HASH_TEXT_BYTES], other[ETL_HASH_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < N; i++)
		text_of(sets[i], 7, texts[i]);
	assert_string_equal(texts[0], texts[1]);
	for (size_t i = 1; i < N; i++)
		for (size_t k = 1; k < i; k++)
			assert_string_not_equal(texts[i], texts[k]);
	text_of(sets[0], 8, other);
	assert_string_not_equal(texts[0], other);
	assert_int_equal(strspn(other, "0123456789abcdef"), 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_those_of_xxh3),
		cmocka_unit_test(pieces_make_the_same_text),
		cmocka_unit_test(a_set_has_no_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
