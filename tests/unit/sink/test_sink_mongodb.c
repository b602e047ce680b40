/* SPDX-License-Identifier: MIT
 *
 * The MongoDB sink: documents and keys without a server; writing, with and without a
 * transaction, against the server that ETLD_TEST_MONGODB_URI names (skipped without it).
 */
#include <dlfcn.h>
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
#include "sink/mongodb_write.h"
#include "time/clock.h"

extern const struct etl_sink_type etl_sink_mongodb, etl_sink_null;

static struct etl_mongo *mongo;
static char database[64];
static bool transactions;

static struct etl_batch *batch_of(size_t n, bson_t *const *docs)
{
	struct etl_batch *batch = etl_batch_new();

	for (size_t i = 0; i < n; i++) {
		etl_batch_add_copy(batch, docs[i], (etl_wall){ETL_NO_TIME}, i);
		bson_destroy(docs[i]);
	}
	return batch;
}

static const char *const one_key[] = {"id"};
static const char *const two_keys[] = {"station", "hour"};

static struct etl_sink_mongodb_options options(const char *collection)
{
	return (struct etl_sink_mongodb_options){
		.collection = collection, .key = {.n = 1, .items = one_key}};
}

/* ---- pure ------------------------------------------------------------------------------- */

static struct etl_sink_item document(const struct etl_sink_mongodb_options *o, bson_t *doc,
	struct etl_arena *arena, struct etl_buf *key)
{
	struct etl_batch *batch = batch_of(1, &doc);
	struct etl_sink_item item;

	etl_sink_document(o, &batch->records[0], arena, key, &item);
	etl_batch_free(batch);
	return item;
}

static void assert_json(const struct etl_sink_item *item, const char *expected)
{
	bson_t doc;
	char *json;

	assert_true(bson_init_static(&doc, item->doc, item->len));
	json = bson_as_relaxed_extended_json(&doc, NULL);
	assert_string_equal(json, expected);
	bson_free(json);
}

static void id_is_made_of_the_key(void **state)
{
	struct etl_sink_mongodb_options o = options("c");
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_sink_item item;
	struct etl_buf key;

	(void)state;
	etl_buf_init(&key, 4096);
	item = document(&o, BCON_NEW("_id", "theirs", "a.b", BCON_INT32(1), "id", "x"), arena, &key);
	assert_json(&item, "{ \"_id\" : \"x\", \"a.b\" : 1, \"id\" : \"x\" }");
	o.key = (struct etl_strings){.n = 2, .items = two_keys};
	item = document(&o, BCON_NEW("hour", BCON_INT32(7), "station", "s"), arena, &key);
	assert_json(&item, "{ \"_id\" : \"s|#7\", \"hour\" : 7, "
		"\"station\" : \"s\" }");
	o.key = (struct etl_strings){.n = 2, .items = (const char *const[]){"/m/a~1b", "/l/0"}};
	item = document(&o, BCON_NEW("m", "{", "a/b", "s", "}", "l", "[", BCON_INT32(7), "]"), arena, &key);
	assert_json(&item, "{ \"_id\" : \"s|#7\", \"m\" : { \"a/b\" : \"s\" }, \"l\" : [ 7 ] }");
	o.key = (struct etl_strings){.n = 1, .items = (const char *const[]){"/m/x"}};
	item = document(&o, BCON_NEW("m", "{", "a", "s", "}"), arena, &key);
	assert_string_equal(item.message, "the key field '/m/x' is missing");
	etl_buf_fini(&key);
	etl_arena_free(arena);
}

