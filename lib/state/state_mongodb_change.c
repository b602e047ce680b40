/* SPDX-License-Identifier: MIT
 *
 * One slice of an operator's change of a watermark: change document, watermark, ledger, in one
 * transaction where the server has them. Each slice is whole in itself: after it the watermark
 * follows from the ledger, so a daemon that dies between two leaves a smaller change behind,
 * not a wrong one. What a window was before is kept in its entry (`was`). Plans nothing: the
 * slice says what to write.
 */
#include <string.h>

#include "base/fault.h"
#include "base/str.h"
#include "base/uuid.h"
#include "state/ledger_doc.h"
#include "state/mongodb.h"
#include "time/clock.h"

#define CHANGE_PATIENCE ETL_SECONDS(5)
#define WAS_MAX 8 /* states before the present one that an entry keeps */

static const struct etl_change_slice *slice_of(const struct etl_effort *e)
{
	return e->what;
}

static const struct etl_change *change_of(const struct etl_effort *e)
{
	return slice_of(e)->change;
}

static int moved_on(const struct etl_effort *e, struct etl_error *err)
{
	return etl_error_set(err, ETL_CONFLICT, "state.fenced",
		"the watermark of partition '%s' of job '%s' was moved by somebody else",
		e->partition, e->job);
}

/* ---- what happens to one entry ----------------------------------------------------------- */

/* What the entry was goes on top of what it was before that, so that changes are undone in the
 * reverse order of their coming; beyond WAS_MAX the oldest fall off. An entry that is not there
 * gets the word "absent": an undo removes it again. Example: 10:00 failed, is accepted and
 * becomes skipped: was = [failed]. A rewind makes it pending: was = [skipped, failed]. Undoing
 * the rewind gives skipped, and was = [failed]. */
static bson_t *was_expression(void)
{
	bson_t *present = BCON_NEW("$cond", "[", "{", "$eq", "[", "{", "$type", "$state", "}",
		"missing", "]", "}", "{", "state", "absent", "change_id", "", "}",
		"{", "state", "$state", "dirty", "$dirty", "reason", "$reason", "change_id", "{",
		"$ifNull", "[", "$change_id", "", "]", "}", "waiver", "{", "$ifNull", "[", "$waiver",
		BCON_NULL, "]", "}", "}", "]");
	bson_t *was = BCON_NEW("$slice", "[", "{", "$concatArrays", "[", "[",
		BCON_DOCUMENT(present), "]", "{", "$ifNull", "[", "$was", "[", "]", "]", "}", "]",
		"}", BCON_INT32(WAS_MAX), "]");

	bson_destroy(present);
	return was;
}

/* All but the state, which a closed window keeps whose newer content is held. */
static bson_t *touched_as_it_is(const struct etl_effort *e)
{
	bson_t *was = was_expression();
	const char *reason = slice_of(e)->reason ? slice_of(e)->reason : change_of(e)->why;
	bson_t *fields = BCON_NEW("reason", "{",
		"$literal", BCON_UTF8(reason), "}", "fence", BCON_INT64(slice_of(e)->fence),
		"updated_at", BCON_DATE_TIME(e->now.ms), "change_id", BCON_UTF8(change_of(e)->id),
		"was", BCON_DOCUMENT(was));

	bson_destroy(was);
	return fields;
}

static bson_t *touched_fields(const struct etl_effort *e, enum etl_window_state state)
{
	bson_t *fields = touched_as_it_is(e);

	BSON_APPEND_UTF8(fields, "state", etl_window_state_word(state));
	/* A skipped window is not due any more; a rewound one keeps its mark. */
	if (state == ETL_WINDOW_SKIPPED)
		BSON_APPEND_BOOL(fields, "dirty", false);
	return fields;
}

/* An undo gives back state, mark, reason and waiver of the entry. A dirty mark that came after
 * the change stays, with its reason: the upstream job that set it knows nothing of undo. */
