/* SPDX-License-Identifier: MIT
 *
 * Runs for those that start and end them: the scheduler's hands, methods, the manager that stops.
 * How far a run is: runs_watch.h. Loop thread.
 */
#ifndef ETLD_RUNS_H
#define ETLD_RUNS_H

#include "engine/jobs.h"
#include "run/run.h"

/* Takes what the trigger owns. */
struct etld_run *etld_run_start(struct etld *etld, struct etld_job *job,
	struct etl_trigger *trigger);
void etld_run_cancel(struct etld_run *run, enum etl_cancel why);
void etld_run_orphan(struct etld_run *run); /* its job left the configuration */
void etld_runs_drain(struct etld *etld); /* ends the runs that only wait for a retry */
void etld_runs_cancel_all(struct etld *etld, enum etl_cancel why);

#endif
