/* SPDX-License-Identifier: MIT
 *
 * Whether an answer proves what a window would be closed with. A whole answer is not enough:
 * a window whose every record was refused is not loaded, and one without a record is empty
 * only if nothing came that may be its own. ADR 0022 tells why.
 *
 * What is refused here is asked for again in halves, so that only the windows that really are
 * bad stay open; but for an answer that has nothing at all of what was asked for.
 */
#include <stdio.h>
#include <string.h>

#include "flow/strand.h"
#include "time/civil.h"

static unsigned long long ull(uint64_t n)
{
	return n;
}

bool etl_span_is_hopeless(const struct etl_error *err)
{
	return strcmp(err->code, "span.outside") == 0;
}

bool etl_span_is_refused(const struct etl_error *err)
{
	static const char *const codes[] = {"span.rejects", "span.unplaced", "span.outside"};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (strcmp(err->code, codes[i]) == 0)
			return true;
	return false;
}

static const char *first_in(const struct etl_strand *strand, const struct etl_batch *batch,
	long window)
{
	for (size_t i = 0; batch && i < batch->n_rejects; i++)
		if (window < 0 ||
			etl_reject_window(strand->work, strand->run->job, &batch->rejects[i]) == window)
			return batch->rejects[i].message;
	return NULL;
}

/* The first reject of a window, or of all (-1), for people; "" = none is at hand. */
static const char *first_reject(const struct etl_strand *strand, long window)
{
	const struct etl_strand_work *work = strand->work;
	const char *found = NULL;

	for (size_t b = 0; b < work->span.n_staged && !found; b++)
		found = first_in(strand, work->span.staged[b], window);
	if (!found)
		found = first_in(strand, work->slice.batch, window);
	if (!found && work->span.spilled_rejects.n)
		found = work->span.spilled_rejects.rows[0].first;
	return found ? found : "";
}

/* ---- rejects ----------------------------------------------------------------------------------- */

#define TOO_MANY "%llu of %llu records were rejected, more than rejects.max_ratio allows; the first: %.180s"

/* The limits are a window's, whichever others were asked for with it: of a hundred hours with one
 * bad record each none fails where one hour with a hundred of them does. `more` are further rejects
 * that may be its own. */
static bool has_too_many(const struct etl_job *job, const struct etl_counts *c, uint64_t more,
	uint64_t more_seen)
{
	uint64_t rejected = c->rejected + more;

	return rejected > (uint64_t)job->max_rejects &&
		(double)rejected > job->max_reject_ratio * (double)(c->seen - c->outside + more_seen);
}

static void judge_limits(const struct etl_strand *strand, struct etl_window_work *window)
{
	const struct etl_counts *c = &window->counts;

	if (window->fail || !has_too_many(strand->run->job, c, 0, 0))
		return;
	window->fail = true;
	window->code = "unit.rejects";
	snprintf(window->reason, sizeof window->reason, TOO_MANY, ull(c->rejected),
		ull(c->seen - c->outside), first_reject(strand, window - strand->work->span.windows));
}

/* What has no place may be any window's. Whether the limits hold is known if they hold for each
 * window with all of it; otherwise the span is asked for again in halves, until it is known whose
 * it is. Example: at most 2 rejects; an hour has 1, and 2 records of the answer have no time. */
static bool is_doubtful(const struct etl_strand *strand)
{
	const struct etl_strand_work *work = strand->work;
	uint64_t loose = work->span.loose.rejected;

	if (!loose || work->walk.span.n < 2)
		return false;
	for (size_t w = 0; w < work->walk.span.n; w++)
		if (!work->span.windows[w].fail &&
			has_too_many(strand->run->job, &work->span.windows[w].counts, loose, loose))
			return true;
	return false;
}

/* How many of the slice's rejects are this window's. */
static uint64_t refused_of(const struct etl_strand *strand, const struct etl_batch *slice, long window)
{
	uint64_t n = 0;

	for (size_t i = 0; i < slice->n_rejects; i++)
		n += etl_reject_window(strand->work, strand->run->job, &slice->rejects[i]) == window;
	return n;
}

