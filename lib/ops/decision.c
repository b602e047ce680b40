/* SPDX-License-Identifier: MIT
 *
 * Decisions about one unit. An operator who cannot decide yet, or no longer, is told the
 * command that fits the state of the unit. Nothing is written here: change_apply.c does that.
 */
#include "ops/decision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/str.h"
#include "time/civil.h"

/* ---- commands ------------------------------------------------------------------------------ */

/* A job without partitions has no --partition: the command stays what people type. */
static void append_partition(struct etl_buf *out, const struct etl_unit *unit)
{
	if (unit->job->partition_names[0])
		etl_job_partition_option(unit->partition, out);
}

/* A job without windows has one unit; "-" stands for it in commands. */
static void append_unit(struct etl_buf *out, const struct etl_unit *unit)
{
	char start[ETL_TIME_TEXT_BYTES];

	if (unit->object) {
		etl_encode_shell(out, unit->object);
	} else if (unit->job->window.none) {
		etl_buf_char(out, '-');
	} else {
		etl_time_format_rfc3339(unit->window.start, start);
		etl_buf_str(out, start);
	}
}

#define UNIT_WORDS_BYTES 220

/* "window 2026-07-01T10:00:00Z", "object '/in/a.csv'", in a sentence. */
static const char *unit_words(const struct etl_unit *unit, char out[UNIT_WORDS_BYTES])
{
	char text[200];

	if (unit->object)
		etl_object_show(unit->object, text, sizeof text);
	else if (unit->job->window.none)
		return "the one unit";
	else
		etl_time_format_rfc3339(unit->window.start, text);
	snprintf(out, UNIT_WORDS_BYTES, unit->object ? "object '%s'" : "window %s", text);
	return out;
}

const char *etl_decision_words(enum etl_change_kind kind)
{
	switch (kind) {
	case ETL_CHANGE_RELEASE:
		return "held release";
	case ETL_CHANGE_DISCARD:
		return "held discard";
	case ETL_CHANGE_ACCEPT:
		return "windows accept";
	case ETL_CHANGE_SET:
	case ETL_CHANGE_REWIND:
	case ETL_CHANGE_UNDO:
	case ETL_CHANGE_KIND_MAX:
		break;
	}
	return "";
}

/* etlctl held release airqino 2026-07-01T10:00:00Z --partition 283164601 --reason TEXT
 * Each word is quoted where a shell would read it otherwise; only TEXT is for the
 * operator to fill. */
char *etl_decision_command(enum etl_change_kind kind, const struct etl_unit *unit)
{
	struct etl_buf text;

	etl_buf_init(&text, 8192);
	etl_buf_printf(&text, "etlctl %s %s ", etl_decision_words(kind), unit->job->name);
	append_unit(&text, unit);
	append_partition(&text, unit);
	etl_buf_str(&text, " --reason TEXT");
	return etl_buf_take(&text);
}

/* A job without windows has only one thing to run. */
char *etl_unit_run_command(const struct etl_unit *unit)
{
	struct etl_buf text;

	etl_buf_init(&text, 8192);
	etl_buf_printf(&text, "etlctl run %s", unit->job->name);
	if (!unit->job->window.none || unit->object) {
		etl_buf_str(&text, unit->object ? " --object " : " --window ");
		append_unit(&text, unit);
		append_partition(&text, unit);
	}
	return etl_buf_take(&text);
}

/* Example: a unit is held by `range /v` and `rows`; a release of `range` alone leaves "still
 * held by rows (...); the rest was released by ann: known outage". */
char *etl_decision_reason(enum etl_change_kind kind, const char *who, const char *text,
	const struct etl_held *held)
{
	char left[160];

	if (kind != ETL_CHANGE_RELEASE)
		return etl_strf("%s by %s: %s",
			kind == ETL_CHANGE_ACCEPT ? "accepted" : "discarded", who, text);
	if (etl_held_is_free(held))
		return etl_strf("released by %s: %s", who, text);
	etl_held_text(held, false, left, sizeof left);
	return etl_strf("still held by %s; the rest was released by %s: %s", left, who, text);
}

/* ---- releases ------------------------------------------------------------------------------ */

