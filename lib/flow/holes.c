/* SPDX-License-Identifier: MIT
 *
 * Holes behind the watermark: windows that the ledger should have and has not, because a
 * document was deleted or a restored backup is older than the watermark. A count tells whether
 * there are any; only then the ledger is read from its begin. What is found is planned as
 * pending, oldest first, like any open window. Reads the store; writes nothing.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "flow/strand.h"

/* The law of holes: every window between the origin and the watermark has an entry in the ledger,
 * since the watermark moves only over closed ones. If there are fewer entries than windows, some
 * were lost, and lost windows are due again: nobody can say what became of them. The count is cheap
 * (an index), so that every first run of a job since the start of the daemon, and one a day, can
 * afford it.
 *
 * Example, hourly, origin 1 March, watermark 3 March: 48 windows. The count says 47; the ledger is
 * read from 1 March on, 2 March 07:00 is missing, and is planned as if it had never been tried.
 * While the size of the windows has changed since (mark->window_ms), 48 says nothing: then nobody
 * looks. */
static bool can_tell(const struct etl_strand *strand)
{
	const struct etl_run *run = strand->run;
	const struct etl_watermark *mark = &strand->work->plan.watermark;

	return run->seek_holes && !etl_run_is_asked(run) && !run->job->window.none &&
		mark->window_ms == etl_window_longest_ms(&run->job->window) &&
		mark->processed.ms > mark->origin.ms;
}

int etl_holes_look(struct etl_strand *strand, struct etl_window *range, struct etl_error *err)
{
	const struct etl_watermark *mark = &strand->work->plan.watermark;
	struct etl_state *state = strand->run->env->state;
	struct etl_window behind = {mark->origin, mark->processed};
	uint64_t n = 0;

	if (!can_tell(strand))
		return 0;
	if (state->ops->ledger_count(state, strand->run->job->name, strand->part.partition->name, &behind,
		    &n, err) < 0)
		return -1;
	if (n >= etl_grid_count(&strand->run->job->window.grid, behind))
		return 0;
	if (range->start.ms > behind.start.ms)
		range->start = behind.start;
	return 1;
}

static void keep(struct etl_ledger_part *part, const struct etl_ledger_brief *brief)
{
	ETL_GROW(part->entries, part->n, part->cap);
	part->entries[part->n++] = *brief;
}

void etl_holes_add(struct etl_strand_work *work, const struct etl_window_rules *rules)
{
	struct etl_ledger_part all = {0}, *had = &work->plan.ledger;
	size_t i = 0;
	etl_wall covered = work->plan.watermark.origin; /* some entry reaches so far */

	for (struct etl_window window = etl_window_at(rules, work->plan.watermark.origin);
		window.start.ms < work->plan.watermark.processed.ms;
		window = etl_grid_after(&rules->grid, window)) {
		struct etl_ledger_brief hole = {.window = window};

		for (; i < had->n && had->entries[i].window.start.ms <= window.start.ms; i++) {
			if (had->entries[i].window.end.ms > covered.ms)
				covered = had->entries[i].window.end;
			keep(&all, &had->entries[i]);
		}
		/* An entry of an older grid that reaches in has loaded a part of it: no hole. */
		if (covered.ms > window.start.ms ||
			(i < had->n && had->entries[i].window.start.ms < window.end.ms))
			continue;
		keep(&all, &hole);
	}
	for (; i < had->n; i++)
		keep(&all, &had->entries[i]);
	free(had->entries);
	*had = all;
}
