/* SPDX-License-Identifier: MIT
 *
 * An operator's changes of a watermark around whole runs: what is read again, what is not, what
 * an undo finds, and what is left when a change ends in the middle.
 */
#include "../flow/run_rig.h"

#include "ops/change.h"
#include "plan/change_plan.h"

static struct etl_change_walk *change_new(struct rig *rig, enum etl_change_kind kind, int64_t h,
	const char *partition)
{
	struct etl_change_request request = {.kind = kind, .partition = partition,
		.time = hour(h), .who = "me", .why = "because"};

	etl_clock_virtual_advance(&rig->driver.clock, ETL_MS(1)); /* no two commands of one moment */
	return etl_change_new(rig->job, &rig->driver.env, &request);
}

/* To its end; the first error's code, or "". */
static const char *walk_on(struct rig *rig, struct etl_change_walk *walk)
{
	int rc = 1;

	etl_error_clear(&rig->err);
	while (rc > 0)
		rc = etl_change_step(walk, &rig->err);
	return rc < 0 ? rig->err.code : "";
}

static const char *change(struct rig *rig, enum etl_change_kind kind, int64_t h)
{
	struct etl_change_walk *walk = change_new(rig, kind, h, NULL);
	const char *code = walk_on(rig, walk);

	etl_change_free(walk);
	return code;
}

/* No document changes where the source did not, the others do; nothing is deleted. */
static void test_rewind_reads_again(void **state)
{
	struct rig *rig = rig_new(yaml_with("lookback: 2h, ", ""), 20);
	unsigned writes;

	(void)state;
	service_fill(rig, "a", 0, 20);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 20);
	writes = rig->target->writes;
	assert_string_equal(change(rig, ETL_CHANGE_REWIND, 5), "");
	NEED_WATERMARK(rig, 5);
	NEED_STATE(rig, 4, ETL_WINDOW_LOADED);
	NEED_STATE(rig, 5, ETL_WINDOW_PENDING);
	NEED_STATE(rig, 19, ETL_WINDOW_PENDING);
	assert_int_equal(rig->target->n, 20);

	service_put(rig, "a", (etl_wall){hour(7).ms + HOUR_MS / 2}, -7);
	rig->rows[9].t = hour(300); /* the source forgot hour 9 */
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(rig->asked[0], "a 5+15");
	NEED_WATERMARK(rig, 20);
	assert_int_equal(rig->target->writes, writes + 1);
	assert_int_equal(rig->run->counts.updated, 1);
	assert_int_equal(rig->run->counts.inserted, 0);
	assert_int_equal(rig->run->counts.unchanged, 13);
	assert_int_equal(rig->target->n, 20);
	NEED_STATE(rig, 9, ETL_WINDOW_LOADED); /* its document is still there */
	assert_string_equal(entry_at(rig, "job", "a", 7).change_id, "");
	assert_string_equal(entry_at(rig, "job", "a", 7).reason, "");
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 0);
	rig_free(rig);
}

/* ---- newer content of closed windows -------------------------------------------------------- */

/* Five hours, of which hour 2 is beyond what the check takes, is released and loaded. */
static struct rig *rig_released(void)
{
	static char text[4096];
	struct rig *rig;

	snprintf(text, sizeof text, "%scheck:\n  - range: {field: v, max: 100, on_fail: hold}\n",
		yaml_with("lookback: 2h, ", ""));
	rig = rig_new(text, 5);
	rig->target->name = "etl.a";
	service_fill(rig, "a", 0, 5);
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 1000);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	assert_string_equal(change(rig, ETL_CHANGE_RELEASE, 2), "");
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_LOADED);
	NEED_WATERMARK(rig, 5);
	assert_int_equal(rig->target->n, 5);
	return rig;
}

static void restate(struct rig *rig)
{
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_BACKFILL, .reprocess = ETL_REPROCESS_STALE,
		.asked = {hour(0), hour(5)}};

	run_triggered(rig, rig->job, &trigger);
}

/* The job goes elsewhere: the word was about what is loaded, and not about where. */
static void test_a_release_outlives_another_target(void **state)
{
	struct rig *rig = rig_released();

	(void)state;
	rig->target->name = "etl.b";
	rig->job->load_digest++;
	rig->job->partitions[0].definition++;
	restate(rig);
	assert_int_equal(rig->run->windows.held, 0);
	assert_int_equal(rig->run->windows.loaded, 5);
	assert_non_null(strstr(entry_at(rig, "job", "a", 2).reason, "released by me"));
	rig_free(rig);
}

