/* SPDX-License-Identifier: MIT
 *
 * WindowsAccept, HeldRelease, HeldDiscard: an operator decides about one unit. A worker walks the
 * change (lib/ops/change.h) and reads the job's open units again; the loop takes both, so that
 * health is right before the answer is.
 *
 * Example: `etlctl windows accept airqino 2026-07-01T10:00Z --reason "sensor was in repair"` of an
 * hour that failed since every record was refused. The entry becomes `skipped` with who and why,
 * the watermark passes it if nothing older is open, jobs that waited for that hour start, and the
 * answer says how the hour was before, so that the operator sees what was decided about.
 */
#include <string.h>

#include "base/str.h"
#include "engine/picture.h"
#include "methods/methods.h"
#include "ops/change.h"
#include "ops/decision.h"
#include "time/civil.h"

struct decision {
	const struct etl_partition *partition;
	const char *text; /* what the operator said, fit to be shown */
	struct etl_change_walk *walk;
	bool more; /* the walk goes on */
	struct etld_picture *picture;
};

static void decision_free(void *ctx)
{
	struct decision *d = ctx;

	etl_change_free(d->walk);
	etld_picture_free(d->picture);
}

static enum etl_change_kind kind_of(const struct etld_request *request)
{
	return (enum etl_change_kind)request->method->how;
}

/* ---- on a worker --------------------------------------------------------------------------- */

/* Accept and discard close a unit without its data. A release closes nothing: it frees the unit for
 * the next run, which commits only if the source still gives what was judged; with other checks
 * left it stays held. */
static enum etl_window_state state_after(const struct etld_request *request)
{
	const struct decision *d = request->own;

	if (etl_window_is_closed(etl_change_unit(d->walk)->state))
		return etl_change_unit(d->walk)->state; /* what it has stays */
	if (kind_of(request) != ETL_CHANGE_RELEASE)
		return ETL_WINDOW_SKIPPED;
	return etl_held_is_free(etl_change_held(d->walk)) ? ETL_WINDOW_PENDING : ETL_WINDOW_HELD;
}

static void add_answer(struct etld_request *request)
{
	const struct decision *d = request->own;
	const struct etl_job *job = request->job;
	const struct etl_ledger_entry *was = etl_change_unit(d->walk);
	const struct etl_change_result *r = etl_change_result(d->walk, 0);
	struct etl_json *reply = etld_reply(request), *item;

	etl_json_add_text(reply, "job", job->name);
	etl_json_add_text(reply, "decision", etl_change_kind_word(kind_of(request)));
	etld_json_partition(reply, job, d->partition->name);
	etl_json_add_text(reply, "object", was->object.name);
	etld_json_window(reply, "window", &was->window);
	etl_json_add_text(reply, "state", etl_window_state_word(state_after(request)));
	item = etl_json_add_object(reply, "was");
	etl_json_add_text(item, "state", etl_window_state_word(was->state));
	etl_json_add_text(item, "reason", was->reason);
	etl_json_add_text(item, "run_id", was->run_id);
	if (kind_of(request) == ETL_CHANGE_RELEASE)
		etld_json_held(reply, "checks", etl_change_held(d->walk));
	etl_json_add_text(reply, "reason", d->text);
	etld_json_time(reply, "watermark", job->window.none ? (etl_wall){0} : r->reached);
	etl_json_add_text(reply, "change_id", etl_change_id(d->walk));
}

/* All steps within one task: one unit takes one look and one slice. It comes back early only to
 * wait for somebody else's transaction (etl_change_wait), which the loop's timer does. The reading
 * of the job's open units belongs to the same task: an answer that says "skipped" while `etlctl
 * status` still counts the unit as failed would make the operator decide a second time. */
static void decide_work(struct etld_request *request)
{
	struct decision *d = request->own;
	struct etl_error ignored = ETL_ERROR_INIT; /* the reading of the next minute has it */
	int rc;

	do
		rc = etl_change_step(d->walk, &request->error);
	while (rc > 0 && !etl_change_wait(d->walk).us);
	d->more = rc > 0;
	request->wait = etl_change_wait(d->walk);
	if (rc != 0)
		return;
	add_answer(request);
	(void)etld_picture_read(d->picture, &ignored);
}

/* ---- back on the loop ---------------------------------------------------------------------- */

/* Everything that the loop knows of the job, in the order in which later steps rely on it: the last
 * run (its refused records may have been taken back), the open units, the mark that readings under
 * way are older than this, and then the watermark and those who wait for it. A job that a reload
 * has taken away meanwhile has nothing to be told. */
