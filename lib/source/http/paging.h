/* SPDX-License-Identifier: MIT
 *
 * What an answer says of itself beside its records: that there is more than it holds (a Link to
 * the next page, a cursor, has_more, a total above what came), or that it tells of an error
 * although its status is 200. Nobody asked for these words, so that they are recognised by the
 * names that services use; an answer that carries them proves nothing. Pure, no I/O.
 */
#ifndef ETL_SOURCE_HTTP_PAGING_H
#define ETL_SOURCE_HTTP_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/layout.h"

#define ETL_PAGING_SAID_BYTES 160

struct etl_paging {
	char more[ETL_PAGING_SAID_BYTES];  /* what announces further pages; "" = nothing */
	char error[ETL_PAGING_SAID_BYTES]; /* what tells of an error; "" = nothing */
	char excuse[ETL_PAGING_SAID_BYTES]; /* what would tell why there are no records */
	char total_said[ETL_PAGING_SAID_BYTES];
	int64_t total; /* the largest number of records that it claims; -1 = none */
	int64_t pages, page; /* -1 = not told */
	char pages_said[ETL_PAGING_SAID_BYTES];
};

void etl_paging_begin(struct etl_paging *p);

/* True for a header that etl_paging_header understands; the others need not be kept. */
bool etl_paging_wants(const char *name, size_t len);
/* One header's value. */
void etl_paging_header(struct etl_paging *p, const char *name, size_t name_len,
	const char *value, size_t value_len);

/* A scalar outside of the records; etl_note_fn with a struct etl_paging. */
void etl_paging_note(void *paging, const struct etl_note *note);

/* What tells of an error, `records` having come, or NULL: a status of 429 or a state "pending" tells
 * why there are none, and says nothing of those that came. Lent. */
const char *etl_paging_error(const struct etl_paging *p, uint64_t records);

/* What announces more than the `records` that came, or NULL. Lent. */
const char *etl_paging_more(const struct etl_paging *p, uint64_t records);

/* True if a Content-Range says that these bytes or items are all there is: "0-24/25", and
 * "*" "/0" for nothing. */
bool etl_paging_range_is_whole(const char *range);

/* True if the object, the only one where records are due, is the word of an error: it has a
 * member of an error's name that is not empty, a message beside a state such as "failed", or
 * nothing but what a refusal is made of (message, code, status, ...). */
bool etl_paging_is_error(const uint8_t *bson, uint32_t len);

#endif
