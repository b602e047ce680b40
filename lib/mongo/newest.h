/* SPDX-License-Identifier: MIT
 *
 * The question of a sensor: how new is the newest document? Blocks: worker threads only.
 */
#ifndef ETL_MONGO_NEWEST_H
#define ETL_MONGO_NEWEST_H

#include <bson/bson.h>

#include "base/error.h"
#include "time/clock.h"

struct etl_mongo;

struct etl_newest_query {
	const char *database, *collection;
	const char *field;    /* a path with points; dates and ObjectIds are compared */
	const bson_t *filter; /* NULL = any document */
};

/* 1 = *at is the newest value of the field among the documents of the filter; of an ObjectId
 * its own time, to the second. 0 = no document has the field. -1: also if the newest value is
 * of another type (code sensor.type). Sorts by the field on the server, which wants an index;
 * gives up after 30 s of the server's time. */
int etl_mongo_newest(struct etl_mongo *mongo, const struct etl_newest_query *query, etl_wall *at,
	struct etl_error *err);

#endif