/* Other content of a window that is closed is held: it stays what it is, is found, and goes in by a word
 * of its own. */
static void test_newer_content_is_held_and_released(void **state)
{
	struct rig *rig = rig_released();
	struct etl_ledger_entry e;

	(void)state;
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 2000);
	run_job(rig, rig->job, (struct etl_window){hour(2), hour(3)});
	assert_int_equal(rig->run->windows.held, 1);
	e = entry_at(rig, "job", "a", 2);
	assert_int_equal(e.state, ETL_WINDOW_LOADED);
	assert_true(etl_ledger_is_held(&e));
	assert_string_equal(e.held.checks[0].value, "2000");
	assert_string_equal(e.held.by, ""); /* the release was of other content */
	NEED_WATERMARK(rig, 5);

	NEED_RUN(rig, ETL_RUN_OK); /* each run asks for it again */
	assert_string_equal(rig->asked[0], "a 2+1");
	assert_true(entry_at(rig, "job", "a", 2).held.since.ms == e.held.since.ms);
	assert_string_equal(change(rig, ETL_CHANGE_RELEASE, 2), "");
	e = entry_at(rig, "job", "a", 2);
	assert_int_equal(e.state, ETL_WINDOW_LOADED);
	assert_false(etl_ledger_is_held(&e));
	assert_string_equal(change(rig, ETL_CHANGE_RELEASE, 2), "change.state");
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->counts.updated, 1);
	e = entry_at(rig, "job", "a", 2);
	assert_false(e.dirty);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 0);
	NEED_WATERMARK(rig, 5);
	rig_free(rig);
}

/* Without it the window stays loaded with what it had; an undo has it asked for again. */
static void test_newer_content_is_discarded(void **state)
{
	struct rig *rig = rig_released();
	struct etl_ledger_entry e;

	(void)state;
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 2000);
	run_job(rig, rig->job, (struct etl_window){hour(2), hour(3)});
	assert_string_equal(change(rig, ETL_CHANGE_DISCARD, 2), "");
	e = entry_at(rig, "job", "a", 2);
	assert_int_equal(e.state, ETL_WINDOW_LOADED);
	assert_false(e.dirty);
	assert_string_equal(change(rig, ETL_CHANGE_DISCARD, 2), "change.state");
	NEED_WATERMARK(rig, 5);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 0);
	assert_string_equal(change(rig, ETL_CHANGE_UNDO, 0), "");
	e = entry_at(rig, "job", "a", 2);
	assert_true(etl_ledger_is_held(&e));
	NEED_WATERMARK(rig, 5);
	rig_free(rig);
}

/* The source takes it back: what is loaded is what it gives, and nothing is held. */
static void test_newer_content_that_goes_back(void **state)
{
	struct rig *rig = rig_released();

	(void)state;
	service_put(rig, "a", (etl_wall){hour(3).ms + HOUR_MS / 2}, 2000);
	run_job(rig, rig->job, (struct etl_window){hour(3), hour(4)});
	NEED_STATE(rig, 3, ETL_WINDOW_LOADED);
	assert_true(entry_at(rig, "job", "a", 3).dirty);
	service_put(rig, "a", (etl_wall){hour(3).ms + HOUR_MS / 2}, 3);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_false(entry_at(rig, "job", "a", 3).dirty);
	assert_int_equal(entry_at(rig, "job", "a", 3).held.n, 0);
	rig_free(rig);
}

/* A rewound window that fails holds the watermark, and an undo gives it back. */
static void test_rewind_fails_and_undo(void **state)
{
	struct rig *rig = rig_new(yaml_with("max: 3, backoff", "max: 0, backoff"), 20);

	(void)state;
	service_fill(rig, "a", 0, 20);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(change(rig, ETL_CHANGE_REWIND, 10), "");
	rig->bad_from = hour(12).ms;
	rig->bad_to = hour(13).ms;
	NEED_RUN(rig, ETL_RUN_FAILED);
	NEED_WATERMARK(rig, 12);
	NEED_STATE(rig, 12, ETL_WINDOW_FAILED);
	assert_string_equal(change(rig, ETL_CHANGE_UNDO, 0), "");
	NEED_STATE(rig, 12, ETL_WINDOW_LOADED);
	NEED_WATERMARK(rig, 20);
	assert_string_equal(change(rig, ETL_CHANGE_UNDO, 0), "change.nothing");
	rig_free(rig);
}

