/* SPDX-License-Identifier: MIT
 *
 * A look at all jobs in pieces: between two of them the loop does what else is due, so that
 * thousands of jobs make no slot late. A few jobs are looked at within the call. Of walks on behalf
 * of a request two go at once, for each gathers an answer in memory; the others wait for their
 * turn. Loop thread.
 */
#ifndef ETLD_ENGINE_WALK_H
#define ETLD_ENGINE_WALK_H

#include "engine/jobs.h"

/* How long a piece of work on the loop may take. The millisecond is the grid of the slots; a turn
 * of the loop costs some 10 us beside. */
#define ETLD_PIECE ((etl_dur){500})

struct etld_request;

/* Embedded as the first member of whatever is gathered; whoever begins the walk sets the
 * members above the line. The walk keeps the configuration that it began with; jobs that
 * another one brings or takes away meanwhile are passed over. */
struct etld_walk {
	void (*look)(struct etld_walk *walk, struct etld_job *job);
	/* All jobs were seen: ends the request, if there is one. May be NULL. */
	void (*end)(struct etld_walk *walk, struct etld_request *request);
	void (*free)(struct etld_walk *walk); /* after `end`, or because the client or etld goes */
	/* The i-th of `n` jobs of walk->generation. NULL: all, in the configuration's order. */
	const struct etl_job *(*at)(const struct etld_walk *walk, size_t i);
	size_t n;
	bool in_turn; /* it changes jobs: after all such walks that began before */
	/* ---- */
	struct etld *etld;
	struct etld_request *request; /* on behalf of which it goes, lent; NULL: it is etld's own */
	struct etld_generation *generation;
	struct etl_timer timer;
	size_t next; /* to be looked at; in `look` the one behind it */
	struct etld_walk *later; /* that began after it */
	bool waits; /* for its turn */
};

/* Takes the walk, which may have ended when this returns. `request`: NULL = etld's own. */
void etld_walk_begin(struct etld_walk *walk, struct etld *etld, struct etld_request *request);
/* Ends it before its end: `end` is not called. */
void etld_walk_drop(struct etld_walk *walk);

#endif
