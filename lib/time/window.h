/* SPDX-License-Identifier: MIT
 *
 * The half-open interval of event time [start, end): unit of loading, repair and commit.
 */
#ifndef ETL_TIME_WINDOW_H
#define ETL_TIME_WINDOW_H

#include <stdbool.h>

#include "time/clock.h"

struct etl_window {
	etl_wall start; /* inclusive */
	etl_wall end;	/* exclusive */
};

static inline bool etl_window_holds(const struct etl_window *w, etl_wall t)
{
	return t.ms >= w->start.ms && t.ms < w->end.ms;
}

#endif
