/* SPDX-License-Identifier: MIT
 *
 * Counts and tallies: documents there and back, sums, and the bounds of a tally.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "state/counts.h"

/* Each count its own number. */
static struct etl_counts numbered(uint64_t from)
{
	struct etl_counts counts = {0};
	uint64_t *all = (uint64_t *)(void *)&counts;

	for (size_t i = 0; i < etl_counts_n; i++)
		all[i] = from + i;
	return counts;
}

static void test_there_and_back(void **state)
{
	struct etl_counts in = numbered(1), out = numbered(100), none = {0};
	bson_t doc = BSON_INITIALIZER, few = BSON_INITIALIZER;

	(void)state;
	etl_counts_append(&doc, "counts", &in);
	etl_counts_read(&doc, "counts", &out);
	assert_memory_equal(&in, &out, sizeof in);
	in = (struct etl_counts){.outside = 7};
	etl_counts_append_some(&few, "counts", &in);
	etl_counts_read(&few, "counts", &out);
	assert_memory_equal(&in, &out, sizeof in);
	assert_true(few.len < 40); /* what is 0 takes no room in the ledger */
	etl_counts_read(&few, "absent", &out);
	assert_memory_equal(&none, &out, sizeof none);
	bson_destroy(&doc);
	bson_destroy(&few);
}

static void test_sums(void **state)
{
	struct etl_counts a = numbered(1), b = numbered(1);

	(void)state;
	etl_counts_add(&a, &b);
	for (size_t i = 0; i < etl_counts_n; i++)
		assert_int_equal(etl_counts_get(&a, &etl_counts_rows[i]), 2 * (i + 1));
}

static void test_tally_keeps_the_first(void **state)
{
	struct etl_tally tally = {0}, sum = {0};

	(void)state;
	etl_tally_add(&tally, "decode", "time", "ts", "no time", 1);
	etl_tally_add(&tally, "decode", "time", "ts", "another text", 2);
	etl_tally_add(&tally, "decode", "time", "t2", "no time", 1);
	etl_tally_add(&tally, "load", NULL, NULL, NULL, 0); /* none of it */
	etl_tally_merge(&sum, &tally);
	etl_tally_merge(&sum, &tally);
	assert_int_equal(sum.n, 2);
	assert_int_equal(sum.rows[0].n, 6);
	assert_string_equal(sum.rows[0].first, "no time");
	etl_tally_fini(&tally);
	etl_tally_fini(&sum);
}

/* Names of fields come from data: a source may have any number of them, of any bytes. */
static void test_tally_is_bounded(void **state)
{
	struct etl_tally tally = {0};
	bson_t doc = BSON_INITIALIZER, list;
	char field[400];
	bson_iter_t it;
	uint32_t len;
	const uint8_t *data;

	(void)state;
	memset(field, 0xff, sizeof field);
	field[sizeof field - 1] = '\0';
	etl_tally_add(&tally, "check", "range", field, field, 1);
	etl_tally_add(&tally, "check", "range", field, field, 1);
	assert_int_equal(tally.n, 1);
	for (int i = 0; i < 1000; i++) {
		snprintf(field, sizeof field, "f%d", i);
		etl_tally_add(&tally, "check", "range", field, "", 1);
	}
	assert_int_equal(tally.n, ETL_TALLY_ROWS);
	assert_int_equal(tally.others, 1000 - (ETL_TALLY_ROWS - 1));
	etl_tally_append(&doc, "rejects", &tally);
	assert_true(bson_validate(&doc, BSON_VALIDATE_UTF8, NULL));
	assert_true(bson_iter_init_find(&it, &doc, "rejects"));
	bson_iter_array(&it, &len, &data);
	assert_true(bson_init_static(&list, data, len));
	assert_int_equal(bson_count_keys(&list), ETL_TALLY_ROWS + 1);
	bson_destroy(&doc);
	etl_tally_fini(&tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_tally_keeps_the_first),
		cmocka_unit_test(test_tally_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
