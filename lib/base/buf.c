/* SPDX-License-Identifier: MIT
 *
 * The capped growing buffer.
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

char *etl_buf_reserve(struct etl_buf *buf, size_t len)
{
	if (buf->full || len > buf->max - buf->len) {
		buf->full = true;
		return NULL;
	}
	if (buf->cap - buf->len <= len) {
		size_t cap = buf->cap ? buf->cap : 64;

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

char *etl_buf_take(struct etl_buf *buf)
{
	char *text = buf->data ? buf->data : etl_memdup0("", 0);

	*buf = (struct etl_buf){.max = buf->max};
	return text;
}
