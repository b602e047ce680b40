/* SPDX-License-Identifier: MIT
 *
 * Readings of what the store holds, from their making to their end: once a minute, when
 * something asks for one, and of one job at once. A worker reads (picture_read.c), the loop
 * takes job by job (picture_take.c), of many jobs in pieces. Only one reading of all jobs is
 * under way at a time.
 *
 * Example of a minute: at 10:00:00 a worker reads watermarks, pauses, schedules and sums of open
 * units, four questions for all jobs; at 10:00:00.4 the loop takes them job by job, half a
 * millisecond at a time. At 10:00:20 a run ends and reads its own job's open units as part of its
 * finish. At 10:01:00 all is read again, which is how a window that another etld has held shows up
 * here.
 */
#include "engine/picture.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/backend.h"
#include "engine/picture_parts.h"
#include "engine/walk.h"
#include "io/journal.h"
#include "io/loop.h"

struct etld_looks {
	struct etld_picture *going; /* the reading of all jobs that is under way; NULL = none */
	struct etl_timer timer;	    /* the next one */
	etl_dur every;
	bool again; /* something changed while it was under way: read again */
};

/* ---- once a minute --------------------------------------------------------------------------- */

static void look_later(struct etld *etld, etl_dur wait)
{
	etl_timer_cancel(etld_loop_wheel(etld->loop), &etld->looks->timer);
	etl_timer_arm(etld_loop_wheel(etld->loop), &etld->looks->timer,
		etl_mono_add(etl_mono_now(etld->clock), wait));
}

/* If something changed while the reading was under way, the next one begins at once: what was taken
 * may be older than the change. */
static void looked(struct etld_picture *p)
{
	struct etld *etld = p->etld;

	etld->looks->going = NULL;
	etld_picture_free(p);
	if (!etld->mongodb_up || etld->draining)
		return; /* the reading is begun anew when MongoDB is found again */
	look_later(etld, etld->looks->again ? (etl_dur){0} : etld->looks->every);
	etld->looks->again = false;
}

/* A reading of ten thousand jobs is taken in pieces, so that no slot waits for the end of it. */
static void take_piece(struct etld_picture *p)
{
	const struct etld_generation *g = p->generation;
	etl_mono now = etl_mono_now(p->etld->clock), until = etl_mono_add(now, ETLD_PIECE);

	for (; p->next < g->n_jobs && now.us < until.us; now = etl_mono_now(p->etld->clock))
		etld_picture_take_job(p, g->jobs[p->next++]->name);
	if (p->next < g->n_jobs && !p->etld->draining)
		etl_timer_arm(etld_loop_wheel(p->etld->loop), &p->timer, now);
	else
		looked(p);
}

static void on_piece(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	take_piece(ctx);
}

static void look_work(struct etld_task *task)
{
	struct etld_picture *p = (struct etld_picture *)task;
	struct etl_error err = ETL_ERROR_INIT;

	if (etld_picture_read(p, &err) < 0)
		p->error = err;
}

/* What could not be read changes nothing: an old picture is better than half a new one, and the
 * log says that status may be old. */
static void look_done(struct etld_task *task)
{
	struct etld_picture *p = (struct etld_picture *)task;

	if (p->read && p->etld->mongodb_up) {
		take_piece(p);
		return;
	}
	if (etl_store_is_unreachable(&p->error))
		etld_backend_lost(p->etld, &p->error);
	else if (!p->read && !p->etld->draining)
		etld_log(ETLD_WARNING, NULL, NULL, 0,
			"what the metadata holds cannot be read, status may be old: %s",
			p->error.message);
	looked(p);
}

/* One reading of all jobs at a time: on a slow store they would pile up, each as old as its
 * beginning. */
static void look(struct etld *etld)
{
	struct etld_picture *p;

	if (etld->looks->going || !etld->mongodb_up || etld->draining)
		return;
	p = etld->looks->going = etld_picture_new(etld, NULL);
	p->task = (struct etld_task){.work = look_work, .done = look_done, .name = "look"};
	p->timer.fire = on_piece;
	p->timer.ctx = p;
	etld_pool_submit(etld->pool, &p->task);
}

static void on_look(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	look(ctx);
}

/* A reading that is under way may have read before the change, so it is followed by another
 * one. */
void etld_picture_hurry(struct etld *etld)
{
	etld_on_loop(etld->loop);
	if (etld->looks->going)
		etld->looks->again = true;
	else if (etld->mongodb_up && !etld->draining)
		look_later(etld, (etl_dur){0});
}

/* From MongoDB's return on. A reading that is under way arms the timer at its end. */
void etld_picture_watch(struct etld *etld)
{
	if (!etld->looks->going)
		look_later(etld, etld->looks->every);
}

/* ---- one job, at once ------------------------------------------------------------------------ */

static void one_work(struct etld_task *task)
{
	/* the reading of the next minute tells of it */
	struct etl_error ignored = ETL_ERROR_INIT;

	(void)etld_picture_read((struct etld_picture *)task, &ignored);
}

/* A reading that failed changes nothing: that of the next minute does. */
static void one_done(struct etld_task *task)
{
	struct etld_picture *p = (struct etld_picture *)task;

	etld_picture_take(p);
	etld_picture_free(p);
}

/* After what changed one job alone (a watermark that was moved): the operator looks at status next.
 */
void etld_picture_look(struct etld *etld, struct etld_job *job)
{
	struct etld_picture *p;

	etld_on_loop(etld->loop);
	if (!etld->mongodb_up || etld->draining)
		return;
	p = etld_picture_new(etld, job);
	p->task = (struct etld_task){.work = one_work, .done = one_done, .name = "look"};
	etld_pool_submit(etld->pool, &p->task);
}

void etld_picture_open(struct etld *etld)
{
	etld->looks = ETL_NEW(struct etld_looks);
	etld->looks->timer = (struct etl_timer){.fire = on_look, .ctx = etld, .name = "look"};
	etld->looks->every = ETLD_LOOK_EVERY;
}

void etld_picture_every(struct etld *etld, etl_dur every)
{
	etld->looks->every = every;
}

void etld_picture_close(struct etld *etld)
{
	if (!etld->looks)
		return;
	etl_timer_cancel(etld_loop_wheel(etld->loop), &etld->looks->timer);
	etld_picture_free(etld->looks->going);
	free(ETL_TAKE(etld->looks));
}
