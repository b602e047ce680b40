/* SPDX-License-Identifier: MIT
 *
 * The token bucket of a host: `burst` requests at once, then one each 1/rate. It is kept as
 * the instant at which it will be full again (the generic cell rate algorithm, ITU-T I.371),
 * so that there is nothing to refill and no rounding to gather: in no stretch of time t are
 * more than burst + rate * t tokens taken. Pure, in monotonic time; one thread at a time.
 */
#ifndef ETL_SOURCE_HTTP_BUDGET_H
#define ETL_SOURCE_HTTP_BUDGET_H

#include <stdint.h>

#include "time/clock.h"

struct etl_bucket_rules {
	etl_dur every; /* 1/rate; 0 = no limit */
	int64_t burst; /* >= 1 */
};

/* `rate` a second; 0 = no limit. Less than one request in 31 days counts as that. `burst`
 * within 1 and 1,000,000. */
struct etl_bucket_rules etl_bucket_rules_of(double rate, int64_t burst);

struct etl_bucket {
	etl_mono full; /* when it is full again; the past (all zero too) = it is full */
};

/* When the next token is there; not after `now` = there is one. */
etl_mono etl_bucket_next(const struct etl_bucket *b, const struct etl_bucket_rules *rules,
	etl_mono now);

/* Takes a token. Only when there is one. */
void etl_bucket_take(
	struct etl_bucket *b, const struct etl_bucket_rules *rules, etl_mono now);

/* How long until it is full; 0 = it is. Kept over a restart, given to etl_bucket_restore. */
etl_dur etl_bucket_debt(const struct etl_bucket *b, const struct etl_bucket_rules *rules,
	etl_mono now);
/* `debt` may be any number: it is taken within 0 and an empty bucket. */
void etl_bucket_restore(struct etl_bucket *b, const struct etl_bucket_rules *rules, etl_mono now,
	etl_dur debt);

#endif
