/* SPDX-License-Identifier: MIT
 *
 * Calendar arithmetic of the proleptic Gregorian calendar, years 1 to 9999, without the C
 * library (whose answers depend on environment and locale). Knows UTC and fixed offsets;
 * zones are in zone.h. Any thread.
 */
#ifndef ETL_TIME_CIVIL_H
#define ETL_TIME_CIVIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "time/clock.h"

struct etl_civil {
	int year;   /* 1 to 9999 */
	int month;  /* 1 to 12 */
	int day;    /* 1 to 31 */
	int hour;   /* 0 to 23 */
	int minute; /* 0 to 59 */
	int second; /* 0 to 59: POSIX time has no leap seconds */
	int ms;	    /* 0 to 999 */
};

#define ETL_CIVIL_YEAR_MIN 1
#define ETL_CIVIL_YEAR_MAX 9999
#define ETL_CIVIL_SECONDS_MIN INT64_C(-62135596800) /* 0001-01-01T00:00:00 */
#define ETL_CIVIL_SECONDS_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59 */

/* Days since 1970-01-01. Month 1 to 12; day may lie outside the month and then counts on. */
int64_t etl_civil_days(int64_t year, int month, int day);

/* The date of a day number; any day of years 1 to 9999. */
void etl_civil_from_days(int64_t days, int *year, int *month, int *day);

/* 0 = Sunday to 6 = Saturday. */
int etl_civil_weekday(int64_t days);

bool etl_civil_is_leap(int64_t year);
int etl_civil_month_days(int64_t year, int month); /* 28 to 31 */

/* True if every field is in its range and the day exists in its month. */
bool etl_civil_is_valid(const struct etl_civil *c);

/* Seconds since the epoch of these fields read as if they were UTC; ms is left out. */
int64_t etl_civil_seconds(const struct etl_civil *c);
/* Back; seconds beyond years 1 to 9999 are clamped to the edge. ms becomes 0. */
void etl_civil_from_seconds(int64_t seconds, struct etl_civil *c);

etl_wall etl_civil_to_utc(const struct etl_civil *c);
void etl_civil_from_utc(etl_wall t, struct etl_civil *c);

/* Floor division: seconds since the epoch and the milliseconds left over (0 to 999). */
static inline int64_t etl_wall_seconds(etl_wall t)
{
	return t.ms / 1000 - (t.ms % 1000 < 0);
}
static inline int etl_wall_ms_part(etl_wall t)
{
	return (int)(t.ms % 1000 + (t.ms % 1000 < 0 ? 1000 : 0));
}

/* True within years 1 to 9999 UTC: what a text can name, and what bears a sum with any length
 * of time in a configuration without overflow. A BSON date may lie far beyond. */
static inline bool etl_wall_is_civil(etl_wall t)
{
	return t.ms >= ETL_CIVIL_SECONDS_MIN * 1000 &&
	       t.ms <= ETL_CIVIL_SECONDS_MAX * 1000 + 999;
}

/* RFC 3339 section 5.6: "2026-11-22T15:00:00Z", "...T15:00:00.25+01:00". The zone is
 * required; 'T' and 'Z' in either case, a space may stand for 'T'. A fraction of 1 to 9
 * digits is cut to milliseconds; second 60 is refused. The whole of `s` must match. */
bool etl_time_parse_rfc3339(const char *s, size_t len, etl_wall *out);

/* "YYYY-MM-DD": midnight UTC. */
bool etl_time_parse_date(const char *s, size_t len, etl_wall *out);

/* A time as people type it: "2026-07-01", "2026-07-01T10:00Z" (no seconds), RFC 3339; without a
 * zone it is UTC. */
bool etl_time_parse(const char *text, etl_wall *out);
/* Only those without a zone, read as if they were UTC; false if the text has one. */
bool etl_time_parse_zoneless(const char *text, etl_wall *out);

/* "2026-11-22T15:00:00Z"; ".mmm" before the Z only if the milliseconds are not 0. A time
 * beyond years 1 to 9999 is clamped to the edge. */
#define ETL_TIME_TEXT_BYTES 32
void etl_time_format_rfc3339(etl_wall t, char out[ETL_TIME_TEXT_BYTES]);

#endif
