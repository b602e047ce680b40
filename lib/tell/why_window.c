/* SPDX-License-Identifier: MIT
 *
 * A window in words: its ledger entry, whether it is due and why, and what it waits for. Reads
 * nothing and decides nothing: explain.c has asked the functions of a run.
 *
 * Example of a window that a check holds back:
 *   because  held: a check in run 0197c5d2-... held it back at 2026-07-01T11:10:05Z: range /v ...
 *   because  an operator may let this content in (held release), or close the window without it
 *            (held discard)
 *   because  it is due: it is still open
 *   next     the next run of job airqino takes it
 *   hint     etlctl held release airqino 2026-07-01T10:00:00Z --reason TEXT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/str.h"
#include "job/stale.h"
#include "ops/decision.h"
#include "tell/why.h"
#include "time/civil.h"
#include "time/duration.h"

/* A job without windows has one unit, which no time names. */
static bool is_whole(const struct etl_why_window *f)
{
	return f->job->window.none;
}

/* ---- the ledger ---------------------------------------------------------------------------- */

/* A run takes windows of one request; a longer range is a backfill. Example: hourly windows,
 * max_span 24h: six hours are `etlctl run --from --to`, three days are `etlctl backfill --from
 * --to --reprocess all`. */
void etl_why_again(const struct etl_job *job, const char *partition, const struct etl_window *range,
	struct etl_buf *out)
{
	const struct etl_window_rules *rules = &job->window;
	bool fits = range->end.ms - range->start.ms <= etl_dur_ms(rules->max_span) ||
		etl_grid_count(&rules->grid, *range) <= 1;
	char from[ETL_TIME_TEXT_BYTES], to[ETL_TIME_TEXT_BYTES];

	if (rules->none)
		etl_buf_printf(out, "etlctl run %s", job->name);
	else
		etl_buf_printf(out, "etlctl %s %s --from %s --to %s", fits ? "run" : "backfill",
			job->name, etl_why_stamp(range->start, from),
			etl_why_stamp(range->end, to));
	etl_job_partition_option(partition, out);
	if (!rules->none && !fits)
		etl_buf_str(out, " --reprocess all");
}

/* Records of the window that were refused: where they are, and how they are loaded once the
 * cause is mended. Loaded again as a whole: there is no way to send one record through alone. */
static void tell_rejects(const struct etl_why_window *f, struct etl_why *why)
{
	unsigned long long n = (unsigned long long)f->entry.counts.rejected;
	ETL_BUF_CLEANUP struct etl_buf command;
	char start[ETL_TIME_TEXT_BYTES];

	etl_buf_init(&command, 4096);
	if (!n)
		return;
	etl_why_because(why, n == 1 ? "%llu record of it was refused: it is a dead letter" :
				      "%llu records of it were refused: they are dead letters", n);
	etl_buf_printf(&command, "etlctl dead list %s", f->job->name);
	if (!is_whole(f))
		etl_buf_printf(&command, " --window %s", etl_why_stamp(f->window.start, start));
	etl_job_partition_option(f->partition, &command);
	etl_why_hint(why, "%s", etl_buf_text(&command));
	if (!etl_window_is_closed(f->entry.state) || f->object)
		return;
	etl_buf_clear(&command);
	etl_why_again(f->job, f->partition, &f->window, &command);
	etl_why_hint(why, "%s", etl_buf_text(&command));
}

/* An operator's change is told even if a run has tried the window since: it explains a state
 * that no run would leave. */
static void tell_change(const struct etl_why_window *f, struct etl_why *why)
{
	char at[ETL_TIME_TEXT_BYTES];
	enum etl_change_kind kind;
	bool decision =
		etl_change_kind_parse(f->change_kind, &kind) && etl_change_is_decision(kind);

	if (f->change_at.ms)
		etl_why_because(why, "%s (%s) touched it, made by %s at %s%s%s",
			decision ? "a decision" : "a change of the watermark", f->change_kind,
			f->change_who, etl_why_stamp(f->change_at, at), *f->change_why ? ": " : "",
			f->change_why);
}

/* The command and nothing else, since it is pasted as it is. */
static void hint_decision(const struct etl_why_window *f, enum etl_change_kind kind,
	struct etl_why *why)
{
	struct etl_unit unit = {f->job, f->partition, f->entry.window, f->object};
	etl_cleanup(free) char *command = etl_decision_command(kind, &unit);

	etl_why_hint(why, "%s", command);
}

