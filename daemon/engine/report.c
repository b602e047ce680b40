/* SPDX-License-Identifier: MIT
 *
 * The report step: one summary line for a run in the journal, and one line for each partition in
 * which something went wrong. The only place where a run's failure is logged.
 *
 * Example of the line of a run, at priority INFO:
 *   airqino: run 0197c5d2-... ok in 5.2 s: 2 windows loaded, 1 empty, 0 failed; ...
 * and beside the words the fields by which a program finds it: ETL_JOB, ETL_RUN_ID, ETL_STATE, the
 * counts. The message id tells journalctl -x which text of the catalog explains it.
 */
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

#include "io/journal.h"
#include "io/message_ids.h"
#include "run/policy.h"
#include "time/civil.h"

#define RULES_TOLD 3 /* in the line about rejects */

struct fields {
	struct etld_field list[ETLD_FIELDS_MAX];
	size_t n;
};

/* An empty field is left out: `journalctl ETL_ERROR_CODE=` would find all runs by it. */
static void add_text(struct fields *f, const char *name, const char *text)
{
	if (text && *text && f->n < ETLD_FIELDS_MAX)
		f->list[f->n++] = (struct etld_field){name, text, 0};
}

static void add_number(struct fields *f, const char *name, int64_t number)
{
	if (f->n < ETLD_FIELDS_MAX)
		f->list[f->n++] = (struct etld_field){name, NULL, number};
}

/* By who has to act: credentials are the operator's, a limit is the provider's, a check is about
 * the data. The catalog has other advice for each of them. */
static const char *partition_event(const struct etl_error *error)
{
	if (error->kind == ETL_AUTH)
		return ETLD_MSG_SOURCE_AUTH;
	if (error->kind == ETL_THROTTLED)
		return ETLD_MSG_SOURCE_THROTTLED;
	if (strncmp(error->code, "check.", 6) == 0)
		return ETLD_MSG_CHECK_FAILED;
	return ETLD_MSG_PARTITION_FAILED;
}

/* The catalog's texts name the window: without one they show a dash. */
static void add_window(struct fields *f, const struct etl_window *window, char start[], char end[])
{
	snprintf(start, ETL_TIME_TEXT_BYTES, "-");
	snprintf(end, ETL_TIME_TEXT_BYTES, "-");
	if (window) {
		etl_time_format_rfc3339(window->start, start);
		etl_time_format_rfc3339(window->end, end);
	}
	add_text(f, "ETL_WINDOW_START", start);
	add_text(f, "ETL_WINDOW_END", end);
}

/* Where the watermark stands begins what is missing: that window is what an operator asks `why`
 * about. */
static void add_oldest_owed(struct fields *f, const struct etl_run *run,
	const struct etl_part *part, char start[], char end[])
{
	const struct etl_window_rules *rules = &run->job->window;
	struct etl_window window;

	if (rules->none || !part->watermark.ms) {
		add_window(f, NULL, start, end);
		return;
	}
	window = etl_window_at(rules, part->watermark);
	add_window(f, &window, start, end);
}

static void add_part(struct fields *f, const struct etl_run *run, const struct etl_part *part)
{
	add_text(f, "ETL_JOB", run->job->name);
	add_text(f, "ETL_RUN_ID", run->run_id);
	add_text(f, "ETL_PARTITION", part->partition->name);
}

/* Said once for a window: afterwards the ledger has it as unrecoverable and it is never due. At
 * priority ERR, the only time that data are lost for good: the source has forgotten them. Example:
 * `window.retention: 30d` and a daemon that was down for five weeks. */
static void report_lost(const struct etl_run *run, const struct etl_part *part)
{
	char start[ETL_TIME_TEXT_BYTES], end[ETL_TIME_TEXT_BYTES];
	struct fields f = {.n = 0};

	if (!part->windows.lost)
		return;
	add_part(&f, run, part);
	if (!run->job->window.object)
		add_window(&f, &part->lost, start, end);
	add_number(&f, "ETL_WINDOWS_LOST", (int64_t)part->windows.lost);
	if (run->job->window.object) {
		etld_log(ETLD_ERR, ETLD_MSG_UNRECOVERABLE, f.list, f.n,
			"%s/%s: %llu objects that were never loaded are not listed by the source any more: "
			"given up",
			run->job->name, part->partition->name, (unsigned long long)part->windows.lost);
		return;
	}
	etld_log(ETLD_ERR, ETLD_MSG_UNRECOVERABLE, f.list, f.n,
		"%s/%s: %llu windows from %s to %s are older than the source keeps "
		"(window.retention): given up", run->job->name, part->partition->name,
		(unsigned long long)part->windows.lost, start, end);
}

