/* SPDX-License-Identifier: MIT
 *
 * What a run that ended leaves in its job: what status and health speak of until the next
 * one. Loop thread.
 */
#include <string.h>

#include "base/alloc.h"
#include "etld.h"

/* A run that had nothing to read says nothing about the records. */
static void remember_counts(struct etld_job *job, const struct etl_run *run)
{
	if (!run->counts.seen && !run->windows_empty)
		return;
	job->records_rejected = run->counts.rejected;
	job->warnings = run->warnings;
	free(ETL_TAKE(job->first_reject));
	if (run->rejects.n)
		job->first_reject = etl_strdup(run->rejects.rows[0].first);
}

void etld_job_remember(struct etld_job *job, const struct etl_run *run)
{
	memcpy(job->last_run_id, run->run_id, sizeof job->last_run_id);
	job->last_state = run->state;
	job->last_started = run->started;
	job->last_ended = run->ended;
	if (run->state == ETL_RUN_OK)
		job->last_ok = run->ended;
	job->windows_failed = run->windows_failed;
	job->windows_held = run->windows_held;
	job->windows_blocked = run->windows_blocked;
	remember_counts(job, run);
	free(ETL_TAKE(job->last_reason));
	if (run->error.kind != ETL_OK)
		job->last_reason = etl_strdup(run->error.message);
	for (size_t i = 0; i < run->n_strands; i++) {
		const struct etl_strand *strand = &run->strands[i];
		struct etld_partition *partition;

		if (!job->last_reason && strand->state == ETL_STRAND_BLOCKED)
			job->last_reason = etl_strdup(strand->reason);
		partition = strand->watermark.ms ?
			etld_job_partition(job, strand->partition->name, i) : NULL;
		if (partition)
			partition->watermark = strand->watermark;
	}
}
