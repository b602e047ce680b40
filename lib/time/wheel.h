/* SPDX-License-Identifier: MIT
 *
 * A hierarchical, tickless timing wheel: millisecond ticks, O(1) arm and cancel, and an exact
 * answer to "when must I wake?", so that an idle process sleeps. Timers live inside their
 * owners' structs; the wheel allocates nothing after its birth. It knows no event loop and
 * no clock: time is what the caller says. One thread: the one that made it.
 */
#ifndef ETL_TIME_WHEEL_H
#define ETL_TIME_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "time/clock.h"

struct etl_wheel;

struct etl_timer_link {
	struct etl_timer_link *next, *prev; /* a ring through its head; NULL = in none */
};

/* Zeroed and with `fire` set it is ready to be armed. It must be cancelled before its memory
 * goes. The fields under the line are the wheel's. */
struct etl_timer {
	void (*fire)(struct etl_timer *timer, void *ctx);
	void *ctx;
	const char *name; /* for reports; lent */
	/* ---- */
	struct etl_timer_link link;
	int64_t due_tick; /* milliseconds since the wheel's birth */
	int level;	  /* which of the wheel's rings it is in, see wheel.c */
	int slot;
};

/* `now` is where the wheel's time starts. */
struct etl_wheel *etl_wheel_new(etl_mono now);

/* Disarms what is still armed; fires nothing. NULL is fine. */
void etl_wheel_free(struct etl_wheel *wheel);
ETL_DEFINE_CLEANUP(struct etl_wheel *, etl_wheel_free)

/* Fires at the first advance to `due`, rounded up to a whole millisecond, or later; never
 * before it. An armed timer is moved. A due time in the past counts as the time of the
 * last advance and fires at the next one. Any due time is in range. */
void etl_timer_arm(struct etl_wheel *wheel, struct etl_timer *timer, etl_mono due);

/* Not armed is fine. */
void etl_timer_cancel(struct etl_wheel *wheel, struct etl_timer *timer);

static inline bool etl_timer_is_armed(const struct etl_timer *timer)
{
	return timer->link.next != NULL;
}

/* When to call etl_wheel_advance next: never later than the earliest due time; earlier only
 * at a point where timers move to a finer level (at most once a level on the way to it); not
 * after the last advance if something is overdue. False if nothing is armed. */
bool etl_wheel_next(const struct etl_wheel *wheel, etl_mono *at);

/* Moves time to `now` and fires what is due, in order of due tick, first armed first. A
 * callback may arm and cancel any timer, its own too, but not advance or free the wheel. What
 * it arms in the past fires at the next advance. `now` before the last one changes
 * nothing but still fires what is overdue. */
void etl_wheel_advance(struct etl_wheel *wheel, etl_mono now);

/* `fired` is told of each timer after its callback, by its name ("" if it has none). NULL:
 * nobody. */
void etl_wheel_watch(struct etl_wheel *wheel, void (*fired)(void *ctx, const char *name),
	void *ctx);

/* Timers armed. */
size_t etl_wheel_count(const struct etl_wheel *wheel);

#endif
