/* SPDX-License-Identifier: MIT
 *
 * From a message to its method: is there one, are its parameters as the command table has them, may
 * the caller do this; then the audit, and what the parameters mean, each by the type of its row.
 *
 * The order is a rule of its own. Nothing about a job is told to somebody who may not ask, so
 * rights come before parameters are resolved; a request that changes something is in the journal
 * before it has any effect, also if it is refused afterwards; and MongoDB is asked about last,
 * since "there is no such job" is the better answer while it is unreachable. Example: `etlctl pause
 * airqnio` by an operator writes "uid 0 (pid 812): pause {"job":"airqnio"}" and is refused with the
 * name that was meant.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/url.h"
#include "io/journal.h"
#include "methods/methods.h"
#include "methods/request.h"
#include "time/civil.h"

#define SHOWN_MAX 4096 /* bytes of a request's parameters in the journal */

/* ---- the audit ------------------------------------------------------------------------------ */

/* Parameters for the journal. What is said as a reason may hold a URL with its password, which is
 * masked before the text is cut: half a URL hides it. The caller frees it. */
static char *shown_parameters(const struct etl_json *parameters)
{
	ETL_BUF_CLEANUP struct etl_buf all;
	char *text;

	etl_buf_init(&all, ETL_CTL_MESSAGE_MAX);
	if (parameters)
		etl_json_print(parameters, &all);
	text = etl_strdup(etl_buf_text(&all));
	etl_url_mask(text);
	if (strlen(text) > SHOWN_MAX)
		text[etl_utf8_cut(text, SHOWN_MAX)] = '\0';
	return text;
}

/* The journal has the order as it was given, the audit collection (engine/audit.h) what came of it:
 * one that was refused is here alone. Questions are not written down: a dashboard asks every
 * second. */
static void audit(const struct etld_request *request, const struct etl_command *command)
{
	etl_cleanup(free) char *text = NULL;
	struct etld_field fields[2];

	if (command->access != ETL_ACCESS_OPERATE)
		return;
	text = shown_parameters(request->parameters);
	fields[0] = (struct etld_field){"ETL_WHO", request->who, 0};
	fields[1] = (struct etld_field){"ETL_METHOD", request->message.method, 0};
	etld_log(ETLD_NOTICE, NULL, fields, 2, "%s: %s %s", request->who, command->name, text);
}

/* ---- what parameters mean; each function is false if the request was refused ---------------- */

/* A job that is left out has a name, a health and a history, but no flow that could run: its file
 * has an error. Questions about it are answered; what would run or change it is refused with that
 * error. */
static bool is_runnable(struct etld_request *request)
{
	const struct etl_job *job = request->job;
	struct etl_json *details;

	if (!(request->method->needs & ETLD_NEEDS_JOB) || !job->left_out)
		return true;
	details = etl_json_object();
	etl_json_add_text(details, "job", job->name);
	etld_refuse_with(request, ETL_CTL_CONFIG_INVALID, details,
		etl_job_wants_restart(job) ?
			"hand it over in the unit (systemctl edit etld), then "
			"systemctl restart etld" :
			"mend the file, then etlctl reload",
		"job '%s' is left out: %s", job->name, job->left_out);
	return false;
}

/* Where a run's id may stand as well, the job's name wins: a job could be called "abcdef". What
 * cannot be an id ends as a job with a mistake in it, which proposes the nearest name. */
static bool take_job(struct etld_request *request, const char *name, bool or_run)
{
	struct etld_job *job = etld_job_find(request->etld, name);

	if (job) {
		request->job = job->job;
		return is_runnable(request);
	}
	if (or_run && etld_may_be_id(name)) {
		request->id = name;
		return true;
	}
	etld_refuse_job(request, name);
	return false;
}

/* By its name or as it is shown: "283164601" or "station=283164601". Not found is not a usage
 * error: the window that is asked about does not exist (exit 4). */
