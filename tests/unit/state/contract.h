/* SPDX-License-Identifier: MIT
 *
 * What every store must do. test_state_memory.c and test_state_mongodb.c include this and
 * run the same cases; `store` and `expire_lease` are theirs.
 *
 * A store may call back with its lock held: what is called collects, and who asked asserts. A jump
 * out of a callback would leave the lock to the next case.
 */
#ifndef TESTS_STATE_CONTRACT_H
#define TESTS_STATE_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "state/doc_read.h"
#include "state/state.h"

#define H(n) ((etl_wall){(int64_t)(n) * 3600000})
#define RUN_A "01234567-89ab-7def-8123-456789abcdef"
#define RUN_B "01234567-89ab-7def-8123-456789abcde0"

/* Where a TTL counts from: an hour of yesterday on. A server may sweep out what is older, at any
 * moment of the test. */
static inline etl_wall recent(int n)
{
	static int64_t base;

	if (!base)
		base = etl_now(etl_clock_real()).ms / 3600000 - 24;
	return H(base + n);
}

static struct etl_state *store;
static void expire_lease(const char *job); /* makes the lease run out, without waiting */

/* Every count is kept, and none is taken for another. */
static const struct etl_counts full_counts = {.seen = 14, .outside = 3, .unplaced = 1, .in = 10,
	.filtered = 21, .merged = 22, .made = 23, .rejected = 1, .out = 9, .inserted = 5,
	.updated = 3, .unchanged = 1, .overwritten = 24, .stale = 25, .refused = 26, .withheld = 27};

static struct etl_ledger_entry entry(int hour, enum etl_window_state state)
{
	struct etl_ledger_entry e = {
		.window = {H(hour), H(hour + 1)},
		.state = state,
		.run_id = RUN_A,
		.attempt = 1,
		.counts = full_counts,
		.hash = "0123456789abcdef0123456789abcdef",
		.fetched = H(hour + 2),
		.updated = H(hour + 2),
	};
	return e;
}

#define COLLECTED_MAX 64

struct collected {
	struct etl_ledger_entry items[COLLECTED_MAX];
	size_t n; /* that there were */
};

static int collect(void *ctx, const struct etl_ledger_entry *e, struct etl_error *err)
{
	struct collected *c = ctx;

	(void)err;
	if (c->n < COLLECTED_MAX)
		c->items[c->n] = *e;
	c->n++;
	return 0;
}

static struct collected scan(const char *job, const char *partition, int from, int to,
	enum etl_ledger_select select)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_window range = {H(from), H(to)};
	struct collected c = {.n = 0};

	if (store->ops->ledger_scan(store, job, partition, &range, select, collect, &c, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(c.n <= COLLECTED_MAX);
	return c;
}

static int64_t claim(const char *job, const char *partition, int64_t fence)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark w;

	if (store->ops->watermark_claim(store, job, partition, fence, H(0), 3600000, &w, &err) < 0)
		fail_msg("%s", err.message);
	return w.processed.ms;
}

static int try_commit(const char *job, const char *partition, int64_t fence,
	struct etl_ledger_entry *entries, size_t n, etl_wall watermark, struct etl_error *err)
{
	struct etl_commit c = {.job = job, .partition = partition, .run_id = RUN_A, .fence = fence,
		.entries = entries, .n_entries = n, .origin = H(0), .watermark = watermark,
		.window_ms = 3600000};
	struct etl_txn *txn = NULL;

	if (store->ops->begin(store, &txn, err) < 0)
		return -1;
	return store->ops->commit(store, txn, &c, err);
}

static void commit_ok(const char *job, const char *partition, int64_t fence,
	struct etl_ledger_entry *entries, size_t n, etl_wall watermark)
{
	struct etl_error err = ETL_ERROR_INIT;

	if (try_commit(job, partition, fence, entries, n, watermark, &err) < 0)
		fail_msg("%s: %s", err.code, err.message);
}

/* As lease_acquire, for a run without a slot. */
static int acquire(const char *job, const char *holder, const char *dead, struct etl_lease *lease)
{
	struct etl_lease_ask ask = {.job = job, .holder = holder, .dead_holder = dead,
		.run_id = RUN_A, .ttl = ETL_SECONDS(30)};
	struct etl_error err = ETL_ERROR_INIT;
	int rc = store->ops->lease_acquire(store, &ask, lease, &err);

	if (rc < 0)
		fail_msg("%s", err.message);
	return rc;
}

static void lease_is_exclusive_and_its_fence_grows(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_lease a, b, again;

	(void)state;
	assert_int_equal(acquire("j1", "host-a", NULL, &a), 1);
	assert_true(a.fence >= 1);
	assert_int_equal(acquire("j1", "host-b", NULL, &b), 0);
	assert_string_equal(b.holder, "host-a");
	assert_true(b.expires.ms > 0);
	assert_int_equal(acquire("j1", "host-a", NULL, &again), 1);
	assert_int_equal(again.fence, a.fence + 1); /* an earlier request of its own is another one */
	assert_int_equal(store->ops->lease_renew(store, "j1", a.fence, ETL_SECONDS(30), &err), -1);
	assert_int_equal(store->ops->lease_renew(store, "j1", again.fence, ETL_SECONDS(30), &err), 0);
	a = again;

	expire_lease("j1");
	assert_int_equal(acquire("j1", "host-b", NULL, &b), 1);
	assert_true(b.fence > a.fence);
	assert_int_equal(store->ops->lease_renew(store, "j1", a.fence, ETL_SECONDS(30), &err), -1);
	assert_int_equal(err.kind, ETL_CONFLICT);
}

