/* SPDX-License-Identifier: MIT
 *
 * Puts together what owed.h, blocked.h and health.h say of a job.
 *
 * Whoever shows a job asks here, so that `etlctl status`, `graph`, `why`, the metrics and `--check`
 * agree by construction: there is no second place that computes "late".
 */
#include "facts/facts.h"

#include "engine/elsewhere.h"

/* The jitter follows from the names of job and host: it is the same after a restart. */
etl_wall etld_facts_fires(const struct etld *etld, const struct etld_job *job)
{
	if (!job->sched.next.ms)
		return (etl_wall){0};
	return etl_wall_add(job->sched.next, etl_job_jitter(job->job, etld->host));
}

/* Windows that wait for upstream have no entry in the ledger, so that they are known from the last
 * run alone; of the two counts the larger one is told and not the sum, for a window may be in both.
 */
void etld_facts_of(const struct etld *etld, const struct etld_job *job, struct etld_facts *out)
{
	uint64_t others = job->windows.open - job->windows.failed - job->windows.held;

	*out = (struct etld_facts){
		.job = job,
		.phase = etl_sched_phase(etld->sched, &job->sched),
		.fires = etld_facts_fires(etld, job),
		.running = etld_running(job),
		.queued = etl_sched_has_waiting(&job->sched),
		.windows = job->windows,
		.others = others > job->windows_blocked ? others : job->windows_blocked,
	};
	etld_elsewhere_of(etld, job, &out->elsewhere);
	out->has_deadline = etld_owed_deadline(etld, job, &out->deadline);
	out->owes = etld_owed_of(etld, job, &out->owed);
	out->is_blocked = etld_blocked_by(etld, job, &out->block);
	if (out->is_blocked)
		out->culprit = etld_culprit(etld, &out->block);
	etld_health_of(etld, job, out->culprit ? &out->block : NULL, out->culprit, &out->health);
}

void etld_facts_of_partition(const struct etld *etld, const struct etld_job *job, size_t i,
	struct etld_partition_facts *out)
{
	const struct etld_partition *p = &job->partitions[i];

	*out = (struct etld_partition_facts){
		.watermark = p->watermark,
		.lag = p->watermark.ms ? etl_wall_age(etl_now(etld->clock), p->watermark) :
					 (etl_dur){0},
		.late_by = etld_owed_late(etld, job, i),
		.windows = {p->open, p->failed, p->held, p->dirty},
		.others = p->open - p->failed - p->held,
	};
}
