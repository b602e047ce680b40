/* SPDX-License-Identifier: MIT
 *
 * Inside of a backfill, for backfill.c (loop) and backfill_step.c (workers). Nobody else includes
 * this.
 */
#ifndef ETLD_BACKFILL_STEP_H
#define ETLD_BACKFILL_STEP_H

#include "engine/backfill.h"
#include "io/pool.h"

struct etld_backfill_watcher {
	struct etld_backfill_watcher *next;
	etld_backfill_fn fn;
	void *ctx;
};

struct etld_backfill {
	struct etld_task task; /* first */
	struct etld_backfill *next;
	struct etld *etld;
	struct etl_backfill b;
	struct etl_timer timer;
	struct etld_backfill_watcher *watchers;
	bool on_worker, offered, cancelled;
	struct etl_window piece;
	const char *phase;
	etl_mono again; /* when the timer fires */
	etl_mono not_before; /* when the next piece may begin (rate, retry); us == 0 = at once */
	const char *wait_phase;

	/* the worker's while on_worker */
	struct etl_backfill save; /* a copy of b */
	struct etld_generation *generation;
	const struct etl_job *job; /* NULL: it left the configuration */
	bool owned;
	int64_t fence;
	bool tells; /* true: this etld logs the end; else the one that ended the backfill has */
	struct etl_error error;
};

/* Tasks, on a worker. A step saves where the backfill is and finds the next piece; `save` is what
 * it is then. A renewal only keeps the lease alive. */
void etld_backfill_step_work(struct etld_task *task);
void etld_backfill_renew_work(struct etld_task *task);

#endif
