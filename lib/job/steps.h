/* SPDX-License-Identifier: MIT
 *
 * The one table of steps: their order, names, threads and fault points. Status, journal, run
 * records and manual take the names from here.
 */
#ifndef ETL_JOB_STEPS_H
#define ETL_JOB_STEPS_H

#include "base/error.h"
#include "time/clock.h"

/* X(id, name, thread, what) in the order in which a record passes them. The first ones are
 * those of a strand, each of which may have a limit of time (`timeouts` of a job). */
#define ETL_STRAND_STEPS(X)                                                                     \
	X(PLAN, "plan", WORKER, "lease, watermark, ledger: which windows are due")              \
	X(EXTRACT, "extract", LOOP, "request out, payload in")                                  \
	X(DECODE, "decode", WORKER, "payload to records, cut to their windows")                 \
	X(TRANSFORM, "transform", WORKER, "records to records")                                 \
	X(CHECK, "check", WORKER, "quality rules on records and windows")                       \
	X(LOAD, "load", WORKER, "records into the target, inside the transaction")              \
	X(COMMIT, "commit", WORKER, "ledger and watermark, then the transaction")

#define ETL_STEPS(X)                                                                            \
	ETL_STRAND_STEPS(X)                                                                     \
	X(FINISH, "finish", WORKER, "run record, lease")                                        \
	X(REPORT, "report", LOOP, "journal, counters, status, next fire")

enum etl_step_id {
#define X(id, name, thread, what) ETL_STEP_##id,
	ETL_STEPS(X)
#undef X
		ETL_STEP_MAX
};

enum etl_step_thread { ETL_THREAD_LOOP, ETL_THREAD_WORKER };

struct etl_step {
	const char *name;
	enum etl_step_thread thread;
	const char *what;
	const char *fault_before, *fault_after; /* named fault points */
};

extern const struct etl_step etl_steps[ETL_STEP_MAX];

/* "step extract passed its limit of 2m (timeouts.extract) after 2m1s": TRANSIENT, step.timeout.
 * Gives -1. */
int etl_step_timeout(struct etl_error *err, enum etl_step_id id, etl_dur took, etl_dur limit);

/* Time spent in a step, for run records. */
struct etl_step_time {
	uint64_t visits;
	etl_dur busy;
};

#endif