static void lease_of_a_dead_holder_is_taken_at_once(void **state)
{
	struct etl_lease a, b;

	(void)state;
	assert_int_equal(acquire("j2", "$host:a", NULL, &a), 1);
	assert_int_equal(acquire("j2", "host-b", "someone", &b), 0);
	assert_int_equal(acquire("j2", "host-b", "$host:a", &b), 1);
	assert_int_equal(b.fence, a.fence + 1);
}

static void released_lease_is_free_and_its_fence_goes_on(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_lease a, b;

	(void)state;
	assert_int_equal(acquire("j3", "host-a", NULL, &a), 1);
	assert_int_equal(store->ops->lease_release(store, "j3", a.fence, &err), 0);
	assert_int_equal(store->ops->lease_renew(store, "j3", a.fence, ETL_SECONDS(30), &err), -1);
	assert_int_equal(acquire("j3", "host-a", NULL, &b), 1);
	assert_int_equal(b.fence, a.fence + 1);
	assert_int_equal(store->ops->lease_release(store, "j3", a.fence, &err), 0); /* old one */
	assert_int_equal(store->ops->lease_renew(store, "j3", b.fence, ETL_SECONDS(30), &err), 0);
}

/* The document of the lease was lost, or is of an older backup than the watermarks. */
static void a_lost_lease_begins_above_all_fences(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_lease a;

	(void)state;
	assert_int_equal(acquire("j4", "host-a", NULL, &a), 1);
	claim("j4", "p", 7);
	claim("j4", "q", 12);
	commit_ok("j4", "p", 7, &e, 1, H(1));
	expire_lease("j4");
	assert_int_equal(acquire("j4", "host-a", NULL, &a), 1);
	assert_int_equal(a.fence, 13);
	assert_int_equal(store->ops->lease_drop(store, "j4", a.fence, &err), 0);
	assert_int_equal(acquire("j4", "host-a", NULL, &a), 1);
	assert_int_equal(a.fence, 13);
	claim("j4", "p", a.fence);
	commit_ok("j4", "p", a.fence, &e, 1, H(1));
}

static int claim_slot(const char *job, const char *holder, const char *run_id, etl_wall slot,
	struct etl_lease *lease)
{
	struct etl_lease_ask ask = {.job = job, .holder = holder, .run_id = run_id,
		.ttl = ETL_SECONDS(30), .slot = slot, .schedule = "0 * * * *|UTC"};
	struct etl_error err = ETL_ERROR_INIT;
	int rc = store->ops->lease_acquire(store, &ask, lease, &err);

	if (rc < 0)
		fail_msg("%s", err.message);
	return rc;
}

/* Two daemons, one after the other: the lease is free again, the slot is not. */
static void a_slot_is_claimed_once(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_lease a, b;

	(void)state;
	assert_int_equal(claim_slot("s1", "host-a", RUN_A, H(10), &a), 1);
	assert_true(a.now.ms > 0);
	assert_string_equal(a.schedule, "0 * * * *|UTC");
	assert_int_equal(a.slot.ms, H(10).ms);
	assert_string_equal(a.lost_run, "");
	assert_int_equal(claim_slot("s1", "host-b", RUN_B, H(11), &b), 0); /* held */
	assert_string_equal(b.holder, "host-a");
	assert_int_equal(b.slot.ms, H(10).ms);
	assert_int_equal(store->ops->lease_release(store, "s1", a.fence, &err), 0);
	assert_int_equal(claim_slot("s1", "host-b", RUN_B, H(10), &b), 0); /* decided */
	assert_int_equal(b.slot.ms, H(10).ms);
	assert_int_equal(claim_slot("s1", "host-b", RUN_B, H(9), &b), 0);
	assert_int_equal(acquire("s1", "host-b", NULL, &b), 1); /* without a slot */
	assert_int_equal(store->ops->lease_release(store, "s1", b.fence, &err), 0);
	assert_int_equal(claim_slot("s1", "host-b", RUN_B, H(11), &b), 1);
	assert_string_equal(b.lost_run, "");
}

static void a_run_that_never_gave_its_lease_back_is_named(void **state)
{
	struct etl_lease a, b;

	(void)state;
	assert_int_equal(claim_slot("s2", "host-a", RUN_A, H(10), &a), 1);
	expire_lease("s2");
	assert_int_equal(claim_slot("s2", "host-b", RUN_B, H(11), &b), 1);
	assert_string_equal(b.lost_run, RUN_A);
	assert_int_equal(b.lost_slot.ms, H(10).ms);
	assert_int_equal(b.lost_since.ms, a.now.ms);
}

struct schedules {
	const char *job;
	struct etl_schedule_info info;
	int found;
};

static int find_schedule(void *ctx, const char *job, const struct etl_schedule_info *info)
{
	struct schedules *s = ctx;

	if (strcmp(job, s->job) == 0) {
		s->info = *info;
		s->found++;
	}
	return 0;
}

static struct etl_schedule_info schedule_of(const char *job)
{
	struct schedules s = {.job = job};
	struct etl_error err = ETL_ERROR_INIT;

	struct etl_schedule_info one = {.slot = {1}};

	assert_int_equal(store->ops->schedule_list(store, find_schedule, &s, &err), 0);
	assert_int_equal(s.found, 1);
	assert_int_equal(store->ops->schedule_get(store, job, &one, &err), 1);
	assert_int_equal(one.slot.ms, s.info.slot.ms);
	assert_string_equal(one.schedule, s.info.schedule);
	assert_string_equal(one.holder, s.info.holder);
	assert_int_equal(store->ops->schedule_get(store, "s of nobody", &one, &err), 0);
	return s.info;
}

