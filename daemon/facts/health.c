/* SPDX-License-Identifier: MIT
 *
 * A job's health: one word with a reason, from the ledger as it was last seen (picture.h). The
 * worst word wins, in the order of ETLD_HEALTH_WORDS. Two words explain others away: a job that
 * waits for one which is not well is blocked and not late, a paused one is paused and not late;
 * what failed, is held or was refused shows all the same. Loop thread.
 *
 * Example: a job has one failed window of yesterday, is paused, and MongoDB is unreachable. It is
 * "failing": that an operator paused it does not mend the window, and when MongoDB is back it is
 * what is left. Without the failed window it is "unreachable"; with MongoDB back "paused".
 */
#include "facts/health.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/elsewhere.h"
#include "facts/owed.h"
#include "time/civil.h"
#include "time/duration.h"

static const char *const words[] = {
#define X(id, word) word,
	ETLD_HEALTH_WORDS(X)
#undef X
};
_Static_assert(sizeof words / sizeof *words == ETLD_HEALTHS, "each health is counted");

const char *etld_health_word(enum etld_health_id id)
{
	return words[id];
}

/* One window and one interval of the schedule may be due without anybody being late. Who is
 * late by no more than the window is told the window: looking for slots is dear, and all jobs
 * are asked for at once. */
static etl_dur patience(const struct etld *etld, const struct etld_job *job, etl_dur late)
{
	etl_wall first, second, now = etl_now(etld->clock);
	etl_dur interval = {0}, window = etl_grid_mean(&job->job->window.grid);

	if (late.us <= window.us)
		return window;
	if (job->job->calendar && etl_calendar_next(job->job->calendar, now, &first) &&
		etl_calendar_next(job->job->calendar, first, &second))
		interval = etl_wall_diff(second, first);
	return (etl_dur){window.us + interval.us};
}

/* "17 windows failed, the oldest: status 500" */
static void say_units(const struct etld_job *job, const char *what, uint64_t n, const char *why, char *reason,
	size_t size)
{
	etl_cleanup(free) char *all = etl_strf("%llu %s%s %s%s%s", (unsigned long long)n,
		job->job->window.object ? "object" : "window", n == 1 ? "" : "s", what,
		!why	? "" :
		n == 1 ? ": " :
			  ", the oldest: ",
		why ? why : "");

	etl_text_shorten(reason, size, all);
}

/* A failure without a unit (`unitless`) is in no entry of the ledger: the run could not even plan.
 * It stays until a run for all that is due succeeds. */
static bool is_failing(const struct etld_job *job, char *reason, size_t size)
{
	const struct etl_last_run *last = etld_job_last(job);

	if (job->windows.failed) {
		say_units(job, job->windows.failed == 1 ? "has failed" : "have failed", job->windows.failed,
			job->failed_why, reason, size);
		return true;
	}
	if (last->unitless)
		snprintf(reason, size, "%s",
			*last->reason ? last->reason : "the last run for all that is due failed");
	return last->unitless;
}

/* MongoDB is not there, or has not been asked yet: whatever is known is of before. */
static bool is_unreachable(const struct etld *etld, char *reason, size_t size)
{
	if (etld->mongodb_up)
		return false;
	snprintf(reason, size, "%s",
		etld->mongodb_tried ? etld->mongodb_reason : "MongoDB has not answered yet");
	return true;
}

/* Nothing of a held window is in the target: somebody has to look, though nothing has failed. */
static bool is_held(const struct etld_job *job, char *reason, size_t size)
{
	if (job->windows.held)
		say_units(job, job->windows.held == 1 ? "is held by a check" : "are held by a check",
			job->windows.held, job->held_why, reason, size);
	return job->windows.held > 0;
}

/* From the last runs that read anything (run.c), so that one quiet hour does not wipe out a
 * refusal. */
