/* SPDX-License-Identifier: MIT
 *
 * The part of a partition's ledger that planning has to see, read from the store. Whoever
 * plans, a run or somebody who asks why, reads it here. Worker.
 */
#ifndef ETL_JOB_LEDGER_PART_H
#define ETL_JOB_LEDGER_PART_H

#include "job/window_plan.h"
#include "state/state.h"

struct etl_ledger_part {
	struct etl_ledger_brief *entries; /* owned; in order of start */
	size_t n, cap;
};

/* Fills it anew: what is open or dirty before the range, then everything in it. */
int etl_ledger_part_read(struct etl_ledger_part *part, struct etl_state *state, const char *job,
	const char *partition, const struct etl_window *range, struct etl_error *err);

#endif
