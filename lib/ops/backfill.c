/* SPDX-License-Identifier: MIT
 *
 * A backfill's questions to the ledger, and its judgement of runs. Keeps no list of windows:
 * what is left follows from the ledger each time, so that a crash, another etld or an
 * operator's change loses nothing. Loads nothing and waits for nothing itself.
 */
#include "ops/backfill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "job/stale.h"
#include "run/policy.h"
#include "time/backoff.h"

/* Windows that are looked at together: the memory of a look is 18 bytes for each. */
enum { BLOCK = 20000 };
/* Between two looks at a piece that is not over by the clock. */
#define EARLY_MOST ETL_MINUTES(15)

/* A range is widened to whole windows at both ends and cut at what is final. Example: hourly
 * windows, limit 12:00: 09:20 to 10:40 becomes 09:00 to 11:00, and 09:20 to 15:00 becomes 09:00
 * to 12:00. */
bool etl_backfill_cut(const struct etl_job *job, etl_wall now, struct etl_window *range)
{
	etl_wall limit = etl_window_limit(&job->window, now);
	etl_wall end = range->end.ms < limit.ms ? range->end : limit;
	struct etl_window last;

	if (job->window.none)
		return false;
	range->start = etl_window_at(&job->window, range->start).start;
	if (end.ms <= range->start.ms)
		return false;
	last = etl_window_at(&job->window, (etl_wall){end.ms - 1});
	range->end = last.end;
	return true;
}

/* The law of pieces: a piece is one run, as long as a request, but at least 10 windows, or a
 * run's fixed cost would be most of it, and at most 2,000, so that a live run does not wait for
 * long. A rate bounds it to the windows of one minute, since the pause comes between pieces.
 * Example: hourly windows, max_span 24h: pieces of 24 windows. max_span 2h: 10. With a rate of
 * two windows a minute: 2; of one an hour: 1. */
uint64_t etl_backfill_piece_windows(const struct etl_job *job, const struct etl_backfill *b)
{
	etl_dur window = etl_grid_mean(&job->window.grid);
	uint64_t n = window.us ? (uint64_t)(job->window.max_span.us / window.us) : 0;

	if (n < ETL_BACKFILL_PIECE_MIN)
		n = ETL_BACKFILL_PIECE_MIN;
	if (n > ETL_BACKFILL_PIECE_MAX)
		n = ETL_BACKFILL_PIECE_MAX;
	if (b->rate > 0 && (double)n > b->rate * 60)
		n = (uint64_t)(b->rate * 60);
	return n ? n : 1;
}

/* An empty partition is all of them. */
static bool is_meant(const struct etl_backfill *b, const struct etl_partition *partition)
{
	return !*b->partition || etl_streq(b->partition, partition->name);
}

/* ---- a look at the ledger -------------------------------------------------------------------- */

/* One block of the grid, over all partitions that are meant. */
struct look {
	const struct etl_job *job;
	const struct etl_backfill *b;
	struct etl_window block; /* whole windows */
	struct etl_window *windows; /* of the grid, in it */
	size_t n;
	bool *wanted; /* of each window: is it wanted by at least one partition */
	signed char *states; /* of the partition that was read last; -1 = no entry */
	bool *stale;	     /* the same, if stale ones are asked for */
	const char *database; /* where loads go unless they say otherwise */
	struct etl_current current; /* that its windows are held against */
};

static int by_start(const void *a, const void *b)
{
	const struct etl_window *x = a, *y = b;

	return (x->start.ms > y->start.ms) - (x->start.ms < y->start.ms);
}

/* Entries of an older grid are left out: the backfill asks for windows of the job as it is now. */
static long index_of(const struct look *look, const struct etl_window *window)
{
	const struct etl_window *found = look->n ? bsearch(window, look->windows, look->n,
		sizeof *window, by_start) : NULL;

	return found && found->end.ms == window->end.ms ? (long)(found - look->windows) : -1;
}

