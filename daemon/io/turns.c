/* SPDX-License-Identifier: MIT
 *
 * Turns of the loop, by their length. Reads no clock: the loop gives the times.
 */
#include "io/turns.h"

void etld_turns_begin(struct etld_turns *turns, etl_mono now)
{
	turns->began = turns->mark = now;
	turns->most = (etl_dur){0};
	turns->most_at = "";
}

/* The time since the last mark goes to `what`, so that the pieces add up to the turn and
 * nothing in between is lost. */
void etld_turns_did(struct etld_turns *turns, const char *what, etl_mono now)
{
	etl_dur took = etl_mono_diff(now, turns->mark);

	turns->mark = now;
	if (took.us < turns->most.us)
		return;
	turns->most = took;
	turns->most_at = what;
}

/* Example: a turn of 12 ms, of which "wheel" took 1 ms, "reload" 7 ms and "control" 3 ms,
 * counts as long (ETLD_TURN_LONG), and is told as "reload" if it is the longest so far. */
void etld_turns_end(struct etld_turns *turns, etl_mono now)
{
	etl_dur took = etl_mono_diff(now, turns->began);

	turns->n++;
	turns->n_long += took.us >= ETLD_TURN_LONG.us;
	if (took.us <= turns->longest.us)
		return;
	turns->longest = took;
	turns->longest_at = turns->most_at;
}
