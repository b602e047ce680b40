/* SPDX-License-Identifier: MIT
 *
 * Documents by rows in MongoDB (rows.h). Knows no kind of them: what a collection is like says its
 * row. Each list goes along one of the row's indexes, as far as its limit.
 *
 * None of these writes is fenced: runs' records, letters, notes and backfills are told of, and no
 * data depends on them. What must not be written by one who has lost the job goes through commit
 * or ledger_mark, which compare fences.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "state/doc_read.h"
#include "state/mongodb.h"

/* A condition without a value adds nothing to the query. */
static void append_equal(bson_t *out, const struct etl_equal *equal)
{
	if (equal->text)
		bson_append_utf8(out, equal->field, -1, equal->text, -1);
	else if (equal->date && equal->or_before)
		BCON_APPEND(out, equal->field, "{", "$lte", BCON_DATE_TIME(equal->date->ms), "}");
	else if (equal->date)
		bson_append_date_time(out, equal->field, -1, equal->date->ms);
}

static void append_equals(bson_t *out, const struct etl_equal equal[ETL_EQUALS])
{
	for (size_t i = 0; i < ETL_EQUALS; i++)
		append_equal(out, &equal[i]);
}

/* ---- writing ----------------------------------------------------------------------------------- */

/* {$set: all of it, $setOnInsert: {first}, $inc: {count: 1}, $unset: what it lacks} Example, a
 * letter that was there already: `at` and `run_id` become the new ones, `first_at` stays, `times`
 * goes from 2 to 3. `may_lack` is taken away if the new document has it not, since $set alone would
 * leave the old value standing beside the new ones. As one update the server does it in one step:
 * two runs that write one letter count 2. */
static void again_update(const struct etl_collection *c, const bson_t *doc, bson_t *update)
{
	bson_t set;

	BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
	bson_copy_to_excluding_noinit(doc, &set, "_id", NULL);
	bson_append_document_end(update, &set);
	BCON_APPEND(update, "$setOnInsert", "{", c->again.first,
		BCON_DATE_TIME(etl_doc_date(doc, c->newest_by).ms), "}", "$inc", "{", c->again.count,
		BCON_INT64(1), "}");
	if (!bson_has_field(doc, c->again.may_lack))
		BCON_APPEND(update, "$unset", "{", c->again.may_lack, BCON_BOOL(true), "}");
}

static bool add_again(mongoc_bulk_operation_t *bulk, const struct etl_collection *c,
	const bson_t *query, const bson_t *doc, bson_error_t *error)
{
	bson_t update = BSON_INITIALIZER;
	bson_t *opts = etl_state_upserts();
	bool ok;

	again_update(c, doc, &update);
	ok = mongoc_bulk_operation_update_one_with_opts(bulk, query, &update, opts, error);
	bson_destroy(opts);
	bson_destroy(&update);
	return ok;
}

/* Three kinds: without an id it is new each time; counted ones are updated; all others are replaced
 * whole. */
static int add_doc(mongoc_bulk_operation_t *bulk, const struct etl_collection *c, const bson_t *doc,
	struct etl_error *err)
{
	bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	bson_t *query = BCON_NEW("_id", BCON_UTF8(etl_doc_text(doc, "_id")));
	bson_error_t error;
	bool ok;

	if (!bson_has_field(doc, "_id"))
		ok = mongoc_bulk_operation_insert_with_opts(bulk, doc, NULL, &error);
	else if (c->again.count)
		ok = add_again(bulk, c, query, doc, &error);
	else
		ok = mongoc_bulk_operation_replace_one_with_opts(bulk, query, doc, opts, &error);
	bson_destroy(query);
	bson_destroy(opts);
	return ok ? 0 : etl_mongo_error(err, &error, NULL);
}

/* Ordered, as the driver's default is: of two documents with one id the later one stands. */
static int put_some(mongoc_collection_t *place, const struct etl_collection *c, bson_t *const *docs,
	size_t n, struct etl_error *err)
{
	mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(place, NULL);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_doc(bulk, c, docs[i], err);
	if (rc == 0)
		rc = etl_state_run_bulk(bulk, err);
	mongoc_bulk_operation_destroy(bulk);
	return rc;
}

/* Once more if another writer was met: the first try made nothing half that a second would double,
 * but for `times`, which may then count one too many. */
