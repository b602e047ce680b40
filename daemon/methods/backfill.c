/* SPDX-License-Identifier: MIT
 *
 * Backfill: a worker surveys the ledger, and unless it is a dry run a backfill begins; with
 * `wait` it is followed. Backfills lists them.
 *
 * Example: `etlctl backfill airqino --from 2026-01-01 --rate 60/m --wait`. The survey counts the
 * windows of the range by state and says how many are wanted (by default those that are missing)
 * and in how many pieces. Then the backfill is saved, and from that moment it belongs to the
 * daemons: it goes on over restarts, here or on another host, whether anybody waits or not. With
 * --dry-run it ends with the survey.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/uuid.h"
#include "engine/backfill.h"
#include "methods/methods.h"
#include "time/civil.h"

/* ---- a backfill as JSON ---------------------------------------------------------------------- */

/* `waits_for` is known to the daemon that drives it: of a backfill that another etld drives it is
 * empty, and so is the phase of one whose piece runs. */
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
	etl_json_add_int(to, "kept", (int64_t)survey->kept);
	etl_json_add_int(to, "pieces", (int64_t)survey->pieces);
	states = etl_json_add_object(to, "states");
	for (int i = 0; i < ETL_WINDOW_STATE_MAX; i++)
		etl_json_add_int(states, etl_window_state_word((enum etl_window_state)i),
			(int64_t)survey->by_state[i]);
}

/* ---- following ------------------------------------------------------------------------------ */

/* Only the watching ends. Whoever wants to end the backfill says so: etlctl cancel. */
static void follow_gone(struct etld_request *request)
{
	etld_backfill_unwatch(request->etld, request);
	etld_request_end(request);
}

/* The last message is the answer, with a schema and the time, and has what all before it had. */
static void on_progress(void *ctx, const struct etl_backfill *b, bool ended)
{
	struct etld_request *request = ctx;
	struct etl_json *reply = ended ? etld_reply(request) : etl_json_object();

	if (ended)
		etl_json_add_bool(reply, "dry_run", false);
	add_backfill(etl_json_add_object(reply, "backfill"), b, etl_now(request->etld->clock), "");
	if (!ended) {
		etld_answer_more(request, reply);
		return;
	}
	etld_backfill_unwatch(request->etld, request);
	etld_answer(request);
}

/* ---- Backfill ------------------------------------------------------------------------------- */

static bool is_dry(const struct etld_request *request)
{
	return etl_json_bool(request->parameters, "dry_run", false);
}

/* `restate` is a backfill of what is stale. */
static bool is_restate(const struct etld_request *request)
{
	return request->method->how == ETL_REPROCESS_STALE;
}

/* Its audit first: another etld takes it up as soon as it is stored. */
static int save(struct etld_request *request, const struct etl_backfill *b)
{
	struct etl_state *state = request->etld->state;
	bson_t details = BSON_INITIALIZER;
	char id[ETL_UUID_BYTES];
	int rc;

	etl_uuid7(b->created.ms, id);
	BSON_APPEND_UTF8(&details, "job", b->job);
	BSON_APPEND_UTF8(&details, "backfill", b->id);
	BSON_APPEND_DATE_TIME(&details, "from", b->range.start.ms);
	BSON_APPEND_DATE_TIME(&details, "to", b->range.end.ms);
	BSON_APPEND_UTF8(&details, "reprocess", etl_reprocess_word(b->reprocess));
	rc = etl_audit_add(state, id, b->who, is_restate(request) ? "restate" : "backfill", &details,
		&request->error);
	if (rc == 0)
		rc = etl_backfill_save(state, b, &request->error);
	bson_destroy(&details);
	return rc;
}

/* The survey reads and counts; it loads nothing and takes no lease, so that it may differ from what
 * the pieces find later: they ask the ledger again. A backfill with nothing to do is saved as done
 * and not driven: `etlctl backfills --all` has it, and nobody wonders where it went. */
