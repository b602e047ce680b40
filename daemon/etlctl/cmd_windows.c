/* SPDX-License-Identifier: MIT
 *
 * windows: what is in, what is not.
 *
 * Example: twelve hours without an entry and one that failed are two lines and not thirteen:
 *   PARTITION  START              END                WINDOWS  STATE      ATTEMPT  REASON
 *   station=1  2026-06-30 22:00Z  2026-07-01 10:00Z       12  … pending        0
 *   station=1  2026-07-01 10:00Z  2026-07-01 11:00Z           ✖ failed         3  HTTP 500
 * Above them a summary for each partition counts the whole of what was asked for, also what is not
 * listed.
 */
#include <stdio.h>

#include "base/str.h"
#include "etlctl/print.h"

static const char *const count_names[] = {"in", "out", "rejected", "outside"};

enum { COUNTS = sizeof count_names / sizeof *count_names };

/* Windows that follow one another and are alike: a hole is told as one, with what came for all of
 * it. */
struct stretch {
	const struct etl_json *first, *last;
	int64_t n, counts[COUNTS];
};

static bool same_text(const struct etl_json *a, const struct etl_json *b, const char *name)
{
	return etl_streq(etl_json_text(a, name, ""), etl_json_text(b, name, ""));
}

static bool is_loaded(const struct etl_json *window)
{
	return etl_streq(etl_json_text(window, "state", ""), "loaded");
}

/* A window with data has a line of its own, but among stale ones: there are as many as the job has.
 * All that a line shows has to be the same, and the next one has to begin where the last one ends: a
 * line must not cover a window that is closed. */
static bool goes_on(const struct stretch *s, const struct etl_json *next, bool stale)
{
	return s->n && (stale || !is_loaded(next)) && same_text(s->last, next, "partition") &&
		same_text(s->last, next, "state") && same_text(s->last, next, "reason") &&
		same_text(s->last, next, "stale") &&
		etl_json_bool(s->last, "dirty", false) == etl_json_bool(next, "dirty", false) &&
		etl_json_int(s->last, "attempt", 0) == etl_json_int(next, "attempt", 0) &&
		etl_streq(etl_json_text(s->last, "end", "?"), etl_json_text(next, "start", ""));
}

static void add_window(struct stretch *s, const struct etl_json *window)
{
	s->last = window;
	s->n++;
	for (size_t i = 0; i < COUNTS; i++)
		s->counts[i] += etl_json_int(etl_json_get(window, "counts"), count_names[i], 0);
}

static void add_state(struct table *table, const struct etl_json *window)
{
	table_state(table, etl_json_text(window, "state", "unknown"));
	table_text(table, etl_json_bool(window, "dirty", false) ? "dirty" : "");
}

/* What is stale says why; what made or has the window says nothing of why it is open. */
static const char *reason_of(const struct etl_json *window, bool stale)
{
	return etl_json_text(window, stale ? "stale" : "reason", "");
}

/* How all lines are told. */
struct listing {
	const char *now;
	bool local; /* in a zone: each with its local date */
	bool stale;
};

/* Counts are the sum of the stretch, the rest is that of its last window: it is the same for all
 * but the time of the last attempt. */
static void add_stretch(struct table *table, const struct stretch *s, const struct listing *l)
{
	const struct etl_json *window = s->last;

	if (!s->n)
		return;
	table_text(table, etl_json_text(window, "partition", "-"));
	if (l->local)
		table_text(table, etl_json_text(s->first, "date", ""));
	table_time(table, etl_json_text(s->first, "start", NULL));
	table_time(table, etl_json_text(window, "end", NULL));
	if (s->n > 1)
		table_int(table, s->n);
	else
		table_text(table, "");
	add_state(table, window);
	table_int(table, etl_json_int(window, "attempt", 0));
	for (size_t i = 0; i < COUNTS; i++)
		table_int(table, s->counts[i]);
	table_time_past(table, etl_json_text(window, "updated", NULL), l->now);
	table_text(table, etl_json_text(window, "target", ""));
	table_text(table, reason_of(window, l->stale));
}

static bool any_stale(const struct etl_json *reply)
{
	ETL_JSON_EACH(row, etl_json_get(reply, "summary"))
		if (etl_json_int(row, "stale", 0))
			return true;
	return false;
}

/* What is missing, open or dirty comes unasked; "no window wants attention" is good news and says
 * so. */