int etl_smdb_put(struct etl_state *s, const struct etl_collection *c, bson_t *const *docs, size_t n,
	struct etl_error *err)
{
	struct etl_place place;
	int rc;

	if (etl_place_open(&place, s, c->name, err) < 0)
		return -1;
	rc = put_some(place.collection, c, docs, n, err);
	if (rc < 0 && etl_smdb_met_another(err))
		rc = put_some(place.collection, c, docs, n, err);
	etl_place_close(&place);
	return rc;
}

/* With `when` the query is {_id, field: value} and the write an upsert; without, a plain insert
 * that fails if there is one. */
static bool replace_or_insert(mongoc_collection_t *place, const bson_t *doc,
	const struct etl_equal *when, bson_t *reply, bson_error_t *error)
{
	bson_t *query, *opts;
	bool ok;

	if (!when)
		return mongoc_collection_insert_one(place, doc, NULL, reply, error);
	query = BCON_NEW("_id", BCON_UTF8(etl_doc_text(doc, "_id")));
	opts = BCON_NEW("upsert", BCON_BOOL(true));
	append_equal(query, when);
	ok = mongoc_collection_replace_one(place, query, doc, opts, reply, error);
	bson_destroy(opts);
	bson_destroy(query);
	return ok;
}

/* What is there and is not as wanted is not matched; inserting another one fails on its `_id`. Both
 * ways the unique `_id` is what decides between two etlds, in the server and in one step. Example:
 * two etlds see that a deadline was missed; both insert its key, one is told 0 and stays silent. */
int etl_smdb_put_if(struct etl_state *s, const struct etl_collection *c, const bson_t *doc,
	const struct etl_equal *when, struct etl_error *err)
{
	struct etl_place place;
	bson_error_t error;
	bson_t reply;
	int rc = 1;

	if (etl_place_open(&place, s, c->name, err) < 0)
		return -1;
	if (!replace_or_insert(place.collection, doc, when, &reply, &error))
		rc = etl_mongo_error(err, &error, &reply);
	bson_destroy(&reply);
	etl_place_close(&place);
	return rc < 0 && etl_smdb_met_another(err) ? 0 : rc;
}

/* 1 = changed or already so; 0 = not there or not as wanted. */
int etl_smdb_update(struct etl_state *s, const struct etl_collection *c, const char *id,
	const struct etl_equal *when, const bson_t *fields, struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(id));
	bson_t *update = BCON_NEW("$set", BCON_DOCUMENT(fields));
	struct etl_place place;
	bool matched = false;
	int rc = -1;

	append_equal(query, when);
	if (etl_place_open(&place, s, c->name, err) == 0) {
		rc = etl_state_update_one(place.collection, query, update, NULL, &matched, err);
		etl_place_close(&place);
	}
	bson_destroy(update);
	bson_destroy(query);
	return rc < 0 ? -1 : matched;
}

int etl_smdb_remove(struct etl_state *s, const struct etl_collection *c, const char *id,
	struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(id));
	struct etl_place place;
	bson_error_t error;
	bson_t reply;
	int rc = -1;

	if (etl_place_open(&place, s, c->name, err) == 0) {
		rc = mongoc_collection_delete_one(place.collection, query, NULL, &reply, &error) ? 0 :
			etl_mongo_error(err, &error, &reply);
		bson_destroy(&reply);
		etl_place_close(&place);
	}
	bson_destroy(query);
	return rc;
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* Behind each text that begins so: no character comes after U+10FFFF. Example: "3f" asks for "3f"
 * <= _id < "3f\U0010FFFF", a range of the index; a regular expression would do too, but a user's
 * text would have to be escaped. */
static void append_prefix(bson_t *out, const char *prefix)
{
	etl_cleanup(free) char *end = etl_strf("%s\xf4\x8f\xbf\xbf", prefix);

	BCON_APPEND(out, "_id", "{", "$gte", BCON_UTF8(prefix), "$lt", BCON_UTF8(end), "}");
}

/* The page that goes on behind (at, id): all that is older, and of the same date those with a
 * smaller id. */
