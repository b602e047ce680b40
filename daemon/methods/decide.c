/* SPDX-License-Identifier: MIT
 *
 * WindowsAccept, HeldRelease, HeldDiscard: an operator decides about one unit. A worker walks the
 * change (lib/ops/change.h) and reads the job's open units again; the loop takes both, so that
 * health is right before the answer is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/picture.h"
#include "methods/methods.h"
#include "ops/change.h"
#include "ops/decision.h"

struct decide_query {
	struct etld_query query;
	struct etld_generation *generation;
	const struct etl_job *job;
	const struct etl_partition *partition;
	enum etl_change_kind kind;
	char *text; /* what the operator said, fit to be shown */
	struct etl_change_walk *walk;
	struct etld_picture *picture;
};

static void decide_free(struct etld_query *query)
{
	struct decide_query *q = (struct decide_query *)query;

	etl_change_free(q->walk);
	etld_picture_free(q->picture);
	etld_generation_unref(q->generation);
	free(q->text);
	free(q);
}

/* ---- on a worker --------------------------------------------------------------------------- */

static enum etl_window_state state_after(const struct decide_query *q)
{
	if (q->kind != ETL_CHANGE_RELEASE)
		return ETL_WINDOW_SKIPPED;
	return etl_held_is_free(etl_change_held(q->walk)) ? ETL_WINDOW_PENDING : ETL_WINDOW_HELD;
}

static void add_answer(struct decide_query *q)
{
	const struct etl_ledger_entry *was = etl_change_unit(q->walk);
	const struct etl_change_result *r = etl_change_result(q->walk, 0);
	struct etl_json *reply = q->query.reply, *item;

	etl_json_add_text(reply, "job", q->job->name);
	etl_json_add_text(reply, "decision", etl_change_kind_word(q->kind));
	etld_json_partition(reply, q->job, q->partition->name);
	item = etl_json_add_object(reply, "window");
	etld_json_time(item, "start", was->window.start);
	etld_json_time(item, "end", was->window.end);
	etl_json_add_text(reply, "state", etl_window_state_word(state_after(q)));
	item = etl_json_add_object(reply, "was");
	etl_json_add_text(item, "state", etl_window_state_word(was->state));
	etl_json_add_text(item, "reason", was->reason);
	etl_json_add_text(item, "run_id", was->run_id);
	if (q->kind == ETL_CHANGE_RELEASE)
		etld_json_held(reply, "checks", etl_change_held(q->walk));
	etl_json_add_text(reply, "reason", q->text);
	etld_json_time(reply, "watermark", q->job->window.none ? (etl_wall){0} : r->reached);
	etl_json_add_text(reply, "change_id", etl_change_id(q->walk));
}

static void decide_work(struct etld_task *task)
{
	struct decide_query *q = (struct decide_query *)task;
	struct etl_error ignored = ETL_ERROR_INIT; /* the reading of the next minute has it */
	int rc;

	etld_on_worker();
	do
		rc = etl_change_step(q->walk, &q->query.error);
	while (rc > 0);
	if (rc < 0)
		return;
	add_answer(q);
	(void)etld_picture_read(q->picture, &ignored);
}

/* ---- back on the loop ---------------------------------------------------------------------- */

static bool decide_again(struct etld_query *query)
{
	struct decide_query *q = (struct decide_query *)query;
	struct etld_job *job = etld_job_find(query->etld, q->job->name);
	const struct etl_last_run *last = etl_change_last(q->walk);

	if (!job || query->error.kind != ETL_OK)
		return false;
	if (last && etl_streq(last->run_id, job->last.run_id))
		job->last = *last;
	etld_picture_take(q->picture);
	etld_job_changed(query->etld, job);
	etld_change_taken(query->etld, q->job->name, q->walk, true);
	return false;
}

/* ---- the request --------------------------------------------------------------------------- */

/* The partition that is meant; NULL and answered if none is, or it is not said which. */
static const struct etl_partition *find_partition(struct etld_request *request,
	const struct etl_job *job)
{
	const struct etl_partition *found;

	if (!etld_request_partition(request, job, &found) || found)
		return found;
	if (job->n_partitions == 1)
		return &job->partitions[0];
	etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "--partition PARTITION",
		"job '%s' has %zu partitions, and one window of one of them is meant", job->name,
		job->n_partitions);
	return NULL;
}

/* Its time, or "-" for the one unit of a job without windows. False: answered. */
static bool read_window(struct etld_request *request, const struct etl_job *job, etl_wall *out)
{
	const char *text = etl_json_text(request->parameters, "window", "");
	bool dash = etl_streq(text, "-");

	if (dash != job->window.none) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER,
			dash ? "2026-07-01T10:00Z" : "- in the place of the window",
			dash ? "job '%s' has windows: a time in one of them is needed" :
			       "job '%s' has no windows: each run reads all", job->name);
		return false;
	}
	return dash || etld_request_time(request, "window", out);
}

/* Owned by the caller; NULL: answered. */
static char *read_reason(struct etld_request *request)
{
	const char *given = etl_json_text(request->parameters, "reason", "");

	if (!given[strspn(given, " \t\r\n")]) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "--reason TEXT",
			"a reason is needed: those who ask later shall find it");
		return NULL;
	}
	if (strlen(given) > ETL_DECISION_TEXT_MAX) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, NULL,
			"the reason has more than %d bytes", ETL_DECISION_TEXT_MAX);
		return NULL;
	}
	return etld_request_reason(request);
}

static void submit(struct etld_request *request, struct etld_job *job,
	const struct etl_partition *partition, const struct etl_change_request *asked, char *text)
{
	struct decide_query *q = ETL_NEW(struct decide_query);

	q->generation = etld_generation_ref(request->etld->generation);
	q->job = job->job;
	q->partition = partition;
	q->kind = asked->kind;
	q->text = text;
	q->walk = etl_change_new(job->job, request->etld->run_env, asked);
	q->picture = etld_picture_new(request->etld, job);
	q->query.free = decide_free;
	q->query.again = decide_again;
	q->query.reply = etld_reply_object(request->etld, "etl.decision/1");
	etld_query_submit(&q->query, request, decide_work);
}

static void decide(struct etld_request *request, enum etl_change_kind kind)
{
	struct etld_job *job = etld_request_job(request);
	struct etl_change_request asked = {.kind = kind, .who = request->who};
	const struct etl_partition *partition;
	char *text;

	if (!job || !etld_request_right(request, job) || !etld_request_ready(request) ||
		!(partition = find_partition(request, job->job)) ||
		!read_window(request, job->job, &asked.time) || !(text = read_reason(request)))
		return;
	asked.partition = partition->name;
	asked.why = text;
	asked.check = etl_json_text(request->parameters, "check", NULL);
	if (!request->etld->draining && !etld_running(job)) {
		submit(request, job, partition, &asked, text);
		return;
	}
	free(text);
	if (request->etld->draining)
		etld_refuse(request, ETL_CTL_NOT_READY, NULL, "etld is stopping");
	else
		etld_refuse_busy(request, job);
}

void etld_handle_windows_accept(struct etld_request *request)
{
	decide(request, ETL_CHANGE_ACCEPT);
}

void etld_handle_held_release(struct etld_request *request)
{
	decide(request, ETL_CHANGE_RELEASE);
}

void etld_handle_held_discard(struct etld_request *request)
{
	decide(request, ETL_CHANGE_DISCARD);
}