static bool is_rejecting(const struct etld_job *job, char *reason, size_t size)
{
	const struct etl_last_run *last = etld_job_last(job);

	if (last->rejected)
		snprintf(reason, size, "%llu record%s rejected, the first: %s",
			(unsigned long long)last->rejected,
			last->rejected == 1 ? " was" : "s were", last->first_reject);
	return last->rejected > 0;
}

/* Its slot waits for a sensor that has said "not yet". */
static bool waits_for_sensor(const struct etld_job *job, char *reason, size_t size)
{
	const struct etl_wait_for *wait = job->job->wait_for;
	char text[ETL_DURATION_TEXT_BYTES];

	if (!job->sched.sensing || !job->sched.sense_said || !wait)
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

	if (!etld_owed_deadline(etld, job, &first) || !first.missed)
		return false;
	etl_time_format_rfc3339(first.window.end, end);
	etl_time_format_rfc3339(first.due, due);
	snprintf(reason, size, "%s: the window that ended %s was not closed by its deadline %s",
		job->job->partitions[first.partition].name, end, due);
	return true;
}

/* Stale, late or ok. A run that goes on is no reason to call the job stale. Example: hourly
 * windows, a slot an hour: patience is two hours. 90 minutes late is ok with a slot in between, two
 * hours and a half are late, more than six are stale. A deadline that was missed is late at once.
 */
static enum etld_health_id how_late(const struct etld *etld, const struct etld_job *job,
	etl_dur late, char *reason, size_t size)
{
	etl_dur limit = patience(etld, job, late);
	char text[ETL_DURATION_TEXT_BYTES];
	bool stale = late.us > 3 * limit.us && !etld_running(job);
	uint64_t warnings = etld_job_last(job)->warnings;

	if (!stale && missed_deadline(etld, job, reason, size))
		return ETLD_HEALTH_LATE;
	if (late.us <= limit.us) {
		if (warnings)
			snprintf(reason, size, "%llu warning%s", (unsigned long long)warnings,
				warnings == 1 ? "" : "s");
		return ETLD_HEALTH_OK;
	}
	etl_duration_format((etl_dur){late.us - late.us % 1000000}, text, sizeof text);
	snprintf(reason, size, "the oldest open window has been due for %s", text);
	return stale ? ETLD_HEALTH_STALE : ETLD_HEALTH_LATE;
}

/* No fault of the job, but nobody would look for it. */
static void tell_elsewhere(const struct etld *etld, const struct etld_job *job, char *reason,
	size_t size)
{
	char text[ETL_ELSEWHERE_TEXT_BYTES];
	struct etl_elsewhere sum;

	if (!etld_elsewhere_of(etld, job, &sum))
		return;
	etl_elsewhere_text(&sum, text);
	etl_text_copy(reason, size, text);
}

/* What is to be said of the job alone. In the order of the words, and the first that is true
 * counts. The reasons behind the chain fill in where a word came without one. */
static void own_health(const struct etld *etld, const struct etld_job *job, struct etld_health *h)
{
	char *reason = h->reason;
	size_t size = sizeof h->reason;

	*reason = '\0';
	h->late_by = etld_owed_late_most(etld, job);
	if (job->job->left_out) { /* nothing else is known of it */
		h->id = ETLD_HEALTH_CONFIG;
		snprintf(reason, size, "%s", job->job->left_out);
		return;
	}
	if (is_failing(job, reason, size))
		h->id = ETLD_HEALTH_FAILING;
	else if (is_unreachable(etld, reason, size))
		h->id = ETLD_HEALTH_UNREACHABLE;
	else if (is_held(job, reason, size))
		h->id = ETLD_HEALTH_HELD;
	else if (is_rejecting(job, reason, size))
		h->id = ETLD_HEALTH_REJECTING;
	else if (job->sched.paused)
		h->id = ETLD_HEALTH_PAUSED;
	else if (waits_for_sensor(job, reason, size) || job->windows_blocked)
		h->id = ETLD_HEALTH_BLOCKED;
	else
		h->id = how_late(etld, job, h->late_by, reason, size);
	if (h->id == ETLD_HEALTH_OK && !*reason)
		tell_elsewhere(etld, job, reason, size);
	if (h->id == ETLD_HEALTH_PAUSED)
		snprintf(reason, size, "%s", job->pause_reason ? job->pause_reason : "");
	if (h->id == ETLD_HEALTH_BLOCKED && !*reason)
		snprintf(reason, size, "%s", etld_job_last(job)->reason);
}

