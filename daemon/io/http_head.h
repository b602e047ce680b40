/* SPDX-License-Identifier: MIT
 *
 * What the headers of one answer say, line by line as they come: the few values that a source is
 * given, hints at further pages, how long the host asks to be left alone, its length. Knows no
 * libcurl and no body. One thread at a time.
 */
#ifndef ETLD_HTTP_HEAD_H
#define ETLD_HTTP_HEAD_H

#include "base/buf.h"
#include "base/error.h"
#include "source/http/hold.h"
#include "source/source.h"

/* Headers whose value the source is given. */
enum etld_kept {
	ETLD_KEPT_TYPE,
	ETLD_KEPT_ETAG,
	ETLD_KEPT_LOCATION,
	ETLD_KEPT_RANGE,
	ETLD_KEPT_MAX,
};

struct etld_http_head {
	char *kept[ETLD_KEPT_MAX]; /* owned; NULL = not sent */
	struct etl_buf hints;	   /* lines that speak of further pages, and `wanted` */
	char *wanted;		   /* a further header for the hints, owned; NULL = none */
	struct etl_hold hold;	   /* how long the host asks to wait */
	size_t bytes;
	bool has_length;
	unsigned long long length; /* what Content-Length said */
};

/* `wanted`: see there; copied. */
void etld_http_head_init(struct etld_http_head *head, const char *wanted);
void etld_http_head_fini(struct etld_http_head *head);

/* Takes one line: a status line, which begins the head anew, a header, or the empty one. False: the
 * headers pass 64 KiB, those about further pages 16 KiB, or they contradict themselves; `err` says it,
 * and the answer cannot be believed. `given`: the head was given already, so that this is a trailer,
 * which is counted and changes nothing. */
bool etld_http_head_line(struct etld_http_head *head, const char *line, size_t len, bool given,
	struct etl_error *err);

/* Into `out`, whose texts are lent as long as the head stays as it is. */
void etld_http_head_tell(const struct etld_http_head *head, struct etl_response *out);

#endif