static void save_slot(const char *job, etl_wall slot, const char *schedule, bool back)
{
	struct etl_slot_note notes[] = {{job, slot, schedule, back}, {"other", slot, schedule, false}};
	struct etl_error err = ETL_ERROR_INIT;

	if (store->ops->slots_save(store, notes, 2, &err) < 0)
		fail_msg("%s", err.message);
}

static void decided_slots_go_forward_unless_told(void **state)
{
	struct etl_lease a;

	(void)state;
	save_slot("s3", H(10), "0 * * * *|UTC", false); /* before any lease */
	assert_int_equal(schedule_of("s3").slot.ms, H(10).ms);
	assert_string_equal(schedule_of("s3").holder, "");
	assert_string_equal(schedule_of("s3").schedule, "0 * * * *|UTC");
	save_slot("s3", H(9), "", false);
	assert_int_equal(schedule_of("s3").slot.ms, H(10).ms);
	assert_string_equal(schedule_of("s3").schedule, "");
	assert_int_equal(claim_slot("s3", "host-a", RUN_A, H(10), &a), 0);
	save_slot("s3", H(8), "@daily|UTC", true);
	assert_int_equal(schedule_of("s3").slot.ms, H(8).ms);
	assert_int_equal(claim_slot("s3", "host-a", RUN_A, H(10), &a), 1);
	assert_string_equal(schedule_of("s3").holder, "host-a");
	assert_string_equal(schedule_of("s3").schedule, "0 * * * *|UTC");
}

static void watermark_is_made_once_and_fenced(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark w;

	(void)state;
	assert_int_equal(store->ops->watermark_get(store, "w1", "p", &w, &err), 0);
	assert_int_equal(store->ops->watermark_claim(store, "w1", "p", 5, H(7), 3600000, &w, &err),
		0);
	assert_int_equal(w.origin.ms, H(7).ms);
	assert_int_equal(w.processed.ms, H(7).ms);
	assert_int_equal(w.fence, 5);
	assert_int_equal(store->ops->watermark_claim(store, "w1", "p", 6, H(9), 60000, &w, &err), 0);
	assert_int_equal(w.origin.ms, H(7).ms);
	assert_int_equal(w.window_ms, 3600000);
	assert_int_equal(store->ops->watermark_claim(store, "w1", "p", 5, H(7), 1, &w, &err), -1);
	assert_int_equal(err.kind, ETL_CONFLICT);
	assert_int_equal(store->ops->watermark_get(store, "w1", "p", &w, &err), 1);
	assert_int_equal(w.fence, 6);
}

static void commit_writes_ledger_and_watermark(void **state)
{
	struct etl_ledger_entry e[2] = {entry(0, ETL_WINDOW_LOADED), entry(1, ETL_WINDOW_EMPTY)};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark w;
	struct collected c;

	(void)state;
	claim("c1", "p", 3);
	commit_ok("c1", "p", 3, e, 2, H(2));
	assert_int_equal(store->ops->watermark_get(store, "c1", "p", &w, &err), 1);
	assert_int_equal(w.processed.ms, H(2).ms);
	assert_string_equal(w.run_id, RUN_A);
	c = scan("c1", "p", 0, 10, ETL_LEDGER_ALL);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.items[0].state, ETL_WINDOW_LOADED);
	assert_int_equal(c.items[0].window.end.ms, H(1).ms);
	assert_int_equal(c.items[0].counts.in, 10);
	assert_int_equal(c.items[0].counts.rejected, 1);
	assert_int_equal(c.items[0].counts.updated, 3);
	assert_memory_equal(&c.items[0].counts, &full_counts, sizeof full_counts);
	assert_int_equal(c.items[0].fence, 3);
	assert_int_equal(c.items[0].fetched.ms, H(2).ms);
	assert_string_equal(c.items[0].hash, e[0].hash);
	assert_int_equal(c.items[1].state, ETL_WINDOW_EMPTY);
}

/* The list of targets goes with the slice, stays where a commit says nothing of it, and a commit of
 * a stale fence leaves it as it is. */
static void targets_go_with_the_commit(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_targets targets = {.n = 0};
	struct etl_commit c = {.job = "tg1", .partition = "p", .run_id = RUN_A, .fence = 3, .entries = &e,
		.n_entries = 1, .origin = H(0), .watermark = H(1), .window_ms = 3600000,
		.targets = &targets};
	struct etl_txn *txn = NULL;
	struct etl_watermark w;

	(void)state;
	claim("tg1", "p", 3);
	assert_int_equal(store->ops->watermark_get(store, "tg1", "p", &w, &err), 1);
	assert_int_equal(w.targets.n, 0);
	assert_false(w.targets.absent); /* it is known that nothing is anywhere */
	etl_targets_note(&targets, "etl.a", (struct etl_window){H(0), H(1)});
	etl_targets_note(&targets, "etl.b", (struct etl_window){H(1), H(3)});
	assert_int_equal(store->ops->begin(store, &txn, &err), 0);
	assert_int_equal(store->ops->commit(store, txn, &c, &err), 0);
	commit_ok("tg1", "p", 3, NULL, 0, H(2));
	assert_int_equal(store->ops->watermark_claim(store, "tg1", "p", 4, H(0), 3600000, &w, &err), 0);
	assert_int_equal(w.targets.n, 2);
	assert_string_equal(etl_targets_at(&w.targets, H(0)), "etl.a");
	assert_string_equal(etl_targets_at(&w.targets, H(2)), "etl.b");
	assert_null(etl_targets_at(&w.targets, H(3)));
	etl_targets_note(&targets, "etl.c", (struct etl_window){H(0), H(3)});
	txn = NULL;
	assert_int_equal(store->ops->begin(store, &txn, &err), 0);
	assert_int_equal(store->ops->commit(store, txn, &c, &err), -1);
	assert_int_equal(store->ops->watermark_get(store, "tg1", "p", &w, &err), 1);
	assert_string_equal(etl_targets_at(&w.targets, H(0)), "etl.a");
}

