/* SPDX-License-Identifier: MIT
 *
 * Runs and skipped slots in words: triggers, rules with their settings, how a run ended and
 * what follows. Words that are not known come from a newer etld; they are told as they are.
 *
 * Example of a run that failed, as `etlctl why RUN` tells it:
 *   because  it ran because its slot 2026-07-01T10:10:00Z had come
 *   because  it failed: api.example.org: status 500
 *   because  3 windows failed; they stay due
 *   next     2026-07-01T11:10:00Z: the next slot runs the windows that stayed due
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "run/run.h"
#include "tell/why.h"
#include "time/civil.h"
#include "time/duration.h"

/* ---- settings ------------------------------------------------------------------------------ */

/* As the file has it: "schedule.misfire: run_if_younger(2h)". */
static void misfire_setting(const struct etl_job *job, char out[ETL_WHY_SETTING_BYTES])
{
	char age[ETL_DURATION_TEXT_BYTES];

	switch ((enum etl_misfire)job->misfire) {
	case ETL_MISFIRE_RUN_EACH:
		snprintf(out, ETL_WHY_SETTING_BYTES, "schedule.misfire: run_each");
		return;
	case ETL_MISFIRE_RUN_LATEST:
		snprintf(out, ETL_WHY_SETTING_BYTES, "schedule.misfire: run_latest");
		return;
	case ETL_MISFIRE_RUN_IF_YOUNGER:
		etl_duration_format(job->misfire_age, age, sizeof age);
		snprintf(
			out, ETL_WHY_SETTING_BYTES, "schedule.misfire: run_if_younger(%.24s)", age);
		return;
	case ETL_MISFIRE_SKIP:
		snprintf(out, ETL_WHY_SETTING_BYTES, "schedule.misfire: skip");
		return;
	}
}

/* The setting is quoted as it is written in the configuration, so that it can be found there. */
void etl_why_setting(
	const struct etl_job *job, enum etl_skip_code code, char out[ETL_WHY_SETTING_BYTES])
{
	char limit[ETL_DURATION_TEXT_BYTES] = "-";

	*out = '\0';
	switch (code) {
	case ETL_SKIP_MISFIRE:
	case ETL_SKIP_TOO_OLD:
		misfire_setting(job, out);
		return;
	case ETL_SKIP_TOO_MANY:
		snprintf(out, ETL_WHY_SETTING_BYTES, "schedule.misfire: run_each, at most %d",
			ETL_RUN_EACH_MAX);
		return;
	case ETL_SKIP_OVERLAP: /* the text of the skip names the setting */
		return;
	case ETL_SKIP_QUEUE:
		snprintf(out, ETL_WHY_SETTING_BYTES, "schedule.overlap: %s",
			job->overlap == ETL_OVERLAP_CANCEL_RUNNING ? "cancel_running" :
								     "queue_one");
		return;
	case ETL_SKIP_PAUSED:
		snprintf(out, ETL_WHY_SETTING_BYTES, "etlctl resume without --from");
		return;
	case ETL_SKIP_EDITED:
		snprintf(out, ETL_WHY_SETTING_BYTES,
			"the new schedule counts from when it was loaded");
		return;
	case ETL_SKIP_CLOCK:
		snprintf(out, ETL_WHY_SETTING_BYTES, "more than a day ahead");
		return;
	case ETL_SKIP_SENSOR:
		if (job->wait_for)
			etl_duration_format(job->wait_for->timeout, limit, sizeof limit);
		snprintf(out, ETL_WHY_SETTING_BYTES, "wait_for.timeout: %.24s", limit);
		return;
	case ETL_SKIP_MAX:
		return;
	}
}

/* Which setting or command would let such slots run the next time. None for slots that a wrong
 * clock or an edit took: there is nothing to set. Example: `schedule.misfire: run_latest` and slots
 * that were passed over by it: run_each would have run each. */
static void skip_hint(const struct etl_job *job, enum etl_skip_code code, struct etl_why *why)
{
	switch (code) {
	case ETL_SKIP_MISFIRE:
	case ETL_SKIP_TOO_OLD:
		if (job->misfire != ETL_MISFIRE_RUN_EACH)
			etl_why_hint(why, "schedule.misfire: run_each makes up each missed slot");
		return;
	case ETL_SKIP_OVERLAP:
		etl_why_hint(
			why, "schedule.overlap: queue_one lets one slot wait for the run before");
		return;
	case ETL_SKIP_QUEUE:
		etl_why_hint(why,
			"runs take longer than the time between two slots: a wider schedule, "
			"or a smaller window.max_span");
		return;
	case ETL_SKIP_PAUSED:
		etl_why_hint(why,
			"its slots since TIME count as missed after: etlctl resume %s --from TIME",
			job->name);
		return;
	case ETL_SKIP_SENSOR:
		etl_why_hint(why, "a longer wait_for.timeout lets it wait longer");
		return;
	case ETL_SKIP_TOO_MANY:
	case ETL_SKIP_EDITED:
	case ETL_SKIP_CLOCK:
	case ETL_SKIP_MAX:
		return;
	}
}

