/* SPDX-License-Identifier: MIT
 *
 * An operator's changes: of where a watermark stands, and decisions about one unit. As twin_ops.h.
 */
#ifndef TESTS_STATE_TWIN_CHANGE_H
#define TESTS_STATE_TWIN_CHANGE_H

#include "twin_ops.h"

/* The next slice of a change: all of its windows, or none (`n` 0: the change's document alone). */
static void apply(struct side *side, struct change_made *made, int n, struct etl_error *err)
{
	struct etl_watermark w = mark_of(side, made->job, made->partition);
	struct etl_window windows[HOURS];
	struct etl_change_slice slice = {.change = &made->change, .fence = about(w.fence),
		.expected = {roll(8) ? w.processed.ms : H(roll(HOURS)).ms}, .windows = windows,
		.n = (size_t)n, .reason = made->reason, .held = &made->held};

	for (int i = 0; i < n; i++) {
		bool down = made->change.kind == ETL_CHANGE_REWIND;
		int hour = down ? made->last - 1 - i : made->first + i;

		windows[i] = (struct etl_window){H(hour), H(hour + 1)};
		if (made->change.object)
			windows[i] = made->change.unit;
	}
	made->change.from = w.processed;
	say_answer(side, "change", side->s->ops->change_apply(side->s, &slice, err), err);
}

static struct change_made *change_new(struct side *side, enum etl_change_kind kind)
{
	struct change_made *made = &side->changes[side->n_changes];

	snprintf(made->id, sizeof made->id, "01234567-89ab-7def-8123-%012d", side->n_changes);
	made->change = (struct etl_change){.id = made->id, .command = runs[roll(4)], .kind = kind,
		.who = "me", .why = ANY(reasons), .at = H(500 + side->n_changes / 2),
		.to = H(roll(HOURS)), .reached = H(roll(HOURS)), .windows = (int64_t)roll(9),
		.done = roll(4) != 0, .undoes = "", .undone_by = "", .run_id = ""};
	made->reason = roll(2) ? NULL : "$by me";
	made->held = (struct etl_held){.n = 0};
	return made;
}

/* An entry keeps WAS_KEPT states before its own: it gets no more changes than that. */
static bool has_room(const struct side *side, const struct change_made *made)
{
	for (int i = made->first; i < made->last; i++)
		if (side->layers[made->job][made->partition][i] == WAS_KEPT)
			return false;
	return side->n_changes < CHANGES_MAX - 1;
}

/* In one slice; then perhaps once more, as after an answer that was lost. */
static void make(struct side *side, struct change_made *made, struct etl_error *err)
{
	bool again = roll(4) == 0;

	made->change.job = jobs[made->job];
	made->change.partition = partitions[made->partition];
	apply(side, made, made->last - made->first, err);
	if (err->kind != ETL_OK)
		return;
	side->n_changes++;
	for (int i = made->first; i < made->last && made->change.kind != ETL_CHANGE_UNDO &&
		!made->change.object; i++)
		side->layers[made->job][made->partition][i]++;
	if (again)
		apply(side, made, made->last - made->first, err);
}

static void change(struct side *side, struct etl_error *err)
{
	struct change_made *made = change_new(side, roll(2) ? ETL_CHANGE_SET : ETL_CHANGE_REWIND);

	made->job = favoured(JOBS);
	made->partition = favoured(PARTITIONS);
	made->first = (int)roll(HOURS);
	made->last = made->first + (int)roll((uint64_t)(HOURS - made->first) + 1);
	if (has_room(side, made))
		make(side, made, err);
}

struct pick {
	bool held_only;
	uint64_t seen;
	struct etl_ledger_entry of;
};

/* Any of those that are given, each as likely. */
static int pick_one(void *ctx, const struct etl_ledger_entry *e, struct etl_error *err)
{
	struct pick *pick = ctx;

	(void)err;
	if ((!pick->held_only || e->state == ETL_WINDOW_HELD) && roll(++pick->seen) == 0)
		pick->of = *e;
	return 0;
}

/* A unit that is open, as an operator sees it; now and then one of which he knows nothing. */
static void decide(struct side *side, struct etl_error *err)
{
	static const enum etl_change_kind kinds[] = {ETL_CHANGE_ACCEPT, ETL_CHANGE_DISCARD,
		ETL_CHANGE_RELEASE, ETL_CHANGE_RELEASE, ETL_CHANGE_RELEASE};
	struct change_made *made = change_new(side, ANY(kinds));
	uint64_t hour = roll(HOURS);
	struct pick pick = {.held_only = made->change.kind == ETL_CHANGE_RELEASE,
		.of = {.window = {H(hour), H(hour + 1)}, .held = any_held()}};

	made->job = favoured(JOBS);
	made->partition = favoured(PARTITIONS);
	if (roll(8))
		(void)side->s->ops->ledger_scan(side->s, jobs[made->job], partitions[made->partition], NULL,
			ETL_LEDGER_OPEN, pick_one, &pick, err);
	made->first = (int)(pick.of.window.start.ms / H(1).ms);
	made->last = made->first + 1;
	made->held = pick.of.held;
	release_some(&made->held);
	made->change.unit = pick.of.window;
	made->change.run_id = ANY(runs);
	if (has_room(side, made))
		make(side, made, err);
}

static void undo(struct side *side, struct etl_error *err)
{
	const struct change_made *undone;
	struct change_made *made;

	if (!side->n_changes || side->n_changes == CHANGES_MAX - 1)
		return;
	made = change_new(side, ETL_CHANGE_UNDO);
	undone = &side->changes[side->n_changes - 1 - (int)roll(1 + roll((uint64_t)side->n_changes))];
	made->job = undone->job;
	made->partition = undone->partition;
	made->first = undone->first;
	made->last = undone->last;
	made->change.undoes = undone->id;
	made->change.object = undone->change.object;
	made->change.unit = undone->change.unit;
	make(side, made, err);
}

/* The same once more, as after an answer that was lost. */
static void repeat_change(struct side *side, struct etl_error *err)
{
	if (side->n_changes)
		apply(side, &side->changes[roll((uint64_t)side->n_changes)], 0, err);
}

static void changes(struct side *side, struct etl_error *err)
{
	struct etl_change_query query = {.job = ANY(jobs), .partition = roll(2) ? ANY(partitions) : NULL,
		.command = roll(4) ? NULL : ANY(runs), .standing = roll(2), .limit = (int)roll(4)};

	say_answer(side, "changes", etl_change_list(side->s, &query, keep_change, side, err), err);
	say_list(side, false);
}

#endif
