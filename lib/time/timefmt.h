/* SPDX-License-Identifier: MIT
 *
 * Reads and prints times by a strptime-like format, compiled once. No locale: month and day
 * names are English. A compiled format is a plain value: immutable, any thread.
 *
 * Directives: %Y (4 digits) %y (00-68 = 2000s, 69-99 = 1900s) %m %d %H %I %M %S (2 digits)
 * %e (day, 1 or 2 digits, blank-padded) %j (3) %b %B (names, any case) %p (AM, PM)
 * %f (fraction of a second, 1 to 9 digits, cut to milliseconds) %z (+hh:mm, +hhmm, +hh, Z)
 * %Z (UTC, GMT or Z) %s (epoch seconds) %%. All other text stands for itself. Before 1970 %s is
 * the whole second below and %f counts up from it, as date(1) prints it: -2.500 is -1.5 s.
 */
#ifndef ETL_TIME_TIMEFMT_H
#define ETL_TIME_TIMEFMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "time/clock.h"

struct etl_zone;

#define ETL_TIMEFMT_MAX 127 /* bytes of a format */

struct etl_timefmt {
	uint32_t has; /* which directives occur: one bit each, see timefmt.c */
	uint16_t parts;			   /* how many of `op` are used */
	uint16_t size;			   /* bytes of every matching text, or 0 if they vary */
	char op[ETL_TIMEFMT_MAX + 1];	   /* a directive's letter, or 0 for one literal byte */
	char literal[ETL_TIMEFMT_MAX + 1]; /* that byte */
};

/* 0, or -1 and ETL_CONFIG naming the unknown directive and its column. */
int etl_timefmt_compile(const char *format, struct etl_timefmt *out, struct etl_error *err);

/* True if texts of this format name a date: %s, or a year with month and day or with the day
 * of the year (and %p beside %I). Ask it before using a format for reading: parse refuses
 * every text of an incomplete one. */
bool etl_timefmt_is_complete(const struct etl_timefmt *fmt);

/* Reads the whole of `s`. Missing time fields are 0. Without %z, %Z or %s the text is local
 * time of `zone` (NULL = UTC): in a gap the first instant after it, in a fold the first
 * pass. False, `*out` untouched, on any mismatch or a date that does not exist. */
bool etl_timefmt_parse(const struct etl_timefmt *fmt, const char *s, size_t len,
	const struct etl_zone *zone, etl_wall *out);

/* The same without a zone: `*absolute` if the text had %z, %Z or %s and `*out` is an instant,
 * else `*out` is the civil time as if it were UTC. */
bool etl_timefmt_parse_local(const struct etl_timefmt *fmt, const char *s, size_t len,
	etl_wall *out, bool *absolute);

/* Prints `t` as seen in `zone` (NULL = UTC); %z as +hhmm, %f as 3 digits, %Z as "UTC" (or
 * as %z does when the offset is not 0). The length without the NUL, or -1 if `size` is too
 * small or the year lies outside 1 to 9999. */
int etl_timefmt_print(const struct etl_timefmt *fmt, etl_wall t, const struct etl_zone *zone,
	char *out, size_t size);

#endif
