/* SPDX-License-Identifier: MIT
 *
 * The inside of a zone, shared by zone.c (questions), zone_tzif.c (file format) and
 * zone_rule.c (POSIX rules). Not for others.
 *
 * A zone is one sorted table of steps. A rule for the future is spelled out for a little
 * over 400 years when the zone is made; the Gregorian calendar repeats itself exactly after
 * that time, weekdays too, so that later instants are looked up 400 years earlier.
 */
#ifndef ETL_TIME_ZONE_INTERNAL_H
#define ETL_TIME_ZONE_INTERNAL_H

#include "time/zone.h"

#define ETL_ZONE_FOLDER "/usr/share/zoneinfo"
#define ETL_ZONE_NAME_MAX 63
#define ETL_ZONE_OFFSET_MAX 93599 /* seconds; RFC 8536 section 3.2, both ways */
#define ETL_ZONE_CYCLE (INT64_C(146097) * 86400)

struct etl_zone_step {
	int64_t at; /* seconds since the epoch: from here on */
	int32_t offset;
	bool dst;
};

struct etl_zone {
	char name[ETL_ZONE_NAME_MAX + 1];
	uint64_t digest; /* of the file */
	struct etl_zone_step *steps; /* ascending */
	size_t count, cap;
	struct etl_zone_step before; /* in force before the first step */
	bool cyclic;		     /* a rule repeats from `base` on */
	bool cyclic_past;	     /* and before it too */
	int64_t base;		     /* seconds; the cycle is [base, base + ETL_ZONE_CYCLE) */
};

/* Appends; a step that changes nothing is left out. */
void etl_zone_add_step(struct etl_zone *zone, int64_t at, int32_t offset, bool dst);

/* Reads a TZif file into an empty zone. */
int etl_zone_read_tzif(struct etl_zone *zone, const unsigned char *data, size_t len,
	struct etl_error *err);

/* etl_zone_places for an absolute path. */
void etl_zone_walk(const char *path, etl_place_fn place, void *ctx);

/* Reads a POSIX TZ text (RFC 8536 section 3.3 with the extension of version 3) and adds its
 * steps behind those that are there. False if the text is wrong. */
bool etl_zone_add_rule(struct etl_zone *zone, const char *text, size_t len);

/* The name in `list`, a file like tzdata.zi, that `name` was probably meant to be: 3 edits or
 * fewer, else the same city. False if there is none or no such file. Reads the file each time:
 * for the way to an error. */
bool etl_zone_nearest(const char *name, const char *list, char out[ETL_ZONE_NAME_MAX + 1]);

#endif
