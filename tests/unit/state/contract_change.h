/* SPDX-License-Identifier: MIT
 *
 * What every store must do with an operator's changes of a watermark. Beside contract.h.
 */
#ifndef TESTS_STATE_CONTRACT_CHANGE_H
#define TESTS_STATE_CONTRACT_CHANGE_H

#include "contract.h"

#define CHANGE_ID(nn) "01234567-89ab-7def-8123-4567890000" nn

static struct etl_change change(const char *id, enum etl_change_kind kind, const char *job,
	int from, int to)
{
	return (struct etl_change){.id = id, .command = id, .kind = kind, .job = job,
		.partition = "p", .who = "me", .why = "$because", .at = H(100 + id[35] - '0'),
		.from = H(from), .to = H(to), .reached = H(to), .done = true, .undoes = "",
		.undone_by = "", .run_id = ""};
}

/* Of the hours [first, last), as one slice. */
static int try_change(struct etl_change *c, int expected, int first, int last,
	struct etl_error *err)
{
	struct etl_window windows[16];
	struct etl_change_slice slice = {.change = c, .fence = 1, .expected = H(expected),
		.windows = windows};
	bool down = c->kind == ETL_CHANGE_REWIND;

	for (int i = 0; i < last - first; i++) {
		int hour = down ? last - 1 - i : first + i;

		windows[slice.n++] = (struct etl_window){H(hour), H(hour + 1)};
	}
	c->windows += (int64_t)slice.n;
	return store->ops->change_apply(store, &slice, err);
}

static void change_ok(struct etl_change *c, int expected, int first, int last)
{
	struct etl_error err = ETL_ERROR_INIT;

	if (try_change(c, expected, first, last, &err) < 0)
		fail_msg("%s: %s", err.code, err.message);
}

static void undo_ok(const char *id, const char *undoes, const char *job, int from, int to,
	int first, int last)
{
	struct etl_change c = change(id, ETL_CHANGE_UNDO, job, from, to);

	c.undoes = undoes;
	change_ok(&c, from, first, last);
}

static void need_watermark(const char *job, int hour)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark w;

	assert_int_equal(store->ops->watermark_get(store, job, "p", &w, &err), 1);
	assert_int_equal(w.processed.ms, H(hour).ms);
}

/* "0:loaded 1:failed:dirty" */
static void need_ledger(const char *job, const char *want)
{
	struct collected c = scan(job, "p", 0, 50, ETL_LEDGER_ALL);
	char got[1024] = "";

	for (size_t i = 0; i < c.n; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d:%s%s", i ? " " : "",
			(int)(c.items[i].window.start.ms / 3600000),
			etl_window_state_word(c.items[i].state),
			c.items[i].dirty ? ":dirty" : "");
	assert_string_equal(got, want);
}

static void fail_window(const char *job, int hour, const char *reason)
{
	struct etl_ledger_entry e = entry(hour, ETL_WINDOW_FAILED);
	struct etl_error err = ETL_ERROR_INIT;

	snprintf(e.reason, sizeof e.reason, "%s", reason);
	assert_int_equal(store->ops->ledger_mark(store, job, "p", 1, &e, 1, &err), 0);
}

static void set_skips_what_is_not_closed_and_undo_takes_it_back(void **state)
{
	struct etl_ledger_entry e[2] = {entry(0, ETL_WINDOW_LOADED), entry(3, ETL_WINDOW_LOADED)};
	struct etl_change c = change(CHANGE_ID("11"), ETL_CHANGE_SET, "o1", 1, 5);
	struct collected found;

	(void)state;
	claim("o1", "p", 1);
	commit_ok("o1", "p", 1, e, 2, H(1));
	fail_window("o1", 1, "it said 503");
	commit_dirty("o1-up", "o1", "p", 2);
	change_ok(&c, 1, 1, 5);
	need_watermark("o1", 5);
	need_ledger("o1", "0:loaded 1:skipped 2:skipped 3:loaded 4:skipped");
	found = scan("o1", "p", 0, 9, ETL_LEDGER_ALL);
	assert_string_equal(found.items[1].reason, "$because");
	assert_string_equal(found.items[1].change_id, CHANGE_ID("11"));
	assert_int_equal(found.items[1].was, ETL_WINDOW_FAILED);
	assert_int_equal(found.items[1].attempt, 1);
	assert_string_equal(found.items[3].change_id, "");
	assert_int_equal(found.items[4].window.end.ms, H(5).ms);

	change_ok(&c, 5, 1, 5); /* a slice twice is a slice once */
	need_ledger("o1", "0:loaded 1:skipped 2:skipped 3:loaded 4:skipped");

	undo_ok(CHANGE_ID("12"), CHANGE_ID("11"), "o1", 5, 1, 1, 5);
	need_watermark("o1", 1);
	need_ledger("o1", "0:loaded 1:failed 2:pending:dirty 3:loaded");
	found = scan("o1", "p", 0, 9, ETL_LEDGER_ALL);
	assert_string_equal(found.items[1].reason, "it said 503");
	assert_string_equal(found.items[1].change_id, "");
	assert_non_null(strstr(found.items[2].reason, "o1-up"));
}

