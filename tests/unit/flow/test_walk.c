/* SPDX-License-Identifier: MIT
 *
 * The step table: which places may follow which. That a walk takes no other way is asserted by the walk
 * itself, in each test of this room and in the simulation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "flow/strand.h"

/* All ways, by the letters of the places. F may follow all that lead anywhere, and is left out. */
static const char letters[ETL_PLACES] = {
	[ETL_AT_PLAN] = 'P',
	[ETL_AT_OPEN] = 'O',
	[ETL_AT_EXTRACT] = 'X',
	[ETL_AT_DECODE] = 'D',
	[ETL_AT_TRANSFORM] = 'T',
	[ETL_AT_CHECK] = 'C',
	[ETL_AT_LOAD] = 'L',
	[ETL_AT_COMMIT] = 'M',
	[ETL_AT_END] = 'E',
	[ETL_AT_FAILED] = 'F',
};

static const char ways[] = "P>P P>O P>E O>X X>D D>X D>D D>T T>C C>X C>D C>L L>L L>M "
			   "M>P M>X M>D M>L M>E M>O F>P F>E F>O ";

static void test_ways(void **state)
{
	size_t n = 0;

	(void)state;
	for (int from = 0; from < ETL_PLACES; from++)
		for (int to = 0; to < ETL_PLACES; to++) {
			const char way[] = {letters[from], '>', letters[to], ' ', '\0'};
			bool may = etl_walk_may((enum etl_place)from, (enum etl_place)to);

			if (to == ETL_AT_FAILED || !letters[from] || !letters[to])
				continue;
			if (may != (strstr(ways, way) != NULL))
				fail_msg("%smay be gone and should%s", way, may ? " not" : "");
			n += may;
		}
	assert_int_equal(n, (sizeof ways - 1) / 4);
}

/* An error is no step: it is judged, and not by itself. The end has none. */
static void test_failed(void **state)
{
	(void)state;
	for (int from = 0; from < ETL_PLACES; from++)
		assert_int_equal(etl_walk_may((enum etl_place)from, ETL_AT_FAILED),
			letters[from] && from != ETL_AT_END && from != ETL_AT_FAILED);
}

static bool leads_to(enum etl_place from, enum etl_place to, unsigned seen)
{
	for (int next = 0; next < ETL_PLACES; next++) {
		if (!etl_walk_may(from, (enum etl_place)next) || (seen >> next & 1))
			continue;
		if (next == (int)to || leads_to((enum etl_place)next, to, seen | 1u << next))
			return true;
	}
	return false;
}

/* Nothing is loaded that no plan asked for and no check saw; every walk can end. */
static void test_no_way_around(void **state)
{
	(void)state;
	for (int at = 0; at < ETL_PLACES; at++) {
		if (!letters[at] || at == ETL_AT_END)
			continue;
		assert_true(leads_to((enum etl_place)at, ETL_AT_END, 0));
		assert_true(at == ETL_AT_PLAN || leads_to(ETL_AT_PLAN, (enum etl_place)at, 0));
	}
	assert_false(leads_to(ETL_AT_PLAN, ETL_AT_LOAD, 1u << ETL_AT_CHECK));
	assert_false(leads_to(ETL_AT_PLAN, ETL_AT_COMMIT, 1u << ETL_AT_LOAD));
	assert_false(leads_to(ETL_AT_FAILED, ETL_AT_LOAD, 1u << ETL_AT_CHECK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_no_way_around),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
