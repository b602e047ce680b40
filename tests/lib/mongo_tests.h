/* SPDX-License-Identifier: MIT
 *
 * Unit programs that speak to a MongoDB: ETLD_TEST_MONGODB_URI names it; without it one test is
 * skipped with a word. Header only; cmocka.h comes before it.
 */
#ifndef TESTS_LIB_MONGO_TESTS_H
#define TESTS_LIB_MONGO_TESTS_H

#include <stdio.h>
#include <stdlib.h>

#include "mongo/mongo.h"

static inline void mongo_tests_skipped(void **state)
{
	(void)state;
	print_message("ETLD_TEST_MONGODB_URI is not set\n");
	skip();
}

/* Opens a pool for `clients`; the caller closes it. False: there is none, and main returns `status`. */
static inline bool mongo_tests_open(struct etl_mongo **mongo, unsigned clients, int *status)
{
	const struct CMUnitTest none[] = {cmocka_unit_test(mongo_tests_skipped)};
	const char *uri = getenv("ETLD_TEST_MONGODB_URI");
	struct etl_error err = ETL_ERROR_INIT;

	if (!uri || !*uri) {
		*status = cmocka_run_group_tests(none, NULL, NULL);
		return false;
	}
	etl_mongo_global_init();
	*mongo = etl_mongo_new(uri, "etld-test", clients, &err);
	if (!*mongo)
		fprintf(stderr, "%s\n", err.message);
	*status = !*mongo;
	return *mongo != NULL;
}

static inline void mongo_tests_close(struct etl_mongo *mongo)
{
	etl_mongo_free(mongo);
	etl_mongo_global_cleanup();
}

#endif