#define CHANGES_TEXT 512

static int note_change(void *ctx, const void *thing)
{
	const struct etl_change *c = thing;
	char *text = ctx;

	snprintf(text + strlen(text), CHANGES_TEXT - strlen(text),
		"%s %s %d>%d %lld%s%s;", c->partition, etl_change_kind_word(c->kind),
		(int)(c->from.ms / 3600000), (int)(c->to.ms / 3600000), (long long)c->windows,
		c->done ? "" : " unfinished", *c->undone_by ? " undone" : "");
	if (etl_change_is_decision(c->kind) || *c->run_id)
		snprintf(text + strlen(text), CHANGES_TEXT - strlen(text), " unit %d-%d %s;",
			(int)(c->unit.start.ms / 3600000), (int)(c->unit.end.ms / 3600000), c->run_id);
	if (strcmp(c->who, "me") != 0 || strcmp(c->why, "$because") != 0)
		snprintf(text + strlen(text), CHANGES_TEXT - strlen(text), " by '%s': '%s';", c->who, c->why);
	return 0;
}

static void need_changes(const struct etl_change_query *query, const char *want)
{
	struct etl_error err = ETL_ERROR_INIT;
	char text[CHANGES_TEXT] = "";

	if (etl_change_list(store, query, note_change, text, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(text, want);
}

/* The unit alone; the text for the entry is not that of the record. */
static void accept_closes_one_that_failed(void **state)
{
	struct etl_change c = change(CHANGE_ID("61"), ETL_CHANGE_ACCEPT, "o6", 1, 2);
	struct etl_window window = {H(1), H(2)};
	struct etl_change_slice slice = {.change = &c, .fence = 1, .expected = H(1),
		.windows = &window, .n = 1, .reason = "accepted by $me: it's noise"};
	const struct etl_change_query query = {.job = "o6"};
	struct etl_error err = ETL_ERROR_INIT;
	struct collected found;

	(void)state;
	claim("o6", "p", 1);
	fail_window("o6", 1, "every record was rejected");
	fail_window("o6", 2, "and here too");
	c.windows = 1;
	c.unit = window;
	c.run_id = RUN_A;
	slice.expected = H(0);
	assert_int_equal(store->ops->change_apply(store, &slice, &err), 0);
	need_changes(&query, "p accept 1>2 1; unit 1-2 " RUN_A ";");
	need_watermark("o6", 2);
	need_ledger("o6", "1:skipped 2:failed");
	found = scan("o6", "p", 0, 9, ETL_LEDGER_ALL);
	assert_string_equal(found.items[0].reason, "accepted by $me: it's noise");
	assert_string_equal(found.items[0].change_id, CHANGE_ID("61"));
	assert_int_equal(found.items[0].was, ETL_WINDOW_FAILED);
	assert_int_equal(found.items[0].attempt, 1);
	undo_ok(CHANGE_ID("62"), CHANGE_ID("61"), "o6", 2, 0, 1, 2);
	need_ledger("o6", "1:failed 2:failed");
	assert_string_equal(scan("o6", "p", 1, 2, ETL_LEDGER_ALL).items[0].reason,
		"every record was rejected");
}

static struct etl_ledger_entry held_entry(int hour)
{
	struct etl_ledger_entry e = entry(hour, ETL_WINDOW_HELD);

	snprintf(e.reason, sizeof e.reason, "check range: too much");
	e.held = (struct etl_held){.checks = {{"range", "$v", "1000", "max 100", false},
					      {"not_null", "", "null", "not null", false}}, .n = 2};
	return e;
}

static void need_held(const char *job, int hour, bool first, bool second, const char *by)
{
	struct collected c = scan(job, "p", hour, hour + 1, ETL_LEDGER_ALL);
	const struct etl_held *h = &c.items[0].held;

	assert_int_equal(c.n, 1);
	assert_int_equal(h->n, 2);
	assert_string_equal(h->checks[0].field, "$v");
	assert_string_equal(h->checks[0].value, "1000");
	assert_string_equal(h->checks[1].limit, "not null");
	assert_int_equal(h->checks[0].released, first);
	assert_int_equal(h->checks[1].released, second);
	assert_string_equal(h->by, by);
	assert_int_equal(h->at.ms != 0, *by != 0);
}

static void release(const char *id, const char *job, bool first, bool second, const char *by)
{
	struct etl_change c = change(id, ETL_CHANGE_RELEASE, job, 0, 0);
	struct etl_held held = held_entry(0).held;
	struct etl_window window = {H(1), H(2)};
	struct etl_change_slice slice = {.change = &c, .fence = 1, .expected = H(0),
		.windows = &window, .n = 1, .reason = "released by $me", .held = &held};
	struct etl_error err = ETL_ERROR_INIT;

	held.checks[0].released = first;
	held.checks[1].released = second;
	held.at = H(77);
	snprintf(held.by, sizeof held.by, "%s", by);
	c.windows = 1;
	for (int i = 0; i < 2; i++) /* a slice twice is a slice once */
		if (store->ops->change_apply(store, &slice, &err) < 0)
			fail_msg("%s", err.message);
}

/* In parts, one over the other, and taken back one by one; only what is held. */
static void release_stands_with_the_entry(void **state)
{
	struct etl_ledger_entry e = held_entry(1), after = entry(1, ETL_WINDOW_LOADED);

	(void)state;
	claim("o7", "p", 1);
	commit_ok("o7", "p", 1, &e, 1, H(0));
	need_held("o7", 1, false, false, "");
	release(CHANGE_ID("71"), "o7", true, false, "$me");
	need_ledger("o7", "1:held");
	need_held("o7", 1, true, false, "$me");
	release(CHANGE_ID("72"), "o7", true, true, "you");
	need_ledger("o7", "1:pending");
	need_held("o7", 1, true, true, "you");
	need_watermark("o7", 0);
	fail_window("o7", 1, "it said 503"); /* takes nothing from it */
	need_held("o7", 1, true, true, "you");
	commit_dirty("o7-up", "o7", "p", 1);
	need_held("o7", 1, true, true, "you");
	undo_ok(CHANGE_ID("73"), CHANGE_ID("72"), "o7", 0, 0, 1, 2);
	need_ledger("o7", "1:held:dirty");
	need_held("o7", 1, true, false, "$me");
	undo_ok(CHANGE_ID("74"), CHANGE_ID("71"), "o7", 0, 0, 1, 2);
	need_ledger("o7", "1:held:dirty");
	need_held("o7", 1, false, false, "");
	release(CHANGE_ID("75"), "o7", true, true, "me");
	release(CHANGE_ID("76"), "o7", false, true, "nobody"); /* it is not held any more */
	need_held("o7", 1, true, true, "me");
	commit_ok("o7", "p", 1, &after, 1, H(0));
	assert_int_equal(scan("o7", "p", 1, 2, ETL_LEDGER_ALL).items[0].held.n, 0);
}

/* What holds a unit is the commit's word: of a release only the rules count that hold it. */
static void a_release_says_nothing_of_what_holds(void **state)
{
	struct etl_ledger_entry e = held_entry(1), bare = entry(1, ETL_WINDOW_HELD);

	(void)state;
	claim("o11", "p", 1);
	e.held.checks[0].limit[0] = '\0'; /* a rule by which nobody released */
	snprintf(e.held.checks[1].value, sizeof e.held.checks[1].value, "nothing");
	commit_ok("o11", "p", 1, &e, 1, H(0));
	release(CHANGE_ID("a1"), "o11", true, true, "me");
	need_held("o11", 1, false, true, "me");
	e = scan("o11", "p", 1, 2, ETL_LEDGER_ALL).items[0];
	assert_string_equal(e.held.checks[0].limit, "");
	assert_string_equal(e.held.checks[1].value, "nothing");
	claim("o12", "p", 1); /* by an etld that did not write down what holds */
	commit_ok("o12", "p", 1, &bare, 1, H(0));
	release(CHANGE_ID("a2"), "o12", true, true, "me");
	e = scan("o12", "p", 1, 2, ETL_LEDGER_ALL).items[0];
	assert_int_equal(e.held.n, 0);
	assert_string_equal(e.held.by, "");
}

/* Nor does an attempt that only leaves a mark. */
static void a_mark_says_nothing_of_what_holds(void **state)
{
	struct etl_ledger_entry there = entry(1, ETL_WINDOW_FAILED), e[2] = {held_entry(1), held_entry(2)};
	struct etl_error err = ETL_ERROR_INIT;
	struct collected found;

	(void)state;
	claim("o13", "p", 1);
	commit_ok("o13", "p", 1, &there, 1, H(0));
	assert_int_equal(store->ops->ledger_mark(store, "o13", "p", 1, e, 2, &err), 0);
	found = scan("o13", "p", 0, 9, ETL_LEDGER_ALL);
	assert_int_equal(found.n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(found.items[i].state, ETL_WINDOW_HELD);
		assert_int_equal(found.items[i].held.n, 0);
	}
}

struct units {
	const char *prefix;
	char text[256];
};

static int collect_unit(void *ctx, const char *job, const char *partition,
	const struct etl_ledger_entry *e)
{
	struct units *units = ctx;
	size_t n = strlen(units->text);

	if (strncmp(job, units->prefix, strlen(units->prefix)) == 0)
		snprintf(units->text + n, sizeof units->text - n, "%s/%s/%d ", job, partition,
			(int)(e->window.start.ms / 3600000));
	return 0;
}

static void units_that_are_held_are_found(void **state)
{
	struct etl_ledger_entry e[3] = {held_entry(1), held_entry(2), entry(3, ETL_WINDOW_LOADED)};
	struct units units = {.prefix = "o8"};
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	claim("o8", "p", 1);
	claim("o8b", "p", 1);
	commit_ok("o8", "p", 1, e, 3, H(0));
	commit_ok("o8b", "p", 1, e, 1, H(0));
	fail_window("o8", 7, "no");
	assert_int_equal(store->ops->ledger_held(store, "o8", 9, collect_unit, &units, &err), 1);
	assert_non_null(strstr(units.text, "o8/p/1 "));
	assert_non_null(strstr(units.text, "o8/p/2 "));
	assert_int_equal(strlen(units.text), 2 * strlen("o8/p/1 "));
	units.text[0] = '\0';
	assert_int_equal(store->ops->ledger_held(store, "o8", 2, collect_unit, &units, &err), 1);
	assert_int_equal(store->ops->ledger_held(store, "o8", 1, collect_unit, &units, &err), 0);
	assert_int_equal(strlen(units.text), 3 * strlen("o8/p/1 "));
	units.text[0] = '\0';
	assert_int_equal(store->ops->ledger_held(store, NULL, 1000, collect_unit, &units, &err), 1);
	assert_non_null(strstr(units.text, "o8b/p/1 "));
	assert_int_equal(store->ops->ledger_held(store, "none", 9, collect_unit, &units, &err), 1);
}

static void need_found(const char *job, const char *want)
{
	struct units units = {.prefix = job};
	struct etl_error err = ETL_ERROR_INIT;

	assert_int_equal(store->ops->ledger_held(store, job, 9, collect_unit, &units, &err), 1);
	assert_string_equal(units.text, want);
}

/* Newer content of a closed window is held: the window stays what it is, and is found and decided about
 * as one that never was loaded. */
static void newer_content_of_a_closed_window_is_held(void **state)
{
	struct etl_ledger_entry e[2] = {entry(1, ETL_WINDOW_LOADED), entry(2, ETL_WINDOW_SKIPPED)};
	struct etl_ledger_entry held[2] = {held_entry(1), held_entry(2)};
	struct etl_change c = change(CHANGE_ID("91"), ETL_CHANGE_DISCARD, "o14", 0, 0);
	struct etl_window window = {H(1), H(2)};
	struct etl_change_slice slice = {.change = &c, .fence = 1, .expected = H(0), .windows = &window,
		.n = 1, .reason = "discarded by $me"};
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	claim("o14", "p", 1);
	commit_ok("o14", "p", 1, e, 2, H(0));
	snprintf(held[0].held.content, sizeof held[0].held.content, "$new");
	assert_int_equal(store->ops->ledger_mark(store, "o14", "p", 1, held, 2, &err), 0);
	need_ledger("o14", "1:loaded:dirty 2:skipped");
	need_held("o14", 1, false, false, "");
	assert_string_equal(scan("o14", "p", 1, 2, ETL_LEDGER_ALL).items[0].held.content, "$new");
	assert_string_equal(scan("o14", "p", 1, 2, ETL_LEDGER_ALL).items[0].hash, e[0].hash);
	need_found("o14", "o14/p/1 ");

	release(CHANGE_ID("92"), "o14", true, true, "$me");
	need_ledger("o14", "1:loaded:dirty 2:skipped");
	need_held("o14", 1, true, true, "$me");
	need_found("o14", ""); /* it waits for the next run */
	undo_ok(CHANGE_ID("93"), CHANGE_ID("92"), "o14", 0, 0, 1, 2);
	need_held("o14", 1, false, false, "");

	for (int i = 0; i < 2; i++) /* a slice twice is a slice once */
		assert_int_equal(store->ops->change_apply(store, &slice, &err), 0);
	need_ledger("o14", "1:loaded 2:skipped");
	need_found("o14", "");
	undo_ok(CHANGE_ID("94"), CHANGE_ID("91"), "o14", 0, 0, 1, 2);
	need_ledger("o14", "1:loaded:dirty 2:skipped");
	need_found("o14", "o14/p/1 ");

	release(CHANGE_ID("95"), "o14", true, true, "$me");
	assert_int_equal(store->ops->ledger_mark(store, "o14", "p", 1, held, 1, &err), 0);
	need_held("o14", 1, false, false, ""); /* of other content: the release is void */
	commit_ok("o14", "p", 1, e, 1, H(0));
	need_ledger("o14", "1:loaded 2:skipped");
	assert_int_equal(scan("o14", "p", 1, 2, ETL_LEDGER_ALL).items[0].held.n, 0);
}

static void rewind_opens_what_is_closed_and_a_commit_settles_it(void **state)
{
	struct etl_ledger_entry e[4] = {entry(0, ETL_WINDOW_LOADED), entry(1, ETL_WINDOW_LOADED),
		entry(2, ETL_WINDOW_EMPTY), entry(3, ETL_WINDOW_LOADED)};
	struct etl_change c = change(CHANGE_ID("21"), ETL_CHANGE_REWIND, "o2", 4, 1);
	struct collected found;

	(void)state;
	claim("o2", "p", 1);
	commit_ok("o2", "p", 1, e, 4, H(4));
	change_ok(&c, 4, 1, 4);
	need_watermark("o2", 1);
	need_ledger("o2", "0:loaded 1:pending 2:pending 3:pending");
	found = scan("o2", "p", 1, 2, ETL_LEDGER_ALL);
	assert_string_equal(found.items[0].hash, e[1].hash);
	assert_int_equal(found.items[0].was, ETL_WINDOW_LOADED);
	assert_int_equal(found.items[0].counts.out, 9);

	/* A failed attempt is still the change's, a load is not; a mark outlives the undo. */
	fail_window("o2", 1, "no");
	commit_ok("o2", "p", 1, &e[2], 1, H(1));
	commit_dirty("o2-up", "o2", "p", 3);
	found = scan("o2", "p", 1, 3, ETL_LEDGER_ALL);
	assert_string_equal(found.items[0].change_id, CHANGE_ID("21"));
	assert_string_equal(found.items[1].change_id, "");
	undo_ok(CHANGE_ID("22"), CHANGE_ID("21"), "o2", 1, 4, 1, 4);
	need_watermark("o2", 4);
	need_ledger("o2", "0:loaded 1:loaded 2:empty 3:loaded:dirty");
	assert_non_null(strstr(scan("o2", "p", 3, 4, ETL_LEDGER_ALL).items[0].reason, "o2-up"));
}

static void changes_are_taken_back_one_by_one(void **state)
{
	struct etl_change set = change(CHANGE_ID("31"), ETL_CHANGE_SET, "o3", 0, 4);
	struct etl_change rewind = change(CHANGE_ID("32"), ETL_CHANGE_REWIND, "o3", 4, 2);

	(void)state;
	claim("o3", "p", 1);
	fail_window("o3", 3, "first of all");
	change_ok(&set, 0, 0, 4);
	change_ok(&rewind, 4, 2, 4);
	need_ledger("o3", "0:skipped 1:skipped 2:pending 3:pending");
	undo_ok(CHANGE_ID("33"), CHANGE_ID("32"), "o3", 2, 4, 2, 4);
	need_ledger("o3", "0:skipped 1:skipped 2:skipped 3:skipped");
	assert_string_equal(scan("o3", "p", 2, 3, ETL_LEDGER_ALL).items[0].change_id, CHANGE_ID("31"));
	undo_ok(CHANGE_ID("34"), CHANGE_ID("31"), "o3", 4, 0, 0, 4);
	need_ledger("o3", "3:failed");
	assert_string_equal(scan("o3", "p", 3, 4, ETL_LEDGER_ALL).items[0].reason, "first of all");
	need_watermark("o3", 0);
}

/* What a failed attempt has told since stays; a write under way is still under way. */
static void an_undo_keeps_what_an_attempt_has_told(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED), failed = entry(0, ETL_WINDOW_FAILED);
	struct etl_change c = change(CHANGE_ID("91"), ETL_CHANGE_REWIND, "o9", 1, 0);
	struct etl_error err = ETL_ERROR_INIT;
	struct collected found;

	(void)state;
	claim("o9", "p", 1);
	commit_ok("o9", "p", 1, &e, 1, H(1));
	change_ok(&c, 1, 0, 1);
	failed.attempt = 2;
	failed.counts = (struct etl_counts){.in = 3};
	snprintf(failed.run_id, sizeof failed.run_id, "%s", RUN_B);
	assert_int_equal(store->ops->ledger_mark(store, "o9", "p", 1, &failed, 1, &err), 0);
	doubt("o9", RUN_B, 0);
	undo_ok(CHANGE_ID("92"), CHANGE_ID("91"), "o9", 0, 1, 0, 1);
	need_ledger("o9", "0:loaded:dirty");
	found = scan("o9", "p", 0, 9, ETL_LEDGER_ALL);
	assert_string_equal(found.items[0].run_id, RUN_B);
	assert_string_equal(found.items[0].writer, RUN_B);
	assert_int_equal(found.items[0].attempt, 2);
	assert_int_equal(found.items[0].counts.in, 3);
	assert_int_equal(found.items[0].counts.out, 0);
}

static int note_undone(void *ctx, const void *thing)
{
	const struct etl_change *c = thing;
	if (c->kind != ETL_CHANGE_UNDO)
		snprintf(ctx, ETL_UUID_BYTES, "%s", c->undone_by);
	return 0;
}

/* A slice that is repeated late does not make a change stand again. */
static void a_change_that_was_taken_back_stays_so(void **state)
{
	struct etl_change c = change(CHANGE_ID("93"), ETL_CHANGE_SET, "o10", 0, 2);
	struct etl_change_query query = {.job = "o10"};
	struct etl_error err = ETL_ERROR_INIT;
	char undone_by[ETL_UUID_BYTES] = "";

	(void)state;
	claim("o10", "p", 1);
	c.undone_by = RUN_A; /* not its own word */
	change_ok(&c, 0, 0, 2);
	assert_int_equal(etl_change_list(store, &query, note_undone, undone_by, &err), 0);
	assert_string_equal(undone_by, "");
	undo_ok(CHANGE_ID("94"), CHANGE_ID("93"), "o10", 2, 0, 0, 2);
	c.reached = H(0);
	change_ok(&c, 0, 0, 0);
	assert_int_equal(etl_change_list(store, &query, note_undone, undone_by, &err), 0);
	assert_string_equal(undone_by, CHANGE_ID("94"));
}

static void a_change_needs_its_fence_and_the_watermark_that_was_read(void **state)
{
	struct etl_change c = change(CHANGE_ID("41"), ETL_CHANGE_SET, "o4", 0, 2);
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	claim("o4", "p", 1);
	assert_int_equal(try_change(&c, 1, 0, 2, &err), -1);
	assert_int_equal(err.kind, ETL_CONFLICT);
	claim("o4", "p", 2);
	assert_int_equal(try_change(&c, 0, 0, 2, &err), -1);
	assert_int_equal(err.kind, ETL_CONFLICT);
	need_ledger("o4", "");
	need_watermark("o4", 0);
}

static void changes_are_listed_newest_first(void **state)
{
	struct etl_change_query query = {.job = "o5"};
	struct etl_change a = change(CHANGE_ID("51"), ETL_CHANGE_SET, "o5", 0, 2);
	struct etl_change b = change(CHANGE_ID("52"), ETL_CHANGE_SET, "o5", 2, 9);

	(void)state;
	claim("o5", "p", 1);
	change_ok(&a, 0, 0, 2);
	b.done = false;
	b.reached = H(4);
	change_ok(&b, 2, 2, 4);
	need_changes(&query, "p set 2>9 2 unfinished;p set 0>2 2;");
	b.done = true;
	b.reached = H(9);
	change_ok(&b, 4, 4, 9);
	need_changes(&query, "p set 2>9 7;p set 0>2 2;");
	undo_ok(CHANGE_ID("53"), CHANGE_ID("52"), "o5", 9, 2, 2, 9);
	need_changes(&query, "p undo 9>2 7;p set 2>9 7 undone;p set 0>2 2;");
	query.standing = true;
	need_changes(&query, "p set 0>2 2;");
	query = (struct etl_change_query){.job = "o5", .limit = 1};
	need_changes(&query, "p undo 9>2 7;");
	query = (struct etl_change_query){.job = "o5", .command = CHANGE_ID("51")};
	need_changes(&query, "p set 0>2 2;");
	query = (struct etl_change_query){.job = "o5", .partition = "q"};
	need_changes(&query, "");
}

/* One purpose of a process keeps the other out; a dead process is dead for both. */
static void a_lease_is_for_one_purpose(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_lease a, b;

	(void)state;
	assert_int_equal(acquire("j9", "host-a; watermark", NULL, &a), 1);
	assert_int_equal(acquire("j9", "host-a", NULL, &b), 0);
	assert_string_equal(b.holder, "host-a; watermark");
	assert_int_equal(store->ops->lease_release(store, "j9", a.fence, &err), 0);
	assert_int_equal(acquire("j9", "host-a", NULL, &b), 1);
	assert_true(b.fence > a.fence);
}

#define STATE_CONTRACT_CHANGE                                                                   \
	cmocka_unit_test(set_skips_what_is_not_closed_and_undo_takes_it_back),          \
		cmocka_unit_test(rewind_opens_what_is_closed_and_a_commit_settles_it),          \
		cmocka_unit_test(accept_closes_one_that_failed),                                \
		cmocka_unit_test(release_stands_with_the_entry),                                \
		cmocka_unit_test(a_release_says_nothing_of_what_holds),                         \
		cmocka_unit_test(a_mark_says_nothing_of_what_holds),                            \
		cmocka_unit_test(newer_content_of_a_closed_window_is_held),                     \
		cmocka_unit_test(units_that_are_held_are_found),                                 \
		cmocka_unit_test(changes_are_taken_back_one_by_one),                            \
		cmocka_unit_test(a_change_needs_its_fence_and_the_watermark_that_was_read),     \
		cmocka_unit_test(an_undo_keeps_what_an_attempt_has_told),                       \
		cmocka_unit_test(a_change_that_was_taken_back_stays_so),                        \
		cmocka_unit_test(changes_are_listed_newest_first),                              \
		cmocka_unit_test(a_lease_is_for_one_purpose)

#endif
