/* SPDX-License-Identifier: MIT
 *
 * ISO 8601 in all its ways of writing a date with a time: extended and basic, calendar, week
 * (2026-W47-5) and ordinal dates (2026-324), reduced (2026-11, 2026-W47, 10:00, 10), fractions
 * of the last part with point or comma, 24:00, and offsets as Z, +hh, +hhmm, +hh:mm. Also the
 * blank of RFC 3339 for the T, one blank before the offset, and a true minus sign (U+2212). A
 * year alone is not taken: it may as well be a number. No state; any thread.
 */
#ifndef ETL_TIME_ISO8601_H
#define ETL_TIME_ISO8601_H

#include <stdbool.h>
#include <stddef.h>

#include "time/clock.h"

struct etl_iso8601 {
	etl_wall local; /* the civil time as if it were UTC; fractions are cut to milliseconds */
	bool has_offset, has_time;
	int offset; /* seconds east, if has_offset: UTC = local - offset */
};

/* Reads the whole of `s`. False, `*out` untouched, if it is none, or no time that exists. A leap
 * second (23:59:60) is the next second. */
bool etl_iso8601_parse(const char *s, size_t len, struct etl_iso8601 *out);

#endif
