/* SPDX-License-Identifier: MIT
 *
 * status: the daemon in two lines, its jobs in a table, one job at length.
 *
 * Example:
 *   etld 0.1.0  ✔ ready; up 3h10m; 1 run active, 1 of 4 workers busy
 *   mongodb  ✔ up; replica set rs0; effectively-once
 *   config  generation 3, loaded 2026-07-01 09:00Z (3h10m ago)
 * |
 *   JOB      STATE   LAST RUN                        NEXT                    LATE BY  REASON
 *   airqino  ! late  ok 2026-07-01 11:10Z (59m ago)  2026-07-01 13:10Z (...)   3h00m  no data ...
 *   daily    ✔ ok                                    2026-07-01 13:10Z (...)       -
 * With MongoDB unreachable the first two lines say so, with the driver's words; the jobs are shown
 * as they were last seen.
 */
#include <stdio.h>

#include "base/str.h"
#include "etlctl/print.h"

static void put_state(const struct etlctl *ctl, const char *word, struct etl_buf *out)
{
	print_state(ctl, word, ctl->color_out, out);
}

/* Reasons quote drivers, sources and operators: everything that is not ours goes through
 * print_clean. */
static void put_reason(const struct etl_json *json, struct etl_buf *out)
{
	const char *reason = etl_json_text(json, "reason", "");

	if (*reason) {
		etl_buf_str(out, "; ");
		print_clean(reason, out);
	}
}

/* Busy workers beside active runs: all of them busy while hardly a run is active says that they
 * wait for something, such as a slow MongoDB. */
static void put_daemon(const struct etlctl *ctl, const struct etl_json *daemon,
	struct etl_buf *out)
{
	const struct etl_json *workers = etl_json_get(daemon, "workers");
	int64_t runs = etl_json_int(daemon, "active_runs", 0);
	int64_t blocked = etl_json_int(workers, "blocked", 0);

	etl_buf_str(out, "etld ");
	print_clean(etl_json_text(daemon, "version", "?"), out);
	etl_buf_str(out, "  ");
	put_state(ctl, etl_json_text(daemon, "state", "unknown"), out);
	put_reason(daemon, out);
	etl_buf_str(out, "; up ");
	print_duration(etl_json_double(daemon, "uptime_s", -1), out);
	etl_buf_printf(out, "; %lld run%s active, %lld of %lld workers busy", (long long)runs,
		runs == 1 ? "" : "s",
		(long long)etl_json_int(workers, "busy", 0),
		(long long)etl_json_int(workers, "total", 0));
	if (blocked)
		etl_buf_printf(out, ", %lld more wait%s for a source", (long long)blocked,
			blocked == 1 ? "s" : "");
	etl_buf_str(out, "\n");
}

/* The guarantee is that of the server, the best that a job can have; each job's own is in `status
 * JOB`. */
static void put_mongodb(const struct etlctl *ctl, const struct etl_json *mongodb,
	long long unsaved, struct etl_buf *out)
{
	etl_buf_str(out, "mongodb  ");
	put_state(ctl, etl_json_text(mongodb, "state", "unknown"), out);
	put_reason(mongodb, out);
	for (int i = 0; i < 2; i++) {
		const char *text = etl_json_text(mongodb, i ? "guarantee" : "topology", "");

		etl_buf_str(out, *text ? "; " : "");
		print_clean(text, out);
	}
	if (unsaved)
		etl_buf_printf(out, "; %lld to be stored", unsaved);
	etl_buf_char(out, '\n');
}

/* Three things that an operator must not miss: the files on disk differ from what is in force
 * (refused, or being read), and jobs that never run. Each with the command that goes on from there.
 */
static void put_config(const struct etl_json *config, const char *now, struct etl_buf *out)
{
	const char *error = etl_json_text(config, "error", NULL);
	long long left_out = (long long)etl_json_int(config, "left_out", 0);

	etl_buf_printf(out, "config  generation %lld, loaded ",
		(long long)etl_json_int(config, "generation", 0));
	print_time_past(etl_json_text(config, "loaded_at", NULL), now, out);
	etl_buf_char(out, '\n');
	if (etl_json_bool(config, "loading", false))
		etl_buf_str(out, "        the files on disk are being read again\n");
	if (error) {
		etl_buf_str(out, "        the files on disk were refused: ");
		print_clean(error, out);
		etl_buf_str(out, "\n        etlctl config check tells all of it\n");
	}
	if (left_out)
		etl_buf_printf(out,
			"        %lld job%s left out for errors in %s; mend, then etlctl "
			"config check, etlctl reload\n",
			left_out, left_out == 1 ? " is" : "s are",
			left_out == 1 ? "its file" : "their files");
}

