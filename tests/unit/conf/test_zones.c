/* SPDX-License-Identifier: MIT
 *
 * The zones of a configuration: read once each, noted, freed with the arena.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/zones.h"

static struct etl_conf_zone *noted;

static void each_is_read_once(void **state)
{
	struct etl_conf_env env = {.arena = etl_arena_new(0), .zones = &noted};
	struct etl_error err = ETL_ERROR_INIT;
	const struct etl_zone *paris = etl_conf_zone("Europe/Paris", &env, &err);
	const struct etl_zone *tokyo = etl_conf_zone("Asia/Tokyo", &env, &err);

	(void)state;
	assert_non_null(paris);
	assert_non_null(tokyo);
	assert_ptr_equal(etl_conf_zone("Europe/Paris", &env, &err), paris);
	assert_int_not_equal(etl_zone_digest(paris), etl_zone_digest(tokyo));
	assert_ptr_equal(etl_conf_zone("UTC", &env, &err), etl_zone_utc());
	assert_null(etl_conf_zone("Europe/Pairs", &env, &err));
	assert_int_equal(err.kind, ETL_CONFIG);
	assert_ptr_equal(noted->zone, tokyo);
	assert_ptr_equal(noted->next->zone, paris);
	assert_null(noted->next->next);
	etl_arena_free(env.arena);
}

static void nobody_keeps_them(void **state)
{
	struct etl_conf_env env = {.arena = etl_arena_new(0)};
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	assert_non_null(etl_conf_zone("Europe/Paris", &env, &err));
	etl_arena_free(env.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_read_once),
		cmocka_unit_test(nobody_keeps_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
