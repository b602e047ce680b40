/* SPDX-License-Identifier: MIT
 *
 * Small questions about text.
 */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* The length of the well-formed character at `p`, or 0 (Unicode 15, table 3-7). */
static size_t utf8_char(const unsigned char *p, size_t len)
{
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		return len >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
	if (p[0] >= 0xe0 && p[0] <= 0xef) {
		unsigned char low = p[0] == 0xe0 ? 0xa0 : 0x80;
		unsigned char high = p[0] == 0xed ? 0x9f : 0xbf;

		return len >= 3 && p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80 ? 3 : 0;
	}
	if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		unsigned char low = p[0] == 0xf0 ? 0x90 : 0x80;
		unsigned char high = p[0] == 0xf4 ? 0x8f : 0xbf;

		return len >= 4 && p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80 &&
				(p[3] & 0xc0) == 0x80 ?
			4 :
			0;
	}
	return 0;
}

size_t etl_utf8_check(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0;

	while (i < len) {
		size_t n = utf8_char(p + i, len - i);

		if (!n)
			return i;
		i += n;
	}
	return len;
}

size_t etl_utf8_cut(const char *s, size_t max)
{
	while (max && ((unsigned char)s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

/* The number of the well-formed character of `n` bytes at `p`; 0 beyond three bytes. */
static uint32_t code_point(const unsigned char *p, size_t n)
{
	if (n == 1)
		return p[0];
	if (n == 2)
		return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	return n == 3 ? (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu) : 0;
}

/* The code points that move a terminal's cursor or turn its text around. `n` bytes at `p`. */
static bool deceives(const unsigned char *p, size_t n)
{
	uint32_t c = code_point(p, n);

	return n <= 3 &&
		(c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || c == 0x200e || c == 0x200f ||
			(c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069));
}

size_t etl_text_deceiver(const char *text, size_t len, size_t *n, uint32_t *point)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t i = 0;

	while (i < len) {
		*n = utf8_char(p + i, len - i);
		*point = *n ? code_point(p + i, *n) : 0;
		if (*point >= 0x20 && deceives(p + i, *n))
			break;
		i += *n ? *n : 1;
	}
	return i;
}

size_t etl_text_mask(char *text)
{
	size_t len = strlen(text), from = 0, to = 0;

	while (from < len) {
		const unsigned char *p = (const unsigned char *)text + from;
		size_t n = utf8_char(p, len - from);

		if (!n || deceives(p, n)) {
			text[to++] = '?';
			from += n ? n : 1;
			continue;
		}
		memmove(text + to, text + from, n);
		to += n;
		from += n;
	}
	text[to] = '\0';
	return to;
}

void etl_text_copy(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size)
		len = etl_utf8_cut(text, size - 1);
	memcpy(out, text, len);
	out[len] = '\0';
}

void etl_text_shorten(char *out, size_t size, const char *text)
{
	static const char ellipsis[] = "\xe2\x80\xa6";
	size_t len = strlen(text);

	if (len < size) {
		memcpy(out, text, len + 1);
		return;
	}
	len = etl_utf8_cut(text, size - sizeof ellipsis);
	memcpy(out, text, len);
	memcpy(out + len, ellipsis, sizeof ellipsis);
}

enum { WORD_MAX = 63 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

unsigned etl_edit_distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	if (na > WORD_MAX || nb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= nb; j++)
		above[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			int ca = tolower((unsigned char)a[i - 1]);
			int cb = tolower((unsigned char)b[j - 1]);

			row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
				cb == tolower((unsigned char)a[i - 2]) &&
				before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		unsigned *oldest = before;

		before = above;
		above = row;
		row = oldest;
	}
	return above[nb];
}

const char *etl_nearest(const char *word, const char *const *words, size_t n)
{
	size_t third = strlen(word) / 3;
	unsigned limit = third < 1 ? 1 : third > 3 ? 3 : (unsigned)third;
	const char *best = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = words[i] ? etl_edit_distance(word, words[i]) : WORD_MAX;

		if (d <= limit) {
			best = words[i];
			limit = d ? d - 1 : 0;
			if (!d)
				break;
		}
	}
	return best;
}

bool etl_parse_int64(const char *s, int64_t *out)
{
	const char *digits = s + (*s == '-' || *s == '+');
	char *end;
	long long v;

	if (!isdigit((unsigned char)*digits))
		return false;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno || *end)
		return false;
	*out = v;
	return true;
}

bool etl_parse_double(const char *s, double *out)
{
	char *end;
	double v;

	/* strtod would also take "inf", "nan", hexadecimal and leading blanks. */
	if (!*s || strspn(s, "0123456789+-.eE") != strlen(s))
		return false;
	v = strtod(s, &end);
	if (*end || !isfinite(v))
		return false;
	*out = v;
	return true;
}

bool etl_is_name(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (!n || n > max)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_' && *s != '.' && *s != '-')
			return false;
	return true;
}
