/* SPDX-License-Identifier: MIT
 *
 * An object of a source: a file, a key of S3, a sheet. Its name tells it from all others of its
 * partition; size, mtime and etag tell whether it is still what was read. Plain values; any thread.
 */
#ifndef ETL_TIME_OBJECT_H
#define ETL_TIME_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "time/clock.h"

#define ETL_OBJECT_NAME_MAX 1024 /* bytes; what S3 allows of a key */
#define ETL_OBJECT_ETAG_BYTES 80

struct etl_object {
	const char *name; /* valid UTF-8, 1 to ETL_OBJECT_NAME_MAX bytes; lent. NULL = there is no object */
	uint64_t size;	  /* bytes */
	etl_wall mtime;
	char etag[ETL_OBJECT_ETAG_BYTES]; /* the source's own word for its content; "" = it has none */
};

/* Names are in order of their bytes, as a source lists them and as the ledger keeps them. */

/* May it be a unit's name? False and *why (static) for one that is empty, too long or no UTF-8. */
bool etl_object_is_name(const char *name, size_t len, const char **why);

/* The same content, by what can be known without reading it. */
bool etl_object_is_same(const struct etl_object *a, const struct etl_object *b);

/* What stands behind the last '/' of the name; the whole name if nothing does. */
const char *etl_object_basename(const char *name);

/* '*' in the pattern stands for any bytes, '?' for one; all else is itself. */
bool etl_object_matches(const char *pattern, const char *name);

/* The name with control bytes, quotes and what is no UTF-8 as \xNN: safe in a message. Cut to size. */
void etl_object_show(const char *name, char *out, size_t size);

#endif
