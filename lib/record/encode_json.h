/* SPDX-License-Identifier: MIT
 *
 * BSON as plain JSON text for people and dead letters, not for reading back as the same
 * BSON: a date is an RFC 3339 string (beyond the years 1 to 9999 its milliseconds), an
 * ObjectId its 24 hexadecimal digits, binary is base64, integers and Decimal128 are all their
 * digits, NaN and infinities are null. Bytes that are not UTF-8 show as U+FFFD. Any thread.
 */
#ifndef ETL_RECORD_ENCODE_JSON_H
#define ETL_RECORD_ENCODE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/doc.h"

/* Appends the document; `indent` blanks for each level, 0 = all on one line without blanks.
 * False if the buffer's cap was reached (what fitted stands there) or nesting passed 200. */
bool etl_json_encode(const uint8_t *bson, uint32_t len, unsigned indent, struct etl_buf *out);

/* Appends one element's value, without its key. */
bool etl_json_encode_element(const struct etl_element *e, unsigned indent, struct etl_buf *out);

/* Appends text as a JSON string with its quotes. */
bool etl_json_encode_text(const char *text, size_t len, struct etl_buf *out);

#endif
