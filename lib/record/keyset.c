/* SPDX-License-Identifier: MIT
 *
 * Canonical key bytes and an open-addressing table of them: slots hold numbers of entries, at
 * most three quarters of them are taken, a slot is never freed.
 *
 * As keys these are one: int32 5, int64 5, double 5.0, decimal 5.00, -0.0 and 0. These are two:
 * 5 and "5", null and a missing field, 0.1 as a double and 0.1 as a decimal (which are not
 * equal).
 */
#include "record/keyset.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/hash.h"
#include "record/number.h"

enum tag { TAG_MISSING, TAG_NULL, TAG_INTEGER, TAG_DOUBLE, TAG_DECIMAL, TAG_OTHER };

/* The tag keeps kinds apart whose bytes could be the same. A key of several fields
 * needs no separators: each part's length is known by its tag or is written in it. */
static void add_tagged(struct etl_buf *key, enum tag tag, const void *p, size_t len)
{
	etl_buf_char(key, (char)tag);
	etl_buf_append(key, p, len);
}

static void add_integer(struct etl_buf *key, int64_t v)
{
	add_tagged(key, TAG_INTEGER, &v, sizeof v);
}

/* A double that is a whole number has to have the bytes of that integer, because it
 * equals it. */
static void add_double(struct etl_buf *key, double v)
{
	/* -2^63 <= v < 2^63, so that the conversion is defined; -0.0 becomes 0. */
	if (v >= -0x1p63 && v < 0x1p63 && v == floor(v)) {
		add_integer(key, (int64_t)v);
		return;
	}
	/* NaNs differ in bits that nobody sees; for grouping they are one. */
	if (isnan(v))
		v = (double)NAN;
	add_tagged(key, TAG_DOUBLE, &v, sizeof v);
}

/* 1.50 and 1.5 are one: sign, digits without outer zeros (15), power of ten (-1). */
static void add_decimal(struct etl_buf *key, const struct etl_element *e)
{
	char text[BSON_DECIMAL128_STRING], digits[BSON_DECIMAL128_STRING];
	bool negative;
	long exponent;
	int64_t whole;

	etl_element_decimal_text(e, text);
	negative = *text == '-';
	if (!etl_number_is_text(text, strlen(text))) { /* NaN, Infinity, -Infinity */
		add_double(key, text[negative] == 'N' ? (double)NAN :
				negative	      ? -(double)INFINITY :
							(double)INFINITY);
		return;
	}
	if (etl_number_whole(text, strlen(text), &whole)) {
		add_integer(key, whole);
		return;
	}
	size_t n = etl_number_significant(text, strlen(text), digits, &exponent);
	uint8_t head[] = {negative, (uint8_t)n};
	add_tagged(key, TAG_DECIMAL, head, sizeof head);
	etl_buf_append(key, &exponent, sizeof exponent);
	etl_buf_append(key, digits, n);
}

/* A key of two fields is the bytes of both, one behind the other: {station: "a", day: 1}. */
void etl_key_add(struct etl_buf *key, const struct etl_element *e)
{
	int64_t integer;
	double real;

	if (!e) {
		add_tagged(key, TAG_MISSING, NULL, 0);
	} else if (etl_element_is_null(e)) {
		add_tagged(key, TAG_NULL, NULL, 0);
	} else if (etl_element_int64(e, &integer)) {
		add_integer(key, integer);
	} else if (etl_element_double(e, &real)) {
		add_double(key, real);
	} else if (e->type == BSON_TYPE_DECIMAL128) {
		add_decimal(key, e);
	} else {
		add_tagged(key, TAG_OTHER, &e->type, 1);
		/* Its length in front: of two texts "ab","c" and "a","bc" must differ. */
		etl_buf_append(key, &e->value_len, sizeof e->value_len);
		etl_buf_append(key, e->value, e->value_len);
	}
}

struct entry {
	uint64_t hash;
	const char *bytes;
	size_t len;
};

