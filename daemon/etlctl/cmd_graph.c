/* SPDX-License-Identifier: MIT
 *
 * graph: the jobs as a tree, one line each.
 *
 * Example: raw fails, hourly waits for it, daily for hourly.
 *   JOB         STATE      AFTER   REASON
 *   raw         ✖ failing          HTTP 500
 *     hourly    ! blocked  raw     waits for window 2026-07-01T10:00:00Z of raw
 *       daily   ! blocked  hourly  raw is failing
 */
#include "etlctl/print.h"

#define DEPTH_DRAWN_MAX 20 /* deeper ones say their depth instead */

/* Two blanks a step. The depth comes with each node: no tree is built here. */
static void name_cell(struct table *table, const struct etl_json *node)
{
	int depth = (int)etl_json_int(node, "depth", 0);
	const char *name = etl_json_text(node, "name", "?");

	if (depth > DEPTH_DRAWN_MAX)
		table_textf(table, "%*s(%d) %s", 2 * DEPTH_DRAWN_MAX, "", depth, name);
	else
		table_textf(table, "%*s%s", 2 * depth, "", name);
}

/* A job with many upstreams is cut: the names that did not fit are in -o json. */
static void after_cell(struct table *table, const struct etl_json *node)
{
	ETL_BUF_CLEANUP struct etl_buf text;
	const char *comma = "";

	etl_buf_init(&text, 512);
	ETL_JSON_EACH(up, etl_json_get(node, "after")) {
		etl_buf_printf(&text, "%s%s", comma, etl_json_as_text(up, "?"));
		comma = ", ";
	}
	table_textf(table, "%s%s", etl_buf_text(&text), etl_buf_ok(&text) ? "" : " ...");
}

/* The reason of a job that is not well, else what it waits for. */
static void reason_cell(struct table *table, const struct etl_json *node)
{
	const struct etl_json *waits = etl_json_get(node, "waits_for");
	const char *reason = etl_json_text(node, "reason", "");
	const char *job = etl_json_text(waits, "job", NULL);

	if (*reason || !job)
		table_text(table, reason);
	else
		table_textf(table, "waits for window %s of %s",
			etl_json_text(etl_json_get(waits, "window"), "start", "?"), job);
}

static void print_graph(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"JOB", "--GROUP", "STATE", "-AFTER", "REASON", NULL};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(node, etl_json_get(reply, "nodes")) {
		name_cell(table, node);
		table_text(table, etl_json_text(node, "group", ""));
		table_state(table, etl_json_text(node, "health", "?"));
		after_cell(table, node);
		reason_cell(table, node);
	}
	table_print(table, "no jobs are configured");
}

const struct etlctl_command etlctl_command_graph = {"graph", .print = print_graph};
