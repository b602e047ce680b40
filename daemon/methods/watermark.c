/* SPDX-License-Identifier: MIT
 *
 * WatermarkShow, WatermarkHistory: a worker asks MongoDB, the loop answers. WatermarkSet,
 * WatermarkRewind, WatermarkUndo: a worker walks the change (lib/ops/change.h) a second at a
 * time; in between the loop tells the client how far it is.
 *
 * Example: `etlctl watermark set airqino 2026-07-01 --reason "began with the new sensor"` of a job
 * whose watermark is 2026-06-01. 720 windows become `skipped`, in slices, each with its own commit;
 * progress is told about once a second; the answer names what was changed for each partition.
 * Killed in the middle, a part of it is in: `history` has it as "unfinished", and the same command
 * again does the rest.
 */
#include <string.h>

#include "engine/picture.h"
#include "methods/methods.h"
#include "ops/change.h"
#include "plan/change_plan.h"

#define WORK_AT_ONCE ETL_SECONDS(1)

static struct etl_json *reply_for(struct etld_request *request)
{
	struct etl_json *reply = etld_reply(request);

	etl_json_add_text(reply, "job", request->job->name);
	return reply;
}

/* ---- show ----------------------------------------------------------------------------------- */

/* A partition without a watermark has a line all the same: that nothing of it was ever closed is
 * what the operator looks for. `origin` is where its contiguous ledger begins. */
static int add_watermark(struct etld_request *request, struct etl_json *list,
	const struct etl_partition *partition)
{
	const struct etl_grid *grid = &request->job->window.grid;
	struct etl_state *state = request->etld->state;
	struct etl_watermark mark;
	struct etl_json *item;
	char text[ETL_GRID_TEXT_BYTES];
	int found = state->ops->watermark_get(state, request->job->name, partition->name, &mark,
		&request->error);

	if (found < 0)
		return -1;
	item = etl_json_add_object(list, NULL);
	etld_json_partition(item, request->job, partition->name);
	if (!found) {
		etl_json_add_null(item, "watermark");
		return 0;
	}
	etld_json_time(item, "watermark", mark.processed);
	etld_json_time(item, "origin", mark.origin);
	etl_json_add_int(item, "lag_s",
		etl_wall_age(etl_now(request->etld->clock), mark.processed).us / 1000000);
	etl_json_add_int(item, "window_s", mark.window_ms / 1000);
	if (grid->zone && mark.window_ms == etl_window_longest_ms(&request->job->window)) {
		etl_grid_text(grid, text);
		etl_json_add_text(item, "grid", text);
	}
	etld_json_time(item, "updated", mark.updated);
	etl_json_add_text(item, "run_id", mark.run_id);
	etl_json_add_int(item, "fence", mark.fence);
	return 0;
}

static void show_work(struct etld_request *request)
{
	const struct etl_job *job = request->job;
	struct etl_json *list = etl_json_add_array(reply_for(request), "watermarks");

	for (size_t i = 0; i < job->n_partitions; i++)
		if (add_watermark(request, list, &job->partitions[i]) < 0)
			return;
}

static void show(struct etld_request *request)
{
	char hint[ETL_JOB_NAME_MAX + 24];

	snprintf(hint, sizeof hint, "etlctl windows %s", request->job->name);
	if (request->job->window.object) {
		etld_refuse_with(request, ETL_CTL_INVALID_PARAMETER, NULL, hint,
			"job '%s' loads objects, which have no watermark: they lie on no line of time",
			request->job->name);
		return;
	}
	etld_request_submit(request, show_work, NULL);
}

/* ---- history -------------------------------------------------------------------------------- */

/* A change writes its document before its first slice and marks it as done after the last: one that
 * never got there was interrupted, and its `reached` says how far it came. */
static const char *change_state(const struct etl_change *change)
{
	if (*change->undone_by)
		return "undone";
	return change->done ? "done" : "unfinished";
}

struct history {
	struct etl_json *list;
	const struct etl_job *job;
};