/* A run of this window alone. Also for one that is closed: `etlctl run JOB --window TIME` reads it
 * again all the same. */
static void hint_run(const struct etl_why_window *f, struct etl_why *why)
{
	struct etl_unit unit = {f->job, f->partition, f->window, f->object};
	etl_cleanup(free) char *command = etl_unit_run_command(&unit);

	etl_why_hint(why, "%s", command);
}

/* Newer content of a window that is closed: what it has stays, and somebody is asked. */
static void tell_newer(const struct etl_why_window *f, struct etl_why *why)
{
	const struct etl_ledger_entry *e = &f->entry;
	char text[200];

	if (e->state == ETL_WINDOW_HELD || !etl_ledger_is_held(e))
		return;
	etl_held_text(&e->held, false, text, sizeof text);
	etl_why_because(why, "a check in run %s holds its newer content back: %s; what was loaded stays",
		e->run_id, text);
	etl_why_because(why, "an operator may let this content in (held release), or leave the window as it "
			     "is (held discard)");
	hint_decision(f, ETL_CHANGE_RELEASE, why);
	hint_decision(f, ETL_CHANGE_DISCARD, why);
}

/* Each state is told with the commands that it allows: an operator who reads "held" wants to
 * know what to do about it. Of each state: by which run, when, why; then what may be done about it,
 * as commands. */
static void tell_entry(const struct etl_why_window *f, struct etl_why *why)
{
	const struct etl_ledger_entry *e = &f->entry;
	char at[ETL_TIME_TEXT_BYTES];
	const char *colon = *e->reason ? ": " : "";
	long long attempt = (long long)e->attempt;

	etl_why_stamp(e->updated, at);
	switch (e->state) {
	case ETL_WINDOW_PENDING:
		etl_why_because(why, "pending since %s%s%s: it is due", at, colon, e->reason);
		if (*e->held.by)
			etl_why_because(why,
				"it is loaded if its content is still what was held; else it "
				"is held again");
		return;
	case ETL_WINDOW_RUNNING:
		etl_why_because(why,
			"running: it is large, and some slices of it are in (run %s, attempt %lld, at %s)",
			e->run_id, attempt, at);
		return;
	case ETL_WINDOW_LOADED:
		etl_why_because(why, "loaded by run %s at %s: %llu record%s, attempt %lld",
			e->run_id, at, (unsigned long long)e->counts.out,
			e->counts.out == 1 ? "" : "s", attempt);
		if (*e->held.by) /* the reason names who released it */
			etl_why_because(why, "%s", e->reason);
		return;
	case ETL_WINDOW_EMPTY:
		etl_why_because(why,
			"empty: the source proved to run %s at %s that there is nothing", e->run_id,
			at);
		return;
	case ETL_WINDOW_HELD:
		etl_why_because(why,
			"held: a check in run %s held it back at %s%s%s (attempt %lld)", e->run_id,
			at, colon, e->reason, attempt);
		etl_why_because(why,
			"an operator may let this content in (held release), or close the "
			"window without it (held discard)");
		hint_decision(f, ETL_CHANGE_RELEASE, why);
		hint_decision(f, ETL_CHANGE_DISCARD, why);
		etl_why_hint(why, "etlctl show %s", e->run_id);
		return;
	case ETL_WINDOW_FAILED:
		etl_why_because(why, "failed: attempt %lld in run %s at %s%s%s", attempt, e->run_id,
			at, colon, e->reason);
		etl_why_hint(why, "etlctl why %s", e->run_id);
		if (e->counts.rejected && !e->counts.out) {
			etl_why_because(why,
				"an operator may close it without its records (windows accept)");
			hint_decision(f, ETL_CHANGE_ACCEPT, why);
		}
		return;
	case ETL_WINDOW_UNRECOVERABLE:
		etl_why_because(why, "unrecoverable: given up by run %s at %s%s%s", e->run_id, at,
			colon, e->reason);
		return;
	case ETL_WINDOW_SKIPPED:
		etl_why_because(why, "skipped at %s%s%s", at, colon, e->reason);
		if (f->change_at.ms && !f->object)
			etl_why_hint(why, "etlctl watermark undo %s", f->job->name);
		return;
	case ETL_WINDOW_STATE_MAX:
		return;
	}
}

/* Below the watermark and not before the origin: there the ledger should have an entry of each
 * window. Example: origin Jan 1, watermark May 1. An hour of March without an entry is a hole; one
 * of May is not tried yet, and one of the year before is nobody's. */
