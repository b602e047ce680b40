/* SPDX-License-Identifier: MIT
 *
 * Fills the request for data. The URL is written twice at once: as it is sent, and with
 * "***" where a secret stands.
 *
 * url: "https://x/s/{station}", query: {from: "{window.start}"} becomes
 *   https://x/s/283164601?from=2026-07-01T10%3A00%3A00Z
 * and, with an api_key in the query, "...&key=***" in everything that is shown.
 */
#include "source/http/request.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/str.h"
#include "source/http/text.h"

enum { OWN_HEADERS_MAX = 3 }; /* Accept, Content-Type, one of authorization */

/* Said in bytes and by name: "the URL is larger than 16384 bytes". */
static int too_large(struct etl_error *err, const char *what, size_t max)
{
	return etl_error_set(
		err, ETL_LIMIT, "http.size", "the %s is larger than %zu bytes", what, max);
}

/* ---- URL ---- */

struct url {
	struct etl_buf real, shown;
	char before; /* the next parameter: '?', '&', or 0 */
};

/* Both texts are written by one loop, so they cannot come apart. */
static void add_parameter(struct url *url, const char *name, const char *value, bool secret)
{
	struct etl_buf *both[] = {&url->real, &url->shown};

	for (size_t i = 0; i < 2; i++) {
		if (url->before)
			etl_buf_char(both[i], url->before);
		etl_encode_percent(both[i], name);
		etl_buf_char(both[i], '=');
		if (secret && both[i] == &url->shown)
			etl_buf_str(both[i], "***");
		else
			etl_encode_percent(both[i], value);
	}
	url->before = '&';
}

/* The literal part of a value is encoded like the values in braces. */
static int add_query(struct url *url, const struct etl_http_options *o,
	const struct etl_vars *vars, const struct etl_pages_ask *page, struct etl_error *err)
{
	struct etl_buf value ETL_BUF_CLEANUP;

	etl_buf_init(&value, ETL_HTTP_URL_MAX);
	for (size_t i = 0; i < o->n_query; i++) {
		const char *name = o->query[i].name;

		etl_buf_clear(&value);
		if (etl_template_render(o->query[i].value, vars, ETL_ESCAPE_NONE, &value, err))
			return etl_error_prefix(err, "query parameter '%s'", name);
		if (memchr(etl_buf_text(&value), '\0', value.len))
			return etl_error_set(err, ETL_CONFIG, "http.query",
				"query parameter '%s' holds a NUL", name);
		add_parameter(url, name, etl_buf_text(&value), etl_http_looks_secret(name, strlen(name)));
	}
	for (size_t i = 0; i < page->n_params; i++)
		add_parameter(url, page->params[i].name, page->params[i].value,
			etl_http_looks_secret(page->params[i].name, strlen(page->params[i].name)));
	if (o->auth.has_api_key && o->auth.api_key.query)
		add_parameter(url, o->auth.api_key.query, o->auth.api_key.value->value, true);
	return 0;
}

/* A URL that an answer gave, with `secret` (its name, NULL = none) as a value that may not be shown. True
 * if that parameter stands in it. */
static bool add_given_url(struct url *url, const char *text, const char *secret)
{
	size_t len = secret ? strlen(secret) : 0, at = strcspn(text, "?");
	bool has = false;

	etl_buf_str(&url->real, text);
	etl_buf_append(&url->shown, text, at);
	for (text += at; *text;) {
		size_t n = 1 + strcspn(text + 1, "&"), name = strcspn(text + 1, "=&");
		bool is_it = secret && name == len && memcmp(text + 1, secret, len) == 0;

		has |= is_it;
		if (is_it || (name + 1 < n && etl_http_looks_secret(text + 1, name))) {
			etl_buf_append(&url->shown, text, 1 + name);
			etl_buf_str(&url->shown, "=***");
		} else {
			etl_buf_append(&url->shown, text, n);
		}
		text += n;
	}
	return has;
}

/* The page's URL holds what the question was; a key that services leave out of it is sent again. */
static int follow_url(struct url *url, const struct etl_http_options *o,
	const struct etl_pages_ask *page, struct etl_error *err)
{
	const char *key = o->auth.has_api_key ? o->auth.api_key.query : NULL;
	bool has = add_given_url(url, page->url, key);
	const char *mark = strchr(page->url, '?');

	url->before = !mark ? '?' : mark[1] ? '&' : 0;
	if (key && !has && !page->is_foreign)
		add_parameter(url, key, o->auth.api_key.value->value, true);
	if (!etl_buf_ok(&url->real) || !etl_buf_ok(&url->shown))
		return too_large(err, "URL", ETL_HTTP_URL_MAX);
	return 0;
}