static int note_state(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct look *look = ctx;
	long i = index_of(look, &entry->window);

	(void)err;
	if (i < 0)
		return 0;
	look->states[i] = (signed char)entry->state;
	if (look->current.targets)
		look->stale[i] = etl_stale_of(&look->current, entry->state, entry->definition,
			entry->window.start) != ETL_STALE_NOT;
	return 0;
}

static void look_init(struct look *look, const struct etl_backfill_of *of, struct etl_window block)
{
	*look = (struct look){.job = of->job, .b = of->b, .database = of->database, .block = block};
	look->windows = etl_calloc(BLOCK, sizeof *look->windows);
	for (struct etl_window w = etl_window_at(&of->job->window, block.start);
		look->n < BLOCK && w.end.ms <= block.end.ms;
		w = etl_grid_after(&of->job->window.grid, w))
		look->windows[look->n++] = w;
	look->wanted = etl_calloc(look->n, sizeof *look->wanted);
	look->states = etl_calloc(look->n, sizeof *look->states);
	look->stale = etl_calloc(look->n, sizeof *look->stale);
}

static void look_fini(struct look *look)
{
	free(look->windows);
	free(look->wanted);
	free(look->states);
	free(look->stale);
}

static bool wants(const struct look *look, size_t i)
{
	signed char state = look->states[i];

	return etl_reprocess_wants(look->b->reprocess, state >= 0,
		state >= 0 ? (enum etl_window_state)state : ETL_WINDOW_PENDING, look->stale[i]);
}

static int scan(struct look *look, struct etl_state *state, const char *partition, struct etl_error *err)
{
	memset(look->states, -1, look->n);
	memset(look->stale, 0, look->n * sizeof *look->stale);
	return state->ops->ledger_scan(state, look->job->name, partition, &look->block,
		ETL_LEDGER_ALL, note_state, look, err);
}

/* Reads one partition's entries of the block into look->states; which of them are stale follows from its
 * definition, and from where its watermark says that they are. */
static int read_partition(struct look *look, struct etl_state *state,
	const struct etl_partition *partition, struct etl_error *err)
{
	struct etl_watermark mark = {.window_ms = 0};
	char target[ETL_TARGET_BYTES];
	int rc;

	if (look->b->reprocess != ETL_REPROCESS_STALE)
		return scan(look, state, partition->name, err);
	if (state->ops->watermark_get(state, look->job->name, partition->name, &mark, err) < 0)
		return -1;
	etl_job_target(look->job, look->database, target);
	look->current = (struct etl_current){partition->definition, target, &mark.targets};
	rc = scan(look, state, partition->name, err);
	look->current = (struct etl_current){.targets = NULL};
	return rc;
}

static int look_at(struct look *look, struct etl_state *state, struct etl_error *err)
{
	for (size_t p = 0; p < look->job->n_partitions; p++) {
		if (!is_meant(look->b, &look->job->partitions[p]))
			continue;
		if (read_partition(look, state, &look->job->partitions[p], err) < 0)
			return -1;
		/* A window is asked for if any partition wants it; the run itself passes
		 * those partitions that do not. */
		for (size_t i = 0; i < look->n; i++)
			look->wanted[i] |= wants(look, i);
	}
	return 0;
}

static struct etl_window window_of(const struct look *look, size_t from, size_t to)
{
	return (struct etl_window){look->windows[from].start, look->windows[to].end};
}

/* The next block of what is left, from its end that comes first. */
static struct etl_window block_of(const struct etl_job *job, struct etl_window left, bool newest_first)
{
	const struct etl_grid *grid = &job->window.grid;
	etl_wall to = etl_grid_steps(grid, left.start, BLOCK);
	etl_wall from = etl_grid_steps(grid, left.end, -BLOCK);

	if (newest_first && from.ms > left.start.ms)
		left.start = from;
	else if (!newest_first && to.ms < left.end.ms)
		left.end = to;
	return left;
}