/* Decisions (accept, release, discard) are changes too, of one unit instead of a range: only they
 * have a window and the run that left it so. */
static int add_change(void *ctx, const void *thing)
{
	const struct etl_change *change = thing;
	const struct history *h = ctx;
	struct etl_json *item = etl_json_add_object(h->list, NULL);

	etl_json_add_text(item, "change_id", change->id);
	etl_json_add_text(item, "command_id", change->command);
	etld_json_time(item, "at", change->at);
	etl_json_add_text(item, "who", change->who);
	etl_json_add_text(item, "kind", etl_change_kind_word(change->kind));
	etld_json_partition(item, h->job, change->partition);
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
	etld_json_window(item, "window", &change->unit);
	etl_json_add_text(item, "run_id", change->run_id);
	return 0;
}

static void history_work(struct etld_request *request)
{
	struct etl_state *state = request->etld->state;
	struct etl_change_query query = {.job = request->job->name,
		.partition = request->partition ? request->partition->name : NULL,
		.limit = (int)etl_json_int(request->parameters, "limit", 20)};
	struct history h = {etl_json_add_array(reply_for(request), "changes"), request->job};

	etl_change_list(state, &query, add_change, &h, &request->error);
}

static void history(struct etld_request *request)
{
	etld_request_submit(request, history_work, NULL);
}

/* ---- changes -------------------------------------------------------------------------------- */

struct move {
	struct etl_change_walk *walk;
	bool more;  /* the walk goes on */
	int64_t in; /* windows that are in so far */
};

static void move_free(void *move)
{
	etl_change_free(((struct move *)move)->walk);
}

static void add_results(struct etld_request *request, const struct etl_change_walk *walk)
{
	struct etl_json *list = etl_json_add_array(etld_reply(request), "partitions");
	const struct etl_change_result *r;
	int64_t windows = 0;

	for (size_t i = 0; (r = etl_change_result(walk, i)) != NULL; i++) {
		struct etl_json *item = etl_json_add_object(list, NULL);

		etld_json_partition(item, request->job, r->partition);
		etl_json_add_text(item, "kind", etl_change_kind_word(r->kind));
		etl_json_add_bool(item, "changed", r->changed);
		etld_json_time(item, "from", r->from);
		etld_json_time(item, "to", r->to);
		etl_json_add_int(item, "windows", r->windows);
		windows += r->windows;
	}
	etl_json_add_int(etld_reply(request), "windows", windows);
}

/* It comes back after a second at the latest, for the client wants to see progress and the worker
 * belongs to all. A wait for somebody else's transaction brings it back too: no worker sleeps. */
static void change_work(struct etld_request *request)
{
	struct move *move = request->own;
	const struct etl_clock *clock = request->etld->clock;
	etl_mono began = etl_mono_now(clock);
	const struct etl_change_result *r;
	bool begun = false;
	int rc;

	do
		rc = etl_change_step(move->walk, &request->error);
	while (rc > 0 && !etl_change_wait(move->walk).us &&
		etl_mono_diff(etl_mono_now(clock), began).us < WORK_AT_ONCE.us);
	move->more = rc > 0;
	request->wait = etl_change_wait(move->walk);
	move->in = 0;
	for (size_t i = 0; (r = etl_change_result(move->walk, i)) != NULL; i++) {
		move->in += r->in;
		begun |= r->reached.ms != r->from.ms;
	}
	if (rc == 0)
		add_results(request, move->walk);
	else if (rc < 0 && begun)
		etl_error_prefix(&request->error,
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
			  (r->done &&
				  (r->kind == ETL_CHANGE_ACCEPT || r->kind == ETL_CHANGE_DISCARD));
	}
	if (job)
		etld_deadline_look(etld, job);
	if (job && closed && over)
		etl_sched_moved(etld->sched, &job->sched);
}

/* After every turn, not only the last: each slice is committed, so that status, deadlines and
 * dependants must not lag behind the store by the length of a long change. */
