/* SPDX-License-Identifier: MIT
 *
 * Worker threads: two queues under one mutex. Workers know nothing of the loop but the wake.
 * Nothing is called with the mutex held, and no task is freed here: it belongs to whoever
 * submitted it.
 */
#include "io/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

struct queue {
	struct etld_task *first, **last;
	size_t n;
};

struct worker {
	struct etld_pool *pool;
	pthread_t thread;
	bool started, busy;
	uint64_t lane; /* of its task */
	etl_mono since;
	const char *name; /* of the task, and whose it is: copies, the task may end meanwhile */
	char of[96];
};

static _Thread_local bool is_worker;

struct etld_pool {
	const struct etl_clock *clock;
	void (*wake)(void *ctx);
	void *ctx;
	pthread_t loop; /* the thread that made it */
	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t more;
	struct queue waiting, finished;
	bool closing;
	struct worker *workers;
	unsigned n_workers;
};

static void push(struct queue *queue, struct etld_task *task)
{
	task->next = NULL;
	*queue->last = task;
	queue->last = &task->next;
	queue->n++;
}

static struct etld_task *pop(struct queue *queue)
{
	struct etld_task *task = queue->first;

	if (!task)
		return NULL;
	queue->first = task->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->n--;
	return task;
}

/* One worker is left to other lanes: one host's records, however large, keep no other job
 * waiting. Example: of 4 workers the tasks of one lane get 3; a task of no lane (0) may have
 * any. With a single worker there is none to leave. */
static bool may_run(const struct etld_pool *pool, uint64_t lane)
{
	unsigned n = 0;

	for (unsigned i = 0; lane && i < pool->n_workers; i++)
		n += pool->workers[i].busy && pool->workers[i].lane == lane;
	return !lane || pool->n_workers == 1 || n + 1 < pool->n_workers;
}

/* Takes the oldest task that may run; a task that is passed over keeps its place. */
static struct etld_task *pop_next(struct etld_pool *pool)
{
	struct queue *queue = &pool->waiting;
	struct etld_task **p = &queue->first, *task;

	while (*p && !may_run(pool, (*p)->lane))
		p = &(*p)->next;
	task = *p;
	if (!task)
		return NULL;
	*p = task->next;
	if (!*p)
		queue->last = p;
	queue->n--;
	return task;
}

/* What the worker is busy with is noted under the lock, as copies: status may ask while the
 * task runs, and its owner may be freed before it ends. */
static struct etld_task *next_task(struct worker *self)
{
	struct etld_pool *pool = self->pool;
	struct etld_task *task = NULL;

	pthread_mutex_lock(&pool->lock);
	self->busy = false;
	while (!pool->closing && !(task = pop_next(pool)))
		pthread_cond_wait(&pool->more, &pool->lock);
	if (pool->closing)
		task = NULL;
	if (task) {
		self->busy = true;
		self->lane = task->lane;
		self->since = etl_mono_now(pool->clock);
		self->name = task->name;
		etl_text_copy(self->of, sizeof self->of, task->of ? task->of : "");
	}
	/* The end of this worker's last task may have made room for a task that a sleeping
	 * worker passed over; without the signal it would wait until the next submit. */
	if (pool->waiting.first)
		pthread_cond_signal(&pool->more);
	pthread_mutex_unlock(&pool->lock);
	return task;
}

/* The task is not touched after the push: the loop may have freed it already. */
static void *worker_main(void *arg)
{
	struct worker *self = arg;
	struct etld_pool *pool = self->pool;
	struct etld_task *task;

	is_worker = true;
	while ((task = next_task(self)) != NULL) {
		task->work(task);
		pthread_mutex_lock(&pool->lock);
		push(&pool->finished, task);
		pthread_mutex_unlock(&pool->lock);
		pool->wake(pool->ctx);
	}
	return NULL;
}

struct etld_pool *etld_pool_new(unsigned workers, const struct etl_clock *clock,
	void (*wake)(void *ctx), void *ctx)
{
	struct etld_pool *pool = ETL_NEW(struct etld_pool);
	sigset_t all, before;

	pool->clock = clock;
	pool->loop = pthread_self();
	pool->wake = wake;
	pool->ctx = ctx;
	pool->waiting.last = &pool->waiting.first;
	pool->finished.last = &pool->finished.first;
	pool->n_workers = workers;
	pool->workers = etl_calloc(workers, sizeof *pool->workers);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->more, NULL);
	/* signals belong to the loop's thread: workers inherit a mask that blocks them all */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < workers; i++) {
		pool->workers[i].pool = pool;
		pool->workers[i].started =
			pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]) == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pool;
}

/* Tasks that wait belong to their owners, who are freed after the pool and know that no `done`
 * will come. */
void etld_pool_free(struct etld_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	pthread_cond_broadcast(&pool->more);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->n_workers; i++)
		if (pool->workers[i].started)
			pthread_join(pool->workers[i].thread, NULL);
	pthread_mutex_destroy(&pool->lock);
	pthread_cond_destroy(&pool->more);
	free(pool->workers);
	free(pool);
}

/* A function that blocks must not run on the loop: the first test that gets there finds it. */
void etld_on_worker(void)
{
	if (!is_worker)
		abort();
}

void etld_on_pools_loop(const struct etld_pool *pool)
{
	if (!pthread_equal(pthread_self(), pool->loop))
		abort();
}

void etld_pool_submit(struct etld_pool *pool, struct etld_task *task)
{
	etld_on_pools_loop(pool);
	pthread_mutex_lock(&pool->lock);
	push(&pool->waiting, task);
	pthread_cond_signal(&pool->more);
	pthread_mutex_unlock(&pool->lock);
}

/* The lock is let go for each `done`, which may submit the next task. */
void etld_pool_collect(struct etld_pool *pool)
{
	struct etld_task *task;

	etld_on_pools_loop(pool);
	do {
		pthread_mutex_lock(&pool->lock);
		task = pop(&pool->finished);
		pthread_mutex_unlock(&pool->lock);
		if (task)
			task->done(task);
	} while (task);
}

/* The task that has run longest is told: one that hangs in a server shows here before anything
 * else does. */
void etld_pool_facts(struct etld_pool *pool, struct etld_pool_facts *out)
{
	etl_mono now = etl_mono_now(pool->clock);

	*out = (struct etld_pool_facts){.workers = pool->n_workers};
	pthread_mutex_lock(&pool->lock);
	out->queued = pool->waiting.n;
	for (unsigned i = 0; i < pool->n_workers; i++) {
		etl_dur d = etl_mono_diff(now, pool->workers[i].since);

		if (!pool->workers[i].busy)
			continue;
		out->busy++;
		if (d.us <= out->oldest.us)
			continue;
		out->oldest = d;
		out->name = pool->workers[i].name;
		out->since = pool->workers[i].since;
		memcpy(out->of, pool->workers[i].of, sizeof out->of);
	}
	pthread_mutex_unlock(&pool->lock);
}