static void test_set_skips(void **state)
{
	struct rig *rig = rig_new(yaml_with("max: 3, backoff", "max: 0, backoff"), 20);

	(void)state;
	service_fill(rig, "a", 0, 30);
	rig->bad_from = hour(5).ms;
	rig->bad_to = hour(8).ms;
	NEED_RUN(rig, ETL_RUN_FAILED);
	NEED_WATERMARK(rig, 5);
	/* Hours 8 to 19 are in already: the watermark goes as far as the ledger leads. */
	assert_string_equal(change(rig, ETL_CHANGE_SET, 8), "");
	NEED_WATERMARK(rig, 20);
	NEED_STATE(rig, 6, ETL_WINDOW_SKIPPED);
	assert_string_equal(entry_at(rig, "job", "a", 6).reason, "because");
	pass_hours(rig, 2);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 22);
	assert_string_equal(rig->asked[0], "a 20+2");
	/* Taken back they are due again, and the source has them by now. */
	rig->bad_to = 0;
	assert_string_equal(change(rig, ETL_CHANGE_UNDO, 0), "");
	NEED_WATERMARK(rig, 5);
	NEED_STATE(rig, 6, ETL_WINDOW_FAILED);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 22);
	assert_int_equal(rig->target->n, 22);
	rig_free(rig);
}

/* The first watermark of a partition, and back to none. */
static void test_set_at_the_beginning(void **state)
{
	struct rig *rig = rig_new(NULL, 20);

	(void)state;
	service_fill(rig, "a", 0, 20);
	assert_string_equal(change(rig, ETL_CHANGE_REWIND, 5), "change.nothing");
	assert_string_equal(change(rig, ETL_CHANGE_SET, 15), "");
	NEED_WATERMARK(rig, 15);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->n, 5);
	assert_string_equal(change(rig, ETL_CHANGE_UNDO, 0), "");
	NEED_WATERMARK(rig, 0);
	assert_int_equal(entry_at(rig, "job", "a", 3).window.end.ms, 0);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 20);
	assert_int_equal(rig->target->n, 20);
	rig_free(rig);
}

static void test_wrong_side(void **state)
{
	struct rig *rig = rig_new(NULL, 20);

	(void)state;
	service_fill(rig, "a", 0, 20);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(change(rig, ETL_CHANGE_SET, 10), "change.time");
	assert_non_null(strstr(rig->err.message, "use rewind"));
	assert_string_equal(change(rig, ETL_CHANGE_REWIND, 10), "");
	assert_string_equal(change(rig, ETL_CHANGE_REWIND, 15), "change.time");
	assert_non_null(strstr(rig->err.message, "use set"));
	assert_string_equal(change(rig, ETL_CHANGE_REWIND, 10), ""); /* it is there */
	rig->job->window.grid.start = hour(-5);
	assert_string_equal(change(rig, ETL_CHANGE_REWIND, -2), "change.time");
	assert_non_null(strstr(rig->err.message, "due in any case"));
	NEED_WATERMARK(rig, 10);
	rig_free(rig);
}

static const char two[] =
	"partitions: {station: [a, b]}";

