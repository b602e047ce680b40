/* SPDX-License-Identifier: MIT
 *
 * pause, resume, reload, version: short questions with short answers.
 *
 * What they print is the effect and not the order: "airqino was paused already" for a second pause,
 * so that nobody takes the first reason for the second one's.
 */
#include <stdio.h>

#include "etlctl/print.h"

/* pause and resume answer the same way. One line for each job of a group: who pauses a group wants
 * to see which jobs that were. */
static void print_pause(const struct etlctl *ctl, const struct etl_json *reply)
{
	bool paused = etl_json_bool(reply, "paused", false);
	ETL_BUF_CLEANUP struct etl_buf out;

	(void)ctl;
	etl_buf_init(&out, ETL_CTL_MESSAGE_MAX);
	ETL_JSON_EACH(job, etl_json_get(reply, "jobs")) {
		bool changed = etl_json_bool(job, "changed", true);

		print_clean(etl_json_text(job, "job", "?"), &out);
		etl_buf_str(&out, paused ? (changed ? " is paused\n" : " was paused already\n") :
					   (changed ? " goes on\n" : " was not paused\n"));
	}
	print_out(&out);
}

/* Warnings before the line that says it is done, for the last line is what stays in view. */
static void print_reload(const struct etlctl *ctl, const struct etl_json *reply)
{
	(void)ctl;
	ETL_JSON_EACH(warning, etl_json_get(reply, "warnings"))
		etlctl_say("warning: %s", etl_json_as_text(warning, ""));
	if (etl_json_bool(reply, "waited", false))
		etlctl_say("another reload was going, this one followed it");
	printf("generation %lld is active, %lld jobs\n",
		(long long)etl_json_int(reply, "generation", 0),
		(long long)etl_json_int(reply, "jobs", 0));
}

static void print_host(const struct etlctl *ctl, const struct etl_json *reply)
{
	ETL_BUF_CLEANUP struct etl_buf out;

	(void)ctl;
	etl_buf_init(&out, 4096);
	print_clean(etl_json_text(reply, "host", "?"), &out);
	etl_buf_str(&out, " is asked again\n");
	print_out(&out);
}

static void print_versions(const struct etl_json *daemon)
{
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 4096);
	etl_buf_str(&out, "etlctl " ETL_VERSION "\n");
	if (daemon) {
		etl_buf_str(&out, "etld ");
		print_clean(etl_json_text(daemon, "version", "?"), &out);
		etl_buf_printf(&out, " (pid %lld)\n",
			(long long)etl_json_int(daemon, "pid", 0));
	}
	print_out(&out);
}

/* Both versions in one document: a client and a daemon of different versions are the first thing
 * that a report of a fault should show. */
static void print_versions_json(const struct etl_json *daemon)
{
	etl_cleanup(etl_json_free) struct etl_json *both = etl_json_object();

	etl_json_add_text(both, "schema", "etl.version/1");
	etl_json_add_text(both, "generated_at", etl_json_text(daemon, "generated_at", NULL));
	etl_json_add_text(both, "etlctl", ETL_VERSION);
	if (daemon)
		etl_json_add_item(both, "daemon", etl_json_copy(daemon));
	else
		etl_json_add_null(both, "daemon");
	print_json(both);
}

/* Its own version is told even when nobody answers. The status is that of the daemon's answer, 3 if
 * there is none, although half of the question was answered. */
static int version(const struct etlctl *ctl)
{
	struct etl_ctl_reply reply = {0};
	int status = etlctl_call(ctl, &reply);

	if (ctl->json)
		print_versions_json(reply.parameters);
	else
		print_versions(reply.parameters);
	etl_ctl_reply_fini(&reply);
	return status;
}

const struct etlctl_command etlctl_command_pause = {"pause", .print = print_pause};
const struct etlctl_command etlctl_command_resume = {"resume", .print = print_pause};
const struct etlctl_command etlctl_command_host_release = {"host release", .print = print_host};
const struct etlctl_command etlctl_command_reload = {"reload", .print = print_reload};
const struct etlctl_command etlctl_command_version = {"version", .run = version};
