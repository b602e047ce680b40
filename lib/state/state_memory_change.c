/* SPDX-License-Identifier: MIT
 *
 * The store in memory: an operator's changes of a watermark. Each change keeps what its windows
 * were, as the MongoDB store keeps it in the entries. The twin of state_mongodb_change.c; the
 * lock takes the place of the transaction, so a slice is never half in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "state/doc_read.h"
#include "state/memory.h"

void etl_memory_changes_fini(struct memory *m)
{
	for (size_t i = 0; i < m->n_changes; i++)
		free(m->changes[i].touched);
	free(m->changes);
}

static struct change_row *row_of(struct memory *m, const char *id)
{
	for (size_t i = 0; i < m->n_changes; i++)
		if (etl_streq(m->changes[i].id, id))
			return &m->changes[i];
	return NULL;
}

static void put_change(struct memory *m, const struct etl_change *change)
{
	bson_t doc = BSON_INITIALIZER;

	etl_changes.encode(change, &doc);
	etl_memory_doc_put(m, &etl_changes, &doc);
	bson_destroy(&doc);
}

/* Gives the change's row, made or brought up to date. `undone_by` is set by the undo alone, so
 * what is stored of it stays. */
static struct change_row *row_save(struct memory *m, const struct etl_change *change)
{
	const bson_t *stored = etl_memory_doc(m, &etl_changes, change->id);
	struct change_row *row = row_of(m, change->id);
	struct etl_change given = *change;

	given.undone_by = stored ? etl_doc_text(stored, "undone_by") : "";
	put_change(m, &given);
	if (row)
		return row;
	ETL_GROW(m->changes, m->n_changes, m->changes_cap);
	row = &m->changes[m->n_changes++];
	*row = (struct change_row){.kind = change->kind};
	etl_text_copy(row->id, sizeof row->id, change->id);
	return row;
}

/* The undo has written its last slice: the change that it took back bears its id. */
static void mark_undone(struct memory *m, const struct etl_change *undo)
{
	struct etl_error ignored = ETL_ERROR_INIT; /* it is one of ours */
	struct etl_change undone;

	if (etl_changes.decode(etl_memory_doc(m, &etl_changes, undo->undoes), &undone, &ignored) < 0)
		return;
	undone.undone_by = undo->id;
	put_change(m, &undone);
}

/* The whole entry is kept and not its state alone: an undo gives back reason, mark and waiver
 * as well. */
static void note_touched(struct change_row *row, struct etl_window window,
	const struct etl_ledger_entry *before)
{
	struct touched *touched;

	ETL_GROW(row->touched, row->n, row->cap);
	touched = &row->touched[row->n++];
	*touched = (struct touched){.window = window, .absent = !before};
	if (before)
		touched->before = *before;
}

/* `was` is the state before the change, which a plan of an undo reads from the entry without a
 * look at the change. */
static void put_state(const struct etl_change_slice *slice, struct etl_ledger_entry *entry,
	enum etl_window_state was, etl_wall now)
{
	const struct etl_change *c = slice->change;

	entry->was = was;
	entry->fence = slice->fence;
	entry->updated = now;
	snprintf(entry->reason, sizeof entry->reason, "%s", slice->reason ? slice->reason : c->why);
	snprintf(entry->change_id, sizeof entry->change_id, "%s", c->id);
}

static bool has_newer_held(const struct etl_ledger_entry *entry)
{
	return (entry->state == ETL_WINDOW_LOADED || entry->state == ETL_WINDOW_EMPTY) && entry->dirty &&
		entry->held.n;
}

/* A closed one whose newer content is held stays what it is, and is asked for no more. */
static void leave_window(struct memory *m, const struct etl_change_slice *slice, struct change_row *row,
	struct etl_ledger_entry *entry)
{
	if (!has_newer_held(entry) || etl_streq(entry->change_id, slice->change->id))
		return;
	note_touched(row, entry->window, entry);
	put_state(slice, entry, entry->state, etl_now(m->base.clock));
	entry->dirty = false;
}

/* A window that is closed keeps its state; what is made here is noted as absent before, for the
 * undo. */
static void skip_window(struct memory *m, const struct etl_change_slice *slice,
	struct change_row *row, struct etl_unit_key unit)
{
	const struct etl_change *c = slice->change;
	struct etl_ledger_entry *entry =
		etl_memory_entry(m, c->job, c->partition, &unit);
	enum etl_window_state was = entry ? entry->state : ETL_WINDOW_PENDING;

	if (entry && c->kind == ETL_CHANGE_DISCARD && etl_window_is_closed(entry->state)) {
		leave_window(m, slice, row, entry);
		return;
	}
	if (entry && etl_window_is_closed(entry->state))
		return;
	note_touched(row, unit.window, entry);
	if (!entry)
		entry = etl_memory_entry_new(m, c->job, c->partition, &unit);
	put_state(slice, entry, was, etl_now(m->base.clock));
	entry->state = ETL_WINDOW_SKIPPED;
	entry->dirty = false;
}

/* Only a closed window is opened: a slice that is applied again finds it pending and notes
 * nothing twice. */
static void open_window(struct memory *m, const struct etl_change_slice *slice,
	struct change_row *row, struct etl_unit_key unit)
{
	const struct etl_change *c = slice->change;
	struct etl_ledger_entry *entry =
		etl_memory_entry(m, c->job, c->partition, &unit);

