/* SPDX-License-Identifier: MIT
 *
 * The canonical text of a key of several fields, which becomes `_id`:
 *
 *	283164601|@2026-11-22T15:00:00Z
 *
 * Text rather than an embedded document: it is found through the index by every server, sorts
 * by station and time, and can be typed into a shell. Two keys give the same text only if
 * MongoDB would call them equal: parts are joined by '|'; what is not text begins with a mark
 * (# number, @ date, ! bool, $ ObjectId); in text, '|' and '\' and a leading mark stand
 * behind a '\'.
 *
 *   "a" , int 5            a|#5               "a|b" , "c"        a\|b|c
 *   "#5" (a text)          \#5               double 5.0         #5
 *   true                   !true             ObjectId           $65f0...
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "sink/mongodb.h"
#include "time/civil.h"

#define TYPE_OBJECTID 0x07
#define TYPE_BOOL 0x08
#define TYPE_DECIMAL 0x13

/* Only in front of a part a mark could be read as one, so only there it is escaped. */
static bool is_mark(char c)
{
	return c == '#' || c == '@' || c == '!' || c == '$';
}

static void put_text(struct etl_buf *out, const char *text, uint32_t len)
{
	if (len && is_mark(*text))
		etl_buf_char(out, '\\');
	for (uint32_t i = 0; i < len; i++) {
		if (text[i] == '|' || text[i] == '\\')
			etl_buf_char(out, '\\');
		etl_buf_char(out, text[i]);
	}
}

/* Whole numbers look alike whatever their type: 5 and 5.0 are one key to MongoDB. */
static void put_double(struct etl_buf *out, double v)
{
	if (v == floor(v) && fabs(v) < 9.2e18)
		etl_buf_printf(out, "#%" PRId64, (int64_t)v);
	else
		etl_buf_printf(out, "#%.17g", v);
}

/* Whole decimals without an exponent meet integers. Others keep the text that the decimal has, and
 * so do those beyond an int64: "9223372036854775808" is another key than "9223372036854775807". */
static void put_decimal(struct etl_buf *out, const uint8_t *value)
{
	bson_decimal128_t decimal;
	char text[BSON_DECIMAL128_STRING];
	int64_t whole;

	memcpy(&decimal.low, value, 8);
	memcpy(&decimal.high, value + 8, 8);
	bson_decimal128_to_string(&decimal, text);
	if (etl_parse_int64(text, &whole))
		etl_buf_printf(out, "#%" PRId64, whole);
	else
		etl_buf_printf(out, "#%s", text);
}

static void put_date(struct etl_buf *out, etl_wall t)
{
	char text[ETL_TIME_TEXT_BYTES];
	int64_t seconds = etl_wall_seconds(t);

	/* A date that no text can name is its milliseconds: a different form, so no
	 * other date has it. */
	if (seconds < ETL_CIVIL_SECONDS_MIN || seconds > ETL_CIVIL_SECONDS_MAX) {
		etl_buf_printf(out, "@%" PRId64, t.ms);
		return;
	}
	etl_time_format_rfc3339(t, text);
	etl_buf_printf(out, "@%s", text);
}

/* Dates as RFC 3339, so that a shell's regular expression finds all of a station's July:
 * /^283164601\|@2026-07/ */
bool etl_sink_identity_add(struct etl_buf *out, const struct etl_element *e, bool is_first)
{
	const char *text;
	uint32_t len;
	int64_t whole;
	double number;
	etl_wall date;

	if (!is_first)
		etl_buf_char(out, '|');
	if (etl_element_text(e, &text, &len))
		put_text(out, text, len);
	else if (etl_element_int64(e, &whole))
		etl_buf_printf(out, "#%" PRId64, whole);
	else if (etl_element_double(e, &number))
		put_double(out, number);
	else if (etl_element_date(e, &date))
		put_date(out, date);
	else if (e->type == TYPE_DECIMAL)
		put_decimal(out, e->value);
	else if (e->type == TYPE_BOOL)
		etl_buf_str(out, e->value[0] ? "!true" : "!false");
	else if (e->type == TYPE_OBJECTID)
		for (int i = 0; i < 12; i++)
			etl_buf_printf(out, "%s%02x", i ? "" : "$", e->value[i]);
	else
		return false;
	return etl_buf_ok(out);
}
