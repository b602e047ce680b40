/* SPDX-License-Identifier: MIT
 *
 * Whole numbers in limbs of nine digits, by schoolbook arithmetic: sums are short, and what a
 * Decimal128 brings along is at most 34 digits.
 *
 * Why not doubles: 0.10 + 0.20 is 0.30 here, and the order of addition never matters, so that a
 * sum over a window does not depend on how requests were cut.
 *   0.10 + 0.20:   10 * 10^-2 + 20 * 10^-2 = 30 * 10^-2     printed as 0.30
 *   1E+3 + 0.5:    1000 is brought to the smaller exponent: 10000 * 10^-1 + 5 * 10^-1
 */
#include "record/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/number.h"

enum { LIMBS = ETL_DECIMAL_LIMBS, DIGITS = 9 * LIMBS, KEPT = 34 };
/* The largest power of ten below 2^32: a product of two limbs and a carry fits 64 bits. */
#define BASE UINT32_C(1000000000)

/* limbs * factor + carry; false if it does not fit. factor < 2^32.
 * The invariant of all of these: each limb is below BASE, the lowest comes first, and
 * what does not fit the highest one is told and never dropped. */
static bool multiply(uint32_t *limbs, uint32_t factor, uint32_t carry)
{
	uint64_t left = carry;

	for (int i = 0; i < LIMBS; i++) {
		left += (uint64_t)limbs[i] * factor;
		limbs[i] = (uint32_t)(left % BASE);
		left /= BASE;
	}
	return left == 0;
}

static bool is_zero(const uint32_t *limbs)
{
	for (int i = 0; i < LIMBS; i++)
		if (limbs[i])
			return false;
	return true;
}

/* Times 10^places.
 * Nothing times anything is nothing, and an empty sum may be moved by any number of
 * places. */
static bool shift(uint32_t *limbs, int64_t places)
{
	if (is_zero(limbs))
		return true;
	if (places > DIGITS)
		return false;
	for (; places >= 9; places -= 9)
		if (!multiply(limbs, BASE, 0))
			return false;
	for (; places > 0; places--)
		if (!multiply(limbs, 10, 0))
			return false;
	return true;
}

