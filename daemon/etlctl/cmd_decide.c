/* SPDX-License-Identifier: MIT
 *
 * held list, and what became of the one unit that an operator has decided about: windows accept,
 * held release, held discard.
 */
#include <stdio.h>

#include "base/str.h"
#include "etlctl/print.h"

/* An object's name in the place of a window's ends. */
static void add_unit(struct table *table, const char *object, const struct etl_json *window)
{
	if (object)
		table_text(table, object);
	else
		table_time(table, etl_json_text(window, "start", NULL));
	table_time(table, object ? NULL : etl_json_text(window, "end", NULL));
}

/* WAS and NOW side by side, since a decision is of one unit and cannot be seen in any list
 * afterwards: a closed window is in none. The words below say what has to happen next, if anything
 * has. */
static void print_decision(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {
		"PARTITION", "START", "--END", "WAS", "NOW", "-WATERMARK", "REASON", NULL};
	const struct etl_json *window = etl_json_get(reply, "window");
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	table_text(table, etl_json_text(reply, "partition", "-"));
	add_unit(table, etl_json_text(reply, "object", NULL), window);
	table_state(table, etl_json_text(etl_json_get(reply, "was"), "state", "unknown"));
	table_state(table, etl_json_text(reply, "state", "unknown"));
	table_time(table, etl_json_text(reply, "watermark", NULL));
	table_text(table, etl_json_text(reply, "reason", ""));
	table_print(table, NULL);
	if (etl_streq(etl_json_text(reply, "state", ""), "pending"))
		etlctl_say("the next run loads it if its content is the same: etlctl run %s",
			etl_json_text(reply, "job", "JOB"));
	else if (etl_streq(etl_json_text(reply, "state", ""), "held"))
		etlctl_say("other checks hold it still: etlctl held list %s",
			etl_json_text(reply, "job", "JOB"));
}

/* ---- held ------------------------------------------------------------------------------------ */

/* One cell for all that hold the unit: "range CO (released), freshness", and in the same order
 * their values and limits in the cells beside it. `more` NULL: a column of figures, without names.
 */
static void add_checks(struct table *table, const struct etl_json *checks, const char *key,
	const char *more)
{
	ETL_BUF_CLEANUP struct etl_buf cell;

	etl_buf_init(&cell, 4096);
	ETL_JSON_EACH(check, checks) {
		const char *field = more ? etl_json_text(check, "field", "") : "";

		etl_buf_str(&cell, cell.len ? ", " : "");
		etl_buf_str(&cell, etl_json_text(check, key, ""));
		etl_buf_printf(&cell, "%s%s", *field ? " " : "", field);
		if (more && etl_json_bool(check, "released", false))
			etl_buf_str(&cell, " (released)");
	}
	etl_buf_str(&cell, more ? more : "");
	table_text(table, etl_buf_text(&cell));
}

/* SINCE is when it was held first, RUN the run that held it last. The commands of the first one
 * only: with forty held hours forty pairs of lines would push the table off the screen. */
static void print_held(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"JOB", "PARTITION", "START", "--END", "CHECK", "VALUE",
		"LIMIT", "-SINCE", "--RUN", "---REASON", NULL};
	const char *now = etl_json_text(reply, "generated_at", NULL);
	const struct etl_json *first = etl_json_first(etl_json_get(reply, "held"));
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(unit, etl_json_get(reply, "held")) {
		const struct etl_json *checks = etl_json_get(unit, "checks");
		bool more = etl_json_bool(unit, "more_checks", false);

		table_text(table, etl_json_text(unit, "job", "?"));
		table_text(table, etl_json_text(unit, "partition", "-"));
		add_unit(table, etl_json_text(unit, "object", NULL), unit);
		add_checks(table, checks, "check", more ? " and others" : "");
		add_checks(table, checks, "value", NULL);
		add_checks(table, checks, "limit", NULL);
		table_time_past(table, etl_json_text(unit, "since", NULL), now);
		table_id(table, etl_json_text(unit, "run_id", ""));
		table_text(table, etl_json_text(unit, "reason", ""));
	}
	table_print(table, "no window is held");
	if (etl_json_bool(reply, "truncated", false))
		etlctl_say("there are more: -n says how many are listed");
	if (etl_json_text(first, "release", NULL)) {
		etlctl_say("to let the first one in: %s", etl_json_text(first, "release", ""));
		etlctl_say("to close it without: %s", etl_json_text(first, "discard", ""));
	}
}

const struct etlctl_command etlctl_command_windows_accept = {
	"windows accept", .print = print_decision};
const struct etlctl_command etlctl_command_held_release = {"held release", .print = print_decision};
const struct etlctl_command etlctl_command_held_discard = {"held discard", .print = print_decision};
const struct etlctl_command etlctl_command_held_list = {"held list", .print = print_held};
