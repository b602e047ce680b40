/* SPDX-License-Identifier: MIT
 *
 * The life of a request: made by a door, answered by a method, sometimes after a worker. Refusals
 * that several methods know, and parameters that need a word of their own.
 *
 * Who owns a request: the door until etld_dispatch, then the method, then whoever the method gave
 * it to (a worker's task, a walk, a follower of a run). The client is never waited for: it may go
 * at any time, and `client` NULL turns all later answers into nothing. Example: `etlctl watermark
 * rewind` is interrupted by Ctrl-C. Its walk goes on slice by slice, is in the audit with the
 * caller's name, and the answer at its end is dropped.
 */
#include "methods/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/url.h"
#include "methods/methods.h"

/* The generation is held and not looked up again: job, partition and group point into it, and a
 * reload while a worker reads must not pull them away. What has to be of now (the job as the daemon
 * lives with it) is looked up by name, and may have gone (etld_request_job). */
struct etld_request *etld_request_new(struct etld *etld, const struct etld_door *door, void *client,
	const struct etld_peer *peer, struct etl_ctl_request *message)
{
	struct etld_request *request = ETL_NEW(struct etld_request);

	request->etld = etld;
	request->error = (struct etl_error)ETL_ERROR_INIT;
	request->door = door;
	request->client = client;
	request->message = *message;
	*message = (struct etl_ctl_request){0};
	request->parameters = request->message.parameters;
	request->rank = peer->rank;
	snprintf(request->who, sizeof request->who, "uid %ld (pid %ld)", peer->uid, peer->pid);
	request->arena = etl_arena_new(0);
	request->generation = etld_generation_ref(etld->generation);
	return request;
}

/* The arena goes first: what a method deferred there (walks of changes, pictures, lists) may still
 * look at the configuration that it was asked under. */
void etld_request_end(struct etld_request *request)
{
	etld_on_loop(request->etld->loop);
	etl_arena_free(request->arena);
	etld_generation_unref(request->generation);
	etl_json_free(request->reply);
	etl_ctl_request_fini(&request->message);
	free(request);
}

/* After `gone` the request may be freed already: the last thing that is done with it here. */
void etld_request_gone(struct etld_request *request)
{
	request->client = NULL;
	if (request->gone)
		request->gone(request);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Schema and time stand in front because they are asked for first, whoever fills the reply: a
 * worker may be the first to do so, as no other thread has the request then. */
struct etl_json *etld_reply(struct etld_request *request)
{
	if (!request->reply) {
		request->reply = etl_json_object();
		etl_json_add_text(request->reply, "schema", request->method->schema);
		etld_json_time(request->reply, "generated_at", etl_now(request->etld->clock));
	}
	return request->reply;
}

/* An answer that says nothing but that it was done still has a schema and a time: without a client
 * they are not even made. */
void etld_answer(struct etld_request *request)
{
	if (request->client) {
		etld_reply(request);
		request->door->answer(request->client, ETL_TAKE(request->reply));
	}
	etld_request_end(request);
}

/* Without `more` in the message a client reads one answer alone: progress is dropped, not queued.
 */
bool etld_answer_more(struct etld_request *request, struct etl_json *message)
{
	if (request->client && request->message.more)
		return request->door->more(request->client, message);
	etl_json_free(message);
	return false;
}

static void refuse(struct etld_request *request, enum etl_ctl_error error, struct etl_json *details,
	const char *hint, const char *fmt, va_list ap)
{
	char message[ETL_ERROR_MESSAGE_MAX];

	vsnprintf(message, sizeof message, fmt, ap);
	if (request->client)
		request->door->refuse(request->client, error, message, hint, details);
	else
		etl_json_free(details);
	etld_request_end(request);
}

void etld_refuse(struct etld_request *request, enum etl_ctl_error error, const char *hint,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	refuse(request, error, NULL, hint, fmt, ap);
	va_end(ap);
}

void etld_refuse_with(struct etld_request *request, enum etl_ctl_error error,
	struct etl_json *details, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	refuse(request, error, details, hint, fmt, ap);
	va_end(ap);
}

/* ---- refusals ------------------------------------------------------------------------------- */

static struct etl_json *detail(const char *key, const char *value)
{
	struct etl_json *details = etl_json_object();

	etl_json_add_text(details, key, value);
	return details;
}

/* By the jobs of now, not of the request's generation: what is proposed has to be there when the
 * operator types it. */
static const char *nearest_job(const struct etld *etld, const char *name)
{
	const char **names = etl_calloc(HASH_COUNT(etld->jobs) + 1, sizeof *names);
	const char *near;
	size_t n = 0;

	for (const struct etld_job *job = etld->jobs; job; job = job->hh.next)
		names[n++] = job->name;
	near = etl_nearest(name, names, n);
	free(names);
	return near;
}

/* "there is no job 'airqnio'", with the hint "did you mean 'airqino'?"; if no name is near, the
 * hint is the command that lists them. */
void etld_refuse_job(struct etld_request *request, const char *name)
{
	const char *near = nearest_job(request->etld, name);
	char hint[ETL_JOB_NAME_MAX + 32];

	if (near)
		snprintf(hint, sizeof hint, "did you mean '%s'?", near);
	else
		snprintf(hint, sizeof hint, "etlctl jobs");
	etld_refuse_with(request, ETL_CTL_NO_SUCH_JOB, detail("job", name), hint,
		"there is no job '%s'", name);
}

void etld_refuse_group(struct etld_request *request, const char *name)
{
	etld_refuse(request, ETL_CTL_NO_SUCH_JOB, "etlctl graph", "no job is in group '%s'", name);
}

void etld_refuse_time(struct etld_request *request, const char *text)
{
	etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "2026-07-01 or 2026-07-01T10:00Z",
		"'%s' is not a time", text);
}

