/* SPDX-License-Identifier: MIT
 *
 * The one manager object: everything the daemon owns hangs here, nothing is global. All of it
 * belongs to the loop thread; workers see tasks, runs and strands only.
 */
#ifndef ETLD_ENGINE_H
#define ETLD_ENGINE_H

#include <uthash.h>

#include "config/access.h"
#include "config/generation.h"
#include "engine/shares.h"
#include "facts/metrics.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/pool.h"
#include "mongo/mongo.h"
#include "reload.h"
#include "run/run.h"
#include "sched/sched.h"
#include "state/state.h"

struct etld_run;
struct etld_control;
struct etld_hosts;
struct etld_backfills;
struct etld_zones;
struct etld_walk;
struct pause_query;

/* What the daemon knows of a partition without asking MongoDB. */
struct etld_partition {
	const char *name; /* lent by the generation */
	etl_wall watermark; /* ms == 0 = not known */
	uint64_t open, failed, held, dirty; /* of the ledger: open counts all but dirty ones */
	etl_wall oldest; /* if any is open: where the first of them starts */
	etl_wall told; /* start of the newest window whose missed deadline was told */
	/* Windows in another target than the job's (owned; NULL = none), and those in it: elsewhere.h */
	struct etl_elsewhere *elsewhere;
	uint64_t here;
};

#define ETLD_UNTOLD (-1)

/* A job as the daemon lives with it: survives reloads as long as its name does. */
struct etld_job {
	UT_hash_handle hh;
	char *name;
	const struct etl_job *job; /* of the current generation */
	struct etld_partition *partitions;
	int64_t prepared; /* the generation for which its sink was prepared; 0 = none */

	/* schedule */
	struct etl_sched_job sched;
	char *pause_reason, *pause_who;
	etl_wall paused_at;
	etl_mono audited; /* when its ledger was last looked through for holes; us == 0 = not yet */
	/* of a job that is left out: what the store knows of its slots; NULL = nothing */
	struct etl_schedule_info *slots;
	bool came_back;	  /* it was left out until this reload */
	/* A reload has changed where it loads to: the generation whose reloads have told it, or
	 * ETLD_UNTOLD; 0 = none has. All who share a reload are told. */
	int64_t retargeted;
	char *elsewhere_told; /* the targets of the last warning; NULL = none stands */
	bool restored;	  /* what the store knows of its slots was told to the scheduler */
	bool interrupted; /* a run of it never gave its lease back */
	struct etld_question *question; /* to its sensor, that is out */
	struct etld_alerts *alerts;	/* missed deadlines that are being told */
	struct etl_timer deadline_timer;
	bool note_due;	  /* its decided slot is to be stored, */
	etl_wall noted;	  /* as it was when the scheduler said so */
	struct etld_job *note_prev, *note_next; /* in the list of those that are stored next (slots.c) */

	int pausing;	   /* changes of its pause that are on their way to the store */
	bool resumed;	   /* elsewhere, as the last reading said */
	bool pause_unsaved; /* the last of them did not get there: what is here stands */

	/* what the store holds, as it was last seen: picture.h */
	struct etld_open {
		uint64_t open, failed, held, dirty;
	} windows;			/* over all partitions */
	char *failed_why, *held_why;	/* of the oldest such window; NULL = none */
	uint64_t seen; /* it has changed here, or was looked at: readings that began before are void */
	struct etl_last_run last;	/* run_id "" = none */
	uint64_t windows_blocked;	/* of the last run */
};

struct etld {
	const struct etl_clock *clock;
	struct etld_loop *loop;
	struct etld_pool *pool;
	struct etld_shares shares; /* of limits.memory */
	struct etld_pool *lease_pool; /* one thread: renewals wait for nothing else */
	struct etld_pool *load_pool;  /* one thread: workers may be busy as long as MongoDB is slow */
	struct etld_reloads *reloads;
	struct etld_http *http;
	struct etld_hosts *hosts; /* hosts.h */
	struct etld_control *control;
	struct etld_access access; /* by the configuration in force */
	struct etld_zones *zones;
	struct etld_generation *generation;
	char *config_path;
	char *config_error; /* the last reload's first error, or NULL */
	etl_wall started;
	etl_mono began;
	char host[80];
	char holder[160];

