/* SPDX-License-Identifier: MIT
 *
 * How far a run is, and who follows it. Loop thread.
 */
#ifndef ETLD_RUNS_WATCH_H
#define ETLD_RUNS_WATCH_H

#include "engine/engine.h"
#include "run/run.h"

/* The run as lib/run has it. While it goes on its workers write it: only what never changes (job,
 * id, trigger) may be read; all of it once it ended. */
struct etl_run *etld_run_of(struct etld_run *run);
const char *etld_run_id(const struct etld_run *run);

/* How far a run is, as its workers said last. Static texts or those of the job. */
struct etld_progress {
	const char *step, *partition;
	size_t waiting; /* strands that wait for a retry, the first of them */
	etl_mono retry_at; /* until then, */
	const char *retry_why; /* because of this failure (lent; its strand's); "" = not known */
	uint64_t records, windows;
};
void etld_run_progress(const struct etld_run *run, struct etld_progress *out);

/* Called on the loop at each change of step and once at the end (`ended`). Keyed by ctx. */
typedef void (*etld_watch_fn)(void *ctx, const struct etl_run *run, bool ended);
void etld_run_watch(struct etld_run *run, etld_watch_fn fn, void *ctx);
void etld_run_unwatch(struct etld_run *run, void *ctx);

/* Who follows the run is told: a step has changed, or it has ended. */
void etld_run_tell(struct etld_run *run, bool ended);

#endif
