/* SPDX-License-Identifier: MIT
 *
 * Conversions between kinds of numbers. What is no number of the wanted kind is refused,
 * never bent; the caller decides what then happens to the record.
 *
 *   text "12"   -> int64 12, double 12, decimal 12        text "12.0" -> int64 12
 *   text "1.5"  -> no int64, double 1.5, decimal 1.5      text "abc", " 1", "0x10" -> nothing
 *   2^53 + 1    -> int64, decimal, but no double: it would be rounded
 *   true        -> 1
 */
#include "record/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

/* How many digits stand there, without a look beyond the text: it may have no NUL. */
static size_t digits_at(const char *text, size_t len, size_t at)
{
	size_t n = 0;

	while (at + n < len && text[at + n] >= '0' && text[at + n] <= '9')
		n++;
	return n;
}

/* "1", "+1", "-0.5", "1e9", "007" are numbers; "1.", ".5", "1,5", "1 ", "inf", "" are none. Looser
 * than JSON, since sensors write zeros and plus signs, and still without any guess. */
bool etl_number_is_text(const char *text, size_t len)
{
	size_t at = len && (*text == '-' || *text == '+'), n;

	if (len >= ETL_NUMBER_TEXT_BYTES || !(n = digits_at(text, len, at)))
		return false;
	at += n;
	if (at < len && text[at] == '.') {
		if (!(n = digits_at(text, len, at + 1)))
			return false;
		at += 1 + n;
	}
	if (at < len && (text[at] == 'e' || text[at] == 'E')) {
		at++;
		at += at < len && (text[at] == '-' || text[at] == '+');
		/* An exponent of seven digits fits nothing; a cap here keeps the sums
		 * of strtol() small. */
		if (!(n = digits_at(text, len, at)) || n > 6)
			return false;
		at += n;
	}
	return at == len;
}

/* "0012.3400" -> digits 1234, exponent -2. "1200" -> 12, 2. "0.00" -> none. */
size_t etl_number_significant(const char *text, size_t len, char *digits, long *exponent)
{
	bool fraction = false;
	size_t n = 0;

	*exponent = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.') {
			fraction = true;
		} else if (text[i] == 'e' || text[i] == 'E') {
			*exponent += strtol(text + i + 1, NULL, 10);
			break;
		} else if (text[i] >= '0' && text[i] <= '9') {
			if (n || text[i] != '0')
				digits[n++] = text[i];
			*exponent -= fraction;
		}
	}
	for (; n && digits[n - 1] == '0'; n--)
		++*exponent;
	return n;
}

/* By their digits and no double between: 9007199254740993 is not 9007199254740992, which a double
 * would call the same. Both texts are shorter than the buffers: etl_number_is_text sees to that. */
bool etl_number_same(const char *a, const char *b)
{
	char of_a[ETL_NUMBER_TEXT_BYTES], of_b[ETL_NUMBER_TEXT_BYTES];
	size_t len_a = strlen(a), len_b = strlen(b), n;
	long by_a, by_b;

	if (!etl_number_is_text(a, len_a) || !etl_number_is_text(b, len_b))
		return false;
	n = etl_number_significant(a, len_a, of_a, &by_a);
	if (n != etl_number_significant(b, len_b, of_b, &by_b))
		return false;
	return !n || ((*a == '-') == (*b == '-') && by_a == by_b && memcmp(of_a, of_b, n) == 0);
}

/* "1.2e1" is 12, "12.0" is 12, "12.5" is none, "9223372036854775808" is none and with a minus it
 * is. Negative digits are added to a negative number, because -2^63 has no positive twin. */
bool etl_number_whole(const char *text, size_t len, int64_t *out)
{
	char copy[ETL_NUMBER_TEXT_BYTES], digits[ETL_NUMBER_TEXT_BYTES];
	bool negative = *text == '-';
	long exponent;
	int64_t v = 0;

	memcpy(copy, text, len); /* strtol needs the NUL */
	copy[len] = '\0';
	long n = (long)etl_number_significant(copy, len, digits, &exponent);
	if (n && (exponent < 0 || n + exponent > 19))
		return false;
	for (long i = 0; n && i < n + exponent; i++) {
		int digit = i < n ? digits[i] - '0' : 0;

		if (__builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, negative ? -digit : digit, &v))
			return false;
	}
	*out = v;
	return true;
}