/* A host that is not asked freely: its breaker first, else the hold that it asked for; what else
 * waits does so for its limits. */
static void put_host(const struct etlctl *ctl, const struct etl_json *host, const char *now,
	struct etl_buf *out)
{
	const struct etl_json *breaker = etl_json_get(host, "breaker");
	const char *state = etl_json_text(breaker, "state", "unknown");
	bool closed = etl_streq(state, "closed");
	const char *until = closed ? etl_json_text(host, "hold_until", NULL) :
				     etl_json_text(breaker, "until", NULL);
	const char *reason = closed ? etl_json_text(host, "hold_reason", "") :
				      etl_json_text(breaker, "reason", "");
	long long waiting = (long long)etl_json_int(host, "waiting", 0);

	etl_buf_str(out, "host  ");
	print_clean(etl_json_text(host, "host", "?"), out);
	etl_buf_str(out, "  ");
	put_state(ctl, closed && until ? "held" : state, out);
	if (until && !etl_streq(state, "half_open")) {
		etl_buf_str(out, " until ");
		print_time_age(until, now, out);
	}
	etl_buf_str(out, *reason ? "; " : "");
	print_clean(reason, out);
	if (waiting)
		etl_buf_printf(out, "; %lld request%s wait%s, %lld out", waiting,
			waiting == 1 ? "" : "s", waiting == 1 ? "s" : "",
			(long long)etl_json_int(host, "active", 0));
	etl_buf_char(out, '\n');
}

/* `hosts` has those alone that are not asked freely: on a quiet day the head has three lines. */
static void print_head(const struct etlctl *ctl, const struct etl_json *reply)
{
	const struct etl_json *daemon = etl_json_get(reply, "daemon");
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 64 * 1024);
	put_daemon(ctl, daemon, &out);
	put_mongodb(ctl, etl_json_get(daemon, "mongodb"),
		(long long)etl_json_int(etl_json_get(daemon, "unsaved"), "entries", 0), &out);
	put_config(etl_json_get(daemon, "config"), etl_json_text(reply, "generated_at", NULL),
		&out);
	ETL_JSON_EACH(host, etl_json_get(reply, "hosts"))
		put_host(ctl, host, etl_json_text(reply, "generated_at", NULL), &out);
	etl_buf_char(&out, '\n');
	print_out(&out);
}

/* The partition that is furthest behind speaks for the job. A job with fifty stations is as late as
 * its latest one; the others are in `status JOB`. */
static const struct etl_json *slowest(const struct etl_json *job)
{
	const struct etl_json *found = NULL;

	ETL_JSON_EACH(mark, etl_json_get(job, "watermarks"))
		if (!found ||
			etl_json_double(mark, "lag_s", 0) > etl_json_double(found, "lag_s", 0))
			found = mark;
	return found;
}

/* Zeros are left out: "2 open, 1 failed" is what there is to do, and an empty cell that there is
 * nothing. */
static void add_windows(struct table *table, const struct etl_json *windows)
{
	static const char *const counts[] = {"open", "failed", "held", "dirty"};
	ETL_BUF_CLEANUP struct etl_buf cell;

	etl_buf_init(&cell, 256);
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		int64_t n = etl_json_int(windows, counts[i], 0);

		if (n)
			etl_buf_printf(&cell, "%s%lld %s", cell.len ? ", " : "", (long long)n,
				counts[i]);
	}
	table_text(table, etl_buf_text(&cell));
}

/* A run that goes on is told before the last one that ended: it may be about to mend what the state
 * says. */
