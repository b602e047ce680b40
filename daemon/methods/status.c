/* SPDX-License-Identifier: MIT
 *
 * Status, Jobs, Next, Version: answered from what the loop knows, also while MongoDB is
 * unreachable.
 *
 * `etlctl status` is asked when something is wrong, so that it needs nothing that can be wrong: no
 * store, no worker, no file. Of a job it shows what the last reading and the last run left
 * (engine/picture.h), at most a minute old. Example: MongoDB has been unreachable for an hour. The
 * daemon is "degraded" with the driver's words, each job is "unreachable" with its last watermark,
 * and the runs that it missed are due when MongoDB is back.
 */
#include <unistd.h>

#include "base/alloc.h"
#include "engine/outbox.h"
#include "facts/facts.h"
#include "methods/methods.h"

/* "starting" ends with the first answer of MongoDB, whatever it is. A daemon that stops is
 * "draining" whether or not MongoDB is there. */
static const char *daemon_state(const struct etld *etld)
{
	if (etld->draining)
		return "draining";
	if (!etld->mongodb_tried)
		return "starting";
	return etld->mongodb_up ? "ready" : "degraded";
}

/* True if everything that keeps the job's rows is written with the ledger. */
static bool all_join(const struct etl_job *job)
{
	for (size_t i = 0; i < job->n_loads; i++)
		if (!job->loads[i].type->joins_transaction && !job->loads[i].type->discards)
			return false;
	return true;
}

/* What a job can promise follows from its loads and from the server. effectively-once: rows and
 * ledger are one transaction, a crash leaves both or none. idempotent at-least-once: rows may be
 * written again after a crash, onto themselves. at-least-once: the target cannot tell a row that it
 * has already. `not known yet` only before the server was seen for the first time: it does not
 * change by being unreachable. */
static const char *guarantee(const struct etld *etld, const struct etl_job *job)
{
	if (job->left_out)
		return "none: it never runs";
	if (!etld->mongodb_tried || (!etld->mongodb_up && !*etld->topology->kind))
		return "not known yet";
	if (!job->loads[job->committing].type->joins_transaction)
		return "at-least-once";
	return etld->topology->transactions && all_join(job) ? "effectively-once" :
							       "idempotent at-least-once";
}

/* A turn is what the loop does between two waits. One of 10 ms or longer may have made a slot late:
 * the longest is told with what filled it. */
static void add_turns(struct etl_json *daemon, const struct etld_turns *turns)
{
	struct etl_json *part = etl_json_add_object(daemon, "long_turns");

	etl_json_add_int(daemon, "loop_turns", (int64_t)turns->n);
	etl_json_add_int(part, "count", (int64_t)turns->n_long);
	etl_json_add_double(part, "longest_s", (double)turns->longest.us / 1e6);
	etl_json_add_text(part, "at", turns->longest_at);
}

/* What MongoDB does not have yet, and nobody waits for. It is not lost: the outbox stores it when
 * MongoDB is there. A number that grows while MongoDB is up says that the store refuses something.
 */
static void add_unsaved(struct etl_json *to, const struct etld *etld)
{
	struct etld_outbox_facts facts;
	size_t n = 0;

	etld_outbox_facts(etld, &facts);
	for (int id = 0; id < ETLD_ENTRY_MAX; id++)
		n += facts.waiting[id];
	etl_json_add_int(to, "entries", (int64_t)n);
	etl_json_add_double(to, "oldest_s", (double)facts.oldest.us / 1e6);
}