static void print_list(const struct etlctl *ctl, const struct etl_json *reply)
{
#define TITLES "START", "--END", ">WINDOWS", "STATE", "MARK", "-->ATTEMPT", "->IN", "->OUT", \
	"->REJECTED", "->OUTSIDE", "---UPDATED", "--TARGET", "REASON", NULL
	static const char *const titles[] = {"PARTITION", TITLES};
	static const char *const local_titles[] = {"PARTITION", "FROM", TITLES};
	const char *grid = etl_json_text(reply, "grid", NULL); /* of local days, months ... */
	const struct listing l = {etl_json_text(reply, "generated_at", NULL), grid != NULL,
		etl_json_bool(ctl->values, "stale", false)};
	bool asked = etl_json_get(ctl->values, "state") || etl_json_get(ctl->values, "all");
	etl_cleanup(table_free) struct table *table = table_new(ctl, grid ? local_titles : titles);
	struct stretch s = {.n = 0};

	ETL_JSON_EACH(window, etl_json_get(reply, "windows")) {
		if (!goes_on(&s, window, l.stale)) {
			add_stretch(table, &s, &l);
			s = (struct stretch){.first = window};
		}
		add_window(&s, window);
	}
	add_stretch(table, &s, &l);
	/* Whoever asked for a state or for all of them was not told about the rest. */
	table_print(table, l.stale ? "no window is stale: all are of the job's definition and in its target" :
			   asked ? "no such windows" :
			   any_stale(reply) ? "no window wants attention but the stale ones: "
					      "--stale lists them, --all the closed ones" :
				   "no window wants attention; "
				   "--all lists the closed ones too");
	if (grid && etl_json_size(etl_json_get(reply, "windows")))
		etlctl_say("FROM is a date in the zone of the windows (%s), START and END are UTC", grid);
	if (etl_json_bool(reply, "truncated", false))
		etlctl_say("there are more windows: "
			   "--partition, --from and --to ask for a part");
}

/* An object has a name where a window has its ends. */
static void print_objects(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"PARTITION", "OBJECT", "->SIZE", "--MTIME", "STATE", "MARK",
		"-->ATTEMPT", "->IN", "->OUT", "->REJECTED", "---UPDATED", "REASON", NULL};
	const char *now = etl_json_text(reply, "generated_at", NULL), *last = NULL;
	bool asked = etl_json_get(ctl->values, "state") || etl_json_get(ctl->values, "all");
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(object, etl_json_get(reply, "windows")) {
		const struct etl_json *counts = etl_json_get(object, "counts");

		last = etl_json_text(object, "object", "");
		table_text(table, etl_json_text(object, "partition", "-"));
		table_text(table, last);
		table_int(table, etl_json_int(object, "size", 0));
		table_time(table, etl_json_text(object, "mtime", NULL));
		add_state(table, object);
		table_int(table, etl_json_int(object, "attempt", 0));
		for (size_t i = 0; i < COUNTS - 1; i++) /* none is outside of an object */
			table_int(table, etl_json_int(counts, count_names[i], 0));
		table_time_past(table, etl_json_text(object, "updated", NULL), now);
		table_text(table, etl_json_text(object, "reason", ""));
	}
	table_print(table, asked ? "no such objects" :
				   "no object wants attention; --all lists the closed ones too");
	if (etl_json_bool(reply, "truncated", false) && asked && last)
		etlctl_say("there are more objects: --object '%s' goes on from there", last);
	else if (etl_json_bool(reply, "truncated", false))
		etlctl_say("there are more objects: --partition asks for a part");
}

static void print_object_summary(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"PARTITION", "->OBJECTS", ">FAILED", ">HELD", ">OPEN",
		"->DIRTY", NULL};
	static const char *const counts[] = {"objects", "failed", "held", "open", "dirty"};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(row, etl_json_get(reply, "summary")) {
		table_text(table, etl_json_text(row, "partition", "-"));
		for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
			table_int(table, etl_json_int(row, counts[i], 0));
	}
	table_print(table, NULL);
}

static void print_summary(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"PARTITION", "WATERMARK", "->LOADED", "-->EMPTY",
		">FAILED", ">HELD", ">OPEN", "->DIRTY", ">MISSING", ">STALE", NULL};
	static const char *const counts[] = {"loaded", "empty", "failed", "held", "open", "dirty",
		"missing", "stale"};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(row, etl_json_get(reply, "summary")) {
		table_text(table, etl_json_text(row, "partition", "-"));
		table_time(table, etl_json_text(row, "watermark", NULL));
		for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
			table_int(table, etl_json_int(row, counts[i], 0));
	}
	table_print(table, NULL);
}

static bool has_objects(const struct etl_json *reply)
{
	ETL_JSON_EACH(row, etl_json_get(reply, "summary"))
		return etl_json_get(row, "objects") != NULL;
	return false;
}

/* The summary first: on a terminal the end of a long list is what stays on the screen, and a person
 * who pipes it into `head` gets the figures. */
static void print_windows(const struct etlctl *ctl, const struct etl_json *reply)
{
	if (has_objects(reply)) {
		print_object_summary(ctl, reply);
		if (etl_json_size(etl_json_get(reply, "windows")))
			putchar('\n');
		print_objects(ctl, reply);
		return;
	}
	print_summary(ctl, reply);
	if (etl_json_size(etl_json_get(reply, "windows")))
		putchar('\n');
	print_list(ctl, reply);
}

const struct etlctl_command etlctl_command_windows = {"windows", .print = print_windows};
