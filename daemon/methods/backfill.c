/* SPDX-License-Identifier: MIT
 *
 * Backfill: a worker surveys the ledger, and unless it is a dry run a backfill begins; with
 * `wait` it is followed. Backfills lists them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/uuid.h"
#include "engine/backfill.h"
#include "methods/methods.h"
#include "time/civil.h"

struct backfill_query {
	struct etld_query query;
	struct etld_generation *generation;
	const struct etl_job *job; /* NULL = all, for the list */
	struct etl_backfill b;
	struct etl_backfill_survey survey;
	bool dry_run, all;
	int64_t limit;
	struct etl_json *list;
	/* what each that goes on here waits for, as the loop knows */
	struct phase {
		char id[ETL_UUID_BYTES];
		const char *text;
	} *phases;
	size_t n_phases, phases_cap;
};

static void query_free(struct etld_query *query)
{
	struct backfill_query *q = (struct backfill_query *)query;

	etld_generation_unref(q->generation);
	free(q->phases);
	free(q);
}

static struct backfill_query *query_new(struct etld_request *request, const char *schema)
{
	struct backfill_query *q = ETL_NEW(struct backfill_query);

	q->generation = etld_generation_ref(request->etld->generation);
	q->query.free = query_free;
	q->query.reply = etld_reply_object(request->etld, schema);
	return q;
}

/* ---- a backfill as JSON ---------------------------------------------------------------------- */

static void add_backfill(struct etl_json *to, const struct etl_backfill *b, etl_wall now,
	const char *waits_for)
{
	etl_dur eta = b->state == ETL_BACKFILL_RUNNING ? etl_backfill_eta(b, now) : (etl_dur){-1};
	struct etl_json *windows;

	etl_json_add_text(to, "backfill_id", b->id);
	etl_json_add_text(to, "job", b->job);
	etl_json_add_text(to, "partition", *b->partition ? b->partition : NULL);
	etl_json_add_text(to, "state", etl_backfill_state_word(b->state));
	etl_json_add_text(to, "waits_for", waits_for);
	etld_json_time(to, "from", b->range.start);
	etld_json_time(to, "to", b->range.end);
	etl_json_add_text(to, "order", b->newest_first ? "newest" : "oldest");
	etl_json_add_text(to, "reprocess", etl_reprocess_word(b->reprocess));
	etl_json_add_double(to, "rate_per_s", b->rate);
	etld_json_time(to, "at", b->at);
	windows = etl_json_add_object(to, "windows");
	etl_json_add_int(windows, "wanted", (int64_t)b->windows);
	etl_json_add_int(windows, "done", (int64_t)b->done);
	etl_json_add_int(windows, "failed", (int64_t)b->failed);
	etl_json_add_int(windows, "unrecoverable", (int64_t)b->lost);
	etl_json_add_int(windows, "blocked", (int64_t)b->blocked);
	etl_json_add_int(to, "pieces", (int64_t)b->pieces);
	if (eta.us >= 0)
		etl_json_add_double(to, "eta_s", (double)eta.us / 1e6);
	else
		etl_json_add_null(to, "eta_s");
	etl_json_add_text(to, "who", b->who);
	etl_json_add_text(to, "reason", b->reason);
	etld_json_time(to, "created", b->created);
	etld_json_time(to, "updated", b->updated);
	etld_json_time(to, "ended", b->ended);
}

static void add_survey(struct etl_json *to, const struct etl_backfill_survey *survey)
{
	struct etl_json *states;

	etl_json_add_int(to, "windows", (int64_t)survey->windows);
	etl_json_add_int(to, "wanted", (int64_t)survey->wanted);
	etl_json_add_int(to, "too_old", (int64_t)survey->too_old);
	etl_json_add_int(to, "pieces", (int64_t)survey->pieces);
	states = etl_json_add_object(to, "states");
	for (int i = 0; i < ETL_WINDOW_STATE_MAX; i++)
		etl_json_add_int(states, etl_window_state_word((enum etl_window_state)i),
			(int64_t)survey->by_state[i]);
}

/* ---- following --------------------------------------------------------------------------------- */

static void follow_gone(struct etld_request *request)
{
	etld_backfill_unwatch(request->etld, request);
	etl_ctl_request_fini(&request->message);
	free(request);
}

