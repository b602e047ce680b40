/* SPDX-License-Identifier: MIT
 *
 * Decisions about one unit. Who may not decide yet, or not any more, is told the command that fits
 * the state of the unit.
 */
#include "job/decision.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "time/civil.h"

/* ---- commands ------------------------------------------------------------------------------ */

/* As one word of a shell. */
static void append_word(struct etl_buf *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-.,:/=+@%";

	if (*text && text[strspn(text, plain)] == '\0') {
		etl_buf_str(out, text);
		return;
	}
	etl_buf_char(out, '\'');
	for (; *text; text++)
		if (*text == '\'')
			etl_buf_str(out, "'\\''");
		else
			etl_buf_char(out, *text);
	etl_buf_char(out, '\'');
}

static void append_partition(struct etl_buf *out, const struct etl_unit *unit)
{
	if (!unit->job->partition_names[0])
		return;
	etl_buf_str(out, " --partition ");
	append_word(out, unit->partition);
}

static const char *window_word(const struct etl_unit *unit, char out[ETL_TIME_TEXT_BYTES])
{
	if (unit->job->window.none)
		return "-";
	etl_time_format_rfc3339(unit->window.start, out);
	return out;
}

const char *etl_decision_words(enum etl_change_kind kind)
{
	(void)kind;
	return "windows accept";
}

char *etl_decision_command(enum etl_change_kind kind, const struct etl_unit *unit)
{
	char start[ETL_TIME_TEXT_BYTES];
	struct etl_buf text;

	etl_buf_init(&text, 4096);
	etl_buf_printf(&text, "etlctl %s %s %s", etl_decision_words(kind), unit->job->name,
		window_word(unit, start));
	append_partition(&text, unit);
	etl_buf_str(&text, " --reason TEXT");
	return etl_buf_take(&text);
}

char *etl_unit_run_command(const struct etl_unit *unit)
{
	char start[ETL_TIME_TEXT_BYTES];
	struct etl_buf text;

	etl_buf_init(&text, 4096);
	etl_buf_printf(&text, "etlctl run %s", unit->job->name);
	if (!unit->job->window.none) {
		etl_buf_printf(&text, " --window %s", window_word(unit, start));
		append_partition(&text, unit);
	}
	return etl_buf_take(&text);
}

char *etl_decision_reason(enum etl_change_kind kind, const char *who, const char *text)
{
	(void)kind;
	return etl_strf("accepted by %s: %s", who, text);
}

/* ---- which unit ---------------------------------------------------------------------------- */

/* A window of the grid that the ledger does not know: is it one that a run could have tried? */
static int need_on_grid(const struct etl_job *job, etl_wall t, etl_wall now, struct etl_window *out,
	struct etl_error *err)
{
	const struct etl_window_rules *rules = &job->window;
	etl_wall limit = etl_window_limit(rules, now);
	char at[ETL_TIME_TEXT_BYTES];

	*out = etl_window_at(rules, t);
	if (t.ms < rules->start.ms) {
		etl_time_format_rfc3339(rules->start, at);
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
	etl_wall t;
	bool found;
	struct etl_ledger_entry *entry;
};

/* An entry of another grid may overlap: what begins at the time is meant first. */
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

int etl_decision_find(struct etl_state *state, struct etl_unit *unit, etl_wall t, etl_wall now,
	struct etl_ledger_entry *entry, struct etl_error *err)
{
	const struct etl_window_rules *rules = &unit->job->window;
	struct etl_window range = {{-1}, {1}}; /* of a job without windows: around [0, 0) */
	struct search search = {.whole = rules->none, .t = t, .entry = entry};

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
	if (!search.found && !rules->none && need_on_grid(unit->job, t, now, &unit->window, err) < 0)
		return -1;
	return search.found;
}

/* ---- which state --------------------------------------------------------------------------- */

static bool is_allowed(enum etl_change_kind kind, enum etl_window_state state)
{
	(void)kind;
	return state == ETL_WINDOW_FAILED;
}

/* What fits the state instead. Owned by the caller. */
static char *instead(const struct etl_unit *unit, enum etl_window_state state)
{
	etl_cleanup(free) char *run = etl_unit_run_command(unit);
	char *text = NULL;

	switch (state) {
	case ETL_WINDOW_PENDING:
		text = etl_strf("no run has failed at it since it became due; '%s' loads it", run);
		break;
	case ETL_WINDOW_RUNNING:
		text = etl_strf("slices of it are in; '%s' loads all of it", run);
		break;
	case ETL_WINDOW_FAILED: {
		etl_cleanup(free) char *accept = etl_decision_command(ETL_CHANGE_ACCEPT, unit);

		text = etl_strf("'%s' closes it as it is", accept);
		break;
	}
	case ETL_WINDOW_HELD:
		text = etl_strf("a check holds it back; '%s' asks its source again", run);
		break;
	case ETL_WINDOW_LOADED:
	case ETL_WINDOW_EMPTY:
	case ETL_WINDOW_UNRECOVERABLE:
	case ETL_WINDOW_SKIPPED:
	case ETL_WINDOW_STATE_MAX:
		text = etl_strf("it is closed, and nothing waits for a decision; '%s' reads it again", run);
		break;
	}
	return text;
}

int etl_decision_check(enum etl_change_kind kind, const struct etl_unit *unit,
	const struct etl_ledger_entry *entry, struct etl_error *err)
{
	enum etl_window_state state = entry ? entry->state : ETL_WINDOW_PENDING;
	char start[ETL_TIME_TEXT_BYTES];

	if (is_allowed(kind, state))
		return 0;

	etl_cleanup(free) char *what = instead(unit, state);

	return etl_error_set(err, ETL_PERMANENT, "change.state", "window %s of job '%s' is %s: %s",
		window_word(unit, start), unit->job->name, etl_window_state_word(state), what);
}
