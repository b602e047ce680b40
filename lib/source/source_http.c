/* SPDX-License-Identifier: MIT
 *
 * The source `http`: asks one URL for a span of windows and judges the answer. It sees no
 * socket: it fills requests and is given heads and pieces of bodies; records are made of these
 * by env->decode, which tells it what the answer says of itself. What is in the air is either a
 * question to the token endpoint or the request for data; a refused token is renewed once for a
 * page. Which page is asked for, and whether there is another, http/pages.h says.
 *
 * The way of a span: first() fills a request (for a token, if none is at hand); the
 * loop sends it and calls head() with the status; decode() takes the body piece by
 * piece, on a worker; next() is the end: either the token is there and the request for
 * data follows, or the answer is judged, and asks for the next page or is done.
 *   first -> TOKEN -> head, decode, next -> DATA -> head, decode, next -> done
 *   first -> DATA  -> head, decode, next -> DATA (page 2) -> head, decode, next -> done
 *   first -> DATA  -> head: 401 -> token dropped -> TOKEN -> ... -> DATA -> head: 401 -> refused
 */
#include <assert.h>
#include <string.h>

#include "format/charset.h"
#include "source/http/answer.h"
#include "source/http/oauth.h"
#include "source/http/options.h"
#include "source/http/paging.h"
#include "source/http/request.h"
#include "source/http/text.h"
#include "source/source.h"

enum in_the_air { NOTHING, TOKEN, DATA };

/* One instance for a strand. What belongs to an answer is set anew at each head. */
struct http {
	const struct etl_http_options *options;
	const struct etl_source_env *env;
	struct etl_decode_watch watch;
	struct etl_oauth oauth;
	struct etl_window span;
	enum in_the_air asked;
	bool renewed;    /* a token was renewed after a 401; a second 401 is final */
	bool no_content; /* status 204 or 205: proven empty */
	bool quoted;     /* the error that comes quotes the body already */
	struct etl_http_opening opening;
	struct etl_paging paging;
	struct etl_pages pages;
	struct etl_error refusal; /* the status was no good: the body only tells why */
	char shown[ETL_HTTP_SHOWN_BYTES]; /* the URL that was asked for */
};

static void check(void *options, const struct etl_node *node,
	const struct etl_decode_spec *decode, const struct etl_conf_env *env)
{
	etl_http_options_compile(options, node, decode, env);
}

/* For limits and breakers; the host of a URL is always literal (http/text.c). */
static bool host(const void *options, char *out, size_t size)
{
	return etl_http_url_host(((const struct etl_http_options *)options)->url_text, out, size);
}

/* One store of tokens for all partitions of a job: a hundred stations ask for one
 * token, not for a hundred. */
static void *shared_new(const void *options)
{
	const struct etl_http_options *o = options;

	return o->auth.has_oauth2 ? etl_oauth_store_new() : NULL;
}

static void shared_free(void *shared)
{
	etl_oauth_store_free(shared);
}

/* ---- requests ---- */

/* The URL is kept as it may be shown: secrets in it are stars, and every error of this
 * answer names it. */
static int ask_data(struct http *http, struct etl_request *out, struct etl_error *err)
{
	struct etl_vars vars = *http->env->vars;
	struct etl_pages_ask page;

	vars.window = http->span;
	etl_pages_ask(&http->pages, &page);
	if (etl_http_request_fill(http->options, &vars, http->oauth.access,
		    etl_decode_spec_of(http->env->decode)->format->media, &page, out, err))
		return -1;
	http->asked = DATA;
	if (http->pages.options)
		etl_pages_asked(&http->pages, out->url);
	etl_http_url_show(out->url_shown, http->shown);
	return 0;
}

static void token_limits(const struct http *http, struct etl_request *out)
{
	out->timeout = http->options->timeout;
	out->ip = http->options->ipv4_only ? ETL_IP_4_ONLY : ETL_IP_ANY;
}

/* A token that ends within moments counts as none: it would be refused on the way. */
static int ask(struct http *http, etl_wall now, struct etl_request *out, struct etl_error *err)
{
	if (!http->options->auth.has_oauth2 || etl_oauth_ready(&http->oauth, now))
		return ask_data(http, out, err);
	if (etl_oauth_ask(&http->oauth, out, err))
		return -1;
	token_limits(http, out);
	http->asked = TOKEN;
	etl_http_url_show(out->url_shown, http->shown);
	return 0;
}

static int first(void *self, const struct etl_window *span, etl_wall now,
	struct etl_request *out, struct etl_error *err)
{
	struct http *http = self;

	http->span = *span;
	http->asked = NOTHING;
	http->renewed = false;
	etl_pages_restart(&http->pages);
	return ask(http, now, out, err);
}

/* ---- what may be shown ---- */

