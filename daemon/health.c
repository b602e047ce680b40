/* SPDX-License-Identifier: MIT
 *
 * A job's health: one word with a reason, from what the loop knows. The worst word wins:
 * config, paused, failing, held, rejecting, blocked, stale, late, ok. A job that waits for one which is not well is
 * blocked, also if it never tried.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "handlers.h"
#include "time/civil.h"
#include "time/duration.h"

const char *const etld_healths[ETLD_HEALTHS] = {"ok", "late", "stale", "failing", "held",
	"rejecting", "paused", "blocked", "config"};

/* How far the slowest partition is behind what is due by now. */
static etl_dur behind(const struct etld *etld, const struct etld_job *job)
{
	const struct etl_window_rules *rules = &job->job->window;
	etl_wall limit;
	etl_dur most = {0};

	if (rules->none)
		return most;
	limit = etl_window_limit(rules, etl_now(etld->clock));
	for (size_t i = 0; i < job->job->n_partitions; i++) {
		etl_dur lag = etl_wall_diff(limit, job->partitions[i].watermark);

		if (job->partitions[i].watermark.ms && lag.us > most.us)
			most = lag;
	}
	return most;
}

/* One window and one interval of the schedule may be owed without anybody being late. Who owes
 * no more than the window is told the window: looking for slots is dear, and all jobs are asked
 * for at once. */
static etl_dur patience(const struct etld *etld, const struct etld_job *job, etl_dur lag)
{
	etl_wall first, second, now = etl_now(etld->clock);
	etl_dur interval = {0};

	if (lag.us <= job->job->window.size.us)
		return job->job->window.size;
	if (job->job->calendar && etl_calendar_next(job->job->calendar, now, &first) &&
		etl_calendar_next(job->job->calendar, first, &second))
		interval = etl_wall_diff(second, first);
	return (etl_dur){job->job->window.size.us + interval.us};
}

static bool last_run_is_bad(const struct etld_job *job)
{
	return job->last_ended.ms && (job->last_state == ETL_RUN_FAILED ||
					     job->last_state == ETL_RUN_PARTIAL);
}

/* Its slot waits for a sensor that has said "not yet". */
static bool waits_for_sensor(const struct etld_job *job, char *reason, size_t size)
{
	const struct etl_wait_for *wait = job->job->wait_for;
	char text[ETL_DURATION_TEXT_BYTES];

	if (!job->sched.sensing || !*job->sched.sense_said || !wait)
		return false;
	etl_duration_format(wait->newer_than, text, sizeof text);
	snprintf(reason, size, "waits for %s newer than %s: %s", wait->collection, text,
		job->sched.sense_said);
	return true;
}

/* The window that is due first has passed its deadline. */
static bool missed_deadline(const struct etld *etld, const struct etld_job *job, char *reason,
	size_t size)
{
	char end[ETL_TIME_TEXT_BYTES], due[ETL_TIME_TEXT_BYTES];
	struct etld_due first;

	if (!etld_deadline_of(etld, job, &first) || !first.missed)
		return false;
	etl_time_format_rfc3339(first.window.end, end);
	etl_time_format_rfc3339(first.due, due);
	snprintf(reason, size, "%s: the window that ended %s was not closed by its deadline %s",
		job->job->partitions[first.partition].name, end, due);
	return true;
}

/* What is to be said of the job alone. */
static const char *own_health(const struct etld *etld, const struct etld_job *job, char *reason,
	size_t size)
{
	etl_dur lag = behind(etld, job), limit = patience(etld, job, lag);
	char text[ETL_DURATION_TEXT_BYTES];

	*reason = '\0';
	if (job->job->left_out) {
		snprintf(reason, size, "%s", job->job->left_out);
		return "config";
	}
	if (job->sched.paused) {
		snprintf(reason, size, "%s", job->pause_reason ? job->pause_reason : "");
		return "paused";
	}
	if (last_run_is_bad(job)) {
		snprintf(reason, size, "%s", job->last_reason ? job->last_reason : "");
		return "failing";
	}
	if (job->windows_held) {
		snprintf(reason, size, "%llu windows are held by a check",
			(unsigned long long)job->windows_held);
		return "held";
	}
	if (job->records_rejected) {
		snprintf(reason, size, "%llu records were rejected, the first: %s",
			(unsigned long long)job->records_rejected,
			job->first_reject ? job->first_reject : "");
		return "rejecting";
	}
	if (waits_for_sensor(job, reason, size))
		return "blocked";
	if (job->windows_blocked) {
		snprintf(reason, size, "%s", job->last_reason ? job->last_reason : "");
		return "blocked";
	}
	if ((lag.us <= 3 * limit.us || etld_running(job)) && missed_deadline(etld, job, reason, size))
		return "late";
	if (lag.us <= limit.us) {
		if (job->warnings)
			snprintf(reason, size, "%llu warnings", (unsigned long long)job->warnings);
		return "ok";
	}
	etl_duration_format((etl_dur){lag.us - lag.us % 1000000}, text, sizeof text);
	snprintf(reason, size, "the slowest partition is %s behind", text);
	return lag.us > 3 * limit.us && !etld_running(job) ? "stale" : "late";
}

enum etld_ails etld_job_ails(const struct etld *etld, const struct etld_job *job)
{
	char reason[ETL_REASON_MAX];
	const char *word = own_health(etld, job, reason, sizeof reason);

	if (etl_streq(word, "ok") || etl_streq(word, "late") || etl_streq(word, "rejecting"))
		return ETLD_AILS_NOTHING;
	return etl_streq(word, "blocked") && !waits_for_sensor(job, reason, sizeof reason) ?
		ETLD_AILS_UPSTREAM : ETLD_AILS_ITSELF;
}

/* "waits for window 2026-07-01T10:00:00Z of a/all; a is failing: status 500" */
static void say_block(const struct etld *etld, const struct etld_block *block, char *reason,
	size_t size)
{
	char at[ETL_TIME_TEXT_BYTES], why[ETL_REASON_MAX];
	const char *word = own_health(etld, block->culprit, why, sizeof why);

	if (block->upstream->job->left_out) {
		snprintf(reason, size, "waits for %s, which is left out: %.400s", block->upstream->name,
			block->upstream->job->left_out);
		return;
	}
	etl_time_format_rfc3339(block->window.start, at);
	snprintf(reason, size, "waits for window %s of %s/%s; %s is %s%s%.200s", at,
		block->upstream->name, block->upstream->partitions[block->partition].name,
		block->culprit->name, word, *why ? ": " : "", why);
}

const char *etld_job_health(const struct etld *etld, const struct etld_job *job, char *reason,
	size_t size)
{
	const char *word = own_health(etld, job, reason, size);
	struct etld_block block;

	if (!etl_streq(word, "ok") && !etl_streq(word, "late") && !etl_streq(word, "stale"))
		return word;
	if (etld_running(job) || !etld_blocked_by(etld, job, &block) || !block.culprit)
		return word;
	say_block(etld, &block, reason, size);
	return "blocked";
}
