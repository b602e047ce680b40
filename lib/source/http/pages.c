/* SPDX-License-Identifier: MIT
 *
 * The walk over pages, and its guards. The law: a walk goes on only by what the style says, and ends
 * only where the style and the answers agree that it is the end. Everything else fails the span, whose
 * windows stay open.
 *
 * Example, cursor: page 1 has the cursor "a", page 2 "b", page 3 none: the end, unless an answer spoke of
 * 300 records and 250 came. Had page 3 the cursor "a" again, the walk would never end: it fails there.
 */
#include "source/http/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/str.h"
#include "record/doc.h"
#include "record/path.h"
#include "source/http/link.h"
#include "source/http/text.h"

void etl_pages_init(struct etl_pages *walk, const struct etl_pages_options *options)
{
	*walk = (struct etl_pages){.options = options};
	etl_buf_init(&walk->at, ETL_PAGES_URL_MAX);
	etl_buf_init(&walk->url, ETL_PAGES_URL_MAX);
	etl_buf_init(&walk->told, ETL_PAGES_URL_MAX);
	etl_pages_restart(walk);
}

void etl_pages_fini(struct etl_pages *walk)
{
	etl_buf_fini(&walk->at);
	etl_buf_fini(&walk->url);
	etl_buf_fini(&walk->told);
	free(ETL_TAKE(walk->seen));
}

void etl_pages_restart(struct etl_pages *walk)
{
	const struct etl_pages_options *o = walk->options;

	walk->page = 1;
	walk->number = !o ? 0 : o->has_page ? o->page.first : o->offset.first;
	etl_buf_clear(&walk->at);
	etl_buf_clear(&walk->url);
	walk->records = walk->bytes = walk->ended = 0;
	walk->total = -1;
	walk->content_before = (struct etl_hash_set){0};
	free(ETL_TAKE(walk->seen));
	walk->n_seen = walk->seen_cap = 0;
	etl_pages_begin(walk);
}

/* ---- the request --------------------------------------------------------------------------- */

static void add_param(struct etl_pages_ask *ask, const char *name, const char *value)
{
	ask->params[ask->n_params].name = name;
	ask->params[ask->n_params++].value = value;
}

static bool is_foreign(const struct etl_pages *walk)
{
	char base[ETL_LINK_ORIGIN_BYTES], next[ETL_LINK_ORIGIN_BYTES];

	return !etl_link_origin(etl_buf_text(&walk->url), base) ||
	       !etl_link_origin(etl_buf_text(&walk->at), next) || !etl_streq(base, next);
}

/* A style that counts says its number from the first page on; the others have nothing to say there. */
void etl_pages_ask(struct etl_pages *walk, struct etl_pages_ask *out)
{
	const struct etl_pages_options *o = walk->options;
	const struct etl_pages_size *size = NULL;

	*out = (struct etl_pages_ask){.url = NULL};
	if (!o)
		return;
	if (o->style->header)
		out->header = o->style->header(o);
	if (o->style->is & ETL_PAGES_FOLLOWS) {
		out->url = walk->at.len ? etl_buf_text(&walk->at) : NULL;
		out->is_foreign = out->url && is_foreign(walk);
		return;
	}
	if (o->has_page || o->has_offset) {
		snprintf(walk->number_text, sizeof walk->number_text, "%" PRId64, walk->number);
		add_param(out, o->style->param(o), walk->number_text);
	} else if (walk->at.len) {
		add_param(out, o->style->param(o), etl_buf_text(&walk->at));
	}
	size = o->style->size ? o->style->size(o) : NULL;
	if (size && size->param) {
		snprintf(walk->size_text, sizeof walk->size_text, "%" PRId64, size->value);
		add_param(out, size->param, walk->size_text);
	}
}

/* The first URL is what all others are held against: a page of an allowed host leads back to none but
 * allowed ones. */
void etl_pages_asked(struct etl_pages *walk, const char *url)
{
	if (walk->page > 1)
		return;
	etl_buf_clear(&walk->url);
	etl_buf_str(&walk->url, url);
}

