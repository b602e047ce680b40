/* SPDX-License-Identifier: MIT
 *
 * Zones of a configuration, each read once.
 *
 * A list and no table: a configuration has one or two zones, a thousand jobs share
 * them.
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

	/* UTC has no file that could change, and no rules to load. */
	if (etl_streq(name, "UTC"))
		return etl_zone_utc();
	/* Links are two names of one zone ("Asia/Calcutta", "Asia/Kolkata") and stay
	 * two here: an operator is told of the name that the file says. */
	while (known && !etl_streq(etl_zone_name(known->zone), name))
		known = known->next;
	if (known)
		return known->zone;
	zone = etl_zone_load(name, err);
	if (!zone)
		return NULL;
	/* The zone is the heap's; it goes with the arena of its generation, after every
	 * job that uses it. */
	etl_arena_defer(env->arena, free_zone, zone);
	if (env->zones) {
		known = etl_arena_zalloc(env->arena, sizeof *known);
		*known = (struct etl_conf_zone){*env->zones, zone};
		*env->zones = known;
	}
	return zone;
}
