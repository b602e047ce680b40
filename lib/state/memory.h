/* SPDX-License-Identifier: MIT
 *
 * Inside the store in memory: its rows and its lock, shared by state_memory.c (watermarks,
 * ledger), state_memory_lease.c (leases, slots), state_memory_change.c (an operator's changes)
 * and state_memory_docs.c (runs, dead letters, audit, pauses, hosts). Nobody else includes this.
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

/* The ledger of one partition, in order of start. */
struct lane {
	char *job, *partition;
	struct etl_ledger_entry *entries;
	size_t n, cap;
};

struct doc_row {
	char *key; /* run_id, letter's id, audit's "what", paused job, host */
	char *job; /* runs: the job; pauses: who */
	etl_wall at;
	bson_t *doc;
};

struct memory_docs {
	struct doc_row *rows;
	size_t n, cap;
};

struct change_row {
	struct etl_change change; /* its texts are owned */
	struct touched {
		struct etl_window window;
		bool absent;			/* there was no entry */
		struct etl_ledger_entry before; /* else: as it was */
	} *touched;
	size_t n, cap;
};

struct memory {
	struct etl_state base;
	const struct etl_clock *clock;
	pthread_mutex_t lock; /* guards all below */
	struct lease_row *leases;
	size_t n_leases, leases_cap;
	struct watermark_row *marks;
	size_t n_marks, marks_cap;
	struct lane *lanes;
	size_t n_lanes, lanes_cap;
	uint64_t n_dirty_marks;
	struct change_row *changes; /* oldest first */
	size_t n_changes, changes_cap;
	struct memory_docs alerts, runs, letters, audit, pauses, sources, backfills;
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
	const char *partition, etl_wall start);
/* A new one in its place, for the caller to fill. */
struct etl_ledger_entry *etl_memory_entry_new(struct memory *m, const char *job,
	const char *partition, struct etl_window window);
void etl_memory_entry_remove(struct memory *m, const char *job, const char *partition,
	etl_wall start);

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
int etl_memory_change_list(struct etl_state *s, const struct etl_change_query *query,
	int (*fn)(void *ctx, const struct etl_change *change), void *ctx, struct etl_error *err);

/* state_memory_docs.c: the rows, with the lock held; the others as state.h says of each */
void etl_memory_docs_fini(struct memory_docs *docs);
struct doc_row *etl_memory_doc_find(struct memory_docs *docs, const char *key); /* NULL = none */
void etl_memory_doc_put(struct memory_docs *docs, bool replace, const char *key, const char *job,
	etl_wall at, bson_t *doc); /* takes `doc` */
int etl_memory_newest_first(const void *a, const void *b); /* rows, for qsort */
int etl_memory_run_save(struct etl_state *s, const struct etl_run_record *run,
	struct etl_error *err);
int etl_memory_run_list(struct etl_state *s, const char *job, int limit,
	int (*fn)(void *ctx, const bson_t *run), void *ctx, struct etl_error *err);
int etl_memory_run_get(struct etl_state *s, const char *run_id, bson_t *out,
	struct etl_error *err);
int etl_memory_audit_add(struct etl_state *s, const char *who, const char *what,
	const bson_t *details, struct etl_error *err);
int etl_memory_pause_set(struct etl_state *s, const char *job, bool paused, const char *who,
	const char *why, struct etl_error *err);
int etl_memory_pause_list(struct etl_state *s, int (*fn)(void *ctx, const struct etl_pause *pause),
	void *ctx, struct etl_error *err);
int etl_memory_backfill_save(struct etl_state *s, const struct etl_backfill *backfill,
	struct etl_error *err);
int etl_memory_backfill_get(struct etl_state *s, const char *id, struct etl_backfill *out,
	struct etl_error *err);
int etl_memory_backfill_end(struct etl_state *s, const char *id, enum etl_backfill_state state,
	const char *reason, etl_wall at, struct etl_error *err);
int etl_memory_backfill_list(struct etl_state *s, const char *job, bool running_only, int limit,
	int (*fn)(void *ctx, const struct etl_backfill *backfill), void *ctx, struct etl_error *err);
int etl_memory_alert_once(struct etl_state *s, const char *key, struct etl_error *err);
int etl_memory_source_save(struct etl_state *s, const struct etl_source_state *source,
	struct etl_error *err);
int etl_memory_source_list(struct etl_state *s,
	int (*fn)(void *ctx, const struct etl_source_state *source), void *ctx,
	struct etl_error *err);


/* state_memory_dead.c */
int etl_memory_dead_letters_add(struct etl_state *s, const struct etl_dead_letter_info *info,
	const struct etl_reject *rejects, size_t n, struct etl_error *err);
int etl_memory_dead_letter_list(struct etl_state *s, const struct etl_dead_query *query,
	etl_dead_letter_fn fn, void *ctx, struct etl_error *err);
int etl_memory_dead_letter_sums(struct etl_state *s, const struct etl_dead_query *query,
	etl_dead_sum_fn fn, void *ctx, struct etl_error *err);
int etl_memory_dead_letter_find(struct etl_state *s, const char *prefix, int limit,
	etl_dead_letter_fn fn, void *ctx, struct etl_error *err);

#endif
