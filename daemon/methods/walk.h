/* SPDX-License-Identifier: MIT
 *
 * A look at all jobs in pieces (engine/walk.h) that answers a request. Loop thread.
 */
#ifndef ETLD_WALK_H
#define ETLD_WALK_H

#include "doors/control.h"
#include "engine/walk.h"

/* Takes both; `end` is given the request. It ends early when the client goes. */
void etld_walk_start(struct etld_walk *walk, struct etld_request *request);
/* One that goes on without a client. Takes it. */
static inline void etld_walk_own(struct etld_walk *walk, struct etld *etld)
{
	etld_walk_begin(walk, etld, NULL);
}

#endif
