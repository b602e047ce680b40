/* SPDX-License-Identifier: MIT
 *
 * Status codes to error kinds, and quotations of bodies that are not what they should be.
 *
 * What a status means to a window:
 *   200 201 203, 206 of the whole     the body decides             204 205   proven empty
 *   202                               not yet: tried again         206       a part: fails
 *   301 302 304 307 308               fails: redirects are not followed
 *   401 403 407                       credentials: an operator has to act
 *   404 410                           fails for good: a window is not empty because a URL is wrong
 *   408 425 5xx                       tried again                  429, 503 with Retry-After   held
 */
#include "source/http/answer.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/str.h"
#include "source/http/hold.h"
#include "source/http/paging.h"
#include "source/http/text.h"

enum { SECRET_MIN = 4 }; /* as in etl_redact: shorter values are not looked for */

/* A redirect may lead anywhere, with our credentials; its target is shown, so that the
 * owner can write it into the configuration. */
static int redirected(const struct etl_response *response, struct etl_error *err)
{
	char target[ETL_HTTP_SHOWN_BYTES];

	if (response->status == 304)
		return etl_error_set(err, ETL_PERMANENT, "http.status",
			"status 304 to a request without a condition");
	etl_http_url_show(response->location, target);
	return etl_error_set(err, ETL_PERMANENT, "http.redirect",
		"status %d to %s: redirects are not followed", response->status,
		*target ? target : "(no Location)");
}

/* The wait that is told is at most ETL_HOLD_MAX; hold.h says why. */
static int throttled(const struct etl_response *response, etl_dur wait, struct etl_error *err)
{
	if (wait.us > ETL_HOLD_MAX.us)
		wait = ETL_HOLD_MAX;
	if (wait.us < 0)
		return etl_error_set(err, ETL_THROTTLED, "http.throttled",
			"status %d: too many requests", response->status);
	etl_error_set(err, ETL_THROTTLED, "http.throttled", "status %d: asked to wait %lld s",
		response->status, (long long)(wait.us / 1000000));
	err->retry_after_ms = etl_dur_ms(wait);
	return -1;
}

/* Order matters: a 403 with a Retry-After is a quota, one without is a matter of
 * rights. */
static int refused(const struct etl_response *response, struct etl_error *err)
{
	int status = response->status;

	if (status == 401 || status == 407)
		return etl_error_set(err, ETL_AUTH, "http.auth",
			"status %d: the credentials were refused", status);
	if (status == 403 && response->retry_after.us >= 0) /* some say so in place of 429 */
		return throttled(response, response->retry_after, err);
	if (status == 403)
		return etl_error_set(err, ETL_AUTH, "http.forbidden",
			"status 403: not allowed with these credentials");
	if (status == 404 || status == 410)
		return etl_error_set(err, ETL_PERMANENT, "http.not_found",
			"status %d: there is no such resource", status);
	if (status == 429 || (status == 503 && response->retry_after.us >= 0))
		return throttled(response, response->retry_after, err);
	if (status == 408 || status == 425 || (status >= 500 && status <= 599))
		return etl_error_set(err, ETL_TRANSIENT, "http.status", "status %d", status);
	return etl_error_set(err, ETL_PERMANENT, "http.status", "status %d", status);
}

/* 2xx that prove nothing: work that goes on, a part, a difference (RFC 9110, 3229, 4918). */
static int not_whole(const struct etl_response *response, struct etl_error *err)
{
	if (response->status == 202)
		return etl_error_set(err, ETL_TRANSIENT, "http.accepted",
			"status 202: the service has accepted the request and not answered it yet");
	if (response->status == 206)
		return etl_error_set(err, ETL_DATA, "http.partial",
			"status 206: the answer is a part%s%.80s",
			*response->content_range ? ", Content-Range: " : " of unknown extent",
			response->content_range);
	return etl_error_set(err, ETL_DATA, "http.status",
		"status %d does not say that the answer is whole", response->status);
}

int etl_http_status_check(
	const struct etl_response *response, const char *who, struct etl_error *err)
{
	/* 203 is an answer that a proxy has changed; its body is judged like any other. */
	static const int whole[] = {200, 201, 203, 204, 205};
	int status = response->status;

	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
		if (status == whole[i])
			return 0;
	/* "bytes 0-99/100" to a request that asked for no range: a part that is the
	 * whole. */
	if (status == 206 && etl_paging_range_is_whole(response->content_range))
		return 0;
	if (status >= 200 && status <= 299)
		not_whole(response, err);
	else if (status >= 300 && status <= 399)
		redirected(response, err);
	else
		refused(response, err);
	if (*who)
		etl_error_prefix(err, "%s", who);
	err->status = status;
	return -1;
}

/* ---- the body's beginning ---- */

/* The type decides alone for HTML: no service sends records under that name. Other
 * types are often wrong, so the first byte is asked. */
void etl_http_opening_init(struct etl_http_opening *o, const char *content_type,
	const struct etl_format_type *format)
{
	*o = (struct etl_http_opening){
		.format = format,
		.is_other = strncasecmp(content_type, "text/html", 9) == 0 ||
			    strncasecmp(content_type, "application/xhtml", 17) == 0,
	};
}

