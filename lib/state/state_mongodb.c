/* SPDX-License-Identifier: MIT
 *
 * The MongoDB store: its making, its helpers, its table. Each topic has a file of its own.
 *
 * What every file of this store relies on: each call takes a client from the pool and gives it back
 * before it returns (etl_place); a call blocks until the server has answered, so it is made on a
 * worker and never on the loop. When MongoDB is unreachable a call fails within the time limits of
 * the client, nothing is remembered of it here, and the caller decides by the error's kind whether
 * to ask again.
 */
#include "state/mongodb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "time/clock.h"

/* Two upserts of one new document that meet: one inserts, the other fails on the unique `_id` and
 * finds the document at its second try. Five is for a crowd of etlds that start together. */
#define RACE_RETRIES 5

/* On -1 there is nothing to close. A place that is open and not closed is a client less for
 * everybody until the process ends. */
int etl_place_open(struct etl_place *place, struct etl_state *s, const char *collection,
	struct etl_error *err)
{
	struct etl_state_mongodb *store = etl_state_mongodb(s);

	place->mongo = store->mongo;
	place->client = etl_mongo_pop(store->mongo);
	if (!place->client)
		return etl_error_set(err, ETL_TRANSIENT, "mongodb.pool",
			"no client became free in time");
	place->collection =
		mongoc_client_get_collection(place->client, store->database, collection);
	return 0;
}

void etl_place_close(struct etl_place *place)
{
	mongoc_collection_destroy(place->collection);
	etl_mongo_push(place->mongo, place->client);
}

/* An update as a pipeline, [{stage: body}]: that is how the server may compute the new document
 * from the old one (fence = max of both) in one step, without a read before the write. */
void etl_state_pipeline(bson_t *out, const char *stage, const bson_t *body)
{
	bson_t first;

	bson_init(out);
	BSON_APPEND_DOCUMENT_BEGIN(out, "0", &first);
	BSON_APPEND_DOCUMENT(&first, stage, body);
	bson_append_document_end(out, &first);
}

/* The document as it is after the change: RETURN_NEW is asked for. */
static bool take_value(const bson_t *reply, bson_t *after)
{
	const uint8_t *data;
	bson_iter_t it;
	uint32_t len;
	bson_t value;

	if (!bson_iter_init_find(&it, reply, "value") || !BSON_ITER_HOLDS_DOCUMENT(&it))
		return false;
	bson_iter_document(&it, &len, &data);
	if (!bson_init_static(&value, data, len))
		return false;
	bson_copy_to(&value, after);
	return true;
}

/* On 0 `after` is the caller's to destroy, on -1 it is not initialised. Tried again is only what
 * another writer caused; a server that cannot be reached is the caller's business, who knows how
 * long he may wait. */
int etl_state_upsert(struct etl_place *place, const bson_t *query, const bson_t *pipeline,
	bson_t *after, struct etl_error *err)
{
	mongoc_find_and_modify_opts_t *opts = mongoc_find_and_modify_opts_new();
	struct etl_error failed = ETL_ERROR_INIT; /* what a later try overcomes is nobody's reason */
	bool again = true;
	int rc = -1;

	mongoc_find_and_modify_opts_set_update(opts, pipeline);
	mongoc_find_and_modify_opts_set_flags(opts,
		MONGOC_FIND_AND_MODIFY_UPSERT | MONGOC_FIND_AND_MODIFY_RETURN_NEW);
	for (int i = 0; i < RACE_RETRIES && again; i++) {
		bson_error_t error;
		bson_t reply;
		bool ok = mongoc_collection_find_and_modify_with_opts(
			place->collection, query, opts, &reply, &error);

		if (!ok)
			etl_mongo_error(&failed, &error, &reply);
		else if (take_value(&reply, after))
			rc = 0;
		else /* some servers answer so to one of two upserts that met */
			etl_error_set(&failed, ETL_TRANSIENT, "mongodb.protocol",
				"MongoDB: findAndModify gave no document");
		again = rc < 0 && (ok || error.code == ETL_SMDB_DUPLICATE);
		bson_destroy(&reply);
	}
	mongoc_find_and_modify_opts_destroy(opts);
	if (rc < 0)
		*err = failed;
	return rc;
}

/* `validate` is off: the driver need not look through documents whose fields are all ours. */
bson_t *etl_state_upserts(void)
{
	return BCON_NEW("upsert", BCON_BOOL(true), "validate", BCON_BOOL(false));
}

/* The first write that fails ends an ordered bulk. What was written before stays, so every caller's
 * writes are such that writing them again changes nothing. */
int etl_state_run_bulk(mongoc_bulk_operation_t *bulk, struct etl_error *err)
{
	bson_error_t error;
	bson_t reply;
	int rc = 0;

	if (!mongoc_bulk_operation_execute(bulk, &reply, &error))
		rc = etl_mongo_error(err, &error, &reply);
	bson_destroy(&reply);
	return rc;
}

/* `matched` is also true for a document that was made: the question is whether the filter let us,
 * not what changed. Depending on version, the driver tells an upsert by its id or by a count. */
int etl_state_update_one(mongoc_collection_t *c, const bson_t *query, const bson_t *update,
	const bson_t *opts, bool *matched, struct etl_error *err)
{
	bson_t trusting = BSON_INITIALIZER;
	bson_error_t error;
	bson_t reply;
	int rc = 0;

	if (opts)
		bson_concat(&trusting, opts);
	BSON_APPEND_BOOL(&trusting, "validate", false); /* all of it is ours */
	if (mongoc_collection_update_one(c, query, update, &trusting, &reply, &error))
		*matched = etl_bson_int(&reply, "matchedCount", 0) > 0 ||
			bson_has_field(&reply, "upsertedId") ||
			etl_bson_int(&reply, "upsertedCount", 0) > 0;
	else
		rc = etl_mongo_error(err, &error, &reply);
	bson_destroy(&reply);
	bson_destroy(&trusting);
	return rc;
}

