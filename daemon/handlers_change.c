/* SPDX-License-Identifier: MIT
 *
 * Pause, Resume, Reload: they change the daemon, take effect at once, and are written to the
 * audit collection by a worker.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "handlers.h"

/* A pause has to survive a restart, so its answer waits for MongoDB. */
struct pause_query {
	struct etld_query query;
	char *job, *who, *why;
	bool pause;
};

static void pause_work(struct etld_task *task)
{
	struct pause_query *q = (struct pause_query *)task;
	struct etl_state *state = q->query.etld->state;
	bson_t details = BSON_INITIALIZER;

	BSON_APPEND_UTF8(&details, "job", q->job);
	BSON_APPEND_UTF8(&details, "reason", q->why);
	if (state->ops->pause_set(state, q->job, q->pause, q->who, q->why, &q->query.error) == 0)
		state->ops->audit_add(state, q->who, q->pause ? "pause" : "resume", &details,
			&q->query.error);
	bson_destroy(&details);
}

static void pause_free(struct etld_query *query)
{
	struct pause_query *q = (struct pause_query *)query;

	free(q->job);
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
	if (!etld_parse_time(text, from)) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "2026-07-01T10:00Z", "'%s' is no time",
			text);
		return false;
	}
	if (from->ms > etl_now(request->etld->clock).ms) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "slots to come run by themselves",
			"--from %s lies in the future", text);
		return false;
	}
	return true;
}

static void set_paused(struct etld_request *request, bool pause)
{
	struct etld_job *job = etld_request_job(request);
	const char *why;
	struct pause_query *q;
	struct etl_json *reply;
	etl_wall from = {0};

	if (!job || !read_from(request, &from))
		return;
	why = etl_json_text(request->parameters, "reason", "");
	reply = etld_reply_object(request->etld, "etl.pause/1");
	etl_json_add_text(reply, "job", job->name);
	etl_json_add_bool(reply, "paused", pause);
	etl_json_add_bool(reply, "changed", job->sched.paused != pause);
	etl_json_add_text(reply, "reason", pause ? why : "");
	if (pause)
		etl_sched_pause(request->etld->sched, &job->sched);
	else
		etl_sched_resume(request->etld->sched, &job->sched, from);
	etld_job_note_pause(job, pause ? request->who : NULL, pause ? why : NULL,
		etl_now(request->etld->clock));
	etld_deadline_look(request->etld, job);

	q = ETL_NEW(struct pause_query);
	q->job = etl_strdup(job->name);
	q->who = etl_strdup(request->who);
	q->why = etl_strdup(why);
	q->pause = pause;
	q->query.free = pause_free;
	q->query.reply = reply;
	etld_query_submit(&q->query, request, pause_work);
}

void etld_handle_pause(struct etld_request *request)
{
	set_paused(request, true);
}

void etld_handle_resume(struct etld_request *request)
{
	set_paused(request, false);
}

static void add_warnings(struct etl_json *list, char *report)
{
	for (char *line = report, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		etl_json_add_text(list, NULL, line);
	}
}

void etld_handle_reload(struct etld_request *request)
{
	struct etld *etld = request->etld;
	struct etl_json *reply;
	struct etl_buf report;

	etl_buf_init(&report, ETL_CTL_MESSAGE_MAX / 2);
	if (etld_reload(etld, &report) < 0) {
		struct etl_json *details = etl_json_object();

		etl_json_add_text(details, "diagnostics", etl_buf_text(&report));
		etld_refuse_with(request, ETL_CTL_CONFIG_INVALID, details, "etlctl config check",
			"the configuration on disk has errors; the old one goes on");
	} else {
		char *warnings = etl_strdup(etl_buf_text(&report));

		reply = etld_reply_object(etld, "etl.reload/1");
		etl_json_add_int(reply, "generation", etld->generation->number);
		etl_json_add_int(reply, "jobs", (int64_t)etld->generation->n_jobs);
		add_warnings(etl_json_add_array(reply, "warnings"), warnings);
		free(warnings);
		etld_answer(request, reply);
	}
	etl_buf_fini(&report);
}
