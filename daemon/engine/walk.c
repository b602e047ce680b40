/* SPDX-License-Identifier: MIT
 *
 * Looks at all jobs in pieces. A timer that is due at once separates two of them: the wheel
 * fires it in the next turn, beside the slots of that turn. Knows nothing of what is gathered.
 * Example: 10,000 jobs at 2 us each take 20 ms: 40 pieces of 0.5 ms, and a slot that falls due
 * meanwhile waits for one piece and not for 20 ms.
 */
#include "engine/walk.h"

#include "io/loop.h"

#define AT_ONCE 2

static void go_on(struct etld_walk *walk);

/* Walks that change jobs go one after the other, in the order of their beginning: of a pause of
 * all and a resume of all the later one has to win for every job. Walks for a request gather an
 * answer in memory, so only AT_ONCE go at the same time. */
static bool may_go(const struct etld_walk *walk)
{
	int asked = 0;

	for (const struct etld_walk *w = walk->etld->walks; w != walk; w = w->later) {
		if (walk->in_turn && w->in_turn)
			return false;
		asked += w->request != NULL;
	}
	return !walk->request || asked < AT_ONCE;
}

static void arm(struct etld_walk *walk)
{
	etl_timer_arm(etld_loop_wheel(walk->etld->loop), &walk->timer,
		etl_mono_now(walk->etld->clock));
}

/* Lets walks that wait go, the oldest first, each in a turn of its own: the caller may be in
 * the middle of a list of jobs. */
static void next_turn(struct etld *etld)
{
	for (struct etld_walk *w = etld->walks; w; w = w->later)
		if (w->waits && may_go(w)) {
			w->waits = false;
			arm(w);
		}
}

/* `free` may take the walk's memory: whoever waits is let go behind it, by the list alone. */
void etld_walk_drop(struct etld_walk *walk)
{
	struct etld *etld = walk->etld;
	struct etld_walk **p = &etld->walks;

	while (*p != walk)
		p = &(*p)->later;
	*p = walk->later;
	etl_timer_cancel(etld_loop_wheel(etld->loop), &walk->timer);
	etld_generation_unref(walk->generation);
	walk->free(walk);
	next_turn(etld);
}

static void on_turn(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	go_on(ctx);
}

static const struct etl_job *at(const struct etld_walk *walk, size_t i)
{
	return walk->at ? walk->at(walk, i) : walk->generation->jobs[i];
}

/* A job is found by its name each time: since the last piece a reload may have taken it away. */
static void go_on(struct etld_walk *walk)
{
	struct etld *etld = walk->etld;
	etl_mono now = etl_mono_now(etld->clock), until = etl_mono_add(now, ETLD_PIECE);

	for (; walk->next < walk->n && now.us < until.us; now = etl_mono_now(etld->clock)) {
		struct etld_job *job = etld_job_find(etld, at(walk, walk->next++)->name);

		if (job)
			walk->look(walk, job);
	}
	if (walk->next < walk->n) {
		arm(walk);
		return;
	}
	if (walk->end)
		walk->end(walk, walk->request);
	etld_walk_drop(walk);
}

void etld_walk_begin(struct etld_walk *walk, struct etld *etld, struct etld_request *request)
{
	struct etld_walk **last = &etld->walks;

	etld_on_loop(etld->loop);
	walk->etld = etld;
	walk->request = request;
	walk->generation = etld_generation_ref(etld->generation);
	walk->n = walk->at ? walk->n : walk->generation->n_jobs;
	walk->timer = (struct etl_timer){.fire = on_turn, .ctx = walk, .name = "walk"};
	while (*last)
		last = &(*last)->later;
	*last = walk;
	walk->waits = !may_go(walk);
	if (!walk->waits)
		go_on(walk);
}
