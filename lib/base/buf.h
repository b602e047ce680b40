/* SPDX-License-Identifier: MIT
 *
 * A growing byte buffer with a cap from birth. A write beyond the cap sets `full`, changes
 * nothing and is reported once, at the end, by the one who asked (etl_buf_ok).
 */
#ifndef ETL_BASE_BUF_H
#define ETL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct etl_buf {
	char *data;	/* NUL-terminated behind `len`, once something was written */
	size_t len;	/* bytes used */
	size_t cap;	/* bytes allocated */
	size_t max;	/* cap in bytes */
	bool full;	/* a write did not fit */
};

/* Allocates nothing yet. `max_bytes` is what it may ever hold, the NUL not counted. */
void etl_buf_init(struct etl_buf *buf, size_t max_bytes);

/* Frees the contents (does not wipe them); the buffer may be used again. */
void etl_buf_fini(struct etl_buf *buf);

void etl_buf_clear(struct etl_buf *buf); /* keeps the memory, forgets contents and `full` */

/* Append all or nothing. False once something did not fit, and for everything after that:
 * write a whole text without looking, ask etl_buf_ok at its end. */
bool etl_buf_append(struct etl_buf *buf, const void *p, size_t len);
bool etl_buf_str(struct etl_buf *buf, const char *s);
bool etl_buf_char(struct etl_buf *buf, char c);
bool etl_buf_printf(struct etl_buf *buf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Room for `len` more bytes behind buf->len, or NULL if that passes the cap. The caller
 * writes there and adds to buf->len. */
char *etl_buf_reserve(struct etl_buf *buf, size_t len);

/* Drops `len` bytes at the front and moves the rest: O(rest), for large messages, not for
 * bytes one by one. */
void etl_buf_consume(struct etl_buf *buf, size_t len);

/* The text; "" when empty. Lent until the next change. */
const char *etl_buf_text(const struct etl_buf *buf);

/* Gives the text as a heap string and empties the buffer. */
char *etl_buf_take(struct etl_buf *buf);

static inline bool etl_buf_ok(const struct etl_buf *buf)
{
	return !buf->full;
}

#define ETL_BUF_CLEANUP __attribute__((cleanup(etl_buf_fini)))

#endif
