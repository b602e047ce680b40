/* SPDX-License-Identifier: MIT
 *
 * Why a run starts, the slots that were passed over for it, and what its end means for the schedule.
 * Plain values.
 */
#ifndef ETL_SCHED_TRIGGER_H
#define ETL_SCHED_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "job/job.h"

#define ETL_TRIGGERS(X)                                                                         \
	X(SCHEDULE, "schedule") /* its slot has come */                                         \
	X(CATCH_UP, "catch_up") /* a missed slot, or windows that are due since one */         \
	X(AFTER, "after")	/* a job that it waits for changed windows */                   \
	X(MANUAL, "manual")	/* etlctl run */                                                \
	X(BACKFILL, "backfill") /* a piece of etlctl backfill */

enum etl_trigger_kind {
#define X(id, word) ETL_TRIGGER_##id,
	ETL_TRIGGERS(X)
#undef X
		ETL_TRIGGER_MAX
};
const char *etl_trigger_word(enum etl_trigger_kind kind);

/* Which rule says that slots will not run. X(id, word, text) */
#define ETL_SKIPS(X)                                                                            \
	X(MISFIRE, "misfire", "missed while etld was down, MongoDB unreachable or the clock jumped")   \
	X(TOO_OLD, "misfire_age", "missed, and older than misfire run_if_younger allows")       \
	X(TOO_MANY, "misfire_limit", "missed, and beyond the slots that run_each makes up")     \
	X(OVERLAP, "overlap", "the run before was still going (overlap: skip)")                 \
	X(QUEUE, "overlap_queue", "a newer slot took the one place behind the run before")      \
	X(PAUSED, "paused", "the job was paused")                                               \
	X(EDITED, "edited", "the schedule was changed: slots of the old one are not replayed")  \
	X(CLOCK, "clock", "decided by a clock that was ahead, and has been set back since")     \
	X(SENSOR, "wait_for", "what it waits for did not come in time")

enum etl_skip_code {
#define X(id, word, text) ETL_SKIP_##id,
	ETL_SKIPS(X)
#undef X
		ETL_SKIP_MAX
};
const char *etl_skip_word(enum etl_skip_code code);
const char *etl_skip_text(enum etl_skip_code code);
/* False: no such word; `out` untouched then. */
bool etl_skip_parse(const char *word, enum etl_skip_code *out);

/* Slots that will not run: from the first to the last, both included. */
struct etl_skip {
	etl_wall first, last;
	uint64_t slots; /* how many; 0 = not known (the schedule that they are of is gone) */
	enum etl_skip_code code;
};

/* One skip that covers both; the number of slots stays known if it is of each. */
void etl_skip_merge(struct etl_skip *skip, const struct etl_skip *more);

#define ETL_CAUSE_BYTES 80

struct etl_trigger {
	enum etl_trigger_kind kind;
	etl_wall slot;	      /* the slot that it answers; ms == 0 = none */
	etl_wall as_of;	      /* the run plans as if it were then; ms == 0 = now */
	struct etl_skip skip; /* passed over for it; last.ms == 0 = none */
	struct etl_window asked; /* start == end: whatever is due */
	enum etl_reprocess reprocess; /* of `asked` */
	char *object;		      /* owned; those of this name or pattern; NULL = whatever is due */
	char *partition;	      /* owned; NULL = all */
	char cause[ETL_CAUSE_BYTES];  /* the upstream job, the backfill, who asked; "" = none */
	void *tag; /* the owner's, of MANUAL: comes back when it starts, or when it is dropped */
};
/* Frees the partition and zeroes the trigger; `tag` stays its owner's. */
void etl_trigger_fini(struct etl_trigger *trigger);

/* One that waits is on the heap, so that a job for which nothing waits costs a pointer; NULL = none
 * waits. `keep` gives it, and zeroes the trigger whose contents it takes; `take` gives them back and
 * clears the place; `drop` frees what stands there, which may be nothing. */
struct etl_trigger *etl_trigger_keep(struct etl_trigger *trigger);
struct etl_trigger etl_trigger_take(struct etl_trigger **place);
void etl_trigger_drop(struct etl_trigger **place);

/* The slot before everything that the trigger decides about; ms == 0 if it has no slot. */
etl_wall etl_trigger_before(const struct etl_trigger *trigger);

/* What a run that ended means for the schedule. */
struct etl_run_outcome {
	bool moved;	  /* windows were closed or changed: dependants look */
	bool claimed;	  /* its slot has run, whatever came of it */
	bool busy;	  /* another etld has the lease, or has decided the slot */
	bool store_lost;  /* MongoDB could not be reached */
	etl_wall decided; /* busy: the newest slot that is decided in the store */
	etl_dur held_for; /* busy: how long the other's lease lasts */
};

#endif
