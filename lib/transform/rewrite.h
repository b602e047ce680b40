/* SPDX-License-Identifier: MIT
 *
 * What transforms share: a compiled set of field names, the places in a record where these
 * fields stand, and copying all that lies between them untouched, as one piece. A transform
 * walks a record once and moves bytes in as few pieces as it changes fields. Worker thread,
 * except the building, which belongs to the loader.
 */
#ifndef ETL_TRANSFORM_REWRITE_H
#define ETL_TRANSFORM_REWRITE_H

#include <string.h>

#include "base/arena.h"
#include "conf/option.h"
#include "record/batch.h"
#include "record/doc.h"
#include "transform/pointers.h"

/* Names with their numbers; immutable once built. */
struct etl_fields {
	size_t n;
	const char *const *names;
	const uint32_t *lens;
	const uint32_t *slots; /* number + 1; 0 = free */
	uint32_t mask;
	struct etl_pointers pointers; /* those of the names that are some */
};

/* The names are lent and must be distinct and not empty. */
void etl_fields_build(struct etl_fields *fields, const char *const *names, size_t n,
	struct etl_arena *arena);

/* For keys of 1 byte and more. */
static inline uint32_t etl_fields_hash(const char *key, uint32_t len)
{
	uint32_t first = (unsigned char)key[0], middle = (unsigned char)key[len / 2],
		 last = (unsigned char)key[len - 1];

	return (len * 0x9e3779b1U) ^ (first * 0x85ebca77U >> 3) ^ (middle * 0xc2b2ae3dU >> 7) ^
		(last * 0x27d4eb2fU >> 5);
}

/* The name's number, or -1. */
static inline int etl_fields_find(
	const struct etl_fields *fields, const char *key, uint32_t len)
{
	if (!len)
		return -1;
	for (uint32_t at = etl_fields_hash(key, len) & fields->mask; fields->slots[at];
		at = (at + 1) & fields->mask) {
		uint32_t i = fields->slots[at] - 1;

		if (fields->lens[i] == len && memcmp(fields->names[i], key, len) == 0)
			return (int)i;
	}
	return -1;
}

/* Where a record holds one of the fields. */
struct etl_hit {
	struct etl_element e;
	int field;
};

struct etl_hits {
	struct etl_hit *items; /* in the record's order */
	size_t n, cap;
};

void etl_hits_fini(struct etl_hits *hits);

/* Finds all of `fields` in the record; earlier hits are forgotten. */
void etl_hits_find(struct etl_hits *hits, const struct etl_fields *fields,
	const struct etl_record *record);

/* An element's bytes: type, key, NUL, value. */
static inline const uint8_t *etl_element_start(const struct etl_element *e)
{
	return (const uint8_t *)e->key - 1;
}
static inline const uint8_t *etl_element_end(const struct etl_element *e)
{
	return (const uint8_t *)e->key + e->key_len + 1 + e->value_len;
}
static inline const uint8_t *etl_record_start(const struct etl_record *record)
{
	return record->bson + 4;
}
static inline const uint8_t *etl_record_end(const struct etl_record *record)
{
	return record->bson + record->len - 1;
}

/* Copies whole elements that lie one behind the other. */
void etl_rewrite_slice(struct etl_writer *w, const uint8_t *from, const uint8_t *to);

/* Gives record `i` its new document, or rejects it if that grew too large. */
void etl_rewrite_done(
	struct etl_batch *batch, size_t i, const char *rule, struct etl_writer *w);

/* Around the work of a transform whose names may be JSON Pointers (transform/pointers.h): the first
 * gives what the second takes as `n_rejects`. */
static inline size_t etl_fields_lift(const struct etl_fields *fields, struct etl_batch *batch,
	const char *rule)
{
	size_t n_rejects = batch->n_rejects;

	etl_pointers_lift(&fields->pointers, batch, rule);
	return n_rejects;
}
static inline void etl_fields_lower(const struct etl_fields *fields, struct etl_batch *batch,
	size_t n_rejects, bool gone, const char *rule)
{
	etl_pointers_lower(&fields->pointers, batch, n_rejects, gone, rule);
}

/* Field names in the configuration: not empty, a JSON Pointer without "*" if it begins with "/", no
 * name twice. `what` is the transform's name. False and an error in env->diag otherwise. */
bool etl_field_name_ok(const char *name, const struct etl_node *node, const char *what,
	const struct etl_conf_env *env);
bool etl_field_names_ok(const struct etl_strings *names, const char *what,
	const struct etl_conf_env *env);

#endif
