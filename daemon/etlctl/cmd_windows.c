/* SPDX-License-Identifier: MIT
 *
 * windows: what is in, what is not.
 */
#include <stdio.h>

#include "etlctl/print.h"

static void add_state(struct table *table, const struct etl_json *window)
{
	table_state(table, etl_json_text(window, "state", "unknown"));
	table_text(table, etl_json_bool(window, "dirty", false) ? "dirty" : "");
}

static void print_list(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"PARTITION", "START", "--END", "STATE", "MARK",
		"-->ATTEMPT", "->IN", "->OUT", ">REJECTED", ">OUTSIDE", "---UPDATED", "REASON", NULL};
	const char *now = etl_json_text(reply, "generated_at", NULL);
	bool asked = etl_json_get(ctl->values, "state") || etl_json_get(ctl->values, "all");
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(window, etl_json_get(reply, "windows")) {
		const struct etl_json *counts = etl_json_get(window, "counts");

		table_text(table, etl_json_text(window, "partition", "-"));
		table_time(table, etl_json_text(window, "start", NULL));
		table_time(table, etl_json_text(window, "end", NULL));
		add_state(table, window);
		table_int(table, etl_json_int(window, "attempt", 0));
		table_int(table, etl_json_int(counts, "in", 0));
		table_int(table, etl_json_int(counts, "out", 0));
		table_int(table, etl_json_int(counts, "rejected", 0));
		table_int(table, etl_json_int(counts, "outside", 0));
		table_time_past(table, etl_json_text(window, "updated", NULL), now);
		table_text(table, etl_json_text(window, "reason", ""));
	}
	/* Whoever asked for a state or for all of them was not told about the rest. */
	table_print(table, asked ? "no such windows" :
				   "no window wants attention; "
				   "--all lists the closed ones too");
	if (etl_json_bool(reply, "truncated", false))
		etlctl_say("there are more windows: "
			   "--partition, --from and --to ask for a part");
}

static void print_summary(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"PARTITION", "WATERMARK", "->LOADED", "-->EMPTY",
		">FAILED", ">HELD", ">OPEN", "->DIRTY", ">MISSING", NULL};
	static const char *const counts[] = {"loaded", "empty", "failed", "held", "open", "dirty",
		"missing"};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(row, etl_json_get(reply, "summary")) {
		table_text(table, etl_json_text(row, "partition", "-"));
		table_time(table, etl_json_text(row, "watermark", NULL));
		for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
			table_int(table, etl_json_int(row, counts[i], 0));
	}
	table_print(table, NULL);
}

static void print_windows(const struct etlctl *ctl, const struct etl_json *reply)
{
	print_summary(ctl, reply);
	if (etl_json_size(etl_json_get(reply, "windows")))
		putchar('\n');
	print_list(ctl, reply);
}

int etlctl_windows(const struct etlctl *ctl)
{
	return etlctl_call_and_print(ctl, print_windows);
}
