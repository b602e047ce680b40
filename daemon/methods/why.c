/* SPDX-License-Identifier: MIT
 *
 * Why: facts for lib/tell/why.h. A worker reads what stands in the store (lib/tell/explain.h);
 * the loop adds what it knows (why_facts.h), and words the answer.
 * A job is explained while MongoDB is unreachable too, from what the loop knows.
 *
 * Example: `etlctl why airqino` of a job that waits for its slot:
 *   job airqino  ✔ ok
 *     because     idle until its slot 2026-07-01T12:10:00Z
 *     because     no window is due
 *     next        2026-07-01 12:10Z (in 4m): its slot 2026-07-01T12:10:00Z fires
 *     hint        etlctl run airqino
 * A window and a run are explained the same way, from the ledger and from the run's record. Of a
 * job that runs the loop knows more than the store, so that its id leads to the job and not to a
 * record that says "running" at best.
 */
#include "base/str.h"
#include "base/uuid.h"
#include "facts/facts.h"
#include "facts/why_facts.h"
#include "methods/methods.h"
#include "tell/explain.h"

/* Sentences about more than five partitions are no explanation any more; --partition names one. */
#define PARTITIONS_MAX 5 /* that are explained if none is named */
/* Skipped slots are records too, some for each pause: among thirty a run is found in all but odd
 * cases, and otherwise the answer does without the sentence about the last run. */
#define RUNS_LOOKED 30	 /* back to the last run and the last skip */

struct subject {
	struct etld_request *request;
	const struct etl_job *job; /* NULL: a run is asked for, and has ended */
	etl_wall now;
	/* of a window, or of an object */
	struct etl_window window;
	const char *object; /* NULL = it is a window */
	const struct etl_partition *partitions[PARTITIONS_MAX];
	struct etl_why_window *windows; /* of the arena */
	size_t n, left_out;
	/* what the worker found */
	bool asked; /* the store was */
	struct etl_why_owed owed;
	bson_t *last, *run; /* records; empty = none */
	struct etl_skip skip;
};

static void subject_fini(void *ctx)
{
	struct subject *q = ctx;

	bson_destroy(q->last);
	bson_destroy(q->run);
}

/* The documents are on the heap: libbson wants an alignment that the arena does not promise. */
static struct subject *subject_new(struct etld_request *request, const struct etl_job *job)
{
	struct subject *q = etld_request_own(request, sizeof *q);

	etl_arena_defer(request->arena, subject_fini, q);
	q->request = request;
	q->job = job;
	q->now = etl_now(request->etld->clock);
	q->last = bson_new();
	q->run = bson_new();
	return q;
}

/* ---- on a worker --------------------------------------------------------------------------- */

/* Newest first: the first run, and the first record of skipped slots. */
static int keep_last(void *ctx, const bson_t *record)
{
	struct subject *q = ctx;
	struct etl_why_run run;

	etl_explain_run(record, &run);
	if (!etl_streq(run.state, "skipped")) {
		if (!bson_empty(q->last))
			return 0;
		bson_destroy(q->last);
		q->last = bson_copy(record);
	} else if (!q->skip.last.ms) {
		q->skip = (struct etl_skip){run.slot_first, run.slot, run.slots, ETL_SKIP_MAX};
		etl_skip_parse(run.code, &q->skip.code);
	}
	return !bson_empty(q->last) && q->skip.last.ms;
}

/* `asked` only if both came: with half of it the answer would say that nothing is owed. */
static void job_work(struct subject *q)
{
	struct etl_state *state = q->request->etld->state;

	if (etl_run_list(state, q->job->name, RUNS_LOOKED, keep_last, q, &q->request->error) == 0 &&
		etl_explain_owed(state, q->job, q->now, &q->owed, &q->request->error) == 0)
		q->asked = true;
}

/* One of three: windows of a job, a job as a whole, a run. What fails first ends it, and `tell`
 * says what can be told without it. */
static void why_work(struct etld_request *request)
{
	struct subject *q = request->own;
	struct etl_state *state = request->etld->state;
	bson_t run;

	for (size_t i = 0; i < q->n && q->object; i++)
		if (etl_explain_object(state, q->job, q->partitions[i], q->object, q->now, &q->windows[i],
			    &request->error) < 0)
			return;
	for (size_t i = 0; i < q->n && !q->object; i++)
		if (etl_explain_window(state, q->job, q->partitions[i], q->window, q->now, &q->windows[i],
			    &request->error) < 0)
			return;
	if (q->job && !q->n)
		job_work(q);
	if (q->job || etld_run_find(state, request->id, &run, &request->error) < 0)
		return;
	bson_destroy(q->run);
	q->run = bson_copy(&run);
	bson_destroy(&run);
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* What a window waits for is told with what will happen to it: the upstream job's phase and its
 * next slot, which only the loop knows. */
static void fill_links(struct etld *etld, struct etl_why_link *links, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct etld_job *job = etld_job_find(etld, links[i].job->name);

		if (!job)
			continue;
		links[i].phase = etl_sched_phase(etld->sched, &job->sched);
		links[i].fire = etld_facts_fires(etld, job);
	}
}

