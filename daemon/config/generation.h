/* SPDX-License-Identifier: MIT
 *
 * One loaded configuration: settings and jobs, read by the one loader that start, reload and
 * `etld --check` share. Immutable. Counted: a run keeps the generation that it began with.
 */
#ifndef ETLD_GENERATION_H
#define ETLD_GENERATION_H

#include <stdatomic.h>

#include "base/buf.h"
#include "conf/secret.h"
#include "conf/zones.h"
#include "config/settings.h"
#include "job/job.h"

struct etld_generation {
	int64_t number; /* from 1; set by whoever swaps it in */
	etl_wall loaded;
	char *path;
	struct etld_settings settings;
	struct etl_job **jobs; /* sorted by name */
	size_t n_jobs;
	size_t n_left_out; /* of them: wrong ones, which never run */

	struct etl_arena *arena;
	struct etl_secrets *secrets;
	struct etl_conf_zone *zones; /* all that were read for it, in no order */
	unsigned refs; /* once it was handed to the loop: loop thread only */
};

/* Reads `path` and the job files that it names; what is to be said of them goes to `diag`. NULL if
 * anything is wrong. Looked at before each job file, `stop` ends it: NULL comes back, and nobody
 * wants to know why. It may be NULL. Any thread: what is made belongs to the caller alone. */
struct etld_generation *etld_generation_load(const char *path, const atomic_bool *stop,
	struct etl_diag *diag);

/* The same, but only errors that are no job's own give NULL: a job that is wrong is left out
 * (`left_out` in job.h), so that one file does not keep all the others from running. */
struct etld_generation *etld_generation_start(const char *path, struct etl_diag *diag);

/* The same as load, for a look alone. Outside of the daemon's unit what only the unit hands over is
 * a note and no error, and a job that needs it cannot be run. */
struct etld_generation *etld_generation_check(const char *path, struct etl_diag *diag);

struct etld_generation *etld_generation_ref(struct etld_generation *generation);
void etld_generation_unref(struct etld_generation *generation); /* NULL is fine */

const struct etl_job *etld_generation_job(const struct etld_generation *generation,
	const char *name);

#endif
