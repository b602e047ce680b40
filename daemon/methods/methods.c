/* SPDX-License-Identifier: MIT
 *
 * What the handlers share: which function serves which command, jobs and times from
 * parameters, BSON as JSON, and questions that a worker answers.
 */
#include "methods/methods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/url.h"
#include "record/encode_json.h"
#include "time/civil.h"

static const etld_handler handlers[ETL_COMMAND_MAX] = {
	[ETL_COMMAND_STATUS] = etld_handle_status,
	[ETL_COMMAND_JOBS] = etld_handle_jobs,
	[ETL_COMMAND_GRAPH] = etld_handle_graph,
	[ETL_COMMAND_NEXT] = etld_handle_next,
	[ETL_COMMAND_RUN] = etld_handle_run,
	[ETL_COMMAND_RUNS] = etld_handle_runs,
	[ETL_COMMAND_SHOW] = etld_handle_show,
	[ETL_COMMAND_WINDOWS] = etld_handle_windows,
	[ETL_COMMAND_WINDOWS_ACCEPT] = etld_handle_windows_accept,
	[ETL_COMMAND_HELD_LIST] = etld_handle_held_list,
	[ETL_COMMAND_HELD_RELEASE] = etld_handle_held_release,
	[ETL_COMMAND_HELD_DISCARD] = etld_handle_held_discard,
	[ETL_COMMAND_WATERMARK_SHOW] = etld_handle_watermark_show,
	[ETL_COMMAND_WATERMARK_SET] = etld_handle_watermark_set,
	[ETL_COMMAND_WATERMARK_REWIND] = etld_handle_watermark_rewind,
	[ETL_COMMAND_WATERMARK_UNDO] = etld_handle_watermark_undo,
	[ETL_COMMAND_WATERMARK_HISTORY] = etld_handle_watermark_history,
	[ETL_COMMAND_DEAD_LIST] = etld_handle_dead_list,
	[ETL_COMMAND_DEAD_SHOW] = etld_handle_dead_show,
	[ETL_COMMAND_BACKFILL] = etld_handle_backfill,
	[ETL_COMMAND_BACKFILLS] = etld_handle_backfills,
	[ETL_COMMAND_CANCEL] = etld_handle_cancel,
	[ETL_COMMAND_HOST_RELEASE] = etld_handle_host_release,
	[ETL_COMMAND_PAUSE] = etld_handle_pause,
	[ETL_COMMAND_RESUME] = etld_handle_resume,
	[ETL_COMMAND_RELOAD] = etld_handle_reload,
	[ETL_COMMAND_WHY] = etld_handle_why,
	[ETL_COMMAND_SIMULATE] = etld_handle_simulate,
	[ETL_COMMAND_METRICS] = etld_handle_metrics,
	[ETL_COMMAND_VERSION] = etld_handle_version,
};

etld_handler etld_handler_of(enum etl_command_id id)
{
	return (unsigned)id < ETL_COMMAND_MAX ? handlers[id] : NULL;
}

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

void etld_refuse_job(struct etld_request *request, const char *name)
{
	struct etl_json *details;
	const char *near = nearest_job(request->etld, name);
	char hint[ETL_JOB_NAME_MAX + 32];

	if (near)
		snprintf(hint, sizeof hint, "did you mean '%s'?", near);
	else
		snprintf(hint, sizeof hint, "etlctl jobs");
	details = etl_json_object();
	etl_json_add_text(details, "job", name);
	etld_refuse_with(request, ETL_CTL_NO_SUCH_JOB, details, hint, "there is no job '%s'", name);
}

void etld_refuse_partition(struct etld_request *request, const struct etl_job *job, const char *name)
{
	char hint[ETL_JOB_NAME_MAX + 32];

	snprintf(hint, sizeof hint, "etlctl watermark show %s", job->name);
	etld_refuse(request, ETL_CTL_NO_SUCH_WINDOW, hint, "job '%s' has no partition '%s'", job->name, name);
}

struct etld_job *etld_request_job(struct etld_request *request)
{
	const char *name = etl_json_text(request->parameters, "job", "");
	struct etld_job *job = etld_job_find(request->etld, name);

	if (!job)
		etld_refuse_job(request, name);
	return job;
}

bool etld_request_ready(struct etld_request *request)
{
	struct etld *etld = request->etld;
	struct etl_json *details;
	const char *reason = *etld->mongodb_reason ? etld->mongodb_reason : "etld is still starting";

	if (etld->mongodb_up)
		return true;
	details = etl_json_object();
	etl_json_add_text(details, "reason", reason);
	etld_refuse_with(request, ETL_CTL_NOT_READY, details, "etlctl status",
		"MongoDB cannot be asked: %s", reason);
	return false;
}

void etld_refuse_not_ready(struct etld_request *request, const char *reason, bool starting)
{
	struct etl_json *details = etl_json_object();

	etl_json_add_text(details, "reason", reason);
	etl_json_add_bool(details, "starting", starting);
	etld_refuse_with(request, ETL_CTL_NOT_READY, details, "etlctl status", "%s", reason);
}

