/* SPDX-License-Identifier: MIT
 *
 * A job in words: one function for each phase of the scheduler. Reads nothing: all facts are given,
 * so that each answer can be tested as a text. Sentences that people rely on are changed with their
 * tests.
 *
 * Example of facts and their words: phase IDLE, next slot 13:10, jitter 17 s, two windows owed
 * since 10:00:
 *   because  idle until its slot 2026-07-01T13:10:00Z, which fires at 2026-07-01T13:10:17Z
 *            (jitter 17s on this host)
 *   because  2 windows are due, the oldest: window 2026-07-01T10:00:00Z
 *   next     its slot 2026-07-01T13:10:00Z fires, at 2026-07-01T13:10:17Z
 *   hint     etlctl run airqino
 *   hint     etlctl windows airqino
 * A sentence names the setting that it follows from, in the words of the file, and a hint is a
 * command or a setting that changes it. No sentence promises what the scheduler may decide
 * otherwise.
 *
 * How an operator reads it: `because` from top to bottom, what decides first; `next` only if
 * something will change without him; `hint` as what he can paste. A phase that is new needs a
 * function here and a case in the switch at the end, which the compiler asks for.
 */
#include "tell/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "time/civil.h"
#include "time/duration.h"

#define SENTENCE_MAX 2048

/* ---- lists --------------------------------------------------------------------------------- */

/* A sentence that is too long is cut: names and reasons come from configurations and servers. */
static char *sentence(const char *fmt, va_list ap)
{
	char text[SENTENCE_MAX];

	vsnprintf(text, sizeof text, fmt, ap);
	return etl_strdup(text);
}

/* Takes the text. */
static void list_add(struct etl_why_list *list, char *text)
{
	ETL_GROW(list->items, list->n, list->cap);
	list->items[list->n++] = text;
}

static void list_fini(struct etl_why_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
}

/* In the order in which they are told: what decides comes first, what only belongs to it after. */
void etl_why_because(struct etl_why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	list_add(&why->because, sentence(fmt, ap));
	va_end(ap);
}

/* One that begins with "etlctl" is the whole command, to be pasted; others name a setting. */
void etl_why_hint(struct etl_why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	list_add(&why->hints, sentence(fmt, ap));
	va_end(ap);
}

/* The first that is told wins: callers go from the most certain to the least, and one job has
 * one next event. */
void etl_why_next(struct etl_why *why, etl_wall at, const char *fmt, ...)
{
	va_list ap;

	if (why->next)
		return;
	va_start(ap, fmt);
	why->next = sentence(fmt, ap);
	va_end(ap);
	why->next_at = at;
}

/* Into the caller's buffer and not a static one: a sentence may hold several times, and sentences
 * are made on any thread. */
const char *etl_why_stamp(etl_wall t, char out[ETL_TIME_TEXT_BYTES])
{
	etl_time_format_rfc3339(t, out);
	return out;
}

void etl_why_fini(struct etl_why *why)
{
	list_fini(&why->because);
	list_fini(&why->hints);
	free(why->next);
	*why = (struct etl_why){0};
}

/* ---- phases -------------------------------------------------------------------------------- */

/* Cut where the buffer ends: a job after fifty others is told by the first of them. */
static void names_of_upstream(const struct etl_job *job, char *out, size_t size)
{
	size_t at = 0;

	*out = '\0';
	for (size_t i = 0; i < job->n_upstream && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "",
			job->upstream[i]->name);
}

/* A slot fires at its time plus jitter; both are told, because the log speaks of the slot and
 * the clock of the firing. */
