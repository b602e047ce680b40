/* SPDX-License-Identifier: MIT
 *
 * A run and its strands. A run is one execution of a job; it plans once, then each partition
 * walks as a strand of its own through the step table:
 *
 *   plan -> extract -> decode -> transform -> check -> load -> commit -> ... -> finish -> report
 *
 * The library holds the order and the worker steps; the daemon (or a simulation) carries a
 * strand between threads, moves bytes and waits. A strand is touched by one thread at a time.
 */
#ifndef ETL_RUN_RUN_H
#define ETL_RUN_RUN_H

#include <stdatomic.h>

#include "job/job.h"
#include "job/steps.h"
#include "plan/ledger_part.h"
#include "run/memory.h"
#include "sched/sched.h"
#include "state/state.h"

struct etl_strand;

/* What a run may use. Lent; outlives the run. */
struct etl_run_env {
	struct etl_state *state;
	struct etl_state *lease_state; /* renewals go this way, past slow work; NULL = as all else */
	struct etl_mongo *mongo; /* NULL without MongoDB */
	const char *database;	 /* default database for loads and reads */
	const struct etl_clock *clock;
	const char *host;
	const char *holder;	 /* who we are in leases */
	const char *(*dead_holder)(const char *holder); /* holder if it is known to be dead, or NULL */
	uint64_t memory_max; /* a strand's share of limits.memory, in bytes (memory.h) */
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
	bool audit;   /* also look for windows behind the watermark that the ledger has lost */
	bool prepare; /* first run of this job on this generation: prepare its targets before */

	atomic_int cancel;  /* enum etl_cancel; looked at between steps and batches */
	atomic_bool fenced; /* a commit found a higher fence: somebody else has the job */
	int64_t fence;
	bool leased;
	bool claimed;	       /* its slot counts as run */
	struct etl_lease lease; /* as it was given or refused */
	etl_wall planned;      /* the run's one "now" for window decisions */
	etl_wall present;      /* when it began, by the store's clock: what is dated later is wrong */
	etl_wall started, ended;
	etl_mono began;
	etl_dur took; /* set by etl_run_finish */

	struct etl_open_list open; /* when it began; shared by the first plans of its strands */
	struct etl_strand *strands; /* one for each partition of the run */
	size_t n_strands;

	enum etl_run_state state;
	struct etl_error error; /* of the run as a whole, or the first of its strands */
	struct etl_counts counts; /* sums over the strands, set by etl_run_finish */
	struct etl_counts *targets; /* the same for each of several loads; owned; NULL = there is one */
	uint64_t windows_loaded, windows_empty, windows_failed, windows_held, windows_blocked;
	uint64_t windows_lost; /* given up: older than the source keeps */
	uint64_t windows_discarded; /* read, and thrown away by a load that keeps nothing */
	uint64_t windows_changed, warnings;
	struct etl_tally rejects, warned; /* by rule; owned */
	bool checks_failed;
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

/* Worker: records the slots that were passed over, takes the lease with the claim of its slot,
 * prepares its targets, makes a strand for each partition (each begins with its own plan step).
 * -1: run->error and run->state say why; then finish at once. */
int etl_run_begin(struct etl_run *run);

/* Worker: the finish step, when no strand is left: state, sums, record, lease. -1 if the
 * record could not be saved (the data is safe: the ledger has it). */
int etl_run_finish(struct etl_run *run, struct etl_error *err);

/* After a finish that could not save the record: again, and its lease is given back if nobody took it
 * meanwhile. 0 or -1. Worker. */
int etl_run_save_again(const struct etl_run *run, struct etl_error *err);

/* The run's record as the store has it. `out` is initialised. After finish. */
void etl_run_to_bson(const struct etl_run *run, bson_t *out);

/* True if an error says that the store, MongoDB, cannot be reached. */
bool etl_store_is_away(const struct etl_error *err);

/* What the run means for its job's schedule. After finish. */
void etl_run_outcome(const struct etl_run *run, struct etl_run_outcome *out);

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

/* True if the target is in MongoDB and its data cannot be committed together with the ledger:
 * then a write that was given up may take effect later, over newer data. The ledger's hash
 * proves nothing about the target then, and windows are marked before they are written. */
bool etl_run_doubts(const struct etl_run *run);

/* True if a range of windows was asked for. */
static inline bool etl_run_is_asked(const struct etl_run *run)
{
	return run->trigger.asked.start.ms < run->trigger.asked.end.ms;
}

/* True if the run was for all that is due: only such a one takes back what was said of the job. */
static inline bool etl_run_is_whole(const struct etl_run *run)
{
	return !etl_run_is_asked(run) && !run->trigger.partition;
}

/* Worker: keeps the lease while strands are out. */
int etl_run_renew(struct etl_run *run, struct etl_error *err);

#define ETL_LEASE_TTL ETL_SECONDS(30)
#define ETL_LEASE_RENEWED ETL_SECONDS(10) /* so often */
#define ETL_LEASE_AGAIN ETL_SECONDS(1)	  /* after a renewal that failed */

/* ---- strands ---------------------------------------------------------------------------- */

enum etl_mail_kind { ETL_MAIL_HEAD, ETL_MAIL_CHUNK, ETL_MAIL_END, ETL_MAIL_ERROR };

/* What comes back from an extract, piece by piece. Made by the daemon, owned by whoever has
 * it; the strand frees what it took. */
struct etl_mail {
	struct etl_mail *next;
	enum etl_mail_kind kind;
	struct etl_response response; /* HEAD; its texts are owned by the mail */
	char *data;		      /* CHUNK */
	size_t len;
	struct etl_error error; /* ERROR */
	etl_dur took; /* END: of the transfer, without waits that are not the source's */
};
void etl_mail_free(struct etl_mail *mail);
/* Head mail with copies of the texts. Gives. */
struct etl_mail *etl_mail_of_head(const struct etl_response *response);

/* What a strand wants when a worker is done with it. */
enum etl_need {
	ETL_NEED_FETCH, /* extract: fetch strand->request (drop an older transfer of this strand) */
	ETL_NEED_INPUT, /* more mail for the transfer that runs */
	ETL_NEED_WORK,	/* put it back into the queue (blocking sources, fairness) */
	ETL_NEED_TIMER, /* call again after strand->wait */
	ETL_NEED_MEMORY, /* call again when `memory` is granted */
	ETL_NEED_NOTHING, /* it ended; see strand->error */
};

enum etl_strand_state {
	ETL_STRAND_WAITING, /* not begun */
	ETL_STRAND_WALKING,
	ETL_STRAND_OK,
	ETL_STRAND_BLOCKED, /* nothing but windows whose upstream is not there */
	ETL_STRAND_FAILED,
	ETL_STRAND_CANCELLED,
};

/* The walk of one partition through the steps. */
struct etl_strand {
	struct etl_run *run;
	const struct etl_partition *partition;
	enum etl_strand_state state;

