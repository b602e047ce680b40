/* SPDX-License-Identifier: MIT
 *
 * The JSON printer. One short function for each kind of value; nothing is looked up in a
 * locale except the decimal point of printf, which is put right.
 */
#include "record/encode_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/str.h"
#include "time/civil.h"

enum { DEPTH_MAX = 200 };

/* Length of the run that needs no escape and is ASCII. */
static size_t plain_run(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && (unsigned char)s[n] >= 0x20 && (unsigned char)s[n] < 0x7f &&
		s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

static bool put_escape(unsigned char c, struct etl_buf *out)
{
	static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
	const char *at = c ? strchr(from, c) : NULL;
	char text[8];

	if (at)
		snprintf(text, sizeof text, "\\%c", to[at - from]);
	else
		snprintf(text, sizeof text, "\\u%04x", c);
	return etl_buf_str(out, text);
}

/* Bytes of the character at `s` if it is well-formed, else 0. */
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
			/* In steps of 64, so that a capped buffer holds the beginning. */
			if (!etl_buf_append(out, s, n) && n > 1) {
				out->full = false;
				n = 1;
				etl_buf_append(out, s, n);
			}
		} else if ((unsigned char)*s < 0x80) {
			n = 1;
			put_escape((unsigned char)*s, out);
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

/* Text has four digits for the year; a date beyond them is its number. */
static bool put_date(etl_wall t, struct etl_buf *out)
{
	char text[ETL_TIME_TEXT_BYTES];

	if (!etl_wall_is_civil(t))
		return etl_buf_printf(out, "%lld", (long long)t.ms);
	etl_time_format_rfc3339(t, text);
	return etl_buf_printf(out, "\"%s\"", text);
}

static bool put_decimal(const uint8_t *value, struct etl_buf *out)
{
	char text[BSON_DECIMAL128_STRING];
	bson_decimal128_t d;

	memcpy(&d.low, value, 8);
	memcpy(&d.high, value + 8, 8);
	bson_decimal128_to_string(&d, text);
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

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* The types that databases hold and records seldom do. */
static bool put_rare(const struct etl_element *e, struct etl_buf *out)
{
	const char *text = (const char *)e->value;

	switch (e->type) {
	case 0x0b: /* regex: the pattern, without its flags */
		return etl_json_encode_text(text, strlen(text), out);
	case 0x0c: /* DBPointer: its ObjectId */
		return put_hex(e->value + 4 + load32(e->value), 12, out);
	case 0x0f: /* code with scope: the code */
		return etl_json_encode_text(text + 8, load32(e->value + 4) - 1, out);
	case 0x11: /* timestamp: seconds in the upper half */
		return put_date((etl_wall){(int64_t)load32(e->value + 4) * 1000}, out);
	case 0x7f:
		return etl_buf_str(out, "\"MaxKey\"");
	case 0xff:
		return etl_buf_str(out, "\"MinKey\"");
	default:
		return etl_buf_str(out, "null");
	}
}

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
		return etl_json_encode_text((const char *)e->value + 4, load32(e->value) - 1,
			out);
	case 0x03:
	case 0x04:
		return put_members(e->value, e->value_len, e->type == 0x04, indent, depth + 1,
			out);
	case 0x05:
		return put_base64(e->value + 5, load32(e->value), out);
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
		return put_decimal(e->value, out);
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
