/* SPDX-License-Identifier: MIT
 *
 * The time zones of one configuration: each is read once, lives in its arena, and is noted, so
 * that whoever holds the configuration can tell when a file has changed since. Loader's thread;
 * the zones are immutable.
 */
#ifndef ETL_CONF_ZONES_H
#define ETL_CONF_ZONES_H

#include "base/error.h"
#include "conf/option.h"
#include "time/zone.h"

struct etl_conf_zone {
	struct etl_conf_zone *next;
	const struct etl_zone *zone;
};

/* Lends the zone as long as env->arena lives, or NULL and the error of etl_zone_load. */
const struct etl_zone *etl_conf_zone(const char *name, const struct etl_conf_env *env,
	struct etl_error *err);

#endif