static void survey_work(struct etld_request *request)
{
	struct etl_backfill *b = request->own;
	const struct etl_backfill_of of = {request->etld->state, request->etld->database, request->job, b};
	struct etl_backfill_survey survey = {0};
	struct etl_json *reply = etld_reply(request);

	if (etl_backfill_survey(&of, b->created, &survey, &request->error) < 0)
		return;
	b->windows = survey.wanted;
	if (!survey.wanted && !is_dry(request)) {
		b->state = ETL_BACKFILL_DONE;
		b->ended = b->created;
	}
	etl_json_add_bool(reply, "dry_run", is_dry(request));
	add_backfill(etl_json_add_object(reply, "backfill"), b, b->created, "");
	add_survey(etl_json_add_object(reply, "survey"), &survey);
	if (!is_dry(request))
		save(request, b);
}

/* Before the answer: the backfill begins, whether its client is still there or not. The first
 * message goes out before the watch begins: a piece may end at once, and its progress must not come
 * before the survey. */
static enum etld_then survey_done(struct etld_request *request)
{
	const struct etl_backfill *b = request->own;
	struct etld_backfill *backfill;

	if (is_dry(request) || request->error.kind != ETL_OK || b->state != ETL_BACKFILL_RUNNING)
		return ETLD_THEN_ANSWER;
	backfill = etld_backfill_start(request->etld, b);
	if (!request->client || !request->message.more ||
		!etl_json_bool(request->parameters, "wait", false))
		return ETLD_THEN_ANSWER;
	etld_answer_more(request, ETL_TAKE(request->reply));
	request->gone = follow_gone;
	etld_backfill_watch(backfill, on_progress, request);
	return ETLD_THEN_KEEP;
}

/* "60/m" as windows a second. 1e9 windows are more than any ledger has: beyond it a rate is a
 * mistake and no wish. */
static bool parse_rate(const char *text, double *out)
{
	char *end;
	double n = strtod(text, &end);
	double per = etl_streq(end, "/s") ? 1 :
		     etl_streq(end, "/m") ? 60 :
		     etl_streq(end, "/h") ? 3600 :
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
	const char *which = is_restate(request) ? "stale" :
				etl_json_text(request->parameters, "reprocess", "missing");

	b->newest_first = etl_streq(order, "newest");
	if (!b->newest_first && !etl_streq(order, "oldest"))
		return wrong(request, "oldest or newest", "--order says which end is loaded first");
	if (!etl_reprocess_parse(which, &b->reprocess))
		return wrong(request, "missing, failed, stale or all",
			"--reprocess says which windows are loaded");
	if (rate && !parse_rate(rate, &b->rate))
		return wrong(request, "60/m, 10/s, 500/h",
			"--rate is a number of windows in a time");
	return true;
}

/* Before the job's first window there is nothing to ask the source for, by the owner's own word;
 * the hint says which word. At the other end the range is cut to windows that are final. */
static bool read_range(struct etld_request *request, struct etl_backfill *b)
{
	const struct etl_job *job = request->job;
	etl_wall now = etl_now(request->etld->clock);
	char first[ETL_TIME_TEXT_BYTES];

	b->range = (struct etl_window){job->window.grid.start, now};
	if (job->window.object)
		return wrong(request, "etlctl run JOB --object PATTERN",
			"this job has objects: a run reads those again that it is given by name or pattern");
	if (job->window.none)
		return wrong(request, "etlctl run", "this job has no windows: each run reads all");
	if (!etld_request_range(request, &b->range))
		return false;
	if (b->range.start.ms < job->window.grid.start.ms) {
		etl_time_format_rfc3339(job->window.grid.start, first);
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER,
			"move window.start back in the job's file, then etlctl reload",
			"--from lies before the first window of '%s', which begins at %s", job->name,
			first);
		return false;
	}
	if (!etl_backfill_cut(job, now, &b->range))
		return wrong(request, "wait until window.settle has passed",
			"no window of this range is final yet");
	return true;
}

