/* SPDX-License-Identifier: MIT
 *
 * runs and show: what happened, in a line each or at length.
 *
 * Examples. `runs` has a line a run:
 *   RUN           JOB      STATE     TOOK  WINDOWS  IN  WRITTEN  REJECTED  REASON
 *   4f1c2a9b3d5e  airqino  ✔ ok      5.2s        3  24       23         0  2 warnings
 *   4f1c2a9b3e01  daily    ✖ failed  0.3s        0   0        0         0  HTTP 401: no such key
 * `show` tells one at length: why it ran, for what, what each step took, what became of each
 * partition, what operators have decided since, and the journal's command for the rest.
 */
#include <stdio.h>

#include "base/str.h"
#include "etlctl/print.h"

/* Seconds of a run; -1 while it lasts. By the run's own clock, not ended - started: the wall clock
 * may have been set under it. */
static double duration_of(const struct etl_json *run)
{
	double ms = etl_json_double(run, "duration_ms", -1);

	return ms < 0 ? -1 : ms / 1000;
}

/* Why it failed, or what there is to tell of one that did not: "49 warnings". A run that is ok may
 * still have something that somebody should see, in the column where people look. */
static void add_run_reason(struct table *table, const struct etl_json *run)
{
	const char *reason = etl_json_text(run, "reason", "");
	ETL_BUF_CLEANUP struct etl_buf notes;

	etl_buf_init(&notes, 4096);
	if (!*reason)
		print_notes(run, &notes);
	table_text(table, *reason ? reason : etl_buf_text(&notes));
}

/* Where the refused records of the newest run that has some are. */
static void say_rejects(const struct etl_json *reply)
{
	ETL_JSON_EACH(run, etl_json_get(reply, "runs")) {
		if (!print_count_of(run, "counts", "rejected"))
			continue;
		etlctl_say("refused records: etlctl dead list %s",
			etl_json_text(run, "run_id", ""));
		return;
	}
}

/* WRITTEN is what changed in the target; rows that it had already are not counted, as they tell
 * nothing new about a run that reads the last hours again each time. */
static void print_runs(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"RUN", "JOB", "STATE", "---TRIGGER", "-STARTED",
		"-->TOOK", "-->WINDOWS", "->IN", "->WRITTEN", ">REJECTED", "REASON", NULL};
	const char *now = etl_json_text(reply, "generated_at", NULL);
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(run, etl_json_get(reply, "runs")) {
		table_id(table, etl_json_text(run, "run_id", "?"));
		table_text(table, etl_json_text(run, "job", "?"));
		table_state(table, etl_json_text(run, "state", "unknown"));
		table_text(table, etl_json_text(run, "trigger", ""));
		table_time_past(table, etl_json_text(run, "started", NULL), now);
		table_duration(table, duration_of(run));
		table_int(table, print_count_of(run, "windows", "loaded") +
					 print_count_of(run, "windows", "empty"));
		table_int(table, print_count_of(run, "counts", "in"));
		table_int(table, print_count_of(run, "counts", "inserted") +
					 print_count_of(run, "counts", "updated"));
		table_int(table, print_count_of(run, "counts", "rejected"));
		add_run_reason(table, run);
	}
	table_print(table, "no runs");
	say_rejects(reply);
}

/* ---- show ------------------------------------------------------------------------------- */

/* The slot is the instant that the schedule names, which jitter and a queue may put minutes before
 * the start. "asked for" is there for a range that somebody ordered. */
static void put_times(const struct etl_json *run, const char *now, struct etl_buf *out)
{
	if (etl_json_text(run, "slot", NULL)) {
		print_key("slot", out);
		print_time(etl_json_text(run, "slot", NULL), out);
		etl_buf_char(out, '\n');
	}
	print_window("asked for", etl_json_get(run, "window"), out);
	print_key("started", out);
	print_time_past(etl_json_text(run, "started", NULL), now, out);
	if (duration_of(run) >= 0) {
		etl_buf_str(out, ", took ");
		print_duration(duration_of(run), out);
	}
	etl_buf_char(out, '\n');
}

/* The fence is told beside the generation: with both a run can be placed among those of several
 * etlds. */
static void print_words(const struct etlctl *ctl, const struct etl_json *run, const char *now)
{
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 64 * 1024);
	etl_buf_str(&out, "run ");
	print_clean(etl_json_text(run, "run_id", "?"), &out);
	etl_buf_str(&out, "  ");
	print_state(ctl, etl_json_text(run, "state", "unknown"), ctl->color_out, &out);
	etl_buf_char(&out, '\n');
	print_line("job", etl_json_text(run, "job", "?"), &out);
	print_line("reason", etl_json_text(run, "reason", ""), &out);
	print_line("trigger", etl_json_text(run, "trigger", ""), &out);
	print_line("target", etl_json_text(run, "target", ""), &out);
	print_line("host", etl_json_text(run, "host", ""), &out);
	print_key("config", &out);
	etl_buf_printf(&out, "generation %lld, fence %lld\n",
		(long long)etl_json_int(run, "generation", 0),
		(long long)etl_json_int(run, "fence", 0));
	put_times(run, now, &out);
	print_counts(run, &out);
	print_out(&out);
}

/* What a step took is summed over partitions that overlap, so that the sum of a column may be
 * longer than the run: it shows which step costs, not when it was. */
