/* SPDX-License-Identifier: MIT
 *
 * Watermarks: reading, and claiming one for a fence. Only commit moves them.
 *
 * A watermark's document, one a partition:
 *
 *   {_id: "orders/eu", job_name: "orders", partition: "eu", origin: <date>,
 *    last_processed: <date>, window_ms: 3600000, fence: 8, run_id: ..., commit_id: ...,
 *    targets: [{target: "dw.orders", from: ..., until: ...}], updated_at: ...}
 *
 * "All units before last_processed are closed" is what it promises; what is open behind it stands
 * in the ledger.
 */
#include "state/doc_need.h"
#include "state/mongodb.h"

/* After need_watermark only: a missing field is 0 here and would not be noticed. */
static void read_watermark(const bson_t *doc, struct etl_watermark *out)
{
	*out = (struct etl_watermark){
		.origin = etl_bson_date(doc, "origin"),
		.processed = etl_bson_date(doc, "last_processed"),
		.window_ms = etl_bson_int(doc, "window_ms", 0),
		.fence = etl_bson_int(doc, "fence", 0),
		.updated = etl_bson_date(doc, "updated_at"),
	};
	etl_bson_text(doc, "run_id", out->run_id, sizeof out->run_id);
	etl_targets_read(doc, &out->targets);
}

/* A fence that is a text would read as 0 and let an old holder commit; a date that is a number
 * would read as 1970 and load everything again. Such a document is refused, with what to do about
 * it (doc_need.c). */
static int need_watermark(const bson_t *doc, struct etl_error *err)
{
	static const struct etl_doc_field fields[] = {{"origin", ETL_DOC_DATE},
		{"last_processed", ETL_DOC_DATE}, {"window_ms", ETL_DOC_NUMBER},
		{"fence", ETL_DOC_NUMBER}, {NULL, ETL_DOC_TEXT}};

	return etl_doc_need("watermarks", doc, fields, err);
}

static int read_sound(const bson_t *doc, void *out, struct etl_error *err)
{
	if (need_watermark(doc, err) < 0)
		return -1;
	read_watermark(doc, out);
	return 0;
}

/* What is stored stays; what is missing is made; a lower fence rises. A document that is new has a
 * list of targets; one that an older etld has made is marked as having none. All in one pipeline,
 * so that reading the old fence and writing the greater one is one step. $literal around names,
 * because a job's name may begin with a dollar. */
static bson_t *claim_set(const char *job, const char *partition, int64_t fence, etl_wall origin,
	int64_t window_ms)
{
	return BCON_NEW("job_name", "{", "$literal", BCON_UTF8(job), "}",
		"partition", "{", "$literal", BCON_UTF8(partition), "}",
		"origin", "{", "$ifNull", "[", "$origin", BCON_DATE_TIME(origin.ms), "]", "}",
		"last_processed", "{", "$ifNull", "[", "$last_processed",
		BCON_DATE_TIME(origin.ms), "]", "}",
		"updated_at", "{", "$ifNull", "[", "$updated_at", "$$NOW", "]", "}",
		"run_id", "{", "$ifNull", "[", "$run_id", "", "]", "}",
		"fence", "{", "$max", "[", "$fence", BCON_INT64(fence), "]", "}",
		"window_ms", "{", "$ifNull", "[", "$window_ms", BCON_INT64(window_ms), "]", "}",
		"commit_id", "{", "$ifNull", "[", "$commit_id", "", "]", "}",
		"targets", "{", "$ifNull", "[", "$targets", "{", "$cond", "[", "{", "$ifNull", "[",
		"$last_processed", BCON_BOOL(false), "]", "}", "unknown", "[", "]", "]", "}", "]", "}");
}

/* A claim with a lower fence writes nothing that matters ($max keeps the greater one) and is told
 * by the fence in the answer. An etld that comes here with an old fence has lost its lease without
 * noticing, and its run ends with this error. */
int etl_smdb_watermark_claim(struct etl_state *s, const char *job, const char *partition,
	int64_t fence, etl_wall origin, int64_t window_ms, struct etl_watermark *out,
	struct etl_error *err)
{
	bson_t query = BSON_INITIALIZER;
	struct etl_watermark found;
	struct etl_place place;
	bson_t pipeline, after;
	bson_t *set;
	int rc;

	if (etl_place_open(&place, s, "watermarks", err) < 0) {
		bson_destroy(&query);
		return -1;
	}
	etl_ledger_append_id(&query, job, partition, NULL);
	set = claim_set(job, partition, fence, origin, window_ms);
	etl_state_pipeline(&pipeline, "$set", set);
	rc = etl_state_upsert(&place, &query, &pipeline, &after, err);
	bson_destroy(&pipeline);
	bson_destroy(set);
	bson_destroy(&query);
	etl_place_close(&place);
	if (rc < 0)
		return -1;
	rc = read_sound(&after, &found, err);
	bson_destroy(&after);
	if (rc < 0)
		return -1;
	if (found.fence > fence)
		return etl_error_set(err, ETL_CONFLICT, "state.fenced",
			"partition '%s' of job '%s' belongs to fence %lld, ours is %lld",
			partition, job, (long long)found.fence, (long long)fence);
	*out = found;
	return 0;
}

/* 1 = found; 0 = the partition was never claimed; -1. */
int etl_smdb_watermark_get(struct etl_state *s, const char *job, const char *partition,
	struct etl_watermark *out, struct etl_error *err)
{
	bson_t query = BSON_INITIALIZER;
	int rc;

	etl_ledger_append_id(&query, job, partition, NULL);
	rc = etl_state_find_one(s, "watermarks", &query, NULL, read_sound, out, err);
	bson_destroy(&query);
	return rc;
}

/* One that cannot be read is left out: the run that meets it says so. */
int etl_smdb_watermark_list(struct etl_state *s,
	int (*fn)(void *ctx, const char *job, const char *partition,
		const struct etl_watermark *watermark),
	void *ctx, struct etl_error *err)
{
	bson_t query = BSON_INITIALIZER;
	char job[256], partition[256];
	struct etl_error unsound = ETL_ERROR_INIT;
	struct etl_watermark mark;
	struct etl_place place;
	mongoc_cursor_t *cursor;
	bson_error_t error;
	const bson_t *doc;
	int rc = 0;

	if (etl_place_open(&place, s, "watermarks", err) < 0) {
		bson_destroy(&query);
		return -1;
	}
	cursor = mongoc_collection_find_with_opts(place.collection, &query, NULL, NULL);
	while (rc == 0 && mongoc_cursor_next(cursor, &doc)) {
		etl_bson_text(doc, "job_name", job, sizeof job);
		etl_bson_text(doc, "partition", partition, sizeof partition);
		if (read_sound(doc, &mark, &unsound) == 0)
			rc = fn(ctx, job, partition, &mark);
	}
	rc = mongoc_cursor_error(cursor, &error) ? etl_mongo_error(err, &error, NULL) : 0;
	mongoc_cursor_destroy(cursor);
	bson_destroy(&query);
	etl_place_close(&place);
	return rc;
}
