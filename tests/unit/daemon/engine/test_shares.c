/* SPDX-License-Identifier: MIT
 *
 * Shares of memory: who gets one, who waits, in which order; and random traffic held against
 * the laws: never more than all, never all for one lane, one at a time in the oversize place,
 * and nobody waits for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "../../../lib/dice.h"
#include "engine/shares.h"

enum { ALL = 4, STRANDS = 12 };

static struct etld_shares shares;
static struct etld_share strands[STRANDS];
static unsigned grants;

static void granted(void *ctx)
{
	struct etld_share *share = ctx;

	assert_false(share->waits);
	assert_int_equal(share->has, share->wants);
	grants++;
}

static int set_up(void **state)
{
	(void)state;
	etld_shares_init(&shares, ALL, granted);
	memset(strands, 0, sizeof strands);
	for (size_t i = 0; i < STRANDS; i++) {
		strands[i].lane = 1 + i / 6; /* two hosts of six strands each */
		strands[i].ctx = &strands[i];
	}
	grants = 0;
	return 0;
}

static bool ask(size_t i, enum etl_memory wants)
{
	return etld_shares_ask(&shares, &strands[i], wants);
}

static void give(size_t i, enum etl_memory needs)
{
	etld_shares_return(&shares, &strands[i], needs);
}

static void one_lane_never_has_all(void **state)
{
	(void)state;
	assert_true(ask(0, ETL_MEMORY_SHARE));
	assert_true(ask(1, ETL_MEMORY_SHARE));
	assert_true(ask(2, ETL_MEMORY_SHARE));
	assert_false(ask(3, ETL_MEMORY_SHARE));
	assert_true(ask(6, ETL_MEMORY_SHARE)); /* another host's, at once */
	assert_false(ask(7, ETL_MEMORY_SHARE)); /* no more at all */
	give(6, ETL_MEMORY_NONE);
	assert_int_equal(grants, 1);
	assert_int_equal(strands[7].has, ETL_MEMORY_SHARE); /* the older one may not yet */
	give(0, ETL_MEMORY_NONE);
	assert_int_equal(strands[3].has, ETL_MEMORY_SHARE);
}

static void oversize_is_one_at_a_time_and_changes_lanes(void **state)
{
	(void)state;
	assert_true(ask(0, ETL_MEMORY_SHARE));
	assert_true(ask(0, ETL_MEMORY_OVERSIZE));
	assert_false(ask(1, ETL_MEMORY_OVERSIZE));
	assert_false(ask(6, ETL_MEMORY_OVERSIZE));
	give(0, ETL_MEMORY_SHARE); /* the record is in, its batch is not */
	assert_int_equal(strands[6].has, ETL_MEMORY_OVERSIZE);
	assert_int_equal(strands[1].has, ETL_MEMORY_NONE);
	give(6, ETL_MEMORY_NONE);
	assert_int_equal(strands[1].has, ETL_MEMORY_OVERSIZE);
}

static void who_is_cancelled_waits_no_more(void **state)
{
	(void)state;
	ask(0, ETL_MEMORY_OVERSIZE);
	ask(1, ETL_MEMORY_SHARE);
	assert_false(ask(1, ETL_MEMORY_OVERSIZE));
	give(1, strands[1].has);
	assert_false(strands[1].waits);
	assert_int_equal(strands[1].has, ETL_MEMORY_SHARE); /* until it has let go of it */
	give(0, ETL_MEMORY_NONE);
	assert_int_equal(grants, 0);
	give(1, ETL_MEMORY_NONE);
	assert_null(shares.holders);
	assert_null(shares.waiting);
}

static void a_single_worker_serves_all(void **state)
{
	(void)state;
	etld_shares_init(&shares, 1, granted);
	assert_true(ask(0, ETL_MEMORY_SHARE));
	assert_true(ask(0, ETL_MEMORY_OVERSIZE));
	assert_false(ask(1, ETL_MEMORY_SHARE));
	give(0, ETL_MEMORY_NONE);
	assert_int_equal(strands[1].has, ETL_MEMORY_SHARE);
}

static void check_laws(void)
{
	unsigned holders = 0, lane[3] = {0}, oversize = 0;

	for (size_t i = 0; i < STRANDS; i++) {
		if (strands[i].has == ETL_MEMORY_NONE)
			continue;
		holders++;
		lane[strands[i].lane]++;
		oversize += strands[i].has == ETL_MEMORY_OVERSIZE;
	}
	assert_true(holders <= ALL);
	assert_true(lane[1] < ALL && lane[2] < ALL);
	assert_true(oversize <= 1);
}

static void random_traffic_keeps_the_laws(void **state)
{
	(void)state;
	dice_seed();
	for (int i = 0; i < 20000; i++) {
		size_t at = roll(STRANDS);
		enum etl_memory what = (enum etl_memory)roll(3);

		if (strands[at].waits && roll(4))
			continue;
		if (!strands[at].waits && what > strands[at].has)
			ask(at, what);
		else
			give(at, what < strands[at].has ? what : strands[at].has);
		check_laws();
	}
	/* Whoever does not wait ends: then all the others get what they wait for. */
	for (int turn = 0; turn < 100 && shares.waiting; turn++)
		for (size_t i = 0; i < STRANDS; i++)
			if (!strands[i].waits)
				give(i, ETL_MEMORY_NONE);
	assert_null(shares.waiting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_lane_never_has_all, set_up),
		cmocka_unit_test_setup(oversize_is_one_at_a_time_and_changes_lanes, set_up),
		cmocka_unit_test_setup(who_is_cancelled_waits_no_more, set_up),
		cmocka_unit_test_setup(a_single_worker_serves_all, set_up),
		cmocka_unit_test_setup(random_traffic_keeps_the_laws, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
