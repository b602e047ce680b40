/* SPDX-License-Identifier: MIT
 *
 * What a window of a job waits for: windows of the jobs that it comes `after`. Worker.
 */
#ifndef ETL_FLOW_UPSTREAM_H
#define ETL_FLOW_UPSTREAM_H

#include "job/job.h"
#include "state/state.h"

struct etl_upstream_hole {
	const struct etl_job *job; /* the upstream one */
	const struct etl_partition *partition;
	struct etl_window window; /* its first one that is missing; [0, 0) without windows */
	char why[ETL_REASON_MAX]; /* "failed: HTTP 500"; "" = nobody has tried it */
};

/* 1 = all that the window needs is closed, 0 = `out` is the first thing that is not, -1. */
int etl_upstream_hole(struct etl_state *state, const struct etl_job *job, const char *partition,
	const struct etl_window *window, struct etl_upstream_hole *out, struct etl_error *err);

#endif