static void list_query(const struct etl_collection *c, const struct etl_doc_query *q, bson_t *out)
{
	if (q->id)
		BSON_APPEND_UTF8(out, "_id", q->id);
	if (q->prefix)
		append_prefix(out, q->prefix);
	append_equals(out, q->equal);
	if (q->before) /* the bound on the date alone is what the index begins at */
		BCON_APPEND(out, c->newest_by, "{", "$lte", BCON_DATE_TIME(q->before_at.ms), "}",
			"$or", "[", "{", c->newest_by, "{", "$lt", BCON_DATE_TIME(q->before_at.ms), "}", "}",
			"{", "_id", "{", "$lt", BCON_UTF8(q->before), "}", "}", "]");
}

/* Sorted along an index of the collection's row (rows.h), so that a page reads as many documents as
 * it gives. A limit of 0 is none. */
static void list_opts(const struct etl_collection *c, const struct etl_doc_query *q, bson_t *out)
{
	if (q->prefix || !c->newest_by)
		BCON_APPEND(out, "sort", "{", "_id", BCON_INT32(1), "}");
	else
		BCON_APPEND(out, "sort", "{", c->newest_by, BCON_INT32(-1), "_id", BCON_INT32(-1), "}");
	BSON_APPEND_INT64(out, "limit", q->limit > 0 ? q->limit : 0);
	if (c->heavy && !q->prefix && !q->id)
		BCON_APPEND(out, "projection", "{", c->heavy, BCON_INT32(0), "}");
}

/* `fn` has enough: no error. On -1 it may have seen some; who builds a list from it must throw it
 * away. */
static int give(mongoc_cursor_t *cursor, etl_doc_fn fn, void *ctx, struct etl_error *err)
{
	bson_error_t error;
	const bson_t *doc;

	while (mongoc_cursor_next(cursor, &doc))
		if (fn(ctx, doc) != 0)
			return 0;
	return mongoc_cursor_error(cursor, &error) ? etl_mongo_error(err, &error, NULL) : 0;
}

int etl_smdb_list(struct etl_state *s, const struct etl_collection *c,
	const struct etl_doc_query *query, etl_doc_fn fn, void *ctx, struct etl_error *err)
{
	bson_t match = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	struct etl_place place;
	int rc = -1;

	list_query(c, query, &match);
	list_opts(c, query, &opts);
	if (etl_place_open(&place, s, c->name, err) == 0) {
		mongoc_cursor_t *cursor =
			mongoc_collection_find_with_opts(place.collection, &match, &opts, NULL);

		rc = give(cursor, fn, ctx, err);
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(&opts);
	bson_destroy(&match);
	return rc;
}

/* $limit stands before $group and bounds what is read. The $sort before it makes the limit mean
 * "the newest" and goes along the index; without it the server might take any. */
static bson_t *sums_pipeline(const struct etl_collection *c, const struct etl_doc_query *q)
{
	bson_t match = BSON_INITIALIZER;
	bson_t *pipeline;

	append_equals(&match, q->equal);
	pipeline = BCON_NEW("pipeline", "[",
		"{", "$match", BCON_DOCUMENT(&match), "}",
		"{", "$sort", "{", c->newest_by, BCON_INT32(-1), "_id", BCON_INT32(-1), "}", "}",
		"{", "$limit", BCON_INT64(q->limit), "}",
		"{", "$group", "{", "_id", "{", c->sum.by[0] + 1, BCON_UTF8(c->sum.by[0]),
			c->sum.by[1] + 1, BCON_UTF8(c->sum.by[1]), "}",
			"n", "{", "$sum", BCON_INT32(1), "}",
			"oldest", "{", "$min", BCON_UTF8(c->sum.span), "}",
			"newest", "{", "$max", BCON_UTF8(c->sum.span), "}", "}", "}",
		"{", "$sort", "{", "n", BCON_INT32(-1), "_id", BCON_INT32(1), "}", "}", "]");
	bson_destroy(&match);
	return pipeline;
}

/* The documents have one form with those of the store in memory (give_sum there). */
int etl_smdb_sums(struct etl_state *s, const struct etl_collection *c,
	const struct etl_doc_query *query, etl_doc_fn fn, void *ctx, struct etl_error *err)
{
	bson_t *pipeline = sums_pipeline(c, query);
	struct etl_place place;
	int rc = -1;

	if (etl_place_open(&place, s, c->name, err) == 0) {
		mongoc_cursor_t *cursor = mongoc_collection_aggregate(place.collection,
			MONGOC_QUERY_NONE, pipeline, NULL, NULL);

		rc = give(cursor, fn, ctx, err);
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(pipeline);
	return rc;
}
