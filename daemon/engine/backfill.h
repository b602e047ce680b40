/* SPDX-License-Identifier: MIT
 *
 * Backfills under way: each is kept going piece by piece. A worker saves where it is and asks
 * the ledger for the next piece, the scheduler gives the piece its turn, its run says what
 * came of it. Of several etlds the one with the backfill's own lease drives it; after a crash
 * another look at the ledger goes on where it stood. Loop thread.
 */
#ifndef ETLD_BACKFILL_H
#define ETLD_BACKFILL_H

#include "engine/jobs.h"
#include "ops/backfill.h"

struct etld_backfill;

/* Told at each step and at the end. Keyed by ctx. */
typedef void (*etld_backfill_fn)(void *ctx, const struct etl_backfill *b, bool ended);

/* Drives a new backfill (saved already) or one that the store has as running; `b` is copied.
 * The handle is valid until the watchers are told of the end. */
struct etld_backfill *etld_backfill_start(struct etld *etld, const struct etl_backfill *b);
/* `fn` is told until the end or etld_backfill_unwatch; one ctx may watch several backfills. */
void etld_backfill_watch(struct etld_backfill *backfill, etld_backfill_fn fn, void *ctx);
/* Ends every watch of this ctx. */
void etld_backfill_unwatch(struct etld *etld, void *ctx);

/* By id, or six characters or more of its beginning or end; NULL if none or more than one that
 * this etld drives is meant. */
struct etld_backfill *etld_backfill_find(struct etld *etld, const char *id);
/* The backfill as the loop knows it; lent, valid as long as the handle. */
const struct etl_backfill *etld_backfill_facts(const struct etld_backfill *backfill);
/* What it waits for, in words (static; "" = its piece runs), and until when: us == 0 = that is not
 * known. `until` may be NULL. */
const char *etld_backfill_waits_for(const struct etld_backfill *backfill, etl_mono *until);
/* Calls `fn` for each backfill under way. */
void etld_backfills_each(struct etld *etld,
	void (*fn)(void *ctx, const struct etld_backfill *backfill), void *ctx);
/* Cancels the backfill: its piece ends, and the store is told as soon as it can be reached,
 * whether this etld drives the backfill or not. `who` is copied into the reason. */
void etld_backfill_cancel(struct etld_backfill *backfill, const char *who);

/* A job left the configuration: its backfills end as failed. */
void etld_backfills_job_gone(struct etld *etld, const char *job);

/* A run of a piece ended; called before the scheduler is told. */
void etld_backfills_run_ended(struct etld *etld, const struct etl_run *run);
/* MongoDB is there: takes up what is running in the store, and looks again now and then. */
void etld_backfills_up(struct etld *etld);
/* Made once; the caller keeps it as etld->backfills. */
struct etld_backfills *etld_backfills_new(struct etld *etld);
/* After the pool is gone: what a worker had is freed here. NULL is fine. */
void etld_backfills_free(struct etld *etld);

#endif