/* From the highest limb down; the first that differs decides. */
static int compare(const uint32_t *a, const uint32_t *b)
{
	for (int i = LIMBS - 1; i >= 0; i--)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

static bool add(uint32_t *a, const uint32_t *b)
{
	uint32_t carry = 0;

	for (int i = 0; i < LIMBS; i++) {
		uint32_t n = a[i] + b[i] + carry;

		carry = n >= BASE;
		a[i] = carry ? n - BASE : n;
	}
	return !carry;
}

/* out = a - b, where a >= b; `out` may be either. */
static void subtract_from(uint32_t *out, const uint32_t *a, const uint32_t *b)
{
	int64_t borrow = 0;

	for (int i = 0; i < LIMBS; i++) {
		int64_t n = (int64_t)a[i] - b[i] - borrow;

		borrow = n < 0;
		out[i] = (uint32_t)(borrow ? n + BASE : n);
	}
}

/* Adds +-limbs * 10^exponent.
 * The sum takes the smaller exponent of the two, so no digit is lost: bringing the
 * larger number down multiplies it. Only that can overflow the 126 digits (1e300 with
 * 1e-100), and makes the sum lost. */
static void add_limbs(
	struct etl_decimal_sum *sum, uint32_t *limbs, bool negative, int32_t exponent)
{
	if (!sum->begun) {
		sum->begun = true;
		sum->exponent = exponent;
	}
	if (exponent > sum->exponent) {
		sum->lost |= !shift(limbs, (int64_t)exponent - sum->exponent);
	} else if (exponent < sum->exponent) {
		sum->lost |= !shift(sum->limbs, (int64_t)sum->exponent - exponent);
		sum->exponent = exponent;
	}
	if (negative == sum->negative) {
		sum->lost |= !add(sum->limbs, limbs);
	} else if (compare(sum->limbs, limbs) >= 0) {
		/* Signs differ: the smaller magnitude is taken from the larger one, whose
		 * sign stays. Equal ones leave zero with the sum's sign, which
		 * etl_decimal_sign does not show. */
		subtract_from(sum->limbs, sum->limbs, limbs);
	} else {
		subtract_from(sum->limbs, limbs, sum->limbs);
		sum->negative = negative;
	}
}

/* Text of a number ("-12.50", "1E+3"): all of its digits count, the last zeros too.
 * "-12.50": limbs 1250, exponent -2, negative. The last zero counts: it says how exact the number
 * was, and 12.50 + 1 is 13.50. */
static void add_text(struct etl_decimal_sum *sum, const char *text, bool flip)
{
	bool negative = *text == '-', fraction = false;
	uint32_t limbs[LIMBS] = {0};
	long exponent = 0;

	for (const char *p = text + negative; *p; p++) {
		if (*p == '.') {
			fraction = true;
		} else if (*p == 'e' || *p == 'E') {
			exponent += strtol(p + 1, NULL, 10);
			break;
		} else if (*p < '0' || *p > '9' || !multiply(limbs, 10, (uint32_t)(*p - '0'))) {
			sum->lost = true; /* NaN, Infinity */
			return;
		} else {
			exponent -= fraction;
		}
	}
	add_limbs(sum, limbs, negative != flip, (int32_t)exponent);
}

void etl_decimal_add(struct etl_decimal_sum *sum, const bson_decimal128_t *value, bool subtract)
{
	char text[BSON_DECIMAL128_STRING];

	bson_decimal128_to_string(value, text);
	add_text(sum, text, subtract);
}

void etl_decimal_add_int64(struct etl_decimal_sum *sum, int64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%lld", (long long)value);
	add_text(sum, text, false);
}

int etl_decimal_sign(const struct etl_decimal_sum *sum)
{
	if (is_zero(sum->limbs))
		return 0;
	return sum->negative ? -1 : 1;
}

/* ---- quotient ---- */

/* Digits without leading zeros; how many.
 * Nine digits a limb with their zeros; what leads is cut off afterwards. */
static size_t to_digits(const uint32_t *limbs, char *out)
{
	char all[DIGITS + 1];
	size_t n = 0, zeros;

	for (int i = LIMBS - 1; i >= 0; i--)
		n += (size_t)snprintf(all + n, sizeof all - n, "%09u", limbs[i]);
	zeros = strspn(all, "0");
	memcpy(out, all + zeros, n - zeros);
	return n - zeros;
}

/* Half to even at KEPT digits; `rest` says that something follows that is not zero.
 * Half to even (IEEE 754-2008 section 4.3.1): at 2 digits 1.25 is 1.2, 1.35 is 1.4, and 1.2501 is
 * 1.3, because something follows the five. */
static size_t round_digits(char *digits, size_t n, bool rest, long *exponent)
{
	bool up;

	if (n <= KEPT)
		return n;
	for (size_t i = KEPT + 1; i < n; i++)
		rest |= digits[i] != '0';
	/* The fifth alone is a tie; `rest` and the digits behind it break it. */
	up = digits[KEPT] > '5' ||
	     (digits[KEPT] == '5' && (rest || (digits[KEPT - 1] - '0') % 2 == 1));
	*exponent += (long)(n - KEPT);
	n = KEPT;
	for (size_t i = n; up && i-- > 0;) {
		up = digits[i] == '9';
		digits[i] = up ? '0' : (char)(digits[i] + 1);
	}
	if (up) { /* 99...9 has become 100...0 */
		digits[0] = '1';
		++*exponent;
	}
	return n;
}

/* Long division. Beyond the digits of the dividend zeros follow, until nothing is left or
 * there are more digits than are kept.
 * 20 / 3 with the digits "20": 6, then 6.66... with falling exponent until KEPT + 2 digits stand
 * there and `rest` says that it went on. 20 / 4 ends at once: 5, exponent unchanged.
 * `left` needs more than 64 bits: ten times the divisor may pass them. */
static size_t divide(const char *digits, size_t n, uint64_t by, char *out, long *exponent,
	bool *rest)
{
	unsigned __int128 left = 0;
	size_t size = 0;

	for (size_t i = 0; i < n || (left && size < KEPT + 2); i++) {
		unsigned digit;

		left = left * 10 + (i < n ? (unsigned)(digits[i] - '0') : 0);
		*exponent -= i >= n;
		digit = (unsigned)(left / by);
		left %= by;
		if (size || digit)
			out[size++] = (char)('0' + digit);
	}
	*rest = left != 0;
	return size;
}

bool etl_decimal_quotient(
	const struct etl_decimal_sum *sum, uint64_t n, bson_decimal128_t *out)
{
	char digits[DIGITS], quotient[DIGITS + KEPT + 8], text[KEPT + 32];
	long exponent = sum->exponent;
	size_t len = to_digits(sum->limbs, digits);
	bool rest;

	if (sum->lost || !sum->begun)
		return false;
	len = divide(digits, len, n, quotient, &exponent, &rest);
	len = round_digits(quotient, len, rest, &exponent);
	snprintf(text, sizeof text, "%s%.*sE%ld", sum->negative && len ? "-" : "",
		len ? (int)len : 1, len ? quotient : "0", exponent);
	/* Clamped and subnormal ones are beyond what we promise: the caller has a double. */
	return bson_decimal128_from_string(text, out) && (out->high >> 58 & 0x1e) != 0x1e;
}
