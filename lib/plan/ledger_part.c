/* SPDX-License-Identifier: MIT
 *
 * Ledger entries, cut down to what planning needs: a job may have tens of thousands of them in
 * a scan range. Reads the store and nothing else.
 */
#include "plan/ledger_part.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

static int keep(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct etl_ledger_part *part = ctx;

	(void)err;
	ETL_GROW(part->entries, part->n, part->cap);
	etl_ledger_brief(entry, &part->entries[part->n++]);
	return 0;
}

/* ---- what is open, for a whole run ------------------------------------------------------- */

static int keep_open(void *ctx, const char *partition, const struct etl_ledger_entry *entry)
{
	struct etl_open_list *list = ctx;

	ETL_GROW(list->entries, list->n, list->cap);
	list->entries[list->n].partition = etl_arena_strdup(list->arena, partition);
	etl_ledger_brief(entry, &list->entries[list->n++].brief);
	return 0;
}

static int by_partition_and_start(const void *a, const void *b)
{
	const struct etl_open_entry *x = a, *y = b;
	int order = strcmp(x->partition, y->partition);

	return order ? order :
		       (x->brief.window.start.ms > y->brief.window.start.ms) -
				(x->brief.window.start.ms < y->brief.window.start.ms);
}

/* A job with a thousand partitions would ask a thousand times for open entries, nearly always
 * to learn that there are none. One question answers for all of them; a job with more than
 * ETL_OPEN_MAX open entries is asked partition by partition again, which keeps the memory
 * bounded. */
int etl_open_list_read(struct etl_open_list *list, struct etl_state *state, const char *job,
	struct etl_error *err)
{
	int rc;

	etl_open_list_fini(list);
	list->arena = etl_arena_new(0);
	rc = state->ops->ledger_open(state, job, ETL_OPEN_MAX, keep_open, list, err);
	if (rc != 1)
		etl_open_list_fini(list);
	else if (list->n)
		qsort(list->entries, list->n, sizeof *list->entries, by_partition_and_start);
	return rc < 0 ? -1 : 0;
}

void etl_open_list_fini(struct etl_open_list *list)
{
	free(list->entries);
	etl_arena_free(list->arena);
	*list = (struct etl_open_list){0};
}

/* The list is in order of partition and start, so a partition's part begins where halving finds
 * it. */
static void take_open(struct etl_ledger_part *part, const struct etl_open_list *list,
	const char *partition, etl_wall before)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(list->entries[middle].partition, partition) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < list->n && etl_streq(list->entries[low].partition, partition) &&
		list->entries[low].brief.window.start.ms < before.ms;
		low++) {
		ETL_GROW(part->entries, part->n, part->cap);
		part->entries[part->n++] = list->entries[low].brief;
	}
}

/* ---- one partition ----------------------------------------------------------------------- */

/* Two questions, because the index bounds the range by its start: what begins in the range is
 * needed whole, what begins before it only if it is open or dirty. The earliest instant is
 * 0001-01-01. */
int etl_ledger_part_read(struct etl_ledger_part *part, struct etl_state *state, const char *job,
	const char *partition, const struct etl_window *range, const struct etl_open_list *open,
	struct etl_error *err)
{
	struct etl_window older = {{INT64_C(-62135596800000)}, range->start};

	part->n = 0;
	if (open && open->arena)
		take_open(part, open, partition, range->start);
	else if (state->ops->ledger_scan(state, job, partition, &older, ETL_LEDGER_OPEN, keep, part,
			 err) < 0)
		return -1;
	return state->ops->ledger_scan(state, job, partition, range, ETL_LEDGER_BEGUN, keep, part, err);
}