static bson_t *restored_fields(const struct etl_effort *e)
{
	bson_t *fields = BCON_NEW("state", "$$top.state", "dirty", "{", "$or", "[", "$dirty",
		"$$top.dirty", "]", "}", "reason", "{", "$cond", "[", "{", "$and", "[", "$dirty",
		"{", "$not", "[", "$$top.dirty", "]", "}", "]", "}", "$reason", "$$top.reason",
		"]", "}", "fence", BCON_INT64(slice_of(e)->fence), "updated_at",
		BCON_DATE_TIME(e->now.ms), "change_id", "$$top.change_id", "waiver", "{", "$ifNull", "[",
		"$$top.waiver", BCON_NULL, "]", "}", "was", "{", "$slice",
		"[", "$was", BCON_INT32(1), BCON_INT32(WAS_MAX), "]", "}");
	bson_t *let = BCON_NEW("$let", "{", "vars", "{", "top", "{", "$arrayElemAt", "[", "$was",
		BCON_INT32(0), "]", "}", "}", "in", BCON_DOCUMENT(fields), "}");

	bson_destroy(fields);
	return let;
}

/* {$mergeObjects: ["$$ROOT", fields]}: the fields replace whole subdocuments. Takes. */
static void replace_pipeline(bson_t *out, bson_t *fields)
{
	bson_t *body = BCON_NEW("$mergeObjects", "[", "$$ROOT", BCON_DOCUMENT(fields), "]");

	etl_state_pipeline(out, "$replaceWith", body);
	bson_destroy(body);
	bson_destroy(fields);
}

/* Closed windows are left as they are: the plan was made from an earlier read, and a window
 * that was loaded since then keeps its state. A window that this very slice skipped is closed
 * too, so a repeat changes nothing.
 *
 * {$mergeObjects: [new document, "$$ROOT", {$cond: [closed, {}, fields]}]} */
static void skip_pipeline(const struct etl_effort *e, const struct etl_unit_key *unit, bson_t *out)
{
	struct etl_ledger_entry fresh = {.window = unit->window, .object.name = unit->object,
		.state = ETL_WINDOW_SKIPPED};
	bson_t *fields = touched_fields(e, ETL_WINDOW_SKIPPED);
	bson_t doc = BSON_INITIALIZER, words = BSON_INITIALIZER;
	bson_t *body;

	etl_ledger_to_bson(e->job, e->partition, &fresh, &doc);
	etl_state_append_words(&words, true);
	body = BCON_NEW("$mergeObjects", "[", "{", "$literal", BCON_DOCUMENT(&doc), "}", "$$ROOT",
		"{", "$cond", "[", "{", "$in", "[", "$state", BCON_ARRAY(&words), "]", "}", "{",
		"}", BCON_DOCUMENT(fields), "]", "}", "]");
	etl_state_pipeline(out, "$replaceWith", body);
	bson_destroy(body);
	bson_destroy(&words);
	bson_destroy(&doc);
	bson_destroy(fields);
}

/* ---- the ledger -------------------------------------------------------------------------- */

static int add_skip(struct etl_effort *e, mongoc_bulk_operation_t *bulk,
	const struct etl_unit_key *unit, struct etl_error *err)
{
	bson_t *opts = etl_state_upserts();
	bson_t query = BSON_INITIALIZER;
	bson_error_t error;
	bson_t pipeline;
	bool ok;

	etl_ledger_append_unit(&query, e->job, e->partition, unit);
	skip_pipeline(e, unit, &pipeline);
	ok = mongoc_bulk_operation_update_one_with_opts(bulk, &query, &pipeline, opts, &error);
	bson_destroy(&pipeline);
	bson_destroy(&query);
	bson_destroy(opts);
	return ok ? 0 : etl_mongo_error(err, &error, NULL);
}

