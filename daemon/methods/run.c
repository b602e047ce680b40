/* SPDX-License-Identifier: MIT
 *
 * Run: starts a job manually, and with `wait` follows it to its end.
 *
 * What comes of `etlctl run airqino`, by what the job does just then:
 *   nothing            a run starts; the answer has its id
 *   it runs, --wait    the same run is followed ("joined"), if it loads whatever is due
 *   it runs            Busy, with the id of the run: etlctl exits with 8
 *   it is paused       NotReady with the command that resumes it; --force runs it all the same
 *   MongoDB is lost    NotReady; `starting` says whether waiting may help
 *   no place is free   "queued": it waits before all slots; --wait follows it when it starts
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "methods/methods.h"
#include "time/civil.h"

/* ---- what was asked for -------------------------------------------------------------------- */

/* "START" or "START/END"; an END that is not said is that of the window which holds START. */
static bool parse_window(const struct etld_request *request, const char *text,
	struct etl_window *out)
{
	const char *slash = strchr(text, '/');
	etl_cleanup(free) char *start =
		etl_memdup0(text, slash ? (size_t)(slash - text) : strlen(text));

	if (!etld_request_time(request, start, &out->start))
		return false;
	if (slash)
		return etld_request_time(request, slash + 1, &out->end);
	out->end = etl_grid_at(&request->job->window.grid, out->start).end;
	return true;
}

static bool is_asked(const struct etld_request *request)
{
	return etl_json_text(request->parameters, "window", NULL) || request->from || request->to ||
		etl_json_text(request->parameters, "object", NULL);
}

/* The command that is named tells when. A window that is not over, or not settled, is refused and
 * not loaded early: it would be closed with half of its data. */
static void refuse_early(struct etld_request *request, etl_wall at)
{
	char hint[ETL_JOB_NAME_MAX + 64], start[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339(at, start);
	snprintf(hint, sizeof hint, "etlctl why %s --window %s", request->job->name, start);
	etld_refuse(request, ETL_CTL_NO_SUCH_WINDOW, hint, "this window of '%s' is not final yet",
		request->job->name);
}

/* An object is asked for, of a job that has such. False: refused. */
static bool read_object(struct etld_request *request, const char *object)
{
	if (!request->job->window.object)
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "--window TIME",
			"job '%s' has no objects: they come with window: object", request->job->name);
	else if (request->from || request->to || etl_json_text(request->parameters, "window", NULL))
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "--object NAME alone",
			"an object has no windows: '%s'", object);
	else
		return true;
	return false;
}

/* The windows that are asked for; none: left as it is. False, and refused: they cannot be had. The
 * limit is that of a window's start: a range that reaches into the future is cut by the run itself
 * to what is final ("--from yesterday" means up to now), one that begins there has nothing to load.
 */
static bool read_range(struct etld_request *request, struct etl_window *out)
{
	const char *window = etl_json_text(request->parameters, "window", NULL);
	const char *object = etl_json_text(request->parameters, "object", NULL);
	const struct etl_job *job = request->job;
	etl_wall now = etl_now(request->etld->clock);

	if (!is_asked(request))
		return true;
	if (object)
		return read_object(request, object);
	*out = (struct etl_window){job->window.grid.start, now};
	if (window) /* it says both */
		request->from = request->to = NULL;
	if (window && !parse_window(request, window, out))
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "2026-07-01 or 2026-07-01T10:00Z",
			"the range cannot be read as times");
	else if (job->window.none)
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "leave the range out",
			"job '%s' has no windows: each run reads all", job->name);
	else if (!etld_request_range(request, out))
		return false;
	else if (out->end.ms <= job->window.grid.start.ms)
		etld_refuse_before_start(request);
	else if (out->start.ms >= etl_window_limit(&job->window, now).ms)
		refuse_early(request, out->start);
	else
		return true;
	return false;
}

/* ---- following ------------------------------------------------------------------------------ */

struct follow {
	struct etld_follower follower; /* first */
	struct etld_request *request;
	struct etld_run *run;	      /* NULL: it waits for its turn */
	bool joined;		      /* the run was going when it was asked for */
	etl_mono told;
};

/* While it waits for its turn the scheduler holds the request, and ends it. Else the run goes on
 * without anybody who looks: it is the daemon's, and no client ends it by leaving. */
