/* SPDX-License-Identifier: MIT
 *
 * From staged records to slices: ordered by window, hashed, cut so that one transaction
 * stays small; and the ledger entry that a slice leaves behind.
 *
 * Example, hours with 600, 300, 500 and 4,000 records and one target: the first slice has the first
 * two, the second one the third, and the fourth goes in five slices of at most ETL_SLICE_DOCUMENTS,
 * ledger included. A window that fits is never torn: its rows, its entry and the watermark come in
 * together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "flow/strand.h"

/* Whose each reject is. Gives; NULL for a job without windows. Without it `etlctl dead list
 * --window` could not find them. */
static struct etl_window *windows_of_rejects(const struct etl_strand *strand,
	const struct etl_batch *batch)
{
	const struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	struct etl_window *windows;

	if (job->window.none)
		return NULL;
	windows = etl_calloc(batch->n_rejects, sizeof *windows);
	for (size_t i = 0; i < batch->n_rejects; i++) {
		long window = etl_reject_window(work, job, &batch->rejects[i]);

		if (window >= 0)
			windows[i] = work->span.windows[window].due->window;
	}
	return windows;
}

/* Stored before the commit and not in it: a letter that is there although the commit failed is
 * counted up by the next try, one that is not there although the rows are in would be lost. */
int etl_rejects_store(struct etl_strand *strand, const struct etl_batch *batch,
	struct etl_error *err)
{
	struct etl_run *run = strand->run;
	struct etl_window *windows;
	int rc;
	struct etl_dead_letter_info info = {
		.job = run->job->name,
		.partition = strand->part.partition->name,
		.run_id = run->run_id,
		.at = etl_now(run->env->clock),
		.object = strand->work->span.vars.object ? strand->work->span.vars.object->name : NULL,
	};

	if (!batch->n_rejects)
		return 0;
	info.windows = windows = windows_of_rejects(strand, batch);
	rc = etl_dead_letters_add(run->env->state, &info, batch->rejects,
		batch->n_rejects, err);
	free(windows);
	return rc < 0 ? etl_error_prefix(err, "storing dead letters") : 0;
}

/* Once all is read; a spilled window's come batch by batch. */
int etl_rejects_store_staged(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;

	for (size_t b = 0; b < work->span.n_staged; b++)
		if (etl_rejects_store(strand, work->span.staged[b], err) < 0)
			return -1;
	return 0;
}

/* Also in the middle of a load: a transaction that is open is ended, sinks that have begun let go.
 */
void etl_slice_reset(struct etl_strand *strand)
{
	struct etl_slice_work *slice = &strand->work->slice;
	struct etl_state *state = strand->run->env->state;

	if (slice->txn)
		state->ops->abort(state, ETL_TAKE(slice->txn));
	etl_loads_close(strand);
	etl_batch_free(slice->batch);
	etl_load_result_fini(&slice->result);
	free(slice->sorted);
	free(slice->units);
	etl_repeats_reset(&slice->repeats);
	*slice = (struct etl_slice_work){.n_sorted = 0};
}

/* Within a window the source's order stays: of two records with one key the later one wins, unless
 * a `version` says otherwise. */
static int by_window_then_order(const void *a, const void *b)
{
	const struct etl_sorted_record *x = a, *y = b;

	if (x->window != y->window)
		return x->window < y->window ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static bool is_sorted(const struct etl_sorted_record *records, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (records[i].window < records[i - 1].window)
			return false;
	return true;
}

/* Pointers only: the records stay where they were staged. */
static void collect(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	bool none = strand->run->job->window.none;
	size_t total = 0, n = 0;

	for (size_t b = 0; b < work->span.n_staged; b++)
		total += work->span.staged[b]->n;
	free(work->slice.sorted);
	work->slice.sorted = etl_calloc(total, sizeof *work->slice.sorted);
	for (size_t b = 0; b < work->span.n_staged; b++)
		for (size_t i = 0; i < work->span.staged[b]->n; i++, n++) {
			const struct etl_record *record = &work->span.staged[b]->records[i];

			work->slice.sorted[n].record = record;
			work->slice.sorted[n].order = (uint32_t)n;
			work->slice.sorted[n].window =
				none ? 0 : (uint32_t)etl_span_index(work, record->time);
		}
	work->slice.n_sorted = total;
	if (!is_sorted(work->slice.sorted, total)) /* nearly always it is */
		qsort(work->slice.sorted, total, sizeof *work->slice.sorted, by_window_then_order);
}

/* The hash says what was offered to which target, in whatever order it came: the same again needs
 * no look at it, where the target's data is committed with the hash. Elsewhere an older write may
 * have come in since. */
static void hash_window(struct etl_strand *strand, struct etl_window_work *window)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_ledger_brief *had = &window->due->had;

	window->content = (struct etl_hash_set){0};
	for (size_t i = window->first; i < window->first + window->n; i++) {
		const struct etl_record *record = work->slice.sorted[i].record;

		etl_hash_set_add(&window->content, record->bson, record->len);
		window->bytes += record->len;
	}
	etl_hash_set_text(&window->content, strand->run->job->load_digest, window->hash);
	window->same = had->was_loaded && strcmp(had->hash, window->hash) == 0 &&
		!etl_strand_is_elsewhere(strand, had);
	window->unchanged = window->same && had->state == ETL_WINDOW_LOADED &&
		window->due->why != ETL_DUE_ASKED && !etl_strand_doubts(strand);
}

