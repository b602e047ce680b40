/* SPDX-License-Identifier: MIT
 *
 * What an answer's status means, and a look at the first bytes of its body: a page of HTML
 * with status 200 must be reported in words a person understands. No I/O; worker thread.
 */
#ifndef ETL_SOURCE_HTTP_ANSWER_H
#define ETL_SOURCE_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "conf/secret.h"
#include "format/format.h"
#include "source/source.h"

/* 0 for an answer that may be whole: 200, 201, 203, 204, 205, and 206 whose Content-Range
 * covers all. Else -1 with the kind that decides what happens next, err->status and, where
 * the other side asked us to wait, err->retry_after_ms. `who` begins the message unless it is
 * "". A redirect's target is shown without the values of its secret parameters. */
int etl_http_status_check(
	const struct etl_response *response, const char *who, struct etl_error *err);

/* The body so far. */
struct etl_http_opening {
	uint64_t bytes; /* of the whole body until now */
	char first[160];
	size_t n_first;
	const struct etl_format_type *format; /* that the body shall be of */
	bool is_other; /* it is not, by the content type or by the first byte that counts */
};

void etl_http_opening_init(struct etl_http_opening *o, const char *content_type,
	const struct etl_format_type *format);

/* Looks at a piece. 0 = decode it unless is_other; -1 (ETL_DATA) when it is of no such format and
 * enough was seen to quote. `secrets` (NULL-terminated) are masked in the quotation. */
int etl_http_opening_feed(struct etl_http_opening *o, const char *bytes, size_t len,
	const struct etl_secret *const *secrets, struct etl_error *err);

/* At the body's end: -1 if it was of no such format, or empty unless `may_be_empty`. */
int etl_http_opening_end(const struct etl_http_opening *o, bool may_be_empty,
	const struct etl_secret *const *secrets, struct etl_error *err);

/* Only keeps the beginning, whatever it is: of an answer that was refused for its status. */
void etl_http_opening_keep(struct etl_http_opening *o, const char *bytes, size_t len);
bool etl_http_opening_is_full(const struct etl_http_opening *o); /* enough to quote */

/* Adds "(the answer begins '...')" to a message, and masks what it echoes. Returns -1. */
int etl_http_opening_explain(const struct etl_http_opening *o,
	const struct etl_secret *const *secrets, struct etl_error *err);

#endif
