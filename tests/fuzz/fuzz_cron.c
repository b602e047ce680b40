/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: any text as a cron expression. What is accepted must give slots that ascend
 * strictly, in UTC and in zones with daylight saving time.
 */
#include <assert.h>
#include <stdint.h>

#include "time/calendar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const char *text, const struct etl_zone *zone, int64_t start_ms)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_calendar_free) struct etl_calendar *calendar =
		etl_calendar_cron(text, zone, &err);
	etl_wall t = {start_ms}, next, again;

	assert(!calendar == (err.kind == ETL_CONFIG));
	for (int i = 0; calendar && i < 20; i++) {
		if (!etl_calendar_next(calendar, t, &next))
			return;
		assert(next.ms > t.ms);
		/* Nothing lies between two slots. */
		assert(etl_calendar_next(calendar, (etl_wall){next.ms - 1}, &again));
		assert(again.ms == next.ms);
		t = next;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct etl_zone *paris;
	char text[128];

	if (size >= sizeof text)
		return 0;
	if (!paris) {
		struct etl_error err = ETL_ERROR_INIT;

		paris = etl_zone_load("Europe/Paris", &err);
	}
	for (size_t i = 0; i < size; i++)
		text[i] = (char)data[i];
	text[size] = '\0';
	walk(text, NULL, INT64_C(1709100000000));
	if (paris) {
		walk(text, paris, INT64_C(1711846800000)); /* an hour before the gap of 2024 */
		walk(text, paris, INT64_C(1729985400000)); /* and before the fold */
	}
	return 0;
}
