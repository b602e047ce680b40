/* SPDX-License-Identifier: MIT
 *
 * A history: drawn from its seed, played with faults until its time is over, and then without any
 * until all that was due had its time. A law that breaks ends the process (world.h).
 */
#ifndef TESTS_SIM_HISTORY_H
#define TESTS_SIM_HISTORY_H

#include <stdint.h>

/* Adds to `counts` (laws.h). */
void play(uint64_t seed);

#endif