/* `etlctl run --wait` reads `starting`: it waits and asks again while etld has not heard of MongoDB
 * yet, and gives up at once if MongoDB is known to be unreachable or etld stops. */
void etld_refuse_not_ready(struct etld_request *request, const char *reason, bool starting)
{
	struct etl_json *details = detail("reason", reason);

	etl_json_add_bool(details, "starting", starting);
	etld_refuse_with(request, ETL_CTL_NOT_READY, details, "etlctl status", "%s", reason);
}

/* Changes of watermarks and decisions need the lease that the run holds. They are refused instead
 * of queued: what the operator saw when the order was given is not what the run leaves behind. */
void etld_refuse_busy(struct etld_request *request)
{
	const char *run_id = etld_run_id(etld_running(etld_request_job(request)));
	struct etl_json *details = detail("job", request->job->name);

	etl_json_add_text(details, "run_id", run_id);
	etld_refuse_with(request, ETL_CTL_BUSY, details, "etlctl status", "job '%s' is running: %s",
		request->job->name, run_id);
}

/* It is only a guess, made from the last thing that was heard of MongoDB: after this the server may
 * be lost all the same, and then the worker's own error refuses the request (refuse_error). */
bool etld_request_ready(struct etld_request *request)
{
	const struct etld *etld = request->etld;
	const char *reason = etld_mongodb_reason(etld);

	if (etld->mongodb_up)
		return true;
	etld_refuse_with(request, ETL_CTL_NOT_READY, detail("reason", reason), "etlctl status",
		"MongoDB cannot be asked: %s", reason);
	return false;
}

/* ---- parameters ----------------------------------------------------------------------------- */

struct etld_job *etld_request_job(const struct etld_request *request)
{
	return etld_job_find(request->etld, request->job->name);
}

bool etld_request_time(const struct etld_request *request, const char *text, etl_wall *out)
{
	return etl_zone_time_parse(request->job ? request->job->window.grid.zone : NULL, text, out);
}

/* `range` comes with what holds if nothing was asked for ("from the first window on", "until now"),
 * so that --from alone and --to alone mean what an operator would expect. A range of length zero is
 * as wrong as one that runs backwards: it asks for nothing. */
bool etld_request_range(struct etld_request *request, struct etl_window *range)
{
	if (request->from)
		range->start = *request->from;
	if (request->to)
		range->end = *request->to;
	if (range->start.ms < range->end.ms)
		return true;
	etld_refuse(request, ETL_CTL_INVALID_PARAMETER, NULL, "the range ends before it begins");
	return false;
}

/* Both masks before anything else has the text: it goes into the audit, the ledger and the journal,
 * and a reason like "moved to https://user:secret@new/" would carry the password into all three. */
const char *etld_request_reason(const struct etld_request *request)
{
	char *text =
		etl_arena_strdup(request->arena, etl_json_text(request->parameters, "reason", ""));

	etl_text_mask(text);
	etl_url_mask(text);
	return text;
}

/* ---- questions for a worker ----------------------------------------------------------------- */

/* What failed on a worker, as etlctl can act on it: each of these has an exit code (4 for what is
 * not there, 2 for a parameter, 8 for busy, 1 for the rest). ETL_CONFLICT is a lease that somebody
 * else holds, maybe another etld. */
