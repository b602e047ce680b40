/* SPDX-License-Identifier: MIT
 *
 * Pauses and their ends: they take effect here at once, and the outbox stores them in the order in
 * which they did, each with its audit. Loop thread.
 */
#ifndef ETLD_PAUSES_H
#define ETLD_PAUSES_H

#include "engine/jobs.h"

/* How an order ended for whoever gave it. */
enum etld_pause_end {
	ETLD_PAUSE_STORED,
	ETLD_PAUSE_KEPT,    /* it is stored when MongoDB is back */
	/* it could not be stored, and holds on this etld alone and until it stops */
	ETLD_PAUSE_REFUSED,
};
typedef void etld_pause_fn(void *ctx, enum etld_pause_end how, const char *reason);

struct etld_pause_order;

/* Of one job or many. `from`: of an end, slots since then count as missed; ms == 0 = none do. */
struct etld_pause_order *etld_pauses_begin(struct etld *etld, bool pause, const char *who,
	const char *why, etl_wall from);
/* The job is paused, or goes on, from now on. False: it was so before. */
bool etld_pauses_add(struct etld_pause_order *order, struct etld_job *job);
/* That was all (takes the order). `told` (may be NULL) hears once of it, maybe within the call. */
void etld_pauses_end(struct etld_pause_order *order, etld_pause_fn *told, void *ctx);

/* MongoDB is unreachable, or etld ends: nobody waits any more. */
void etld_pauses_down(struct etld *etld);

#endif
