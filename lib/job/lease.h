/* SPDX-License-Identifier: MIT
 *
 * Taking a job's lease: at once from a holder that is known to be dead. Worker thread.
 */
#ifndef ETL_JOB_LEASE_H
#define ETL_JOB_LEASE_H

#include "job/run.h"

/* As lease_acquire in state/state.h; sets ask->dead_holder. */
int etl_lease_take(const struct etl_run_env *env, struct etl_lease_ask *ask,
	struct etl_lease *lease, struct etl_error *err);

#endif
