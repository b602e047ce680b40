/* SPDX-License-Identifier: MIT
 *
 * The worst of a job's partitions: the slowest, the latest, the one with the first deadline.
 *
 * Example: of three stations one stands at 10:00 and two at 12:00. The job owes the window 10:00 of
 * the first; it is as late as that one; its deadline is the first of the three. One word for a job
 * must be that of its worst partition, or a station that died would be hidden by fifty that live.
 */
#include "facts/owed.h"

#include "plan/deadline.h"
#include "plan/owed.h"

/* The earliest start over all partitions; owed only if that window is final: one whose settle time
 * has not passed is next, and nobody owes it. */
bool etld_owed_of(const struct etld *etld, const struct etld_job *job, struct etld_owed *out)
{
	const struct etl_window_rules *rules = &job->job->window;
	bool any = false;

	*out = (struct etld_owed){0};
	for (size_t i = 0; i < job->job->n_partitions; i++) {
		struct etl_window next;

		if (!etl_owed_next(rules, job->partitions[i].watermark, &next) ||
			(any && next.start.ms >= out->window.start.ms))
			continue;
		*out = (struct etld_owed){i, next};
		any = true;
	}
	return any && etl_window_is_final(rules, out->window, etl_now(etld->clock));
}

/* An open unit behind the watermark (failed, held) counts by its own age: the watermark alone would
 * say that all is well once others have passed it. */
etl_dur etld_owed_late(const struct etld *etld, const struct etld_job *job, size_t i)
{
	const struct etld_partition *part = &job->partitions[i];
	const struct etl_owed_facts facts = {part->watermark, part->open > 0, part->oldest};

	return etl_late_by(&job->job->window, job->job->calendar, &facts, etl_now(etld->clock));
}

etl_dur etld_owed_late_most(const struct etld *etld, const struct etld_job *job)
{
	etl_dur most = {0};

	for (size_t i = 0; i < job->job->n_partitions; i++) {
		etl_dur late = etld_owed_late(etld, job, i);

		if (late.us > most.us)
			most = late;
	}
	return most;
}

/* Of equals the first partition: the order of the job's file is the order in which people think of
 * them. */
bool etld_owed_deadline(const struct etld *etld, const struct etld_job *job, struct etld_due *out)
{
	struct etl_deadline d, first = {.due = {INT64_MAX}};
	bool found = false;

	for (size_t i = 0; job->job->deadline.us && i < job->job->n_partitions; i++) {
		if (!etl_deadline_next(&job->job->window, job->job->deadline,
			    job->partitions[i].watermark, &d) ||
			d.due.ms >= first.due.ms)
			continue;
		first = d;
		out->partition = i;
		found = true;
	}
	if (!found)
		return false;
	out->window = first.window;
	out->due = first.due;
	out->missed = etl_deadline_is_missed(&first, etl_now(etld->clock));
	return true;
}
