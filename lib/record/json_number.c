/* SPDX-License-Identifier: MIT
 *
 * Two readers of the same grammar. The short one takes what nearly all numbers are, up to 18
 * digits without exponent, eight digits at a time, and only when a double comes out exactly
 * rounded by one division (Clinger 1990: both operands are exact). Everything else goes to the
 * long one, which collects the digits and decides.
 *
 *   5, -12, 2147483647           int32
 *   2147483648                   int64
 *   1.0, 0.1, 1e3, -0            double (-0 as -0.0)
 *   0.1234567890123456789        19 digits: Decimal128
 *   1e400, 12345678901234567890  beyond a double's range, beyond int64: Decimal128
 *   35 significant digits        refused: no BSON type holds it as it was written
 * Why 17 digits: any double is told apart from its neighbours by 17, so a number of 17 digits
 * may be one that some program printed from a double. One of more digits was meant exactly.
 */
#include "record/json_number.h"

#include <bson/bson.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { DOUBLE_DIGITS = 17, DECIMAL_DIGITS = 34, KEPT_DIGITS = 40, SHORT_NUMBER_BYTES = 56 };

/* Up to 10^22 powers of ten are exact as doubles: 5^22 has fewer than 53 bits. */
static const double ten_to[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
static const uint64_t whole_ten_to[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
	100000000};

#define EXACT_MAX (UINT64_C(1) << 53) /* integers up to here are doubles */


static enum etl_json_status give_double(double v, uint8_t *out, uint8_t *type, uint32_t *size)
{
	memcpy(out, &v, sizeof v);
	*type = 0x01;
	*size = sizeof v;
	return ETL_JSON_OK;
}

/* Little-endian: the first four bytes of an int64 are the int32. */
static enum etl_json_status give_int(int64_t v, uint8_t *out, uint8_t *type, uint32_t *size)
{
	bool small = v == (int32_t)v;

	memcpy(out, &v, sizeof v);
	*type = small ? 0x10 : 0x12;
	*size = small ? 4 : 8;
	return ETL_JSON_OK;
}

/* The run of up to 8 digits at `p` (8 bytes are readable): its length, its value. The bytes are
 * moved so that the run ends at the top, and then added in pairs, fours and eights. Example
 * "1234567,": xor with '0' leaves 1 2 3 4 5 6 7 and something above 9. Adding 0x76 to a byte
 * above 9 sets its high bit, and the lowest such bit tells where the run ends: n = 7. Shifted so
 * that the run ends at the top, leading zeros stand in front; then pairs (12 34 ...), fours and
 * eights are put together by three multiplications instead of eight. */
static inline unsigned eight_digits(const char *p, uint64_t *value)
{
	uint64_t chunk, others;
	unsigned n;

	memcpy(&chunk, p, sizeof chunk);
	chunk ^= UINT64_C(0x3030303030303030);
	others = ((chunk + UINT64_C(0x7676767676767676)) | chunk) & UINT64_C(0x8080808080808080);
	n = others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
	if (!n) {
		*value = 0;
		return 0;
	}
	chunk <<= 64 - 8 * n;
	chunk = chunk * 10 + (chunk >> 8);
	*value = ((chunk & UINT64_C(0xff000000ff)) * UINT64_C(0x000f424000000064) +
			 ((chunk >> 16) & UINT64_C(0xff000000ff)) * UINT64_C(0x0000271000000001)) >>
		32 & 0xffffffff;
	return n;
}

/* A run of up to 16 digits added to `*mantissa`; 17 stands for "more than that".
 * n == 8 && a digit follows: the caller must not take the number for finished. */
static inline unsigned sixteen_digits(const char *p, uint64_t *mantissa)
{
	uint64_t part;
	unsigned n = eight_digits(p, &part);

	*mantissa = *mantissa * whole_ten_to[n] + part;
	if (n < 8)
		return n;
	n = eight_digits(p + 8, &part);
	*mantissa = *mantissa * whole_ten_to[n] + part;
	return n == 8 && etl_is_digit(p[16]) ? 17 : 8 + n;
}

/* True if the number was short enough; needs SHORT_NUMBER_BYTES readable bytes. Clinger's fast
 * path: "21.5" is 215 / 10. Both are exact doubles, and IEEE 754 rounds one division correctly,
 * so the result is the nearest double, the same that strtod() would find. With a mantissa above
 * 2^53 or more than 22 places that is not so, and the long reader does it. */
static inline bool short_number(const char **at, uint8_t *out, uint8_t *type, uint32_t *size)
{
	const char *p = *at;
	bool negative = *p == '-';
	uint64_t mantissa = 0;
	unsigned whole, fraction;
	double v;

	p += negative;
	whole = sixteen_digits(p, &mantissa);
	if (!whole || whole > 16 || (*p == '0' && whole > 1))
		return false;
	p += whole;
	if (*p != '.') {
		if ((*p | 0x20) == 'e' || (negative && !mantissa))
			return false;
		give_int(negative ? -(int64_t)mantissa : (int64_t)mantissa, out, type, size);
		*at = p;
		return true;
	}
	fraction = sixteen_digits(++p, &mantissa);
	if (!fraction || fraction > 16 || whole + fraction > 18 ||
		(p[fraction] | 0x20) == 'e' || mantissa > EXACT_MAX)
		return false;
	v = (double)mantissa / ten_to[fraction];
	give_double(negative ? -v : v, out, type, size);
	*at = p + fraction;
	return true;
}

/* A number's digits without the zeros at its ends: 0.DIGITS * 10^point.
 * "-0012.500e3" is refused for its zeros; "12.500e3": text 125, n 5, used 3, point 2 + 3 = 5:
 * 0.125 * 10^5. */
struct digits {
	char text[KEPT_DIGITS];
	size_t n;     /* seen since the first that is not 0 */
	size_t used;  /* up to the last that is not 0 */
	int64_t point;
	bool negative, whole;
};

/* MORE at the end of the bytes, even behind a digit: the next piece may bring another
 * one. */
static enum etl_json_status collect(const char **at, const char *end, struct digits *d,
	bool fraction)
{
	const char *p = *at;

	if (p < end && !etl_is_digit(*p)) {
		*at = p;
		return ETL_JSON_BROKEN;
	}
	for (; p < end && etl_is_digit(*p); p++) {
		if (*p == '0' && !d->n) {
			d->point -= fraction;
			continue;
		}
		if (d->n < KEPT_DIGITS)
			d->text[d->n] = *p;
		d->n++;
		if (*p != '0')
			d->used = d->n;
		d->point += !fraction;
	}
	*at = p;
	return p == end ? ETL_JSON_MORE : ETL_JSON_OK;
}

static enum etl_json_status collect_exponent(const char **at, const char *end, struct digits *d)
{
	const char *p = *at + 1;
	int64_t exponent = 0;
	bool negative;

	if (p == end)
		return ETL_JSON_MORE;
	negative = *p == '-';
	p += *p == '-' || *p == '+';
	*at = p;
	if (p < end && !etl_is_digit(*p))
		return ETL_JSON_BROKEN;
	/* 1e99999999999 is out of every range already; counting on would overflow. */
	for (; p < end && etl_is_digit(*p); p++)
		if (exponent < 1000000000)
			exponent = exponent * 10 + (*p - '0');
	*at = p;
	d->point += negative ? -exponent : exponent;
	d->whole = false;
	return p == end ? ETL_JSON_MORE : ETL_JSON_OK;
}

/* The grammar of RFC 8259 section 6. */
static enum etl_json_status collect_number(const char **at, const char *end, struct digits *d)
{
	enum etl_json_status status;

	d->negative = **at == '-';
	*at += d->negative;
	if (end - *at >= 2 && **at == '0' && etl_is_digit((*at)[1])) {
		++*at;
		return ETL_JSON_BROKEN;
	}
	status = collect(at, end, d, false);
	if (status == ETL_JSON_OK && **at == '.') {
		++*at;
		d->whole = false;
		status = collect(at, end, d, true);
	}
	if (status == ETL_JSON_OK && (**at == 'e' || **at == 'E'))
		status = collect_exponent(at, end, d);
	return status;
}

/* Nineteen digits may pass int64 (9223372036854775808) but never uint64. */
static bool as_int64(const struct digits *d, int64_t *out)
{
	uint64_t v = 0;

	if (!d->whole || d->n > 19)
		return false;
	for (size_t i = 0; i < d->n; i++)
		v = v * 10 + (uint64_t)(d->text[i] - '0');
	if (v > (uint64_t)INT64_MAX + d->negative)
		return false;
	*out = d->negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

static bool as_double(const struct digits *d, locale_t c_locale, double *out)
{
	int64_t exponent = d->point - (int64_t)d->used;
	uint64_t mantissa = 0;
	char text[64];
	double v;

	if (d->used > DOUBLE_DIGITS || d->point > 400 || d->point < -400)
		return false;
	for (size_t i = 0; i < d->used; i++)
		mantissa = mantissa * 10 + (uint64_t)(d->text[i] - '0');
	if (mantissa <= EXACT_MAX && exponent >= -22 && exponent <= 22) {
		v = (double)mantissa;
		v = exponent < 0 ? v / ten_to[-exponent] : v * ten_to[exponent];
	} else {
		snprintf(text, sizeof text, "%llue%lld", (unsigned long long)mantissa,
			(long long)exponent);
		v = strtod_l(text, NULL, c_locale);
		/* Subnormal doubles have fewer digits than they were written with:
		 * Decimal128 keeps them. */
		if (!isfinite(v) || v < DBL_MIN)
			return false;
	}
	*out = d->negative ? -v : v;
	return true;
}

/* By way of text, since libbson has no other door; this happens for few numbers. */
static bool as_decimal(const struct digits *d, uint8_t *out)
{
	int64_t exponent = d->point - (int64_t)d->used;
	char text[KEPT_DIGITS + 32];
	bson_decimal128_t v;

	/* Decimal128's exponent ends at 6111; a shorter number may be padded with zeros up to
	 * 34 digits. */
	if (d->used > DECIMAL_DIGITS || exponent < -6176 ||
		exponent > 6111 + DECIMAL_DIGITS - (int64_t)d->used)
		return false;
	snprintf(text, sizeof text, "%s%.*sE%lld", d->negative ? "-" : "", (int)d->used,
		d->text, (long long)exponent);
	if (!bson_decimal128_from_string(text, &v))
		return false;
	memcpy(out, &v.low, 8);
	memcpy(out + 8, &v.high, 8);
	return true;
}

static enum etl_json_status long_number(const char **p, const char *end, locale_t c_locale,
	uint8_t *out, uint8_t *type, uint32_t *size)
{
	struct digits d = {.whole = true};
	enum etl_json_status status = collect_number(p, end, &d);
	int64_t whole;
	double v;

	if (status != ETL_JSON_OK)
		return status;
	/* All digits are zeros: 0 is an int32, -0, 0.0 and 0e5 are doubles. */
	if (!d.used)
		return d.whole && !d.negative ?
			       give_int(0, out, type, size) :
			       give_double(d.negative ? -0.0 : 0.0, out, type, size);
	if (as_int64(&d, &whole))
		return give_int(whole, out, type, size);
	if (as_double(&d, c_locale, &v))
		return give_double(v, out, type, size);
	if (!as_decimal(&d, out))
		return ETL_JSON_REJECT;
	*type = 0x13;
	*size = 16;
	return ETL_JSON_OK;
}

/* The short reader may look at 56 bytes, whatever the number's length: near the end of
 * a piece, the long one does it. */
enum etl_json_status etl_json_number(const char **p, const char *end, locale_t c_locale,
	uint8_t out[16], uint8_t *type, uint32_t *size)
{
	if (end - *p >= SHORT_NUMBER_BYTES && short_number(p, out, type, size))
		return ETL_JSON_OK;
	return long_number(p, end, c_locale, out, type, size);
}