/* All partitions move that are on the right side; one command is undone as one. */
static void test_partitions(void **state)
{
	struct rig *rig = rig_new(yaml_with("partitions: {station: [a]}", two), 20);
	struct etl_change_walk *walk;
	const struct etl_change_result *r;

	(void)state;
	service_fill(rig, "a", 0, 20);
	service_fill(rig, "b", 0, 20);
	NEED_RUN(rig, ETL_RUN_OK);
	walk = change_new(rig, ETL_CHANGE_REWIND, 8, "b");
	assert_string_equal(walk_on(rig, walk), "");
	assert_null(etl_change_result(walk, 1));
	r = etl_change_result(walk, 0);
	assert_string_equal(r->partition, "b");
	assert_int_equal(r->from.ms, hour(20).ms);
	assert_int_equal(r->reached.ms, hour(8).ms);
	assert_int_equal(r->windows, 12);
	etl_change_free(walk);
	walk = change_new(rig, ETL_CHANGE_REWIND, 12, NULL);
	assert_string_equal(walk_on(rig, walk), "");
	assert_true(etl_change_result(walk, 0)->changed);
	assert_false(etl_change_result(walk, 1)->changed);
	etl_change_free(walk);
	assert_string_equal(change(rig, ETL_CHANGE_REWIND, 4), "");
	assert_int_equal(watermark_of(rig, "job", "a").ms, hour(4).ms);
	assert_int_equal(watermark_of(rig, "job", "b").ms, hour(4).ms);
	assert_string_equal(change(rig, ETL_CHANGE_UNDO, 0), ""); /* both */
	assert_int_equal(watermark_of(rig, "job", "a").ms, hour(12).ms);
	assert_int_equal(watermark_of(rig, "job", "b").ms, hour(8).ms);
	assert_string_equal(change(rig, ETL_CHANGE_UNDO, 0), ""); /* a alone moved */
	assert_int_equal(watermark_of(rig, "job", "a").ms, hour(20).ms);
	assert_int_equal(watermark_of(rig, "job", "b").ms, hour(8).ms);
	walk = change_new(rig, ETL_CHANGE_UNDO, 0, "a");
	assert_string_equal(walk_on(rig, walk), "change.nothing");
	etl_change_free(walk);
	rig_free(rig);
}

static void test_dry_run(void **state)
{
	struct rig *rig = rig_new(NULL, 20);
	struct etl_change_request request = {.kind = ETL_CHANGE_REWIND, .time = hour(3),
		.who = "me", .why = "", .dry_run = true};
	struct etl_change_walk *walk;

	(void)state;
	service_fill(rig, "a", 0, 20);
	NEED_RUN(rig, ETL_RUN_OK);
	walk = etl_change_new(rig->job, &rig->driver.env, &request);
	assert_string_equal(walk_on(rig, walk), "");
	assert_int_equal(etl_change_result(walk, 0)->windows, 17);
	assert_int_equal(etl_change_result(walk, 0)->to.ms, hour(3).ms);
	assert_int_equal(etl_change_result(walk, 0)->reached.ms, hour(20).ms);
	etl_change_free(walk);
	NEED_WATERMARK(rig, 20);
	NEED_STATE(rig, 5, ETL_WINDOW_LOADED);
	rig_free(rig);
}

/* The job does not run meanwhile, not even in the same process. */
static void test_lease(void **state)
{
	struct rig *rig = rig_new(NULL, 20);
	struct etl_lease_ask ask = {.job = "job", .holder = "driver 1", .ttl = ETL_LEASE_TTL};
	struct etl_lease lease = {0};
	struct etl_state *s = rig->driver.state;
	struct etl_change_walk *walk;

	(void)state;
	service_fill(rig, "a", 0, 20);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(s->ops->lease_acquire(s, &ask, &lease, &rig->err), 1);
	assert_string_equal(change(rig, ETL_CHANGE_REWIND, 3), "lease.held");
	assert_non_null(strstr(rig->err.message, "driver 1"));
	assert_int_equal(s->ops->lease_release(s, "job", lease.fence, &rig->err), 0);
	ask.holder = "db1 4711 399211 85ac51ea-9061-474e-8259-c55015c2da10 4026531836; watermark";
	assert_int_equal(s->ops->lease_acquire(s, &ask, &lease, &rig->err), 1);
	assert_string_equal(change(rig, ETL_CHANGE_REWIND, 3), "lease.held");
	assert_non_null(strstr(rig->err.message, "under way: pid 4711 on db1; watermark"));
	NEED_RUN(rig, ETL_RUN_BUSY);
	assert_string_equal(rig->run->error.message,
		"another etld runs this job: pid 4711 on db1; watermark");
	assert_int_equal(s->ops->lease_release(s, "job", lease.fence, &rig->err), 0);
	walk = change_new(rig, ETL_CHANGE_REWIND, 3, NULL);
	assert_int_equal(etl_change_step(walk, &rig->err), 1);
	NEED_RUN(rig, ETL_RUN_BUSY);
	assert_string_equal(walk_on(rig, walk), "");
	NEED_RUN(rig, ETL_RUN_OK);
	etl_change_free(walk);
	rig_free(rig);
}