/* The number's text, if the element is text or a decimal that is a number. */
static bool number_text(
	const struct etl_element *e, char out[ETL_NUMBER_TEXT_BYTES], size_t *len)
{
	const char *text;
	uint32_t n;

	if (e->type == BSON_TYPE_DECIMAL128) {
		etl_element_decimal_text(e, out);
		*len = strlen(out);
		return etl_number_is_text(out, *len);
	}
	if (!etl_element_text(e, &text, &n) || !etl_number_is_text(text, n))
		return false;
	memcpy(out, text, n);
	out[n] = '\0';
	*len = n;
	return true;
}

/* A double only if it is whole and inside: 5.0 is 5, 5.5 and 1e19 are refused. */
bool etl_number_int64(const struct etl_element *e, int64_t *out)
{
	char text[ETL_NUMBER_TEXT_BYTES];
	size_t len;
	double v;

	if (etl_element_int64(e, out))
		return true;
	if (e->type == BSON_TYPE_BOOL) {
		*out = *e->value;
		return true;
	}
	if (etl_element_double(e, &v)) {
		if (!(v >= -0x1p63 && v < 0x1p63) || v != floor(v))
			return false;
		*out = (int64_t)v;
		return true;
	}
	return number_text(e, text, &len) && etl_number_whole(text, len, out);
}

bool etl_number_nearest(const struct etl_element *e, double *out)
{
	char text[ETL_NUMBER_TEXT_BYTES];
	size_t len;
	double v;

	if (e->type != BSON_TYPE_DECIMAL128 || !number_text(e, text, &len))
		return false;
	v = strtod(text, NULL);
	if (!isfinite(v))
		return false;
	*out = v;
	return true;
}

/* True if the double is exactly this integer.
 * The bounds first: converting a double that does not fit is undefined in C. */
static bool holds(double v, int64_t whole)
{
	return v >= -0x1p63 && v < 0x1p63 && (int64_t)v == whole;
}

bool etl_number_double(const struct etl_element *e, double *out)
{
	char text[ETL_NUMBER_TEXT_BYTES];
	int64_t whole;
	size_t len;
	double v;

	if (e->type == BSON_TYPE_DOUBLE)
		return etl_element_double(e, out);
	if (etl_element_int64(e, &whole)) {
		v = (double)whole;
		if (!holds(v, whole))
			return false;
	} else if (e->type == BSON_TYPE_BOOL) {
		v = *e->value;
	} else {
		if (!number_text(e, text, &len))
			return false;
		/* "9007199254740993" has no double; "1e-400" would be 0 although its digits
		 * are not all zeros. */
		v = strtod(text, NULL);
		if (!isfinite(v) || (etl_number_whole(text, len, &whole) && !holds(v, whole)) ||
			(v == 0 && strcspn(text, "123456789") < strcspn(text, "eE")))
			return false; /* too large, no such integer, too small */
	}
	*out = v;
	return true;
}

/* By way of text: a double as its shortest one (0.1 is 0.1, not
 * 0.1000000000000000055...). */
bool etl_number_decimal(const struct etl_element *e, bson_decimal128_t *out)
{
	char text[ETL_NUMBER_TEXT_BYTES], digits[ETL_NUMBER_TEXT_BYTES];
	int64_t whole;
	size_t len;
	double v;
	long exponent;

	if (e->type == BSON_TYPE_DOUBLE) {
		if (!etl_element_double(e, &v) || !isfinite(v))
			return false;
		etl_encode_double(v, text);
	} else if (etl_element_int64(e, &whole)) {
		snprintf(text, sizeof text, "%lld", (long long)whole);
	} else if (e->type == BSON_TYPE_BOOL) {
		snprintf(text, sizeof text, "%d", *e->value != 0);
	} else if (!number_text(e, text, &len)) {
		return false;
	}
	/* 34 digits is what a Decimal128 holds; the library's reader would round more.
	 * The exponent's bits 11x stand for NaN, infinity and forms that no number
	 * needs. */
	return etl_number_significant(text, strlen(text), digits, &exponent) <= 34 &&
		bson_decimal128_from_string(text, out) && (out->high >> 58 & 0x1e) != 0x1e;
}
