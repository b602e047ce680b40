/* SPDX-License-Identifier: MIT
 *
 * Hashes: a thin face over xxhash.
 */
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/alloc.h"

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

static void put_text(XXH128_hash_t hash, char out[ETL_HASH_TEXT_BYTES])
{
	snprintf(out, ETL_HASH_TEXT_BYTES, "%016llx%016llx", (unsigned long long)hash.high64,
		(unsigned long long)hash.low64);
}

void etl_hash_text(const struct etl_hash_state *state, char out[ETL_HASH_TEXT_BYTES])
{
	put_text(XXH3_128bits_digest(state->xx), out);
}

void etl_hash_set_add(struct etl_hash_set *set, const void *p, size_t len)
{
	XXH128_hash_t hash = XXH3_128bits(p, len);

	set->low += hash.low64;
	set->high += hash.high64;
	set->n++;
}

void etl_hash_set_text(const struct etl_hash_set *set, uint64_t seed, char out[ETL_HASH_TEXT_BYTES])
{
	put_text(XXH3_128bits_withSeed(set, sizeof *set, seed), out);
}