	/* between the strand and the daemon */
	struct etl_mail *inbox;	    /* in order; the strand takes from its front */
	struct etl_request request; /* for ETL_NEED_FETCH; lives until the next one is made */
	etl_dur fetch_limit; /* for ETL_NEED_FETCH: what is left of the step's; us == 0 = no limit */
	etl_dur wait;		    /* for ETL_NEED_TIMER */
	enum etl_memory memory;	 /* what it needs, set by each visit; more than granted: NEED_MEMORY */
	enum etl_memory granted; /* what it has; set by the daemon while no worker has the strand */
	bool reading; /* the transfer that runs is still wanted; else it is to be dropped */
	enum etl_step_id step;	    /* where it stands */

	/* what came of it */
	struct etl_error error; /* the first failure that was final, or kind ETL_OK */
	enum etl_step_id failed_at; /* the step of `error` */
	struct etl_error last;	/* the last failure, also if it is being tried again */
	char reason[ETL_REASON_MAX]; /* of a failure or of being blocked, in words */
	struct etl_counts counts;
	uint64_t windows_due, windows_loaded, windows_empty, windows_failed, windows_held;
	uint64_t windows_blocked, windows_changed, warnings, requests, bytes;
	uint64_t windows_left_open; /* of windows_failed: those that are open in the ledger now */
	uint64_t windows_lost;	/* given up in this run: older than the source keeps */
	uint64_t windows_discarded; /* read, and thrown away by a load that keeps nothing */
	struct etl_counts *targets; /* of each of several loads, what was done in it; owned; NULL = nothing */
	struct etl_tally rejects, warned; /* by rule; owned */
	struct etl_window rejected_in; /* where its rejected records lie; start == end: it has none */
	struct etl_window lost; /* from the first to the last of them */
	bool checks_failed;
	etl_wall watermark; /* after the last commit; ms == 0 = not known */
	/* Windows of the partition that are in another target than the job's, after the last commit;
	 * owned. NULL: none, if the watermark is known. */
	struct etl_elsewhere *elsewhere;
	uint64_t here; /* windows that are in the job's target */
	struct etl_step_time steps[ETL_STEP_MAX];

	struct etl_strand_work *work; /* the steps' own: strand.h */
};

/* Worker: walks the strand through the table's worker steps until it needs something. */
enum etl_need etl_strand_work(struct etl_strand *strand);

/* True if the source of this strand's job blocks (its extract runs inside the worker). */
bool etl_strand_blocks(const struct etl_strand *strand);

/* Frees what a strand holds while it walks; called when it ended. */
void etl_strand_fini(struct etl_strand *strand);

#endif
