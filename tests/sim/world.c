/* SPDX-License-Identifier: MIT
 *
 * Time, dice, the log and the heap of events.
 */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "sched/slots.h"
#include "time/civil.h"

struct world world;

/* ---- dice ----------------------------------------------------------------------------------- */

uint64_t dice(void)
{
	world.random ^= world.random >> 12;
	world.random ^= world.random << 25;
	world.random ^= world.random >> 27;
	return world.random * UINT64_C(2685821657736338717);
}

int64_t roll(int64_t n)
{
	return (int64_t)(dice() % (uint64_t)n);
}

bool one_in(int64_t n)
{
	return roll(n) == 0;
}

int64_t between(int64_t low, int64_t high)
{
	return low + roll(high - low + 1);
}

void seed_dice(uint64_t seed)
{
	uint64_t z = seed + UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	world.random = (z ^ (z >> 31)) | 1;
}

/* ---- what happened -------------------------------------------------------------------------- */

const char *time_text(int64_t ms)
{
	static char texts[8][ETL_TIME_TEXT_BYTES];
	static unsigned at;
	char *text = texts[at++ % 8];

	etl_time_format_rfc3339((etl_wall){ms}, text);
	return text;
}

void tell(const char *fmt, ...)
{
	char *line = world.log[world.n_log++ % LOG_LINES];
	int n = snprintf(line, LOG_BYTES, "%s %s ", time_text(world.now),
		world.acting ? world.acting->host : "--");
	va_list args;

	va_start(args, fmt);
	vsnprintf(line + n, (size_t)(LOG_BYTES - n), fmt, args);
	va_end(args);
	world.digest = etl_hash64(line, strlen(line), world.digest);
}

void broken(const char *law, const char *fmt, ...)
{
	size_t first = world.n_log > LOG_LINES ? world.n_log - LOG_LINES : 0;
	va_list args;

	for (size_t i = first; i < world.n_log; i++)
		printf("# %s\n", world.log[i % LOG_LINES]);
	printf("# at %s%s%s: the law \"%s\" is broken: ", time_text(world.now),
		world.acting ? " on machine " : "", world.acting ? world.acting->host : "", law);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n# play it again: sim_scheduler %llu\n", (unsigned long long)world.seed);
	fflush(stdout);
	_exit(1);
}

/* ---- clocks --------------------------------------------------------------------------------- */

int64_t wall_of(const struct machine *m)
{
	return world.now + m->off;
}

etl_wall machine_wall(const struct etl_clock *clock)
{
	return (etl_wall){wall_of((const struct machine *)clock)};
}

etl_mono world_mono(const struct etl_clock *clock)
{
	(void)clock;
	return (etl_mono){(world.now - world.begin + HOUR) * 1000};
}

static etl_wall true_wall(const struct etl_clock *clock)
{
	(void)clock;
	return (etl_wall){world.now};
}

const struct etl_clock true_clock = {true_wall, world_mono};

void note_clocks(void)
{
	for (int i = 0; i < MACHINES; i++)
		if (world.machines[i].off > ETL_SLOT_AHEAD_MAX.us / 1000)
			world.ahead_until = world.now;
}

/* ---- events in order of time ---------------------------------------------------------------- */

static bool earlier(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void sift_up(size_t i)
{
	struct event event = world.heap[i];

	for (; i && earlier(&event, &world.heap[(i - 1) / 2]); i = (i - 1) / 2)
		world.heap[i] = world.heap[(i - 1) / 2];
	world.heap[i] = event;
}

void push_event(const struct event *event)
{
	ETL_GROW(world.heap, world.n_heap, world.heap_cap);
	world.heap[world.n_heap++] = *event;
	sift_up(world.n_heap - 1);
}

void push(int64_t at, enum event_kind kind, struct machine *m, void *what)
{
	struct event event = {at, world.order++, kind, m, what};

	push_event(&event);
}

static void sift_down(size_t i)
{
	struct event event = world.heap[i];

	for (size_t child; (child = 2 * i + 1) < world.n_heap; i = child) {
		if (child + 1 < world.n_heap && earlier(&world.heap[child + 1], &world.heap[child]))
			child++;
		if (!earlier(&world.heap[child], &event))
			break;
		world.heap[i] = world.heap[child];
	}
	world.heap[i] = event;
}

struct event pop_event(void)
{
	struct event first = world.heap[0];

	world.heap[0] = world.heap[--world.n_heap];
	if (world.n_heap)
		sift_down(0);
	return first;
}

bool take_event_of(const struct machine *m, struct event *out)
{
	size_t found = world.n_heap;

	for (size_t i = 0; i < world.n_heap; i++)
		if (world.heap[i].machine == m && world.heap[i].kind <= EVENT_ANSWER &&
			(found == world.n_heap || earlier(&world.heap[i], &world.heap[found])))
			found = i;
	if (found == world.n_heap)
		return false;
	*out = world.heap[found];
	world.heap[found] = world.heap[--world.n_heap];
	if (found < world.n_heap) {
		sift_down(found);
		sift_up(found);
	}
	return true;
}
