/* SPDX-License-Identifier: MIT
 *
 * The scheduler: keeps each job's slots on a timing wheel, decides what becomes of them
 * (slots.h), and lets runs start within the pools, live ones before backfills. It knows no
 * loop, no store and no run: its owner does what the ops say, the daemon on its loop, the
 * simulation on a virtual clock. One thread: that of the wheel.
 *
 * Laws. A slot is a UTC instant. `decided` is the newest slot of a job that ran, is on its way
 * to run, or was skipped with a reason; it goes forward, and back only over slots of which
 * nothing has come (MongoDB was unreachable, another etld had the lease, the job was paused).
 * Whatever lies between it and now is decided at the next look: when the timer fires, the clock
 * was set, MongoDB is back, the job goes on. Example: `every 10m`, decided 00:10. The look at
 * 00:35 decides 00:20 and 00:30.
 */
#ifndef ETL_SCHED_SCHED_H
#define ETL_SCHED_SCHED_H

#include "job/job.h"
#include "sched/slots.h"
#include "sched/trigger.h"
#include "time/wheel.h"

struct etl_sched;

#define ETL_SENSE_SAID_BYTES 240
#define ETL_MANUAL_MAX 4 /* manual runs that may wait for one job */

struct etl_pending {
	struct etl_pending *next;
	struct etl_trigger trigger;
};

/* A job's place in the scheduler; embedded in the owner's. Others read and do not write. */
struct etl_sched_job {
	const char *name; /* lent by the owner */
	const struct etl_job *job; /* of the current generation */
	struct etl_sched_job *prev, *next_job;

	struct etl_timer slot_timer;
	/* fires when a slot that was given back is looked at again, or a sensor is asked again */
	struct etl_timer again_timer;
	etl_wall next;	  /* the next slot; ms == 0 = none to come */
	etl_wall decided; /* see above */
	bool paused;
	bool known; /* what the store knows of its slots has been said, or that it knows nothing */

	/* what waits for a place, in the order in which it is taken */
	struct etl_trigger *sensed; /* its sensor has said yes; NULL = none, like the two below */
	struct etl_pending *manual;
	etl_wall each_after, each_until; /* run_each: the slots of (after, until] still to run */
	struct etl_trigger *live, *backfill;
	/* skips that are to be recorded when older slots have run, and those on their way */
	struct etl_skip *skips;
	size_t n_skips, skips_cap;
	/* the cursor that is to be stored when older records are in; ms == 0 = none */
	etl_wall noted;
	bool edited; /* it had another schedule before, or was gone; until the next note */
	bool recording;
	/* slots up to here are never decided again: the job was edited or resumed */
	etl_wall closed;
	enum etl_skip_code closed_code;
	bool owed; /* MongoDB was lost under a run: another one when it is back */
	struct etl_sched_job *ready_next[2];
	size_t host_place; /* index into sched->of_host for the run that goes on */
	bool in_ready[2];

	/* what goes on */
	void *run; /* the owner's handle; NULL = none */
	struct etl_trigger running; /* without its partition */
	/* the clock was set back under the run, which answers for its slot no longer */
	bool taken_back;
	bool sensing;		    /* the sensor is asked for `waiting` */
	struct etl_trigger *waiting; /* NULL = the sensor is not asked */
	etl_mono sensing_until;

	/* for those who ask why */
	struct etl_skip last_skip;
	etl_wall last_skip_at;
	etl_mono held_until; /* another etld has the lease; us == 0 = no */
	char *sense_said; /* cut to ETL_SENSE_SAID_BYTES; NULL = the sensor has not answered yet */
	etl_mono sense_next; /* when the sensor is asked again; us == 0 = it is being asked */
};

struct etl_sched_ops {
	/* Starts a run and gives a handle; takes trigger->partition. Never ends it at once. */
	void *(*start)(void *ctx, struct etl_sched_job *job, struct etl_trigger *trigger);
	void (*cancel)(void *ctx, void *run);
	/* A run by hand that waited will not start: its job is gone. */
	void (*drop)(void *ctx, void *tag);
	/* These slots will not run: to be recorded (etl_skip_save); then etl_sched_recorded.
	 * `schedule` is the key of the schedule that is in force. */
	void (*skip)(void *ctx, struct etl_sched_job *job, const struct etl_skip *skip,
		const char *schedule);
	/* Slots up to this one are decided, that is to be stored with the schedule in force: the job
	 * is new, or edited. */
	void (*note)(void *ctx, struct etl_sched_job *job, etl_wall slot);
	/* Asks the job's sensor; the answer comes by etl_sched_sensed. An older question that is
	 * still out is void: its answer is not to be given any more. */
	void (*sense)(void *ctx, struct etl_sched_job *job);
	/* `slots` have fallen due; the newest was found `late` after its time, jitter included.
	 * NULL = nobody counts. */
	void (*fired)(void *ctx, struct etl_sched_job *job, uint64_t slots, etl_dur late);
	/* By name; NULL if there is none. */
	struct etl_sched_job *(*find)(void *ctx, const char *name);
};

/* All lent; `host` spreads the jitter. */
struct etl_sched *etl_sched_new(struct etl_wheel *wheel, const struct etl_clock *clock,
	const char *host, const struct etl_sched_ops *ops, void *ctx);
void etl_sched_free(struct etl_sched *sched); /* jobs are removed before */

/* The most runs at the same time (at least 1); backfills take at most half of them (one, if
 * there is only one). Starts what may start now. */
