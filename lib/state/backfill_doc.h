/* SPDX-License-Identifier: MIT
 *
 * A backfill as a document of the collection `backfills`. Shared by both stores. Any thread.
 */
#ifndef ETL_STATE_BACKFILL_DOC_H
#define ETL_STATE_BACKFILL_DOC_H

#include "state/state.h"

/* The whole document with `_id`, into an empty `out`. */
void etl_backfill_to_bson(const struct etl_backfill *backfill, bson_t *out);

/* -1 with ETL_CONFLICT: what was to be saved has ended in the store. */
int etl_backfill_has_ended(const struct etl_backfill *backfill, struct etl_error *err);

/* Back; what is absent or of another type is 0 or "". */
void etl_backfill_from_bson(const bson_t *doc, struct etl_backfill *out);

#endif
