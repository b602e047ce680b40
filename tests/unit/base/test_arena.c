/* SPDX-License-Identifier: MIT
 *
 * Arenas: what is given stays apart, aligned and alive until reset.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"

enum { PIECES = 2000 };

static void pieces_do_not_overlap(void **state)
{
	struct etl_arena *arena = etl_arena_new(256);
	unsigned char *pieces[PIECES];
	size_t total = 0;

	(void)state;
	for (size_t i = 0; i < PIECES; i++) {
		size_t n = i * 7 % 400; /* some are larger than a block, some are empty */

		pieces[i] = etl_arena_alloc(arena, n);
		assert_int_equal((uintptr_t)pieces[i] % 8, 0);
		memset(pieces[i], (int)(i & 0xff), n);
		total += n;
	}
	for (size_t i = 0; i < PIECES; i++)
		for (size_t k = 0; k < i * 7 % 400; k++)
			assert_int_equal(pieces[i][k], i & 0xff);
	assert_true(etl_arena_bytes(arena) >= total);
	etl_arena_free(arena);
}

static void reset_keeps_one_block(void **state)
{
	struct etl_arena *arena = etl_arena_new(1024);

	(void)state;
	assert_int_equal(etl_arena_bytes(arena), 0);
	for (int i = 0; i < 100; i++)
		etl_arena_alloc(arena, 300);
	etl_arena_alloc(arena, 100000);
	etl_arena_reset(arena);
	assert_int_equal(etl_arena_bytes(arena), 1024);
	etl_arena_alloc(arena, 1024);
	assert_int_equal(etl_arena_bytes(arena), 1024);
	etl_arena_reset(arena);
	etl_arena_reset(arena);
	etl_arena_free(arena);
	etl_arena_free(NULL);
}

static void what_is_in_use_is_counted_apart(void **state)
{
	struct etl_arena *arena = etl_arena_new(1024 * 1024);

	(void)state;
	for (int i = 0; i < 10; i++)
		etl_arena_alloc(arena, 100); /* 104 with what keeps the next one aligned */
	assert_int_equal(etl_arena_used(arena), 1040);
	assert_int_equal(etl_arena_bytes(arena), 1024 * 1024);
	etl_arena_alloc(arena, 2 * 1024 * 1024);
	assert_int_equal(etl_arena_used(arena), 1040 + 2 * 1024 * 1024);
	etl_arena_reset(arena);
	assert_int_equal(etl_arena_used(arena), 0);
	etl_arena_free(arena);
}

static void text_is_copied(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	char source[] = "abc";
	char *copy = etl_arena_strdup(arena, source);
	char *part = etl_arena_memdup0(arena, source, 2);
	char *made = etl_arena_strf(arena, "%s-%0500d", "x", 7);
	unsigned char *zeros = etl_arena_zalloc(arena, 50);

	(void)state;
	source[0] = 'X';
	assert_string_equal(copy, "abc");
	assert_string_equal(part, "ab");
	assert_int_equal(strlen(made), 502);
	assert_int_equal(made[501], '7');
	for (int i = 0; i < 50; i++)
		assert_int_equal(zeros[i], 0);
	assert_null(etl_arena_strdup(arena, NULL));
	assert_string_equal(etl_arena_memdup0(arena, NULL, 0), "");
	etl_arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_do_not_overlap),
		cmocka_unit_test(reset_keeps_one_block),
		cmocka_unit_test(what_is_in_use_is_counted_apart),
		cmocka_unit_test(text_is_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
