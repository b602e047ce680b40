/* SPDX-License-Identifier: MIT
 *
 * What keeps a job from its next window: the upstream window that is not closed. By what the loop
 * knows of watermarks: good for status, also of a job that never ran because nothing moved; runs
 * look at the ledger. Loop thread.
 *
 * Example: daily waits for hourly. Its window of 2026-07-01 needs the 24 hours of that day;
 * hourly's watermark stands at 17:00. hourly, its partition and the window 17:00 are the block.
 * When hourly's watermark passes midnight daily is free, and the scheduler starts it.
 */
#include "facts/blocked.h"

#include "facts/owed.h"
#include "plan/cover.h"
#include "plan/owed.h"

/* By its watermark alone: what the ledger has closed behind that does not count here. */
static bool covers(const struct etld_job *up, size_t partition, const struct etl_window *window)
{
	const struct etl_window_rules *rules = &up->job->window;
	const struct etl_watermark mark = {.origin = rules->grid.start,
		.processed = up->partitions[partition].watermark};
	struct etl_cover cover;

	etl_cover_begin(&cover, rules, mark.processed.ms ? &mark : NULL, window);
	if (mark.processed.ms && !rules->none)
		etl_cover_add(&cover, (struct etl_window){rules->grid.start, mark.processed},
			ETL_WINDOW_LOADED);
	return etl_cover_is_full(&cover);
}

/* With a partition of the same name in both jobs only that one counts (a station's day waits for
 * the same station's hours), else all of them. Told is the first window upstream that is not
 * closed, not the one that is waited for: it is where something can be done. */
static bool is_missing(const struct etld_job *up, const char *partition,
	const struct etl_window *window, struct etld_block *out)
{
	const struct etl_partition *same = etl_job_partition(up->job, partition);

	for (size_t i = 0; i < up->job->n_partitions; i++) {
		if ((same && same != &up->job->partitions[i]) || covers(up, i, window))
			continue;
		out->upstream = up;
		out->partition = i;
		out->window = *window;
		etl_owed_next(&up->job->window, up->partitions[i].watermark, &out->window);
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

/* A job that owes nothing waits for nothing, with one exception: whoever is behind a job that never
 * runs will owe sooner or later, and has to show it before. */
bool etld_blocked_by(const struct etld *etld, const struct etld_job *job, struct etld_block *out)
{
	struct etld_owed first;
	bool owes;

	*out = (struct etld_block){0};
	if (!job->job->n_upstream)
		return false;
	owes = etld_owed_of(etld, job, &first);
	out->window = first.window;
	if (is_left_out(etld, job, out))
		return true;
	if (!owes)
		return false;
	for (size_t k = 0; k < job->job->n_upstream; k++) {
		const struct etld_job *up = etld_job_find(etld, job->job->upstream[k]->name);

		if (up && is_missing(up, job->job->partitions[first.partition].name, &first.window,
				  out))
			return true;
	}
	return false;
}
