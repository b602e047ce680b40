/* SPDX-License-Identifier: MIT
 *
 * What became of each record, counted once however often its span is tried: first for the
 * window that owns it (or for none, `loose`), and for the run when that window ended, was held,
 * or failed with a whole answer. An attempt that another one follows counts for nothing, but
 * for the slices that it committed. The laws between the counts: state/counts.h.
 *
 * Example: a window's answer has 120 records, 3 cannot be read, 2 lie outside, one breaks a check;
 * the first try fails in the middle of its load, the second one is in. The run has seen 120 once,
 * not 240: the first try's numbers lay in work->span and went with it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "flow/strand.h"

/* -1: in no window of the span. */
static long window_at(const struct etl_strand_work *work, const struct etl_job *job, etl_wall t)
{
	return job->window.none ? 0 : etl_span_index(work, t);
}

/* `loose` counts only in the run, since there is no window whose ledger entry could have it. */
static struct etl_counts *owner(struct etl_strand *strand, long window)
{
	struct etl_strand_work *work = strand->work;

	return window < 0 ? &work->span.loose : &work->span.windows[window].counts;
}

/* What could not be read has no time; asked for alone, a window owns it. */
long etl_reject_window(const struct etl_strand_work *work, const struct etl_job *job,
	const struct etl_reject *reject)
{
	long window = window_at(work, job, reject->time);

	return window < 0 && work->walk.span.n == 1 ? 0 : window;
}

/* ---- while it is read ------------------------------------------------------------------------ */

/* The rejects of work->span.batch so far: they came and have no place. */
void etl_account_decoded(struct etl_strand *strand, size_t n_rejects)
{
	struct etl_strand_work *work = strand->work;

	for (size_t i = 0; i < n_rejects; i++) {
		struct etl_counts *counts = owner(strand,
			etl_reject_window(work, strand->run->job, &work->span.batch->rejects[i]));

		counts->seen++;
		counts->unplaced++;
		work->span.timeless += work->span.batch->rejects[i].time.ms == ETL_NO_TIME;
	}
	work->span.seen += n_rejects;
}

/* On ground that was asked for lies also what touches the border: sources give both ends of a
 * range. Of one that stamps intervals at their end (time.label) the lower end is one interval
 * before the window. Example: asked for 10:00 to 11:00, a record at 11:00 is nothing strange,
 * and says nothing about the hour; one at 12:15 was not asked for. */
static bool touches_border(const struct etl_strand *strand, etl_wall t)
{
	struct etl_window span = etl_span_window(strand->work);
	const struct etl_job *job = strand->run->job;
	etl_dur label = etl_decode_label(job->decode);

	return t.ms == span.end.ms || (label.us && t.ms == etl_wall_sub(span.start, label).ms);
}

/* Of a window that is asked for alone the source has answered to this window's question, so that
 * its entry says how much came that was not of it. */
void etl_account_outside(struct etl_strand *strand, etl_wall t)
{
	struct etl_counts *counts = owner(strand, strand->work->walk.span.n == 1 ? 0 : -1);

	counts->seen++;
	counts->outside++;
	if (!touches_border(strand, t))
		etl_account_beyond(strand, t);
}

/* First and last are in the message of proof.c when nothing that came was asked for: records of
 * another year say at once that the source ignores the range. */
void etl_account_beyond(struct etl_strand *strand, etl_wall t)
{
	struct etl_strand_work *work = strand->work;

	if (!work->span.beyond++)
		work->span.beyond_first = work->span.beyond_last = t;
	if (t.ms < work->span.beyond_first.ms)
		work->span.beyond_first = t;
	if (t.ms > work->span.beyond_last.ms)
		work->span.beyond_last = t;
}

void etl_account_told(struct etl_strand *strand, etl_wall time, uint64_t made, uint64_t gone)
{
	struct etl_counts *counts =
		owner(strand, window_at(strand->work, strand->run->job, time));

	counts->made += made;
	counts->filtered += gone;
	strand->work->span.told.made += made;
	strand->work->span.told.gone += gone;
}

/* By offset, so that one function serves all steps: what goes into a step is added, what comes out
 * of it is taken off. */
static uint64_t *member(struct etl_counts *counts, size_t offset)
{
	return (uint64_t *)(void *)((char *)counts + offset);
}

