/* SPDX-License-Identifier: MIT
 *
 * The error object. Text is cut to its fixed size and control bytes are masked, because
 * messages may quote what a source sent and end in a journal line.
 */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char *const kind_names[] = {
	[ETL_OK] = "ok",
	[ETL_CONFIG] = "config",
	[ETL_TRANSIENT] = "transient",
	[ETL_THROTTLED] = "throttled",
	[ETL_AUTH] = "auth",
	[ETL_DATA] = "data",
	[ETL_CONFLICT] = "conflict",
	[ETL_PERMANENT] = "permanent",
	[ETL_CANCELLED] = "cancelled",
	[ETL_LIMIT] = "limit",
	[ETL_BUG] = "bug",
};
_Static_assert(sizeof kind_names / sizeof *kind_names == ETL_ERROR_KIND_MAX,
	"every kind has a name");

const char *etl_error_kind_name(enum etl_error_kind kind)
{
	return (unsigned)kind < ETL_ERROR_KIND_MAX ? kind_names[kind] : "unknown";
}

/* Text that was `len` bytes long and may have lost its end: leaves no half character there,
 * and masks what could forge a second line.
 * vsnprintf() cuts at bytes. "... for Zürich" cut inside the ü would leave the byte 0xC3,
 * which is no UTF-8: a journal field, a BSON string and a JSON answer would each refuse the
 * whole message. So a half character at the end is taken off; masking then changes control
 * bytes and what turns text around, since messages quote what strangers sent. */
static void make_presentable(char *text, size_t len)
{
	if (len >= ETL_ERROR_MESSAGE_MAX) {
		size_t kept = ETL_ERROR_MESSAGE_MAX - 1, last = etl_utf8_cut(text, kept - 1);

		if (etl_utf8_check(text + last, kept - last) != kept - last)
			text[last] = '\0'; /* the rest of this character fell off */
	}
	etl_text_mask(text);
}

int etl_error_set(struct etl_error *err, enum etl_error_kind kind, const char *code,
	const char *fmt, ...)
{
	char text[ETL_ERROR_MESSAGE_MAX]; /* the arguments may point into err->message */
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	make_presentable(text, n < 0 ? 0 : (size_t)n);
	err->kind = kind;
	err->code = code;
	/* An error object is used again and again: what an earlier error left must not
	 * speak for this one. */
	err->retry_after_ms = 0;
	err->status = 0;
	memcpy(err->message, text, sizeof text);
	return -1;
}

/* "connect: refused" with the prefix "job 'a'" becomes "job 'a': connect: refused". Kind, code,
 * status and wait stay: context explains an error, it never changes what follows from it. What
 * is too long loses its end, the innermost words; the place, in front, is what people search
 * for. */
int etl_error_prefix(struct etl_error *err, const char *fmt, ...)
{
	char head[ETL_ERROR_MESSAGE_MAX];
	char text[2 * ETL_ERROR_MESSAGE_MAX + 2];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(head, sizeof head, fmt, ap);
	va_end(ap);
	make_presentable(head, n < 0 ? 0 : (size_t)n); /* cut between characters, too */
	n = snprintf(text, sizeof text, "%s: %s", head, err->message);
	make_presentable(text, (size_t)n);
	memcpy(err->message, text, sizeof err->message - 1);
	err->message[sizeof err->message - 1] = '\0';
	return -1;
}

void etl_error_clear(struct etl_error *err)
{
	*err = (struct etl_error)ETL_ERROR_INIT;
}
