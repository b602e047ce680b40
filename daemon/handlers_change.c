/* SPDX-License-Identifier: MIT
 *
 * Pause, Resume: they change the daemon, take effect at once, and are written to the
 * audit collection by a worker.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/str.h"
#include "handlers.h"
#include "walk.h"

/* A pause has to survive a restart, so its answer waits for MongoDB. */
struct pause_query {
	struct etld_query query;
	struct etl_buf list; /* the jobs in the answer (handlers.h) */
	char **jobs;
	size_t n, cap;
	char *who, *why;
	bool pause, changed;
	size_t saved;
	struct pause_query *next; /* what took effect here after it */
};

/* The fault point holds a test's pause on its way. */
static int save_pause(struct pause_query *q, const char *job)
{
	struct etl_state *state = q->query.etld->state;
	bson_t details = BSON_INITIALIZER;
	int rc;

	(void)etl_fault("pause.store", NULL);
	BSON_APPEND_UTF8(&details, "job", job);
	BSON_APPEND_UTF8(&details, "reason", q->why);
	rc = etl_pause_set(state, job, q->pause, q->who, q->why, &q->query.error);
	if (rc == 0)
		rc = etl_audit_add(state, q->who, q->pause ? "pause" : "resume", &details,
			&q->query.error);
	bson_destroy(&details);
	return rc;
}

static void pause_work(struct etld_task *task)
{
	struct pause_query *q = (struct pause_query *)task;

	etld_on_worker();
	for (q->saved = 0; q->saved < q->n; q->saved++)
		if (save_pause(q, q->jobs[q->saved]) < 0) {
			etl_error_prefix(&q->query.error, "%s on this etld alone and until it stops, for "
				"it could not be stored", q->pause ? "paused" : "it goes on");
			return;
		}
}

/* The store hears of pauses and of their ends in the order in which they took effect here: of two
 * workers the later one might be quicker. */
static void store_next(struct pause_query *done)
{
	struct etld *etld = done->query.etld;

	LL_DELETE(etld->pauses, done);
	if (etld->pauses)
		etld_query_send(&etld->pauses->query, pause_work);
}

/* On the loop: from here on the store has the word (picture.h), but for those that it never heard of. */
static bool pause_stored(struct etld_query *query)
{
	struct pause_query *q = (struct pause_query *)query;

	for (size_t i = 0; i < q->n; i++) {
		struct etld_job *job = etld_job_find(query->etld, q->jobs[i]);

		if (!job || !job->pausing)
			continue; /* it went, or went and came back */
		job->pausing--;
		job->pause_unsaved = i >= q->saved;
		etld_job_changed(query->etld, job);
	}
	store_next(q);
	return false;
}

static void pause_free(struct etld_query *query)
{
	struct pause_query *q = (struct pause_query *)query;

	for (size_t i = 0; i < q->n; i++)
		free(q->jobs[i]);
	free(q->jobs);
	etl_buf_fini(&q->list);
	free(q->who);
	free(q->why);
	free(q);
}

/* resume --from: the slots since then that the pause kept from running. False: answered. */
static bool read_from(struct etld_request *request, etl_wall *from)
{
	const char *text = etl_json_text(request->parameters, "from", NULL);

	if (!text)
		return true;
	if (!etld_request_time(request, "from", from))
		return false;
	if (from->ms > etl_now(request->etld->clock).ms) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "slots to come run by themselves",
			"--from %s lies in the future", text);
		return false;
	}
	return true;
}

static void set_paused(struct pause_query *q, struct etld_job *job, etl_wall from)
{
	struct etld *etld = q->query.etld;
	bool changed = job->sched.paused != q->pause;
	struct etl_json *item = etl_json_object();

	etl_json_add_text(item, "job", job->name);
	etl_json_add_bool(item, "changed", changed);
	etld_list_add(&q->list, item);
	q->changed |= changed;
	if (q->pause)
		etl_sched_pause(etld->sched, &job->sched);
	else
		etl_sched_resume(etld->sched, &job->sched, from);
	etld_job_note_pause(job, q->pause ? q->who : NULL, q->pause ? q->why : NULL, etl_now(etld->clock));
	etld_deadline_look(etld, job);
	job->pausing++;
	ETL_GROW(q->jobs, q->n, q->cap);
	q->jobs[q->n++] = etl_strdup(job->name);
}