/* A slice of several windows fails with any of them: halves of the span find out which one it is.
 */
int etl_slice_judge(struct etl_strand *strand, struct etl_error *err)
{
	const struct etl_strand_work *work = strand->work;
	const struct etl_batch *batch = work->slice.batch;
	size_t to = work->slice.window_to, n = work->walk.span.n;
	uint64_t loose = work->span.loose.rejected;

	for (size_t w = work->slice.window_at; batch->n_rejects && w <= (to < n ? to : n - 1); w++) {
		const struct etl_counts *c = &work->span.windows[w].counts;
		uint64_t refused = refused_of(strand, batch, (long)w);

		if (refused && has_too_many(strand->run->job, c, refused + loose, loose))
			return etl_error_set(err, ETL_DATA, "span.rejects", TOO_MANY,
				ull(c->rejected + refused), ull(c->seen - c->outside),
				first_reject(strand, (long)w));
	}
	return 0;
}

static bool all_refused(const struct etl_counts *c, uint64_t rows)
{
	return c->rejected && !rows && !c->filtered;
}

void etl_window_judge(const struct etl_strand *strand, struct etl_window_work *window)
{
	const struct etl_counts *c = &window->counts;
	uint64_t rows = c->out - c->refused - window->written.refused;
	struct etl_counts all = *c;

	all.rejected += window->written.refused;
	if (strand->run->job->close_refused || window->fail || !all_refused(&all, rows))
		return;
	window->fail = true;
	window->code = "unit.refused";
	snprintf(window->reason, sizeof window->reason,
		"every record of the window was rejected (%llu); the first: %.180s", ull(all.rejected),
		first_reject(strand, window - strand->work->span.windows));
}

/* ---- empty windows ----------------------------------------------------------------------------- */

static size_t windows_without(const struct etl_strand_work *work)
{
	size_t n = 0;

	for (size_t w = 0; w < work->walk.span.n; w++)
		n += !work->span.windows[w].counts.in && !work->span.windows[w].counts.rejected;
	return n;
}