/* What a service may echo and nobody may see: the configured secrets and the token. */
struct hidden {
	const struct etl_secret *list[sizeof((struct etl_http_options *)0)->secrets /
					      sizeof(struct etl_secret *) +
				      1];
	struct etl_secret token;
};

/* Put together for each error and not once: a token comes and goes while the strand
 * lives. */
static const struct etl_secret *const *hide(const struct http *http, struct hidden *hidden)
{
	char *token = http->oauth.access;
	size_t n = 0;

	for (size_t i = 0; http->options->secrets[i]; i++)
		hidden->list[n++] = http->options->secrets[i];
	if (token) {
		hidden->token = (struct etl_secret){.value = token, .len = strlen(token)};
		hidden->list[n++] = &hidden->token;
	}
	hidden->list[n] = NULL;
	return hidden->list;
}

/* Every failure says what was asked; the message may hold the service's words. */
static int failed(const struct http *http, struct etl_error *err)
{
	if (http->pages.options && http->asked != TOKEN)
		return etl_error_prefix(err, "page %llu of %s", (unsigned long long)http->pages.page,
			http->shown);
	return etl_error_prefix(err, "%s", http->shown);
}

/* The same, with the beginning of the body. */
static int explain(const struct http *http, struct etl_error *err)
{
	struct hidden hidden;

	etl_http_opening_explain(&http->opening, hide(http, &hidden), err);
	return failed(http, err);
}

/* ---- heads ---- */

/* The status proves nothing. Its body may say why, so that its beginning is waited for. */
static void refuse(struct http *http)
{
	etl_http_opening_init(&http->opening, "", NULL);
}

/* 401 to a token: it may have been revoked, so a fresh one is tried once.
 * 401 -> the token is dropped, a fresh one asked for, the same request sent again ->
 * 401: refused. */
static int token_rejected(struct http *http, const struct etl_response *response,
	enum etl_source_verdict *verdict, struct etl_request *again, struct etl_error *err)
{
	bool final = http->renewed;

	/* Dropped for all partitions: it will be refused for them as well. */
	etl_oauth_drop(&http->oauth, final);
	*verdict = ETL_SOURCE_BODY;
	/* A fresh token was refused too: it is a matter of rights now, and asking again
	 * would lock an account. */
	if (final) {
		etl_http_status_check(response, "to a fresh token", &http->refusal);
		refuse(http);
		return 0;
	}
	http->renewed = true;
	if (ask(http, response->received, again, err))
		return -1;
	*verdict = ETL_SOURCE_RETRY;
	return 0;
}

/* "Name: value" lines of headers.
 * "Link: <...?page=2>; rel=next" and "X-Total-Count: 5000" are told to paging, which
 * knows what they mean: this answer may not be all. */
static void read_hints(struct http *http, const char *hints)
{
	while (*hints) {
		size_t len = strcspn(hints, "\n"), name = strcspn(hints, ":");

		if (name < len) {
			etl_paging_header(
				&http->paging, hints, name, hints + name + 1, len - name - 1);
			etl_pages_header(
				&http->pages, hints, name, hints + name + 1, len - name - 1);
		}
		hints += len + (hints[len] == '\n');
	}
}

/* 204 and 205, the charset, and headers that announce more: all that is known before
 * the first byte. */
static int begin_body(struct http *http, const struct etl_response *response, struct etl_error *err)
{
	const struct etl_format_type *format = etl_decode_spec_of(http->env->decode)->format;
	char charset[64];
	bool named = etl_charset_of(response->content_type, charset, sizeof charset);
	int rc;

	/* RFC 9110 sections 15.3.5 and 15.3.6: without a body by definition, and so a
	 * proof that there is nothing. */
	http->no_content = response->status == 204 || response->status == 205;
	http->quoted = false;
	etl_http_opening_init(&http->opening, response->content_type, format);
	etl_paging_begin(&http->paging);
	etl_pages_begin(&http->pages);
	read_hints(http, response->hints);
	/* A 200 that says it is a part (bytes 0-99/5000) is a proxy's or a service's
	 * mistake, and no whole. */
	if (response->status == 200 && *response->content_range &&
		!etl_paging_range_is_whole(response->content_range))
		etl_paging_header(&http->paging, "Content-Range", 13, response->content_range,
			strlen(response->content_range));
	if (http->pages.page > 1)
		rc = etl_decode_continue(http->env->decode, named ? charset : NULL, err);
	else
		rc = etl_decode_begin(http->env->decode, named ? charset : NULL, err);
	return rc ? failed(http, err) : 0;
}

static int head(void *self, const struct etl_response *response,
	enum etl_source_verdict *verdict, struct etl_request *again, struct etl_error *err)
{
	struct http *http = self;

