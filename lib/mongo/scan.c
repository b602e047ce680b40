/* SPDX-License-Identifier: MIT
 *
 * One find without a filter: nothing that comes from data is ever part of it.
 */
#include "mongo/scan.h"

#include <string.h>

#include "mongo/mongo.h"

/* A name with a dot or a dollar would mean something else to the server: then all fields come. */
static bool can_project(const struct etl_scan_query *query)
{
	for (const char *const *field = query->fields; *field; field++)
		if (!**field || **field == '$' || strchr(*field, '.'))
			return false;
	return true;
}

static void append_projection(bson_t *opts, const struct etl_scan_query *query)
{
	bool id = false;
	bson_t sub;

	BSON_APPEND_DOCUMENT_BEGIN(opts, "projection", &sub);
	for (const char *const *field = query->fields; *field; field++) {
		if (!bson_has_field(&sub, *field))
			BSON_APPEND_INT32(&sub, *field, 1);
		id |= strcmp(*field, "_id") == 0;
	}
	if (!id)
		BSON_APPEND_INT32(&sub, "_id", 0);
	bson_append_document_end(opts, &sub);
}

static int walk(mongoc_cursor_t *cursor,
	int (*each)(void *ctx, const bson_t *doc, struct etl_error *err), void *ctx,
	struct etl_error *err)
{
	const bson_t *doc, *reply;
	bson_error_t error;
	int rc = 0;

	while (rc == 0 && mongoc_cursor_next(cursor, &doc))
		rc = each(ctx, doc, err);
	if (rc == 0 && mongoc_cursor_error_document(cursor, &error, &reply))
		rc = etl_mongo_error(err, &error, reply);
	return rc;
}

int etl_mongo_scan(struct etl_mongo *mongo, const struct etl_scan_query *query,
	int (*each)(void *ctx, const bson_t *doc, struct etl_error *err), void *ctx,
	struct etl_error *err)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	bson_t opts = BSON_INITIALIZER, any = BSON_INITIALIZER;
	mongoc_collection_t *collection;
	mongoc_cursor_t *cursor;
	int rc;

	if (!client)
		return etl_error_set(err, ETL_TRANSIENT, "mongodb.pool",
			"no client became free in time");
	if (can_project(query))
		append_projection(&opts, query);
	collection = mongoc_client_get_collection(client, query->database, query->collection);
	cursor = mongoc_collection_find_with_opts(collection, &any, &opts, NULL);
	rc = walk(cursor, each, ctx, err);
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(collection);
	bson_destroy(&any);
	bson_destroy(&opts);
	etl_mongo_push(mongo, client);
	return rc;
}