static void stale_fence_commits_nothing(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark w;

	(void)state;
	claim("c2", "p", 3);
	claim("c2", "p", 4);
	assert_int_equal(try_commit("c2", "p", 3, &e, 1, H(1), &err), -1);
	assert_int_equal(err.kind, ETL_CONFLICT);
	assert_int_equal(scan("c2", "p", 0, 10, ETL_LEDGER_ALL).n, 0);
	assert_int_equal(store->ops->watermark_get(store, "c2", "p", &w, &err), 1);
	assert_int_equal(w.processed.ms, H(0).ms);
	assert_int_equal(store->ops->ledger_mark(store, "c2", "p", 3, &e, 1, &err), -1);
	assert_int_equal(err.kind, ETL_CONFLICT);
}

static void watermark_never_goes_back(void **state)
{
	struct etl_ledger_entry late = entry(1, ETL_WINDOW_LOADED);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark w;

	(void)state;
	claim("c3", "p", 1);
	commit_ok("c3", "p", 1, NULL, 0, H(9));
	commit_ok("c3", "p", 1, &late, 1, H(2));
	assert_int_equal(store->ops->watermark_get(store, "c3", "p", &w, &err), 1);
	assert_int_equal(w.processed.ms, H(9).ms);
	assert_int_equal(claim("c3", "p", 2), H(9).ms);
}

static void repeated_commit_replaces(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct collected c;

	(void)state;
	claim("c4", "p", 1);
	commit_ok("c4", "p", 1, &e, 1, H(1));
	e.attempt = 2;
	commit_ok("c4", "p", 1, &e, 1, H(1));
	c = scan("c4", "p", 0, 10, ETL_LEDGER_ALL);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.items[0].attempt, 2);
}

static void commit_dirty(const char *upstream, const char *job, const char *partition, int hour)
{
	struct etl_dirty_mark mark = {job, partition, {H(hour), H(hour + 1)}};
	struct etl_commit c = {.job = upstream, .partition = "p", .run_id = RUN_A, .fence = 1,
		.origin = H(0), .watermark = H(0), .window_ms = 3600000, .dirty = &mark,
		.n_dirty = 1};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_txn *txn = NULL;

	claim(upstream, "p", 1);
	assert_int_equal(store->ops->begin(store, &txn, &err), 0);
	if (store->ops->commit(store, txn, &c, &err) < 0)
		fail_msg("%s", err.message);
}

static void dirty_marks_hit_their_window_and_make_it_if_needed(void **state)
{
	struct etl_ledger_entry e[3] = {entry(0, ETL_WINDOW_LOADED), entry(1, ETL_WINDOW_LOADED),
		entry(2, ETL_WINDOW_LOADED)};
	struct collected c;

	(void)state;
	claim("d1", "p", 1);
	claim("d1", "q", 1);
	commit_ok("d1", "p", 1, e, 3, H(3));
	commit_ok("d1", "q", 1, e, 3, H(3));
	commit_dirty("d1-up", "d1", "p", 1);
	commit_dirty("d1-up", "d1", "p", 7);
	c = scan("d1", NULL, 0, 10, ETL_LEDGER_DIRTY);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.items[0].window.start.ms, H(1).ms);
	assert_int_equal(c.items[0].state, ETL_WINDOW_LOADED);
	assert_string_equal(c.items[0].hash, e[1].hash);
	assert_non_null(strstr(c.items[0].reason, "d1-up"));
	assert_int_equal(c.items[1].window.start.ms, H(7).ms);
	assert_int_equal(c.items[1].window.end.ms, H(8).ms);
	assert_int_equal(c.items[1].state, ETL_WINDOW_PENDING);
	assert_true(c.items[1].dirty);
	assert_int_equal(scan("d1", "p", 0, 10, ETL_LEDGER_OPEN).n, 2);
	assert_int_equal(scan("d1", "q", 0, 10, ETL_LEDGER_OPEN).n, 0);
}

static void reading_again_clears_only_marks_that_were_seen(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct collected c;

	(void)state;
	claim("d2", "p", 1);
	commit_ok("d2", "p", 1, &e, 1, H(1));
	commit_dirty("d2-up", "d2", "p", 0);
	c = scan("d2", "p", 0, 9, ETL_LEDGER_DIRTY);
	assert_int_equal(c.n, 1);
	assert_true(c.items[0].dirty_token[0] != '\0');
	commit_dirty("d2-up", "d2", "p", 0); /* again, while the window is being read */
	memcpy(e.dirty_token, c.items[0].dirty_token, sizeof e.dirty_token);
	commit_ok("d2", "p", 1, &e, 1, H(1));
	c = scan("d2", "p", 0, 9, ETL_LEDGER_DIRTY);
	assert_int_equal(c.n, 1);
	assert_string_not_equal(c.items[0].dirty_token, e.dirty_token);
	memcpy(e.dirty_token, c.items[0].dirty_token, sizeof e.dirty_token);
	commit_ok("d2", "p", 1, &e, 1, H(1));
	assert_int_equal(scan("d2", "p", 0, 9, ETL_LEDGER_DIRTY).n, 0);
}

