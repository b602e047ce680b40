/* SPDX-License-Identifier: MIT
 *
 * One find: sorted by the field, newest first, one document, that field alone.
 *
 * db.raw.find({...}).sort({t: -1}).limit(1), with t alone: an index on t answers it
 * from one key.
 */
#include "mongo/newest.h"

#include "mongo/mongo.h"

#define SERVER_MS 30000

/* `{sort: {t: -1}}` or `{projection: {t: 1}}`. */
static void append_order(bson_t *out, const char *key, const char *field, int32_t n)
{
	bson_t sub;

	BSON_APPEND_DOCUMENT_BEGIN(out, key, &sub);
	BSON_APPEND_INT32(&sub, field, n);
	bson_append_document_end(out, &sub);
}

/* In the order of BSON types an absent or null value sorts last when the newest comes first: if
 * the first document has none, none has one. */
static int read_value(const bson_t *doc, const struct etl_newest_query *query, etl_wall *at,
	struct etl_error *err)
{
	bson_iter_t top, it;

	if (!bson_iter_init(&top, doc) || !bson_iter_find_descendant(&top, query->field, &it) ||
		BSON_ITER_HOLDS_NULL(&it))
		return 0;
	if (BSON_ITER_HOLDS_DATE_TIME(&it)) {
		at->ms = bson_iter_date_time(&it);
		return 1;
	}
	/* An ObjectId's first four bytes are the second of its making, on the clock of
	 * the client that made it. */
	if (BSON_ITER_HOLDS_OID(&it)) {
		at->ms = (int64_t)bson_oid_get_time_t(bson_iter_oid(&it)) * 1000;
		return 1;
	}
	return etl_error_set(err, ETL_CONFIG, "sensor.type",
		"field '%s' of %s.%s is neither a date nor an ObjectId; name another in "
		"wait_for.field", query->field, query->database, query->collection);
}

/* The limit holds on the server, so that a field without an index does not keep it busy after
 * we have stopped waiting. */
static int ask(mongoc_collection_t *collection, const struct etl_newest_query *query, etl_wall *at,
	struct etl_error *err)
{
	bson_t opts = BSON_INITIALIZER, any = BSON_INITIALIZER;
	mongoc_cursor_t *cursor;
	const bson_t *doc, *reply;
	bson_error_t error;
	int found = 0;

	append_order(&opts, "sort", query->field, -1);
	append_order(&opts, "projection", query->field, 1);
	BSON_APPEND_INT64(&opts, "limit", 1);
	BSON_APPEND_INT64(&opts, "maxTimeMS", SERVER_MS);
	cursor = mongoc_collection_find_with_opts(collection, query->filter ? query->filter : &any,
		&opts, NULL);
	if (mongoc_cursor_next(cursor, &doc))
		found = read_value(doc, query, at, err);
	else if (mongoc_cursor_error_document(cursor, &error, &reply))
		found = etl_mongo_error(err, &error, reply);
	mongoc_cursor_destroy(cursor);
	bson_destroy(&any);
	bson_destroy(&opts);
	return found;
}

int etl_mongo_newest(struct etl_mongo *mongo, const struct etl_newest_query *query, etl_wall *at,
	struct etl_error *err)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *collection;
	int found;

	if (!client)
		return etl_error_set(err, ETL_TRANSIENT, "mongodb.pool",
			"no client became free in time");
	collection = mongoc_client_get_collection(client, query->database, query->collection);
	found = ask(collection, query, at, err);
	mongoc_collection_destroy(collection);
	etl_mongo_push(mongo, client);
	return found;
}
