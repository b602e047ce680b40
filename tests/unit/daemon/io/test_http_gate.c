/* SPDX-License-Identifier: MIT
 *
 * Gates of hosts on a virtual clock: who goes when, who is turned away and why, what is kept;
 * and random traffic held against the laws.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "../../../lib/dice.h"
#include "io/http_gate.h"

#define URL "https://Api.Example.org/v1?q=@x"
#define HOST "api.example.org"

static struct etl_clock_virtual now;
static struct etld_gates *gates;
static struct etld_host_rule others;

/* Two at once, no rate, three failures open it for 15 to 30 s, ten minutes at most. */
static int set_up(void **state)
{
	(void)state;
	etl_clock_virtual_init(&now, (etl_wall){INT64_C(1795348800000)});
	others = (struct etld_host_rule){NULL, 2, etl_bucket_rules_of(0, 1),
		{3, ETL_SECONDS(30), ETL_MINUTES(10)}};
	gates = etld_gates_new(&now.clock);
	etld_gates_rules(gates, &others, NULL, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	etld_gates_free(gates);
	return 0;
}

static void enter(struct etld_gate_ticket *t, enum etld_priority priority)
{
	etld_gate_enter(gates, t, URL, priority, ETL_MINUTES(1), t);
}

/* The next ticket is let in. */
static struct etld_gate_ticket *next_in(void)
{
	struct etl_error refusal = ETL_ERROR_INIT;
	struct etld_gate_ticket *t = etld_gate_next(gates, &refusal);

	if (refusal.kind != ETL_OK)
		fail_msg("%s", refusal.message);
	return t;
}

static void fail_once(struct etld_gate_ticket *t)
{
	enter(t, ETLD_LIVE);
	assert_ptr_equal(next_in(), t);
	etld_gate_failed(gates, t, "http.connect: refused");
	etld_gate_leave(gates, t);
}

static void open_it(void)
{
	struct etld_gate_ticket t;

	for (int i = 0; i < 3; i++)
		fail_once(&t);
}

static void live_goes_before_backfill(void **state)
{
	struct etld_gate_ticket a, b, c, d;

	(void)state;
	enter(&a, ETLD_BACKFILL);
	enter(&b, ETLD_LIVE);
	enter(&c, ETLD_BACKFILL);
	enter(&d, ETLD_LIVE);
	assert_ptr_equal(next_in(), &b);
	assert_ptr_equal(next_in(), &d);
	assert_null(next_in()); /* two at once */
	etld_gate_leave(gates, &b);
	assert_ptr_equal(next_in(), &a);
	assert_null(next_in());
	etld_gate_leave(gates, &c); /* gave up in the queue */
	etld_gate_leave(gates, &a);
	assert_null(next_in());
	etld_gate_leave(gates, &d);
}

static void open_turns_all_away_then_one_probe_decides(void **state)
{
	struct etld_gate_ticket early, a, b, c;
	struct etl_error refusal = ETL_ERROR_INIT;

	(void)state;
	enter(&early, ETLD_LIVE); /* inside before it opens */
	assert_ptr_equal(next_in(), &early);
	open_it();
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(etld_gate_next(gates, &refusal), &a);
	assert_int_equal(refusal.kind, ETL_TRANSIENT);
	assert_string_equal(refusal.code, "http.breaker_open");
	assert_true(refusal.retry_after_ms >= 15000 && refusal.retry_after_ms <= 30000);
	assert_non_null(strstr(refusal.message, HOST));
	assert_non_null(strstr(refusal.message, "3 failed requests in a row"));
	assert_non_null(strstr(refusal.message, "http.connect: refused"));
	assert_non_null(strstr(refusal.message, "until 2026-11-22T12:00:"));
	etld_gate_leave(gates, &a); /* nothing to leave */
	etld_gate_answered(gates, &early); /* too late to count */
	etld_gate_leave(gates, &early);

	etl_clock_virtual_advance(&now, ETL_MS(refusal.retry_after_ms));
	enter(&a, ETLD_BACKFILL);
	enter(&b, ETLD_BACKFILL);
	enter(&c, ETLD_LIVE);
	assert_ptr_equal(next_in(), &c);
	assert_null(next_in());
	etld_gate_leave(gates, &c); /* cancelled: another one is tried */
	assert_ptr_equal(next_in(), &a);
	assert_null(next_in());
	etld_gate_answered(gates, &a);
	assert_ptr_equal(next_in(), &b);
	etld_gate_leave(gates, &a);
	etld_gate_leave(gates, &b);
}

static void a_failed_probe_turns_the_waiting_away(void **state)
{
	struct etld_gate_ticket a, b;
	struct etl_error refusal = ETL_ERROR_INIT;
	etl_mono at;

	(void)state;
	open_it();
	etl_clock_virtual_advance(&now, ETL_SECONDS(30));
	enter(&a, ETLD_LIVE);
	enter(&b, ETLD_LIVE);
	assert_ptr_equal(next_in(), &a);
	assert_null(next_in());
	assert_false(etld_gate_wake(gates, &at)); /* only the probe's end can help */
	etld_gate_failed(gates, &a, "status 503");
	etld_gate_leave(gates, &a);
	assert_ptr_equal(etld_gate_next(gates, &refusal), &b);
	assert_string_equal(refusal.code, "http.breaker_open");
	assert_non_null(strstr(refusal.message, "status 503"));
	assert_true(refusal.retry_after_ms >= 30000 && refusal.retry_after_ms <= 60000);
}

static void a_hold_is_waited_for_or_told(void **state)
{
	struct etld_gate_ticket a, b, c;
	struct etl_error refusal = ETL_ERROR_INIT;
	etl_mono at;

	(void)state;
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(next_in(), &a);
	enter(&b, ETLD_LIVE);
	etld_gate_hold(gates, &a, ETL_SECONDS(40), "status 429");
	etld_gate_hold(gates, &a, ETL_SECONDS(20), "shorter ones change nothing");
	etld_gate_leave(gates, &a);
	assert_null(next_in());
	assert_true(etld_gate_wake(gates, &at));
	assert_int_equal(at.us, now.mono.us + 40000000);
	etl_clock_virtual_advance(&now, ETL_SECONDS(40));
	assert_ptr_equal(next_in(), &b);

	enter(&c, ETLD_BACKFILL);
	enter(&a, ETLD_LIVE);
	a.patience = ETL_HOURS(2);
	etld_gate_hold(gates, &b, ETL_HOURS(1), "status 429, Retry-After");
	assert_ptr_equal(etld_gate_next(gates, &refusal), &c); /* it waits a minute at most */
	assert_int_equal(refusal.kind, ETL_THROTTLED);
	assert_string_equal(refusal.code, "http.host_held");
	assert_int_equal(refusal.retry_after_ms, 3600000);
	assert_non_null(strstr(refusal.message, "2026-11-22T13:00:40Z: status 429, Retry-After"));
	assert_null(next_in());
	etl_clock_virtual_advance(&now, ETL_HOURS(1));
	assert_ptr_equal(next_in(), &a);
	etld_gate_leave(gates, &a);
	etld_gate_leave(gates, &b);
}

static void an_operator_releases_a_host(void **state)
{
	struct etld_gate_ticket a, b;

	(void)state;
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(next_in(), &a);
	assert_false(etld_gates_release(gates, HOST)); /* neither held nor left alone */
	etld_gate_hold(gates, &a, ETL_HOURS(1), "status 429");
	enter(&b, ETLD_LIVE);
	b.patience = ETL_HOURS(2);
	assert_null(next_in());
	assert_false(etld_gates_release(gates, "elsewhere.example"));
	assert_true(etld_gates_release(gates, HOST));
	assert_ptr_equal(next_in(), &b);
	for (int i = 0; i < 5; i++)
		etld_gate_failed(gates, &a, "status 503");
	etld_gate_leave(gates, &a);
	etld_gate_leave(gates, &b);
	assert_true(etld_gates_release(gates, HOST)); /* its breaker was open */
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(next_in(), &a);
	etld_gate_leave(gates, &a);
}

static void a_hold_rules_over_a_full_bucket_and_an_open_breaker_names_the_longer(void **state)
{
	struct etld_gate_ticket a, b;
	struct etl_error refusal = ETL_ERROR_INIT;

	(void)state;
	others.bucket = etl_bucket_rules_of(100, 50);
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(next_in(), &a);
	etld_gate_hold(gates, &a, ETL_SECONDS(1), "x");
	enter(&b, ETLD_LIVE);
	assert_null(next_in());
	etl_clock_virtual_advance(&now, ETL_SECONDS(1));
	assert_ptr_equal(next_in(), &b);
	for (int i = 0; i < 3; i++)
		etld_gate_failed(gates, &b, "x");
	etld_gate_hold(gates, &b, ETL_HOURS(3), "y");
	etld_gate_leave(gates, &a);
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(etld_gate_next(gates, &refusal), &a);
	assert_string_equal(refusal.code, "http.breaker_open");
	assert_int_equal(refusal.retry_after_ms, 10800000);
	etld_gate_leave(gates, &b);
}

static void burst_then_rate(void **state)
{
	struct etld_gate_ticket t[6];
	etl_mono at;

	(void)state;
	others.bucket = etl_bucket_rules_of(10, 3);
	others.max_active = 100;
	for (int i = 0; i < 6; i++)
		enter(&t[i], ETLD_LIVE);
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(next_in(), &t[i]);
	for (int i = 3; i < 6; i++) {
		assert_null(next_in());
		assert_true(etld_gate_wake(gates, &at));
		assert_int_equal(at.us, now.mono.us + 100000);
		etl_clock_virtual_advance(&now, ETL_MS(100));
		assert_ptr_equal(next_in(), &t[i]);
	}
	for (int i = 0; i < 6; i++)
		etld_gate_leave(gates, &t[i]);
}

static void the_closest_rule_counts(void **state)
{
	const struct etld_host_rule rules[] = {
		{"API.example.org:8443", 5, {{0}, 1}, {0}},
		{"api.example.org", 1, {{0}, 1}, {0}},
		{"api.example.or", 7, {{0}, 1}, {0}},
	};
	static const struct {
		const char *url;
		size_t most;
	} cases[] = {{"http://api.example.org/x", 1}, {"http://u:p@h@api.example.org:8443?x", 5},
		{"http://api.example.org:1", 1}, {"http://xapi.example.org/", 2}};

	(void)state;
	etld_gates_rules(gates, &others, rules, 3);
	for (size_t i = 0; i < 4; i++) {
		struct etld_gate_ticket t[10];

		for (size_t k = 0; k < 10; k++)
			etld_gate_enter(gates, &t[k], cases[i].url, ETLD_LIVE, ETL_HOURS(1), NULL);
		for (size_t k = 0; k < cases[i].most; k++)
			assert_non_null(next_in());
		assert_null(next_in());
		for (size_t k = 0; k < 10; k++)
			etld_gate_leave(gates, &t[k]);
	}
}

struct seen {
	unsigned events[4];
	struct etld_host_state last;
};

static void see(void *ctx, enum etld_gate_event event, const struct etld_host_state *state)
{
	struct seen *seen = ctx;

	seen->events[event]++;
	seen->last = *state;
}

static void what_happens_is_told_and_taken_once(void **state)
{
	struct etld_host_state kept;
	struct etld_gate_ticket a;
	struct seen seen = {{0}};

	(void)state;
	etld_gates_watch(gates, see, &seen);
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(next_in(), &a);
	etld_gate_answered(gates, &a);
	etld_gate_leave(gates, &a);
	assert_false(etld_gates_take_changed(gates, &kept)); /* all is as ever */
	open_it();
	assert_int_equal(seen.events[ETLD_GATE_CHANGED], 2);
	assert_int_equal(seen.events[ETLD_GATE_OPENED], 1);
	assert_string_equal(seen.last.host, HOST);
	assert_int_equal(seen.last.breaker.state, ETL_BREAKER_OPEN);
	assert_true(etld_gates_take_changed(gates, &kept));
	assert_memory_equal(&kept, &seen.last, sizeof kept);
	assert_false(etld_gates_take_changed(gates, &kept));
	etl_clock_virtual_advance(&now, ETL_SECONDS(30));
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(next_in(), &a);
	assert_int_equal(seen.last.breaker.state, ETL_BREAKER_HALF_OPEN);
	etld_gate_answered(gates, &a);
	assert_int_equal(seen.events[ETLD_GATE_CLOSED], 1);
	etld_gate_hold(gates, &a, ETL_SECONDS(4), "too short to be kept");
	assert_int_equal(seen.events[ETLD_GATE_CHANGED], 3);
	etld_gate_hold(gates, &a, ETL_SECONDS(6), "kept");
	assert_int_equal(seen.events[ETLD_GATE_CHANGED], 4);
	assert_string_equal(seen.last.hold_reason, "kept");
	etld_gate_leave(gates, &a);
}

/* Another process takes over what this one left, a while later. */
static void restart(const struct etld_host_state *kept, etl_dur pause)
{
	etld_gates_free(gates);
	etl_clock_virtual_advance(&now, pause);
	gates = etld_gates_new(&now.clock);
	etld_gates_rules(gates, &others, NULL, 0);
	etld_gates_restore(gates, kept);
}

static void a_restart_forgets_nothing(void **state)
{
	struct etl_error refusal = ETL_ERROR_INIT;
	struct etld_host_state kept;
	struct etld_gate_ticket a;
	etl_mono at;

	(void)state;
	others.bucket = etl_bucket_rules_of(1.0 / 60, 2);
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(next_in(), &a);
	for (int i = 0; i < 3; i++)
		etld_gate_failed(gates, &a, "http.timeout: x");
	etld_gate_hold(gates, &a, ETL_MINUTES(20), "status 429");
	etld_gate_leave(gates, &a);
	assert_true(etld_gates_take_changed(gates, &kept));

	restart(&kept, ETL_SECONDS(5));
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(etld_gate_next(gates, &refusal), &a);
	assert_string_equal(refusal.code, "http.breaker_open");
	assert_int_equal(refusal.retry_after_ms, 1195000);
	restart(&kept, ETL_SECONDS(60));
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(etld_gate_next(gates, &refusal), &a);
	assert_string_equal(refusal.code, "http.host_held");
	assert_int_equal(refusal.retry_after_ms, 1135000);

	/* The bucket: one of two tokens is gone at first, and comes back after a minute. */
	kept = (struct etld_host_state){.host = HOST, .full_at = {now.wall.ms + 90000}};
	restart(&kept, ETL_SECONDS(0));
	enter(&a, ETLD_LIVE);
	assert_null(next_in());
	assert_true(etld_gate_wake(gates, &at));
	assert_int_equal(at.us, now.mono.us + 30000000);
	etld_gate_leave(gates, &a);
}

static void nonsense_in_the_metadata_holds_no_host(void **state)
{
	struct etld_host_state kept = {.host = HOST, .hold_until = {INT64_MAX},
		.full_at = {INT64_MIN}, .breaker = {.failures = -5, .probing = true}};
	struct etl_error refusal = ETL_ERROR_INIT;
	struct etld_gate_ticket a;

	(void)state;
	restart(&kept, ETL_SECONDS(0));
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(next_in(), &a);
	etld_gate_leave(gates, &a);
	kept.hold_until.ms = now.wall.ms + INT64_C(30) * 86400000; /* the clock was elsewhere */
	restart(&kept, ETL_SECONDS(0));
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(etld_gate_next(gates, &refusal), &a);
	assert_int_equal(refusal.retry_after_ms, 3600000);
}

static void what_we_saw_ourselves_is_newer_than_what_was_kept(void **state)
{
	struct etld_host_state kept = {.host = HOST,
		.breaker = {.state = ETL_BREAKER_OPEN, .until = {now.wall.ms + 20000}, .opened = now.wall}};
	struct etld_gate_ticket a;

	(void)state;
	fail_once(&a);
	etld_gates_restore(gates, &kept);
	enter(&a, ETLD_LIVE);
	assert_ptr_equal(next_in(), &a);
	etld_gate_leave(gates, &a);
}

/* ---- random traffic ---- */

enum { TICKETS = 24 };

struct traffic {
	struct etld_gate_ticket tickets[TICKETS];
	bool used[TICKETS];
	etl_mono held; /* as we asked for it */
	int live_waiting, inside;
};

static void count_up(struct traffic *tr)
{
	tr->live_waiting = tr->inside = 0;
	for (int i = 0; i < TICKETS; i++) {
		tr->inside += tr->used[i] && tr->tickets[i].inside;
		tr->live_waiting += tr->used[i] && !tr->tickets[i].inside &&
			tr->tickets[i].priority == ETLD_LIVE;
	}
}

static int probes(const struct traffic *tr)
{
	int n = 0;

	for (int i = 0; i < TICKETS; i++)
		n += tr->used[i] && tr->tickets[i].inside && tr->tickets[i].probe;
	return n;
}

static void pump(struct traffic *tr)
{
	struct etl_error refusal = ETL_ERROR_INIT;
	struct etld_gate_ticket *t;

	for (;;) {
		int live;

		count_up(tr);
		live = tr->live_waiting;
		t = etld_gate_next(gates, &refusal);
		if (!t)
			return;
		if (refusal.kind != ETL_OK) {
			assert_true(refusal.retry_after_ms > 0);
			etl_error_clear(&refusal);
			tr->used[t - tr->tickets] = false;
			continue;
		}
		assert_true(t->priority == ETLD_LIVE || live == 0);
		assert_true(tr->held.us <= now.mono.us);
		assert_true(tr->inside < others.max_active);
		assert_true(probes(tr) <= 1);
	}
}

static void act(struct traffic *tr)
{
	int i = (int)roll(TICKETS);
	struct etld_gate_ticket *t = &tr->tickets[i];

	if (!tr->used[i]) {
		etld_gate_enter(gates, t, URL, (enum etld_priority)roll(2),
			ETL_SECONDS(roll(100)), t);
		tr->used[i] = true;
		return;
	}
	if (t->inside && roll(8) == 0) {
		etl_dur d = ETL_SECONDS(roll(120));

		etld_gate_hold(gates, t, d, "x");
		if (now.mono.us + d.us > tr->held.us)
			tr->held.us = now.mono.us + d.us;
	}
	if (t->inside && roll(2) == 0)
		etld_gate_failed(gates, t, "x");
	else if (t->inside && roll(3) > 0)
		etld_gate_answered(gates, t);
	etld_gate_leave(gates, t);
	tr->used[i] = false;
}

/* Nobody is forgotten: with no request inside, whoever waits has a time at which he goes. */
static void check_progress(struct traffic *tr)
{
	etl_mono at;
	int waiting = 0;

	count_up(tr);
	for (int i = 0; i < TICKETS; i++)
		waiting += tr->used[i] && !tr->tickets[i].inside;
	if (tr->inside || !waiting)
		return;
	assert_true(etld_gate_wake(gates, &at));
	assert_true(at.us > now.mono.us);
	assert_true(at.us <= now.mono.us + ETL_SECONDS(121).us);
}

static void random_traffic_keeps_the_laws(void **state)
{
	dice_seed();
	for (int story = 0; story < 60; story++) {
		struct traffic tr = {.held = {0}};

		tear_down(state);
		set_up(state);
		others.max_active = 1 + (int64_t)roll(4);
		others.bucket = etl_bucket_rules_of((double)roll(3), 1 + (int64_t)roll(5));
		for (int step = 0; step < 1500; step++) {
			act(&tr);
			pump(&tr);
			check_progress(&tr);
			if (roll(4) == 0)
				etl_clock_virtual_advance(&now, ETL_MS(roll(9000)));
			if (roll(200) == 0)
				etl_clock_virtual_step(&now, ETL_SECONDS((int64_t)roll(7200) - 3600));
			pump(&tr);
		}
		for (int i = 0; i < TICKETS; i++)
			if (tr.used[i])
				etld_gate_leave(gates, &tr.tickets[i]);
	}
}

#define GATE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GATE_TEST(live_goes_before_backfill),
		GATE_TEST(open_turns_all_away_then_one_probe_decides),
		GATE_TEST(a_failed_probe_turns_the_waiting_away),
		GATE_TEST(a_hold_is_waited_for_or_told),
		GATE_TEST(an_operator_releases_a_host),
		GATE_TEST(a_hold_rules_over_a_full_bucket_and_an_open_breaker_names_the_longer),
		GATE_TEST(burst_then_rate),
		GATE_TEST(the_closest_rule_counts),
		GATE_TEST(what_happens_is_told_and_taken_once),
		GATE_TEST(a_restart_forgets_nothing),
		GATE_TEST(nonsense_in_the_metadata_holds_no_host),
		GATE_TEST(what_we_saw_ourselves_is_newer_than_what_was_kept),
		GATE_TEST(random_traffic_keeps_the_laws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
