/* SPDX-License-Identifier: MIT
 *
 * An operator's change of watermarks, from the lease to the last slice: `etlctl watermark set`,
 * `rewind` and `undo`; and a decision about one unit (decision.h). Walks in small steps, so that
 * nobody waits for a long one; whoever drives it may stop between any two, or be killed. Worker
 * threads, one at a time; blocks.
 */
#ifndef ETL_OPS_CHANGE_H
#define ETL_OPS_CHANGE_H

#include "run/run.h"

/* Copied by etl_change_new. */
struct etl_change_request {
	enum etl_change_kind kind;
	const char *partition; /* its name in the ledger; NULL = all (not for a decision) */
	etl_wall time;	       /* set, rewind: good by etl_change_check_time; a decision: of its unit */
	const char *object;    /* a decision: of the object with this name; NULL = of the unit at `time` */
	const char *who, *why;
	const char *check; /* release: of this check alone, as the ledger names it; NULL = of all */
	bool dry_run; /* look only: no lease, no fence, no writes */
};

/* What becomes of one partition. */
struct etl_change_result {
	const char *partition; /* lives as long as the change */
	enum etl_change_kind kind; /* of the change; of an undo: of what it takes back */
	bool changed;	      /* false: it is there already, or beyond: left alone */
	bool known;	      /* it has a watermark */
	etl_wall from, to;    /* the watermark before, and as it is meant to be */
	etl_wall reached;     /* as it is now; == from in a dry run */
	int64_t windows;      /* that are touched in all */
	int64_t in;	      /* of them, so far */
	bool done;
};

struct etl_change_walk;

/* `job` and `env` are lent and outlive the walk. */
struct etl_change_walk *etl_change_new(const struct etl_job *job, const struct etl_run_env *env,
	const struct etl_change_request *request);

/* Gives the lease back if the walk still holds it (blocks then). NULL is fine. */
void etl_change_free(struct etl_change_walk *walk);

/* One look or one slice. 1 = call again, not before etl_change_wait is over; 0 = it ended, -1
 * with the lease given back. Codes of refusals: "lease.held" (CONFLICT), "change.time",
 * "change.nothing", "change.too_many", "change.state", "change.check", "no_such_window"
 * (PERMANENT): nothing was changed then. After others slices may be in: see the results. */
int etl_change_step(struct etl_change_walk *walk, struct etl_error *err);

/* 0, or how long the store should be left alone: somebody else's transaction was in the way, or
 * what came of ours is not known. At most 500 ms. */
etl_dur etl_change_wait(const struct etl_change_walk *walk);

/* The i-th partition's, NULL behind the last; before the walk has looked at all of them only
 * `partition` means something. Lent. */
const struct etl_change_result *etl_change_result(const struct etl_change_walk *walk, size_t i);

/* Of a decision that is in: the id of its document in watermark_changes. Lent. */
const char *etl_change_id(const struct etl_change_walk *walk);

/* The unit of a decision, as the ledger had it before; lent. */
const struct etl_ledger_entry *etl_change_unit(const struct etl_change_walk *walk);

/* Of a release: what holds the unit, and what of it is released now. Lent. */
const struct etl_held *etl_change_held(const struct etl_change_walk *walk);

/* What is on record of the job's last run, if the decision took its refused records back; NULL = it
 * did not. Lent. */
const struct etl_last_run *etl_change_last(const struct etl_change_walk *walk);

#endif