static void add_daemon(struct etl_json *reply, struct etld *etld)
{
	struct etl_json *daemon = etl_json_add_object(reply, "daemon");
	struct etl_json *part;
	struct etld_pool_facts facts;

	etld_pool_facts(etld->pool, &facts);
	etl_json_add_text(daemon, "version", ETL_VERSION);
	etl_json_add_int(daemon, "pid", getpid());
	etld_json_time(daemon, "started", etld->started);
	etl_json_add_double(daemon, "uptime_s",
		(double)etl_mono_diff(etl_mono_now(etld->clock), etld->began).us / 1e6);
	etl_json_add_text(daemon, "state", daemon_state(etld));
	etl_json_add_text(daemon, "reason", etld->mongodb_up ? "" : etld->mongodb_reason);
	part = etl_json_add_object(daemon, "config");
	etl_json_add_int(part, "generation", etld->generation->number);
	etld_json_time(part, "loaded_at", etld->generation->loaded);
	etl_json_add_text(part, "path", etld->config_path);
	etl_json_add_text(part, "error", etld->config_error);
	etl_json_add_bool(part, "loading", etld->reloading);
	etl_json_add_int(part, "left_out", (int64_t)etld->generation->n_left_out);
	part = etl_json_add_object(daemon, "mongodb");
	etl_json_add_text(part, "state", etld->mongodb_up ? "up" : "down");
	etl_json_add_text(part, "topology", etld->topology->kind);
	etl_json_add_text(part, "reason", etld->mongodb_reason);
	etl_json_add_text(part, "guarantee",
		!*etld->topology->kind	      ? "not known yet" :
		etld->topology->transactions ? "effectively-once" :
					      "idempotent at-least-once");
	add_unsaved(etl_json_add_object(daemon, "unsaved"), etld);
	part = etl_json_add_object(daemon, "workers");
	etl_json_add_int(part, "busy", facts.busy);
	etl_json_add_int(part, "total", facts.workers);
	etl_json_add_int(part, "blocked", facts.blocked);
	etl_json_add_int(daemon, "active_runs", etld_active_runs(etld));
	etl_json_add_int(daemon, "timers", (int64_t)etl_wheel_count(etld_loop_wheel(etld->loop)));
	add_turns(daemon, etld_loop_turns(etld->loop));
}

/* Beside the jobs. The state of the daemon is that of the end of the walk over the jobs, not of its
 * beginning: it is the newest that can be told. */
static void add_all(struct etld_request *request)
{
	add_daemon(etld_reply(request), request->etld);
	etld_hosts_show(request->etld, etld_reply(request));
}

static void add_open(struct etl_json *to, const struct etld_open *n, uint64_t others)
{
	struct etl_json *windows = etl_json_add_object(to, "windows");

	etl_json_add_int(windows, "open", (int64_t)others);
	etl_json_add_int(windows, "failed", (int64_t)n->failed);
	etl_json_add_int(windows, "held", (int64_t)n->held);
	etl_json_add_int(windows, "dirty", (int64_t)n->dirty);
}

/* lag_s is the age of the watermark, which an hourly job never has below an hour; late_by_s is what
 * was due and is not there, 0 for a job that is in time. People look at the second. */
static void add_watermarks(struct etl_json *to, const struct etld *etld, const struct etld_job *job)
{
	struct etl_json *list = etl_json_add_array(to, "watermarks");
	struct etld_partition_facts facts;
	char name[256];

	for (size_t i = 0; i < job->job->n_partitions; i++) {
		struct etl_json *item = etl_json_add_object(list, NULL);

		etld_facts_of_partition(etld, job, i, &facts);
		if (job->job->window.object) /* its mark says when all was in, which is nobody's event time */
			facts.watermark = (etl_wall){0};
		etl_partition_text(job->job, &job->job->partitions[i], name, sizeof name);
		etl_json_add_text(item, "partition", name);
		etld_json_time(item, "watermark", facts.watermark);
		if (facts.watermark.ms)
			etl_json_add_int(item, "lag_s", facts.lag.us / 1000000);
		else
			etl_json_add_null(item, "lag_s");
		etl_json_add_int(item, "late_by_s", facts.late_by.us / 1000000);
		add_open(item, &facts.windows, facts.others);
	}
}

static void add_last_run(struct etl_json *to, const struct etld_job *job)
{
	const struct etl_last_run *run = etld_job_last(job);
	struct etl_json *last;

	if (!*run->run_id) {
		etl_json_add_null(to, "last_run");
		return;
	}
	last = etl_json_add_object(to, "last_run");
	etl_json_add_text(last, "run_id", run->run_id);
	etl_json_add_text(last, "state", run->state);
	etld_json_time(last, "started", run->started);
	etld_json_time(last, "ended", run->ended);
	etl_json_add_text(last, "reason", run->reason);
}

/* Of the window that is due first, over all partitions. Null for a job without a deadline, and if
 * nothing of it will ever be due. */
