/* SPDX-License-Identifier: MIT
 *
 * A job's lease, also from the dead.
 */
#include "job/lease.h"

int etl_lease_take(const struct etl_run_env *env, struct etl_lease_ask *ask,
	struct etl_lease *lease, struct etl_error *err)
{
	int got = env->state->ops->lease_acquire(env->state, ask, lease, err);

	if (got != 0 || !env->dead_holder)
		return got;
	ask->dead_holder = env->dead_holder(lease->holder);
	return ask->dead_holder ? env->state->ops->lease_acquire(env->state, ask, lease, err) : 0;
}
