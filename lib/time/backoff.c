/* SPDX-License-Identifier: MIT
 *
 * Capped exponential backoff with jitter.
 */
#include "time/backoff.h"

#include <assert.h>

etl_dur etl_backoff(unsigned attempt, etl_dur base, etl_dur cap, uint64_t random)
{
	int64_t whole = base.us < cap.us ? base.us : cap.us;
	int64_t half;

	assert(base.us > 0 && cap.us > 0);
	for (unsigned i = 1; i < attempt && whole < cap.us; i++)
		whole = whole > cap.us / 2 ? cap.us : whole * 2;
	half = whole - whole / 2;
	return (etl_dur){half + (int64_t)(random % (uint64_t)(whole - half + 1))};
}
