/* SPDX-License-Identifier: MIT
 *
 * Pause, Resume: they take effect at once; the answer waits for the store, or says that it could
 * not.
 *
 * Example: `etlctl pause airqino` while MongoDB is unreachable. The job stops taking slots at once;
 * the order waits in the outbox; the answer comes at once too, as NotReady: "paused on this etld,
 * which stores it when MongoDB is back". Were the order refused instead, nobody could stop a job
 * just when the database is in trouble; were it reported as done, a crash would undo it without a
 * word.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "engine/pauses.h"
#include "methods/methods.h"

/* A pause has to survive a restart, so its answer waits for MongoDB. */
struct pause_query {
	struct etld_request *request;
	struct etld_pause_order *order;
	const char *why;
	bool pause, changed;
	struct etl_buf list; /* the jobs in the answer (methods.h) */
};

/* An operator has to know that what holds here is not on record yet, or will never be. */
static void answer(void *ctx, enum etld_pause_end how, const char *reason)
{
	const struct pause_query *q = ctx;
	const char *what = q->pause ? "paused" : "it goes on";
	struct etl_json *details;

	if (how == ETLD_PAUSE_STORED) {
		etld_answer(q->request);
		return;
	}
	details = etl_json_object();
	etl_json_add_text(details, "reason", reason);
	if (how == ETLD_PAUSE_KEPT)
		etld_refuse_with(q->request, ETL_CTL_NOT_READY, details, "etlctl status",
			"%s on this etld, which stores it when MongoDB is back: %s", what, reason);
	else
		etld_refuse_with(q->request, ETL_CTL_FAILED, details, NULL,
			"%s on this etld alone and until it stops, for it could not be stored: %s",
			what, reason);
}

static void pause_free(void *ctx)
{
	struct pause_query *q = ctx;

	etl_buf_fini(&q->list);
}

/* `changed` is false for a job that was paused already: the order is stored all the same, with its
 * new reason and who gave it. */
static void set_paused(struct pause_query *q, struct etld_job *job)
{
	bool changed = etld_pauses_add(q->order, job);
	struct etl_json *item = etl_json_object();

	etl_json_add_text(item, "job", job->name);
	etl_json_add_bool(item, "changed", changed);
	etld_list_add(&q->list, item);
	q->changed |= changed;
}

/* All that are asked for are paused here, or are not any more: now the store. */
static void store_pause(struct pause_query *q)
{
	struct etl_json *reply = etld_reply(q->request);

	(void)etld_list_end(&q->list); /* names alone: room for more jobs than a daemon has */
	etl_json_add_printed(reply, "jobs", &q->list);
	etl_json_add_bool(reply, "changed", q->changed);
	etld_pauses_end(q->order, answer, q);
}

/* A job, or a group of thousands: in pieces, behind what was asked for before, and to its end
 * whether or not the client stays. */
struct pause_walk {
	struct etld_walk walk;
	struct pause_query *q; /* NULL: it is on its way to the store */
};

static const struct etl_job *the_job(const struct etld_walk *walk, size_t i)
{
	(void)i;
	return ((const struct pause_walk *)walk)->q->request->job;
}

/* The group is looked at now and not when the order was given: a job that a reload has moved out of
 * the group meanwhile is left alone. */
static void pause_one(struct etld_walk *walk, struct etld_job *job)
{
	struct pause_query *q = ((struct pause_walk *)walk)->q;

	if (q->request->job || etld_job_is_in(job->job, q->request->group))
		set_paused(q, job);
}

/* From here on the request belongs to the order (etld_pauses_end), which may answer within the
 * call; the walk must not end it a second time when it is freed. */
static void pause_end(struct etld_walk *walk, struct etld_request *request)
{
	(void)request;
	store_pause(ETL_TAKE(((struct pause_walk *)walk)->q));
}

static void pause_walk_free(struct etld_walk *walk)
{
	struct pause_walk *w = (struct pause_walk *)walk;

	if (w->q) { /* etld ends, and its clients are gone */
		etld_pauses_end(w->q->order, NULL, NULL);
		etld_request_end(w->q->request);
	}
	free(w);
}

/* `from` is of a resume: slots since then count as missed and are made up by the job's misfire
 * rule. Without it nothing of the pause is made up by slots; the ledger's windows are owed in
 * either case. */
static struct pause_query *pause_new(struct etld_request *request)
{
	struct pause_query *q = etld_request_own(request, sizeof *q);
	struct etl_json *reply = etld_reply(request);

	q->request = request;
	q->pause = request->method->how;
	q->why = etld_request_reason(request);
	q->order = etld_pauses_begin(request->etld, q->pause, request->who, q->why,
		request->from ? *request->from : (etl_wall){0});
	etl_buf_init(&q->list, ETL_CTL_REPLY_MAX);
	etl_arena_defer(request->arena, pause_free, q);
	etl_json_add_text(reply, request->job ? "job" : "group",
		request->job ? request->job->name : request->group);
	etl_json_add_bool(reply, "paused", q->pause);
	etl_json_add_text(reply, "reason", q->pause ? q->why : "");
	return q;
}

/* A future --from is refused because it would silently mean nothing: those slots are to come
 * anyway. The walk has no request of its own (NULL): an order goes on although its client has gone,
 * and a pause of all followed by a resume of all ends with all jobs running (`in_turn`). */
static void change_pause(struct etld_request *request)
{
	struct pause_walk *w;

	if ((request->job != NULL) == (request->group != NULL)) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "a job, or --group GROUP",
			"one job is meant, or one group of them");
	} else if (request->from && request->from->ms > etl_now(request->etld->clock).ms) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "slots to come run by themselves",
			"--from %s lies in the future",
			etl_json_text(request->parameters, "from", ""));
	} else {
		w = ETL_NEW(struct pause_walk);
		w->walk = (struct etld_walk){.look = pause_one, .end = pause_end,
			.free = pause_walk_free, .at = request->job ? the_job : NULL, .n = 1,
			.in_turn = true};
		w->q = pause_new(request);
		etld_walk_begin(&w->walk, request->etld, NULL);
	}
}

const struct etld_method etld_method_pause = {
	"Pause", "etl.pause/1", .how = true, .call = change_pause};
const struct etld_method etld_method_resume = {
	"Resume", "etl.pause/1", .how = false, .call = change_pause};