static void on_progress(void *ctx, const struct etl_backfill *b, bool ended)
{
	struct etld_request *request = ctx;
	struct etld *etld = request->etld;
	struct etl_json *reply;

	if (!ended) {
		reply = etl_json_object();
		add_backfill(etl_json_add_object(reply, "backfill"), b, etl_now(etld->clock), "");
		etld_answer_more(request, reply);
		return;
	}
	reply = etld_reply_object(etld, "etl.backfill/1");
	etl_json_add_bool(reply, "dry_run", false);
	add_backfill(etl_json_add_object(reply, "backfill"), b, etl_now(etld->clock), "");
	etld_backfill_unwatch(etld, request);
	etld_answer(request, reply);
}

/* ---- Backfill ---------------------------------------------------------------------------------- */

static void survey_work(struct etld_task *task)
{
	struct backfill_query *q = (struct backfill_query *)task;
	struct etl_state *state = q->query.etld->state;
	bson_t details = BSON_INITIALIZER;

	etld_on_worker();
	if (etl_backfill_survey(state, q->job, &q->b, q->b.created, &q->survey, &q->query.error) < 0)
		goto out;
	q->b.windows = q->survey.wanted;
	if (!q->survey.wanted && !q->dry_run) {
		q->b.state = ETL_BACKFILL_DONE;
		q->b.ended = q->b.created;
	}
	add_backfill(etl_json_add_object(q->query.reply, "backfill"), &q->b, q->b.created, "");
	add_survey(etl_json_add_object(q->query.reply, "survey"), &q->survey);
	if (q->dry_run)
		goto out;
	BSON_APPEND_UTF8(&details, "job", q->b.job);
	BSON_APPEND_UTF8(&details, "backfill", q->b.id);
	BSON_APPEND_DATE_TIME(&details, "from", q->b.range.start.ms);
	BSON_APPEND_DATE_TIME(&details, "to", q->b.range.end.ms);
	if (state->ops->backfill_save(state, &q->b, &q->query.error) == 0)
		state->ops->audit_add(state, q->b.who, "backfill", &details, &q->query.error);
out:
	bson_destroy(&details);
}

/* On the loop, before the answer: the backfill begins, whether its client is still there or not. */
static bool survey_done(struct etld_query *query)
{
	struct backfill_query *q = (struct backfill_query *)query;
	struct etld_request *request = query->request;
	struct etld_backfill *backfill;

	if (q->dry_run || query->error.kind != ETL_OK || q->b.state != ETL_BACKFILL_RUNNING)
		return false;
	backfill = etld_backfill_start(query->etld, &q->b);
	if (!request || !request->more || !etl_json_bool(request->parameters, "wait", false))
		return false;
	etld_answer_more(request, ETL_TAKE(query->reply));
	request->gone = follow_gone;
	request->ctx = NULL;
	query->request = NULL;
	etld_backfill_watch(backfill, on_progress, request);
	return false;
}

/* "60/m" as windows a second. */
static bool parse_rate(const char *text, double *out)
{
	char *end;
	double n = strtod(text, &end);
	double per = etl_streq(end, "/s") ? 1 : etl_streq(end, "/m") ? 60 : etl_streq(end, "/h") ? 3600 :
												   0;

	if (end == text || !per || !(n > 0) || n > 1e9)
		return false;
	*out = n / per;
	return true;
}

static bool wrong(struct etld_request *request, const char *hint, const char *text)
{
	etld_refuse(request, ETL_CTL_INVALID_PARAMETER, hint, "%s", text);
	return false;
}

static bool read_options(struct etld_request *request, struct etl_backfill *b)
{
	const char *order = etl_json_text(request->parameters, "order", "oldest");
	const char *rate = etl_json_text(request->parameters, "rate", NULL);
	const char *which = etl_json_text(request->parameters, "reprocess", "missing");

	b->newest_first = etl_streq(order, "newest");
	if (!b->newest_first && !etl_streq(order, "oldest"))
		return wrong(request, "oldest or newest", "--order says which end is loaded first");
	if (!etl_reprocess_parse(which, &b->reprocess))
		return wrong(request, "missing, failed or all",
			"--reprocess says which windows are loaded");
	if (rate && !parse_rate(rate, &b->rate))
		return wrong(request, "60/m, 10/s, 500/h", "--rate is a number of windows in a time");
	return true;
}

