/* SPDX-License-Identifier: MIT
 *
 * jobs and next: what is configured, and when it fires.
 *
 * `jobs` tells what is configured and `status` how it is: the first needs no look at any state, and
 * answers "which jobs are there, when, from where to where" in a line each.
 */
#include "base/str.h"
#include "etlctl/print.h"

static void print_jobs(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"JOB", "--GROUP", "-SCHEDULE", "----ZONE", "--SOURCE",
		"-SINK", "--->PARTITIONS", "STATE", "DESCRIPTION", NULL};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(job, etl_json_get(reply, "jobs")) {
		table_text(table, etl_json_text(job, "name", "?"));
		table_text(table, etl_json_text(job, "group", ""));
		table_text(table, etl_json_text(job, "schedule", ""));
		table_text(table, etl_json_text(job, "timezone", ""));
		table_text(table, etl_json_text(job, "source", ""));
		table_text(table, etl_json_text(job, "sink", ""));
		table_int(table, etl_json_int(job, "partitions", 1));
		table_text(table, etl_json_text(job, "left_out", NULL) ? "config" :
			etl_json_bool(job, "paused", false) ? "paused" : "");
		table_text(table, etl_json_text(job, "left_out",
			etl_json_text(job, "description", "")));
	}
	table_print(table, "no jobs are configured");
}

/* The slots of the calendar; a left-out job has a calendar that nobody read, so that no slot is
 * told of it. */
static void print_slots(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"SLOT", NULL}, *const local_titles[] = {"SLOT", "ON THE WALL",
		"ZONE", NULL};
	const char *now = etl_json_text(reply, "generated_at", NULL);
	const char *left_out = etl_json_text(reply, "left_out", NULL);
	const char *zone = etl_json_text(reply, "timezone", "UTC");
	const struct etl_json *local = etl_json_first(etl_json_get(reply, "local"));
	bool elsewhere = !etl_streq(zone, "UTC") && local; /* of an older daemon there are none */
	etl_cleanup(table_free) struct table *table = table_new(ctl, elsewhere ? local_titles : titles);

	if (left_out) { /* nothing is known of its schedule */
		etlctl_say("job '%s' is left out, no slot of it runs: %s",
			etl_json_text(reply, "job", "?"), left_out);
		return;
	}
	ETL_JSON_EACH(slot, etl_json_get(reply, "slots")) {
		table_time_age(table, etl_json_as_text(slot, NULL), now);
		if (!elsewhere)
			continue;
		table_text(table, etl_json_as_text(local, ""));
		table_text(table, zone);
		local = etl_json_next(local);
	}
	table_print(table, "no slot of this job is to come: etlctl why tells when it runs");
}

const struct etlctl_command etlctl_command_jobs = {"jobs", .print = print_jobs};
const struct etlctl_command etlctl_command_next = {"next", .print = print_slots};
