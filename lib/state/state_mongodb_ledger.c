/* SPDX-License-Identifier: MIT
 *
 * The ledger in MongoDB: scanning it, and marking windows that did not close. Closing a window
 * is commit's business alone (state_mongodb_commit.c), and an operator's
 * (state_mongodb_change.c).
 *
 * An entry of the ledger as it stands in `windows`, an hour that was loaded:
 *
 *   {_id: "orders/eu/2026-05-01T10:00:00Z", job: "orders", partition: "eu",
 *    start: <10:00>, end: <11:00>, state: "loaded", dirty: false, run_id: ..., attempt: 1,
 *    fence: 8, counts: {seen: 120, in: 120, out: 120, inserted: 120}, hash: ..., reason: "",
 *    dirty_token: "", fetched_at: ..., updated_at: ...}
 */
#include <string.h>

#include "state/doc_read.h"
#include "state/ledger_doc.h"
#include "state/mongodb.h"

/* Written from the enum, so that a new state is in the queries without another list to keep. One
 * digit per key is enough as long as there are at most ten states. */
void etl_state_append_words(bson_t *list, bool closed)
{
	char key[4];
	int n = 0;

	for (int i = 0; i < ETL_WINDOW_STATE_MAX; i++)
		if (etl_window_is_closed((enum etl_window_state)i) == closed) {
			key[0] = (char)('0' + n++);
			key[1] = '\0';
			BSON_APPEND_UTF8(list, key,
				etl_window_state_word((enum etl_window_state)i));
		}
}

/* {$or: [{state: {$in: [open ...]}}, {dirty: true}]} */
static void append_open(bson_t *query)
{
	bson_t list, one, state, words;

	BSON_APPEND_ARRAY_BEGIN(query, "$or", &list);
	BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
	BSON_APPEND_DOCUMENT_BEGIN(&one, "state", &state);
	BSON_APPEND_ARRAY_BEGIN(&state, "$in", &words);
	etl_state_append_words(&words, false);
	bson_append_array_end(&state, &words);
	bson_append_document_end(&one, &state);
	bson_append_document_end(&list, &one);
	BSON_APPEND_DOCUMENT_BEGIN(&list, "1", &one);
	BSON_APPEND_BOOL(&one, "dirty", true);
	bson_append_document_end(&list, &one);
	bson_append_array_end(query, &list);
}

/* An overlap is start < range.end and end > range.start. The first half is found by the index on
 * (job, partition, start). */
static void scan_query(bson_t *query, const char *job, const char *partition,
	const struct etl_window *range, enum etl_ledger_select select)
{
	bson_t sub;

	BSON_APPEND_UTF8(query, "job", job);
	if (partition)
		BSON_APPEND_UTF8(query, "partition", partition);
	if (range) {
		BSON_APPEND_DOCUMENT_BEGIN(query, "start", &sub);
		BSON_APPEND_DATE_TIME(&sub, "$lt", range->end.ms);
		if (select == ETL_LEDGER_BEGUN)
			BSON_APPEND_DATE_TIME(&sub, "$gte", range->start.ms);
		bson_append_document_end(query, &sub);
	}
	/* No index covers the end of a window, so this half of an overlap is compared in each
	 * entry that the index on `start` has found. ETL_LEDGER_BEGUN exists for callers that
	 * can do without it. */
	if (range && select != ETL_LEDGER_BEGUN) {
		BSON_APPEND_DOCUMENT_BEGIN(query, "end", &sub);
		BSON_APPEND_DATE_TIME(&sub, "$gt", range->start.ms);
		bson_append_document_end(query, &sub);
	}
	if (select == ETL_LEDGER_DIRTY)
		BSON_APPEND_BOOL(query, "dirty", true);
	else if (select == ETL_LEDGER_OPEN)
		append_open(query);
}

/* The entry is read into one buffer, document by document: a scan of ten years of minutes never
 * holds the ledger in memory. An error of `fn` ends the scan and is its answer; it has written
 * `err`. */
