/* SPDX-License-Identifier: MIT
 *
 * WatermarkShow, WatermarkHistory: a worker asks MongoDB, the loop answers. WatermarkSet,
 * WatermarkRewind, WatermarkUndo: a worker walks the change (lib/ops/change.h) a second at a
 * time; in between the loop tells the client how far it is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/picture.h"
#include "methods/methods.h"
#include "ops/change.h"
#include "plan/change_plan.h"

#define WORK_AT_ONCE ETL_SECONDS(1)

/* A question, or a change; parameters are copied, the generation is held. */
struct mark_query {
	struct etld_query query;
	struct etld_generation *generation;
	const struct etl_job *job;
	const struct etl_partition *partition; /* NULL = all */
	int64_t limit;
	struct etl_json *list; /* where the worker puts its items */
	/* of a change */
	struct etl_change_walk *walk;
	bool more;	 /* the walk goes on */
	int64_t in;	 /* windows that are in so far */
};

static void mark_free(struct etld_query *query)
{
	struct mark_query *q = (struct mark_query *)query;

	etl_change_free(q->walk);
	etld_generation_unref(q->generation);
	free(q);
}

static struct mark_query *mark_new(struct etld_request *request, const struct etl_job *job,
	const char *schema)
{
	struct mark_query *q = ETL_NEW(struct mark_query);

	q->generation = etld_generation_ref(request->etld->generation);
	q->job = job;
	q->query.free = mark_free;
	q->query.reply = etld_reply_object(request->etld, schema);
	etl_json_add_text(q->query.reply, "job", job->name);
	return q;
}

/* ---- show ----------------------------------------------------------------------------------- */

static int add_watermark(struct mark_query *q, const struct etl_partition *partition)
{
	struct etl_state *state = q->query.etld->state;
	struct etl_watermark mark;
	struct etl_json *item;
	int found = state->ops->watermark_get(state, q->job->name, partition->name, &mark,
		&q->query.error);

	if (found < 0)
		return -1;
	item = etl_json_add_object(q->list, NULL);
	etld_json_partition(item, q->job, partition->name);
	if (!found) {
		etl_json_add_null(item, "watermark");
		return 0;
	}
	etld_json_time(item, "watermark", mark.processed);
	etld_json_time(item, "origin", mark.origin);
	etl_json_add_int(item, "lag_s",
		etl_wall_age(etl_now(q->query.etld->clock), mark.processed).us / 1000000);
	etl_json_add_int(item, "window_s", mark.window_ms / 1000);
	etld_json_time(item, "updated", mark.updated);
	etl_json_add_text(item, "run_id", mark.run_id);
	etl_json_add_int(item, "fence", mark.fence);
	return 0;
}

static void show_work(struct etld_task *task)
{
	struct mark_query *q = (struct mark_query *)task;

	etld_on_worker();
	q->list = etl_json_add_array(q->query.reply, "watermarks");
	for (size_t i = 0; i < q->job->n_partitions; i++)
		if (add_watermark(q, &q->job->partitions[i]) < 0)
			return;
}

void etld_handle_watermark_show(struct etld_request *request)
{
	struct etld_job *job = etld_request_job(request);

	if (!job || !etld_request_ready(request))
		return;
	etld_query_submit(&mark_new(request, job->job, "etl.watermark/1")->query, request, show_work);
}

/* ---- history -------------------------------------------------------------------------------- */

static const char *change_state(const struct etl_change *change)
{
	if (*change->undone_by)
		return "undone";
	return change->done ? "done" : "unfinished";
}

