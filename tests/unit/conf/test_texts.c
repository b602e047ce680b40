/* SPDX-License-Identifier: MIT
 *
 * Equal texts are kept once, and outlive the set that found them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "conf/texts.h"

static void test_equal_texts_are_one(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_texts *texts = etl_texts_new(arena);
	const char *first = etl_texts_get(texts, "schedule", 8);

	(void)state;
	assert_string_equal(first, "schedule");
	assert_ptr_equal(etl_texts_get(texts, "schedule and more", 8), first);
	assert_ptr_not_equal(etl_texts_get(texts, "schedules", 9), first);
	assert_string_equal(etl_texts_get(texts, "", 0), "");
	etl_texts_free(texts);
	assert_string_equal(first, "schedule");
	etl_arena_free(arena);
}

/* A NUL within is a byte like any other; whoever reads texts refuses it. */
static void test_bytes_are_compared(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_texts *texts = etl_texts_new(arena);

	(void)state;
	assert_ptr_not_equal(etl_texts_get(texts, "a\0b", 3), etl_texts_get(texts, "a\0c", 3));
	assert_ptr_not_equal(etl_texts_get(texts, "a", 1), etl_texts_get(texts, "a\0c", 3));
	etl_texts_free(texts);
	etl_arena_free(arena);
}

/* More than the table begins with: all of them are found again, none costs twice. */
static void test_many(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_texts *texts = etl_texts_new(arena);
	const char *kept[1000];
	char name[16];
	size_t used;

	(void)state;
	for (int i = 0; i < 1000; i++)
		kept[i] = etl_texts_get(texts, name, (size_t)snprintf(name, sizeof name, "job%d", i));
	used = etl_arena_used(arena);
	for (int i = 0; i < 1000; i++) {
		size_t len = (size_t)snprintf(name, sizeof name, "job%d", i);

		assert_ptr_equal(etl_texts_get(texts, name, len), kept[i]);
		assert_string_equal(kept[i], name);
	}
	assert_int_equal(etl_arena_used(arena), used);
	etl_texts_free(texts);
	etl_arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_texts_are_one),
		cmocka_unit_test(test_bytes_are_compared),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