	if (!entry || !etl_window_is_closed(entry->state))
		return;
	note_touched(row, unit.window, entry);
	put_state(slice, entry, entry->state, etl_now(m->base.clock));
	entry->state = ETL_WINDOW_PENDING;
}

/* Puts an operator's word about the checks that hold the entry now. A check that was released
 * before but holds no longer is dropped, one that has come since is not released by an older
 * word. */
static void put_waiver(struct etl_held *held, const struct etl_held *word)
{
	if (!held->n)
		return;
	memcpy(held->by, word->by, sizeof held->by);
	held->at = word->at;
	for (size_t i = 0; i < held->n; i++) {
		held->checks[i].released = false;
		for (size_t k = 0; k < word->n; k++)
			held->checks[i].released |= word->checks[k].released &&
				etl_held_is_same(&held->checks[i], &word->checks[k]);
	}
}

/* A unit that this change has released already is left alone, so that a repeat of the slice
 * changes nothing. */
static void release_window(struct memory *m, const struct etl_change_slice *slice,
	struct change_row *row, struct etl_unit_key unit)
{
	const struct etl_change *c = slice->change;
	struct etl_ledger_entry *entry =
		etl_memory_entry(m, c->job, c->partition, &unit);

	if (!entry || (entry->state != ETL_WINDOW_HELD && !has_newer_held(entry)) ||
		etl_streq(entry->change_id, c->id))
		return;
	note_touched(row, unit.window, entry);
	put_state(slice, entry, entry->state, etl_now(m->base.clock));
	put_waiver(&entry->held, slice->held);
	if (etl_held_is_free(slice->held) && entry->state == ETL_WINDOW_HELD)
		entry->state = ETL_WINDOW_PENDING;
}

/* A set touches its windows in ascending order and a rewind in descending order; the halving
 * follows that. */
static const struct touched *touched_in(const struct change_row *row, etl_wall start)
{
	bool down = row->kind == ETL_CHANGE_REWIND;
	size_t low = 0, high = row->n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int64_t at = row->touched[middle].window.start.ms;

		if (at == start.ms)
			return &row->touched[middle];
		if (down ? at > start.ms : at < start.ms)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* What the change touched becomes what it was. A mark that came after it stays, with its
 * reason, and so does what an attempt has written since. */
static void restore_entry(struct etl_ledger_entry *entry, const struct etl_ledger_entry *before)
{
	if (!entry->dirty || before->dirty)
		memcpy(entry->reason, before->reason, sizeof entry->reason);
	memcpy(entry->change_id, before->change_id, sizeof entry->change_id);
	entry->state = before->state;
	entry->was = before->was;
	entry->dirty |= before->dirty;
	put_waiver(&entry->held, &before->held);
}

/* Only what still bears the undone change is touched: a run that has loaded the window since
 * has replaced the entry, and its data must not become pending by an undo. */
static void restore_window(struct memory *m, const struct etl_change_slice *slice,
	const struct change_row *undone, struct etl_unit_key unit)
{
	const struct etl_change *c = slice->change;
	struct etl_ledger_entry *entry =
		etl_memory_entry(m, c->job, c->partition, &unit);
	const struct touched *touched = touched_in(undone, unit.window.start);

	if (!entry || !touched || !etl_streq(entry->change_id, c->undoes))
		return;
	if (touched->absent && !entry->dirty) {
		etl_memory_entry_remove(m, c->job, c->partition, &unit);
		return;
	}
	if (touched->absent) {
		entry->state = ETL_WINDOW_PENDING;
		entry->change_id[0] = '\0';
	} else {
		restore_entry(entry, &touched->before);
	}
	entry->fence = slice->fence;
	entry->updated = etl_now(m->base.clock);
}

/* The undone change is marked by the last slice alone: until then the same undo may be asked
 * for again. */
static void apply(struct memory *m, const struct etl_change_slice *slice)
{
	const struct etl_change *c = slice->change;
	struct change_row *row = row_save(m, c);
	struct change_row *undone = c->kind == ETL_CHANGE_UNDO ? row_of(m, c->undoes) : NULL;

	for (size_t i = 0; i < slice->n; i++) {
		struct etl_unit_key unit = etl_slice_unit(slice, i);

		if (c->kind == ETL_CHANGE_SET || c->kind == ETL_CHANGE_ACCEPT ||
			c->kind == ETL_CHANGE_DISCARD)
			skip_window(m, slice, row, unit);
		else if (c->kind == ETL_CHANGE_REWIND)
			open_window(m, slice, row, unit);
		else if (c->kind == ETL_CHANGE_RELEASE)
			release_window(m, slice, row, unit);
		else if (undone)
			restore_window(m, slice, undone, unit);
	}
	if (undone && c->done)
		mark_undone(m, c);
}

/* Fence and expected watermark are compared before anything is written, as by the filter of the
 * MongoDB store. */
int etl_memory_change_apply(struct etl_state *s, const struct etl_change_slice *slice,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	const struct etl_change *c = slice->change;
	struct watermark_row *row = etl_memory_mark(m, c->job, c->partition);

	if (!row || row->mark.fence != slice->fence ||
		row->mark.processed.ms != slice->expected.ms)
		return etl_memory_unlock(m, etl_error_set(err, ETL_CONFLICT, "state.fenced",
			"the watermark of partition '%s' of job '%s' was moved by somebody else",
			c->partition, c->job));
	apply(m, slice);
	row->mark.processed = c->reached;
	row->mark.updated = etl_now(m->base.clock);
	row->mark.run_id[0] = '\0';
	return etl_memory_unlock(m, 0);
}
