/* SPDX-License-Identifier: MIT
 *
 * Brackets, strings, escapes and characters: the small readers that the record transcoder
 * and the frame reader share.
 *
 * None of them allocates but the stack of brackets, and each can stop at any byte: what
 * they return depends on the text alone.
 */
#include "record/json_scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/json_simd.h"

/* The memory of the stack stays for the next record. */
void etl_json_skip_reset(struct etl_json_skip *skip)
{
	skip->depth = 0;
	skip->in_string = false;
	skip->escaped = false;
}

void etl_json_skip_fini(struct etl_json_skip *skip)
{
	free(skip->is_array);
	*skip = (struct etl_json_skip){0};
}

/* In `temperature in Firenze","x` it stops at the quote, 22 bytes on, after two steps of sixteen
 * bytes each. The portable twin below gives the same answer byte by byte. */
const char *etl_json_plain_end(const char *p, const char *end)
{
#if ETL_JSON_SSE2
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
	const __m128i blank = _mm_set1_epi8(0x20);

	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* Signed: bytes of 0x80 and more count as below 0x20. */
		__m128i odd = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote),
						   _mm_cmpeq_epi8(v, slash)),
			_mm_cmplt_epi8(v, blank));
		unsigned mask = (unsigned)_mm_movemask_epi8(odd);

		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	while (p < end && (signed char)*p >= 0x20 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* The loop's own step takes one more, hence the minus one, and 15 for a full sixteen. */
const char *etl_json_skip_blanks(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p != ' ' && *p != '\n' && *p != '\r' && *p != '\t')
			break;
#if ETL_JSON_SSE2
		/* Indentation: long runs of blanks. */
		if (*p == ' ' && end - p > 16) {
			__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
			unsigned others = 0xffffu ^
				(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')));

			p += others ? __builtin_ctz(others) - 1 : 15;
		}
#endif
	}
	return p;
}

/* Inside a string; leaves it at its end.
 * "a\"b": the backslash makes the quote part of the text. `escaped` outlives the piece: a backslash
 * may be its last byte. */
static const char *skip_string(struct etl_json_skip *skip, const char *p, const char *end)
{
	while (p < end) {
		if (skip->escaped) {
			skip->escaped = false;
			p++;
			continue;
		}
		p = etl_json_plain_end(p, end);
		if (p == end)
			break;
		if (*p == '"') {
			skip->in_string = false;
			return p + 1;
		}
		skip->escaped = *p == '\\';
		p++;
	}
	return p;
}

/* {"a": "}"} ends at the second brace, since the first is text. Only kinds of brackets are checked;
 * whether commas and values make sense is nobody's question for a record that is refused. */
enum etl_json_status etl_json_skip(struct etl_json_skip *skip, const char **at, const char *end)
{
	const char *p = *at;
	bool array;

	while (p < end) {
		if (skip->in_string) {
			p = skip_string(skip, p, end);
			continue;
		}
		char c = *p;

		*at = p++;
		switch (c) {
		case '"':
			skip->in_string = true;
			break;
		case '{':
		/* A record of a million open brackets is an attack or a defect; one
		 * byte for each is the memory that it may cost. */
		case '[':
			if (skip->depth == ETL_JSON_NESTING_MAX)
				return ETL_JSON_BROKEN;
			ETL_GROW(skip->is_array, skip->depth, skip->cap);
			skip->is_array[skip->depth++] = c == '[';
			break;
		case '}':
		case ']':
			array = c == ']';
			if (!skip->depth || skip->is_array[skip->depth - 1] != array)
				return ETL_JSON_BROKEN;
			if (!--skip->depth) {
				*at = p;
				return ETL_JSON_OK;
			}
			break;
		default:
			break;
		}
	}
	*at = p;
	return ETL_JSON_MORE;
}

/* As etl_utf8_check has it, one character at a time and with a third answer: a piece
 * may end inside of one. */
int etl_json_utf8(const char *text, const char *end)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t room = (size_t)(end - text);
	unsigned low = 0x80, high = 0xbf;
	int n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	for (int i = 1; i < n; i++) {
		if ((size_t)i >= room)
			return -1;
		if (p[i] < low || p[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return n;
}

/* Four hexadecimal digits at `p`: OK, MORE or REJECT.
 * "00e9" is 0xe9. `c | 0x20` makes a capital letter small; '0' to '9' are taken before it. */
static enum etl_json_status hex4(const char *p, const char *end, unsigned *out)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++, p++) {
		if (p == end)
			return ETL_JSON_MORE;
		unsigned char c = (unsigned char)*p;
		unsigned lower = c | 0x20;

		if (c >= '0' && c <= '9')
			v = v << 4 | (unsigned)(c - '0');
		else if (lower >= 'a' && lower <= 'f')
			v = v << 4 | (lower - 'a' + 10);
		else
			return ETL_JSON_REJECT;
	}
	*out = v;
	return ETL_JSON_OK;
}

/* RFC 3629 section 3: 7, 11, 16 or 21 bits in one to four bytes. */
static unsigned put_utf8(unsigned code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 63));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 63));
		out[2] = (char)(0x80 | (code & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 63));
	out[2] = (char)(0x80 | (code >> 6 & 63));
	out[3] = (char)(0x80 | (code & 63));
	return 4;
}

/* "\u00e9" is two bytes (C3 A9); "\ud83d\ude00" is one character of four (U+1F600). Half a pair has
 * no UTF-8 at all, and U+0000 would end the text in every C program that reads it later. */
static enum etl_json_status unescape_unicode(const char *p, const char *end, char *out,
	unsigned *len, unsigned *used, const char **why)
{
	unsigned code = 0, low = 0;
	enum etl_json_status status = hex4(p + 2, end, &code);

	*why = "a \\u escape without four hexadecimal digits";
	if (status != ETL_JSON_OK)
		return status;
	*used = 6;
	*why = "the character U+0000";
	if (!code)
		return ETL_JSON_REJECT;
	if (code >= 0xd800 && code <= 0xdfff) {
		*why = "a lone surrogate";
		if (code >= 0xdc00)
			return ETL_JSON_REJECT;
		for (int i = 0; i < 2; i++) {
			if (p + 6 + i == end)
				return ETL_JSON_MORE;
			if (p[6 + i] != "\\u"[i])
				return ETL_JSON_REJECT;
		}
		status = hex4(p + 8, end, &low);
		if (status != ETL_JSON_OK)
			return status;
		if (low < 0xdc00 || low > 0xdfff)
			return ETL_JSON_REJECT;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		*used = 12;
	}
	*len = put_utf8(code, out);
	return ETL_JSON_OK;
}

/* \n is one byte, \u00e9 two, \ud83d\ude00 four. \a and \x41 are C's and not JSON's: refused.
 * The two strings are one table: what stands behind the backslash, and what it means at the same
 * place. */
enum etl_json_status etl_json_unescape(const char *p, const char *end, char out[4],
	unsigned *len, unsigned *used, const char **why)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (end - p < 2)
		return ETL_JSON_MORE;
	if (p[1] == 'u')
		return unescape_unicode(p, end, out, len, used, why);
	at = p[1] ? strchr(from, p[1]) : NULL;
	*why = "an unknown escape";
	if (!at)
		return ETL_JSON_REJECT;
	out[0] = to[at - from];
	*len = 1;
	*used = 2;
	return ETL_JSON_OK;
}