/* What MongoDB calls equal gives one text, everything else another. */
static void canonical_text_tells_keys_apart(void **state)
{
	static const struct {
		const char *json, *text;
	} rows[] = {
		{"{\"a\":\"x\",\"b\":\"y\"}", "x|y"},
		{"{\"a\":\"x|y\",\"b\":\"\"}", "x\\|y|"},
		{"{\"a\":\"\",\"b\":\"x|y\"}", "|x\\|y"},
		{"{\"a\":\"#5\",\"b\":5}", "\\#5|#5"},
		{"{\"a\":5.0,\"b\":{\"$numberLong\":\"5\"}}", "#5|#5"},
		{"{\"a\":{\"$numberDecimal\":\"5\"},\"b\":0.5}", "#5|#0.5"},
		{"{\"a\":{\"$numberDecimal\":\"9223372036854775808\"},"
		 "\"b\":{\"$numberDecimal\":\"9223372036854775807\"}}",
			"#9223372036854775808|#9223372036854775807"},
		{"{\"a\":{\"$numberDecimal\":\"-99999999999999999999\"},"
		 "\"b\":{\"$numberDecimal\":\"-0\"}}", "#-99999999999999999999|#0"},
		{"{\"a\":true,\"b\":\"true\"}", "!true|true"},
		{"{\"a\":\"\\\\\",\"b\":\"@\"}", "\\\\|\\@"},
		{"{\"a\":{\"$date\":{\"$numberLong\":\"0\"}},\"b\":\"1970-01-01T00:00:00Z\"}",
			"@1970-01-01T00:00:00Z|1970-01-01T00:00:00Z"},
		{"{\"a\":{\"$oid\":\"0123456789abcdef01234567\"},\"b\":\"$\"}",
			"$0123456789abcdef01234567|\\$"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bson_t *doc = bson_new_from_json((const uint8_t *)rows[i].json, -1, NULL);
		struct etl_cursor cursor;
		struct etl_element e;
		struct etl_buf text;

		assert_non_null(doc);
		etl_buf_init(&text, 200);
		etl_cursor_init(&cursor, bson_get_data(doc), doc->len);
		for (bool first = true; etl_cursor_next(&cursor, &e); first = false)
			assert_true(etl_sink_identity_add(&text, &e, first));
		assert_string_equal(etl_buf_text(&text), rows[i].text);
		etl_buf_fini(&text);
		bson_destroy(doc);
	}
}

static void bad_documents_are_refused(void **state)
{
	struct etl_sink_mongodb_options o = options("c");
	struct etl_arena *arena = etl_arena_new(0);
	struct {
		bson_t *doc;
		const char *rule, *message;
	} rows[] = {
		{BCON_NEW("a", BCON_INT32(1)), "key", "the key field 'id' is missing"},
		{BCON_NEW("id", BCON_NULL), "key", "the key field 'id' is null"},
		{BCON_NEW("id", "[", BCON_INT32(1), "]"), "key",
			"the key field 'id' is an array or a regular expression"},
		{BCON_NEW("id", "x", "$set", BCON_INT32(1)), "name",
			"a field name that begins with '$'"},
	};
	struct etl_buf key;

	(void)state;
	etl_buf_init(&key, 4096);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct etl_sink_item item = document(&o, rows[i].doc, arena, &key);

		assert_int_equal(item.verdict, ETL_VERDICT_REFUSED);
		assert_string_equal(item.rule, rows[i].rule);
		assert_string_equal(item.message, rows[i].message);
	}
	etl_buf_fini(&key);
	etl_arena_free(arena);
}

static void stored_and_new_keys_agree(void **state)
{
	struct etl_sink_mongodb_options o = options("c");
	struct etl_arena *arena = etl_arena_new(0);
	bson_t *stored = BCON_NEW("_id", BCON_INT64(5), "id", BCON_INT64(5));
	struct etl_buf a, b;

	(void)state;
	etl_buf_init(&a, 4096);
	etl_buf_init(&b, 4096);
	document(&o, BCON_NEW("id", BCON_INT32(5)), arena, &a);
	assert_true(etl_sink_stored_key(stored, &b));
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	bson_destroy(stored);
	etl_buf_fini(&a);
	etl_buf_fini(&b);
	etl_arena_free(arena);
}

