/* SPDX-License-Identifier: MIT
 *
 * The facts for why.h that stand in the store: ledger, watermark, changes, runs. What is due
 * and what is blocked is asked of the very functions that a run asks. Reads only. Worker.
 */
#ifndef ETL_TELL_EXPLAIN_H
#define ETL_TELL_EXPLAIN_H

#include "tell/why.h"

#define ETL_EXPLAIN_PARTITIONS 20 /* of a job that are looked at for what it owes */

/* All but what the scheduler knows (phases, slots, jitter), which stays as it is in `out`.
 * `window` is one of the job's grid, or [0, 0) of a job without windows. */
int etl_explain_window(struct etl_state *state, const struct etl_job *job,
	const struct etl_partition *partition, struct etl_window window, etl_wall now,
	struct etl_why_window *out, struct etl_error *err);

/* The same of the object `name`, which is lent to `out`. No source is asked. */
int etl_explain_object(struct etl_state *state, const struct etl_job *job,
	const struct etl_partition *partition, const char *name, etl_wall now, struct etl_why_window *out,
	struct etl_error *err);

/* What the job's next run would find, if it ran now; of objects, what runs have found and not loaded. */
int etl_explain_owed(struct etl_state *state, const struct etl_job *job, etl_wall now,
	struct etl_why_owed *out, struct etl_error *err);

/* A run's record as facts; texts are lent by the document. Fills all but what the daemon adds. */
void etl_explain_run(const bson_t *record, struct etl_why_run *out);

#endif
