/* SPDX-License-Identifier: MIT
 *
 * Workers and lanes: tasks of one lane leave a worker to others, whatever waits before them, and
 * nothing that may run is forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the above */
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "io/pool.h"

enum { WORKERS = 4, TASKS = 40, LIMIT_SECONDS = 60 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned inside, most_inside, passed, woken;
static bool open_gate;

static void note(unsigned *counter)
{
	pthread_mutex_lock(&lock);
	++*counter;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void wake(void *ctx)
{
	(void)ctx;
	note(&woken);
}

static void wait_at_gate(struct etld_task *task)
{
	(void)task;
	pthread_mutex_lock(&lock);
	inside++;
	most_inside = inside > most_inside ? inside : most_inside;
	pthread_cond_broadcast(&changed);
	while (!open_gate)
		pthread_cond_wait(&changed, &lock);
	inside--;
	pthread_mutex_unlock(&lock);
}

static void pass(struct etld_task *task)
{
	(void)task;
	note(&passed);
}

static void done(struct etld_task *task)
{
	(void)task;
}

/* False after LIMIT_SECONDS. */
static bool reaches(const unsigned *counter, unsigned n)
{
	struct timespec until;
	bool there;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LIMIT_SECONDS;
	pthread_mutex_lock(&lock);
	while (*counter < n && pthread_cond_timedwait(&changed, &lock, &until) == 0)
		;
	there = *counter >= n;
	pthread_mutex_unlock(&lock);
	return there;
}

static void set_gate(bool open)
{
	pthread_mutex_lock(&lock);
	open_gate = open;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void one_lane_leaves_a_worker(void **state)
{
	struct etld_pool *pool = etld_pool_new(WORKERS, WORKERS, etl_clock_real(), wake, NULL);
	struct etld_task crowd[TASKS], other[TASKS];

	(void)state;
	set_gate(false);
	for (int i = 0; i < TASKS; i++) {
		crowd[i] = (struct etld_task){.work = wait_at_gate, .done = done, .name = "crowd", .lane = 1};
		etld_pool_submit(pool, &crowd[i]);
	}
	assert_true(reaches(&inside, WORKERS - 1));
	for (int i = 0; i < TASKS; i++) {
		other[i] = (struct etld_task){.work = pass, .done = done, .name = "other",
			.lane = i % 2 ? 2 : 0};
		etld_pool_submit(pool, &other[i]);
	}
	assert_true(reaches(&passed, TASKS)); /* behind 37 of the crowd, and before them */
	assert_int_equal(most_inside, WORKERS - 1);
	set_gate(true);
	assert_true(reaches(&woken, 2 * TASKS)); /* all have run: none was forgotten */
	etld_pool_collect(pool);
	etld_pool_free(pool);
}

/* Tasks that block have threads of their own, which begin with the first of them: however many there
 * are, the others go on. */
static void blocking_ones_stop_nobody(void **state)
{
	struct etld_pool *pool = etld_pool_new(WORKERS, WORKERS, etl_clock_real(), wake, NULL);
	struct etld_task streams[TASKS], others[TASKS];
	struct etld_pool_facts facts;

	(void)state;
	inside = most_inside = passed = woken = 0;
	set_gate(false);
	etld_pool_facts(pool, &facts);
	assert_int_equal(facts.workers, WORKERS);
	for (unsigned i = 0; i < TASKS; i++) {
		streams[i] = (struct etld_task){
			.work = wait_at_gate, .done = done, .name = "stream", .lane = i + 1, .blocks = true};
		etld_pool_submit(pool, &streams[i]);
	}
	assert_true(reaches(&inside, WORKERS));
	for (int i = 0; i < TASKS; i++) {
		others[i] = (struct etld_task){.work = pass, .done = done, .name = "other"};
		etld_pool_submit(pool, &others[i]);
	}
	assert_true(reaches(&passed, TASKS));
	assert_int_equal(most_inside, WORKERS);
	etld_pool_facts(pool, &facts);
	/* limits.workers says how many there are; threads that wait for a source are told apart */
	assert_int_equal(facts.workers, WORKERS);
	assert_int_equal(facts.blocked, WORKERS);
	assert_true(facts.busy <= WORKERS && facts.queued >= TASKS - WORKERS);
	set_gate(true);
	assert_true(reaches(&woken, 2 * TASKS));
	etld_pool_collect(pool);
	etld_pool_free(pool);
}

/* With one worker there is nothing to leave. */
static void a_single_worker_runs_all(void **state)
{
	struct etld_pool *pool = etld_pool_new(1, 0, etl_clock_real(), wake, NULL);
	struct etld_task tasks[TASKS];

	(void)state;
	woken = 0;
	for (int i = 0; i < TASKS; i++) {
		tasks[i] = (struct etld_task){.work = pass, .done = done, .name = "one", .lane = 1};
		etld_pool_submit(pool, &tasks[i]);
	}
	assert_true(reaches(&woken, TASKS));
	etld_pool_collect(pool);
	etld_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_lane_leaves_a_worker),
		cmocka_unit_test(blocking_ones_stop_nobody),
		cmocka_unit_test(a_single_worker_runs_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
