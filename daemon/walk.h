/* SPDX-License-Identifier: MIT
 *
 * A look at all jobs on behalf of a request, in pieces: between two of them the loop does what
 * else is due, so that a question about thousands of jobs makes no slot late. A few jobs are
 * looked at within the call. Two walks go at once, for each gathers an answer in memory; the
 * others wait for their turn. Loop thread.
 */
#ifndef ETLD_WALK_H
#define ETLD_WALK_H

#include "control.h"

/* The first member of whatever is gathered; made by the handler, which sets what is above the
 * line. Jobs that the configuration gets or loses under the walk are passed over. */
struct etld_walk {
	void (*look)(struct etld_walk *walk, struct etld_job *job); /* in the configuration's order */
	/* All were seen: ends the request. */
	void (*end)(struct etld_walk *walk, struct etld_request *request);
	void (*free)(struct etld_walk *walk); /* after `end`, or because the client has gone */
	/* ---- */
	struct etld *etld;
	struct etld_request *request;
	struct etld_generation *generation;
	struct etl_timer timer;
	size_t next; /* of the generation's jobs */
	struct etld_walk *later; /* that began after it */
	bool waits; /* for its turn */
};

/* Takes both. */
void etld_walk_start(struct etld_walk *walk, struct etld_request *request);

#endif
