/* SPDX-License-Identifier: MIT
 *
 * What every store must do with windows of several lengths, and with what a caller gives of an entry
 * that is not his to write. Included after contract.h.
 */
#ifndef TESTS_STATE_CONTRACT_LEDGER_H
#define TESTS_STATE_CONTRACT_LEDGER_H

#include "contract.h"

/* A long window reaches over short ones that end before the range begins. */
static void a_long_window_is_found_behind_short_ones(void **state)
{
	struct etl_ledger_entry e[] = {entry(0, ETL_WINDOW_LOADED), entry(1, ETL_WINDOW_LOADED)};
	struct collected c;

	(void)state;
	e[0].window.end = H(9);
	claim("long", "p", 1);
	commit_ok("long", "p", 1, e, 2, H(0));
	c = scan("long", "p", 5, 6, ETL_LEDGER_ALL);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.items[0].window.end.ms, H(9).ms);
	assert_int_equal(scan("long", NULL, 5, 6, ETL_LEDGER_ALL).n, 1);
	assert_int_equal(scan("long", "p", 5, 6, ETL_LEDGER_BEGUN).n, 0);
}

/* `window: none` has one entry without a length: it begins, and overlaps nothing that begins then. */
static void a_window_without_a_length_begins(void **state)
{
	struct etl_ledger_entry e = entry(3, ETL_WINDOW_LOADED);

	(void)state;
	e.window.end = e.window.start;
	claim("point", "p", 1);
	commit_ok("point", "p", 1, &e, 1, H(0));
	assert_int_equal(scan("point", "p", 3, 4, ETL_LEDGER_BEGUN).n, 1);
	assert_int_equal(scan("point", "p", 3, 4, ETL_LEDGER_ALL).n, 0);
	assert_int_equal(scan("point", "p", 2, 4, ETL_LEDGER_ALL).n, 1);
}

/* Neither a commit nor a mark says who is writing, or what an operator changed. */
static void what_was_read_of_others_is_not_written(void **state)
{
	struct etl_ledger_entry e[] = {entry(0, ETL_WINDOW_LOADED), entry(1, ETL_WINDOW_FAILED)};
	struct etl_error err = ETL_ERROR_INIT;
	struct collected c;

	(void)state;
	claim("given", "p", 1);
	for (int i = 0; i < 2; i++) {
		memcpy(e[i].writer, RUN_B, sizeof e[i].writer);
		memcpy(e[i].change_id, RUN_B, sizeof e[i].change_id);
		e[i].was = ETL_WINDOW_HELD;
	}
	commit_ok("given", "p", 1, e, 1, H(1));
	assert_int_equal(store->ops->ledger_mark(store, "given", "p", 1, &e[1], 1, &err), 0); /* new */
	assert_int_equal(store->ops->ledger_mark(store, "given", "p", 1, &e[1], 1, &err), 0);
	c = scan("given", "p", 0, 9, ETL_LEDGER_ALL);
	assert_int_equal(c.n, 2);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(c.items[i].writer, "");
		assert_string_equal(c.items[i].change_id, "");
		assert_int_equal(c.items[i].was, ETL_WINDOW_PENDING);
	}
}

static uint64_t definition_at(int hour)
{
	struct collected c = scan("made", "p", hour, hour + 1, ETL_LEDGER_ALL);

	assert_int_equal(c.n, 1);
	return c.items[0].definition;
}

/* Which definition made it goes with the commit, again with each; a mark says nothing of it. */
static void the_definition_is_the_commits_word(void **state)
{
	const uint64_t first = UINT64_C(0x01ffffffffffffff), second = UINT64_C(0x0100000000000000);
	struct etl_ledger_entry e[] = {entry(0, ETL_WINDOW_LOADED), entry(1, ETL_WINDOW_LOADED)};
	struct etl_ledger_entry marks[] = {entry(0, ETL_WINDOW_FAILED), entry(2, ETL_WINDOW_FAILED)};
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	e[0].definition = first;
	claim("made", "p", 1);
	commit_ok("made", "p", 1, e, 2, H(2));
	assert_true(definition_at(0) == first);
	assert_true(definition_at(1) == 0); /* as an older etld has left it */
	marks[0].definition = marks[1].definition = second;
	assert_int_equal(store->ops->ledger_mark(store, "made", "p", 1, marks, 2, &err), 0);
	assert_true(definition_at(0) == first);
	assert_true(definition_at(2) == 0);
	e[0].definition = second;
	commit_ok("made", "p", 1, e, 1, H(2));
	assert_true(definition_at(0) == second);
}

#define STATE_CONTRACT_LEDGER                                                                   \
	cmocka_unit_test(a_long_window_is_found_behind_short_ones),                             \
		cmocka_unit_test(a_window_without_a_length_begins),                             \
		cmocka_unit_test(what_was_read_of_others_is_not_written),                       \
		cmocka_unit_test(the_definition_is_the_commits_word)

#endif
