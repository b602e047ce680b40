/* SPDX-License-Identifier: MIT
 *
 * Reload: asks for a loading of the configuration on disk and answers when it has ended. Loop
 * thread.
 *
 * Example: a job's load goes to another collection since the last reload. The answer says
 * "generation 7 is active, 12 jobs", each warning of the loader, and for this job "19 windows are
 * in 'x', none in 'y'; this loads them again: etlctl backfill ...". That last part needs the
 * ledger, so a worker reads it first; with MongoDB unreachable the answer comes without it, and the
 * next reload tells.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/elsewhere.h"
#include "engine/picture.h"
#include "methods/methods.h"
#include "methods/reloading.h"

static void add_warnings(struct etl_json *list, const char *report)
{
	char *lines = etl_strdup(report);

	for (char *line = lines, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		etl_json_add_text(list, NULL, line);
	}
	free(lines);
}

/* A request that waits for its loading; and then, with the new configuration in force, for a look
 * at where the windows are of jobs that load somewhere else now. */
struct asked {
	struct etld_reload_wait *wait;
	bool behind; /* of another loading */
	struct etld_picture *picture;
	int64_t generation; /* that the answer is about */
	struct etl_json *warnings; /* of the reply */
};

static void asked_free(void *asked)
{
	etld_picture_free(((struct asked *)asked)->picture);
}

static void look_work(struct etld_request *request)
{
	(void)etld_picture_read(((struct asked *)request->own)->picture, &request->error);
}

/* Who shares a reload is told the same: a job stays "to be told" for all answers of the generation
 * that told of it first. */
static bool is_to_tell(const struct etld_job *job, int64_t generation)
{
	return job->retargeted == ETLD_UNTOLD || job->retargeted == generation;
}

/* On the loop, before the answer. What could not be read, or is of a configuration that another
 * reload has replaced meanwhile, changes nothing: the configuration was in force, and the next
 * answer tells. The error is cleared: that a look at the ledger failed must not read as if the
 * reload had. */
static enum etld_then looked(struct etld_request *request)
{
	struct asked *asked = request->own;
	struct etld *etld = request->etld;
	bool good = request->error.kind == ETL_OK && asked->generation == etld->generation->number;
	struct etl_buf line ETL_BUF_CLEANUP;

	etl_error_clear(&request->error);
	etl_buf_init(&line, 4096);
	etld_picture_take(asked->picture);
	for (struct etld_job *job = etld->jobs; good && job; job = job->hh.next) {
		if (!is_to_tell(job, asked->generation))
			continue;
		etl_buf_clear(&line);
		if (etld_elsewhere_line(etld, job, &line))
			etl_json_add_text(asked->warnings, NULL, etl_buf_text(&line));
		job->retargeted = asked->generation;
	}
	return ETLD_THEN_ANSWER;
}

static bool any_retargeted(const struct etld *etld)
{
	for (const struct etld_job *job = etld->jobs; job; job = job->hh.next)
		if (is_to_tell(job, etld->generation->number))
			return true;
	return false;
}

/* Warnings are text, a line each, as `etlctl config check` prints them: the loader's words, not
 * ours. */
static void tell_taken(struct etld_request *request, const char *report)
{
	struct asked *asked = request->own;
	struct etld *etld = request->etld;
	struct etl_json *reply = etld_reply(request);

	asked->generation = etld->generation->number;
	etl_json_add_int(reply, "generation", asked->generation);
	etl_json_add_int(reply, "jobs", (int64_t)etld->generation->n_jobs);
	etl_json_add_bool(reply, "waited", asked->behind);
	asked->warnings = etl_json_add_array(reply, "warnings");
	add_warnings(asked->warnings, report);
	if (!etld->mongodb_up || !any_retargeted(etld)) {
		etld_answer(request);
		return;
	}
	asked->picture = etld_picture_of_targets(etld);
	etl_arena_defer(request->arena, asked_free, asked);
	etld_request_submit(request, look_work, looked);
}

static void tell_refused(struct etld_request *request, const char *errors)
{
	struct etl_json *details = etl_json_object();

	etl_json_add_text(details, "diagnostics", errors);
	etld_refuse_with(request, ETL_CTL_CONFIG_INVALID, details, "etlctl config check",
		"the configuration on disk has errors; the old one goes on");
}

/* Nobody can forget it any more: it has been told. */
static void on_reloaded(void *ctx, enum etld_reloaded how, const char *report)
{
	struct etld_request *request = ctx;

	request->gone = NULL;
	if (how == ETLD_RELOAD_TAKEN)
		tell_taken(request, report);
	else if (how == ETLD_RELOAD_REFUSED)
		tell_refused(request, report);
	else
		etld_refuse_not_ready(request, "etld is stopping", false);
}

static void forget(struct etld_request *request)
{
	request->etld->reload->forget(((struct asked *)request->own)->wait);
	etld_request_end(request);
}

/* A request joins a loading that has not begun reading yet, or waits for the one behind it: files
 * that were changed after the reading began are in what this answer is about (reload.c). */
static void reload(struct etld_request *request)
{
	struct asked *asked = etld_request_own(request, sizeof *asked);

	request->gone = forget;
	asked->wait =
		request->etld->reload->wait(request->etld, on_reloaded, request, &asked->behind);
	if (!asked->wait)
		on_reloaded(request, ETLD_RELOAD_STOPPING, "");
}

const struct etld_method etld_method_reload = {"Reload", "etl.reload/1", .call = reload};
