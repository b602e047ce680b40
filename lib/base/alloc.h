/* SPDX-License-Identifier: MIT
 *
 * Memory from the heap, and the two words that end its life well: cleanup attributes and
 * "take". Running out of memory ends the process (as it does inside libbson and libev):
 * the promise is "crash and resume", see packaging/doc/adr/0005. What can grow with input
 * has a cap of its own and reports ETL_LIMIT long before. Any thread.
 */
#ifndef ETL_BASE_ALLOC_H
#define ETL_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Never NULL; zeroed. n * size that overflows ends the process. */
void *etl_calloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));

/* Never NULL; new bytes are not zeroed. */
void *etl_realloc(void *p, size_t n, size_t size) __attribute__((returns_nonnull));

/* Copies; never NULL. NULL in gives NULL out for etl_strdup. */
char *etl_strdup(const char *s);
char *etl_memdup0(const void *p, size_t len) __attribute__((returns_nonnull)); /* adds a NUL */

/* printf into new memory. Never NULL. */
char *etl_strf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* Frees what its owner shows as const to those who only read it. */
static inline void etl_free_const(const void *p)
{
	free((void *)(uintptr_t)p);
}

#define ETL_NEW(type) ((type *)etl_calloc(1, sizeof(type)))

/* Makes room for one more element in a plain growing array (doubling). */
#define ETL_GROW(array, used, cap)                                                              \
	do {                                                                                    \
		if ((used) == (cap)) {                                                          \
			(cap) = (cap) ? 2 * (cap) : 8;                                          \
			(array) = etl_realloc((array), (cap), sizeof *(array));                 \
		}                                                                               \
	} while (0)

/* The object of which `p` points to a member: ETL_OF(struct etl_sched_job, slot_timer, timer). */
#define ETL_OF(type, member, p) ((type *)(void *)((char *)(p) - offsetof(type, member)))

/* Moves a pointer out of its variable and nulls the variable. */
#define ETL_TAKE(p)                                                                             \
	({                                                                                      \
		__typeof__(p) taken_ = (p);                                                     \
		(p) = NULL;                                                                     \
		taken_;                                                                         \
	})

/* `etl_cleanup(fn) struct x *p = NULL;` calls fn(p) when p leaves its scope, if not NULL. */
#define ETL_DEFINE_CLEANUP(type, fn)                                                            \
	static inline __attribute__((unused)) void fn##_cleanup(type *p)                        \
	{                                                                                       \
		if (*p)                                                                         \
			fn(*p);                                                                 \
	}
#define etl_cleanup(fn) __attribute__((cleanup(fn##_cleanup)))
ETL_DEFINE_CLEANUP(char *, free)

#endif