/* A blocked partition is no failure, and a cancelled one is told by the run's own line. What an
 * operator has to mend (etl_policy_needs_operator) is an error, what may pass by itself a warning.
 */
static void report_part(const struct etl_run *run, const struct etl_part *part)
{
	char start[ETL_TIME_TEXT_BYTES], end[ETL_TIME_TEXT_BYTES];
	struct fields f = {.n = 0};

	report_lost(run, part);
	add_part(&f, run, part);
	add_oldest_owed(&f, run, part, start, end);
	if (part->state == ETL_PART_BLOCKED) {
		etld_log(ETLD_NOTICE, ETLD_MSG_WINDOW_BLOCKED, f.list, f.n, "%s/%s: %s",
			run->job->name, part->partition->name, part->reason);
		return;
	}
	if (part->error.kind == ETL_OK || part->state == ETL_PART_CANCELLED)
		return;
	add_text(&f, "ETL_STEP", etl_steps[part->failed_at].name);
	add_text(&f, "ETL_ERROR_CODE", part->error.code);
	add_number(&f, "ETL_HTTP_STATUS", part->error.status);
	etld_log(etl_policy_needs_operator(part->error.kind) ? ETLD_ERR : ETLD_WARNING,
		partition_event(&part->error), f.list, f.n, "%s/%s: %s", run->job->name,
		part->partition->name, part->error.message);
}

/* Zeros too: a field that is missing from some runs breaks whoever sums it up. */
static void add_counts(struct fields *f, const struct etl_run *run)
{
	add_number(f, "ETL_RECORDS_IN", (int64_t)run->counts.in);
	add_number(f, "ETL_RECORDS_OUT", (int64_t)run->counts.out);
	add_number(f, "ETL_INSERTED", (int64_t)run->counts.inserted);
	add_number(f, "ETL_UPDATED", (int64_t)run->counts.updated);
	add_number(f, "ETL_UNCHANGED", (int64_t)run->counts.unchanged);
	add_number(f, "ETL_REJECTED", (int64_t)run->counts.rejected);
	add_number(f, "ETL_OUTSIDE", (int64_t)run->counts.outside);
	add_number(f, "ETL_OVERWRITTEN", (int64_t)run->counts.overwritten);
	add_number(f, "ETL_STALE", (int64_t)run->counts.stale);
	add_number(f, "ETL_WARNINGS", (int64_t)run->warnings);
	add_number(f, "ETL_WINDOWS_LOADED", (int64_t)run->windows.loaded);
	add_number(f, "ETL_WINDOWS_EMPTY", (int64_t)run->windows.empty);
	add_number(f, "ETL_WINDOWS_FAILED", (int64_t)run->windows.failed);
	add_number(f, "ETL_WINDOWS_HELD", (int64_t)run->windows.held);
	add_number(f, "ETL_WINDOWS_LOST", (int64_t)run->windows.lost);
}

/* ok and nothing new is routine; everything else an operator may want to see. An operator who reads
 * NOTICE and above sees each run that has something to tell, and no hourly "ok". */
static enum etld_level level_of(const struct etl_run *run)
{
	switch (run->state) {
	case ETL_RUN_OK:
	case ETL_RUN_BLOCKED:
	case ETL_RUN_BUSY:
		return run->counts.rejected || run->warnings || run->windows.held ||
				       run->windows.discarded || run->checks_failed ?
			       ETLD_NOTICE :
			       ETLD_INFO;
	case ETL_RUN_CANCELLED:
		return ETLD_NOTICE;
	default:
		return ETLD_WARNING;
	}
}

/* A run that failed has its own id so that an alert can be hung on that one alone. */
static const char *event_of(const struct etl_run *run)
{
	if (run->state == ETL_RUN_FENCED)
		return ETLD_MSG_FENCED;
	if (run->state == ETL_RUN_FAILED || run->state == ETL_RUN_PARTIAL)
		return ETLD_MSG_RUN_FAILED;
	return ETLD_MSG_RUN_FINISHED;
}

/* "(all by decode/time, the first: ...)"; several rules are listed with their counts. The command
 * at its end shows these very records. Three rules are told: a file with a new column may break
 * twenty at once. */
