/* SPDX-License-Identifier: MIT
 *
 * Hosts that sources ask, in MongoDB. Other documents in `sources` are left alone: a host's
 * is one that has a breaker.
 */
#include "state/mongodb.h"
#include "state/source_doc.h"

int etl_smdb_source_save(struct etl_state *s, const struct etl_source_state *source,
	struct etl_error *err)
{
	bson_t doc = BSON_INITIALIZER;
	int rc;

	etl_source_to_bson(source, &doc);
	rc = etl_state_replace(s, "sources", source->host, &doc, err);
	bson_destroy(&doc);
	return rc;
}

static int each_source(mongoc_cursor_t *cursor,
	int (*fn)(void *ctx, const struct etl_source_state *source), void *ctx,
	struct etl_error *err)
{
	bson_error_t error;
	const bson_t *doc;

	while (mongoc_cursor_next(cursor, &doc)) {
		struct etl_source_state source;

		etl_source_from_bson(doc, &source);
		if (fn(ctx, &source) != 0)
			return 0;
	}
	return mongoc_cursor_error(cursor, &error) ? etl_mongo_error(err, &error, NULL) : 0;
}

int etl_smdb_source_list(struct etl_state *s,
	int (*fn)(void *ctx, const struct etl_source_state *source), void *ctx,
	struct etl_error *err)
{
	bson_t *query = BCON_NEW("breaker", "{", "$exists", BCON_BOOL(true), "}");
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
	struct etl_place place;
	int rc = -1;

	if (etl_place_open(&place, s, "sources", err) == 0) {
		mongoc_cursor_t *cursor =
			mongoc_collection_find_with_opts(place.collection, query, opts, NULL);

		rc = each_source(cursor, fn, ctx, err);
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(opts);
	bson_destroy(query);
	return rc;
}
