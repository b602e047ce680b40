/* SPDX-License-Identifier: MIT
 *
 * The part of a partition's ledger that planning has to see, read from the store. Whoever
 * plans, a run or somebody who asks why, reads it here. Worker.
 */
#ifndef ETL_PLAN_LEDGER_PART_H
#define ETL_PLAN_LEDGER_PART_H

#include "base/arena.h"
#include "plan/window_plan.h"
#include "state/state.h"

struct etl_ledger_part {
	struct etl_ledger_brief *entries; /* owned; in order of start */
	size_t n, cap;
};

#define ETL_OPEN_MAX 4096 /* entries of a list; a job with more is asked partition by partition */

/* What a job has open or dirty, over all its partitions: read once for a run, so that each of
 * its partitions need not ask for its own. */
struct etl_open_list {
	struct etl_open_entry {
		const char *partition; /* in the arena */
		struct etl_ledger_brief brief;
	} *entries; /* owned; in order of partition and start */
	size_t n, cap;
	struct etl_arena *arena; /* NULL = not read, or more than the list takes */
};

/* 0 or -1; a list that would be too long stays empty, which costs nothing but questions. */
int etl_open_list_read(struct etl_open_list *list, struct etl_state *state, const char *job,
	struct etl_error *err);
/* Frees the list and makes it one that was not read. */
void etl_open_list_fini(struct etl_open_list *list);

/* Fills it anew: what is open or dirty before the range, then everything that begins in it.
 * `open` spares the first question; NULL, or a list that is not read: the store is asked. */
int etl_ledger_part_read(struct etl_ledger_part *part, struct etl_state *state, const char *job,
	const char *partition, const struct etl_window *range, const struct etl_open_list *open,
	struct etl_error *err);

#endif