static enum etld_then decided(struct etld_request *request)
{
	struct decision *d = request->own;
	struct etld_job *job = etld_request_job(request);
	const struct etl_last_run *last = etl_change_last(d->walk);

	if (d->more)
		return ETLD_THEN_AGAIN;
	if (!job || request->error.kind != ETL_OK)
		return ETLD_THEN_ANSWER;
	if (last && etl_streq(last->run_id, etld_job_last(job)->run_id))
		etld_job_note_last(job, last);
	etld_picture_take(d->picture);
	etld_job_changed(request->etld, job);
	etld_change_taken(request->etld, job->name, d->walk, true);
	return ETLD_THEN_ANSWER;
}

/* ---- the request --------------------------------------------------------------------------- */

/* The partition that is meant; NULL, and refused, if it is not said which. "All partitions" is no
 * decision: each unit was refused for its own records, and each wants a look. */
static const struct etl_partition *find_partition(struct etld_request *request)
{
	const struct etl_job *job = request->job;

	if (request->partition)
		return request->partition;
	if (job->n_partitions == 1)
		return &job->partitions[0];
	etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "--partition PARTITION",
		"job '%s' has %zu partitions, and one window of one of them is meant", job->name,
		job->n_partitions);
	return NULL;
}

/* Its time, the object's name, or "-" for the one unit of a job without windows. False: refused. */
static bool read_window(struct etld_request *request, etl_wall *out, const char **object)
{
	const char *text = etl_json_text(request->parameters, "window", "");
	bool dash = etl_streq(text, "-");

	if (request->job->window.object) {
		*object = text;
		return true;
	}
	if (dash != request->job->window.none)
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER,
			dash ? "2026-07-01T10:00Z" : "- in the place of the window",
			dash ? "job '%s' has windows: a time in one of them is needed" :
			       "job '%s' has no windows: each run reads all", request->job->name);
	else if (!dash && !etld_request_time(request, text, out))
		etld_refuse_time(request, text);
	else
		return true;
	return false;
}

/* NULL: refused. Blanks alone are no reason. The limit leaves room in the entry for who decided,
 * before the text. */
static const char *read_reason(struct etld_request *request)
{
	const char *given = etl_json_text(request->parameters, "reason", "");

	if (!given[strspn(given, " \t\r\n")])
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "--reason TEXT",
			"a reason is needed: those who ask later shall find it");
	else if (strlen(given) > ETL_DECISION_TEXT_MAX)
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, NULL,
			"the reason has more than %d bytes", ETL_DECISION_TEXT_MAX);
	else
		return etld_request_reason(request);
	return NULL;
}

/* The parameters first, then what is in the way: a wrong command is wrong at any time, and `busy`
 * would send the operator away to repeat it. The running job is refused here for its words; the
 * lease, which the walk takes, is what keeps two etlds from deciding about one unit at the same
 * time. */
static void decide(struct etld_request *request)
{
	struct etl_change_request asked = {.kind = kind_of(request), .who = request->who,
		.check = etl_json_text(request->parameters, "check", NULL)};
	struct decision found = {0}, *d;

	if (!(found.partition = find_partition(request)) ||
		!read_window(request, &asked.time, &asked.object) || !(found.text = read_reason(request)))
		return;
	asked.partition = found.partition->name;
	asked.why = found.text;
	if (request->etld->draining) {
		etld_refuse(request, ETL_CTL_NOT_READY, NULL, "etld is stopping");
	} else if (etld_running(etld_request_job(request))) {
		etld_refuse_busy(request);
	} else {
		d = etld_request_own(request, sizeof *d);
		*d = found;
		d->walk = etl_change_new(request->job, request->etld->run_env, &asked);
		d->picture = etld_picture_new(request->etld, etld_request_job(request));
		etl_arena_defer(request->arena, decision_free, d);
		etld_request_submit(request, decide_work, decided);
	}
}

const struct etld_method etld_method_windows_accept = {"WindowsAccept", "etl.decision/1",
	ETLD_NEEDS_STORE | ETLD_NEEDS_JOB, ETL_CHANGE_ACCEPT, decide};
const struct etld_method etld_method_held_release = {"HeldRelease", "etl.decision/1",
	ETLD_NEEDS_STORE | ETLD_NEEDS_JOB, ETL_CHANGE_RELEASE, decide};
const struct etld_method etld_method_held_discard = {"HeldDiscard", "etl.decision/1",
	ETLD_NEEDS_STORE | ETLD_NEEDS_JOB, ETL_CHANGE_DISCARD, decide};
