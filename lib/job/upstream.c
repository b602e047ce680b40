/* SPDX-License-Identifier: MIT
 *
 * `after`: a window may be loaded when the same window of each upstream job is closed, for
 * the partition of the same name or else for all of them. Reads ledgers; writes nothing.
 */
#include <stdio.h>
#include <string.h>

#include "job/strand.h"
#include "job/upstream.h"
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

/* 1 = all of the window is closed upstream, 0 = not (cover says where), -1. */
static int is_covered(struct etl_state *state, struct cover *cover,
	const struct etl_window *window, struct etl_error *err)
{
	struct etl_watermark mark;
	const struct etl_window_rules *rules = &cover->job->window;
	etl_wall until = window->end;
	int found = state->ops->watermark_get(state, cover->job->name, cover->partition, &mark, err);

	if (found < 0)
		return -1;
	if (found && mark.processed.ms >= window->end.ms && mark.origin.ms <= window->start.ms)
		return 1;
	/* What lies before the upstream's own start or behind its end will never come. */
	cover->covered = window->start.ms < rules->start.ms ? rules->start : window->start;
	if (rules->end.ms) {
		etl_wall last = etl_window_limit(rules, etl_wall_add(rules->end, rules->settle));

		until = until.ms > last.ms ? last : until;
	}
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

	if (*strand->reason)
		return;
	etl_time_format_rfc3339(hole->window.start, at);
	snprintf(strand->reason, sizeof strand->reason, "waits for window %s of %s/%s%s%.300s", at,
		hole->job->name, hole->partition->name, *hole->why ? ", which is " : "", hole->why);
}

int etl_upstream_filter(struct etl_strand *strand, struct etl_due_list *due,
	struct etl_error *err)
{
	struct etl_upstream_hole hole;
	size_t kept = 0;

	for (size_t i = 0; i < due->n; i++) {
		int ready = etl_upstream_hole(strand->run->env->state, strand->run->job,
			strand->partition->name, &due->windows[i].window, &hole, err);

		if (ready < 0)
			return -1;
		if (!ready)
			say_why(strand, &hole);
		if (ready)
			due->windows[kept++] = due->windows[i];
		else
			strand->windows_blocked++;
	}
	due->n = kept;
	return 0;
}
