/* SPDX-License-Identifier: MIT
 *
 * A ledger entry as a document of the collection `windows`, and back. Any thread.
 */
#ifndef ETL_STATE_LEDGER_DOC_H
#define ETL_STATE_LEDGER_DOC_H

#include "state/state.h"

/* Appends all fields including `_id` to an initialised document. */
void etl_ledger_to_bson(const char *job, const char *partition,
	const struct etl_ledger_entry *entry, bson_t *out);

/* What is missing stays zero; an unknown state is ETL_DATA. */
int etl_ledger_from_bson(const bson_t *doc, struct etl_ledger_entry *out, struct etl_error *err);

/* {in, rejected, out, inserted, updated, unchanged} under `field`. */
void etl_counts_append(bson_t *out, const char *field, const struct etl_counts *counts);
void etl_counts_read(const bson_t *doc, const char *field, struct etl_counts *out);

#endif
