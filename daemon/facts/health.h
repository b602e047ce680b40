/* SPDX-License-Identifier: MIT
 *
 * How a job is: one word, why, and how late it is. facts.h is where to ask. Loop thread.
 */
#ifndef ETLD_HEALTH_H
#define ETLD_HEALTH_H

#include "engine/jobs.h"
#include "facts/blocked.h"

/* The worst first: of several the first one is told. etlctl(1) and etld(8) print this order. */
#define ETLD_HEALTH_WORDS(X)                                                                    \
	X(FAILING, "failing")	      /* windows have failed, or the last run did without any */  \
	X(UNREACHABLE, "unreachable") /* MongoDB is; what is shown is of before */               \
	X(CONFIG, "config")	      /* left out, its configuration has errors */               \
	X(HELD, "held")		      /* windows are held back by a check */                      \
	X(REJECTING, "rejecting")     /* records were refused */                                  \
	X(STALE, "stale")	      /* late by more than three times its patience */           \
	X(LATE, "late")                                                                         \
	X(BLOCKED, "blocked") /* waits for a job that is not well, or for its sensor */          \
	X(PAUSED, "paused")                                                                     \
	X(OK, "ok")

#define ETLD_HEALTHS 10

enum etld_health_id {
#define X(id, word) ETLD_HEALTH_##id,
	ETLD_HEALTH_WORDS(X)
#undef X
};
const char *etld_health_word(enum etld_health_id id);

struct etld_health {
	enum etld_health_id id;
	etl_dur late_by; /* of the partition that is late by most; 0 = nothing is due */
	char reason[ETL_REASON_MAX];
};
/* `culprit` (NULL = there is none): the job at which all hangs that waits as `block` says. */
void etld_health_of(const struct etld *etld, const struct etld_job *job,
	const struct etld_block *block, const struct etld_job *culprit, struct etld_health *h);

/* The job at which all hangs that waits as `block` says: the last one along the chain that is not
 * well. NULL = all are well. */
const struct etld_job *etld_culprit(const struct etld *etld, const struct etld_block *block);

#endif
