/* SPDX-License-Identifier: MIT
 *
 * A backfill: windows of a range, loaded in pieces that are ordinary runs of the backfill lane.
 * What is next follows from the ledger each time, so it is resumed by looking again. Here are
 * the questions to the ledger (worker) and what a piece's run means for it (pure); the daemon
 * keeps it going.
 */
#ifndef ETL_OPS_BACKFILL_H
#define ETL_OPS_BACKFILL_H

#include "run/run.h"

#define ETL_BACKFILL_ATTEMPTS 5	  /* of one piece; then the backfill has failed */
#define ETL_BACKFILL_PIECE_MIN 10 /* windows of a piece where requests are shorter */
#define ETL_BACKFILL_PIECE_MAX 2000

/* What the ledger has of the range, over the backfill's partitions. */
struct etl_backfill_survey {
	uint64_t windows; /* of the grid */
	uint64_t by_state[ETL_WINDOW_STATE_MAX]; /* PENDING: also those without an entry */
	uint64_t wanted;
	uint64_t too_old; /* of the wanted: older than the source keeps, given up if still open */
	uint64_t kept;	  /* stale, but older than the source keeps: they stay as they are, not wanted */
	uint64_t pieces;  /* runs that the wanted ones take */
};

/* Cuts the range to the grid and to what may be loaded at `now`. False: nothing is left. */
bool etl_backfill_cut(const struct etl_job *job, etl_wall now, struct etl_window *range);

/* The most windows of one piece: a request's, but never more than a minute of the rate. */
uint64_t etl_backfill_piece_windows(const struct etl_job *job, const struct etl_backfill *b);

/* A backfill with all that its questions to the ledger need. Lends all of it. */
struct etl_backfill_of {
	struct etl_state *state;
	const char *database; /* where loads go unless they say otherwise */
	const struct etl_job *job;
	const struct etl_backfill *b;
};

/* Worker. The whole range, whatever is done of it. */
int etl_backfill_survey(const struct etl_backfill_of *of, etl_wall now,
	struct etl_backfill_survey *out, struct etl_error *err);

/* Worker. The next piece: from the first to the last wanted window of a run of at most
 * etl_backfill_piece_windows. 1, 0 = nothing is left, -1. */
int etl_backfill_next(const struct etl_backfill_of *of, struct etl_window *piece, struct etl_error *err);

enum etl_backfill_go {
	ETL_BACKFILL_ON,    /* to the next piece, after `wait` */
	ETL_BACKFILL_AGAIN, /* the same piece, after `wait` */
	ETL_BACKFILL_END,   /* it is over: b->state and b->reason say how */
};

/* What the run of a piece means: counts, place, state. `took`: how long the run was. */
enum etl_backfill_go etl_backfill_judge(struct etl_backfill *b, const struct etl_run *run,
	const struct etl_window *piece, etl_dur took, etl_dur *wait);

/* How long the rest takes at the pace so far; us == -1 if that cannot be told. */
etl_dur etl_backfill_eta(const struct etl_backfill *b, etl_wall now);

#endif
