/* SPDX-License-Identifier: MIT
 *
 * Where the transcoder writes: chunks of the batch's arena for records of usual size, the heap
 * for a large one until it is whole. Private to lib/record.
 */
#ifndef ETL_RECORD_JSON_ROOM_H
#define ETL_RECORD_JSON_ROOM_H

#include <stdint.h>

#include "base/arena.h"

enum { ETL_JSON_CHUNK_MIN = 1024, ETL_JSON_CHUNK_MAX = 64 * 1024 };

struct etl_json_room {
	struct etl_arena *arena; /* lent */
	uint8_t *free, *limit;	 /* the rest of what documents are written to */
	uint8_t *large;		 /* owned: the record is too large for a chunk; or NULL */
};

/* From here on into `arena`. */
void etl_json_room_target(struct etl_json_room *room, struct etl_arena *arena);

void etl_json_room_chunk(struct etl_json_room *room, size_t bytes);

/* Moves the `used` bytes at `base` to where `need` more have place; the new base. */
uint8_t *etl_json_room_grow(struct etl_json_room *room, const uint8_t *base, size_t used,
	size_t need);

/* The large record is whole, of `len` bytes, and the arena's; with 0 it is none, and gone. */
const uint8_t *etl_json_room_settle(struct etl_json_room *room, size_t len);

#endif
