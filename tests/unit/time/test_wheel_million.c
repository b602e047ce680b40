/* SPDX-License-Identifier: MIT
 *
 * The timing wheel with a million timers (fewer under a sanitizer) beside a list that a heap
 * keeps sorted by due tick and order of arming: near and far ones, crowds on one tick, the end
 * of time; callbacks arm, move and cancel themselves and others. And how often it wakes. The
 * seed is printed; ETL_TEST_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "time/wheel.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { TIMERS = 100000 };
#else
enum { TIMERS = 1000000 };
#endif
enum { LEVELS = 10 }; /* of the wheel: what a timer may cost in wakes that fire nothing */
#define YEAR_MS INT64_C(31557600000)

static uint64_t random_state;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static bool one_in(unsigned n)
{
	return (random_next() >> 20) % n == 0;
}

static int seed(void **state)
{
	const char *given = getenv("ETL_TEST_SEED");
	uint64_t s = given ? strtoull(given, NULL, 10) : (uint64_t)clock() * 2654435761u + 1;

	(void)state;
	print_message("seed %llu (ETL_TEST_SEED repeats it)\n", (unsigned long long)s);
	random_state = s ? s : 1;
	return 0;
}

/* ---- the sorted list ---- */

struct probe {
	struct etl_timer timer; /* first */
	uint64_t order;		/* of the arming that counts; 0 = not armed */
};

struct entry {
	int64_t due; /* tick */
	uint64_t order;
	struct probe *probe;
};

static struct {
	struct entry *heap; /* what was cancelled or moved stays until it comes to the top */
	size_t n, cap;
	size_t armed;
	uint64_t order;
	int64_t now;
	uint64_t round;	 /* what was armed later than this may not fire yet */
	unsigned rearms; /* a callback arms something with this probability, in percent */
	uint64_t fired;
	const char *wrong;
} list;

static bool is_before(const struct entry *a, const struct entry *b)
{
	return a->due < b->due || (a->due == b->due && a->order < b->order);
}

static void swap(size_t a, size_t b)
{
	struct entry e = list.heap[a];

	list.heap[a] = list.heap[b];
	list.heap[b] = e;
}

