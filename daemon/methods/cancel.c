/* SPDX-License-Identifier: MIT
 *
 * Cancel ends a run of this etld, or a backfill, whichever etld drives it. A worker writes it down:
 * a run's end is the loop's, and only told; a backfill has ended when the store says so.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/uuid.h"
#include "engine/backfill.h"
#include "methods/methods.h"

struct cancel_query {
	struct etld_query query;
	char who[80], job[ETL_JOB_NAME_MAX + 1], id[ETL_UUID_BYTES];
	char asked[ETL_UUID_BYTES]; /* a backfill's id, or a part of it */
	size_t found;
};

static void cancel_free(struct etld_query *query)
{
	free(query);
}

static struct cancel_query *cancel_new(struct etld_request *request)
{
	struct cancel_query *q = ETL_NEW(struct cancel_query);

	etl_text_copy(q->who, sizeof q->who, request->who);
	q->query.free = cancel_free;
	q->query.reply = etld_reply_object(request->etld, "etl.cancel/1");
	return q;
}

static void add_answer(struct etl_json *reply, const char *what, const char *id, const char *job)
{
	etl_json_add_text(reply, "cancelled", what);
	etl_json_add_text(reply, "id", id);
	etl_json_add_text(reply, "job", job);
}

static void write_audit(struct cancel_query *q, const char *what)
{
	struct etl_state *state = q->query.etld->state;
	struct etl_error ignored = ETL_ERROR_INIT; /* the journal has it in any case */
	bson_t details = BSON_INITIALIZER;

	BSON_APPEND_UTF8(&details, "job", q->job);
	BSON_APPEND_UTF8(&details, what, q->id);
	(void)state->ops->audit_add(state, q->who, "cancel", &details, &ignored);
	bson_destroy(&details);
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void run_work(struct etld_task *task)
{
	etld_on_worker();
	write_audit((struct cancel_query *)task, "run");
}

static void cancel_run(struct etld_request *request, struct etld_job *job)
{
	struct cancel_query *q = cancel_new(request);
	const char *id = etld_exec_run_id(etld_running(job));

	etl_text_copy(q->job, sizeof q->job, job->name);
	etl_text_copy(q->id, sizeof q->id, id);
	add_answer(q->query.reply, "run", id, job->name);
	etld_exec_cancel(etld_running(job), ETL_CANCEL_OPERATOR);
	if (request->etld->mongodb_up) {
		etld_query_submit(&q->query, request, run_work);
		return;
	}
	etld_answer(request, ETL_TAKE(q->query.reply));
	cancel_free(&q->query);
}

/* The running run that is meant: its job's name, or (a part of) its id. */
static struct etld_job *running_job(struct etld *etld, const char *id)
{
	struct etld_job *found = etld_job_find(etld, id);

	if (found)
		return etld_running(found) ? found : NULL;
	for (struct etld_job *job = etld->jobs; job; job = job->hh.next)
		if (etld_running(job) && etl_uuid_matches(etld_exec_run_id(etld_running(job)), id)) {
			if (found)
				return NULL;
			found = job;
		}
	return found;
}

/* ---- a backfill ------------------------------------------------------------------------------ */

static int match(void *ctx, const struct etl_backfill *b)
{
	struct cancel_query *q = ctx;

	if (!etl_uuid_matches(b->id, q->asked))
		return 0;
	q->found++;
	etl_text_copy(q->id, sizeof q->id, b->id);
	etl_text_copy(q->job, sizeof q->job, b->job);
	return 0;
}

static void no_such_one(struct cancel_query *q)
{
	if (q->found)
		etl_error_set(&q->query.error, ETL_PERMANENT, "no_such_run",
			"%zu backfills begin or end with '%s'", q->found, q->asked);
	else
		etl_error_set(&q->query.error, ETL_PERMANENT, "no_such_run",
			"no run of this etld and no backfill under way has the id '%s'", q->asked);
}

static void backfill_work(struct etld_task *task)
{
	struct cancel_query *q = (struct cancel_query *)task;
	struct etl_state *state = q->query.etld->state;
	char reason[ETL_REASON_MAX];
	int ended;

	etld_on_worker();
	if (state->ops->backfill_list(state, NULL, true, 0, match, q, &q->query.error) < 0)
		return;
	if (q->found != 1) {
		no_such_one(q);
		return;
	}
	snprintf(reason, sizeof reason, "cancelled by %s", q->who);
	ended = state->ops->backfill_end(state, q->id, ETL_BACKFILL_CANCELLED, reason,
		etl_now(q->query.etld->clock), &q->query.error);
	if (ended == 0)
		etl_error_set(&q->query.error, ETL_PERMANENT, "no_such_run",
			"backfill '%s' has just ended by itself", q->id);
	if (ended == 1)
		write_audit(q, "backfill");
}

/* On the loop: if it is driven here, its piece ends too. */
static bool backfill_done(struct etld_query *query)
{
	struct cancel_query *q = (struct cancel_query *)query;
	struct etld_backfill *backfill;

	if (query->error.kind != ETL_OK)
		return false;
	backfill = etld_backfill_find(query->etld, q->id);
	if (backfill)
		etld_backfill_cancel(backfill, q->who);
	add_answer(query->reply, "backfill", q->id, q->job);
	return false;
}

static void cancel_backfill(struct etld_request *request, const char *id)
{
	struct cancel_query *q = cancel_new(request);

	etl_text_copy(q->asked, sizeof q->asked, id);
	q->query.again = backfill_done;
	etld_query_submit(&q->query, request, backfill_work);
}

/* MongoDB is unreachable: it ends here now, and there when it is back. */
static void cancel_later(struct etld_request *request, struct etld_backfill *backfill)
{
	struct etl_json *reply = etld_reply_object(request->etld, "etl.cancel/1");
	const struct etl_backfill *facts = etld_backfill_facts(backfill);

	add_answer(reply, "backfill", facts->id, facts->job);
	etld_backfill_cancel(backfill, request->who);
	etld_answer(request, reply);
}

/* ---- which ----------------------------------------------------------------------------------- */

void etld_handle_cancel(struct etld_request *request)
{
	struct etld *etld = request->etld;
	const char *id = etl_json_text(request->parameters, "id", "");
	struct etld_job *job = running_job(etld, id);
	struct etld_backfill *backfill = etld_backfill_find(etld, id);

	if (job && !backfill)
		cancel_run(request, job);
	else if (etld_job_find(etld, id))
		etld_refuse(request, ETL_CTL_NO_SUCH_RUN, "etlctl status", "no run of '%s' is going on", id);
	else if (job)
		etld_refuse(request, ETL_CTL_NO_SUCH_RUN, "etlctl status, etlctl backfills",
			"a run and a backfill begin or end with '%s'", id);
	else if (etld->mongodb_up)
		cancel_backfill(request, id);
	else if (backfill)
		cancel_later(request, backfill);
	else
		(void)etld_request_ready(request); /* says that MongoDB is unreachable */
}
