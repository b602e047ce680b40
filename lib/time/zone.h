/* SPDX-License-Identifier: MIT
 *
 * IANA time zones from compiled TZif files (RFC 8536, versions 1 to 4), read by ourselves:
 * several zones in one process, no environment, no global state. A zone is immutable once
 * made and may be shared between threads. Leap seconds are ignored (POSIX time).
 */
#ifndef ETL_TIME_ZONE_H
#define ETL_TIME_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"
#include "time/clock.h"

struct etl_zone;

/* The zone "UTC": static, needs no file, is not freed (etl_zone_free ignores it). */
const struct etl_zone *etl_zone_utc(void);

/* Reads /usr/share/zoneinfo/NAME. "UTC" works without files. The name is relative, at most
 * 63 bytes of [A-Za-z0-9_+-] in parts divided by '/', without dots. Gives the zone, or NULL
 * and ETL_CONFIG (no such zone, bad name; with a "did you mean" where the zone files
 * came with their list of names, tzdata.zi) or ETL_DATA (the file is damaged). Blocks on a
 * small file: at load, not in the loop. */
struct etl_zone *etl_zone_load(const char *name, struct etl_error *err);

/* The same from memory: `data` is the whole TZif file. ETL_DATA if damaged. */
struct etl_zone *etl_zone_parse(const void *data, size_t len, const char *name,
	struct etl_error *err);

/* NULL is fine. */
void etl_zone_free(struct etl_zone *zone);
ETL_DEFINE_CLEANUP(struct etl_zone *, etl_zone_free)

const char *etl_zone_name(const struct etl_zone *zone);

/* Of the file that it was made from; 0 for UTC. Two zones that differ in it are not the same. */
uint64_t etl_zone_digest(const struct etl_zone *zone);

/* Where a look-up of the file for `name` passes, as it is now: through links, up to a name that
 * is missing. Whatever leads to another file puts, moves or removes `entry` in one of these
 * folders. */
typedef void (*etl_place_fn)(void *ctx, const char *folder, const char *entry);
void etl_zone_places(const char *name, etl_place_fn place, void *ctx);

/* Seconds east of Greenwich in force at `utc`; `dst` (may be NULL) says if it is daylight
 * saving time. Total: works for any instant. */
int32_t etl_zone_offset(const struct etl_zone *zone, etl_wall utc, bool *dst);

enum etl_local {
	ETL_LOCAL_UNIQUE, /* one instant: first == second */
	ETL_LOCAL_GAP,  /* the clock jumped over it: both are the first instant after the gap */
	ETL_LOCAL_FOLD, /* the clock showed it twice: both passes */
};

/* The instants at which a clock on the wall shows `local_seconds` (civil seconds since
 * 1970-01-01T00:00:00, see etl_civil_seconds). */
enum etl_local etl_zone_to_utc(const struct etl_zone *zone, int64_t local_seconds,
	etl_wall *first, etl_wall *second);

/* A time as people type it (civil.h); one without a zone is of this zone, UTC if NULL. A date is its
 * first instant. */
bool etl_zone_time_parse(const struct etl_zone *zone, const char *text, etl_wall *out);

/* What the clocks show as the date, "2026-10-25". */
#define ETL_DATE_TEXT_BYTES 16
void etl_zone_date(const struct etl_zone *zone, etl_wall t, char out[ETL_DATE_TEXT_BYTES]);

/* The first instant strictly after `after` at which the offset from UTC changes; false if
 * none comes before the year 9999. */
bool etl_zone_next_transition(const struct etl_zone *zone, etl_wall after, etl_wall *at);

#endif
