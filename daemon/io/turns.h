/* SPDX-License-Identifier: MIT
 *
 * How long turns of the loop take, and what the longest was busy with: so that whatever begins to
 * block the loop is seen in the metrics. A turn lasts from the end of a sleep to the next one.
 * Pure.
 */
#ifndef ETLD_TURNS_H
#define ETLD_TURNS_H

#include "time/clock.h"

#define ETLD_TURN_LONG ETL_MS(10)

struct etld_turns {
	uint64_t n, n_long; /* that ended; of them those of ETLD_TURN_LONG and more */
	etl_dur longest; /* since the start; a machine without a free processor lengthens it too */
	const char *longest_at; /* what took most of it; static; "" = there was none yet */
	/* the turn that goes */
	etl_mono began, mark;
	etl_dur most;
	const char *most_at;
};

/* A sleep has ended, and a turn begins. */
void etld_turns_begin(struct etld_turns *turns, etl_mono now);
/* The time since the last such call, or since the beginning of the turn, was spent on `what`
 * (static). */
void etld_turns_did(struct etld_turns *turns, const char *what, etl_mono now);
/* The turn ends: counts it, and keeps it if it is the longest. */
void etld_turns_end(struct etld_turns *turns, etl_mono now);

#endif
