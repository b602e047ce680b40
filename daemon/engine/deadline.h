/* SPDX-License-Identifier: MIT
 *
 * Deadlines of a job's windows: a timer for the next, an alert for what was missed. Loop thread.
 */
#ifndef ETLD_DEADLINE_H
#define ETLD_DEADLINE_H

#include "engine/jobs.h"

/* Arms the timer for the job's next deadline, tells those that were missed. After whatever may have
 * moved a watermark, the clock, the configuration or a pause. */
void etld_deadline_look(struct etld *etld, struct etld_job *job);
void etld_deadline_look_all(struct etld *etld); /* in pieces; the first within the call */
void etld_deadline_drop(struct etld *etld, struct etld_job *job);

#endif
