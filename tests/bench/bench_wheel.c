/* SPDX-License-Identifier: MIT
 *
 * The timing wheel beside libev's heap of timers: arm, re-arm, cancel and expiry with 1,000 to
 * 1,000,000 timers, due within an hour or on one tick. Both in turns in one process, on the
 * same due times and in the same random order; medians, and medians of the rounds' ratios.
 * libev's clock cannot be turned, so its timers fall due within a millisecond and are
 * collected in one go, which spares it the walk over the hour that the wheel makes.
 *
 *   bench_wheel [N...]            default 1000 10000 100000 1000000
 *   bench_wheel --count OP N      does OP on N timers within count_this(): for callgrind.sh.
 *                                 OP: arm, rearm, cancel, expire, spread; ev-arm and so on
 */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "time/wheel.h"

enum op { ARM, REARM, CANCEL, EXPIRE, SPREAD, OPS };
enum { HOUR_MS = 3600000, ROUNDS_MAX = 201, ROUNDS_MIN = 9 };

static const char *const op_names[OPS] = {"arm", "rearm", "cancel", "expire", "spread"};

/* One of the two, with `n` timers. Before an operation all timers are as it needs them. */
struct peer {
	const char *prefix;
	void (*prepare)(size_t n);
	void (*op[OPS])(size_t n);
	void (*finish)(void);
};

static size_t fired;
static uint32_t *due_ms[2]; /* of arm and of rearm, 1 to an hour */
static uint32_t *shuffled;  /* the numbers of the timers in random order */

/* ---- the wheel ---- */

static struct etl_wheel *wheel;
static struct etl_timer *timers;

static void wheel_fire(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	(void)ctx;
	fired++;
}

static void wheel_prepare(size_t n)
{
	wheel = etl_wheel_new((etl_mono){0});
	timers = etl_calloc(n, sizeof *timers);
	for (size_t i = 0; i < n; i++)
		timers[i].fire = wheel_fire;
}

static void wheel_arm(size_t n)
{
	for (size_t i = 0; i < n; i++)
		etl_timer_arm(wheel, &timers[i], (etl_mono){INT64_C(1000) * due_ms[0][i]});
}

static void wheel_rearm(size_t n)
{
	for (size_t i = 0; i < n; i++)
		etl_timer_arm(wheel, &timers[shuffled[i]],
			(etl_mono){INT64_C(1000) * due_ms[1][i]});
}

static void wheel_cancel(size_t n)
{
	for (size_t i = 0; i < n; i++)
		etl_timer_cancel(wheel, &timers[shuffled[i]]);
}

static void wheel_arm_one_tick(size_t n)
{
	for (size_t i = 0; i < n; i++)
		etl_timer_arm(wheel, &timers[i], (etl_mono){INT64_C(60000000)});
}

/* As the daemon's loop does it: sleep until the next wake, then advance. */
static void wheel_run(size_t n)
{
	etl_mono at;

	(void)n;
	while (etl_wheel_next(wheel, &at))
		etl_wheel_advance(wheel, at);
}

static void wheel_finish(void)
{
	etl_wheel_free(wheel);
	free(timers);
}

/* ---- libev ---- */

static struct ev_loop *loop;
static ev_timer *watchers;

static void heap_fire(struct ev_loop *l, ev_timer *timer, int events)
{
	(void)l;
	(void)timer;
	(void)events;
	fired++;
}

static void heap_prepare(size_t n)
{
	loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_SELECT);
	if (!loop)
		abort();
	watchers = etl_calloc(n, sizeof *watchers);
	for (size_t i = 0; i < n; i++)
		ev_timer_init(&watchers[i], heap_fire, due_ms[0][i] * 1e-3, due_ms[1][i] * 1e-3);
}

static void heap_arm(size_t n)
{
	for (size_t i = 0; i < n; i++)
		ev_timer_start(loop, &watchers[i]);
}

static void heap_rearm(size_t n)
{
	for (size_t i = 0; i < n; i++)
		ev_timer_again(loop, &watchers[shuffled[i]]);
}

static void heap_cancel(size_t n)
{
	for (size_t i = 0; i < n; i++)
		ev_timer_stop(loop, &watchers[shuffled[i]]);
}

static void heap_arm_within(size_t n, double seconds)
{
	ev_now_update(loop);
	for (size_t i = 0; i < n; i++) {
		ev_timer_set(&watchers[i], due_ms[0][i] * seconds / HOUR_MS, 0.);
		ev_timer_start(loop, &watchers[i]);
	}
}

static void heap_run(size_t n)
{
	(void)n;
	ev_run(loop, EVRUN_NOWAIT);
}

static void heap_finish(void)
{
	ev_loop_destroy(loop);
	free(watchers);
}

