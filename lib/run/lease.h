/* SPDX-License-Identifier: MIT
 *
 * Taking a job's lease: at once from a holder that is known to be dead. Worker thread.
 */
#ifndef ETL_RUN_LEASE_H
#define ETL_RUN_LEASE_H

#include "run/run.h"

/* As lease_acquire in state/state.h; sets ask->dead_holder. */
int etl_lease_take(const struct etl_run_env *env, struct etl_lease_ask *ask,
	struct etl_lease *lease, struct etl_error *err);

/* Who holds it, as people look for a process: "pid 4711 on db1". A holder of another form is told
 * as it is. */
void etl_lease_words(const char *holder, char *out, size_t size);

/* A run that never gave its lease back died with its etld. Its windows are still due; that there
 * was a run is written down, unless it did so itself; however often. 0, also if none was lost, or
 * -1: then again later, for nobody else will: the lease knows of one lost run alone, and the next
 * who takes it hears of ours. */
int etl_lease_record_lost(const struct etl_run_env *env, const char *job,
	const struct etl_lease *lease, struct etl_error *err);

#endif
