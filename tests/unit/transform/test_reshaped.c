/* SPDX-License-Identifier: MIT
 *
 * Stages of reshape as transforms: of one batch they make no more than a run's share of memory, and what
 * is put together has the earliest event time of its rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/plugin.h"

extern const struct etl_transform_type etl_transform_explode, etl_transform_pivot;

static void count_nothing(void *ctx, etl_wall time, uint64_t made, uint64_t gone)
{
	(void)ctx, (void)time, (void)made, (void)gone;
}

static void configure(struct rig *rig, const char *yaml, size_t memory_max)
{
	const struct etl_transform_type *type = rig->transform;
	struct etl_error err = ETL_ERROR_INIT;

	rig_configure(rig, type->options, type->options_size, type->check, type->name, yaml);
	rig_need_clean(rig, yaml);
	rig->stage.memory_max = memory_max;
	rig->stage.count = count_nothing;
	rig->self = etl_calloc(1, type->size);
	assert_int_equal(type->open(rig->self, rig->options, &rig->stage, &err), 0);
}

/* 5,000 records of 220 bytes out of one. */
static void put_list(struct etl_batch *batch)
{
	bson_t doc = BSON_INITIALIZER, list;
	char beside[201];

	memset(beside, 'x', 200);
	beside[200] = '\0';
	BSON_APPEND_UTF8(&doc, "beside", beside);
	BSON_APPEND_ARRAY_BEGIN(&doc, "v", &list);
	for (uint32_t i = 0; i < 5000; i++) {
		char index[16];
		const char *key;

		bson_uint32_to_string(i, &key, index, sizeof index);
		BSON_APPEND_INT32(&list, key, (int)i);
	}
	bson_append_array_end(&doc, &list);
	batch_put_doc(batch, &doc);
	bson_destroy(&doc);
}

static void test_no_more_than_its_share(void **state)
{
	static const size_t shares[] = {(size_t)64 << 20, (size_t)512 << 10};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct rig rig = {.transform = &etl_transform_explode};
		struct etl_batch *batch = etl_batch_new();
		struct etl_error err = ETL_ERROR_INIT;

		configure(&rig, "{field: v}", shares[i]);
		put_list(batch);
		assert_int_equal(etl_transform_explode.apply(rig.self, batch, &err), i ? -1 : 0);
		if (i) {
			assert_int_equal(err.kind, ETL_LIMIT);
			assert_string_equal(err.code, "transform.memory");
			assert_true(etl_batch_held(batch) < 2 * shares[i]);
		} else {
			assert_int_equal(batch->n, 5000);
		}
		rig_free(&rig);
		etl_batch_free(batch);
	}
}

static void test_earliest_of_its_rows(void **state)
{
	struct rig rig = {.transform = &etl_transform_pivot};
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	configure(&rig, "{by: [s], name: p, value: v}", 0);
	batch_put(batch, "{\"s\": 1, \"p\": \"a\", \"v\": 1, \"t\": {\"$date\": 1700000020000}}");
	batch_put(batch, "{\"s\": 1, \"p\": \"b\", \"v\": 2, \"t\": {\"$date\": 1700000010000}}");
	batch_put(batch, "{\"s\": 1, \"p\": \"c\", \"v\": 3, \"t\": {\"$date\": 1700000030000}}");
	assert_int_equal(etl_transform_pivot.apply(rig.self, batch, &err), 0);
	assert_int_equal(batch->n, 0);
	assert_int_equal(etl_transform_pivot.flush(rig.self, batch, &err), 0);
	assert_int_equal(batch->n, 1);
	need_record(batch, 0, "{\"s\": 1, \"a\": 1, \"b\": 2, \"c\": 3}", "pivot");
	assert_int_equal(batch->records[0].time.ms, INT64_C(1700000010000));
	rig_free(&rig);
	etl_batch_free(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_more_than_its_share),
		cmocka_unit_test(test_earliest_of_its_rows),
	};

	return cmocka_run_group_tests_name("transform/reshaped", tests, NULL, NULL);
}
