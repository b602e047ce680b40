/* SPDX-License-Identifier: MIT
 *
 * A run as the loop carries it: runs.c has its life, strands.c carries its parts, runs_watch.c
 * tells how far it is. For these three, and for news.c, which carries its end on; others have
 * runs.h and runs_watch.h. Loop thread, but for what the tasks hand to workers.
 */
#ifndef ETLD_RUN_H
#define ETLD_RUN_H

#include "engine/jobs.h"
#include "engine/runs_watch.h"
#include "engine/shares.h"
#include "io/fetch_clock.h"
#include "io/http.h"
#include "io/pool.h"

struct etld_picture;

/* A part of a run, and the transfer that it may have. */
struct strand {
	struct etld_task task;
	struct etld_run *run;
	struct etl_part *part; /* the worker's while on_worker */
	struct etld_transfer *transfer;
	struct etld_fetch_clock clock; /* of the transfer */
	struct etl_timer timer;
	struct etld_share share; /* of limits.memory */
	struct etl_mail *mail, **mail_last; /* of a flow: came while a worker had the strand */
	size_t mail_bytes;
	bool on_worker, wants_input, waiting, ended;
	etl_mono retry_at; /* waiting: until then */
	enum etl_need need;
	enum etl_step_id step;	   /* these three as the worker left them last: */
	uint64_t records, windows; /* the strand itself is the worker's while it walks */
};

/* What a run is told of its strands. */
struct etld_run_events {
	void (*moved)(struct etld_run *run); /* one goes on with another step */
	void (*waits)(struct etld_run *run); /* one waits for its retry */
	void (*ended)(struct etld_run *run);
};

struct etld_watcher {
	struct etld_watcher *next;
	etld_watch_fn fn;
	void *ctx;
};

struct etld_run {
	struct etld_run *next, *prev;
	struct etld *etld;
	struct etld_job *job; /* NULL once its job left the configuration */
	struct etld_generation *generation;
	struct etl_run *run;
	struct etld_task task;	/* begin and finish */
	struct etld_task renew_task;
	bool renewing, begun, finishing;
	struct etl_error finish_error, renew_error;
	struct etl_timer timeout, renew;
	const struct etld_run_events *events;
	struct strand *strands;
	size_t n_strands, next_strand, active;
	struct etld_watcher *watchers;
	struct etld_picture *picture; /* what is open when it has finished */
};

#endif
