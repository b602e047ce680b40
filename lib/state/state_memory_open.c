/* SPDX-License-Identifier: MIT
 *
 * Open units of the store in memory, summed as the MongoDB store does it.
 *
 * A sum is all open units of one partition that have the same state, length and phase. Example: of
 * hourly windows 200 are failed and 3 pending: two sums, with the oldest and the newest start of
 * each. Phase is where in its length a window begins: hourly windows from 10:00 and hourly ones
 * from 10:30 are two sums, since they are of two settings of the job.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "state/memory.h"

/* A sum with texts of its own: the store may move while it is told of. */
struct row {
	struct etl_open_sum sum;
	char *job, *partition, *reason;
};

struct rows {
	struct row *rows;
	size_t n, cap;
};

/* Closed units come here only when they are dirty, so that the state tells dirty ones from others.
 */
static bool belongs(const struct etl_open_sum *sum, const struct etl_ledger_entry *e)
{
	int64_t size = e->window.end.ms - e->window.start.ms;

	return sum->state == e->state && sum->size_ms == size &&
		sum->phase_ms == (size ? e->window.start.ms % size : 0);
}

/* A size of 0 (a unit without a length) has no phase; a remainder by 0 would be the end of the
 * process. */
static struct row *row_new(struct rows *r, const struct lane *lane, const struct etl_ledger_entry *e)
{
	int64_t size = e->window.end.ms - e->window.start.ms;
	struct row *row;

	ETL_GROW(r->rows, r->n, r->cap);
	row = &r->rows[r->n++];
	*row = (struct row){
		.sum = {.state = e->state,
			.dirty = etl_window_is_closed(e->state),
			.size_ms = size,
			.phase_ms = size ? e->window.start.ms % size : 0,
			.oldest = e->window.start},
		.job = etl_strdup(lane->job),
		.partition = etl_strdup(lane->partition),
		.reason = etl_strdup(e->reason),
	};
	return row;
}

/* Of equally old ones that with the first reason counts, as MongoDB compares {start, reason}. */
static bool is_older(const struct row *row, const struct etl_ledger_entry *e)
{
	return e->window.start.ms != row->sum.oldest.ms ? e->window.start.ms < row->sum.oldest.ms :
							  strcmp(e->reason, row->reason) < 0;
}

/* Windows come in order of their start, objects do not. `from`: the lane's first row. */
static void add(struct rows *r, size_t from, const struct lane *lane, const struct etl_ledger_entry *e)
{
	struct row *row = NULL;

	for (size_t i = from; i < r->n && !row; i++)
		if (belongs(&r->rows[i].sum, e))
			row = &r->rows[i];
	if (!row)
		row = row_new(r, lane, e);
	row->sum.n++;
	if (e->window.start.ms > row->sum.newest.ms || row->sum.n == 1)
		row->sum.newest = e->window.start;
	if (!is_older(row, e))
		return;
	row->sum.oldest = e->window.start;
	free(row->reason);
	row->reason = etl_strdup(e->reason);
}

static void add_lane(struct rows *r, const struct lane *lane, const struct etl_window *range)
{
	size_t from = r->n;

	for (size_t i = 0; i < lane->n; i++) {
		const struct etl_ledger_entry *e = &lane->entries[i];

		if ((e->dirty || !etl_window_is_closed(e->state)) &&
			(!range || etl_window_holds(range, e->window.start)))
			add(r, from, lane, e);
	}
}

/* The lock is given back before `fn` is called, so that it may ask the store. All rows are freed
 * also when it has enough after the first. */
int etl_memory_open_sums(struct etl_state *s, const char *job, const struct etl_window *range,
	etl_open_fn fn, void *ctx, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct rows r = {0};
	bool more = true;

	(void)err;
	for (size_t i = 0; i < m->n_lanes; i++)
		if (!job || etl_streq(m->lanes[i].job, job))
			add_lane(&r, &m->lanes[i], range);
	etl_memory_unlock(m, 0);
	for (size_t i = 0; i < r.n; i++) {
		struct row *row = &r.rows[i];

		row->sum.job = row->job;
		row->sum.partition = row->partition;
		row->sum.reason = row->reason;
		more = more && fn(ctx, &row->sum) == 0;
		free(row->job);
		free(row->partition);
		free(row->reason);
	}
	free(r.rows);
	return 0;
}
