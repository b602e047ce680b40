/* SPDX-License-Identifier: MIT
 *
 * The commit step: ledger, watermark and dirty marks of one slice, in the transaction that
 * holds its data. The only caller of the watermark's writer. What it counts it counts after
 * the commit is known to be in.
 *
 * The order of a visit, and why: rejects are stored first (they may be there twice, never lost),
 * entries and marks are made, the watermark is computed as it will be, then all of it goes to the
 * store in one call. Only when that has said "in" are counts, messages and the part's watermark
 * touched, so that a slice that is done again is counted once.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "flow/strand.h"
#include "time/backoff.h"

/* The whole slice again after a short wait, if the store says that nothing is in. "txn.retry" is
 * the store's word that nothing is in and the same may go well: two writers have met, or a primary
 * has stepped down. Everything else goes through failure.c, with the span read anew. */
struct etl_go etl_slice_again(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	struct etl_run *run = strand->run;
	etl_dur spent = etl_mono_diff(etl_mono_now(run->env->clock), work->slice.began);

	if (work->slice.txn)
		run->env->state->ops->abort(run->env->state, ETL_TAKE(work->slice.txn));
	if (err->kind != ETL_TRANSIENT || strcmp(err->code, "txn.retry") != 0 ||
		spent.us > ETL_SECONDS(ETL_SLICE_SECONDS).us)
		return etl_go(ETL_AT_FAILED);
	strand->part.wait = etl_backoff_transaction(work->slice.attempt,
		etl_hash64(run->run_id, sizeof run->run_id, work->slice.attempt));
	return etl_go_when(ETL_NEED_TIMER, ETL_AT_LOAD);
}

/* Counts what became of one row; true if it changed the target. A row with the key of one that an
 * earlier slice of its window brought in takes that one's place, whatever the sink saw. */
static bool row_written(const struct etl_load_result *result, size_t at, bool repeats,
	struct etl_counts *written)
{
	bool created = etl_bit(result->created, at), changed = etl_bit(result->changed, at);

	switch ((enum etl_load_fate)result->fates[at]) {
	case ETL_LOAD_OVERWRITTEN:
		written->overwritten++;
		return false;
	case ETL_LOAD_STALE:
		written->stale++;
		return false;
	case ETL_LOAD_REFUSED:
		written->refused++;
		return false;
	case ETL_LOAD_AS_BITS:
		break;
	}
	written->overwritten += repeats;
	written->inserted += created && !repeats;
	written->updated += changed && !created && !repeats;
	written->unchanged += !changed && !repeats;
	return changed;
}

/* Whether row `at` of the slice, the `row`-th of the window, has the key of a row of an earlier
 * slice. The first one is kept for the warning. Only a slice's first window can have begun before.
 */
static bool row_repeats(const struct etl_strand_work *work, struct etl_window_work *window, size_t row,
	size_t at)
{
	const struct etl_load_result *result = &work->slice.result;

	if (window != &work->span.windows[work->slice.window_at] ||
		result->fates[at] == ETL_LOAD_REFUSED ||
		!etl_repeats_has(&work->slice.repeats, result->identities[at]))
		return false;
	if (!window->repeated++)
		window->repeated_at = work->slice.sorted[window->first + row].record->position;
	return true;
}

/* Whether any of the slice's records of this window changed the target. `*at` walks the
 * slice, whose records are in the order of the windows. Where the data goes first, an earlier
 * attempt may have written it without telling anybody: there the ledger's hash decides. */
static bool window_changed(const struct etl_strand *strand, size_t window, size_t *at)
{
	const struct etl_strand_work *work = strand->work;
	struct etl_window_work *w = &work->span.windows[window];
	size_t begin = window == work->slice.window_at ? work->slice.record_at : 0;
	size_t end = window == work->slice.window_to ? work->slice.record_to : w->n;
	bool changed = false;

	w->written = (struct etl_counts){.unchanged = w->unchanged ? w->n : 0};
	if (w->hold || w->fail)
		w->written = (struct etl_counts){.withheld = w->n};
	if (w->unchanged || w->hold || w->fail)
		return false;
	w->repeated = 0;
	for (size_t i = begin; i < end; i++, (*at)++) {
		changed |= row_written(&work->slice.result, *at, row_repeats(work, w, i, *at), &w->written);
		changed |= work->slice.beside && etl_bit(work->slice.beside, *at);
	}
	if (!etl_loads_are_joined(strand))
		changed |= end > begin && !w->same;
	return changed;
}

