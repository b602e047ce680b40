/* SPDX-License-Identifier: MIT
 *
 * Percent-encoding.
 */
#include "conf/escape.h"

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '.' || c == '_' || c == '~';
}

bool etl_escape_percent(struct etl_buf *out, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (is_unreserved(c)) {
			etl_buf_char(out, *text);
		} else {
			const char code[3] = {'%', hex[c >> 4], hex[c & 15]};

			etl_buf_append(out, code, sizeof code);
		}
	}
	return etl_buf_ok(out);
}