/* A spilled window has no hash: it would have to cover records that have gone already. */
void etl_slice_sort(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	size_t at = 0;

	collect(strand);
	for (size_t w = 0; w < work->walk.span.n; w++) {
		struct etl_window_work *window = &work->span.windows[w];

		window->first = at;
		window->bytes = 0;
		while (at < work->slice.n_sorted && work->slice.sorted[at].window == w)
			at++;
		window->n = at - window->first;
		window->counts.out += window->n;
		if (work->span.spilled)
			snprintf(window->hash, sizeof window->hash, "%s", "");
		else
			hash_window(strand, window);
	}
	work->slice.window_at = 0;
	work->slice.record_at = 0;
}

/* Nothing of a window that did not change, is held, or has failed; it still gets its entry. */
static size_t records_to_write(const struct etl_window_work *window)
{
	return window->unchanged || window->hold || window->fail ? 0 : window->n;
}

/* Documents that one row is in a transaction: one for each target that joins it. The limit is of
 * what a transaction holds; rows of a file cost nothing of it, but are cut all the same. */
static size_t documents_of_row(const struct etl_job *job)
{
	size_t n = 0;

	for (size_t i = 0; i < job->n_loads; i++)
		n += job->loads[i].type->joins_transaction;
	return n ? n : 1;
}

static bool is_by_unit(const struct etl_job *job)
{
	for (size_t i = 0; i < job->n_loads; i++)
		if (job->loads[i].type->by_unit)
			return true;
	return false;
}

/* Decides where the slice that begins at (window_at, record_at) ends, and makes its batch. */
void etl_slice_cut(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	size_t documents = ETL_SLICE_OVERHEAD, bytes = 0, each = documents_of_row(strand->run->job);
	size_t w = work->slice.window_at, r = work->slice.record_at;
	bool by_unit = is_by_unit(strand->run->job);

	etl_batch_free(work->slice.batch);
	work->slice.batch = etl_batch_new();
	for (; w < work->walk.span.n; w++, r = 0) {
		const struct etl_window_work *window = &work->span.windows[w];
		size_t n = records_to_write(window);

		/* The next window goes whole into this slice or begins the next one. */
		if (w > work->slice.window_at && (documents + each * n + 1 > ETL_SLICE_DOCUMENTS ||
						   bytes + each * window->bytes > ETL_SLICE_BYTES))
			break;
		if (by_unit && n && work->slice.batch->n)
			break;
		for (; r < n && documents + each < ETL_SLICE_DOCUMENTS && bytes < ETL_SLICE_BYTES; r++) {
			const struct etl_record *record = work->slice.sorted[window->first + r].record;

			etl_batch_add(work->slice.batch, record->bson, record->len, record->time,
				record->position);
			documents += each;
			bytes += each * record->len;
		}
		if (r < n)
			break; /* larger than a slice: more of the same window next time */
		documents++;
	}
	work->slice.window_to = w;
	work->slice.record_to = w < work->walk.span.n && w == work->slice.window_at ? r : 0;
	etl_load_result_fini(&work->slice.result);
	etl_load_result_init(&work->slice.result, work->slice.batch->n);
	etl_loads_cut(strand);
}

/* The windows of the slice that it writes records into; their number. */
static size_t written_windows(const struct etl_strand_work *work, struct etl_due_window **out)
{
	bool partial = work->slice.window_to < work->walk.span.n && work->slice.record_to > 0;
	size_t n = 0;

	for (size_t w = work->slice.window_at; w < work->slice.window_to + (partial ? 1 : 0); w++)
		if (records_to_write(&work->span.windows[w]))
			out[n++] = work->span.windows[w].due;
	return n;
}

/* Of the slice that ends the one window which goes on, the rows may all be in by then: it is told of
 * all the same. */
struct etl_sink_slice etl_slice_tell(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	bool partial = work->slice.window_to < work->walk.span.n && work->slice.record_to > 0;
	size_t to = work->slice.window_to + (partial ? 1 : 0), n = 0, last = 0;

	free(work->slice.units);
	work->slice.units = etl_calloc(work->walk.span.n, sizeof *work->slice.units);
	for (size_t w = work->slice.window_at; w < to; w++) {
		const struct etl_window_work *window = &work->span.windows[w];

		if (!records_to_write(window) && !window->parts)
			continue;
		work->slice.units[n++] = strand->run->job->window.none ? work->span.vars.window :
									  window->due->window;
		last = w;
	}
	return (struct etl_sink_slice){
		.units = work->slice.units,
		.n_units = n,
		.part = work->span.windows[work->slice.window_at].parts,
		.more = n && (last >= work->slice.window_to || !etl_slice_ends(work)),
	};
}

