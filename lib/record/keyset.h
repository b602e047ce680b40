/* SPDX-License-Identifier: MIT
 *
 * Comparing values as keys: the canonical bytes of a value, and a table that gives each
 * distinct key a number. Shared by whatever groups records or looks for doubles. Not the
 * encoding of `_id`: these bytes never leave the process. Worker thread.
 */
#ifndef ETL_RECORD_KEYSET_H
#define ETL_RECORD_KEYSET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "record/doc.h"

/* Appends the value's canonical bytes; two values are equal as keys exactly if these are.
 * Numbers are compared by value (int32 1 = int64 1 = double 1.0 = decimal 1.00; all NaNs are
 * one), except that a decimal which is no 64-bit integer equals decimals only. All else is
 * compared by type and bytes. NULL = the field is missing, which differs from null. */
void etl_key_add(struct etl_buf *key, const struct etl_element *e);

struct etl_keyset;

/* Caps: the number of keys and the sum of their bytes. */
struct etl_keyset *etl_keyset_new(size_t keys_max, size_t bytes_max);
void etl_keyset_free(struct etl_keyset *set); /* NULL is fine */
void etl_keyset_reset(struct etl_keyset *set);
size_t etl_keyset_held(const struct etl_keyset *set); /* bytes of memory, tables and all */

/* The key's number, from 0 in the order of arrival: 1 = the key is new, 0 = it was there,
 * -1 = a cap was reached (nothing changed). The bytes are copied. */
int etl_keyset_put(struct etl_keyset *set, const void *key, size_t len, size_t *number);
/* The number of a key that is there; false if it is not. Any thread, while nobody puts. */
bool etl_keyset_find(const struct etl_keyset *set, const void *key, size_t len, size_t *number);

#endif
