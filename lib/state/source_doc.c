/* SPDX-License-Identifier: MIT
 *
 * Hosts to documents and back, and their row. Other documents in `sources` are left alone: a host's
 * is one that has a breaker.
 *
 * What one etld has learnt of a host is what the others and the next start should know: that it
 * asked to be left alone until 10:15 (`hold_until`, by a Retry-After), or that it failed so often
 * that nobody asks it (`breaker`). 30 days without news, and it is forgotten.
 */
#include "base/str.h"
#include "state/doc_read.h"
#include "state/documents.h"

static void put_breaker(bson_t *out, const struct etl_source_breaker *breaker)
{
	bson_t part;

	BSON_APPEND_DOCUMENT_BEGIN(out, "breaker", &part);
	BSON_APPEND_UTF8(&part, "state", breaker->state);
	BSON_APPEND_INT64(&part, "failures", breaker->failures);
	BSON_APPEND_INT64(&part, "openings", breaker->openings);
	etl_doc_put_date(&part, "opened_at", breaker->opened);
	etl_doc_put_date(&part, "until", breaker->until);
	BSON_APPEND_UTF8(&part, "reason", breaker->reason);
	bson_append_document_end(out, &part);
}

static void encode(const void *thing, bson_t *out)
{
	const struct etl_source_state *source = thing;

	BSON_APPEND_UTF8(out, "_id", source->host);
	put_breaker(out, &source->breaker);
	etl_doc_put_date(out, "hold_until", source->hold_until);
	BSON_APPEND_UTF8(out, "hold_reason", source->hold_reason);
	etl_doc_put_date(out, "full_at", source->full_at);
	BSON_APPEND_DATE_TIME(out, "updated_at", source->updated.ms);
}

/* 0 = not a host's. A breaker with a word that we do not know is judged where it is used. */
static int decode(const bson_t *doc, void *thing, struct etl_error *err)
{
	struct etl_source_state *out = thing;
	struct etl_source_breaker *breaker = &out->breaker;

	(void)err;
	if (!bson_has_field(doc, "breaker"))
		return 0;
	etl_text_copy(out->host, sizeof out->host, etl_doc_text(doc, "_id"));
	etl_text_copy(breaker->state, sizeof breaker->state, etl_doc_text(doc, "breaker.state"));
	breaker->failures = etl_doc_int(doc, "breaker.failures");
	breaker->openings = etl_doc_int(doc, "breaker.openings");
	breaker->opened = etl_doc_date(doc, "breaker.opened_at");
	breaker->until = etl_doc_date(doc, "breaker.until");
	etl_text_copy(breaker->reason, sizeof breaker->reason, etl_doc_text(doc, "breaker.reason"));
	out->hold_until = etl_doc_date(doc, "hold_until");
	etl_text_copy(out->hold_reason, sizeof out->hold_reason, etl_doc_text(doc, "hold_reason"));
	out->full_at = etl_doc_date(doc, "full_at");
	out->updated = etl_doc_date(doc, "updated_at");
	return 1;
}

const struct etl_collection etl_hosts = {
	.name = "sources",
	.indexes = {{"keep", {{"updated_at", 1}}, .keep_days = 30}},
	.encode = encode,
	.decode = decode,
	.size = sizeof(struct etl_source_state),
};
