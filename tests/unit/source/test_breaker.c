/* SPDX-License-Identifier: MIT
 *
 * The breaker: each transition, what a clock may do to it, and random histories of several
 * requests at once held against its laws.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "../../lib/dice.h"
#include "source/http/breaker.h"

static const struct etl_breaker_rules rules = {3, {30000000}, {600000000}};
static const etl_wall noon = {INT64_C(1795348800000)};

static etl_wall after(int64_t seconds)
{
	return etl_wall_add(noon, ETL_SECONDS(seconds));
}

/* Three failures at noon; the pause is the whole: 30 s. */
static struct etl_breaker opened(void)
{
	struct etl_breaker b = {0};

	assert_false(etl_breaker_failed(&b, &rules, false, noon, 0, "refused"));
	assert_false(etl_breaker_failed(&b, &rules, false, noon, 0, "refused"));
	assert_int_equal(etl_breaker_ask(&b, &rules, noon), ETL_BREAKER_GO);
	/* random = 15 s: the whole of what the jitter takes from (15 s to 30 s) */
	assert_true(etl_breaker_failed(&b, &rules, false, noon, 15000000, "no answer"));
	assert_int_equal(b.state, ETL_BREAKER_OPEN);
	assert_int_equal(b.until.ms, after(30).ms);
	assert_string_equal(b.reason, "no answer");
	return b;
}

static void it_opens_refuses_probes_and_closes(void **state)
{
	struct etl_breaker b = opened();

	(void)state;
	assert_int_equal(etl_breaker_ask(&b, &rules, after(29)), ETL_BREAKER_REFUSE);
	assert_int_equal(etl_breaker_left(&b, after(29)).us, 1000000);
	assert_int_equal(etl_breaker_ask(&b, &rules, after(30)), ETL_BREAKER_PROBE);
	assert_int_equal(b.state, ETL_BREAKER_HALF_OPEN);
	etl_breaker_probe(&b);
	assert_int_equal(etl_breaker_ask(&b, &rules, after(31)), ETL_BREAKER_WAIT);
	assert_true(etl_breaker_answered(&b, true));
	assert_int_equal(b.state, ETL_BREAKER_CLOSED);
	assert_int_equal(b.failures, 0);
	assert_string_equal(b.reason, "");
	assert_int_equal(etl_breaker_ask(&b, &rules, after(31)), ETL_BREAKER_GO);
}

static void a_failed_probe_opens_for_longer_up_to_the_cap(void **state)
{
	struct etl_breaker b = opened();
	int64_t last = 0;
	etl_wall now = noon;

	(void)state;
	for (int i = 0; i < 12; i++) {
		int64_t pause = b.until.ms - b.opened.ms;

		assert_true(pause >= last && pause <= 600000);
		/* 30, 60, 120, 240, 480 s and then the cap, less than half taken off by the jitter */
		assert_true(pause >= (i < 5 ? INT64_C(15000) << i : 300000));
		last = i < 4 ? pause : 300000;
		now = b.until;
		assert_int_equal(etl_breaker_ask(&b, &rules, now), ETL_BREAKER_PROBE);
		etl_breaker_probe(&b);
		assert_true(etl_breaker_failed(&b, &rules, true, now, (uint64_t)i * 977, "still"));
	}
	assert_int_equal(b.openings, 13);
}

static void an_answer_between_failures_starts_the_count_anew(void **state)
{
	struct etl_breaker b = {0};

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_false(etl_breaker_failed(&b, &rules, false, noon, 0, "x"));
		assert_false(etl_breaker_failed(&b, &rules, false, noon, 0, "x"));
		assert_false(etl_breaker_answered(&b, false));
	}
	assert_int_equal(b.state, ETL_BREAKER_CLOSED);
}

/* Requests that were on their way when it opened say nothing about the host of now. */
static void stragglers_count_nothing(void **state)
{
	struct etl_breaker b = opened();

	(void)state;
	assert_false(etl_breaker_answered(&b, false));
	assert_false(etl_breaker_failed(&b, &rules, false, after(5), 0, "late"));
	assert_int_equal(b.state, ETL_BREAKER_OPEN);
	assert_int_equal(b.until.ms, after(30).ms);
	assert_int_equal(etl_breaker_ask(&b, &rules, after(30)), ETL_BREAKER_PROBE);
	etl_breaker_probe(&b);
	assert_false(etl_breaker_answered(&b, false));
	assert_false(etl_breaker_failed(&b, &rules, false, after(31), 0, "late"));
	assert_int_equal(b.state, ETL_BREAKER_HALF_OPEN);
	assert_int_equal(etl_breaker_ask(&b, &rules, after(31)), ETL_BREAKER_WAIT);
}

