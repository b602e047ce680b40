/* SPDX-License-Identifier: MIT
 *
 * Small questions about text.
 *
 * The locale is never asked where it could answer differently: isalnum() and tolower()
 * are those of the "C" locale, since no program here calls setlocale().
 */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* The length of the well-formed character at `p`, or 0 (Unicode 15, table 3-7).
 * The four special bounds keep out what has another spelling or no meaning: E0 below A0 and F0
 * below 90 are overlong (C0 80 for NUL is the old trick), ED above 9F are the surrogates
 * D800-DFFF, F4 above 8F lies beyond U+10FFFF. C0 and C1 could only begin overlong pairs. */
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

/* s = "Zürich" (Z, C3, BC, r, ...): at most 2 bytes gives 1, "Z", since s[2] = BC continues a
 * character. It looks at s[max], the first byte that would fall off: only if that byte
 * continues a character was one split. */
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

/* For printers that can escape (JSON): C0 controls have to be escaped anyway, and bytes
 * that are no UTF-8 are handled apart, so both are left out here. */
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

/* "ok\r\nJun 1 root: accepted" becomes "ok??Jun 1 root: accepted": a message stays one line.
 * An ESC [2J loses its ESC and is harmless letters. A mask is never longer than what it
 * replaces, so the text is rewritten in its own memory: `to` never passes `from`. */
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

/* The ellipsis has three bytes and the NUL one: sizeof counts both, and that is why
 * `size` is at least 4. A text that fits exactly is not touched. */
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

/* Names of options have at most some twenty letters. 63 bounds the table and the time
 * for keys that somebody pasted by mistake. */
enum { WORD_MAX = 63 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* The distance of Damerau and Levenshtein in its restricted form (a pair once swapped is not
 * edited again), row by row: row[j] is the distance of the first i letters of `a` to the first
 * j of `b`. Three rows suffice, because a swap looks two back.
 *   shedule -> schedule: 1 (one letter in)     teh -> the: 1 (a swap, not two replacements)
 *   URL -> url: 0 (case is no mistake that matters for a hint) */
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
		/* The three rows take turns: the oldest is overwritten next. */
		unsigned *oldest = before;

		before = above;
		above = row;
		row = oldest;
	}
	return above[nb];
}

/* A third of the letters may be wrong: of "cron" one ("corn"), of "schedule" two, of
 * "connections" three and never more. Beyond that a hint would guess: "reject" is 5 edits
 * from "extract", and 2 are allowed. The limit falls with each better word, so of two
 * equally near ones the first in the table is named. */
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

/* "42", "-7", "+7" and "007" are taken; " 7", "7 ", "0x7", "7.0", "" and
 * "9223372036854775808" are not. strtoll() would skip blanks in front; looking at the first
 * digit first keeps them out. */
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
	/* What overflows becomes infinite and is refused ("1e999"); what underflows becomes 0 or a
	 * denormal number, which is the nearest double and therefore right. */
	v = strtod(s, &end);
	if (*end || !isfinite(v))
		return false;
	*out = v;
	return true;
}

/* "0", "-1.5", "1e9" and "12345678901234567890" are; "01", "+1", ".5", "1.", "0x1", "" are not.
 * For those who have to know whether a text would be a number without quotes. */
bool etl_is_json_number(const char *s, bool *whole)
{
	static const char digits[] = "0123456789";
	size_t n;

	*whole = true;
	s += *s == '-';
	n = strspn(s, digits);
	if (!n || (*s == '0' && n > 1))
		return false;
	s += n;
	if (*s == '.') {
		*whole = false;
		n = strspn(++s, digits);
		if (!n)
			return false;
		s += n;
	}
	if (*s == 'e' || *s == 'E') {
		*whole = false;
		s++;
		s += *s == '+' || *s == '-';
		n = strspn(s, digits);
		s += n;
		if (!n)
			return false;
	}
	return !*s;
}

/* An alphabet without '/', NUL, blanks and '$': such a name may become a file name
 * below a folder, a field of MongoDB or a word of a command as it is. "." and ".."
 * pass; who makes paths of names looks for them. */
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