static void add_deadline(struct etl_json *to, const struct etld_facts *facts)
{
	const struct etl_job *job = facts->job->job;
	const struct etld_due *first = &facts->deadline;
	struct etl_json *item;
	char name[256];

	if (!facts->has_deadline) {
		etl_json_add_null(to, "deadline");
		return;
	}
	item = etl_json_add_object(to, "deadline");
	etl_partition_text(job, &job->partitions[first->partition], name, sizeof name);
	etl_json_add_text(item, "partition", name);
	etld_json_window(item, "window", &first->window);
	etld_json_time(item, "due", first->due);
	etl_json_add_bool(item, "missed", first->missed);
}

/* Windows that are in another target than the job's, or of an older definition. With the command that
 * loads them again: who changes a job rarely thinks of what was loaded before. */
static void add_elsewhere(struct etl_json *to, const struct etld_facts *facts)
{
	const struct etl_elsewhere *sum = &facts->elsewhere;
	char text[ETL_ELSEWHERE_TEXT_BYTES];
	struct etl_json *item, *list, *in;

	if (!etl_elsewhere_any(sum)) {
		etl_json_add_null(to, "elsewhere");
		return;
	}
	item = etl_json_add_object(to, "elsewhere");
	etl_elsewhere_text(sum, text);
	etl_json_add_text(item, "text", text);
	etl_json_add_text(item, "target", sum->target);
	etl_json_add_int(item, "here", (int64_t)sum->here);
	etl_json_add_int(item, "windows", (int64_t)sum->n);
	etl_json_add_int(item, "older", (int64_t)sum->older);
	etl_json_add_bool(item, "about", sum->about);
	list = etl_json_add_array(item, "in");
	for (size_t i = 0; i < sum->n_in; i++) {
		in = etl_json_add_object(list, NULL);
		etl_json_add_text(in, "target", sum->in[i].name);
		etl_json_add_int(in, "windows", (int64_t)sum->in[i].n);
	}
	etl_elsewhere_command(facts->job->job, text);
	etl_json_add_text(item, "command", text);
}

/* All of it from one look at the facts: health, counts and deadline of one line never contradict
 * one another, though a run may end between two lines. */
static struct etl_json *job_status(const struct etld *etld, const struct etld_job *job)
{
	struct etl_json *item = etl_json_object();
	struct etld_facts facts;

	etld_facts_of(etld, job, &facts);
	etl_json_add_text(item, "name", job->name);
	etl_json_add_text(item, "description", job->job->description);
	etl_json_add_text(item, "health", etld_health_word(facts.health.id));
	etl_json_add_text(item, "reason", facts.health.reason);
	etl_json_add_int(item, "late_by_s", facts.health.late_by.us / 1000000);
	etl_json_add_bool(item, "paused", job->sched.paused);
	etld_json_time(item, "next", job->sched.next);
	etl_json_add_text(item, "guarantee", guarantee(etld, job->job));
	etl_json_add_text(item, "running", facts.running ? etld_run_id(facts.running) : NULL);
	etl_json_add_bool(item, "queued", facts.queued);
	add_last_run(item, job);
	add_watermarks(item, etld, job);
	add_deadline(item, &facts);
	add_elsewhere(item, &facts);
	add_open(item, &facts.windows, facts.others);
	return item;
}

static void add_sinks(struct etl_json *item, const struct etl_job *job)
{
	ETL_BUF_CLEANUP struct etl_buf names;

	etl_buf_init(&names, 1024);
	for (size_t i = 0; i < job->n_loads; i++)
		etl_buf_printf(&names, "%s%s", i ? ETL_TARGET_AND : "", job->loads[i].type->name);
	etl_json_add_text(item, "sink", etl_buf_text(&names));
}

static struct etl_json *job_facts(const struct etld *etld, const struct etld_job *job)
{
	const struct etl_job *config = job->job;
	struct etl_json *item = etl_json_object();