/* ---- what a page says ---------------------------------------------------------------------- */

void etl_pages_begin(struct etl_pages *walk)
{
	etl_buf_clear(&walk->told);
	walk->is_odd = false;
	walk->last = ETL_PAGES_LAST_NONE;
	walk->content = (struct etl_hash_set){0};
}

/* Whole or not at all; a NUL in it could not be sent. */
static void tell(struct etl_pages *walk, const char *text, size_t len, size_t max)
{
	etl_buf_clear(&walk->told);
	walk->is_odd = len > max || memchr(text, '\0', len) || !etl_buf_append(&walk->told, text, len);
	if (walk->is_odd)
		etl_buf_clear(&walk->told);
}

/* Of several links to a next page the first one is followed; one with an anchor is about something
 * else. */
static void tell_link(struct etl_pages *walk, const char *value, size_t len)
{
	const char *end = value + len;
	struct etl_link link;

	while (!walk->told.len && !walk->is_odd && etl_link_read(&value, end, &link))
		if (link.is_next && !link.is_anchored)
			tell(walk, link.target, link.target_len, ETL_PAGES_URL_MAX);
}

void etl_pages_header(struct etl_pages *walk, const char *name, size_t name_len, const char *value,
	size_t len)
{
	const struct etl_pages_options *o = walk->options;
	const char *wanted = o && o->style->header ? o->style->header(o) : NULL;

	if (!wanted || name_len != strlen(wanted) || strncasecmp(name, wanted, name_len) != 0)
		return;
	while (len && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	if (o->has_link)
		tell_link(walk, value, len);
	else
		tell(walk, value, len, ETL_PAGES_VALUE_MAX);
}

void etl_pages_found(void *ctx, const struct etl_found *found)
{
	struct etl_pages *walk = ctx;
	bool nothing = !found->is_string &&
		(etl_streq(found->text, "null") || etl_streq(found->text, "false"));

	if (!found->is_scalar || found->is_cut)
		walk->is_odd = true;
	else if (!nothing)
		tell(walk, found->text, found->len, ETL_PAGES_VALUE_MAX);
}

static void tell_last(struct etl_pages *walk, const struct etl_record *record)
{
	struct etl_element e;
	const char *text;
	char number[ETL_DOUBLE_TEXT_BYTES];
	uint32_t len;
	int64_t i;
	double v;

	walk->last = ETL_PAGES_LAST_BAD;
	etl_buf_clear(&walk->told);
	if (!etl_path_find_field(walk->options->last_record.field, record->bson, record->len, &e) ||
		etl_element_is_null(&e))
		return;
	if (etl_element_int64(&e, &i)) {
		snprintf(number, sizeof number, "%" PRId64, i);
	} else if (etl_element_double(&e, &v)) {
		etl_encode_double(v, number);
	} else if (!etl_element_text(&e, &text, &len)) {
		walk->is_odd = true;
		return;
	} else {
		tell(walk, text, len, ETL_PAGES_VALUE_MAX);
		walk->last = len ? ETL_PAGES_LAST_GOOD : ETL_PAGES_LAST_BAD;
		return;
	}
	tell(walk, number, strlen(number), sizeof number);
	walk->last = ETL_PAGES_LAST_GOOD;
}

/* The last of a page is the record or the reject with the highest number. */
void etl_pages_given(struct etl_pages *walk, const struct etl_batch *batch, size_t from,
	size_t from_rejects)
{
	const struct etl_record *last = batch->n > from ? &batch->records[batch->n - 1] : NULL;
	const struct etl_reject *reject =
		batch->n_rejects > from_rejects ? &batch->rejects[batch->n_rejects - 1] : NULL;

	if (!walk->options)
		return;
	for (size_t i = from; i < batch->n; i++)
		etl_hash_set_add(&walk->content, batch->records[i].bson, batch->records[i].len);
	for (size_t i = from_rejects; i < batch->n_rejects; i++)
		etl_hash_set_add(&walk->content, batch->rejects[i].raw, batch->rejects[i].raw_len);
	if (!walk->options->has_last_record)
		return;
	if (reject && (!last || reject->position > last->position)) {
		walk->last = ETL_PAGES_LAST_BAD;
		etl_buf_clear(&walk->told);
	} else if (last) {
		tell_last(walk, last);
	}
}

/* ---- guards -------------------------------------------------------------------------------- */

static void put_seen(uint64_t *table, size_t cap, uint64_t hash)
{
	size_t i = hash & (cap - 1);

	while (table[i])
		i = (i + 1) & (cap - 1);
	table[i] = hash;
}

/* True if this page was asked for before. Hashes are kept, not texts: a cursor may have 4 KiB, and a
 * walk ten thousand pages. */
static bool was_seen(struct etl_pages *walk, const struct etl_buf *at)
{
	uint64_t hash = etl_hash64(etl_buf_text(at), at->len, 0) | 1; /* 0 is a hole */

	for (size_t i = hash & (walk->seen_cap - 1); walk->seen_cap && walk->seen[i];
		i = (i + 1) & (walk->seen_cap - 1))
		if (walk->seen[i] == hash)
			return true;
	if (2 * walk->n_seen >= walk->seen_cap) {
		size_t cap = walk->seen_cap ? 2 * walk->seen_cap : 16;
		uint64_t *table = etl_calloc(cap, sizeof *table);

		for (size_t i = 0; i < walk->seen_cap; i++)
			if (walk->seen[i])
				put_seen(table, cap, walk->seen[i]);
		free(walk->seen);
		walk->seen = table;
		walk->seen_cap = cap;
	}
	put_seen(walk->seen, walk->seen_cap, hash);
	walk->n_seen++;
	return false;
}

/* Another host (or port) is asked only if the job names it, and never without TLS what was asked with it. */
static int check_origin(const struct etl_pages *walk, const char *url, struct etl_error *err)
{
	const char *base = etl_buf_text(&walk->url);
	char from[ETL_LINK_ORIGIN_BYTES], to[ETL_LINK_ORIGIN_BYTES], host[256];
	const struct etl_strings *hosts = &walk->options->hosts;

	if (strncasecmp(base, "https:", 6) == 0 && strncasecmp(url, "https:", 6) != 0)
		return etl_error_set(err, ETL_DATA, "http.pages_host",
			"the next page is asked for without TLS, and this one with it");
	if (etl_link_origin(base, from) && etl_link_origin(url, to) && etl_streq(from, to))
		return 0;
	if (!etl_http_url_host(url, host, sizeof host))
		return etl_error_set(err, ETL_DATA, "http.pages_host", "the next page's URL has no host");
	for (size_t i = 0; i < hosts->n; i++)
		if (strcasecmp(hosts->items[i], host) == 0)
			return 0;
	etl_text_mask(host);
	return etl_error_set(err, ETL_DATA, "http.pages_host",
		"the next page is on another host, '%.100s'; if it may be asked, without credentials, "
		"write 'hosts: [\"%.100s\"]' under pagination",
		host, host);
}

/* What was told becomes the URL that is asked for. */
static int follow(struct etl_pages *walk, struct etl_error *err)
{
	struct etl_buf url ETL_BUF_CLEANUP;
	const char *base = etl_buf_text(walk->at.len ? &walk->at : &walk->url), *fault;
	char shown[ETL_HTTP_SHOWN_BYTES];

	etl_buf_init(&url, ETL_PAGES_URL_MAX);
	fault = etl_link_resolve(base, etl_buf_text(&walk->told), &url);
	if (fault) {
		etl_http_url_show(etl_buf_text(&walk->told), shown);
		return etl_error_set(err, ETL_DATA, "http.pages_url",
			"the next page's URL '%s' is not usable: %s", shown, fault);
	}
	if (check_origin(walk, etl_buf_text(&url), err) < 0)
		return -1;
	etl_buf_clear(&walk->told);
	etl_buf_append(&walk->told, url.data, url.len);
	return 0;
}

static int loops(const struct etl_pages *walk, struct etl_error *err)
{
	bool url = walk->options->style->is & ETL_PAGES_FOLLOWS;

	return etl_error_set(err, ETL_DATA, "http.pages_loop",
		"the page leads to one that was asked for before (the same %s appears twice)",
		url ? "URL" : "cursor");
}

/* From this page to the next. Styles that count never come to a page twice; of them the same content
 * shows a service that does not know the parameter. */
static int step(struct etl_pages *walk, struct etl_error *err)
{
	const struct etl_pages_options *o = walk->options;

	if (walk->page >= (uint64_t)o->max_pages)
		return etl_error_set(err, ETL_LIMIT, "http.pages_max",
			"there are more than max_pages (%" PRId64 ") pages; make spans shorter "
			"(window.max_span) or raise it",
			o->max_pages);
	if (!o->has_page && !o->has_offset) {
		if (o->style->is & ETL_PAGES_FOLLOWS && follow(walk, err) < 0)
			return -1;
		if (was_seen(walk, &walk->told))
			return loops(walk, err);
		etl_buf_clear(&walk->at);
		etl_buf_append(&walk->at, walk->told.data, walk->told.len);
	}
	walk->page++;
	return 1;
}

/* The largest total that any page told, against all that came: rows that went while the walk went on
 * moved others over a page's border.
 * Example: page 1 says 250; one of its rows is removed, and page 2 begins one row too late: 249 come. */
static void note_total(struct etl_pages *walk, const struct etl_paging *said)
{
	if (said->total <= walk->total)
		return;
	walk->total = said->total;
	etl_text_copy(walk->total_said, sizeof walk->total_said, said->total_said);
}

/* The style says that this is the end: whether all answers agree. */
static int check_end(const struct etl_pages *walk, const struct etl_paging *said,
	struct etl_error *err)
{
	const char *more = NULL;

	if (walk->options->announced == ETL_PAGES_ANNOUNCED_IGNORE)
		return 0;
	if (*said->more)
		more = said->more;
	else if (walk->total > 0 && (uint64_t)walk->total > walk->records)
		more = walk->total_said;
	else if (said->pages > 1 && (uint64_t)said->pages > walk->page)
		more = said->pages_said;
	if (!more)
		return 0;
	return etl_error_set(err, ETL_DATA, "http.more",
		"the pages end here, but more is announced than came (%s, %" PRIu64 " records came); if "
		"this means nothing, write 'announced: ignore' under pagination",
		more, walk->records);
}

static bool is_same(const struct etl_hash_set *a, const struct etl_hash_set *b)
{
	return a->n && a->n == b->n && a->low == b->low && a->high == b->high;
}

int etl_pages_next(struct etl_pages *walk, const struct etl_paging *said, uint64_t records,
	uint64_t bytes, struct etl_error *err)
{
	const struct etl_pages_options *o = walk->options;
	int rc;

	walk->records += records;
	walk->bytes += bytes;
	note_total(walk, said);
	if (walk->bytes > o->max_bytes)
		return etl_error_set(err, ETL_LIMIT, "http.pages_bytes",
			"the pages of one span are larger than pagination.max_bytes (%" PRIu64
			"); make spans shorter (window.max_span) or raise it",
			o->max_bytes);
	if (is_same(&walk->content, &walk->content_before))
		return etl_error_set(err, ETL_DATA, "http.pages_same",
			"the page has the same records as the one before it: the service does not "
			"go on by '%s'",
			o->style->param ? o->style->param(o) : o->style->name);
	walk->content_before = walk->content;
	walk->ended++;
	rc = o->style->next(walk, records, err);
	if (rc > 0)
		return step(walk, err);
	return rc < 0 ? -1 : check_end(walk, said, err);
}
