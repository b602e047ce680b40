/* SPDX-License-Identifier: MIT
 *
 * One JSON number to one BSON value, without loss. Part of the JSON decoder. Any thread.
 *
 * int32 or int64 if it is written without point and exponent and fits; else a double if it
 * has at most 17 significant digits (zeros at both ends do not count) and lies in a double's
 * normal range; else Decimal128 if 34 digits hold it exactly; else it is refused. -0 is the
 * double -0.0, which no integer can be.
 */
#ifndef ETL_RECORD_JSON_NUMBER_H
#define ETL_RECORD_JSON_NUMBER_H

#include <locale.h>
#include <stdint.h>

/* What reading a piece of JSON ended with. */
enum etl_json_status {
	ETL_JSON_OK,
	ETL_JSON_MORE,	 /* the bytes ended before the value did */
	ETL_JSON_REJECT, /* well-formed, but no record can hold it: spoils the record only */
	ETL_JSON_BROKEN, /* not JSON */
};

/* Reads the number at `*p` ('-' or a digit). OK: `*p` is behind it, `*type` is the BSON
 * type, the value's 4, 8 or 16 bytes stand in `out` and `*size` says how many. MORE if the
 * bytes end in or directly behind the number: there might be more digits. BROKEN: `*p` is at
 * the byte that does not belong. `c_locale` is "C" (strtod's decimal point). */
enum etl_json_status etl_json_number(const char **p, const char *end, locale_t c_locale,
	uint8_t out[16], uint8_t *type, uint32_t *size);

#endif
