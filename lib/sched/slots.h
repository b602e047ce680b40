/* SPDX-License-Identifier: MIT
 *
 * What slots come to: which have fallen due, which of them run, what a run that is still
 * going means for one. Pure functions; the scheduler (sched.h) does what they say. All named
 * policies of a schedule are decided here and nowhere else.
 */
#ifndef ETL_SCHED_SLOTS_H
#define ETL_SCHED_SLOTS_H

#include "job/job.h"
#include "sched/trigger.h"

/* A slot that is found within this, or within half a period if that is less, is on time. */
#define ETL_SLOT_GRACE ETL_SECONDS(60)
/* run_each makes up so many slots; older ones are skipped with that reason. */
#define ETL_RUN_EACH_MAX 1000
/* A decided slot that lies further ahead than this was decided by a clock that was wrong. */
#define ETL_SLOT_AHEAD_MAX ETL_DAYS(1)

/* The slots of the interval (after, until]; first and newest have no meaning if n is 0. */
struct etl_slots {
	uint64_t n; /* ETL_SLOTS_COUNTED: so many or more */
	etl_wall first, newest;
};
#define ETL_SLOTS_COUNTED 10000

/* Fills `out`; n == 0 if there is none, also if `until` lies before `after`. */
void etl_slots_between(const struct etl_calendar *calendar, etl_wall after, etl_wall until,
	struct etl_slots *out);

/* The n-th slot from the end of (after, until], n from 1; ms == 0 if there are not so many. */
etl_wall etl_slots_nth_last(const struct etl_calendar *calendar, etl_wall after, etl_wall until,
	uint64_t n);

/* What becomes of slots that have fallen due. Those of [run_first, newest] run, one after the
 * other (run_each) or only the newest; `skip` (last.ms != 0) tells of those that do not. */
struct etl_slot_verdict {
	bool run;	    /* something runs */
	bool each;	    /* from run_first on one by one; else only the newest */
	bool late;	    /* the newest was missed too: its run is a catch-up */
	etl_wall run_first; /* with `each` */
	struct etl_skip skip;
};

/* `now` less the job's jitter is what slots are held against; slots->n > 0. */
struct etl_slot_verdict etl_misfire_decide(const struct etl_job *job, const struct etl_slots *slots,
	etl_wall now);

/* A slot comes while a run of its job is going or waiting. */
enum etl_overlap_verdict {
	ETL_OVERLAP_WAITS,  /* behind the run; it takes the place of an older one that waits */
	ETL_OVERLAP_SKIPPED,
	ETL_OVERLAP_CANCELS, /* the run is cancelled, then as WAITS */
};

/* `live`: the run that goes on is not of a backfill; backfills never cost a slot. */
enum etl_overlap_verdict etl_overlap_decide(const struct etl_job *job, enum etl_trigger_kind kind,
	bool live);

#endif
