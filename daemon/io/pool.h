/* SPDX-License-Identifier: MIT
 *
 * Worker threads. A task crosses by a move through one queue: submit gives it away, `work`
 * runs on a worker, `done` runs on the loop. One mutex guards all queues; nothing is called
 * with it held.
 */
#ifndef ETLD_POOL_H
#define ETLD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "time/clock.h"

struct etld_task {
	struct etld_task *next;
	void (*work)(struct etld_task *task); /* worker */
	void (*done)(struct etld_task *task); /* loop; may free the task */
	const char *name;		      /* static */
	uint64_t lane; /* tasks of one lane never have all workers; 0 = of none */
	bool blocks;   /* its work waits for others: not for the workers that all share */
	const char *of; /* whose: a job's name; lent until `done`. NULL = nobody's in particular */
};

struct etld_pool;

/* Starts `workers` threads (1 or more), and as many as `blocking` more for tasks that block,
 * from the first of these on (0: they go to the workers). `wake` is called from workers when a
 * task is done; the loop then calls etld_pool_collect. Called on the loop's thread, which the
 * pool remembers. */
struct etld_pool *etld_pool_new(unsigned workers, unsigned blocking, const struct etl_clock *clock,
	void (*wake)(void *ctx), void *ctx);

/* Waits for the tasks that run, and drops those that wait (they are not freed). NULL is fine. */
void etld_pool_free(struct etld_pool *pool);

void etld_pool_submit(struct etld_pool *pool, struct etld_task *task); /* loop thread */
void etld_pool_collect(struct etld_pool *pool);			       /* loop thread */

struct etld_pool_facts {
	unsigned workers, busy; /* of the crew that all share, which is limits.workers */
	unsigned blocked;	/* tasks of the other crew that run: they mostly wait */
	size_t queued;		/* for either */
	etl_dur oldest; /* how long the longest running task of both has been at it */
	const char *name; /* that task's, */
	char of[96];	  /* whose it is; "" = nobody's, */
	etl_mono since;	  /* and when it began */
};
/* Loop; takes the lock for a moment. `name` is static. */
void etld_pool_facts(struct etld_pool *pool, struct etld_pool_facts *out);

/* Abort if this is not a worker's thread; if it is not the one that made the pool. */
void etld_on_worker(void);
void etld_on_pools_loop(const struct etld_pool *pool);

#endif
