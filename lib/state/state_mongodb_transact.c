/* SPDX-License-Identifier: MIT
 *
 * Work on one partition's metadata that takes effect as a whole or not at all: what is written,
 * committed, and settled if the commit's answer was lost. The reply proves nothing then, the
 * `commit_id` of the watermark does. Without transactions it is written in steps. Knows neither
 * what is written nor why.
 *
 * Example: a run sends the commit C2 and the connection breaks. If the watermark bears C2
 * afterwards, the commit took effect, and the run goes on. If it still bears C1, the
 * transaction did not take effect, and the slice is begun again.
 */
#include <string.h>

#include "base/fault.h"
#include "state/mongodb.h"
#include "time/clock.h"

mongoc_collection_t *etl_effort_collection(struct etl_effort *e, const char *name)
{
	return mongoc_client_get_collection(e->client, e->store->database, name);
}

int etl_effort_watermark(struct etl_effort *e, int64_t fence, const etl_wall *expected,
	const bson_t *update, struct etl_error *err)
{
	mongoc_collection_t *watermarks = etl_effort_collection(e, "watermarks");
	bson_t query = BSON_INITIALIZER;
	bool matched = false;
	int rc;

	etl_ledger_append_id(&query, e->job, e->partition, NULL);
	BSON_APPEND_INT64(&query, "fence", fence);
	if (expected)
		BSON_APPEND_DATE_TIME(&query, "last_processed", expected->ms);
	rc = etl_state_update_one(watermarks, &query, update, e->opts, &matched, err);
	bson_destroy(&query);
	mongoc_collection_destroy(watermarks);
	return rc < 0 ? -1 : matched;
}

/* ---- after a lost answer ------------------------------------------------------------------------ */

static int read_commit(const bson_t *doc, void *out, struct etl_error *err)
{
	(void)err;
	etl_bson_text(doc, "commit_id", out, ETL_UUID_BYTES);
	return 0;
}

int etl_effort_is_in(struct etl_effort *e, struct etl_error *err)
{
	bson_t query = BSON_INITIALIZER;
	char id[ETL_UUID_BYTES] = "";
	int rc;

	etl_ledger_append_id(&query, e->job, e->partition, NULL);
	rc = etl_state_find_one(&e->store->base, "watermarks", &query, NULL, read_commit, id, err);
	bson_destroy(&query);
	return rc < 0 ? -1 : strcmp(id, e->commit_id) == 0;
}

/* Asks what is stored until MongoDB answers or `patience` is over: an election takes seconds,
 * and giving up early would read the windows again for nothing. After that the outcome is
 * unknown; whoever comes next reads the ledger, which tells the truth either way. */
static int settle(struct etl_effort *e, struct etl_error *err)
{
	etl_mono began = etl_mono_now(etl_clock_real());

	for (unsigned attempt = 1;; attempt++) {
		int rc = etl_effort_is_in(e, err);
		etl_dur spent = etl_mono_diff(etl_mono_now(etl_clock_real()), began);

		if (rc > 0) {
			etl_error_clear(err);
			return 0;
		}
		if (rc == 0)
			return etl_error_set(err, ETL_TRANSIENT, "txn.retry",
				"the commit is not in: begin the slice again");
		if (err->kind != ETL_TRANSIENT || spent.us >= e->patience.us ||
			etl_mongo_hurries(e->store->mongo)) {
			err->code = "txn.unknown"; /* whoever comes next reads the ledger */
			return -1;
		}
		etl_txn_pause(attempt);
	}
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static int commit(struct etl_effort *e, struct etl_txn *txn, struct etl_error *err)
{
	enum etl_txn_outcome outcome;

	e->client = txn->client;
	e->opts = txn->opts;
	if (e->write(e, err) < 0) {
		etl_txn_free(txn);
		if (err->kind == ETL_TRANSIENT)
			err->code = "txn.retry"; /* nothing of it can be in */
		return -1;
	}
	outcome = etl_txn_commit(txn, e->patience, err);
	etl_txn_free(txn);
	if (outcome == ETL_TXN_FAILED)
		return -1;
	return outcome == ETL_TXN_COMMITTED ? etl_fault(e->after, err) : settle(e, err);
}

int etl_smdb_transact(struct etl_effort *e, struct etl_txn *txn, struct etl_error *err)
{
	int rc;

	if (txn)
		return commit(e, txn, err);
	e->client = etl_mongo_pop(e->store->mongo);
	if (!e->client)
		return etl_error_set(err, ETL_TRANSIENT, "mongodb.pool", "no client became free in time");
	rc = e->write(e, err);
	etl_mongo_push(e->store->mongo, e->client);
	return rc == 0 ? etl_fault(e->after, err) : rc;
}