/* The first byte that is neither white space nor part of a byte order mark decides. */
static bool begins_well(const struct etl_http_opening *o)
{
	static const char bom[] = "\xef\xbb\xbf";
	size_t i = 0;

	while (i < o->n_first && i < 3 && o->first[i] == bom[i])
		i++;
	while (i < o->n_first && o->first[i] && strchr(" \t\r\n", o->first[i]))
		i++;
	if (i == o->n_first || !o->format->begins)
		return true; /* nothing known yet */
	return o->format->begins(o->first + i, o->n_first - i);
}

/* Where the kept bytes end inside a secret, its first half would be shown: cut before it.
 * The kept bytes end "... token=abcd" and the secret is abcdefgh: redaction looks for
 * the whole of it and would show its half. */
static void cut_half_secret(char *text, const struct etl_secret *const *secrets)
{
	size_t len = strlen(text);

	for (; secrets && *secrets; secrets++) {
		const struct etl_secret *secret = *secrets;

		for (size_t i = 0; i + SECRET_MIN <= len; i++)
			if (len - i < secret->len &&
				memcmp(text + i, secret->value, len - i) == 0)
				text[len = i] = '\0';
	}
}

/* The body's beginning fit for a message. */
static void quote_first(const struct etl_http_opening *o,
	const struct etl_secret *const *secrets, char quote[ETL_HTTP_QUOTE_BYTES])
{
	char raw[sizeof o->first + 1];
	struct etl_buf masked ETL_BUF_CLEANUP;

	memcpy(raw, o->first, o->n_first);
	raw[o->n_first] = '\0';
	/* A NUL would end the text in front of what may be a secret. */
	for (size_t i = 0; i < o->n_first; i++)
		if (!raw[i])
			raw[i] = ' ';
	cut_half_secret(raw, secrets);
	etl_buf_init(&masked, 4 * sizeof raw);
	/* A service may echo the request, credentials and all, in its error page. */
	etl_redact(&masked, raw, secrets);
	etl_http_quote(quote, etl_buf_text(&masked), masked.len);
}

static int not_of_format(const struct etl_http_opening *o, const struct etl_secret *const *secrets,
	struct etl_error *err)
{
	char quote[ETL_HTTP_QUOTE_BYTES];

	quote_first(o, secrets, quote);
	return etl_error_set(err, ETL_DATA, "http.not_json", "the answer is not %s: '%s'",
		o->format->title, quote);
}

bool etl_http_opening_is_full(const struct etl_http_opening *o)
{
	return o->n_first == sizeof o->first;
}

void etl_http_opening_keep(struct etl_http_opening *o, const char *bytes, size_t len)
{
	size_t room = sizeof o->first - o->n_first, n = len < room ? len : room;

	if (n)
		memcpy(o->first + o->n_first, bytes, n);
	o->n_first += n;
	o->bytes += len;
}

/* Of what is no JSON 160 bytes are waited for, because "<!DOCTYPE html>" alone explains
 * nothing. */
int etl_http_opening_feed(struct etl_http_opening *o, const char *bytes, size_t len,
	const struct etl_secret *const *secrets, struct etl_error *err)
{
	etl_http_opening_keep(o, bytes, len);
	if (!o->is_other && !begins_well(o))
		o->is_other = true;
	if (o->is_other && o->n_first == sizeof o->first)
		return not_of_format(o, secrets, err);
	return 0;
}

int etl_http_opening_end(const struct etl_http_opening *o, bool may_be_empty,
	const struct etl_secret *const *secrets, struct etl_error *err)
{
	if (!o->bytes && !may_be_empty && o->format->may_be_empty)
		return etl_error_set(err, ETL_DATA, "http.empty", "the answer is empty; if that says that "
			"there are no records, an option of format '%s' takes it so", o->format->name);
	if (!o->bytes && !may_be_empty)
		return etl_error_set(err, ETL_DATA, "http.empty", "the answer is empty");
	return o->is_other ? not_of_format(o, secrets, err) : 0;
}

/* The number and the wait are not words: they stay with the error. */
int etl_http_opening_explain(const struct etl_http_opening *o,
	const struct etl_secret *const *secrets, struct etl_error *err)
{
	int64_t retry_after_ms = err->retry_after_ms;
	char quote[ETL_HTTP_QUOTE_BYTES];
	struct etl_buf masked ETL_BUF_CLEANUP;
	int status = err->status;

	quote_first(o, secrets, quote);
	etl_buf_init(&masked, 4 * ETL_ERROR_MESSAGE_MAX);
	etl_redact(&masked, err->message, secrets);
	if (o->n_first)
		etl_error_set(err, err->kind, err->code, "%s (the answer begins '%s')",
			etl_buf_text(&masked), quote);
	else
		etl_error_set(err, err->kind, err->code, "%s", etl_buf_text(&masked));
	err->retry_after_ms = retry_after_ms;
	err->status = status;
	return -1;
}