static int skip_windows(struct etl_effort *e, mongoc_collection_t *windows, struct etl_error *err)
{
	mongoc_bulk_operation_t *bulk =
		mongoc_collection_create_bulk_operation_with_opts(windows, e->opts);
	int rc = 0;

	for (size_t i = 0; i < slice_of(e)->n && rc == 0; i++) {
		struct etl_unit_key unit = etl_slice_unit(slice_of(e), i);

		rc = add_skip(e, bulk, &unit, err);
	}
	if (rc == 0)
		rc = etl_state_run_bulk(bulk, err);
	mongoc_bulk_operation_destroy(bulk);
	/* an upstream job's mark made the same entry */
	if (rc < 0 && err->status == ETL_SMDB_DUPLICATE)
		etl_error_set(err, ETL_TRANSIENT, "txn.retry",
			"a window was made by somebody else at the same time");
	return rc;
}

/* {_id: {$in: [...]}} */
static bson_t *slice_query(const struct etl_effort *e)
{
	bson_t *query = bson_new();
	bson_t sub, list, one;
	bson_iter_t it;
	char key[16];

	BSON_APPEND_DOCUMENT_BEGIN(query, "_id", &sub);
	BSON_APPEND_ARRAY_BEGIN(&sub, "$in", &list);
	for (size_t i = 0; i < slice_of(e)->n; i++) {
		struct etl_unit_key unit = etl_slice_unit(slice_of(e), i);

		bson_init(&one);
		etl_ledger_append_unit(&one, e->job, e->partition, &unit);
		bson_snprintf(key, sizeof key, "%zu", i);
		if (bson_iter_init_find(&it, &one, "_id"))
			bson_append_iter(&list, key, -1, &it);
		bson_destroy(&one);
	}
	bson_append_array_end(&sub, &list);
	bson_append_document_end(query, &sub);
	return query;
}

static int update_many(struct etl_effort *e, mongoc_collection_t *windows, const bson_t *query,
	bson_t *fields, struct etl_error *err)
{
	bson_t pipeline, reply;
	bson_error_t error;
	int rc = 0;

	replace_pipeline(&pipeline, fields);
	if (!mongoc_collection_update_many(windows, query, &pipeline, e->opts, &reply, &error))
		rc = etl_mongo_error(err, &error, &reply);
	bson_destroy(&reply);
	bson_destroy(&pipeline);
	return rc;
}

/* Only closed windows are opened: a repeat of the slice finds them pending and pushes no second
 * `was`. */
static int open_windows(struct etl_effort *e, mongoc_collection_t *windows, struct etl_error *err)
{
	bson_t *query = slice_query(e);
	bson_t words = BSON_INITIALIZER;
	int rc;

	etl_state_append_words(&words, true);
	BCON_APPEND(query, "state", "{", "$in", BCON_ARRAY(&words), "}");
	rc = update_many(e, windows, query, touched_fields(e, ETL_WINDOW_PENDING), err);
	bson_destroy(&words);
	bson_destroy(query);
	return rc;
}

/* Those of the slice that this change has not touched: a repeat pushes no second `was`. */
static bson_t *untouched_query(const struct etl_effort *e)
{
	bson_t *query = slice_query(e);

	BCON_APPEND(query, "change_id", "{", "$ne", BCON_UTF8(change_of(e)->id), "}");
	return query;
}

/* Closed windows whose newer content is held: `fields` change them as they are. Takes `fields`. */
static int update_closed_held(struct etl_effort *e, mongoc_collection_t *windows, bson_t *fields,
	struct etl_error *err)
{
	bson_t *query = untouched_query(e);
	int rc;

	BCON_APPEND(query, "dirty", BCON_BOOL(true), "held.0", "{", "$exists", BCON_BOOL(true), "}", "state",
		"{", "$in", "[", BCON_UTF8(etl_window_state_word(ETL_WINDOW_LOADED)),
		BCON_UTF8(etl_window_state_word(ETL_WINDOW_EMPTY)), "]", "}");
	rc = update_many(e, windows, query, fields, err);
	bson_destroy(query);
	return rc;
}