static void versions_are_compared_by_value(void **state)
{
	bson_t *stored = BCON_NEW("v", BCON_INT64(5), "d", BCON_DATE_TIME(9), "t", "b");
	bson_t *ours = BCON_NEW("v", BCON_INT32(4), "d", BCON_DATE_TIME(9), "t", "ab");

	(void)state;
	assert_true(etl_sink_is_newer("v", stored, bson_get_data(ours), ours->len));
	assert_false(etl_sink_is_newer("v", ours, bson_get_data(stored), stored->len));
	assert_false(etl_sink_is_newer("d", stored, bson_get_data(ours), ours->len));
	assert_true(etl_sink_is_newer("t", stored, bson_get_data(ours), ours->len));
	assert_false(etl_sink_is_newer("absent", stored, bson_get_data(ours), ours->len));
	bson_destroy(stored);
	bson_destroy(ours);
}

static void null_counts(void **state)
{
	bson_t *docs[] = {BCON_NEW("a", BCON_INT32(1)), BCON_NEW("a", BCON_INT32(2))};
	struct etl_batch *batch = batch_of(2, docs);
	struct etl_error err = ETL_ERROR_INIT;
	uint8_t changed[1] = {0}, self[1];
	struct etl_load_result r = {.changed = changed};

	(void)state;
	assert_int_equal(etl_sink_null.write(self, batch, &r, &err), 0);
	assert_int_equal(r.inserted, 2);
	assert_int_equal(changed[0], 3);
	etl_batch_free(batch);
}

/* ---- with a server ---------------------------------------------------------------------- */

struct loaded {
	struct etl_load_result r;
	uint8_t changed[8];
	size_t n_rejects;
	char rule[32];
	int retries;
};

static void *open_sink(const struct etl_sink_mongodb_options *o)
{
	struct etl_sink_env env = {mongo, database, "job", "run"};
	void *self = calloc(1, etl_sink_mongodb.size);
	struct etl_error err = ETL_ERROR_INIT;

	assert_int_equal(etl_sink_mongodb.prepare(o, &env, &err), 0);
	assert_int_equal(etl_sink_mongodb.open(self, o, &env, &err), 0);
	return self;
}

/* One slice as the load and commit steps do it: again from begin() on "txn.retry". */
static struct loaded load(const struct etl_sink_mongodb_options *o, size_t n, bson_t *const *docs)
{
	struct etl_batch *batch = batch_of(n, docs);
	struct etl_error err = ETL_ERROR_INIT;
	struct loaded out = {.retries = -1};
	void *self = open_sink(o);
	int rc;

	do {
		struct etl_txn *txn = transactions ? etl_txn_begin(mongo, &err) : NULL;

		memset(out.changed, 0, sizeof out.changed);
		out.r = (struct etl_load_result){.changed = out.changed};
		assert_int_equal(etl_sink_mongodb.begin(self, &(struct etl_sink_slice){.txn = txn}, &err), 0);
		rc = etl_sink_mongodb.write(self, batch, &out.r, &err);
		if (rc == 0 && txn)
			assert_int_equal(etl_txn_commit(txn, ETL_SECONDS(120), &err), ETL_TXN_COMMITTED);
		etl_txn_free(txn);
		if (rc == 0)
			etl_sink_mongodb.commit(self, &err);
		else
			etl_sink_mongodb.abort(self);
		out.retries++;
	} while (rc < 0 && strcmp(err.code, "txn.retry") == 0 && out.retries < 3);
	if (rc < 0)
		fail_msg("%s: %s", err.code, err.message);
	out.n_rejects = batch->n_rejects;
	if (batch->n_rejects)
		snprintf(out.rule, sizeof out.rule, "%s", batch->rejects[0].rule);
	etl_sink_mongodb.close(self);
	free(self);
	etl_batch_free(batch);
	return out;
}

