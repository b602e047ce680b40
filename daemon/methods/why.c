/* SPDX-License-Identifier: MIT
 *
 * Why: facts for lib/tell/why.h. A worker reads what stands in the store (lib/tell/explain.h);
 * the loop adds what it knows (why_facts.h), and words the answer.
 * A job is explained while MongoDB is unreachable too, from what the loop knows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/uuid.h"
#include "facts/health.h"
#include "facts/why_facts.h"
#include "methods/methods.h"
#include "tell/explain.h"
#include "time/civil.h"

#define PARTITIONS_MAX 5 /* that are explained if none is named */
#define RUNS_LOOKED 30	 /* back to the last run and the last skip */

struct why_query {
	struct etld_query query;
	struct etld_generation *generation;
	const struct etl_job *job; /* NULL: a run is asked for, and has ended */
	char *text;		   /* run id; with a job: of its run that goes */
	etl_wall now;
	/* of a window */
	bool is_window;
	struct etl_window window;
	const struct etl_partition *partitions[PARTITIONS_MAX];
	struct etl_why_window *windows;
	size_t n, left_out;
	/* what the worker found */
	bool asked; /* the store was */
	struct etl_why_owed owed;
	bson_t last, run; /* records; empty = none */
	struct etl_skip skip;
};

static void why_free(struct etld_query *query)
{
	struct why_query *q = (struct why_query *)query;

	etld_generation_unref(q->generation);
	bson_destroy(&q->last);
	bson_destroy(&q->run);
	free(q->windows);
	free(q->text);
	free(q);
}

/* ---- on a worker --------------------------------------------------------------------------- */

/* Newest first: the first run, and the first record of skipped slots. */
static int keep_last(void *ctx, const bson_t *record)
{
	struct why_query *q = ctx;
	struct etl_why_run run;

	etl_explain_run(record, &run);
	if (!etl_streq(run.state, "skipped")) {
		if (!bson_empty(&q->last))
			return 0;
		bson_destroy(&q->last);
		bson_copy_to(record, &q->last);
	} else if (!q->skip.last.ms) {
		q->skip = (struct etl_skip){run.slot_first, run.slot, run.slots, ETL_SKIP_MAX};
		etl_skip_parse(run.code, &q->skip.code);
	}
	return !bson_empty(&q->last) && q->skip.last.ms;
}

static void job_work(struct why_query *q)
{
	struct etl_state *state = q->query.etld->state;

	if (state->ops->run_list(state, q->job->name, RUNS_LOOKED, keep_last, q, &q->query.error) == 0 &&
		etl_explain_owed(state, q->job, q->now, &q->owed, &q->query.error) == 0)
		q->asked = true;
}

static void why_work(struct etld_task *task)
{
	struct why_query *q = (struct why_query *)task;
	struct etl_state *state = q->query.etld->state;
	bson_t run;

	etld_on_worker();
	for (size_t i = 0; i < q->n; i++)
		if (etl_explain_window(state, q->job, q->partitions[i], q->window, q->now, &q->windows[i],
			    &q->query.error) < 0)
			return;
	if (q->job && !q->is_window)
		job_work(q);
	if (q->job || etld_run_find(state, q->text, &run, &q->query.error) < 0)
		return;
	bson_destroy(&q->run);
	bson_steal(&q->run, &run);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void fill_links(struct etld *etld, struct etl_why_link *links, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct etld_job *job = etld_job_find(etld, links[i].job->name);

		if (!job)
			continue;
		links[i].phase = etl_sched_phase(etld->sched, &job->sched);
		links[i].fire = etld_why_fires(etld, job);
	}
}

static void add_list(struct etl_json *reply, const char *key, const struct etl_why_list *list)
{
	struct etl_json *array = etl_json_add_array(reply, key);

	for (size_t i = 0; i < list->n; i++)
		etl_json_add_text(array, NULL, list->items[i]);
}