/* Our clock runs ahead of the store's: what is not final there is not to be passed. */
static void test_two_clocks(void **state)
{
	struct rig *rig = rig_new(NULL, 20);
	struct etl_change_walk *walk = change_new(rig, ETL_CHANGE_SET, 20, NULL);

	(void)state;
	etl_clock_virtual_step(&rig->driver.clock, ETL_HOURS(-2));
	assert_string_equal(walk_on(rig, walk), "change.time");
	assert_int_equal(watermark_of(rig, "job", "a").ms, 0);
	etl_change_free(walk);
	assert_string_equal(change(rig, ETL_CHANGE_SET, 18), ""); /* the lease was given back */
	rig_free(rig);
}

static const char *dead(const char *holder)
{
	return holder;
}

/* Ends after each number of slices, as a daemon that is killed: whatever is in is whole, and
 * the same command again, or its undo, goes on from there. */
static void test_ends_in_the_middle(void **state)
{
	enum { HOURS = 5 * ETL_CHANGE_SLICE / 2 }; /* three slices */

	(void)state;
	for (int steps = 1; steps <= 8; steps++) {
		struct rig *rig = rig_new(yaml_with("max_span: 1d", "max_span: 200d"), HOURS);
		struct etl_change_walk *walk;
		int64_t mark;

		service_fill(rig, "a", 0, HOURS);
		NEED_RUN(rig, ETL_RUN_OK);
		walk = change_new(rig, ETL_CHANGE_REWIND, 0, NULL);
		for (int i = 0; i < steps; i++)
			assert_true(etl_change_step(walk, &rig->err) >= 0);
		/* Killed: the lease stays, and its holder is known to be dead. */
		rig->driver.env.dead_holder = dead;
		mark = (watermark_of(rig, "job", "a").ms - T0) / HOUR_MS;
		NEED_STATE(rig, mark ? mark - 1 : 0, mark ? ETL_WINDOW_LOADED : ETL_WINDOW_PENDING);
		if (mark < HOURS)
			NEED_STATE(rig, mark, ETL_WINDOW_PENDING);
		if (steps % 2) {
			assert_string_equal(change(rig, ETL_CHANGE_REWIND, 0), "");
			NEED_WATERMARK(rig, 0);
		}
		if (mark < HOURS)
			assert_string_equal(change(rig, ETL_CHANGE_UNDO, 0), "");
		if (steps % 2) /* two commands, or one if nothing was in */
			change(rig, ETL_CHANGE_UNDO, 0);
		NEED_WATERMARK(rig, mark < HOURS || steps % 2 ? HOURS : mark);
		NEED_STATE(rig, 0, ETL_WINDOW_LOADED);
		NEED_STATE(rig, HOURS - 1, ETL_WINDOW_LOADED);
		etl_change_free(walk);
		rig_free(rig);
	}
}

