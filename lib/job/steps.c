/* SPDX-License-Identifier: MIT
 *
 * The names of the steps, and their limits of time in words.
 */
#include "job/steps.h"

#include "time/duration.h"

const struct etl_step etl_steps[ETL_STEP_MAX] = {
#define X(id, text, on, tells)                                                                  \
	[ETL_STEP_##id] = {.name = text,                                                        \
		.thread = ETL_THREAD_##on,                                                      \
		.what = tells,                                                                  \
		.fault_before = text ".before",                                                 \
		.fault_after = text ".after"},
	ETL_STEPS(X)
#undef X
};

int etl_step_timeout(struct etl_error *err, enum etl_step_id id, etl_dur took, etl_dur limit)
{
	char is[ETL_DURATION_TEXT_BYTES], most[ETL_DURATION_TEXT_BYTES];

	/* "after 2m1s" and not "after 2m1s3ms217us": nobody acts on microseconds. */
	took.us -= took.us % 1000;
	etl_duration_format(took, is, sizeof is);
	etl_duration_format(limit, most, sizeof most);
	return etl_error_set(err, ETL_TRANSIENT, "step.timeout",
		"step %s passed its limit of %s (timeouts.%s) after %s", etl_steps[id].name, most,
		etl_steps[id].name, is);
}