	etl_error_clear(&http->refusal);
	/* Also for a refusal: its body says why, and its beginning is waited for. */
	*verdict = ETL_SOURCE_BODY;
	if (http->asked == TOKEN) {
		etl_oauth_head(&http->oauth, response);
		return 0;
	}
	if (response->status == 401 && http->options->auth.has_oauth2)
		return token_rejected(http, response, verdict, again, err);
	if (etl_http_status_check(response, "", &http->refusal)) {
		refuse(http);
		return 0;
	}
	return begin_body(http, response, err);
}

/* ---- bodies ---- */

/* The same for what came of a body, unless the message has its beginning already. */
static int told(const struct http *http, struct etl_error *err)
{
	return http->quoted ? failed(http, err) : explain(http, err);
}

/* The first bytes tell an HTML page from JSON before a decoder says "unexpected byte at
 * 0". */
static int look_at_text(void *ctx, const char *text, size_t len, struct etl_error *err)
{
	struct http *http = ctx;
	struct hidden hidden;

	if (etl_http_opening_feed(&http->opening, text, len, hide(http, &hidden), err)) {
		http->quoted = true;
		return -1;
	}
	return !http->opening.is_other;
}

static void note(void *ctx, const struct etl_note *said)
{
	etl_paging_note(&((struct http *)ctx)->paging, said);
}

static void given(void *ctx, const struct etl_batch *batch, size_t from, size_t from_rejects)
{
	etl_pages_given(&((struct http *)ctx)->pages, batch, from, from_rejects);
}

static void found(void *ctx, const struct etl_found *value)
{
	etl_pages_found(&((struct http *)ctx)->pages, value);
}

/* A lone object where a list is due may be the word of an error. */
static int judge_lone(void *ctx, const struct etl_record *record, struct etl_error *err)
{
	const struct http *http = ctx;

	/* {"error": "quota exceeded"} with status 200: many services answer so. */
	if (http->options->errors == ETL_ERRORS_FAIL && etl_paging_is_error(record->bson, record->len))
		return etl_error_set(err, ETL_DATA, "http.error_object",
			"the answer tells of an error where its records should be ('%s'); if it is "
			"none, write 'errors: ignore' under extract.http",
			etl_decode_spec_of(http->env->decode)->layout.records);
	return 0;
}

/* The refusal was kept at the head; here it gets the beginning of its body. */
static int refused(struct http *http, struct etl_error *err)
{
	*err = http->refusal;
	return explain(http, err);
}

static int decode_data(struct http *http, const char *bytes, size_t len, struct etl_batch *out,
	struct etl_error *err)
{
	const struct etl_http_options *o = http->options;

	/* The decoder sees nothing of a refusal: its body is text for people. */
	if (http->refusal.kind != ETL_OK) {
		etl_http_opening_keep(&http->opening, bytes, len);
		return etl_http_opening_is_full(&http->opening) ? refused(http, err) : 0;
	}
	if (http->no_content && len) {
		etl_error_set(err, ETL_DATA, "http.content",
			"the answer has a body although its status says that there is none");
		return failed(http, err);
	}
	/* Counted before anything is decoded: a service that never ends costs max_bytes
	 * and no more. */
	if (o->max_bytes && len > o->max_bytes - http->opening.bytes) {
		etl_error_set(err, ETL_LIMIT, "http.size",
			"the answer is larger than max_bytes (%llu)",
			(unsigned long long)o->max_bytes);
		return failed(http, err);
	}
	return etl_decode_feed(http->env->decode, bytes, len, out, err) ? told(http, err) : 0;
}

static int decode(
	void *self, const char *bytes, size_t len, struct etl_batch *out, struct etl_error *err)
{
	struct http *http = self;

	if (http->asked == TOKEN)
		return etl_oauth_feed(&http->oauth, bytes, len, err) ? failed(http, err) : 0;
	return decode_data(http, bytes, len, out, err);
}

/* A refusal whose body broke off is still that refusal.
 * The connection broke while the body of a refusal came: the status is the better
 * reason. */
static void broken(void *self, struct etl_error *err)
{
	struct http *http = self;

	if (http->asked == DATA && http->refusal.kind != ETL_OK)
		refused(http, err);
}

/* ---- ends ---- */

/* 1 = another question to the token endpoint follows (a refresh was refused, so the
 * grant is asked again). */
static int end_of_token(struct http *http, struct etl_request *out, struct etl_error *err)
{
	int rc = etl_oauth_finish(&http->oauth, out, err);

	if (rc < 0)
		return failed(http, err);
	if (rc == 1) {
		token_limits(http, out);
		return 1;
	}
	return ask_data(http, out, err) == 0 ? 1 : -1;
}

/* The end of the answer is the end of the records only if nothing in it says otherwise.
 * {"data": [100 rows], "total": 500}: the answer itself says that 400 are missing.
 * Closing the window would lose them for good, so it fails until the configuration says
 * what to make of it. */
