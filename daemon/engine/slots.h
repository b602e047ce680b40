/* SPDX-License-Identifier: MIT
 *
 * What is to be stored of slots, by workers; kept until MongoDB has it. Loop thread.
 */
#ifndef ETLD_SLOTS_H
#define ETLD_SLOTS_H

#include "engine/jobs.h"

void etld_slots_open(struct etld *etld);
/* These slots of the job will not run, by the schedule of this key. */
void etld_slots_skip(struct etld *etld, const char *job, const struct etl_skip *skip,
	const char *schedule);
/* The job is new, or edited: slots up to this one are decided. */
void etld_slots_note(struct etld *etld, struct etld_job *job, etl_wall slot);
/* It left the configuration. */
void etld_slots_retire(struct etld *etld, const char *job, etl_wall slot);
void etld_slots_flush(struct etld *etld); /* MongoDB is there again */
void etld_slots_drop(struct etld *etld, struct etld_job *job); /* it goes: nothing more of it */
size_t etld_slots_waiting(const struct etld *etld);
void etld_slots_free(struct etld *etld); /* the workers are gone */

#endif
