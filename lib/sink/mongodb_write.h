/* SPDX-License-Identifier: MIT
 *
 * One batch into one collection: plan, compare with what is stored, write what differs.
 * Internal to lib/sink.
 */
#ifndef ETL_SINK_MONGODB_WRITE_H
#define ETL_SINK_MONGODB_WRITE_H

#include "sink/mongodb.h"

/* A document that the server refused inside a transaction. The refusal has ended that
 * transaction, so it is remembered until the slice is in. */
struct etl_sink_refusal {
	char *key;
	size_t key_len;
	uint64_t digest; /* of the document: another one under the same key may do */
	char *message;
	const char *rule; /* static */
};

struct etl_sink_plan {
	const struct etl_sink_mongodb_options *options;
	struct etl_arena *arena;
	struct etl_keyset *keys;
	struct etl_buf key;
	struct etl_sink_item *items; /* one for each record */
	size_t n;
	size_t *last; /* number of a key -> the item that is to be stored under it */
};

struct etl_sink_plan *etl_sink_plan_new(const struct etl_sink_mongodb_options *options,
	const struct etl_batch *batch);
void etl_sink_plan_free(struct etl_sink_plan *plan);

/* Decides anew which of several items with one key is to be stored, by what is refused by now: all
 * others are NEW again. */
void etl_sink_plan_settle(struct etl_sink_plan *plan);

/* After a write outside of a transaction: items whose key a refused one had taken from them are NEW,
 * and what was written is not written again. False if there is none. */
bool etl_sink_plan_revive(struct etl_sink_plan *plan);

/* Reads what is stored under the plan's keys and gives each item its verdict. `session` is
 * a transaction's options or NULL. */
int etl_sink_plan_compare(struct etl_sink_plan *plan, mongoc_collection_t *c,
	const bson_t *session, struct etl_error *err);

/* Writes. Outside a transaction: refused items get their verdict, lost races are tried once
 * more. Inside: at the first refusal -1, and `*refused` is that item. */
int etl_sink_plan_write(struct etl_sink_plan *plan, mongoc_collection_t *c,
	const bson_t *session, struct etl_sink_item **refused, struct etl_error *err);

/* When a server has refused a whole command and not one document of it: the next item whose
 * BSON it cannot read, now refused; NULL if there is none. */
struct etl_sink_item *etl_sink_plan_malformed(struct etl_sink_plan *plan);

#endif
