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

/* Makes `w` reach over `other` too. One that is empty reaches nowhere. */
static inline void etl_window_join(struct etl_window *w, struct etl_window other)
{
	if (other.start.ms >= other.end.ms)
		return;
	if (w->start.ms >= w->end.ms) {
		*w = other;
		return;
	}
	if (other.start.ms < w->start.ms)
		w->start = other.start;
	if (other.end.ms > w->end.ms)
		w->end = other.end;
}

static inline bool etl_window_holds(const struct etl_window *w, etl_wall t)
{
	return t.ms >= w->start.ms && t.ms < w->end.ms;
}

#endif
