/* SPDX-License-Identifier: MIT
 *
 * Carries runs and their strands between loop and workers. Loop thread.
 */
#ifndef ETLD_EXEC_H
#define ETLD_EXEC_H

#include "engine/jobs.h"
#include "run/run.h"

/* Takes what the trigger owns. */
struct etld_run *etld_exec_start(struct etld *etld, struct etld_job *job,
	struct etl_trigger *trigger);
void etld_exec_cancel(struct etld_run *run, enum etl_cancel why);
void etld_exec_orphan(struct etld_run *run); /* its job left the configuration */
void etld_exec_granted(void *strand); /* for etld_shares_init */
void etld_exec_drain(struct etld *etld); /* ends the runs that only wait for a retry */
void etld_exec_cancel_all(struct etld *etld, enum etl_cancel why);

struct etl_run *etld_exec_run(struct etld_run *run);
/* How far a run is, as its workers said last; its etl_run is theirs until it ended. Static texts
 * or those of the job. */
struct etld_progress {
	const char *step, *partition;
	size_t waiting; /* strands that wait for a retry, the first of them */
	etl_mono retry_at; /* until then, */
	const char *retry_why; /* because of this failure (lent; its strand's); "" = not known */
	uint64_t records, windows;
};
void etld_exec_progress(const struct etld_run *run, struct etld_progress *out);
const char *etld_exec_run_id(const struct etld_run *run);
/* Called on the loop at each change of step and once at the end (`ended`). Keyed by ctx. */
typedef void (*etld_watch_fn)(void *ctx, const struct etl_run *run, bool ended);
void etld_exec_watch(struct etld_run *run, etld_watch_fn fn, void *ctx);
void etld_exec_unwatch(struct etld_run *run, void *ctx);

#endif
