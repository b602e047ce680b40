/* SPDX-License-Identifier: MIT
 *
 * Backfills as operators begin and cancel them, driven by the daemons themselves: over crashes,
 * outages, clocks that lie and jobs that leave. Laws: what has ended stays so, and goes
 * forward until then, whoever drives it; each ends; of one that is done all windows are closed.
 */
#ifndef TESTS_SIM_WORLD_BACKFILL_H
#define TESTS_SIM_WORLD_BACKFILL_H

#include "ops/backfill.h"
#include "world.h"

struct etld_job;

/* Begins one of the job (NULL = none can begin), or cancels one that there is. */
void act_managed_backfill(struct machine *m, const struct etld_job *job);

/* As the store takes it: a step of one, and its end by an operator's word. */
void law_backfill_saved(const struct etl_backfill *b);
void law_backfill_ended(const char *id, enum etl_backfill_state state);

bool backfills_go_on(void);
/* At the end of a history. */
void laws_of_backfills(void);
void backfills_fini(void);

#endif