/* The number of slots of a schedule that is gone is not known (0) and left out. */
static void slots_text(const struct etl_skip *skip, char *out, size_t size)
{
	char first[ETL_TIME_TEXT_BYTES], last[ETL_TIME_TEXT_BYTES], count[32] = "";

	if (skip->slots == 1 || skip->first.ms == skip->last.ms) {
		snprintf(out, size, "slot %s", etl_why_stamp(skip->last, last));
		return;
	}
	if (skip->slots)
		snprintf(count, sizeof count, " (%llu)", (unsigned long long)skip->slots);
	snprintf(out, size, "slots %s to %s%s", etl_why_stamp(skip->first, first),
		etl_why_stamp(skip->last, last), count);
}

/* `job` is NULL for a job that is not configured any more: then no setting can be named and
 * nothing be suggested. */
void etl_why_skip(const struct etl_job *job, const struct etl_skip *skip, struct etl_why *why)
{
	char slots[128], setting[ETL_WHY_SETTING_BYTES] = "";

	slots_text(skip, slots, sizeof slots);
	if (skip->code == ETL_SKIP_MAX) {
		etl_why_because(why, "%s did not run", slots);
		return;
	}
	if (job)
		etl_why_setting(job, skip->code, setting);
	etl_why_because(why, "%s did not run: %s%s%s%s", slots, etl_skip_text(skip->code),
		*setting ? " (" : "", setting, *setting ? ")" : "");
	if (job)
		skip_hint(job, skip->code, why);
}

/* ---- triggers ------------------------------------------------------------------------------ */

/* Records may be of a newer etld: a word that is unknown is told as it is, not refused. By the
 * words of sched/trigger.h, which records hold. */
static int trigger_kind(const char *word)
{
	for (int i = 0; i < ETL_TRIGGER_MAX; i++)
		if (etl_streq(etl_trigger_word((enum etl_trigger_kind)i), word))
			return i;
	return ETL_TRIGGER_MAX;
}

/* Nothing for a run of whatever was due. */
static void asked_text(const struct etl_why_run *f, char *out, size_t size)
{
	char from[ETL_TIME_TEXT_BYTES], to[ETL_TIME_TEXT_BYTES];

	*out = '\0';
	if (f->asked.start.ms < f->asked.end.ms)
		snprintf(out, size, ", for windows from %s to %s",
			etl_why_stamp(f->asked.start, from), etl_why_stamp(f->asked.end, to));
}

/* A trigger's cause may be missing: records of earlier versions have none. Completes "it ran
 * because": a clause, without a full stop. */
void etl_why_trigger(const struct etl_why_run *f, char out[ETL_WHY_TRIGGER_BYTES])
{
	char slot[ETL_TIME_TEXT_BYTES], asked[96], setting[ETL_WHY_SETTING_BYTES] = "";
	const char *cause = f->cause && *f->cause ? f->cause : NULL;

	etl_why_stamp(f->slot, slot);
	asked_text(f, asked, sizeof asked);
	switch (trigger_kind(f->trigger)) {
	case ETL_TRIGGER_SCHEDULE:
		snprintf(out, ETL_WHY_TRIGGER_BYTES, "its slot %s had come", slot);
		return;
	case ETL_TRIGGER_CATCH_UP:
		if (f->config)
			misfire_setting(f->config, setting);
		if (f->slot.ms)
			snprintf(out, ETL_WHY_TRIGGER_BYTES,
				"its slot %s was missed and made up%s%s%s", slot,
				*setting ? " (" : "", setting, *setting ? ")" : "");
		else
			snprintf(out, ETL_WHY_TRIGGER_BYTES,
				"windows were due: a run before it had failed, or MongoDB or etld was down");
		return;
	case ETL_TRIGGER_AFTER:
		snprintf(out, ETL_WHY_TRIGGER_BYTES, "job %.64s had closed or changed windows",
			cause ? cause : "(before this one)");
		return;
	case ETL_TRIGGER_MANUAL:
		snprintf(out, ETL_WHY_TRIGGER_BYTES, "it was started manually%s%.80s%s",
			cause ? ", by " : "", cause ? cause : "", asked);
		return;
	case ETL_TRIGGER_BACKFILL:
		snprintf(out, ETL_WHY_TRIGGER_BYTES, "it is a piece of backfill %.80s%s",
			cause ? cause : "(unknown)", asked);
		return;
	default:
		snprintf(out, ETL_WHY_TRIGGER_BYTES, "of trigger %.64s",
			*f->trigger ? f->trigger : "(unknown)");
	}
}

