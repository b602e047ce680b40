/* SPDX-License-Identifier: MIT
 *
 * run: starts a run and, with --wait, follows it to its end. The run belongs to the daemon:
 * Ctrl-C only ends the waiting.
 *
 * Example of `etlctl run airqino --wait` on a terminal: "run 0197c5d2-..." at once, then one line
 * that is drawn again and again ("extract station=1 240 records, 3 windows"), and at the end the
 * counts. Elsewhere than on a terminal the line in the middle is not printed: a log of a cron job
 * has the beginning and the end.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "etlctl/print.h"

/* Did a check refuse data of one of the partitions? By the code of the failure and not by its
 * words: checks name themselves "check.". */
static bool checks_refused(const struct etl_json *run)
{
	ETL_JSON_EACH(partition, etl_json_get(run, "partitions"))
		if (etl_starts_with(etl_json_text(partition, "error_code", ""), "check."))
			return true;
	return false;
}

/* The exit status says what a script should do: 8 somebody else has the job, 6 the data are not
 * what the checks want, 5 most of it is in and some records were refused, 1 anything else that
 * failed. */
int etlctl_run_status(const struct etl_json *run)
{
	const char *state = etl_json_text(run, "state", "");

	if (etl_streq(state, "fenced"))
		return EXIT_BUSY;
	if (!etl_streq(state, "ok"))
		return checks_refused(run) ? EXIT_CHECKS : EXIT_FAILED;
	if (print_count_of(run, "windows", "held"))
		return EXIT_CHECKS;
	return print_count_of(run, "counts", "rejected") ? EXIT_REJECTED : EXIT_FINE;
}

/* A run that waits for its turn has no step: its state ("queued") stands there. */
static void show_progress(const struct etl_json *progress)
{
	ETL_BUF_CLEANUP struct etl_buf line;

	etl_buf_init(&line, 1024);
	print_clean(etl_json_text(progress, "step", etl_json_text(progress, "state", "")),
		&line);
	etl_buf_char(&line, ' ');
	print_clean(etl_json_text(progress, "partition", ""), &line);
	etl_buf_printf(&line, "  %lld records, %lld windows",
		(long long)etl_json_int(progress, "records", 0),
		(long long)etl_json_int(progress, "windows", 0));
	print_progress(etl_buf_text(&line));
}

static void print_result(const struct etlctl *ctl, const struct etl_json *run)
{
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 64 * 1024);
	print_state(ctl, etl_json_text(run, "state", "unknown"), ctl->color_out, &out);
	etl_buf_str(&out, "  ");
	print_clean(etl_json_text(run, "run_id", ""), &out);
	etl_buf_char(&out, '\n');
	print_counts(run, &out);
	print_line("reason", etl_json_text(run, "reason", ""), &out);
	print_out(&out);
}

/* Hints go to stderr also with -o json, where they are in nobody's way. */
static int finish(const struct etlctl *ctl, const struct etl_json *reply)
{
	const struct etl_json *run = etl_json_get(reply, "run");
	int status = etlctl_run_status(run);

	if (ctl->json)
		print_json(reply);
	else
		print_result(ctl, run);
	if (print_count_of(run, "counts", "rejected"))
		etlctl_say("refused records: etlctl dead list %s",
			etl_json_text(reply, "run_id", "RUN"));
	if (print_count_of(run, "windows", "held"))
		etlctl_say("held windows: etlctl held list %s", etl_json_text(reply, "job", ""));
	if (status != EXIT_FINE)
		etlctl_say("see: etlctl show %s", etl_json_text(reply, "run_id", "RUN"));
	return status;
}

/* The run belongs to the daemon and goes on: an operator who presses Ctrl-C must not believe that
 * he has stopped it. If the daemon was lost it may have gone on, and nobody here can tell. */
static int tell_detached(const struct etlctl *ctl, const struct etl_error *err,
	const char *run_id)
{
	int status;

	print_progress(NULL);
	if (!etl_streq(err->code, "ctl.interrupted")) {
		status = etlctl_tell_error(ctl, err);
		etlctl_say("the run may have gone on: etlctl show %s", run_id);
		return status;
	}
	etlctl_say("no longer waiting; the run goes on: etlctl show %s", run_id);
	return EXIT_INTERRUPTED;
}

/* Once, as soon as there is a run. As soon as it is known, for it is what every other command
 * takes. */
static void tell_run_id(const struct etl_json *progress, char **run_id)
{
	const char *id = etl_json_text(progress, "run_id", NULL);

	if (*run_id || !id)
		return;
	*run_id = etl_strdup(id);
	if (etl_json_bool(progress, "joined", false))
		etlctl_say("the job is running already: waiting for run %s", id);
	else
		etlctl_say("run %s", id);
}

/* Reads replies until the last; `reply` holds the first. No limit: a run may last hours, and a
 * daemon that dies closes the connection. */
static int follow(const struct etlctl *ctl, struct etl_client *client,
	struct etl_ctl_reply *reply)
{
	etl_cleanup(free) char *run_id = NULL;
	struct etl_error err = ETL_ERROR_INIT;

	if (reply->continues && !etl_json_text(reply->parameters, "run_id", NULL))
		etlctl_say("the run waits for its turn");
	while (reply->continues) {
		tell_run_id(reply->parameters, &run_id);
		show_progress(reply->parameters);
		etl_ctl_reply_fini(reply);
		if (etl_client_receive(client, -1, reply, &err) < 0)
			return tell_detached(ctl, &err, run_id ? run_id : "RUN");
	}
	print_progress(NULL);
	if (reply->error != ETL_CTL_OK)
		return etlctl_tell_reply(ctl, reply);
	return finish(ctl, reply->parameters);
}

/* Without --wait the id may be missing: the run is queued and has none before it begins. */
static void print_started(const struct etlctl *ctl, const struct etl_json *reply)
{
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 4096);
	print_state(ctl, etl_json_text(reply, "state", "queued"), ctl->color_out, &out);
	etl_buf_str(&out, "  ");
	print_clean(etl_json_text(reply, "run_id", ""), &out);
	etl_buf_char(&out, '\n');
	print_out(&out);
}

static int run_and_wait(const struct etlctl *ctl)
{
	int signals = etlctl_open_signals(), status = EXIT_FAILED;
	struct etl_ctl_reply reply = {0};
	etl_cleanup(etl_client_close) struct etl_client *client =
		etlctl_open_started(ctl, signals, &status, &reply);

	if (client)
		status = follow(ctl, client, &reply);
	etl_ctl_reply_fini(&reply);
	if (signals >= 0)
		close(signals);
	return status;
}

static int run(const struct etlctl *ctl)
{
	return etl_json_bool(ctl->values, "wait", false) ?
		       run_and_wait(ctl) :
		       etlctl_call_and_print(ctl, print_started);
}

const struct etlctl_command etlctl_command_run = {"run", .run = run};
