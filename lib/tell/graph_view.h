/* SPDX-License-Identifier: MIT
 *
 * The graph of linked jobs, for people: who belongs to whom, and an order in which it reads
 * as a tree. Pure; time grows with jobs and ties, the stack with neither.
 */
#ifndef ETL_TELL_GRAPH_VIEW_H
#define ETL_TELL_GRAPH_VIEW_H

#include "job/job.h"

struct etl_graph_node {
	const struct etl_job *job;
	size_t depth; /* 0 = it waits for none of those that are shown */
};

/* `jobs` is the list that etl_graph_link numbered, `shown` has an element for each. Becomes
 * true for the job, all that it waits for, near or far, and all that wait for it. */
void etl_graph_related(struct etl_job *const *jobs, size_t n, const struct etl_job *job,
	bool *shown);

/* Those that are shown, each once and behind the first of its upstream jobs, one deeper; jobs
 * of one depth in the order of the list. `out` has room for all. Gives their number. */
size_t etl_graph_tree(struct etl_job *const *jobs, size_t n, const bool *shown,
	struct etl_graph_node *out);

#endif
