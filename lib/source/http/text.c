/* SPDX-License-Identifier: MIT
 *
 * Small text work of HTTP.
 *
 * "https://x/a?b=1" is usable. "x/a" (no scheme), "https://{host}/a",
 * "https://me:pw@x/", "https://x/#f" and "https://x/a b" are refused, each with its
 * reason.
 */
#include "source/http/text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/str.h"

/* Behind "http://" or "https://", or NULL.
 * RFC 3986 section 3.1: "HTTPS://x/" is the same scheme. */
static const char *after_scheme(const char *url)
{
	if (strncasecmp(url, "https://", 8) == 0)
		return url + 8;
	if (strncasecmp(url, "http://", 7) == 0)
		return url + 7;
	return NULL;
}

/* In the order in which a reader would want them told: one reason at a time. */
const char *etl_http_url_fault(const char *url)
{
	const char *host = after_scheme(url);
	size_t len;

	if (!host)
		return "a URL begins with http:// or https://";
	len = strcspn(host, "/?#");
	if (memchr(host, '{', len) || memchr(host, '}', len))
		return "the host is fixed: no {name} in it";
	if (memchr(host, '@', len))
		return "a URL holds no user name or password: use auth";
	if (!len || *host == ':')
		return "the URL has no host";
	if (strchr(url, '#'))
		return "a URL that is asked for has no fragment ('#')";
	/* Bytes that a URL cannot have: clients differ in what they make of them. */
	for (const char *p = url; *p; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || *p == '\\' ||
			*p == '"')
			return "the URL has a byte that must be percent-encoded";
	return NULL;
}

/* A segment "..." is a name as any other. */
static bool is_dot_segment(const char *segment, size_t len)
{
	return (len == 1 && segment[0] == '.') || (len == 2 && memcmp(segment, "..", 2) == 0);
}

/* After the template was filled: {station} may be "..". Such segments are taken out by
 * clients and servers (RFC 3986 section 5.2.4), and another resource would be asked
 * for. */
int etl_http_url_check_path(const char *url, struct etl_error *err)
{
	const char *host = after_scheme(url);
	const char *at = host ? host + strcspn(host, "/?#") : "";

	while (*at == '/') {
		size_t len = strcspn(++at, "/?#");

		if (is_dot_segment(at, len))
			return etl_error_set(err, ETL_CONFIG, "http.url",
				"the URL's path has the segment '%.*s'", (int)len, at);
		at += len;
	}
	return 0;
}

/* With its port: "api.example.org:8443" is another host than "api.example.org", for
 * limits and breakers.
 *   https://me:pw@x:8443/a  ->  x:8443 */
bool etl_http_url_host(const char *url, char *out, size_t size)
{
	const char *host = after_scheme(url);
	size_t len = host ? strcspn(host, "/?#") : 0;
	const char *at = len ? memchr(host, '@', len) : NULL;

	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	if (!len || len >= size)
		return false;
	memcpy(out, host, len);
	out[len] = '\0';
	return true;
}

/* The alphabet of RFC 9110 section 5.6.2.
 * "X-Api-Key" is one, "X Api", "X:Y" and "" are not. */
bool etl_http_is_token(const char *name)
{
	if (!*name)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("!#$%&'*+-.^_`|~", *name))
			return false;
	return true;
}

/* A tabulator is the one control byte of a value (RFC 9110 section 5.5); bytes from
 * 0x80 on pass, as services send and take them. */
bool etl_http_is_header_value(const char *value)
{
	for (; *value; value++)
		if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
			return false;
	return true;
}

/* "5" good, "5, 5" good, "5, 6" not, "" not, "5" behind a "6" of the same answer not.
 * Content-Length (RFC 9110 section 8.6): a proxy may join two headers that say the
 * same. Two that differ are how a second answer is smuggled into the first. */
