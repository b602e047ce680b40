/* SPDX-License-Identifier: MIT
 *
 * An open table that is at most half full; nothing is ever taken out of it.
 */
#include "conf/texts.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

#define PLACES_AT_FIRST 256 /* a power of two, as it stays */

struct text {
	const char *at; /* NULL = a free place */
	size_t len;
	uint64_t hash;
};

struct etl_texts {
	struct etl_arena *arena;
	struct text *places;
	size_t n, n_places;
};

struct etl_texts *etl_texts_new(struct etl_arena *arena)
{
	struct etl_texts *texts = ETL_NEW(struct etl_texts);

	texts->arena = arena;
	texts->n_places = PLACES_AT_FIRST;
	texts->places = etl_calloc(texts->n_places, sizeof *texts->places);
	return texts;
}

void etl_texts_free(struct etl_texts *texts)
{
	if (!texts)
		return;
	free(texts->places);
	free(texts);
}

/* Where it stands, or the free place that it would take.
 * Ends, since half of the places at least are free. */
static struct text *place_of(const struct etl_texts *texts, const struct text *text)
{
	for (size_t i = text->hash;; i++) {
		struct text *place = &texts->places[i & (texts->n_places - 1)];

		if (!place->at || (place->hash == text->hash && place->len == text->len &&
					  memcmp(place->at, text->at, text->len) == 0))
			return place;
	}
}

/* Only places move: the texts lie in the arena and stay where they are. */
static void grow(struct etl_texts *texts)
{
	struct text *old = texts->places;
	size_t n = texts->n_places;

	texts->n_places *= 2;
	texts->places = etl_calloc(texts->n_places, sizeof *texts->places);
	for (size_t i = 0; i < n; i++)
		if (old[i].at)
			*place_of(texts, &old[i]) = old[i];
	free(old);
}

/* Before a place is looked for: growing moves all places. */
const char *etl_texts_get(struct etl_texts *texts, const char *text, size_t len)
{
	const struct text wanted = {text, len, etl_hash64(text, len, 0)};
	struct text *place;

	if (texts->n >= texts->n_places / 2)
		grow(texts);
	place = place_of(texts, &wanted);
	if (!place->at) {
		*place = wanted;
		place->at = etl_arena_memdup0(texts->arena, text, len);
		texts->n++;
	}
	return place->at;
}
