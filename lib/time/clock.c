/* SPDX-License-Identifier: MIT
 *
 * The real clock and its virtual twin. The only file that asks the operating system what
 * time it is.
 */
#include "time/clock.h"

#include <assert.h>
#include <time.h>

static etl_wall real_wall(const struct etl_clock *clock)
{
	struct timespec ts;

	(void)clock;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (etl_wall){(int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000};
}

static etl_mono real_mono(const struct etl_clock *clock)
{
	struct timespec ts;

	(void)clock;
	/* CLOCK_MONOTONIC stops in suspend: a laptop that slept for an hour would wait
	 * that hour again before its next slot. */
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (etl_mono){(int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000};
}

const struct etl_clock *etl_clock_real(void)
{
	static const struct etl_clock real = {.wall = real_wall, .mono = real_mono};

	return &real;
}

static const struct etl_clock_virtual *virtual_of(const struct etl_clock *clock)
{
	return (const struct etl_clock_virtual *)clock;
}

static etl_wall virtual_wall(const struct etl_clock *clock)
{
	return virtual_of(clock)->wall;
}

static etl_mono virtual_mono(const struct etl_clock *clock)
{
	return virtual_of(clock)->mono;
}

/* A machine that started an hour ago: a monotonic time of 0 would hide a forgotten one. */
void etl_clock_virtual_init(struct etl_clock_virtual *v, etl_wall start)
{
	*v = (struct etl_clock_virtual){
		.clock = {.wall = virtual_wall, .mono = virtual_mono},
		.wall = start,
		.mono = {ETL_HOURS(1).us},
	};
}

void etl_clock_virtual_advance(struct etl_clock_virtual *v, etl_dur d)
{
	int64_t before_ms = v->mono.us / 1000;

	assert(d.us >= 0);
	v->mono.us += d.us;
	/* Steps below a millisecond add up instead of being lost. */
	v->wall.ms += v->mono.us / 1000 - before_ms;
}

void etl_clock_virtual_step(struct etl_clock_virtual *v, etl_dur d)
{
	v->wall.ms += d.us / 1000;
}
