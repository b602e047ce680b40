/* SPDX-License-Identifier: MIT
 *
 * Windows that are being written where there are no transactions. The mark is there before the
 * data and goes with the commit, which replaces the whole entry (state_mongodb_commit.c).
 *
 * The law of doubt: a window is marked before the first of its records is written. Example:
 * 10:00 to 11:00 is loaded, the source has corrected it, and a run replaces its records. If the
 * run dies when half of them are in, the entry alone would still say "loaded" with the hash of
 * the old content, and nobody would look again. With the mark the window is dirty, so the next
 * run reads it. A write that was sent and never answered may still take effect after that, so
 * `writer` makes that run leave the window dirty for one read more.
 */
#include "state/mongodb.h"
#include "time/clock.h"

/* The token of an older dirty mark stays. Were it replaced, the commit of a run that planned
 * with the old token would take this mark for one that came after its plan, and leave the
 * window dirty for ever. */
static int add_doubt(mongoc_bulk_operation_t *bulk, const char *job, const char *partition,
	const char *run_id, const struct etl_unit_key *unit, struct etl_error *err)
{
	struct etl_ledger_entry pending = {.window = unit->window, .object.name = unit->object,
		.updated = etl_now(etl_clock_real())};
	bson_t *opts = etl_state_upserts();
	bson_t query = BSON_INITIALIZER, update = BSON_INITIALIZER, fresh = BSON_INITIALIZER;
	bson_error_t error;
	bson_t sub;
	bool ok;

	etl_ledger_append_unit(&query, job, partition, unit);
	BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &sub);
	BSON_APPEND_BOOL(&sub, "dirty", true);
	BSON_APPEND_UTF8(&sub, "writer", run_id);
	bson_append_document_end(&update, &sub);
	etl_ledger_to_bson(job, partition, &pending, &fresh);
	BSON_APPEND_DOCUMENT_BEGIN(&update, "$setOnInsert", &sub);
	bson_copy_to_excluding_noinit(&fresh, &sub, "_id", "dirty", "writer", NULL);
	bson_append_document_end(&update, &sub);
	ok = mongoc_bulk_operation_update_one_with_opts(bulk, &query, &update, opts, &error);
	bson_destroy(&fresh);
	bson_destroy(&update);
	bson_destroy(&query);
	bson_destroy(opts);
	return ok ? 0 : etl_mongo_error(err, &error, NULL);
}

static int doubt_once(mongoc_collection_t *c, const char *job, const char *partition,
	const char *run_id, const struct etl_unit_key *units, size_t n, struct etl_error *err)
{
	mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(c, NULL);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_doubt(bulk, job, partition, run_id, &units[i], err);
	if (rc == 0)
		rc = etl_state_run_bulk(bulk, err);
	mongoc_bulk_operation_destroy(bulk);
	return rc;
}

int etl_smdb_ledger_doubt(struct etl_state *s, const char *job, const char *partition,
	const char *run_id, const struct etl_unit_key *units, size_t n, struct etl_error *err)
{
	struct etl_place place;
	int rc;

	if (!n)
		return 0;
	if (etl_place_open(&place, s, "windows", err) < 0)
		return -1;
	rc = doubt_once(place.collection, job, partition, run_id, units, n, err);
	if (rc < 0 && etl_smdb_met_another(err))
		rc = doubt_once(place.collection, job, partition, run_id, units, n, err);
	etl_place_close(&place);
	return rc;
}
