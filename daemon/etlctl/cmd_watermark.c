/* SPDX-License-Identifier: MIT
 *
 * watermark show, set, rewind, undo, history: how far without a gap, and who moved that. A
 * change belongs to the daemon: Ctrl-C only ends the waiting.
 *
 * Examples:
 *   $ etlctl watermark show airqino
 *   PARTITION  WATERMARK            LAG  FIRST WINDOW       WINDOW  RUN           FENCE
 *   station=1  2026-07-01 10:00Z  2h10m  2023-01-01 00:00Z   1h00m  4f1c2a9b3d5e     17
 * |
 *   $ etlctl watermark set airqino 2026-07-01T10:00Z --reason "the sensor was replaced"
 *   PARTITION  FROM               TO                 WINDOWS  NOW
 *   station=1  2026-07-01 03:00Z  2026-07-01 10:00Z        7  skipped
 */
#include <stdio.h>

#include "base/str.h"
#include "etlctl/print.h"

/* FENCE is the number of the lease under which the watermark was moved last: of two processes that
 * claim to have written it the one with the greater number is right (docs: adr 0010). */
static void print_watermarks(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"PARTITION", "WATERMARK", ">LAG", "--FIRST WINDOW",
		"--->WINDOW", "-UPDATED", "--RUN", "--->FENCE", NULL};
	const char *now = etl_json_text(reply, "generated_at", NULL);
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(mark, etl_json_get(reply, "watermarks")) {
		table_text(table, etl_json_text(mark, "partition", "-"));
		table_time(table, etl_json_text(mark, "watermark", NULL));
		table_duration(table, etl_json_double(mark, "lag_s", -1));
		table_time(table, etl_json_text(mark, "origin", NULL));
		if (etl_json_get(mark, "grid"))
			table_text(table, etl_json_text(mark, "grid", ""));
		else
			table_duration(table, etl_json_double(mark, "window_s", -1));
		table_time_past(table, etl_json_text(mark, "updated", NULL), now);
		table_id(table, etl_json_text(mark, "run_id", ""));
		table_int(table, etl_json_int(mark, "fence", 0));
	}
	table_print(table, "this job has no watermark yet");
}

/* ---- changes ----------------------------------------------------------------------------- */

/* What the windows are now. A `set` skips what it passes, a `rewind` opens what it goes back over,
 * an `undo` puts the entries back that were there. A partition that was beyond the time already is
 * left alone. */
static const char *outcome(const struct etl_json *partition, const char *kind, bool undo)
{
	if (!etl_json_bool(partition, "changed", false))
		return "left alone";
	if (undo)
		return "as before";
	return etl_streq(kind, "set") ? "skipped" : "pending";
}

/* A rewind changes no data: the words say that the next run does. */
static void print_change(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"PARTITION", "FROM", "TO", ">WINDOWS", "NOW", NULL};
	const char *kind = etl_json_text(reply, "kind", "");
	bool undo = etl_streq(kind, "undo"), changed = false;
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(partition, etl_json_get(reply, "partitions")) {
		changed |= etl_json_bool(partition, "changed", false);
		table_text(table, etl_json_text(partition, "partition", "-"));
		table_time(table, etl_json_text(partition, "from", NULL));
		table_time(table, etl_json_text(partition, "to", NULL));
		table_int(table, etl_json_int(partition, "windows", 0));
		table_text(table, outcome(partition, kind, undo));
	}
	table_print(table, "no partitions");
	if (etl_json_bool(reply, "dry_run", false))
		etlctl_say("nothing was changed: --dry-run");
	else if (changed && etl_streq(kind, "rewind"))
		etlctl_say("the next run reads these windows again: etlctl run %s",
			etl_json_text(reply, "job", "JOB"));
}

static void show_progress(const struct etl_json *progress)
{
	char text[64];

	snprintf(text, sizeof text, "%lld windows",
		(long long)etl_json_int(progress, "windows", 0));
	print_progress(text);
}

/* Reads replies until the last; `reply` holds the first. No signals are taken over: a change is
 * walked by the daemon whether its client stays or not, and after Ctrl-C `history` tells whether it
 * came to its end. */
static int follow(const struct etlctl *ctl, struct etl_client *client,
	struct etl_ctl_reply *reply)
{
	struct etl_error err = ETL_ERROR_INIT;

	while (reply->continues) {
		show_progress(reply->parameters);
		etl_ctl_reply_fini(reply);
		if (etl_client_receive(client, -1, reply, &err) < 0) {
			int status = etlctl_tell_error(ctl, &err);

			etlctl_say(
				"the change may be in, or a part of it: etlctl watermark history");
			return status;
		}
	}
	print_progress(NULL);
	if (reply->error != ETL_CTL_OK)
		return etlctl_tell_reply(ctl, reply);
	if (ctl->json)
		print_json(reply->parameters);
	else
		print_change(ctl, reply->parameters);
	return EXIT_FINE;
}

static int change(const struct etlctl *ctl)
{
	struct etl_ctl_reply reply = {0};
	int status = EXIT_FAILED;
	etl_cleanup(etl_client_close) struct etl_client *client = etlctl_open(ctl, true, &status);

	if (client)
		status = etlctl_first_reply(ctl, client, &reply);
	if (client && !status)
		status = follow(ctl, client, &reply);
	etl_ctl_reply_fini(&reply);
	return status;
}

/* ---- history ----------------------------------------------------------------------------- */

/* Newest first; what one command did to several partitions is a row for each of them. */
static void print_history(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"WHEN", "WHAT", "-STATE", "PARTITION", "FROM", "TO",
		"-->WINDOWS", "-WINDOW", "--WHO", "REASON", NULL};
	const char *now = etl_json_text(reply, "generated_at", NULL);
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(row, etl_json_get(reply, "changes")) {
		table_time_past(table, etl_json_text(row, "at", NULL), now);
		table_text(table, etl_json_text(row, "kind", ""));
		table_text(table, etl_json_text(row, "state", ""));
		table_text(table, etl_json_text(row, "partition", "-"));
		table_time(table, etl_json_text(row, "from", NULL));
		table_time(table, etl_json_text(row, "to", NULL));
		table_int(table, etl_json_int(row, "windows", 0));
		table_time(table, etl_json_text(etl_json_get(row, "window"), "start", NULL));
		table_text(table, etl_json_text(row, "who", ""));
		table_text(table, etl_json_text(row, "reason", ""));
	}
	table_print(table, "nobody moved a watermark of this job");
}

const struct etlctl_command etlctl_command_watermark_show = {
	"watermark show", .print = print_watermarks};
const struct etlctl_command etlctl_command_watermark_history = {
	"watermark history", .print = print_history};
const struct etlctl_command etlctl_command_watermark_set = {"watermark set", .run = change};
const struct etlctl_command etlctl_command_watermark_rewind = {"watermark rewind", .run = change};
const struct etlctl_command etlctl_command_watermark_undo = {"watermark undo", .run = change};
