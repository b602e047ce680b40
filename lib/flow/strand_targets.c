/* SPDX-License-Identifier: MIT
 *
 * A strand and the record of where its windows are: what a commit adds to it, and what the
 * strand's end tells of windows in another target than the job's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "flow/strand.h"
#include "job/elsewhere.h"

/* Loaded before, and the source has nothing of it now: what is there stays where it is. */
static bool stays_where_it_is(const struct etl_window_work *window, const struct etl_ledger_entry *entry)
{
	return entry->state == ETL_WINDOW_LOADED && !window->counts.in && !window->counts.out &&
		!window->counts.rejected;
}

/* What an older etld has closed: nobody knows where it is. */
static void note_old(const struct etl_watermark *mark, struct etl_targets *out)
{
	if (out->absent && mark->processed.ms > mark->origin.ms)
		etl_targets_note(out, ETL_TARGET_UNKNOWN,
			(struct etl_window){mark->origin, mark->processed});
	out->absent = false;
}

bool etl_strand_note_targets(const struct etl_strand *strand, const struct etl_commit *commit,
	struct etl_targets *out)
{
	const struct etl_strand_work *work = strand->work;
	bool any = false;

	*out = work->plan.watermark.targets;
	note_old(&work->plan.watermark, out);
	for (size_t i = 0; *work->plan.target && i < commit->n_entries; i++) {
		const struct etl_ledger_entry *entry = &commit->entries[i];

		if (!etl_window_is_closed(entry->state) ||
			stays_where_it_is(&work->span.windows[work->slice.window_at + i], entry))
			continue;
		/* Objects lie on no line that could be cut into ranges: they have one place for all. */
		etl_targets_note(out, work->plan.target,
			entry->object.name ? (struct etl_window){{0}, {0}} : entry->window);
		any = true;
	}
	return any;
}

bool etl_strand_is_elsewhere(const struct etl_strand_work *work, const struct etl_due_window *due)
{
	etl_wall start = due->object ? (etl_wall){0} : due->window.start;
	const char *at = etl_targets_at(&work->plan.watermark.targets, start);

	return at && !etl_target_covers(at, work->plan.target) && !etl_streq(at, ETL_TARGET_UNKNOWN);
}

void etl_strand_keep_targets(struct etl_strand *strand)
{
	const struct etl_strand_work *work = strand->work;
	struct etl_elsewhere sum = {.n = 0};

	free(ETL_TAKE(strand->part.elsewhere));
	strand->part.here = 0;
	if (!*work->plan.target)
		return;
	etl_text_copy(sum.target, sizeof sum.target, work->plan.target);
	if (etl_elsewhere_add(&sum, &strand->run->job->window, &work->plan.watermark)) {
		strand->part.elsewhere = ETL_NEW(struct etl_elsewhere);
		*strand->part.elsewhere = sum;
	}
	strand->part.here = sum.here;
}
