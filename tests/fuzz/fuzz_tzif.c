/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: any bytes as a TZif file. What is accepted must answer every question, and
 * local time must lead back to an instant with that local time.
 */
#include <assert.h>
#include <stdint.h>

#include "time/civil.h"
#include "time/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t local_of(const struct etl_zone *zone, etl_wall t)
{
	return etl_wall_seconds(t) + etl_zone_offset(zone, t, NULL);
}

static void question(const struct etl_zone *zone, int64_t seconds)
{
	etl_wall t = {seconds * 1000}, first, second, at;
	int64_t local = local_of(zone, t);
	enum etl_local kind = etl_zone_to_utc(zone, local, &first, &second);

	assert(kind != ETL_LOCAL_GAP);
	assert(first.ms <= t.ms);
	assert(first.ms <= second.ms && (first.ms < second.ms) == (kind == ETL_LOCAL_FOLD));
	assert(local_of(zone, first) == local && local_of(zone, second) == local);
	if (etl_zone_to_utc(zone, seconds, &first, &second) == ETL_LOCAL_GAP)
		assert(first.ms == second.ms && local_of(zone, first) > seconds);
	if (etl_zone_next_transition(zone, t, &at)) {
		assert(at.ms > t.ms);
		assert(etl_zone_offset(zone, at, NULL) !=
			etl_zone_offset(zone, (etl_wall){at.ms - 1}, NULL));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t edges[] = {INT64_MIN, INT64_MAX, 0, -1, INT64_MIN / 1000 * 1000};
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_zone_free) struct etl_zone *zone =
		etl_zone_parse(data, size, "Test/Fuzz", &err);
	etl_wall t = {-4000000000000};

	if (!zone) {
		assert(err.kind == ETL_DATA || err.kind == ETL_CONFIG);
		return 0;
	}
	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
		etl_wall first, second;

		etl_zone_offset(zone, (etl_wall){edges[i]}, NULL);
		etl_zone_to_utc(zone, edges[i], &first, &second);
		etl_zone_next_transition(zone, (etl_wall){edges[i]}, &first);
	}
	for (int64_t s = -5000000000; s < 30000000000; s += 1234567891)
		question(zone, s);
	for (int i = 0; i < 40 && etl_zone_next_transition(zone, t, &t); i++) {
		int64_t s = etl_wall_seconds(t);

		for (int64_t d = -90001; d <= 90001; d += 30000)
			question(zone, s + d);
		question(zone, s - 1);
		question(zone, s);
	}
	return 0;
}
