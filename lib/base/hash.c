/* SPDX-License-Identifier: MIT
 *
 * Hashes: a thin face over xxhash.
 *
 * XXH3 is fast and, since its release 0.8, stable: the same bytes give the same hash in
 * every later release, so hashes that stand in the ledger keep their meaning. It protects
 * from chance, not from an attacker who makes documents collide.
 */
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/alloc.h"

/* The library aligns its state to 64 bytes, which calloc does not promise: it makes its
 * own. */
struct etl_hash_state {
	XXH3_state_t *xx;
};

uint64_t etl_hash64(const void *p, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(p, len, seed);
}

struct etl_hash_state *etl_hash_new(void)
{
	struct etl_hash_state *state = ETL_NEW(struct etl_hash_state);

	state->xx = XXH3_createState();
	if (!state->xx)
		abort();
	XXH3_128bits_reset(state->xx);
	return state;
}

void etl_hash_free(struct etl_hash_state *state)
{
	if (!state)
		return;
	XXH3_freeState(state->xx);
	free(state);
}

void etl_hash_add(struct etl_hash_state *state, const void *p, size_t len)
{
	XXH3_128bits_update(state->xx, p, len);
}

/* High half first, as XXH128's canonical form has it: xxhsum -H2 prints the same digits. */
static void put_text(XXH128_hash_t hash, char out[ETL_HASH_TEXT_BYTES])
{
	snprintf(out, ETL_HASH_TEXT_BYTES, "%016llx%016llx", (unsigned long long)hash.high64,
		(unsigned long long)hash.low64);
}

void etl_hash_text(const struct etl_hash_state *state, char out[ETL_HASH_TEXT_BYTES])
{
	put_text(XXH3_128bits_digest(state->xx), out);
}

/* Sums do not depend on the order, and that is the law of the content hash: a window loaded in
 * one request or in ten, in the order of the source or shuffled, is the same content.
 *   {a, b} and {b, a}: the same sums. {a, a} and {a}: other sums, and n differs.
 * XOR would be simpler and wrong: {a, a} would equal {}. The sums wrap at 2^64, as unsigned
 * numbers do; n is hashed along, so that an empty set differs from one whose sums wrapped to 0. */
void etl_hash_set_add(struct etl_hash_set *set, const void *p, size_t len)
{
	XXH128_hash_t hash = XXH3_128bits(p, len);

	set->low += hash.low64;
	set->high += hash.high64;
	set->n++;
}

/* The sums go through the hash once more: 128 bits whose low half is not simply a sum
 * that somebody can aim at. The struct has no padding (three uint64_t), so hashing its
 * bytes hashes its values; the byte order is that of the machine, so content hashes compare
 * between machines of one byte order. */
void etl_hash_set_text(const struct etl_hash_set *set, uint64_t seed, char out[ETL_HASH_TEXT_BYTES])
{
	put_text(XXH3_128bits_withSeed(set, sizeof *set, seed), out);
}
