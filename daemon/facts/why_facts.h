/* SPDX-License-Identifier: MIT
 *
 * What the loop knows of a job, for those who ask why (lib/tell/why.h). Loop thread.
 */
#ifndef ETLD_WHY_FACTS_H
#define ETLD_WHY_FACTS_H

#include "facts/facts.h"
#include "plan/deadline.h"
#include "tell/why.h"

/* The facts, and what they point to beside `facts`: good until the loop goes on. */
struct etld_why_facts {
	struct etl_why_job job;
	char host[ETL_REASON_MAX + 128];
	struct etl_deadline deadline;
	struct etl_why_backfill backfills[ETL_WHY_BACKFILLS];
};
void etld_why_facts(struct etld *etld, const struct etld_facts *facts, struct etld_why_facts *out);

#endif
