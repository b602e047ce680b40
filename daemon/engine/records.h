/* SPDX-License-Identifier: MIT
 *
 * Records of runs that could not be saved: kept by the outbox. Loop thread.
 */
#ifndef ETLD_RECORDS_H
#define ETLD_RECORDS_H

#include "config/generation.h"
#include "engine/engine.h"
#include "run/run.h"

/* The run has ended and its record was not saved because of `error`. Keeps the run if that helps
 * (takes it: NULL comes back), else tells and gives it back. */
struct etl_run *etld_records_failed(struct etld *etld, struct etl_run *run,
	struct etld_generation *generation, const struct etl_error *error);

#endif