static int add_change(void *ctx, const struct etl_change *change)
{
	struct mark_query *q = ctx;
	struct etl_json *item = etl_json_add_object(q->list, NULL), *unit;

	etl_json_add_text(item, "change_id", change->id);
	etl_json_add_text(item, "command_id", change->command);
	etld_json_time(item, "at", change->at);
	etl_json_add_text(item, "who", change->who);
	etl_json_add_text(item, "kind", etl_change_kind_word(change->kind));
	etld_json_partition(item, q->job, change->partition);
	etld_json_time(item, "from", change->from);
	etld_json_time(item, "to", change->to);
	etld_json_time(item, "reached", change->reached);
	etl_json_add_int(item, "windows", change->windows);
	etl_json_add_text(item, "reason", change->why);
	etl_json_add_text(item, "state", change_state(change));
	etl_json_add_text(item, "undoes", *change->undoes ? change->undoes : NULL);
	etl_json_add_text(item, "undone_by", *change->undone_by ? change->undone_by : NULL);
	if (!etl_change_is_decision(change->kind))
		return 0;
	unit = etl_json_add_object(item, "window");
	etld_json_time(unit, "start", change->unit.start);
	etld_json_time(unit, "end", change->unit.end);
	etl_json_add_text(item, "run_id", change->run_id);
	return 0;
}

static void history_work(struct etld_task *task)
{
	struct mark_query *q = (struct mark_query *)task;
	struct etl_state *state = q->query.etld->state;
	struct etl_change_query query = {.job = q->job->name,
		.partition = q->partition ? q->partition->name : NULL, .limit = (int)q->limit};

	etld_on_worker();
	q->list = etl_json_add_array(q->query.reply, "changes");
	state->ops->change_list(state, &query, add_change, q, &q->query.error);
}

void etld_handle_watermark_history(struct etld_request *request)
{
	struct etld_job *job = etld_request_job(request);
	const struct etl_partition *partition;
	struct mark_query *q;

	if (!job || !etld_request_ready(request) || !etld_request_partition(request, job->job, &partition))
		return;
	q = mark_new(request, job->job, "etl.watermark_history/1");
	q->partition = partition;
	q->limit = etl_json_int(request->parameters, "limit", 20);
	etld_query_submit(&q->query, request, history_work);
}

/* ---- changes -------------------------------------------------------------------------------- */

static void add_results(struct mark_query *q)
{
	const struct etl_change_result *r;
	int64_t windows = 0;

	q->list = etl_json_add_array(q->query.reply, "partitions");
	for (size_t i = 0; (r = etl_change_result(q->walk, i)) != NULL; i++) {
		struct etl_json *item = etl_json_add_object(q->list, NULL);

		etld_json_partition(item, q->job, r->partition);
		etl_json_add_text(item, "kind", etl_change_kind_word(r->kind));
		etl_json_add_bool(item, "changed", r->changed);
		etld_json_time(item, "from", r->from);
		etld_json_time(item, "to", r->to);
		etl_json_add_int(item, "windows", r->windows);
		windows += r->windows;
	}
	etl_json_add_int(q->query.reply, "windows", windows);
}

static void change_work(struct etld_task *task)
{
	struct mark_query *q = (struct mark_query *)task;
	const struct etl_clock *clock = q->query.etld->clock;
	etl_mono began = etl_mono_now(clock);
	const struct etl_change_result *r;
	bool begun = false;
	int rc;

	etld_on_worker();
	do
		rc = etl_change_step(q->walk, &q->query.error);
	while (rc > 0 && etl_mono_diff(etl_mono_now(clock), began).us < WORK_AT_ONCE.us);
	q->more = rc > 0;
	q->in = 0;
	for (size_t i = 0; (r = etl_change_result(q->walk, i)) != NULL; i++) {
		q->in += r->in;
		begun |= r->reached.ms != r->from.ms;
	}
	if (rc == 0)
		add_results(q);
	else if (rc < 0 && begun)
		etl_error_prefix(&q->query.error,
			"a part of the change is in, see etlctl watermark history");
}

/* Status shows at once what the worker left, finished or not. What was closed by it may be what
 * dependants have waited for. */
void etld_change_taken(struct etld *etld, const char *name, const struct etl_change_walk *walk,
	bool over)
{
	struct etld_job *job = etld_job_find(etld, name);
	const struct etl_change_result *r;
	bool closed = false;

	for (size_t i = 0; job && (r = etl_change_result(walk, i)) != NULL; i++) {
		struct etld_partition *partition =
			r->known ? etld_job_partition(job, r->partition, i) : NULL;

		if (partition)
			partition->watermark = r->reached;
		closed |= r->reached.ms > r->from.ms ||
			(r->done && (r->kind == ETL_CHANGE_ACCEPT || r->kind == ETL_CHANGE_DISCARD));
	}
	if (job)
		etld_deadline_look(etld, job);
	if (job && closed && over)
		etl_sched_moved(etld->sched, &job->sched);
}