static const struct peer peers[2] = {
	{"", wheel_prepare, {wheel_arm, wheel_rearm, wheel_cancel, wheel_run, wheel_run},
		wheel_finish},
	{"ev-", heap_prepare, {heap_arm, heap_rearm, heap_cancel, heap_run, heap_run}, heap_finish},
};

/* ---- both ---- */

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Arms for an expiry. libev's are due when this returns; the wheel's are when it is told. */
static void arm_for(const struct peer *peer, enum op op, size_t n)
{
	double until = now_ns() + 2e6;

	if (peer == &peers[0]) {
		if (op == EXPIRE)
			wheel_arm_one_tick(n);
		else
			wheel_arm(n);
		return;
	}
	heap_arm_within(n, op == EXPIRE ? 0. : 1e-3);
	while (now_ns() < until)
		continue;
}

static uint64_t random_next(void)
{
	static uint64_t state = 88172645463325252u; /* the same run each time */

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void make_input(size_t n)
{
	shuffled = etl_calloc(n, sizeof *shuffled);
	for (int k = 0; k < 2; k++) {
		due_ms[k] = etl_calloc(n, sizeof *due_ms[k]);
		for (size_t i = 0; i < n; i++)
			due_ms[k][i] = 1 + (uint32_t)(random_next() % HOUR_MS);
	}
	for (size_t i = 0; i < n; i++) {
		size_t j = random_next() % (i + 1);

		shuffled[i] = shuffled[j];
		shuffled[j] = (uint32_t)i;
	}
}

static void drop_input(void)
{
	free(shuffled);
	free(due_ms[0]);
	free(due_ms[1]);
}

/* The nanoseconds that each operation takes for one timer. */
static void play(const struct peer *peer, size_t n, double ns[OPS])
{
	peer->prepare(n);
	for (int op = 0; op < OPS; op++) {
		double start;

		fired = 0;
		if (op >= EXPIRE)
			arm_for(peer, (enum op)op, n);
		start = now_ns();
		peer->op[op](n);
		ns[op] = (now_ns() - start) / (double)n;
		if (op >= EXPIRE && fired != n) {
			fprintf(stderr, "bench_wheel: %zu of %zu fired\n", fired, n);
			exit(1);
		}
	}
	peer->finish();
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof *values, by_value);
	return values[n / 2];
}

static void compare(size_t n)
{
	static double ns[2][OPS][ROUNDS_MAX], ratio[OPS][ROUNDS_MAX];
	int rounds = (int)(2000000 / n);

	if (rounds > ROUNDS_MAX)
		rounds = ROUNDS_MAX;
	if (rounds < ROUNDS_MIN)
		rounds = ROUNDS_MIN;
	make_input(n);
	for (int r = 0; r < rounds; r++) {
		double got[2][OPS];

		/* A B B A: none is always the first. */
		play(&peers[r % 2], n, got[r % 2]);
		play(&peers[1 - r % 2], n, got[1 - r % 2]);
		for (int op = 0; op < OPS; op++) {
			ns[0][op][r] = got[0][op];
			ns[1][op][r] = got[1][op];
			ratio[op][r] = got[1][op] / got[0][op];
		}
	}
	for (int op = 0; op < OPS; op++)
		printf("wheel %7zu %-7s %7.1f ns, libev %7.1f ns, ratio %5.2f\n", n,
			op_names[op], median(ns[0][op], rounds), median(ns[1][op], rounds),
			median(ratio[op], rounds));
	drop_input();
}

__attribute__((noinline)) static void count_this(const struct peer *peer, enum op op, size_t n)
{
	peer->op[op](n);
}

static int count(const char *name, size_t n)
{
	const struct peer *peer = &peers[strncmp(name, "ev-", 3) == 0];
	int op = 0;

	while (op < OPS && strcmp(op_names[op], name + strlen(peer->prefix)) != 0)
		op++;
	if (op == OPS || n == 0) {
		fprintf(stderr, "bench_wheel: no operation \"%s\", or no timers\n", name);
		return 2;
	}
	make_input(n);
	peer->prepare(n);
	if (op == REARM || op == CANCEL)
		peer->op[ARM](n);
	else if (op >= EXPIRE)
		arm_for(peer, (enum op)op, n);
	count_this(peer, (enum op)op, n);
	peer->finish();
	drop_input();
	return 0;
}

int main(int argc, char **argv)
{
	static const size_t usual[] = {1000, 10000, 100000, 1000000};

	if (argc == 4 && strcmp(argv[1], "--count") == 0)
		return count(argv[2], strtoul(argv[3], NULL, 10));
	for (int i = 1; i < argc; i++) {
		size_t n = strtoul(argv[i], NULL, 10);

		if (n == 0) {
			fprintf(stderr, "usage: bench_wheel [N...] | --count OP N\n");
			return 2;
		}
		compare(n);
	}
	for (size_t i = 0; argc == 1 && i < sizeof usual / sizeof *usual; i++)
		compare(usual[i]);
	return 0;
}