/* A mark says to a dependant's ledger: this window is to be read again. */
struct marks {
	struct etl_dirty_mark *marks;
	size_t n, cap;
};

/* Each window once: hours of one day all mark the dependant's day. */
static void mark_one(struct marks *marks, const char *job, const char *partition,
	struct etl_window window)
{
	for (size_t i = marks->n; i-- > 0;) /* neighbours share their day: look at the last ones */
		if (strcmp(marks->marks[i].job, job) == 0 &&
			strcmp(marks->marks[i].partition, partition) == 0 &&
			marks->marks[i].window.start.ms == window.start.ms)
			return;
	ETL_GROW(marks->marks, marks->n, marks->cap);
	marks->marks[marks->n++] = (struct etl_dirty_mark){job, partition, window};
}

/* Every window of a dependant that overlaps a changed one. Of the dependant the partition with our
 * name if it has one, else all of them, as upstream.c asks the other way round. Nothing is marked
 * before its start or beyond its end, where it has no windows. */
static void mark_dependants(const struct etl_strand *strand, const struct etl_window *changed,
	struct marks *marks)
{
	const struct etl_job *job = strand->run->job;

	for (size_t k = 0; k < job->n_dependants && !job->window.none; k++) {
		const struct etl_job *dep = job->dependants[k];
		const struct etl_partition *same = etl_job_partition(dep, strand->part.partition->name);

		if (dep->window.none || changed->end.ms <= dep->window.grid.start.ms)
			continue;
		int64_t last_ms = dep->window.end.ms ? dep->window.end.ms : INT64_MAX;
		for (struct etl_window w = etl_window_at(&dep->window, changed->start);
			w.start.ms < changed->end.ms && w.end.ms <= last_ms;
			w = etl_grid_after(&dep->window.grid, w))
			for (size_t p = 0; p < dep->n_partitions; p++)
				if (!same || same == &dep->partitions[p])
					mark_one(marks, dep->name, dep->partitions[p].name, w);
	}
}

/* One entry for each window that the slice ends, and one (running) for that which goes on in the
 * next. */
static void fill_entries(struct etl_strand *strand, struct etl_commit *commit,
	struct marks *marks)
{
	struct etl_strand_work *work = strand->work;
	bool partial = work->slice.window_to < work->walk.span.n && work->slice.record_to > 0;
	size_t last = work->slice.window_to + (partial ? 1 : 0);
	size_t at = 0;

	commit->entries = etl_calloc(last - work->slice.window_at, sizeof *commit->entries);
	for (size_t w = work->slice.window_at; w < last; w++) {
		struct etl_window_work *window = &work->span.windows[w];
		bool whole = w < work->slice.window_to && etl_slice_ends(work);

		if (window_changed(strand, w, &at)) {
			window->changed = true;
			mark_dependants(strand, &window->due->window, marks);
		}
		window->written.rejected = window->written.refused;
		window->judged = !window->fail;
		if (whole)
			etl_window_judge(strand, window);
		window->judged &= window->fail;
		etl_slice_entry(strand, window, whole, &commit->entries[commit->n_entries++]);
	}
}

/* Read again, and refused or held now: what was loaded before stays, and a window behind the
 * watermark never opens again. Only the reason is noted, as for any attempt that failed, and what holds
 * its newer content: `held list` has it, until that passes or somebody decides. */
static bool stays_closed(const struct etl_strand_work *work, const struct etl_ledger_entry *entry,
	const struct etl_due_window *due)
{
	return !etl_window_is_closed(entry->state) && entry->state != ETL_WINDOW_RUNNING &&
		etl_window_is_closed(due->had.state) &&
		entry->window.end.ms <= work->plan.watermark.processed.ms;
}

/* Those entries go from the commit's to the marks'. */
static void part_entries(const struct etl_strand_work *work, const struct etl_commit *all,
	struct etl_commit *commit, struct etl_commit *noted)
{
	*commit = *noted = *all;
	commit->n_entries = noted->n_entries = 0;
	commit->entries = etl_calloc(all->n_entries, sizeof *all->entries);
	noted->entries = etl_calloc(all->n_entries, sizeof *all->entries);
	for (size_t i = 0; i < all->n_entries; i++) {
		const struct etl_window_work *window = &work->span.windows[work->slice.window_at + i];
		struct etl_commit *to =
			stays_closed(work, &all->entries[i], window->due) ? noted : commit;

		to->entries[to->n_entries++] = all->entries[i];
	}
}

/* Marks what the slice closes and what it leaves open, so that the watermark can be computed;
 * undone on failure. */
