/* SPDX-License-Identifier: MIT
 *
 * The strict guard before the tree: RFC 8259 as written, no recursion, nothing allocated.
 * cJSON lets through what it should not (control bytes, "01", NUL in text, deep nesting),
 * and what it takes for a member name decides what a daemon does.
 *
 * What it refuses and cJSON takes, each with an example: 01 and 1. (numbers), a tab inside
 * text, "\u0000" (a C string would end there), {"a":1} x (something behind the value), and a
 * form feed between values: blanks are the four of section 2 and no others.
 */
#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

/* The place in the text and the brackets that are open. No recursion: 32 bytes replace
 * the stack, so a hostile text costs time in proportion to its length and nothing else. */
struct scan {
	const char *text;
	size_t len;
	size_t at;
	unsigned depth;
	char open[ETL_JSON_DEPTH_MAX]; /* '{' or '[' of each level */
	struct etl_error *err;
};

static int bad(struct scan *s, const char *what)
{
	return etl_error_set(s->err, ETL_DATA, "json.syntax", "JSON: %s at byte %zu", what,
		s->at);
}

static int peek(const struct scan *s)
{
	return s->at < s->len ? (unsigned char)s->text[s->at] : -1;
}

/* memchr() over the four and not isspace(), which takes vertical tab and form feed too. */
static void skip_blanks(struct scan *s)
{
	while (s->at < s->len && memchr(" \t\r\n", s->text[s->at], 4))
		s->at++;
}

static size_t digits(struct scan *s)
{
	size_t from = s->at;

	while (s->at < s->len && isdigit((unsigned char)s->text[s->at]))
		s->at++;
	return s->at - from;
}

/* cJSON reads a number from a copy of so many bytes and would take the rest for another
 * value. No number that we exchange needs more. */
enum { NUMBER_BYTES_MAX = 63 };

/* RFC 8259 section 6: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
 *   good: 0  -0  10  1.50  1e9  1E-7      bad: 01  +1  .5  1.  1e  0x10  NaN
 * "01" stops behind the 0; that a digit follows is then "something follows the value" or a
 * missing comma. */
static int scan_digits(struct scan *s)
{
	s->at += peek(s) == '-';
	if (peek(s) == '0')
		s->at++;
	else if (!digits(s))
		return bad(s, "a number without digits");
	if (peek(s) == '.') {
		s->at++;
		if (!digits(s))
			return bad(s, "no digits after the decimal point");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->at++;
		s->at += peek(s) == '+' || peek(s) == '-';
		if (!digits(s))
			return bad(s, "no digits in the exponent");
	}
	return 0;
}

static int scan_number(struct scan *s)
{
	size_t from = s->at;

	if (scan_digits(s) < 0)
		return -1;
	if (s->at - from <= NUMBER_BYTES_MAX)
		return 0;
	return etl_error_set(s->err, ETL_LIMIT, "json.number",
		"JSON: a number of more than %d bytes at byte %zu", NUMBER_BYTES_MAX, from);
}

/* \uXXXX behind the backslash and the u. */
static int scan_unicode_escape(struct scan *s)
{
	if (s->len - s->at < 4)
		return bad(s, "a cut \\u escape");
	for (int i = 0; i < 4; i++)
		if (!isxdigit((unsigned char)s->text[s->at + i]))
			return bad(s, "a \\u escape without four hexadecimal digits");
	/* The only escape that a C string cannot carry: it would cut the text, and a
	 * name that was compared would not be the name that was sent. */
	if (memcmp(s->text + s->at, "0000", 4) == 0)
		return bad(s, "a NUL character inside text");
	s->at += 4;
	return 0;
}

/* Bytes from 0x80 up need no look: the whole text was checked to be UTF-8 before, and
 * no byte of a longer character is a quote or a backslash. */
