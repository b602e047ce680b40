/* SPDX-License-Identifier: MIT
 *
 * Zones of a configuration, each read once.
 */
#include "conf/zones.h"

#include "base/str.h"

static void free_zone(void *zone)
{
	etl_zone_free(zone);
}

const struct etl_zone *etl_conf_zone(const char *name, const struct etl_conf_env *env,
	struct etl_error *err)
{
	struct etl_conf_zone *known = env->zones ? *env->zones : NULL;
	struct etl_zone *zone;

	if (etl_streq(name, "UTC"))
		return etl_zone_utc();
	while (known && !etl_streq(etl_zone_name(known->zone), name))
		known = known->next;
	if (known)
		return known->zone;
	zone = etl_zone_load(name, err);
	if (!zone)
		return NULL;
	etl_arena_defer(env->arena, free_zone, zone);
	if (env->zones) {
		known = etl_arena_zalloc(env->arena, sizeof *known);
		*known = (struct etl_conf_zone){*env->zones, zone};
		*env->zones = known;
	}
	return zone;
}