static void add_why(struct etl_json *reply, struct etl_why *why)
{
	struct etl_json *next;

	add_list(reply, "because", &why->because);
	if (why->next) {
		next = etl_json_add_object(reply, "next");
		etl_json_add_text(next, "what", why->next);
		etld_json_time(next, "at", why->next_at);
	} else {
		etl_json_add_null(reply, "next");
	}
	add_list(reply, "hints", &why->hints);
	etl_why_fini(why);
}

/* What the worker found; `last` takes a run that the facts then point to. */
static void fill_found(const struct why_query *q, struct etl_why_run *last, struct etl_why_job *f)
{
	if (!f->skip)
		f->skip = &q->skip;
	if (!q->asked)
		return;
	f->owed = &q->owed;
	if (bson_empty(&q->last))
		return;
	etl_explain_run(&q->last, last);
	last->config = f->job;
	f->last = last;
}

/* Words of health that come from what was loaded before: the newest run may say nothing of it. */
static void add_health(const struct etld_job *job, const struct etld_health *health, struct etl_why *why)
{
	if (health->id == ETLD_HEALTH_HELD || health->id == ETLD_HEALTH_REJECTING)
		etl_why_because(why, "%s", health->reason);
	if (job->windows.held)
		etl_why_hint(why, "etlctl held list %s", job->name);
	if (health->id == ETLD_HEALTH_REJECTING)
		etl_why_hint(why, "etlctl dead list %s", job->name);
}

static void answer_job(struct etld *etld, struct etld_job *job, struct why_query *q,
	struct etl_json *reply)
{
	struct etl_why why = {0};
	struct etld_why_facts facts;
	struct etl_why_run last;
	struct etld_health health;

	if (q)
		fill_links(etld, q->owed.links, q->owed.n_links);
	etld_why_facts(etld, job, &facts);
	if (q)
		fill_found(q, &last, &facts.job);
	etl_why_of_job(&facts.job, &why);
	etld_job_health(etld, job, &health);
	add_health(job, &health, &why);
	etl_json_add_text(reply, "subject", "job");
	etl_json_add_text(reply, "job", job->name);
	etl_json_add_text(reply, "state", etl_sched_phase_word(facts.job.phase));
	etl_json_add_text(reply, "health", etld_health_word(health.id));
	etl_json_add_text(reply, "reason", health.reason);
	add_why(reply, &why);
}

static void answer_run(struct etld *etld, struct why_query *q)
{
	struct etl_json *reply = q->query.reply;
	struct etl_why_run facts;
	struct etl_why why = {0};
	const struct etld_job *job;

	etl_explain_run(&q->run, &facts);
	job = etld_job_find(etld, facts.job);
	if (job) {
		facts.config = job->job;
		facts.next_fire = etld_why_fires(etld, job);
		facts.paused = job->sched.paused;
	}
	etl_why_of_run(&facts, &why);
	etl_json_add_text(reply, "subject", "run");
	etl_json_add_text(reply, "job", facts.job);
	etl_json_add_text(reply, "run_id", facts.run_id);
	etl_json_add_text(reply, "state", facts.state);
	add_why(reply, &why);
}

static bool is_in(const struct etl_why_list *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (etl_streq(list->items[i], text))
			return true;
	return false;
}

/* Several partitions in one: each sentence with its partition, the first "next", hints once. */
static void join(struct etl_why *all, const struct etl_why *one, const char *partition)
{
	for (size_t i = 0; i < one->because.n; i++)
		etl_why_because(all, "%s: %s", partition, one->because.items[i]);
	if (one->next)
		etl_why_next(all, one->next_at, "%s", one->next);
	for (size_t i = 0; i < one->hints.n; i++)
		if (!is_in(&all->hints, one->hints.items[i]))
			etl_why_hint(all, "%s", one->hints.items[i]);
}

