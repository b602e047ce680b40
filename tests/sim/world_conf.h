/* SPDX-License-Identifier: MIT
 *
 * The jobs of a history as they are configured. What the laws need to know of them is kept here
 * too, apart from the engine: when which schedule was in force.
 */
#ifndef TESTS_SIM_WORLD_CONF_H
#define TESTS_SIM_WORLD_CONF_H

#include "time/grid.h"
#include "world.h"

struct etl_calendar;

/* Four of each unit, the shortest units first. */
#define UNITS 6
#define SCHEDULES (4 * UNITS)
struct schedule {
	int64_t unit;
	const char *yaml;
};
extern const struct schedule schedules[SCHEDULES];
extern const char *const misfires[4], *const overlaps[3];

/* A time for which a job had one schedule. Machines take up a change one after the other. */
struct interval {
	int schedule;
	int64_t from, to; /* as the operator wanted it; NEVER = it goes on */
	int64_t known;	  /* all processes had it from here on */
	int64_t let_go;	  /* none had it any more */
	int64_t heard;	  /* the slot from which the store knows of it; 0 = it does not yet */
	int64_t heard_at;
	int64_t wall;  /* the furthest clock by which slots count from now on */
	int64_t last_wall; /* the clock furthest behind by which they end */
	bool removed;	  /* it ended because the job left the configuration, */
	bool retired;	  /* and the store has heard of that */
	struct etl_calendar *calendar;
	struct etl_zone *zone;
};

/* A job as its operator wants it now. */
struct spec {
	char name[8];
	bool there;
	int schedule; /* -1: only after another */
	int misfire, overlap;
	int64_t jitter; /* seconds */
	int stations;
	int64_t size, settle, lookback; /* of its windows; with a zone so many local days */
	int64_t start;
	const struct etl_zone *zone; /* whose days they are; NULL = of fixed length */
	struct etl_grid grid;	     /* size, start and zone */
	int64_t reread; /* how often; 0 = never */
	int span;	/* windows of one request */
	int up;		/* the job that it waits for; -1 = none */
	int64_t timeout;
	int64_t newer_than, poke, patience; /* what it waits for; newer_than == 0: nothing */
	bool full; /* window: none; size and start are only the grid of the source's rows */
	int64_t deadline; /* its windows are promised so long after their end; 0 = not */

	struct interval *intervals;
	size_t n_intervals, intervals_cap;
};

struct conf {
	struct spec specs[JOBS];
	int n;
	unsigned version;	    /* grows with each edit */
	unsigned taken[MACHINES]; /* the version that a machine's process has */
};extern struct conf conf;

/* One of those that jobs with local days may have. */
const struct etl_zone *local_zone(unsigned i);
/* No window of the job is longer. */
int64_t longest_of(const struct spec *s);
/* The end of the window that begins there. */
int64_t end_of(const struct spec *s, int64_t start);

/* From its name: "a" is 0. */
int job_index(const char *name);
/* Of its schedule, or of the one that it comes after. */
int64_t period_of(const struct spec *spec);
/* Runs may be longer than the shortest periods: leases are held, slots overlap. */
bool is_dense(void);
/* cancel_running where runs are longer than the period never comes to an end. */
int draw_overlap(void);

/* ---- which schedule was in force ------------------------------------------------------------ */

/* From now on, as the operator wants it. */
void open_interval(struct spec *s);
void close_interval(struct spec *s, bool removed);
/* If all processes have the newest version, nobody acts by an older one any more. */
void settle_intervals(void);
/* A machine's process has taken up what is configured now. */
void taken_up(const struct machine *m);
/* The store has heard of the job's slots: before this nobody could have told it. */
void heard_of(struct spec *s, int64_t slot);
void heard_of_removal(struct spec *s);
void conf_fini(void);

#endif