static void assert_counts(const struct loaded *l, uint64_t inserted, uint64_t updated,
	uint64_t unchanged, uint64_t rejected)
{
	assert_int_equal(l->r.inserted, inserted);
	assert_int_equal(l->r.updated, updated);
	assert_int_equal(l->r.unchanged, unchanged);
	assert_int_equal(l->r.rejected, rejected);
	assert_int_equal(l->n_rejects, rejected);
}

static int64_t stored_int(const char *collection, const char *id, const char *field)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *c = mongoc_client_get_collection(client, database, collection);
	bson_t *query = BCON_NEW("_id", BCON_UTF8(id));
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, query, NULL, NULL);
	int64_t value = -1;
	const bson_t *doc;
	bson_iter_t it;

	if (mongoc_cursor_next(cursor, &doc) && bson_iter_init_find(&it, doc, field))
		value = bson_iter_as_int64(&it);
	mongoc_cursor_destroy(cursor);
	bson_destroy(query);
	mongoc_collection_destroy(c);
	etl_mongo_push(mongo, client);
	return value;
}

static void unchanged_documents_are_not_written(void **state)
{
	struct etl_sink_mongodb_options o = options("upserts");
	bson_t *first[] = {BCON_NEW("id", "a", "v", BCON_INT32(1)),
		BCON_NEW("id", "b", "v", BCON_INT32(1)), BCON_NEW("v", BCON_INT32(1))};
	bson_t *second[] = {BCON_NEW("id", "a", "v", BCON_INT32(1)),
		BCON_NEW("id", "b", "v", BCON_INT32(2)), BCON_NEW("id", "c", "v", BCON_INT32(1)),
		BCON_NEW("id", "c", "v", BCON_INT32(3))};
	struct loaded l;

	(void)state;
	l = load(&o, 3, first);
	assert_counts(&l, 2, 0, 0, 1);
	assert_int_equal(l.changed[0], 3);
	assert_string_equal(l.rule, "key");
	l = load(&o, 4, second);
	assert_counts(&l, 1, 1, 1, 0);
	assert_int_equal(l.r.overwritten, 1);
	assert_int_equal(l.changed[0], 0x0a);
	assert_int_equal(stored_int("upserts", "b", "v"), 2);
	assert_int_equal(stored_int("upserts", "c", "v"), 3);
}

static void insert_leaves_what_is_there(void **state)
{
	struct etl_sink_mongodb_options o = options("inserts");
	bson_t *first[] = {BCON_NEW("id", "a", "v", BCON_INT32(1))};
	bson_t *second[] = {BCON_NEW("id", "a", "v", BCON_INT32(2))};
	struct loaded l;

	(void)state;
	o.mode = ETL_SINK_INSERT;
	l = load(&o, 1, first);
	assert_counts(&l, 1, 0, 0, 0);
	l = load(&o, 1, second);
	assert_counts(&l, 0, 0, 1, 0);
	assert_int_equal(stored_int("inserts", "a", "v"), 1);
}

static void older_versions_do_not_replace_newer_ones(void **state)
{
	struct etl_sink_mongodb_options o = options("versions");
	bson_t *first[] = {BCON_NEW("id", "a", "v", BCON_INT32(5))};
	bson_t *second[] = {BCON_NEW("id", "a", "v", BCON_INT32(4))};
	bson_t *third[] = {BCON_NEW("id", "a", "v", BCON_INT32(6))};
	struct loaded l;

	(void)state;
	o.version = "v";
	load(&o, 1, first);
	l = load(&o, 1, second);
	assert_counts(&l, 0, 0, 0, 0);
	assert_int_equal(l.r.stale, 1);
	assert_int_equal(stored_int("versions", "a", "v"), 5);
	l = load(&o, 1, third);
	assert_counts(&l, 0, 1, 0, 0);
	assert_int_equal(stored_int("versions", "a", "v"), 6);
}

