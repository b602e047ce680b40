/* SPDX-License-Identifier: MIT
 *
 * What a job owes by what the loop knows of its partitions: lib/plan/owed.h over all of them.
 * facts.h is where to ask. Loop thread.
 */
#ifndef ETLD_OWED_H
#define ETLD_OWED_H

#include "engine/jobs.h"

/* The first window that the job owes by now, in its slowest partition (its place in the job).
 * False: it owes none; then `window` is the one that comes next, or [0, 0). */
struct etld_owed {
	size_t partition;
	struct etl_window window;
};
bool etld_owed_of(const struct etld *etld, const struct etld_job *job, struct etld_owed *out);

/* How long the oldest open unit of the i-th partition has been due; of the job that is late by
 * most. 0 = nothing is. */
etl_dur etld_owed_late(const struct etld *etld, const struct etld_job *job, size_t i);
etl_dur etld_owed_late_most(const struct etld *etld, const struct etld_job *job);

/* The window with the first deadline, over all partitions. False = there is none. */
struct etld_due {
	struct etl_window window;
	etl_wall due;
	size_t partition; /* its place in the job */
	bool missed;
};
bool etld_owed_deadline(const struct etld *etld, const struct etld_job *job, struct etld_due *out);

#endif