/* 1 = found and read; 0 = there is none; -1 = the server could not say, or `read` refused the
 * document. `doc` is the cursor's: what `read` keeps it must copy. */
int etl_state_find_one(struct etl_state *s, const char *collection, const bson_t *query,
	const bson_t *opts, etl_state_reader read, void *out, struct etl_error *err)
{
	struct etl_place place = {0};
	mongoc_cursor_t *cursor;
	bson_error_t error;
	const bson_t *doc, *reply;
	int rc = 0;

	if (etl_place_open(&place, s, collection, err) < 0)
		return -1;
	cursor = mongoc_collection_find_with_opts(place.collection, query, opts, NULL);
	if (mongoc_cursor_next(cursor, &doc))
		rc = read(doc, out, err) < 0 ? -1 : 1;
	else if (mongoc_cursor_error_document(cursor, &error, &reply))
		rc = etl_mongo_error(err, &error, reply);
	mongoc_cursor_destroy(cursor);
	etl_place_close(&place);
	return rc;
}

/* Any number: a hand in mongosh writes doubles. */
int64_t etl_bson_int(const bson_t *doc, const char *field, int64_t fallback)
{
	bson_iter_t it;

	if (!bson_iter_init_find(&it, doc, field) || !BSON_ITER_HOLDS_NUMBER(&it))
		return fallback;
	return bson_iter_as_int64(&it);
}

etl_wall etl_bson_date(const bson_t *doc, const char *field)
{
	bson_iter_t it;

	if (!bson_iter_init_find(&it, doc, field) || !BSON_ITER_HOLDS_DATE_TIME(&it))
		return (etl_wall){0};
	return (etl_wall){bson_iter_date_time(&it)};
}

/* Cut at a whole character if it does not fit; `out` always ends with NUL. */
void etl_bson_text(const bson_t *doc, const char *field, char *out, size_t size)
{
	const char *text = "";
	bson_iter_t it;

	if (bson_iter_init_find(&it, doc, field) && BSON_ITER_HOLDS_UTF8(&it))
		text = bson_iter_utf8(&it, NULL);
	etl_text_copy(out, size, text);
}

/* Known from etl_smdb_prepare on, by what the server says of itself: a replica set or a shard
 * router has them, a single server not. */
static bool has_transactions(struct etl_state *s)
{
	return etl_state_mongodb(s)->transactions;
}

/* The session is noted before the first write of the transaction, so that an etld which takes over
 * after our death can end it and need not wait for its locks to run out. */
int etl_smdb_begin(struct etl_state *s, struct etl_txn **txn, struct etl_error *err)
{
	struct etl_state_mongodb *store = etl_state_mongodb(s);
	struct etl_txn *begun;

	if (!store->transactions) {
		*txn = NULL;
		return 0;
	}
	begun = etl_txn_begin(store->mongo, err);
	if (!begun)
		return -1;
	etl_sessions_note(s, begun);
	*txn = begun;
	return 0;
}

void etl_smdb_abort(struct etl_state *s, struct etl_txn *txn)
{
	(void)s;
	etl_txn_free(txn);
}

/* The pool is the caller's and lives longer. */
static void store_free(struct etl_state *s)
{
	struct etl_state_mongodb *store = etl_state_mongodb(s);

	if (!store)
		return;
	pthread_mutex_destroy(&store->sessions.lock);
	free(store->sessions.known);
	free(store->database);
	free(store);
}

static const struct etl_state_ops mongodb_ops = {
	.name = "mongodb",
	.prepare = etl_smdb_prepare,
	.has_transactions = has_transactions,
	.lease_acquire = etl_smdb_lease_acquire,
	.slots_save = etl_smdb_slots_save,
	.schedule_list = etl_smdb_schedule_list,
	.schedule_get = etl_smdb_schedule_get,
	.lease_renew = etl_smdb_lease_renew,
	.lease_release = etl_smdb_lease_release,
	.lease_end = etl_smdb_lease_end,
	.lease_drop = etl_smdb_lease_drop,
	.watermark_claim = etl_smdb_watermark_claim,
	.watermark_get = etl_smdb_watermark_get,
	.watermark_list = etl_smdb_watermark_list,
	.ledger_scan = etl_smdb_ledger_scan,
	.ledger_objects = etl_smdb_ledger_objects,
	.ledger_open = etl_smdb_ledger_open,
	.ledger_held = etl_smdb_ledger_held,
	.open_sums = etl_smdb_open_sums,
	.ledger_count = etl_smdb_ledger_count,
	.begin = etl_smdb_begin,
	.commit = etl_smdb_commit,
	.abort = etl_smdb_abort,
	.ledger_mark = etl_smdb_ledger_mark,
	.ledger_doubt = etl_smdb_ledger_doubt,
	.change_apply = etl_smdb_change_apply,
	.put = etl_smdb_put,
	.put_if = etl_smdb_put_if,
	.update = etl_smdb_update,
	.list = etl_smdb_list,
	.remove = etl_smdb_remove,
	.sums = etl_smdb_sums,
	.free = store_free,
};

struct etl_state *etl_state_mongodb_new(struct etl_mongo *mongo, const char *database)
{
	struct etl_state_mongodb *store = ETL_NEW(struct etl_state_mongodb);

	store->base.ops = &mongodb_ops;
	store->base.clock = etl_clock_real();
	store->mongo = mongo;
	store->database = etl_strdup(database);
	pthread_mutex_init(&store->sessions.lock, NULL);
	return &store->base;
}
