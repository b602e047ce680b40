/* SPDX-License-Identifier: MIT
 *
 * How new the newest document is, on the server that ETLD_TEST_MONGODB_URI names (skipped
 * without it): dates, ObjectIds, paths, filters, nothing there, another type.
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
#include "mongo/mongo.h"
#include "mongo/newest.h"
#include "../../lib/mongo_tests.h"

#define T0 INT64_C(1782900000000)

static struct etl_mongo *mongo;
static char database[64];

static void put(const char *collection, bson_t *doc)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *c = mongoc_client_get_collection(client, database, collection);
	bson_error_t error;

	if (!mongoc_collection_insert_one(c, doc, NULL, NULL, &error))
		fail_msg("%s", error.message);
	bson_destroy(doc);
	mongoc_collection_destroy(c);
	etl_mongo_push(mongo, client);
}

static int set_up(void **state)
{
	static const int order[] = {1, 3, 2};
	char id[ETL_UUID_BYTES];

	(void)state;
	etl_uuid7(etl_now(etl_clock_real()).ms, id);
	snprintf(database, sizeof database, "etld_test_%.8s%.4s%s", id, id + 9, id + 24);
	for (size_t i = 0; i < 3; i++) {
		int n = order[i];
		bson_oid_t oid;
		char hex[25];

		snprintf(hex, sizeof hex, "%08x0000000000000000", (unsigned)(T0 / 1000 + n));
		bson_oid_init_from_string(&oid, hex);
		put("orders", BCON_NEW("_id", BCON_OID(&oid), "at", BCON_DATE_TIME(T0 + 60000 * n),
			"in", "{", "at", BCON_DATE_TIME(T0 - n), "}", "n", BCON_INT32(n),
			"text", BCON_UTF8("2026-07-01")));
	}
	put("orders", BCON_NEW("n", BCON_INT32(9), "at", BCON_NULL));
	put("others", BCON_NEW("_id", BCON_INT32(1)));
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

static int ask(const char *collection, const char *field, const bson_t *filter, etl_wall *at,
	struct etl_error *err)
{
	struct etl_newest_query query = {database, collection, field, filter};

	*err = (struct etl_error)ETL_ERROR_INIT;
	at->ms = -1;
	return etl_mongo_newest(mongo, &query, at, err);
}

static void dates_and_object_ids(void **state)
{
	bson_t *seen = BCON_NEW("n", "{", "$lt", BCON_INT32(9), "}");
	struct etl_error err;
	etl_wall at;

	(void)state;
	assert_int_equal(ask("orders", "at", NULL, &at, &err), 1);
	assert_int_equal(at.ms, T0 + 180000);
	assert_int_equal(ask("orders", "in.at", NULL, &at, &err), 1);
	assert_int_equal(at.ms, T0 - 1);
	assert_int_equal(ask("orders", "_id", seen, &at, &err), 1);
	assert_int_equal(at.ms, T0 + 3000);
	bson_destroy(seen);
}

static void filters(void **state)
{
	bson_t *two = BCON_NEW("n", "{", "$lte", BCON_INT32(2), "}");
	bson_t *none = BCON_NEW("n", BCON_INT32(77));
	struct etl_error err;
	etl_wall at;

	(void)state;
	assert_int_equal(ask("orders", "at", two, &at, &err), 1);
	assert_int_equal(at.ms, T0 + 120000);
	assert_int_equal(ask("orders", "at", none, &at, &err), 0);
	assert_int_equal(at.ms, -1);
	bson_destroy(none);
	bson_destroy(two);
}

static void nothing_is_there(void **state)
{
	bson_t *null = BCON_NEW("n", BCON_INT32(9));
	struct etl_error err;
	etl_wall at;

	(void)state;
	assert_int_equal(ask("absent", "at", NULL, &at, &err), 0);
	assert_int_equal(ask("orders", "no.such.field", NULL, &at, &err), 0);
	assert_int_equal(ask("orders", "at", null, &at, &err), 0);
	bson_destroy(null);
}

static void errors(void **state)
{
	bson_t *wrong = BCON_NEW("$nonsense", BCON_INT32(1));
	struct etl_error err;
	etl_wall at;

	(void)state;
	assert_int_equal(ask("others", "_id", NULL, &at, &err), -1);
	assert_string_equal(err.code, "sensor.type");
	assert_non_null(strstr(err.message, "field '_id' of "));
	assert_int_equal(ask("orders", "text", NULL, &at, &err), -1);
	assert_string_equal(err.code, "sensor.type");
	assert_int_equal(ask("orders", "at", wrong, &at, &err), -1);
	assert_int_not_equal(err.kind, ETL_OK);
	assert_int_equal(at.ms, -1);
	bson_destroy(wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_and_object_ids),
		cmocka_unit_test(filters),
		cmocka_unit_test(nothing_is_there),
		cmocka_unit_test(errors),
	};
	int failed;

	if (!mongo_tests_open(&mongo, 4, &failed))
		return failed;
	failed = cmocka_run_group_tests(tests, set_up, tear_down);
	mongo_tests_close(mongo);
	return failed;
}
