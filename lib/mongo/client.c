/* SPDX-License-Identifier: MIT
 *
 * The client pool: what a connection string may say, what is forced on it, and what the server
 * behind it can do. Never shows the string: it may hold a password. Runs no query of its own
 * but hello and buildInfo.
 */
#include "mongo/mongo.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* Five seconds find a primary after an election, mostly; a minute is longer than any
 * answer that a worker should wait for; thirty seconds let a slow secondary
 * acknowledge. */
#define SELECTION_MS_DEFAULT 5000
#define SOCKET_MS_DEFAULT 60000
#define WTIMEOUT_MS 30000

/* `hurries` is set by the loop at the end of etld and read by workers: the only word
 * between them. */
struct etl_mongo {
	mongoc_client_pool_t *pool;
	mongoc_uri_t *uri;
	atomic_bool hurries;
};

void etl_mongo_hurry(struct etl_mongo *mongo)
{
	atomic_store(&mongo->hurries, true);
}

bool etl_mongo_hurries(const struct etl_mongo *mongo)
{
	return atomic_load(&mongo->hurries);
}

/* The driver would write to stderr by itself; what is worth telling comes back as errors. */
void etl_mongo_global_init(void)
{
	mongoc_init();
	mongoc_log_set_handler(NULL, NULL);
}

void etl_mongo_global_cleanup(void)
{
	mongoc_cleanup();
}

/* Without a limit a server that hangs would keep a worker, and with it a lease, for ever. */
static void set_default_ms(mongoc_uri_t *uri, const char *option, int32_t ms)
{
	if (!mongoc_uri_has_option(uri, option) ||
		/* 0 would wait without end */
		mongoc_uri_get_option_as_int32(uri, option, 0) <= 0)
		mongoc_uri_set_option_as_int32(uri, option, ms);
}

/* The law of concerns: exactly-once rests on them, so no connection string can weaken them. An
 * acknowledged write is one that a majority has on disk; a read sees only such writes, and all
 * of them, since a secondary may lag behind what the primary has acknowledged. Example: with
 * w=1 a primary acknowledges a commit and dies before a secondary has it. The new primary knows
 * nothing of it, and a run that relied on the commit would leave a hole behind. */
static void force_concerns(mongoc_uri_t *uri)
{
	mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
	mongoc_write_concern_t *writes = mongoc_write_concern_new();
	mongoc_read_concern_t *reads = mongoc_read_concern_new();

	mongoc_write_concern_set_wmajority(writes, WTIMEOUT_MS);
	mongoc_write_concern_set_journal(writes, true);
	mongoc_read_concern_set_level(reads, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
	mongoc_uri_set_write_concern(uri, writes);
	mongoc_uri_set_read_concern(uri, reads);
	mongoc_uri_set_read_prefs_t(uri, primary);
	mongoc_read_prefs_destroy(primary);
	mongoc_write_concern_destroy(writes);
	mongoc_read_concern_destroy(reads);
}

/* "readPreference=nearest", then "readPreference=nearest, w=1". A text that is too long for the
 * caller's buffer is cut: it is read by people only. */
static void add_word(char *out, size_t size, const char *option, const char *value)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%s%s=%s", used ? ", " : "", option, value);
}

/* What the connection string asked for and does not get is told once, so that nobody believes
 * in a setting that has no effect. */
static void note_concerns(const mongoc_uri_t *uri, char *out, size_t size)
{
	const mongoc_write_concern_t *writes = mongoc_uri_get_write_concern(uri);
	const char *reads = mongoc_read_concern_get_level(mongoc_uri_get_read_concern(uri));
	const char *tag = mongoc_write_concern_get_wtag(writes);
	int32_t w = mongoc_write_concern_get_w(writes);
	char number[16];

	snprintf(number, sizeof number, "%d", w);
	if (w >= 0 || (w == MONGOC_WRITE_CONCERN_W_TAG && tag))
		add_word(out, size, "w", w >= 0 ? number : tag);
	if (mongoc_write_concern_journal_is_set(writes) &&
		!mongoc_write_concern_get_journal(writes))
		add_word(out, size, "journal", "false");
	if (reads && strcmp(reads, MONGOC_READ_CONCERN_LEVEL_MAJORITY) != 0)
		add_word(out, size, "readConcernLevel", reads);
}