static void report_rejects(const struct etl_run *run, const struct fields *f)
{
	ETL_BUF_CLEANUP struct etl_buf words;

	etl_buf_init(&words, 8192);
	for (size_t i = 0; i < run->rejects.n && i < RULES_TOLD; i++) {
		const struct etl_tally_row *row = &run->rejects.rows[i];

		etl_buf_printf(&words, "%s%llu by %s/%s%s%s", i ? ", " : ": ",
			(unsigned long long)row->n, row->step, row->rule, *row->field ? " " : "",
			row->field);
	}
	if (run->rejects.n > RULES_TOLD)
		etl_buf_str(&words, " ...");
	if (run->rejects.n)
		etl_buf_printf(&words, "; the first: %s", run->rejects.rows[0].first);
	etld_log(ETLD_WARNING, ETLD_MSG_RECORDS_REJECTED, f->list, f->n,
		"%s: %llu records were rejected%s; etlctl dead list %s", run->job->name,
		(unsigned long long)run->counts.rejected, etl_buf_text(&words), run->run_id);
}

/* Loaded, empty and failed always; the rest is rare and would hide them. */
static void say_windows(const struct etl_run *run, struct etl_buf *out)
{
	etl_buf_printf(out, "%llu windows loaded, %llu empty, %llu failed",
		(unsigned long long)run->windows.loaded, (unsigned long long)run->windows.empty,
		(unsigned long long)run->windows.failed);
	if (run->windows.held)
		etl_buf_printf(out, ", %llu held", (unsigned long long)run->windows.held);
	if (run->windows.discarded)
		etl_buf_printf(out, ", %llu read and thrown away (load: null closes nothing)",
			(unsigned long long)run->windows.discarded);
}

/* The usual counts always, the others if there is something to tell. */
static void say_records(const struct etl_run *run, struct etl_buf *out)
{
	static const struct {
		size_t offset;
		bool always;
		const char *word;
	} told[] = {
		{offsetof(struct etl_counts, in), true, "records in"},
		{offsetof(struct etl_counts, outside), false, "outside"},
		{offsetof(struct etl_counts, inserted), true, "inserted"},
		{offsetof(struct etl_counts, updated), true, "updated"},
		{offsetof(struct etl_counts, unchanged), true, "unchanged"},
		{offsetof(struct etl_counts, overwritten), false, "overwritten"},
		{offsetof(struct etl_counts, stale), false, "stale"},
		{offsetof(struct etl_counts, filtered), false, "filtered"},
		{offsetof(struct etl_counts, withheld), false, "withheld"},
		{offsetof(struct etl_counts, rejected), true, "rejected"},
	};

	for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
		const struct etl_counts_row row = {.offset = told[i].offset};
		uint64_t n = etl_counts_get(&run->counts, &row);

		if (n || told[i].always)
			etl_buf_printf(out, "%s%llu %s", i ? ", " : "; ", (unsigned long long)n,
				told[i].word);
	}
	if (run->warnings)
		etl_buf_printf(out, "; %llu warnings", (unsigned long long)run->warnings);
}

/* Parts first, the run last: the newest line of the journal is the summary. `took` is what passed
 * here, with the finish, and may be a little more than the record says. */
void etld_report_run(struct etld *etld, const struct etl_run *run)
{
	ETL_BUF_CLEANUP struct etl_buf words;
	struct fields f = {.n = 0};
	etl_dur took = etl_mono_diff(etl_mono_now(etld->clock), run->began);
	bool says_why = run->error.kind != ETL_OK;

	for (size_t i = 0; i < run->n_parts; i++)
		report_part(run, run->parts[i]);
	add_text(&f, "ETL_JOB", run->job->name);
	add_text(&f, "ETL_RUN_ID", run->run_id);
	add_text(&f, "ETL_TRIGGER", etl_trigger_word(run->trigger.kind));
	add_text(&f, "ETL_STATE", etl_run_state_word(run->state));
	add_number(&f, "ETL_DURATION_US", took.us);
	add_counts(&f, run);
	if (says_why)
		add_text(&f, "ETL_ERROR_CODE", run->error.code);
	if (run->counts.rejected)
		report_rejects(run, &f);
	etl_buf_init(&words, 4096);
	say_windows(run, &words);
	say_records(run, &words);
	etld_log(level_of(run), event_of(run), f.list, f.n, "%s: run %s %s in %.1f s: %s%s%s",
		run->job->name, run->run_id, etl_run_state_word(run->state), (double)took.us / 1e6,
		etl_buf_text(&words), says_why ? "; " : "", says_why ? run->error.message : "");
}
