/* SPDX-License-Identifier: MIT
 *
 * What jobs with `wait_for` wait for: a collection that a producer of its own fills, late, never
 * or for a while not to be asked. With it the book of what sensors were asked and have said, and
 * its laws: nothing starts before its sensor said yes, and no slot is given up before its time
 * or waited for beyond it.
 */
#ifndef TESTS_SIM_WORLD_SENSOR_H
#define TESTS_SIM_WORLD_SENSOR_H

#include "world_conf.h"

struct etl_error;
struct etl_run_record;
struct etl_trigger;
struct etld_job;

/* ---- what jobs wait for --------------------------------------------------------------------- */

/* Nothing new comes of the job's producer until then, or it cannot be asked. */
void produce_stops(int job, int64_t until);
/* All producers are well again. */
void sensors_heal(void);
/* The newest document, as etl_mongo_newest: 1, 0 = there is none, -1. */
int sensor_answers(const char *collection, etl_wall *at, struct etl_error *err);

/* ---- the book and the laws ------------------------------------------------------------------ */

/* A process begins; a clock is set. */
void sensors_forget(const struct machine *m);
void sensors_clock_set(const struct machine *m);
/* A question goes out. While MongoDB is unreachable nothing is given up, and a machine that sleeps
 * asks nobody. */
void law_asks(const struct machine *m, const struct etld_job *job);
/* A run is to begin: a yes lets one through; manual runs and backfills ask nobody. */
void law_sensed(const struct machine *m, const struct spec *s, const struct etl_trigger *trigger);
/* The last slot of a skip; others may have been merged into it. */
void law_given_up(const struct machine *m, const struct etl_run_record *r);
void sensors_fini(void);

#endif
