/* SPDX-License-Identifier: MIT
 *
 * Asks a job's sensor by a worker; the answer goes to the scheduler. Loop thread.
 */
#ifndef ETLD_SENSE_H
#define ETLD_SENSE_H

#include "engine/jobs.h"

/* Asks the sensor of the job's configuration; an older question of the job is void. The answer
 * goes to etl_sched_sensed. */
void etld_sense_ask(struct etld *etld, struct etld_job *job);
void etld_sense_drop(struct etld_job *job); /* nobody waits for the answer */
void etld_sense_free(struct etld_job *job); /* the workers are gone */

#endif
