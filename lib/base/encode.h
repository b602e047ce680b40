/* SPDX-License-Identifier: MIT
 *
 * Bytes and numbers in the clothes of other formats. One place for each: what redaction looks
 * for has to be exactly what a request wrote. Knows no locale but "C". Any thread.
 */
#ifndef ETL_BASE_ENCODE_H
#define ETL_BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Appends `text` with all but the unreserved bytes of RFC 3986 section 2.3 (letters, digits,
 * '-', '.', '_', '~') as %XX, upper case. False if `out` is full. */
bool etl_encode_percent(struct etl_buf *out, const char *text);

/* Appends standard base64 with padding (RFC 4648 section 4). False if `out` is full. */
bool etl_encode_base64(struct etl_buf *out, const void *bytes, size_t len);

/* Appends `text` as one word of a POSIX shell: as it is, or in single quotes. False if `out` is
 * full. */
bool etl_encode_shell(struct etl_buf *out, const char *text);

/* Appends one byte of a text as it stands inside the quotes of a JSON string; the bytes of longer
 * characters as they are. False if `out` is full. */
bool etl_encode_json_char(struct etl_buf *out, char c);

/* The shortest of 15 to 17 significant digits that reads back as the very same double (17 are
 * always enough: IEEE 754-2008 section 5.12.2). `v` is finite. */
#define ETL_DOUBLE_TEXT_BYTES 32
void etl_encode_double(double v, char out[ETL_DOUBLE_TEXT_BYTES]);

#endif
