/* SPDX-License-Identifier: MIT
 *
 * How long an answer's headers ask us to leave its host alone. Read are
 *   Retry-After                             seconds or a date (RFC 9110, 10.2.3)
 *   RateLimit-Remaining, RateLimit-Reset    IETF draft, until revision 6
 *   RateLimit: limit=, remaining=, reset=   IETF draft, revision 7
 *   RateLimit: "name";r=;t=                 IETF draft, since revision 8
 *   X-RateLimit-Remaining, X-RateLimit-Reset, X-Rate-Limit-Remaining, X-Rate-Limit-Reset
 * A reset below 1e9 is seconds from now; above it is a time, in seconds since 1970, from 1e11
 * on in milliseconds. Times are held against the answer's own Date, where it has one: the
 * two clocks need not agree. What cannot be read is as if it was not there. Pure, no I/O.
 */
#ifndef ETL_SOURCE_HTTP_HOLD_H
#define ETL_SOURCE_HTTP_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "time/clock.h"

/* No host is held for longer at once, whatever it says. Where a daily quota is spent it says so
 * again when it is asked after that, which costs one request; a header of nonsense costs an
 * hour and no day. */
#define ETL_HOLD_MAX ETL_HOURS(1)

struct etl_hold_quota {
	int64_t remaining; /* -1 = not told */
	int64_t reset_ms;  /* as it stood there, in thousandths; -1 = not told */
};

enum { ETL_HOLD_DRAFT, ETL_HOLD_X_RATELIMIT, ETL_HOLD_X_RATE_LIMIT, ETL_HOLD_QUOTAS };

/* What the headers of one answer said so far. */
struct etl_hold {
	int64_t retry_ms; /* -1 = not told, or as a date */
	etl_wall retry_at, date;
	bool has_retry_at, has_date;
	struct etl_hold_quota quotas[ETL_HOLD_QUOTAS];
	int64_t spent_ms; /* longest of the spent ones in one RateLimit field; -1 = none */
};

void etl_hold_begin(struct etl_hold *h); /* of an answer */

/* One header, in any order; others than the above are fine. */
void etl_hold_header(
	struct etl_hold *h, const char *name, size_t name_len, const char *value, size_t value_len);

/* The wait, 0 to ETL_HOLD_MAX; us = -1 if none was asked for. Retry-After counts from status
 * 400 on and decides alone; else the longest of those quotas that have nothing remaining, or
 * say nothing about that in an answer 429. `now` is our clock; `header` (may be NULL) gets
 * the name of the header that decided, static, and `told` (may be NULL) the wait as it was
 * asked for, which may be any length. */
etl_dur etl_hold_asked(const struct etl_hold *h, int status, etl_wall now, const char **header,
	etl_dur *told);

/* "an answer with status 429 asked to wait 90000 s (Retry-After); held for an hour". */
#define ETL_HOLD_WORDS_BYTES 128
void etl_hold_words(
	char out[ETL_HOLD_WORDS_BYTES], int status, etl_dur told, const char *header);

#endif