/* Every mode but the primary, which is what all clients here get. */
static void note_read_preference(const mongoc_uri_t *uri, char *out, size_t size)
{
	static const struct {
		mongoc_read_mode_t mode;
		const char *word;
	} rows[] = {
		{MONGOC_READ_SECONDARY, "secondary"},
		{MONGOC_READ_PRIMARY_PREFERRED, "primaryPreferred"},
		{MONGOC_READ_SECONDARY_PREFERRED, "secondaryPreferred"},
		{MONGOC_READ_NEAREST, "nearest"},
	};
	mongoc_read_mode_t mode = mongoc_read_prefs_get_mode(mongoc_uri_get_read_prefs_t(uri));

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].mode == mode)
			add_word(out, size, "readPreference", rows[i].word);
}

/* socketTimeoutMS=0 is the driver's word for "never"; an option that is not given is no wish, and
 * gets our limit without a word. */
static bool waits_for_ever(const mongoc_uri_t *uri, const char *option)
{
	return mongoc_uri_has_option(uri, option) &&
		mongoc_uri_get_option_as_int32(uri, option, 0) <= 0;
}

/* A string that cannot be parsed overrides nothing; etl_mongo_new will say what is
 * wrong with it. */
void etl_mongo_uri_overrides(const char *text, char *out, size_t size)
{
	bson_error_t ignored;
	mongoc_uri_t *uri = mongoc_uri_new_with_error(text, &ignored);

	out[0] = '\0';
	if (!uri)
		return;
	note_read_preference(uri, out, size);
	note_concerns(uri, out, size);
	if (waits_for_ever(uri, MONGOC_URI_SOCKETTIMEOUTMS))
		add_word(out, size, MONGOC_URI_SOCKETTIMEOUTMS, "0");
	mongoc_uri_destroy(uri);
}

/* w=0 is refused rather than overridden: who writes it has other expectations than we
 * can keep. */
static mongoc_uri_t *parse_uri(const char *text, const char *app_name, struct etl_error *err)
{
	bson_error_t ignored; /* not shown: its text may quote the password */
	mongoc_uri_t *uri = mongoc_uri_new_with_error(text, &ignored);

	if (!uri) {
		etl_error_set(err, ETL_CONFIG, "mongodb.uri",
			"not a MongoDB connection string (mongodb://host:port/?options; "
			"reserved characters in user and password as %%XX)");
		return NULL;
	}
	if (!mongoc_write_concern_is_acknowledged(mongoc_uri_get_write_concern(uri))) {
		etl_error_set(err, ETL_CONFIG, "mongodb.uri",
			"unacknowledged writes (w=0) are refused: they can be lost unnoticed");
		mongoc_uri_destroy(uri);
		return NULL;
	}
	set_default_ms(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECTION_MS_DEFAULT);
	set_default_ms(uri, MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_MS_DEFAULT);
	set_default_ms(uri, MONGOC_URI_WAITQUEUETIMEOUTMS, SOCKET_MS_DEFAULT);
	if (app_name)
		mongoc_uri_set_appname(uri, app_name);
	force_concerns(uri);
	return uri;
}

/* For clients whose answer is worthless after a while: a lease that is renewed after it has run
 * out is lost. */
static void limit_ms(mongoc_uri_t *uri, const char *option, int32_t most)
{
	if (mongoc_uri_get_option_as_int32(uri, option, INT32_MAX) > most)
		mongoc_uri_set_option_as_int32(uri, option, most);
}

struct etl_mongo *etl_mongo_new(const char *text, const char *app_name, unsigned pool_max,
	struct etl_error *err)
{
	return etl_mongo_new_within(text, app_name, pool_max, 0, err);
}

struct etl_mongo *etl_mongo_new_within(const char *text, const char *app_name, unsigned pool_max,
	int32_t answer_ms, struct etl_error *err)
{
	mongoc_uri_t *uri = parse_uri(text, app_name, err);
	mongoc_client_pool_t *pool;
	struct etl_mongo *mongo;
	bson_error_t error;

	if (!uri)
		return NULL;
	if (answer_ms > 0) {
		limit_ms(uri, MONGOC_URI_SOCKETTIMEOUTMS, answer_ms);
		limit_ms(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, answer_ms);
	}
	pool = mongoc_client_pool_new_with_error(uri, &error);
	if (!pool) {
		mongoc_uri_destroy(uri);
		etl_mongo_error(err, &error, NULL);
		err->kind = ETL_CONFIG;
		return NULL;
	}
	/* Version 2 tells errors of the server (their own codes) from those of the
	 * driver by domain. */
	mongoc_client_pool_set_error_api(pool, MONGOC_ERROR_API_VERSION_2);
	if (pool_max > 0)
		mongoc_client_pool_max_size(pool, pool_max);
	mongo = ETL_NEW(struct etl_mongo);
	mongo->pool = pool;
	mongo->uri = uri;
	return mongo;
}

