/* SPDX-License-Identifier: MIT
 *
 * The inside of a cron expression: sets of numbers. Read by cron.c, walked by calendar.c,
 * which describes the language. Not for others.
 */
#ifndef ETL_TIME_CRON_H
#define ETL_TIME_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define ETL_CRON_NTH_LAST 0x40 /* in `nth`: the month's last one */

struct etl_cron {
	uint64_t second, minute; /* bits 0 to 59 */
	uint64_t hour;		 /* bits 0 to 23 */
	uint64_t day;		 /* bits 1 to 31 */
	uint64_t month;		 /* bits 1 to 12 */
	uint64_t weekday;	 /* bits 0 (Sunday) to 6 */
	uint8_t nth[7];		 /* for each weekday bits 1 to 5 and ETL_CRON_NTH_LAST */
	bool day_last;		 /* L */
	bool either_day;	 /* day and weekday both restricted: one of them is enough */
	bool wild_hour;		 /* a star in the hour field */
};

/* 0, or -1 and ETL_CONFIG naming field and column; `*out` then untouched. */
int etl_cron_parse(const char *text, struct etl_cron *out, struct etl_error *err);

#endif
