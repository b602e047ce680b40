/* SPDX-License-Identifier: MIT
 *
 * What the walk of a change shares: change.c looks, change_apply.c writes. Nobody else includes
 * this.
 */
#ifndef ETL_OPS_CHANGE_INTERNAL_H
#define ETL_OPS_CHANGE_INTERNAL_H

#include "ops/change.h"
#include "plan/change_plan.h"

enum etl_change_phase { BEGIN, LOOK, APPLY, ENDED };

struct part {
	struct etl_change_result result;
	char *name;
	char *undoes; /* undo: the change that is taken back */
	etl_wall undo_from, undo_to;
	struct etl_window undo_unit; /* of a decision */
	char *undo_object; /* ... about an object */
};

struct etl_change_walk {
	const struct etl_job *job;
	const struct etl_run_env *env;
	struct etl_change_request request; /* its texts are owned */
	char command[ETL_UUID_BYTES];
	etl_wall now; /* the one "now" of its decisions */

	enum etl_change_phase phase;
	bool leased;
	struct etl_lease lease; /* as it was given or refused */
	int64_t fence;
	etl_mono renewed;

	struct part *parts;
	size_t n_parts, cap_parts, at; /* `at`: the one that is looked at, or changed */

	/* of the part that is being changed */
	bool planned;
	char id[ETL_UUID_BYTES];
	struct etl_change_plan plan;
	size_t in; /* windows of the plan that are in */

	/* of the slice that is next */
	char commit_id[ETL_UUID_BYTES]; /* "" = it was not tried yet */
	unsigned tries;
	etl_mono tried;	/* first */
	bool unknown;	/* a try whose answer was lost: it may be in */
	etl_dur wait;	/* before it is tried again; 0 = no try has failed */

	/* of a decision */
	struct etl_ledger_entry unit; /* before it */
	struct etl_held held;	      /* after a release */
	struct etl_last_run last;     /* run_id "" = it is not touched */
};

static inline struct etl_state *store(const struct etl_change_walk *walk)
{
	return walk->env->state;
}

/* change.c: what becomes of one partition whose watermark is `mark`, into walk->plan. */
int etl_change_plan_part(struct etl_change_walk *walk, const struct part *part,
	const struct etl_watermark *mark, struct etl_error *err);

/* change_apply.c: the next slice of the partition at hand, or the next partition. */
int etl_change_apply_next(struct etl_change_walk *walk, struct etl_error *err);

#endif
