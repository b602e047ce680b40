/* SPDX-License-Identifier: MIT
 *
 * Percent-encoding, base64, words of a shell, doubles as text.
 */
#include "base/encode.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By hand: isalnum() would ask the locale. */
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

/* What no shell takes for anything else, in the middle of a line. */
static bool is_plain(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!is_unreserved((unsigned char)*p) && !strchr("/:=@%+,", *p))
			return false;
	return *text && *text != '~' && *text != '-';
}

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

void etl_encode_double(double v, char out[ETL_DOUBLE_TEXT_BYTES])
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, ETL_DOUBLE_TEXT_BYTES, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			return;
	}
}
