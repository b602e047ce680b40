/* SPDX-License-Identifier: MIT
 *
 * A list of blocks, filled from the front. A request larger than a block gets its own.
 *
 * Blocks are pushed in front, so the block being filled is always the first. An arena
 * of 16 KiB blocks that was asked for 100, 40,000 and 100 bytes holds two blocks: the
 * first one with both small pieces, and behind it one of exactly 40,000 bytes. Nothing
 * is searched and nothing is given back one by one: that is what makes an allocation a
 * comparison and an addition.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

struct block {
	struct block *next;
	size_t size;
	size_t used;
	max_align_t data[];
};

/* What has to be done when the memory goes. The list lies in the arena itself; it is
 * therefore walked before the blocks are freed. */
struct deferred {
	struct deferred *next;
	void (*fn)(void *p);
	void *p;
};

struct etl_arena {
	struct block *blocks; /* the one being filled comes first */
	struct deferred *deferred;
	size_t block_bytes;
	/* Both are kept for budgets: what the heap gave, and what was asked for. A
	 * fresh arena of 16 KiB blocks with one piece of 100 bytes has 16,384 of the
	 * first and 104 of the second. */
	size_t total_bytes;
	size_t used_bytes;
};

struct etl_arena *etl_arena_new(size_t block_bytes)
{
	struct etl_arena *arena = ETL_NEW(struct etl_arena);

	arena->block_bytes = block_bytes ? block_bytes : 16 * 1024;
	return arena;
}

static void free_blocks(struct block *block)
{
	while (block) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
}

void etl_arena_defer(struct etl_arena *arena, void (*fn)(void *p), void *p)
{
	struct deferred *d = etl_arena_alloc(arena, sizeof *d);

	*d = (struct deferred){arena->deferred, fn, p};
	arena->deferred = d;
}

/* A large piece that somebody else allocated (a decoded payload) joins without being
 * copied. It counts in both sums, as if it had been allocated here. */
void etl_arena_adopt(struct etl_arena *arena, void *p, size_t bytes)
{
	etl_arena_defer(arena, free, p);
	arena->used_bytes += bytes;
	arena->total_bytes += bytes;
}

/* The list is last in, first out: what was made later may use what was made before, so
 * it has to go first. A function must not defer another: the list is emptied
 * afterwards. */
static void run_deferred(struct etl_arena *arena)
{
	for (struct deferred *d = arena->deferred; d; d = d->next)
		d->fn(d->p);
	arena->deferred = NULL;
}

void etl_arena_free(struct etl_arena *arena)
{
	if (!arena)
		return;
	run_deferred(arena);
	free_blocks(arena->blocks);
	free(arena);
}

/* A batch resets its arena once for each batch, thousands of times in a run. Keeping
 * one block of the usual size means that the heap is asked only for what is above it. A
 * block that was made to measure is never kept: one record of 10 MiB must not stay as a
 * block for the rest of the run. */
void etl_arena_reset(struct etl_arena *arena)
{
	struct block *keep = NULL;

	run_deferred(arena);
	for (struct block **p = &arena->blocks; *p; p = &(*p)->next)
		if ((*p)->size == arena->block_bytes) {
			keep = *p;
			*p = keep->next;
			break;
		}
	free_blocks(arena->blocks);
	arena->blocks = keep;
	arena->total_bytes = 0;
	arena->used_bytes = 0;
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
		arena->total_bytes = keep->size;
	}
}

static struct block *block_new(struct etl_arena *arena, size_t size)
{
	struct block *block = etl_realloc(NULL, 1, sizeof *block + size);

	block->size = size;
	block->used = 0;
	arena->total_bytes += size;
	return block;
}

void *etl_arena_alloc(struct etl_arena *arena, size_t bytes)
{
	/* Rounding up keeps each piece at a multiple of eight bytes, since a block's
	 * data begins aligned for any type. Eight suffices for pointers, int64_t and
	 * double, which is what structs here hold. */
	size_t need = (bytes + 7) & ~(size_t)7;
	struct block *block = arena->blocks;

	/* What is left at the end of a block when the next piece does not fit is lost.
	 * With pieces of at most half a block it is less than half of the block; larger
	 * ones get a block of their own below. */
	if (!block || block->size - block->used < need) {
		if (need > arena->block_bytes / 2 && block) {
			/* A large one goes behind: the block being filled stays in front. */
			block = block_new(arena, need);
			block->next = arena->blocks->next;
			arena->blocks->next = block;
		} else {
			block = block_new(arena,
				need > arena->block_bytes ? need : arena->block_bytes);
			block->next = arena->blocks;
			arena->blocks = block;
		}
	}
	void *p = (char *)block->data + block->used;
	block->used += need;
	arena->used_bytes += need;
	return p;
}

void *etl_arena_zalloc(struct etl_arena *arena, size_t bytes)
{
	return memset(etl_arena_alloc(arena, bytes), 0, bytes);
}

char *etl_arena_memdup0(struct etl_arena *arena, const void *p, size_t len)
{
	char *copy = etl_arena_alloc(arena, len + 1);

	if (len)
		memcpy(copy, p, len);
	copy[len] = '\0';
	return copy;
}

char *etl_arena_strdup(struct etl_arena *arena, const char *s)
{
	return s ? etl_arena_memdup0(arena, s, strlen(s)) : NULL;
}

/* Twice through the format: once for the length, once for the text, so that the text
 * takes exactly its room in the block. */
char *etl_arena_strf(struct etl_arena *arena, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);

	char *text = etl_arena_alloc(arena, (size_t)(n < 0 ? 0 : n) + 1);
	va_start(ap, fmt);
	vsnprintf(text, (size_t)(n < 0 ? 0 : n) + 1, fmt, ap);
	va_end(ap);
	return text;
}

size_t etl_arena_bytes(const struct etl_arena *arena)
{
	return arena->total_bytes;
}

size_t etl_arena_used(const struct etl_arena *arena)
{
	return arena->used_bytes;
}
