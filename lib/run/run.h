/* SPDX-License-Identifier: MIT
 *
 * A run: one execution of a job, from the lease with the claim of its slot to the record and the
 * lease given back. What it does in between is its work (work.h), whose parts it adds up. Worker,
 * but for what is said to be pure.
 */
#ifndef ETL_RUN_RUN_H
#define ETL_RUN_RUN_H

#include <stdatomic.h>

#include "run/work.h"
#include "sched/trigger.h"

/* What a run may use. Lent; outlives the run. */
struct etl_run_env {
	struct etl_state *state;
	struct etl_state
		*lease_state;    /* renewals go this way, past slow work; NULL = as all else */
	struct etl_mongo *mongo; /* NULL without MongoDB */
	const char *database;	 /* default database for loads and reads */
	const struct etl_clock *clock;
	const char *host;
	const char *holder;	 /* who we are in leases */
	const char
		*(*dead_holder)(const char *holder); /* holder if it is known to be dead, or NULL */
	uint64_t memory_max; /* a part's share of limits.memory, in bytes (memory.h) */
};

enum etl_run_state {
	ETL_RUN_RUNNING,
	ETL_RUN_OK,	   /* everything due is in, or nothing was due */
	ETL_RUN_PARTIAL,   /* some partitions failed, others not */
	ETL_RUN_FAILED,
	ETL_RUN_BLOCKED,   /* nothing could be done: upstream windows are missing */
	ETL_RUN_CANCELLED,
	ETL_RUN_FENCED,	   /* another etld has the job */
	ETL_RUN_BUSY,	   /* another etld has the lease, or has decided the slot: not started */
};
const char *etl_run_state_word(enum etl_run_state state);

struct etl_run {
	char run_id[ETL_UUID_BYTES];
	const struct etl_job *job;
	const struct etl_run_env *env;
	int64_t generation;
	struct etl_trigger trigger; /* owned */
	bool seek_holes; /* also look for windows behind the watermark that the ledger has lost */
	bool prepare; /* first run of this job on this generation: prepare its targets before */

	atomic_int cancel;  /* enum etl_cancel; looked at between steps and batches */
	atomic_bool fenced; /* a commit found a higher fence: somebody else has the job */
	int64_t fence;
	bool leased;
	bool claimed;	       /* its slot counts as run */
	struct etl_lease lease; /* as it was given or refused */
	etl_wall planned;      /* the run's one "now" for window decisions */
	etl_wall present; /* when it began, by the store's clock: what is dated later is wrong */
	etl_wall started, ended;
	etl_mono began;
	etl_dur took; /* set by etl_run_finish */

	void *work; /* owned by job->work; NULL = not begun */
	struct etl_part *
		*parts; /* in the order of the job's partitions; the parts are the work's */
	size_t n_parts, parts_cap;

	enum etl_run_state state;
	struct etl_error error; /* of the run as a whole, or the first of its parts */
	struct etl_counts counts; /* sums over the parts, set by etl_run_finish, like all below */
	struct etl_counts
		*targets; /* the same for each of several loads; owned; NULL = there is one */
	uint64_t requests, bytes, unfolded, folded;
	struct etl_window_counts windows;
	uint64_t windows_blocked, windows_changed, warnings;
	uint64_t missing, waiting; /* objects, work.h */
	struct etl_tally rejects, warned; /* by rule; owned */
	struct etl_run_verdict *verdicts; /* of checks of the run; owned, with the messages */
	size_t n_verdicts, verdicts_cap;
	bool checks_failed;
	bool judged_bad; /* by a check of the run: no unit of it tells */
	/* What was told of the job's last run before this one (set by the owner), and what is to be
	 * told from now on (set by etl_run_finish; it goes with the lease). */
	struct etl_last_run before, last;
};

enum etl_cancel {
	ETL_CANCEL_NO,
	ETL_CANCEL_OPERATOR,
	ETL_CANCEL_TIMEOUT,
	ETL_CANCEL_SHUTDOWN,
	ETL_CANCEL_OVERLAP,
	ETL_CANCEL_FENCED, /* the job's lease was lost */
};