/* In one batch as in two: what is stored does not depend on where an answer was cut. */
static void older_versions_of_the_same_batch_do_not_either(void **state)
{
	struct etl_sink_mongodb_options o = options("batch_versions");
	bson_t *first[] = {BCON_NEW("id", "a", "v", BCON_INT32(5)), BCON_NEW("id", "a", "v", BCON_INT32(4)),
		BCON_NEW("id", "b", "v", BCON_INT32(1)), BCON_NEW("id", "b", "v", BCON_INT32(2))};
	struct loaded l;

	(void)state;
	o.version = "v";
	l = load(&o, 4, first);
	assert_counts(&l, 2, 0, 0, 0);
	assert_int_equal(l.r.stale, 1);
	assert_int_equal(l.r.overwritten, 1);
	assert_int_equal(stored_int("batch_versions", "a", "v"), 5);
	assert_int_equal(stored_int("batch_versions", "b", "v"), 2);
}

/* The later one of two is refused by the server: the earlier one, which was good, is stored. */
static void what_a_refused_record_would_replace_stays(void **state)
{
	static const char *const fields[] = {"u"};
	struct etl_sink_index index = {.fields = {.n = 1, .items = fields}, .unique = true};
	struct etl_sink_mongodb_options o = options("revived");
	bson_t *first[] = {BCON_NEW("id", "z", "u", BCON_INT32(1))};
	bson_t *second[] = {BCON_NEW("id", "a", "u", BCON_INT32(3)), BCON_NEW("id", "a", "u", BCON_INT32(2)),
		BCON_NEW("id", "b", "u", BCON_INT32(4)), BCON_NEW("id", "a", "u", BCON_INT32(1))};
	struct loaded l;

	(void)state;
	o.indexes = &index;
	o.n_indexes = 1;
	load(&o, 1, first);
	l = load(&o, 4, second);
	assert_counts(&l, 2, 0, 0, 1);
	assert_string_equal(l.rule, "unique");
	assert_int_equal(l.r.overwritten, 1);
	assert_int_equal(stored_int("revived", "a", "u"), 2);
	assert_int_equal(stored_int("revived", "b", "u"), 4);
}

/* ---- another writer between the look at the target and the write ------------------------ */

/* A plan of one document, as it is after it was compared with what is stored. */
struct meeting {
	struct etl_batch *batch;
	struct etl_sink_plan *plan;
	struct etl_txn *txn;
	mongoc_client_t *client;
	mongoc_collection_t *c;
	struct etl_sink_item *refused;
};

static struct meeting looked(const struct etl_sink_mongodb_options *o, bson_t *doc)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct meeting m = {.batch = batch_of(1, &doc)};
	void *self = open_sink(o); /* the collection is there */

	etl_sink_mongodb.close(self);
	free(self);
	m.plan = etl_sink_plan_new(o, m.batch);
	m.txn = transactions ? etl_txn_begin(mongo, &err) : NULL;
	m.client = m.txn ? m.txn->client : etl_mongo_pop(mongo);
	m.c = mongoc_client_get_collection(m.client, database, o->collection);
	assert_int_equal(etl_sink_plan_compare(m.plan, m.c, m.txn ? m.txn->opts : NULL, &err), 0);
	return m;
}

static int write_now(struct meeting *m, struct etl_error *err)
{
	return etl_sink_plan_write(m->plan, m->c, m->txn ? m->txn->opts : NULL, &m->refused, err);
}

static void part(struct meeting *m)
{
	mongoc_collection_destroy(m->c);
	if (m->txn)
		etl_txn_free(m->txn);
	else
		etl_mongo_push(mongo, m->client);
	etl_sink_plan_free(m->plan);
	etl_batch_free(m->batch);
}