static bool is_behind_mark(const struct etl_why_window *f)
{
	return f->has_mark && f->window.end.ms <= f->mark.processed.ms &&
		f->window.start.ms >= f->mark.origin.ms;
}

/* A missing entry below the watermark is not the same as a window that was never tried:
 * something removed it. */
void etl_why_ledger(const struct etl_why_window *f, struct etl_why *why)
{
	if (f->has_entry) {
		tell_entry(f, why);
		tell_newer(f, why);
		tell_rejects(f, why);
		tell_change(f, why);
	} else if (!is_whole(f) && is_behind_mark(f)) {
		etl_why_because(why,
			"the ledger has no entry of it, although the watermark has passed it: "
			"it was deleted, or a backup was put back; one of the next runs "
			"looks for such holes");
	} else {
		etl_why_because(
			why, "the ledger has no entry of it: no run has closed it or failed at it");
	}
}

/* Tells of a window that was closed by a load into another target, when the job's target of
 * today has nothing of it, or by another definition. Nothing is loaded again unasked, so the command
 * is given. */
static void tell_stale(const struct etl_why_window *f, struct etl_why *why)
{
	const struct etl_current current = {f->definition, f->target, &f->mark.targets};
	char was[ETL_TARGET_BYTES], is[ETL_TARGET_BYTES], text[ETL_STALE_TEXT_BYTES];
	enum etl_stale stale = f->has_entry ? etl_stale_of(&current, f->entry.state, f->entry.definition,
		f->window.start) : ETL_STALE_NOT;
	const char *at = f->has_entry ? etl_stale_place(&current, &f->entry) : NULL;
	ETL_BUF_CLEANUP struct etl_buf command;
	char from[ETL_TIME_TEXT_BYTES], to[ETL_TIME_TEXT_BYTES];

	etl_buf_init(&command, 4096);
	if (stale == ETL_STALE_NOT)
		return;
	if (stale == ETL_STALE_TARGET) {
		etl_target_beside(at, f->target, was);
		etl_target_beside(f->target, at, is);
		etl_why_because(why, "it was loaded into '%s', and its job loads into '%s' now, which does "
				     "not have it", was, is);
	} else {
		etl_stale_text(&current, &f->entry, text);
		etl_why_because(why, "it was %s: extract, transform, check or load have changed since", text);
	}
	etl_buf_printf(&command, "etlctl %s %s", is_whole(f) ? "run" : "restate", f->job->name);
	if (!is_whole(f)) {
		etl_buf_printf(&command, " --from %s --to %s", etl_why_stamp(f->window.start, from),
			etl_why_stamp(f->window.end, to));
		etl_job_partition_option(f->partition, &command);
	}
	etl_why_hint(why, "%s", etl_buf_text(&command));
}

/* ---- due ----------------------------------------------------------------------------------- */

/* The rule that made it due is told in the words of the configuration, where there is a setting
 * for it. A window may be closed and due: it is read again by rule, or somebody has marked it. */
static void tell_due(const struct etl_why_window *f, struct etl_why *why)
{
	switch (f->why) {
	case ETL_DUE_NEW:
		etl_why_because(why, "it is due: it was never loaded");
		return;
	case ETL_DUE_OPEN:
		etl_why_because(why, "it is due: it is still open");
		return;
	case ETL_DUE_DIRTY:
		etl_why_because(why, "it is due: it is closed, but marked to be read again%s%s",
			*f->entry.reason ? ": " : "", f->entry.reason);
		return;
	case ETL_DUE_AGAIN:
		etl_why_because(why, is_whole(f) ? "it is due: each run reads everything" :
			"it is due: each run reads it again (window.lookback or window.reread)");
		return;
	case ETL_DUE_CHANGED:
		etl_why_because(why, "it is due: it has changed since it was read");
		return;
	case ETL_DUE_ASKED:
		etl_why_because(why, "it is due: an operator asked for it");
		return;
	}
}

/* The first slot at which the window may be taken, jitter included; ms == 0 for a job without a
 * schedule. */
static etl_wall slot_after(const struct etl_why_window *f, etl_wall t)
{
	etl_wall slot;

	if (!f->job->calendar || !etl_calendar_next(f->job->calendar, (etl_wall){t.ms - 1}, &slot))
		return (etl_wall){0};
	return etl_wall_add(slot, f->jitter);
}

