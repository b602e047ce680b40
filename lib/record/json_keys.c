/* SPDX-License-Identifier: MIT
 *
 * The set of keys: open addressing over one table for all objects of a record. A slot's serial
 * tells its object and its record, so nothing has to be cleared between records.
 *
 * Why a seed: {"a": 1, ...} with thousands of keys that all fall into one slot would cost the
 * square of their number; a stranger cannot choose such keys without knowing the seed. Why
 * serials: three records of one object each have the serials 1, 2, 3. A slot of serial 1 is free
 * for the third record (`first` is 3), though nobody emptied it.
 */
#include "record/json_keys.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/hash.h"

void etl_json_keys_init(struct etl_json_keys *keys)
{
	*keys = (struct etl_json_keys){.cap = ETL_JSON_KEYS_FIRST};
	keys->slots = etl_calloc(keys->cap, sizeof *keys->slots);
	/* Without entropy yet (early boot) the address still differs between processes. */
	if (getrandom(&keys->seed, sizeof keys->seed, GRND_NONBLOCK) != (ssize_t)sizeof keys->seed)
		keys->seed = (uint64_t)(uintptr_t)keys->slots;
}

void etl_json_keys_fini(struct etl_json_keys *keys)
{
	free(keys->slots);
	keys->slots = NULL;
}

/* Also when serials are near their end: after two thousand million objects they begin
 * at 0 again, on an empty table. */
void etl_json_keys_clear(struct etl_json_keys *keys, size_t cap)
{
	free(keys->slots);
	keys->slots = etl_calloc(cap, sizeof *keys->slots);
	keys->cap = cap;
	keys->serial = 0;
}

/* Linear probing; at most half of the table is taken, so runs stay short. */
static struct etl_json_key_slot *free_slot(struct etl_json_key_slot *slots, size_t cap,
	uint32_t first, uint64_t hash)
{
	size_t i = hash & (cap - 1);

	while (slots[i].serial >= first)
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

/* Only this record's keys move; the others are free already. */
static void grow(struct etl_json_keys *keys)
{
	size_t cap = 2 * keys->cap;
	struct etl_json_key_slot *slots = etl_calloc(cap, sizeof *slots);

	for (size_t i = 0; i < keys->cap; i++)
		if (keys->slots[i].serial >= keys->first)
			*free_slot(slots, cap, keys->first, keys->slots[i].hash) = keys->slots[i];
	free(keys->slots);
	keys->slots = slots;
	keys->cap = cap;
}

bool etl_json_keys_add(struct etl_json_keys *keys, uint32_t serial, const uint8_t *base,
	const char *key, size_t len)
{
	/* The serial is part of the hash: "id" in a thousand objects of one record
	 * falls into a thousand slots. */
	uint64_t hash = etl_hash64(key, len, keys->seed + serial);
	size_t i;

	if (2 * (keys->used + 1) > keys->cap)
		grow(keys);
	for (i = hash & (keys->cap - 1); keys->slots[i].serial >= keys->first;
		i = (i + 1) & (keys->cap - 1)) {
		const char *other = (const char *)base + keys->slots[i].offset;

		if (keys->slots[i].hash == hash && keys->slots[i].serial == serial &&
			strcmp(other, key) == 0)
			return false;
	}
	keys->slots[i] = (struct etl_json_key_slot){
		hash, serial, (uint32_t)((const uint8_t *)key - base)};
	keys->used++;
	return true;
}

/* Records of one source look alike: {"t":...,"v":...} a million times. The first one is read by the
 * set and remembered; of the others each key is one comparison of 32 bytes.
 * A key with escapes, or of more than 31 bytes, is remembered as one that never matches, so that
 * those behind it keep their places. */
void etl_json_shape_learn(struct etl_json_shape *shape, const char *text, size_t raw,
	size_t plain, uint32_t depth, uint32_t ordinal)
{
	struct etl_json_shape_key *key;

	shape->n = shape->at;
	if (shape->n == ETL_JSON_SHAPE_KEYS)
		return;
	key = &shape->keys[shape->n++];
	shape->at++;
	key->depth = depth;
	key->ordinal = ordinal;
	key->n = (uint32_t)raw;
	key->mask = 0;
	if (raw != plain || raw > ETL_JSON_SHAPE_KEY_BYTES)
		return;
	memcpy(key->text, text, raw);
	key->mask = raw == 32 ? UINT32_MAX : (UINT32_C(1) << raw) - 1;
}

/* "a/b~c" -> "a~1b~0c" (RFC 6901 section 3), for the path in a reject. */
void etl_json_key_text(const char *key, size_t max, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < max && key[i] && n + 3 < size; i++) {
		if (key[i] == '~' || key[i] == '/') {
			out[n++] = '~';
			out[n++] = key[i] == '~' ? '0' : '1';
		} else {
			out[n++] = key[i];
		}
	}
	out[n] = '\0';
}