/* Somebody else took the job in the middle: nothing more is written. */
static void test_fenced(void **state)
{
	struct rig *rig = rig_new(NULL, 20);
	struct etl_change_walk *walk;
	struct etl_watermark mark;
	struct etl_state *s = rig->driver.state;

	(void)state;
	service_fill(rig, "a", 0, 20);
	NEED_RUN(rig, ETL_RUN_OK);
	walk = change_new(rig, ETL_CHANGE_REWIND, 3, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(etl_change_step(walk, &rig->err), 1);
	assert_int_equal(s->ops->watermark_claim(s, "job", "a", 99, hour(0), HOUR_MS, &mark,
				 &rig->err), 0);
	assert_int_equal(etl_change_step(walk, &rig->err), -1);
	assert_int_equal(rig->err.kind, ETL_CONFLICT);
	NEED_WATERMARK(rig, 20);
	NEED_STATE(rig, 5, ETL_WINDOW_LOADED);
	etl_change_free(walk);
	rig_free(rig);
}

/* A store with something in the way: its errors' codes, one a try, then it works. */
static struct {
	const struct etl_state_ops *real;
	const char *const *answers;
	char commit_id[ETL_UUID_BYTES];
	int tries;
} busy;

static int busy_apply(struct etl_state *s, const struct etl_change_slice *slice, struct etl_error *err)
{
	const char *answer = *busy.answers;

	if (busy.tries++)
		assert_string_equal(slice->commit_id, busy.commit_id);
	memcpy(busy.commit_id, slice->commit_id, sizeof busy.commit_id);
	if (!answer)
		return busy.real->change_apply(s, slice, err);
	busy.answers++;
	return etl_error_set(err, ETL_TRANSIENT, answer, "not now");
}

/* Steps until the walk ends; each wait is waited for. */
static int walk_through(struct rig *rig, struct etl_change_walk *walk, const char *const *answers)
{
	const struct etl_state_ops *real = rig->driver.state->ops;
	struct etl_state_ops ops = *real;
	int rc = 1, waits = 0;

	ops.change_apply = busy_apply;
	busy = (__typeof__(busy)){.real = real, .answers = answers};
	rig->driver.state->ops = &ops;
	while (rc > 0) {
		rc = etl_change_step(walk, &rig->err);
		waits += etl_change_wait(walk).us > 0;
		assert_true(etl_change_wait(walk).us <= ETL_MS(500).us);
		etl_clock_virtual_advance(&rig->driver.clock, etl_change_wait(walk));
	}
	rig->driver.state->ops = real;
	return rc < 0 ? -1 : waits;
}

static void test_somebody_in_the_way(void **state)
{
	static const char *const in_the_way[] = {"txn.retry", "txn.retry", NULL};
	static const char *const not_known[] = {"txn.unknown", "mongodb.unreachable", "txn.retry", NULL};
	static const char *const away[] = {"mongodb.unreachable", NULL};
	struct rig *rig = rig_new(NULL, 20);
	struct etl_change_walk *walk = change_new(rig, ETL_CHANGE_SET, 5, NULL);

	(void)state;
	assert_int_equal(walk_through(rig, walk, in_the_way), 2);
	assert_int_equal(busy.tries, 3);
	etl_change_free(walk);
	NEED_WATERMARK(rig, 5);
	walk = change_new(rig, ETL_CHANGE_SET, 7, NULL);
	assert_int_equal(walk_through(rig, walk, not_known), 3);
	etl_change_free(walk);
	NEED_WATERMARK(rig, 7);
	walk = change_new(rig, ETL_CHANGE_SET, 9, NULL);
	assert_int_equal(walk_through(rig, walk, away), -1);
	assert_string_equal(rig->err.code, "mongodb.unreachable");
	etl_change_free(walk);
	NEED_WATERMARK(rig, 7);
	rig_free(rig);
}

/* Not for ever. */
static void test_always_in_the_way(void **state)
{
	enum { TRIES = 2000 };
	static const char *answers[TRIES];
	struct rig *rig = rig_new(NULL, 20);
	struct etl_change_walk *walk = change_new(rig, ETL_CHANGE_SET, 5, NULL);

	(void)state;
	for (int i = 0; i < TRIES; i++)
		answers[i] = "txn.retry";
	assert_int_equal(walk_through(rig, walk, answers), -1);
	assert_string_equal(rig->err.code, "txn.retry");
	assert_in_range(busy.tries, 240, 600);
	etl_change_free(walk);
	assert_string_equal(change(rig, ETL_CHANGE_SET, 5), ""); /* the lease was given back */
	rig_free(rig);
}

static void test_too_many(void **state)
{
	struct rig *rig = rig_new(NULL, ETL_CHANGE_WINDOWS_MAX + 10);

	(void)state;
	assert_string_equal(change(rig, ETL_CHANGE_SET, ETL_CHANGE_WINDOWS_MAX + 5),
		"change.too_many");
	assert_non_null(strstr(rig->err.message, "the first one to 2026-04-13T08:00:00Z"));
	assert_int_equal(watermark_of(rig, "job", "a").ms, 0);
	assert_string_equal(change(rig, ETL_CHANGE_SET, ETL_CHANGE_WINDOWS_MAX), "");
	assert_string_equal(change(rig, ETL_CHANGE_SET, ETL_CHANGE_WINDOWS_MAX + 5), "");
	NEED_WATERMARK(rig, ETL_CHANGE_WINDOWS_MAX + 5);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_release_outlives_another_target),
		cmocka_unit_test(test_newer_content_is_held_and_released),
		cmocka_unit_test(test_newer_content_is_discarded),
		cmocka_unit_test(test_newer_content_that_goes_back),
		cmocka_unit_test(test_rewind_reads_again),
		cmocka_unit_test(test_rewind_fails_and_undo),
		cmocka_unit_test(test_set_skips),
		cmocka_unit_test(test_set_at_the_beginning),
		cmocka_unit_test(test_wrong_side),
		cmocka_unit_test(test_partitions),
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_two_clocks),
		cmocka_unit_test(test_ends_in_the_middle),
		cmocka_unit_test(test_fenced),
		cmocka_unit_test(test_somebody_in_the_way),
		cmocka_unit_test(test_always_in_the_way),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