static void is_idle(const struct etl_why_job *f, struct etl_why *why)
{
	char slot[ETL_TIME_TEXT_BYTES], fire[ETL_TIME_TEXT_BYTES], jitter[ETL_DURATION_TEXT_BYTES];
	char names[512];
	etl_wall at = etl_wall_add(f->slot, f->jitter);

	names_of_upstream(f->job, names, sizeof names);
	if (f->slot.ms && f->jitter.us) {
		etl_duration_format(f->jitter, jitter, sizeof jitter);
		etl_why_because(why,
			"idle until its slot %s, which fires at %s (jitter %s on this host)",
			etl_why_stamp(f->slot, slot), etl_why_stamp(at, fire), jitter);
	} else if (f->slot.ms) {
		etl_why_because(why, "idle until its slot %s", etl_why_stamp(f->slot, slot));
	} else if (f->job->calendar) {
		etl_why_because(
			why, "idle: its schedule (%s) has no slot to come", f->job->schedule_text);
	} else {
		etl_why_because(why, "idle: it has no slots of its own");
	}
	if (*names)
		etl_why_because(
			why, "it also runs when a window of %s is closed or changed", names);
	if (f->slot.ms)
		etl_why_next(why, at, "its slot %s fires", etl_why_stamp(f->slot, slot));
	else if (*names)
		etl_why_next(why, (etl_wall){0}, "a window of %s is closed or changed", names);
	etl_why_hint(why, "etlctl run %s", f->name);
}

/* `run --force` is offered beside `resume`: one run of a paused job is often what is wanted. */
static void is_paused(const struct etl_why_job *f, struct etl_why *why)
{
	char at[ETL_TIME_TEXT_BYTES];

	etl_why_because(why, "paused by %s since %s%s%s",
		f->paused_by && *f->paused_by ? f->paused_by : "somebody",
		f->paused_at.ms ? etl_why_stamp(f->paused_at, at) : "a time that is not known",
		f->pause_why && *f->pause_why ? ": " : "", f->pause_why ? f->pause_why : "");
	if (f->pause_unsaved)
		etl_why_because(why,
			"this etld alone knows of the pause: MongoDB does not have it%s",
			f->pause_unsaved > 1 ? "" : " yet");
	etl_why_hint(why, "etlctl resume %s", f->name);
	etl_why_hint(why, "etlctl run %s --force", f->name);
}

/* The time that is told is that of the partition which is tried next; the others wait longer. The
 * run's own failures, while it tries again: its record has none of them yet. */
static void tell_retry(const struct etl_why_job *f, struct etl_why *why)
{
	char at[ETL_TIME_TEXT_BYTES];
	const char *of = f->retrying == 1 ? "it" : "the first of them";
	bool known = f->retry_why && *f->retry_why;

	if (!f->retrying)
		return;
	etl_why_because(why,
		"%zu of its partitions wait%s for a retry (retry.backoff, or as long as the "
		"source asked for)",
		f->retrying, f->retrying == 1 ? "s" : "");
	if (known)
		etl_why_because(why, "%s failed: %s", of, f->retry_why);
	if (f->retry_at.ms)
		etl_why_next(why, f->retry_at, "%s is tried again at %s", of,
			etl_why_stamp(f->retry_at, at));
}

/* The end of the timeout is the only time that is sure: the run ends then at the latest. */
static void is_running(const struct etl_why_job *f, struct etl_why *why)
{
	struct etl_why_run run = {.trigger = etl_trigger_word(f->trigger->kind),
		.cause = f->trigger->cause, .slot = f->trigger->slot, .asked = f->trigger->asked,
		.config = f->job};
	char since[ETL_TIME_TEXT_BYTES], limit[ETL_DURATION_TEXT_BYTES],
		trigger[ETL_WHY_TRIGGER_BYTES];

	etl_why_trigger(&run, trigger);
	etl_duration_format(f->job->timeout, limit, sizeof limit);
	etl_why_because(why, "run %s goes since %s, because %s", f->run_id,
		etl_why_stamp(f->started, since), trigger);
	etl_why_because(why, "it is at step %s%s%s; %llu records and %llu windows so far", f->step,
		f->job->partition_names[0] ? " of partition " : "",
		f->job->partition_names[0] ? f->partition : "", (unsigned long long)f->records,
		(unsigned long long)f->windows);
	tell_retry(f, why);
	if (f->waiting)
		etl_why_because(why, "another trigger waits behind it");
	etl_why_next(why, etl_wall_add(f->started, f->job->timeout),
		"the run ends, or is ended by schedule.timeout (%s)", limit);
	etl_why_hint(why, "etlctl logs %s -f", f->name);
}

/* A trigger without a slot is given up without a record: its windows stay due, and the words
 * say so. */
