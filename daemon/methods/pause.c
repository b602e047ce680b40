/* SPDX-License-Identifier: MIT
 *
 * Pause, Resume: they change the daemon, take effect at once, and are written to the
 * audit collection by a worker.
 */
#include <stdlib.h>
#include <utlist.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "methods/methods.h"

/* A pause has to survive a restart, so its answer waits for MongoDB. */
struct pause_query {
	struct etld_request *request;
	const char *why;
	bool pause, changed;
	struct etl_buf list; /* the jobs in the answer (methods.h) */
	const char **jobs; /* their names are of the arena */
	size_t n, cap, saved;
	etl_wall from;
	struct pause_query *next; /* what took effect here after it */
};

/* The fault point holds a test's pause on its way. */
static int save_pause(struct pause_query *q, const char *job)
{
	struct etl_state *state = q->request->etld->state;
	const char *who = q->request->who;
	bson_t details = BSON_INITIALIZER;
	int rc;

	(void)etl_fault("pause.store", NULL);
	BSON_APPEND_UTF8(&details, "job", job);
	BSON_APPEND_UTF8(&details, "reason", q->why);
	rc = etl_pause_set(state, job, q->pause, who, q->why, &q->request->error);
	if (rc == 0)
		rc = etl_audit_add(state, who, q->pause ? "pause" : "resume", &details,
			&q->request->error);
	bson_destroy(&details);
	return rc;
}

static void pause_work(struct etld_request *request)
{
	struct pause_query *q = request->own;

	for (q->saved = 0; q->saved < q->n; q->saved++)
		if (save_pause(q, q->jobs[q->saved]) < 0) {
			etl_error_prefix(&request->error, "%s on this etld alone and until it stops, for "
				"it could not be stored", q->pause ? "paused" : "it goes on");
			return;
		}
}

static enum etld_then pause_stored(struct etld_request *request);

static void store(struct pause_query *q)
{
	etld_request_submit(q->request, pause_work, pause_stored);
}

/* The store hears of pauses and of their ends in the order in which they took effect here: of two
 * workers the later one might be quicker. From here on it has the word (picture.h), but for those that
 * it never heard of. */
static enum etld_then pause_stored(struct etld_request *request)
{
	struct pause_query *q = request->own;
	struct etld *etld = request->etld;

	for (size_t i = 0; i < q->n; i++) {
		struct etld_job *job = etld_job_find(etld, q->jobs[i]);

		if (!job || !job->pausing)
			continue; /* it went, or went and came back */
		job->pausing--;
		job->pause_unsaved = i >= q->saved;
		etld_job_changed(etld, job);
	}
	LL_DELETE(etld->pauses, q);
	if (etld->pauses)
		store(etld->pauses);
	return ETLD_THEN_ANSWER;
}

static void pause_free(void *ctx)
{
	struct pause_query *q = ctx;

	free(q->jobs);
	etl_buf_fini(&q->list);
}

static void set_paused(struct pause_query *q, struct etld_job *job)
{
	struct etld *etld = q->request->etld;
	bool changed = job->sched.paused != q->pause;
	struct etl_json *item = etl_json_object();

	etl_json_add_text(item, "job", job->name);
	etl_json_add_bool(item, "changed", changed);
	etld_list_add(&q->list, item);
	q->changed |= changed;
	if (q->pause)
		etl_sched_pause(etld->sched, &job->sched);
	else
		etl_sched_resume(etld->sched, &job->sched, q->from);
	etld_job_note_pause(job, q->pause ? q->request->who : NULL, q->pause ? q->why : NULL,
		etl_now(etld->clock));
	etld_deadline_look(etld, job);
	job->pausing++;
	ETL_GROW(q->jobs, q->n, q->cap);
	q->jobs[q->n++] = etl_arena_strdup(q->request->arena, job->name);
}

/* All that are asked for are paused here, or are not any more: now the store. */
static void store_pause(struct pause_query *q)
{
	struct etld *etld = q->request->etld;
	struct etl_json *reply = etld_reply(q->request);

	(void)etld_list_end(&q->list); /* names alone: room for more jobs than a daemon has */
	etl_json_add_printed(reply, "jobs", &q->list);
	etl_json_add_bool(reply, "changed", q->changed);
	LL_APPEND(etld->pauses, q);
	if (etld->pauses == q)
		store(q);
}

/* A job, or a group of thousands: in pieces, behind what was asked for before, and to its end whether
 * or not the client stays. */
struct pause_walk {
	struct etld_walk walk;
	struct pause_query *q; /* NULL: it is on its way to the store */
};

static const struct etl_job *the_job(const struct etld_walk *walk, size_t i)
{
	(void)i;
	return ((const struct pause_walk *)walk)->q->request->job;
}

static void pause_one(struct etld_walk *walk, struct etld_job *job)
{
	struct pause_query *q = ((struct pause_walk *)walk)->q;

	if (q->request->job || etld_job_is_in(job->job, q->request->group))
		set_paused(q, job);
}

static void pause_end(struct etld_walk *walk, struct etld_request *request)
{
	(void)request;
	store_pause(ETL_TAKE(((struct pause_walk *)walk)->q));
}

static void pause_walk_free(struct etld_walk *walk)
{
	struct pause_walk *w = (struct pause_walk *)walk;

	if (w->q) /* etld ends, and its clients are gone */
		etld_request_end(w->q->request);
	free(w);
}

static struct pause_query *pause_new(struct etld_request *request)
{
	struct pause_query *q = etld_request_own(request, sizeof *q);
	struct etl_json *reply = etld_reply(request);

	q->request = request;
	q->pause = request->method->how;
	q->why = etld_request_reason(request);
	q->from = request->from ? *request->from : (etl_wall){0};
	etl_buf_init(&q->list, ETL_CTL_REPLY_MAX);
	etl_arena_defer(request->arena, pause_free, q);
	etl_json_add_text(reply, request->job ? "job" : "group",
		request->job ? request->job->name : request->group);
	etl_json_add_bool(reply, "paused", q->pause);
	etl_json_add_text(reply, "reason", q->pause ? q->why : "");
	return q;
}

static void change_pause(struct etld_request *request)
{
	struct pause_walk *w;

	if ((request->job != NULL) == (request->group != NULL)) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "a job, or --group GROUP",
			"one job is meant, or one group of them");
	} else if (request->from && request->from->ms > etl_now(request->etld->clock).ms) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "slots to come run by themselves",
			"--from %s lies in the future", etl_json_text(request->parameters, "from", ""));
	} else {
		w = ETL_NEW(struct pause_walk);
		w->walk = (struct etld_walk){.look = pause_one, .end = pause_end, .free = pause_walk_free,
			.at = request->job ? the_job : NULL, .n = 1, .in_turn = true};
		w->q = pause_new(request);
		etld_walk_begin(&w->walk, request->etld, NULL);
	}
}

void etld_pauses_free(struct etld *etld)
{
	while (etld->pauses) {
		struct pause_query *q = etld->pauses;

		etld->pauses = q->next;
		etld_request_end(q->request);
	}
}

const struct etld_method etld_method_pause = {"Pause", "etl.pause/1", .how = true, .call = change_pause};
const struct etld_method etld_method_resume = {"Resume", "etl.pause/1", .how = false, .call = change_pause};
