/* SPDX-License-Identifier: MIT
 *
 * Every kind of error and its verdict; the waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/policy.h"

static const struct {
	enum etl_error_kind kind;
	enum etl_verdict first, spent;
	bool operator_acts;
} rows[] = {
	{ETL_OK, ETL_VERDICT_STOP, ETL_VERDICT_STOP, false},
	{ETL_CONFIG, ETL_VERDICT_STOP, ETL_VERDICT_STOP, true},
	{ETL_TRANSIENT, ETL_VERDICT_RETRY, ETL_VERDICT_STOP, false},
	{ETL_THROTTLED, ETL_VERDICT_RETRY, ETL_VERDICT_STOP, false},
	{ETL_AUTH, ETL_VERDICT_STOP, ETL_VERDICT_STOP, true},
	{ETL_DATA, ETL_VERDICT_NEXT_SPAN, ETL_VERDICT_NEXT_SPAN, true},
	{ETL_CONFLICT, ETL_VERDICT_STOP_RUN, ETL_VERDICT_STOP_RUN, false},
	{ETL_PERMANENT, ETL_VERDICT_STOP, ETL_VERDICT_STOP, true},
	{ETL_CANCELLED, ETL_VERDICT_STOP_RUN, ETL_VERDICT_STOP_RUN, false},
	{ETL_LIMIT, ETL_VERDICT_NEXT_SPAN, ETL_VERDICT_NEXT_SPAN, true},
	{ETL_BUG, ETL_VERDICT_STOP_RUN, ETL_VERDICT_STOP_RUN, true},
};

static struct etl_policy_input input(enum etl_error_kind kind, int64_t attempt)
{
	return (struct etl_policy_input){.kind = kind, .attempt = attempt, .retry_max = 3,
		.backoff = ETL_SECONDS(4), .max_backoff = ETL_SECONDS(60), .left = ETL_HOURS(1),
		.random = 7};
}

static void test_every_kind(void **state)
{
	etl_dur delay;

	(void)state;
	assert_int_equal(sizeof rows / sizeof *rows, ETL_ERROR_KIND_MAX);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct etl_policy_input first = input(rows[i].kind, 1), last = input(rows[i].kind, 3);
		struct etl_policy_input spent = input(rows[i].kind, 4);

		assert_int_equal(etl_policy_decide(&first, &delay), rows[i].first);
		assert_int_equal(etl_policy_decide(&last, &delay), rows[i].first);
		assert_int_equal(etl_policy_decide(&spent, &delay), rows[i].spent);
		assert_int_equal(etl_policy_needs_operator(rows[i].kind), rows[i].operator_acts);
	}
}

static void test_waits(void **state)
{
	(void)state;
	for (uint64_t random = 1; random < 1000; random += 7) {
		struct etl_policy_input in = input(ETL_TRANSIENT, 1);
		etl_dur delay = {0};

		in.retry_max = 100;
		in.random = random * UINT64_C(0x9e3779b97f4a7c15);
		assert_int_equal(etl_policy_decide(&in, &delay), ETL_VERDICT_RETRY);
		assert_true(delay.us > 0 && delay.us <= ETL_SECONDS(4).us);
		in.attempt = 50;
		assert_int_equal(etl_policy_decide(&in, &delay), ETL_VERDICT_RETRY);
		assert_true(delay.us <= ETL_SECONDS(60).us);
		in.retry_after_ms = 90000; /* the other side's word goes above our own cap */
		assert_int_equal(etl_policy_decide(&in, &delay), ETL_VERDICT_RETRY);
		assert_int_equal(delay.us, ETL_SECONDS(90).us);
	}
}

static void test_timeout(void **state)
{
	static const struct {
		int64_t left_s, after_s;
		enum etl_verdict want;
	} cases[] = {
		{3600, 3599, ETL_VERDICT_RETRY}, {3600, 3600, ETL_VERDICT_STOP},
		{60, 61, ETL_VERDICT_STOP},	 {0, 0, ETL_VERDICT_STOP},
		{-5, 0, ETL_VERDICT_STOP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_policy_input in = input(ETL_THROTTLED, 1);
		etl_dur delay = {-1};

		in.left = ETL_SECONDS(cases[i].left_s);
		in.retry_after_ms = cases[i].after_s * 1000;
		assert_int_equal(etl_policy_decide(&in, &delay), cases[i].want);
		assert_true(cases[i].want == ETL_VERDICT_RETRY || delay.us == -1); /* untouched */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
