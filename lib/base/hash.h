/* SPDX-License-Identifier: MIT
 *
 * Hashes for change detection and for stable spreading (jitter). XXH3; not for security.
 * The only user of xxhash. Any thread; a state belongs to one.
 */
#ifndef ETL_BASE_HASH_H
#define ETL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Stable over machines and releases: a jitter computed from it survives a restart. */
uint64_t etl_hash64(const void *p, size_t len, uint64_t seed);

/* 128 bits as 32 hexadecimal digits. */
#define ETL_HASH_TEXT_BYTES 33
struct etl_hash_state;
struct etl_hash_state *etl_hash_new(void);	   /* of no bytes yet; never NULL */
void etl_hash_free(struct etl_hash_state *state); /* NULL is fine */
void etl_hash_add(struct etl_hash_state *state, const void *p, size_t len);

/* The hash of what was added so far; more may be added afterwards. Pieces do not count: "a"
 * and "b" give what "ab" gives, so put a separator or a length between fields. */
void etl_hash_text(const struct etl_hash_state *state, char out[ETL_HASH_TEXT_BYTES]);

/* The hash of pieces in whatever order they came: {a, b} and {b, a} are one and the same, {a, a} is
 * another than {a}. Zeroed it is that of no pieces. */
struct etl_hash_set {
	uint64_t low, high; /* sums of the pieces' hashes */
	uint64_t n;
};
void etl_hash_set_add(struct etl_hash_set *set, const void *p, size_t len);
void etl_hash_set_text(const struct etl_hash_set *set, uint64_t seed,
	char out[ETL_HASH_TEXT_BYTES]);

#endif