/* The document has room for names that the store's keys can hold; a longer name would be cut into
 * another. */
static bool read_partition(struct etld_request *request, struct etl_backfill *b)
{
	const char *name = request->partition ? request->partition->name : "";

	if (strlen(name) >= sizeof b->partition)
		return wrong(request, "leave --partition out",
			"the partition's name is too long here");
	etl_text_copy(b->partition, sizeof b->partition, name);
	return true;
}

/* The id is made here and not by the store: the answer has it before anything is stored, and a
 * survey that fails leaves nothing behind. */
static void backfill(struct etld_request *request)
{
	struct etl_backfill *b = etld_request_own(request, sizeof *b);

	*b = (struct etl_backfill){.state = ETL_BACKFILL_RUNNING, .attempt = 1};
	if (!read_options(request, b) || !read_range(request, b) || !read_partition(request, b))
		return;
	b->at = b->newest_first ? b->range.end : b->range.start;
	b->created = b->updated = etl_now(request->etld->clock);
	etl_uuid7(b->created.ms, b->id);
	etl_text_copy(b->job, sizeof b->job, request->job->name);
	etl_text_copy(b->who, sizeof b->who, request->who);
	etld_request_submit(request, survey_work, survey_done);
}

/* ---- Backfills ------------------------------------------------------------------------------ */

/* The loop's part is copied before the worker begins: what a backfill waits for is the loop's to
 * know, and the texts are static. */
struct backfill_list {
	struct etl_json *items;
	etl_wall now;
	/* what each that goes on here waits for, as the loop knows */
	struct phase {
		char id[ETL_UUID_BYTES];
		const char *text;
	} *phases;
	size_t n_phases, cap;
};

static void phases_free(void *list)
{
	free(((struct backfill_list *)list)->phases);
}

static int keep_backfill(void *ctx, const void *thing)
{
	const struct etl_backfill *b = thing;
	const struct backfill_list *list = ctx;
	const char *waits_for = "";

	for (size_t i = 0; i < list->n_phases; i++)
		if (etl_streq(list->phases[i].id, b->id))
			waits_for = list->phases[i].text;
	add_backfill(etl_json_add_object(list->items, NULL), b, list->now, waits_for);
	return 0;
}

static void list_work(struct etld_request *request)
{
	struct backfill_list *list = request->own;
	struct etl_state *state = request->etld->state;

	list->now = etl_now(request->etld->clock);
	list->items = etl_json_add_array(etld_reply(request), "backfills");
	etl_backfill_list(state, request->job ? request->job->name : NULL,
		!etl_json_bool(request->parameters, "all", false),
		(int)etl_json_int(request->parameters, "limit", 20), keep_backfill, list,
		&request->error);
}

static void keep_phase(void *ctx, const struct etld_backfill *backfill)
{
	struct backfill_list *list = ctx;
	struct phase *kept;

	ETL_GROW(list->phases, list->n_phases, list->cap);
	kept = &list->phases[list->n_phases++];
	memcpy(kept->id, etld_backfill_facts(backfill)->id, sizeof kept->id);
	kept->text = etld_backfill_waits_for(backfill, NULL);
}

static void backfills(struct etld_request *request)
{
	struct backfill_list *list = etld_request_own(request, sizeof *list);

	etl_arena_defer(request->arena, phases_free, list);
	etld_backfills_each(request->etld, keep_phase, list);
	etld_request_submit(request, list_work, NULL);
}

const struct etld_method etld_method_backfill = {"Backfill", "etl.backfill/1",
	ETLD_NEEDS_STORE | ETLD_NEEDS_JOB, .call = backfill};
const struct etld_method etld_method_restate = {"Restate", "etl.backfill/1",
	ETLD_NEEDS_STORE | ETLD_NEEDS_JOB, ETL_REPROCESS_STALE, backfill};
const struct etld_method etld_method_backfills = {"Backfills", "etl.backfills/1", ETLD_NEEDS_STORE,
	.call = backfills};
