/* SPDX-License-Identifier: MIT
 *
 * The JSON printer. One short function for each kind of value; nothing is looked up in a
 * locale except the decimal point of printf, which is put right.
 *
 * {"t": date, "id": ObjectId, "v": double 1, "n": int64 7, "b": binary} is printed as
 * {"t":"2026-07-01T10:00:00Z","id":"65f0...","v":1.0,"n":7,"b":"AAEC"}
 * A double keeps its point, so that people see the difference between 1 and 1.0.
 */
#include "record/encode_json.h"

#include <math.h>
#include <string.h>

#include "base/encode.h"
#include "base/str.h"
#include "time/civil.h"

/* As deep as libbson's validator lets a document be; below it a hostile one would end
 * the stack. */
enum { DEPTH_MAX = 200 };

/* Length of the run that needs no escape and is ASCII.
 * Runs and not characters: most text is ASCII without anything to escape. */
static size_t plain_run(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && (unsigned char)s[n] >= 0x20 && (unsigned char)s[n] < 0x7f &&
		s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

/* DEL needs no escape in JSON, but a terminal must not see it. */
static bool put_escape(char c, struct etl_buf *out)
{
	return c == 0x7f ? etl_buf_str(out, "\\u007f") : etl_encode_json_char(out, c);
}

/* Bytes of the character at `s` if it is well-formed, else 0.
 * The first byte says how long a character should be; whether it is one is asked of its
 * bytes. */
static size_t one_character(const char *s, size_t len)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

	return n <= len && etl_utf8_check(s, n) == n ? n : 0;
}

bool etl_json_encode_text(const char *s, size_t len, struct etl_buf *out)
{
	etl_buf_char(out, '"');
	while (len && etl_buf_ok(out)) {
		size_t n = plain_run(s, len < 64 ? len : 64);

		if (n) {
			/* In steps of 64, so that a capped buffer holds the beginning.
			 * A capped buffer refuses the whole run. Going on byte by byte
			 * fills it to its last byte, which is what a dead letter and a
			 * message want: as much of the beginning as fits. */
			if (!etl_buf_append(out, s, n) && n > 1) {
				out->full = false;
				n = 1;
				etl_buf_append(out, s, n);
			}
		} else if ((unsigned char)*s < 0x80) {
			n = 1;
			put_escape(*s, out);
		} else if ((n = one_character(s, len))) {
			etl_buf_append(out, s, n);
		} else {
			n = 1;
			etl_buf_str(out, "\xef\xbf\xbd");
		}
		s += n;
		len -= n;
	}
	return etl_buf_char(out, '"');
}

/* 1 -> 1.0, 0.1 -> 0.1, 1e300 -> 1e+300, NaN -> null (RFC 8259 has no word for it). */
static bool put_double(double v, struct etl_buf *out)
{
	char text[ETL_DOUBLE_TEXT_BYTES + 2]; /* and ".0" */

	if (!isfinite(v))
		return etl_buf_str(out, "null");
	etl_encode_double(v, text);
	for (char *p = text; *p; p++)
		if (!strchr("0123456789+-e", *p))
			*p = '.'; /* another locale's decimal point */
	if (!strpbrk(text, ".e"))
		strncat(text, ".0", sizeof text - strlen(text) - 1);
	return etl_buf_str(out, text);
}

/* Text has four digits for the year; a date beyond them is its number.
 * The year 12000 has no RFC 3339 text; its number at least says what is stored. */
static bool put_date(etl_wall t, struct etl_buf *out)
{
	char text[ETL_TIME_TEXT_BYTES];

	if (!etl_wall_is_civil(t))
		return etl_buf_printf(out, "%lld", (long long)t.ms);
	etl_time_format_rfc3339(t, text);
	return etl_buf_printf(out, "\"%s\"", text);
}

static bool put_decimal(const struct etl_element *e, struct etl_buf *out)
{
	char text[BSON_DECIMAL128_STRING];

	etl_element_decimal_text(e, text);
	if (strpbrk(text, "Nn")) /* NaN, Infinity */
		return etl_buf_str(out, "null");
	return etl_buf_str(out, text);
}

static bool put_hex(const uint8_t *p, size_t len, struct etl_buf *out)
{
	etl_buf_char(out, '"');
	for (size_t i = 0; i < len; i++)
		etl_buf_printf(out, "%02x", p[i]);
	return etl_buf_char(out, '"');
}

static bool put_base64(const uint8_t *p, size_t len, struct etl_buf *out)
{
	etl_buf_char(out, '"');
	etl_encode_base64(out, p, len);
	return etl_buf_char(out, '"');
}