static void append_waiver(bson_t *fields, const struct etl_held *held)
{
	bson_t waiver = BSON_INITIALIZER, literal = BSON_INITIALIZER;
	bson_iter_t it;

	etl_waiver_to_bson(held, &waiver);
	if (bson_iter_init_find(&it, &waiver, "waiver"))
		bson_append_iter(&literal, "$literal", -1, &it);
	BSON_APPEND_DOCUMENT(fields, "waiver", &literal);
	bson_destroy(&literal);
	bson_destroy(&waiver);
}

/* A waiver belongs to the content that was held, and is replaced with the entry. */
static int release_windows(struct etl_effort *e, mongoc_collection_t *windows, struct etl_error *err)
{
	bool free_now = etl_held_is_free(slice_of(e)->held);
	bson_t *fields = touched_fields(e, free_now ? ETL_WINDOW_PENDING : ETL_WINDOW_HELD);
	bson_t *closed = touched_as_it_is(e), *query = untouched_query(e);
	int rc;

	BSON_APPEND_UTF8(query, "state", etl_window_state_word(ETL_WINDOW_HELD));
	append_waiver(fields, slice_of(e)->held);
	append_waiver(closed, slice_of(e)->held);
	rc = update_many(e, windows, query, fields, err);
	bson_destroy(query);
	if (rc == 0)
		return update_closed_held(e, windows, closed, err);
	bson_destroy(closed);
	return rc;
}

/* What is held becomes skipped; where only newer content is, the window stays what it is and is asked
 * for no more. */
static int discard_windows(struct etl_effort *e, mongoc_collection_t *windows, struct etl_error *err)
{
	bson_t *fields = touched_as_it_is(e);

	BSON_APPEND_BOOL(fields, "dirty", false);
	if (update_closed_held(e, windows, fields, err) < 0)
		return -1;
	return skip_windows(e, windows, err);
}

/* Entries that the change made are removed again. One that was marked meanwhile stays, pending:
 * the mark says that a dependant has to read it. */
static int remove_made(struct etl_effort *e, mongoc_collection_t *windows, struct etl_error *err)
{
	bson_t *query = slice_query(e);
	bson_error_t error;
	bson_t reply;
	int rc = 0;

	BCON_APPEND(query, "change_id", BCON_UTF8(change_of(e)->undoes), "was.0.state", "absent",
		"dirty", BCON_BOOL(false));
	if (!mongoc_collection_delete_many(windows, query, e->opts, &reply, &error))
		rc = etl_mongo_error(err, &error, &reply);
	bson_destroy(&reply);
	bson_destroy(query);
	return rc;
}

static int reopen_marked(struct etl_effort *e, mongoc_collection_t *windows, struct etl_error *err)
{
	bson_t *query = slice_query(e);
	bson_t *fields = BCON_NEW("state",
		BCON_UTF8(etl_window_state_word(ETL_WINDOW_PENDING)), "fence",
		BCON_INT64(slice_of(e)->fence), "updated_at", BCON_DATE_TIME(e->now.ms), "change_id",
		"", "was", "[", "]");
	int rc;

	BCON_APPEND(query, "change_id", BCON_UTF8(change_of(e)->undoes), "was.0.state", "absent");
	rc = update_many(e, windows, query, fields, err);
	bson_destroy(query);
	return rc;
}

/* An entry that had no waiver gets none back, not even a field that says null. */
static int drop_no_waivers(struct etl_effort *e, mongoc_collection_t *windows, struct etl_error *err)
{
	bson_t *query = slice_query(e);
	bson_t *update = BCON_NEW("$unset", "{", "waiver", "", "}");
	bson_error_t error;
	bson_t reply;
	int rc = 0;

	BCON_APPEND(query, "waiver", "{", "$type", "null", "}");
	if (!mongoc_collection_update_many(windows, query, update, e->opts, &reply, &error))
		rc = etl_mongo_error(err, &error, &reply);
	bson_destroy(&reply);
	bson_destroy(update);
	bson_destroy(query);
	return rc;
}