static void add_list(struct etl_json *reply, const char *key, const struct etl_why_list *list)
{
	struct etl_json *array = etl_json_add_array(reply, key);

	for (size_t i = 0; i < list->n; i++)
		etl_json_add_text(array, NULL, list->items[i]);
}

/* `next` null says "nothing changes it by itself": somebody has to act, and the hints say how. */
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
static void fill_found(const struct subject *q, struct etl_why_run *last, struct etl_why_job *f)
{
	if (!f->skip)
		f->skip = &q->skip;
	if (!q->asked)
		return;
	f->owed = &q->owed;
	if (bson_empty(q->last))
		return;
	etl_explain_run(q->last, last);
	last->config = f->job;
	f->last = last;
}

/* Words of health that come from what was loaded before: the newest run may say nothing of it. */
static void add_health(const struct etld_facts *now, struct etl_why *why)
{
	const struct etld_health *health = &now->health;
	const char *name = now->job->name;

	if (health->id == ETLD_HEALTH_HELD || health->id == ETLD_HEALTH_REJECTING)
		etl_why_because(why, "%s", health->reason);
	if (now->windows.held)
		etl_why_hint(why, "etlctl held list %s", name);
	if (health->id == ETLD_HEALTH_REJECTING)
		etl_why_hint(why, "etlctl dead list %s", name);
}

/* q NULL: MongoDB is unreachable, and the loop's part is all there is. That the job waits for
 * MongoDB is the first sentence then. */
static void answer_job(struct etld *etld, struct etld_job *job, struct subject *q,
	struct etl_json *reply)
{
	struct etl_why why = {0};
	struct etld_facts now;
	struct etld_why_facts facts;
	struct etl_why_run last;

	if (q)
		fill_links(etld, q->owed.links, q->owed.n_links);
	etld_facts_of(etld, job, &now);
	etld_why_facts(etld, &now, &facts);
	if (q)
		fill_found(q, &last, &facts.job);
	etl_why_of_job(&facts.job, &why);
	add_health(&now, &why);
	etl_json_add_text(reply, "subject", "job");
	etl_json_add_text(reply, "job", job->name);
	etl_json_add_text(reply, "state", etl_sched_phase_word(now.phase));
	etl_json_add_text(reply, "health", etld_health_word(now.health.id));
	etl_json_add_text(reply, "reason", now.health.reason);
	add_why(reply, &why);
}

/* A run whose job is not configured any more is explained by its record alone; its settings are not
 * named. */
