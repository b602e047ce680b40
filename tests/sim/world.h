/* SPDX-License-Identifier: MIT
 *
 * The world of a history: true time, two machines with clocks of their own, events in order of
 * time, dice, and what happened last in words. Everything comes from one 64-bit number.
 * Header only; the others (world_*.h, laws.h) build on it.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/deadline.h"
#include "engine/runs.h"
#include "engine/runs_watch.h"
#include "engine/picture.h"
#include "engine/sched.h"
#include "engine/sense.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/pool.h"
#include "mongo/mongo.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "time/civil.h"

#define MACHINES 2
#define JOBS 4
#define STATIONS 2
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define NEVER INT64_MAX
#ifndef LOG_LINES
#define LOG_LINES 60
#endif
#define LOG_BYTES 240
#define ACTS 16 /* see world_faults.h */

/* A machine and the etld on it. Its clock is true time plus an error that faults set. */
struct machine {
	struct etl_clock clock; /* first: a pointer to it is the clock */
	int index;
	int64_t off;   /* its wall clock less true time */
	char host[8];
	unsigned boot, life; /* of the machine; of the process on it, from 1 */
	struct etld *etld;   /* NULL: no process */
	struct etl_wheel *wheel;
	bool wanted;   /* it should be up: a crash is followed by a start */
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

static struct world {
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
	int64_t away_until, lossy_until, slow_until; /* the store: away, loses answers, is slow */
	int64_t no_renewal_until; /* it keeps no lease alive */
	int64_t source_down_until, source_slow_until, source_mad_until;
	int64_t ambush;	     /* an act that waits for the next run, from 1; 0 = none */
	int64_t ahead_until; /* the last moment at which a clock was more than a day ahead */

	char log[LOG_LINES][LOG_BYTES];
	size_t n_log;
} w;

/* ---- dice ---------------------------------------------------------------------------------- */

static inline uint64_t dice(void)
{
	w.random ^= w.random >> 12;
	w.random ^= w.random << 25;
	w.random ^= w.random >> 27;
	return w.random * UINT64_C(2685821657736338717);
}

/* Below n > 0. */
static inline int64_t roll(int64_t n)
{
	return (int64_t)(dice() % (uint64_t)n);
}

static inline bool one_in(int64_t n)
{
	return roll(n) == 0;
}

static inline int64_t between(int64_t low, int64_t high)
{
	return low + roll(high - low + 1);
}

static inline void seed_dice(uint64_t seed)
{
	uint64_t z = seed + UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	w.random = (z ^ (z >> 31)) | 1;
}

/* ---- what happened ------------------------------------------------------------------------- */

static inline const char *time_text(int64_t ms)
{
	static char texts[8][ETL_TIME_TEXT_BYTES];
	static unsigned at;
	char *text = texts[at++ % 8];

	etl_time_format_rfc3339((etl_wall){ms}, text);
	return text;
}

static inline void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void tell(const char *fmt, ...)
{
	char *line = w.log[w.n_log++ % LOG_LINES];
	int n = snprintf(line, LOG_BYTES, "%s %s ", time_text(w.now),
		w.acting ? w.acting->host : "--");
	va_list args;

	va_start(args, fmt);
	vsnprintf(line + n, (size_t)(LOG_BYTES - n), fmt, args);
	va_end(args);
}

/* A law does not hold: the seed, the last events, the law. Ends the process. */
static inline void broken(const char *law, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
static inline void broken(const char *law, const char *fmt, ...)
{
	size_t first = w.n_log > LOG_LINES ? w.n_log - LOG_LINES : 0;
	va_list args;

	for (size_t i = first; i < w.n_log; i++)
		printf("# %s\n", w.log[i % LOG_LINES]);
	printf("# at %s%s%s: the law \"%s\" is broken: ", time_text(w.now),
		w.acting ? " on machine " : "", w.acting ? w.acting->host : "", law);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n# play it again: sim_scheduler %llu\n", (unsigned long long)w.seed);
	fflush(stdout);
	_exit(1);
}

/* ---- clocks -------------------------------------------------------------------------------- */

static inline int64_t wall_of(const struct machine *m)
{
	return w.now + m->off;
}

static inline etl_wall machine_wall(const struct etl_clock *clock)
{
	return (etl_wall){wall_of((const struct machine *)clock)};
}

static inline etl_mono world_mono(const struct etl_clock *clock)
{
	(void)clock;
	return (etl_mono){(w.now - w.begin + HOUR) * 1000};
}

static inline etl_wall true_wall(const struct etl_clock *clock)
{
	(void)clock;
	return (etl_wall){w.now};
}

static const struct etl_clock true_clock = {true_wall, world_mono};

static inline void note_clocks(void)
{
	for (int i = 0; i < MACHINES; i++)
		if (w.machines[i].off > ETL_SLOT_AHEAD_MAX.us / 1000)
			w.ahead_until = w.now;
}

/* ---- events in order of time ---------------------------------------------------------------- */

static inline bool earlier(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static inline void sift_up(size_t i)
{
	struct event event = w.heap[i];

	for (; i && earlier(&event, &w.heap[(i - 1) / 2]); i = (i - 1) / 2)
		w.heap[i] = w.heap[(i - 1) / 2];
	w.heap[i] = event;
}

static inline void push_event(const struct event *event)
{
	ETL_GROW(w.heap, w.n_heap, w.heap_cap);
	w.heap[w.n_heap++] = *event;
	sift_up(w.n_heap - 1);
}

static inline void push(int64_t at, enum event_kind kind, struct machine *m, void *what)
{
	struct event event = {at, w.order++, kind, m, what};

	push_event(&event);
}

static inline void sift_down(size_t i)
{
	struct event event = w.heap[i];

	for (size_t child; (child = 2 * i + 1) < w.n_heap; i = child) {
		if (child + 1 < w.n_heap && earlier(&w.heap[child + 1], &w.heap[child]))
			child++;
		if (!earlier(&w.heap[child], &event))
			break;
		w.heap[i] = w.heap[child];
	}
	w.heap[i] = event;
}

static inline struct event pop_event(void)
{
	struct event first = w.heap[0];

	w.heap[0] = w.heap[--w.n_heap];
	if (w.n_heap)
		sift_down(0);
	return first;
}

/* Takes one event of a process that is no more; false if there is none. */
static inline bool take_event_of(const struct machine *m, struct event *out)
{
	size_t found = w.n_heap;

	for (size_t i = 0; i < w.n_heap; i++)
		if (w.heap[i].machine == m && w.heap[i].kind <= EVENT_ANSWER &&
			(found == w.n_heap || earlier(&w.heap[i], &w.heap[found])))
			found = i;
	if (found == w.n_heap)
		return false;
	*out = w.heap[found];
	w.heap[found] = w.heap[--w.n_heap];
	if (found < w.n_heap) {
		sift_down(found);
		sift_up(found);
	}
	return true;
}

#endif