/* Entries are in the order of arrival, and that is their number; slots only lead to
 * them, so a table that grows moves no entry. */
struct etl_keyset {
	struct etl_arena *arena;
	struct entry *entries;
	size_t n, cap;
	uint32_t *slots; /* number of the entry + 1; 0 = free */
	size_t n_slots;	 /* a power of two */
	size_t bytes, keys_max, bytes_max;
};

struct etl_keyset *etl_keyset_new(size_t keys_max, size_t bytes_max)
{
	struct etl_keyset *set = ETL_NEW(struct etl_keyset);

	set->arena = etl_arena_new(0);
	set->n_slots = 64;
	set->slots = etl_calloc(set->n_slots, sizeof *set->slots);
	set->keys_max = keys_max < UINT32_MAX ? keys_max : UINT32_MAX - 1;
	set->bytes_max = bytes_max;
	return set;
}

void etl_keyset_free(struct etl_keyset *set)
{
	if (!set)
		return;
	etl_arena_free(set->arena);
	free(set->entries);
	free(set->slots);
	free(set);
}

/* Memory stays: the next unit has about as many keys. */
void etl_keyset_reset(struct etl_keyset *set)
{
	etl_arena_reset(set->arena);
	memset(set->slots, 0, set->n_slots * sizeof *set->slots);
	set->n = 0;
	set->bytes = 0;
}

size_t etl_keyset_held(const struct etl_keyset *set)
{
	return etl_arena_used(set->arena) + set->cap * sizeof *set->entries +
		set->n_slots * sizeof *set->slots;
}

/* Doubled, from the hashes that are kept: no key is hashed again. */
static void grow_slots(struct etl_keyset *set)
{
	size_t n_slots = 2 * set->n_slots, mask = n_slots - 1;
	uint32_t *slots = etl_calloc(n_slots, sizeof *slots);

	for (size_t i = 0; i < set->n; i++) {
		size_t at = set->entries[i].hash & mask;

		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = (uint32_t)i + 1;
	}
	free(set->slots);
	set->slots = slots;
	set->n_slots = n_slots;
}

/* The slot that holds the key, or the free one where it belongs.
 * Slots are never freed one by one, so a free one ends the search. */
static size_t find_slot(
	const struct etl_keyset *set, uint64_t hash, const void *key, size_t len)
{
	size_t mask = set->n_slots - 1, at = hash & mask;

	for (; set->slots[at]; at = (at + 1) & mask) {
		const struct entry *e = &set->entries[set->slots[at] - 1];

		if (e->hash == hash && e->len == len &&
			(!len || memcmp(e->bytes, key, len) == 0))
			break;
	}
	return at;
}

/* At a cap nothing is taken in and nothing is lost: the caller refuses the record or
 * fails the run. */
int etl_keyset_put(struct etl_keyset *set, const void *key, size_t len, size_t *number)
{
	uint64_t hash = etl_hash64(key, len, 0);
	size_t at = find_slot(set, hash, key, len);

	if (set->slots[at]) {
		*number = set->slots[at] - 1;
		return 0;
	}
	if (set->n >= set->keys_max || len > set->bytes_max - set->bytes)
		return -1;
	/* At most three quarters full; the slot is looked up again, since the table has
	 * changed. */
	if (4 * (set->n + 1) > 3 * set->n_slots) {
		grow_slots(set);
		at = find_slot(set, hash, key, len);
	}
	ETL_GROW(set->entries, set->n, set->cap);
	set->entries[set->n] = (struct entry){
		.hash = hash,
		.bytes = etl_arena_memdup0(set->arena, key, len),
		.len = len,
	};
	*number = set->n;
	set->bytes += len;
	set->slots[at] = (uint32_t)++set->n;
	return 1;
}

bool etl_keyset_find(const struct etl_keyset *set, const void *key, size_t len, size_t *number)
{
	size_t at = find_slot(set, etl_hash64(key, len, 0), key, len);

	if (!set->slots[at])
		return false;
	*number = set->slots[at] - 1;
	return true;
}
