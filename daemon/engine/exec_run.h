/* SPDX-License-Identifier: MIT
 *
 * A run and its strands as exec carries them. For exec.c, exec_watch.c and news.c. Loop thread, but for what
 * the tasks hand to workers.
 */
#ifndef ETLD_EXEC_RUN_H
#define ETLD_EXEC_RUN_H

#include "engine/exec.h"
#include "engine/shares.h"
#include "io/fetch_clock.h"
#include "io/http.h"
#include "io/pool.h"

struct etld_picture;

struct strand {
	struct etld_task task;
	struct etld_run *run;
	struct etl_strand *strand;
	struct etld_transfer *transfer;
	struct etld_fetch_clock clock; /* of the transfer */
	struct etl_timer timer;
	struct etld_share share; /* of limits.memory */
	struct etl_mail *mail, **mail_last; /* came while a worker had the strand */
	size_t mail_bytes;
	bool on_worker, wants_input, waiting, ended;
	etl_mono retry_at; /* waiting: until then */
	enum etl_need need;
	enum etl_step_id step;	   /* these three as the worker left them last: */
	uint64_t records, windows; /* the strand itself is the worker's while it walks */
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
	struct strand *strands;
	size_t n_strands, next_strand, active;
	struct etld_watcher *watchers;
	struct etld_picture *picture; /* what is open when it has finished */
};

/* Who follows the run is told: a step has changed, or it has ended. */
void etld_exec_tell(struct etld_run *run, bool ended);

#endif