static void marks_never_open_what_is_closed(void **state)
{
	struct etl_ledger_entry e[2] = {entry(0, ETL_WINDOW_LOADED), entry(1, ETL_WINDOW_FAILED)};
	struct etl_error err = ETL_ERROR_INIT;
	struct collected c;

	(void)state;
	claim("m1", "p", 1);
	commit_ok("m1", "p", 1, e, 1, H(1));
	e[0] = entry(0, ETL_WINDOW_FAILED);
	e[0].hash[0] = '\0';
	e[0].attempt = 2;
	snprintf(e[0].reason, sizeof e[0].reason, "$source said 503");
	assert_int_equal(store->ops->ledger_mark(store, "m1", "p", 1, e, 2, &err), 0);
	c = scan("m1", "p", 0, 9, ETL_LEDGER_ALL);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.items[0].state, ETL_WINDOW_LOADED);
	assert_string_equal(c.items[0].hash, "0123456789abcdef0123456789abcdef");
	assert_string_equal(c.items[0].reason, "$source said 503");
	assert_int_equal(c.items[0].attempt, 2);
	assert_int_equal(c.items[1].state, ETL_WINDOW_FAILED);

	e[1].state = ETL_WINDOW_SKIPPED;
	assert_int_equal(store->ops->ledger_mark(store, "m1", "p", 1, &e[1], 1, &err), 0);
	assert_int_equal(scan("m1", "p", 1, 2, ETL_LEDGER_ALL).items[0].state, ETL_WINDOW_SKIPPED);
	e[1].state = ETL_WINDOW_LOADED;
	assert_int_equal(store->ops->ledger_mark(store, "m1", "p", 1, &e[1], 1, &err), -1);
	assert_int_equal(err.kind, ETL_BUG);
}

static void doubt(const char *job, const char *run_id, int hour)
{
	struct etl_unit_key unit = {{H(hour), H(hour + 1)}, NULL};
	struct etl_error err = ETL_ERROR_INIT;

	if (store->ops->ledger_doubt(store, job, "p", run_id, &unit, 1, &err) < 0)
		fail_msg("%s", err.message);
}

/* Without transactions: the mark stands before the data and goes with the commit; it hides no
 * other mark, and needs no fence. */
static void a_write_under_way_is_on_record(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct collected c;

	(void)state;
	claim("dw", "p", 1);
	doubt("dw", RUN_A, 0);
	c = scan("dw", "p", 0, 9, ETL_LEDGER_DIRTY);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.items[0].state, ETL_WINDOW_PENDING);
	assert_int_equal(c.items[0].window.end.ms, H(1).ms);
	assert_string_equal(c.items[0].writer, RUN_A);
	commit_ok("dw", "p", 1, &e, 1, H(1));
	c = scan("dw", "p", 0, 9, ETL_LEDGER_ALL);
	assert_int_equal(c.n, 1);
	assert_false(c.items[0].dirty);
	assert_string_equal(c.items[0].writer, "");

	/* On a closed one; an upstream's mark that came before the commit stays. */
	doubt("dw", RUN_B, 0);
	commit_dirty("dw-up", "dw", "p", 0);
	c = scan("dw", "p", 0, 9, ETL_LEDGER_DIRTY);
	assert_int_equal(c.items[0].state, ETL_WINDOW_LOADED);
	assert_string_equal(c.items[0].hash, e.hash);
	assert_string_equal(c.items[0].writer, RUN_B);
	commit_ok("dw", "p", 1, &e, 1, H(1));
	c = scan("dw", "p", 0, 9, ETL_LEDGER_DIRTY);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.items[0].writer, "");

	/* The other order: the write's mark does not stand for the upstream's. */
	memcpy(e.dirty_token, c.items[0].dirty_token, sizeof e.dirty_token);
	commit_dirty("dw-up", "dw", "p", 0);
	doubt("dw", RUN_B, 0);
	commit_ok("dw", "p", 1, &e, 1, H(1));
	assert_int_equal(scan("dw", "p", 0, 9, ETL_LEDGER_DIRTY).n, 1);
	assert_int_equal(scan("dw", "p", 0, 9, ETL_LEDGER_ALL).items[0].attempt, 1);
}

static int count_runs(void *ctx, const bson_t *run)
{
	bson_iter_t it;
	char *names = ctx;

	strcat(names, bson_iter_init_find(&it, run, "run_id") ? bson_iter_utf8(&it, NULL) + 35 : "?");
	return 0;
}

static void runs_are_kept_newest_first(void **state)
{
	struct etl_run_partition part = {.partition = "p", .state = "ok", .reason = "",
		.error_kind = "", .error_code = "", .windows.loaded = 2};
	struct etl_run_record run = {.run_id = RUN_A, .job = "r1", .trigger = "schedule",
		.state = "running", .reason = "", .host = "h", .fence = 4, .started = recent(1),
		.steps = {{"plan", 1, ETL_MS(3)}}, .n_steps = 1, .partitions = &part,
		.n_partitions = 1};
	struct etl_error err = ETL_ERROR_INIT;
	char names[16] = "";
	bson_iter_t it, deep;
	bson_t doc;

	(void)state;
	assert_int_equal(etl_doc_put(store, &etl_runs, &run, &err), 0);
	run.ended = recent(2);
	run.state = "ok";
	assert_int_equal(etl_doc_put(store, &etl_runs, &run, &err), 0);
	run.run_id = RUN_B;
	run.started = recent(3);
	assert_int_equal(etl_doc_put(store, &etl_runs, &run, &err), 0);
	assert_int_equal(etl_run_list(store, "r1", 10, count_runs, names, &err), 0);
	assert_string_equal(names, "0f");
	names[0] = '\0';
	assert_int_equal(etl_run_list(store, NULL, 1, count_runs, names, &err), 0);
	assert_string_equal(names, "0");
	assert_int_equal(etl_doc_get(store, &etl_runs, RUN_A, &doc, &err), 1);
	assert_true(bson_iter_init_find(&it, &doc, "state"));
	assert_string_equal(bson_iter_utf8(&it, NULL), "ok");
	assert_true(bson_iter_init(&it, &doc));
	assert_true(bson_iter_find_descendant(&it, "steps.0.duration_us", &deep));
	assert_int_equal(bson_iter_int64(&deep), 3000);
	bson_destroy(&doc);
	assert_int_equal(etl_doc_get(store, &etl_runs, "no such run", &doc, &err), 0);
}