static void print_steps(const struct etlctl *ctl, const struct etl_json *run)
{
	static const char *const titles[] = {"STEP", ">VISITS", ">TOOK", NULL};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(step, etl_json_get(run, "steps")) {
		table_text(table, etl_json_text(step, "name", "?"));
		table_int(table, etl_json_int(step, "visits", 0));
		table_duration(table, etl_json_double(step, "duration_us", -1e6) / 1e6);
	}
	if (etl_json_size(etl_json_get(run, "steps")))
		putchar('\n');
	table_print(table, NULL);
}

/* What became of the rows in each of several loads. Only of a job with several loads; of one load
 * the counts of the run say the same. */
static void print_targets(const struct etlctl *ctl, const struct etl_json *run)
{
	static const char *const titles[] = {"TARGET", ">INSERTED", ">UPDATED", ">UNCHANGED",
		"->OVERWRITTEN", "->STALE", ">REJECTED", NULL};
	static const char *const counts[] = {
		"inserted", "updated", "unchanged", "overwritten", "stale", "rejected"};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(target, etl_json_get(run, "targets")) {
		table_text(table, etl_json_text(target, "name", "?"));
		for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
			table_int(table, etl_json_int(target, counts[i], 0));
	}
	if (etl_json_size(etl_json_get(run, "targets")))
		putchar('\n');
	table_print(table, NULL);
}

/* What failed, with kind, code and HTTP status, in one cell. The code is for whoever looks the
 * failure up, the HTTP status for whoever asks the provider. */
static void add_reason(struct table *table, const struct etl_json *partition)
{
	const char *code = etl_json_text(partition, "error_code", "");
	int64_t http = etl_json_int(partition, "http_status", 0);
	const char *reason = etl_json_text(partition, "reason", "");

	if (http && *code)
		table_textf(table, "%s (%s, HTTP %lld)", reason, code, (long long)http);
	else if (*code)
		table_textf(table, "%s (%s)", reason, code);
	else
		table_text(table, reason);
}

static void print_partitions(const struct etlctl *ctl, const struct etl_json *run)
{
	static const char *const titles[] = {"PARTITION", "STATE", "->LOADED", "-->EMPTY",
		">FAILED", ">HELD", "->IN", "--->OUT", "-->INSERTED", "-->UPDATED",
		"--->UNCHANGED", ">REJECTED", ">OUTSIDE", "---->REQUESTS", "REASON", NULL};
	static const char *const windows[] = {"loaded", "empty", "failed", "held"};
	static const char *const counts[] = {"in", "out", "inserted", "updated", "unchanged",
		"rejected", "outside"};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(partition, etl_json_get(run, "partitions")) {
		table_text(table, etl_json_text(partition, "partition", "-"));
		table_state(table, etl_json_text(partition, "state", "unknown"));
		for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
			table_int(table, print_count_of(partition, "windows", windows[i]));
		for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
			table_int(table, print_count_of(partition, "counts", counts[i]));
		table_int(table, etl_json_int(partition, "requests", 0));
		add_reason(table, partition);
	}
	if (etl_json_size(etl_json_get(run, "partitions")))
		putchar('\n');
	table_print(table, NULL);
}

/* "accept of window 2026-07-01 10:00Z of station=283164601 2 h ago by uid 0 (pid 7): noise" Kind,
 * unit, when, who, why: that the unit is not as the run left it is told where people look for the
 * run. */
static void put_decisions(const struct etl_json *list, const char *now, struct etl_buf *out)
{
	const char *key = "\n  decided  ";

	ETL_JSON_EACH(one, list) {
		const char *partition = etl_json_text(one, "partition", "-");

		etl_buf_str(out, key);
		key = "  decided  ";
		print_clean(etl_json_text(one, "decision", ""), out);
		etl_buf_str(out, " of window ");
		print_time(etl_json_text(one, "start", NULL), out);
		etl_buf_str(out, etl_streq(partition, "-") ? "" : " of ");
		print_clean(etl_streq(partition, "-") ? "" : partition, out);
		etl_buf_char(out, ' ');
		print_time_past(etl_json_text(one, "at", NULL), now, out);
		etl_buf_str(out, " by ");
		print_clean(etl_json_text(one, "who", ""), out);
		etl_buf_str(out, ": ");
		print_clean(etl_json_text(one, "reason", ""), out);
		etl_buf_char(out, '\n');
	}
}

/* Commands stand at the end, each on a line of its own and without words around it, to be pasted.
 */
static void print_run(const struct etlctl *ctl, const struct etl_json *reply)
{
	const struct etl_json *run = etl_json_get(reply, "run");
	ETL_BUF_CLEANUP struct etl_buf out;

	print_words(ctl, run, etl_json_text(reply, "generated_at", NULL));
	print_steps(ctl, run);
	print_targets(ctl, run);
	print_partitions(ctl, run);
	etl_buf_init(&out, 64 * 1024);
	put_decisions(etl_json_get(reply, "decisions"), etl_json_text(reply, "generated_at", NULL),
		&out);
	if (print_count_of(run, "counts", "rejected")) {
		etl_buf_str(&out, "\netlctl dead list ");
		print_clean(etl_json_text(run, "run_id", ""), &out);
	}
	if (print_count_of(run, "windows", "held")) {
		etl_buf_str(&out, "\netlctl held list ");
		print_clean(etl_json_text(run, "job", ""), &out);
	}
	etl_buf_str(&out, "\njournalctl ETL_RUN_ID=");
	print_clean(etl_json_text(run, "run_id", ""), &out);
	etl_buf_char(&out, '\n');
	print_out(&out);
}

const struct etlctl_command etlctl_command_runs = {"runs", .print = print_runs};
const struct etlctl_command etlctl_command_show = {"show", .print = print_run};
