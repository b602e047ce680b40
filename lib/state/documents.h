/* SPDX-License-Identifier: MIT
 *
 * What is kept as whole documents, without a fence: runs, pauses, alerts, audit, hosts, backfills.
 * Each kind has its row (rows.h); it is put, got and listed by that, or by what stands beside it
 * here. Dead letters: letters.h.
 */
#ifndef ETL_STATE_DOCUMENTS_H
#define ETL_STATE_DOCUMENTS_H

#include "base/uuid.h"
#include "state/counts.h"
#include "state/rows.h"
#include "state/targets.h"
#include "time/window.h"

#define ETL_REASON_MAX 512

/* A run's record (collection runs). Serialised by state/run_record.c. */
#define ETL_RUN_STEPS_MAX 16
struct etl_run_step {
	const char *name;
	uint64_t visits;
	etl_dur busy;
};
struct etl_run_partition {
	const char *partition;
	const char *state; /* ok failed blocked cancelled nothing_due */
	struct etl_window_counts windows;
	uint64_t missing, waiting; /* objects: not listed any more; not read yet */
	uint64_t warnings;
	struct etl_counts counts;
	const char *reason; /* "" if ok */
	const char *error_kind, *error_code;
	int http_status;
	uint64_t requests, bytes;
	uint64_t pages; /* of sources that answer in pages; else 0 */
};
/* What a check of the whole run says: "pass", "warn" or "fail". */
struct etl_run_verdict {
	const char *check, *verdict;
	const char *message; /* "" of one that passes */
};

struct etl_run_record {
	const char *run_id, *job, *trigger; /* sched/trigger.h has the words */
	const char *state;		    /* run/run.h has the words; skipped, interrupted */
	const char *reason;
	const char *code; /* of skipped: which rule said so; "" or NULL = none */
	const char *cause; /* of its trigger: who, the upstream job, the backfill; NULL = none */
	const char *host;
	int64_t generation, fence, attempt;
	etl_wall slot, started, ended; /* ended.ms = 0 while running */
	etl_dur took; /* the work's length; not ended - started, the clock may have been set */
	etl_wall slot_first; /* of skipped: the first of several slots; the last is `slot` */
	uint64_t slots;	     /* of skipped: how many; 0 = not known, or not skipped */
	struct {	     /* slots that were passed over for this run; last.ms == 0 = none */
		etl_wall first, last;
		uint64_t slots;
		const char *code;
	} passed_over;
	struct etl_window window;      /* asked for by an operator; start == end: whatever is due */
	struct etl_counts counts;
	struct etl_window_counts windows;
	uint64_t missing, waiting; /* objects: not listed any more; not read yet */
	uint64_t warnings;
	const struct etl_tally *rejects, *warned; /* by rule; lent; NULL = none */
	struct etl_run_step steps[ETL_RUN_STEPS_MAX];
	size_t n_steps;
	struct etl_run_partition *partitions;
	size_t n_partitions;
	char target[ETL_TARGET_BYTES]; /* where its rows went; "" = nowhere */
	struct etl_run_target *targets; /* n_targets == 0: the job has one load, and `counts` are its */
	size_t n_targets;
	uint64_t unfolded, folded; /* by reshape: made in addition, taken into others */
	const struct etl_run_verdict *verdicts; /* lent */
	size_t n_verdicts;
};
extern const struct etl_collection etl_runs;
/* Newest first, as BSON; job NULL = all; limit 0 = all. */
int etl_run_list(struct etl_state *s, const char *job, int limit, etl_doc_fn fn, void *ctx,
	struct etl_error *err);

/* The last order to pause or resume a job, which survives a restart. In a list its texts are lent for
 * the call, and jobs that were resumed are passed over. */
struct etl_pause {
	const char *job, *who, *why;
	etl_wall at; /* when it was ordered */
	bool paused; /* false: it was resumed */
};
extern const struct etl_collection etl_pauses; /* by job */
/* 1 = it is on record; -1. With `late`, for an order that could not be stored when it was given: 0 if a
 * newer one is there, of this etld or of another, and that one stays. */
int etl_pause_set(struct etl_state *s, const struct etl_pause *pause, bool late, struct etl_error *err);

/* What was done on whose word; only ever added to. `id`: made by etl_uuid7 once for the order, so that one
 * whose answer was lost is not there twice when it is stored again. `details` may be NULL. */