static void answer_run(struct etld *etld, struct subject *q)
{
	struct etl_json *reply = etld_reply(q->request);
	struct etl_why_run facts;
	struct etl_why why = {0};
	const struct etld_job *job;

	etl_explain_run(q->run, &facts);
	job = etld_job_find(etld, facts.job);
	if (job) {
		facts.config = job->job;
		facts.next_fire = etld_facts_fires(etld, job);
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

/* The state of one partition's window, or of the first that is not closed. "Not closed" first: of
 * five partitions that share an hour the one that is missing is what was asked about. */
static const char *state_of(const struct subject *q)
{
	enum etl_window_state state = ETL_WINDOW_PENDING;

	for (size_t i = 0; i < q->n; i++) {
		state = q->windows[i].has_entry ? q->windows[i].entry.state : ETL_WINDOW_PENDING;
		if (!etl_window_is_closed(state))
			break;
	}
	return etl_window_state_word(state);
}

/* The phase is that of now and not of when the worker read: the job may have started meanwhile. */
static void answer_window(struct etld *etld, struct subject *q)
{
	const struct etld_job *job = etld_job_find(etld, q->job->name);
	struct etl_json *reply = etld_reply(q->request);
	struct etl_why all = {0};
	char name[ETL_PARTITION_TEXT_BYTES];

	for (size_t i = 0; i < q->n; i++) {
		struct etl_why one = {0};

		q->windows[i].phase =
			job ? etl_sched_phase(etld->sched, &job->sched) : ETL_PHASE_IDLE;
		q->windows[i].fire = job ? etld_facts_fires(etld, job) : (etl_wall){0};
		q->windows[i].jitter = etl_job_jitter(q->job, etld->host);
		etl_job_target(q->job, etld->database, q->windows[i].target);
		fill_links(etld, q->windows[i].links, q->windows[i].n_links);
		etl_partition_text(q->job, q->partitions[i], name, sizeof name);
		q->windows[i].partition = name;
		(q->object ? etl_why_of_object : etl_why_of_window)(&q->windows[i], q->n > 1 ? &one : &all);
		join(&all, &one, name);
		etl_why_fini(&one);
	}
	if (q->left_out)
		etl_why_because(&all, "%zu more partitions are left out: --partition names one", q->left_out);
	etl_json_add_text(reply, "subject", q->object ? "object" : "window");
	etl_json_add_text(reply, "job", q->job->name);
	etl_json_add_text(reply, "object", q->object);
	etl_json_add_text(reply, "partition", q->n == 1 ? name : NULL);
	etld_json_window(reply, "window", q->object ? &q->windows[0].window : &q->window);
	etl_json_add_text(reply, "state", state_of(q));
	add_why(reply, &all);
}

/* The run that was asked for went, and has ended while the store was read: its record tells. */
static bool has_ended(const struct subject *q, const struct etld_job *job)
{
	const struct etld_run *run = job ? etld_running(job) : NULL;
	const char *id = q->request->id;

	return q->job && id && !(run && etl_uuid_matches(etld_run_id(run), id));
}

/* Back on the loop. A job is explained without the store too, if it cannot be asked. A store that
 * was lost meanwhile fails the answer about a window or a run, and not the one about a job. */
static enum etld_then tell(struct etld_request *request)
{
	struct subject *q = request->own;
	struct etld_job *job = q->job ? etld_job_find(request->etld, q->job->name) : NULL;

	if (has_ended(q, job)) {
		etl_error_clear(&request->error);
		q->job = NULL;
		return ETLD_THEN_AGAIN;
	}
	if (q->job && !q->n && !job) {
		etl_error_clear(&request->error);
		etl_error_set(&request->error, ETL_PERMANENT, "why.gone",
			"job '%s' has just left the configuration", q->job->name);
	} else if (q->job && !q->n) {
		etl_error_clear(&request->error);
		answer_job(request->etld, job, q, etld_reply(request));
	} else if (request->error.kind == ETL_OK && q->n) {
		answer_window(request->etld, q);
	} else if (request->error.kind == ETL_OK) {
		answer_run(request->etld, q);
	}
	return ETLD_THEN_ANSWER;
}

/* ---- the question ---------------------------------------------------------------------------- */

static void choose_partitions(struct subject *q)
{
	const struct etl_partition *only = q->request->partition;
	size_t all = only ? 1 : q->job->n_partitions;

	q->n = all < PARTITIONS_MAX ? all : PARTITIONS_MAX;
	q->left_out = all - q->n;
	q->windows = etl_arena_zalloc(q->request->arena, q->n * sizeof *q->windows);
	for (size_t i = 0; i < q->n; i++)
		q->partitions[i] = only ? only : &q->job->partitions[i];
}

/* Without the store: a job alone, and only if it is known to be unreachable. A store that is lost
 * during the question is found out by the worker, five seconds later. */
static void ask(struct etld_request *request, const struct etl_job *job)
{
	struct subject *q = subject_new(request, job);

	q->object = etl_json_text(request->parameters, "object", NULL);
	if (request->time && !etld_request_window(request, &q->window))
		return;
	if (q->object && (!job || !job->window.object)) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "--window TIME",
			"no objects are known of '%s': they come with window: object",
			job ? job->name : request->id);
		return;
	}
	if (request->time || q->object)
		choose_partitions(q);
	if (job && !q->n && !request->etld->mongodb_up) {
		answer_job(request->etld, etld_job_find(request->etld, job->name), NULL, etld_reply(request));
		etld_answer(request);
	} else if (etld_request_ready(request)) {
		etld_request_submit(request, why_work, tell);
	}
}

/* The table leaves the partition as text here, since a job need not be given: it is resolved when
 * it is known that one was. */
static void why(struct etld_request *request)
{
	const char *partition = etl_json_text(request->parameters, "partition", NULL);
	const struct etld_job *running =
		request->id ? etld_job_that_runs(request->etld, request->id) : NULL;

	if (!request->job && request->time)
		etld_refuse_job(request, request->id);
	else if (!request->time && partition && !etl_json_text(request->parameters, "object", NULL))
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "--window TIME --partition PARTITION",
			"a partition is asked for together with a window");
	else if (!partition || etld_request_partition(request, partition))
		ask(request, running ? running->job : request->job);
}

const struct etld_method etld_method_why = {"Why", "etl.why/1", .call = why};
