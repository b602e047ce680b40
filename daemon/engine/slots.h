/* SPDX-License-Identifier: MIT
 *
 * What is to be stored of slots, by the outbox. Loop thread.
 */
#ifndef ETLD_SLOTS_H
#define ETLD_SLOTS_H

#include "engine/jobs.h"

/* These slots of the job will not run, by the schedule of this key. */
void etld_slots_skip(struct etld *etld, const char *job, const struct etl_skip *skip,
	const char *schedule);
/* The job is new, or edited: slots up to this one are decided. */
void etld_slots_note(struct etld *etld, const struct etld_job *job, etl_wall slot);
/* It left the configuration. */
void etld_slots_retire(struct etld *etld, const char *job, etl_wall slot);

#endif
