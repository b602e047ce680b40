/* SPDX-License-Identifier: MIT
 *
 * One reading of what the store holds, for picture.h and those that read as part of something else.
 */
#ifndef ETLD_PICTURE_READ_H
#define ETLD_PICTURE_READ_H

#include "engine/jobs.h"
#include "run/run.h"

struct etld_picture;

/* Loop: what a reading brings home, of all jobs or (`job`) of one. */
struct etld_picture *etld_picture_new(struct etld *etld, const struct etld_job *job);
/* Loop: a reading of nothing but where windows are, of jobs whose target a reload has changed. */
struct etld_picture *etld_picture_of_targets(struct etld *etld);
void etld_picture_free(struct etld_picture *p); /* loop; NULL is fine */

/* Worker: reads; of one job its open units alone. -1: nothing of it may be taken. */
int etld_picture_read(struct etld_picture *p, struct etl_error *err);
/* Worker: reads if the run has ended so that the ledger may have open units of its job; a run that
 * was well, of a job that had none, leaves none. */
void etld_picture_read_after(struct etld_picture *p, const struct etl_run *run);

#endif
