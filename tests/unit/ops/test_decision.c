/* SPDX-License-Identifier: MIT
 *
 * An operator's decision about one unit, around whole runs: what it may be made about, what it
 * leaves in the ledger, and what later runs make of it.
 */
#include "../flow/run_rig.h"

#include "ops/change.h"
#include "ops/decision.h"
#include "state/doc_read.h"

/* Hours 0 to 4, of which hour 2 has only a value that the check minds. */
static struct rig *rig_minding(const char *on_fail)
{
	static char text[4096];
	struct rig *rig;

	snprintf(text, sizeof text, "%scheck:\n  - range: {field: v, max: 100, on_fail: %s}\n", rig_yaml,
		on_fail);
	rig = rig_new(text, 5);
	service_fill(rig, "a", 0, 5);
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 1000);
	return rig;
}

/* The walk of a change, to its end. */
static struct etl_change_walk *walked(struct rig *rig, const struct etl_change_request *request)
{
	struct etl_change_walk *walk;
	int rc = 1;

	etl_clock_virtual_advance(&rig->driver.clock, ETL_MS(1)); /* no two commands of one moment */
	walk = etl_change_new(rig->job, &rig->driver.env, request);
	etl_error_clear(&rig->err);
	while (rc > 0)
		rc = etl_change_step(walk, &rig->err);
	assert_int_equal(rc < 0, rig->err.kind != ETL_OK);
	return walk;
}

static struct etl_change_walk *decide(struct rig *rig, enum etl_change_kind kind, etl_wall at)
{
	struct etl_change_request request = {.kind = kind, .partition = "a", .time = at, .who = "me",
		.why = "because"};

	return walked(rig, &request);
}

/* "" or the error's code. */
static const char *decided(struct rig *rig, enum etl_change_kind kind, int64_t h)
{
	etl_change_free(decide(rig, kind, hour(h)));
	return rig->err.kind == ETL_OK ? "" : rig->err.code;
}

static void undo(struct rig *rig)
{
	struct etl_change_request request = {.kind = ETL_CHANGE_UNDO, .who = "me", .why = ""};

	etl_change_free(walked(rig, &request));
	assert_int_equal(rig->err.kind, ETL_OK);
}

static struct etl_last_run last_of(struct rig *rig)
{
	struct etl_state *s = rig->driver.state;
	struct etl_schedule_info info;

	assert_int_equal(s->ops->schedule_get(s, "job", &info, &rig->err), 1);
	return info.last;
}

static void need_word(struct rig *rig, const char *word)
{
	if (!strstr(rig->err.message, word))
		fail_msg("\"%s\" has no \"%s\"", rig->err.message, word);
}

/* ---- accept ---------------------------------------------------------------------------------- */

static void test_accept_closes_what_was_refused(void **state)
{
	struct rig *rig = rig_minding("reject");
	struct etl_change_walk *walk;
	struct etl_ledger_entry entry;

	(void)state;
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "unit.refused");
	NEED_WATERMARK(rig, 2);
	assert_int_equal(last_of(rig).rejected, 1);
	walk = decide(rig, ETL_CHANGE_ACCEPT, (etl_wall){hour(2).ms + 1});
	assert_int_equal(rig->err.kind, ETL_OK);
	assert_int_equal(etl_change_unit(walk)->window.start.ms, hour(2).ms);
	assert_int_equal(etl_change_result(walk, 0)->reached.ms, hour(5).ms);
	assert_int_equal(etl_change_last(walk)->rejected, 0);
	etl_change_free(walk);

	NEED_STATE(rig, 2, ETL_WINDOW_SKIPPED); /* nothing of it is in the target */
	entry = entry_at(rig, "job", "a", 2);
	assert_string_equal(entry.reason, "accepted by me: because");
	assert_int_equal(entry.counts.rejected, 1); /* the run's counts stay */
	assert_int_equal(rig->target->n, 4);
	NEED_WATERMARK(rig, 5);
	assert_int_equal(last_of(rig).rejected, 0);
	assert_string_equal(last_of(rig).first_reject, "");
	assert_string_equal(last_of(rig).state, "failed");
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_SKIPPED);

	undo(rig);
	NEED_STATE(rig, 2, ETL_WINDOW_FAILED);
	NEED_WATERMARK(rig, 2);
	NEED_RUN(rig, ETL_RUN_FAILED);
	NEED_WATERMARK(rig, 2);
	rig_free(rig);
}

