/* SPDX-License-Identifier: MIT
 *
 * Percent-encoding, base64, words of a shell, doubles as text.
 */
#include "base/encode.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By hand: isalnum() would ask the locale.
 * RFC 3986 section 2.3. Only these stay as they are, also in a query, where more would be
 * allowed: a value must never be able to end its place. "a/b c&d=é" becomes
 * "a%2Fb%20c%26d%3D%C3%A9": a blank is %20 and never '+', which only forms read as a blank. */
static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '.' || c == '_' || c == '~';
}

bool etl_encode_percent(struct etl_buf *out, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		const char code[3] = {'%', hex[c >> 4], hex[c & 15]};

		if (is_unreserved(c))
			etl_buf_char(out, *text);
		else
			etl_buf_append(out, code, sizeof code);
	}
	return etl_buf_ok(out);
}

/* RFC 4648 section 4, with its test vectors: "" "", "f" "Zg==", "fo" "Zm8=", "foo" "Zm9v".
 * Three bytes are 24 bits, four digits of 6 bits; a last group of one or two bytes is filled
 * with zero bits and '='. */
bool etl_encode_base64(struct etl_buf *out, const void *bytes, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len && etl_buf_ok(out); i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			(left > 2 ? p[i + 2] : 0);
		const char code[4] = {digits[v >> 18], digits[v >> 12 & 63],
			left > 1 ? digits[v >> 6 & 63] : '=', left > 2 ? digits[v & 63] : '='};

		etl_buf_append(out, code, sizeof code);
	}
	return etl_buf_ok(out);
}

/* What no shell takes for anything else, in the middle of a line.
 * An empty word has to be quoted to be seen, a leading '~' is a home folder, a leading
 * '-' an option. */
static bool is_plain(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!is_unreserved((unsigned char)*p) && !strchr("/:=@%+,", *p))
			return false;
	return *text && *text != '~' && *text != '-';
}

/* Commands that messages recommend are copied by people: each argument has to arrive as it
 * was. Inside single quotes a shell takes nothing for special but the quote itself (POSIX
 * XCU 2.2.2), so that one is closed, escaped and opened again: it's -> 'it'\''s'. */
bool etl_encode_shell(struct etl_buf *out, const char *text)
{
	if (is_plain(text))
		return etl_buf_str(out, text);
	etl_buf_char(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			etl_buf_str(out, "'\\''");
		else
			etl_buf_char(out, *text);
	}
	etl_buf_char(out, '\'');
	return etl_buf_ok(out);
}

/* Only what has to be escaped (RFC 8259 section 7): quote, backslash and what lies below 0x20,
 * by its short form if it has one. A line feed is \n, an ESC is \u001b, a slash stays a slash. */
bool etl_encode_json_char(struct etl_buf *out, char c)
{
	/* Pairs: the character, then the letter that stands for it. */
	static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\";

	for (const char *s = shorts; *s; s += 2)
		if (*s == c)
			return etl_buf_printf(out, "\\%c", s[1]);
	if ((unsigned char)c < 0x20)
		return etl_buf_printf(out, "\\u%04x", c);
	return etl_buf_char(out, c);
}

/* 0.1 needs 15 digits ("0.1"), 0.1 + 0.2 needs 17 ("0.30000000000000004"). Trying 15 first
 * keeps what people wrote as they wrote it: printing 17 at once would turn 0.1 into
 * 0.10000000000000001. */
void etl_encode_double(double v, char out[ETL_DOUBLE_TEXT_BYTES])
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, ETL_DOUBLE_TEXT_BYTES, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			return;
	}
}
