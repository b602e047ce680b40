/* SPDX-License-Identifier: MIT
 *
 * The commit of a slice: ledger, watermark and dirty marks, guarded by the fence, in the
 * transaction that already holds the data. The only writer of watermarks besides an operator's
 * change (state_mongodb_change.c). Without transactions the data is in already; then the
 * ledger, then the watermark. Writes no data itself.
 *
 * The law of the fence: the partition's watermark bears the fence of the run that claimed it
 * last, and each write here names its own. Example: etld A holds the job with fence 7 and
 * stalls for a minute; its lease runs out, etld B takes the job with fence 8 and claims the
 * partition. When A goes on, its update asks for fence 7, matches nothing and ends as
 * `state.fenced`; what it read is thrown away.
 */
#include <string.h>

#include "base/fault.h"
#include "base/uuid.h"
#include "state/ledger_doc.h"
#include "state/mongodb.h"
#include "time/clock.h"

#define COMMIT_PATIENCE ETL_SECONDS(120)

static const struct etl_commit *commit_of(const struct etl_effort *e)
{
	return e->what;
}

static int fenced(const struct etl_effort *e, struct etl_error *err)
{
	return etl_error_set(err, ETL_CONFLICT, "state.fenced",
		"partition '%s' of job '%s' has moved on from fence %lld", e->partition, e->job,
		(long long)commit_of(e)->fence);
}

/* $max: a run never moves a watermark back, whatever it computed. Example: it planned from
 * 10:00, and an operator's set has moved the watermark to 12:00 since: the run's 11:00 changes
 * nothing. */
static void watermark_update(const struct etl_effort *e, bson_t *update)
{
	const struct etl_commit *c = commit_of(e);
	bson_t sub;

	BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &sub);
	BSON_APPEND_UTF8(&sub, "job_name", c->job);
	BSON_APPEND_UTF8(&sub, "partition", c->partition);
	BSON_APPEND_DATE_TIME(&sub, "origin", c->origin.ms);
	BSON_APPEND_DATE_TIME(&sub, "updated_at", e->now.ms);
	BSON_APPEND_UTF8(&sub, "run_id", c->run_id);
	BSON_APPEND_INT64(&sub, "fence", c->fence);
	BSON_APPEND_INT64(&sub, "window_ms", c->window_ms);
	BSON_APPEND_UTF8(&sub, "commit_id", e->commit_id);
	if (c->targets)
		etl_targets_append(c->targets, &sub);
	bson_append_document_end(update, &sub);
	BSON_APPEND_DOCUMENT_BEGIN(update, "$max", &sub);
	BSON_APPEND_DATE_TIME(&sub, "last_processed", c->watermark.ms);
	bson_append_document_end(update, &sub);
}

/* Updates the partition's watermark as long as it bears our fence. Takes what `update` holds. */
static int update_watermark(struct etl_effort *e, bson_t *update, struct etl_error *err)
{
	int rc = etl_effort_watermark(e, commit_of(e)->fence, NULL, update, err);

	bson_destroy(update);
	return rc == 0 ? fenced(e, err) : rc < 0 ? -1 : 0;
}

static int move_watermark(struct etl_effort *e, struct etl_error *err)
{
	bson_t update = BSON_INITIALIZER;

	watermark_update(e, &update);
	return update_watermark(e, &update, err);
}

/* Without transactions the targets go first: a crash between the two writes must not leave a
 * closed window of which nobody knows into which collection it was loaded. An open window with
 * a target too many does no harm. The write also checks the fence, before the ledger is
 * touched. */
static int note_targets(struct etl_effort *e, struct etl_error *err)
{
	bson_t update = BSON_INITIALIZER, set;

	BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &set);
	etl_targets_append(commit_of(e)->targets, &set);
	bson_append_document_end(&update, &set);
	return update_watermark(e, &update, err);
}

/* The law of dirty marks: a commit clears the mark that its plan has seen, and no other. What
 * the run read may be older than a mark that came after the plan. Example: job `daily` has
 * planned 1 May with the mark T1 and is reading; job `hourly`, which it depends on, commits a
 * late window and marks 1 May with T2. The commit of `daily` writes 1 May as loaded, and keeps
 * T2: the window stays dirty and is read again.
 *
 * {$cond: [{$and: ["$dirty", {$ne: ["$dirty_token", seen]}]},
 * 	{dirty: true, dirty_token: "$dirty_token", reason: "$reason"}, {}]} */
static void append_unseen_mark(bson_t *parts, const char *seen)
{
	bson_t *keep = BCON_NEW("$cond", "[", "{", "$and", "[", "$dirty", "{", "$ne", "[",
		"$dirty_token", BCON_UTF8(seen), "]", "}", "]", "}",
		"{", "dirty", BCON_BOOL(true), "dirty_token", "$dirty_token", "reason", "$reason",
		"}", "{", "}", "]");

	BSON_APPEND_DOCUMENT(parts, "1", keep);
	bson_destroy(keep);
}