/* The state of one partition's window, or of the first that is not closed. */
static const char *state_of(const struct why_query *q)
{
	enum etl_window_state state = ETL_WINDOW_PENDING;

	for (size_t i = 0; i < q->n; i++) {
		state = q->windows[i].has_entry ? q->windows[i].entry.state : ETL_WINDOW_PENDING;
		if (!etl_window_is_closed(state))
			break;
	}
	return etl_window_state_word(state);
}

static void answer_window(struct etld *etld, struct why_query *q)
{
	const struct etld_job *job = etld_job_find(etld, q->job->name);
	struct etl_json *reply = q->query.reply, *window;
	struct etl_why all = {0};
	char name[ETL_PARTITION_TEXT_BYTES];

	for (size_t i = 0; i < q->n; i++) {
		struct etl_why one = {0};

		q->windows[i].phase = job ? etl_sched_phase(etld->sched, &job->sched) : ETL_PHASE_IDLE;
		q->windows[i].fire = job ? etld_why_fires(etld, job) : (etl_wall){0};
		q->windows[i].jitter = etl_job_jitter(q->job, etld->host);
		etl_job_target(q->job, etld->database, q->windows[i].target);
		fill_links(etld, q->windows[i].links, q->windows[i].n_links);
		etl_partition_text(q->job, q->partitions[i], name, sizeof name);
		q->windows[i].partition = name;
		etl_why_of_window(&q->windows[i], q->n > 1 ? &one : &all);
		join(&all, &one, name);
		etl_why_fini(&one);
	}
	if (q->left_out)
		etl_why_because(&all, "%zu more partitions are left out: --partition names one", q->left_out);
	etl_json_add_text(reply, "subject", "window");
	etl_json_add_text(reply, "job", q->job->name);
	etl_json_add_text(reply, "partition", q->n == 1 ? name : NULL);
	window = etl_json_add_object(reply, "window");
	etld_json_time(window, "start", q->window.start);
	etld_json_time(window, "end", q->window.end);
	etl_json_add_text(reply, "state", state_of(q));
	add_why(reply, &all);
}

/* The run that was asked for went, and has ended while the store was read: its record tells. */
static bool has_ended(const struct why_query *q, const struct etld_job *job)
{
	struct etld_run *run = job ? etld_running(job) : NULL;

	return q->job && q->text && !(run && etl_uuid_matches(etld_exec_run_id(run), q->text));
}

/* Back on the loop. A job is explained without the store too, if it cannot be asked. */
static bool why_again(struct etld_query *query)
{
	struct why_query *q = (struct why_query *)query;
	struct etld *etld = query->etld;
	struct etld_job *job = q->job ? etld_job_find(etld, q->job->name) : NULL;

	if (has_ended(q, job)) {
		etl_error_clear(&query->error);
		q->job = NULL;
		return true;
	}
	if (q->job && !q->is_window && !job) {
		etl_error_clear(&query->error);
		etl_error_set(&query->error, ETL_PERMANENT, "why.gone",
			"job '%s' has just left the configuration", q->job->name);
	} else if (q->job && !q->is_window) {
		etl_error_clear(&query->error);
		answer_job(etld, job, q, query->reply);
	} else if (query->error.kind == ETL_OK && q->is_window) {
		answer_window(etld, q);
	} else if (query->error.kind == ETL_OK) {
		answer_run(etld, q);
	}
	return false;
}

/* ---- the question ---------------------------------------------------------------------------- */

static struct why_query *why_new(struct etld_request *request, const struct etl_job *job)
{
	struct why_query *q = ETL_NEW(struct why_query);

	q->generation = etld_generation_ref(request->etld->generation);
	q->job = job;
	q->now = etl_now(request->etld->clock);
	bson_init(&q->last);
	bson_init(&q->run);
	q->query.free = why_free;
	q->query.again = why_again;
	q->query.reply = etld_reply_object(request->etld, "etl.why/1");
	return q;
}

