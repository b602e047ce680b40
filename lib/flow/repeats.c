/* SPDX-License-Identifier: MIT
 *
 * The keys of a window's slices: a table of hashes. Two keys with one hash of 64 bits are a matter
 * of 1 in 10^9 for a full table, and cost a wrong word in a count.
 *
 * Why: a window larger than a slice goes in by slices. The second record with a key, in a later
 * slice, finds the first one in the target and looks like an update of an old row; only this table
 * knows that both are of one answer, which is what "overwritten" warns of.
 */
#include "flow/repeats.h"

#include <stdlib.h>

#include "base/alloc.h"

void etl_repeats_reset(struct etl_repeats *r)
{
	free(r->slots);
	*r = (struct etl_repeats){0};
}

/* Where the key is, or the free slot where it belongs. There always is one. */
static size_t find(const struct etl_repeats *r, uint64_t key)
{
	size_t mask = r->n_slots - 1, at = key & mask;

	while (r->slots[at] && r->slots[at] != key)
		at = (at + 1) & mask;
	return at;
}

/* Half full at most, so that a search ends soon. 0 marks a free slot, which is why a key of 0 is
 * not kept. */
static void grow(struct etl_repeats *r)
{
	struct etl_repeats larger = {.n = r->n, .n_slots = r->n_slots ? 2 * r->n_slots : 2048};

	larger.slots = etl_calloc(larger.n_slots, sizeof *larger.slots);
	for (size_t i = 0; i < r->n_slots; i++)
		if (r->slots[i])
			larger.slots[find(&larger, r->slots[i])] = r->slots[i];
	free(r->slots);
	*r = larger;
}

void etl_repeats_add(struct etl_repeats *r, uint64_t key)
{
	size_t at;

	if (!key || r->full)
		return;
	if (2 * (r->n + 1) > r->n_slots)
		grow(r);
	at = find(r, key);
	if (r->slots[at])
		return;
	if (r->n == ETL_REPEATS_MAX) {
		r->full = true;
		return;
	}
	r->slots[at] = key;
	r->n++;
}

bool etl_repeats_has(const struct etl_repeats *r, uint64_t key)
{
	return key && r->n && r->slots[find(r, key)] == key;
}