static void set_done(struct etl_strand_work *work, const struct etl_commit *commit, bool in)
{
	for (size_t i = 0; i < commit->n_entries; i++) {
		struct etl_due_window *due = work->span.windows[work->slice.window_at + i].due;
		bool closed = etl_window_is_closed(commit->entries[i].state);

		due->done = in && closed;
		due->left_open = in && !closed && !stays_closed(work, &commit->entries[i], due);
	}
}

/* The slice is not in: its next attempt writes the rows of such a window too, and hears anew that
 * they are refused. */
static void forget_judgements(struct etl_strand_work *work, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct etl_window_work *window = &work->span.windows[work->slice.window_at + i];

		if (!window->judged)
			continue;
		window->judged = window->fail = false;
		window->code = NULL;
		window->reason[0] = '\0';
	}
}

/* What a load warns of is no fault of a row: it is counted by rule. An own `_id` that the key
 * replaces is told, but nothing to worry about. */
static void count_notes(struct etl_strand *strand)
{
	const struct etl_load_result *r = &strand->work->slice.result;
	struct etl_slice_notes *notes = &strand->work->span.notes;

	notes->warnings += r->keys.n + r->versions.n;
	etl_tally_add(&notes->warned, "load", "overwritten", "", r->keys.first, r->keys.n);
	etl_tally_add(&notes->warned, "load", "version", "", r->versions.first, r->versions.n);
	etl_tally_add(&notes->warned, "load", "_id", "", r->ids.first, r->ids.n);
}

/* Repeats over slices, of a slice that is in. */
static void count_repeats(struct etl_strand *strand, struct etl_window_work *window)
{
	char text[200];

	if (!window->repeated)
		return;
	snprintf(text, sizeof text, "record %llu of its answer has the key of an earlier one of its window, "
		"in whose place it is", (unsigned long long)window->repeated_at);
	strand->work->span.notes.warnings += window->repeated;
	etl_tally_add(&strand->work->span.notes.warned, "load", "overwritten", "", text, window->repeated);
	window->repeated = 0;
}

/* It had records, and now the source gives none: what was loaded stays, and somebody should know.
 */
static void warn_of_loss(struct etl_strand *strand, const struct etl_window_work *window)
{
	const struct etl_counts *c = &window->counts;

	if (!window->due->had.was_loaded || window->fail || window->hold || c->in || c->out || c->rejected)
		return;
	strand->part.warnings++;
	etl_tally_add(&strand->part.warned, "extract", "gone", "",
		"the source has no record of a window any more that had some: what was loaded stays", 1);
}

/* The rows of the slice's last window are its last ones. Only rows that are in can be repeated by
 * later ones. */
static void keep_keys(struct etl_strand *strand, size_t rows)
{
	struct etl_strand_work *work = strand->work;
	bool was_full = work->slice.repeats.full;

	for (size_t i = work->slice.result.n - rows; i < work->slice.result.n; i++)
		if (work->slice.result.fates[i] != ETL_LOAD_REFUSED)
			etl_repeats_add(&work->slice.repeats, work->slice.result.identities[i]);
	if (work->slice.repeats.full && !was_full)
		etl_tally_add(&strand->part.warned, "load", "overwritten", "",
			"a window has more keys than are compared with each other (131072): further rows "
			"with one key count as updated", 1);
}

/* The rows of a slice that is in, of a window that goes on. */
static void keep_partial(struct etl_strand *strand, struct etl_window_work *window)
{
	struct etl_strand_work *work = strand->work;
	size_t from = window == &work->span.windows[work->slice.window_at] ? work->slice.record_at : 0;

	keep_keys(strand, work->slice.record_to - from);
	if (work->walk.partial_of != window->due)
		work->walk.partial = work->walk.before = (struct etl_counts){0};
	work->walk.partial_of = window->due;
	work->walk.partial.out += window->written.inserted + window->written.updated;
	work->walk.partial.inserted += window->written.inserted;
	work->walk.partial.updated += window->written.updated;
	window->written = (struct etl_counts){0};
}

