/* SPDX-License-Identifier: MIT
 *
 * What came of a commit whose answer was lost: the reply proves nothing, the `commit_id` of the
 * watermark does. Only reads.
 *
 * Example: a run sends the commit C2 and the connection breaks. If the watermark bears C2
 * afterwards, the commit took effect, and the run goes on. If it still bears C1, the
 * transaction did not take effect, and the slice is begun again.
 */
#include <string.h>
#include <time.h>

#include "state/mongodb.h"

#define SETTLE_LIMIT ETL_SECONDS(120)
#define SETTLE_PAUSE_MS 200

void etl_smdb_pause(void)
{
	struct timespec ts = {.tv_nsec = SETTLE_PAUSE_MS * 1000000L};

	nanosleep(&ts, NULL);
}

/* 1 = the watermark carries this commit, 0 = it does not, -1. */
static int look_for_commit(struct etl_state *s, const char *job, const char *partition,
	const char *commit_id, struct etl_error *err)
{
	bson_t query = BSON_INITIALIZER;
	struct etl_place place;
	mongoc_cursor_t *cursor;
	char id[ETL_UUID_BYTES];
	bson_error_t error;
	const bson_t *doc;
	int rc = 0;

	if (etl_place_open(&place, s, "watermarks", err) < 0) {
		bson_destroy(&query);
		return -1;
	}
	etl_ledger_append_id(&query, job, partition, NULL);
	cursor = mongoc_collection_find_with_opts(place.collection, &query, NULL, NULL);
	if (mongoc_cursor_next(cursor, &doc)) {
		etl_bson_text(doc, "commit_id", id, sizeof id);
		rc = strcmp(id, commit_id) == 0;
	} else if (mongoc_cursor_error(cursor, &error)) {
		rc = etl_mongo_error(err, &error, NULL);
	}
	mongoc_cursor_destroy(cursor);
	bson_destroy(&query);
	etl_place_close(&place);
	return rc;
}

/* Asks what is stored until MongoDB answers, at most SETTLE_LIMIT: an election takes seconds,
 * and giving up early would read the windows again for nothing. After that the run ends as
 * unknown; the next run reads the ledger, which tells the truth either way. */
int etl_smdb_settle(struct etl_state *s, const char *job, const char *partition,
	const char *commit_id, struct etl_error *err)
{
	etl_mono began = etl_mono_now(etl_clock_real());

	for (;;) {
		int rc = look_for_commit(s, job, partition, commit_id, err);
		etl_dur spent = etl_mono_diff(etl_mono_now(etl_clock_real()), began);

		if (rc > 0) {
			etl_error_clear(err);
			return 0;
		}
		if (rc == 0)
			return etl_error_set(err, ETL_TRANSIENT, "txn.retry",
				"the commit is not in: begin the slice again");
		if (err->kind != ETL_TRANSIENT || spent.us >= SETTLE_LIMIT.us) {
			err->code = "txn.unknown"; /* the next run reads the ledger */
			return -1;
		}
		etl_smdb_pause();
	}
}