/* ---- survey ---------------------------------------------------------------------------------- */

static void count_partition(struct look *look, etl_wall kept, struct etl_backfill_survey *out)
{
	for (size_t i = 0; i < look->n; i++) {
		signed char state = look->states[i];
		struct etl_window window = window_of(look, i, i);

		out->windows++;
		out->by_state[state >= 0 ? (enum etl_window_state)state : ETL_WINDOW_PENDING]++;
		if (!wants(look, i))
			continue;
		if (look->b->reprocess == ETL_REPROCESS_STALE && window.end.ms <= kept.ms) {
			look->states[i] = -1; /* what the source no longer has is not asked for */
			look->stale[i] = false;
			out->kept++;
			continue;
		}
		out->wanted++;
		out->too_old += window.end.ms <= kept.ms;
	}
}

/* Counted as etl_backfill_next will cut them, the oldest first. Newest first the cuts lie
 * elsewhere, but within a block the number is the same: each piece begins at a wanted window
 * and is as long as it may be. */
static void count_pieces(const struct look *look, struct etl_backfill_survey *out)
{
	size_t most = etl_backfill_piece_windows(look->job, look->b);

	for (size_t i = 0; i < look->n; i++)
		if (look->wanted[i]) {
			out->pieces++;
			i += most - 1;
		}
}

static int survey_block(struct look *look, struct etl_state *state, etl_wall kept,
	struct etl_backfill_survey *out, struct etl_error *err)
{
	for (size_t p = 0; p < look->job->n_partitions; p++) {
		if (!is_meant(look->b, &look->job->partitions[p]))
			continue;
		if (read_partition(look, state, &look->job->partitions[p], err) < 0)
			return -1;
		count_partition(look, kept, out);
		for (size_t i = 0; i < look->n; i++)
			look->wanted[i] |= wants(look, i);
	}
	count_pieces(look, out);
	return 0;
}

/* Block by block, so that ten years of minutes need memory for 20,000 windows and not for five
 * million. Over several blocks the number of pieces is an estimate: loading begins its blocks
 * elsewhere. */
int etl_backfill_survey(const struct etl_backfill_of *of, etl_wall now,
	struct etl_backfill_survey *out, struct etl_error *err)
{
	const struct etl_backfill *b = of->b;
	const struct etl_job *job = of->job;
	etl_wall kept = {job->window.retention.us ? etl_wall_sub(now, job->window.retention).ms :
						    INT64_MIN};
	struct etl_window left = b->range;
	int rc = 0;

	*out = (struct etl_backfill_survey){0};
	if (job->window.none)
		return 0;
	/* The whole range and not only what is left: the survey says what was asked for
	 * and how much of it there is. */
	while (left.start.ms < left.end.ms && rc == 0) {
		struct etl_window block = block_of(job, left, false);
		struct look look;

		left.start = block.end;
		look_init(&look, of, block);
		rc = survey_block(&look, of->state, kept, out, err);
		look_fini(&look);
	}
	return rc;
}

/* ---- the next piece -------------------------------------------------------------------------- */

/* A piece begins and ends with a wanted window, so that it asks for no more than it needs;
 * windows between that are not wanted are passed by the run itself. Example: at most 10 windows
 * a piece, wanted are 03, 04, 09 and 20 o'clock: the first piece is 03:00 to 10:00, the second
 * 20:00 to 21:00. */
static bool pick_oldest(const struct look *look, struct etl_window *piece)
{
	size_t most = etl_backfill_piece_windows(look->job, look->b), from = 0, to;

	while (from < look->n && !look->wanted[from])
		from++;
	if (from == look->n)
		return false;
	to = from + most - 1 < look->n ? from + most - 1 : look->n - 1;
	while (!look->wanted[to])
		to--;
	*piece = window_of(look, from, to);
	return true;
}

/* The mirror of pick_oldest. Example: with the same windows the first piece is 20:00 to 21:00,
 * the second 03:00 to 10:00. */