/* The one place where what the slice did becomes the run's numbers. */
static void count(struct etl_strand *strand, const struct etl_commit *commit)
{
	struct etl_strand_work *work = strand->work;
	uint64_t unchanged = 0;

	bool goes_on = false;

	count_notes(strand);
	etl_account_tally(strand, work->slice.batch, 0, work->walk.span.n, true, &work->span.notes.rejects);
	for (size_t i = 0; i < commit->n_entries; i++) {
		const struct etl_ledger_entry *entry = &commit->entries[i];
		struct etl_window_work *window = &work->span.windows[work->slice.window_at + i];

		unchanged += window->unchanged ? window->n : 0;
		etl_counts_add(&window->counts, &window->written);
		count_repeats(strand, window);
		if (entry->state == ETL_WINDOW_RUNNING) {
			keep_partial(strand, window);
			window->parts++;
			goes_on = true;
			continue;
		}
		etl_repeats_reset(&work->slice.repeats);
		window->written = (struct etl_counts){0};
		warn_of_loss(strand, window);
		etl_account_window(strand, window);
		strand->part.windows_changed += window->changed;
		strand->part.windows.loaded += entry->state == ETL_WINDOW_LOADED;
		strand->part.windows.empty += entry->state == ETL_WINDOW_EMPTY;
		strand->part.windows.held += entry->state == ETL_WINDOW_HELD;
		strand->part.windows.failed += entry->state == ETL_WINDOW_FAILED;
		strand->part.windows_left_open += entry->state == ETL_WINDOW_FAILED;
		if (entry->state == ETL_WINDOW_FAILED && strand->part.error.kind == ETL_OK) {
			strand->part.failed_at = ETL_STEP_CHECK; /* its verdict is only written here */
			etl_error_set(&strand->part.error, ETL_DATA,
				window->code ? window->code : "check.failed", "%s%s%s",
				entry->object.name ? entry->object.name : "",
				entry->object.name ? ": " : "", entry->reason);
		}
	}
	etl_loads_count(strand, unchanged);
	if (!goes_on)
		etl_account_notes(strand);
}

/* A spilled window goes on being read: its committed records are let go. Their rejects are tallied
 * before they go; the window's other counts stay in its work. */
static struct etl_go after_spill(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	for (size_t i = 0; i < work->span.n_staged; i++) {
		etl_account_tally(strand, work->span.staged[i], 0, 1, true, &work->span.spilled_rejects);
		etl_batch_free(work->span.staged[i]);
	}
	work->span.n_staged = 0;
	work->span.staged_bytes = 0;
	return etl_go_on_reading(strand);
}

/* Three ways on: the next slice of this span, the rest of a spilled window, or the next span. */
static struct etl_go after_commit(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	work->slice.attempt = 0;
	etl_refused_fini(&work->slice.refused);
	work->slice.window_at = work->slice.window_to;
	work->slice.record_at = work->slice.record_to;
	if (work->slice.window_at < work->walk.span.n)
		return etl_go_when(ETL_NEED_WORK, ETL_AT_LOAD); /* others may wait for this worker */
	if (work->span.input != ETL_INPUT_ENDED)
		return after_spill(strand);
	etl_account_span(strand, true);
	return etl_span_next(strand);
}

/* The law of the commit: the ledger never says more than the targets hold. Where a sink takes part
 * in the store's transaction, records, entries, dirty marks and watermark come in together or not
 * at all, and it learns from the transaction's end that they are in. Any other sink has its data
 * first, and the ledger is written when that is known to be in: a death between the two leaves
 * windows open whose records are there, and the next run, which finds them unchanged or writes them
 * over, closes them.
 *
 * Example: a job loads into a collection, which commits with the ledger, and into a file. The file
 * of 10:00 gets its name, and etld is killed before the commit. The ledger has 10:00 open; the next
 * attempt writes the file under the same name once more and the rows under their keys for the first
 * time: nothing is lost or there twice. The other way round the ledger would close 10:00, and
 * nobody would write its file. */
static int commit_in_order(struct etl_strand *strand, const struct etl_commit *commit,
	struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	struct etl_state *state = strand->run->env->state;
	struct etl_error ignored = ETL_ERROR_INIT;
	struct etl_commit part, noted;
	int rc;

	if (etl_loads_commit(strand, false, err) < 0)
		return -1;
	part_entries(work, commit, &part, &noted);
	rc = state->ops->commit(state, ETL_TAKE(work->slice.txn), &part, err);
	if (rc == 0 && noted.n_entries) /* its own failure changes nothing: it is only told */
		(void)state->ops->ledger_mark(state, noted.job, noted.partition, noted.fence,
			noted.entries, noted.n_entries, &ignored);
	free(part.entries);
	free(noted.entries);
	if (rc == 0) {
		rc = etl_loads_commit(strand, true, err);
		assert(rc == 0); /* it is in: nothing is left that could fail (sink.h) */
	}
	return rc;
}

/* Another holder may have loaded and closed these windows before our data came in over its:
 * whoever has the job now reads them once more. Best effort: our mark from before the write is
 * there unless that other commit took it away. */
