/* SPDX-License-Identifier: MIT
 *
 * backfill, restate, backfills, cancel. The backfill belongs to the daemon: Ctrl-C only ends the waiting.
 *
 * Example of `etlctl backfill airqino --from 2026-06-01 --dry-run`:
 *   dry run: nothing is loaded
 *     range       2026-06-01 00:00Z to 2026-07-01 10:00Z
 *     wanted      40 of 730 windows, 4 pieces
 *     ledger      690 loaded 40 pending
 */
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "etlctl/print.h"

static int64_t windows(const struct etl_json *b, const char *name)
{
	return print_count_of(b, "windows", name);
}

/* Windows that the backfill is done with, however that ended: progress counts them all, or a
 * backfill over a source that has forgotten half would never look finished. */
static int64_t gone(const struct etl_json *b)
{
	return windows(b, "done") + windows(b, "failed") + windows(b, "unrecoverable") +
		windows(b, "blocked");
}

/* Nothing at the beginning, when no piece has shown a pace. */
static void print_eta(const struct etl_json *b, struct etl_buf *out)
{
	double eta = etl_json_double(b, "eta_s", -1);

	if (eta < 0)
		return;
	etl_buf_str(out, ", about ");
	print_duration(eta, out);
	etl_buf_str(out, " to go");
}

/* ---- progress -------------------------------------------------------------------------------- */

static void show_progress(const struct etl_json *b)
{
	ETL_BUF_CLEANUP struct etl_buf line;

	etl_buf_init(&line, 1024);
	etl_buf_printf(&line, "%lld of %lld windows", (long long)gone(b),
		(long long)windows(b, "wanted"));
	if (windows(b, "failed"))
		etl_buf_printf(&line, ", %lld failed", (long long)windows(b, "failed"));
	print_eta(b, &line);
	print_progress(etl_buf_text(&line));
}

/* ---- results --------------------------------------------------------------------------------- */

/* The states are printed by the names in the answer: a state of a newer daemon is shown, not
 * dropped. */
static void print_survey(const struct etl_json *survey, struct etl_buf *out)
{
	long long pieces = (long long)etl_json_int(survey, "pieces", 0);

	etl_buf_printf(out, "  wanted      %lld of %lld windows, %lld piece%s\n",
		(long long)etl_json_int(survey, "wanted", 0),
		(long long)etl_json_int(survey, "windows", 0), pieces, pieces == 1 ? "" : "s");
	if (etl_json_int(survey, "too_old", 0))
		etl_buf_printf(out, "  given up    %lld of them, older than the source keeps\n",
			(long long)etl_json_int(survey, "too_old", 0));
	if (etl_json_int(survey, "kept", 0))
		etl_buf_printf(out, "  kept        %lld stale ones stay as they are: older than the "
			"source keeps (window.retention)\n", (long long)etl_json_int(survey, "kept", 0));
	etl_buf_str(out, "  ledger     ");
	ETL_JSON_EACH(state, etl_json_get(survey, "states"))
		if (etl_json_as_int(state, 0))
			etl_buf_printf(out, " %lld %s", (long long)etl_json_as_int(state, 0),
				etl_json_key(state));
	etl_buf_char(out, '\n');
}

/* Both answers are printed by this: the one after the survey, where nothing has been done, and the
 * one at the end, which has no survey. */
static void print_backfill(const struct etlctl *ctl, const struct etl_json *reply)
{
	const struct etl_json *b = etl_json_get(reply, "backfill");
	const struct etl_json *survey = etl_json_get(reply, "survey");
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 64 * 1024);
	if (etl_json_bool(reply, "dry_run", false)) {
		etl_buf_str(&out, "dry run: nothing is loaded\n");
	} else {
		print_state(ctl, etl_json_text(b, "state", "unknown"), ctl->color_out, &out);
		etl_buf_str(&out, "  ");
		print_clean(etl_json_text(b, "backfill_id", ""), &out);
		etl_buf_char(&out, '\n');
	}
	etl_buf_str(&out, "  range       ");
	print_range(etl_json_text(b, "from", NULL), etl_json_text(b, "to", NULL), &out);
	etl_buf_char(&out, '\n');
	if (survey)
		print_survey(survey, &out);
	if (gone(b))
		etl_buf_printf(&out,
			"  windows     %lld done, %lld failed, %lld given up, %lld blocked\n",
			(long long)windows(b, "done"), (long long)windows(b, "failed"),
			(long long)windows(b, "unrecoverable"), (long long)windows(b, "blocked"));
	print_line("reason", etl_json_text(b, "reason", ""), &out);
	print_out(&out);
}

/* Windows that are given up or blocked are no failure of the backfill: no other attempt would load
 * them now. */
static int status_of(const struct etl_json *reply)
{
	const struct etl_json *b = etl_json_get(reply, "backfill");

	if (etl_json_bool(reply, "dry_run", false))
		return EXIT_FINE;
	return etl_streq(etl_json_text(b, "state", ""), "done") && !windows(b, "failed") ?
		       EXIT_FINE :
		       EXIT_FAILED;
}

/* A restatement that wants nothing although status tells of stale windows. Those are of an older grid, such
 * as days of UTC where the job has days of Paris now, and no window of today is one of them. */