/* Another writer, past the sink. */
static void other_writes(const char *collection, const char *id, int v)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *c = mongoc_client_get_collection(client, database, collection);
	bson_t *query = BCON_NEW("_id", BCON_UTF8(id));
	bson_t *doc = BCON_NEW("_id", BCON_UTF8(id), "id", BCON_UTF8(id), "v", BCON_INT32(v), "m", "{", "v",
		BCON_INT32(v), "}");
	bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	bson_error_t error;

	if (!mongoc_collection_replace_one(c, query, doc, opts, NULL, &error))
		fail_msg("%s", error.message);
	bson_destroy(query);
	bson_destroy(doc);
	bson_destroy(opts);
	mongoc_collection_destroy(c);
	etl_mongo_push(mongo, client);
}

/* Without a transaction the look at the target is old when the write comes: what is newer by its
 * version stays. In a transaction the server finds the conflict itself. */
static void newer_stays(const char *version)
{
	struct etl_sink_mongodb_options o = options("between");
	struct etl_error err = ETL_ERROR_INIT;
	struct meeting m;
	int rc;

	o.version = version;
	other_writes("between", "a", 1);
	m = looked(&o, BCON_NEW("id", "a", "v", BCON_INT32(2), "m", "{", "v", BCON_INT32(2), "}"));
	assert_int_equal(m.plan->items[0].verdict, ETL_VERDICT_CHANGED);
	other_writes("between", "a", 3);
	rc = write_now(&m, &err);
	if (transactions) {
		assert_int_equal(rc, -1);
		assert_null(m.refused);
		assert_int_equal(err.kind, ETL_TRANSIENT);
	} else {
		assert_int_equal(rc, 0);
		assert_int_equal(err.kind, ETL_OK); /* of the try that a later one overcame */
		assert_int_equal(m.plan->items[0].verdict, ETL_VERDICT_OLDER);
	}
	part(&m);
	assert_int_equal(stored_int("between", "a", "v"), 3);
}

static void a_newer_version_that_came_in_between_stays(void **state)
{
	(void)state;
	newer_stays("v");
	newer_stays("/m/v");
	newer_stays("/v");
}

/* The same _id, inserted by two: no reject. In a transaction the slice comes again; without one
 * the holder's own write wins, but in mode insert what is there stays. */
static void a_document_that_came_in_between_is_no_reject(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct meeting m;
	int rc;

	(void)state;
	for (int mode = ETL_SINK_UPSERT; mode <= ETL_SINK_INSERT; mode++) {
		const char *collection = mode == ETL_SINK_INSERT ? "met_insert" : "met_upsert";
		struct etl_sink_mongodb_options o = options(collection);
		bool stays = transactions || mode == ETL_SINK_INSERT;

		o.mode = mode;
		m = looked(&o, BCON_NEW("id", "a", "v", BCON_INT32(2)));
		assert_int_equal(m.plan->items[0].verdict, ETL_VERDICT_NEW);
		other_writes(collection, "a", 1);
		rc = write_now(&m, &err);
		assert_null(m.refused);
		assert_int_equal(rc, transactions ? -1 : 0);
		if (transactions) {
			assert_int_equal(err.kind, ETL_TRANSIENT);
			assert_string_equal(err.code, "txn.retry");
		} else {
			assert_int_equal(err.kind, ETL_OK);
		}
		assert_int_not_equal(m.plan->items[0].verdict, ETL_VERDICT_REFUSED);
		part(&m);
		assert_int_equal(stored_int(collection, "a", "v"), stays ? 1 : 2);
	}
}

/* What the driver says instead of writing, once. */
static bson_t *instead;

uint32_t mongoc_bulk_operation_execute(mongoc_bulk_operation_t *bulk, bson_t *reply, bson_error_t *error)
{
	uint32_t (*real)(mongoc_bulk_operation_t *, bson_t *, bson_error_t *);
	void *found = dlsym(RTLD_NEXT, "mongoc_bulk_operation_execute");

	memcpy(&real, &found, sizeof real);
	if (!instead)
		return real(bulk, reply, error);
	bson_copy_to(instead, reply);
	bson_set_error(error, MONGOC_ERROR_SERVER, 11000, "E11000 duplicate key");
	bson_destroy(instead);
	instead = NULL;
	return 0;
}