/* The path of the text is checked and not of the template: {station} brings "..", and
 * not its owner. */
static int fill_url(struct url *url, const struct etl_http_options *o,
	const struct etl_vars *vars, const struct etl_pages_ask *page, struct etl_error *err)
{
	const char *text, *mark;

	if (page->url)
		return follow_url(url, o, page, err);
	if (etl_template_render(o->url, vars, ETL_ESCAPE_PATH, &url->real, err))
		return etl_error_prefix(err, "url");
	text = etl_buf_text(&url->real);
	if (etl_http_url_check_path(text, err))
		return -1;
	mark = strchr(text, '?');
	/* "/x" + "?", "/x?a=1" + "&", "/x?" and "/x?a=1&" + nothing. */
	url->before = !mark ? '?' : mark[1] && text[url->real.len - 1] != '&' ? '&' : 0;
	etl_buf_str(&url->shown, text);
	if (add_query(url, o, vars, page, err))
		return -1;
	if (!etl_buf_ok(&url->real) || !etl_buf_ok(&url->shown))
		return too_large(err, "URL", ETL_HTTP_URL_MAX);
	return 0;
}

/* ---- headers ---- */

/* `items` has room for all that can come: those of the configuration and
 * OWN_HEADERS_MAX. */
struct headers {
	struct etl_arena *arena;
	struct etl_header *items;
	size_t n;
};

/* The name is lent by the options, which outlive the request. A line break in a value
 * would begin another header ("a\r\nX-Admin: 1"). */
static int add_header(
	struct headers *h, const char *name, const char *value, struct etl_error *err)
{
	if (!etl_http_is_header_value(value))
		return etl_error_set(err, ETL_CONFIG, "http.header",
			"the header '%s' holds a control byte", name);
	h->items[h->n++] = (struct etl_header){name, etl_arena_strdup(h->arena, value)};
	return 0;
}

/* Names of headers know no case (RFC 9110 section 5.1). */
static bool has_header(const struct headers *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++)
		if (strcasecmp(h->items[i].name, name) == 0)
			return true;
	return false;
}

/* The configuration was checked without values: what a template brings is checked here. */
static int add_given(struct headers *h, const struct etl_http_options *o,
	const struct etl_vars *vars, struct etl_error *err)
{
	struct etl_buf value ETL_BUF_CLEANUP;

	etl_buf_init(&value, ETL_HTTP_HEADER_MAX);
	for (size_t i = 0; i < o->n_headers; i++) {
		const char *name = o->headers[i].name;

		etl_buf_clear(&value);
		if (etl_template_render(
			    o->headers[i].value, vars, ETL_ESCAPE_HEADER, &value, err))
			return etl_error_prefix(err, "header '%s'", name);
		if (memchr(etl_buf_text(&value), '\0', value.len))
			return etl_error_set(err, ETL_CONFIG, "http.header",
				"the header '%s' holds a NUL", name);
		if (add_header(h, name, etl_buf_text(&value), err))
			return -1;
	}
	return 0;
}

/* RFC 7617 section 2, with its own example:
 *   Aladdin, open sesame  ->  Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== */
static int add_basic(
	struct headers *h, const struct etl_auth_options *auth, struct etl_error *err)
{
	struct etl_buf pair ETL_BUF_CLEANUP;
	struct etl_buf value ETL_BUF_CLEANUP;

	etl_buf_init(&pair, ETL_HTTP_HEADER_MAX);
	etl_buf_init(&value, 2 * ETL_HTTP_HEADER_MAX);
	etl_buf_str(&pair, auth->basic.username);
	etl_buf_char(&pair, ':');
	if (auth->basic.password)
		etl_buf_str(&pair, auth->basic.password->value);
	if (!etl_buf_ok(&pair))
		return too_large(err, "header 'Authorization'", ETL_HTTP_HEADER_MAX);
	etl_buf_str(&value, "Basic ");
	etl_encode_base64(&value, etl_buf_text(&pair), pair.len);
	return add_header(h, "Authorization", etl_buf_text(&value), err);
}

