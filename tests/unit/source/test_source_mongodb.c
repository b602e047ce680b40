/* SPDX-License-Identifier: MIT
 *
 * The MongoDB source: what the configuration may say; reading within a window against the
 * server that ETLD_TEST_MONGODB_URI names (skipped without it).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "base/uuid.h"
#include "conf/load.h"
#include "mongo/mongo.h"
#include "source/source.h"
#include "time/clock.h"

extern const struct etl_source_type etl_source_mongodb;

#define HOUR 3600000

static struct etl_mongo *mongo;
static char database[64];

struct rig {
	struct etl_arena *arena;
	struct etl_diag *diag;
	void *options, *self;
	const struct etl_decode_spec *spec;
	struct etl_decode *decode;
	struct etl_source_env env;
	struct etl_vars vars;
};

/* The number of errors. */
static size_t configure(struct rig *rig, const char *yaml)
{
	static const char *const no_names[] = {NULL};
	struct etl_conf_env env = {.what = "job 't'", .partition_names = no_names};
	struct etl_conf_load_options load = {0};
	struct etl_arena *tree = etl_arena_new(0);
	struct etl_node *node, beside = {.kind = ETL_NODE_MAP};
	const struct etl_node *own;

	*rig = (struct rig){.arena = etl_arena_new(0), .diag = etl_diag_new()};
	env.arena = rig->arena;
	env.diag = rig->diag;
	rig->options = calloc(1, etl_source_mongodb.options_size);
	load.texts = rig->arena;
	node = etl_conf_parse(tree, "t.yaml", yaml, strlen(yaml), &load, rig->diag);
	assert_non_null(node);
	own = etl_decode_split(node, etl_source_mongodb.options, &beside, &env);
	rig->spec = etl_decode_load(&beside, true, &env);
	if (etl_options_fill(etl_source_mongodb.options, own, rig->options, "extract.mongodb", &env))
		etl_source_mongodb.check(rig->options, own, rig->spec, &env);
	etl_arena_free(tree);
	return etl_diag_count(rig->diag);
}

static void rig_free(struct rig *rig)
{
	if (rig->self)
		etl_source_mongodb.close(rig->self);
	free(rig->self);
	etl_decode_free(rig->decode);
	free(rig->options);
	etl_diag_free(rig->diag);
	etl_arena_free(rig->arena);
}

static void open_source(struct rig *rig)
{
	struct etl_error err = ETL_ERROR_INIT;

	rig->self = calloc(1, etl_source_mongodb.size);
	assert_int_equal(etl_decode_new(rig->spec, 0, &rig->decode, &err), 0);
	rig->env = (struct etl_source_env){.vars = &rig->vars, .decode = rig->decode, .mongo = mongo,
		.database = database, .job = "t"};
	assert_int_equal(etl_source_mongodb.open(rig->self, rig->options, &rig->env, &err), 0);
}

static void contradictions_are_found(void **state)
{
	static const struct {
		const char *yaml;
		size_t errors;
	} cases[] = {
		{"{collection: c}", 0},
		{"{collection: c, filter: {a: 1}, sort: {b: -1}, projection: {a: 1}}", 0},
		{"{collection: c, pipeline: [{$match: {a: 1}}]}", 0},
		{"{collection: c, pipeline: [{$match: {a: 1}}], filter: {a: 1}}", 1},
		{"{collection: c, pipeline: {a: 1}}", 1},
		{"{collection: c, filter: [1]}", 1},
		{"{collection: 'a$b'}", 1},
		{"{collection: c, time: {field: t, format: '%Y-%m-%d'}}", 1},
		{"{collection: c, window: manual, time: {field: t, format: '%Y-%m-%d'}}", 0},
		{"{filter: {a: 1}}", 1},
		{"{collection: c, records: /data}", 1},
		{"{collection: c, format: json}", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig rig;
		size_t errors = configure(&rig, cases[i].yaml);

		if (errors != cases[i].errors)
			fail_msg("%s: %zu errors", cases[i].yaml, errors);
		rig_free(&rig);
	}
}

/* Ten documents, half an hour apart: {_id: i, t: date, e: epoch seconds, v: i % 2}. */
static int set_up(void **state)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *c;
	char id[ETL_UUID_BYTES];

	(void)state;
	etl_uuid7(etl_now(etl_clock_real()).ms, id);
	snprintf(database, sizeof database, "etld_test_%.8s%.4s%s", id, id + 9, id + 24);
	c = mongoc_client_get_collection(client, database, "readings");
	for (int i = 9; i >= 0; i--) {
		bson_t *doc = BCON_NEW("_id", BCON_INT32(i), "t",
			BCON_DATE_TIME((int64_t)i * HOUR / 2), "e", BCON_INT64((int64_t)i * 1800),
			"v", BCON_INT32(i % 2));
		bson_error_t error;

		assert_true(mongoc_collection_insert_one(c, doc, NULL, NULL, &error));
		bson_destroy(doc);
	}
	mongoc_collection_destroy(c);
	etl_mongo_push(mongo, client);
	return 0;
}

