/* SPDX-License-Identifier: MIT
 *
 * A run's record as a document of the collection `runs`. Shared by both stores. Any thread.
 */
#ifndef ETL_STATE_RUN_RECORD_H
#define ETL_STATE_RUN_RECORD_H

#include "state/state.h"

/* Appends all fields to an initialised document. `ended` and `duration_ms` are absent while
 * the run is running (the TTL index on `ended` then leaves it alone). */
void etl_run_record_to_bson(const struct etl_run_record *run, bson_t *out);

#endif
