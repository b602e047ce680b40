/* SPDX-License-Identifier: MIT
 *
 * `after`: a window may be loaded when the same window of each upstream job is closed, for
 * the partition of the same name or else for all of them. Reads ledgers; writes nothing.
 *
 * Example: `after: [prices, stock]`, window 10:00-11:00 of ours. prices has hours and has 10:00
 * loaded; stock has days and its day is failed. The window waits, and the run's reason says
 *
 *   waits for window 2026-05-01T00:00:00Z of stock/eu, which is failed: status 503
 *
 * Nothing is lost by waiting: the window stays due and is asked about again in each plan, and a run
 * of stock that closes it starts us (trigger `after`).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "flow/strand.h"
#include "flow/upstream.h"
#include "plan/cover.h"
#include "time/civil.h"

/* What a scan of one upstream partition has found for one window. */
struct look {
	struct etl_cover cover;
	char why[ETL_REASON_MAX]; /* of the hole; "" = nobody has tried it */
};

/* The reason of the entry that stands in the way; the last one if there are several. */
static int look_at(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct look *look = ctx;

	(void)err;
	if (!etl_cover_add(&look->cover, entry->window, entry->state))
		snprintf(look->why, sizeof look->why, "%s%s%.400s", etl_window_state_word(entry->state),
			*entry->reason ? ": " : "", entry->reason);
	return 0;
}

/* 1 = all of the window is closed there, 0 = not (`out` says where), -1. The watermark alone
 * answers for most: what lies before it is closed. Only behind it the ledger is asked. */
static int is_covered(struct etl_state *state, const struct etl_job *up,
	const struct etl_partition *partition, const struct etl_window *window,
	struct etl_upstream_hole *out, struct etl_error *err)
{
	struct etl_watermark mark;
	struct look look = {.why = ""};
	int found = state->ops->watermark_get(state, up->name, partition->name, &mark, err);

	if (found < 0)
		return -1;
	etl_cover_begin(&look.cover, &up->window, found ? &mark : NULL, window);
	if (!etl_cover_is_full(&look.cover) && !up->window.none &&
		state->ops->ledger_scan(state, up->name, partition->name, window, ETL_LEDGER_ALL, look_at,
			&look, err) < 0)
		return -1;
	if (etl_cover_is_full(&look.cover))
		return 1;
	*out = (struct etl_upstream_hole){.job = up, .partition = partition};
	if (!up->window.none)
		out->window = etl_window_at(&up->window, look.cover.covered);
	memcpy(out->why, look.why, sizeof out->why);
	return 0;
}

/* What is known of its windows is not sure: whoever waits for it gets nothing. */
static bool waits_for_left_out(const struct etl_job *job, const struct etl_window *window,
	struct etl_upstream_hole *out)
{
	for (size_t k = 0; k < job->n_upstream; k++) {
		const struct etl_job *up = job->upstream[k];

		if (!up->left_out)
			continue;
		*out = (struct etl_upstream_hole){up, &up->partitions[0], *window, ""};
		snprintf(out->why, sizeof out->why, "left out: %s", up->left_out);
		return true;
	}
	return false;
}

/* For one window, with names and reasons: what `etlctl why` and the message need. A plan with
 * thousands of windows uses views instead. */
int etl_upstream_hole(struct etl_state *state, const struct etl_job *job, const char *partition,
	const struct etl_window *window, struct etl_upstream_hole *out, struct etl_error *err)
{
	if (waits_for_left_out(job, window, out))
		return 0;
	for (size_t k = 0; k < job->n_upstream; k++) {
		const struct etl_job *up = job->upstream[k];
		const struct etl_partition *same = etl_job_partition(up, partition);

		for (size_t p = 0; p < up->n_partitions; p++) {
			int rc = same && same != &up->partitions[p] ?
				1 : is_covered(state, up, &up->partitions[p], window, out, err);

			if (rc != 1)
				return rc;
		}
	}
	return 1;
}

/* One reason is enough for people; the first is of the oldest window. */
static void say_why(struct etl_strand *strand, const struct etl_upstream_hole *hole)
{
	char at[ETL_TIME_TEXT_BYTES];

	if (*strand->part.reason)
		return;
	etl_time_format_rfc3339(hole->window.start, at);
	snprintf(strand->part.reason, sizeof strand->part.reason, "waits for window %s of %s/%s%s%.300s", at,
		hole->job->name, hole->partition->name, *hole->why ? ", which is " : "", hole->why);
}

/* ---- all windows of a plan at once ------------------------------------------------------- */

/* One upstream partition, asked once: its watermark, and the entries of what that leaves open. A
 * plan of 10,000 windows would else ask the store 10,000 times for each upstream partition. */
struct view {
	const struct etl_job *job;
	const char *partition;
	struct etl_watermark mark;
	bool found;
	struct etl_ledger_brief *entries; /* owned; in order of start */
	size_t n, cap, at;
};

