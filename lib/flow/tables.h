/* SPDX-License-Identifier: MIT
 *
 * The tables that a run's transforms look into: read once, when the run begins, and the same for
 * all its strands until it ends. Private to lib/flow.
 */
#ifndef ETL_FLOW_TABLES_H
#define ETL_FLOW_TABLES_H

#include "run/run.h"

struct etl_tables {
	struct etl_table_of {
		const struct etl_table_place *place;
		struct etl_table *table;
	} *items;
	size_t n;
};

/* Worker. -1, with a part of them, if one cannot be read, is empty, or is too large. */
int etl_tables_load(const struct etl_run *run, struct etl_tables *tables, struct etl_error *err);
void etl_tables_fini(struct etl_tables *tables);
/* Lent; NULL if the job's transforms tell of no such place. */
const struct etl_table *etl_tables_find(const struct etl_tables *tables,
	const struct etl_table_place *place);

#endif