/* Not the one at which the watermark stands: it stays where it is. */
static void test_accept_behind_another(void **state)
{
	struct rig *rig = rig_minding("reject");

	(void)state;
	service_put(rig, "a", (etl_wall){hour(1).ms + HOUR_MS / 2}, 1000);
	NEED_RUN(rig, ETL_RUN_FAILED);
	NEED_WATERMARK(rig, 1);
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 2), "");
	NEED_WATERMARK(rig, 1);
	NEED_STATE(rig, 1, ETL_WINDOW_FAILED);
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 1), "");
	NEED_WATERMARK(rig, 5);
	undo(rig);
	NEED_WATERMARK(rig, 1);
	NEED_STATE(rig, 2, ETL_WINDOW_SKIPPED);
	rig_free(rig);
}

static void test_accept_refuses(void **state)
{
	struct rig *rig = rig_minding("reject");

	(void)state;
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 1), "change.state");
	need_word(rig, "'etlctl run job --window 2024-01-01T01:00:00Z --partition a'");
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 1), "change.state");
	need_word(rig, "is loaded: it is closed");
	NEED_STATE(rig, 1, ETL_WINDOW_LOADED);
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, -1), "no_such_window");
	need_word(rig, "begins at 2024-01-01T00:00:00Z");
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 5), "no_such_window");
	need_word(rig, "2024-01-01T05:00:00Z");
	NEED_WATERMARK(rig, 2);
	rig_free(rig);
	rig = rig_minding("hold");
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 2), "change.state");
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	rig_free(rig);
}

/* The run that failed at it is not the last one: its count is another's. */
static void test_accept_takes_back_no_other_count(void **state)
{
	struct rig *rig = rig_minding("reject");
	struct etl_last_run last = {.rejected = 7, .first_reject = "others"};
	struct etl_lease_ask ask = {.job = "job", .holder = "driver 1", .ttl = ETL_LEASE_TTL};
	struct etl_lease lease = {0};
	struct etl_state *s = rig->driver.state;

	(void)state;
	NEED_RUN(rig, ETL_RUN_FAILED);
	memcpy(last.run_id, "another", sizeof "another");
	assert_int_equal(s->ops->lease_acquire(s, &ask, &lease, &rig->err), 1);
	assert_int_equal(s->ops->lease_end(s, "job", lease.fence, &last, &rig->err), 0);
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 2), "");
	assert_int_equal(last_of(rig).rejected, 7);
	rig_free(rig);
}

/* On record before anything is written; a store that does not take the record gets no change. */
static char audited[64];

static int refuse_audit(struct etl_state *s, const struct etl_collection *c, bson_t *const *docs, size_t n,
	struct etl_error *err)
{
	(void)s;
	assert_ptr_equal(c, &etl_audit);
	assert_int_equal(n, 1);
	snprintf(audited, sizeof audited, "%s", etl_doc_text(docs[0], "what"));
	return etl_error_set(err, ETL_PERMANENT, "test.audit", "no");
}

static void test_nothing_without_its_audit(void **state)
{
	struct rig *rig = rig_minding("reject");
	struct etl_state_ops ops;

	(void)state;
	NEED_RUN(rig, ETL_RUN_FAILED);
	ops = *rig->driver.state->ops;
	ops.put = refuse_audit;
	const struct etl_state_ops *before = rig->driver.state->ops;
	rig->driver.state->ops = &ops;
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 2), "test.audit");
	assert_string_equal(audited, "windows accept");
	NEED_STATE(rig, 2, ETL_WINDOW_FAILED);
	rig->driver.state->ops = before;
	rig_free(rig);
}

/* A unit of a grid that the job has no more: found by its own begin, and no watermark follows it. */
static void test_accept_of_an_older_grid(void **state)
{
	struct rig *rig = rig_minding("reject");

	(void)state;
	NEED_RUN(rig, ETL_RUN_FAILED);
	rig->job->window.grid.size = ETL_MINUTES(30);
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 2), "");
	NEED_STATE(rig, 2, ETL_WINDOW_SKIPPED);
	NEED_WATERMARK(rig, 2);
	undo(rig);
	NEED_STATE(rig, 2, ETL_WINDOW_FAILED);
	NEED_WATERMARK(rig, 2);
	rig_free(rig);
}

