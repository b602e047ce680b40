/* SPDX-License-Identifier: MIT
 *
 * Looks at all jobs in pieces. A timer that is due at once stands between two of them: the wheel
 * fires it in the next turn, beside the slots of that turn.
 */
#include "walk.h"

#include "base/alloc.h"

/* How long a piece may take. The millisecond is the grid of the slots; a turn of the loop costs
 * some 10 us beside. */
#define PIECE ((etl_dur){500})

#define AT_ONCE 2

static void go_on(struct etld_walk *walk);

static void arm(struct etld_walk *walk)
{
	etl_timer_arm(etld_loop_wheel(walk->etld->loop), &walk->timer, etl_mono_now(walk->etld->clock));
}

/* Those that began first go, in turns of their own: not under the feet of who calls. */
static void next_turn(struct etld *etld)
{
	int n = 0;

	for (struct etld_walk *w = etld->walks; w && n < AT_ONCE; w = w->later, n++)
		if (w->waits) {
			w->waits = false;
			arm(w);
		}
}

static void walk_free(struct etld_walk *walk)
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

static void on_gone(struct etld_request *request)
{
	walk_free(request->ctx);
	etl_ctl_request_fini(&request->message);
	free(request);
}

static void on_turn(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	go_on(ctx);
}

static void go_on(struct etld_walk *walk)
{
	const struct etld_generation *g = walk->generation;
	struct etld *etld = walk->etld;
	etl_mono now = etl_mono_now(etld->clock), until = etl_mono_add(now, PIECE);

	for (; walk->next < g->n_jobs && now.us < until.us; now = etl_mono_now(etld->clock)) {
		struct etld_job *job = etld_job_find(etld, g->jobs[walk->next++]->name);

		if (job)
			walk->look(walk, job);
	}
	if (walk->next < g->n_jobs) {
		arm(walk);
		return;
	}
	walk->end(walk, walk->request);
	walk_free(walk);
}

void etld_walk_start(struct etld_walk *walk, struct etld_request *request)
{
	struct etld_walk **last = &request->etld->walks;
	int before = 0;

	walk->etld = request->etld;
	walk->request = request;
	walk->generation = etld_generation_ref(request->etld->generation);
	walk->timer = (struct etl_timer){.fire = on_turn, .ctx = walk, .name = "walk"};
	request->ctx = walk;
	request->gone = on_gone;
	while (*last) {
		last = &(*last)->later;
		before++;
	}
	*last = walk;
	walk->waits = before >= AT_ONCE;
	if (!walk->waits)
		go_on(walk);
}