static void add_last_run(struct table *table, const struct etl_json *job, const char *now)
{
	const struct etl_json *last = etl_json_get(job, "last_run");
	const char *running = etl_json_text(job, "running", NULL);
	const char *ended = etl_json_text(last, "ended", NULL);
	ETL_BUF_CLEANUP struct etl_buf cell;

	etl_buf_init(&cell, 256);
	if (running) {
		etl_buf_str(&cell, "running now");
	} else if (etl_json_type(last) == ETL_JSON_OBJECT) {
		print_clean(etl_json_text(last, "state", "?"), &cell);
		etl_buf_char(&cell, ' ');
		print_time_past(ended ? ended : etl_json_text(last, "started", NULL), now,
			&cell);
	}
	table_text(table, etl_buf_text(&cell));
}

/* "-" where nothing is due. */
static void add_late(struct table *table, const struct etl_json *of)
{
	double late = etl_json_double(of, "late_by_s", 0);

	table_duration(table, late > 0 ? late : -1);
}

/* One hint under the table for all held windows, since `held list` without a job lists them all. */
static void print_jobs(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"JOB", "STATE", "--LAST RUN", "---NEXT", "-WATERMARK",
		"->LATE BY", "-WINDOWS", "REASON", NULL};
	const char *now = etl_json_text(reply, "generated_at", NULL);
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(job, etl_json_get(reply, "jobs")) {
		const struct etl_json *mark = slowest(job);

		table_text(table, etl_json_text(job, "name", "?"));
		table_state(table, etl_json_text(job, "health", "unknown"));
		add_last_run(table, job, now);
		table_time_age(table, etl_json_text(job, "next", NULL), now);
		table_time(table, etl_json_text(mark, "watermark", NULL));
		add_late(table, job);
		add_windows(table, etl_json_get(job, "windows"));
		table_text(table, etl_json_text(job, "reason", ""));
	}
	table_print(table, "no jobs are configured");
	ETL_JSON_EACH(job, etl_json_get(reply, "jobs"))
		if (print_count_of(job, "windows", "held")) {
			etlctl_say("checks hold windows back: etlctl held list");
			break;
		}
}

/* With the command to paste: the run's record has what the one line leaves out. */
static void put_last_run(struct etl_buf *out, const struct etl_json *last, const char *now)
{
	const char *reason = etl_json_text(last, "reason", "");

	if (etl_json_type(last) != ETL_JSON_OBJECT)
		return;
	print_key("last run", out);
	print_clean(etl_json_text(last, "state", "?"), out);
	etl_buf_char(out, ' ');
	print_time_past(etl_json_text(last, "started", NULL), now, out);
	etl_buf_str(out, *reason ? ": " : "");
	print_clean(reason, out);
	etl_buf_char(out, '\n');
	print_key("", out);
	etl_buf_str(out, "etlctl show ");
	print_clean(etl_json_text(last, "run_id", ""), out);
	etl_buf_char(out, '\n');
}

/* "window 2026-07-01 10:00Z due 2026-07-01 11:20Z (in 5m): missed" "missed" behind a time that lies
 * behind: the alert has been sent then, once. */
static void put_deadline(struct etl_buf *out, const struct etl_json *deadline, const char *now)
{
	const struct etl_json *window = etl_json_get(deadline, "window");

	if (etl_json_type(deadline) != ETL_JSON_OBJECT)
		return;
	print_key("deadline", out);
	etl_buf_str(out, "window ");
	print_time(etl_json_text(window, "start", NULL), out);
	etl_buf_str(out, " is due ");
	print_time_age(etl_json_text(deadline, "due", NULL), now, out);
	etl_buf_str(out, etl_json_bool(deadline, "missed", false) ? ", missed\n" : "\n");
}

/* Windows that another target than the job's has, or an older definition made, and the command that
 * loads them again. */
static void put_elsewhere(struct etl_buf *out, const struct etl_json *elsewhere)
{
	if (etl_json_type(elsewhere) != ETL_JSON_OBJECT)
		return;
	print_line(etl_json_int(elsewhere, "windows", 0) ? "elsewhere" : "stale",
		etl_json_text(elsewhere, "text", ""), out);
	print_key("", out);
	print_clean(etl_json_text(elsewhere, "command", ""), out);
	etl_buf_char(out, '\n');
}

/* What is not so is not said: no line for a deadline, a group or windows elsewhere that the job has
 * not. The guarantee stands last, for it is read once and then known. */
