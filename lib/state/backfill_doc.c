/* SPDX-License-Identifier: MIT
 *
 * Backfills to documents and back, their row, their words, and what may become of one that runs.
 *
 * A backfill is an operator's wish to load a range again, and how far it has come. As a document:
 *
 *   {_id: <uuid>, job: "orders", partition: "", from: <date>, to: <date>, order: "oldest",
 *    reprocess: "failed", rate: 2.0, state: "running", at: <date>, pieces: 4, attempt: 1,
 *    windows: {wanted: 744, done: 96, failed: 0, unrecoverable: 0, blocked: 0},
 *    who: "anna", reason: "", created_at: ..., updated_at: ...}
 *
 * `etlctl backfills` prints one line for each that is under way. It is the only thing that an etld
 * needs to go on with a backfill that another has begun: `at` is where.
 */
#include "base/str.h"
#include "state/doc_read.h"
#include "state/state.h"

static const char *const reprocess[] = {
#define X(id, word, help) [ETL_REPROCESS_##id] = word,
	ETL_REPROCESS(X)
#undef X
};

static const char *const states[] = {
#define X(id, word) [ETL_BACKFILL_##id] = word,
	ETL_BACKFILL_STATES(X)
#undef X
};

const char *etl_reprocess_word(enum etl_reprocess r)
{
	return reprocess[r];
}

/* False: not one of ours, and `out` is as it was. */
bool etl_reprocess_parse(const char *word, enum etl_reprocess *out)
{
	for (int i = 0; i < ETL_REPROCESS_MAX; i++)
		if (etl_streq(word, reprocess[i])) {
			*out = (enum etl_reprocess)i;
			return true;
		}
	return false;
}

/* Each word wants what the one before wants and more:
 *
 *   unit is           missing   failed   all
 *   not there, open   yes       yes      yes
 *   skipped           yes       yes      yes
 *   failed, held      no        yes      yes
 *   loaded, empty,
 *   unrecoverable     no        no       yes
 *
 * "failed" falls through to "missing" for that reason. The word stale stands beside them: it wants
 * closed units that another definition made, or that are elsewhere. */
bool etl_reprocess_wants(enum etl_reprocess r, bool entry, enum etl_window_state state, bool stale)
{
	switch (r) {
	case ETL_REPROCESS_FAILED:
		if (entry && (state == ETL_WINDOW_FAILED || state == ETL_WINDOW_HELD))
			return true;
		/* fall through */
	case ETL_REPROCESS_MISSING:
		return !entry || state == ETL_WINDOW_PENDING || state == ETL_WINDOW_RUNNING ||
			state == ETL_WINDOW_SKIPPED;
	case ETL_REPROCESS_STALE:
		return entry && stale;
	case ETL_REPROCESS_ALL:
	case ETL_REPROCESS_MAX:
		break;
	}
	return true;
}

const char *etl_backfill_state_word(enum etl_backfill_state state)
{
	return states[state];
}

/* The counts are of units; `pieces` of runs that were made of them. */
static void put_progress(bson_t *out, const struct etl_backfill *b)
{
	bson_t part;

	BSON_APPEND_DOCUMENT_BEGIN(out, "windows", &part);
	BSON_APPEND_INT64(&part, "wanted", (int64_t)b->windows);
	BSON_APPEND_INT64(&part, "done", (int64_t)b->done);
	BSON_APPEND_INT64(&part, "failed", (int64_t)b->failed);
	BSON_APPEND_INT64(&part, "unrecoverable", (int64_t)b->lost);
	BSON_APPEND_INT64(&part, "blocked", (int64_t)b->blocked);
	bson_append_document_end(out, &part);
	BSON_APPEND_INT64(out, "pieces", (int64_t)b->pieces);
	BSON_APPEND_INT64(out, "attempt", b->attempt);
	etl_doc_put_date(out, "at", b->at);
}

static void encode(const void *thing, bson_t *out)
{
	const struct etl_backfill *b = thing;

	BSON_APPEND_UTF8(out, "_id", b->id);
	BSON_APPEND_UTF8(out, "job", b->job);
	BSON_APPEND_UTF8(out, "partition", b->partition);
	BSON_APPEND_DATE_TIME(out, "from", b->range.start.ms);
	BSON_APPEND_DATE_TIME(out, "to", b->range.end.ms);
	BSON_APPEND_UTF8(out, "order", b->newest_first ? "newest" : "oldest");
	BSON_APPEND_UTF8(out, "reprocess", etl_reprocess_word(b->reprocess));
	BSON_APPEND_DOUBLE(out, "rate", b->rate);
	BSON_APPEND_UTF8(out, "state", etl_backfill_state_word(b->state));
	put_progress(out, b);
	BSON_APPEND_UTF8(out, "who", b->who);
	BSON_APPEND_UTF8(out, "reason", b->reason);
	etl_doc_put_date(out, "created_at", b->created);
	etl_doc_put_date(out, "updated_at", b->updated);
	etl_doc_put_date(out, "ended_at", b->ended);
}

