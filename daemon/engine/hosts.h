/* SPDX-License-Identifier: MIT
 *
 * What the daemon remembers of the hosts that its sources ask: keeps their breakers, holds
 * and buckets in the metadata (collection sources), so that a restart does not forget that a
 * host wants to be left alone; says in the journal when a breaker opens and closes.
 * Decides nothing: that is http_gate. Loop thread.
 */
#ifndef ETLD_HOSTS_H
#define ETLD_HOSTS_H

#include <stdbool.h>

#include "state/state.h"

struct etld;
struct etld_hosts;

struct etld_hosts *etld_hosts_new(struct etld *etld); /* once there is etld->http */
void etld_hosts_free(struct etld_hosts *hosts);

/* What was read from the metadata at the first contact; each once. */
void etld_hosts_restore(struct etld_hosts *hosts, const struct etl_source_state *record);

/* All that has changed, now. */
void etld_hosts_save(struct etld_hosts *hosts);

#endif