/* Tokens of some services (JWT) have many kilobytes. */
static int add_bearer(struct headers *h, const char *token, struct etl_error *err)
{
	struct etl_buf value ETL_BUF_CLEANUP;

	etl_buf_init(&value, ETL_HTTP_BODY_MAX);
	etl_buf_str(&value, "Bearer ");
	etl_buf_str(&value, token);
	if (!etl_buf_ok(&value))
		return too_large(err, "header 'Authorization'", ETL_HTTP_BODY_MAX);
	return add_header(h, "Authorization", etl_buf_text(&value), err);
}

/* One of them at most: the loader has seen to that. */
static int add_auth(struct headers *h, const struct etl_auth_options *auth, const char *bearer,
	struct etl_error *err)
{
	if (auth->has_basic)
		return add_basic(h, auth, err);
	if (auth->has_bearer)
		return add_bearer(h, auth->bearer.token->value, err);
	if (auth->has_api_key && auth->api_key.header)
		return add_header(h, auth->api_key.header, auth->api_key.value->value, err);
	if (bearer)
		return add_bearer(h, bearer, err);
	return 0;
}

/* The owner's own Accept and Content-Type go before ours.
 * A service that is asked without Accept may answer in HTML. */
static int fill_headers(struct headers *h, const struct etl_http_options *o,
	const struct etl_vars *vars, const char *bearer, const char *accept, bool is_foreign,
	struct etl_error *err)
{
	h->items =
		etl_arena_zalloc(h->arena, (o->n_headers + OWN_HEADERS_MAX) * sizeof *h->items);
	if (is_foreign)
		return add_header(h, "Accept", accept, err);
	if (add_given(h, o, vars, err) || add_auth(h, &o->auth, bearer, err))
		return -1;
	if (!has_header(h, "Accept") && add_header(h, "Accept", accept, err))
		return -1;
	if (o->body && !has_header(h, "Content-Type"))
		return add_header(h, "Content-Type", "application/json", err);
	return 0;
}

/* ---- body ---- */

/* By its content type a value is written so that it stays one value.
 * {"id": "{station}"} as JSON: a quote in the value stays inside of the string. As a
 * form the value is percent-encoded, as XML its brackets are entities.
 * `type` of any other kind is text that nobody parses: values stand in it as they are. */
static enum etl_escape body_escape(const struct headers *h)
{
	const char *type = "";

	for (size_t i = 0; i < h->n; i++)
		if (strcasecmp(h->items[i].name, "Content-Type") == 0)
			type = h->items[i].value;
	if (strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0)
		return ETL_ESCAPE_QUERY;
	if (strcasestr(type, "json"))
		return ETL_ESCAPE_JSON;
	return strcasestr(type, "xml") ? ETL_ESCAPE_XML : ETL_ESCAPE_NONE;
}

/* ---- all of it ---- */

/* All or nothing: on an error `out` is as it was, but for what its arena holds by then. */
int etl_http_request_fill(const struct etl_http_options *o, const struct etl_vars *vars,
	const char *bearer, const char *accept, const struct etl_pages_ask *page,
	struct etl_request *out, struct etl_error *err)
{
	struct url url = {0};
	struct headers headers = {.arena = out->arena};
	struct etl_buf body;
	int rc;

	etl_buf_init(&url.real, ETL_HTTP_URL_MAX);
	etl_buf_init(&url.shown, ETL_HTTP_URL_MAX);
	etl_buf_init(&body, ETL_HTTP_BODY_MAX);
	rc = fill_url(&url, o, vars, page, err);
	if (rc == 0)
		rc = fill_headers(&headers, o, vars, bearer, accept, page->is_foreign, err);
	if (rc == 0 && o->body &&
		etl_template_render(o->body, vars, body_escape(&headers), &body, err))
		rc = etl_error_prefix(err, "body");
	if (rc == 0)
		*out = (struct etl_request){
			.arena = out->arena,
			.method = o->method == ETL_HTTP_POST ? "POST" : "GET",
			.url = etl_arena_strdup(out->arena, etl_buf_text(&url.real)),
			.url_shown = etl_arena_strdup(out->arena, etl_buf_text(&url.shown)),
			.headers = headers.items,
			.n_headers = headers.n,
			.body = o->body ? etl_arena_memdup0(
						  out->arena, etl_buf_text(&body), body.len)
					: NULL,
			.body_len = body.len,
			.timeout = o->timeout,
			.response_bytes_max = o->max_bytes,
			.ip = o->ipv4_only ? ETL_IP_4_ONLY : ETL_IP_ANY,
			.kept_header = page->header,
		};
	etl_buf_fini(&url.real);
	etl_buf_fini(&url.shown);
	etl_buf_fini(&body);
	return rc;
}
