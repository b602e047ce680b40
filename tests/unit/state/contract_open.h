/* SPDX-License-Identifier: MIT
 *
 * What every store must do about open units and the last run of a job. Included by contract.h.
 */
#ifndef TESTS_STATE_CONTRACT_OPEN_H
#define TESTS_STATE_CONTRACT_OPEN_H

#define SUMS_MAX 16

struct open_sums {
	const char *job; /* only its sums are kept: the store holds those of other tests, too */
	struct etl_open_sum sums[SUMS_MAX];
	char partitions[SUMS_MAX][16], reasons[SUMS_MAX][32];
	size_t n; /* that there were */
};

static int keep_sum(void *ctx, const struct etl_open_sum *sum)
{
	struct open_sums *s = ctx;

	if (strcmp(sum->job, s->job) != 0)
		return 0;
	if (s->n < SUMS_MAX) {
		s->sums[s->n] = *sum;
		snprintf(s->partitions[s->n], sizeof s->partitions[0], "%s", sum->partition);
		snprintf(s->reasons[s->n], sizeof s->reasons[0], "%s", sum->reason);
	}
	s->n++;
	return 0;
}

static struct open_sums sums_of(const char *job, bool alone, const struct etl_window *range)
{
	struct open_sums s = {.job = job};
	struct etl_error err = ETL_ERROR_INIT;

	if (store->ops->open_sums(store, alone ? job : NULL, range, keep_sum, &s, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(s.n <= SUMS_MAX);
	return s;
}

static size_t find_sum(const struct open_sums *s, const char *partition, enum etl_window_state state)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->partitions[i], partition) == 0 && s->sums[i].state == state)
			return i;
	fail_msg("no sum of %s, %s", partition, etl_window_state_word(state));
	return 0;
}

static void check_sum(const struct open_sums *s, const char *partition, enum etl_window_state state,
	uint64_t n, int oldest, int newest, const char *reason)
{
	size_t i = find_sum(s, partition, state);

	assert_int_equal(s->sums[i].n, n);
	assert_int_equal(s->sums[i].oldest.ms, H(oldest).ms);
	assert_int_equal(s->sums[i].newest.ms, H(newest).ms);
	assert_int_equal(s->sums[i].size_ms, 3600000);
	assert_int_equal(s->sums[i].phase_ms, 0);
	assert_int_equal(s->sums[i].dirty, etl_window_is_closed(state));
	if (reason)
		assert_string_equal(s->reasons[i], reason);
}

static void mark_open(const char *job, const char *partition, int hour, enum etl_window_state state,
	const char *reason)
{
	struct etl_ledger_entry e = entry(hour, state);
	struct etl_error err = ETL_ERROR_INIT;

	snprintf(e.reason, sizeof e.reason, "%s", reason);
	if (store->ops->ledger_mark(store, job, partition, 1, &e, 1, &err) < 0)
		fail_msg("%s", err.message);
}

/* Closed windows are in no sum; what failed and was loaded since is in none any more; a closed
 * window that becomes dirty is in one of its own. */
