/* SPDX-License-Identifier: MIT
 *
 * Is a unit stale: closed by another definition than its job's, or in another target than where the job
 * loads? Nothing is loaded again unasked; `etlctl restate` asks for exactly these. Pure, any thread.
 */
#ifndef ETL_JOB_STALE_H
#define ETL_JOB_STALE_H

#include "job/job.h"
#include "state/state.h"

enum etl_stale {
	ETL_STALE_NOT, /* also of what is open, and of what nobody knows anything of */
	ETL_STALE_DEFINITION,
	ETL_STALE_TARGET,
};

/* What the units of one partition are held against. Lends all of it. */
struct etl_current {
	uint64_t definition; /* of the partition; 0 = not known: targets alone are compared */
	const char *target;  /* etl_job_target; "" = it keeps nothing: no unit is stale */
	const struct etl_targets *targets; /* of its watermark */
};

/* `definition` and `start` are those of the unit's entry. */
enum etl_stale etl_stale_of(const struct etl_current *current, enum etl_window_state state,
	uint64_t definition, etl_wall start);

/* "made by another definition of 2026-11-28", "in 'a', now 'b'"; "" for a unit that is not. */
#define ETL_STALE_TEXT_BYTES (2 * ETL_TARGET_BYTES + 64)
void etl_stale_text(const struct etl_current *current, const struct etl_ledger_entry *entry,
	char out[ETL_STALE_TEXT_BYTES]);

/* Where the unit of this entry is: "etl.a"; NULL = that is not on record. */
const char *etl_stale_place(const struct etl_current *current, const struct etl_ledger_entry *entry);

#endif
