/* SPDX-License-Identifier: MIT
 *
 * `after`: a window may be loaded when the same window of each upstream job is closed, for
 * the partition of the same name or else for all of them. Reads ledgers; writes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "flow/strand.h"
#include "flow/upstream.h"
#include "time/civil.h"

struct cover {
	const struct etl_job *job;
	const char *partition;
	etl_wall covered; /* closed without a gap up to here */
	bool gap;
	struct etl_window hole; /* the first window that is missing */
	char why[ETL_REASON_MAX];
};

/* Entries come in order: the first that does not join on is the hole. */
static int walk_cover(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct cover *cover = ctx;

	(void)err;
	if (cover->gap)
		return 0;
	if (entry->window.start.ms > cover->covered.ms) {
		cover->gap = true;
		return 0;
	}
	if (!etl_window_is_closed(entry->state)) {
		cover->gap = true;
		snprintf(cover->why, sizeof cover->why, "%s%s%.400s",
			etl_window_state_word(entry->state), *entry->reason ? ": " : "", entry->reason);
		return 0;
	}
	if (entry->window.end.ms > cover->covered.ms)
		cover->covered = entry->window.end;
	return 0;
}

/* What lies before the upstream's own start or behind its end will never come. */
static void what_will_come(const struct etl_window_rules *rules, const struct etl_window *window,
	etl_wall *from, etl_wall *until)
{
	etl_wall last;

	*from = window->start.ms < rules->start.ms ? rules->start : window->start;
	*until = window->end;
	if (!rules->end.ms)
		return;
	last = etl_window_limit(rules, etl_wall_add(rules->end, rules->settle));
	if (until->ms > last.ms)
		*until = last;
}

/* 1 = all of the window is closed upstream, 0 = not (cover says where), -1. */
static int is_covered(struct etl_state *state, struct cover *cover,
	const struct etl_window *window, struct etl_error *err)
{
	struct etl_watermark mark;
	const struct etl_window_rules *rules = &cover->job->window;
	etl_wall until;
	int found = state->ops->watermark_get(state, cover->job->name, cover->partition, &mark, err);

	if (found < 0)
		return -1;
	if (found && mark.processed.ms >= window->end.ms && mark.origin.ms <= window->start.ms)
		return 1;
	what_will_come(rules, window, &cover->covered, &until);
	cover->gap = false;
	cover->why[0] = '\0';
	if (rules->none)
		return found && mark.processed.ms > 0;
	if (state->ops->ledger_scan(state, cover->job->name, cover->partition, window,
		    ETL_LEDGER_ALL, walk_cover, cover, err) < 0)
		return -1;
	if (cover->covered.ms >= until.ms)
		return 1;
	cover->hole = etl_window_at(rules, cover->covered);
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

int etl_upstream_hole(struct etl_state *state, const struct etl_job *job, const char *partition,
	const struct etl_window *window, struct etl_upstream_hole *out, struct etl_error *err)
{
	if (waits_for_left_out(job, window, out))
		return 0;
	for (size_t k = 0; k < job->n_upstream; k++) {
		const struct etl_job *up = job->upstream[k];
		const struct etl_partition *same = etl_job_partition(up, partition);

		for (size_t p = 0; p < up->n_partitions; p++) {
			struct cover cover = {.job = up, .partition = up->partitions[p].name};
			int rc;

			if (same && same != &up->partitions[p])
				continue;
			rc = is_covered(state, &cover, window, err);
			if (rc == 0) {
				*out = (struct etl_upstream_hole){up, &up->partitions[p], cover.hole, ""};
				memcpy(out->why, cover.why, sizeof out->why);
			}
			if (rc != 1)
				return rc;
		}
	}
	return 1;
}

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

/* One upstream partition, asked once: its watermark, and the entries of what that leaves open. */
struct view {
	const struct etl_job *job;
	const char *partition;
	struct etl_watermark mark;
	bool found;
	struct etl_ledger_brief *entries; /* owned; in order of start */
	size_t n, cap, at;
};

static bool is_behind(const struct view *view, const struct etl_window *window)
{
	return view->found && view->mark.processed.ms >= window->end.ms &&
		view->mark.origin.ms <= window->start.ms;
}

static int keep_brief(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct view *view = ctx;

	(void)err;
	ETL_GROW(view->entries, view->n, view->cap);
	etl_ledger_brief(entry, &view->entries[view->n++]);
	return 0;
}

static int64_t longest_ms(const struct view *view)
{
	int64_t size = etl_dur_ms(view->job->window.size);

	return view->found && view->mark.window_ms > size ? view->mark.window_ms : size;
}

static int read_view(struct view *view, struct etl_state *state, const struct etl_due_list *due,
	struct etl_error *err)
{
	struct etl_window range = {{INT64_MAX}, {INT64_MIN}};
	int found = state->ops->watermark_get(state, view->job->name, view->partition, &view->mark, err);

	if (found < 0)
		return -1;
	view->found = found == 1;
	for (size_t i = 0; i < due->n; i++) {
		const struct etl_window *window = &due->windows[i].window;

		if (is_behind(view, window))
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
	const struct etl_window_rules *rules = &view->job->window;
	etl_wall covered, until;

	if (is_behind(view, window))
		return true;
	if (rules->none)
		return view->found && view->mark.processed.ms > 0;
	what_will_come(rules, window, &covered, &until);
	while (view->at < view->n && view->entries[view->at].window.end.ms <= window->start.ms)
		view->at++;
	for (size_t i = view->at; i < view->n && covered.ms < until.ms; i++) {
		const struct etl_ledger_brief *e = &view->entries[i];

		if (e->window.end.ms <= window->start.ms)
			continue;
		if (e->window.start.ms > covered.ms || !etl_window_is_closed(e->state))
			break;
		if (e->window.end.ms > covered.ms)
			covered = e->window.end;
	}
	return covered.ms >= until.ms;
}

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