/* Takes what `trigger` owns. */
struct etl_run *etl_run_new(const struct etl_job *job, const struct etl_run_env *env,
	int64_t generation, struct etl_trigger *trigger);
void etl_run_free(struct etl_run *run);

/* Worker: records the slots that were passed over, takes the lease with the claim of its slot, and
 * begins the work, which gives the run its parts. -1: run->error and run->state say why; then
 * finish at once. */
int etl_run_begin(struct etl_run *run);

/* For a work's `begin`. The part stays the work's. */
void etl_run_add_part(struct etl_run *run, struct etl_part *part);

/* For a work's `finish`: what a check says of the run. "pass" with the message "", "warn", which counts as
 * a warning, or "fail": then the run has failed, unless it has already. The words are static, the message
 * is copied. */
void etl_run_add_verdict(struct etl_run *run, const char *check, const char *verdict,
	const char *message);

/* Worker: the finish step, when no part is left: state, sums, record, lease. -1 if the
 * record could not be saved (the data is safe: the ledger has it). */
int etl_run_finish(struct etl_run *run, struct etl_error *err);

/* After a finish that could not save the record: again, and its lease is given back if nobody took
 * it meanwhile. 0 or -1. Worker. */
int etl_run_save_again(const struct etl_run *run, struct etl_error *err);

/* The run's record as the store has it. `out` is initialised. After finish. */
void etl_run_to_bson(const struct etl_run *run, bson_t *out);

/* True if an error says that the store, MongoDB, cannot be reached. */
bool etl_store_is_unreachable(const struct etl_error *err);

/* What the run means for its job's schedule. After finish. Pure. */
void etl_run_tell_outcome(const struct etl_run *run, struct etl_run_outcome *out);

/* Worker: the record of slots that will not run (state "skipped"), then the note that they are
 * decided. The same slots give the same record, however often. `schedule`: the key of the
 * schedule in force. */
int etl_skip_save(const struct etl_run_env *env, const char *job, const struct etl_skip *skip,
	const char *schedule, struct etl_error *err);
/* Worker: the claim of this slot was refused, and the cursor in the way is of another schedule:
 * what lies between the two will not run either, and is on record. */
int etl_skip_refused(const struct etl_run_env *env, const char *job, etl_wall slot,
	const char *schedule, struct etl_error *err);
/* Worker: the note that a job goes on by another schedule; what others have decided by the old
 * one beyond it is on record first. */
int etl_edit_save(const struct etl_run_env *env, const struct etl_slot_note *note,
	struct etl_error *err);

/* True if a range of windows, or an object, was asked for. */
static inline bool etl_run_is_asked(const struct etl_run *run)
{
	return run->trigger.object || run->trigger.asked.start.ms < run->trigger.asked.end.ms;
}

/* True if it is for windows of another definition or target than the job's. */
static inline bool etl_run_wants_stale(const struct etl_run *run)
{
	return etl_run_is_asked(run) && run->trigger.kind == ETL_TRIGGER_BACKFILL &&
		run->trigger.reprocess == ETL_REPROCESS_STALE;
}

/* True of a run for a range that ended well, if it has read each window there. A backfill of what is
 * missing, failed or stale passes the others over. Example: a mended job makes five windows stale. A
 * restatement that reads all five has read all; one that finds the third made anew already has not. */
static inline bool etl_run_has_read_all(const struct etl_run *run)
{
	return run->trigger.kind != ETL_TRIGGER_BACKFILL ||
		run->trigger.reprocess == ETL_REPROCESS_ALL ||
		run->windows.loaded + run->windows.empty >=
			etl_grid_count(&run->job->window.grid, run->trigger.asked) * run->n_parts;
}

/* True if the run was for all that is due: only such a one takes back what was said of the job. */
static inline bool etl_run_is_whole(const struct etl_run *run)
{
	return !etl_run_is_asked(run) && !run->trigger.partition;
}

/* Worker: keeps the lease while parts are out. */
int etl_run_renew(struct etl_run *run, struct etl_error *err);

#define ETL_LEASE_TTL ETL_SECONDS(30)
#define ETL_LEASE_RENEWED ETL_SECONDS(10) /* so often */
#define ETL_LEASE_AGAIN ETL_SECONDS(1)	  /* after a renewal that failed */

#endif
