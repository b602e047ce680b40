/* SPDX-License-Identifier: MIT
 *
 * Cancel ends a run of this etld, or a backfill, whichever etld drives it: a run's end is the
 * loop's; a backfill has ended when the store says so.
 *
 * What is meant is found in this order: the job that is named and runs, the run of this etld with
 * that id, the backfill that this etld drives, and last, in the store, a backfill of another etld.
 * Two that fit are none: `cancel 0a1b2c` never ends the wrong one. Runs of other etlds cannot be
 * cancelled from here, since a run's end is in the hands of the process that has its lease.
 */
#include <stdio.h>

#include "base/str.h"
#include "base/uuid.h"
#include "engine/audit.h"
#include "engine/backfill.h"
#include "methods/methods.h"

struct cancelled {
	const char *what; /* "run", "backfill" */
	char job[ETL_JOB_NAME_MAX + 1], id[ETL_UUID_BYTES];
	size_t found;
};

static const char *asked(const struct etld_request *request)
{
	return etl_json_text(request->parameters, "id", "");
}

static struct cancelled *cancelled_new(struct etld_request *request, const char *what,
	const char *id, const char *job)
{
	struct cancelled *c = etld_request_own(request, sizeof *c);

	c->what = what;
	etl_text_copy(c->id, sizeof c->id, id);
	etl_text_copy(c->job, sizeof c->job, job);
	return c;
}

static void add_answer(struct etld_request *request)
{
	const struct cancelled *c = request->own;
	struct etl_json *reply = etld_reply(request);

	etl_json_add_text(reply, "cancelled", c->what);
	etl_json_add_text(reply, "id", c->id);
	etl_json_add_text(reply, "job", c->job);
}

static void audit(struct etld_request *request)
{
	const struct cancelled *c = request->own;
	bson_t details = BSON_INITIALIZER;

	BSON_APPEND_UTF8(&details, "job", c->job);
	BSON_APPEND_UTF8(&details, c->what, c->id);
	etld_audit(request->etld, request->who, "cancel", &details);
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* The answer does not wait for the run: a worker may be in the middle of a commit, which is never
 * torn. The run ends at its next step, as "cancelled", and its windows stay as they were. */
static void cancel_run(struct etld_request *request, struct etld_job *job)
{
	cancelled_new(request, "run", etld_run_id(etld_running(job)), job->name);
	add_answer(request);
	etld_run_cancel(etld_running(job), ETL_CANCEL_OPERATOR);
	audit(request);
	etld_answer(request);
}

/* The running run that is meant: its job's name, or (a part of) its id. A job's name is taken
 * whole. An id that fits two runs gives NULL, as if none had been found. */
static struct etld_job *running_job(struct etld *etld, const char *id)
{
	struct etld_job *found = etld_job_find(etld, id);

	if (found)
		return etld_running(found) ? found : NULL;
	for (struct etld_job *job = etld->jobs; job; job = job->hh.next)
		if (etld_running(job) &&
			etl_uuid_matches(etld_run_id(etld_running(job)), id)) {
			if (found)
				return NULL;
			found = job;
		}
	return found;
}

/* ---- a backfill ------------------------------------------------------------------------------ */

/* All are looked at and not the first alone: how many fit decides (no_such_one). */
static int match(void *ctx, const void *thing)
{
	const struct etl_backfill *b = thing;
	struct etld_request *request = ctx;
	struct cancelled *c = request->own;

	if (!etl_uuid_matches(b->id, asked(request)))
		return 0;
	c->found++;
	etl_text_copy(c->id, sizeof c->id, b->id);
	etl_text_copy(c->job, sizeof c->job, b->job);
	return 0;
}

static void no_such_one(struct etld_request *request)
{
	const struct cancelled *c = request->own;

	if (c->found)
		etl_error_set(&request->error, ETL_PERMANENT, "no_such_run",
			"%zu backfills begin or end with '%s'", c->found, asked(request));
	else
		etl_error_set(&request->error, ETL_PERMANENT, "no_such_run",
			"no run of this etld and no backfill under way has the id '%s'",
			asked(request));
}

/* The store decides: of two who cancel, and of a backfill that ends by itself at that moment, one
 * gets "ended" 1 and the others 0. Whoever drives the backfill reads its state before each piece
 * and stops. */
static void backfill_work(struct etld_request *request)
{
	const struct cancelled *c = request->own;
	struct etl_state *state = request->etld->state;
	char reason[ETL_REASON_MAX];
	int ended;

	if (etl_backfill_list(state, NULL, true, 0, match, request, &request->error) < 0)
		return;
	if (c->found != 1) {
		no_such_one(request);
		return;
	}
	snprintf(reason, sizeof reason, "cancelled by %s", request->who);
	ended = etl_backfill_end(state, c->id, ETL_BACKFILL_CANCELLED, reason,
		etl_now(request->etld->clock), &request->error);
	if (ended == 0)
		etl_error_set(&request->error, ETL_PERMANENT, "no_such_run",
			"backfill '%s' has just ended by itself", c->id);
}

/* If it is driven here, its piece ends too. */
static enum etld_then backfill_done(struct etld_request *request)
{
	const struct cancelled *c = request->own;
	struct etld_backfill *backfill;

	if (request->error.kind != ETL_OK)
		return ETLD_THEN_ANSWER;
	audit(request);
	backfill = etld_backfill_find(request->etld, c->id);
	if (backfill)
		etld_backfill_cancel(backfill, request->who);
	add_answer(request);
	return ETLD_THEN_ANSWER;
}

/* MongoDB is unreachable: it ends here now, and there when it is back. */
static void cancel_later(struct etld_request *request, struct etld_backfill *backfill)
{
	const struct etl_backfill *facts = etld_backfill_facts(backfill);

	cancelled_new(request, "backfill", facts->id, facts->job);
	add_answer(request);
	etld_backfill_cancel(backfill, request->who);
	audit(request);
	etld_answer(request);
}

/* ---- which ----------------------------------------------------------------------------------- */

/* Six digits of an id may fit a run and a backfill: then neither is cancelled, and the caller is
 * told where to see both. */
static void cancel(struct etld_request *request)
{
	struct etld *etld = request->etld;
	const char *id = asked(request);
	struct etld_job *job = running_job(etld, id);
	struct etld_backfill *backfill = etld_backfill_find(etld, id);

	if (job && !backfill) {
		cancel_run(request, job);
	} else if (etld_job_find(etld, id)) {
		etld_refuse(request, ETL_CTL_NO_SUCH_RUN, "etlctl status",
			"no run of '%s' is going on", id);
	} else if (job) {
		etld_refuse(request, ETL_CTL_NO_SUCH_RUN, "etlctl status, etlctl backfills",
			"a run and a backfill begin or end with '%s'", id);
	} else if (backfill && !etld->mongodb_up) {
		cancel_later(request, backfill);
	} else if (etld_request_ready(request)) {
		cancelled_new(request, "backfill", "", "");
		etld_request_submit(request, backfill_work, backfill_done);
	}
}

const struct etld_method etld_method_cancel = {"Cancel", "etl.cancel/1", .call = cancel};