bool etld_request_partition(struct etld_request *request, const char *name)
{
	char hint[ETL_JOB_NAME_MAX + 32];

	request->partition = etl_partition_find(request->job, name);
	if (request->partition)
		return true;
	snprintf(hint, sizeof hint, "etlctl watermark show %s", request->job->name);
	etld_refuse(request, ETL_CTL_NO_SUCH_WINDOW, hint, "job '%s' has no partition '%s'",
		request->job->name, name);
	return false;
}

static bool take_group(struct etld_request *request, const char *name)
{
	request->group = name;
	if (etld_group_is_there(request->generation, name))
		return true;
	etld_refuse_group(request, name);
	return false;
}

/* from, to and time are the only three times that methods know; a window (`why`, `dead list`) is
 * asked for by a time that lies in it. */
static bool take_time(struct etld_request *request, const char *wire, const char *text)
{
	etl_wall *t = etl_arena_zalloc(request->arena, sizeof *t);

	if (!etld_request_time(request, text, t)) {
		etld_refuse_time(request, text);
		return false;
	}
	if (etl_streq(wire, "from"))
		request->from = t;
	else if (etl_streq(wire, "to"))
		request->to = t;
	else
		request->time = t;
	return true;
}

/* A partition without a job, and what the table leaves as text, is for the method to judge. */
static bool take(struct etld_request *request, const struct etl_command_arg *arg)
{
	const char *text = etl_json_text(request->parameters, arg->wire, NULL);

	if (!text)
		return true;
	switch (arg->type) {
	case ETL_ARG_JOB:
	case ETL_ARG_JOB_OR_RUN:
		return take_job(request, text, arg->type == ETL_ARG_JOB_OR_RUN);
	case ETL_ARG_PARTITION:
		return !request->job || etld_request_partition(request, text);
	case ETL_ARG_GROUP:
		return take_group(request, text);
	case ETL_ARG_TIME:
		return take_time(request, arg->wire, text);
	case ETL_ARG_TEXT:
	case ETL_ARG_INT:
	case ETL_ARG_FLAG:
		break;
	}
	return true;
}

/* ---- the way -------------------------------------------------------------------------------- */

/* Known, well formed, permitted? The command, or NULL: it is refused. The table is judged before
 * the rights: "there is no method" tells nothing about this daemon, and a client of a newer version
 * learns which method is missing here rather than that it may not call it. */
static const struct etl_command *judge(struct etld_request *request)
{
	const struct etl_command *command = etl_command_by_method(request->message.method);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_json *details;
	const char *wrong = "";

	request->method = command ? etld_method_find(command->method) : NULL;
	if (!request->method) {
		etld_refuse(request, ETL_CTL_METHOD_NOT_FOUND, NULL, "there is no method %s",
			request->message.method);
	} else if (etl_command_check(command, request->parameters, &wrong, &err) < 0) {
		details = etl_json_object();
		etl_json_add_text(details, "parameter", wrong);
		etld_refuse_with(request, ETL_CTL_INVALID_PARAMETER, details, NULL, "%s",
			err.message);
	} else if (command->access == ETL_ACCESS_OPERATE && request->rank < ETLD_RANK_OPERATOR) {
		etld_refuse(request, ETL_CTL_NOT_PERMITTED,
			"ask root or a member of control.admin_group",
			"%s may query this daemon, but not control it", request->who);
	} else {
		return command;
	}
	return NULL;
}

/* The loop is kept aside, for the request may be gone when its method returns. The name of the
 * command goes into the record of the turn, so that the longest turn is named after what filled it
 * (`etlctl status -o json`: long_turns.at). */
void etld_dispatch(struct etld_request *request)
{
	struct etld_loop *loop = request->etld->loop;
	const struct etl_command *command = judge(request);

	if (!command)
		return;
	audit(request, command);
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++)
		if (!take(request, arg))
			return;
	if ((request->method->needs & ETLD_NEEDS_STORE) && !etld_request_ready(request))
		return;
	request->method->call(request);
	etld_loop_did(loop, command->name);
}
