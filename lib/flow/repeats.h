/* SPDX-License-Identifier: MIT
 *
 * A window that is larger than a slice goes into its target piece by piece. Of two records with one
 * key in the same slice the sink tells; of two in different slices it sees one at a time: the keys of
 * the slices that are in are kept here until the window ends.
 *
 * Example: slices of three rows, keys a b c | b d a. The sink inserts three rows, then updates b and
 * a and inserts d. Told is: 4 inserted, 2 overwritten, as if all had come in one slice.
 */
#ifndef ETL_FLOW_REPEATS_H
#define ETL_FLOW_REPEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2 MiB of table at the most. What comes behind them is not compared; `full` says so. */
#define ETL_REPEATS_MAX 131072

struct etl_repeats {
	uint64_t *slots; /* hashes of keys (load_result.identities); 0 = free */
	size_t n, n_slots;
	bool full;
};

void etl_repeats_reset(struct etl_repeats *r); /* frees */
void etl_repeats_add(struct etl_repeats *r, uint64_t key); /* 0 is no key */
bool etl_repeats_has(const struct etl_repeats *r, uint64_t key);

#endif