	/* backend */
	char *database, *metadata; /* names, as they were at the start */
	struct etl_mongo *mongo, *lease_mongo;
	struct etl_state *state, *lease_state; /* the same; renewals have a connection of their own */
	struct etl_run_env run_env;
	struct etl_mongo_topology topology;
	bool mongodb_up, mongodb_tried, backend_busy, ready_told;
	bool marks_known; /* watermarks and pauses were read once */
	struct etld_picture *looking; /* the reading that is on its way; NULL = none */
	struct etl_timer look_timer;  /* the next one */
	etl_dur look_every;
	uint64_t changes; /* counts what the readings are held against */
	bool look_again; /* something has changed under the one on its way */
	char mongodb_reason[ETL_ERROR_MESSAGE_MAX];
	etl_wall mongodb_away, mongodb_next; /* while it is away: since when; the next look */
	unsigned mongodb_attempts;
	struct etl_timer backend_timer;

	/* jobs and runs */
	struct etld_job *jobs; /* hash by name */
	struct etld_run *runs; /* list of those that are alive */
	struct etl_sched *sched;
	struct etld_backfills *backfills;
	struct etld_walk *walks; /* all; some of them wait for their turn (walk.c) */
	struct pause_query *pauses; /* that took effect, in their order, until the store has them */
	struct etld_walk *deadlines; /* of them: the look at all deadlines; NULL = none goes */
	struct etld_record *records; /* of runs that ended while MongoDB was unreachable */
	size_t n_records;
	struct etld_slots *slots; /* what is to be stored of them */

	struct etld_metrics metrics;

	/* life */
	bool draining;
	struct etl_timer drain_timer, watchdog_timer;
	etl_dur watchdog;
	etl_mono slow_told; /* when the task began that was told last as taking long, */
	bool stuck_told;    /* and whether as one that hangs */
	etl_mono load_told; /* the same of the loader's thread, which is never given up */
	int exit_status;
};

/* What is known of a pause; who == NULL: there is none. */
void etld_job_note_pause(struct etld_job *job, const char *who, const char *why, etl_wall at);

/* What is known of it here is newer than any reading that is on its way. */
static inline void etld_job_changed(struct etld *etld, struct etld_job *job)
{
	job->seen = ++etld->changes;
}

struct etld_job *etld_job_find(struct etld *etld, const char *name);
/* Its partition of this name, NULL if it has none. Looks from the `near`-th on, around: lists
 * of partitions are mostly in the same order, and there may be many. */
struct etld_partition *etld_job_partition(const struct etld_job *job, const char *name, size_t near);

/* sched.c: jobs and generations, and the scheduler's hands (lib/sched/sched.h decides) */
void etld_sched_open(struct etld *etld);
void etld_sched_adopt(struct etld *etld, struct etld_generation *generation);
/* MongoDB is there; `first`: what it knows was read into the jobs. */
void etld_sched_up(struct etld *etld, bool first);
void etld_sched_run_ended(struct etld *etld, struct etld_job *job, const struct etl_run *run,
	bool store_lost);
void etld_sched_free(struct etld *etld);
unsigned etld_active_runs(const struct etld *etld);
static inline struct etld_run *etld_running(const struct etld_job *job)
{
	return job->sched.run;
}

void etld_pauses_free(struct etld *etld); /* pause.c; the workers are gone */

/* run.c: a client that waits for a manual run, which waited itself */
void etld_follow_started(void *follower, struct etld_run *run);
void etld_follow_dropped(void *follower);

/* slots.c: what is to be stored of slots, by workers; kept until MongoDB has it */
void etld_slots_open(struct etld *etld);
void etld_slots_skip(struct etld *etld, const char *job, const struct etl_skip *skip,
	const char *schedule);
void etld_slots_note(struct etld *etld, struct etld_job *job, etl_wall slot);
void etld_slots_retire(struct etld *etld, const char *job, etl_wall slot);
void etld_slots_flush(struct etld *etld); /* MongoDB is there again */
void etld_slots_drop(struct etld *etld, struct etld_job *job); /* it goes: nothing more of it */
size_t etld_slots_waiting(const struct etld *etld);
void etld_slots_free(struct etld *etld);

/* sense.c: asks a job's sensor; the answer goes to the scheduler */
void etld_sense_ask(struct etld *etld, struct etld_job *job);
void etld_sense_drop(struct etld_job *job); /* nobody waits for the answer */
void etld_sense_free(struct etld_job *job); /* the workers are gone */

/* deadline.c: the job's deadlines: arms the timer for the next, tells those that were missed.
 * After whatever may have moved a watermark, the clock, the configuration or a pause. */
