/* SPDX-License-Identifier: MIT
 *
 * A table that records are looked up in: documents of a collection or a file, found by the values
 * of some of their fields, of which only what is taken is kept. Values are compared as keys
 * (record/keyset.h), so that what comes from data is never more than a value. Filled by one thread,
 * then immutable: any thread may look into it.
 */
#ifndef ETL_RECORD_TABLE_H
#define ETL_RECORD_TABLE_H

#include "base/buf.h"
#include "base/error.h"
#include "record/doc.h"
#include "record/path.h"

/* Where it comes from and what of it is wanted, as configured. Immutable. */
struct etl_table_place {
	const char *name; /* for people: "stations", "etl.stations", "/etc/etld/stations.jsonl" */
	const char *database, *collection; /* collection NULL = a file; database NULL = the default
		one */
	const char *file;		   /* documents, one a line */
	const struct etl_path *on;	   /* of its documents: what they are found by */
	size_t n_on;
	const struct etl_path *take; /* of its documents */
	size_t n_take;
};

struct etl_table;

/* Gives. `place` is lent until it is freed; `bytes_max`: that it may hold. */
struct etl_table *etl_table_new(const struct etl_table_place *place, size_t bytes_max);
void etl_table_free(struct etl_table *table); /* NULL is fine */

/* Adds a document. One that lacks a field of `on`, or has null in it, is passed over: nobody can
 * ask for it. -1: ETL_DATA if another with the same values gives something else, ETL_LIMIT. */
int etl_table_add(struct etl_table *table, const uint8_t *bson, uint32_t len,
	struct etl_error *err);

size_t etl_table_documents(const struct etl_table *table); /* that can be found */
size_t etl_table_held(const struct etl_table *table);	   /* bytes */

/* The values of `take` of the document with these `n_on` values, without names, of type
 * BSON_TYPE_EOD where it has none; lent as long as the table. NULL = there is no such document.
 * `key` is scratch of the caller's. */
const struct etl_element *etl_table_find(const struct etl_table *table,
	const struct etl_element *values, struct etl_buf *key);

#endif