static int check_end(const struct http *http, struct etl_error *err)
{
	const struct etl_http_options *o = http->options;
	uint64_t records = etl_decode_records(http->env->decode);
	const char *more = etl_paging_more(&http->paging, records);
	const char *error = etl_paging_error(&http->paging, records);

	if (o->errors == ETL_ERRORS_FAIL && error)
		return etl_error_set(err, ETL_DATA, "http.error_object",
			"the answer tells of an error: %s; if it is none, write 'errors: ignore' "
			"under extract.http",
			error);
	if (more && o->pagination == ETL_PAGINATION_UNKNOWN)
		return etl_error_set(err, ETL_DATA, "http.more",
			"the answer announces more than it holds (%s, %llu records came); write under "
			"extract.http how its pages are asked for (pagination), or 'pagination: none' "
			"if it is all",
			more, (unsigned long long)records);
	return 0;
}

/* A page ended well. A token that is refused later on is another one. */
static int next_page(struct http *http, etl_wall now, struct etl_request *out, struct etl_error *err)
{
	int rc;

	if (!http->pages.options)
		return 0;
	rc = etl_pages_next(&http->pages, &http->paging, etl_decode_records(http->env->decode),
		http->opening.bytes, err);
	if (rc < 0)
		return explain(http, err); /* it may hold words of the answer */
	if (rc == 0)
		return 0;
	http->renewed = false;
	return ask(http, now, out, err) == 0 ? 1 : -1;
}

static int end_of_data(struct http *http, etl_wall now, struct etl_batch *batch,
	struct etl_request *out, struct etl_error *err)
{
	struct etl_decode *decode = http->env->decode;
	const struct etl_decode_spec *spec = etl_decode_spec_of(decode);
	/* An answer without a byte proves nothing, unless the owner has said so for
	 * this format. */
	bool may_be_empty = spec->format->may_be_empty && spec->format->may_be_empty(spec->format_options);
	struct hidden hidden;

	http->asked = NOTHING;
	if (http->refusal.kind != ETL_OK)
		return refused(http, err);
	if (http->no_content)
		return next_page(http, now, out, err);
	if (etl_http_opening_end(&http->opening, may_be_empty, hide(http, &hidden), err))
		return failed(http, err);
	/* First whether the bytes were whole, then whether they were all. */
	if (etl_decode_end(decode, batch, err) || check_end(http, err))
		return explain(http, err);
	return next_page(http, now, out, err);
}

static int next(void *self, etl_wall now, struct etl_batch *batch, struct etl_request *out,
	struct etl_error *err)
{
	struct http *http = self;

	/* next() is called once for each request that was filled. */
	assert(http->asked != NOTHING);
	if (http->asked == TOKEN)
		return end_of_token(http, out, err);
	return end_of_data(http, now, batch, out, err);
}

/* ---- life ---- */

/* Only a walk has to know what stands where. */
static void watch_pages(struct http *http)
{
	const struct etl_pages_options *pages =
		http->options->pagination == ETL_PAGINATION_STYLE ? &http->options->pages : NULL;

	etl_pages_init(&http->pages, pages);
	if (!pages)
		return;
	http->watch.given = given;
	if (pages->style->pointer)
		http->watch.sought = pages->style->pointer(pages);
	http->watch.found = found;
}

static int open_instance(void *self, const void *options, const struct etl_source_env *env,
	struct etl_error *err)
{
	struct http *http = self;

	(void)err;
	http->options = options;
	http->env = env;
	/* The decoder tells what the answer says of itself while it reads; nothing is
	 * read a second time. */
	http->watch = (struct etl_decode_watch){
		.ctx = http, .text = look_at_text, .note = note, .lone = judge_lone};
	watch_pages(http);
	etl_decode_set_watch(env->decode, &http->watch);
	http->refusal = (struct etl_error)ETL_ERROR_INIT;
	if (http->options->auth.has_oauth2) {
		assert(env->shared);
		etl_oauth_init(&http->oauth, &http->options->auth.oauth2,
			http->options->secrets, env->shared);
	}
	return 0;
}

static uint64_t pages(const void *self)
{
	return ((const struct http *)self)->pages.ended;
}

static void close_instance(void *self)
{
	struct http *http = self;

	etl_oauth_fini(&http->oauth);
	etl_pages_fini(&http->pages);
}

const struct etl_source_type etl_source_http = {
	.name = "http",
	.summary = "answers of a web service",
	.options = etl_http_option_table,
	.options_size = sizeof(struct etl_http_options),
	.size = sizeof(struct http),
	.check = check,
	.host = host,
	.shared_new = shared_new,
	.shared_free = shared_free,
	.open = open_instance,
	.first = first,
	.head = head,
	.decode = decode,
	.broken = broken,
	.next = next,
	.pages = pages,
	.close = close_instance,
};