extern const struct etl_collection etl_audit;
int etl_audit_add(struct etl_state *s, const char *id, const char *who, const char *what,
	const bson_t *details, struct etl_error *err);

/* Something that is told once, however many daemons see it and however often they are started:
 * 1 = it was not told before and counts as told from now on, 0 = it was, -1. Kept for 90 days. */
extern const struct etl_collection etl_alerts;
int etl_alert_once(struct etl_state *s, const char *key, struct etl_error *err);

/* What is kept of a host that sources ask (collection sources). Not fenced: several daemons
 * see the same host, and the newest word about it is the best one. */
#define ETL_SOURCE_HOST_BYTES 272
struct etl_source_state {
	char host[ETL_SOURCE_HOST_BYTES]; /* "api.example.org", "api.example.org:8443" */
	struct etl_source_breaker { /* as source/http/breaker.h has it, the state as its word */
		char state[16];
		int64_t failures, openings;
		etl_wall opened, until;
		char reason[ETL_REASON_MAX];
	} breaker;
	etl_wall hold_until; /* the host asked for no request before; ms == 0 = it did not */
	char hold_reason[ETL_REASON_MAX];
	etl_wall full_at; /* when its token bucket is full again; ms == 0 = it is full */
	etl_wall updated;
};
extern const struct etl_collection etl_hosts; /* by host */

/* ---- backfills --------------------------------------------------------------------------- */

/* Which windows of a range an operator asked for. X(id, word, help) */
#define ETL_REPROCESS(X)                                                                        \
	X(ALL, "all", "every window, closed ones too")                                          \
	X(MISSING, "missing", "windows that were never loaded, skipped ones too")               \
	X(FAILED, "failed", "those, and the ones that failed or are held")                      \
	X(STALE, "stale", "windows that another definition made, or that are in another target")

enum etl_reprocess {
#define X(id, word, help) ETL_REPROCESS_##id,
	ETL_REPROCESS(X)
#undef X
		ETL_REPROCESS_MAX
};
const char *etl_reprocess_word(enum etl_reprocess r);
bool etl_reprocess_parse(const char *word, enum etl_reprocess *out);

#define ETL_BACKFILL_STATES(X)                                                                  \
	X(RUNNING, "running") /* pieces of it run, or wait for their turn */                    \
	X(DONE, "done")	      /* nothing is left that it wants */                               \
	X(FAILED, "failed")   /* a piece failed too often; what is left can be asked for again */ \
	X(CANCELLED, "cancelled")

enum etl_backfill_state {
#define X(id, word) ETL_BACKFILL_##id,
	ETL_BACKFILL_STATES(X)
#undef X
		ETL_BACKFILL_STATE_MAX
};
const char *etl_backfill_state_word(enum etl_backfill_state state);

/* Windows that an operator asked for, loaded piece by piece (collection backfills). */
struct etl_backfill {
	char id[ETL_UUID_BYTES];
	char job[80], partition[256]; /* "" = all partitions */
	struct etl_window range;
	bool newest_first;
	enum etl_reprocess reprocess;
	double rate; /* windows a second at the most; 0 = as fast as they go */
	enum etl_backfill_state state;
	/* All on the near side of it is done: before it, or behind it if newest_first. */
	etl_wall at;
	uint64_t windows; /* wanted when it was made, over all partitions */
	uint64_t done, failed, lost; /* loaded or empty; failed or held; given up */
	uint64_t blocked;	     /* their upstream windows were not there */
	uint64_t pieces;
	int64_t attempt; /* of the piece at hand, from 1 */
	char who[80], reason[ETL_REASON_MAX];
	etl_wall created, updated, ended; /* ended.ms == 0: it goes on */
};
extern const struct etl_collection etl_backfills; /* newest first */

/* Inserts by id, or replaces one that is running. 0, or -1 with ETL_CONFLICT when it has ended
 * there: what is stored stays. */
int etl_backfill_save(struct etl_state *s, const struct etl_backfill *backfill, struct etl_error *err);
/* Ends one that is running, whoever drives it: 1; 0 = there is none, or it has ended. */
int etl_backfill_end(struct etl_state *s, const char *id, enum etl_backfill_state state,
	const char *reason, etl_wall at, struct etl_error *err);
/* Newest first; job NULL = all; limit 0 = all. Gives struct etl_backfill. */
int etl_backfill_list(struct etl_state *s, const char *job, bool running_only, int limit,
	etl_thing_fn fn, void *ctx, struct etl_error *err);

#endif