/* ---- ends ---------------------------------------------------------------------------------- */

/* Windows that stayed due are not lost; the sentence says which event takes them: the next
 * slot, the next run, or nothing while the job is paused. Example: a run failed at 10:10 and the
 * job runs hourly: the slot 11:10 takes what stayed due, and nobody has to do anything; who does
 * not want to wait runs it by hand. */
static void follows_retry(const struct etl_why_run *f, struct etl_why *why)
{
	if (!f->config)
		etl_why_because(why, "the job is not configured any more: nothing follows");
	else if (f->paused)
		etl_why_because(why, "its windows stay due, but the job is paused");
	else if (f->next_fire.ms)
		etl_why_next(why, f->next_fire, "the next slot runs the windows that stayed due");
	else
		etl_why_next(why, (etl_wall){0}, "the next run takes the windows that stayed due");
	if (f->config && f->paused)
		etl_why_hint(why, "etlctl resume %s", f->job);
	else if (f->config)
		etl_why_hint(why, "etlctl run %s", f->job);
}

/* state word -> what it means; `retry`: its windows stay due A state that is not in this table is
 * told by its word. */
static const struct {
	const char *state, *text;
	bool retry;
} ends[] = {
	{"ok", "it ended ok: everything that was due is in, or nothing was due", false},
	{"partial", "it ended partial: some partitions failed, the others are in", true},
	{"failed", "it failed", true},
	{"blocked", "it was blocked: windows of jobs that it comes after are missing", true},
	{"cancelled", "it was cancelled", true},
	{"fenced",
		"it was fenced: another etld has taken over the job; it wrote nothing after that",
		false},
	{"busy", "it did not start: another etld has the job, or has decided the slot", false},
	{"interrupted", "it was interrupted: its etld died under it", true},
	{"running", "it is running", false},
};

/* What follows from a state depends on the job: windows that stayed due, its next slot, a
 * pause. The reason of the run stands behind its end, as the record has it. */
static void tell_end(const struct etl_why_run *f, struct etl_why *why)
{
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (!etl_streq(ends[i].state, f->state))
			continue;
		etl_why_because(why, "%s%s%s", ends[i].text, *f->reason ? ": " : "", f->reason);
		if (f->windows_failed)
			etl_why_because(why, "%llu windows failed; they stay due",
				(unsigned long long)f->windows_failed);
		if (f->rejected)
			etl_why_because(why, f->rejected == 1 ?
				"%llu record was refused: it is a dead letter" :
				"%llu records were refused: they are dead letters",
				(unsigned long long)f->rejected);
		if (f->windows_lost)
			etl_why_because(why,
				"%llu windows are older than the source keeps and were given up",
				(unsigned long long)f->windows_lost);
		if (ends[i].retry || f->windows_failed)
			follows_retry(f, why);
		else if (f->config && f->next_fire.ms)
			etl_why_next(why, f->next_fire, "the job's next slot");
		return;
	}
	etl_why_because(why, "it ended %s%s%s", f->state, *f->reason ? ": " : "", f->reason);
}

/* A skipped slot loses no data, and people fear that it does: the answer says why not. */
static void skipped_record(const struct etl_why_run *f, struct etl_why *why)
{
	struct etl_skip skip = {.first = f->slot_first, .last = f->slot, .slots = f->slots,
		.code = ETL_SKIP_MAX};

	if (!etl_skip_parse(f->code, &skip.code))
		skip.code = ETL_SKIP_MAX;
	etl_why_because(why, "this is no run, but the record of slots that did not run");
	etl_why_skip(f->config, &skip, why);
	if (skip.code == ETL_SKIP_MAX && *f->reason)
		etl_why_because(why, "the record says: %s", f->reason);
	etl_why_because(
		why, "no data is lost by it: windows are planned from the ledger, by the next run");
	if (f->config && f->next_fire.ms && !f->paused)
		etl_why_next(why, f->next_fire, "the job's next slot");
}

/* First why it ran, then what was passed over for it, then how it ended: the order in which it
 * happened. Hints at the end lead on: what is held, the run at length, the records that were
 * refused. */
void etl_why_of_run(const struct etl_why_run *f, struct etl_why *why)
{
	char trigger[ETL_WHY_TRIGGER_BYTES];

	if (etl_streq(f->state, "skipped")) {
		skipped_record(f, why);
		return;
	}
	etl_why_trigger(f, trigger);
	etl_why_because(why, "it ran because %s", trigger);
	if (f->passed_over.last.ms)
		etl_why_skip(f->config, &f->passed_over, why);
	tell_end(f, why);
	if (f->windows_held)
		etl_why_hint(why, "etlctl held list %s", f->job);
	etl_why_hint(why, "etlctl show %s", f->run_id);
	if (f->rejected)
		etl_why_hint(why, "etlctl dead list %s", f->run_id);
}
