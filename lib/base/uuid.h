/* SPDX-License-Identifier: MIT
 *
 * UUID version 7 (RFC 9562): sortable by time of birth. Any thread.
 */
#ifndef ETL_BASE_UUID_H
#define ETL_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define ETL_UUID_BYTES 37 /* 36 characters and the NUL */

/* `unix_ms`: milliseconds since 1970 UTC, the first 48 bits. The rest is random. */
void etl_uuid7(int64_t unix_ms, char out[ETL_UUID_BYTES]);

/* Is `part` the id, or six characters or more of its beginning or end? So people name one; the
 * id may be any text. */
bool etl_uuid_matches(const char *id, const char *part);

#endif