static bool pick_newest(const struct look *look, struct etl_window *piece)
{
	size_t most = etl_backfill_piece_windows(look->job, look->b), from, to = look->n;

	while (to > 0 && !look->wanted[to - 1])
		to--;
	if (!to)
		return false;
	from = to > most ? to - most : 0;
	while (!look->wanted[from])
		from++;
	*piece = window_of(look, from, to - 1);
	return true;
}

int etl_backfill_next(const struct etl_backfill_of *of, struct etl_window *piece, struct etl_error *err)
{
	const struct etl_backfill *b = of->b;
	const struct etl_job *job = of->job;
	/* `at` is where the last piece ended: what lies behind it has been asked for
	 * and is not asked again, even if it failed. */
	struct etl_window left = b->range;
	int found = 0;

	if (job->window.none) /* the job lost its grid in a reload */
		return 0;
	if (b->newest_first)
		left.end = b->at;
	else
		left.start = b->at;
	while (left.start.ms < left.end.ms && found == 0) {
		struct etl_window block = block_of(job, left, b->newest_first);
		struct look look;

		/* From the end that is next, so that the first block already holds the
		 * next piece, mostly. */
		look_init(&look, of, block);
		found = look_at(&look, of->state, err);
		if (found == 0)
			found = b->newest_first ? pick_newest(&look, piece) :
						  pick_oldest(&look, piece);
		look_fini(&look);
		if (b->newest_first)
			left.end = block.start;
		else
			left.start = block.end;
	}
	return found;
}

/* ---- what a run means ------------------------------------------------------------------------ */

static enum etl_backfill_go end(struct etl_backfill *b, enum etl_backfill_state state,
	const char *reason)
{
	b->state = state;
	etl_text_copy(b->reason, sizeof b->reason, reason);
	return ETL_BACKFILL_END;
}

/* Nothing of the piece was loaded, and a later try may work. Tries are bounded, with growing
 * pauses; a source that said when to come back is not asked before. */
static enum etl_backfill_go again(struct etl_backfill *b, const struct etl_run *run, etl_dur *wait)
{
	if (b->attempt >= ETL_BACKFILL_ATTEMPTS)
		return end(b, ETL_BACKFILL_FAILED, run->error.message);
	*wait = etl_backoff((unsigned)b->attempt, run->job->retry_backoff,
		run->job->retry_max_backoff,
		etl_hash64(b->id, strlen(b->id), (uint64_t)b->attempt));
	if (run->error.retry_after_ms * 1000 > wait->us)
		*wait = ETL_MS(run->error.retry_after_ms);
	b->attempt++;
	etl_text_copy(b->reason, sizeof b->reason, run->error.message);
	return ETL_BACKFILL_AGAIN;
}

/* The place moves behind the piece even if windows of it failed: they are counted, and
 * `--reprocess failed` finds them. The rate is kept by a pause after the piece: nine windows
 * were loaded at one a second in 4 s, so the next piece waits 5 s. */
static enum etl_backfill_go on(struct etl_backfill *b, const struct etl_run *run,
	const struct etl_window *piece, etl_dur took, etl_dur *wait)
{
	uint64_t n = run->windows.loaded + run->windows.empty + run->windows.failed;

	b->done += run->windows.loaded + run->windows.empty;
	b->failed += run->windows.failed + run->windows.held;
	b->lost += run->windows.lost;
	b->blocked += run->windows_blocked;
	b->pieces++;
	b->attempt = 1;
	b->at = b->newest_first ? piece->start : piece->end;
	b->reason[0] = '\0';
	wait->us = b->rate > 0 ? (int64_t)((double)n / b->rate * 1e6) - took.us : 0;
	if (wait->us < 0)
		wait->us = 0;
	return ETL_BACKFILL_ON;
}

/* True if trying the piece again may help: nothing of it moved, and the reason is not its data
 * (a record that is bad today is bad tomorrow) or its size. */