bool etld_request_right(struct etld_request *request, const struct etld_job *job)
{
	struct etl_json *details;

	if (!job->job->left_out)
		return true;
	details = etl_json_object();
	etl_json_add_text(details, "job", job->name);
	etld_refuse_with(request, ETL_CTL_CONFIG_INVALID, details,
		etl_job_wants_restart(job->job) ?
			"hand it over in the unit (systemctl edit etld), then systemctl restart etld" :
			"mend the file, then etlctl reload",
		"job '%s' is left out: %s", job->name, job->job->left_out);
	return false;
}

void etld_refuse_busy(struct etld_request *request, const struct etld_job *job)
{
	struct etl_json *details = etl_json_object();

	etl_json_add_text(details, "job", job->name);
	etl_json_add_text(details, "run_id", etld_exec_run_id(etld_running(job)));
	etld_refuse_with(request, ETL_CTL_BUSY, details, "etlctl status",
		"job '%s' is running: %s", job->name, etld_exec_run_id(etld_running(job)));
}

struct etl_json *etld_reply_object(const struct etld *etld, const char *schema)
{
	struct etl_json *reply = etl_json_object();

	etl_json_add_text(reply, "schema", schema);
	etld_json_time(reply, "generated_at", etl_now(etld->clock));
	return reply;
}

void etld_json_time(struct etl_json *to, const char *key, etl_wall t)
{
	char text[ETL_TIME_TEXT_BYTES];

	if (!t.ms) {
		etl_json_add_null(to, key);
		return;
	}
	etl_time_format_rfc3339(t, text);
	etl_json_add_text(to, key, text);
}

bool etld_request_time(struct etld_request *request, const char *name, etl_wall *out)
{
	const char *text = etl_json_text(request->parameters, name, NULL);

	if (!text || etl_time_parse(text, out))
		return true;
	etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "2026-07-01 or 2026-07-01T10:00Z",
		"'%s' is not a time", text);
	return false;
}

char *etld_request_reason(const struct etld_request *request)
{
	char *text = etl_strdup(etl_json_text(request->parameters, "reason", ""));

	etl_text_mask(text);
	etl_url_mask(text);
	return text;
}

void etld_json_partition(struct etl_json *to, const struct etl_job *job, const char *name)
{
	const struct etl_partition *partition = job ? etl_job_partition(job, name) : NULL;
	char shown[ETL_PARTITION_TEXT_BYTES];

	if (partition)
		etl_partition_text(job, partition, shown, sizeof shown);
	etl_json_add_text(to, "partition", partition ? shown : name);
}

bool etld_request_partition(struct etld_request *request, const struct etl_job *job,
	const struct etl_partition **out)
{
	const char *name = etl_json_text(request->parameters, "partition", NULL);

	*out = name ? etl_partition_find(job, name) : NULL;
	if (!name || *out)
		return true;
	etld_refuse_partition(request, job, name);
	return false;
}

void etld_list_add(struct etl_buf *list, struct etl_json *item)
{
	etl_buf_char(list, list->len ? ',' : '[');
	etl_json_print(item, list);
	etl_json_free(item);
}

bool etld_list_end(struct etl_buf *list)
{
	etl_buf_str(list, list->len ? "]" : "[]");
	return etl_buf_ok(list);
}

struct etl_json *etld_json_of_bson(const bson_t *doc)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_json *json = NULL;
	struct etl_buf text;

	etl_buf_init(&text, ETL_CTL_MESSAGE_MAX);
	if (etl_json_encode(bson_get_data(doc), doc->len, 0, &text))
		json = etl_json_parse(etl_buf_text(&text), text.len, ETL_CTL_MESSAGE_MAX, &err);
	etl_buf_fini(&text);
	return json ? json : etl_json_object();
}

/* ---- questions for a worker ------------------------------------------------------------------ */

static void query_gone(struct etld_request *request)
{
	struct etld_query *query = request->ctx;

	query->request = NULL;
	etl_ctl_request_fini(&request->message);
	free(request);
}

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

static void query_done(struct etld_task *task)
{
	struct etld_query *query = (struct etld_query *)task;
	struct etld_request *request;

	if (query->error.kind == ETL_TRANSIENT)
		etld_backend_lost(query->etld, &query->error);
	if (query->again && query->again(query)) {
		etld_pool_submit(query->etld->pool, task);
		return;
	}
	request = query->request;
	if (request && query->error.kind == ETL_OK) {
		etld_answer(request, ETL_TAKE(query->reply));
	} else if (request) {
		struct etl_json *details = etl_json_object();
		enum etl_ctl_error error = answer_of(&query->error);

		etl_json_add_text(details, "reason", query->error.message);
		etld_refuse_with(request, error, details, hint_of(error), "%s",
			query->error.message);
	}
	etld_query_drop(query);
}

void etld_query_drop(struct etld_query *query)
{
	etl_json_free(query->reply);
	query->free(query);
}

void etld_query_bind(struct etld_query *query, struct etld_request *request)
{
	query->etld = request->etld;
	query->request = request;
	query->error = (struct etl_error)ETL_ERROR_INIT;
	request->ctx = query;
	request->gone = query_gone;
}

void etld_query_send(struct etld_query *query, void (*work)(struct etld_task *task))
{
	query->task = (struct etld_task){.work = work, .done = query_done, .name = "query"};
	etld_pool_submit(query->etld->pool, &query->task);
}

void etld_query_submit(struct etld_query *query, struct etld_request *request,
	void (*work)(struct etld_task *task))
{
	etld_query_bind(query, request);
	etld_query_send(query, work);
}
