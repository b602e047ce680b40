/* SPDX-License-Identifier: MIT
 *
 * Run: starts a job manually, and with `wait` follows it to its end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "methods/methods.h"
#include "time/civil.h"

/* ---- what was asked for -------------------------------------------------------------------- */

/* "START" or "START/END" */
static bool parse_window(const struct etl_job *job, const char *text, struct etl_window *out)
{
	const char *slash = strchr(text, '/');
	char *start = etl_memdup0(text, slash ? (size_t)(slash - text) : strlen(text));
	bool ok = etl_time_parse(start, &out->start);

	free(start);
	if (ok && slash)
		return etl_time_parse(slash + 1, &out->end);
	if (ok)
		out->end = etl_wall_add(out->start, job->window.size);
	return ok;
}

static bool is_asked(const struct etld_request *request)
{
	return etl_json_text(request->parameters, "window", NULL) ||
		etl_json_text(request->parameters, "from", NULL) ||
		etl_json_text(request->parameters, "to", NULL);
}

static bool read_range(struct etld_request *request, const struct etl_job *job,
	struct etl_window *out)
{
	const char *window = etl_json_text(request->parameters, "window", NULL);
	const char *from = etl_json_text(request->parameters, "from", NULL);
	const char *to = etl_json_text(request->parameters, "to", NULL);
	bool ok = true;

	if (window)
		return parse_window(job, window, out);
	if (!from && !to)
		return true;
	out->start = job->window.start;
	out->end = etl_now(request->etld->clock);
	if (from)
		ok = etl_time_parse(from, &out->start);
	if (to)
		ok = ok && etl_time_parse(to, &out->end);
	return ok;
}

/* The command that is named tells when. */
static void refuse_early(struct etld_request *request, const struct etl_job *job, etl_wall at)
{
	char hint[ETL_JOB_NAME_MAX + 64], start[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339(at, start);
	snprintf(hint, sizeof hint, "etlctl why %s --window %s", job->name, start);
	etld_refuse(request, ETL_CTL_NO_SUCH_WINDOW, hint, "this window of '%s' is not final yet", job->name);
}

/* Says why these windows cannot be had; true if they can. */
static bool range_is_possible(struct etld_request *request, const struct etl_job *job,
	const struct etl_window *range)
{
	etl_wall limit = etl_window_limit(&job->window, etl_now(request->etld->clock));

	if (!is_asked(request))
		return true;
	if (job->window.none)
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "leave the range out",
			"job '%s' has no windows: each run reads all", job->name);
	else if (range->start.ms >= range->end.ms)
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, NULL, "the range ends before it begins");
	else if (range->end.ms <= job->window.start.ms)
		etld_refuse(request, ETL_CTL_NO_SUCH_WINDOW, "window.start in the job's file",
			"the first window of '%s' begins later", job->name);
	else if (range->start.ms >= limit.ms)
		refuse_early(request, job, range->start);
	else
		return true;
	return false;
}

/* ---- following ------------------------------------------------------------------------------ */

struct follow {
	struct etld_follower follower; /* first */
	struct etld_request *request; /* NULL: its client went while the run waited */
	struct etld_run *run;	      /* NULL: it waits for its turn */
	bool joined;		      /* the run was going when it was asked for */
	enum etl_step_id step;
	uint64_t records;
	etl_mono told;
};

static void follow_gone(struct etld_request *request)
{
	struct follow *follow = request->ctx;

	follow->request = NULL;
	if (follow->run) {
		etld_exec_unwatch(follow->run, follow);
		free(follow);
	}
	etl_ctl_request_fini(&request->message);
	free(request);
}

/* The run's record as Show would give it, made from the run itself. */
static struct etl_json *run_as_json(const struct etl_run *run)
{
	bson_t doc = BSON_INITIALIZER;
	struct etl_json *json;

	etl_run_to_bson(run, &doc);
	json = etld_json_of_bson(&doc);
	bson_destroy(&doc);
	return json;
}

/* While it goes on a run belongs to the workers: only what exec noted may be looked at. */
static void tell_progress(struct follow *follow)
{
	struct etl_json *message = etl_json_object();
	const struct etl_run *run = etld_exec_run(follow->run);
	struct etld_progress now;

	etld_exec_progress(follow->run, &now);
	etl_json_add_text(message, "run_id", run->run_id);
	etl_json_add_text(message, "job", run->job->name);
	etl_json_add_text(message, "state", etl_run_state_word(ETL_RUN_RUNNING));
	etl_json_add_bool(message, "joined", follow->joined);
	etl_json_add_text(message, "step", now.step);
	etl_json_add_text(message, "partition", now.partition);
	etl_json_add_int(message, "records", (int64_t)now.records);
	etl_json_add_int(message, "windows", (int64_t)now.windows);
	etld_answer_more(follow->request, message);
}

static void on_run(void *ctx, const struct etl_run *run, bool ended)
{
	struct follow *follow = ctx;
	struct etld *etld = follow->request->etld;
	etl_mono now = etl_mono_now(etld->clock);
	struct etl_json *reply;

	if (!ended) {
		if (etl_mono_diff(now, follow->told).us >= 200000) /* at most 5 a second */
			tell_progress(follow);
		else
			return;
		follow->told = now;
		return;
	}
	reply = etld_reply_object(etld, "etl.run/1");
	etl_json_add_text(reply, "run_id", run->run_id);
	etl_json_add_text(reply, "job", run->job->name);
	etl_json_add_text(reply, "state", etl_run_state_word(run->state));
	etl_json_add_bool(reply, "joined", follow->joined);
	etl_json_add_item(reply, "run", run_as_json(run));
	etld_exec_unwatch(follow->run, follow);
	etld_answer(follow->request, reply);
	free(follow);
}

