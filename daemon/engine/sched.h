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
/* Before the first etld_sched_up: what the store knows of the slots of job `name`. */
void etld_sched_known(struct etld *etld, const char *name, const struct etl_schedule_info *info);
/* MongoDB is there; `first`: what it knows was read into the jobs. */
void etld_sched_up(struct etld *etld, bool first);
void etld_sched_free(struct etld *etld);

unsigned etld_active_runs(const struct etld *etld);

#endif
