/* SPDX-License-Identifier: MIT
 *
 * Windows that were loaded into another target than their job's, or by an older definition of it: what
 * the loop knows of them, from the picture and from runs that ended, and the one warning about them.
 * Loop thread.
 */
#ifndef ETLD_ELSEWHERE_H
#define ETLD_ELSEWHERE_H

#include "engine/jobs.h"
#include "job/elsewhere.h"

/* What was read of a partition, or is known after a run. Takes `elsewhere` (NULL = nothing is). */
void etld_elsewhere_set(struct etld_partition *partition, struct etl_elsewhere *elsewhere,
	uint64_t here);

/* Of all partitions. False: nothing is elsewhere, or nothing is known. */
bool etld_elsewhere_of(const struct etld *etld, const struct etld_job *job,
	struct etl_elsewhere *out);

/* A warning in the journal, once for each target as long as something is elsewhere. */
void etld_elsewhere_tell(struct etld *etld, struct etld_job *job);

/* "a: 19 windows are in 'x', none in 'y'; etlctl windows a --stale lists them, etlctl restate a loads
 * them again", on one line. False: nothing is elsewhere. */
bool etld_elsewhere_line(const struct etld *etld, const struct etld_job *job, struct etl_buf *out);

/* The job's configuration is about to be `next`: what is known is of its old target and definition if
 * one of these differs; then true. */
bool etld_elsewhere_changes(const struct etld *etld, const struct etld_job *job,
	const struct etl_job *next);
void etld_elsewhere_forget(struct etld_job *job);

#endif