static void open_units_are_summed(void **state)
{
	struct etl_ledger_entry loaded = entry(2, ETL_WINDOW_LOADED);
	struct etl_dirty_mark dirty = {"open", "b", {H(2), H(3)}};
	struct etl_commit c = {.job = "open2", .partition = "x", .run_id = RUN_A, .fence = 1,
		.entries = &loaded, .n_entries = 1, .origin = H(0), .watermark = H(0),
		.window_ms = 3600000, .dirty = &dirty, .n_dirty = 1};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_window range = {H(4), H(6)};
	struct open_sums s;

	(void)state;
	claim("open", "a", 1);
	claim("open", "b", 1);
	claim("open2", "x", 1);
	assert_int_equal(sums_of("open", false, NULL).n, 0);
	mark_open("open", "a", 5, ETL_WINDOW_FAILED, "$five");
	mark_open("open", "a", 3, ETL_WINDOW_FAILED, "three");
	mark_open("open", "a", 4, ETL_WINDOW_FAILED, "four");
	mark_open("open", "a", 7, ETL_WINDOW_HELD, "held");
	mark_open("open", "b", 3, ETL_WINDOW_FAILED, "of b");
	commit_ok("open", "b", 1, &loaded, 1, H(0));
	for (int alone = 0; alone < 2; alone++) {
		s = sums_of("open", alone, NULL);
		assert_int_equal(s.n, 3);
		check_sum(&s, "a", ETL_WINDOW_FAILED, 3, 3, 5, "three");
		check_sum(&s, "a", ETL_WINDOW_HELD, 1, 7, 7, "held");
		check_sum(&s, "b", ETL_WINDOW_FAILED, 1, 3, 3, "of b");
	}
	s = sums_of("open", true, &range);
	assert_int_equal(s.n, 1);
	check_sum(&s, "a", ETL_WINDOW_FAILED, 2, 4, 5, "four");

	loaded = entry(3, ETL_WINDOW_LOADED);
	commit_ok("open", "a", 1, &loaded, 1, H(0));
	s = sums_of("open", true, NULL);
	check_sum(&s, "a", ETL_WINDOW_FAILED, 2, 4, 5, "four");
	assert_int_equal(store->ops->commit(store, NULL, &c, &err), 0);
	s = sums_of("open", true, NULL);
	assert_int_equal(s.n, 4);
	check_sum(&s, "b", ETL_WINDOW_LOADED, 1, 2, 2, NULL);
}

/* Windows of an older grid are told apart from those that the job has now. */
static void open_units_of_another_grid_are_apart(void **state)
{
	struct etl_ledger_entry e = entry(3, ETL_WINDOW_FAILED);
	struct etl_error err = ETL_ERROR_INIT;
	struct open_sums s;

	(void)state;
	claim("grid", "-", 1);
	mark_open("grid", "-", 2, ETL_WINDOW_FAILED, "");
	e.window = (struct etl_window){{H(3).ms + 60000}, {H(4).ms + 60000}};
	assert_int_equal(store->ops->ledger_mark(store, "grid", "-", 1, &e, 1, &err), 0);
	e.window = (struct etl_window){{0}, {0}}; /* window: none */
	assert_int_equal(store->ops->ledger_mark(store, "grid", "-", 1, &e, 1, &err), 0);
	s = sums_of("grid", true, NULL);
	assert_int_equal(s.n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(s.sums[i].n, 1);
		assert_int_equal(s.sums[i].size_ms, s.sums[i].oldest.ms ? 3600000 : 0);
		assert_int_equal(s.sums[i].phase_ms, s.sums[i].oldest.ms % 3600000);
	}
}

/* The last run goes with the lease that it gives back, and stays until the next one ends. */
static void the_last_run_is_told_with_the_schedule(void **state)
{
	struct etl_last_run last = {.run_id = RUN_A, .state = "failed", .started = H(5), .ended = H(6),
		.unitless = true, .rejected = 7, .rejected_in = {H(2), H(4)}, .reason = "$it: failed"};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_schedule_info info;
	struct etl_lease a, b;

	(void)state;
	assert_int_equal(claim_slot("last", "host-a", RUN_A, H(10), &a), 1);
	assert_string_equal(schedule_of("last").last.run_id, "");
	assert_int_equal(store->ops->lease_end(store, "last", a.fence, &last, &err), 0);
	info = schedule_of("last");
	assert_string_equal(info.holder, "");
	assert_string_equal(info.last.run_id, RUN_A);
	assert_string_equal(info.last.state, "failed");
	assert_string_equal(info.last.reason, "$it: failed");
	assert_int_equal(info.last.started.ms, H(5).ms);
	assert_int_equal(info.last.ended.ms, H(6).ms);
	assert_true(info.last.unitless);
	assert_int_equal(info.last.rejected, 7);
	assert_int_equal(info.last.rejected_in.start.ms, H(2).ms);
	assert_int_equal(info.last.rejected_in.end.ms, H(4).ms);
	assert_int_equal(claim_slot("last", "host-b", RUN_B, H(11), &b), 1);
	assert_int_equal(store->ops->lease_end(store, "last", a.fence, &last, &err), 0); /* old one */
	assert_string_equal(schedule_of("last").holder, "host-b");
	assert_string_equal(schedule_of("last").last.run_id, RUN_A);
}

#endif