/* "range", or "range /v" for the check of one field. */
static bool is_named(const struct etl_held_check *c, const char *name)
{
	size_t n = strlen(c->check);

	return etl_streq(c->check, name) || (strncmp(c->check, name, n) == 0 && name[n] == ' ' &&
						    etl_streq(c->field, name + n + 1));
}

/* A release is about one content: the run that follows passes the named checks only if it reads
 * what was held. Without the hash of the content there is nothing to compare with, so such a
 * unit can only be discarded. */
int etl_decision_release(const struct etl_unit *unit, const struct etl_ledger_entry *entry,
	const char *check, const char *who, etl_wall now, struct etl_held *held,
	struct etl_error *err)
{
	char words[UNIT_WORDS_BYTES], all[200];
	size_t n = 0;

	*held = entry->held;
	if (!(*held->content || *entry->hash) || !held->n) {
		etl_cleanup(free) char *discard = etl_decision_command(ETL_CHANGE_DISCARD, unit);

		return etl_error_set(err, ETL_PERMANENT, "change.state",
			"%s of job '%s' was held by an earlier version, or is larger than a share of "
			"memory: its content could not be known again; '%s' closes it",
			unit_words(unit, words), unit->job->name, discard);
	}
	for (size_t i = 0; i < held->n; i++)
		if (!check || is_named(&held->checks[i], check)) {
			held->checks[i].released = true;
			n++;
		}
	etl_text_copy(held->by, sizeof held->by, who);
	held->at = now;
	if (n)
		return 0;
	etl_held_text(&entry->held, false, all, sizeof all);
	return etl_error_set(err, ETL_PERMANENT, "change.check",
		"no check '%s' holds %s of job '%s'; it is held by %s", check,
		unit_words(unit, words), unit->job->name, all);
}

/* ---- which unit ---------------------------------------------------------------------------- */

/* A window of which the ledger has no entry: could a run have tried it? If it is not final yet,
 * or before the job's start, the message names the nearest time that would do. */
static int need_on_grid(const struct etl_job *job, etl_wall t, etl_wall now, struct etl_window *out,
	struct etl_error *err)
{
	const struct etl_window_rules *rules = &job->window;
	etl_wall limit = etl_window_limit(rules, now);
	char at[ETL_TIME_TEXT_BYTES];

	*out = etl_window_at(rules, t);
	if (t.ms < rules->grid.start.ms) {
		etl_time_format_rfc3339(rules->grid.start, at);
		return etl_error_set(err, ETL_PERMANENT, "no_such_window",
			"the first window of job '%s' begins at %s (window.start)", job->name, at);
	}
	if (out->end.ms <= limit.ms)
		return 0;
	etl_time_format_rfc3339(limit, at);
	return etl_error_set(err, ETL_PERMANENT, "no_such_window",
		"job '%s' has no such window yet: what ends after %s is not final (window.settle, "
		"window.end)", job->name, at);
}

struct search {
	bool whole; /* the one entry of a job without windows */
	const char *name; /* of an object */
	etl_wall t;
	bool found;
	struct etl_ledger_entry *entry;
};

/* The entry that begins at the time is meant, or the one that holds it: entries come in order
 * of their start, so the last that fits is kept. */
static int note(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct search *search = ctx;

	(void)err;
	if (!search->whole && entry->window.start.ms != search->t.ms &&
		!etl_window_holds(&entry->window, search->t))
		return 0;
	*search->entry = *entry;
	search->found = true;
	return 0;
}

static int note_object(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct search *search = ctx;

	(void)err;
	*search->entry = *entry;
	search->found = etl_streq(entry->object.name, search->name);
	search->entry->object.name = search->name; /* the store's own is gone in a moment */
	return 0;
}

/* An object of which the ledger has no entry was never due: nobody decides about it. */
static int find_object(struct etl_state *state, struct etl_unit *unit, struct etl_ledger_entry *entry,
	struct etl_error *err)
{
	struct search search = {.name = unit->object, .entry = entry};
	char words[UNIT_WORDS_BYTES];

	if (state->ops->ledger_objects(state, unit->job->name, unit->partition, unit->object, 1, note_object,
		    &search, err) < 0)
		return -1;
	if (!search.found)
		return etl_error_set(err, ETL_PERMANENT, "no_such_window",
			"the ledger has no %s of job '%s': 'etlctl windows %s --all' lists what it has",
			unit_words(unit, words), unit->job->name, unit->job->name);
	unit->window = entry->window;
	return 1;
}

