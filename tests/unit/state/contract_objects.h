/* SPDX-License-Identifier: MIT
 *
 * What every store must do with objects: units with a name. Included after contract.h.
 */
#ifndef TESTS_STATE_CONTRACT_OBJECTS_H
#define TESTS_STATE_CONTRACT_OBJECTS_H

#include "contract.h"

static struct etl_ledger_entry object(const char *name, enum etl_window_state state)
{
	struct etl_ledger_entry e = entry(0, state);

	e.window.start = e.window.end = H(5); /* all were found at once */
	e.object = (struct etl_object){.name = name, .size = 7, .mtime = H(3)};
	return e;
}

struct names {
	char text[2048];
	size_t n;
	struct etl_object last;
	enum etl_window_state state;
};

static int take_name(void *ctx, const struct etl_ledger_entry *e, struct etl_error *err)
{
	struct names *names = ctx;

	(void)err;
	snprintf(names->text + strlen(names->text), sizeof names->text - strlen(names->text), "%s%s",
		names->n++ ? " " : "", e->object.name);
	names->last = e->object;
	names->state = e->state;
	return 0;
}

static struct names objects_of(const char *job, const char *partition, const char *from, size_t max,
	int rc)
{
	struct names names = {.n = 0};
	struct etl_error err = ETL_ERROR_INIT;

	assert_int_equal(store->ops->ledger_objects(store, job, partition, from, max, take_name, &names,
		&err), rc);
	return names;
}

static void objects_are_listed_by_name_in_pages(void **state)
{
	struct etl_ledger_entry e[] = {object("b", ETL_WINDOW_LOADED), object("a/", ETL_WINDOW_LOADED),
		object("a", ETL_WINDOW_FAILED), object("\xc3\xa9", ETL_WINDOW_LOADED),
		entry(1, ETL_WINDOW_LOADED)};

	(void)state;
	claim("names", "p", 1);
	commit_ok("names", "p", 1, e, 5, H(0));
	assert_string_equal(objects_of("names", "p", NULL, 9, 1).text, "a a/ b \xc3\xa9");
	assert_string_equal(objects_of("names", "p", NULL, 4, 1).text, "a a/ b \xc3\xa9");
	assert_string_equal(objects_of("names", "p", NULL, 2, 0).text, "a a/");
	assert_string_equal(objects_of("names", "p", "a/\1", 2, 1).text, "b \xc3\xa9");
	assert_string_equal(objects_of("names", "p", "a/", 1, 0).text, "a/");
	assert_int_equal(scan("names", "p", 0, 9, ETL_LEDGER_BEGUN).n, 1); /* the window alone */
}

/* Neither a partition nor a name with strokes is taken for another one. */
static void objects_of_other_partitions_are_not_listed(void **state)
{
	struct etl_ledger_entry e[] = {object("q/x", ETL_WINDOW_LOADED), object("x", ETL_WINDOW_LOADED)};

	(void)state;
	claim("apart", "p", 1);
	claim("apart", "p/q", 1);
	commit_ok("apart", "p", 1, &e[0], 1, H(0));
	commit_ok("apart", "p/q", 1, &e[1], 1, H(0));
	assert_string_equal(objects_of("apart", "p", NULL, 9, 1).text, "q/x");
	assert_string_equal(objects_of("apart", "p/q", NULL, 9, 1).text, "x");
}

/* A mark on a closed object keeps what it says of the content that was loaded: else a file that changed
 * and is broken now would pass for loaded as it is. On an open one it says what was tried. */
static void a_mark_keeps_what_a_closed_object_was(void **state)
{
	struct etl_ledger_entry e = object("f", ETL_WINDOW_LOADED), open = object("g", ETL_WINDOW_FAILED);
	struct etl_error err = ETL_ERROR_INIT;
	struct names names;

	(void)state;
	claim("facts", "p", 1);
	commit_ok("facts", "p", 1, &e, 1, H(0));
	assert_int_equal(store->ops->ledger_mark(store, "facts", "p", 1, &open, 1, &err), 0);
	e.state = ETL_WINDOW_FAILED;
	e.object.size = open.object.size = 8;
	e.object.mtime = open.object.mtime = H(4);
	assert_int_equal(store->ops->ledger_mark(store, "facts", "p", 1, &e, 1, &err), 0);
	assert_int_equal(store->ops->ledger_mark(store, "facts", "p", 1, &open, 1, &err), 0);
	names = objects_of("facts", "p", "f", 1, 0);
	assert_int_equal(names.state, ETL_WINDOW_LOADED);
	assert_int_equal(names.last.size, 7);
	assert_int_equal(names.last.mtime.ms, H(3).ms);
	names = objects_of("facts", "p", "g", 1, 1);
	assert_int_equal(names.state, ETL_WINDOW_FAILED);
	assert_int_equal(names.last.size, 8);
	assert_int_equal(names.last.mtime.ms, H(4).ms);
}

static int take_token(void *ctx, const struct etl_ledger_entry *e, struct etl_error *err)
{
	char *out = ctx;

	(void)err;
	snprintf(out, 64, "%s %.*s", etl_window_state_word(e->state), (int)e->token.len,
		(const char *)e->token.data);
	return 0;
}

static void need_token(const char *want)
{
	struct etl_error err = ETL_ERROR_INIT;
	char got[64] = "";

	assert_true(store->ops->ledger_objects(store, "stream", "p", "orders", 1, take_token, got,
			    &err) >= 0);
	assert_string_equal(got, want);
}

/* A position moves with a commit that is in, and with nothing else: neither a mark of a failure nor the
 * commit of somebody who has lost the fence moves it. */
static void a_position_moves_with_the_commit(void **state)
{
	struct etl_ledger_entry e = object("orders", ETL_WINDOW_LOADED), failed = e;
	struct etl_commit old = {.job = "stream", .partition = "p", .run_id = RUN_A, .fence = 1,
		.entries = &e, .n_entries = 1};
	static uint8_t large[ETL_TOKEN_MAX + 1];
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	claim("stream", "p", 1);
	e.token = (struct etl_token){(const uint8_t *)"82AB", 4};
	commit_ok("stream", "p", 1, &e, 1, H(0));
	need_token("loaded 82AB");
	failed.state = ETL_WINDOW_FAILED;
	assert_int_equal(store->ops->ledger_mark(store, "stream", "p", 1, &failed, 1, &err), 0);
	need_token("loaded 82AB");
	claim("stream", "p", 2);
	e.token = (struct etl_token){(const uint8_t *)"83", 2};
	assert_int_equal(store->ops->commit(store, NULL, &old, &err), -1);
	assert_int_equal(err.kind, ETL_CONFLICT);
	need_token("loaded 82AB");
	commit_ok("stream", "p", 2, &e, 1, H(0));
	need_token("loaded 83");
	e.token = (struct etl_token){large, sizeof large};
	old.fence = 2;
	etl_error_clear(&err);
	assert_int_equal(store->ops->commit(store, NULL, &old, &err), -1);
	assert_string_equal(err.code, "ledger.token");
	need_token("loaded 83");
}

#define STATE_CONTRACT_OBJECTS                                                                  \
	cmocka_unit_test(objects_are_listed_by_name_in_pages),                                  \
		cmocka_unit_test(objects_of_other_partitions_are_not_listed),                   \
		cmocka_unit_test(a_mark_keeps_what_a_closed_object_was),                        \
		cmocka_unit_test(a_position_moves_with_the_commit)

#endif
