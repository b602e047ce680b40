/* SPDX-License-Identifier: MIT
 *
 * The audit trail (only ever added to), the paused jobs and what was told once, in MongoDB.
 */
#include "state/mongodb.h"
#include "time/clock.h"

int etl_smdb_audit_add(struct etl_state *s, const char *who, const char *what,
	const bson_t *details, struct etl_error *err)
{
	bson_t *doc = BCON_NEW("at", BCON_DATE_TIME(etl_now(etl_clock_real()).ms), "who",
		BCON_UTF8(who), "what", BCON_UTF8(what));
	struct etl_place place;
	bson_error_t error;
	int rc = -1;

	if (details)
		BSON_APPEND_DOCUMENT(doc, "details", details);
	if (etl_place_open(&place, s, "audit", err) == 0) {
		bson_t reply;
		bool ok = mongoc_collection_insert_one(place.collection, doc, NULL, &reply, &error);

		rc = ok ? 0 : etl_mongo_error(err, &error, &reply);
		bson_destroy(&reply);
		etl_place_close(&place);
	}
	bson_destroy(doc);
	return rc;
}

int etl_smdb_alert_once(struct etl_state *s, const char *key, struct etl_error *err)
{
	bson_t *doc = BCON_NEW("_id", BCON_UTF8(key), "at",
		BCON_DATE_TIME(etl_now(etl_clock_real()).ms));
	struct etl_error refused = ETL_ERROR_INIT;
	struct etl_place place;
	bson_error_t error;
	int rc = -1;

	if (etl_place_open(&place, s, "alerts", err) == 0) {
		bson_t reply;

		rc = mongoc_collection_insert_one(place.collection, doc, NULL, &reply, &error);
		if (!rc)
			rc = etl_mongo_error(&refused, &error, &reply);
		bson_destroy(&reply);
		etl_place_close(&place);
	}
	bson_destroy(doc);
	if (refused.kind == ETL_OK)
		return rc;
	if (strcmp(refused.code, "mongodb.duplicate") == 0)
		return 0;
	*err = refused;
	return -1;
}

static int pause_write(mongoc_collection_t *c, const char *job, bool paused, const char *who,
	const char *why, struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(job));
	bson_t *doc = BCON_NEW("_id", BCON_UTF8(job), "who", BCON_UTF8(who ? who : ""), "why",
		BCON_UTF8(why ? why : ""), "at", BCON_DATE_TIME(etl_now(etl_clock_real()).ms));
	bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	bson_error_t error;
	bson_t reply;
	bool ok;
	int rc;

	ok = paused ? mongoc_collection_replace_one(c, query, doc, opts, &reply, &error)
		    : mongoc_collection_delete_one(c, query, NULL, &reply, &error);
	rc = ok ? 0 : etl_mongo_error(err, &error, &reply);
	bson_destroy(&reply);
	bson_destroy(opts);
	bson_destroy(doc);
	bson_destroy(query);
	return rc;
}

int etl_smdb_pause_set(struct etl_state *s, const char *job, bool paused, const char *who,
	const char *why, struct etl_error *err)
{
	struct etl_place place;
	int rc;

	if (etl_place_open(&place, s, "pauses", err) < 0)
		return -1;
	rc = pause_write(place.collection, job, paused, who, why, err);
	etl_place_close(&place);
	return rc;
}

static int each_pause(mongoc_cursor_t *cursor, int (*fn)(void *ctx, const struct etl_pause *pause),
	void *ctx, struct etl_error *err)
{
	char job[128], who[80], why[ETL_REASON_MAX];
	bson_error_t error;
	const bson_t *doc;
	struct etl_pause pause = {.job = job, .who = who, .why = why};

	while (mongoc_cursor_next(cursor, &doc)) {
		etl_bson_text(doc, "_id", job, sizeof job);
		etl_bson_text(doc, "why", why, sizeof why);
		etl_bson_text(doc, "who", who, sizeof who);
		pause.at = etl_bson_date(doc, "at");
		if (fn(ctx, &pause) != 0)
			return 0;
	}
	return mongoc_cursor_error(cursor, &error) ? etl_mongo_error(err, &error, NULL) : 0;
}

int etl_smdb_pause_list(struct etl_state *s, int (*fn)(void *ctx, const struct etl_pause *pause),
	void *ctx, struct etl_error *err)
{
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
	bson_t all = BSON_INITIALIZER;
	struct etl_place place;
	int rc = -1;

	if (etl_place_open(&place, s, "pauses", err) == 0) {
		mongoc_cursor_t *cursor =
			mongoc_collection_find_with_opts(place.collection, &all, opts, NULL);

		rc = each_pause(cursor, fn, ctx, err);
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(&all);
	bson_destroy(opts);
	return rc;
}
