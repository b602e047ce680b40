/* SPDX-License-Identifier: MIT
 *
 * metrics: the text as it is, for Prometheus' own readers.
 */
#include <string.h>

#include "etlctl/print.h"

static void print_metrics(const struct etlctl *ctl, const struct etl_json *reply)
{
	const char *line = etl_json_text(reply, "text", "");
	ETL_BUF_CLEANUP struct etl_buf out;

	(void)ctl;
	etl_buf_init(&out, ETL_CTL_REPLY_MAX);
	for (size_t n; *line; line += n + (line[n] == '\n')) {
		etl_cleanup(free) char *one = etl_memdup0(line, n = strcspn(line, "\n"));

		print_clean(one, &out);
		etl_buf_char(&out, '\n');
	}
	print_out(&out);
}

int etlctl_metrics(const struct etlctl *ctl)
{
	return etlctl_call_and_print(ctl, print_metrics);
}
