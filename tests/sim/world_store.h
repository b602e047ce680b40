/* SPDX-License-Identifier: MIT
 *
 * The store in memory, one for all machines, behind what can happen on the way to it: it is
 * away, an answer is lost after the deed is done, the process dies before or after a call.
 * Calls that succeed pass by the book.
 */
#ifndef TESTS_SIM_WORLD_STORE_H
#define TESTS_SIM_WORLD_STORE_H

struct etl_error;

/* Makes world.state, and lets go of it. */
void store_open(void);
void store_close(void);
/* Before the deed of a call, which has a name: -1 = it is not done. */
int way_there(const char *call, struct etl_error *err);

#endif
