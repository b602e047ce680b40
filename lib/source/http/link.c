/* SPDX-License-Identifier: MIT
 *
 * Link headers and relative URLs.
 *
 *   Link: <https://x/items?page=2>; rel="next", </items?page=9>; rel=last; title="a, <b>"
 * has two links. With the base https://x/v1/items?page=1 the reference "?page=2" means
 * https://x/v1/items?page=2, "other" means https://x/v1/other, and "//y/z" means https://y/z.
 */
#include "source/http/link.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "source/http/text.h"

/* ---- the header -------------------------------------------------------------------------- */

/* A NUL is in no set, although strchr finds it behind each. */
static bool is_in(char c, const char *set)
{
	return c && strchr(set, c);
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

/* A quoted value up to behind its closing quote, an escape being two bytes; or a token. `*value` and
 * `*len` are what stands between the quotes. */
static const char *read_value(const char *p, const char *end, const char **value, size_t *len)
{
	bool quoted = p < end && *p == '"';

	*value = p += quoted;
	while (p < end && (quoted ? *p != '"' : !is_in(*p, ";, \t")))
		p += quoted && *p == '\\' && p + 1 < end ? 2 : 1;
	*len = (size_t)(p - *value);
	return p + (quoted && p < end);
}

/* Relations are words with blanks between them and know no case: "prev NEXT". */
static bool has_next(const char *value, size_t len)
{
	const char *end = value + len;

	while (value < end) {
		const char *word = value = skip_blanks(value, end);

		while (value < end && *value != ' ' && *value != '\t')
			value++;
		if (value - word == 4 && strncasecmp(word, "next", 4) == 0)
			return true;
	}
	return false;
}

/* Behind the '>' up to the comma that ends the link. Of two `rel` the first counts (RFC 8288, 3.3). */
static const char *read_params(const char *p, const char *end, struct etl_link *out)
{
	bool has_rel = false;

	while (p < end && *p != ',') {
		const char *name, *value = "";
		size_t name_len, len = 0;

		if (*p == ';' || *p == ' ' || *p == '\t') {
			p++;
			continue;
		}
		for (name = p; p < end && !is_in(*p, "=;, \t");)
			p++;
		name_len = (size_t)(p - name);
		p = skip_blanks(p, end);
		if (p < end && *p == '=')
			p = read_value(skip_blanks(p + 1, end), end, &value, &len);
		if (name_len == 3 && strncasecmp(name, "rel", 3) == 0 && !has_rel) {
			has_rel = true;
			out->is_next = has_next(value, len);
		}
		out->is_anchored |= name_len == 6 && strncasecmp(name, "anchor", 6) == 0;
	}
	return p;
}

bool etl_link_read(const char **at, const char *end, struct etl_link *out)
{
	const char *p = *at;

	while (p < end) {
		const char *close;

		p = skip_blanks(p, end);
		close = p < end && *p == '<' ? memchr(p, '>', (size_t)(end - p)) : NULL;
		if (close) {
			*out = (struct etl_link){.target = p + 1, .target_len = (size_t)(close - p - 1)};
			*at = read_params(close + 1, end, out);
			return true;
		}
		while (p < end && *p != ',')
			p++;
		p += p < end;
	}
	*at = end;
	return false;
}

/* ---- relative URLs ----------------------------------------------------------------------- */

/* The length of "https:" of "https://x", 0 if there is no scheme in front. */
static size_t scheme_of(const char *text)
{
	size_t n = 0;

	if (!isalpha((unsigned char)*text))
		return 0;
	while (isalnum((unsigned char)text[n]) || is_in(text[n], "+-."))
		n++;
	return text[n] == ':' ? n + 1 : 0;
}

/* The path without "." and "..", of `len` bytes, behind what `out` has already (RFC 3986, 5.2.4).
 * "/a/b/../c/." becomes "/a/c/"; nothing goes above the root. */
static void add_path(struct etl_buf *out, const char *path, size_t len)
{
	size_t root = out->len;
	const char *end = path + len;

	while (path < end) {
		const char *segment = ++path; /* behind its '/' */
		size_t n;

		while (path < end && *path != '/')
			path++;
		n = (size_t)(path - segment);
		if (n == 2 && memcmp(segment, "..", 2) == 0) {
			while (out->len > root && out->data[--out->len] != '/')
				continue;
		} else if (n != 1 || *segment != '.') {
			etl_buf_char(out, '/');
			etl_buf_append(out, segment, n);
			continue;
		}
		/* A dot at the end leaves the folder, whose name ends with a '/'. */
		if (path == end)
			etl_buf_char(out, '/');
	}
}

/* The path of `reference`, which begins in the folder of the base's path unless it has a '/' in front. */
static void add_merged(struct etl_buf *out, const char *base_path, size_t base_len,
	const char *reference, size_t len)
{
	struct etl_buf whole ETL_BUF_CLEANUP;
	const char *slash = memrchr(base_path, '/', base_len);

	etl_buf_init(&whole, out->max);
	if (*reference != '/' && slash)
		etl_buf_append(&whole, base_path, (size_t)(slash + 1 - base_path));
	else if (*reference != '/')
		etl_buf_char(&whole, '/');
	etl_buf_append(&whole, reference, len);
	out->full |= !etl_buf_ok(&whole);
	add_path(out, etl_buf_text(&whole), whole.len);
}

/* What has a host of its own: `text` behind what `out` has, up to its fragment. */
static void add_absolute(struct etl_buf *out, const char *text)
{
	const char *host = strstr(text, "//");
	const char *path = host ? host + 2 + strcspn(host + 2, "/?#") : text + strcspn(text, "?#");
	size_t len = strcspn(path, "?#");

	etl_buf_append(out, text, (size_t)(path - text));
	add_path(out, path, len);
	etl_buf_append(out, path + len, strcspn(path + len, "#"));
}

const char *etl_link_resolve(const char *base, const char *reference, struct etl_buf *out)
{
	size_t len = strcspn(reference, "#"), path = strcspn(reference, "?#");
	const char *host = strstr(base, "://") + 3;
	const char *base_path = host + strcspn(host, "/?#");
	size_t base_len = strcspn(base_path, "?#");

	etl_buf_clear(out);
	if (scheme_of(reference)) {
		add_absolute(out, reference);
	} else if (strncmp(reference, "//", 2) == 0) {
		etl_buf_append(out, base, (size_t)(host - 2 - base));
		add_absolute(out, reference);
	} else {
		etl_buf_append(out, base, (size_t)(base_path - base));
		if (path)
			add_merged(out, base_path, base_len, reference, path);
		else
			etl_buf_append(out, base_path, len ? base_len : strcspn(base_path, "#"));
		etl_buf_append(out, reference + path, len - path);
	}
	if (!etl_buf_ok(out))
		return "it is longer than a URL may be";
	return etl_http_url_fault(etl_buf_text(out));
}

bool etl_link_origin(const char *url, char out[ETL_LINK_ORIGIN_BYTES])
{
	char host[ETL_LINK_ORIGIN_BYTES - 20];
	bool tls = strncasecmp(url, "https:", 6) == 0;
	const char *port;
	size_t len;

	if (!etl_http_url_host(url, host, sizeof host))
		return false;
	for (char *p = host; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	/* Of "[::1]:80" the port stands behind the bracket. */
	port = strrchr(host, ':');
	if (port && strchr(port, ']'))
		port = NULL;
	len = port ? (size_t)(port - host) : strlen(host);
	port = port && port[1] ? port + 1 : tls ? "443" : "80";
	snprintf(out, ETL_LINK_ORIGIN_BYTES, "%s://%.*s:%.10s", tls ? "https" : "http", (int)len, host, port);
	return true;
}