/* Not every server tells of a write conflict: some say that the _id is taken. */
static void an_id_that_is_taken_in_a_transaction_is_no_reject(void **state)
{
	struct etl_sink_mongodb_options o = options("met_id");
	struct etl_error err = ETL_ERROR_INIT;
	struct meeting m;

	(void)state;
	if (!transactions)
		return;
	m = looked(&o, BCON_NEW("id", "a", "v", BCON_INT32(2)));
	instead = BCON_NEW("writeErrors", "[", "{", "index", BCON_INT32(0), "code", BCON_INT32(11000),
		"keyPattern", "{", "_id", BCON_INT32(1), "}", "errmsg", "E11000", "}", "]");
	assert_int_equal(write_now(&m, &err), -1);
	assert_null(m.refused);
	assert_int_equal(err.kind, ETL_TRANSIENT);
	assert_string_equal(err.code, "txn.retry");
	assert_int_not_equal(m.plan->items[0].verdict, ETL_VERDICT_REFUSED);
	part(&m);
}

static const char *const serial_field[] = {"serial"};

static void documents_that_an_index_refuses_are_rejects(void **state)
{
	struct etl_sink_index index = {.fields = {.n = 1, .items = serial_field}, .unique = true};
	struct etl_sink_mongodb_options o = options("uniques");
	bson_t *first[] = {BCON_NEW("id", "a", "serial", BCON_INT32(1))};
	bson_t *second[] = {BCON_NEW("id", "b", "serial", BCON_INT32(2)),
		BCON_NEW("id", "c", "serial", BCON_INT32(1)),
		BCON_NEW("id", "d", "serial", BCON_INT32(1)),
		BCON_NEW("id", "e", "serial", BCON_INT32(3))};
	struct loaded l;

	(void)state;
	o.indexes = &index;
	o.n_indexes = 1;
	load(&o, 1, first);
	l = load(&o, 4, second);
	assert_counts(&l, 2, 0, 0, 2);
	assert_int_equal(l.changed[0], 0x09);
	assert_string_equal(l.rule, "unique");
	assert_int_equal(l.retries, transactions ? 1 : 0);
	assert_int_equal(stored_int("uniques", "e", "serial"), 3);
	assert_int_equal(stored_int("uniques", "c", "serial"), -1);
}

static bson_t *with_bytes(const char *id, const char *name, const char *text)
{
	bson_t *doc = bson_new();

	bson_append_utf8(doc, "id", -1, id, -1);
	bson_append_utf8(doc, name, -1, text, -1);
	return doc;
}

/* MongoDB holds text that is not UTF-8 (older servers and other drivers wrote it); a server
 * that cannot read it refuses the whole command. It costs the records that hold it, no other:
 * not in a text, not in a name, not in the key. */
static void what_a_server_cannot_read_is_a_reject(void **state)
{
	struct etl_sink_mongodb_options o = options("unreadable");
	bson_t *docs[] = {with_bytes("good", "t", "fine"), with_bytes("bad text", "t", "a\xff"),
		with_bytes("bad name", "t\xff", "a"), with_bytes("bad \xff key", "t", "a"),
		with_bytes("last", "t", "fine too")};
	struct loaded got;

	(void)state;
	got = load(&o, 5, docs);
	assert_int_equal(got.r.inserted + got.r.rejected, 5); /* a lenient server stores them */
	assert_int_equal(got.n_rejects, got.r.rejected);
	assert_true(got.r.inserted >= 2);
	assert_true(got.changed[0] & 1 << 0);
	assert_true(got.changed[0] & 1 << 4 || got.n_rejects);
	if (got.n_rejects)
		assert_string_equal(got.rule, "utf8");
}

