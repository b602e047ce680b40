/* SPDX-License-Identifier: MIT
 *
 * Holes behind the watermark: windows that the ledger should have and has not, because a
 * document was deleted or a restored backup is older than the watermark. A count tells whether
 * there are any; only then the ledger is read from its begin. What is found is planned as
 * pending, oldest first, like any open window. Reads the store; writes nothing.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "job/strand.h"

/* Worth a look: the whole history on today's grid. */
static bool can_tell(const struct etl_strand *strand)
{
	const struct etl_run *run = strand->run;
	const struct etl_watermark *mark = &strand->work->watermark;

	return run->audit && !etl_run_is_asked(run) && !run->job->window.none &&
		mark->window_ms == etl_dur_ms(run->job->window.size) &&
		mark->processed.ms > mark->origin.ms;
}

int etl_holes_look(struct etl_strand *strand, struct etl_window *range, struct etl_error *err)
{
	const struct etl_watermark *mark = &strand->work->watermark;
	struct etl_state *state = strand->run->env->state;
	struct etl_window behind = {mark->origin, mark->processed};
	uint64_t n = 0;

	if (!can_tell(strand))
		return 0;
	if (state->ops->ledger_count(state, strand->run->job->name, strand->partition->name, &behind,
		    &n, err) < 0)
		return -1;
	if (n >= (uint64_t)((behind.end.ms - behind.start.ms) / mark->window_ms))
		return 0;
	if (range->start.ms > behind.start.ms)
		range->start = behind.start;
	return 1;
}

static void keep(struct etl_ledger_brief **list, size_t *n, size_t *cap,
	const struct etl_ledger_brief *brief)
{
	ETL_GROW(*list, *n, *cap);
	(*list)[(*n)++] = *brief;
}

void etl_holes_add(struct etl_strand_work *work, const struct etl_window_rules *rules)
{
	struct etl_ledger_brief *all = NULL;
	size_t n = 0, cap = 0, i = 0;
	etl_wall covered = work->watermark.origin; /* some entry reaches so far */

	for (etl_wall at = etl_window_at(rules, work->watermark.origin).start;
		at.ms < work->watermark.processed.ms; at = etl_wall_add(at, rules->size)) {
		struct etl_ledger_brief hole = {.window = {at, etl_wall_add(at, rules->size)}};

		for (; i < work->n_briefs && work->briefs[i].window.start.ms <= at.ms; i++) {
			if (work->briefs[i].window.end.ms > covered.ms)
				covered = work->briefs[i].window.end;
			keep(&all, &n, &cap, &work->briefs[i]);
		}
		/* An entry of an older grid that reaches in has loaded a part of it: no hole. */
		if (covered.ms > at.ms ||
			(i < work->n_briefs && work->briefs[i].window.start.ms < hole.window.end.ms))
			continue;
		keep(&all, &n, &cap, &hole);
	}
	for (; i < work->n_briefs; i++)
		keep(&all, &n, &cap, &work->briefs[i]);
	free(work->briefs);
	work->briefs = all;
	work->n_briefs = n;
	work->briefs_cap = cap;
}
