/* SPDX-License-Identifier: MIT
 *
 * Numbers without silent loss: text, integers, doubles and decimals read as one another, or
 * refused. Any thread.
 */
#ifndef ETL_RECORD_NUMBER_H
#define ETL_RECORD_NUMBER_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "record/doc.h"

#define ETL_NUMBER_TEXT_BYTES 64

/* [+-]digits[.digits][e[+-]digits] with a digit before and behind each point; no blanks, no
 * "inf", no "nan", no hexadecimal; at most 63 bytes. */
bool etl_number_is_text(const char *text, size_t len);

/* The whole number that a number's text means ("12", "12.0", "1.2e1"); false if it has a
 * fraction or does not fit. `text` satisfies etl_number_is_text. */
bool etl_number_whole(const char *text, size_t len, int64_t *out);

/* The significant digits of a number's text (no point, no outer zeros; `digits` has room for
 * the text) and the power of ten behind them; the count of digits, 0 for zero. */
size_t etl_number_significant(const char *text, size_t len, char *digits, long *exponent);

/* True if both are texts of numbers and mean the same one: "200", "2e2" and "200.0"; 0 is -0. */
bool etl_number_same(const char *a, const char *b);

/* Each reads int32, int64, double, decimal, bool (as 0 or 1) and text. False = the value
 * cannot be had exactly, in the sense of lib/transform/README.md. */
bool etl_number_int64(const struct etl_element *e, int64_t *out);
bool etl_number_double(const struct etl_element *e, double *out);
bool etl_number_decimal(const struct etl_element *e, bson_decimal128_t *out);

/* The double nearest to a Decimal128 element, whatever that loses; false for NaN and
 * infinities and what lies beyond a double. */
bool etl_number_nearest(const struct etl_element *e, double *out);

#endif
