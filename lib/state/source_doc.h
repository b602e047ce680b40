/* SPDX-License-Identifier: MIT
 *
 * What is kept of a host as a document of the collection `sources`. Shared by both stores.
 */
#ifndef ETL_STATE_SOURCE_DOC_H
#define ETL_STATE_SOURCE_DOC_H

#include "state/state.h"

/* The whole document with `_id`, into an empty `out`. */
void etl_source_to_bson(const struct etl_source_state *source, bson_t *out);

/* Back; what is absent or of another type is 0 or "". */
void etl_source_from_bson(const bson_t *doc, struct etl_source_state *out);

#endif