static void a_lost_probe_makes_room_for_another(void **state)
{
	struct etl_breaker b = opened();

	(void)state;
	assert_int_equal(etl_breaker_ask(&b, &rules, after(30)), ETL_BREAKER_PROBE);
	etl_breaker_probe(&b);
	etl_breaker_probe_lost(&b);
	assert_int_equal(etl_breaker_ask(&b, &rules, after(30)), ETL_BREAKER_PROBE);
	assert_int_equal(b.openings, 1);
}

static void switched_off_it_never_opens_and_lets_go_at_once(void **state)
{
	static const struct etl_breaker_rules off = {0, {1}, {1}};
	struct etl_breaker b = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_false(etl_breaker_failed(&b, &off, false, noon, 0, "x"));
	b = opened();
	assert_int_equal(etl_breaker_ask(&b, &off, noon), ETL_BREAKER_GO);
	assert_int_equal(b.state, ETL_BREAKER_CLOSED);
}

static void no_clock_step_keeps_it_open(void **state)
{
	struct etl_breaker b = opened();

	(void)state;
	/* A year back: the pause counts from there. */
	assert_int_equal(etl_breaker_ask(&b, &rules, after(-31536000)), ETL_BREAKER_REFUSE);
	assert_int_equal(b.until.ms, after(-31536000 + 30).ms);
	assert_int_equal(etl_breaker_ask(&b, &rules, after(-31536000 + 30)), ETL_BREAKER_PROBE);
	/* Ten years forward: the probe goes at once. */
	b = opened();
	assert_int_equal(etl_breaker_ask(&b, &rules, after(315360000)), ETL_BREAKER_PROBE);
	/* The rules have become shorter. */
	b = opened();
	assert_int_equal(etl_breaker_ask(&b,
		&(struct etl_breaker_rules){3, {1000000}, {2000000}}, after(1)), ETL_BREAKER_REFUSE);
	assert_int_equal(b.until.ms, after(3).ms);
}

static void what_was_kept_is_taken_over(void **state)
{
	struct etl_breaker b, kept = opened();

	(void)state;
	etl_breaker_restore(&b, &rules, &kept, after(10));
	assert_int_equal(b.state, ETL_BREAKER_OPEN);
	assert_int_equal(etl_breaker_ask(&b, &rules, after(29)), ETL_BREAKER_REFUSE);
	assert_int_equal(etl_breaker_ask(&b, &rules, after(30)), ETL_BREAKER_PROBE);
	/* The probe of the process that died is nobody's. */
	etl_breaker_probe(&b);
	etl_breaker_restore(&kept, &rules, &b, after(31));
	assert_int_equal(kept.state, ETL_BREAKER_HALF_OPEN);
	assert_int_equal(etl_breaker_ask(&kept, &rules, after(31)), ETL_BREAKER_PROBE);
	/* Failures go on being counted, but one of now is needed. */
	kept = (struct etl_breaker){.failures = 1000};
	etl_breaker_restore(&b, &rules, &kept, noon);
	assert_int_equal(b.state, ETL_BREAKER_CLOSED);
	assert_int_equal(b.failures, 2);
	assert_true(etl_breaker_failed(&b, &rules, false, noon, 0, "x"));
}

static void nonsense_that_was_kept_holds_no_host(void **state)
{
	static const int64_t numbers[] = {INT64_MIN, -1, 0, 1, INT64_C(1795348800000),
		INT64_C(9000000000000000), INT64_MAX};
	const size_t n = sizeof numbers / sizeof *numbers;

	(void)state;
	for (size_t i = 0; i < n * n * n; i++)
		for (int s = 0; s < ETL_BREAKER_STATE_MAX; s++) {
			struct etl_breaker b, kept = {
				.state = (enum etl_breaker_state)s,
				.failures = numbers[i % n],
				.openings = numbers[i / n % n],
				.opened = {numbers[i / n % n]},
				.until = {numbers[i / n / n]},
				.probing = true,
			};

			memset(kept.reason, 'x', sizeof kept.reason);
			etl_breaker_restore(&b, &rules, &kept, noon);
			assert_true(etl_breaker_left(&b, noon).us <= rules.max_cool_down.us);
			assert_int_not_equal(etl_breaker_ask(&b, &rules, after(600)),
				ETL_BREAKER_REFUSE);
			assert_int_not_equal(etl_breaker_ask(&b, &rules, after(600)),
				ETL_BREAKER_WAIT);
			etl_breaker_failed(&b, &rules, false, after(601), UINT64_MAX, "x");
			assert_true(strlen(b.reason) < sizeof b.reason);
		}
}

