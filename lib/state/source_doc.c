/* SPDX-License-Identifier: MIT
 *
 * Hosts to documents and back.
 */
#include "state/source_doc.h"

#include "base/str.h"

static void put_date(bson_t *out, const char *name, etl_wall t)
{
	if (t.ms)
		BSON_APPEND_DATE_TIME(out, name, t.ms);
}

static void put_breaker(bson_t *out, const struct etl_source_breaker *breaker)
{
	bson_t part;

	BSON_APPEND_DOCUMENT_BEGIN(out, "breaker", &part);
	BSON_APPEND_UTF8(&part, "state", breaker->state);
	BSON_APPEND_INT64(&part, "failures", breaker->failures);
	BSON_APPEND_INT64(&part, "openings", breaker->openings);
	put_date(&part, "opened_at", breaker->opened);
	put_date(&part, "until", breaker->until);
	BSON_APPEND_UTF8(&part, "reason", breaker->reason);
	bson_append_document_end(out, &part);
}

void etl_source_to_bson(const struct etl_source_state *source, bson_t *out)
{
	BSON_APPEND_UTF8(out, "_id", source->host);
	put_breaker(out, &source->breaker);
	put_date(out, "hold_until", source->hold_until);
	BSON_APPEND_UTF8(out, "hold_reason", source->hold_reason);
	put_date(out, "full_at", source->full_at);
	BSON_APPEND_DATE_TIME(out, "updated_at", source->updated.ms);
}

/* `path` may lead into a part: "breaker.until". */
static bool find(const bson_t *doc, const char *path, bson_type_t type, bson_iter_t *found)
{
	bson_iter_t it;

	return bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, path, found) &&
	       bson_iter_type(found) == type;
}

static etl_wall get_date(const bson_t *doc, const char *path)
{
	bson_iter_t it;

	return (etl_wall){
		find(doc, path, BSON_TYPE_DATE_TIME, &it) ? bson_iter_date_time(&it) : 0};
}

static int64_t get_int(const bson_t *doc, const char *path)
{
	bson_iter_t it;

	if (find(doc, path, BSON_TYPE_INT64, &it))
		return bson_iter_int64(&it);
	return find(doc, path, BSON_TYPE_INT32, &it) ? bson_iter_int32(&it) : 0;
}

static void get_text(const bson_t *doc, const char *path, char *out, size_t size)
{
	bson_iter_t it;

	etl_text_copy(out, size,
		find(doc, path, BSON_TYPE_UTF8, &it) ? bson_iter_utf8(&it, NULL) : "");
}

void etl_source_from_bson(const bson_t *doc, struct etl_source_state *out)
{
	struct etl_source_breaker *breaker = &out->breaker;

	memset(out, 0, sizeof *out);

	get_text(doc, "_id", out->host, sizeof out->host);
	get_text(doc, "breaker.state", breaker->state, sizeof breaker->state);
	breaker->failures = get_int(doc, "breaker.failures");
	breaker->openings = get_int(doc, "breaker.openings");
	breaker->opened = get_date(doc, "breaker.opened_at");
	breaker->until = get_date(doc, "breaker.until");
	get_text(doc, "breaker.reason", breaker->reason, sizeof breaker->reason);
	out->hold_until = get_date(doc, "hold_until");
	get_text(doc, "hold_reason", out->hold_reason, sizeof out->hold_reason);
	out->full_at = get_date(doc, "full_at");
	out->updated = get_date(doc, "updated_at");
}
