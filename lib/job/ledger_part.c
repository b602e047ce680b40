/* SPDX-License-Identifier: MIT
 *
 * Ledger entries, cut down to what planning needs.
 */
#include "job/ledger_part.h"

#include "base/alloc.h"

static int keep(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct etl_ledger_part *part = ctx;

	(void)err;
	ETL_GROW(part->entries, part->n, part->cap);
	etl_ledger_brief(entry, &part->entries[part->n++]);
	return 0;
}

int etl_ledger_part_read(struct etl_ledger_part *part, struct etl_state *state, const char *job,
	const char *partition, const struct etl_window *range, struct etl_error *err)
{
	struct etl_window older = {{INT64_C(-62135596800000)}, range->start};

	part->n = 0;
	if (state->ops->ledger_scan(state, job, partition, &older, ETL_LEDGER_OPEN, keep, part, err) < 0)
		return -1;
	return state->ops->ledger_scan(state, job, partition, range, ETL_LEDGER_ALL, keep, part, err);
}