void etl_sched_limit(struct etl_sched *sched, unsigned max_active);

/* Tells whether MongoDB can be reached. Nothing is decided before the first `true`, nor while
 * it is false. */
void etl_sched_store(struct etl_sched *sched, bool there);

/* No run starts from here on; what waits is taken back, and runs that go on may end. */
void etl_sched_stop(struct etl_sched *sched);

/* The wall clock was set, or a time zone has changed: looks at every job and arms its timer
 * anew. */
void etl_sched_replan(struct etl_sched *sched);

/* ---- jobs -------------------------------------------------------------------------------- */

/* Adds a zeroed job, which stays the caller's and must live until etl_sched_remove; `name` and
 * `config` are lent. Its slots count from now on, until etl_sched_restore says what the store
 * knows. */
void etl_sched_add(struct etl_sched *sched, struct etl_sched_job *job, const char *name,
	const struct etl_job *config);
/* The same job in a new configuration. If the schedule changed, slots count from now on. If only
 * the file of its zone did, `decided` stays: the new slots behind it are the ones to come, or
 * missed. The old configuration has to live until this returns. Starts no run: that is for the
 * etl_sched_limit that follows when all jobs have changed. */
void etl_sched_change(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_job *config);
/* A job that was added while the others went on: slots before this are not replayed, whatever
 * the store knows of it. */
void etl_sched_from_now_on(struct etl_sched_job *job);
/* The job leaves: its timers, triggers and skips go, manual runs that wait are dropped
 * (ops->drop). A run that goes on is no longer told: etl_sched_ended must not be called for it.
 * The struct is the owner's to free. */
void etl_sched_remove(struct etl_sched *sched, struct etl_sched_job *job);

/* What the store knows of the job's slots, NULL = nothing. Before the first
 * etl_sched_store(true). */
void etl_sched_restore(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_schedule_info *info);

/* Nothing of the job starts but manual runs; what waits to run slots is taken back. A run that
 * goes on may end. */
void etl_sched_pause(struct etl_sched *sched, struct etl_sched_job *job);
/* Slots before `from` that nobody has decided are skipped; those since then are missed ones.
 * ms == 0: from now on. Not later than now. */
void etl_sched_resume(struct etl_sched *sched, struct etl_sched_job *job, etl_wall from);

/* Another etld has resumed the job, and has put on record what the pause kept from running: slots
 * behind the store's cursor are missed ones, for whoever claims them first. NULL, or the cursor of
 * another schedule: slots count from now on. */
void etl_sched_resumed_elsewhere(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_schedule_info *info);

/* A skip of the job is on record, or never will be. No slot of it starts before. */
void etl_sched_recorded(struct etl_sched *sched, struct etl_sched_job *job);

/* ---- runs -------------------------------------------------------------------------------- */

enum etl_accept { ETL_ACCEPT_STARTED, ETL_ACCEPT_WAITS, ETL_ACCEPT_REFUSED };
/* A trigger without a slot: AFTER, CATCH_UP, MANUAL, BACKFILL. Takes it in any case. */
enum etl_accept etl_sched_trigger(struct etl_sched *sched, struct etl_sched_job *job,
	struct etl_trigger *trigger);

/* Drops the piece of a backfill that waits for its turn; a piece that runs is not touched. */
void etl_sched_drop_backfill(struct etl_sched *sched, struct etl_sched_job *job);

/* A run of the job has ended. */
void etl_sched_ended(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_run_outcome *outcome);

/* Windows of the job were closed or changed, by a run or by an operator: its dependants look. */
void etl_sched_moved(struct etl_sched *sched, const struct etl_sched_job *job);

/* The sensor's answer to the last question. `said`: what it saw, in words; copied, cut to
 * ETL_SENSE_SAID_BYTES. */
void etl_sched_sensed(struct etl_sched *sched, struct etl_sched_job *job, bool satisfied,
	const char *said);

/* ---- questions ----------------------------------------------------------------------------- */

#define ETL_PHASES(X)                                                                           \
	X(IDLE, "idle") /* waits for its next slot, or for whoever triggers it */               \
	X(PAUSED, "paused")                                                                     \
	X(RUNNING, "running")                                                                   \
	X(SENSING, "sensing") /* waits for its sensor */                                        \
	X(PLACE, "ready")     /* waits for a free place */                                      \
	X(STORE, "store")     /* waits for MongoDB */                                           \
	X(HELD, "leased")     /* another etld has the lease */                                  \
	X(STOPPING, "stopping")

enum etl_sched_phase {
#define X(id, word) ETL_PHASE_##id,
	ETL_PHASES(X)
#undef X
		ETL_PHASE_MAX
};
const char *etl_sched_phase_word(enum etl_sched_phase phase);
enum etl_sched_phase etl_sched_phase(const struct etl_sched *sched,
	const struct etl_sched_job *job);

/* True if something waits behind the run that goes on, or for a place. */
bool etl_sched_has_waiting(const struct etl_sched_job *job);

/* True if a piece of a backfill waits for a place and nothing else does. */
bool etl_sched_only_backfill(const struct etl_sched_job *job);

/* How many jobs are before it in its lane; 0 too if it waits for no place. */
size_t etl_sched_ahead(const struct etl_sched *sched, const struct etl_sched_job *job);

struct etl_sched_facts {
	unsigned active, active_backfills, max_active;
	size_t ready, ready_backfills; /* jobs that wait for a place */
};
void etl_sched_facts(const struct etl_sched *sched, struct etl_sched_facts *out);

#endif