/* Before this time no run may touch the window, whatever starts it. */
static void not_final(const struct etl_why_window *f, etl_wall final_at, struct etl_why *why)
{
	char at[ETL_TIME_TEXT_BYTES], settle[ETL_DURATION_TEXT_BYTES];

	etl_duration_format(f->job->window.settle, settle, sizeof settle);
	etl_why_because(why, "it is not final before %s: its end and window.settle (%s)",
		etl_why_stamp(final_at, at), settle);
	etl_why_next(why, slot_after(f, final_at), "the first run after %s takes it", at);
}

/* The reasons are asked in the order of planning: behind the end, not final, closed. A closed
 * window can be run again all the same, and the command for that is given. */
static void not_due(const struct etl_why_window *f, struct etl_why *why)
{
	const struct etl_window_rules *rules = &f->job->window;
	etl_wall final_at = etl_wall_add(f->window.end, rules->settle);
	bool closed = f->has_entry && etl_window_is_closed(f->entry.state);

	if (!is_whole(f) && rules->end.ms && f->window.end.ms > rules->end.ms)
		etl_why_because(why, "it is never due: it ends behind window.end");
	else if (!is_whole(f) && f->now.ms < final_at.ms)
		not_final(f, final_at, why);
	else if (closed)
		etl_why_because(why, "it is not due: it is closed");
	else
		etl_why_because(why, "it is not due");
	if (closed && !is_whole(f))
		hint_run(f, why);
}

/* The window's own deadline, as long as it is not closed. Told from the deadline's length on,
 * before it is missed: "it has to be closed by 2026-07-01T11:30:00Z (deadline: window.end + 30m)".
 */
static void tell_deadline(const struct etl_why_window *f, struct etl_why *why)
{
	struct etl_deadline d = {f->window, etl_wall_add(f->window.end, f->job->deadline)};
	char due[ETL_TIME_TEXT_BYTES], length[ETL_DURATION_TEXT_BYTES];

	if (is_whole(f) || !f->job->deadline.us || !f->due ||
		(f->has_entry && etl_window_is_closed(f->entry.state)))
		return;
	etl_duration_format(f->job->deadline, length, sizeof length);
	etl_why_because(why, "%s %s (deadline: window.end + %s)",
		etl_deadline_is_missed(&d, f->now) ? "it was not closed by its deadline" :
						     "it has to be closed by",
		etl_why_stamp(d.due, due), length);
}

/* ---- what it waits for --------------------------------------------------------------------- */

/* The partition is named where the job has several: another one of the same hour may be in. */
static void link_text(const struct etl_why_link *l, char *out, size_t size)
{
	char start[ETL_TIME_TEXT_BYTES];

	if (l->job->window.none)
		snprintf(out, size, "a run of job %s", l->job->name);
	else
		snprintf(out, size, "window %s of job %s%s%s",
			etl_why_stamp(l->window.start, start), l->job->name,
			l->job->partition_names[0] ? ", partition " : "",
			l->job->partition_names[0] ? l->partition->name : "");
}

/* What ends such a phase. In these phases a run is about to start, so the time of the next slot
 * says nothing. */
static const char *held_by(enum etl_sched_phase phase)
{
	static const char *const words[ETL_PHASE_MAX] = {
		[ETL_PHASE_SENSING] = "what it waits for has come",
		[ETL_PHASE_PLACE] = "a place is free",
		[ETL_PHASE_STORE] = "MongoDB is back",
		[ETL_PHASE_HELD] = "another etld gives its lease back",
		[ETL_PHASE_STOPPING] = "etld is started again",
	};

	return words[phase];
}

/* Why the last link of the chain is not loaded, and what will change that: every job before it
 * only waits. */
