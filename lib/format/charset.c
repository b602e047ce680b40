/* SPDX-License-Identifier: MIT
 *
 * Charsets by iconv. A name comes from a stranger's header: only letters, digits and "-_.:"
 * reach iconv_open, which would take "//TRANSLIT" and paths otherwise.
 *
 * charset: windows-1252 and the bytes 5A FC 72 69 63 68 give "Zürich", 5A C3 BC 72 69
 * 63 68. Cut anywhere, the result is the same: half a character waits for the other
 * half.
 */
#include "format/charset.h"

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/str.h"

/* No charset has a character of more than some eight bytes; 16 leave room for its shift
 * sequences. 4096 bytes of room a step keep the number of calls small without reserving
 * four times the piece. */
enum { NAME_MAX_BYTES = 40, HALF_MAX = 16, OUT_STEP = 4096 };

struct etl_charset {
	iconv_t conversion;
	char name[NAME_MAX_BYTES + 1];
	char half[HALF_MAX]; /* the beginning of a character that was cut */
	size_t n_half;
	unsigned long long offset; /* bytes before the ones at hand */
};

/* "UTF-16LE" and "ISO_8859-1:1987" are names; "//TRANSLIT" would make iconv guess, and
 * a path would make it load a module. */
static bool is_name(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > NAME_MAX_BYTES)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-_.:", *name))
			return false;
	return true;
}

/* Asked of the library itself, whose list differs between systems. */
bool etl_charset_is_known(const char *name)
{
	iconv_t conversion = is_name(name) ? iconv_open("UTF-8", name) : (iconv_t)-1;

	if (conversion == (iconv_t)-1)
		return false;
	iconv_close(conversion);
	return true;
}

/* text/csv; charset="iso-8859-1"  ->  iso-8859-1       application/json  ->  none
 * text/csv; header=present; charset = utf-8  ->  utf-8 (blanks are not allowed there
 * and are sent) */
bool etl_charset_of(const char *content_type, char *out, size_t size)
{
	const char *at = content_type;
	size_t len;

	while ((at = strchr(at, ';')) != NULL) {
		at += 1 + strspn(at + 1, " \t");
		if (strncasecmp(at, "charset", 7) != 0)
			continue;
		at += 7 + strspn(at + 7, " \t");
		if (*at != '=')
			continue;
		at += 1 + strspn(at + 1, " \t");
		len = *at == '"' ? strcspn(++at, "\"") : strcspn(at, "; \t");
		if (!len)
			return false;
		snprintf(out, size, "%.*s", (int)len, at);
		return true;
	}
	return false;
}

/* ASCII is a part of it. Neither is converted: what is not UTF-8 after all is told by
 * the format. */
static bool is_utf8(const char *name)
{
	return strcasecmp(name, "utf-8") == 0 || strcasecmp(name, "utf8") == 0 ||
	       strcasecmp(name, "us-ascii") == 0 || strcasecmp(name, "ascii") == 0;
}

int etl_charset_begin(struct etl_charset **charset, const char *name, struct etl_error *err)
{
	iconv_t conversion;

	/* A new payload begins without what the last one left: half a character, or a
	 * shift. */
	etl_charset_free(ETL_TAKE(*charset));
	if (!name || !*name || is_utf8(name))
		return 0;
	conversion = is_name(name) ? iconv_open("UTF-8", name) : (iconv_t)-1;
	if (conversion == (iconv_t)-1)
		return etl_error_set(err, ETL_DATA, "http.charset",
			"the charset '%.40s' of the answer is not known", name);
	*charset = ETL_NEW(struct etl_charset);
	(*charset)->conversion = conversion;
	etl_text_copy((*charset)->name, sizeof(*charset)->name, name);
	return 0;
}

void etl_charset_free(struct etl_charset *charset)
{
	if (!charset)
		return;
	iconv_close(charset->conversion);
	free(charset);
}

/* The offset counts in bytes as they came, so that it can be found in a dump of the
 * answer. */
static int broken(const struct etl_charset *c, unsigned long long at, struct etl_error *err)
{
	return etl_error_set(err, ETL_DATA, "http.charset",
		"byte %llu of the answer is no character of the charset '%s' that it names", at,
		c->name);
}

static int no_room(struct etl_error *err)
{
	return etl_error_set(err, ETL_LIMIT, "http.charset", "the converted piece does not fit");
}

/* Converts as much as there is; what is left of *in is half a character. */
static int convert(struct etl_charset *c, char **in, size_t *left, struct etl_buf *out,
	struct etl_error *err)
{
	const char *begin = *in;

	while (*left) {
		char *room = etl_buf_reserve(out, OUT_STEP), *to = room;
		size_t free_bytes = OUT_STEP;

		if (!room)
			return no_room(err);
		size_t rc = iconv(c->conversion, in, left, &to, &free_bytes);

		out->len += (size_t)(to - room);
		/* The room was full: what is written counts, and the loop makes more. */
		if (rc != (size_t)-1 || errno == E2BIG)
			continue;
		/* Not wrong, but not whole: the end of the piece cuts a character. */
		if (errno == EINVAL)
			break;
		return broken(c, c->offset + (unsigned long long)(*in - begin), err);
	}
	c->offset += (unsigned long long)(*in - begin);
	return 0;
}

int etl_charset_convert(struct etl_charset *c, const char *bytes, size_t len,
	struct etl_buf *out, struct etl_error *err)
{
	char *copy, *at;
	size_t left = c->n_half + len;

	/* One run of bytes: the half of the last piece and this one. */
	copy = at = etl_realloc(NULL, 1, left + 1);
	memcpy(copy, c->half, c->n_half);
	memcpy(copy + c->n_half, bytes, len);
	c->n_half = 0;
	int rc = convert(c, &at, &left, out, err);

	/* More than any character has: then it is none. */
	if (rc == 0 && left > sizeof c->half)
		rc = broken(c, c->offset, err);
	if (rc == 0) {
		memcpy(c->half, at, left);
		c->n_half = left;
	}
	free(copy);
	return rc;
}

/* iconv keeps a letter back that a mark behind it may change: in windows-1258 also the last
 * bracket. */
int etl_charset_end(struct etl_charset *c, struct etl_buf *out, struct etl_error *err)
{
	char *room = etl_buf_reserve(out, OUT_STEP), *to = room;
	size_t free_bytes = OUT_STEP;

	if (c->n_half)
		return broken(c, c->offset, err);
	if (!room)
		return no_room(err);
	(void)iconv(c->conversion, NULL, NULL, &to, &free_bytes);
	out->len += (size_t)(to - room);
	return 0;
}
