/* SPDX-License-Identifier: MIT
 *
 * lookup over a table in memory: what is found, what is not, values as keys; and tables as such: a
 * key twice, more than memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/plugin.h"

extern const struct etl_transform_type etl_transform_lookup;

static const char *const stations[] = {
	"{\"_id\": \"a\", \"geo\": {\"lat\": 5.5}, \"name\": \"Plateau\"}",
	"{\"_id\": \"b\", \"geo\": {\"lat\": null}}",
	"{\"_id\": {\"$numberInt\": \"7\"}, \"geo\": {\"lat\": 7.5}, \"name\": \"Seven\"}",
	"{\"_id\": null, \"geo\": {\"lat\": 1.5}}",
	"{\"name\": \"nobody finds me\"}",
};

static struct etl_table *table;

static const struct etl_table *give_table(void *ctx, const struct etl_table_place *place)
{
	(void)ctx, (void)place;
	return table;
}

static void fill_table(const struct etl_table_place *place)
{
	struct etl_error err = ETL_ERROR_INIT;

	table = etl_table_new(place, 1 << 20);
	for (size_t i = 0; i < sizeof stations / sizeof *stations; i++) {
		bson_t *doc = doc_of(stations[i]);

		assert_int_equal(etl_table_add(table, bson_get_data(doc), doc->len, &err), 0);
		bson_destroy(doc);
	}
	assert_int_equal(etl_table_documents(table), 3);
}

/* As transform_run of plugin.h, with a table. */
static void run(const struct transform_case *c)
{
	const struct etl_transform_type *type = &etl_transform_lookup;
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct rig rig = {.transform = type, .stage.table = give_table};

	rig_configure(&rig, type->options, type->options_size, type->check, type->name, c->yaml);
	rig_need_clean(&rig, c->yaml);
	fill_table(type->place(rig.options));
	rig.self = etl_calloc(1, type->size);
	assert_int_equal(type->open(rig.self, rig.options, &rig.stage, &err), 0);
	batch_put(batch, c->in);
	assert_int_equal(type->apply(rig.self, batch, &err), 0);
	if (c->out) {
		if (batch->n != 1)
			fail_msg("%s on %s: %s", c->yaml, c->in, batch->rejects[0].message);
		need_record(batch, 0, c->out, c->yaml);
	} else {
		assert_int_equal(batch->n_rejects, 1);
		assert_string_equal(batch->rejects[0].rule, "lookup");
		assert_string_equal(batch->rejects[0].path, c->path);
		assert_string_equal(batch->rejects[0].message, c->message);
	}
	rig_free(&rig);
	etl_table_free(ETL_TAKE(table));
	etl_batch_free(batch);
}

#define FROM "from: {collection: stations}, on: {s: _id}, "

