/* SPDX-License-Identifier: MIT
 *
 * What the files of the MongoDB store share: the store, a client on loan, small BSON words.
 * Internal to lib/state. Documents and indexes: README.md.
 */
#ifndef ETL_STATE_MONGODB_H
#define ETL_STATE_MONGODB_H

#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "mongo/mongo.h"
#include "mongo/txn.h"
#include "state/ledger_doc.h"
#include "state/state.h"

/* The layout of the metadata that this etld writes and understands, with all before it. It grows
 * when an etld of before would misread or damage what is written; a field that it leaves alone
 * is no reason. 2: units that are objects, and pauses whose document stays when they end. */
#define ETL_LAYOUT 2

/* The driver's sessions that have held a transaction; the lock guards all of it. */
struct etl_sessions {
	pthread_mutex_t lock;
	char holder[160]; /* who we are, "" until a lease was asked for */
	struct etl_known_session {
		uint8_t id[16];
		etl_mono recorded;
	} *known;
	size_t n, cap;
};

struct etl_state_mongodb {
	struct etl_state base;
	struct etl_mongo *mongo;
	char *database;
	atomic_bool transactions;
	struct etl_sessions sessions;
};

/* A collection with the client that it lives on. */
struct etl_place {
	struct etl_mongo *mongo;
	mongoc_client_t *client; /* NULL when it belongs to a transaction */
	mongoc_collection_t *collection;
};
int etl_place_open(struct etl_place *place, struct etl_state *s, const char *collection,
	struct etl_error *err);
void etl_place_close(struct etl_place *place);

static inline struct etl_state_mongodb *etl_state_mongodb(struct etl_state *s)
{
	return (struct etl_state_mongodb *)s;
}

/* Update pipelines of one stage: out = {"0": {stage: body}}. */
void etl_state_pipeline(bson_t *out, const char *stage, const bson_t *body);

/* findAndModify of {_id} with a pipeline, upsert, giving the new document (to be destroyed).
 * A lost race of two upserts (11000) is tried again. */
int etl_state_upsert(struct etl_place *place, const bson_t *query, const bson_t *pipeline,
	bson_t *after, struct etl_error *err);

/* A unique key that is there already. */
#define ETL_SMDB_DUPLICATE 11000

/* True if a write failed because two upserts of one document met: once more, and it is an update. What
 * the first try said is taken back here, so that a second one that succeeds leaves no error behind. */
static inline bool etl_smdb_met_another(struct etl_error *err)
{
	if (err->status != ETL_SMDB_DUPLICATE)
		return false;
	etl_error_clear(err);
	return true;
}

/* Options of a bulk's update that may insert; to be destroyed. Its document is one that we made,
 * so the driver need not look at each name and text of it (a quarter of a first load's
 * instructions). */
bson_t *etl_state_upserts(void);

int etl_state_run_bulk(mongoc_bulk_operation_t *bulk, struct etl_error *err);

/* The first document of a query: 1 = `read` took it (it gives -1 for one that it cannot), 0 = there
 * is none, -1. `opts` may be NULL. */
typedef int (*etl_state_reader)(const bson_t *doc, void *out, struct etl_error *err);
int etl_state_find_one(struct etl_state *s, const char *collection, const bson_t *query,
	const bson_t *opts, etl_state_reader read, void *out, struct etl_error *err);

/* One update command on one document. `matched` counts an upsert as a match. */
int etl_state_update_one(mongoc_collection_t *c, const bson_t *query, const bson_t *update,
	const bson_t *opts, bool *matched, struct etl_error *err);

/* Readers that take a default for what is absent or of another type. */
int64_t etl_bson_int(const bson_t *doc, const char *field, int64_t fallback);
etl_wall etl_bson_date(const bson_t *doc, const char *field);
void etl_bson_text(const bson_t *doc, const char *field, char *out, size_t size);

/* Whose sessions these are; a transaction's session goes on record before it writes; the
 * open transactions of another holder are ended, whatever comes of it. */
void etl_sessions_own(struct etl_sessions *sessions, const char *holder);
void etl_sessions_note(struct etl_state *s, const struct etl_txn *txn);
void etl_sessions_kill(struct etl_state *s, const char *holder);

/* One commit, or one slice of a change, under way. */
struct etl_effort {
	struct etl_state_mongodb *store;
	const char *job, *partition;	/* whose watermark gets `commit_id` */
	char commit_id[ETL_UUID_BYTES]; /* known to nobody else */
	const void *what;		/* struct etl_commit, or struct etl_change_slice */
	/* Writes all of it by `client` and `opts`; without these, in steps that are safe to repeat. */
	int (*write)(struct etl_effort *e, struct etl_error *err);
	const char *after; /* the fault point behind it */
	etl_dur patience;  /* with a commit whose answer does not come, and again with what came of it */
	etl_wall now;
	mongoc_client_t *client;
	const bson_t *opts; /* the transaction's, or NULL */
};
mongoc_collection_t *etl_effort_collection(struct etl_effort *e, const char *name);
/* 1; 0 = the watermark has another fence, or (not NULL) is another than `expected`; -1. */
int etl_effort_watermark(struct etl_effort *e, int64_t fence, const etl_wall *expected,
	const bson_t *update, struct etl_error *err);
/* 1 = the watermark carries its `commit_id`, 0 = it does not, -1. Takes a client of its own. */
int etl_effort_is_in(struct etl_effort *e, struct etl_error *err);
/* Into `txn`, which it consumes, or NULL. As commit of state.h: TRANSIENT "txn.retry" = nothing is in,
 * "txn.unknown" = nobody knows. */
