/* SPDX-License-Identifier: MIT
 *
 * Driver errors by code and label; what a connection string may say. No server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* after the above */
#include <cmocka.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mongo/mongo.h"

static struct etl_error map(uint32_t domain, uint32_t code, const char *label)
{
	bson_error_t error = {.domain = domain, .code = code, .message = "no primary available"};
	bson_t *reply = label ? BCON_NEW("errorLabels", "[", BCON_UTF8(label), "]") : NULL;
	struct etl_error err = ETL_ERROR_INIT;

	assert_int_equal(etl_mongo_error(&err, &error, reply), -1);
	if (reply)
		bson_destroy(reply);
	return err;
}

/* Kind and name stay those of a server that cannot be reached; the words say what we lack. */
static void a_lack_of_descriptors_is_told(void **state)
{
	struct rlimit before, few;
	struct etl_error network, refused;
	int fds[64], n = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < 64 && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	network = map(MONGOC_ERROR_STREAM, 4, NULL);
	refused = map(MONGOC_ERROR_SERVER, 13, NULL);
	while (n > 0)
		close(fds[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(network.kind, ETL_TRANSIENT);
	assert_string_equal(network.code, "mongodb.network");
	assert_string_equal(network.message, "MongoDB: no file descriptors left: LimitNOFILE is 64; raise it "
		"or lower limits.max_active (no primary available)");
	assert_string_equal(refused.message, "MongoDB: no primary available");
}

static void errors_are_mapped_by_code_and_label(void **state)
{
	static const struct {
		uint32_t domain, code;
		const char *label;
		enum etl_error_kind kind;
		const char *name;
	} cases[] = {
		{MONGOC_ERROR_STREAM, 4, NULL, ETL_TRANSIENT, "mongodb.network"},
		{MONGOC_ERROR_SERVER_SELECTION, 13053, NULL, ETL_TRANSIENT, "mongodb.unreachable"},
		{MONGOC_ERROR_CLIENT, 11, NULL, ETL_AUTH, "mongodb.auth"},
		{MONGOC_ERROR_SERVER, 13, NULL, ETL_AUTH, "mongodb.auth"},
		{MONGOC_ERROR_SERVER, 11000, NULL, ETL_DATA, "mongodb.duplicate"},
		{MONGOC_ERROR_SERVER, 121, NULL, ETL_DATA, "mongodb.validation"},
		{MONGOC_ERROR_SERVER, 86, NULL, ETL_PERMANENT, "mongodb.index"},
		{MONGOC_ERROR_SERVER, 10107, NULL, ETL_TRANSIENT, "mongodb.election"},
		{MONGOC_ERROR_SERVER, 112, "TransientTransactionError", ETL_TRANSIENT, "txn.retry"},
		{MONGOC_ERROR_STREAM, 4, "TransientTransactionError", ETL_TRANSIENT, "txn.retry"},
		{MONGOC_ERROR_SERVER, 4711, "RetryableWriteError", ETL_TRANSIENT, "mongodb.retry"},
		{MONGOC_ERROR_SERVER, 4711, NULL, ETL_PERMANENT, "mongodb.refused"},
		{MONGOC_ERROR_WRITE_CONCERN, 64, NULL, ETL_TRANSIENT, "mongodb.concern"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_error err = map(cases[i].domain, cases[i].code, cases[i].label);

		if (err.kind != cases[i].kind || strcmp(err.code, cases[i].name) != 0)
			fail_msg("%u/%u: %s %s", cases[i].domain, cases[i].code,
				etl_error_kind_name(err.kind), err.code);
		assert_int_equal(err.status, cases[i].code);
		assert_non_null(strstr(err.message, "no primary available"));
	}
}

static void credentials_are_masked(void **state)
{
	static const struct {
		const char *said, *told;
	} cases[] = {
		{"mongodb://me:pa55word@db1:27017/x and http://plain/ too",
			"mongodb://***********@db1:27017/x and http://plain/ too"},
		{"mongodb://me:pa55/word@db1", "mongodb://************@db1"},
		{"mongodb://me:pa55@word@db1/x", "mongodb://************@db1/x"},
		{"mongodb://db1/x@y", "mongodb://db1/x@y"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bson_error_t error = {.domain = MONGOC_ERROR_STREAM, .code = 4};
		struct etl_error err = ETL_ERROR_INIT;

		snprintf(error.message, sizeof error.message, "cannot reach %s", cases[i].said);
		etl_mongo_error(&err, &error, NULL);
		if (!strstr(err.message, cases[i].told))
			fail_msg("%s", err.message);
	}
}

static void bad_connection_strings_are_refused(void **state)
{
	static const char *const bad[] = {"", "localhost:27017", "mongodb://", "http://a/",
		"mongodb://u:secret@h:99999/", "mongodb://u:secret@h/?w=0"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct etl_error err = ETL_ERROR_INIT;

		if (etl_mongo_new(bad[i], "t", 1, &err))
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(err.kind, ETL_CONFIG);
		assert_null(strstr(err.message, "secret"));
	}
}

/* What is forced holds whatever the string says, and what it said is told. */
static void guarantees_are_no_options(void **state)
{
	static const struct {
		const char *options, *told;
	} cases[] = {
		{"", ""},
		{"w=majority&journal=true&readPreference=primary&readConcernLevel=majority", ""},
		{"w=1&journal=false", "w=1, journal=false"},
		{"w=dc2", "w=dc2"},
		{"w=2&readConcernLevel=local", "w=2, readConcernLevel=local"},
		{"readPreference=secondary", "readPreference=secondary"},
		{"readPreference=secondaryPreferred&maxStalenessSeconds=120",
			"readPreference=secondaryPreferred"},
		{"readPreference=nearest&readPreferenceTags=dc:1", "readPreference=nearest"},
		{"socketTimeoutMS=0", "sockettimeoutms=0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_error err = ETL_ERROR_INIT;
		char uri[200], told[200];
		struct etl_mongo *mongo;
		mongoc_client_t *client;

		snprintf(uri, sizeof uri, "mongodb://u:secret@127.0.0.1:1/?%s", cases[i].options);
		etl_mongo_uri_overrides(uri, told, sizeof told);
		assert_string_equal(told, cases[i].told);
		mongo = etl_mongo_new(uri, "t", 1, &err);
		if (!mongo)
			fail_msg("%s: %s", uri, err.message);
		client = etl_mongo_pop(mongo);
		assert_true(mongoc_write_concern_get_wmajority(mongoc_client_get_write_concern(client)));
		assert_true(mongoc_write_concern_get_journal(mongoc_client_get_write_concern(client)));
		assert_string_equal(mongoc_read_concern_get_level(mongoc_client_get_read_concern(client)),
			MONGOC_READ_CONCERN_LEVEL_MAJORITY);
		assert_int_equal(mongoc_read_prefs_get_mode(mongoc_client_get_read_prefs(client)),
			MONGOC_READ_PRIMARY);
		assert_int_equal(mongoc_uri_get_option_as_int32(mongoc_client_get_uri(client),
					 MONGOC_URI_SOCKETTIMEOUTMS, -1), 60000);
		etl_mongo_push(mongo, client);
		etl_mongo_free(mongo);
	}
}

static int32_t answer_limit(const char *uri, int32_t within)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_mongo *mongo = etl_mongo_new_within(uri, "t", 1, within, &err);
	mongoc_client_t *client = etl_mongo_pop(mongo);
	int32_t ms = mongoc_uri_get_option_as_int32(
		mongoc_client_get_uri(client), MONGOC_URI_SOCKETTIMEOUTMS, -1);

	etl_mongo_push(mongo, client);
	etl_mongo_free(mongo);
	return ms;
}

static void an_answer_is_waited_for_within_a_limit(void **state)
{
	(void)state;
	assert_int_equal(answer_limit("mongodb://127.0.0.1:1/", 5000), 5000);
	assert_int_equal(answer_limit("mongodb://127.0.0.1:1/?socketTimeoutMS=90000", 5000), 5000);
	assert_int_equal(answer_limit("mongodb://127.0.0.1:1/?socketTimeoutMS=900", 5000), 900);
	assert_int_equal(answer_limit("mongodb://127.0.0.1:1/?socketTimeoutMS=900", 0), 900);
}

static void an_absent_server_is_transient_within_its_limit(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_mongo_topology topology;
	struct etl_mongo *mongo = etl_mongo_new(
		"mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200", "t", 1, &err);

	(void)state;
	assert_non_null(mongo);
	assert_int_equal(etl_mongo_ping(mongo, &topology, &err), -1);
	assert_int_equal(err.kind, ETL_TRANSIENT);
	assert_string_equal(err.code, "mongodb.unreachable");
	etl_mongo_free(mongo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_are_mapped_by_code_and_label),
		cmocka_unit_test(a_lack_of_descriptors_is_told),
		cmocka_unit_test(credentials_are_masked),
		cmocka_unit_test(bad_connection_strings_are_refused),
		cmocka_unit_test(guarantees_are_no_options),
		cmocka_unit_test(an_answer_is_waited_for_within_a_limit),
		cmocka_unit_test(an_absent_server_is_transient_within_its_limit),
	};
	int failed;

	etl_mongo_global_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	etl_mongo_global_cleanup();
	return failed;
}