static bool is_of(const struct etld_job *job, const char *group)
{
	return job->job->group && etl_streq(job->job->group, group);
}

/* The job that is asked for, or a job of the group; false: answered. */
static bool is_asked(struct etld_request *request, struct etld_job **job, const char **group)
{
	bool has_job = etl_json_get(request->parameters, "job") != NULL;

	*group = etl_json_text(request->parameters, "group", NULL);
	*job = NULL;
	if (has_job == (*group != NULL)) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "a job, or --group GROUP",
			"one job is meant, or one group of them");
		return false;
	}
	if (has_job)
		return (*job = etld_request_job(request)) != NULL;
	for (struct etld_job *each = request->etld->jobs; each; each = each->hh.next)
		if (is_of(each, *group))
			return true;
	etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "etlctl graph", "no job is in group '%s'", *group);
	return false;
}

static struct pause_query *pause_new(struct etld_request *request, bool pause)
{
	struct pause_query *q = ETL_NEW(struct pause_query);

	q->query.free = pause_free;
	q->query.again = pause_stored;
	q->query.reply = etld_reply_object(request->etld, "etl.pause/1");
	q->who = etl_strdup(request->who);
	q->why = etld_request_reason(request);
	q->pause = pause;
	etl_buf_init(&q->list, ETL_CTL_REPLY_MAX);
	return q;
}

/* All that are asked for are paused here, or are not any more: now the store. */
static void store_pause(struct pause_query *q)
{
	struct etld *etld = q->query.etld;

	(void)etld_list_end(&q->list); /* names alone: room for more jobs than a daemon has */
	etl_json_add_printed(q->query.reply, "jobs", &q->list);
	etl_json_add_bool(q->query.reply, "changed", q->changed);
	LL_APPEND(etld->pauses, q);
	if (etld->pauses == q)
		etld_query_send(&q->query, pause_work);
}

/* A job, or a group of thousands: in pieces, behind what was asked for before, and to its end whether
 * or not the client stays. */
struct pause_walk {
	struct etld_walk walk;
	struct pause_query *q; /* NULL: it is on its way to the store */
	const struct etl_job *job;
	char *group; /* NULL: that job alone */
	etl_wall from;
};

static const struct etl_job *the_job(const struct etld_walk *walk, size_t i)
{
	(void)i;
	return ((const struct pause_walk *)walk)->job;
}

static void pause_one(struct etld_walk *walk, struct etld_job *job)
{
	struct pause_walk *w = (struct pause_walk *)walk;

	if (!w->group || is_of(job, w->group))
		set_paused(w->q, job, w->from);
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
		etld_query_drop(&w->q->query);
	free(w->group);
	free(w);
}

static void change_pause(struct etld_request *request, bool pause)
{
	struct pause_walk *w;
	struct etld_job *job;
	const char *group;
	etl_wall from = {0};

	if (!is_asked(request, &job, &group) || !read_from(request, &from))
		return;
	w = ETL_NEW(struct pause_walk);
	w->walk = (struct etld_walk){.look = pause_one, .end = pause_end, .free = pause_walk_free,
		.at = job ? the_job : NULL, .n = 1, .in_turn = true};
	w->q = pause_new(request, pause);
	w->job = job ? job->job : NULL;
	w->group = job ? NULL : etl_strdup(group);
	w->from = from;
	etl_json_add_text(w->q->query.reply, job ? "job" : "group", job ? job->name : group);
	etl_json_add_bool(w->q->query.reply, "paused", pause);
	etl_json_add_text(w->q->query.reply, "reason", pause ? w->q->why : "");
	etld_query_bind(&w->q->query, request);
	etld_walk_own(&w->walk, request->etld);
}

void etld_pauses_free(struct etld *etld)
{
	while (etld->pauses) {
		struct pause_query *q = etld->pauses;

		etld->pauses = q->next;
		etld_query_drop(&q->query);
	}
}

void etld_handle_pause(struct etld_request *request)
{
	change_pause(request, true);
}

void etld_handle_resume(struct etld_request *request)
{
	change_pause(request, false);
}