static void follow_gone(struct etld_request *request)
{
	struct follow *follow = request->own;

	if (!follow->run)
		return;
	etld_run_unwatch(follow->run, request);
	etld_request_end(request);
}

/* The run's record as Show would give it, made from the run itself. By way of the document, so that
 * `run --wait -o json` and `show -o json` cannot differ in a single field. */
static struct etl_json *run_as_json(const struct etl_run *run)
{
	bson_t doc = BSON_INITIALIZER;
	struct etl_json *json;

	etl_run_to_bson(run, &doc);
	json = etld_json_of_bson(&doc);
	bson_destroy(&doc);
	return json;
}

/* While it goes on a run belongs to the workers: only what strands.c noted may be looked at. */
static void tell_progress(struct etld_request *request)
{
	const struct follow *follow = request->own;
	struct etl_json *message = etl_json_object();
	const struct etl_run *run = etld_run_of(follow->run);
	struct etld_progress now;

	etld_run_progress(follow->run, &now);
	etl_json_add_text(message, "run_id", run->run_id);
	etl_json_add_text(message, "job", run->job->name);
	etl_json_add_text(message, "state", etl_run_state_word(ETL_RUN_RUNNING));
	etl_json_add_bool(message, "joined", follow->joined);
	etl_json_add_text(message, "step", now.step);
	etl_json_add_text(message, "partition", now.partition);
	etl_json_add_int(message, "records", (int64_t)now.records);
	etl_json_add_int(message, "windows", (int64_t)now.windows);
	etld_answer_more(request, message);
}

/* The watch ends before the answer, since the answer frees the request that is its key. */
static void tell_end(struct etld_request *request, const struct etl_run *run)
{
	const struct follow *follow = request->own;
	struct etl_json *reply = etld_reply(request);

	etl_json_add_text(reply, "run_id", run->run_id);
	etl_json_add_text(reply, "job", run->job->name);
	etl_json_add_text(reply, "state", etl_run_state_word(run->state));
	etl_json_add_bool(reply, "joined", follow->joined);
	etl_json_add_item(reply, "run", run_as_json(run));
	etld_run_unwatch(follow->run, request);
	etld_answer(request);
}

/* A run of a second has thousands of steps; five messages a second is as much as a person can read,
 * and the end is told whatever the time of the last one. */
static void on_run(void *ctx, const struct etl_run *run, bool ended)
{
	struct etld_request *request = ctx;
	struct follow *follow = request->own;
	etl_mono now = etl_mono_now(request->etld->clock);

	if (ended) {
		tell_end(request, run);
	} else if (etl_mono_diff(now, follow->told).us >= 200000) { /* at most 5 a second */
		tell_progress(request);
		follow->told = now;
	}
}

/* The run that waited for its turn has begun, maybe minutes later and with nobody left to hear of
 * it. Within etl_sched_trigger this is called before `start` goes on: a run that could begin at
 * once. */
static void follow_started(struct etld_follower *follower, struct etld_run *run)
{
	struct follow *follow = (struct follow *)follower;
	struct etld_request *request = follow->request;

	if (!request->client) {
		etld_request_end(request);
		return;
	}
	follow->run = run;
	etld_run_watch(run, on_run, request);
	tell_progress(request);
}

/* The job left by a reload while its manual run waited: its request is the scheduler's to end. */
static void follow_dropped(struct etld_follower *follower)
{
	etld_refuse(((struct follow *)follower)->request, ETL_CTL_NO_SUCH_JOB, "etlctl jobs",
		"the job left the configuration before the run could start");
}

/* ---- the command ---------------------------------------------------------------------------- */

/* Nothing runs yet: the pool is full, or a piece of a backfill has to end. */
static void tell_queued(struct etld_request *request)
{
	struct etl_json *message = etl_json_object();

	etl_json_add_text(message, "job", request->job->name);
	etl_json_add_text(message, "state", "queued");
	etld_answer_more(request, message);
}

static void answer_at_once(struct etld_request *request, enum etl_accept accepted)
{
	const struct etld_run *run =
		accepted == ETL_ACCEPT_STARTED ? etld_running(etld_request_job(request)) : NULL;
	struct etl_json *reply = etld_reply(request);

	etl_json_add_text(reply, "run_id", run ? etld_run_id(run) : NULL);
	etl_json_add_text(reply, "job", request->job->name);
	etl_json_add_text(reply, "state", run ? "running" : "queued");
	etld_answer(request);
}

