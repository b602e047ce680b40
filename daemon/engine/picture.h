/* SPDX-License-Identifier: MIT
 *
 * What the loop knows of what the store holds: watermarks, open units, pauses, last runs. Read by a
 * worker when MongoDB is there, once a minute (others write, too), after a reload and after what
 * may have changed it; each answer replaces what was known of a job as a whole. Health, counts,
 * deadlines and metrics speak from it.
 */
#ifndef ETLD_PICTURE_H
#define ETLD_PICTURE_H

#include "engine/picture_read.h"

/* How often it is read again: what another etld has written is known after so long at the most. */
#define ETLD_LOOK_EVERY ETL_MINUTES(1)

/* Loop: into the jobs, at once. `each` (may be NULL) is given what is on record of each job's
 * schedule, before. What was not read changes nothing. */
void etld_picture_take(struct etld_picture *p);
/* Calls `each` with what is on record of each job's schedule; texts are lent for the call. */
void etld_picture_schedules(const struct etld_picture *p,
	void (*each)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx);

/* Loop: reads again: of all jobs in their turn and from then on once a minute, of one at once. */
void etld_picture_open(struct etld *etld);
void etld_picture_every(struct etld *etld, etl_dur every); /* instead of once a minute */
void etld_picture_watch(struct etld *etld);
void etld_picture_hurry(struct etld *etld); /* of all, now */
void etld_picture_look(struct etld *etld, struct etld_job *job);
void etld_picture_close(struct etld *etld); /* the workers are gone */

#endif
