/* SPDX-License-Identifier: MIT
 *
 * Small questions about text. Nothing here allocates or knows a locale.
 */
#ifndef ETL_BASE_STR_H
#define ETL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool etl_streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static inline bool etl_starts_with(const char *s, const char *head)
{
	return strncmp(s, head, strlen(head)) == 0;
}

/* '0' to '9', in every locale. */
static inline bool etl_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 * Returns the offset of the first bad byte, or `len`. */
size_t etl_utf8_check(const char *s, size_t len);

/* The largest length <= max at which `s` can be cut without splitting a character. s[max]
 * must be readable (it may be the NUL). */
size_t etl_utf8_cut(const char *s, size_t max);

/* Masks in place what could deceive a reader of text that others wrote: C0 and C1 controls and
 * DEL, the bidirectional controls (U+061C, U+200E/F, U+202A-E, U+2066-9), line and paragraph
 * separators, and bytes that are no UTF-8. Each becomes one '?'. Returns the new length. */
size_t etl_text_mask(char *text);

/* The offset of the first such byte that is a whole character (DEL, a C1 or bidirectional
 * control, a separator), or `len`; `n` is its length then, and `point` its number. C0 controls
 * and bytes that are no UTF-8 do not count. */
size_t etl_text_deceiver(const char *text, size_t len, size_t *n, uint32_t *point);

/* Copies a text into `size` (> 0) bytes, cut between two characters if it does not fit. */
void etl_text_copy(char *out, size_t size, const char *text);

/* The same for a text that people read: what is cut ends with an ellipsis. `size` is 4 or more. */
void etl_text_shorten(char *out, size_t size, const char *text);

/* Edit distance (insert, delete, replace, swap of neighbours) between two words, case
 * folded; words over 63 bytes count as far apart. */
unsigned etl_edit_distance(const char *a, const char *b);

/* The nearest of `n` words within a third of the word's length (at least 1, at most 3
 * edits), or NULL: the "did you mean". `words` may hold NULLs. */
const char *etl_nearest(const char *word, const char *const *words, size_t n);

/* Whole-string decimal integer; false on anything else, overflow included. */
bool etl_parse_int64(const char *s, int64_t *out);

/* Whole-string finite decimal number in C syntax ("1", "-0.5", "1e9"). */
bool etl_parse_double(const char *s, double *out);

/* Is the whole text a number as JSON writes it (RFC 8259 section 6)? `whole` tells that it has no
 * fraction and no exponent. Its size is not judged. */
bool etl_is_json_number(const char *s, bool *whole);

/* True for [A-Za-z0-9_.-]{1,max}, the alphabet of names that may reach a path or a field. */
bool etl_is_name(const char *s, size_t max);

#endif