/* A name may be empty, at the top and below; what looks like an operator below is a name. */
static void odd_names_are_stored(void **state)
{
	struct etl_sink_mongodb_options o = options("odd");
	bson_t *docs[] = {BCON_NEW("id", "a", "", BCON_INT32(1)),
		BCON_NEW("id", "b", "deep", "{", "", BCON_INT32(2), "}"),
		BCON_NEW("id", "c", "a.b", "{", "c.d", BCON_INT32(3), "}")};
	struct loaded got;

	(void)state;
	got = load(&o, 3, docs);
	assert_int_equal(got.r.inserted, 3);
	assert_int_equal(got.n_rejects, 0);
}

static void an_index_that_does_not_fit_is_named(void **state)
{
	struct etl_sink_index index = {.fields = {.n = 1, .items = serial_field}, .name = "s"};
	struct etl_sink_env env = {mongo, database, "job", "run"};
	struct etl_sink_mongodb_options o = options("indexes");
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	o.indexes = &index;
	o.n_indexes = 1;
	assert_int_equal(etl_sink_mongodb.prepare(&o, &env, &err), 0);
	assert_int_equal(etl_sink_mongodb.prepare(&o, &env, &err), 0);
	index.unique = true;
	assert_int_equal(etl_sink_mongodb.prepare(&o, &env, &err), -1);
	assert_int_equal(err.kind, ETL_PERMANENT);
	assert_non_null(strstr(err.message, "index 's'"));
}

static int set_up(void **state)
{
	char id[ETL_UUID_BYTES];

	(void)state;
	etl_uuid7(etl_now(etl_clock_real()).ms, id);
	snprintf(database, sizeof database, "etld_test_%.8s%.4s%s", id, id + 9, id + 24);
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

static void skipped(void **state)
{
	(void)state;
	print_message("ETLD_TEST_MONGODB_URI is not set\n");
	skip();
}

int main(void)
{
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(id_is_made_of_the_key),
		cmocka_unit_test(canonical_text_tells_keys_apart),
		cmocka_unit_test(bad_documents_are_refused),
		cmocka_unit_test(stored_and_new_keys_agree),
		cmocka_unit_test(versions_are_compared_by_value),
		cmocka_unit_test(null_counts),
	};
	const struct CMUnitTest none[] = {cmocka_unit_test(skipped)};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unchanged_documents_are_not_written),
		cmocka_unit_test(insert_leaves_what_is_there),
		cmocka_unit_test(older_versions_do_not_replace_newer_ones),
		cmocka_unit_test(older_versions_of_the_same_batch_do_not_either),
		cmocka_unit_test(what_a_refused_record_would_replace_stays),
		cmocka_unit_test(a_newer_version_that_came_in_between_stays),
		cmocka_unit_test(a_document_that_came_in_between_is_no_reject),
		cmocka_unit_test(an_id_that_is_taken_in_a_transaction_is_no_reject),
		cmocka_unit_test(documents_that_an_index_refuses_are_rejects),
		cmocka_unit_test(what_a_server_cannot_read_is_a_reject),
		cmocka_unit_test(odd_names_are_stored),
		cmocka_unit_test(an_index_that_does_not_fit_is_named),
	};
	const char *uri = getenv("ETLD_TEST_MONGODB_URI");
	int failed = cmocka_run_group_tests(pure, NULL, NULL);
	struct etl_error err = ETL_ERROR_INIT;

	if (!uri || !*uri)
		return failed + cmocka_run_group_tests(none, NULL, NULL);
	etl_mongo_global_init();
	mongo = etl_mongo_new(uri, "etld-test", 8, &err);
	if (!mongo) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	failed += cmocka_run_group_tests_name("without transactions", tests, set_up, tear_down);
	transactions = true;
	failed += cmocka_run_group_tests_name("with transactions", tests, set_up, tear_down);
	etl_mongo_free(mongo);
	etl_mongo_global_cleanup();
	return failed;
}