static int scan_cursor(mongoc_cursor_t *cursor, etl_ledger_fn fn, void *ctx,
	struct etl_error *err)
{
	struct etl_ledger_entry entry;
	bson_error_t error;
	const bson_t *doc;

	while (mongoc_cursor_next(cursor, &doc)) {
		if (etl_ledger_from_bson(doc, &entry, err) < 0)
			return -1;
		/* A job that had objects once may have windows now, and the other way round. */
		if (!entry.object.name && fn(ctx, &entry, err) < 0)
			return -1;
	}
	return mongoc_cursor_error(cursor, &error) ? etl_mongo_error(err, &error, NULL) : 0;
}

/* Sorted by the server, because planning walks the grid and the entries side by side and relies
 * on the order. */
int etl_smdb_ledger_scan(struct etl_state *s, const char *job, const char *partition,
	const struct etl_window *range, enum etl_ledger_select select, etl_ledger_fn fn, void *ctx,
	struct etl_error *err)
{
	bson_t *opts = BCON_NEW(
		"sort", "{", "start", BCON_INT32(1), "partition", BCON_INT32(1), "}");
	bson_t query = BSON_INITIALIZER;
	struct etl_place place;
	int rc = -1;

	scan_query(&query, job, partition, range, select);
	if (etl_place_open(&place, s, "windows", err) == 0) {
		mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(
			place.collection, &query, opts, NULL);

		rc = scan_cursor(cursor, fn, ctx, err);
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(&query);
	bson_destroy(opts);
	return rc;
}

/* One more than `max` is asked for: it is not given, and tells that there are more. */
int etl_smdb_ledger_objects(struct etl_state *s, const char *job, const char *partition,
	const char *from, size_t max, etl_ledger_fn fn, void *ctx, struct etl_error *err)
{
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "limit",
		BCON_INT64((int64_t)max + 1));
	bson_t query = BSON_INITIALIZER;
	struct etl_ledger_entry entry;
	struct etl_place place;
	mongoc_cursor_t *cursor;
	bson_error_t error;
	const bson_t *doc;
	int rc = -1;

	etl_ledger_append_objects(&query, job, partition, from);
	if (etl_place_open(&place, s, "windows", err) == 0) {
		cursor = mongoc_collection_find_with_opts(place.collection, &query, opts, NULL);
		rc = 1;
		while (rc == 1 && mongoc_cursor_next(cursor, &doc)) {
			if (!max--)
				rc = 0;
			else if (etl_ledger_from_bson(doc, &entry, err) < 0 || fn(ctx, &entry, err) < 0)
				rc = -1;
		}
		if (rc == 1 && mongoc_cursor_error(cursor, &error))
			rc = etl_mongo_error(err, &error, NULL);
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(&query);
	bson_destroy(opts);
	return rc;
}

/* Carried over both questions, so that `max` bounds them together. */
struct open_look {
	int (*fn)(void *ctx, const char *partition, const struct etl_ledger_entry *entry);
	void *ctx;
	size_t left; /* so many more may be given */
	bool more;
};

/* One find whose conditions are an index and nothing else, so that no entry is read only to be
 * left out. Ends with `more` at the first entry beyond `max`, without counting how many follow. */
static int look_for_open(struct open_look *look, mongoc_collection_t *windows, const bson_t *query,
	bool dirty, struct etl_error *err)
{
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(windows, query, NULL, NULL);
	struct etl_ledger_entry entry;
	bson_error_t error;
	bson_iter_t it;
	const bson_t *doc;
	int rc = 0;

	while (rc == 0 && mongoc_cursor_next(cursor, &doc)) {
		rc = etl_ledger_from_bson(doc, &entry, err);
		if (rc < 0 || (dirty && !etl_window_is_closed(entry.state)))
			continue; /* an open one was found already */
		look->more |= look->left == 0;
		if (look->more)
			break;
		look->left--;
		if (bson_iter_init_find(&it, doc, "partition") && BSON_ITER_HOLDS_UTF8(&it))
			rc = look->fn(look->ctx, bson_iter_utf8(&it, NULL), &entry);
	}
	if (rc == 0 && mongoc_cursor_error(cursor, &error))
		rc = etl_mongo_error(err, &error, NULL);
	mongoc_cursor_destroy(cursor);
	return rc;
}

/* Two questions, the second only for what the first has not found: the entries that are closed
 * and dirty. Together they give at most `max` entries; one more ends the list as incomplete. */
int etl_smdb_ledger_open(struct etl_state *s, const char *job, size_t max,
	int (*fn)(void *ctx, const char *partition, const struct etl_ledger_entry *entry), void *ctx,
	struct etl_error *err)
{
	bson_t *dirty = BCON_NEW("job", BCON_UTF8(job), "dirty", BCON_BOOL(true));
	bson_t open = BSON_INITIALIZER, state, words;
	struct open_look look = {fn, ctx, max, false};
	struct etl_place place;
	int rc = -1;

