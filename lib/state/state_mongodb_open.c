/* SPDX-License-Identifier: MIT
 *
 * Open units in MongoDB, summed by the server. Two questions, each by an index that begins with
 * what it asks for: states that are not closed, and closed ones that are marked dirty. In one
 * with $or, not every server finds an index.
 *
 * Why sums: a job of minutes that failed for a month has 43,200 open units. The status of its job
 * is how many, since when and why; that is one row here.
 */
#include <string.h>

#include "state/ledger_doc.h"
#include "state/mongodb.h"

/* {state: {$in: [...]}, job, start: {$gte, $lt}}; for the second question {dirty: true} and the
 * closed states, so that no unit is counted by both. */
static void match(bson_t *stage, const char *job, const struct etl_window *range, bool dirty)
{
	bson_t all, sub, words;

	BSON_APPEND_DOCUMENT_BEGIN(stage, "$match", &all);
	if (dirty)
		BSON_APPEND_BOOL(&all, "dirty", true);
	BSON_APPEND_DOCUMENT_BEGIN(&all, "state", &sub);
	BSON_APPEND_ARRAY_BEGIN(&sub, "$in", &words);
	etl_state_append_words(&words, dirty);
	bson_append_array_end(&sub, &words);
	bson_append_document_end(&all, &sub);
	if (job)
		BSON_APPEND_UTF8(&all, "job", job);
	if (range)
		BCON_APPEND(&all, "start", "{", "$gte", BCON_DATE_TIME(range->start.ms), "$lt",
			BCON_DATE_TIME(range->end.ms), "}");
	bson_append_document_end(stage, &all);
}

/* The least {start, reason} is the oldest unit's; a size of 0 has no remainder. */
static void group(bson_t *stage)
{
	BCON_APPEND(stage, "$group", "{",
		"_id", "{", "job", "$job", "partition", "$partition", "state", "$state",
			"size", "{", "$subtract", "[", "$end", "$start", "]", "}",
			"phase", "{", "$mod", "[",
				"{", "$subtract", "[", "$start", BCON_DATE_TIME(0), "]", "}",
				"{", "$max", "[", BCON_INT64(1),
					"{", "$subtract", "[", "$end", "$start", "]", "}", "]", "}",
			"]", "}", "}",
		"n", "{", "$sum", BCON_INT32(1), "}",
		"oldest", "{", "$min", "{", "start", "$start", "reason", "$reason", "}", "}",
		"newest", "{", "$max", "$start", "}", "}");
}

/* `out` points into `doc`. */
static bool sub_document(const bson_t *doc, const char *field, bson_t *out)
{
	const uint8_t *data;
	bson_iter_t it;
	uint32_t len;

	if (!bson_iter_init_find(&it, doc, field) || !BSON_ITER_HOLDS_DOCUMENT(&it))
		return false;
	bson_iter_document(&it, &len, &data);
	return bson_init_static(out, data, len);
}

/* A state that this etld does not know is an error and not left out: a number that is too small
 * would look like good news. */
static int tell(const bson_t *doc, bool dirty, etl_open_fn fn, void *ctx, struct etl_error *err)
{
	char job[256], partition[256], reason[ETL_REASON_MAX], word[32];
	struct etl_open_sum sum = {.job = job, .partition = partition, .reason = reason, .dirty = dirty};
	bson_t id, oldest;

	if (!sub_document(doc, "_id", &id) || !sub_document(doc, "oldest", &oldest))
		return etl_error_set(err, ETL_DATA, "ledger.sums", "the sums of open windows have no key");
	etl_bson_text(&id, "job", job, sizeof job);
	etl_bson_text(&id, "partition", partition, sizeof partition);
	etl_bson_text(&id, "state", word, sizeof word);
	etl_bson_text(&oldest, "reason", reason, sizeof reason);
	if (!etl_window_state_parse(word, &sum.state))
		return etl_error_set(err, ETL_DATA, "ledger.state",
			"the ledger holds a window with the unknown state '%s'", word);
	sum.size_ms = etl_bson_int(&id, "size", 0);
	sum.phase_ms = sum.size_ms ? etl_bson_int(&id, "phase", 0) : 0;
	sum.n = (uint64_t)etl_bson_int(doc, "n", 0);
	sum.oldest = etl_bson_date(&oldest, "start");
	sum.newest = etl_bson_date(doc, "newest");
	return fn(ctx, &sum) == 0 ? 0 : 1;
}

/* 0; 1 = `fn` has enough; -1. The rows of one question; they come in no order. */
static int ask(struct etl_place *place, const char *job, const struct etl_window *range, bool dirty,
	etl_open_fn fn, void *ctx, struct etl_error *err)
{
	bson_t pipeline = BSON_INITIALIZER, list, stage;
	mongoc_cursor_t *cursor;
	bson_error_t error;
	const bson_t *doc;
	int rc = 0;

	BSON_APPEND_ARRAY_BEGIN(&pipeline, "pipeline", &list);
	BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &stage);
	match(&stage, job, range, dirty);
	bson_append_document_end(&list, &stage);
	BSON_APPEND_DOCUMENT_BEGIN(&list, "1", &stage);
	group(&stage);
	bson_append_document_end(&list, &stage);
	bson_append_array_end(&pipeline, &list);
	cursor = mongoc_collection_aggregate(place->collection, MONGOC_QUERY_NONE, &pipeline, NULL, NULL);
	while (rc == 0 && mongoc_cursor_next(cursor, &doc))
		rc = tell(doc, dirty, fn, ctx, err);
	if (rc == 0 && mongoc_cursor_error(cursor, &error))
		rc = etl_mongo_error(err, &error, NULL);
	mongoc_cursor_destroy(cursor);
	bson_destroy(&pipeline);
	return rc;
}

/* Not one snapshot: a unit that is closed between the two questions may be missing, and one that
 * becomes dirty may be counted twice. The next question has it right. */
int etl_smdb_open_sums(struct etl_state *s, const char *job, const struct etl_window *range,
	etl_open_fn fn, void *ctx, struct etl_error *err)
{
	struct etl_place place;
	int rc;

	if (etl_place_open(&place, s, "windows", err) < 0)
		return -1;
	rc = ask(&place, job, range, false, fn, ctx, err);
	if (rc == 0)
		rc = ask(&place, job, range, true, fn, ctx, err);
	etl_place_close(&place);
	return rc < 0 ? -1 : 0;
}