static void leave_doubt(struct etl_strand *strand, const struct etl_error *err)
{
	struct etl_error ignored = ETL_ERROR_INIT;

	if (err->kind == ETL_CONFLICT && strand->work->slice.batch->n && etl_strand_doubts(strand))
		(void)etl_slice_doubt(strand, &ignored);
}

/* A load that keeps nothing closes nothing: its windows stay due, and the run says so. */
static struct etl_go discard(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	struct etl_state *state = strand->run->env->state;

	if (work->slice.txn)
		state->ops->abort(state, ETL_TAKE(work->slice.txn));
	if (etl_loads_commit(strand, false, err) < 0 || etl_loads_commit(strand, true, err) < 0)
		return etl_go(ETL_AT_FAILED);
	for (size_t w = work->slice.window_at; w < work->slice.window_to && etl_slice_ends(work); w++) {
		struct etl_window_work *window = &work->span.windows[w];

		window->counts.withheld = window->counts.out;
		etl_account_window(strand, window);
		strand->part.windows.discarded++;
	}
	if (!*strand->part.reason)
		snprintf(strand->part.reason, sizeof strand->part.reason,
			"load: %s keeps nothing, so that no window is closed: they stay due",
			strand->run->job->loads[0].type->name);
	return after_commit(strand);
}

/* Objects have no order of time: their mark says when all that there was had been closed, by a run for all
 * of it (`after` asks whether it ever was, no planning goes by it). */
static bool all_objects_are_in(const struct etl_strand *strand)
{
	const struct etl_due_list *due = &strand->work->plan.due;
	const struct etl_part *part = &strand->part;

	if (due->more || part->windows.failed || part->windows.held || etl_run_is_asked(strand->run))
		return false;
	for (size_t i = 0; i < due->n; i++)
		if (!due->windows[i].done)
			return false;
	return true;
}

/* Up to where all is closed with this slice in. A backfill leaves the live watermark alone: the
 * next live run sees what it closed. */
static etl_wall watermark_with(const struct etl_strand *strand)
{
	const struct etl_plan_work *plan = &strand->work->plan;
	const struct etl_run *run = strand->run;

	if (run->job->window.object)
		return all_objects_are_in(strand) ? run->planned : plan->watermark.processed;
	if (run->job->window.none && plan->due.windows[0].done)
		return run->planned;
	if (run->trigger.kind == ETL_TRIGGER_BACKFILL)
		return plan->watermark.processed;
	return etl_window_contiguous(&run->job->window, &plan->watermark, plan->ledger.entries,
		plan->ledger.n, &plan->due);
}

/* The slice is in: from now on it counts, and the strand goes on from there. The plan's watermark
 * moves along, so that the next slice computes from it without asking the store. */
static void take_in(struct etl_strand *strand, const struct etl_commit *commit)
{
	struct etl_watermark *watermark = &strand->work->plan.watermark;

	strand->part.watermark = watermark->processed = commit->watermark;
	if (commit->targets)
		watermark->targets = *commit->targets;
	etl_strand_keep_targets(strand);
	count(strand, commit);
}

/* `done` has to be set before the watermark can be computed and is taken back if the commit fails;
 * a strand that forgot this would plan as if the windows were closed. */
struct etl_go etl_step_commit(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	struct etl_run *run = strand->run;
	struct marks marks = {0};
	struct etl_targets targets;
	struct etl_commit commit = {
		.job = run->job->name,
		.partition = strand->part.partition->name,
		.run_id = run->run_id,
		.fence = run->fence,
		.origin = work->plan.watermark.origin,
		.window_ms = etl_window_longest_ms(&run->job->window),
	};
	int rc;

	if (run->job->loads[run->job->committing].type->discards)
		return discard(strand, err);
	if (etl_rejects_store(strand, work->slice.batch, err) < 0)
		return etl_go(ETL_AT_FAILED);
	fill_entries(strand, &commit, &marks);
	set_done(work, &commit, true);
	if (etl_strand_note_targets(strand, &commit, &targets))
		commit.targets = &targets;
	commit.dirty = marks.marks;
	commit.n_dirty = marks.n;
	commit.watermark = watermark_with(strand);
	rc = commit_in_order(strand, &commit, err);
	if (rc == 0) {
		take_in(strand, &commit);
	} else {
		etl_loads_abort(strand);
		set_done(work, &commit, false);
		forget_judgements(work, commit.n_entries);
		leave_doubt(strand, err);
	}
	free(commit.entries);
	free(marks.marks);
	return rc < 0 ? etl_slice_again(strand, err) : after_commit(strand);
}
