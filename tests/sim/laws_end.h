/* SPDX-License-Identifier: MIT
 *
 * The laws of the end: the faults are over, clocks are right, all that was due had its time.
 * Slots are counted by the laws' own calendars, reasons are read from the store's records, as
 * an operator would, and the target is held against the source.
 */
#ifndef TESTS_SIM_LAWS_END_H
#define TESTS_SIM_LAWS_END_H

#include "world_conf.h"

/* All of them; slots and windows that were due before `end` must have had their time. */
void laws_of_the_end(int64_t end);
/* For leases that run out, jitter, and runs that take their time. */
int64_t slack(void);
/* The last slot of the job and of all that it waits for before `end`. */
int64_t last_round(const struct spec *s, int64_t end);

#endif
