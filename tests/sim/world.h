/* SPDX-License-Identifier: MIT
 *
 * The world of a history: true time, two machines with clocks of their own, events in order of
 * time, dice, and what happened last in words. Everything comes from one 64-bit number. Knows
 * nothing of jobs, stores and laws: the other files (world_*.c, laws.c) build on it.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "time/clock.h"

struct etl_state;
struct etl_wheel;
struct etld;

/* Times are milliseconds since 1970, lengths milliseconds. */
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define NEVER INT64_MAX

#define MACHINES 2
#define JOBS 4
#define STATIONS 2
#ifndef LOG_LINES
#define LOG_LINES 60 /* told when a law breaks */
#endif
#define LOG_BYTES 240
#define ACTS 16 /* kinds of acts: world_faults.c */

/* A machine and the etld on it. Its clock is true time plus an error that faults set. */
struct machine {
	struct etl_clock clock; /* first: a pointer to it is the clock */
	int index;
	int64_t off;   /* its wall clock less true time */
	char host[8];
	unsigned boot, life; /* of the machine; of the process on it, from 1 */
	struct etld *etld;   /* NULL: no process */
	struct etl_wheel *wheel;
	bool dead;     /* the process has ended inside of this event: nothing of it counts */
	bool stopped;  /* its loop has ended by itself */
	bool starts;   /* a start is on its way */
	int64_t asleep_until; /* suspended; 0 = not */
	int64_t quiet_wall; /* its clock when it last had done all that it had to do */
	int64_t away_until; /* it alone does not reach the store */
	int64_t fit_since;  /* it has been up, awake, and left as it is by operators */
	int64_t cut_off;    /* when it last was without the store, or asleep */
	const char *crash_at; /* in such a store call the process dies; NULL = in any */
	int crash_in;	    /* such calls until it does; 0 = none */
	bool crash_after;   /* ... after the call has been done */
	bool paused[JOBS];  /* by an operator, as this machine knows it */
	int64_t resumed[JOBS]; /* slots up to here stay skipped; 0 = none */
	int64_t before[JOBS]; /* slots up to here were decided before the last reload */
	int64_t restart_in; /* after a crash that a store call brings */
};

enum event_kind { EVENT_WORK, EVENT_DONE, EVENT_ANSWER, EVENT_ACT, EVENT_RELOAD, EVENT_START,
	EVENT_WAKE };

struct event {
	int64_t at;
	uint64_t order;
	enum event_kind kind;
	struct machine *machine; /* whose event it is; NULL = the world's */
	void *what;
};

/* How a history is played; drawn once. */
struct mood {
	bool transactions; /* the store has them */
	bool changes;	   /* the source rewrites what it told */
	bool clocks;	   /* clocks are wrong at times */
	bool losses;	   /* answers of the store get lost */
	bool two;	   /* a second machine with the same jobs */
	bool edits, backfills;
	bool sensors;	   /* some jobs wait for something */
	bool full;	   /* some jobs have no windows: each run reads all */
	bool managed;	   /* backfills are begun and cancelled as operators do */
	bool deadlines;	   /* some jobs promise their windows by a time */
	int64_t unit;	   /* the shortest period */
	unsigned max_active;
};

struct world {
	uint64_t seed, random;
	int64_t now, begin; /* true time */
	bool faults;	    /* still on */
	struct mood mood;
	struct machine machines[MACHINES];
	struct machine *acting; /* whose event goes on */

	struct event *heap;
	size_t n_heap, heap_cap;
	uint64_t order;
	uint64_t events, standing; /* in all; since time moved */

	struct etl_state *state; /* one store for all */
	const struct etl_state_ops *bare; /* its calls, past all faults on their way and past the laws */
	int64_t away_until, lossy_until, slow_until; /* the store: away, loses answers, is slow */
	int64_t no_renewal_until; /* it keeps no lease alive */
	int64_t source_down_until, source_slow_until, source_mad_until;
	int64_t ambush;	     /* an act that waits for the next run, from 1; 0 = none */
	int64_t ahead_until; /* the last moment at which a clock was more than a day ahead */

	char log[LOG_LINES][LOG_BYTES];
	size_t n_log;
	uint64_t digest; /* of all that was told */
};

extern struct world world;

/* What the world itself does to the store's documents. Needs state/state.h. */
#define BARE(call)                                                                              \
	({                                                                                      \
		const struct etl_state_ops *ops_ = world.state->ops;                            \
                                                                                                \
		world.state->ops = world.bare;                                                  \
		(call);                                                                         \
		world.state->ops = ops_;                                                        \
	})

/* ---- dice: thrown in the same order, they give the same history ----------------------------- */

void seed_dice(uint64_t seed);
uint64_t dice(void);
/* From 0 to n - 1, n > 0. */
int64_t roll(int64_t n);
/* From low to high, both of them included. */
int64_t between(int64_t low, int64_t high);
bool one_in(int64_t n);

/* ---- what happened -------------------------------------------------------------------------- */

/* RFC 3339; good until eight more were asked for. */
const char *time_text(int64_t ms);
void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A law does not hold: prints the last events, the law, what is wrong and the seed. Ends the
 * process. */
void broken(const char *law, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

/* ---- clocks --------------------------------------------------------------------------------- */

int64_t wall_of(const struct machine *m);
/* What a machine's process reads: its own wall clock, and how long the world has gone on. */
etl_wall machine_wall(const struct etl_clock *clock);
etl_mono world_mono(const struct etl_clock *clock);
extern const struct etl_clock true_clock;
/* Keeps ahead_until: to be asked whenever time or a clock has moved. */
void note_clocks(void);

/* ---- events in order of time ---------------------------------------------------------------- */

void push(int64_t at, enum event_kind kind, struct machine *m, void *what);
/* The same event once more, with its own place among those of its time. */
void push_event(const struct event *event);
/* There has to be one. */
struct event pop_event(void);
/* Takes one event of a process that is no more; false if there is none. */
bool take_event_of(const struct machine *m, struct event *out);

#endif