static void follow_started(struct etld_follower *follower, struct etld_run *run)
{
	struct follow *follow = (struct follow *)follower;

	if (!follow->request) {
		free(follow);
		return;
	}
	follow->run = run;
	etld_exec_watch(run, on_run, follow);
	tell_progress(follow);
}

static void follow_dropped(struct etld_follower *follower)
{
	struct follow *follow = (struct follow *)follower;

	if (follow->request)
		etld_refuse(follow->request, ETL_CTL_NO_SUCH_JOB, "etlctl jobs",
			"the job left the configuration before the run could start");
	free(follow);
}

/* Nothing runs yet: the pool is full, or a piece of a backfill has to end. */
static void tell_queued(struct etld_request *request, const struct etld_job *job)
{
	struct etl_json *message = etl_json_object();

	etl_json_add_text(message, "job", job->name);
	etl_json_add_text(message, "state", "queued");
	etld_answer_more(request, message);
}

/* ---- the command ---------------------------------------------------------------------------- */

static void answer_at_once(struct etld_request *request, const struct etld_job *job,
	enum etl_accept accepted)
{
	const struct etld_run *run = accepted == ETL_ACCEPT_STARTED ? etld_running(job) : NULL;
	struct etl_json *reply = etld_reply_object(request->etld, "etl.run/1");

	etl_json_add_text(reply, "run_id", run ? etld_exec_run_id(run) : NULL);
	etl_json_add_text(reply, "job", job->name);
	etl_json_add_text(reply, "state", run ? "running" : "queued");
	etld_answer(request, reply);
}

static bool waits(const struct etld_request *request)
{
	return etl_json_bool(request->parameters, "wait", false) && request->more;
}

static struct follow *follow_new(struct etld_request *request)
{
	struct follow *follow = ETL_NEW(struct follow);

	follow->follower = (struct etld_follower){follow_started, follow_dropped};
	follow->request = request;
	request->ctx = follow;
	request->gone = follow_gone;
	return follow;
}

/* Whoever wants the job's due windows loaded, and waits for that, is served by the run that does
 * it already. One of a backfill does not count: it loads other windows. */
static bool joins(const struct etld_request *request, const struct etld_job *job)
{
	static const char *const narrower[] = {"window", "from", "to", "partition"};

	const struct etl_run *run = etld_running(job) ? etld_exec_run(etld_running(job)) : NULL;

	for (size_t i = 0; i < sizeof narrower / sizeof *narrower; i++)
		if (etl_json_text(request->parameters, narrower[i], NULL))
			return false;
	return waits(request) && run && run->trigger.kind != ETL_TRIGGER_BACKFILL &&
		!run->trigger.partition && !etl_run_is_asked(run);
}

static void join(struct etld_request *request, const struct etld_job *job)
{
	struct follow *follow = follow_new(request);

	follow->joined = true;
	follow_started(&follow->follower, etld_running(job));
}

static void start(struct etld_request *request, struct etld_job *job, struct etl_trigger *trigger)
{
	struct follow *follow = waits(request) ? follow_new(request) : NULL;
	enum etl_accept accepted;

	trigger->tag = follow ? &follow->follower : NULL;
	accepted = etl_sched_trigger(request->etld->sched, &job->sched, trigger);
	if (accepted == ETL_ACCEPT_REFUSED) {
		free(follow);
		etld_refuse(request, ETL_CTL_BUSY, "etlctl status",
			"%d manual runs wait for '%s' already", ETL_MANUAL_MAX, job->name);
	} else if (!follow) {
		answer_at_once(request, job, accepted);
	} else if (accepted == ETL_ACCEPT_WAITS) {
		tell_queued(request, job);
	}
}

static void refuse_paused(struct etld_request *request, const struct etld_job *job)
{
	char hint[2 * ETL_JOB_NAME_MAX + 64];

	snprintf(hint, sizeof hint, "etlctl resume %s, or etlctl run %s --force", job->name,
		job->name);
	etld_refuse(request, ETL_CTL_NOT_READY, hint, "job '%s' is paused", job->name);
}

void etld_handle_run(struct etld_request *request)
{
	struct etld *etld = request->etld;
	struct etld_job *job = etld_request_job(request);
	const struct etl_partition *only = NULL;
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_MANUAL};

	if (!job || !etld_request_right(request, job))
		return;
	if (etld->draining) {
		etld_refuse_not_ready(request, "etld is stopping", false);
	} else if (!etld->mongodb_up) {
		etld_refuse_not_ready(request,
			*etld->mongodb_reason ? etld->mongodb_reason : "etld is still starting",
			!etld->mongodb_tried);
	} else if (joins(request, job)) {
		join(request, job);
	} else if (etld_running(job) && job->sched.running.kind != ETL_TRIGGER_BACKFILL &&
		!waits(request)) {
		etld_refuse_busy(request, job);
	} else if (job->sched.paused && !etl_json_bool(request->parameters, "force", false)) {
		refuse_paused(request, job);
	} else if (!etld_request_partition(request, job->job, &only)) {
		return; /* answered */
	} else if (!read_range(request, job->job, &trigger.asked)) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "2026-07-01 or 2026-07-01T10:00Z",
			"the range cannot be read as times");
	} else if (range_is_possible(request, job->job, &trigger.asked)) {
		trigger.partition = only ? etl_strdup(only->name) : NULL;
		etl_text_copy(trigger.cause, sizeof trigger.cause, request->who);
		start(request, job, &trigger);
	}
}
