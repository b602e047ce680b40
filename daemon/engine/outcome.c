/* SPDX-License-Identifier: MIT
 *
 * What a run that ended leaves in its job: the words of status and health, and watermarks; and when
 * a run looks its job's whole ledger through. What is open is the ledger's: picture.h. Loop thread.
 */
#include "engine/outcome.h"

#include <string.h>

#include "engine/elsewhere.h"

/* Another etld has the job, or the slot is decided: that is no run of the job. */
static bool is_none_of_ours(const struct etl_run *run)
{
	return run->state == ETL_RUN_BUSY && run->trigger.slot.ms;
}

void etld_job_remember(struct etld *etld, struct etld_job *job, const struct etl_run *run,
	struct etld_picture *picture)
{
	etld_picture_take(picture);
	etld_job_changed(etld, job);
	if (is_none_of_ours(run))
		return;
	etld_job_note_last(job, &run->last);
	job->windows_blocked = run->windows_blocked;
	for (size_t i = 0; i < run->n_parts; i++) {
		struct etl_part *part = run->parts[i];
		struct etld_partition *partition = part->watermark.ms ?
			etld_job_partition(job, part->partition->name, i) : NULL;

		if (!partition)
			continue;
		partition->watermark = part->watermark;
		if (run->job == job->job) /* else its target may have been another one */
			etld_elsewhere_set(partition, ETL_TAKE(part->elsewhere), part->here);
	}
	etld_elsewhere_tell(etld, job);
}

bool etld_job_holes_are_due(const struct etld *etld, struct etld_job *job)
{
	etl_mono now = etl_mono_now(etld->clock);

	if (job->holes_sought.us && etl_mono_diff(now, job->holes_sought).us < ETL_DAYS(1).us)
		return false;
	job->holes_sought = now;
	return true;
}