static int restore_windows(struct etl_effort *e, mongoc_collection_t *windows, struct etl_error *err)
{
	bson_t *query;
	int rc;

	if (remove_made(e, windows, err) < 0 || reopen_marked(e, windows, err) < 0)
		return -1;
	query = slice_query(e);
	BCON_APPEND(query, "change_id", BCON_UTF8(change_of(e)->undoes), "was.0", "{", "$exists",
		BCON_BOOL(true), "}");
	rc = update_many(e, windows, query, restored_fields(e), err);
	bson_destroy(query);
	return rc == 0 ? drop_no_waivers(e, windows, err) : rc;
}

static int write_ledger(struct etl_effort *e, struct etl_error *err)
{
	mongoc_collection_t *windows;
	int rc = -1;

	if (!slice_of(e)->n)
		return 0;
	windows = etl_effort_collection(e, "windows");
	switch (change_of(e)->kind) {
	case ETL_CHANGE_SET:
	case ETL_CHANGE_ACCEPT:
		rc = skip_windows(e, windows, err);
		break;
	case ETL_CHANGE_DISCARD:
		rc = discard_windows(e, windows, err);
		break;
	case ETL_CHANGE_REWIND:
		rc = open_windows(e, windows, err);
		break;
	case ETL_CHANGE_RELEASE:
		rc = release_windows(e, windows, err);
		break;
	case ETL_CHANGE_UNDO:
	case ETL_CHANGE_KIND_MAX:
		rc = restore_windows(e, windows, err);
		break;
	}
	mongoc_collection_destroy(windows);
	return rc;
}

/* ---- watermark and change ---------------------------------------------------------------- */

/* The one place where a watermark may go back. The filter holds the value that was read, next
 * to the fence: two changes that were planned from the same watermark cannot both take effect. */
static int write_watermark(struct etl_effort *e, struct etl_error *err)
{
	bson_t *update = BCON_NEW("$set", "{", "last_processed", BCON_DATE_TIME(change_of(e)->reached.ms),
		"updated_at", BCON_DATE_TIME(e->now.ms), "run_id", "", "commit_id", BCON_UTF8(e->commit_id),
		"}");
	int rc = etl_effort_watermark(e, slice_of(e)->fence, &slice_of(e)->expected, update, err);

	bson_destroy(update);
	return rc == 0 ? moved_on(e, err) : rc < 0 ? -1 : 0;
}

/* `undone_by` belongs to the undo: it is made empty once and not touched again here. Otherwise
 * a slice that is repeated after a lost answer could wipe out the word of an undo. */
