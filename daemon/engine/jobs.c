/* SPDX-License-Identifier: MIT
 *
 * Jobs by name, their partitions, what is known of a pause.
 *
 * A job lives as long as its name stands in the configuration: what is known of it (last run,
 * watermarks, pause) is kept over reloads, while its configuration is replaced under it.
 */
#include "engine/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

struct etld_job *etld_job_find(const struct etld *etld, const char *name)
{
	struct etld_job *job;

	HASH_FIND_STR(etld->jobs, name, job);
	return job;
}

/* NULL texts are copied as NULL: no pause. */
void etld_job_note_pause(struct etld_job *job, const char *who, const char *why, etl_wall at)
{
	free(job->pause_who);
	free(job->pause_reason);
	job->pause_who = etl_strdup(who);
	job->pause_reason = etl_strdup(why);
	job->paused_at = at;
}

/* `near` is where the caller expects it: two lists in the same order are matched in as many steps
 * as they are long, and not in their product. */
struct etld_partition *etld_job_partition(const struct etld_job *job, const char *name, size_t near)
{
	size_t n = job->job ? job->job->n_partitions : 0;

	for (size_t i = 0; i < n; i++) {
		struct etld_partition *partition = &job->partitions[(near + i) % n];

		if (strcmp(partition->name, name) == 0)
			return partition;
	}
	return NULL;
}

/* Most jobs of a daemon that has just begun have no run yet: those cost nothing. */
const struct etl_last_run *etld_job_last(const struct etld_job *job)
{
	static const struct etl_last_run none = {.run_id = ""};

	return job->last ? job->last : &none;
}

void etld_job_note_last(struct etld_job *job, const struct etl_last_run *last)
{
	if (!job->last)
		job->last = ETL_NEW(struct etl_last_run);
	*job->last = *last;
}

/* By name: a partition that a reload has moved in the list keeps what is known of it; one that is
 * new knows nothing until the next reading. */
struct etld_partition *etld_job_carry(const struct etld_job *old, const struct etl_job *job)
{
	struct etld_partition *partitions = etl_calloc(job->n_partitions, sizeof *partitions);

	for (size_t i = 0; i < job->n_partitions; i++) {
		struct etld_partition *was = etld_job_partition(old, job->partitions[i].name, i);

		if (was) {
			partitions[i] = *was;
			was->elsewhere = NULL; /* moved */
		}
		partitions[i].name = job->partitions[i].name;
	}
	return partitions;
}