int etl_smdb_transact(struct etl_effort *e, struct etl_txn *txn, struct etl_error *err);

/* The words of the states that are closed, or of those that are not, as items of an array. */
void etl_state_append_words(bson_t *list, bool closed);

/* One request for a lease whose fence was `seen`, for the fence `next`: as lease_acquire, and
 * refused if the fence has moved. */
int etl_smdb_lease_ask(struct etl_state *s, const struct etl_lease_ask *ask, int64_t seen,
	int64_t next, struct etl_lease *lease, struct etl_error *err);

/* Before anything is written: PERMANENT "metadata.newer" if the layout is newer than ours. */
int etl_smdb_check_layout(struct etl_state *s, struct etl_error *err);

/* The operations, one file a topic. */
int etl_smdb_prepare(struct etl_state *s, struct etl_error *err);
int etl_smdb_lease_acquire(struct etl_state *s, const struct etl_lease_ask *ask,
	struct etl_lease *lease, struct etl_error *err);
int etl_smdb_lease_renew(struct etl_state *s, const char *job, int64_t fence, etl_dur ttl,
	struct etl_error *err);
int etl_smdb_lease_release(struct etl_state *s, const char *job, int64_t fence,
	struct etl_error *err);
int etl_smdb_lease_end(struct etl_state *s, const char *job, int64_t fence,
	const struct etl_last_run *last, struct etl_error *err);
int etl_smdb_lease_drop(struct etl_state *s, const char *job, int64_t fence, struct etl_error *err);
int etl_smdb_slots_save(struct etl_state *s, const struct etl_slot_note *notes, size_t n,
	struct etl_error *err);
int etl_smdb_schedule_list(struct etl_state *s,
	int (*fn)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx,
	struct etl_error *err);
int etl_smdb_schedule_get(struct etl_state *s, const char *job, struct etl_schedule_info *out,
	struct etl_error *err);
int etl_smdb_watermark_claim(struct etl_state *s, const char *job, const char *partition,
	int64_t fence, etl_wall origin, int64_t window_ms, struct etl_watermark *out,
	struct etl_error *err);
int etl_smdb_watermark_get(struct etl_state *s, const char *job, const char *partition,
	struct etl_watermark *out, struct etl_error *err);
int etl_smdb_watermark_list(struct etl_state *s,
	int (*fn)(void *ctx, const char *job, const char *partition,
		const struct etl_watermark *watermark),
	void *ctx, struct etl_error *err);
int etl_smdb_ledger_scan(struct etl_state *s, const char *job, const char *partition,
	const struct etl_window *range, enum etl_ledger_select select, etl_ledger_fn fn, void *ctx,
	struct etl_error *err);
int etl_smdb_ledger_held(struct etl_state *s, const char *job, size_t max, etl_unit_fn fn, void *ctx,
	struct etl_error *err);
int etl_smdb_ledger_objects(struct etl_state *s, const char *job, const char *partition,
	const char *from, size_t max, etl_ledger_fn fn, void *ctx, struct etl_error *err);
int etl_smdb_ledger_open(struct etl_state *s, const char *job, size_t max,
	int (*fn)(void *ctx, const char *partition, const struct etl_ledger_entry *entry), void *ctx,
	struct etl_error *err);
int etl_smdb_open_sums(struct etl_state *s, const char *job, const struct etl_window *range,
	etl_open_fn fn, void *ctx, struct etl_error *err);
int etl_smdb_ledger_count(struct etl_state *s, const char *job, const char *partition,
	const struct etl_window *range, uint64_t *n, struct etl_error *err);
int etl_smdb_ledger_mark(struct etl_state *s, const char *job, const char *partition,
	int64_t fence, const struct etl_ledger_entry *entries, size_t n, struct etl_error *err);
int etl_smdb_ledger_doubt(struct etl_state *s, const char *job, const char *partition,
	const char *run_id, const struct etl_unit_key *units, size_t n, struct etl_error *err);
int etl_smdb_begin(struct etl_state *s, struct etl_txn **txn, struct etl_error *err);
int etl_smdb_commit(struct etl_state *s, struct etl_txn *txn, const struct etl_commit *c,
	struct etl_error *err);
void etl_smdb_abort(struct etl_state *s, struct etl_txn *txn);
int etl_smdb_change_apply(struct etl_state *s, const struct etl_change_slice *slice,
	struct etl_error *err);
int etl_smdb_put(struct etl_state *s, const struct etl_collection *c, bson_t *const *docs, size_t n,
	struct etl_error *err);
int etl_smdb_put_if(struct etl_state *s, const struct etl_collection *c, const bson_t *doc,
	const struct etl_equal *when, struct etl_error *err);
int etl_smdb_update(struct etl_state *s, const struct etl_collection *c, const char *id,
	const struct etl_equal *when, const bson_t *fields, struct etl_error *err);
int etl_smdb_list(struct etl_state *s, const struct etl_collection *c,
	const struct etl_doc_query *query, etl_doc_fn fn, void *ctx, struct etl_error *err);
int etl_smdb_remove(struct etl_state *s, const struct etl_collection *c, const char *id,
	struct etl_error *err);
int etl_smdb_sums(struct etl_state *s, const struct etl_collection *c,
	const struct etl_doc_query *query, etl_doc_fn fn, void *ctx, struct etl_error *err);

#endif