static int save_change(mongoc_collection_t *changes, const struct etl_change *change,
	const bson_t *opts, struct etl_error *err)
{
	bson_t doc = BSON_INITIALIZER, set = BSON_INITIALIZER, upsert = BSON_INITIALIZER;
	bson_t *query = BCON_NEW("_id", BCON_UTF8(change->id)), *update;
	bool matched;
	int rc;

	etl_changes.encode(change, &doc);
	bson_copy_to_excluding_noinit(&doc, &set, "_id", "undone_by", NULL);
	update = BCON_NEW("$set", BCON_DOCUMENT(&set), "$setOnInsert", "{", "undone_by", "", "}");
	if (opts)
		bson_concat(&upsert, opts);
	BSON_APPEND_BOOL(&upsert, "upsert", true);
	rc = etl_state_update_one(changes, query, update, &upsert, &matched, err);
	bson_destroy(update);
	bson_destroy(query);
	bson_destroy(&upsert);
	bson_destroy(&set);
	bson_destroy(&doc);
	return rc;
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

static int write_change(struct etl_effort *e, const struct etl_change *change, struct etl_error *err)
{
	mongoc_collection_t *changes = etl_effort_collection(e, etl_changes.name);
	int rc = save_change(changes, change, e->opts, err);

	if (rc == 0 && change->kind == ETL_CHANGE_UNDO && change->done)
		rc = mark_undone(changes, change, e->opts, err);
	mongoc_collection_destroy(changes);
	return rc;
}

/* ---- the slice --------------------------------------------------------------------------- */

/* The watermark first, as in a commit: a change that lost its fence ends before it touches the
 * ledger. */
static int write_at_once(struct etl_effort *e, struct etl_error *err)
{
	if (write_watermark(e, err) < 0 || write_change(e, change_of(e), err) < 0 || write_ledger(e, err) < 0)
		return -1;
	return etl_fault("change.before", err);
}

static int need_fence(struct etl_effort *e, struct etl_error *err)
{
	struct etl_watermark now = {0};
	int rc = etl_smdb_watermark_get(&e->store->base, e->job, e->partition,
		&now, err);

	if (rc < 0)
		return -1;
	if (rc == 0 || now.fence != slice_of(e)->fence ||
		now.processed.ms != slice_of(e)->expected.ms)
		return moved_on(e, err);
	return 0;
}

/* The law of slices without transactions: the watermark never says more than the ledger does,
 * so it goes back before the ledger and forward after it. Example: a rewind from 10:00 to
 * 08:00. The watermark is set to 08:00, then 09:00 and 08:00 become pending. If etld dies
 * between the two, the ledger is still closed up to 10:00, the next run moves the watermark
 * there again, and the rewind has not happened. In the other order the watermark would say
 * 10:00 over two windows that are pending. The change's document comes first, as not done, so
 * that what was begun is on record. */
static int write_in_steps(struct etl_effort *e, struct etl_error *err)
{
	struct etl_change begun = *change_of(e);
	bool back = change_of(e)->reached.ms < slice_of(e)->expected.ms;

	begun.done = false;
	begun.windows -= (int64_t)slice_of(e)->n;
	begun.reached = slice_of(e)->expected;
	if (write_change(e, &begun, err) < 0)
		return -1;
	if (back && (write_watermark(e, err) < 0 || etl_fault("change.step", err) < 0))
		return -1;
	if (write_ledger(e, err) < 0 || etl_fault("change.before", err) < 0)
		return -1;
	if (!back && write_watermark(e, err) < 0)
		return -1;
	return write_change(e, change_of(e), err);
}

/* One try, on which no worker waits long: whoever asked tries again, by a timer. A try whose
 * answer was lost may have taken effect: the watermark then bears its id, and is no longer the
 * expected one, so that the repeat ends as a conflict that is none. */
int etl_smdb_change_apply(struct etl_state *s, const struct etl_change_slice *slice,
	struct etl_error *err)
{
	struct etl_effort e = {.store = etl_state_mongodb(s), .job = slice->change->job,
		.partition = slice->change->partition, .what = slice, .after = "change.after",
		.patience = CHANGE_PATIENCE, .now = etl_now(s->clock)};
	struct etl_error ignored = ETL_ERROR_INIT; /* it is a conflict then */
	struct etl_txn *txn;

	if (slice->commit_id)
		etl_text_copy(e.commit_id, sizeof e.commit_id, slice->commit_id);
	else
		etl_uuid7(e.now.ms, e.commit_id);
	if (etl_smdb_begin(s, &txn, err) < 0)
		return -1;
	e.write = txn ? write_at_once : write_in_steps;
	if (!txn && need_fence(&e, err) < 0)
		return -1;
	if (etl_smdb_transact(&e, txn, err) == 0)
		return 0;
	if (!txn || err->kind != ETL_CONFLICT || etl_effort_is_in(&e, &ignored) != 1)
		return -1;
	etl_error_clear(err);
	return 0;
}
