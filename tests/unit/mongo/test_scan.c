/* SPDX-License-Identifier: MIT
 *
 * All documents of a collection, on the server that ETLD_TEST_MONGODB_URI names (skipped without
 * it): only the fields that are wanted, all of them where a name would mean something else, a stop.
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
#include "mongo/scan.h"
#include "time/clock.h"
#include "../../lib/mongo_tests.h"

static struct etl_mongo *mongo;
static char database[64];

static void put(bson_t *doc)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *c = mongoc_client_get_collection(client, database, "stations");
	bson_error_t error;

	if (!mongoc_collection_insert_one(c, doc, NULL, NULL, &error))
		fail_msg("%s", error.message);
	bson_destroy(doc);
	mongoc_collection_destroy(c);
	etl_mongo_push(mongo, client);
}

static int set_up(void **state)
{
	char id[ETL_UUID_BYTES];

	(void)state;
	etl_uuid7(etl_now(etl_clock_real()).ms, id);
	snprintf(database, sizeof database, "etld_test_%.8s%.4s%s", id, id + 9, id + 24);
	for (int i = 0; i < 250; i++) /* more than one answer of the server */
		put(BCON_NEW("_id", BCON_INT32(i), "geo", "{", "lat", BCON_DOUBLE(i), "}", "rest",
			BCON_UTF8("x")));
	return 0;
}

static int tear_down(void **state)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_database_t *d = mongoc_client_get_database(client, database);

	(void)state;
	mongoc_database_drop(d, NULL);
	mongoc_database_destroy(d);
	etl_mongo_push(mongo, client);
	return 0;
}

struct seen {
	unsigned n, stop_at;
	unsigned with_id, with_geo, with_rest;
};

static int see(void *ctx, const bson_t *doc, struct etl_error *err)
{
	struct seen *seen = ctx;

	seen->n++;
	seen->with_id += bson_has_field(doc, "_id");
	seen->with_geo += bson_has_field(doc, "geo.lat");
	seen->with_rest += bson_has_field(doc, "rest");
	return seen->n == seen->stop_at ? etl_error_set(err, ETL_LIMIT, "test.stop", "enough") : 0;
}

static struct seen scan(const char *collection, const char *const *fields, unsigned stop_at, int
	want)
{
	const struct etl_scan_query query = {database, collection, fields};
	struct etl_error err = ETL_ERROR_INIT;
	struct seen seen = {.stop_at = stop_at};

	assert_int_equal(etl_mongo_scan(mongo, &query, see, &seen, &err), want);
	return seen;
}

static void test_scan(void **state)
{
	static const char *const some[] = {"geo", "geo", NULL}, *const with_id[] = {"_id", "geo",
		NULL};
	static const char *const dotted[] = {"geo.lat", NULL};
	struct seen seen = scan("stations", some, 0, 0);

	(void)state;
	assert_int_equal(seen.n, 250);
	assert_int_equal(seen.with_geo, 250);
	assert_int_equal(seen.with_id + seen.with_rest, 0);
	seen = scan("stations", with_id, 0, 0);
	assert_int_equal(seen.with_id, 250);
	assert_int_equal(seen.with_rest, 0);
	seen = scan("stations", dotted, 0, 0); /* a literal name with a dot is no path */
	assert_int_equal(seen.with_rest, 250);
	seen = scan("stations", some, 7, -1);
	assert_int_equal(seen.n, 7);
	seen = scan("nowhere", some, 0, 0);
	assert_int_equal(seen.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_scan)};
	int failed;

	if (!mongo_tests_open(&mongo, 4, &failed))
		return failed;
	failed = cmocka_run_group_tests(tests, set_up, tear_down);
	mongo_tests_close(mongo);
	return failed;
}