static void set_watermark(struct rig *rig, int64_t h)
{
	etl_change_free(decide(rig, ETL_CHANGE_SET, hour(h)));
	assert_int_equal(rig->err.kind, ETL_OK);
}

/* The same, and the watermark of the new grid has passed it: an undo finds it there too. */
static void test_accept_behind_the_watermark(void **state)
{
	struct rig *rig = rig_minding("reject");

	(void)state;
	service_put(rig, "a", (etl_wall){hour(3).ms + HOUR_MS / 2}, 1000);
	NEED_RUN(rig, ETL_RUN_FAILED);
	rig->job->window.grid.size = ETL_HOURS(2);
	set_watermark(rig, 4);
	NEED_STATE(rig, 3, ETL_WINDOW_FAILED);
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 3), "");
	NEED_STATE(rig, 3, ETL_WINDOW_SKIPPED);
	undo(rig);
	NEED_STATE(rig, 3, ETL_WINDOW_FAILED);
	NEED_WATERMARK(rig, 4);
	rig_free(rig);
}

/* A change from the time when the job had windows: there is nothing to move any more. */
static void test_undo_of_a_job_that_has_no_windows_now(void **state)
{
	struct rig *rig = rig_minding("reject");
	struct etl_change_request request = {.kind = ETL_CHANGE_UNDO, .who = "me", .why = ""};

	(void)state;
	NEED_RUN(rig, ETL_RUN_FAILED);
	set_watermark(rig, 4);
	rig->job->window = (struct etl_window_rules){.none = true};
	etl_change_free(walked(rig, &request));
	assert_string_equal(rig->err.code, "change.time");
	NEED_STATE(rig, 2, ETL_WINDOW_SKIPPED);
	rig_free(rig);
}

/* A job without windows: its one unit. */
static void test_accept_whole(void **state)
{
	static char text[4096];
	const char *from = strstr(rig_yaml, "{size: 1h"), *to = strchr(from, '\n');
	struct rig *rig;

	(void)state;
	snprintf(text, sizeof text, "%.*snone%scheck:\n  - range: {field: v, max: 100, on_fail: fail}\n",
		(int)(from - rig_yaml), rig_yaml, to);
	memcpy(strstr(text, "    query: {"), "    #", 5);
	memcpy(strstr(text, "    time: {"), "    #", 5);
	rig = rig_new(text, 5);
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 1000);
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 0), "");
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_unit unit = {.job = rig->job, .partition = "a"};
	struct etl_ledger_entry entry;

	assert_int_equal(etl_decision_find(rig->driver.state, &unit, hour(0), hour(0), &entry, &err), 1);
	assert_int_equal(entry.state, ETL_WINDOW_SKIPPED);
	undo(rig);
	assert_int_equal(etl_decision_find(rig->driver.state, &unit, hour(0), hour(0), &entry, &err), 1);
	assert_int_equal(entry.state, ETL_WINDOW_FAILED);
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 7);
	NEED_RUN(rig, ETL_RUN_OK); /* each run reads all, whatever was decided */
	rig_free(rig);
}

/* ---- held ------------------------------------------------------------------------------------ */

static void test_release_lets_the_same_content_in(void **state)
{
	struct rig *rig = rig_minding("hold");
	struct etl_ledger_entry entry;

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	entry = entry_at(rig, "job", "a", 2);
	assert_int_equal(entry.held.n, 1);
	assert_string_equal(entry.held.checks[0].check, "range");
	assert_string_equal(entry.held.checks[0].field, "v");
	assert_string_equal(entry.held.checks[0].value, "1000");
	assert_string_equal(entry.held.checks[0].limit, "max 100");
	assert_false(entry.held.checks[0].released);

	assert_string_equal(decided(rig, ETL_CHANGE_RELEASE, 2), "");
	NEED_STATE(rig, 2, ETL_WINDOW_PENDING);
	NEED_WATERMARK(rig, 2);
	entry = entry_at(rig, "job", "a", 2);
	assert_string_equal(entry.reason, "released by me: because");
	assert_string_equal(entry.held.by, "me");
	assert_true(etl_held_is_free(&entry.held));
	assert_int_equal(rig->target->n, 4);

	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_LOADED);
	NEED_WATERMARK(rig, 5);
	assert_int_equal(rig->target->n, 5);
	assert_int_equal(rig->run->windows.held, 0);
	assert_false(rig->run->checks_failed);
	entry = entry_at(rig, "job", "a", 2);
	assert_non_null(strstr(entry.reason, "released by me at "));
	assert_non_null(strstr(entry.reason, "check range v (1000, max 100)"));
	assert_int_equal(entry.counts.inserted, 1);

	/* Read again, the same is let in again; anything else is not. */
	rig->job->window.lookback = ETL_HOURS(4);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->windows.held, 0);
	NEED_STATE(rig, 2, ETL_WINDOW_LOADED);
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 2000);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->windows.held, 1);
	assert_true(rig->run->checks_failed);
	assert_int_equal(rig->target->n, 5);
	assert_int_equal(rig->target->updates, 0);
	NEED_STATE(rig, 2, ETL_WINDOW_LOADED);
	entry = entry_at(rig, "job", "a", 2);
	assert_string_equal(entry.held.checks[0].value, "2000"); /* what waits, and not what is loaded */
	assert_true(etl_ledger_is_held(&entry));
	assert_non_null(strstr(entry.reason, "does not count: the content has changed since"));
	rig_free(rig);
}

