/* SPDX-License-Identifier: MIT
 *
 * Exact sums of Decimal128 values, and their mean. A sum is one whole number of up to 126
 * digits and a power of ten, so that no order of addition changes it; only what spans more than
 * that (1e300 and 1e-100 together) is given up, and says so. Any thread.
 */
#ifndef ETL_RECORD_DECIMAL_H
#define ETL_RECORD_DECIMAL_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#define ETL_DECIMAL_LIMBS 14

/* All zero is the empty sum; exponent counts once something was added. */
struct etl_decimal_sum {
	int32_t exponent; /* of the last digit; the least of all that were added */
	bool negative, begun, lost;
	uint32_t limbs[ETL_DECIMAL_LIMBS]; /* nine digits each, lowest first */
};

/* `subtract` takes it away instead. NaN, infinities and what does not fit make it `lost`. */
void etl_decimal_add(struct etl_decimal_sum *sum, const bson_decimal128_t *value, bool subtract);
void etl_decimal_add_int64(struct etl_decimal_sum *sum, int64_t value);

/* -1, 0, 1; not of a lost one. */
int etl_decimal_sign(const struct etl_decimal_sum *sum);

/* The sum divided by `n` (> 0; 1 = the sum), rounded half to even to the 34 digits of a
 * Decimal128 if it has more. Like Python's decimal, an exact result keeps the sum's last digit
 * where it was: 0.10 + 0.20 is 0.30. False if it is lost or beyond a Decimal128. */
bool etl_decimal_quotient(
	const struct etl_decimal_sum *sum, uint64_t n, bson_decimal128_t *out);

#endif