/* The whole entry is replaced, but for an unseen mark: an earlier `writer`, change or waiver is
 * of content that this commit has overwritten. */
static void entry_pipeline(struct etl_effort *e, const struct etl_ledger_entry *entry, bson_t *out)
{
	bson_t fresh = BSON_INITIALIZER, body = BSON_INITIALIZER;
	bson_t parts, literal;

	etl_ledger_to_bson(commit_of(e)->job, commit_of(e)->partition, entry, &fresh);
	BSON_APPEND_ARRAY_BEGIN(&body, "$mergeObjects", &parts);
	BSON_APPEND_DOCUMENT_BEGIN(&parts, "0", &literal);
	BSON_APPEND_DOCUMENT(&literal, "$literal", &fresh);
	bson_append_document_end(&parts, &literal);
	append_unseen_mark(&parts, entry->dirty_token);
	bson_append_array_end(&body, &parts);
	etl_state_pipeline(out, "$replaceWith", &body);
	bson_destroy(&fresh);
	bson_destroy(&body);
}

/* The filter matches the entry unless it bears a later fence. An entry of a later fence is not
 * matched, the upsert tries to insert, and the unique _id refuses it with 11000: that is how a
 * fenced run learns of it without a read before each write. */
static int add_entry(struct etl_effort *e, mongoc_bulk_operation_t *bulk,
	const struct etl_ledger_entry *given, struct etl_error *err)
{
	bson_t *opts = etl_state_upserts();
	struct etl_ledger_entry entry = *given;
	struct etl_unit_key key = etl_entry_key(given);
	bson_t query = BSON_INITIALIZER;
	bson_t pipeline, sub;
	bson_error_t error;
	bool ok;

	entry.fence = commit_of(e)->fence;
	etl_ledger_append_unit(&query, commit_of(e)->job, commit_of(e)->partition, &key);
	BSON_APPEND_DOCUMENT_BEGIN(&query, "fence", &sub);
	BSON_APPEND_INT64(&sub, "$lte", commit_of(e)->fence);
	bson_append_document_end(&query, &sub);
	entry_pipeline(e, &entry, &pipeline);
	ok = mongoc_bulk_operation_update_one_with_opts(bulk, &query, &pipeline, opts, &error);
	bson_destroy(&pipeline);
	bson_destroy(&query);
	bson_destroy(opts);
	return ok ? 0 : etl_mongo_error(err, &error, NULL);
}

static int write_ledger_once(struct etl_effort *e, struct etl_error *err)
{
	mongoc_collection_t *windows;
	mongoc_bulk_operation_t *bulk;
	int rc = 0;

	if (commit_of(e)->n_entries == 0)
		return 0;
	windows = etl_effort_collection(e, "windows");
	bulk = mongoc_collection_create_bulk_operation_with_opts(windows, e->opts);
	for (size_t i = 0; i < commit_of(e)->n_entries && rc == 0; i++)
		rc = etl_ledger_need_token(&commit_of(e)->entries[i], err);
	for (size_t i = 0; i < commit_of(e)->n_entries && rc == 0; i++)
		rc = add_entry(e, bulk, &commit_of(e)->entries[i], err);
	if (rc == 0)
		rc = etl_state_run_bulk(bulk, err);
	mongoc_bulk_operation_destroy(bulk);
	mongoc_collection_destroy(windows);
	return rc;
}

/* Outside of a transaction 11000 may also mean that two upserts of one new entry met (an
 * upstream job's mark came at the same moment): then the entry is there the second time, and
 * the update matches it. Within a transaction the server ends the whole of it, and the slice is
 * done again. */
static int write_ledger(struct etl_effort *e, struct etl_error *err)
{
	int rc = write_ledger_once(e, err);

	if (rc < 0 && !e->opts && etl_smdb_met_another(err))
		rc = write_ledger_once(e, err);
	if (rc < 0 && err->status == ETL_SMDB_DUPLICATE)
		return fenced(e, err);
	return rc;
}

/* Marks a window of a dependent job. An entry that is there gets the mark and keeps its state.
 * An entry that is not there is made, pending and marked: the dependant's first run may be
 * reading this very window right now, and would otherwise commit old content that nothing
 * marks. */