static bool read_range(struct etld_request *request, const struct etl_job *job, struct etl_backfill *b)
{
	const char *from = etl_json_text(request->parameters, "from", NULL);
	const char *to = etl_json_text(request->parameters, "to", NULL);
	etl_wall now = etl_now(request->etld->clock);

	b->range = (struct etl_window){job->window.start, now};
	if (job->window.none)
		return wrong(request, "etlctl run", "this job has no windows: each run reads all");
	if ((from && !etl_time_parse(from, &b->range.start)) ||
		(to && !etl_time_parse(to, &b->range.end)))
		return wrong(request, "2026-07-01 or 2026-07-01T10:00Z",
			"--from and --to cannot be read as times");
	if (b->range.start.ms >= b->range.end.ms)
		return wrong(request, NULL, "the range ends before it begins");
	if (b->range.start.ms < job->window.start.ms)
		return wrong(request, "move window.start back in the job's file, then etlctl reload",
			"--from lies before the first window of the job");
	if (!etl_backfill_cut(job, now, &b->range))
		return wrong(request, "wait until window.settle has passed",
			"no window of this range is final yet");
	return true;
}

static bool read_partition(struct etld_request *request, const struct etl_job *job,
	struct etl_backfill *b)
{
	const struct etl_partition *partition;

	if (!etld_request_partition(request, job, &partition))
		return false;
	if (partition && strlen(partition->name) >= sizeof b->partition)
		return wrong(request, "leave --partition out", "the partition's name is too long here");
	etl_text_copy(b->partition, sizeof b->partition, partition ? partition->name : "");
	return true;
}

void etld_handle_backfill(struct etld_request *request)
{
	struct etld_job *job = etld_request_job(request);
	struct etl_backfill b = {.state = ETL_BACKFILL_RUNNING, .attempt = 1};
	struct backfill_query *q;

	if (!job || !etld_request_right(request, job) || !etld_request_ready(request) ||
		!read_options(request, &b) || !read_range(request, job->job, &b) ||
		!read_partition(request, job->job, &b))
		return;
	b.at = b.newest_first ? b.range.end : b.range.start;
	b.created = b.updated = etl_now(request->etld->clock);
	etl_uuid7(b.created.ms, b.id);
	etl_text_copy(b.job, sizeof b.job, job->name);
	etl_text_copy(b.who, sizeof b.who, request->who);
	q = query_new(request, "etl.backfill/1");
	q->job = job->job;
	q->b = b;
	q->dry_run = etl_json_bool(request->parameters, "dry_run", false);
	q->query.again = survey_done;
	etl_json_add_bool(q->query.reply, "dry_run", q->dry_run);
	etld_query_submit(&q->query, request, survey_work);
}

/* ---- Backfills --------------------------------------------------------------------------------- */

static int keep_backfill(void *ctx, const struct etl_backfill *b)
{
	struct backfill_query *q = ctx;
	const char *waits_for = "";

	for (size_t i = 0; i < q->n_phases; i++)
		if (etl_streq(q->phases[i].id, b->id))
			waits_for = q->phases[i].text;
	add_backfill(etl_json_add_object(q->list, NULL), b, etl_now(q->query.etld->clock), waits_for);
	return 0;
}

static void list_work(struct etld_task *task)
{
	struct backfill_query *q = (struct backfill_query *)task;
	struct etl_state *state = q->query.etld->state;

	etld_on_worker();
	q->list = etl_json_add_array(q->query.reply, "backfills");
	state->ops->backfill_list(state, q->job ? q->job->name : NULL, !q->all, (int)q->limit,
		keep_backfill, q, &q->query.error);
}

static void keep_phase(void *ctx, const struct etld_backfill *backfill)
{
	struct backfill_query *q = ctx;
	struct phase *kept;

	ETL_GROW(q->phases, q->n_phases, q->phases_cap);
	kept = &q->phases[q->n_phases++];
	memcpy(kept->id, etld_backfill_facts(backfill)->id, sizeof kept->id);
	kept->text = etld_backfill_waits_for(backfill, NULL);
}

void etld_handle_backfills(struct etld_request *request)
{
	struct etld_job *job = NULL;
	struct backfill_query *q;

	if (etl_json_get(request->parameters, "job") && !(job = etld_request_job(request)))
		return;
	if (!etld_request_ready(request))
		return;
	q = query_new(request, "etl.backfills/1");
	q->job = job ? job->job : NULL;
	q->limit = etl_json_int(request->parameters, "limit", 20);
	q->all = etl_json_bool(request->parameters, "all", false);
	etld_backfills_each(request->etld, keep_phase, q);
	etld_query_submit(&q->query, request, list_work);
}
