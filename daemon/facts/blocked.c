/* SPDX-License-Identifier: MIT
 *
 * What keeps a job from its next window: the upstream window that is not closed. By what the loop
 * knows of watermarks: good for status, also of a job that never ran because nothing moved; runs look
 * at the ledger. Loop thread.
 */
#include "facts/blocked.h"

#include "base/str.h"

/* Up to where a partition is closed; its start if it never ran. */
static etl_wall closed_until(const struct etld_job *job, size_t partition)
{
	etl_wall mark = job->partitions[partition].watermark, start = job->job->window.start;

	return mark.ms > start.ms ? mark : start;
}

/* The first window that the job owes by now, in its slowest partition. */
static bool owed(const struct etld *etld, const struct etld_job *job, size_t *partition,
	struct etl_window *out)
{
	const struct etl_window_rules *rules = &job->job->window;

	if (rules->none || !job->job->n_partitions)
		return false;
	*partition = 0;
	for (size_t i = 1; i < job->job->n_partitions; i++)
		if (closed_until(job, i).ms < closed_until(job, *partition).ms)
			*partition = i;
	*out = etl_window_at(rules, closed_until(job, *partition));
	return out->end.ms <= etl_window_limit(rules, etl_now(etld->clock)).ms;
}

/* What lies behind an upstream job's own end never comes and is not waited for. */
static bool covers(const struct etld_job *up, size_t partition, const struct etl_window *window)
{
	const struct etl_window_rules *rules = &up->job->window;
	etl_wall until = window->end, last;

	if (rules->none)
		return up->partitions[partition].watermark.ms > 0;
	if (rules->end.ms) {
		last = etl_window_limit(rules, etl_wall_add(rules->end, rules->settle));
		until = until.ms > last.ms ? last : until;
	}
	return closed_until(up, partition).ms >= until.ms;
}

static bool is_missing(const struct etld_job *up, const char *partition,
	const struct etl_window *window, struct etld_block *out)
{
	const struct etl_partition *same = etl_job_partition(up->job, partition);

	for (size_t i = 0; i < up->job->n_partitions; i++) {
		if ((same && same != &up->job->partitions[i]) || covers(up, i, window))
			continue;
		out->upstream = up;
		out->partition = i;
		out->window = up->job->window.none ?
			*window : etl_window_at(&up->job->window, closed_until(up, i));
		return true;
	}
	return false;
}

/* Who waits for a job that is left out gets nothing, whatever it owes by now. */
static bool is_left_out(const struct etld *etld, const struct etld_job *job, struct etld_block *out)
{
	for (size_t k = 0; k < job->job->n_upstream; k++) {
		if (!job->job->upstream[k]->left_out)
			continue;
		out->upstream = etld_job_find(etld, job->job->upstream[k]->name);
		return out->upstream != NULL;
	}
	return false;
}

bool etld_blocked_by(const struct etld *etld, const struct etld_job *job, struct etld_block *out)
{
	struct etl_window window = {{0}, {0}};
	size_t partition;
	bool owes;

	*out = (struct etld_block){0};
	if (!job->job->n_upstream)
		return false;
	owes = owed(etld, job, &partition, &window);
	out->window = window;
	if (is_left_out(etld, job, out))
		return true;
	if (!owes)
		return false;
	for (size_t k = 0; k < job->job->n_upstream; k++) {
		const struct etld_job *up = etld_job_find(etld, job->job->upstream[k]->name);

		if (up && is_missing(up, job->job->partitions[partition].name, &window, out))
			return true;
	}
	return false;
}