static void test_finds(void **state)
{
	static const struct transform_case cases[] = {
		{FROM "take: {lat: /geo/lat, n: name}", "{\"s\": \"a\", \"v\": 1}",
			"{\"s\": \"a\", \"v\": 1, \"lat\": 5.5, \"n\": \"Plateau\"}"},
		/* In its place; null that stands in the table is a value. */
		{FROM "take: {lat: /geo/lat}", "{\"s\": \"b\", \"lat\": 9, \"v\": 1}",
			"{\"s\": \"b\", \"lat\": null, \"v\": 1}"},
		/* A name that a document from a server has twice is there once. */
		{FROM "take: {n: name}", "{\"n\": 1, \"s\": \"a\", \"n\": 2}",
			"{\"n\": \"Plateau\", \"s\": \"a\"}"},
		/* Numbers are compared by value, and a text is no number. */
		{FROM "take: {n: name}", "{\"s\": 7.0}", "{\"s\": 7.0, \"n\": \"Seven\"}"},
		{FROM "take: {n: name}", "{\"s\": \"7\"}", NULL, "s",
			"stations has no document with _id string \"7\""},
		{"from: {file: x.jsonl}, on: {/m/s: _id}, take: {/m/lat: /geo/lat}",
			"{\"m\": {\"s\": \"a\"}}", "{\"m\": {\"s\": \"a\", \"lat\": 5.5}}"},
		/* An operator is a document like another, and nothing is that document. */
		{FROM "take: {n: name}", "{\"s\": {\"$$gt\": \"\"}}", NULL, "s",
			"stations has no document with _id document {\"$$gt\":\"\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *yaml = etl_strf("{%s}", cases[i].yaml);
		struct transform_case c = cases[i];

		c.yaml = yaml;
		run(&c);
		free(yaml);
	}
}

static void test_absent(void **state)
{
	static const struct transform_case cases[] = {
		{FROM "take: {lat: /geo/lat}", "{\"s\": \"z\"}", NULL, "s",
			"stations has no document with _id string \"z\""},
		{FROM "take: {n: name}", "{\"s\": \"b\"}", NULL, "s",
			"the document of stations with _id string \"b\" has no 'name'"},
		{FROM "take: {n: name}", "{\"v\": 1}", NULL, "s",
			"'s' is missing or null: there is nothing to look for"},
		{FROM "take: {n: name}", "{\"s\": null}", NULL, "s",
			"'s' is missing or null: there is nothing to look for"},
		{FROM "take: {n: name}, absent: null", "{\"s\": \"z\", \"n\": 1}", "{\"s\": \"z"
			"\", \"n\": null}"},
		{FROM "take: {n: name}, absent: text", "{\"s\": \"z\", \"n\": 1}", "{\"s\": \"z"
			"\", \"n\": 1}"},
		{FROM "take: {n: name, lat: /geo/lat}, absent: text", "{\"s\": \"b\", \"n\": 1}",
			"{\"s\": \"b\", \"n\": 1, \"lat\": null}"},
		{FROM "take: {n: name}, absent: default, default: none", "{\"s\": \"z\"}",
			"{\"s\": \"z\", \"n\": \"none\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *yaml = etl_strf("{%s}", cases[i].yaml);
		struct transform_case c = cases[i];

		c.yaml = yaml;
		run(&c);
		free(yaml);
	}
}

static int add(struct etl_table *to, const char *json, struct etl_error *err)
{
	bson_t *doc = doc_of(json);
	int rc = etl_table_add(to, bson_get_data(doc), doc->len, err);

	bson_destroy(doc);
	return rc;
}

/* Two documents with one key are an error, unless they give the same. */
static void test_twice(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_path on, take;
	const struct etl_table_place place = {.name = "stations", .on = &on, .n_on = 1, .take =
		&take, .n_take = 1};
	struct etl_table *t;

	(void)state;
	assert_int_equal(etl_path_compile("s", arena, &on, &err), 0);
	assert_int_equal(etl_path_compile("v", arena, &take, &err), 0);
	t = etl_table_new(&place, 1 << 20);
	assert_int_equal(add(t, "{\"s\": 1, \"v\": 2, \"w\": 3}", &err), 0);
	assert_int_equal(add(t, "{\"s\": 1, \"v\": 2, \"w\": 4}", &err), 0);
	assert_int_equal(etl_table_documents(t), 1);
	assert_int_equal(add(t, "{\"s\": 1, \"v\": 3}", &err), -1);
	assert_string_equal(err.code, "lookup.twice");
	assert_string_equal(err.message,
		"there are two documents with s int32 1: 'on' has to name what tells them "
		"apart");
	/* The same bytes of another type are another value. */
	assert_int_equal(add(t, "{\"s\": 2, \"v\": {\"$numberLong\": \"5\"}}", &err), 0);
	assert_int_equal(add(t, "{\"s\": 2, \"v\": {\"$date\": {\"$numberLong\": \"5\"}}}", &err), -1);
	etl_table_free(t);
	/* More than memory. */
	t = etl_table_new(&place, 100 * 1024);
	for (int i = 0, rc = 0; rc == 0; i++) {
		char json[64];

		assert_true(i < 100000);
		snprintf(json, sizeof json, "{\"s\": %d, \"v\": \"0123456789\"}", i);
		rc = add(t, json, &err);
	}
	assert_int_equal(err.kind, ETL_LIMIT);
	assert_non_null(strstr(err.message, "raise limits.memory"));
	etl_table_free(t);
	etl_arena_free(arena);
}

static void test_refused(void **state)
{
	static const char *const rows[][3] = {
		{"{on: {s: _id}, take: {n: name}}", "E013", "from"},
		{"{from: {collection: c, file: f}, on: {s: _id}, take: {n: name}}", "E018",
			"a collection or a file"},
		{"{from: {file: f, database: d}, on: {s: _id}, take: {n: name}}", "E018",
			"a collection or a file"},
		{"{from: {collection: c}, on: {}, take: {n: name}}", "E013", "'on'"},
		{"{from: {collection: c}, on: {s: '/a/*'}, take: {n: name}}", "E014", "one value"},
		{"{from: {collection: c}, on: {s: _id}, take: {n: name}, absent: keep}", "E017",
			"its words"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		transform_refused(&etl_transform_lookup, rows[i][0], "error[", rows[i][2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("transform/lookup", tests, NULL, NULL);
}