static void stamps(const struct etl_strand_work *work, char out[3 * ETL_TIME_TEXT_BYTES])
{
	char first[ETL_TIME_TEXT_BYTES], last[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339(work->span.beyond_first, first);
	etl_time_format_rfc3339(work->span.beyond_last, last);
	if (work->span.beyond == 1)
		snprintf(out, 3 * ETL_TIME_TEXT_BYTES, "dated %s", first);
	else
		snprintf(out, 3 * ETL_TIME_TEXT_BYTES, "dated %s to %s", first, last);
}

#define OUTSIDE_HINT "see the request's dates, time.timezone, time.label, or extract.covers: all"

static int nothing_of_it(const struct etl_strand_work *work, struct etl_error *err)
{
	struct etl_window span = etl_span_window(work);
	char from[ETL_TIME_TEXT_BYTES], to[ETL_TIME_TEXT_BYTES], dated[3 * ETL_TIME_TEXT_BYTES];

	stamps(work, dated);
	etl_time_format_rfc3339(span.start, from);
	etl_time_format_rfc3339(span.end, to);
	return etl_error_set(err, ETL_DATA, "span.outside",
		"the answer has nothing of what was asked for (%s to %s): %llu records lie outside, %s: "
		OUTSIDE_HINT, from, to, ull(work->span.beyond), dated);
}

/* Records came that nobody asked for: the answer may be that of another time or place. Windows
 * between two that have records are empty all the same; what lies before the first or behind
 * the last of these is not proven. Example: asked for 00:00 to 24:00, a source that takes the
 * hours for local ones gives 02:00 to 26:00: 00:00 and 01:00 are not empty. */
static void no_proof(struct etl_strand_work *work)
{
	char dated[3 * ETL_TIME_TEXT_BYTES];
	size_t first = 0, last = work->walk.span.n - 1;

	stamps(work, dated);
	while (first < last && !work->span.windows[first].counts.in)
		first++;
	while (last > first && !work->span.windows[last].counts.in)
		last--;
	for (size_t w = 0; w < work->walk.span.n; w++) {
		struct etl_window_work *window = &work->span.windows[w];

		if ((w > first && w < last) || window->counts.in || window->counts.rejected ||
			window->fail)
			continue;
		window->fail = true;
		window->code = "unit.outside";
		snprintf(window->reason, sizeof window->reason,
			"no record of the answer lies in this window, but %llu lie outside of what was asked "
			"for, %s: it may not be empty. " OUTSIDE_HINT, ull(work->span.beyond), dated);
	}
}

/* ---- records on the border --------------------------------------------------------------------- */

/* A gap may end where the window ends, so that one record on the border is no contradiction. Two
 * are: the answer for 10:00 to 11:00 has 11:00 alone, and the one for 11:00 to 12:00 has 12:00
 * alone. Who knows 11:00 does not give it to who asks from 11:00 on: its stamps name the other ends
 * of their intervals, and all windows would be empty one by one. */
static bool is_bordered(const struct etl_counts *c)
{
	return c->outside && !c->in && !c->rejected;
}

static int find_bordered(void *found, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	(void)err;
	*(bool *)found |= is_bordered(&entry->counts);
	return 0;
}

static int border_proof(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_window_work *window = &strand->work->span.windows[0];
	const struct etl_job *job = strand->run->job;
	struct etl_state *state = strand->run->env->state;
	etl_wall start = window->due->window.start;
	struct etl_window before = etl_grid_at(&job->window.grid, (etl_wall){start.ms - 1});
	bool found = false;

	if (strand->work->walk.span.n > 1 || window->fail || !is_bordered(&window->counts))
		return 0;
	if (state->ops->ledger_scan(state, job->name, strand->part.partition->name, &before, ETL_LEDGER_ALL,
		    find_bordered, &found, err) < 0)
		return -1;
	if (!found)
		return 0;
	window->fail = true;
	window->code = "unit.border";
	snprintf(window->reason, sizeof window->reason,
		"what came lies on the window's border and nothing in it, and so it was for the window "
		"before: see time.label and time.timezone");
	return 0;
}

/* The law of proof: a window closes only over what is known, and never for want of a complaint. The
 * end of the pages is proven before this is asked (ETL_INPUT_ENDED); here each window has to have
 * its own evidence. One with records has them. One without is empty only if no record of the answer
 * can be its own: neither one whose time nobody could read, nor one that lies outside of all that
 * was asked for, which says that the source has understood another range.
 *
 * Example, asked for 10:00 to 13:00, and nothing came for 11:00. If all else lies in its hours,
 * 11:00 is empty. With one record of no readable time the three hours are asked for alone, and the
 * record is then known to be of the hour that it comes with. With one at 15:00, in the middle of
 * the range nothing is doubted, and an hour at its edge without a record stays open. */
int etl_span_proof(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_job *job = strand->run->job;
	size_t without = windows_without(work);

	for (size_t w = 0; w < work->walk.span.n; w++) {
		judge_limits(strand, &work->span.windows[w]);
		etl_window_judge(strand, &work->span.windows[w]);
	}
	if (is_doubtful(strand))
		return etl_error_set(err, ETL_DATA, "span.unplaced",
			"%llu records could not be placed: with them a window may have more rejects than "
			"rejects.max_ratio allows; the first: %.200s", ull(work->span.loose.rejected),
			first_reject(strand, -1));
	if (job->window.none || !without)
		return 0;
	if (work->span.timeless && work->walk.span.n > 1)
		return etl_error_set(err, ETL_DATA, "span.unplaced",
			"%llu records could not be placed, and %zu windows have none: they may be theirs; "
			"the first: %.200s", ull(work->span.timeless), without, first_reject(strand, -1));
	if (!work->span.beyond || job->covers_all)
		return job->covers_all ? 0 : border_proof(strand, err);
	if (!work->span.seen)
		return nothing_of_it(work, err);
	no_proof(work);
	return 0;
}
