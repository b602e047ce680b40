/* SPDX-License-Identifier: MIT
 *
 * MongoDB there or not, and the state store. What is known of it stands in struct etld. Loop
 * thread.
 */
#ifndef ETLD_BACKEND_H
#define ETLD_BACKEND_H

#include "engine/engine.h"
#include "state/state.h"

/* What a look at MongoDB that found it brings home. */
struct etld_found {
	bool first; /* hosts were read too, and slots count */
	struct etld_picture *picture;
	struct etl_source_state *hosts;
	size_t n_hosts;
};

int etld_backend_open(struct etld *etld, struct etl_error *err);
void etld_backend_close(struct etld *etld);

/* Looks for MongoDB, now and with growing pauses until it is there. */
void etld_backend_connect(struct etld *etld);
/* No look any more, but for one that is on its way. */
void etld_backend_drain(struct etld *etld);
bool etld_backend_is_busy(const struct etld *etld); /* a look is on its way */

/* For whoever was refused by it: `err` says that it cannot be reached (etl_store_is_unreachable).
 */
void etld_backend_lost(struct etld *etld, const struct etl_error *err);

/* Why MongoDB cannot be asked now, for people. Lent until the next look at it. */
const char *etld_mongodb_reason(const struct etld *etld);

#endif
