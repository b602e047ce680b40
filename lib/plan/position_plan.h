/* SPDX-License-Identifier: MIT
 *
 * Where a stream goes on: its one unit, a position, by the ledger. It is due always, since nobody knows
 * what has come meanwhile. Worker.
 */
#ifndef ETL_PLAN_POSITION_PLAN_H
#define ETL_PLAN_POSITION_PLAN_H

#include "plan/window_plan.h"

struct etl_position {
	enum etl_due why; /* NEW: it never began; OPEN: it failed; else AGAIN */
	struct etl_ledger_brief had;
	uint8_t token[ETL_TOKEN_MAX];
	uint32_t len; /* 0 = from the beginning */
};

/* `stream`: its name, as a unit's. 0 or -1. */
int etl_position_plan(struct etl_state *state, const char *job, const char *partition, const char *stream,
	struct etl_position *out, struct etl_error *err);

#endif
