/* SPDX-License-Identifier: MIT
 *
 * Commits N slices of ten documents each through the MongoDB sink and store, as the load and
 * commit steps do: again from begin() whenever nothing is known to be in.
 * Usage: commit_driver URI DATABASE N      Prints "commits N again M".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"
#include "mongo/txn.h"
#include "sink/mongodb.h"
#include "state/state.h"
#include "time/clock.h"

#define HOUR_MS INT64_C(3600000)
#define RECORDS 10
#define AGAIN_MAX 100

extern const struct etl_sink_type etl_sink_mongodb;

struct driver {
	struct etl_state *state;
	void *sink;
	char run_id[ETL_UUID_BYTES];
	int64_t fence;
	int again;
};

static void must(int rc, const struct etl_error *err, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "%s: %s %s\n", what, err->code, err->message);
	exit(1);
}

static struct etl_batch *slice(int n)
{
	struct etl_batch *batch = etl_batch_new();

	for (int i = 0; i < RECORDS; i++) {
		bson_t *doc = BCON_NEW("id", BCON_INT32(n * RECORDS + i), "slice", BCON_INT32(n));

		etl_batch_add_copy(batch, doc, (etl_wall){n * HOUR_MS}, (uint64_t)i);
		bson_destroy(doc);
	}
	return batch;
}

static int commit(struct driver *d, int n, struct etl_txn *txn, const struct etl_load_result *r,
	struct etl_error *err)
{
	struct etl_ledger_entry entry = {
		.window = {{n * HOUR_MS}, {(n + 1) * HOUR_MS}},
		.state = ETL_WINDOW_LOADED,
		.attempt = 1,
		.counts = {.in = RECORDS, .out = RECORDS, .inserted = r->inserted,
			.updated = r->updated, .unchanged = r->unchanged},
	};
	struct etl_commit c = {.job = "j", .partition = "p", .run_id = d->run_id,
		.fence = d->fence, .entries = &entry, .n_entries = 1,
		.watermark = {(n + 1) * HOUR_MS}, .window_ms = HOUR_MS};

	memcpy(entry.run_id, d->run_id, sizeof entry.run_id);
	return d->state->ops->commit(d->state, txn, &c, err);
}

static int attempt(struct driver *d, int n, struct etl_error *err)
{
	struct etl_batch *batch = slice(n);
	uint8_t changed[RECORDS / 8 + 1] = {0};
	struct etl_load_result r = {.changed = changed};
	struct etl_txn *txn = NULL;
	struct etl_sink_slice told = {0};
	int rc = d->state->ops->begin(d->state, &txn, err);

	told.txn = txn;
	if (rc == 0 && etl_sink_mongodb.begin(d->sink, &told, err) == 0) {
		rc = etl_sink_mongodb.write(d->sink, batch, &r, err);
		if (rc == 0)
			rc = commit(d, n, txn, &r, err);
		else
			d->state->ops->abort(d->state, txn);
		if (rc == 0)
			etl_sink_mongodb.commit(d->sink, err);
		else
			etl_sink_mongodb.abort(d->sink);
	}
	etl_batch_free(batch);
	return rc;
}

static void run(struct driver *d, int slices)
{
	for (int n = 0; n < slices; n++) {
		struct etl_error err = ETL_ERROR_INIT;
		int tries = 0;

		while (attempt(d, n, &err) < 0) {
			if (err.kind != ETL_TRANSIENT || ++tries > AGAIN_MAX)
				must(-1, &err, "slice");
			fprintf(stderr, "slice %d again: %s %s\n", n, err.code, err.message);
			d->again++;
		}
	}
}

int main(int argc, char **argv)
{
	static const char *const key[] = {"id"};
	struct etl_sink_mongodb_options o = {.collection = "data", .key = {.n = 1, .items = key}};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark watermark;
	struct etl_lease lease;
	struct driver d = {0};
	struct etl_mongo *mongo;

	if (argc != 4)
		return 2;
	etl_mongo_global_init();
	mongo = etl_mongo_new(argv[1], "commit_driver", 4, &err);
	if (!mongo)
		must(-1, &err, "uri");
	d.state = etl_state_mongodb_new(mongo, argv[2]);
	d.sink = calloc(1, etl_sink_mongodb.size);
	etl_uuid7(etl_now(etl_clock_real()).ms, d.run_id);
	struct etl_sink_env env = {mongo, argv[2], "j", d.run_id};
	struct etl_lease_ask ask = {.job = "j", .holder = "driver", .ttl = ETL_HOURS(1)};

	must(d.state->ops->prepare(d.state, &err), &err, "prepare");
	must(d.state->ops->lease_acquire(d.state, &ask, &lease, &err), &err, "lease");
	d.fence = lease.fence;
	must(d.state->ops->watermark_claim(d.state, "j", "p", d.fence, (etl_wall){0}, HOUR_MS,
		&watermark, &err), &err, "claim");
	must(etl_sink_mongodb.prepare(&o, &env, &err), &err, "sink");
	must(etl_sink_mongodb.open(d.sink, &o, &env, &err), &err, "sink");
	run(&d, (int)strtol(argv[3], NULL, 10));
	printf("transactions %d commits %s again %d\n", d.state->ops->has_transactions(d.state),
		argv[3], d.again);
	etl_sink_mongodb.close(d.sink);
	free(d.sink);
	d.state->ops->free(d.state);
	etl_mongo_free(mongo);
	etl_mongo_global_cleanup();
	return 0;
}