static enum etl_ctl_error answer_of(const struct etl_error *err)
{
	if (etl_streq(err->code, "no_such_run"))
		return ETL_CTL_NO_SUCH_RUN;
	if (etl_streq(err->code, "no_such_letter"))
		return ETL_CTL_NO_SUCH_LETTER;
	if (etl_streq(err->code, "no_such_window"))
		return ETL_CTL_NO_SUCH_WINDOW;
	if (etl_streq(err->code, "change.time") || etl_streq(err->code, "change.check") ||
		etl_streq(err->code, "change.too_many"))
		return ETL_CTL_INVALID_PARAMETER;
	if (err->kind == ETL_CONFLICT)
		return ETL_CTL_BUSY;
	return err->kind == ETL_TRANSIENT ? ETL_CTL_NOT_READY : ETL_CTL_FAILED;
}

/* Where the ids stand that could have been meant. */
static const char *hint_of(enum etl_ctl_error error)
{
	return error == ETL_CTL_NO_SUCH_RUN ? "etlctl runs" :
		error == ETL_CTL_NO_SUCH_LETTER ? "etlctl dead list" :
		error == ETL_CTL_NOT_READY ? "etlctl status" : NULL;
}

static void on_worker(struct etld_task *task)
{
	struct etld_request *request = ETL_OF(struct etld_request, task, task);

	etld_on_worker();
	request->work(request);
}

/* The words of the error are the message: the store and lib/ops know best what was wrong, and in
 * which window. They are repeated as `reason`, where programs look. */
static void refuse_error(struct etld_request *request)
{
	const char *reason = request->error.message;
	enum etl_ctl_error error = answer_of(&request->error);

	etld_refuse_with(request, error, detail("reason", reason), hint_of(error), "%s", reason);
}

/* The wait was on the loop: a worker that slept would be missing for all others. */
static void waited(struct etl_timer *timer, void *ctx)
{
	struct etld_request *request = ctx;

	(void)timer;
	etld_pool_submit(request->etld->pool, &request->task);
}

static void go_on(struct etld_request *request)
{
	struct etld *etld = request->etld;

	DL_APPEND(etld->asked, request);
	if (!request->wait.us) {
		etld_pool_submit(etld->pool, &request->task);
		return;
	}
	request->wait_timer = (struct etl_timer){.fire = waited, .ctx = request, .name = "query"};
	etl_timer_arm(etld_loop_wheel(etld->loop), &request->wait_timer,
		etl_mono_add(etl_mono_now(etld->clock), request->wait));
}

/* Three things in this order: MongoDB that turned out to be unreachable is news for the whole
 * daemon, whatever this request makes of it; then the method judges (it may ask for another turn,
 * or pass the request on to a run or a backfill); and only what is left is answered here. `request`
 * must not be touched behind `then` if it said ETLD_THEN_KEEP. */
static void on_done(struct etld_task *task)
{
	struct etld_request *request = ETL_OF(struct etld_request, task, task);
	enum etld_then then = ETLD_THEN_ANSWER;

	DL_DELETE(request->etld->asked, request);
	if (etl_store_is_unreachable(&request->error))
		etld_backend_lost(request->etld, &request->error);
	if (request->then)
		then = request->then(request);
	if (then == ETLD_THEN_AGAIN)
		go_on(request);
	else if (then == ETLD_THEN_ANSWER && request->error.kind == ETL_OK)
		etld_answer(request);
	else if (then == ETLD_THEN_ANSWER)
		refuse_error(request);
}

/* In the arena: it lives exactly as long as the request, whichever way that ends. What needs more
 * than free memory at its end is deferred there too (etl_arena_defer). */
void *etld_request_own(struct etld_request *request, size_t bytes)
{
	request->own = etl_arena_zalloc(request->arena, bytes);
	return request->own;
}

/* From here on the request is the worker's until `then`: the loop touches nothing of it but
 * `client`, which no worker looks at. */
void etld_request_submit(struct etld_request *request, void (*work)(struct etld_request *request),
	enum etld_then (*then)(struct etld_request *request))
{
	request->work = work;
	request->then = then;
	request->task = (struct etld_task){.work = on_worker, .done = on_done, .name = "query"};
	request->wait.us = 0;
	go_on(request);
}

void etld_requests_drop(struct etld *etld)
{
	struct etld_request *request;

	while ((request = etld->asked) != NULL) {
		DL_DELETE(etld->asked, request);
		etl_timer_cancel(etld_loop_wheel(etld->loop), &request->wait_timer);
		etld_request_end(request);
	}
}

/* ---- a look at all jobs --------------------------------------------------------------------- */

/* Nobody reads what the walk gathers, and thousands of jobs may be left: it ends at once. A walk
 * that changes jobs is not begun by etld_request_walk, and goes on without its client (pause.c). */
static void walker_gone(struct etld_request *request)
{
	etld_walk_drop(request->own);
	etld_request_end(request);
}

void etld_request_walk(struct etld_walk *walk, struct etld_request *request)
{
	request->own = walk;
	request->gone = walker_gone;
	etld_walk_begin(walk, request->etld, request);
}