/* `run_id`: of its run that goes, if that is asked for. */
static void ask_of_job(struct etld_request *request, struct etld_job *job, const char *run_id)
{
	struct etl_json *reply;
	struct why_query *q;

	if (request->etld->mongodb_up) {
		q = why_new(request, job->job);
		q->text = run_id ? etl_strdup(run_id) : NULL;
		etld_query_submit(&q->query, request, why_work);
		return;
	}
	reply = etld_reply_object(request->etld, "etl.why/1");
	answer_job(request->etld, job, NULL, reply);
	etld_answer(request, reply);
}

struct etld_job *etld_job_that_runs(struct etld *etld, const char *id)
{
	for (struct etld_job *job = etld->jobs; job; job = job->hh.next)
		if (etld_running(job) && etl_uuid_matches(etld_exec_run_id(etld_running(job)), id))
			return job;
	return NULL;
}

static void ask_of_run(struct etld_request *request, const char *id)
{
	struct etld_job *job = etld_job_that_runs(request->etld, id);
	struct why_query *q;

	if (job) {
		ask_of_job(request, job, id);
		return;
	}
	if (!etld_request_ready(request))
		return;
	q = why_new(request, NULL);
	q->text = etl_strdup(id);
	etld_query_submit(&q->query, request, why_work);
}

bool etld_request_window(struct etld_request *request, const struct etl_job *job, const char *text,
	struct etl_window *out)
{
	const struct etl_window_rules *rules = &job->window;
	char start[ETL_TIME_TEXT_BYTES];
	etl_wall t;

	if (!etl_time_parse(text, &t)) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "2026-07-01T10:00Z",
			"'%s' is not a time", text);
		return false;
	}
	*out = (struct etl_window){{0}, {0}};
	if (rules->none)
		return true;
	if (t.ms < rules->start.ms) {
		etl_time_format_rfc3339(rules->start, start);
		etld_refuse(request, ETL_CTL_NO_SUCH_WINDOW, "window.start in the job's file",
			"the first window of '%s' begins at %s", job->name, start);
		return false;
	}
	*out = etl_window_at(rules, t);
	return true;
}

static void choose_partitions(struct why_query *q, const struct etl_partition *only)
{
	size_t all = only ? 1 : q->job->n_partitions;

	q->n = all < PARTITIONS_MAX ? all : PARTITIONS_MAX;
	q->left_out = all - q->n;
	q->windows = etl_calloc(q->n, sizeof *q->windows);
	for (size_t i = 0; i < q->n; i++)
		q->partitions[i] = only ? only : &q->job->partitions[i];
}

static void ask_of_window(struct etld_request *request, const struct etl_job *job, const char *time)
{
	const struct etl_partition *only;
	struct etl_window window;
	struct why_query *q;

	if (!etld_request_partition(request, job, &only) ||
		!etld_request_window(request, job, time, &window) || !etld_request_ready(request))
		return;
	q = why_new(request, job);
	q->is_window = true;
	q->window = window;
	choose_partitions(q, only);
	etld_query_submit(&q->query, request, why_work);
}

/* What cannot be an id is a job's name with a mistake in it. */
bool etld_may_be_id(const char *text)
{
	return strlen(text) >= 6 && strspn(text, "0123456789abcdef-") == strlen(text);
}

void etld_handle_why(struct etld_request *request)
{
	const char *what = etl_json_text(request->parameters, "what", "");
	const char *window = etl_json_text(request->parameters, "window", NULL);
	struct etld_job *job = etld_job_find(request->etld, what);

	if (!job && (window || !etld_may_be_id(what))) {
		etld_refuse_job(request, what);
	} else if (!window && etl_json_get(request->parameters, "partition")) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "--window TIME --partition PARTITION",
			"a partition is asked for together with a window");
	} else if (window) {
		ask_of_window(request, job->job, window);
	} else if (job) {
		ask_of_job(request, job, NULL);
	} else {
		ask_of_run(request, what);
	}
}