static void tell_root(const struct etl_why_link *l, struct etl_why *why)
{
	char what[256], at[ETL_TIME_TEXT_BYTES];

	link_text(l, what, sizeof what);
	if (l->job->left_out) { /* the link has said why */
		etl_why_hint(why, "etlctl config check");
		etl_why_hint(why,
			etl_job_wants_restart(l->job) ? "systemctl restart etld" : "etlctl reload");
		return;
	}
	if (!l->is_final) {
		etl_wall final_at = etl_wall_add(l->window.end, l->job->window.settle);

		etl_why_because(why, "%s is not final before %s (window.settle)", what,
			etl_why_stamp(final_at, at));
		etl_why_next(why, final_at, "%s is final; %s loads it at its next slot", what,
			l->job->name);
		return;
	}
	switch (l->phase) {
	case ETL_PHASE_PAUSED:
		etl_why_because(why, "job %s is paused", l->job->name);
		etl_why_hint(why, "etlctl resume %s", l->job->name);
		break;
	case ETL_PHASE_RUNNING:
		etl_why_next(why, (etl_wall){0}, "job %s is running", l->job->name);
		break;
	case ETL_PHASE_IDLE:
	case ETL_PHASE_MAX:
		if (l->fire.ms)
			etl_why_next(why, l->fire, "job %s runs", l->job->name);
		break;
	case ETL_PHASE_SENSING:
	case ETL_PHASE_PLACE:
	case ETL_PHASE_STORE:
	case ETL_PHASE_HELD:
	case ETL_PHASE_STOPPING:
		etl_why_next(why, (etl_wall){0}, "job %s runs, when %s", l->job->name,
			held_by(l->phase));
		break;
	}
	etl_why_hint(why, "etlctl why %s", l->job->name);
}

/* Told as a chain, from the subject on: each link waits for the next, and only the last can be
 * helped. */
void etl_why_links(const char *subject, const struct etl_why_link *links, size_t n,
	struct etl_why *why)
{
	char what[256];

	for (size_t i = 0; i < n; i++) {
		link_text(&links[i], what, sizeof what);
		etl_why_because(why, "%s%s %s, %s%s", i ? "" : subject,
			i ? "that one waits for" : " is blocked: it waits for", what,
			*links[i].why ? "which is " : "which no run has closed", links[i].why);
	}
	tell_root(&links[n - 1], why);
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* A window that is due is taken by the next run of its job, whatever starts it; only the phase
 * tells when that is. Only where nothing is waited for: else the last link of the chain says what
 * comes next. */
static void tell_next(const struct etl_why_window *f, struct etl_why *why)
{
	switch (f->phase) {
	case ETL_PHASE_PAUSED:
		etl_why_because(why, "job %s is paused", f->job->name);
		etl_why_hint(why, "etlctl resume %s", f->job->name);
		break;
	case ETL_PHASE_RUNNING:
		etl_why_next(
			why, (etl_wall){0}, "the run that goes may take it, else the next one");
		break;
	case ETL_PHASE_IDLE:
	case ETL_PHASE_MAX:
		etl_why_next(why, f->fire, "the next run of job %s %s it", f->job->name,
			f->lost ? "gives up" : "takes");
		break;
	case ETL_PHASE_SENSING:
	case ETL_PHASE_PLACE:
	case ETL_PHASE_STORE:
	case ETL_PHASE_HELD:
	case ETL_PHASE_STOPPING:
		etl_why_next(why, (etl_wall){0}, "a run of job %s %s it, when %s", f->job->name,
			f->lost ? "gives up" : "takes", held_by(f->phase));
		break;
	}
	etl_why_hint(why, "etlctl why %s", f->job->name);
}

/* A window in a zone was asked for by a local date, and all that is told of it is in UTC, where it begins
 * on another day. */
static void tell_dates(const struct etl_why_window *f, struct etl_why *why)
{
	const struct etl_zone *zone = is_whole(f) ? NULL : f->job->window.grid.zone;
	char from[ETL_DATE_TEXT_BYTES], until[ETL_DATE_TEXT_BYTES], end[ETL_TIME_TEXT_BYTES];

	if (!zone)
		return;
	etl_zone_date(zone, f->window.start, from);
	etl_zone_date(zone, f->window.end, until);
	etl_why_because(why, "in %s it goes from %s until %s, which begins at %s", etl_zone_name(zone), from,
		until, etl_why_stamp(f->window.end, end));
}

/* State first, then whether it is due, then what it waits for: a reader who knows one may stop
 * there. */
void etl_why_of_window(const struct etl_why_window *f, struct etl_why *why)
{
	tell_dates(f, why);
	etl_why_ledger(f, why);
	tell_stale(f, why);
	if (f->job->left_out) {
		etl_why_left_out(f->job, why);
		return;
	}
	if (!f->due) {
		not_due(f, why);
	} else {
		tell_due(f, why);
		tell_deadline(f, why);
		if (f->lost)
			etl_why_because(
				why, "it is older than the source keeps (window.retention)");
		if (f->n_links)
			etl_why_links("it", f->links, f->n_links, why);
		else
			tell_next(f, why);
	}
	if (!is_whole(f) && (f->lost || (f->has_entry && !etl_window_is_closed(f->entry.state))))
		hint_run(f, why);
}
