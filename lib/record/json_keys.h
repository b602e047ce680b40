/* SPDX-License-Identifier: MIT
 *
 * How the transcoder knows that no key appears twice. Normally by the shape: the keys of the
 * last record in their order, so that a record that repeats them needs no look-up at all.
 * Else by a set that is seeded by chance, because keys come from strangers.
 */
#ifndef ETL_RECORD_JSON_KEYS_H
#define ETL_RECORD_JSON_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "record/json_simd.h"

enum { ETL_JSON_SHAPE_KEYS = 96, ETL_JSON_SHAPE_KEY_BYTES = 32 };

/* One key as it stood in the text, with its closing quote. */
struct etl_json_shape_key {
	char text[ETL_JSON_SHAPE_KEY_BYTES];
	uint32_t mask;	  /* the low `n` bits; 0 = too long or with escapes: never matches */
	uint32_t n;	  /* bytes with the quote */
	uint32_t depth;	  /* of its object */
	uint32_t ordinal; /* among its object's keys */
};

/* A record whose keys match in order, depth and ordinal has the same objects as the one it
 * was learned from, and that had no key twice. */
struct etl_json_shape {
	struct etl_json_shape_key keys[ETL_JSON_SHAPE_KEYS];
	size_t n, at;
};

static inline void etl_json_shape_begin(struct etl_json_shape *shape)
{
	shape->at = 0;
}

/* If the next remembered key stands at `p`: writes it with a NUL to `o` (32 bytes of room)
 * and gives its length with the NUL, which is also its length with the quote. Else 0. */
static inline size_t etl_json_shape_match(struct etl_json_shape *shape, const char *p,
	const char *end, uint32_t depth, uint32_t ordinal, uint8_t *o)
{
	const struct etl_json_shape_key *key = &shape->keys[shape->at];

	if (shape->at == shape->n || key->depth != depth || key->ordinal != ordinal ||
		end - p < (ptrdiff_t)key->n || !key->mask)
		return 0;
#if ETL_JSON_SSE2
	if (end - p >= ETL_JSON_SHAPE_KEY_BYTES) {
		const __m128i *text = (const __m128i *)(const void *)key->text;
		__m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + 16));
		uint32_t same = (uint32_t)_mm_movemask_epi8(
					_mm_cmpeq_epi8(a, _mm_loadu_si128(text))) |
			(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(b, _mm_loadu_si128(text + 1)))
				<< 16;

		if ((same & key->mask) != key->mask)
			return 0;
		_mm_storeu_si128((__m128i *)(void *)o, a);
		_mm_storeu_si128((__m128i *)(void *)(o + 16), b);
		o[key->n - 1] = '\0';
		shape->at++;
		return key->n;
	}
#endif
	if (memcmp(p, key->text, key->n) != 0)
		return 0;
	memcpy(o, p, key->n);
	o[key->n - 1] = '\0';
	shape->at++;
	return key->n;
}

/* Remembers a key from its first byte behind the quote: `raw` bytes with the closing quote,
 * `plain` bytes without escapes and with a NUL. Forgets what came after. */
void etl_json_shape_learn(struct etl_json_shape *shape, const char *text, size_t raw,
	size_t plain, uint32_t depth, uint32_t ordinal);

struct etl_json_key_slot {
	uint64_t hash;
	uint32_t serial; /* of the object; below `first` = free */
	uint32_t offset; /* of the key from the record's first byte */
};

struct etl_json_keys {
	struct etl_json_key_slot *slots;
	size_t cap, used;
	uint32_t first, serial; /* first serial of this record, last serial given */
	uint64_t seed;
};

enum { ETL_JSON_KEYS_FIRST = 256, ETL_JSON_KEYS_KEPT = 16384 }; /* slots: at first, over a record */

void etl_json_keys_init(struct etl_json_keys *keys);
void etl_json_keys_fini(struct etl_json_keys *keys);
void etl_json_keys_clear(struct etl_json_keys *keys, size_t cap);

/* A new record. */
static inline void etl_json_keys_begin(struct etl_json_keys *keys)
{
	if (keys->serial > UINT32_MAX / 2)
		etl_json_keys_clear(keys, ETL_JSON_KEYS_FIRST);
	keys->used = 0;
	keys->first = keys->serial + 1;
}

/* A new object's serial. */
static inline uint32_t etl_json_keys_object(struct etl_json_keys *keys)
{
	return ++keys->serial;
}

/* Adds `key` (inside the record at `base`, NUL behind it); false if the object has it. */
bool etl_json_keys_add(struct etl_json_keys *keys, uint32_t serial, const uint8_t *base,
	const char *key, size_t len);

/* A key for a JSON Pointer: '~' and '/' escaped, at most `max` bytes read, cut to `size`. */
void etl_json_key_text(const char *key, size_t max, char *out, size_t size);

#endif
