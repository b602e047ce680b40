/* SPDX-License-Identifier: MIT
 *
 * Backfills in MongoDB.
 */
#include "state/backfill_doc.h"
#include "state/mongodb.h"

static bson_t *running_one(const char *id)
{
	return BCON_NEW("_id", BCON_UTF8(id), "state",
		BCON_UTF8(etl_backfill_state_word(ETL_BACKFILL_RUNNING)));
}

int etl_smdb_backfill_save(struct etl_state *s, const struct etl_backfill *backfill,
	struct etl_error *err)
{
	bson_t *query = running_one(backfill->id), *opts = BCON_NEW("upsert", BCON_BOOL(true));
	bson_t doc = BSON_INITIALIZER, reply;
	struct etl_place place;
	bson_error_t error;
	int rc = -1;

	etl_backfill_to_bson(backfill, &doc);
	if (etl_place_open(&place, s, "backfills", err) == 0) {
		rc = mongoc_collection_replace_one(place.collection, query, &doc, opts, &reply, &error) ?
			0 : etl_mongo_error(err, &error, &reply);
		if (rc < 0 && error.code == ETL_SMDB_DUPLICATE) /* it is there, and does not run */
			rc = etl_backfill_has_ended(backfill, err);
		bson_destroy(&reply);
		etl_place_close(&place);
	}
	bson_destroy(&doc);
	bson_destroy(opts);
	bson_destroy(query);
	return rc;
}

int etl_smdb_backfill_end(struct etl_state *s, const char *id, enum etl_backfill_state state,
	const char *reason, etl_wall at, struct etl_error *err)
{
	bson_t *query = running_one(id);
	bson_t *update = BCON_NEW("$set", "{", "state", BCON_UTF8(etl_backfill_state_word(state)),
		"reason", BCON_UTF8(reason), "updated_at", BCON_DATE_TIME(at.ms), "ended_at",
		BCON_DATE_TIME(at.ms), "}");
	struct etl_place place;
	bool matched = false;
	int rc = -1;

	if (etl_place_open(&place, s, "backfills", err) == 0) {
		rc = etl_state_update_one(place.collection, query, update, NULL, &matched, err);
		etl_place_close(&place);
	}
	bson_destroy(update);
	bson_destroy(query);
	return rc < 0 ? -1 : matched;
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

static int find_backfills(struct etl_state *s, const bson_t *query, const bson_t *opts,
	int (*fn)(void *ctx, const struct etl_backfill *backfill), void *ctx, struct etl_error *err)
{
	struct etl_place place;
	mongoc_cursor_t *cursor;
	int rc;

	if (etl_place_open(&place, s, "backfills", err) < 0)
		return -1;
	cursor = mongoc_collection_find_with_opts(place.collection, query, opts, NULL);
	rc = each_backfill(cursor, fn, ctx, err);
	mongoc_cursor_destroy(cursor);
	etl_place_close(&place);
	return rc;
}

static int take_one(void *ctx, const struct etl_backfill *backfill)
{
	*(struct etl_backfill *)ctx = *backfill;
	return 1;
}

int etl_smdb_backfill_get(struct etl_state *s, const char *id, struct etl_backfill *out,
	struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(id));
	int rc;

	*out = (struct etl_backfill){.id = ""};
	rc = find_backfills(s, query, NULL, take_one, out, err);
	bson_destroy(query);
	return rc < 0 ? -1 : *out->id != '\0';
}

int etl_smdb_backfill_list(struct etl_state *s, const char *job, bool running_only, int limit,
	int (*fn)(void *ctx, const struct etl_backfill *backfill), void *ctx, struct etl_error *err)
{
	bson_t *opts = BCON_NEW("sort", "{", "created_at", BCON_INT32(-1), "_id", BCON_INT32(-1), "}",
		"limit", BCON_INT64(limit > 0 ? limit : 0));
	bson_t query = BSON_INITIALIZER;
	int rc;

	if (job)
		BSON_APPEND_UTF8(&query, "job", job);
	if (running_only)
		BSON_APPEND_UTF8(&query, "state", etl_backfill_state_word(ETL_BACKFILL_RUNNING));
	rc = find_backfills(s, &query, opts, fn, ctx, err);
	bson_destroy(&query);
	bson_destroy(opts);
	return rc;
}