static bool may_work_later(const struct etl_run *run)
{
	bool moved = run->windows.loaded || run->windows.empty || run->windows.held ||
		run->windows.lost;

	return run->error.kind != ETL_OK && run->error.kind != ETL_DATA &&
		run->error.kind != ETL_LIMIT && !moved;
}

/* The clock was set back since the backfill began, or was ahead then: to the run these windows were not
 * over yet, and it left them alone. They are asked for again when they are, and now and then before, since
 * the clock may be put right. Example: begun at noon for the morning, and then the clock says yesterday. */
static bool came_early(const struct etl_run *run, const struct etl_window *piece, etl_dur *wait)
{
	const struct etl_window_rules *rules = &run->job->window;

	if (piece->end.ms <= etl_window_limit(rules, run->planned).ms)
		return false;
	*wait = etl_wall_diff(etl_wall_add(piece->end, rules->settle), run->planned);
	if (wait->us > EARLY_MOST.us)
		*wait = EARLY_MOST;
	if (wait->us < ETL_LEASE_TTL.us)
		*wait = ETL_LEASE_TTL;
	return true;
}

/* The law of a piece's run. Example: the piece 03:00 to 13:00 of hourly windows, its third
 * attempt:
 *
 *    7 loaded, 2 empty, 1 held     on to 13:00: nine done, one failed; attempts count from 1 again
 *    failed, source unreachable    the same piece again after a pause; after the fifth attempt the
 *                                  backfill has failed
 *    failed, bad records           on: another attempt would find the same records
 *    another etld had the job      again after a lease's length; this was no attempt
 *    not over by the run's clock   again when it is over, or after a quarter of an hour
 *    cancelled by an operator      the backfill ends
 *    cancelled by the shutdown     again, when etld is back */
enum etl_backfill_go etl_backfill_judge(struct etl_backfill *b, const struct etl_run *run,
	const struct etl_window *piece, etl_dur took, etl_dur *wait)
{
	*wait = (etl_dur){0};
	switch (run->state) {
	case ETL_RUN_BUSY: /* somebody else's turn: no attempt of ours */
	case ETL_RUN_FENCED:
		*wait = ETL_LEASE_TTL;
		return ETL_BACKFILL_AGAIN;
	case ETL_RUN_CANCELLED:
		if (atomic_load(&run->cancel) == ETL_CANCEL_OPERATOR)
			return end(b, ETL_BACKFILL_CANCELLED, "an operator cancelled its run");
		if (atomic_load(&run->cancel) == ETL_CANCEL_TIMEOUT)
			return again(b, run, wait);
		return ETL_BACKFILL_AGAIN;
	case ETL_RUN_FAILED:
	case ETL_RUN_PARTIAL:
		if (may_work_later(run))
			return again(b, run, wait);
		return on(b, run, piece, took, wait);
	/* Blocked windows are counted and passed: their upstream may take days, and the
	 * live runs load them. */
	case ETL_RUN_RUNNING:
	case ETL_RUN_OK:
	case ETL_RUN_BLOCKED:
		break;
	}
	if (came_early(run, piece, wait)) {
		etl_text_copy(b->reason, sizeof b->reason, "by the clock its windows are not over yet");
		return ETL_BACKFILL_AGAIN;
	}
	return on(b, run, piece, took, wait);
}

/* Example: of 100 windows 25 are over after one hour, so the rest takes three hours. Windows
 * that failed are over as well: the backfill does not come back to them. */
etl_dur etl_backfill_eta(const struct etl_backfill *b, etl_wall now)
{
	uint64_t gone = b->done + b->failed + b->lost + b->blocked;
	etl_dur spent = etl_wall_diff(now, b->created);

	if (!gone || spent.us <= 0 || gone >= b->windows)
		return (etl_dur){gone && gone >= b->windows ? 0 : -1};
	return (etl_dur){(int64_t)((double)spent.us / (double)gone * (double)(b->windows - gone))};
}
