/* SPDX-License-Identifier: MIT
 *
 * What every store must do with backfills, and with the leases of what is driven once. Included
 * after contract.h.
 */
#ifndef TESTS_STATE_CONTRACT_BACKFILL_H
#define TESTS_STATE_CONTRACT_BACKFILL_H

#include "contract.h"

#define BACKFILLS_MAX 8

struct backfills {
	struct etl_backfill items[BACKFILLS_MAX];
	size_t n; /* that there were */
};

static int keep_backfill(void *ctx, const void *thing)
{
	const struct etl_backfill *b = thing;
	struct backfills *all = ctx;

	if (all->n < BACKFILLS_MAX)
		all->items[all->n] = *b;
	all->n++;
	return 0;
}

static struct backfills backfills_of(const char *job, bool running_only, int limit)
{
	struct backfills all = {.n = 0};
	struct etl_error err = ETL_ERROR_INIT;

	if (etl_backfill_list(store, job, running_only, limit, keep_backfill, &all, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(all.n <= BACKFILLS_MAX);
	return all;
}

static void backfills_are_kept_newest_first(void **state)
{
	struct etl_backfill a = {.id = RUN_A, .job = "bf1", .partition = "p/q", .range = {H(1), H(9)},
		.newest_first = true, .reprocess = ETL_REPROCESS_FAILED, .rate = 0.25, .at = H(7),
		.windows = 16, .done = 3, .failed = 2, .lost = 1, .blocked = 4, .pieces = 5,
		.attempt = 2, .who = "uid 0", .reason = "why", .created = recent(10), .updated = recent(11)};
	struct etl_backfill b = {.id = RUN_B, .job = "bf2", .state = ETL_BACKFILL_DONE,
		.created = recent(12), .ended = recent(13)};
	struct etl_error err = ETL_ERROR_INIT;
	struct backfills all;

	(void)state;
	assert_int_equal(etl_backfill_save(store, &a, &err), 0);
	assert_int_equal(etl_backfill_save(store, &b, &err), 0);
	a.done = 4;
	assert_int_equal(etl_backfill_save(store, &a, &err), 0);
	all = backfills_of(NULL, false, 0);
	assert_int_equal(all.n, 2);
	assert_string_equal(all.items[0].id, RUN_B);
	assert_memory_equal(&all.items[1], &a, sizeof a);
	assert_int_equal(backfills_of(NULL, true, 0).n, 1);
	assert_int_equal(backfills_of("bf2", false, 0).n, 1);
	assert_int_equal(backfills_of("bf2", true, 0).n, 0);
	assert_string_equal(backfills_of(NULL, false, 1).items[0].id, RUN_B);
}

static struct etl_backfill stored(const char *id)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_backfill b;

	if (etl_doc_get(store, &etl_backfills, id, &b, &err) != 1)
		fail_msg("no backfill %s: %s", id, err.message);
	return b;
}

static void a_backfill_that_has_ended_stays_so(void **state)
{
	struct etl_backfill b = {.id = "01234567-89ab-7def-8123-00000000000e", .job = "bf3",
		.windows = 9, .done = 1, .created = recent(1)};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_backfill none;

	(void)state;
	assert_int_equal(etl_doc_get(store, &etl_backfills, b.id, &none, &err), 0);
	assert_int_equal(etl_backfill_end(store, b.id, ETL_BACKFILL_CANCELLED, "x", H(2), &err), 0);
	assert_int_equal(etl_backfill_save(store, &b, &err), 0);
	assert_int_equal(stored(b.id).done, 1);
	assert_int_equal(etl_backfill_end(store, b.id, ETL_BACKFILL_CANCELLED, "by me",
		recent(2), &err), 1);
	b.done = 2; /* whoever drives it does not know yet */
	assert_int_equal(etl_backfill_save(store, &b, &err), -1);
	assert_int_equal(err.kind, ETL_CONFLICT);
	etl_error_clear(&err);
	assert_int_equal(etl_backfill_end(store, b.id, ETL_BACKFILL_DONE, "", recent(3), &err), 0);
	assert_int_equal(err.kind, ETL_OK);
	none = stored(b.id);
	assert_int_equal(none.state, ETL_BACKFILL_CANCELLED);
	assert_string_equal(none.reason, "by me");
	assert_int_equal(none.done, 1);
	assert_int_equal(none.windows, 9);
	assert_int_equal(none.ended.ms, recent(2).ms);
	assert_int_equal(backfills_of("bf3", true, 0).n, 0);
}

static void a_dropped_lease_leaves_nothing(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_lease a, b;

	(void)state;
	assert_int_equal(acquire("backfill/x", "host-a", NULL, &a), 1);
	assert_int_equal(store->ops->lease_drop(store, "backfill/x", a.fence + 1, &err), 0); /* not ours */
	assert_int_equal(store->ops->lease_renew(store, "backfill/x", a.fence, ETL_SECONDS(30), &err), 0);
	assert_int_equal(store->ops->lease_drop(store, "backfill/x", a.fence, &err), 0);
	assert_int_equal(store->ops->lease_renew(store, "backfill/x", a.fence, ETL_SECONDS(30), &err), -1);
	etl_error_clear(&err);
	assert_int_equal(store->ops->lease_drop(store, "backfill/x", a.fence, &err), 0);
	assert_int_equal(acquire("backfill/x", "host-b", NULL, &b), 1);
	assert_int_equal(b.fence, 1);
}

#define STATE_CONTRACT_BACKFILL                                                                 \
	cmocka_unit_test(backfills_are_kept_newest_first),                                      \
		cmocka_unit_test(a_backfill_that_has_ended_stays_so),                           \
		cmocka_unit_test(a_dropped_lease_leaves_nothing)

#endif
