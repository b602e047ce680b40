/* SPDX-License-Identifier: MIT
 *
 * A reject as a document of the collection `dead_letters`. Shared by both stores.
 */
#ifndef ETL_STATE_DEAD_LETTER_H
#define ETL_STATE_DEAD_LETTER_H

#include "base/hash.h"
#include "state/state.h"

/* The letter's identity: job, partition, step, rule, path and the bytes; where no bytes are
 * known, its position and time instead. */
void etl_dead_letter_id(const struct etl_dead_letter_info *info, const struct etl_reject *reject,
	char out[ETL_HASH_TEXT_BYTES]);

/* Appends all fields but `_id`, `first_at` and `times`. Raw bytes stay binary, also when they are
 * BSON: what was refused may hold names and depths that a document may not. `window` NULL or with
 * start == end: no window owns it. */
void etl_dead_letter_append(bson_t *out, const struct etl_dead_letter_info *info,
	const struct etl_reject *reject, const struct etl_window *window);

/* A document that may lack fields, or hold others than ours: what is of no use is as if absent.
 * Texts and bytes are lent by the document. */
void etl_dead_letter_read(const bson_t *doc, struct etl_dead_letter *out);

#endif
