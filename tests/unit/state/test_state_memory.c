/* SPDX-License-Identifier: MIT
 *
 * The memory store keeps the stores' contract; time is virtual.
 */
#include "contract.h"
#include "contract_backfill.h"
#include "contract_change.h"
#include "contract_ledger.h"
#include "contract_objects.h"

static struct etl_clock_virtual now;

static void expire_lease(const char *job)
{
	(void)job;
	etl_clock_virtual_advance(&now, ETL_SECONDS(31));
}

static void every_state_has_its_word(void **state)
{
	enum etl_window_state parsed;

	(void)state;
	for (int i = 0; i < ETL_WINDOW_STATE_MAX; i++) {
		assert_true(etl_window_state_parse(
			etl_window_state_word((enum etl_window_state)i), &parsed));
		assert_int_equal(parsed, i);
	}
	assert_false(etl_window_state_parse("finished", &parsed));
}

static int set_up(void **state)
{
	(void)state;
	etl_clock_virtual_init(&now, (etl_wall){INT64_C(1795348800000)});
	store = etl_state_memory_new(&now.clock);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	store->ops->free(store);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_CONTRACT,
		STATE_CONTRACT_CHANGE,
		STATE_CONTRACT_BACKFILL,
		STATE_CONTRACT_LEDGER,
		STATE_CONTRACT_OBJECTS,
		cmocka_unit_test(every_state_has_its_word),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
