/* SPDX-License-Identifier: MIT
 *
 * A strand and the record of where its windows are and what made them: what a commit adds to it, which
 * windows are stale, and what the strand's end tells of them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "flow/strand.h"
#include "job/definition.h"
#include "job/elsewhere.h"
#include "job/stale.h"

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

static struct etl_maker maker_of(const struct etl_strand *strand)
{
	struct etl_maker by = {.definition = strand->part.partition->definition,
		.since = etl_now(strand->run->env->clock)};

	etl_text_copy(by.target, sizeof by.target, strand->work->plan.target);
	return by;
}

/* Of the windows that were read, from index `at` on, those before `end` that are as they should be. */
static size_t note_current(const struct etl_strand *strand, const struct etl_maker *by, size_t at,
	etl_wall end, struct etl_targets *out)
{
	const struct etl_ledger_part *ledger = &strand->work->plan.ledger;

	for (; at < ledger->n && ledger->entries[at].window.start.ms < end.ms; at++) {
		const struct etl_ledger_brief *brief = &ledger->entries[at];

		if (brief->definition == by->definition && etl_window_is_closed(brief->state))
			etl_targets_note_by(out, by, brief->window);
	}
	return at;
}

/* Where the next window begins that is stale. */
static etl_wall next_stale(const struct etl_ledger_part *ledger, size_t at)
{
	while (at < ledger->n && !ledger->entries[at].stale)
		at++;
	return (etl_wall){at < ledger->n ? ledger->entries[at].window.start.ms : INT64_MAX};
}

/* Those before and behind the commit's, up to the next stale one on either side: a commit's own are
 * adjacent, and in order. Where the list of ranges was full, this makes it sharp again. Example: of a
 * mixed range 00:00 to 24:00 the hours 03 and 09 are stale. The commit of 03 leaves 00:00 to 09:00 sharp,
 * the one of 09 all of it. */
static void note_around(const struct etl_strand *strand, const struct etl_commit *commit,
	const struct etl_maker *by, struct etl_targets *out)
{
	const struct etl_ledger_part *ledger = &strand->work->plan.ledger;
	etl_wall last = commit->entries[commit->n_entries - 1].window.start;
	size_t at = note_current(strand, by, 0, commit->entries[0].window.start, out);

	while (at < ledger->n && ledger->entries[at].window.start.ms <= last.ms)
		at++;
	note_current(strand, by, at, next_stale(ledger, at), out);
}

/* False: the slice closes nothing, and the stored list stays as it is. */
bool etl_strand_note_targets(const struct etl_strand *strand, const struct etl_commit *commit,
	struct etl_targets *out)
{
	const struct etl_strand_work *work = strand->work;
	const struct etl_maker by = maker_of(strand);
	bool any = false;

	*out = work->plan.watermark.targets;
	note_old(&work->plan.watermark, out);
	for (size_t i = 0; *by.target && i < commit->n_entries; i++) {
		const struct etl_ledger_entry *entry = &commit->entries[i];

		if (!etl_window_is_closed(entry->state) ||
			stays_where_it_is(&work->span.windows[work->slice.window_at + i], entry))
			continue;
		/* Objects lie on no line that could be cut into ranges: they have one place for all. */
		etl_targets_note_by(out, &by,
			entry->object.name ? (struct etl_window){{0}, {0}} : entry->window);
		any = true;
	}
	if (any && by.definition && etl_run_wants_stale(strand->run))
		note_around(strand, commit, &by, out);
	return any;
}

/* Of a mixed range an entry without a definition tells nothing, and one of a definition that is not on
 * the list any more may be anywhere. */
bool etl_strand_is_elsewhere(const struct etl_strand *strand, const struct etl_ledger_brief *had)
{
	const struct etl_plan_work *plan = &strand->work->plan;
	/* An object's is that of all: see above. */
	etl_wall start = strand->run->job->window.none ? (etl_wall){0} : had->window.start;
	const struct etl_maker *maker =
		etl_targets_maker(&plan->watermark.targets, start, had->definition);

	if (!maker)
		return had->definition && had->definition != strand->part.partition->definition;
	return !etl_target_covers(maker->target, plan->target) &&
		!etl_streq(maker->target, ETL_TARGET_UNKNOWN);
}

void etl_strand_mark_stale(struct etl_strand *strand)
{
	struct etl_plan_work *plan = &strand->work->plan;
	const struct etl_current current = {strand->part.partition->definition, plan->target,
		&plan->watermark.targets};

	for (size_t i = 0; i < plan->ledger.n; i++) {
		struct etl_ledger_brief *brief = &plan->ledger.entries[i];

		brief->stale = etl_stale_of(&current, brief->state, brief->definition,
			brief->window.start) != ETL_STALE_NOT;
	}
}

etl_wall etl_strand_stale_from(const struct etl_strand *strand, etl_wall from)
{
	const struct etl_target_range *range =
		etl_targets_range(&strand->work->plan.watermark.targets, from);

	return range && range->maker == ETL_TARGET_MIXED ? range->windows.start : from;
}

/* How many windows are in another target than the job's is told at the end of the run. */
void etl_strand_keep_targets(struct etl_strand *strand)
{
	const struct etl_strand_work *work = strand->work;
	struct etl_elsewhere sum = {.n = 0};

	free(ETL_TAKE(strand->part.elsewhere));
	strand->part.here = 0;
	if (!*work->plan.target)
		return;
	etl_text_copy(sum.target, sizeof sum.target, work->plan.target);
	sum.definition = strand->part.partition->definition;
	if (etl_elsewhere_add(&sum, &strand->run->job->window, &work->plan.watermark)) {
		strand->part.elsewhere = ETL_NEW(struct etl_elsewhere);
		*strand->part.elsewhere = sum;
	}
	strand->part.here = sum.here;
}
