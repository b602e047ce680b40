/* SPDX-License-Identifier: MIT
 *
 * Time-zone files that change under a running daemon: watched, and told when they are not what was
 * read any more. Loop thread; a pool reads the files.
 */
#ifndef ETLD_ZONES_H
#define ETLD_ZONES_H

#include "conf/zones.h"
#include "io/loop.h"
#include "io/pool.h"

struct etld_zones;

/* All lent. `changed` is called on the loop when it has become quiet after a change: the
 * configuration is to be taken up again. */
struct etld_zones *etld_zones_new(struct etld_loop *loop, const struct etl_clock *clock,
	struct etld_pool *pool, void (*changed)(void *ctx), void *ctx);
/* Watches the files of these zones, as they were read, instead of those before; the files are
 * looked at once more at once. */
void etld_zones_watch(struct etld_zones *zones, const struct etl_conf_zone *list);
/* `changed` is not called any more. */
void etld_zones_stop(struct etld_zones *zones);
void etld_zones_free(struct etld_zones *zones); /* the pool is gone; NULL is fine */

#endif