/* The entry is looked for before the grid: a unit of an older grid can still be held, and has
 * to be decided about by the time at which it begins. */
int etl_decision_find(struct etl_state *state, struct etl_unit *unit, etl_wall t, etl_wall now,
	struct etl_ledger_entry *entry, struct etl_error *err)
{
	const struct etl_window_rules *rules = &unit->job->window;
	struct etl_window range = {{-1}, {1}}; /* of a job without windows: around [0, 0) */
	struct search search = {.whole = rules->none, .t = t, .entry = entry};

	if (unit->object)
		return find_object(state, unit, entry, err);
	if (!rules->none) {
		range.start = etl_window_at(rules, t).start;
		if (range.start.ms > t.ms)
			range.start = t;
		range.end = (etl_wall){t.ms + 1};
	}
	if (state->ops->ledger_scan(state, unit->job->name, unit->partition, &range,
		    ETL_LEDGER_BEGUN, note, &search, err) < 0)
		return -1;
	unit->window = search.found ? entry->window : (struct etl_window){{0}, {0}};
	if (!search.found && !rules->none &&
		need_on_grid(unit->job, t, now, &unit->window, err) < 0)
		return -1;
	return search.found;
}

/* ---- which state --------------------------------------------------------------------------- */

/* Each decision belongs to one state: what failed is accepted, what is held is released
 * or discarded. */
static bool is_allowed(enum etl_change_kind kind, const struct etl_ledger_entry *entry)
{
	if (!entry)
		return false;
	return kind == ETL_CHANGE_ACCEPT ? entry->state == ETL_WINDOW_FAILED : etl_ledger_is_held(entry);
}

/* The command that fits the state of the unit, in words. Owned by the caller.
 * Each state has its own way on; the text ends with a command to paste. */
static char *instead(const struct etl_unit *unit, enum etl_window_state state)
{
	etl_cleanup(free) char *run = etl_unit_run_command(unit);
	char *text = NULL;

	switch (state) {
	case ETL_WINDOW_PENDING:
		text = etl_strf("it is due, and nothing is known against it; '%s' loads it", run);
		break;
	case ETL_WINDOW_RUNNING:
		text = etl_strf("slices of it are in; '%s' loads all of it", run);
		break;
	case ETL_WINDOW_FAILED: {
		etl_cleanup(free) char *accept = etl_decision_command(ETL_CHANGE_ACCEPT, unit);

		text = etl_strf("'%s' closes it as it is", accept);
		break;
	}
	case ETL_WINDOW_HELD: {
		etl_cleanup(free) char *release = etl_decision_command(ETL_CHANGE_RELEASE, unit);
		etl_cleanup(free) char *discard = etl_decision_command(ETL_CHANGE_DISCARD, unit);

		text = etl_strf("'%s' lets what was held in, '%s' closes it without", release,
			discard);
		break;
	}
	case ETL_WINDOW_LOADED:
	case ETL_WINDOW_EMPTY:
	case ETL_WINDOW_UNRECOVERABLE:
	case ETL_WINDOW_SKIPPED:
	case ETL_WINDOW_STATE_MAX:
		text = etl_strf(
			"it is closed, and nothing waits for a decision; '%s' reads it again", run);
		break;
	}
	return text;
}

/* Only a state that waits for somebody can be decided about. Example: a window that failed can
 * be accepted as it is; about a loaded one nothing is left to decide, and the message names the
 * command that reads it again. */
int etl_decision_check(enum etl_change_kind kind, const struct etl_unit *unit,
	const struct etl_ledger_entry *entry, struct etl_error *err)
{
	enum etl_window_state state = entry ? entry->state : ETL_WINDOW_PENDING;
	char words[UNIT_WORDS_BYTES];

	if (is_allowed(kind, entry))
		return 0;

	etl_cleanup(free) char *what = instead(unit, state);

	return etl_error_set(err, ETL_PERMANENT, "change.state", "%s of job '%s' is %s: %s",
		unit_words(unit, words), unit->job->name, etl_window_state_word(state), what);
}
