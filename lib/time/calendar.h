/* SPDX-License-Identifier: MIT
 *
 * When a job is due: a cron expression in a time zone, or a fixed rhythm. A calendar is a
 * pure function from an instant to the next slot; it keeps no state, looks at no clock and
 * knows nothing of jitter, misfires or runs. Immutable; any thread.
 *
 * Cron: 5 fields (minute hour day month weekday) or 6 (second first). Lists "1,3", ranges
 * "1-5", steps of a star, a range or a start ("1-30/5", "5/15"); names JAN-DEC and SUN-SAT in
 * any case; weekday 0 and 7 are Sunday; "L" as day is the last of the month; weekday "5#2" is
 * the second Friday, "5L" the last. @hourly @daily @midnight @weekly @monthly @yearly
 * @annually. Day and weekday both restricted: either matches (POSIX).
 *
 * Daylight saving: with a fixed hour field, times inside a gap fire once, at the first
 * instant after it, and times inside a fold once, at the first pass. With a wild hour field
 * (a star, stepped or not) slots follow elapsed time: both passes of a fold, nothing made
 * up after a gap.
 */
#ifndef ETL_TIME_CALENDAR_H
#define ETL_TIME_CALENDAR_H

#include <stdbool.h>

#include "base/alloc.h"
#include "base/error.h"
#include "time/clock.h"
#include "time/zone.h"

struct etl_calendar;

/* `zone` is lent and must outlive the calendar (NULL = UTC). NULL and ETL_CONFIG naming
 * field and column if the text is wrong. An expression that never matches (30 February) is
 * not an error here; etl_calendar_next says so. */
struct etl_calendar *etl_calendar_cron(const char *text, const struct etl_zone *zone,
	struct etl_error *err);

/* Instants at n * every + offset from the epoch, UTC. `every` is at least 1 s, 0 <= offset <
 * every, both whole milliseconds; else NULL and ETL_CONFIG. */
struct etl_calendar *etl_calendar_every(etl_dur every, etl_dur offset, struct etl_error *err);

/* NULL is fine. */
void etl_calendar_free(struct etl_calendar *calendar);
ETL_DEFINE_CLEANUP(struct etl_calendar *, etl_calendar_free)

/* The first slot strictly after `after`; false if there is none within 40 years. */
bool etl_calendar_next(const struct etl_calendar *calendar, etl_wall after, etl_wall *out);

#endif
