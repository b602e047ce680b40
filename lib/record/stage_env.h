/* SPDX-License-Identifier: MIT
 *
 * What a transform or a check may use besides its options: values of the partition and the run,
 * the unit that a record belongs to, its share of memory, look-ups. What it makes of a record
 * must depend on the record's unit and on nothing else that the same request happened to bring:
 * what is loaded never depends on how requests were cut.
 *
 * Example: asked for 10:00 to 12:00 in one request, `set: {hour: "{window.start}"}` gives a
 * record of 11:20 the hour 11:00, as it does when 11:00 to 12:00 is asked for alone.
 */
#ifndef ETL_RECORD_STAGE_ENV_H
#define ETL_RECORD_STAGE_ENV_H

#include "conf/template.h"
#include "record/batch.h"
#include "record/table.h"
#include "time/window.h"

/* What the ledger has one entry for; of a job without windows all that it reads. */
struct etl_record_unit {
	struct etl_window window;
	size_t number; /* of those asked for together, from 0: where state kept by unit goes */
};

/* Lent from open to close; its functions are called by the instance's worker alone. */
struct etl_stage_env {
	const struct etl_vars *vars; /* partition and run. No window: it is the unit's */
	size_t memory_max;	     /* bytes that the strand may hold at once; 0 = no limit */
	void *ctx;		     /* of the functions */

	/* The unit of a record with this event time; never fails. A time outside of all that was
	 * asked for has the window of the grid that holds it, and the number of the nearest unit. */
	struct etl_record_unit (*unit)(void *ctx, etl_wall time);

	/* A transform that `filters`: of, or in addition to, a record with this event time it made so
	 * many, or let so many go without a reject. NULL = nobody counts. */
	void (*count)(void *ctx, etl_wall time, uint64_t made, uint64_t gone);

	/* Whether a unit of this partition that overlaps `range` has records: one that is in the
	 * ledger, or one that came before with the same request. 1, 0, -1. NULL = nothing is known. */
	int (*had_records)(void *ctx, struct etl_window range, struct etl_error *err);

	/* The table of a place that the plugin's type tells of (`place`): loaded when the run began, the
	 * same until its end. Lent. NULL = the type tells of none. */
	const struct etl_table *(*table)(void *ctx, const struct etl_table_place *place);
};

#endif
