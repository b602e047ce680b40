/* SPDX-License-Identifier: MIT
 *
 * The documents of the collection watermark_changes: saved with each slice, never removed,
 * listed for history and undo. What a change does to windows and watermarks is in
 * state_mongodb_change.c.
 */
#include "state/doc_read.h"
#include "state/mongodb.h"

static void append_unit(bson_t *set, const struct etl_change *c)
{
	if (etl_change_is_decision(c->kind))
		BCON_APPEND(set, "unit", "{", "start", BCON_DATE_TIME(c->unit.start.ms), "end",
			BCON_DATE_TIME(c->unit.end.ms), "}", "run_id",
			BCON_UTF8(c->run_id));
}

/* `undone_by` belongs to the undo: it is made empty once and not touched again here. Otherwise
 * a slice that is repeated after a lost answer could wipe out the word of an undo. */
static bson_t *change_update(const struct etl_change *c)
{
	bson_t *set = BCON_NEW("command", BCON_UTF8(c->command), "job", BCON_UTF8(c->job),
		"partition", BCON_UTF8(c->partition), "kind",
		BCON_UTF8(etl_change_kind_word(c->kind)), "from", BCON_DATE_TIME(c->from.ms), "to",
		BCON_DATE_TIME(c->to.ms), "reached", BCON_DATE_TIME(c->reached.ms), "windows",
		BCON_INT64(c->windows), "who", BCON_UTF8(c->who), "why", BCON_UTF8(c->why), "at",
		BCON_DATE_TIME(c->at.ms), "done", BCON_BOOL(c->done), "undoes",
		BCON_UTF8(c->undoes));
	bson_t *update;

	append_unit(set, c);
	update = BCON_NEW("$set", BCON_DOCUMENT(set), "$setOnInsert", "{", "undone_by", "", "}");
	bson_destroy(set);
	return update;
}

/* Written with the undo's last slice (in one transaction, where there are any): until then the
 * change stands, and the same undo can be asked for again. */
static int mark_undone(mongoc_collection_t *changes, const struct etl_change *undo,
	const bson_t *opts, struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(undo->undoes));
	bson_t *update = BCON_NEW("$set", "{", "undone_by", BCON_UTF8(undo->id), "}");
	bool matched;
	int rc = etl_state_update_one(changes, query, update, opts, &matched, err);

	bson_destroy(update);
	bson_destroy(query);
	return rc;
}

int etl_smdb_change_save(mongoc_collection_t *changes, const struct etl_change *change,
	const bson_t *opts, struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(change->id));
	bson_t *update = change_update(change);
	bson_t with_upsert = BSON_INITIALIZER;
	bool matched;
	int rc;

	if (opts)
		bson_concat(&with_upsert, opts);
	BSON_APPEND_BOOL(&with_upsert, "upsert", true);
	rc = etl_state_update_one(changes, query, update, &with_upsert, &matched, err);
	if (rc == 0 && change->kind == ETL_CHANGE_UNDO && change->done)
		rc = mark_undone(changes, change, opts, err);
	bson_destroy(&with_upsert);
	bson_destroy(update);
	bson_destroy(query);
	return rc;
}

/* ---- reading ---------------------------------------------------------------------------- */

static bool flag_of(const bson_t *doc, const char *field)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, doc, field) && bson_iter_as_bool(&it);
}

static int read_change(const bson_t *doc, struct etl_change *out, struct etl_error *err)
{
	*out = (struct etl_change){
		.id = etl_doc_text(doc, "_id"),
		.command = etl_doc_text(doc, "command"),
		.job = etl_doc_text(doc, "job"),
		.partition = etl_doc_text(doc, "partition"),
		.who = etl_doc_text(doc, "who"),
		.why = etl_doc_text(doc, "why"),
		.at = etl_bson_date(doc, "at"),
		.from = etl_bson_date(doc, "from"),
		.to = etl_bson_date(doc, "to"),
		.reached = etl_bson_date(doc, "reached"),
		.windows = etl_bson_int(doc, "windows", 0),
		.done = flag_of(doc, "done"),
		.undoes = etl_doc_text(doc, "undoes"),
		.undone_by = etl_doc_text(doc, "undone_by"),
		.unit = {etl_doc_date(doc, "unit.start"), etl_doc_date(doc, "unit.end")},
		.run_id = etl_doc_text(doc, "run_id"),
	};
	if (!etl_change_kind_parse(etl_doc_text(doc, "kind"), &out->kind))
		return etl_error_set(err, ETL_DATA, "change.kind",
			"watermark_changes holds a change of the unknown kind '%s'",
			etl_doc_text(doc, "kind"));
	return 0;
}

/* A change stands as long as no undo has finished taking it back; an undo itself cannot be
 * undone. */
static bson_t *list_query(const struct etl_change_query *q)
{
	bson_t *query = BCON_NEW("job", BCON_UTF8(q->job));

	if (q->partition)
		BSON_APPEND_UTF8(query, "partition", q->partition);
	if (q->command)
		BSON_APPEND_UTF8(query, "command", q->command);
	if (q->standing)
		BCON_APPEND(query, "undone_by", "", "kind", "{", "$ne",
			BCON_UTF8(etl_change_kind_word(ETL_CHANGE_UNDO)), "}");
	return query;
}

/* The texts of a change are lent by the cursor's document and gone with the next one. */
static int each_change(mongoc_cursor_t *cursor,
	int (*fn)(void *ctx, const struct etl_change *change), void *ctx, struct etl_error *err)
{
	struct etl_change change;
	bson_error_t error;
	const bson_t *doc;

	while (mongoc_cursor_next(cursor, &doc)) {
		if (read_change(doc, &change, err) < 0)
			return -1;
		if (fn(ctx, &change) != 0)
			return 0;
	}
	return mongoc_cursor_error(cursor, &error) ? etl_mongo_error(err, &error, NULL) : 0;
}

int etl_smdb_change_list(struct etl_state *s, const struct etl_change_query *q,
	int (*fn)(void *ctx, const struct etl_change *change), void *ctx, struct etl_error *err)
{
	bson_t *opts = BCON_NEW("sort", "{", "at", BCON_INT32(-1), "_id", BCON_INT32(-1), "}",
		"limit", BCON_INT64(q->limit));
	bson_t *query = list_query(q);
	struct etl_place place;
	int rc = -1;

	if (etl_place_open(&place, s, "watermark_changes", err) == 0) {
		mongoc_cursor_t *cursor =
			mongoc_collection_find_with_opts(place.collection, query, opts, NULL);

		rc = each_change(cursor, fn, ctx, err);
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(query);
	bson_destroy(opts);
	return rc;
}
