/* SPDX-License-Identifier: MIT
 *
 * Token bucket as one instant.
 *
 * rate: 10/s, burst: 3: `full` lies in the past, three requests go at once; `full` is
 * then 300 ms ahead. The fourth may go when it is 200 ms ahead, which is in 100 ms, and
 * from then on one goes each 100 ms. A bucket that rests for 300 ms is full again.
 */
#include "source/http/budget.h"

#include <assert.h>
#include <math.h>

struct etl_bucket_rules etl_bucket_rules_of(double rate, int64_t burst)
{
	const etl_dur longest = ETL_DAYS(31);
	struct etl_bucket_rules rules = {.burst = burst};
	double every;

	assert(burst >= 1 && burst <= 1000000);
	if (rate <= 0)
		return rules;
	every = ceil(1e6 / rate); /* up: never more than the rate */
	rules.every.us = every < (double)longest.us ? (int64_t)every : longest.us;
	return rules;
}

/* Rules may have become smaller since: no bucket is emptier than empty. */
static int64_t debt_us(const struct etl_bucket *b, const struct etl_bucket_rules *rules,
	etl_mono now)
{
	int64_t most = rules->burst * rules->every.us;
	int64_t debt = b->full.us - now.us;

	return debt < 0 ? 0 : debt > most ? most : debt;
}

etl_mono etl_bucket_next(const struct etl_bucket *b, const struct etl_bucket_rules *rules,
	etl_mono now)
{
	/* A token is there as soon as the debt leaves room for one more below the
	 * burst. */
	return (etl_mono){
		now.us + debt_us(b, rules, now) - (rules->burst - 1) * rules->every.us};
}

void etl_bucket_take(
	struct etl_bucket *b, const struct etl_bucket_rules *rules, etl_mono now)
{
	b->full.us = now.us + debt_us(b, rules, now) + rules->every.us;
}

etl_dur etl_bucket_debt(const struct etl_bucket *b, const struct etl_bucket_rules *rules,
	etl_mono now)
{
	return (etl_dur){debt_us(b, rules, now)};
}

void etl_bucket_restore(struct etl_bucket *b, const struct etl_bucket_rules *rules, etl_mono now,
	etl_dur debt)
{
	int64_t most = rules->burst * rules->every.us;

	b->full.us = now.us + (debt.us < 0 ? 0 : debt.us > most ? most : debt.us);
}
