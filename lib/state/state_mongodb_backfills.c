/* SPDX-License-Identifier: MIT
 *
 * Backfills in MongoDB.
 */
#include "state/backfill_doc.h"
#include "state/mongodb.h"

int etl_smdb_backfill_save(struct etl_state *s, const struct etl_backfill *backfill,
	struct etl_error *err)
{
	bson_t doc = BSON_INITIALIZER;
	int rc;

	etl_backfill_to_bson(backfill, &doc);
	rc = etl_state_replace(s, "backfills", backfill->id, &doc, err);
	bson_destroy(&doc);
	return rc;
}

static int each_backfill(mongoc_cursor_t *cursor,
	int (*fn)(void *ctx, const struct etl_backfill *backfill), void *ctx, struct etl_error *err)
{
	bson_error_t error;
	const bson_t *doc;

	while (mongoc_cursor_next(cursor, &doc)) {
		struct etl_backfill backfill;

		etl_backfill_from_bson(doc, &backfill);
		if (fn(ctx, &backfill) != 0)
			return 0;
	}
	return mongoc_cursor_error(cursor, &error) ? etl_mongo_error(err, &error, NULL) : 0;
}

int etl_smdb_backfill_list(struct etl_state *s, const char *job, bool running_only, int limit,
	int (*fn)(void *ctx, const struct etl_backfill *backfill), void *ctx, struct etl_error *err)
{
	bson_t *opts = BCON_NEW("sort", "{", "created_at", BCON_INT32(-1), "_id", BCON_INT32(-1), "}",
		"limit", BCON_INT64(limit > 0 ? limit : 0));
	bson_t query = BSON_INITIALIZER;
	struct etl_place place;
	int rc = -1;

	if (job)
		BSON_APPEND_UTF8(&query, "job", job);
	if (running_only)
		BSON_APPEND_UTF8(&query, "state", etl_backfill_state_word(ETL_BACKFILL_RUNNING));
	if (etl_place_open(&place, s, "backfills", err) == 0) {
		mongoc_cursor_t *cursor =
			mongoc_collection_find_with_opts(place.collection, &query, opts, NULL);

		rc = each_backfill(cursor, fn, ctx, err);
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(&query);
	bson_destroy(opts);
	return rc;
}
