/* SPDX-License-Identifier: MIT
 *
 * How long to wait before trying again. A pure function; any thread.
 */
#ifndef ETL_TIME_BACKOFF_H
#define ETL_TIME_BACKOFF_H

#include <stdint.h>

#include "time/clock.h"

/* Capped exponential backoff with jitter: a whole of min(cap, base * 2^(attempt - 1)), of
 * which `random` (any 64 bits) picks a length between the half and the whole. `attempt`
 * counts from 1 (0 is taken as 1); base and cap > 0. Result > 0 and <= cap. */
etl_dur etl_backoff(unsigned attempt, etl_dur base, etl_dur cap, uint64_t random);

/* Before a transaction is tried again: 5 ms growing to 500 ms, the transactions specification's own
 * figures. */
static inline etl_dur etl_backoff_transaction(unsigned attempt, uint64_t random)
{
	return etl_backoff(attempt, ETL_MS(5), ETL_MS(500), random);
}

#endif