/* A client that takes one answer only cannot wait, whatever it asks for. */
static bool waits(const struct etld_request *request)
{
	return etl_json_bool(request->parameters, "wait", false) && request->message.more;
}

static struct follow *follow_new(struct etld_request *request)
{
	struct follow *follow = etld_request_own(request, sizeof *follow);

	follow->follower = (struct etld_follower){follow_started, follow_dropped};
	follow->request = request;
	request->gone = follow_gone;
	return follow;
}

/* Whoever wants the job's due windows loaded, and waits for that, is served by the run that does it
 * already. Not by one for a range or a partition, which leaves the rest undone, nor by a backfill's
 * piece, which loads other windows; and whoever names a range or a partition gets a run for that.
 */
static bool joins(const struct etld_request *request, const struct etld_job *job)
{
	const struct etl_run *run = etld_running(job) ? etld_run_of(etld_running(job)) : NULL;

	return !is_asked(request) && !request->partition && waits(request) && run &&
		run->trigger.kind != ETL_TRIGGER_BACKFILL && !run->trigger.partition &&
		!etl_run_is_asked(run);
}

static void join(struct etld_request *request, const struct etld_job *job)
{
	struct follow *follow = follow_new(request);

	follow->joined = true;
	follow_started(&follow->follower, etld_running(job));
}

/* With a follower nothing is answered here: either the run began, and follow_started has told so,
 * or it waits and is told "queued". The tag comes back with `started` or with `dropped`, exactly
 * once. */
static void start(struct etld_request *request, struct etld_job *job, struct etl_trigger *trigger)
{
	struct follow *follow = waits(request) ? follow_new(request) : NULL;
	enum etl_accept accepted;

	trigger->object = etl_strdup(etl_json_text(request->parameters, "object", NULL));
	trigger->reprocess = trigger->object ? ETL_REPROCESS_ALL : trigger->reprocess;
	if (request->partition)
		trigger->partition = etl_strdup(request->partition->name);
	etl_text_copy(trigger->cause, sizeof trigger->cause, request->who);
	trigger->tag = follow ? &follow->follower : NULL;
	accepted = etl_sched_trigger(request->etld->sched, &job->sched, trigger);
	if (accepted == ETL_ACCEPT_REFUSED)
		etld_refuse(request, ETL_CTL_BUSY, "etlctl status",
			"%d manual runs wait for '%s' already", ETL_MANUAL_MAX, job->name);
	else if (!follow)
		answer_at_once(request, accepted);
	else if (accepted == ETL_ACCEPT_WAITS)
		tell_queued(request);
}

static void refuse_paused(struct etld_request *request)
{
	char hint[2 * ETL_JOB_NAME_MAX + 64];
	const char *name = request->job->name;

	snprintf(hint, sizeof hint, "etlctl resume %s, or etlctl run %s --force", name, name);
	etld_refuse(request, ETL_CTL_NOT_READY, hint, "job '%s' is paused", name);
}

/* A running job is Busy only for whoever does not wait: with --wait the run is queued behind it. A
 * piece of a backfill makes nobody busy, since a manual run goes before the next piece. */
static void run(struct etld_request *request)
{
	struct etld *etld = request->etld;
	struct etld_job *job = etld_request_job(request);
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_MANUAL};

	if (etld->draining)
		etld_refuse_not_ready(request, "etld is stopping", false);
	else if (!etld->mongodb_up)
		etld_refuse_not_ready(request, etld_mongodb_reason(etld), !etld->mongodb_tried);
	else if (joins(request, job))
		join(request, job);
	else if (etld_running(job) && job->sched.running.kind != ETL_TRIGGER_BACKFILL &&
		 !waits(request))
		etld_refuse_busy(request);
	else if (job->sched.paused && !etl_json_bool(request->parameters, "force", false))
		refuse_paused(request);
	else if (read_range(request, &trigger.asked))
		start(request, job, &trigger);
}

const struct etld_method etld_method_run = {"Run", "etl.run/1", ETLD_NEEDS_JOB, .call = run};
