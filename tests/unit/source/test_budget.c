/* SPDX-License-Identifier: MIT
 *
 * The token bucket: burst then rate, the law of its bound on a virtual clock, what was kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the above */
#include <cmocka.h>

#include "../../lib/dice.h"
#include "source/http/budget.h"

static const etl_mono start = {INT64_C(5000000000)};

static void burst_then_rate(void **state)
{
	struct etl_bucket_rules rules = etl_bucket_rules_of(10, 4);
	struct etl_bucket b = {0};
	etl_mono now = start;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_true(etl_bucket_next(&b, &rules, now).us <= now.us);
		etl_bucket_take(&b, &rules, now);
	}
	for (int i = 0; i < 20; i++) {
		etl_mono next = etl_bucket_next(&b, &rules, now);

		assert_int_equal(next.us, now.us + 100000);
		now = next;
		assert_int_equal(etl_bucket_next(&b, &rules, now).us, now.us);
		etl_bucket_take(&b, &rules, now);
	}
	now.us += 200000; /* two tokens come back */
	etl_bucket_take(&b, &rules, now);
	assert_true(etl_bucket_next(&b, &rules, now).us <= now.us);
	etl_bucket_take(&b, &rules, now);
	assert_true(etl_bucket_next(&b, &rules, now).us > now.us);
	now.us += 3600000000; /* never more than the burst */
	for (int i = 0; i < 4; i++)
		etl_bucket_take(&b, &rules, now);
	assert_int_equal(etl_bucket_next(&b, &rules, now).us, now.us + 100000);
}

static void no_rate_is_no_limit(void **state)
{
	struct etl_bucket_rules rules = etl_bucket_rules_of(0, 1);
	struct etl_bucket b = {0};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(etl_bucket_next(&b, &rules, start).us <= start.us);
		etl_bucket_take(&b, &rules, start);
	}
	assert_int_equal(etl_bucket_debt(&b, &rules, start).us, 0);
}

static void a_rate_is_never_exceeded_by_rounding(void **state)
{
	(void)state;
	assert_int_equal(etl_bucket_rules_of(3, 1).every.us, 333334);
	assert_int_equal(etl_bucket_rules_of(1e9, 1).every.us, 1);
	assert_int_equal(etl_bucket_rules_of(1.0 / 86400, 1).every.us, INT64_C(86400000000));
	assert_int_equal(etl_bucket_rules_of(1e-300, 1).every.us, ETL_DAYS(31).us);
}

static void what_was_kept_is_believed_within_the_rules(void **state)
{
	struct etl_bucket_rules rules = etl_bucket_rules_of(1, 5);
	struct etl_bucket b = {0}, again;

	(void)state;
	etl_bucket_take(&b, &rules, start);
	etl_bucket_take(&b, &rules, start);
	assert_int_equal(etl_bucket_debt(&b, &rules, start).us, 2000000);
	etl_bucket_restore(&again, &rules, (etl_mono){77}, etl_bucket_debt(&b, &rules, start));
	assert_int_equal(etl_bucket_debt(&again, &rules, (etl_mono){77}).us, 2000000);
	etl_bucket_restore(&b, &rules, start, (etl_dur){INT64_MAX});
	assert_int_equal(etl_bucket_next(&b, &rules, start).us, start.us + 1000000);
	etl_bucket_restore(&b, &rules, start, (etl_dur){INT64_MIN});
	assert_int_equal(etl_bucket_debt(&b, &rules, start).us, 0);
}

/* A reload that makes the bucket smaller leaves nobody waiting for the old one. */
static void smaller_rules_shorten_the_wait(void **state)
{
	struct etl_bucket_rules slow = etl_bucket_rules_of(0.001, 100);
	struct etl_bucket_rules fast = etl_bucket_rules_of(10, 2);
	struct etl_bucket b = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		etl_bucket_take(&b, &slow, start);
	assert_int_equal(etl_bucket_next(&b, &slow, start).us, start.us + 1000000000);
	assert_int_equal(etl_bucket_next(&b, &fast, start).us, start.us + 100000);
}

/* Random pauses, waits and restarts: of any n takes in a row, n <= burst + rate * t. */
static void never_more_than_burst_and_rate(void **state)
{
	enum { TAKES = 400 };
	static etl_mono taken[TAKES];

	(void)state;
	dice_seed();
	for (int story = 0; story < 60; story++) {
		double rate = (double)(1 + roll(5000)) / 100;
		int64_t burst = 1 + (int64_t)roll(30);
		struct etl_bucket_rules rules = etl_bucket_rules_of(rate, burst);
		struct etl_bucket b = {0};
		etl_mono now = start;

		for (int i = 0; i < TAKES; i++) {
			etl_mono next;

			if (roll(3) == 0)
				now.us += (int64_t)roll((uint64_t)(rules.every.us * 4));
			if (roll(20) == 0)
				etl_bucket_restore(&b, &rules, now, etl_bucket_debt(&b, &rules, now));
			next = etl_bucket_next(&b, &rules, now);
			assert_true(next.us <= now.us + rules.every.us); /* and nobody starves */
			now = next.us > now.us ? next : now;
			etl_bucket_take(&b, &rules, now);
			taken[i] = now;
		}
		for (int i = 0; i < TAKES; i++)
			for (int k = i; k < TAKES; k++) {
				double t = (double)(taken[k].us - taken[i].us) / 1e6;

				if (k - i + 1 > (double)burst + rate * t + 1e-6)
					fail_msg("story %d: %d takes in %f s at %f/s, burst %lld", story,
						k - i + 1, t, rate, (long long)burst);
			}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_then_rate),
		cmocka_unit_test(no_rate_is_no_limit),
		cmocka_unit_test(a_rate_is_never_exceeded_by_rounding),
		cmocka_unit_test(what_was_kept_is_believed_within_the_rules),
		cmocka_unit_test(smaller_rules_shorten_the_wait),
		cmocka_unit_test(never_more_than_burst_and_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
