/* SPDX-License-Identifier: MIT
 *
 * Turns of the loop: which are long, and what the longest was busy with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the above */
#include <cmocka.h>

#include "io/turns.h"

static etl_mono at(int64_t ms)
{
	return (etl_mono){1000000 + ms * 1000};
}

static void the_longest_is_told_by_what_took_most(void **state)
{
	struct etld_turns turns = {.longest_at = ""};

	(void)state;
	etld_turns_begin(&turns, at(0));
	etld_turns_did(&turns, "wheel", at(1));
	etld_turns_did(&turns, "reload", at(8));
	etld_turns_did(&turns, "control", at(11));
	etld_turns_end(&turns, at(12));
	assert_int_equal(turns.n, 1);
	assert_int_equal(turns.n_long, 1);
	assert_int_equal(turns.longest.us, 12000);
	assert_string_equal(turns.longest_at, "reload");
}

static void a_shorter_one_changes_nothing(void **state)
{
	struct etld_turns turns = {.longest_at = ""};

	(void)state;
	etld_turns_begin(&turns, at(0));
	etld_turns_did(&turns, "first", at(9));
	etld_turns_end(&turns, at(9));
	assert_int_equal(turns.n_long, 0);
	etld_turns_begin(&turns, at(100)); /* the sleep between them is nobody's */
	etld_turns_did(&turns, "second", at(101));
	etld_turns_end(&turns, at(101));
	assert_int_equal(turns.n, 2);
	assert_int_equal(turns.n_long, 0);
	assert_int_equal(turns.longest.us, 9000);
	assert_string_equal(turns.longest_at, "first");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_is_told_by_what_took_most),
		cmocka_unit_test(a_shorter_one_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
