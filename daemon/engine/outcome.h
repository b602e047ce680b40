/* SPDX-License-Identifier: MIT
 *
 * What a run that ended leaves in its job, and when a run looks its job's whole ledger through.
 * Loop thread.
 */
#ifndef ETLD_OUTCOME_H
#define ETLD_OUTCOME_H

#include "engine/picture.h"

/* `picture`: what the ledger had open at its end; NULL = it was not read. */
void etld_job_remember(struct etld *etld, struct etld_job *job, const struct etl_run *run,
	struct etld_picture *picture);

/* Is its ledger looked through for holes? The first run since the start does, and one a day. */
bool etld_job_holes_are_due(const struct etld *etld, struct etld_job *job);

#endif
