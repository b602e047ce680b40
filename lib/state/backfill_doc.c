/* SPDX-License-Identifier: MIT
 *
 * Backfills to documents and back, and their words.
 */
#include "state/backfill_doc.h"

#include "base/str.h"
#include "state/doc_read.h"

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

bool etl_reprocess_parse(const char *word, enum etl_reprocess *out)
{
	for (int i = 0; i < ETL_REPROCESS_MAX; i++)
		if (etl_streq(word, reprocess[i])) {
			*out = (enum etl_reprocess)i;
			return true;
		}
	return false;
}

bool etl_reprocess_wants(enum etl_reprocess r, bool entry, enum etl_window_state state)
{
	switch (r) {
	case ETL_REPROCESS_FAILED:
		if (entry && (state == ETL_WINDOW_FAILED || state == ETL_WINDOW_HELD))
			return true;
		/* fall through */
	case ETL_REPROCESS_MISSING:
		return !entry || state == ETL_WINDOW_PENDING || state == ETL_WINDOW_RUNNING ||
			state == ETL_WINDOW_SKIPPED;
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

void etl_backfill_to_bson(const struct etl_backfill *b, bson_t *out)
{
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

int etl_backfill_has_ended(const struct etl_backfill *b, struct etl_error *err)
{
	return etl_error_set(err, ETL_CONFLICT, "backfill.ended", "backfill %s of job '%s' has ended", b->id,
		b->job);
}

static enum etl_backfill_state state_of(const char *word)
{
	for (int i = 0; i < ETL_BACKFILL_STATE_MAX; i++)
		if (etl_streq(word, states[i]))
			return (enum etl_backfill_state)i;
	return ETL_BACKFILL_FAILED;
}

void etl_backfill_from_bson(const bson_t *doc, struct etl_backfill *out)
{
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
}