static void test_release_is_of_that_content(void **state)
{
	struct rig *rig = rig_minding("hold");
	struct etl_ledger_entry entry;

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(decided(rig, ETL_CHANGE_RELEASE, 2), "");
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 2000);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->windows.held, 1);
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	entry = entry_at(rig, "job", "a", 2);
	assert_non_null(strstr(entry.reason, "does not count: the content has changed since"));
	assert_string_equal(entry.held.by, "");
	assert_string_equal(entry.held.checks[0].value, "2000");
	assert_int_equal(rig->target->n, 4);
	/* The first content again is a content that nobody has looked at now. */
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 1000);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	assert_string_equal(decided(rig, ETL_CHANGE_RELEASE, 2), "");
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_LOADED);
	rig_free(rig);
}

/* A fetch that fails in between takes nothing from it. */
static void test_release_outlives_a_failure(void **state)
{
	struct rig *rig = rig_minding("hold");

	(void)state;
	rig->job->retry_max = 0;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(decided(rig, ETL_CHANGE_RELEASE, 2), "");
	rig->bad_from = hour(2).ms;
	rig->bad_to = hour(3).ms;
	NEED_RUN(rig, ETL_RUN_FAILED);
	NEED_STATE(rig, 2, ETL_WINDOW_FAILED);
	rig->bad_to = 0;
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_LOADED);
	rig_free(rig);
}

static const char *release_of(struct rig *rig, const char *check)
{
	struct etl_change_request request = {.kind = ETL_CHANGE_RELEASE, .partition = "a",
		.time = hour(2), .who = "me", .why = "because", .check = check};

	etl_change_free(walked(rig, &request));
	return rig->err.kind == ETL_OK ? "" : rig->err.code;
}

/* Held by two rules: the release of one leaves the other. */
static void test_release_of_one_check(void **state)
{
	static char text[4096];
	struct rig *rig;
	struct etl_ledger_entry entry;

	(void)state;
	snprintf(text, sizeof text, "%scheck:\n  - range: {field: v, max: 100, on_fail: hold}\n"
		"  - range: {field: n, min: 900, on_fail: hold}\n"
		"  - not_null: {fields: w, on_fail: hold}\n", rig_yaml);
	rig = rig_new(text, 3);
	service_fill(rig, "a", 2, 3);
	service_put(rig, "a", (etl_wall){hour(2).ms + HOUR_MS / 2}, 1000);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	assert_int_equal(entry_at(rig, "job", "a", 2).held.n, 3);
	assert_string_equal(release_of(rig, "freshness"), "change.check");
	need_word(rig, "held by check range v (1000, max 100), check range n (0, min 900)");
	assert_string_equal(release_of(rig, "range v"), "");
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	entry = entry_at(rig, "job", "a", 2);
	assert_true(entry.held.checks[0].released);
	assert_false(entry.held.checks[1].released);
	assert_non_null(strstr(entry.reason, "still held by check range n"));

	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	entry = entry_at(rig, "job", "a", 2);
	assert_true(entry.held.checks[0].released); /* the same content: it stands */
	assert_non_null(strstr(entry.reason, "held by check range n"));
	assert_int_equal(rig->target->n, 0);
	assert_string_equal(release_of(rig, "range"), "");
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	undo(rig);
	assert_false(entry_at(rig, "job", "a", 2).held.checks[1].released);
	assert_true(entry_at(rig, "job", "a", 2).held.checks[0].released);
	assert_string_equal(release_of(rig, NULL), "");
	NEED_STATE(rig, 2, ETL_WINDOW_PENDING);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_LOADED);
	rig_free(rig);
}