	BSON_APPEND_UTF8(&open, "job", job);
	BSON_APPEND_DOCUMENT_BEGIN(&open, "state", &state);
	BSON_APPEND_ARRAY_BEGIN(&state, "$in", &words);
	etl_state_append_words(&words, false);
	bson_append_array_end(&state, &words);
	bson_append_document_end(&open, &state);
	if (etl_place_open(&place, s, "windows", err) == 0) {
		rc = look_for_open(&look, place.collection, &open, false, err);
		if (rc == 0 && !look.more)
			rc = look_for_open(&look, place.collection, dirty, true, err);
		etl_place_close(&place);
	}
	bson_destroy(&open);
	bson_destroy(dirty);
	return rc < 0 ? -1 : !look.more;
}

/* ---- what is held ---------------------------------------------------------------------------- */

/* As open_look, but with the job's name, since a question may be for all jobs. */
struct unit_look {
	etl_unit_fn fn;
	void *ctx;
	size_t left; /* so many more may be given */
	bool more;
};

/* Job and partition are the document's and good during the call. */
static int each_unit(struct unit_look *look, mongoc_cursor_t *cursor, struct etl_error *err)
{
	struct etl_ledger_entry entry;
	bson_error_t error;
	const bson_t *doc;
	int rc = 0;

	while (rc == 0 && mongoc_cursor_next(cursor, &doc)) {
		rc = etl_ledger_from_bson(doc, &entry, err);
		if (rc < 0 || !etl_ledger_is_held(&entry))
			continue; /* released, and waiting for its run */
		look->more = look->left == 0;
		if (look->more)
			break;
		look->left--;
		rc = look->fn(look->ctx, etl_doc_text(doc, "job"), etl_doc_text(doc, "partition"), &entry);
	}
	if (rc == 0 && mongoc_cursor_error(cursor, &error))
		rc = etl_mongo_error(err, &error, NULL);
	return rc;
}

static int look_for_held(struct unit_look *look, mongoc_collection_t *windows, bson_t *query,
	const char *job, struct etl_error *err)
{
	mongoc_cursor_t *cursor;
	int rc;

	if (job)
		BSON_APPEND_UTF8(query, "job", job);
	cursor = mongoc_collection_find_with_opts(windows, query, NULL, NULL);
	rc = each_unit(look, cursor, err);
	mongoc_cursor_destroy(cursor);
	bson_destroy(query);
	return rc;
}

/* Two questions, each with an index of its own: units that are held, and closed ones that are dirty, of
 * which few are there for what holds newer content. */
int etl_smdb_ledger_held(struct etl_state *s, const char *job, size_t max, etl_unit_fn fn, void *ctx,
	struct etl_error *err)
{
	struct unit_look look = {fn, ctx, max, false};
	struct etl_place place;
	int rc;