static int add_mark(struct etl_effort *e, mongoc_bulk_operation_t *bulk,
	const struct etl_dirty_mark *mark, const char *reason, struct etl_error *err)
{
	struct etl_ledger_entry pending = {.window = mark->window, .updated = e->now};
	bson_t *opts = etl_state_upserts();
	bson_t query = BSON_INITIALIZER, update = BSON_INITIALIZER, fresh = BSON_INITIALIZER;
	bson_error_t error;
	bson_t sub;
	bool ok;

	etl_ledger_append_id(&query, mark->job, mark->partition, &mark->window.start);
	BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &sub);
	BSON_APPEND_BOOL(&sub, "dirty", true);
	BSON_APPEND_UTF8(&sub, "dirty_token", e->commit_id);
	BSON_APPEND_UTF8(&sub, "reason", reason);
	bson_append_document_end(&update, &sub);
	etl_ledger_to_bson(mark->job, mark->partition, &pending, &fresh);
	BSON_APPEND_DOCUMENT_BEGIN(&update, "$setOnInsert", &sub);
	bson_copy_to_excluding_noinit(
		&fresh, &sub, "_id", "dirty", "dirty_token", "reason", NULL);
	bson_append_document_end(&update, &sub);
	ok = mongoc_bulk_operation_update_one_with_opts(bulk, &query, &update, opts, &error);
	bson_destroy(&fresh);
	bson_destroy(&update);
	bson_destroy(&query);
	bson_destroy(opts);
	return ok ? 0 : etl_mongo_error(err, &error, NULL);
}

static int mark_once(struct etl_effort *e, struct etl_error *err)
{
	mongoc_collection_t *windows = etl_effort_collection(e, "windows");
	mongoc_bulk_operation_t *bulk =
		mongoc_collection_create_bulk_operation_with_opts(windows, e->opts);
	char reason[ETL_REASON_MAX];
	int rc = 0;

	bson_snprintf(reason, sizeof reason, "upstream job '%s' changed this window", commit_of(e)->job);
	for (size_t i = 0; i < commit_of(e)->n_dirty && rc == 0; i++)
		rc = add_mark(e, bulk, &commit_of(e)->dirty[i], reason, err);
	if (rc == 0)
		rc = etl_state_run_bulk(bulk, err);
	mongoc_bulk_operation_destroy(bulk);
	mongoc_collection_destroy(windows);
	return rc;
}

static int mark_all_dirty(struct etl_effort *e, struct etl_error *err)
{
	int rc = commit_of(e)->n_dirty ? mark_once(e, err) : 0;

	if (rc < 0 && !e->opts && etl_smdb_met_another(err))
		rc = mark_once(e, err);
	return rc;
}

/* The law of commit with transactions: data, ledger, marks and watermark take effect together.
 * Example: a run loads 10:00 to 11:00. Killed before the commit, nothing is in, not even the
 * data: the window is read again. Killed after it, all of it is in.
 *
 * The watermark is written first: it is the one document that every run of the partition
 * writes, so a run that lost its fence ends here at once, and two runs meet in a conflict of
 * this document instead of in the middle of the ledger. */
static int write_at_once(struct etl_effort *e, struct etl_error *err)
{
	if (move_watermark(e, err) < 0 || write_ledger(e, err) < 0 || mark_all_dirty(e, err) < 0)
		return -1;
	return etl_fault("txn.before", err);
}

/* True if the partition still bears our fence. Read before the first write where no target has
 * to be noted. */
static int need_fence(struct etl_effort *e, struct etl_error *err)
{
	struct etl_watermark now = {0};
	int rc = etl_smdb_watermark_get(&e->store->base, e->job, e->partition, &now, err);

	if (rc < 0)
		return -1;
	return rc == 0 || now.fence != commit_of(e)->fence ? fenced(e, err) : 0;
}

/* The law of commit without transactions. The data is in the target already; what is written after
 * it goes from the least claim to the greatest, and the watermark, which speaks of all windows
 * below it, comes last. Each step is guarded by the fence and safe to repeat. Example: a run loads
 * 10:00 to 11:00 and is killed
 *
 *    before the marks        the window is open: it is read again, and the records replace themselves
 *    before the ledger       the same; a dependant's day is marked once too often. The other way round
 *                            10:00 would be closed with its hash, the next reading would find nothing
 *                            changed, and nobody would ever mark that day
 *    before the watermark    the window is closed and the watermark says 10:00: nothing is wrong, and
 *                            the next run moves it to 11:00 without reading the window again */
static int write_in_steps(struct etl_effort *e, struct etl_error *err)
{
	int rc = commit_of(e)->targets ? note_targets(e, err) : 0;

	if (rc == 0)
		rc = mark_all_dirty(e, err);
	if (rc == 0)
		rc = write_ledger(e, err);
	if (rc == 0)
		rc = etl_fault("txn.before", err);
	return rc == 0 ? move_watermark(e, err) : rc;
}

/* The commit's id goes into the watermark, where etl_effort_is_in looks for it after a lost
 * answer. */
int etl_smdb_commit(struct etl_state *s, struct etl_txn *txn, const struct etl_commit *c,
	struct etl_error *err)
{
	struct etl_effort e = {.store = etl_state_mongodb(s), .job = c->job, .partition = c->partition,
		.what = c, .write = txn ? write_at_once : write_in_steps, .after = "txn.after",
		.patience = COMMIT_PATIENCE, .now = etl_now(s->clock)};

	etl_uuid7(e.now.ms, e.commit_id);
	if (!txn && !c->targets && need_fence(&e, err) < 0)
		return -1;
	return etl_smdb_transact(&e, txn, err);
}
