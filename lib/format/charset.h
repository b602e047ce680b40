/* SPDX-License-Identifier: MIT
 *
 * A body in another charset than UTF-8, by iconv(3), in pieces of any size. One thread at a
 * time; no state beyond the object.
 */
#ifndef ETL_FORMAT_CHARSET_H
#define ETL_FORMAT_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct etl_charset; /* a conversion to UTF-8 */

/* True if `name` is one that iconv can read. */
bool etl_charset_is_known(const char *name);

/* The charset parameter of a Content-Type, without quotes; false if there is none. */
bool etl_charset_of(const char *content_type, char *out, size_t size);

/* Begins a body: `*charset` (freed if it was there) is NULL for UTF-8 and US-ASCII, which
 * need no conversion. `name` "" or NULL = UTF-8. -1 (ETL_DATA, "http.charset") for a name
 * that is not known. */
int etl_charset_begin(struct etl_charset **charset, const char *name, struct etl_error *err);
void etl_charset_free(struct etl_charset *charset); /* NULL is fine */

/* Converts a piece and appends it to `out` (whose cap has to be 4 times the piece and some). A
 * character that the piece cuts waits for the next one. -1 (ETL_DATA) for bytes that are none
 * of this charset. */
int etl_charset_convert(struct etl_charset *charset, const char *bytes, size_t len,
	struct etl_buf *out, struct etl_error *err);

/* At the body's end: appends what was kept back. -1 if half a character is left. */
int etl_charset_end(struct etl_charset *charset, struct etl_buf *out, struct etl_error *err);

#endif
