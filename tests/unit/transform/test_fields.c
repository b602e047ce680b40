/* SPDX-License-Identifier: MIT
 *
 * keep, drop and set: tables of cases and refused configurations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/plugin.h"

extern const struct etl_transform_type etl_transform_keep, etl_transform_drop,
	etl_transform_set;

#define DOC "{\"a\":1,\"PM2.5\":2.5,\"c\":{\"a\":1},\"d\":null,\"e\":\"x\"}"

static void test_keep(void **state)
{
	static const struct transform_case cases[] = {
		{"[a, e]", DOC, "{\"a\":1,\"e\":\"x\"}"},
		{"[e, a]", DOC, "{\"a\":1,\"e\":\"x\"}"},
		{"[PM2.5, c, d]", DOC, "{\"PM2.5\":2.5,\"c\":{\"a\":1},\"d\":null}"},
		{"[a, PM2.5, c, d, e]", DOC, DOC},
		{"[d]", DOC, "{\"d\":null}"},
		{"a", DOC, "{\"a\":1}"},
		{"[z]", DOC, "{}"},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_keep, cases);
	transform_refused(&etl_transform_keep, "[/a/b]", "E014", "'/a/b' is a JSON Pointer");
	transform_refused(&etl_transform_keep, "[a, b, a]", "E023", "field 'a' twice");
}

static void test_drop(void **state)
{
	static const struct transform_case cases[] = {
		{"[a, e]", DOC, "{\"PM2.5\":2.5,\"c\":{\"a\":1},\"d\":null}"},
		{"[PM2.5, d]", DOC, "{\"a\":1,\"c\":{\"a\":1},\"e\":\"x\"}"},
		{"[a, PM2.5, c, d, e]", DOC, "{}"},
		{"[z]", DOC, DOC},
		{"c", DOC, "{\"a\":1,\"PM2.5\":2.5,\"d\":null,\"e\":\"x\"}"},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_drop, cases);
	transform_refused(&etl_transform_drop, "[/a]", "E014", "JSON Pointer");
	transform_refused(&etl_transform_drop, "['']", "E015", "empty field name");
}

static void test_set(void **state)
{
	static const struct transform_case cases[] = {
		{"{co_unit: mg/m3}", "{\"a\":1}", "{\"a\":1,\"co_unit\":\"mg/m3\"}"},
		{"{station_id: \"{station}\", n: 5, s: \"5\", f: 0.5, t: true, z: null}", "{}",
			"{\"station_id\":\"283164601\",\"n\":5,\"s\":\"5\",\"f\":0.5,\"t\":"
			"true,"
			"\"z\":null}"},
		{"{c: 9, z: 1, a: NO}", DOC,
			"{\"a\":\"NO\",\"PM2.5\":2.5,\"c\":9,\"d\":null,\"e\":\"x\",\"z\":1}"},
		{"{PM2.5: 0}", DOC,
			"{\"a\":1,\"PM2.5\":0,\"c\":{\"a\":1},\"d\":null,\"e\":\"x\"}"},
		{"{from: \"{window.start}\", till: \"until {window.end}\"}", "{}",
			"{\"from\":{\"$date\":\"2023-11-14T22:13:20Z\"},"
			"\"till\":\"until 2023-11-14T23:13:20Z\"}"},
		{"{run: \"{run_id}\"}", "{\"run\":1}",
			"{\"run\":\"018bcfe5-6800-7000-8000-000000000000\"}"},
		{"{m: {source: api, version: 2}}", "{}",
			"{\"m\":{\"source\":\"api\",\"version\":2}}"},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_set, cases);
	transform_refused(&etl_transform_set, "{/a/b: 1}", "E014", "JSON Pointer");
	transform_refused(&etl_transform_set, "{a: \"{nowhere}\"}", "E022", "nowhere");
	transform_refused(&etl_transform_set, "[a]", "E014", "mapping");
}

/* A batch with records of two units that alternate: each has the window of its own. */
static void test_set_by_unit(void **state)
{
	static const char yaml[] = "{from: \"{window.start}\", till: \"{window.end:%H:%M}\", s: x}";
	static const char *const want[] = {
		"{\"n\":0,\"from\":{\"$date\":\"2023-11-14T22:13:20Z\"},\"till\":\"23:13\",\"s\":\"x\"}",
		"{\"n\":1,\"from\":{\"$date\":\"2023-11-14T23:13:20Z\"},\"till\":\"00:13\",\"s\":\"x\"}"};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_batch *batch = etl_batch_new();
	struct rig rig;

	(void)state;
	transform_open(&rig, &etl_transform_set, yaml);
	rig.stage.unit = rig_unit_by_hour;
	for (size_t i = 0; i < 6; i++) {
		batch_put(batch, i % 2 ? "{\"n\":1}" : "{\"n\":0}");
		batch->records[i].time.ms = rig_window.start.ms + (int64_t)(i % 2) * 3600000 + (int64_t)i;
	}
	assert_int_equal(etl_transform_set.apply(rig.self, batch, &err), 0);
	for (size_t i = 0; i < 6; i++)
		need_record(batch, i, want[i % 2], yaml);
	rig_free(&rig);
	etl_batch_free(batch);
}

/* Rejects of a batch leave the others in order, with the counts right. */
static void test_too_large(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_batch *batch = etl_batch_new();
	struct rig rig;
	bson_t *big = bson_new();
	char *text = etl_calloc(1, ETL_DOCUMENT_BYTES_MAX);

	(void)state;
	for (size_t i = 0; i < ETL_DOCUMENT_BYTES_MAX - 100; i += 2)
		memcpy(text + i, "é", 2);
	BSON_APPEND_UTF8(big, "big", text);
	batch_put(batch, "{\"n\":1}");
	batch_put_doc(batch, big);
	batch_put(batch, "{\"n\":2}");
	transform_open(&rig, &etl_transform_set,
		"{note: 'a text that makes the second record too large for one document, so "
		"that "
		"it has to be refused'}");
	assert_int_equal(etl_transform_set.apply(rig.self, batch, &err), 0);
	assert_int_equal(batch->n, 2);
	assert_int_equal(batch->records[1].position, 2);
	assert_int_equal(batch->bytes, batch->records[0].len + batch->records[1].len);
	assert_int_equal(batch->n_rejects, 1);
	assert_string_equal(batch->rejects[0].rule, "set");
	assert_int_equal(batch->rejects[0].position, 1);
	rig_free(&rig);
	etl_batch_free(batch);
	bson_destroy(big);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_by_unit),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests_name("transform/fields", tests, NULL, NULL);
}
