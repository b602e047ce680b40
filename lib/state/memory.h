/* SPDX-License-Identifier: MIT
 *
 * Inside the store in memory: its rows and its lock, shared by state_memory.c (watermarks,
 * ledger), state_memory_lease.c (leases, slots), state_memory_change.c (an operator's changes)
 * and state_memory_docs.c (documents by rows). Nobody else includes this.
 */
#ifndef ETL_STATE_MEMORY_H
#define ETL_STATE_MEMORY_H

#include <pthread.h>

#include "state/state.h"

struct lease_row {
	char *job;
	char holder[ETL_HOLDER_BYTES];
	char run_id[ETL_UUID_BYTES];
	etl_wall expires, acquired;
	int64_t fence;
	etl_wall slot, run_slot; /* the newest decided; that of the run which holds it */
	char schedule[ETL_SCHEDULE_BYTES];
	struct etl_last_run last;
};

struct watermark_row {
	char *job, *partition;
	struct etl_watermark mark;
};

/* The ledger of one partition: windows in order of start, behind them objects in order of name. Names
 * are the lane's own. */
struct lane {
	char *job, *partition;
	struct etl_ledger_entry *entries;
	size_t n, cap;
};

struct doc_row {
	const char *id; /* the document's, "" = none */
	etl_wall at;	/* its row's `newest_by` */
	bson_t *doc;
};

struct memory_docs {
	const struct etl_collection *of;
	struct doc_row *rows;
	size_t n, cap;
};

struct change_row {
	char id[ETL_UUID_BYTES];
	enum etl_change_kind kind;
	struct touched {
		struct etl_window window; /* of an object the change has no other unit */
		bool absent;			/* there was no entry */
		struct etl_ledger_entry before; /* else: as it was */
	} *touched;
	size_t n, cap;
};

struct memory {
	struct etl_state base;
	pthread_mutex_t lock; /* guards all below */
	struct lease_row *leases;
	size_t n_leases, leases_cap;
	struct watermark_row *marks;
	size_t n_marks, marks_cap;
	struct lane *lanes;
	size_t n_lanes, lanes_cap;
	uint64_t n_dirty_marks;
	struct change_row *changes; /* what they touched; the changes themselves are documents */
	size_t n_changes, changes_cap;
	struct memory_docs *docs;
	size_t n_docs, docs_cap;
};

static inline struct memory *etl_memory_lock(struct etl_state *s)
{
	struct memory *m = (struct memory *)s;

	pthread_mutex_lock(&m->lock);
	return m;
}

static inline int etl_memory_unlock(struct memory *m, int rc)
{
	pthread_mutex_unlock(&m->lock);
	return rc;
}

/* state_memory.c; with the lock held. NULL: there is none. */
struct watermark_row *etl_memory_mark(struct memory *m, const char *job, const char *partition);
struct etl_ledger_entry *etl_memory_entry(struct memory *m, const char *job,
	const char *partition, const struct etl_unit_key *unit);
/* A new one in its place, for the caller to fill. */
struct etl_ledger_entry *etl_memory_entry_new(struct memory *m, const char *job,
	const char *partition, const struct etl_unit_key *unit);
void etl_memory_entry_remove(struct memory *m, const char *job, const char *partition,
	const struct etl_unit_key *unit);

/* state_memory_lease.c: as state.h says of each */
int etl_memory_lease_acquire(struct etl_state *s, const struct etl_lease_ask *ask,
	struct etl_lease *lease, struct etl_error *err);
int etl_memory_lease_renew(struct etl_state *s, const char *job, int64_t fence, etl_dur ttl,
	struct etl_error *err);
int etl_memory_lease_release(struct etl_state *s, const char *job, int64_t fence,
	struct etl_error *err);
int etl_memory_lease_end(struct etl_state *s, const char *job, int64_t fence,
	const struct etl_last_run *last, struct etl_error *err);
int etl_memory_lease_drop(struct etl_state *s, const char *job, int64_t fence, struct etl_error *err);
int etl_memory_slots_save(struct etl_state *s, const struct etl_slot_note *notes, size_t n,
	struct etl_error *err);
int etl_memory_schedule_list(struct etl_state *s,
	int (*fn)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx,
	struct etl_error *err);
int etl_memory_schedule_get(struct etl_state *s, const char *job, struct etl_schedule_info *out,
	struct etl_error *err);

/* state_memory_open.c */
int etl_memory_open_sums(struct etl_state *s, const char *job, const struct etl_window *range,
	etl_open_fn fn, void *ctx, struct etl_error *err);

/* state_memory_change.c */
void etl_memory_changes_fini(struct memory *m);
int etl_memory_change_apply(struct etl_state *s, const struct etl_change_slice *slice,
	struct etl_error *err);

/* state_memory_docs.c: with the lock held; the others as state.h says of each */
void etl_memory_docs_fini(struct memory *m);
const bson_t *etl_memory_doc(struct memory *m, const struct etl_collection *c, const char *id);
void etl_memory_doc_put(struct memory *m, const struct etl_collection *c, const bson_t *doc);
int etl_memory_put(struct etl_state *s, const struct etl_collection *c, bson_t *const *docs, size_t n,
	struct etl_error *err);
int etl_memory_put_if(struct etl_state *s, const struct etl_collection *c, const bson_t *doc,
	const struct etl_equal *when, struct etl_error *err);
int etl_memory_update(struct etl_state *s, const struct etl_collection *c, const char *id,
	const struct etl_equal *when, const bson_t *fields, struct etl_error *err);
int etl_memory_list(struct etl_state *s, const struct etl_collection *c,
	const struct etl_doc_query *query, etl_doc_fn fn, void *ctx, struct etl_error *err);
int etl_memory_remove(struct etl_state *s, const struct etl_collection *c, const char *id,
	struct etl_error *err);
int etl_memory_sums(struct etl_state *s, const struct etl_collection *c,
	const struct etl_doc_query *query, etl_doc_fn fn, void *ctx, struct etl_error *err);

#endif