void etl_account_flow(struct etl_strand *strand, const struct etl_batch *batch, int sign,
	size_t offset)
{
	for (size_t i = 0; i < batch->n; i++) {
		long window = window_at(strand->work, strand->run->job, batch->records[i].time);

		*member(owner(strand, window), offset) += (uint64_t)(int64_t)sign;
	}
}

/* A step that rejects has counted these records already: they leave its member again and are in
 * `rejected` alone. */
void etl_account_new_rejects(struct etl_strand *strand, size_t from, size_t offset)
{
	struct etl_strand_work *work = strand->work;

	for (size_t i = from; i < work->span.batch->n_rejects; i++)
		--*member(owner(strand, etl_reject_window(work, strand->run->job,
				 &work->span.batch->rejects[i])), offset);
}

/* After the last step that can reject, once for each batch. */
void etl_account_rejects(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	for (size_t i = 0; i < work->span.batch->n_rejects; i++)
		owner(strand, etl_reject_window(work, strand->run->job,
			&work->span.batch->rejects[i]))->rejected++;
}

/* One row for each check and field; the first message stays as the example, numbers are kept by
 * window, because windows that fail take theirs with them. */
void etl_account_warning(struct etl_strand *strand, struct etl_window_work *window, size_t check,
	const struct etl_finding *finding)
{
	struct etl_strand_work *work = strand->work;
	struct etl_warning *warning;
	size_t i = 0;

	while (i < work->span.n_warnings && (work->span.warnings[i].check != check ||
					       !etl_streq(work->span.warnings[i].path, finding->path)))
		i++;
	if (i == work->span.n_warnings) {
		ETL_GROW(work->span.warnings, work->span.n_warnings, work->span.warnings_cap);
		warning = &work->span.warnings[work->span.n_warnings++];
		*warning = (struct etl_warning){.check = check, .path = finding->path,
			.n = etl_calloc(work->walk.span.n, sizeof *warning->n)};
		memcpy(warning->first, finding->message, sizeof finding->message);
	}
	work->span.warnings[i].n[window - work->span.windows]++;
}

/* ---- when something ended -------------------------------------------------------------------- */

/* `loose`: those of no window as well; they are told with the last window of the span. */
void etl_account_tally(const struct etl_strand *strand, const struct etl_batch *batch, size_t from,
	size_t to, bool loose, struct etl_tally *tally)
{
	for (size_t i = 0; i < batch->n_rejects; i++) {
		const struct etl_reject *reject = &batch->rejects[i];
		long window = etl_reject_window(strand->work, strand->run->job, reject);

		if (window < 0 ? loose : (size_t)window >= from && (size_t)window < to)
			etl_tally_add(tally, reject->step, reject->rule, reject->path, reject->message, 1);
	}
}

/* A row that an earlier attempt of this run wrote, in a slice that is in, is found unchanged by
 * the next one: the run did write it. Example: 1,400 rows, the first slice of 998 is in, the
 * second one's answer is lost. The retry finds 998 unchanged and inserts 402; the run has
 * inserted 1,400. What this attempt wrote is in its own counts. */
void etl_account_before(const struct etl_strand_work *work, const struct etl_window_work *window,
	struct etl_counts *now)
{
	const struct etl_counts *had = &work->walk.before;
	uint64_t inserted, updated;

	if (work->walk.partial_of != window->due)
		return;
	inserted = had->inserted < now->unchanged ? had->inserted : now->unchanged;
	updated = had->updated < now->unchanged - inserted ? had->updated : now->unchanged - inserted;
	now->unchanged -= inserted + updated;
	now->inserted += inserted;
	now->updated += updated;
}

/* The window has ended, and what its committed slices had brought is in its counts now. */
static void add_partial(struct etl_strand_work *work, struct etl_window_work *window)
{
	etl_account_before(work, window, &window->counts);
	if (work->walk.partial_of == window->due)
		work->walk.partial = work->walk.before = (struct etl_counts){0};
}

static void note_rejected(struct etl_strand *strand, const struct etl_counts *counts,
	struct etl_window where)
{
	if (counts->rejected)
		etl_window_join(&strand->part.rejected_in, where);
}

/* Of a window asked for alone nothing came but what touches its border. That is no error: a gap may
 * end there. A source whose stamps name the other end of their intervals answers every window like
 * this, and all of them would be empty without a word. */
