/* SPDX-License-Identifier: MIT
 *
 * Takes the marks out of a number, and refuses those that it would have to guess about.
 */
#include "record/number_marks.h"

#include <string.h>

#include "base/str.h"

/* Bytes of the mark at `p`, or 0. A blank is any of those that typography puts there: space, U+00A0,
 * U+2009 and U+202F. */
static uint32_t mark_at(enum etl_thousands mark, const char *p, const char *end)
{
	static const char *const blanks[] = {" ", "\xc2\xa0", "\xe2\x80\x89", "\xe2\x80\xaf"};
	static const char singles[] = {[ETL_THOUSANDS_DOT] = '.', [ETL_THOUSANDS_COMMA] = ',',
		[ETL_THOUSANDS_QUOTE] = '\''};

	if (mark == ETL_THOUSANDS_NONE || p == end)
		return 0;
	if (mark != ETL_THOUSANDS_BLANK)
		return *p == singles[mark];
	for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++) {
		size_t n = strlen(blanks[i]);

		if ((size_t)(end - p) >= n && memcmp(p, blanks[i], n) == 0)
			return (uint32_t)n;
	}
	return 0;
}

/* The whole part: digits, or one to three of them and then groups of three behind marks. Where groups are
 * of another length the mark is something else: "12.34" is no number with points between thousands. */
static bool copy_whole(const struct etl_number_marks *marks, const char **at, const char *end, char **to)
{
	const char *p = *at;
	uint32_t mark, digits = 0;
	bool marked = false;

	for (;; p += mark, digits = 0, marked = true) {
		for (; p < end && etl_is_digit(*p); digits++)
			*(*to)++ = *p++;
		mark = mark_at(marks->thousands, p, end);
		if (marked && digits != 3)
			return false;
		if (!mark)
			break;
		if (digits < 1 || digits > 3)
			return false;
	}
	*at = p;
	return true;
}

/* With a comma and blanks: "-1 234,5" -> "-1234.5"; "1.5" -> none: a point has no meaning here. */
bool etl_number_unmark(const struct etl_number_marks *marks, const char *text, uint32_t len,
	char out[ETL_NUMBER_TEXT_BYTES], uint32_t *out_len)
{
	const char *p = text, *end = text + len;
	char *to = out;

	if (!len || len >= ETL_NUMBER_TEXT_BYTES)
		return false;
	if (*p == '-' || *p == '+')
		*to++ = *p++;
	if (!copy_whole(marks, &p, end, &to))
		return false;
	if (p < end && *p == (marks->comma ? ',' : '.')) {
		*to++ = '.';
		p++;
	}
	for (; p < end; p++) {
		if (*p == '.' || *p == ',')
			return false;
		*to++ = *p;
	}
	*to = '\0';
	*out_len = (uint32_t)(to - out);
	return true;
}
