/* SPDX-License-Identifier: MIT
 *
 * An arena forgets nothing before its batch is done: all smaller copies of a large record would
 * stay as long as the record. On the heap it grows in place.
 *
 * A record of 10 MiB that grows by doubling in an arena would leave 5 + 2.5 + ... MiB of copies
 * behind; on the heap realloc() moves it and at the end the arena adopts the one block.
 */
#include "record/json_room.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Below it a lost copy costs less than a call of the heap. */
enum { LARGE_MIN = 128 * 1024 };

void etl_json_room_target(struct etl_json_room *room, struct etl_arena *arena)
{
	room->arena = arena;
	room->free = NULL;
	room->limit = NULL;
}

void etl_json_room_chunk(struct etl_json_room *room, size_t bytes)
{
	room->free = etl_arena_alloc(room->arena, bytes);
	room->limit = room->free + bytes;
}

uint8_t *etl_json_room_grow(struct etl_json_room *room, const uint8_t *base, size_t used,
	size_t need)
{
	/* Doubling, so that a record of n bytes is copied less than 2n bytes in all. */
	size_t bytes = 2 * (used + need) + ETL_JSON_CHUNK_MIN;
	bool was_large = room->large != NULL;

	if (used + need > LARGE_MIN) {
		room->large = etl_realloc(room->large, bytes, 1);
		room->free = room->large;
		room->limit = room->free + bytes;
	} else {
		etl_json_room_chunk(room, bytes);
	}
	if (!was_large) /* else it has moved along */
		memcpy(room->free, base, used);
	return room->free;
}

const uint8_t *etl_json_room_settle(struct etl_json_room *room, size_t len)
{
	uint8_t *whole = room->large;

	if (len) {
		/* What was reserved too much goes back: a batch counts what it holds. */
		whole = etl_realloc(whole, len, 1);
		etl_arena_adopt(room->arena, whole, len);
	} else {
		free(whole);
		whole = NULL;
	}
	room->large = NULL;
	room->free = NULL;
	room->limit = NULL;
	return whole;
}