static int note_pause(void *ctx, const void *thing)
{
	const struct etl_pause *pause = thing;
	char *text = ctx;

	if (pause->at.ms <= 0)
		strcat(text, "at no time ");
	strcat(text, pause->job);
	strcat(text, "=");
	strcat(text, pause->who);
	strcat(text, ":");
	strcat(text, pause->why);
	strcat(text, ";");
	return 0;
}

static int order_pause(const char *job, bool paused, const char *why, int hour, bool late)
{
	const struct etl_pause pause = {job, "me", why, H(hour), paused};
	struct etl_error err = ETL_ERROR_INIT;

	return etl_pause_set(store, &pause, late, &err);
}

static void paused_jobs_are_listed(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	char text[128] = "";

	(void)state;
	assert_int_equal(order_pause("b", true, "why b", 1, false), 1);
	assert_int_equal(order_pause("a", true, "why a", 1, false), 1);
	assert_int_equal(order_pause("b", true, "again", 2, false), 1);
	assert_int_equal(etl_doc_list(store, &etl_pauses, NULL, note_pause, text, &err), 0);
	assert_string_equal(text, "a=me:why a;b=me:again;");
	assert_int_equal(order_pause("a", false, NULL, 2, false), 1);
	text[0] = '\0';
	assert_int_equal(etl_doc_list(store, &etl_pauses, NULL, note_pause, text, &err), 0);
	assert_string_equal(text, "b=me:again;");
}

/* There was no field `paused` when a resume removed the document: what is there is paused. */
static void pauses_of_an_older_etld(void **state)
{
	bson_t *doc = BCON_NEW("_id", BCON_UTF8("older"), "who", BCON_UTF8("me"), "why", BCON_UTF8("then"),
		"at", BCON_DATE_TIME(H(3).ms));
	struct etl_error err = ETL_ERROR_INIT;
	char text[128] = "";

	(void)state;
	assert_int_equal(store->ops->put(store, &etl_pauses, &doc, 1, &err), 0);
	assert_int_equal(etl_doc_list(store, &etl_pauses, NULL, note_pause, text, &err), 0);
	assert_non_null(strstr(text, "older=me:then;"));
	assert_int_equal(order_pause("older", false, NULL, 2, true), 0); /* held against its time */
	assert_int_equal(order_pause("older", false, NULL, 4, true), 1);
	text[0] = '\0';
	assert_int_equal(etl_doc_list(store, &etl_pauses, NULL, note_pause, text, &err), 0);
	assert_null(strstr(text, "older="));
	bson_destroy(doc);
}

static const char *paused_now(char text[128])
{
	struct etl_error err = ETL_ERROR_INIT;

	*text = '\0';
	assert_int_equal(etl_doc_list(store, &etl_pauses, NULL, note_pause, text, &err), 0);
	return text;
}

/* Whatever is stored last: the order that was given last stands. One that is stored as it is given needs
 * no comparison, so that a clock that was ahead once does not shut out all orders to come. */
static void a_late_order_gives_way_to_a_newer_one(void **state)
{
	char text[128];

	(void)state;
	assert_int_equal(order_pause("l", true, "first", 1, true), 1); /* nothing is there */
	assert_int_equal(order_pause("l", false, NULL, 5, false), 1);
	assert_int_equal(order_pause("l", true, "late", 4, true), 0);
	assert_null(strstr(paused_now(text), "l=me:"));
	assert_int_equal(order_pause("l", true, "the same again", 5, true), 1);
	assert_int_equal(order_pause("l", false, NULL, 4, true), 0);
	assert_non_null(strstr(paused_now(text), "l=me:the same again;"));
	assert_int_equal(order_pause("l", false, NULL, 6, true), 1);
	assert_null(strstr(paused_now(text), "l=me:"));
	assert_int_equal(order_pause("l", true, "by a clock put right", 2, false), 1);
	assert_non_null(strstr(paused_now(text), "l=me:by a clock put right;"));
	assert_int_equal(order_pause("l", false, NULL, 7, false), 1);
}

static int count_docs(void *ctx, const bson_t *doc)
{
	(void)doc;
	++*(int *)ctx;
	return 0;
}

/* Its answer was lost: it is stored again, and is there once. */
static void an_audit_is_there_once(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	const struct etl_doc_query mine = {.id = "order-1"};
	int n = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(etl_audit_add(store, "order-1", "me", "cancel", NULL, &err), 0);
	assert_int_equal(store->ops->list(store, &etl_audit, &mine, count_docs, &n, &err), 0);
	assert_int_equal(n, 1);
}

static int note_state_word(void *ctx, const bson_t *doc)
{
	snprintf(ctx, 16, "%s", etl_doc_text(doc, "state"));
	return 0;
}

/* One that says something else than asked for is left as it is. */
static void a_document_is_changed_if_it_says_so(void **state)
{
	const struct etl_equal running = {.field = "state", .text = "running"}, done = {"state", "done"};
	const struct etl_doc_query mine = {.id = "u1"};
	bson_t *doc = BCON_NEW("_id", "u1", "job", "u", "state", "done");
	bson_t *fields = BCON_NEW("state", "cancelled");
	struct etl_error err = ETL_ERROR_INIT;
	char word[16] = "";

	(void)state;
	assert_int_equal(store->ops->put(store, &etl_backfills, (bson_t *[]){doc}, 1, &err), 0);
	assert_int_equal(store->ops->update(store, &etl_backfills, "u1", &running, fields, &err), 0);
	assert_int_equal(store->ops->list(store, &etl_backfills, &mine, note_state_word, word, &err), 0);
	assert_string_equal(word, "done");
	assert_int_equal(store->ops->update(store, &etl_backfills, "u1", &done, fields, &err), 1);
	assert_int_equal(store->ops->list(store, &etl_backfills, &mine, note_state_word, word, &err), 0);
	assert_string_equal(word, "cancelled");
	assert_int_equal(store->ops->remove(store, &etl_backfills, "u1", &err), 0);
	bson_destroy(fields);
	bson_destroy(doc);
}

