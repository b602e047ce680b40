/* SPDX-License-Identifier: MIT
 *
 * What keeps a job from its next window, by what the loop knows. Loop thread.
 */
#ifndef ETLD_BLOCKED_H
#define ETLD_BLOCKED_H

#include "engine/jobs.h"

struct etld_block {
	const struct etld_job *upstream;
	size_t partition;	  /* of the upstream job */
	struct etl_window window; /* the first of it that is not closed */
};

/* The upstream window that a job waits for. False: it owes nothing, or all of it is there. */
bool etld_blocked_by(const struct etld *etld, const struct etld_job *job, struct etld_block *out);

#endif