	(void)etld; /* the configuration tells it all */
	etl_json_add_text(item, "name", config->name);
	etl_json_add_text(item, "description", config->description);
	etl_json_add_text(item, "group", config->group);
	etl_json_add_text(item, "schedule", config->schedule_text);
	etl_json_add_text(item, "timezone", config->timezone);
	etl_json_add_text(item, "source", config->source ? config->source->name : "");
	add_sinks(item, config);
	etl_json_add_int(item, "partitions", (int64_t)config->n_partitions);
	etl_json_add_bool(item, "paused", job->sched.paused);
	etl_json_add_bool(item, "enabled", !config->left_out);
	etl_json_add_text(item, "left_out", config->left_out);
	return item;
}

/* ---- all jobs -------------------------------------------------------------------------------- */

struct listing {
	struct etld_walk walk;
	struct etl_json *(*job)(const struct etld *etld, const struct etld_job *job);
	struct etl_buf text; /* a list (methods.h) */
};

static void list_job(struct etld_walk *walk, struct etld_job *job)
{
	struct listing *l = (struct listing *)walk;

	etld_list_add(&l->text, l->job(walk->etld, job));
}

/* Thousands of jobs with many partitions may be more than a message holds. Refused as a whole: a
 * list that was cut would read as if the jobs behind the cut did not exist. */
static void list_end(struct etld_walk *walk, struct etld_request *request)
{
	struct listing *l = (struct listing *)walk;

	if (!etld_list_end(&l->text)) {
		etld_refuse(request, ETL_CTL_FAILED, "ask for one job",
			"the answer is longer than a message may be");
		return;
	}
	if (l->job == job_status)
		add_all(request);
	etl_json_add_printed(etld_reply(request), "jobs", &l->text);
	etld_answer(request);
}

static void list_free(struct etld_walk *walk)
{
	etl_buf_fini(&((struct listing *)walk)->text);
	free(walk);
}

static void list_all(struct etld_request *request,
	struct etl_json *(*job)(const struct etld *, const struct etld_job *))
{
	struct listing *l = ETL_NEW(struct listing);

	l->walk = (struct etld_walk){.look = list_job, .end = list_end, .free = list_free};
	l->job = job;
	etl_buf_init(&l->text, ETL_CTL_REPLY_MAX);
	etld_request_walk(&l->walk, request);
}

/* One job is answered at once, without a walk: nothing else would be done in between. */
static void status(struct etld_request *request)
{
	struct etl_json *list;

	if (!request->job) {
		list_all(request, job_status);
		return;
	}
	add_all(request);
	list = etl_json_add_array(etld_reply(request), "jobs");
	etl_json_add_item(list, NULL, job_status(request->etld, etld_request_job(request)));
	etld_answer(request);
}

static void jobs(struct etld_request *request)
{
	list_all(request, job_facts);
}

/* ---- one ------------------------------------------------------------------------------------- */

/* Slots of the calendar alone: pauses, jitter and sensors are not in them. `etlctl simulate` has
 * the jitter. */
static void next(struct etld_request *request)
{
	const struct etl_job *job = request->job;
	int64_t count = etl_json_int(request->parameters, "count", 5);
	etl_wall at = request->from ? *request->from : etl_now(request->etld->clock);
	struct etl_json *reply = etld_reply(request), *slots;

	if (request->from)
		at.ms--; /* a slot at that very instant is one to come */
	etl_json_add_text(reply, "job", job->name);
	etl_json_add_text(reply, "timezone", job->timezone);
	etl_json_add_text(reply, "left_out", job->left_out);
	slots = etl_json_add_array(reply, "slots");
	for (int64_t i = 0; i < count && job->calendar; i++) {
		if (!etl_calendar_next(job->calendar, at, &at))
			break;
		etld_json_time(slots, NULL, at);
	}
	etld_answer(request);
}

static void version(struct etld_request *request)
{
	struct etl_json *reply = etld_reply(request);

	etl_json_add_text(reply, "version", ETL_VERSION);
	etl_json_add_int(reply, "pid", getpid());
	etld_json_time(reply, "started", request->etld->started);
	etl_json_add_text(reply, "config", request->etld->config_path);
	etld_answer(request);
}

const struct etld_method etld_method_status = {"Status", "etl.status/1", .call = status};
const struct etld_method etld_method_jobs = {"Jobs", "etl.jobs/1", .call = jobs};
const struct etld_method etld_method_next = {"Next", "etl.next/1", .call = next};
const struct etld_method etld_method_version = {"Version", "etl.version/1", .call = version};