/* Does a job need help, by itself or only because of what it waits for? */
enum ails { AILS_NOTHING, AILS_ITSELF, AILS_UPSTREAM };

/* "late" ails nothing: it may be loading just now, and who waits for it is told to wait for it. */
static enum ails ails_of(const struct etld *etld, const struct etld_job *job)
{
	char reason[ETL_REASON_MAX];
	struct etld_health h;

	own_health(etld, job, &h);
	switch (h.id) {
	case ETLD_HEALTH_OK:
	case ETLD_HEALTH_LATE:
	case ETLD_HEALTH_REJECTING: /* its windows close, and that is what is waited for */
		return AILS_NOTHING;
	case ETLD_HEALTH_BLOCKED:
		return waits_for_sensor(job, reason, sizeof reason) ? AILS_ITSELF : AILS_UPSTREAM;
	case ETLD_HEALTH_FAILING:
	case ETLD_HEALTH_UNREACHABLE:
	case ETLD_HEALTH_CONFIG:
	case ETLD_HEALTH_HELD:
	case ETLD_HEALTH_STALE:
	case ETLD_HEALTH_PAUSED:
		break;
	}
	return AILS_ITSELF;
}

/* How far a culprit is looked for along a chain. A job farther away still shows as blocked
 * once one of those between has tried. */
#define LEVELS_MAX 32

/* Along the chain: daily waits for hourly, hourly for raw, raw has failed. What ails hourly is raw,
 * so that raw is named for both. A job with its own trouble ends the search: it has to be mended
 * before anything upstream of it matters. */
const struct etld_job *etld_culprit(const struct etld *etld, const struct etld_block *block)
{
	const struct etld_job *culprit = NULL;
	struct etld_block at = *block;

	for (int level = 0; level < LEVELS_MAX; level++) {
		enum ails ails = ails_of(etld, at.upstream);

		if (ails != AILS_NOTHING)
			culprit = at.upstream;
		if (ails == AILS_ITSELF || !etld_blocked_by(etld, at.upstream, &at))
			break;
	}
	return culprit;
}

/* "waits for window 2026-07-01T10:00:00Z of a/all; a is failing: status 500" */
static void say_block(const struct etld *etld, const struct etld_block *block,
	const struct etld_job *culprit, char *reason, size_t size)
{
	char at[ETL_TIME_TEXT_BYTES];
	struct etld_health h;

	if (block->upstream->job->left_out) {
		snprintf(reason, size, "waits for %s, which is left out: %.400s",
			block->upstream->name, block->upstream->job->left_out);
		return;
	}
	own_health(etld, culprit, &h);
	etl_time_format_rfc3339(block->window.start, at);
	snprintf(reason, size, "waits for window %s of %s/%s; %s is %s%s%.200s", at,
		block->upstream->name, block->upstream->partitions[block->partition].name,
		culprit->name, words[h.id], *h.reason ? ": " : "", h.reason);
}

/* A running job is not called blocked: it may be about to find its windows. */
void etld_health_of(const struct etld *etld, const struct etld_job *job,
	const struct etld_block *block, const struct etld_job *culprit, struct etld_health *h)
{
	own_health(etld, job, h);
	if (h->id != ETLD_HEALTH_OK && h->id != ETLD_HEALTH_LATE && h->id != ETLD_HEALTH_STALE)
		return;
	if (etld_running(job) || !culprit)
		return;
	h->id = ETLD_HEALTH_BLOCKED;
	say_block(etld, block, culprit, h->reason, sizeof h->reason);
}
