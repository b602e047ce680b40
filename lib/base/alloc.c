/* SPDX-License-Identifier: MIT
 *
 * The only file that calls the C library's allocator by name.
 *
 * A size that passes the range of size_t ends the process like a lack of memory: no
 * caller means such a size, so it can only be a mistake of ours, and a smaller block
 * than was asked for would be written beyond its end.
 */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The last words go by write(2), since printf may allocate. abort() leaves a core file;
 * 134 is what a shell shows for a process that abort() ended, so both ways look the
 * same from outside. */
static _Noreturn void out_of_memory(void)
{
	static const char text[] = "out of memory\n";

	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(134);
	abort();
}

void *etl_calloc(size_t n, size_t size)
{
	/* calloc(0, ...) may answer NULL without a lack of memory (C11 7.22.3), which
	 * would look like one. One byte costs nothing and keeps "never NULL" without an
	 * exception. The product of n and size is checked by calloc itself. */
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *etl_realloc(void *old, size_t n, size_t size)
{
	size_t bytes;
	void *p;

	/* reallocarray() would do this, but answers NULL for zero bytes on some C
	 * libraries. */
	if (__builtin_mul_overflow(n, size, &bytes))
		out_of_memory();
	p = realloc(old, bytes ? bytes : 1);
	if (!p)
		out_of_memory();
	return p;
}

/* A copy of bytes that are no C string, made into one: the final NUL is not part of
 * `len`. NULL with length 0 is taken, because an empty buffer has no memory. */
char *etl_memdup0(const void *p, size_t len)
{
	char *copy = etl_realloc(NULL, len + 1, 1);

	if (len)
		memcpy(copy, p, len);
	copy[len] = '\0';
	return copy;
}

char *etl_strdup(const char *s)
{
	return s ? etl_memdup0(s, strlen(s)) : NULL;
}

char *etl_strf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return text;
}
