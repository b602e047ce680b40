/* SPDX-License-Identifier: MIT
 *
 * The manager's life: made in order, run until it has stopped, freed in reverse. The thread that
 * calls is the loop's.
 */
#ifndef ETLD_ETLD_H
#define ETLD_ETLD_H

#include "config/generation.h"
#include "engine/engine.h"

/* Takes the generation, in any case. The clock is lent. NULL on error. */
struct etld *etld_new(struct etld_generation *generation, const struct etl_clock *clock,
	struct etl_error *err);
void etld_run(struct etld *etld); /* until it has stopped */
void etld_free(struct etld *etld); /* NULL is fine */
void etld_drain(struct etld *etld); /* what SIGTERM does */

#endif