static void warn_of_border(struct etl_strand *strand, const struct etl_window_work *window)
{
	const struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	const struct etl_counts *c = &window->counts;

	if (job->window.none || job->covers_all || work->walk.span.n > 1 || window->fail || window->hold ||
		c->in || c->rejected || !c->outside || work->span.beyond)
		return;
	strand->part.warnings++;
	etl_tally_add(&strand->part.warned, "decode", "border", "",
		"what came lies on the window's border and nothing in it: see time.label, if that "
		"comes again and again", 1);
}

/* From here the window's numbers are the run's and cannot be taken back: called for a window only
 * when it is known that no further attempt reads it. */
void etl_account_window(struct etl_strand *strand, struct etl_window_work *window)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	size_t w = (size_t)(window - work->span.windows);

	warn_of_border(strand, window);
	add_partial(work, window);
	etl_counts_add(&strand->part.counts, &window->counts);
	note_rejected(strand, &window->counts, window->due->window);
	for (size_t i = 0; i < work->span.n_warnings; i++) {
		struct etl_warning *warning = &work->span.warnings[i];
		uint32_t n = warning->n[w];

		strand->part.warnings += n;
		etl_tally_add(&strand->part.warned, "check", job->checks[warning->check].type->name,
			warning->path, warning->first, n);
		warning->n[w] = 0;
	}
}

/* `all` = the span has ended; else only the windows before the slice at hand, when the rest is
 * tried again. */
void etl_account_span(struct etl_strand *strand, bool all)
{
	struct etl_strand_work *work = strand->work;
	size_t to = all ? work->walk.span.n : work->slice.window_at;

	for (size_t b = 0; b < work->span.n_staged; b++)
		etl_account_tally(strand, work->span.staged[b], work->span.tallied, to, all,
			&strand->part.rejects);
	work->span.tallied = to;
	if (!all)
		return;
	etl_tally_merge(&strand->part.rejects, &work->span.spilled_rejects);
	etl_tally_fini(&work->span.spilled_rejects);
	etl_counts_add(&strand->part.counts, &work->span.loose);
	note_rejected(strand, &work->span.loose, etl_span_window(work));
	work->span.loose = (struct etl_counts){0};
}

/* Of the slice that was refused for its rejects: they count, what else was in it does not. */
static void account_slice(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_batch *slice = work->slice.batch;

	for (size_t i = 0; slice && i < slice->n_rejects; i++) {
		struct etl_counts *c = owner(strand,
			etl_reject_window(work, strand->run->job, &slice->rejects[i]));

		c->rejected++;
		c->refused++;
	}
	if (slice)
		etl_account_tally(strand, slice, 0, work->walk.span.n, true, &strand->part.rejects);
}

/* Rows that are not in, or not any more, are withheld. */
void etl_account_refused(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	etl_account_notes(strand);
	account_slice(strand);
	for (size_t w = work->slice.window_at; w < work->walk.span.n; w++) {
		struct etl_counts *c = &work->span.windows[w].counts;

		add_partial(work, &work->span.windows[w]);
		c->withheld = c->out - (c->inserted + c->updated + c->unchanged + c->overwritten +
					       c->stale + c->refused);
		etl_account_window(strand, &work->span.windows[w]);
	}
	etl_account_span(strand, true);
}

static void forget_notes(struct etl_slice_notes *notes)
{
	notes->warnings = 0;
	etl_tally_fini(&notes->warned);
	etl_tally_fini(&notes->rejects);
}

/* What is told is forgotten here, so that it is told once. */
void etl_account_notes(struct etl_strand *strand)
{
	struct etl_slice_notes *notes = &strand->work->span.notes;

	strand->part.warnings += notes->warnings;
	etl_tally_merge(&strand->part.warned, &notes->warned);
	etl_tally_merge(&strand->part.rejects, &notes->rejects);
	forget_notes(notes);
}

/* Rows that are in, of a window that the run leaves half done. Its rejects are none of them. */
void etl_account_partial(struct etl_strand *strand)
{
	etl_tally_fini(&strand->work->span.notes.rejects);
	etl_account_notes(strand);
	etl_counts_add(&strand->part.counts, &strand->work->walk.partial);
	strand->work->walk.partial = (struct etl_counts){0};
}

void etl_account_fini(struct etl_span_work *span)
{
	forget_notes(&span->notes);
	etl_tally_fini(&span->spilled_rejects);
	while (span->n_warnings)
		free(span->warnings[--span->n_warnings].n);
	free(ETL_TAKE(span->warnings));
}
