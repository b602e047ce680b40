/* SPDX-License-Identifier: MIT
 *
 * Prints option tables. Ranges are written in the notation in which values are written.
 *
 * One row a line, parted by tabs: name, type, default, range, help.
 *   extract.http.timeout	duration	60s	1s to 1h	for the whole answer
 * The lint compares them with etld.yaml(5), so that no option is without its words in
 * the manual.
 */
#include "conf/schema.h"

#include <stdio.h>

#include "conf/convert.h"

/* Short words for a column of a table; convert.c has the long ones for sentences. */
static const char *const type_names[] = {
	[ETL_OPT_STRING] = "text",
	[ETL_OPT_BOOL] = "boolean",
	[ETL_OPT_INT] = "integer",
	[ETL_OPT_DOUBLE] = "number",
	[ETL_OPT_DURATION] = "duration",
	[ETL_OPT_STEP] = "step",
	[ETL_OPT_SIZE] = "size",
	[ETL_OPT_RATE] = "rate",
	[ETL_OPT_TIME] = "time",
	[ETL_OPT_WORD] = "word",
	[ETL_OPT_STRINGS] = "list",
	[ETL_OPT_PAIRS] = "mapping",
	[ETL_OPT_SECRET] = "secret",
	[ETL_OPT_NODE] = "value",
	[ETL_OPT_TABLE] = "mapping",
};

static void put_range(const struct etl_option *row, struct etl_buf *out)
{
	char low[32], high[32];

	if (row->type == ETL_OPT_WORD) {
		for (size_t i = 0; row->words[i]; i++)
			etl_buf_printf(out, "%s%s", i ? " | " : "", row->words[i]);
		return;
	}
	if (row->min == 0 && row->max == 0) {
		etl_buf_char(out, '-');
		return;
	}
	etl_option_limit_text(row->type, row->min, low);
	if (row->max == 0)
		etl_buf_printf(out, "%s or more", low);
	else
		etl_buf_printf(out, "%s to %s", low,
			etl_option_limit_text(row->type, row->max, high));
}

void etl_options_describe(const struct etl_option *table, const char *context,
	struct etl_buf *out)
{
	for (const struct etl_option *row = table; row->name; row++) {
		const char *fallback = row->required ? "required" :
				       row->fallback ? row->fallback :
						       "-";
		char name[256];

		snprintf(name, sizeof name, "%s%s%s", context,
			*context && *row->name ? "." : "", row->name);
		etl_buf_printf(out, "%s\t%s\t%s\t", name, type_names[row->type], fallback);
		put_range(row, out);
		etl_buf_printf(out, "\t%s\n", row->help ? row->help : "");
		/* The rows of a table inside follow it, with its name in front, as the
		 * manual lists them. */
		if (row->type == ETL_OPT_TABLE)
			etl_options_describe(row->sub, name, out);
	}
}
