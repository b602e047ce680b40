/* SPDX-License-Identifier: MIT
 *
 * windows accept: what became of the one unit that an operator has decided about.
 */
#include "base/str.h"
#include "etlctl/print.h"

static void print_decision(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"PARTITION", "START", "--END", "WAS", "NOW", "-WATERMARK",
		"REASON", NULL};
	const struct etl_json *window = etl_json_get(reply, "window");
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	table_text(table, etl_json_text(reply, "partition", "-"));
	table_time(table, etl_json_text(window, "start", NULL));
	table_time(table, etl_json_text(window, "end", NULL));
	table_state(table, etl_json_text(etl_json_get(reply, "was"), "state", "unknown"));
	table_state(table, etl_json_text(reply, "state", "unknown"));
	table_time(table, etl_json_text(reply, "watermark", NULL));
	table_text(table, etl_json_text(reply, "reason", ""));
	table_print(table, NULL);
}

int etlctl_decide(const struct etlctl *ctl)
{
	return etlctl_call_and_print(ctl, print_decision);
}
