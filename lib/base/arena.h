/* SPDX-License-Identifier: MIT
 *
 * Memory that dies together: one arena for a batch, one for a configuration generation.
 * Not thread-safe: an arena moves with its owner.
 */
#ifndef ETL_BASE_ARENA_H
#define ETL_BASE_ARENA_H

#include <stddef.h>

struct etl_arena;

struct etl_arena *etl_arena_new(size_t block_bytes); /* 0 = 16 KiB blocks */
void etl_arena_free(struct etl_arena *arena);	     /* NULL is fine */

/* Forgets all contents and keeps one block for what comes next. */
void etl_arena_reset(struct etl_arena *arena);

/* 8-byte aligned, not zeroed, never NULL; lives until reset or free. */
void *etl_arena_alloc(struct etl_arena *arena, size_t bytes);
void *etl_arena_zalloc(struct etl_arena *arena, size_t bytes);
char *etl_arena_strdup(struct etl_arena *arena, const char *s); /* NULL in, NULL out */
char *etl_arena_memdup0(struct etl_arena *arena, const void *p, size_t len);
char *etl_arena_strf(struct etl_arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Calls fn(p) when the arena is reset or freed, last one first: for what the heap owns but
 * the arena's contents use (a time zone). */
void etl_arena_defer(struct etl_arena *arena, void (*fn)(void *p), void *p);

/* Takes `p` of `bytes` bytes from the heap: it is the arena's from now on, and counts as used. */
void etl_arena_adopt(struct etl_arena *arena, void *p, size_t bytes);

/* Bytes held from the heap: whole blocks, used or not. */
size_t etl_arena_bytes(const struct etl_arena *arena);

/* Bytes given out since the last reset, for budgets: the rest of a block was never touched. */
size_t etl_arena_used(const struct etl_arena *arena);

#endif
