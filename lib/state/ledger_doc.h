/* SPDX-License-Identifier: MIT
 *
 * A ledger entry as a document of the collection `windows`, and back. Any thread.
 */
#ifndef ETL_STATE_LEDGER_DOC_H
#define ETL_STATE_LEDGER_DOC_H

#include "state/state.h"

/* Appends `_id`: "job/partition", of a window with its start behind: "airqino/283164601/
 * 2026-11-22T15:00:00Z". Text, because a text is found through the index by every server and
 * can be typed; a job's name holds no '/', and a start has no other form. */
void etl_ledger_append_id(bson_t *doc, const char *job, const char *partition,
	const etl_wall *start);

/* Appends the `_id` of a unit: a window's as above, an object's "job//LENGTH/partition/name" with the
 * length of the partition's name, so that no two of them are alike whatever stands in the names. */
void etl_ledger_append_unit(bson_t *doc, const char *job, const char *partition,
	const struct etl_unit_key *unit);

/* {_id: {$gte, $lt}}: the objects of a partition, in the order of `_id` that of their names. */
void etl_ledger_append_objects(bson_t *query, const char *job, const char *partition, const char *from);

/* Appends all fields including `_id` to an initialised document. */
void etl_ledger_to_bson(const char *job, const char *partition,
	const struct etl_ledger_entry *entry, bson_t *out);

/* 0, or -1 if its token is larger than a commit may hold. */
int etl_ledger_need_token(const struct etl_ledger_entry *entry, struct etl_error *err);

/* held_doc.c: appends `held`, `held_more`, `held_since`: which checks hold it; `waiver`: what of
 * them is released, by whom and when. */
void etl_held_to_bson(const struct etl_held *held, bson_t *out);
void etl_waiver_to_bson(const struct etl_held *held, bson_t *out);
/* What of them is there. */
void etl_held_from_bson(const bson_t *doc, struct etl_held *out);

/* What is missing stays zero; an unknown state is ETL_DATA. An object's name and a token are lent by
 * the document. */
int etl_ledger_from_bson(const bson_t *doc, struct etl_ledger_entry *out, struct etl_error *err);

#endif