static void is_sensing(const struct etl_why_job *f, struct etl_why *why)
{
	char slot[ETL_TIME_TEXT_BYTES], until[ETL_TIME_TEXT_BYTES], poke[ETL_DURATION_TEXT_BYTES];
	const struct etl_wait_for *sensor = f->job->wait_for;

	if (sensor)
		etl_duration_format(sensor->poke, poke, sizeof poke);
	etl_why_because(why, "%s%s waits for its sensor: wait_for collection %s",
		f->sense_slot.ms ? "its slot " : "its trigger",
		f->sense_slot.ms ? etl_why_stamp(f->sense_slot, slot) : "",
		sensor ? sensor->collection : "(gone)");
	if (*f->sense_said)
		etl_why_because(why, "the sensor saw: %s", f->sense_said);
	etl_why_because(why, "it waits until %s%s", etl_why_stamp(f->sense_until, until),
		f->sense_slot.ms ? ", then the slot is skipped (wait_for.timeout)" :
				   ", then it is given up; its windows stay due");
	if (f->sense_next.ms)
		etl_why_next(why, f->sense_next, "the sensor is asked again (wait_for.poke: %s)",
			sensor ? poke : "-");
	else
		etl_why_next(why, f->now, "the sensor answers, it is being asked");
}

/* A piece of a backfill can wait although places are free, so backfills are told by their own
 * limit. Backfills get half of the places and only what live runs leave: their sentence says so, or
 * an operator would wonder about free places. */
static void needs_place(const struct etl_why_job *f, struct etl_why *why)
{
	if (f->only_backfill)
		etl_why_because(why,
			"a piece of its backfill is ready; %u of %u places for runs are taken "
			"(limits.max_active), %u of them by backfills, which get half, behind "
			"live runs",
			f->active, f->max_active, f->active_backfills);
	else
		etl_why_because(why,
			"ready, but %u of %u places for runs are taken (limits.max_active)",
			f->active, f->max_active);
	if (f->ahead < 2)
		etl_why_because(why, "%s job is before it", f->ahead ? "1" : "no");
	else
		etl_why_because(why, "%zu jobs are before it", f->ahead);
	etl_why_next(why, (etl_wall){0}, "a run ends%s",
		f->ahead ? " and those before it have had their turn" : "");
	etl_why_hint(why, "schedule.jitter spreads slots that meet: etlctl simulate");
}

/* People who see this fear for their slots; the sentence says what becomes of them. */
static void needs_store(const struct etl_why_job *f, struct etl_why *why)
{
	char since[ETL_TIME_TEXT_BYTES];

	if (f->mongodb_since.ms)
		etl_why_because(why, "MongoDB is unreachable since %s: %s",
			etl_why_stamp(f->mongodb_since, since), f->mongodb_why);
	else
		etl_why_because(why, "MongoDB has not answered yet: etld is starting");
	etl_why_because(why, "no slot is lost: they are decided when MongoDB is back");
	etl_why_next(why, f->mongodb_next, "MongoDB is asked again");
	etl_why_hint(why, "etlctl status");
}

/* The lease may be renewed for hours by a long run: the time is when it is asked for again, not
 * when it ends. */
static void is_held(const struct etl_why_job *f, struct etl_why *why)
{
	char until[ETL_TIME_TEXT_BYTES];

	etl_why_because(why,
		"another etld has the lease of the job, until %s if it does not renew it",
		etl_why_stamp(f->held_until, until));
	etl_why_next(why, f->held_until, "the lease is asked for again");
	etl_why_hint(why, "etlctl runs %s", f->name);
}

/* The one state in which nothing of this process will change anything. */
static void is_stopping(const struct etl_why_job *f, struct etl_why *why)
{
	(void)f;
	etl_why_because(why, "etld is stopping: nothing starts any more");
	etl_why_next(why, (etl_wall){0},
		"etld is started again; missed slots are decided then (misfire)");
}

/* "window 2026-07-01T10:00:00Z of partition 283164601". */
static void window_text(const struct etl_job *job, struct etl_window window,
	const struct etl_partition *partition, char *out, size_t size)
{
	char start[ETL_TIME_TEXT_BYTES];

	snprintf(out, size, "window %s%s%s", etl_why_stamp(window.start, start),
		job->partition_names[0] ? " of partition " : "",
		job->partition_names[0] ? partition->name : "");
}

