/* SPDX-License-Identifier: MIT
 *
 * Reading dead letters from MongoDB. Each question is answered along one index
 * (state_mongodb_prepare.c), as far as its limit goes, however many letters there are.
 */
#include <string.h>

#include "state/dead_letter.h"
#include "state/doc_read.h"
#include "state/mongodb.h"

static void append_match(bson_t *out, const struct etl_dead_query *q)
{
	if (q->job)
		BSON_APPEND_UTF8(out, "job", q->job);
	if (q->run_id)
		BSON_APPEND_UTF8(out, "run_id", q->run_id);
	if (q->partition)
		BSON_APPEND_UTF8(out, "partition", q->partition);
	if (q->window)
		BSON_APPEND_DATE_TIME(out, "window_start", q->window->start.ms);
}

/* The bound on `at` alone is what the index begins at. */
static void append_before(bson_t *out, const struct etl_dead_query *q)
{
	if (q->before)
		BCON_APPEND(out, "at", "{", "$lte", BCON_DATE_TIME(q->before_at.ms), "}", "$or", "[",
			"{", "at", "{", "$lt", BCON_DATE_TIME(q->before_at.ms), "}", "}",
			"{", "_id", "{", "$lt", BCON_UTF8(q->before), "}", "}", "]");
}

static int give(mongoc_cursor_t *cursor, etl_dead_letter_fn fn, void *ctx, struct etl_error *err)
{
	struct etl_dead_letter letter;
	bson_error_t error;
	const bson_t *doc;

	while (mongoc_cursor_next(cursor, &doc)) {
		etl_dead_letter_read(doc, &letter);
		if (fn(ctx, &letter) != 0)
			return 0;
	}
	return mongoc_cursor_error(cursor, &error) ? etl_mongo_error(err, &error, NULL) : 0;
}

static int find(struct etl_state *s, const bson_t *query, const bson_t *opts, etl_dead_letter_fn fn,
	void *ctx, struct etl_error *err)
{
	struct etl_place place;
	mongoc_cursor_t *cursor;
	int rc;

	if (etl_place_open(&place, s, "dead_letters", err) < 0)
		return -1;
	cursor = mongoc_collection_find_with_opts(place.collection, query, opts, NULL);
	rc = give(cursor, fn, ctx, err);
	mongoc_cursor_destroy(cursor);
	etl_place_close(&place);
	return rc;
}

int etl_smdb_dead_letter_list(struct etl_state *s, const struct etl_dead_query *query,
	etl_dead_letter_fn fn, void *ctx, struct etl_error *err)
{
	bson_t *opts = BCON_NEW("sort", "{", "at", BCON_INT32(-1), "_id", BCON_INT32(-1), "}", "limit",
		BCON_INT64(query->limit > 0 ? query->limit : 0), "projection", "{", "raw",
		BCON_INT32(0), "}");
	bson_t match = BSON_INITIALIZER;
	int rc;

	append_match(&match, query);
	append_before(&match, query);
	rc = find(s, &match, opts, fn, ctx, err);
	bson_destroy(&match);
	bson_destroy(opts);
	return rc;
}

int etl_smdb_dead_letter_find(struct etl_state *s, const char *prefix, int limit,
	etl_dead_letter_fn fn, void *ctx, struct etl_error *err)
{
	char end[ETL_HASH_TEXT_BYTES + 1]; /* behind each id that begins so: digits end with 'f' */
	bson_t *query, *opts;
	int rc;

	snprintf(end, sizeof end, "%.32sg", prefix);
	query = BCON_NEW("_id", "{", "$gte", BCON_UTF8(prefix), "$lt", BCON_UTF8(end), "}");
	opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "limit", BCON_INT64(limit));
	rc = find(s, query, opts, fn, ctx, err);
	bson_destroy(opts);
	bson_destroy(query);
	return rc;
}

/* ---- counting ---------------------------------------------------------------------------------- */

static bson_t *sums_pipeline(const struct etl_dead_query *query)
{
	bson_t match = BSON_INITIALIZER;
	bson_t *pipeline;

	append_match(&match, query);
	pipeline = BCON_NEW("pipeline", "[",
		"{", "$match", BCON_DOCUMENT(&match), "}",
		"{", "$sort", "{", "at", BCON_INT32(-1), "_id", BCON_INT32(-1), "}", "}",
		"{", "$limit", BCON_INT64(ETL_DEAD_COUNTED), "}",
		"{", "$group", "{", "_id", "{", "step", "$step", "rule", "$rule", "}",
			"n", "{", "$sum", BCON_INT32(1), "}",
			"oldest", "{", "$min", "$window_start", "}",
			"newest", "{", "$max", "$window_start", "}", "}", "}",
		"{", "$sort", "{", "n", BCON_INT32(-1), "_id", BCON_INT32(1), "}", "}", "]");
	bson_destroy(&match);
	return pipeline;
}

/* As etl_dead_sum_fn. */
static int tell(const bson_t *doc, etl_dead_sum_fn fn, void *ctx)
{
	struct etl_dead_sum sum = {.step = etl_doc_text(doc, "_id.step"),
		.rule = etl_doc_text(doc, "_id.rule"),
		.n = (uint64_t)etl_doc_int(doc, "n"),
		.oldest = etl_doc_date(doc, "oldest"),
		.newest = etl_doc_date(doc, "newest")};

	return fn(ctx, &sum);
}

int etl_smdb_dead_letter_sums(struct etl_state *s, const struct etl_dead_query *query,
	etl_dead_sum_fn fn, void *ctx, struct etl_error *err)
{
	bson_t *pipeline = sums_pipeline(query);
	struct etl_place place;
	bson_error_t error;
	const bson_t *doc;
	int rc = -1;

	if (etl_place_open(&place, s, "dead_letters", err) == 0) {
		mongoc_cursor_t *cursor = mongoc_collection_aggregate(place.collection,
			MONGOC_QUERY_NONE, pipeline, NULL, NULL);

		while (mongoc_cursor_next(cursor, &doc) && tell(doc, fn, ctx) == 0)
			;
		rc = mongoc_cursor_error(cursor, &error) ? etl_mongo_error(err, &error, NULL) : 0;
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(pipeline);
	return rc;
}
