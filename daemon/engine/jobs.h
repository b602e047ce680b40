/* SPDX-License-Identifier: MIT
 *
 * Jobs as the daemon lives with them, and what it knows of their partitions without asking MongoDB.
 * Loop thread.
 */
#ifndef ETLD_JOBS_H
#define ETLD_JOBS_H

#include <uthash.h>

#include "config/generation.h"
#include "engine/engine.h"
#include "sched/sched.h"
#include "state/state.h"

/* What the daemon knows of a partition without asking MongoDB. */
struct etld_partition {
	const char *name; /* lent by the generation */
	etl_wall watermark; /* ms == 0 = not known */
	uint64_t open, failed, held, dirty; /* of the ledger: open counts all but dirty ones */
	etl_wall oldest; /* if any is open: where the first of them starts */
	etl_wall told; /* start of the newest window whose missed deadline was told */
	/* Windows in another target than the job's (owned; NULL = none), and those in it:
	 * elsewhere.h */
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
	/* when its ledger was last looked through for holes; us == 0 = not yet */
	etl_mono holes_sought;
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

	int pausing;	   /* changes of its pause that the store does not have yet */
	bool resumed;	   /* elsewhere, as the last reading said */
	bool pause_unsaved; /* the last of them did not get there: what is here stands */

	/* what the store holds, as it was last seen: picture.h */
	struct etld_open {
		uint64_t open, failed, held, dirty;
	} windows;			/* over all partitions */
	char *failed_why, *held_why;	/* of the oldest such window; NULL = none */
	/* it has changed here, or was looked at: readings that began before are void */
	uint64_t seen;
	struct etl_last_run *last; /* NULL = none: read it by etld_job_last */
	uint64_t windows_blocked;	/* of the last run */
};
/* NULL = there is none */
struct etld_job *etld_job_find(const struct etld *etld, const char *name);
/* Its partition of this name, NULL if it has none. Looks from the `near`-th on, around: lists
 * of partitions are mostly in the same order, and there may be many. */
struct etld_partition *etld_job_partition(const struct etld_job *job, const char *name,
	size_t near);

/* The partitions of a job that is `job` from now on, with what is known of those that `old` had
 * (taken from it). Owned by the caller. */
struct etld_partition *etld_job_carry(const struct etld_job *old, const struct etl_job *job);

/* What is known of a pause; who == NULL: there is none. */
void etld_job_note_pause(struct etld_job *job, const char *who, const char *why, etl_wall at);

/* The last run that is known of it, run_id "" = none; lent until the next is noted. */
const struct etl_last_run *etld_job_last(const struct etld_job *job);
void etld_job_note_last(struct etld_job *job, const struct etl_last_run *last);

/* What is known of it here is newer than any reading that is on its way. */
static inline void etld_job_changed(struct etld *etld, struct etld_job *job)
{
	job->seen = ++etld->changes;
}

/* The run that goes on; NULL = none. */
static inline struct etld_run *etld_running(const struct etld_job *job)
{
	return job->sched.run;
}

#endif
