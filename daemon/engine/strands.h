/* SPDX-License-Identifier: MIT
 *
 * The parts of a run on their way between workers and the loop. For runs.c, whose run they are.
 * Loop thread.
 */
#ifndef ETLD_STRANDS_H
#define ETLD_STRANDS_H

#include "engine/run.h"

/* The run has begun: makes run->strands, none of which is on its way. */
void etld_strands_open(struct etld_run *run, const struct etld_run_events *events);
/* As many as the job lets go at once. */
void etld_strands_start(struct etld_run *run);
/* The run is cancelled: those that wait for the network or a timer are called at once. */
void etld_strands_call(struct etld_run *run);
/* True if nothing of the run is at work: all that is left of it waits for retries, each of them for
 * longer than `patience`. */
bool etld_strands_only_wait(const struct etld_run *run, etl_dur patience);

void etld_strand_granted(void *strand); /* its share of the memory is there; for etld_shares_init */

#endif
