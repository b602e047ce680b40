/* SPDX-License-Identifier: MIT
 *
 * why: reasons, the next thing that changes them, and what to do. metrics: the text as it is,
 * for Prometheus' own readers.
 *
 * Example of `etlctl why airqino`:
 *   job airqino  ! late
 *     because     idle until its slot 2026-07-01T13:10:00Z
 *     because     2 windows are due, the oldest: window 2026-07-01T10:00:00Z
 *     next        2026-07-01 13:10Z (in 1h00m): its slot 2026-07-01T13:10:00Z fires
 *     hint        etlctl windows airqino
 */
#include <string.h>

#include "base/str.h"
#include "etlctl/print.h"

/* What was asked about, whole: an id that was cut short, a time somewhere in a window and a
 * partition are shown as what they were taken for. */
static void put_head(const struct etlctl *ctl, const struct etl_json *reply, struct etl_buf *out)
{
	const struct etl_json *window = etl_json_get(reply, "window");
	const char *subject = etl_json_text(reply, "subject", "job");
	const char *partition = etl_json_text(reply, "partition", NULL);

	print_clean(subject, out);
	etl_buf_char(out, ' ');
	if (etl_streq(subject, "run")) {
		print_clean(etl_json_text(reply, "run_id", "?"), out);
		etl_buf_str(out, " of job ");
	}
	print_clean(etl_json_text(reply, "job", "?"), out);
	if (window && etl_json_text(window, "start", NULL)) {
		etl_buf_char(out, ' ');
		print_time(etl_json_text(window, "start", NULL), out);
	}
	if (partition && !etl_streq(partition, "-")) {
		etl_buf_char(out, ' ');
		print_clean(partition, out);
	}
	etl_buf_str(out, "  ");
	print_state(ctl, etl_json_text(reply, "health", etl_json_text(reply, "state", "unknown")),
		ctl->color_out, out);
	etl_buf_char(out, '\n');
}

/* The sentences are the daemon's (lib/tell/why.h): here they are only set in lines. Without a
 * `next` it is said that nothing will change by itself, which is when somebody has to act. */
static void print_why(const struct etlctl *ctl, const struct etl_json *reply)
{
	const struct etl_json *next = etl_json_get(reply, "next");
	const char *at = etl_json_text(next, "at", NULL);
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 256 * 1024);
	put_head(ctl, reply, &out);
	ETL_JSON_EACH(reason, etl_json_get(reply, "because"))
		print_line("because", etl_json_as_text(reason, ""), &out);
	print_key("next", &out);
	if (at) {
		print_time_age(at, etl_json_text(reply, "generated_at", NULL), &out);
		etl_buf_str(&out, ": ");
	}
	print_clean(etl_json_text(next, "what", "nothing changes it by itself"), &out);
	etl_buf_char(&out, '\n');
	ETL_JSON_EACH(hint, etl_json_get(reply, "hints"))
		print_line("hint", etl_json_as_text(hint, ""), &out);
	print_out(&out);
}

/* Line by line, since cleaning a text takes its line ends as well. */
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

const struct etlctl_command etlctl_command_why = {"why", .print = print_why};
const struct etlctl_command etlctl_command_metrics = {"metrics", .print = print_metrics};
