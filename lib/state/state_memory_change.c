/* SPDX-License-Identifier: MIT
 *
 * The store in memory: an operator's changes of a watermark. Each change keeps what its windows
 * were, as the MongoDB store keeps it in the entries.
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

/* The change's row, made or brought up to date. `undone_by` is the undo's word, not the change's. */
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

/* The undo at hand is done: what it took back says so. */
static void mark_undone(struct memory *m, const struct etl_change *undo)
{
	struct etl_error ignored = ETL_ERROR_INIT; /* it is one of ours */
	struct etl_change undone;

	if (etl_changes.decode(etl_memory_doc(m, &etl_changes, undo->undoes), &undone, &ignored) < 0)
		return;
	undone.undone_by = undo->id;
	put_change(m, &undone);
}

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

static void skip_window(struct memory *m, const struct etl_change_slice *slice,
	struct change_row *row, struct etl_window window)
{
	const struct etl_change *c = slice->change;
	struct etl_ledger_entry *entry =
		etl_memory_entry(m, c->job, c->partition, window.start);
	enum etl_window_state was = entry ? entry->state : ETL_WINDOW_PENDING;

	if (entry && etl_window_is_closed(entry->state))
		return;
	note_touched(row, window, entry);
	if (!entry)
		entry = etl_memory_entry_new(m, c->job, c->partition, window);
	put_state(slice, entry, was, etl_now(m->base.clock));
	entry->state = ETL_WINDOW_SKIPPED;
	entry->dirty = false;
}

static void open_window(struct memory *m, const struct etl_change_slice *slice,
	struct change_row *row, struct etl_window window)
{
	const struct etl_change *c = slice->change;
	struct etl_ledger_entry *entry =
		etl_memory_entry(m, c->job, c->partition, window.start);

	if (!entry || !etl_window_is_closed(entry->state))
		return;
	note_touched(row, window, entry);
	put_state(slice, entry, entry->state, etl_now(m->base.clock));
	entry->state = ETL_WINDOW_PENDING;
}

/* The word of an operator, about what holds the entry now. */
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

static void release_window(struct memory *m, const struct etl_change_slice *slice,
	struct change_row *row, struct etl_window window)
{
	const struct etl_change *c = slice->change;
	struct etl_ledger_entry *entry =
		etl_memory_entry(m, c->job, c->partition, window.start);

	if (!entry || entry->state != ETL_WINDOW_HELD || etl_streq(entry->change_id, c->id))
		return;
	note_touched(row, window, entry);
	put_state(slice, entry, entry->state, etl_now(m->base.clock));
	put_waiver(&entry->held, slice->held);
	if (etl_held_is_free(slice->held))
		entry->state = ETL_WINDOW_PENDING;
}

/* A set goes up, a rewind down: its windows are in that order. */
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

/* What the change touched is as it was; a mark that came in after it stays, with its reason, and so
 * does what an attempt has told since. */
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

static void restore_window(struct memory *m, const struct etl_change_slice *slice,
	const struct change_row *undone, struct etl_window window)
{
	const struct etl_change *c = slice->change;
	struct etl_ledger_entry *entry =
		etl_memory_entry(m, c->job, c->partition, window.start);
	const struct touched *touched = touched_in(undone, window.start);

	if (!entry || !touched || !etl_streq(entry->change_id, c->undoes))
		return;
	if (touched->absent && !entry->dirty) {
		etl_memory_entry_remove(m, c->job, c->partition, window.start);
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

static void apply(struct memory *m, const struct etl_change_slice *slice)
{
	const struct etl_change *c = slice->change;
	struct change_row *row = row_save(m, c);
	struct change_row *undone = c->kind == ETL_CHANGE_UNDO ? row_of(m, c->undoes) : NULL;

	for (size_t i = 0; i < slice->n; i++) {
		if (c->kind == ETL_CHANGE_SET || c->kind == ETL_CHANGE_ACCEPT ||
			c->kind == ETL_CHANGE_DISCARD)
			skip_window(m, slice, row, slice->windows[i]);
		else if (c->kind == ETL_CHANGE_REWIND)
			open_window(m, slice, row, slice->windows[i]);
		else if (c->kind == ETL_CHANGE_RELEASE)
			release_window(m, slice, row, slice->windows[i]);
		else if (undone)
			restore_window(m, slice, undone, slice->windows[i]);
	}
	if (undone && c->done)
		mark_undone(m, c);
}

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
