/* SPDX-License-Identifier: MIT
 *
 * Three kinds of time that the compiler keeps apart, and the clock as an interface with a
 * virtual twin. clock.c is the only file that asks the operating system for the time.
 */
#ifndef ETL_TIME_CLOCK_H
#define ETL_TIME_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
	int64_t ms; /* milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored (POSIX) */
} etl_wall;

typedef struct {
	int64_t us; /* microseconds of CLOCK_BOOTTIME: never steps, goes on in suspend */
} etl_mono;

typedef struct {
	int64_t us; /* a length of time in microseconds; may be negative */
} etl_dur;

#define ETL_MS(n) ((etl_dur){(int64_t)(n) * 1000})
#define ETL_SECONDS(n) ((etl_dur){(int64_t)(n) * 1000000})
#define ETL_MINUTES(n) ETL_SECONDS(60 * (int64_t)(n))
#define ETL_HOURS(n) ETL_SECONDS(3600 * (int64_t)(n))
#define ETL_DAYS(n) ETL_SECONDS(86400 * (int64_t)(n))

/* Sums are not checked: a configuration's lengths (292,000 years at most) and wall times within
 * years 1 to 9999 cannot overflow together. Microseconds below a millisecond are dropped. */
static inline int64_t etl_dur_ms(etl_dur d)
{
	return d.us / 1000;
}
static inline etl_wall etl_wall_add(etl_wall t, etl_dur d)
{
	return (etl_wall){t.ms + d.us / 1000};
}
static inline etl_wall etl_wall_sub(etl_wall t, etl_dur d)
{
	return (etl_wall){t.ms - d.us / 1000};
}
static inline etl_dur etl_wall_diff(etl_wall later, etl_wall earlier)
{
	return (etl_dur){(later.ms - earlier.ms) * 1000};
}
/* How old `then` is: never negative. A time ahead of `now` was noted before the clock was set back,
 * or by another machine's. */
static inline etl_dur etl_wall_age(etl_wall now, etl_wall then)
{
	return then.ms < now.ms ? etl_wall_diff(now, then) : (etl_dur){0};
}
static inline etl_mono etl_mono_add(etl_mono t, etl_dur d)
{
	return (etl_mono){t.us + d.us};
}
static inline etl_dur etl_mono_diff(etl_mono later, etl_mono earlier)
{
	return (etl_dur){later.us - earlier.us};
}

/* Where the time comes from. Lent to everything that needs it; owned by the process
 * (real) or by the test (virtual). Any thread for the real one. */
struct etl_clock {
	etl_wall (*wall)(const struct etl_clock *clock);
	etl_mono (*mono)(const struct etl_clock *clock);
};

/* CLOCK_REALTIME and CLOCK_BOOTTIME by clock_gettime (never time(): it can lag a second). */
const struct etl_clock *etl_clock_real(void);

/* The virtual twin: stands still until it is told to move. */
struct etl_clock_virtual {
	struct etl_clock clock; /* first: a pointer to it is the clock */
	etl_wall wall;
	etl_mono mono;
};
void etl_clock_virtual_init(struct etl_clock_virtual *v, etl_wall start);
/* Both clocks, d >= 0. A machine that sleeps: one long advance, and the wheel turned once behind
 * it. */
void etl_clock_virtual_advance(struct etl_clock_virtual *v, etl_dur d);
void etl_clock_virtual_step(struct etl_clock_virtual *v, etl_dur d); /* the wall clock only */

static inline etl_wall etl_now(const struct etl_clock *clock)
{
	return clock->wall(clock);
}
static inline etl_mono etl_mono_now(const struct etl_clock *clock)
{
	return clock->mono(clock);
}

#endif