static void print_job_words(const struct etlctl *ctl, const struct etl_json *job,
	const char *now)
{
	ETL_BUF_CLEANUP struct etl_buf out, next;

	etl_buf_init(&out, 64 * 1024);
	etl_buf_init(&next, 128);
	print_clean(etl_json_text(job, "name", "?"), &out);
	etl_buf_str(&out, "  ");
	put_state(ctl, etl_json_text(job, "health", "unknown"), &out);
	put_reason(job, &out);
	etl_buf_char(&out, '\n');
	print_line("about", etl_json_text(job, "description", ""), &out);
	print_line("running", etl_json_text(job, "running", ""), &out);
	print_time_age(etl_json_text(job, "next", NULL), now, &next);
	print_line("next", etl_buf_text(&next), &out);
	put_last_run(&out, etl_json_get(job, "last_run"), now);
	put_deadline(&out, etl_json_get(job, "deadline"), now);
	put_elsewhere(&out, etl_json_get(job, "elsewhere"));
	if (print_count_of(job, "windows", "held")) {
		print_key("held", &out);
		etl_buf_str(&out, "etlctl held list ");
		print_clean(etl_json_text(job, "name", ""), &out);
		etl_buf_char(&out, '\n');
	}
	print_line("guarantee", etl_json_text(job, "guarantee", ""), &out);
	print_out(&out);
}

/* Behind the words one line for each partition: which station is late, and what is open of it. */
static void print_job(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"PARTITION", "WATERMARK", ">LATE BY", "WINDOWS",
		NULL};
	const struct etl_json *job = etl_json_first(etl_json_get(reply, "jobs"));
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	print_job_words(ctl, job, etl_json_text(reply, "generated_at", NULL));
	ETL_JSON_EACH(mark, etl_json_get(job, "watermarks")) {
		table_text(table, etl_json_text(mark, "partition", "-"));
		table_time(table, etl_json_text(mark, "watermark", NULL));
		add_late(table, mark);
		add_windows(table, etl_json_get(mark, "windows"));
	}
	if (etl_json_size(etl_json_get(job, "watermarks")))
		putchar('\n');
	table_print(table, NULL);
}

/* --check: the worst of all that was asked about says how it ends. In the order of the daemon's
 * ETLD_HEALTH_WORDS; blocked and paused are states that somebody wanted, or another job's fault.
 * Example: one job is late, another one failing: 1, not 7, for the worse word wins. For monitoring
 * that knows exit statuses and nothing else. An etld that cannot be asked has ended with 3 before
 * this. */
static int check_status(const struct etl_json *reply)
{
	static const struct {
		const char *health;
		int status;
	} order[] = {{"failing", EXIT_FAILED}, {"unreachable", EXIT_FAILED},
		{"config", EXIT_CONFIG}, {"held", EXIT_CHECKS}, {"rejecting", EXIT_REJECTED},
		{"stale", EXIT_STALE}, {"late", EXIT_STALE}};
	const struct etl_json *mongodb = etl_json_get(etl_json_get(reply, "daemon"), "mongodb");
	size_t n = sizeof order / sizeof *order, worst = n;

	if (etl_streq(etl_json_text(mongodb, "state", ""), "down"))
		worst = 1;
	ETL_JSON_EACH(job, etl_json_get(reply, "jobs"))
		for (size_t i = 0; i < worst; i++)
			if (etl_streq(etl_json_text(job, "health", ""), order[i].health))
				worst = i;
	return worst < n ? order[worst].status : EXIT_FINE;
}

/* `status JOB` of a daemon that knows one job only would look like `status`: whether a job was
 * asked for decides, not how many came. */
static int status(const struct etlctl *ctl)
{
	struct etl_ctl_reply reply = {0};
	int status = etlctl_call(ctl, &reply);

	if (status)
		return status;
	if (ctl->json) {
		print_json(reply.parameters);
	} else {
		print_head(ctl, reply.parameters);
		if (etl_json_get(ctl->values, "job") &&
			etl_json_size(etl_json_get(reply.parameters, "jobs")) == 1)
			print_job(ctl, reply.parameters);
		else
			print_jobs(ctl, reply.parameters);
	}
	if (etl_json_bool(ctl->values, "check", false))
		status = check_status(reply.parameters);
	etl_ctl_reply_fini(&reply);
	return status;
}

const struct etlctl_command etlctl_command_status = {"status", .run = status};