static enum etld_then change_again(struct etld_request *request)
{
	const struct move *move = request->own;
	struct etld_job *job = etld_request_job(request);
	struct etl_json *message;

	etld_change_taken(request->etld, request->job->name, move->walk, !move->more);
	if (move->more) {
		message = etl_json_object();
		etl_json_add_text(message, "job", request->job->name);
		etl_json_add_int(message, "windows", move->in);
		etld_answer_more(request, message);
		return ETLD_THEN_AGAIN;
	}
	if (job) {
		etld_job_changed(request->etld, job);
		etld_picture_look(request->etld, job);
	}
	return ETLD_THEN_ANSWER;
}

static void refuse_time(struct etld_request *request, const struct etl_error *err)
{
	char hint[ETL_JOB_NAME_MAX + 32];

	snprintf(hint, sizeof hint, "etlctl watermark show %s", request->job->name);
	etld_refuse(request, ETL_CTL_INVALID_PARAMETER, hint, "%s", err->message);
}

/* Says why this cannot be done to this job now; true if it can. A dry run asks for no lease, and is
 * allowed while the job runs. The reason is held against the room that it has in the ledger: a
 * reason that was cut would say something else. */
static bool is_possible(struct etld_request *request, const struct etl_change_request *asked)
{
	struct etl_error err = ETL_ERROR_INIT;

	if (request->etld->draining)
		etld_refuse(request, ETL_CTL_NOT_READY, NULL, "etld is stopping");
	else if (strlen(asked->why) >= ETL_REASON_MAX)
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, NULL,
			"the reason has more than %d bytes", ETL_REASON_MAX - 1);
	else if (asked->kind != ETL_CHANGE_UNDO &&
		etl_change_check_time(&request->job->window, asked->kind, asked->time,
			etl_now(request->etld->clock), &err) < 0)
		refuse_time(request, &err);
	else if (etld_running(etld_request_job(request)) && !asked->dry_run)
		etld_refuse_busy(request);
	else
		return true;
	return false;
}

static void change(struct etld_request *request)
{
	struct etl_change_request asked = {.kind = (enum etl_change_kind)request->method->how,
		.partition = request->partition ? request->partition->name : NULL,
		.who = request->who,
		.why = etld_request_reason(request),
		.dry_run = etl_json_bool(request->parameters, "dry_run", false)};
	struct etl_json *reply;
	struct move *move;

	if (request->time)
		asked.time = *request->time;
	if (!is_possible(request, &asked))
		return;
	reply = reply_for(request);
	etl_json_add_text(reply, "kind", etl_change_kind_word(asked.kind));
	etl_json_add_bool(reply, "dry_run", asked.dry_run);
	etl_json_add_text(reply, "reason", asked.why);
	move = etld_request_own(request, sizeof *move);
	move->walk = etl_change_new(request->job, request->etld->run_env, &asked);
	etl_arena_defer(request->arena, move_free, move);
	etld_request_submit(request, change_work, change_again);
}

const struct etld_method etld_method_watermark_show = {"WatermarkShow", "etl.watermark/1",
	ETLD_NEEDS_STORE, .call = show};
const struct etld_method etld_method_watermark_history = {"WatermarkHistory",
	"etl.watermark_history/1", ETLD_NEEDS_STORE, .call = history};
const struct etld_method etld_method_watermark_set = {"WatermarkSet", "etl.watermark_change/1",
	ETLD_NEEDS_STORE | ETLD_NEEDS_JOB, ETL_CHANGE_SET, change};
const struct etld_method etld_method_watermark_rewind = {"WatermarkRewind",
	"etl.watermark_change/1", ETLD_NEEDS_STORE | ETLD_NEEDS_JOB, ETL_CHANGE_REWIND, change};
const struct etld_method etld_method_watermark_undo = {"WatermarkUndo", "etl.watermark_change/1",
	ETLD_NEEDS_STORE | ETLD_NEEDS_JOB, ETL_CHANGE_UNDO, change};