bool etl_http_length_agrees(
	const char *value, size_t len, bool *has, unsigned long long *length)
{
	unsigned long long n = 0;
	bool any = false;

	for (size_t i = 0; i <= len; i++) {
		char c = i < len ? value[i] : ',';

		if (c >= '0' && c <= '9') {
			any = true;
			if (__builtin_mul_overflow(n, 10, &n) ||
				__builtin_add_overflow(n, (unsigned)(c - '0'), &n))
				return false;
		} else if (c == ',') {
			if (!any || (*has && *length != n))
				return false;
			*has = true;
			*length = n;
			n = 0;
			any = false;
		} else if (!isspace((unsigned char)c)) {
			return false;
		}
	}
	return true;
}

/* Of a header that came twice the last one stays; blanks around a value are no part of
 * it (RFC 9110 section 5.5). */
void etl_http_header_keep(char **slot, const char *value, size_t len)
{
	while (len && isspace((unsigned char)*value)) {
		value++;
		len--;
	}
	while (len && isspace((unsigned char)value[len - 1]))
		len--;
	free(*slot);
	*slot = etl_memdup0(value, len);
}

bool etl_http_looks_secret(const char *name, size_t len)
{
	/* Parts of a name: "api_key", "X-Auth-Token", "clientSecret". Too many names
	 * are masked rather than too few; nothing but a message depends on it. */
	static const char *const parts[] = {"key", "token", "passw", "passwd", "secret", "auth",
		"signature", "credential", "jwt", "assertion"};
	static const char *const whole[] = {"sig", "pwd", "pass", "code", "sid", "session", "otp"};
	char text[64];

	if (len >= sizeof text)
		len = sizeof text - 1;
	memcpy(text, name, len);
	text[len] = '\0';
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strcasestr(text, parts[i]))
			return true;
	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
		if (strcasecmp(text, whole[i]) == 0)
			return true;
	return false;
}

/* "?a=1&key=***"; `query` begins with its '?'.
 * A parameter without '=' has no value to hide: "?token" is shown as it is. */
static void show_query(const char *query, struct etl_buf *out)
{
	while (*query && *query != '#') {
		size_t len = strcspn(query + 1, "&;#"), name = strcspn(query + 1, "=&;#");

		etl_buf_append(out, query, 1 + name);
		if (name < len && etl_http_looks_secret(query + 1, name))
			etl_buf_str(out, "=***");
		else
			etl_buf_append(out, query + 1 + name, len - name);
		query += 1 + len;
	}
}

/* https://me:pw@x/a?key=abc&n=1#f  ->  https://x/a?key=***&n=1 */
void etl_http_url_show(const char *url, char out[ETL_HTTP_SHOWN_BYTES])
{
	const char *host = after_scheme(url), *rest = url;
	struct etl_buf text ETL_BUF_CLEANUP;
	size_t path;

	etl_buf_init(&text, 4 * strlen(url) + 16);
	if (host) {
		size_t len = strcspn(host, "/?#");
		const char *at = memrchr(host, '@', len);

		etl_buf_append(&text, url, (size_t)(host - url));
		rest = at ? at + 1 : host;
	}
	path = strcspn(rest, "?#");
	etl_buf_append(&text, rest, path);
	if (rest[path] == '?')
		show_query(rest + path, &text);
	etl_text_copy(out, ETL_HTTP_SHOWN_BYTES, etl_buf_text(&text));
	if (text.len >= ETL_HTTP_SHOWN_BYTES)
		memcpy(out + etl_utf8_cut(out, ETL_HTTP_SHOWN_BYTES - 4), "...", 4);
	etl_text_mask(out);
}

/* "<html>\n  <body>Error</body>" -> "<html> <body>Error</body>": one line, eighty bytes. */
void etl_http_quote(char out[ETL_HTTP_QUOTE_BYTES], const char *bytes, size_t len)
{
	size_t n = 0, i = 0;

	while (i < len && n < 80) {
		size_t width = 1;

		while (width < 4 && i + width < len && ((unsigned char)bytes[i + width] & 0xc0) == 0x80)
			width++;
		if ((unsigned char)bytes[i] <= 0x20 || bytes[i] == 0x7f) {
			if (n && out[n - 1] != ' ')
				out[n++] = ' ';
			i++;
			continue;
		}
		if (n + width > 80)
			break;
		memcpy(out + n, bytes + i, width);
		n += width;
		i += width;
	}
	out[n] = '\0';
	etl_text_mask(out);
}