/* Before the phase: the next slot changes nothing for a job whose windows are blocked. */
static void add_blocked(const struct etl_why_job *f, struct etl_why *why)
{
	char what[300];

	if (!f->owed || !f->owed->n_links || f->phase != ETL_PHASE_IDLE)
		return;
	if (f->job->window.none)
		snprintf(what, sizeof what, "it");
	else
		window_text(f->job, f->owed->blocked, f->owed->blocked_of, what, sizeof what);
	etl_why_links(what, f->owed->links, f->owed->n_links, why);
}

/* A job is looked at in its first ETL_EXPLAIN_PARTITIONS partitions; the words say so, or "no
 * window is due" would be taken for all of them. */
static void add_owed(const struct etl_why_job *f, struct etl_why *why)
{
	const struct etl_why_owed *owed = f->owed;
	char oldest[300], of[96] = "";

	if (owed && owed->n && f->job->window.object) {
		etl_why_because(why, "%llu object%s found and not loaded, the oldest at %s",
			(unsigned long long)owed->n, owed->n == 1 ? " was" : "s were",
			etl_why_stamp(owed->oldest.start, oldest));
		etl_why_hint(why, "etlctl windows %s", f->name);
	}
	if (!owed || f->job->window.none)
		return;
	if (owed->looked < owed->all)
		snprintf(of, sizeof of, " in the first %zu of its %zu partitions", owed->looked,
			owed->all);
	else if (owed->all > 1 && owed->n)
		snprintf(of, sizeof of, " in %zu of its %zu partitions", owed->partitions,
			owed->all);
	if (!owed->n) {
		etl_why_because(why, "no window is due%s", of);
		return;
	}
	window_text(f->job, owed->oldest, owed->of, oldest, sizeof oldest);
	etl_why_because(why, "%s%llu window%s due%s, the oldest: %s", owed->more ? "more than " : "",
		(unsigned long long)owed->n, owed->n == 1 ? " is" : "s are", of, oldest);
	etl_why_hint(why, "etlctl windows %s", f->name);
}

/* A host that asked to be left alone, or fails, delays each run that asks it, so it is told in
 * every phase. */
static void add_host(const struct etl_why_job *f, struct etl_why *why)
{
	char until[ETL_TIME_TEXT_BYTES];

	if (!f->host_why)
		return;
	etl_why_because(why, "its host %s is left alone until %s: %s", f->job->host,
		etl_why_stamp(f->host_until, until), f->host_why);
	etl_why_next(why, f->host_until, "a request to %s is let through", f->job->host);
	etl_why_hint(why, "etlctl status");
}

/* Beside the phase and not instead of it: a job may wait for its slot while a piece of its backfill
 * waits for a place. */
static void add_backfill(const struct etl_why_backfill *f, struct etl_why *why)
{
	const struct etl_backfill *b = &f->facts;
	char from[ETL_TIME_TEXT_BYTES], to[ETL_TIME_TEXT_BYTES], until[ETL_TIME_TEXT_BYTES];

	etl_why_stamp(f->until, until);
	etl_why_because(why,
		"backfill %s of windows from %s to %s goes on: %llu of %llu windows are done; "
		"%s%s%s%s",
		b->id, etl_why_stamp(b->range.start, from), etl_why_stamp(b->range.end, to),
		(unsigned long long)b->done, (unsigned long long)b->windows,
		*f->waits_for ? "it waits: " : "a piece of it runs", f->waits_for,
		f->until.ms ? ", until " : "", f->until.ms ? until : "");
}

/* More than four are counted: their names would be the whole answer. */
static void add_backfills(const struct etl_why_job *f, struct etl_why *why)
{
	for (size_t i = 0; i < f->n_backfills && i < ETL_WHY_BACKFILLS; i++)
		add_backfill(&f->backfills[i], why);
	if (f->n_backfills > ETL_WHY_BACKFILLS)
		etl_why_because(
			why, "%zu more backfills go on", f->n_backfills - ETL_WHY_BACKFILLS);
	if (f->n_backfills)
		etl_why_hint(why, "etlctl backfills %s", f->name);
}