static void a_long_reason_is_cut_between_characters(void **state)
{
	struct etl_breaker b = {0};
	char text[600];

	(void)state;
	for (size_t i = 0; i < sizeof text - 1; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[598] = '\0';
	etl_breaker_failed(&b, &rules, false, noon, 0, text);
	assert_int_equal(strlen(b.reason), ETL_BREAKER_REASON_BYTES - 2);
}

static void states_have_their_words(void **state)
{
	enum etl_breaker_state s;

	(void)state;
	for (int i = 0; i < ETL_BREAKER_STATE_MAX; i++) {
		assert_true(etl_breaker_state_parse(
			etl_breaker_state_word((enum etl_breaker_state)i), &s));
		assert_int_equal(s, i);
	}
	assert_false(etl_breaker_state_parse("ajar", &s));
}

/* ---- random histories ---- */

struct request {
	bool out, probe;
};

/* Ends one of the requests that are out: answered, failed, or given up. */
static void end_one(struct etl_breaker *b, struct request *r, etl_wall now)
{
	unsigned how = (unsigned)roll(3);

	if (how == 0)
		etl_breaker_answered(b, r->probe);
	else if (how == 1)
		etl_breaker_failed(b, &rules, r->probe, now, roll(UINT64_MAX), "x");
	else if (r->probe)
		etl_breaker_probe_lost(b);
	*r = (struct request){0};
}

static void begin_one(struct etl_breaker *b, struct request *r, etl_wall now)
{
	enum etl_breaker_verdict verdict = etl_breaker_ask(b, &rules, now);

	if (verdict == ETL_BREAKER_PROBE)
		etl_breaker_probe(b);
	r->out = verdict == ETL_BREAKER_GO || verdict == ETL_BREAKER_PROBE;
	r->probe = verdict == ETL_BREAKER_PROBE;
}

static int probes_out(const struct request *requests, size_t n)
{
	int found = 0;

	for (size_t i = 0; i < n; i++)
		found += requests[i].out && requests[i].probe;
	return found;
}

/* Whatever happened: with the clock left alone and every probe answered it closes again. */
static void check_it_gets_out(struct etl_breaker b, etl_wall now)
{
	enum etl_breaker_verdict verdict = etl_breaker_ask(&b, &rules, now);

	if (verdict == ETL_BREAKER_REFUSE) {
		assert_true(etl_breaker_left(&b, now).us > 0);
		assert_true(etl_breaker_left(&b, now).us <= rules.max_cool_down.us);
		verdict = etl_breaker_ask(&b, &rules, etl_wall_add(now, rules.max_cool_down));
	}
	if (verdict == ETL_BREAKER_PROBE)
		etl_breaker_probe(&b);
	if (verdict != ETL_BREAKER_GO)
		assert_true(etl_breaker_answered(&b, true));
	assert_int_equal(etl_breaker_ask(&b, &rules, now), ETL_BREAKER_GO);
}

static void random_histories_keep_the_laws(void **state)
{
	(void)state;
	dice_seed();
	for (int story = 0; story < 300; story++) {
		struct request requests[6] = {0};
		struct etl_breaker b = {0};
		etl_wall now = noon;

		for (int step = 0; step < 400; step++) {
			struct request *r = &requests[roll(6)];

			if (r->out)
				end_one(&b, r, now);
			else
				begin_one(&b, r, now);
			assert_true(probes_out(requests, 6) <= 1);
			assert_int_equal(probes_out(requests, 6), b.probing);
			check_it_gets_out(b, now);
			now.ms += (int64_t)roll(20000);
			if (roll(50) == 0) /* somebody sets the clock, by up to a month */
				now.ms += (int64_t)roll(5184000000u) - 2592000000;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_opens_refuses_probes_and_closes),
		cmocka_unit_test(a_failed_probe_opens_for_longer_up_to_the_cap),
		cmocka_unit_test(an_answer_between_failures_starts_the_count_anew),
		cmocka_unit_test(stragglers_count_nothing),
		cmocka_unit_test(a_lost_probe_makes_room_for_another),
		cmocka_unit_test(switched_off_it_never_opens_and_lets_go_at_once),
		cmocka_unit_test(no_clock_step_keeps_it_open),
		cmocka_unit_test(what_was_kept_is_taken_over),
		cmocka_unit_test(nonsense_that_was_kept_holds_no_host),
		cmocka_unit_test(a_long_reason_is_cut_between_characters),
		cmocka_unit_test(states_have_their_words),
		cmocka_unit_test(random_histories_keep_the_laws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