static int scan_text(struct scan *s)
{
	s->at++;
	for (;;) {
		int c = peek(s);

		if (c < 0)
			return bad(s, "text without its closing quote");
		if (c < 0x20)
			return bad(s, "a control byte inside text");
		s->at++;
		if (c == '"')
			return 0;
		if (c != '\\')
			continue;
		c = peek(s);
		if (c < 0 || !c || !strchr("\"\\/bfnrtu", c))
			return bad(s, "an unknown escape");
		s->at++;
		if (c == 'u' && scan_unicode_escape(s) < 0)
			return -1;
	}
}

static int scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if (s->len - s->at < n || memcmp(s->text + s->at, word, n) != 0)
		return bad(s, "an unknown word");
	s->at += n;
	return 0;
}

static int scan_scalar(struct scan *s)
{
	switch (peek(s)) {
	case '"':
		return scan_text(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	case -1:
		return bad(s, "the end came too early");
	default:
		if (peek(s) != '-' && !isdigit(peek(s)))
			return bad(s, "an unexpected character");
		return scan_number(s);
	}
}

/* Behind a comma of an object, too: {"a":1,} fails here, with "a member name is missing". */
static int scan_key(struct scan *s)
{
	skip_blanks(s);
	if (peek(s) != '"')
		return bad(s, "a member name is missing");
	if (scan_text(s) < 0)
		return -1;
	skip_blanks(s);
	if (peek(s) != ':')
		return bad(s, "':' is missing after a member name");
	s->at++;
	return 0;
}

/* Steps over an opening bracket. 1 = it is closed again at once, 0 = values follow. */
static int scan_open(struct scan *s)
{
	/* Empty containers are closed at once: behind '[' a ']' is right, behind ',' it
	 * is not, so this is the only place where a closing bracket may follow without
	 * a value. Closed at once, they need no level. */
	char open = s->text[s->at];

	if (s->depth == ETL_JSON_DEPTH_MAX)
		return etl_error_set(s->err, ETL_LIMIT, "json.depth",
			"JSON: more than %d levels deep at byte %zu", ETL_JSON_DEPTH_MAX,
			s->at);
	s->at++;
	skip_blanks(s);
	if (peek(s) == (open == '{' ? '}' : ']')) {
		s->at++;
		return 1;
	}
	s->open[s->depth++] = open;
	return open == '{' ? scan_key(s) : 0;
}

/* Behind a value: closes levels. 1 = all is closed, 0 = another value follows.
 * Behind a value stands a comma, or the bracket that closes its level, which is itself
 * the end of a value one level up; hence the loop. */
static int scan_close(struct scan *s)
{
	while (s->depth) {
		char open = s->open[s->depth - 1];

		skip_blanks(s);
		if (peek(s) == ',') {
			s->at++;
			return open == '{' ? scan_key(s) : 0;
		}
		if (peek(s) != (open == '{' ? '}' : ']'))
			return bad(s,
				open == '{' ? "',' or '}' is missing" : "',' or ']' is missing");
		s->at++;
		s->depth--;
	}
	return 1;
}

int etl_json_check(const char *text, size_t len, struct etl_error *err)
{
	struct scan s = {.text = text, .len = len, .err = err};
	size_t good = etl_utf8_check(text, len);
	int closed = 0;

	if (good != len)
		return etl_error_set(err, ETL_DATA, "json.utf8", "JSON: no UTF-8 at byte %zu",
			good);
	/* Each turn steps over one opening bracket or one scalar, with all that closes
	 * behind it: every turn takes at least one byte, so the loop ends. */
	while (!closed) {
		int c, rc;

		skip_blanks(&s);
		c = peek(&s);
		rc = c == '{' || c == '[' ? scan_open(&s) : scan_scalar(&s) < 0 ? -1 : 1;
		if (rc == 1)
			rc = scan_close(&s);
		if (rc < 0)
			return -1;
		closed = rc;
	}
	skip_blanks(&s);
	return s.at == len ? 0 : bad(&s, "something follows the value");
}