static void tell_nothing_stale(const struct etl_json *reply)
{
	const struct etl_json *b = etl_json_get(reply, "backfill");
	const struct etl_json *survey = etl_json_get(reply, "survey");

	if (!survey || etl_json_int(survey, "wanted", 0) || !etl_streq(etl_json_text(b, "reprocess", ""),
		"stale"))
		return;
	etlctl_say("none of the windows that were asked for is stale");
	etlctl_say("if windows --stale lists some, an older window.size or timezone made them: "
		"etlctl backfill %s --reprocess all", etl_json_text(b, "job", "JOB"));
}

/* Without --wait the answer only says that the backfill is stored: its end is not this command's to
 * judge. */
static int finish(const struct etlctl *ctl, const struct etl_ctl_reply *reply, bool waited)
{
	if (reply->error != ETL_CTL_OK)
		return etlctl_tell_reply(ctl, reply);
	if (ctl->json)
		print_json(reply->parameters);
	else
		print_backfill(ctl, reply->parameters);
	if (!ctl->json)
		tell_nothing_stale(reply->parameters);
	return waited ? status_of(reply->parameters) : EXIT_FINE;
}

/* Reads replies until the last; `reply` holds the first. As with a run: Ctrl-C and a lost daemon
 * end the waiting, not the backfill, and the words differ, for only in the first case is it known
 * that it goes on. */
static int follow(const struct etlctl *ctl, struct etl_client *client, struct etl_ctl_reply *reply)
{
	struct etl_error err = ETL_ERROR_INIT;
	int status;

	while (reply->continues) {
		show_progress(etl_json_get(reply->parameters, "backfill"));
		etl_ctl_reply_fini(reply);
		if (etl_client_receive(client, -1, reply, &err) == 0)
			continue;
		print_progress(NULL);
		if (!etl_streq(err.code, "ctl.interrupted")) {
			status = etlctl_tell_error(ctl, &err);
			etlctl_say("the backfill may have gone on: etlctl backfills");
			return status;
		}
		etlctl_say("no longer waiting; the backfill goes on: etlctl backfills");
		return EXIT_INTERRUPTED;
	}
	print_progress(NULL);
	return finish(ctl, reply, true);
}

/* Signals are taken over only to wait: without --wait Ctrl-C ends the program as everywhere. */
static int backfill(const struct etlctl *ctl)
{
	bool wait = etl_json_bool(ctl->values, "wait", false);
	int signals = wait ? etlctl_open_signals() : -1, status = EXIT_FAILED;
	etl_cleanup(etl_client_close) struct etl_client *client = etlctl_open(ctl, wait, &status);
	struct etl_ctl_reply reply = {0};

	if (client) {
		etl_client_watch(client, signals);
		status = etlctl_first_reply(ctl, client, &reply);
	}
	if (client && !status)
		status = wait ? follow(ctl, client, &reply) : finish(ctl, &reply, false);
	etl_ctl_reply_fini(&reply);
	if (signals >= 0)
		close(signals);
	return status;
}

/* ---- backfills, cancel ---------------------------------------------------------------------- */

static void add_progress(struct table *table, const struct etl_json *b)
{
	etl_cleanup(free) char *text = etl_strf("%lld/%lld", (long long)gone(b),
		(long long)windows(b, "wanted"));

	table_text(table, text);
}

/* TO GO is "-" for one that has ended or shows no pace yet; WAITS FOR for one whose piece runs.
 */
static void print_list(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"BACKFILL", "JOB", "STATE", "-FROM", "-TO",
		"-->WINDOWS", ">FAILED", ">TO GO", "-WAITS FOR", "---CREATED", "---BY", "REASON",
		NULL};
	const char *now = etl_json_text(reply, "generated_at", NULL);
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(b, etl_json_get(reply, "backfills")) {
		table_id(table, etl_json_text(b, "backfill_id", ""));
		table_text(table, etl_json_text(b, "job", ""));
		table_state(table, etl_json_text(b, "state", "unknown"));
		table_time(table, etl_json_text(b, "from", NULL));
		table_time(table, etl_json_text(b, "to", NULL));
		add_progress(table, b);
		table_int(table, windows(b, "failed"));
		table_duration(table, etl_json_double(b, "eta_s", -1));
		table_text(table, etl_json_text(b, "waits_for", ""));
		table_time_past(table, etl_json_text(b, "created", NULL), now);
		table_text(table, etl_json_text(b, "who", ""));
		table_text(table, etl_json_text(b, "reason", ""));
	}
	table_print(table, "no backfill is under way; --all lists those that have ended");
}

/* "is being ended", not "has ended": a run ends at its next step, a backfill when its piece has. */
static void print_cancelled(const struct etlctl *ctl, const struct etl_json *reply)
{
	ETL_BUF_CLEANUP struct etl_buf out;

	(void)ctl;
	etl_buf_init(&out, 4096);
	print_clean(etl_json_text(reply, "cancelled", "?"), &out);
	etl_buf_char(&out, ' ');
	print_clean(etl_json_text(reply, "id", "?"), &out);
	etl_buf_str(&out, " of ");
	print_clean(etl_json_text(reply, "job", "?"), &out);
	etl_buf_str(&out, " is being ended\n");
	print_out(&out);
}

const struct etlctl_command etlctl_command_backfills = {"backfills", .print = print_list};
const struct etlctl_command etlctl_command_cancel = {"cancel", .print = print_cancelled};
const struct etlctl_command etlctl_command_restate = {"restate", .run = backfill};
const struct etlctl_command etlctl_command_backfill = {"backfill", .run = backfill};