/* Missed or not: how long there is left is what an operator wants to know before. */
static void add_deadline(const struct etl_why_job *f, struct etl_why *why)
{
	char what[300], due[ETL_TIME_TEXT_BYTES], length[ETL_DURATION_TEXT_BYTES];

	if (!f->deadline)
		return;
	window_text(f->job, f->deadline->window, f->deadline_of, what, sizeof what);
	etl_duration_format(f->job->deadline, length, sizeof length);
	etl_why_because(why, "%s %s %s (deadline: window.end + %s)", what,
		etl_deadline_is_missed(f->deadline, f->now) ? "was not closed by its deadline" :
							      "has to be closed by",
		etl_why_stamp(f->deadline->due, due), length);
}

/* The run before is told even if it went well: why it ran is half of the answer to "why does it
 * not run now?". Example: "its last run 4f1c... ended partial at 2026-07-01T10:12:40Z: 1 window
 * failed; it ran because its slot 2026-07-01T10:10:00Z had come". */
static void add_last(const struct etl_why_job *f, struct etl_why *why)
{
	const struct etl_why_run *last = f->last;
	char at[ETL_TIME_TEXT_BYTES], trigger[ETL_WHY_TRIGGER_BYTES];

	if (!last)
		return;
	etl_why_trigger(last, trigger);
	etl_why_because(why, "its last run %s ended %s at %s%s%s; it ran because %s", last->run_id,
		last->state, etl_why_stamp(last->ended, at), *last->reason ? ": " : "",
		last->reason, trigger);
	etl_why_hint(why, "etlctl why %s", last->run_id);
	if (last->rejected)
		etl_why_hint(why, "etlctl dead list %s", last->run_id);
}

/* No fault, and nobody would look for it: data of before are in another place than those of now.
 * The command that would load them again is a hint, for whoever wants that. */
static void add_elsewhere(const struct etl_why_job *f, struct etl_why *why)
{
	char text[ETL_ELSEWHERE_TEXT_BYTES], command[ETL_ELSEWHERE_TEXT_BYTES];

	if (!f->elsewhere || !etl_elsewhere_any(f->elsewhere))
		return;
	etl_elsewhere_text(f->elsewhere, text);
	etl_elsewhere_command(f->job, command);
	etl_why_because(why, "%s: %s, and nothing is loaded again unasked", text, f->elsewhere->n ?
		"its load went elsewhere before" : "what decides its documents has changed since");
	etl_why_hint(why, "etlctl windows %s --stale", f->name);
	etl_why_hint(why, "%s", command);
}

/* A file with errors is taken again by a reload; a setting that only a start reads needs a
 * restart. */
void etl_why_left_out(const struct etl_job *job, struct etl_why *why)
{
	etl_why_because(
		why, "job %s is left out until its file is right: %s", job->name, job->left_out);
	etl_why_hint(why, "etlctl config check");
	etl_why_hint(why, etl_job_wants_restart(job) ? "systemctl restart etld" : "etlctl reload");
}

/* The order is that of certainty: what blocks the job, its phase, then what is worth knowing
 * besides. The first function that calls etl_why_next names the next event. Example: a job that is
 * blocked by a window upstream and whose slot comes at 13:10: what is told as next is when the
 * upstream runs, since its own slot would find it blocked again. */
void etl_why_of_job(const struct etl_why_job *facts, struct etl_why *why)
{
	if (facts->job->left_out) {
		etl_why_left_out(facts->job, why);
		add_backfills(facts, why);
		add_last(facts, why);
		return;
	}
	add_blocked(facts, why);
	switch (facts->phase) {
	case ETL_PHASE_IDLE:
		is_idle(facts, why);
		break;
	case ETL_PHASE_PAUSED:
		is_paused(facts, why);
		break;
	case ETL_PHASE_RUNNING:
		is_running(facts, why);
		break;
	case ETL_PHASE_SENSING:
		is_sensing(facts, why);
		break;
	case ETL_PHASE_PLACE:
		needs_place(facts, why);
		break;
	case ETL_PHASE_STORE:
		needs_store(facts, why);
		break;
	case ETL_PHASE_HELD:
		is_held(facts, why);
		break;
	case ETL_PHASE_STOPPING:
		is_stopping(facts, why);
		break;
	case ETL_PHASE_MAX:
		break;
	}
	add_host(facts, why);
	add_owed(facts, why);
	add_elsewhere(facts, why);
	add_deadline(facts, why);
	add_backfills(facts, why);
	add_last(facts, why);
	if (facts->skip && facts->skip->last.ms)
		etl_why_skip(facts->job, facts->skip, why);
}