static void list_add(struct entry e)
{
	size_t i = list.n;

	ETL_GROW(list.heap, list.n, list.cap);
	list.heap[list.n++] = e;
	for (; i && is_before(&list.heap[i], &list.heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

static void list_drop_first(void)
{
	size_t i = 0, child;

	list.heap[0] = list.heap[--list.n];
	while ((child = 2 * i + 1) < list.n) {
		if (child + 1 < list.n && is_before(&list.heap[child + 1], &list.heap[child]))
			child++;
		if (!is_before(&list.heap[child], &list.heap[i]))
			return;
		swap(i, child);
		i = child;
	}
}

/* NULL if nothing is armed. */
static const struct entry *list_first(void)
{
	while (list.n && list.heap[0].probe->order != list.heap[0].order)
		list_drop_first();
	return list.n ? list.heap : NULL;
}

/* ---- both at once ---- */

static void arm(struct etl_wheel *wheel, struct probe *probe, int64_t tick)
{
	/* Any microsecond of the millisecond that ends with the tick. */
	etl_timer_arm(wheel, &probe->timer,
		(etl_mono){tick * 1000 - (int64_t)(random_next() % 1000)});
	list.armed += probe->order == 0;
	probe->order = ++list.order;
	list_add((struct entry){tick > list.now ? tick : list.now, probe->order, probe});
}

static void cancel(struct etl_wheel *wheel, struct probe *probe)
{
	etl_timer_cancel(wheel, &probe->timer);
	list.armed -= probe->order != 0;
	probe->order = 0;
}

static int64_t random_tick(void)
{
	switch (random_next() >> 60) {
	case 0: /* a crowd at the next full minute */
	case 1:
		return (list.now / 60000 + 1) * 60000;
	case 2: /* soon */
		return list.now + (int64_t)(random_next() % 100);
	case 3: /* long ago */
		return list.now - (int64_t)(random_next() % 100000);
	case 4: /* nearly the end of time */
		return one_in(50) ? INT64_MAX / 1000 - YEAR_MS : list.now + 1000 * YEAR_MS;
	default: /* as many near as far, up to 2 years */
		return list.now + (int64_t)(random_next() >> (64 - 36 + random_next() % 36));
	}
}

static struct probe *probes;

static void wrong(const char *what)
{
	if (!list.wrong)
		list.wrong = what;
}

static void fire(struct etl_timer *timer, void *ctx)
{
	struct probe *probe = (struct probe *)timer, *other = &probes[random_next() % TIMERS];
	const struct entry *first = list_first();

	if (!first || first->probe != probe)
		wrong("another timer was first");
	else if (first->due > list.now)
		wrong("fired early");
	else if (first->order > list.round)
		wrong("fired in the round that armed it in the past");
	if (etl_timer_is_armed(timer))
		wrong("armed while it fires");
	probe->order = 0;
	list.armed--;
	list.fired++;
	if (random_next() % 100 < list.rearms)
		arm(ctx, probe, random_tick());
	if (random_next() % 100 < list.rearms / 4)
		arm(ctx, other, random_tick());
	else if (one_in(16))
		cancel(ctx, other);
}

/* To the next wake, or by a jump over many. True if it fired nothing. */
static bool step(struct etl_wheel *wheel)
{
	const struct entry *first = list_first();
	uint64_t before = list.fired;
	etl_mono at = {0};

	if (etl_wheel_next(wheel, &at) != (first != NULL))
		wrong("etl_wheel_next does not know whether something is armed");
	else if (first && at.us > first->due * 1000)
		wrong("etl_wheel_next is later than the first due time");
	if (at.us / 1000 > list.now)
		list.now = at.us / 1000;
	if (one_in(64))
		list.now += (int64_t)(random_next() % 5000);
	list.round = list.order;
	etl_wheel_advance(wheel, (etl_mono){list.now * 1000 + (int64_t)(random_next() % 1000)});
	first = list_first();
	if (first && first->due <= list.now && first->order <= list.round)
		wrong("left something due behind");
	if (etl_wheel_count(wheel) != list.armed)
		wrong("the count is wrong");
	return list.fired == before;
}

static void check_each(void)
{
	for (int i = 0; i < TIMERS; i++)
		if (etl_timer_is_armed(&probes[i].timer) != (probes[i].order != 0))
			wrong("armed here and not there");
	if (list.wrong)
		fail_msg("%s, after %llu fires at %lld", list.wrong,
			(unsigned long long)list.fired, (long long)list.now);
}

static void a_million_behave_like_a_sorted_list(void **state)
{
	etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = NULL;
	uint64_t idle = 0, steps = 0;

	(void)state;
	list.now = (int64_t)(random_next() >> 24);
	wheel = etl_wheel_new((etl_mono){list.now * 1000});
	probes = etl_calloc(TIMERS, sizeof *probes);
	for (int i = 0; i < TIMERS; i++) {
		probes[i].timer = (struct etl_timer){.fire = fire, .ctx = wheel};
		arm(wheel, &probes[i], random_tick());
	}
	list.rearms = 60;
	for (; list.fired < TIMERS && !list.wrong; steps++)
		idle += step(wheel);
	check_each();
	for (int i = 0; i < TIMERS; i += 3)
		cancel(wheel, &probes[i]);
	for (int i = 1; i < TIMERS; i += 5)
		arm(wheel, &probes[i], random_tick());
	check_each();
	/* And to the very end. */
	list.rearms = 0;
	for (; list.armed && !list.wrong; steps++)
		idle += step(wheel);
	check_each();
	print_message("%llu fired in %llu steps, %llu of them idle\n",
		(unsigned long long)list.fired, (unsigned long long)steps,
		(unsigned long long)idle);
	assert_in_range(list.fired, TIMERS, UINT64_MAX);
	assert_in_range(idle, 0, (LEVELS - 1) * list.order);
	free(list.heap);
	free(probes);
}

/* ---- waking ---- */

struct crowd {
	struct etl_timer timer; /* first */
	size_t number;
};

static size_t crowd_next;
static bool crowd_in_order;

static void crowd_fire(struct etl_timer *timer, void *ctx)
{
	(void)ctx;
	crowd_in_order &= ((struct crowd *)timer)->number == crowd_next++;
}

static void a_crowd_years_ahead_wakes_once_a_level(void **state)
{
	const etl_mono birth = {INT64_C(123456789)};
	etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = etl_wheel_new(birth);
	etl_mono due = {birth.us + 10 * YEAR_MS * 1000}, at;
	struct crowd *crowd = etl_calloc(TIMERS, sizeof *crowd);
	int wakes = 0;

	(void)state;
	crowd_next = 0;
	crowd_in_order = true;
	for (size_t i = 0; i < TIMERS; i++) {
		crowd[i] = (struct crowd){.timer.fire = crowd_fire, .number = i};
		etl_timer_arm(wheel, &crowd[i].timer, due);
	}
	while (etl_wheel_next(wheel, &at)) {
		assert_int_equal(crowd_next, 0);
		etl_wheel_advance(wheel, at);
		wakes++;
	}
	assert_int_equal(crowd_next, TIMERS);
	assert_true(crowd_in_order);
	assert_in_range(wakes, 1, LEVELS);
	free(crowd);
}

static void note_time(struct etl_timer *timer, void *ctx)
{
	timer->ctx = NULL;
	++*(size_t *)ctx;
}

/* A daemon's year: 500 jobs, hours and days apart. It sleeps between them. */
static void few_timers_wake_it_seldom(void **state)
{
	enum { JOBS = 500 };
	etl_cleanup(etl_wheel_free) struct etl_wheel *wheel = etl_wheel_new((etl_mono){0});
	static struct etl_timer jobs[JOBS];
	size_t fired = 0, wakes = 0, idle = 0;
	etl_mono at;

	(void)state;
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct etl_timer){.fire = note_time, .ctx = &fired};
		etl_timer_arm(wheel, &jobs[i],
			(etl_mono){(int64_t)(random_next() % (uint64_t)YEAR_MS) * 1000});
	}
	while (etl_wheel_next(wheel, &at)) {
		size_t before = fired;

		etl_wheel_advance(wheel, at);
		wakes++;
		idle += fired == before;
	}
	assert_int_equal(fired, JOBS);
	print_message("%zu wakes in a year for %d timers, %zu fired nothing\n", wakes, JOBS, idle);
	/* A year spans six levels of 64: five moves on the way down. */
	assert_in_range(idle, 0, 5 * JOBS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_behave_like_a_sorted_list),
		cmocka_unit_test(a_crowd_years_ahead_wakes_once_a_level),
		cmocka_unit_test(few_timers_wake_it_seldom),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