const mongoc_uri_t *etl_mongo_uri(const struct etl_mongo *mongo)
{
	return mongo->uri;
}

void etl_mongo_free(struct etl_mongo *mongo)
{
	if (!mongo)
		return;
	mongoc_client_pool_destroy(mongo->pool);
	mongoc_uri_destroy(mongo->uri);
	free(mongo);
}

/* Blocks up to waitQueueTimeoutMS when all clients of the pool are lent; NULL after that. */
mongoc_client_t *etl_mongo_pop(struct etl_mongo *mongo)
{
	return mongoc_client_pool_pop(mongo->pool);
}

void etl_mongo_push(struct etl_mongo *mongo, mongoc_client_t *client)
{
	if (client)
		mongoc_client_pool_push(mongo->pool, client);
}

static int admin_command(mongoc_client_t *client, const char *name, bson_t *reply,
	struct etl_error *err)
{
	bson_t command = BSON_INITIALIZER;
	bson_error_t error;
	bool ok;

	BSON_APPEND_INT32(&command, name, 1);
	ok = mongoc_client_command_simple(client, "admin", &command, NULL, reply, &error);
	bson_destroy(&command);
	if (ok)
		return 0;
	etl_mongo_error(err, &error, reply);
	bson_destroy(reply);
	return -1;
}

/* Servers answer with a bool or with 1.0, depending on their version. */
static bool is_true(const bson_t *reply, const char *field)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, reply, field) && bson_iter_as_bool(&it);
}

/* Transactions need sessions and wire version 7 (server 4.0), through mongos 8 (4.2). A
 * standalone server says that it has sessions and refuses transactions, so its kind decides. */
static void read_hello(const bson_t *hello, struct etl_mongo_topology *out)
{
	const char *kind = "standalone";
	int64_t wire = 0, wire_min = INT64_MAX;
	bson_iter_t it;

	if (bson_iter_init_find(&it, hello, "maxWireVersion"))
		wire = bson_iter_as_int64(&it);
	if (bson_has_field(hello, "setName")) {
		kind = "replica set";
		wire_min = 7;
	} else if (bson_iter_init_find(&it, hello, "msg") && BSON_ITER_HOLDS_UTF8(&it) &&
		strcmp(bson_iter_utf8(&it, NULL), "isdbgrid") == 0) {
		kind = "sharded";
		wire_min = 8;
	}
	snprintf(out->kind, sizeof out->kind, "%s", kind);
	out->transactions = wire >= wire_min &&
		bson_has_field(hello, "logicalSessionTimeoutMinutes");
}

/* A server that answers as a secondary cannot take a write: for etld that is the same as
 * unreachable, and an election ends it. */
static int ask_server(mongoc_client_t *client, struct etl_mongo_topology *out,
	struct etl_error *err)
{
	bson_iter_t it;
	bson_t reply;

	if (admin_command(client, "hello", &reply, err) < 0)
		return -1;
	if (!is_true(&reply, "isWritablePrimary")) {
		bson_destroy(&reply);
		return etl_error_set(err, ETL_TRANSIENT, "mongodb.not_primary",
			"the server is no writable primary");
	}
	read_hello(&reply, out);
	bson_destroy(&reply);
	if (admin_command(client, "buildInfo", &reply, err) < 0)
		return -1;
	if (bson_iter_init_find(&it, &reply, "version") && BSON_ITER_HOLDS_UTF8(&it))
		snprintf(out->version, sizeof out->version, "%s", bson_iter_utf8(&it, NULL));
	bson_destroy(&reply);
	return 0;
}

/* `out` is written when all of it is known: a caller never sees a server half described. */
int etl_mongo_ping(struct etl_mongo *mongo, struct etl_mongo_topology *out, struct etl_error *err)
{
	struct etl_mongo_topology found = {0};
	mongoc_client_t *client = etl_mongo_pop(mongo);
	int rc;

	if (!client)
		return etl_error_set(err, ETL_TRANSIENT, "mongodb.pool",
			"no client became free in time");
	rc = ask_server(client, &found, err);
	etl_mongo_push(mongo, client);
	if (rc == 0)
		*out = found;
	return rc;
}
