/* SPDX-License-Identifier: MIT
 *
 * One JSON object in contiguous bytes to one BSON document, written where it will stay.
 * Keeps scratch between records: the keys of the last record, which the next one most often
 * repeats in the same order. Part of the JSON decoder; one worker at a time.
 */
#ifndef ETL_RECORD_JSON_RECORD_H
#define ETL_RECORD_JSON_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "record/json_number.h"

struct etl_json_record;

/* Why a record was refused or where it is broken. */
struct etl_json_fault {
	const char *at;	   /* in the text */
	char path[256];	   /* JSON Pointer inside the record; "" = the record; cut */
	char message[160];
};

struct etl_json_record *etl_json_record_new(unsigned depth_max);
void etl_json_record_free(struct etl_json_record *record);

/* Where documents go from now on. The arena must not be reset while it is in use here. */
void etl_json_record_target(struct etl_json_record *record, struct etl_arena *arena);

/* "C", lent. */
locale_t etl_json_record_locale(const struct etl_json_record *record);

/* Reads the object at `*p` ('{'). OK: `*p` is behind its '}', `*bson` lies in the arena.
 * `tail` (may be NULL) gives elements that are appended unless the record has their keys;
 * it is a BSON document. Otherwise nothing was added; REJECT and BROKEN fill `fault`. */
enum etl_json_status etl_json_record_read(struct etl_json_record *record, const char **p,
	const char *end, const uint8_t *tail, uint32_t tail_len, const uint8_t **bson,
	uint32_t *len, struct etl_json_fault *fault);

/* Bytes that it holds apart from records: the set of keys. */
size_t etl_json_record_held(const struct etl_json_record *r);

#endif
