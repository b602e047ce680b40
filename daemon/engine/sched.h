/* SPDX-License-Identifier: MIT
 *
 * The hands of the scheduler, which decides (lib/sched/sched.h), and jobs over generations. Loop
 * thread.
 */
#ifndef ETLD_SCHED_H
#define ETLD_SCHED_H

#include "engine/jobs.h"

/* The tag of a trigger by hand: who waits for its run, if it did not start at once. One of the two
 * is called, once. */
struct etld_follower {
	void (*started)(struct etld_follower *follower, struct etld_run *run);
	void (*dropped)(struct etld_follower *follower); /* its job is gone */
};

void etld_sched_open(struct etld *etld);
/* A new configuration is in force, or the first one: takes it. */
void etld_sched_adopt(struct etld *etld, struct etld_generation *generation);
/* When MongoDB is there for the first time, in this order (news.c): what it knows of the slots of
 * job `name`; then those of which it knows nothing; at last, when the scheduler has the store, runs
 * for what is owed since the last stop. */
void etld_sched_known(struct etld *etld, const char *name, const struct etl_schedule_info *info);
void etld_sched_unheard(struct etld *etld);
void etld_sched_catch_up(struct etld *etld);
void etld_sched_free(struct etld *etld);

unsigned etld_active_runs(const struct etld *etld);

#endif