/* A rule that came since, or is stricter now, was not released. */
static void test_release_is_of_that_rule(void **state)
{
	struct rig *rig = rig_minding("hold");
	struct etl_ledger_entry entry;
	struct etl_held held;

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(decided(rig, ETL_CHANGE_RELEASE, 2), "");
	entry = entry_at(rig, "job", "a", 2);
	held = entry.held;
	snprintf(held.checks[0].limit, sizeof held.checks[0].limit, "max 90");
	assert_false(etl_held_is_same(&held.checks[0], &entry.held.checks[0]));
	held = entry.held;
	held.more = true;
	assert_false(etl_held_is_free(&held));
	undo(rig);
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	entry = entry_at(rig, "job", "a", 2);
	assert_string_equal(entry.held.by, "");
	NEED_WATERMARK(rig, 2);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	rig_free(rig);
}

static void test_discard_closes_what_is_held(void **state)
{
	struct rig *rig = rig_minding("hold");

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(decided(rig, ETL_CHANGE_DISCARD, 1), "change.state");
	assert_string_equal(decided(rig, ETL_CHANGE_RELEASE, 1), "change.state");
	assert_string_equal(decided(rig, ETL_CHANGE_ACCEPT, 2), "change.state");
	need_word(rig, "'etlctl held release job 2024-01-01T02:00:00Z --partition a --reason TEXT'");
	need_word(rig, "'etlctl held discard job 2024-01-01T02:00:00Z --partition a --reason TEXT'");
	assert_string_equal(decided(rig, ETL_CHANGE_DISCARD, 2), "");
	NEED_STATE(rig, 2, ETL_WINDOW_SKIPPED);
	assert_string_equal(entry_at(rig, "job", "a", 2).reason, "discarded by me: because");
	NEED_WATERMARK(rig, 5);
	assert_int_equal(rig->target->n, 4);
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_SKIPPED);
	undo(rig);
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	NEED_WATERMARK(rig, 2);
	rig_free(rig);
}

/* Larger than memory: it has no hash, so that its content cannot be known again. */
static void test_what_cannot_be_released(void **state)
{
	struct rig *rig = rig_minding("hold");

	(void)state;
	for (int i = 0; i < 3500; i++)
		service_put(rig, "a", (etl_wall){hour(2).ms + i * 1000}, 1000);
	rig->driver.env.memory_max = 100 * 1000;
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_STATE(rig, 2, ETL_WINDOW_HELD);
	assert_string_equal(decided(rig, ETL_CHANGE_RELEASE, 2), "change.state");
	need_word(rig, "etlctl held discard");
	assert_string_equal(decided(rig, ETL_CHANGE_DISCARD, 2), "");
	rig_free(rig);
}

static void test_commands_can_be_pasted(void **state)
{
	struct rig *rig = rig_minding("reject");
	struct etl_unit unit = {rig->job, "it's; a b", {hour(2), hour(3)}};
	char *text = etl_decision_command(ETL_CHANGE_ACCEPT, &unit);

	(void)state;
	assert_string_equal(text, "etlctl windows accept job 2024-01-01T02:00:00Z "
				  "--partition 'it'\\''s; a b' --reason TEXT");
	free(text);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept_closes_what_was_refused),
		cmocka_unit_test(test_accept_behind_another),
		cmocka_unit_test(test_accept_refuses),
		cmocka_unit_test(test_accept_takes_back_no_other_count),
		cmocka_unit_test(test_nothing_without_its_audit),
		cmocka_unit_test(test_accept_of_an_older_grid),
		cmocka_unit_test(test_accept_behind_the_watermark),
		cmocka_unit_test(test_undo_of_a_job_that_has_no_windows_now),
		cmocka_unit_test(test_accept_whole),
		cmocka_unit_test(test_release_lets_the_same_content_in),
		cmocka_unit_test(test_release_is_of_that_content),
		cmocka_unit_test(test_release_outlives_a_failure),
		cmocka_unit_test(test_release_of_one_check),
		cmocka_unit_test(test_release_is_of_that_rule),
		cmocka_unit_test(test_discard_closes_what_is_held),
		cmocka_unit_test(test_what_cannot_be_released),
		cmocka_unit_test(test_commands_can_be_pasted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
