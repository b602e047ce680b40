/* SPDX-License-Identifier: MIT
 *
 * UUIDv7: form, order by time, no two alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"

/* 8-4-4-4-12 small hexadecimal digits (RFC 9562, 4). */
static bool is_uuid(const char *text)
{
	size_t at = 0;

	for (size_t i = 0; i < 5; i++) {
		static const size_t digits[] = {8, 4, 4, 4, 12};

		if (strspn(text + at, "0123456789abcdef") != digits[i])
			return false;
		at += digits[i];
		if (i < 4 && text[at++] != '-')
			return false;
	}
	return text[at] == '\0';
}

static void the_time_stands_in_front(void **state)
{
	char id[ETL_UUID_BYTES];

	(void)state;
	etl_uuid7(INT64_C(0x017f22e279b0), id); /* the time of RFC 9562's example */
	assert_memory_equal(id, "017f22e2-79b0-7", 15);
	assert_non_null(strchr("89ab", id[19]));
	assert_true(is_uuid(id));
}

static void later_ones_sort_behind(void **state)
{
	char before[ETL_UUID_BYTES], id[ETL_UUID_BYTES];

	(void)state;
	etl_uuid7(0, before);
	for (int64_t ms = 1; ms < INT64_C(1) << 47; ms = ms * 3 + 1) {
		etl_uuid7(ms, id);
		assert_true(strcmp(before, id) < 0);
		memcpy(before, id, sizeof id);
	}
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, ETL_UUID_BYTES);
}

static void no_two_of_one_millisecond_are_alike(void **state)
{
	enum { N = 10000 };
	static char ids[N][ETL_UUID_BYTES];

	(void)state;
	for (int i = 0; i < N; i++)
		etl_uuid7(1, ids[i]);
	qsort(ids, N, sizeof *ids, compare);
	for (int i = 1; i < N; i++)
		assert_string_not_equal(ids[i - 1], ids[i]);
}

static void part_of_an_id_names_it(void **state)
{
	static const char id[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
	static const struct {
		const char *part;
		bool matches;
	} rows[] = {{id, true}, {"017f22", true}, {"07398f", true}, {"dc0c0c07398f", true}, {"017f2", false},
		{"7398f", false}, {"7f22e2", false}, {"", false},
		{"017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", false}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (etl_uuid_matches(id, rows[i].part) != rows[i].matches)
			fail_msg("%s", rows[i].part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_time_stands_in_front),
		cmocka_unit_test(later_ones_sort_behind),
		cmocka_unit_test(no_two_of_one_millisecond_are_alike),
		cmocka_unit_test(part_of_an_id_names_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