	if (etl_place_open(&place, s, "windows", err) < 0)
		return -1;
	rc = look_for_held(&look, place.collection,
		BCON_NEW("state", BCON_UTF8(etl_window_state_word(ETL_WINDOW_HELD))), job, err);
	if (rc == 0 && !look.more)
		rc = look_for_held(&look, place.collection, BCON_NEW("dirty", BCON_BOOL(true), "held.0",
			"{", "$exists", BCON_BOOL(true), "}", "state", "{", "$in", "[",
			BCON_UTF8(etl_window_state_word(ETL_WINDOW_LOADED)),
			BCON_UTF8(etl_window_state_word(ETL_WINDOW_EMPTY)), "]", "}"), job, err);
	etl_place_close(&place);
	return rc < 0 ? -1 : !look.more;
}

/* By the index alone. On -1 `n` is 0, which no caller may take for an answer. */
int etl_smdb_ledger_count(struct etl_state *s, const char *job, const char *partition,
	const struct etl_window *range, uint64_t *n, struct etl_error *err)
{
	bson_t *query = BCON_NEW("job", BCON_UTF8(job), "partition", BCON_UTF8(partition), "start", "{",
		"$gte", BCON_DATE_TIME(range->start.ms), "$lt", BCON_DATE_TIME(range->end.ms), "}");
	struct etl_place place;
	bson_error_t error;
	int64_t count = -1;

	if (etl_place_open(&place, s, "windows", err) == 0) {
		count = mongoc_collection_count_documents(
			place.collection, query, NULL, NULL, NULL, &error);
		if (count < 0)
			etl_mongo_error(err, &error, NULL);
		etl_place_close(&place);
	}
	bson_destroy(query);
	*n = count > 0 ? (uint64_t)count : 0;
	return count < 0 ? -1 : 0;
}

/* What a mark may change of a closed window: the story of the last attempt, not what the window
 * holds. Its state, counts and hash are still those of the data that is in the target. */
static bson_t *attempt_fields(const struct etl_ledger_entry *e)
{
	return BCON_NEW("run_id", BCON_UTF8(e->run_id), "attempt", BCON_INT64(e->attempt), "fence",
		BCON_INT64(e->fence), "reason", BCON_UTF8(e->reason), "updated_at",
		BCON_DATE_TIME(e->updated.ms));
}

/* A mark without a time of fetching keeps the old one: a failed attempt has received nothing.
 * `hash` and `held` are not here: they belong to data, and a mark brings none. */
static bson_t *mark_fields(const struct etl_ledger_entry *e)
{
	bson_t *doc = attempt_fields(e);

	if (e->object.name) {
		BSON_APPEND_DATE_TIME(doc, "start", e->window.start.ms);
		BSON_APPEND_INT64(doc, "size", (int64_t)e->object.size);
		BSON_APPEND_DATE_TIME(doc, "modified_at", e->object.mtime.ms);
		BSON_APPEND_UTF8(doc, "etag", e->object.etag);
	}
	BSON_APPEND_DATE_TIME(doc, "end", e->window.end.ms);
	BSON_APPEND_UTF8(doc, "state", etl_window_state_word(e->state));
	etl_counts_append_some(doc, "counts", &e->counts);
	if (e->fetched.ms)
		BSON_APPEND_DATE_TIME(doc, "fetched_at", e->fetched.ms);
	return doc;
}

/* The law of marks: a window that is closed stays closed, whatever an attempt to read it again
 * came to. An open state (failed, held, running) never opens it; it stays due by `dirty`.
 * Skipped and unrecoverable never replace data. Example: 10:00 is loaded and dirty, and the
 * read fails: the entry says loaded, dirty, and "attempt 3: status 503". Had it been pending,
 * it would now be failed. A loaded window that the source no longer keeps stays loaded; a
 * failed one becomes unrecoverable. */
static void append_standing(bson_t *list, enum etl_window_state mark)
{
	if (!etl_window_is_closed(mark)) {
		etl_state_append_words(list, true);
		return;
	}
	BSON_APPEND_UTF8(list, "0", etl_window_state_word(ETL_WINDOW_LOADED));
	BSON_APPEND_UTF8(list, "1", etl_window_state_word(ETL_WINDOW_EMPTY));
}

/* {$cond: [{$in: ["$state", standing]}, attempt, all]}; a missing state is in no list. The
 * server chooses, by the entry as it is at that moment: a read before the write could be of a
 * window that was closed in between. $literal around both, because a reason may begin with a dollar
 * ("$price is missing") and would be read as the name of a field. */
static void append_choice(bson_t *parts, const struct etl_ledger_entry *e)
{
	bson_t *few = attempt_fields(e), *all = mark_fields(e);
	bson_t choice, cond, in, pair, words, literal;

	BSON_APPEND_DOCUMENT_BEGIN(parts, "2", &choice);
	BSON_APPEND_ARRAY_BEGIN(&choice, "$cond", &cond);
	BSON_APPEND_DOCUMENT_BEGIN(&cond, "0", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &pair);
	BSON_APPEND_UTF8(&pair, "0", "$state");
	BSON_APPEND_ARRAY_BEGIN(&pair, "1", &words);
	append_standing(&words, e->state);
	bson_append_array_end(&pair, &words);
	bson_append_array_end(&in, &pair);
	bson_append_document_end(&cond, &in);
	BSON_APPEND_DOCUMENT_BEGIN(&cond, "1", &literal);
	BSON_APPEND_DOCUMENT(&literal, "$literal", few);
	bson_append_document_end(&cond, &literal);
	BSON_APPEND_DOCUMENT_BEGIN(&cond, "2", &literal);
	BSON_APPEND_DOCUMENT(&literal, "$literal", all);
	bson_append_document_end(&cond, &literal);
	bson_append_array_end(&choice, &cond);
	bson_append_document_end(parts, &choice);
	bson_destroy(few);
	bson_destroy(all);
}

/* {$cond: [{$in: ["$state", ["loaded", "empty"]]}, {held, dirty}, {}]}: newer content of a window that
 * was read before is held back. What the window has stays, and it is asked for again until the check
 * passes or somebody decides, as one that was never loaded is. */
static void append_newer_held(bson_t *parts, const struct etl_held *held)
{
	bson_t fields = BSON_INITIALIZER;
	bson_t *choice;

	etl_held_to_bson(held, &fields);
	if (!held->more) /* of what held it before, as the two that follow */
		BSON_APPEND_BOOL(&fields, "held_more", false);
	if (!held->since.ms)
		BSON_APPEND_DATE_TIME(&fields, "held_since", 0);
	if (!*held->content)
		BSON_APPEND_UTF8(&fields, "held_content", "");
	BSON_APPEND_BOOL(&fields, "dirty", true);
	if (*held->by)
		etl_waiver_to_bson(held, &fields);
	else
		BSON_APPEND_NULL(&fields, "waiver"); /* of other content */
	choice = BCON_NEW("$cond", "[", "{", "$in", "[", "$state", "[",
		BCON_UTF8(etl_window_state_word(ETL_WINDOW_LOADED)),
		BCON_UTF8(etl_window_state_word(ETL_WINDOW_EMPTY)), "]", "]", "}", "{", "$literal",
		BCON_DOCUMENT(&fields), "}", "{", "}", "]");
	BSON_APPEND_DOCUMENT(parts, "3", choice);
	bson_destroy(choice);
	bson_destroy(&fields);
}

/* {$mergeObjects: [new document, $$ROOT, what the mark changes]} The later part wins: a fresh
 * document fills what is missing, $$ROOT brings what is stored, and the chosen fields overwrite. So
 * fields that this etld does not know survive. */
static void mark_pipeline(bson_t *out, const char *job, const char *partition,
	const struct etl_ledger_entry *e, const struct etl_held *held)
{
	bson_t fresh = BSON_INITIALIZER, body = BSON_INITIALIZER;
	bson_t parts, literal;

	etl_ledger_to_bson(job, partition, e, &fresh);
	BSON_APPEND_ARRAY_BEGIN(&body, "$mergeObjects", &parts);
	BSON_APPEND_DOCUMENT_BEGIN(&parts, "0", &literal);
	BSON_APPEND_DOCUMENT(&literal, "$literal", &fresh);
	bson_append_document_end(&parts, &literal);
	BSON_APPEND_UTF8(&parts, "1", "$$ROOT");
	append_choice(&parts, e);
	if (e->state == ETL_WINDOW_HELD && held->n)
		append_newer_held(&parts, held);
	bson_append_array_end(&body, &parts);
	etl_state_pipeline(out, "$replaceWith", &body);
	bson_destroy(&fresh);
	bson_destroy(&body);
}

/* As in the store in memory, which words it with the fence: here the other's fence was not read. */
static int conflict(struct etl_error *err, const char *job, const char *partition)
{
	return etl_error_set(err, ETL_CONFLICT, "state.fenced",
		"partition '%s' of job '%s' has moved on to another fence", partition, job);
}

/* The filter holds the fence: an entry of a later fence is not matched, and the upsert then
 * fails on its _id. Two upserts that meet over a new entry fail in the same way once, so it is
 * tried twice. */
static int mark_one(struct etl_place *place, const char *job, const char *partition,
	int64_t fence, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	struct etl_unit_key key = etl_entry_key(entry);
	struct etl_ledger_entry e = *entry;
	bson_t query = BSON_INITIALIZER;
	bson_t pipeline, sub;
	bool matched;
	int rc;

	e.fence = fence;
	e.held = (struct etl_held){.n = 0};
	e.token.len = 0; /* it moves with commits alone */
	e.definition = 0;
	etl_ledger_append_unit(&query, job, partition, &key);
	BSON_APPEND_DOCUMENT_BEGIN(&query, "fence", &sub);
	BSON_APPEND_INT64(&sub, "$lte", fence);
	bson_append_document_end(&query, &sub);
	mark_pipeline(&pipeline, job, partition, &e, &entry->held);
	rc = etl_state_update_one(place->collection, &query, &pipeline, opts, &matched, err);
	if (rc < 0 && etl_smdb_met_another(err))
		rc = etl_state_update_one(place->collection, &query, &pipeline, opts, &matched, err);
	if (rc < 0 && err->status == ETL_SMDB_DUPLICATE)
		conflict(err, job, partition);
	bson_destroy(&pipeline);
	bson_destroy(&query);
	bson_destroy(opts);
	return rc;
}

/* The fence is checked before anything is written, and again by each entry's filter: a run that
 * lost the job after the first check can still not touch what its successor has written. */
int etl_smdb_ledger_mark(struct etl_state *s, const char *job, const char *partition,
	int64_t fence, const struct etl_ledger_entry *entries, size_t n, struct etl_error *err)
{
	struct etl_watermark now = {0};
	struct etl_place place;
	int rc = etl_smdb_watermark_get(s, job, partition, &now, err);

	if (rc < 0)
		return -1;
	if (rc == 0 || now.fence != fence)
		return conflict(err, job, partition);
	for (size_t i = 0; i < n; i++)
		if (entries[i].state == ETL_WINDOW_LOADED || entries[i].state == ETL_WINDOW_EMPTY)
			return etl_error_set(err, ETL_BUG, "ledger.mark",
				"only a commit closes a window as %s",
				etl_window_state_word(entries[i].state));
	if (etl_place_open(&place, s, "windows", err) < 0)
		return -1;
	rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = mark_one(&place, job, partition, fence, &entries[i], err);
	etl_place_close(&place);
	return rc;
}