static bool change_again(struct etld_query *query)
{
	struct mark_query *q = (struct mark_query *)query;
	struct etl_json *message;

	etld_change_taken(query->etld, q->job->name, q->walk, !q->more);
	if (!q->more) {
		struct etld_job *job = etld_job_find(query->etld, q->job->name);

		if (job) {
			etld_job_changed(query->etld, job);
			etld_picture_look(query->etld, job);
		}
		return false;
	}
	if (query->request && query->request->more) {
		message = etl_json_object();
		etl_json_add_text(message, "job", q->job->name);
		etl_json_add_int(message, "windows", q->in);
		etld_answer_more(query->request, message);
	}
	return true;
}

static void refuse_time(struct etld_request *request, const struct etld_job *job,
	const struct etl_error *err)
{
	char hint[ETL_JOB_NAME_MAX + 32];

	snprintf(hint, sizeof hint, "etlctl watermark show %s", job->name);
	etld_refuse(request, ETL_CTL_INVALID_PARAMETER, hint, "%s", err->message);
}

/* Says why this cannot be done to this job now; true if it can. */
static bool is_possible(struct etld_request *request, const struct etld_job *job,
	const struct etl_change_request *asked)
{
	struct etl_error err = ETL_ERROR_INIT;

	if (request->etld->draining)
		etld_refuse(request, ETL_CTL_NOT_READY, NULL, "etld is stopping");
	else if (strlen(asked->why) >= ETL_REASON_MAX)
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, NULL,
			"the reason has more than %d bytes", ETL_REASON_MAX - 1);
	else if (asked->kind != ETL_CHANGE_UNDO &&
		etl_change_check_time(&job->job->window, asked->kind, asked->time,
			etl_now(request->etld->clock), &err) < 0)
		refuse_time(request, job, &err);
	else if (etld_running(job) && !asked->dry_run)
		etld_refuse_busy(request, job);
	else
		return true;
	return false;
}

static void start_change(struct etld_request *request, const struct etld_job *job,
	const struct etl_change_request *asked)
{
	struct mark_query *q = mark_new(request, job->job, "etl.watermark_change/1");

	etl_json_add_text(q->query.reply, "kind", etl_change_kind_word(asked->kind));
	etl_json_add_bool(q->query.reply, "dry_run", asked->dry_run);
	etl_json_add_text(q->query.reply, "reason", asked->why);
	q->walk = etl_change_new(job->job, request->etld->run_env, asked);
	q->query.again = change_again;
	etld_query_submit(&q->query, request, change_work);
}

static void change(struct etld_request *request, enum etl_change_kind kind)
{
	struct etld_job *job = etld_request_job(request);
	struct etl_change_request asked = {.kind = kind};
	const struct etl_partition *partition;
	etl_cleanup(free) char *why = NULL;

	if (!job || !etld_request_right(request, job) || !etld_request_ready(request) ||
		!etld_request_partition(request, job->job, &partition))
		return;
	if (!etld_request_time(request, "time", &asked.time))
		return;
	asked.partition = partition ? partition->name : NULL;
	asked.who = request->who;
	asked.why = why = etld_request_reason(request);
	asked.dry_run = etl_json_bool(request->parameters, "dry_run", false);
	if (is_possible(request, job, &asked))
		start_change(request, job, &asked);
}

void etld_handle_watermark_set(struct etld_request *request)
{
	change(request, ETL_CHANGE_SET);
}

void etld_handle_watermark_rewind(struct etld_request *request)
{
	change(request, ETL_CHANGE_REWIND);
}

void etld_handle_watermark_undo(struct etld_request *request)
{
	change(request, ETL_CHANGE_UNDO);
}
