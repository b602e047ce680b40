/* SPDX-License-Identifier: MIT
 *
 * `deadline: window.end + 20m`: which window of a partition is due first, and when it is late.
 * Pure; who tells it, once, is the daemon's business.
 */
#ifndef ETL_PLAN_DEADLINE_H
#define ETL_PLAN_DEADLINE_H

#include "plan/window_plan.h"

struct etl_deadline {
	struct etl_window window;
	etl_wall due; /* it has to be closed by then */
};

/* "window.end + 20m" as the length behind the window's end, > 0. False and *why (static). */
bool etl_deadline_parse(const char *text, etl_dur *out, const char **why);

/* The first window of a partition that is not closed (plan/owed.h), and its deadline. False: there is
 * none, or the job has no deadline (0), or nobody knows a watermark (ms == 0): a partition that never
 * ran misses nothing yet. */
bool etl_deadline_next(const struct etl_window_rules *rules, etl_dur deadline, etl_wall watermark,
	struct etl_deadline *out);

/* Missed from the very instant on. */
static inline bool etl_deadline_is_missed(const struct etl_deadline *d, etl_wall now)
{
	return now.ms >= d->due.ms;
}

#endif
