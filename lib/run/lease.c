/* SPDX-License-Identifier: MIT
 *
 * A job's lease, also from the dead.
 *
 * Example: etld is killed under run 1 of `a` at 10:00:05; its lease would last until 10:00:30. The
 * etld that starts on the same machine at 10:00:07 finds the lease held by a process that it can
 * see to be gone, takes it at once instead of waiting, and writes down that run 1 was interrupted.
 */
#include "run/lease.h"

#include <stdio.h>

#include "base/str.h"

/* Asked twice at the most. Only a holder that was named in the first answer is called dead in the
 * second: should somebody else have taken it in between, that one is not. */
int etl_lease_take(const struct etl_run_env *env, struct etl_lease_ask *ask,
	struct etl_lease *lease, struct etl_error *err)
{
	int got = env->state->ops->lease_acquire(env->state, ask, lease, err);

	if (got != 0 || !env->dead_holder)
		return got;
	ask->dead_holder = env->dead_holder(lease->holder);
	return ask->dead_holder ? env->state->ops->lease_acquire(env->state, ask, lease, err) : 0;
}

/* The daemon's name for itself (instance.c): host, pid, start, boot and namespace. What stands
 * behind these is what the lease is for. */
void etl_lease_words(const char *holder, char *out, size_t size)
{
	char host[65];
	long pid;
	int end = 0;

	if (sscanf(holder, "%64s %ld %*u %*s %*u%n", host, &pid, &end) == 2 && end)
		snprintf(out, size, "pid %ld on %s%s", pid, host, holder + end);
	else
		etl_text_copy(out, size, holder);
}

/* A record that is there already (run 1 wrote it and died before it gave the lease back) says more
 * than this one. */
int etl_lease_record_lost(const struct etl_run_env *env, const char *job,
	const struct etl_lease *lease, struct etl_error *err)
{
	struct etl_state *state = env->state;
	struct etl_run_record record = {
		.run_id = lease->lost_run,
		.job = job,
		.trigger = lease->lost_slot.ms ? "schedule" : "",
		.state = "interrupted",
		.reason = "etld ended under this run; its windows stayed due",
		.host = "",
		.slot = lease->lost_slot,
		.started = lease->lost_since,
		.ended = lease->now,
		.took = etl_wall_age(lease->now,
			lease->lost_since), /* by the store's clock, both */
	};
	bson_t saved;
	int found;

	if (!*lease->lost_run)
		return 0;
	found = etl_doc_get(state, &etl_runs, lease->lost_run, &saved, err);
	if (found == 1)
		bson_destroy(&saved);
	return found == 0 ? etl_doc_put(state, &etl_runs, &record, err) : found < 0 ? -1 : 0;
}
