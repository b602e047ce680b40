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

static bool keep_loses(const char *yaml, const char *name)
{
	struct rig rig;
	bool lost;

	transform_open(&rig, &etl_transform_keep, yaml);
	lost = etl_transform_keep.loses(rig.options, name);
	rig_free(&rig);
	return lost;
}

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
		{"[/c/a, e]", DOC, "{\"e\":\"x\",\"c\":{\"a\":1}}"},
		{"[/a/b]", "{\"a\":{\"b\":1,\"c\":2},\"d\":3}", "{\"a\":{\"b\":1}}"},
		{"[/a/b]", "{\"a\":1}", "{}"},
		{"[/d]", DOC, "{\"d\":null}"},
		{"[/a/b]", "{\"/a/b\":1}", NULL, "/a/b", "which is a JSON Pointer here"},
		/* The example of the file. */
		{"[station, /meta/id]",
			"{\"station\":\"a\",\"v\":1,\"meta\":{\"id\":7,\"debug\":{}}}",
			"{\"station\":\"a\",\"meta\":{\"id\":7}}"},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_keep, cases);
	assert_false(keep_loses("[/a/b]", "a"));
	assert_false(keep_loses("[/a]", "a"));
	assert_true(keep_loses("[/ab/c]", "a"));
	transform_refused(&etl_transform_keep, "[/a/*]", "E014", "'/a/*' has a '*'");
	transform_refused(&etl_transform_keep, "[/a~2]", "E014", "followed by 0 or 1");
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
		{"[/c/a, e]", DOC, "{\"a\":1,\"PM2.5\":2.5,\"c\":{},\"d\":null}"},
		{"[/a]", "{\"a\":1,\"b\":2}", "{\"b\":2}"},
		{"[/a/b/c]", "{\"a\":{\"x\":1,\"b\":{\"c\":1,\"d\":2},\"y\":1}}",
			"{\"a\":{\"x\":1,\"b\":{\"d\":2},\"y\":1}}"},
		{"[/a/b]", "{\"a\":5}", "{\"a\":5}"},
		{"[/l/1/v]", "{\"l\":[0,{\"v\":1,\"w\":2}]}", "{\"l\":[0,{\"w\":2}]}"},
		{"[/l/0]", "{\"l\":[0,1]}", NULL, "/l/0", "an array's element cannot go"},
		/* The example of the file. */
		{"[raw, /meta/debug]",
			"{\"t\":1,\"raw\":\"...\",\"meta\":{\"id\":7,\"debug\":{}}}",
			"{\"t\":1,\"meta\":{\"id\":7}}"},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_drop, cases);
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
		{"{/c/a: 7, /c/b: \"{station}\"}", DOC,
			"{\"a\":1,\"PM2.5\":2.5,\"c\":{\"a\":7,\"b\":\"283164601\"},\"d\":null,"
			"\"e\":\"x\"}"},
		{"{/m/n/o: 1, z: 2}", "{}", "{\"z\":2,\"m\":{\"n\":{\"o\":1}}}"},
		{"{/l/1: 9}", "{\"l\":[1,2,3]}", "{\"l\":[1,9,3]}"},
		{"{/l/3: 9}", "{\"l\":[1,2,3]}", NULL, "/l/3", "the array has no such element"},
		{"{/a/b: 9}", "{\"a\":1}", NULL, "/a/b",
			"'/a/b' cannot be written: what leads there is no document"},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_set, cases);
	transform_refused(&etl_transform_set, "{/a/*: 1}", "E014", "'/a/*' has a '*'");
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

#define DEEP "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"

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
	batch_put_doc(batch, big); /* too large only with the documents that a pointer makes */
	transform_open(&rig, &etl_transform_set, "{'" DEEP "': 7}");
	assert_int_equal(etl_transform_set.apply(rig.self, batch, &err), 0);
	assert_int_equal(batch->n, 2);
	assert_int_equal(batch->n_rejects, 2);
	assert_string_equal(batch->rejects[1].path, DEEP);
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
