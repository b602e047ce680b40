/* SPDX-License-Identifier: MIT
 *
 * The contract of work: what a run does between the lease and the record. A kind of work (flow is the
 * first) is one const descriptor at the end of its lib/ROOM/work_NAME.c; the build lists them, and a
 * job's file says by its key which one its runs do (job/work_config.h). A run knows its work by this
 * header only: it takes the lease, asks for the parts of the work, adds up what came of them, asks for
 * its word on the whole, writes the record. It decides itself whether the run was ok, so that no kind
 * of work can be ok by default.
 *
 * A part is what is done one step after another: a partition of a job. Parts of one run overlap.
 * Whoever carries the run (the daemon on its loop, a test on a virtual clock) hands each part to
 * workers, one at a time, and in between does what it says it needs.
 *
 * How the kinds that are to come fill this:
 * - A model (an aggregation that runs inside MongoDB and ends in $merge): begin makes one part for
 *   each partition; go plans its units from the ledger as flow does, sends one database command for a
 *   unit, counts what it answers and commits the unit's entry; ETL_NEED_WORK between two units. No
 *   record passes, so it never says FETCH or INPUT and holds no memory; windows and watermark are
 *   told like a flow's, counts only as far as the server tells them.
 * - A backup (a dump in mongodump's format, sometimes restored and compared): one part for each
 *   database; go writes one piece, then ETL_NEED_WORK, so that a cancel is heard and other runs get
 *   the worker. Its unit is an object: the entry holds name, size and checksum; `counts.out` are
 *   documents. A backup that cannot be verified is a failed part, and nothing before it is deleted.
 * - A stream (change_stream): its run has no slot, begins with the daemon and ends by a cancel. One
 *   part whose unit is a position: go reads until the broker has acknowledged a batch, commits the
 *   position, says ETL_NEED_WORK. Its reads block, so whoever carries it gives it a lane of its own
 *   and takes no worker from the runs that end; `failed` is a reason to begin again.
 */
#ifndef ETL_RUN_WORK_H
#define ETL_RUN_WORK_H

#include "job/job.h"
#include "job/steps.h"
#include "run/memory.h"
#include "state/state.h"

struct etl_run;

/* What a part wants when a worker is done with it. */
enum etl_need {
	ETL_NEED_NOTHING, /* it ended; see part->error */
	ETL_NEED_WORK,	  /* a worker again, after others that wait for one */
	ETL_NEED_TIMER,	  /* a worker again after part->wait */
	ETL_NEED_MEMORY,  /* a worker again when part->memory is granted */
	/* These two only for work that has its bytes brought by the loop (flow/flow.h). */
	ETL_NEED_FETCH, /* send its request (drop an older transfer of this part) */
	ETL_NEED_INPUT, /* more of the answer that is on its way */
};

enum etl_part_state {
	ETL_PART_WAITING, /* not begun */
	ETL_PART_GOING,
	ETL_PART_OK,
	ETL_PART_BLOCKED, /* nothing but windows whose upstream is not there */
	ETL_PART_FAILED,
	ETL_PART_CANCELLED,
};

/* One part of a run. Embedded in what the work keeps of it. On one thread at a time: the worker that
 * has it, else the one who carries the run. */
struct etl_part {
	const struct etl_partition *partition; /* the job's */
	enum etl_part_state state;
	enum etl_step_id step; /* where it is, for people */
	bool blocks; /* it keeps its thread while it waits for others: not one that all share */

	/* between the part and who carries it */
	etl_dur wait;		 /* for ETL_NEED_TIMER */
	enum etl_memory memory;	 /* what it needs, set by each visit; more than granted: it waits */
	enum etl_memory granted; /* what it has; set by the carrier while no worker has the part */

	/* what came of it; sums over the parts are the run's */
	struct etl_error error; /* the first failure that was final, or kind ETL_OK */
	enum etl_step_id failed_at; /* the step of `error` */
	struct etl_error last;	/* the last failure, also if it is being tried again */
	char reason[ETL_REASON_MAX]; /* of a failure or of being blocked, in words */
	struct etl_counts counts;
	struct etl_window_counts windows;
	uint64_t windows_due, windows_blocked, windows_changed, warnings, requests, bytes;
	uint64_t pages; /* that came, of sources that answer in pages */
	/* Records that reshape made in addition to those of the answers, and that it took into others
	 * or that held none; of all that was read, like requests and bytes. */
	uint64_t unfolded, folded;
	uint64_t windows_left_open; /* of windows.failed: those that are open in the ledger now */
	uint64_t missing; /* closed objects that the source does not list any more */
	uint64_t waiting; /* objects that it lists and that are not read yet */
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
};

/* It has not begun. */
void etl_part_init(struct etl_part *part, const struct etl_partition *partition);
void etl_part_fini(struct etl_part *part);

struct etl_work_type {
	const char *name; /* in work_NAME.c */
	struct etl_work_config config; /* what of a job's file is this kind's: job/work_config.h */

	/* Worker, when the lease is taken: makes run->work and, by etl_run_add_part, the run's parts. -1:
	 * the run has failed; if run->work is set by then, `free` is called all the same. */
	int (*begin)(struct etl_run *run, struct etl_error *err);

	/* Worker: goes on with a part until it needs something. Looks at run->cancel and run->fenced
	 * between two steps and writes nothing more once they are set: that is how work is cancelled.
	 * The part is called at once then, whatever it waits for. */
	enum etl_need (*go)(struct etl_part *part);

	/* Worker, when no part is left, before the run's record: what is to be said of the run as a
	 * whole, by etl_run_add_verdict. Not called for a run that was cancelled or fenced: it would be
	 * judged by half. -1: nobody can tell, and the run has failed. NULL = nothing. */
	int (*finish)(struct etl_run *run, struct etl_error *err);

	/* Frees run->work (never NULL) with its parts, also if `begin` failed halfway. Any thread. */
	void (*free)(struct etl_run *run);
};

#endif
