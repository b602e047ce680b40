/* SPDX-License-Identifier: MIT
 *
 * A machine runs the real daemon: daemon/ but for loop, pool, http, journal, notify,
 * instance and control, whose places these take. No descriptor, no thread: a worker's work is
 * one event, its way back to the loop another; an answer of a source is two.
 */
#ifndef TESTS_SIM_WORLD_ETLD_H
#define TESTS_SIM_WORLD_ETLD_H

#include "world.h"

/* The process begins, by its machine's clock. */
void machine_start(struct machine *m);
/* Work, its way back, or an answer: events of the process itself. */
void machine_event(struct machine *m, const struct event *event);
/* The kernel tells the process that its clock was set. */
void machine_clock_set(struct machine *m);
/* The process is gone, and what it still does reaches nobody: its runs are cancelled and its
 * events played without a store, so that its memory comes back. */
void machine_drop(struct machine *m);

#endif