/* The law of doubt: where data and ledger are not one transaction, a write that was given up may
 * still be executed, later and over newer data. A window is therefore on record as being written
 * before the first byte goes out, and a write that was not answered leaves its window dirty when it
 * closes, so that it is read once more.
 *
 * Example, a MongoDB without transactions: the upsert of 10:00 times out after 30 s, the retry
 * writes and closes 10:00. The server, stuck until then, now executes the first upsert. Had the
 * source corrected a value in between, the old one would stand there for ever; the dirty mark has
 * 10:00 read again. */
int etl_slice_doubt(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	struct etl_state *state = strand->run->env->state;
	struct etl_due_window **due = etl_calloc(work->walk.span.n, sizeof *due);
	struct etl_unit_key *units = etl_calloc(work->walk.span.n, sizeof *units);
	size_t n = written_windows(work, due);
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		units[i].window = due[i]->window;
		units[i].object = due[i]->object ? due[i]->object->name : NULL;
	}
	if (n)
		rc = state->ops->ledger_doubt(state, strand->run->job->name,
			strand->part.partition->name, strand->run->run_id, units, n, err);
	free(units);
	free(due);
	return rc;
}

/* A write that failed may still be under way: a server that was too slow does it all the same. */
void etl_slice_unanswered(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	struct etl_due_window **due = etl_calloc(work->walk.span.n, sizeof *due);
	size_t n = written_windows(work, due);

	for (size_t i = 0; i < n; i++)
		due[i]->had.in_doubt = true;
	free(due);
}

/* What made what the target has of the window. An attempt that closes nothing has made nothing of it. */
static uint64_t made_by(const struct etl_strand *strand, const struct etl_window_work *window,
	enum etl_window_state state)
{
	bool closes = state == ETL_WINDOW_LOADED || state == ETL_WINDOW_EMPTY;

	return closes ? strand->part.partition->definition : window->due->had.definition;
}

static void stay_in_doubt(struct etl_ledger_entry *out)
{
	out->dirty = true; /* by the token that the plan saw: the next commit clears it */
	snprintf(out->reason, sizeof out->reason,
		"a write into it was never answered and may have come late: it is read once more");
}

/* Loaded also if all its records were rejected: the source has answered, and the letters tell of
 * them. */
static enum etl_window_state final_state(const struct etl_window_work *window)
{
	if (window->fail)
		return ETL_WINDOW_FAILED;
	if (window->hold)
		return ETL_WINDOW_HELD;
	if (window->counts.out || window->counts.in || window->counts.rejected)
		return ETL_WINDOW_LOADED;
	return ETL_WINDOW_EMPTY;
}

/* What was loaded stays loaded when the source has nothing any more: nothing is deleted. */
static bool source_forgot(const struct etl_window_work *window, enum etl_window_state state)
{
	return state == ETL_WINDOW_EMPTY && window->due->had.was_loaded;
}

/* The entry as commit will write it. The token is that which the plan saw; a newer mark survives
 * (state_memory.c, put_entry). */
void etl_slice_entry(const struct etl_strand *strand, const struct etl_window_work *window,
	bool whole, struct etl_ledger_entry *out)
{
	const struct etl_ledger_brief *had = &window->due->had;
	enum etl_window_state state = whole ? final_state(window) : ETL_WINDOW_RUNNING;

	*out = (struct etl_ledger_entry){
		.window = window->due->window,
		.state = state,
		.attempt = had->attempt + 1,
		.fence = strand->run->fence,
		.counts = window->counts,
		.fetched = strand->work->span.fetched,
		.updated = etl_now(strand->run->env->clock),
	};
	if (window->due->object)
		out->object = *window->due->object;
	etl_counts_add(&out->counts, &window->written);
	if (whole)
		etl_account_before(strand->work, window, &out->counts);
	memcpy(out->run_id, strand->run->run_id, sizeof out->run_id);
	memcpy(out->dirty_token, had->dirty_token, sizeof out->dirty_token);
	memcpy(out->hash, window->hash, sizeof out->hash);
	if (window->held && whole && state != ETL_WINDOW_FAILED) {
		out->held = *window->held;
		if (*window->hash)
			etl_hash_set_text(&window->content, 0, out->held.content);
		out->held.since = had->held_since.ms ? had->held_since : out->updated;
	}
	out->definition = made_by(strand, window, state);
	if (source_forgot(window, state)) {
		out->state = ETL_WINDOW_LOADED;
		out->definition = had->definition;
		out->counts.out = out->counts.unchanged = had->out;
		memcpy(out->hash, had->hash, sizeof out->hash);
		snprintf(out->reason, sizeof out->reason,
			"the source returns nothing for this window any more; what was loaded stays");
	} else {
		snprintf(out->reason, sizeof out->reason, "%s", window->reason);
	}
	if (had->in_doubt)
		stay_in_doubt(out);
}
