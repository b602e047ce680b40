/* SPDX-License-Identifier: MIT
 *
 * Run records in MongoDB.
 */
#include "state/mongodb.h"
#include "state/run_record.h"

int etl_smdb_run_save(struct etl_state *s, const struct etl_run_record *run,
	struct etl_error *err)
{
	bson_t doc = BSON_INITIALIZER;
	int rc;

	etl_run_record_to_bson(run, &doc);
	rc = etl_state_replace(s, "runs", run->run_id, &doc, err);
	bson_destroy(&doc);
	return rc;
}

static int find_runs(struct etl_state *s, const bson_t *query, int limit,
	int (*fn)(void *ctx, const bson_t *run), void *ctx, struct etl_error *err)
{
	bson_t *opts = BCON_NEW("sort", "{", "started", BCON_INT32(-1), "_id", BCON_INT32(-1), "}",
		"limit", BCON_INT64(limit > 0 ? limit : 0));
	struct etl_place place;
	bson_error_t error;
	const bson_t *doc;
	int rc = -1;

	if (etl_place_open(&place, s, "runs", err) == 0) {
		mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(
			place.collection, query, opts, NULL);

		while (mongoc_cursor_next(cursor, &doc) && fn(ctx, doc) == 0)
			;
		rc = mongoc_cursor_error(cursor, &error) ? etl_mongo_error(err, &error, NULL) : 0;
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(opts);
	return rc;
}

int etl_smdb_run_list(struct etl_state *s, const char *job, int limit,
	int (*fn)(void *ctx, const bson_t *run), void *ctx, struct etl_error *err)
{
	bson_t query = BSON_INITIALIZER;
	int rc;

	if (job)
		BSON_APPEND_UTF8(&query, "job", job);
	rc = find_runs(s, &query, limit, fn, ctx, err);
	bson_destroy(&query);
	return rc;
}

struct copy {
	bson_t *out;
	bool found;
};

static int take_copy(void *ctx, const bson_t *run)
{
	struct copy *copy = ctx;

	bson_copy_to(run, copy->out);
	copy->found = true;
	return 1;
}

int etl_smdb_run_get(struct etl_state *s, const char *run_id, bson_t *out, struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(run_id));
	struct copy copy = {.out = out};
	int rc = find_runs(s, query, 1, take_copy, &copy, err);

	bson_destroy(query);
	return rc < 0 ? -1 : copy.found;
}
