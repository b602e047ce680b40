/* SPDX-License-Identifier: MIT
 *
 * Capped exponential backoff with jitter.
 *
 * Why jitter: clients that failed together would otherwise come back together. Why
 * never below half: a wait of nearly nothing is no wait. Example, base 30 s and cap 15
 * min: the waits lie within 15-30 s, 30-60 s, 1-2 min, 2-4 min, 4-8 min, 7.5-15 min,
 * and stay there.
 */
#include "time/backoff.h"

#include <assert.h>

etl_dur etl_backoff(unsigned attempt, etl_dur base, etl_dur cap, uint64_t random)
{
	int64_t whole = base.us < cap.us ? base.us : cap.us;
	int64_t half;

	assert(base.us > 0 && cap.us > 0);
	/* The loop stops at the cap, so the attempt's number may be any; doubling never
	 * overflows, because what is above half of the cap becomes the cap. */
	for (unsigned i = 1; i < attempt && whole < cap.us; i++)
		whole = whole > cap.us / 2 ? cap.us : whole * 2;
	half = whole - whole / 2;
	return (etl_dur){half + (int64_t)(random % (uint64_t)(whole - half + 1))};
}
