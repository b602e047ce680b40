/* SPDX-License-Identifier: MIT
 *
 * All documents of a collection, one after another: what is small enough to be kept, such as a
 * table to look into. Blocks: worker threads only.
 */
#ifndef ETL_MONGO_SCAN_H
#define ETL_MONGO_SCAN_H

#include <bson/bson.h>

#include "base/error.h"

struct etl_mongo;

struct etl_scan_query {
	const char *database, *collection;
	const char *const *fields; /* at the top, that are wanted; NULL-terminated */
};

/* Calls `each` for every document, in no order that could be relied on, until it returns other than
 * 0: that is the result. 0 = all were seen, -1. The document is lent for the call. */
int etl_mongo_scan(struct etl_mongo *mongo, const struct etl_scan_query *query,
	int (*each)(void *ctx, const bson_t *doc, struct etl_error *err), void *ctx,
	struct etl_error *err);

#endif
