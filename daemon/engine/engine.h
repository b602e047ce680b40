/* SPDX-License-Identifier: MIT
 *
 * The one manager object: everything the daemon owns hangs here, nothing is global. What the parts
 * do is in their own headers. All of it belongs to the loop thread; workers see tasks, runs and
 * strands only.
 */
#ifndef ETLD_ENGINE_H
#define ETLD_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/access.h"
#include "time/clock.h"

struct etld;
struct etl_mongo_topology;
struct etl_run_env;
struct etld_found;
struct etld_run;

/* News that parts of the engine give on the loop; news.c carries them on. */
struct etld_news {
	/* backend.c: MongoDB is there, and this was read (lent) */
	void (*up)(struct etld *etld, const struct etld_found *found);
	/* backend.c: MongoDB cannot be reached, or not be used */
	void (*down)(struct etld *etld);
	/* runs.c: the run has ended; all of it is still there */
	void (*ended)(struct etld *etld, struct etld_run *run);
	/* anybody: something of what status tells, or of what a stopping etld waits for */
	void (*changed)(struct etld *etld);
};

struct etld {
	const struct etl_clock *clock;
	const struct etld_news *news;
	struct etld_loop *loop;
	struct etld_pool *pool;
	struct etld_pool *lease_pool; /* one thread: renewals wait for nothing else */
	struct etld_pool *load_pool; /* one thread: workers may be busy while MongoDB is slow */
	struct etld_shares *shares;   /* of limits.memory */
	struct etld_reloads *reloads;
	const struct etld_reload_hands *reload; /* for methods: methods/reloading.h */
	struct etld_http *http;
	struct etld_hosts *hosts;
	struct etld_control *control;
	struct etld_access access; /* by the configuration in force */
	struct etld_zones *zones;
	struct etld_generation *generation;
	char *config_path;
	char *config_error; /* the last reload's first error, or NULL */
	bool reloading;	    /* a configuration is being read */
	etl_wall started;
	etl_mono began;
	char host[80];
	char holder[160];

	/* MongoDB: backend.c writes these */
	struct etld_backend *backend;
	const char *database; /* name, as it was at the start */
	struct etl_mongo *mongo;
	struct etl_state *state;
	const struct etl_run_env *run_env;
	const struct etl_mongo_topology *topology; /* zeroed before the first answer */
	bool mongodb_up, mongodb_tried;
	char mongodb_reason[ETL_ERROR_MESSAGE_MAX];
	/* while it is unreachable: since when; the next look */
	etl_wall mongodb_since, mongodb_next;

	/* jobs and runs */
	struct etld_job *jobs; /* hash by name: jobs.h */
	bool marks_known;      /* their watermarks and pauses were read once */
	uint64_t changes;      /* counts what readings of the store are held against: picture.h */
	struct etld_run *runs; /* list of those that are alive */
	struct etl_sched *sched;
	struct etld_backfills *backfills;
	struct etld_looks *looks;	/* picture.c */
	struct etld_walk *walks;	/* all; some of them wait for their turn */
	struct etld_walk *deadlines;	/* of them: the look at all deadlines; NULL = none goes */
	struct etld_outbox *outbox;	/* what is to be stored */
	struct etld_counters *counters;
	struct etld_request *asked;	 /* that a worker has, or that wait for one: methods/request.h */
	struct etld_pause_order *pauses; /* that somebody waits for until the store has them */

	bool draining;
};

#endif