static void dead_letters_and_audit_are_taken(void **state)
{
	struct etl_dead_letter_info info = {"l1", "p", RUN_A, recent(1), NULL};
	struct etl_reject r[2] = {
		{.step = "decode", .rule = "json", .path = "/a", .message = "bad \xff byte",
			.raw = (const uint8_t *)"{\xff}", .raw_len = 3, .time = {ETL_NO_TIME}},
		{.step = "check", .rule = "range", .path = "", .message = "too much",
			.position = 7, .time = H(1)},
	};
	struct etl_error err = ETL_ERROR_INIT;
	bson_t details = BSON_INITIALIZER;

	(void)state;
	BSON_APPEND_INT32(&details, "n", 1);
	if (etl_dead_letters_add(store, &info, r, 2, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(etl_dead_letters_add(store, &info, r, 2, &err), 0);
	assert_int_equal(etl_audit_add(store, "a1", "me", "watermark.set", &details, &err), 0);
	assert_int_equal(etl_audit_add(store, "a2", "me", "reload", NULL, &err), 0);
	bson_destroy(&details);
}

static int note_source(void *ctx, const void *thing)
{
	const struct etl_source_state *source = thing;
	struct etl_source_state *list = ctx;

	while (*list->host)
		list++;
	*list = *source;
	return 0;
}

static void hosts_are_kept_as_they_were_told_last(void **state)
{
	struct etl_source_state a = {.host = "a.example.org:8443", .updated = recent(5),
		.breaker = {"open", 7, 2, H(3), H(4), "$no answer \xe2\x9c\x96"},
		.hold_until = H(6), .hold_reason = "status 429", .full_at = {H(5).ms + 1}};
	struct etl_source_state b = {.host = "b.example.org", .updated = recent(1),
		.breaker = {.state = "closed"}};
	struct etl_source_state list[4] = {{{0}}};
	struct etl_error err = ETL_ERROR_INIT;
	bson_t *other = BCON_NEW("_id", "another's", "x", BCON_INT32(1)); /* left alone, and not told */

	(void)state;
	assert_int_equal(store->ops->put(store, &etl_hosts, &other, 1, &err), 0);
	bson_destroy(other);
	assert_int_equal(etl_doc_list(store, &etl_hosts, NULL, note_source, list, &err), 0);
	assert_string_equal(list[0].host, "");
	if (etl_doc_put(store, &etl_hosts, &b, &err) < 0 || etl_doc_put(store, &etl_hosts, &a, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(etl_doc_list(store, &etl_hosts, NULL, note_source, list, &err), 0);
	assert_memory_equal(&list[0], &a, sizeof a);
	assert_memory_equal(&list[1], &b, sizeof b);
	assert_string_equal(list[2].host, "");

	a = (struct etl_source_state){.host = "a.example.org:8443", .updated = recent(9),
		.breaker = {.state = "closed", .failures = 1, .reason = "x"}};
	assert_int_equal(etl_doc_put(store, &etl_hosts, &a, &err), 0);
	memset(list, 0, sizeof list);
	assert_int_equal(etl_doc_list(store, &etl_hosts, NULL, note_source, list, &err), 0);
	assert_memory_equal(&list[0], &a, sizeof a);
	assert_string_equal(list[2].host, "");
}

static void entries_are_counted_by_their_start(void **state)
{
	struct etl_ledger_entry e[] = {entry(3, ETL_WINDOW_LOADED), entry(4, ETL_WINDOW_EMPTY),
		entry(6, ETL_WINDOW_LOADED)};
	struct etl_window range = {H(3), H(6)};
	struct etl_error err = ETL_ERROR_INIT;
	uint64_t n = 99;

	(void)state;
	assert_int_equal(store->ops->ledger_count(store, "cnt", "p", &range, &n, &err), 0);
	assert_int_equal(n, 0);
	claim("cnt", "p", 1);
	commit_ok("cnt", "p", 1, e, 3, H(0));
	assert_int_equal(store->ops->ledger_count(store, "cnt", "p", &range, &n, &err), 0);
	assert_int_equal(n, 2);
	range.end = H(7);
	assert_int_equal(store->ops->ledger_count(store, "cnt", "p", &range, &n, &err), 0);
	assert_int_equal(n, 3);
}

/* A window that began before and reaches in overlaps the range and does not begin in it. */
static void entries_are_found_by_their_start(void **state)
{
	struct etl_ledger_entry e[] = {entry(3, ETL_WINDOW_LOADED), entry(4, ETL_WINDOW_EMPTY),
		entry(6, ETL_WINDOW_FAILED)};
	struct collected c;

	(void)state;
	e[0].window.end = H(5);
	claim("beg", "p", 1);
	commit_ok("beg", "p", 1, e, 3, H(0));
	c = scan("beg", "p", 4, 6, ETL_LEDGER_ALL);
	assert_int_equal(c.n, 2);
	c = scan("beg", "p", 4, 6, ETL_LEDGER_BEGUN);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.items[0].window.start.ms, H(4).ms);
	assert_int_equal(scan("beg", "p", 3, 7, ETL_LEDGER_BEGUN).n, 3);
	assert_int_equal(scan("beg", "p", 7, 9, ETL_LEDGER_BEGUN).n, 0);
}

static int collect_open(void *ctx, const char *partition, const struct etl_ledger_entry *e)
{
	char *text = ctx;
	size_t used = strlen(text);

	snprintf(text + used, 200 - used, "%s%lld%s%s ", partition,
		(long long)(e->window.start.ms / 3600000), etl_window_is_closed(e->state) ? "" : "o",
		e->dirty ? "d" : "");
	return 0;
}

static void what_is_open_is_found_over_all_partitions(void **state)
{
	struct etl_ledger_entry e[] = {entry(0, ETL_WINDOW_LOADED), entry(1, ETL_WINDOW_FAILED),
		entry(2, ETL_WINDOW_LOADED)};
	struct etl_error err = ETL_ERROR_INIT;
	char text[200] = "";

	(void)state;
	claim("op", "p", 1);
	claim("op", "q", 1);
	claim("op-other", "p", 1);
	commit_ok("op", "p", 1, e, 3, H(1));
	commit_ok("op", "q", 1, e, 3, H(1));
	commit_ok("op-other", "p", 1, e, 3, H(1));
	commit_dirty("op-up", "op", "q", 1); /* open and dirty: once */
	commit_dirty("op-up", "op", "q", 2);
	assert_int_equal(store->ops->ledger_open(store, "op", 9, collect_open, text, &err), 1);
	assert_non_null(strstr(text, "p1o "));
	assert_non_null(strstr(text, "q1od "));
	assert_non_null(strstr(text, "q2d "));
	assert_int_equal(strlen(text), strlen("p1o q1od q2d "));
	*text = '\0';
	assert_int_equal(store->ops->ledger_open(store, "op", 3, collect_open, text, &err), 1);
	assert_int_equal(store->ops->ledger_open(store, "op", 2, collect_open, text, &err), 0);
	assert_int_equal(store->ops->ledger_open(store, "op", 1, collect_open, text, &err), 0);
	assert_int_equal(store->ops->ledger_open(store, "none", 1, collect_open, text, &err), 1);
}

static void alerts_are_told_once(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	assert_int_equal(etl_alert_once(store, "deadline/j/$a/2026", &err), 1);
	assert_int_equal(etl_alert_once(store, "deadline/j/$a/2026", &err), 0);
	assert_int_equal(etl_alert_once(store, "deadline/j/$a/2027", &err), 1);
	assert_int_equal(etl_alert_once(store, "deadline/j/$a/2026", &err), 0);
	assert_int_equal(err.kind, ETL_OK);
}

#include "contract_dead.h"
#include "contract_open.h"

#define STATE_CONTRACT                                                                          \
	cmocka_unit_test(entries_are_counted_by_their_start),                                   \
	cmocka_unit_test(entries_are_found_by_their_start),                                     \
	cmocka_unit_test(what_is_open_is_found_over_all_partitions),                            \
	cmocka_unit_test(open_units_are_summed),                                                \
		cmocka_unit_test(open_units_of_another_grid_are_apart),                         \
		cmocka_unit_test(the_last_run_is_told_with_the_schedule),                       \
	cmocka_unit_test(lease_is_exclusive_and_its_fence_grows),                               \
		cmocka_unit_test(lease_of_a_dead_holder_is_taken_at_once),                      \
		cmocka_unit_test(a_lost_lease_begins_above_all_fences),                         \
		cmocka_unit_test(released_lease_is_free_and_its_fence_goes_on),                 \
		cmocka_unit_test(a_slot_is_claimed_once),                                       \
		cmocka_unit_test(a_run_that_never_gave_its_lease_back_is_named),                \
		cmocka_unit_test(decided_slots_go_forward_unless_told),                         \
		cmocka_unit_test(watermark_is_made_once_and_fenced),                            \
		cmocka_unit_test(commit_writes_ledger_and_watermark),                           \
		cmocka_unit_test(targets_go_with_the_commit),                                   \
		cmocka_unit_test(stale_fence_commits_nothing),                                  \
		cmocka_unit_test(watermark_never_goes_back),                                    \
		cmocka_unit_test(repeated_commit_replaces),                                     \
		cmocka_unit_test(dirty_marks_hit_their_window_and_make_it_if_needed),             \
		cmocka_unit_test(reading_again_clears_only_marks_that_were_seen),                \
		cmocka_unit_test(marks_never_open_what_is_closed),                              \
		cmocka_unit_test(a_write_under_way_is_on_record),                               \
		cmocka_unit_test(runs_are_kept_newest_first),                                   \
		cmocka_unit_test(alerts_are_told_once),                                         \
		cmocka_unit_test(paused_jobs_are_listed),                                       \
		cmocka_unit_test(pauses_of_an_older_etld),                                      \
		cmocka_unit_test(a_late_order_gives_way_to_a_newer_one),                        \
		cmocka_unit_test(an_audit_is_there_once),                                       \
		cmocka_unit_test(a_document_is_changed_if_it_says_so),                          \
		cmocka_unit_test(dead_letters_and_audit_are_taken),                             \
		cmocka_unit_test(dead_letters_are_told_whole),                                  \
		cmocka_unit_test(a_letter_that_comes_again_is_counted),                         \
		cmocka_unit_test(dead_letters_are_listed_newest_first),                         \
		cmocka_unit_test(a_list_of_letters_goes_on_behind_one),                         \
		cmocka_unit_test(dead_letters_are_counted_by_rule),                             \
		cmocka_unit_test(letters_of_the_first_window_of_all_are_counted),               \
		cmocka_unit_test(letters_are_found_by_the_beginning_of_their_id),               \
		cmocka_unit_test(hosts_are_kept_as_they_were_told_last)

#endif