static void begin_cover(const struct view *view, const struct etl_window *window,
	struct etl_cover *cover)
{
	etl_cover_begin(cover, &view->job->window, view->found ? &view->mark : NULL, window);
}

static int keep_brief(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct view *view = ctx;

	(void)err;
	ETL_GROW(view->entries, view->n, view->cap);
	etl_ledger_brief(entry, &view->entries[view->n++]);
	return 0;
}

/* Before its window size was changed its windows may have been longer. */
static int64_t longest_ms(const struct view *view)
{
	int64_t longest = etl_window_longest_ms(&view->job->window);

	return view->found && view->mark.window_ms > longest ? view->mark.window_ms : longest;
}

/* The range is from the first to the last window that the watermark leaves open; without one, the
 * ledger is not asked. */
static int read_view(struct view *view, struct etl_state *state, const struct etl_due_list *due,
	struct etl_error *err)
{
	struct etl_window range = {{INT64_MAX}, {INT64_MIN}};
	struct etl_cover cover;
	int found = state->ops->watermark_get(state, view->job->name, view->partition, &view->mark, err);

	if (found < 0)
		return -1;
	view->found = found == 1;
	for (size_t i = 0; i < due->n; i++) {
		const struct etl_window *window = &due->windows[i].window;

		begin_cover(view, window, &cover);
		if (etl_cover_is_full(&cover))
			continue;
		range.start.ms = window->start.ms < range.start.ms ? window->start.ms : range.start.ms;
		range.end.ms = window->end.ms > range.end.ms ? window->end.ms : range.end.ms;
	}
	if (view->job->window.none || range.start.ms >= range.end.ms)
		return 0;
	range.start.ms -= longest_ms(view); /* what begins before reaches in at most so far */
	return state->ops->ledger_scan(state, view->job->name, view->partition, &range,
		ETL_LEDGER_BEGUN, keep_brief, view, err);
}

/* Windows are asked about in order of their start. */
static bool covers(struct view *view, const struct etl_window *window)
{
	struct etl_cover cover;

	begin_cover(view, window, &cover);
	while (view->at < view->n && view->entries[view->at].window.end.ms <= window->start.ms)
		view->at++;
	for (size_t i = view->at; i < view->n && !cover.gap && !etl_cover_is_full(&cover); i++)
		etl_cover_add(&cover, view->entries[i].window, view->entries[i].state);
	return etl_cover_is_full(&cover);
}

/* The partition of the same name if there is one, else all of them. */
static size_t list_views(const struct etl_job *job, const char *partition, struct view **out)
{
	size_t n = 0, cap = 0;

	*out = NULL;
	for (size_t k = 0; k < job->n_upstream; k++) {
		const struct etl_job *up = job->upstream[k];
		const struct etl_partition *same = etl_job_partition(up, partition);

		for (size_t p = 0; p < up->n_partitions; p++) {
			if (same && same != &up->partitions[p])
				continue;
			ETL_GROW(*out, n, cap);
			(*out)[n++] = (struct view){.job = up, .partition = up->partitions[p].name};
		}
	}
	return n;
}

/* The reason is asked for anew, from the store as it is now. If it has been closed since, nothing
 * is said: the window is due in the next plan. */
static int keep_ready(struct etl_strand *strand, struct etl_due_list *due, struct view *views,
	size_t n, struct etl_error *err)
{
	struct etl_upstream_hole hole;
	size_t kept = 0;

	for (size_t i = 0; i < due->n; i++) {
		const struct etl_window *window = &due->windows[i].window;
		bool ready = true;
		int now;

		for (size_t v = 0; v < n && ready; v++)
			ready = covers(&views[v], window);
		if (ready) {
			due->windows[kept++] = due->windows[i];
			continue;
		}
		strand->part.windows_blocked++;
		if (*strand->part.reason)
			continue;
		now = etl_upstream_hole(strand->run->env->state, strand->run->job,
			strand->part.partition->name, window, &hole, err);
		if (now < 0)
			return -1;
		if (now == 0)
			say_why(strand, &hole);
	}
	due->n = kept;
	return 0;
}

/* When MongoDB is unreachable the plan fails and is tried again: a window is never taken for ready
 * because nobody could be asked. */
int etl_upstream_filter(struct etl_strand *strand, struct etl_due_list *due,
	struct etl_error *err)
{
	struct view *views;
	size_t n = list_views(strand->run->job, strand->part.partition->name, &views);
	int rc = 0;

	for (size_t v = 0; v < n && due->n && rc == 0; v++)
		rc = read_view(&views[v], strand->run->env->state, due, err);
	if (rc == 0)
		rc = keep_ready(strand, due, views, n, err);
	for (size_t v = 0; v < n; v++)
		free(views[v].entries);
	free(views);
	return rc;
}