void etld_deadline_look(struct etld *etld, struct etld_job *job);
void etld_deadline_look_all(struct etld *etld); /* in pieces; the first within the call */
void etld_deadline_drop(struct etld *etld, struct etld_job *job);
void etld_deadline_free(struct etld_job *job); /* the workers are gone */
/* The window of the job that is due first, by what the loop knows. False = none. */
struct etld_due {
	struct etl_window window;
	etl_wall due;
	size_t partition; /* its place in the job */
	bool missed;
};
bool etld_deadline_of(const struct etld *etld, const struct etld_job *job, struct etld_due *out);

/* blocked.c: the upstream window that a job waits for. False: it owes nothing, or all of it is
 * there. */
struct etld_block {
	const struct etld_job *upstream;
	size_t partition;	  /* of the upstream job */
	struct etl_window window; /* the first of it that is not closed */
	const struct etld_job *culprit; /* who is not well along the way; NULL = all are well */
};
bool etld_blocked_by(const struct etld *etld, const struct etld_job *job, struct etld_block *out);

/* health.c: does a job need help, by itself or only because of what it waits for? */
enum etld_ails { ETLD_AILS_NOTHING, ETLD_AILS_ITSELF, ETLD_AILS_UPSTREAM };
enum etld_ails etld_job_ails(const struct etld *etld, const struct etld_job *job);

/* runs.c, strands.c, runs_watch.c: carry runs between loop and workers. Takes what the trigger owns. */
struct etld_run *etld_exec_start(struct etld *etld, struct etld_job *job,
	struct etl_trigger *trigger);
void etld_exec_cancel(struct etld_run *run, enum etl_cancel why);
void etld_exec_orphan(struct etld_run *run); /* its job left the configuration */
void etld_exec_granted(void *strand); /* for etld_shares_init */
void etld_exec_drain(struct etld *etld); /* ends the runs that only wait for a retry */
void etld_exec_cancel_all(struct etld *etld, enum etl_cancel why);
struct etl_run *etld_exec_run(struct etld_run *run);
/* How far a run is, as its workers said last; its etl_run is theirs until it ended. Static texts
 * or those of the job. */
struct etld_progress {
	const char *step, *partition;
	size_t waiting; /* strands that wait for a retry, the first of them */
	etl_mono retry_at; /* until then, */
	const char *retry_why; /* because of this failure (lent; its strand's); "" = not known */
	uint64_t records, windows;
};
void etld_exec_progress(const struct etld_run *run, struct etld_progress *out);
const char *etld_exec_run_id(const struct etld_run *run);
/* Called on the loop at each change of step and once at the end (`ended`). Keyed by ctx. */
typedef void (*etld_watch_fn)(void *ctx, const struct etl_run *run, bool ended);
void etld_exec_watch(struct etld_run *run, etld_watch_fn fn, void *ctx);
void etld_exec_unwatch(struct etld_run *run, void *ctx);

/* outcome.c: what a run that ended leaves in its job; `picture`: what the ledger had open then */
struct etld_picture;
void etld_job_remember(struct etld *etld, struct etld_job *job, const struct etl_run *run,
	struct etld_picture *picture);
/* Is its ledger looked through for holes? The first run since the start does, and one a day. */
bool etld_job_audit_is_due(const struct etld *etld, struct etld_job *job);

/* report.c: one summary line a run, and what went wrong in it */
void etld_report_run(struct etld *etld, const struct etl_run *run);

/* backend.c: MongoDB there or not */
int etld_backend_open(struct etld *etld, struct etl_error *err);
void etld_backend_close(struct etld *etld);
void etld_backend_connect(struct etld *etld);
void etld_backend_lost(struct etld *etld, const struct etl_error *err);

/* zones.c: time-zone files of the configuration in force, watched */
void etld_zones_open(struct etld *etld);
void etld_zones_watch(struct etld *etld); /* there is a new generation */
void etld_zones_close(struct etld *etld);

/* reload.c: what a configuration that is in force is warned of, into the journal; `warnings` are lines */
void etld_tell_warnings(const char *warnings);

/* etld.c */
struct etld *etld_new(struct etld_generation *generation, struct etl_error *err);
int etld_run(struct etld *etld); /* until it stopped; the exit status */
void etld_free(struct etld *etld);
void etld_drain(struct etld *etld); /* what SIGTERM does */
void etld_tell_status(struct etld *etld);
void etld_maybe_stopped(struct etld *etld); /* ends the loop when nothing is left to drain */

#endif