static bool put_break(unsigned indent, unsigned depth, struct etl_buf *out)
{
	if (!indent)
		return true;
	etl_buf_char(out, '\n');
	for (unsigned i = 0; i < indent * depth; i++)
		etl_buf_char(out, ' ');
	return etl_buf_ok(out);
}

static bool put_value(const struct etl_element *e, unsigned indent, unsigned depth,
	struct etl_buf *out);

/* depth counts from 1 for the document itself; at 201 "null" stands for what is too deep, and the
 * answer is false: the text is JSON still, but not the whole. */
static bool put_members(const uint8_t *bson, uint32_t len, bool is_array, unsigned indent,
	unsigned depth, struct etl_buf *out)
{
	struct etl_cursor cursor;
	struct etl_element e;
	bool first = true;

	if (depth > DEPTH_MAX) {
		etl_buf_str(out, "null");
		return false;
	}
	etl_buf_char(out, is_array ? '[' : '{');
	etl_cursor_init(&cursor, bson, len);
	while (etl_cursor_next(&cursor, &e) && etl_buf_ok(out)) {
		/* Elements are parted by what stands before them, so an empty document
		 * is {} in both forms. */
		if (!first)
			etl_buf_char(out, ',');
		first = false;
		put_break(indent, depth, out);
		if (!is_array) {
			etl_json_encode_text(e.key, e.key_len, out);
			etl_buf_str(out, indent ? ": " : ":");
		}
		if (!put_value(&e, indent, depth, out))
			return false;
	}
	if (!first)
		put_break(indent, depth - 1, out);
	return etl_buf_char(out, is_array ? ']' : '}');
}

/* The types that databases hold and records seldom do. */
static bool put_rare(const struct etl_element *e, struct etl_buf *out)
{
	const char *text = (const char *)e->value;

	switch (e->type) {
	case 0x0b: /* regex: the pattern, without its flags */
		return etl_json_encode_text(text, strlen(text), out);
	/* A string, then 12 bytes of ObjectId. */
	case 0x0c: /* DBPointer: its ObjectId */
		return put_hex(e->value + 4 + etl_bson_load32(e->value), 12, out);
	case 0x0f: /* code with scope: the code */
		return etl_json_encode_text(text + 8, etl_bson_load32(e->value + 4) - 1, out);
	case 0x11: /* timestamp: seconds in the upper half */
		return put_date((etl_wall){(int64_t)etl_bson_load32(e->value + 4) * 1000}, out);
	case 0x7f:
		return etl_buf_str(out, "\"MaxKey\"");
	case 0xff:
		return etl_buf_str(out, "\"MinKey\"");
	default:
		return etl_buf_str(out, "null");
	}
}

/* The types of BSON that records have. A 64-bit integer has all its digits, although a
 * JavaScript reader would round it: this text is for people and for dead letters. */
static bool put_value(const struct etl_element *e, unsigned indent, unsigned depth,
	struct etl_buf *out)
{
	int64_t whole = 0;
	etl_wall date;
	double real;

	switch (e->type) {
	case 0x01:
		memcpy(&real, e->value, sizeof real);
		return put_double(real, out);
	case 0x02:
	case 0x0d:
	case 0x0e:
		return etl_json_encode_text((const char *)e->value + 4,
			etl_bson_load32(e->value) - 1, out);
	case 0x03:
	case 0x04:
		return put_members(e->value, e->value_len, e->type == 0x04, indent, depth + 1,
			out);
	case 0x05:
		return put_base64(e->value + 5, etl_bson_load32(e->value), out);
	case 0x07:
		return put_hex(e->value, 12, out);
	case 0x08:
		return etl_buf_str(out, *e->value ? "true" : "false");
	case 0x09:
		etl_element_date(e, &date);
		return put_date(date, out);
	case 0x10:
	case 0x12:
		etl_element_int64(e, &whole);
		return etl_buf_printf(out, "%lld", (long long)whole);
	case 0x13:
		return put_decimal(e, out);
	default:
		return put_rare(e, out);
	}
}

bool etl_json_encode(const uint8_t *bson, uint32_t len, unsigned indent, struct etl_buf *out)
{
	return put_members(bson, len, false, indent, 1, out) && etl_buf_ok(out);
}

bool etl_json_encode_element(const struct etl_element *e, unsigned indent, struct etl_buf *out)
{
	return put_value(e, indent, 0, out) && etl_buf_ok(out);
}