/* A word that we do not know is of a newer etld. FAILED is the state that nobody goes on with and
 * everybody sees. */
static enum etl_backfill_state state_of(const char *word)
{
	for (int i = 0; i < ETL_BACKFILL_STATE_MAX; i++)
		if (etl_streq(word, states[i]))
			return (enum etl_backfill_state)i;
	return ETL_BACKFILL_FAILED;
}

/* A backfill whose `reprocess` cannot be read does the least. */
static int decode(const bson_t *doc, void *thing, struct etl_error *err)
{
	struct etl_backfill *out = thing;

	(void)err;
	*out = (struct etl_backfill){
		.range = {etl_doc_date(doc, "from"), etl_doc_date(doc, "to")},
		.newest_first = etl_streq(etl_doc_text(doc, "order"), "newest"),
		.rate = etl_doc_double(doc, "rate"),
		.state = state_of(etl_doc_text(doc, "state")),
		.at = etl_doc_date(doc, "at"),
		.windows = (uint64_t)etl_doc_int(doc, "windows.wanted"),
		.done = (uint64_t)etl_doc_int(doc, "windows.done"),
		.failed = (uint64_t)etl_doc_int(doc, "windows.failed"),
		.lost = (uint64_t)etl_doc_int(doc, "windows.unrecoverable"),
		.blocked = (uint64_t)etl_doc_int(doc, "windows.blocked"),
		.pieces = (uint64_t)etl_doc_int(doc, "pieces"),
		.attempt = etl_doc_int(doc, "attempt"),
		.created = etl_doc_date(doc, "created_at"),
		.updated = etl_doc_date(doc, "updated_at"),
		.ended = etl_doc_date(doc, "ended_at"),
	};
	etl_text_copy(out->id, sizeof out->id, etl_doc_text(doc, "_id"));
	etl_text_copy(out->job, sizeof out->job, etl_doc_text(doc, "job"));
	etl_text_copy(out->partition, sizeof out->partition, etl_doc_text(doc, "partition"));
	etl_text_copy(out->who, sizeof out->who, etl_doc_text(doc, "who"));
	etl_text_copy(out->reason, sizeof out->reason, etl_doc_text(doc, "reason"));
	if (!etl_reprocess_parse(etl_doc_text(doc, "reprocess"), &out->reprocess))
		out->reprocess = ETL_REPROCESS_MISSING;
	return 1;
}

const struct etl_collection etl_backfills = {
	.name = "backfills",
	.newest_by = "created_at",
	.indexes = {
		{"job_created", {{"job", 1}, {"created_at", -1}}},
		{"keep", {{"ended_at", 1}}, .keep_days = 90},
	},
	.encode = encode,
	.decode = decode,
	.size = sizeof(struct etl_backfill),
};

/* The condition of every change: one that has ended stays ended. Example: an operator cancels while
 * a piece is under way; the piece's save of its progress then finds "cancelled" and is refused. */
static struct etl_equal running(void)
{
	return (struct etl_equal){"state", states[ETL_BACKFILL_RUNNING]};
}

/* New ones are saved by it as well: put_if writes what is not there. */
int etl_backfill_save(struct etl_state *s, const struct etl_backfill *b, struct etl_error *err)
{
	const struct etl_equal when = running();
	bson_t doc = BSON_INITIALIZER;
	int rc;

	encode(b, &doc);
	rc = s->ops->put_if(s, &etl_backfills, &doc, &when, err);
	bson_destroy(&doc);
	if (rc == 0)
		return etl_error_set(err, ETL_CONFLICT, "backfill.ended",
			"backfill %s of job '%s' has ended", b->id, b->job);
	return rc < 0 ? -1 : 0;
}

/* 1 = ended now; 0 = it had ended before or is not there, and how it had ended stays. */
int etl_backfill_end(struct etl_state *s, const char *id, enum etl_backfill_state state,
	const char *reason, etl_wall at, struct etl_error *err)
{
	const struct etl_equal when = running();
	bson_t *fields = BCON_NEW("state", BCON_UTF8(etl_backfill_state_word(state)), "reason",
		BCON_UTF8(reason), "updated_at", BCON_DATE_TIME(at.ms), "ended_at", BCON_DATE_TIME(at.ms));
	int rc = s->ops->update(s, &etl_backfills, id, &when, fields, err);

	bson_destroy(fields);
	return rc;
}

/* The newest first; `job` NULL is all. */
int etl_backfill_list(struct etl_state *s, const char *job, bool running_only, int limit,
	etl_thing_fn fn, void *ctx, struct etl_error *err)
{
	const struct etl_doc_query query = {.limit = limit,
		.equal = {{"job", job}, {"state", running_only ? running().text : NULL}}};

	return etl_doc_list(s, &etl_backfills, &query, fn, ctx, err);
}