static int tear_down(void **state)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_database_t *db = mongoc_client_get_database(client, database);

	(void)state;
	mongoc_database_drop(db, NULL);
	mongoc_database_destroy(db);
	etl_mongo_push(mongo, client);
	return 0;
}

/* The `_id`s (or `field`s) that a span gives, as "2 3 ". */
static void expect_read(const char *yaml, int from, int to, const char *field,
	const char *expected)
{
	struct etl_window span = {{(int64_t)from * HOUR}, {(int64_t)to * HOUR}};
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	char got[128] = "";
	struct rig rig;
	int more;

	assert_int_equal(configure(&rig, yaml), 0);
	rig.vars.window = span;
	open_source(&rig);
	for (int twice = 0; twice < 2; twice++) { /* a span can be read again */
		got[0] = '\0';
		etl_batch_reset(batch);
		do {
			more = etl_source_mongodb.read(rig.self, &span, batch, &err);
			if (more < 0)
				fail_msg("%s", err.message);
		} while (more > 0);
		for (size_t i = 0; i < batch->n; i++) {
			bson_iter_t it;
			bson_t doc;

			assert_true(etl_record_bson(&batch->records[i], &doc));
			assert_true(bson_iter_init_find(&it, &doc, field));
			snprintf(got + strlen(got), sizeof got - strlen(got), "%d ",
				(int)bson_iter_as_int64(&it));
		}
		assert_string_equal(got, expected);
	}
	assert_int_equal(batch->n_rejects, 0);
	etl_batch_free(batch);
	rig_free(&rig);
}

static void windows_are_half_open(void **state)
{
	(void)state;
	expect_read("{collection: readings, time: {field: t}}", 1, 2, "_id", "2 3 ");
	expect_read("{collection: readings, time: {field: t}}", 7, 9, "_id", "");
	expect_read("{collection: readings, time: {field: t}, batch_size: 2}", 0, 5, "_id",
		"0 1 2 3 4 5 6 7 8 9 ");
	expect_read("{collection: readings, filter: {v: 1}, time: {field: t}}", 1, 3, "_id", "3 5 ");
	expect_read("{collection: readings, time: {field: e, format: epoch}}", 1, 2, "_id", "2 3 ");
	expect_read("{collection: readings, sort: {_id: -1}, time: {field: t}}", 1, 2, "_id", "3 2 ");
	expect_read("{collection: readings, time: {field: t, label: end, interval: 1h}}", 0, 1,
		"_id", "2 3 ");
}

static void pipelines_are_cut_to_the_window(void **state)
{
	(void)state;
	expect_read("{collection: readings, time: {field: t}, pipeline: [{$group: {_id: $v, "
		"t: {$min: $t}, n: {$sum: 1}}}, {$sort: {_id: 1}}]}", 1, 3, "n", "2 2 ");
	expect_read("{collection: readings, window: manual, time: {field: t}, pipeline: "
		"[{$match: {t: {$gte: '{window.start}', $lt: '{window.end}'}}}, {$sort: {t: 1}}]}",
		1, 2, "_id", "2 3 ");
}

static void a_refused_query_is_an_error(void **state)
{
	struct etl_window span = {{0}, {HOUR}};
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct rig rig;

	(void)state;
	assert_int_equal(configure(&rig, "{collection: readings, pipeline: [{$nonsense: 1}]}"), 0);
	open_source(&rig);
	assert_int_equal(etl_source_mongodb.read(rig.self, &span, batch, &err), -1);
	assert_int_equal(err.kind, ETL_PERMANENT);
	etl_batch_free(batch);
	rig_free(&rig);
}

static void skipped(void **state)
{
	(void)state;
	print_message("ETLD_TEST_MONGODB_URI is not set\n");
	skip();
}

int main(void)
{
	const struct CMUnitTest pure[] = {cmocka_unit_test(contradictions_are_found)};
	const struct CMUnitTest none[] = {cmocka_unit_test(skipped)};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_are_half_open),
		cmocka_unit_test(pipelines_are_cut_to_the_window),
		cmocka_unit_test(a_refused_query_is_an_error),
	};
	const char *uri = getenv("ETLD_TEST_MONGODB_URI");
	int failed = cmocka_run_group_tests(pure, NULL, NULL);
	struct etl_error err = ETL_ERROR_INIT;

	if (!uri || !*uri)
		return failed + cmocka_run_group_tests(none, NULL, NULL);
	etl_mongo_global_init();
	mongo = etl_mongo_new(uri, "etld-test", 4, &err);
	if (!mongo) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	failed += cmocka_run_group_tests(tests, set_up, tear_down);
	etl_mongo_free(mongo);
	etl_mongo_global_cleanup();
	return failed;
}
