/* SPDX-License-Identifier: MIT
 *
 * What happens to a history: crashes, clocks, outages, slowness, operators. Each act is drawn
 * when its time comes.
 */
#ifndef TESTS_SIM_WORLD_FAULTS_H
#define TESTS_SIM_WORLD_FAULTS_H

#include "world.h"

struct etld_job;

/* Of the time with faults; a long absence moves it. */
extern int64_t history_end;

/* One act; given: 0 = drawn now, else machine and kind of one that lay in wait for a run
 * (ACTS * (index + 1) + kind + 1). */
void act(int64_t given);

/* What histories do besides their acts. */
void start_later(struct machine *m, int64_t wait);
void step_clock(struct machine *m, int64_t off);
/* from: resumed as of then; 0 = of now. */
void set_paused(struct machine *m, struct etld_job *job, bool pause, int64_t from);
/* While a process was not there, jobs have come back that had left. */
void edit_unseen(void);
void reload(struct machine *m);

#endif
