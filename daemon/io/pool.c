/* SPDX-License-Identifier: MIT
 *
 * Worker threads: queues under one mutex. Workers know nothing of the loop but the wake.
 *
 * There are two crews with a queue each. A source that asks a database itself keeps its thread
 * while it waits for the answer: with four workers, four such streams would stop everybody else's
 * decoding and loading. Their tasks have a crew of their own, whose threads begin with the first of
 * them.
 *
 * Example: `limits.workers: 4`. Thread names do not matter; four threads take tasks of any kind,
 * oldest first. A slow MongoDB keeps all four waiting, and then nothing is decoded either: that is
 * why renewals of leases and reloads have pools of one thread of their own (etld.c).
 */
#include "io/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

/* `last` points to where the next task is linked in: an empty queue needs no case of its own. */
struct queue {
	struct etld_task *first, **last;
	size_t n;
};

struct worker {
	struct etld_pool *pool;
	struct crew *crew;
	pthread_t thread;
	bool started, busy;
	uint64_t lane; /* of its task */
	etl_mono since;
	const char *name; /* of the task, and whose it is: copies, the task may end meanwhile */
	char of[96];
};

struct crew {
	struct queue waiting;
	pthread_cond_t more;
	struct worker *workers;
	unsigned n; /* 0 = none has begun */
};

static _Thread_local bool is_worker;

/* One lock for both crews and what is finished: it is held for some pointers at a time, and never
 * while anything of the caller runs. */
struct etld_pool {
	const struct etl_clock *clock;
	void (*wake)(void *ctx);
	void *ctx;
	pthread_t loop; /* the thread that made it */
	pthread_mutex_t lock; /* guards everything below */
	struct queue finished;
	bool closing;
	struct crew crews[2]; /* by task->blocks */
	unsigned blocking; /* threads of the second crew, once it is needed */
};

/* A task is a link of its own: no memory is taken to queue it. */
static void push(struct queue *queue, struct etld_task *task)
{
	task->next = NULL;
	*queue->last = task;
	queue->last = &task->next;
	queue->n++;
}

/* The oldest first: results come back in the order in which they were ready. */
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
static bool may_run(const struct crew *crew, uint64_t lane)
{
	unsigned n = 0;

	for (unsigned i = 0; lane && i < crew->n; i++)
		n += crew->workers[i].busy && crew->workers[i].lane == lane;
	return !lane || crew->n == 1 || n + 1 < crew->n;
}

/* Takes the oldest task that may run; a task that is passed over keeps its place. */
static struct etld_task *pop_next(struct crew *crew)
{
	struct queue *queue = &crew->waiting;
	struct etld_task **p = &queue->first, *task;

	while (*p && !may_run(crew, (*p)->lane))
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
	struct crew *crew = self->crew;
	struct etld_task *task = NULL;

	pthread_mutex_lock(&pool->lock);
	self->busy = false;
	while (!pool->closing && !(task = pop_next(crew)))
		pthread_cond_wait(&crew->more, &pool->lock);
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
	if (crew->waiting.first)
		pthread_cond_signal(&crew->more);
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

/* Starts the threads of a crew. They inherit a mask that blocks all signals, which belong to
 * the loop's thread. */
static void start(struct etld_pool *pool, struct crew *crew, unsigned n)
{
	sigset_t all, before;

	crew->workers = etl_calloc(n, sizeof *crew->workers);
	crew->n = n;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < n; i++) {
		crew->workers[i].pool = pool;
		crew->workers[i].crew = crew;
		crew->workers[i].started = pthread_create(&crew->workers[i].thread, NULL,
						   worker_main, &crew->workers[i]) == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Its threads start at once, but for the crew of sources that block: most daemons have none of
 * these. */
struct etld_pool *etld_pool_new(unsigned workers, unsigned blocking, const struct etl_clock *clock,
	void (*wake)(void *ctx), void *ctx)
{
	struct etld_pool *pool = ETL_NEW(struct etld_pool);

	pool->clock = clock;
	pool->loop = pthread_self();
	pool->wake = wake;
	pool->ctx = ctx;
	pool->blocking = blocking;
	pool->finished.last = &pool->finished.first;
	pthread_mutex_init(&pool->lock, NULL);
	for (int i = 0; i < 2; i++) {
		pool->crews[i].waiting.last = &pool->crews[i].waiting.first;
		pthread_cond_init(&pool->crews[i].more, NULL);
	}
	start(pool, &pool->crews[0], workers);
	return pool;
}

/* Each ends its task: a worker cannot be stopped in the middle of a commit. */
static void dismiss(struct crew *crew)
{
	for (unsigned i = 0; i < crew->n; i++)
		if (crew->workers[i].started)
			pthread_join(crew->workers[i].thread, NULL);
	pthread_cond_destroy(&crew->more);
	free(crew->workers);
}

/* Tasks that wait belong to their owners, who are freed after the pool and know that no `done`
 * will come. */
void etld_pool_free(struct etld_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	for (int i = 0; i < 2; i++)
		pthread_cond_broadcast(&pool->crews[i].more);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < 2; i++)
		dismiss(&pool->crews[i]);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* A function that blocks must not run on the loop: the first test that gets there finds it. */
void etld_on_worker(void)
{
	if (!is_worker)
		abort();
}

/* By the thread that made the pool, for the pool knows no loop. */
void etld_on_pools_loop(const struct etld_pool *pool)
{
	if (!pthread_equal(pthread_self(), pool->loop))
		abort();
}

/* From here on the task is the worker's; whoever submitted it may look at it again in `done`. */
void etld_pool_submit(struct etld_pool *pool, struct etld_task *task)
{
	struct crew *crew = &pool->crews[task->blocks && pool->blocking];

	etld_on_pools_loop(pool);
	pthread_mutex_lock(&pool->lock);
	if (!crew->n)
		start(pool, crew, pool->blocking);
	push(&crew->waiting, task);
	pthread_cond_signal(&crew->more);
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

/* Under the lock; nothing is computed here that could be computed outside. Gives how many of the
 * crew are busy. */
static unsigned add_facts(const struct crew *crew, etl_mono now, struct etld_pool_facts *out)
{
	unsigned busy = 0;

	out->queued += crew->waiting.n;
	for (unsigned i = 0; i < crew->n; i++) {
		const struct worker *w = &crew->workers[i];
		etl_dur d = etl_mono_diff(now, w->since);

		if (!w->busy)
			continue;
		busy++;
		if (d.us <= out->oldest.us)
			continue;
		out->oldest = d;
		out->name = w->name;
		out->since = w->since;
		memcpy(out->of, w->of, sizeof out->of);
	}
	return busy;
}

/* The task that has run longest is told: one that hangs in a server shows here before anything
 * else does. */
void etld_pool_facts(struct etld_pool *pool, struct etld_pool_facts *out)
{
	etl_mono now = etl_mono_now(pool->clock);

	*out = (struct etld_pool_facts){0};
	pthread_mutex_lock(&pool->lock);
	out->workers = pool->crews[0].n;
	out->busy = add_facts(&pool->crews[0], now, out);
	out->blocked = add_facts(&pool->crews[1], now, out);
	pthread_mutex_unlock(&pool->lock);
}
