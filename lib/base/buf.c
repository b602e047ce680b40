/* SPDX-License-Identifier: MIT
 *
 * The capped growing buffer.
 *
 * The cap is checked in one place (etl_buf_reserve), and once a write was refused all
 * later ones are too. So a text is never silently missing its middle: "a", a piece that
 * is too long, "b" leaves "a" and a full buffer, not "ab".
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

void etl_buf_init(struct etl_buf *buf, size_t max_bytes)
{
	*buf = (struct etl_buf){.max = max_bytes};
}

/* The cap survives: a buffer that was emptied is as good as a new one. */
void etl_buf_fini(struct etl_buf *buf)
{
	free(buf->data);
	*buf = (struct etl_buf){.max = buf->max};
}

void etl_buf_clear(struct etl_buf *buf)
{
	buf->len = 0;
	buf->full = false;
	if (buf->data)
		buf->data[0] = '\0';
}

/* `max - len` cannot pass below zero: len grows only by what was reserved here. The
 * memory always has one byte more than `len` says, for the NUL that lets the text be
 * lent as a C string; `<=` and not `<` is what keeps that byte. */
char *etl_buf_reserve(struct etl_buf *buf, size_t len)
{
	if (buf->full || len > buf->max - buf->len) {
		buf->full = true;
		return NULL;
	}
	if (buf->cap - buf->len <= len) {
		size_t cap = buf->cap ? buf->cap : 64;

		/* Doubling makes n appends cost O(n) copies in all. It starts at 64
		 * bytes because most texts built here are a message or a path. */
		while (cap - buf->len <= len)
			cap *= 2;
		buf->data = etl_realloc(buf->data, cap, 1);
		buf->cap = cap;
	}
	return buf->data + buf->len;
}

bool etl_buf_append(struct etl_buf *buf, const void *p, size_t len)
{
	char *to = etl_buf_reserve(buf, len);

	if (!to)
		return false;
	if (len)
		memcpy(to, p, len);
	to[len] = '\0';
	buf->len += len;
	return true;
}

bool etl_buf_str(struct etl_buf *buf, const char *s)
{
	return etl_buf_append(buf, s, strlen(s));
}

bool etl_buf_char(struct etl_buf *buf, char c)
{
	return etl_buf_append(buf, &c, 1);
}

/* The arguments are walked twice, for the length and for the text, so nothing is
 * written that does not fit. The NUL falls on the spare byte behind the reserved room. */
bool etl_buf_printf(struct etl_buf *buf, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);

	char *to = etl_buf_reserve(buf, (size_t)(n < 0 ? 0 : n));
	if (!to)
		return false;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)(n < 0 ? 0 : n) + 1, fmt, ap);
	va_end(ap);
	buf->len += (size_t)(n < 0 ? 0 : n);
	return true;
}

void etl_buf_consume(struct etl_buf *buf, size_t len)
{
	if (len >= buf->len) {
		buf->len = 0;
	} else if (len) {
		memmove(buf->data, buf->data + len, buf->len - len);
		buf->len -= len;
	}
	if (buf->data)
		buf->data[buf->len] = '\0';
}

const char *etl_buf_text(const struct etl_buf *buf)
{
	return buf->data ? buf->data : "";
}

/* An empty buffer has no memory, but the receiver of a heap string may free it and read
 * it: it gets an empty one. */
char *etl_buf_take(struct etl_buf *buf)
{
	char *text = buf->data ? buf->data : etl_memdup0("", 0);

	*buf = (struct etl_buf){.max = buf->max};
	return text;
}
