/* SPDX-License-Identifier: MIT
 *
 * What the changes of a zone's clocks do to a job's slots, found by comparing its calendar
 * with the same expression on a clock that never changes. time/calendar.h has the rules.
 *
 * Example: `30 2 * * *` in Europe/Paris. On 29 March 2026 the clocks go from 02:00 to 03:00 and
 * 02:30 does not exist: one note, MOVED, with the slot at 03:00. On 25 October 02:30 comes twice:
 * ONCE, the first. Both follow from comparing the job's calendar with the same expression in UTC,
 * where no clock changes: no rule of the calendar is written down a second time.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "tell/forecast.h"
#include "time/civil.h"

static const char *const words[] = {
#define X(id, word) [ETL_FORECAST_##id] = word,
	ETL_FORECAST_CLOCKS(X)
#undef X
};

const char *etl_forecast_clock_word(enum etl_forecast_clock kind)
{
	return words[kind];
}

/* Slots of [from, to), and the first of them. */
static uint64_t count(const struct etl_calendar *calendar, int64_t from_ms, int64_t to_ms, etl_wall *first)
{
	etl_wall at = {from_ms - 1};
	uint64_t n = 0;

	while (etl_calendar_next(calendar, at, &at) && at.ms < to_ms)
		if (!n++)
			*first = at;
	return n;
}

/* Counted beyond the cap, as collisions are. */
static void add_note(struct etl_forecast *out, const struct etl_forecast_note *note)
{
	out->all_notes++;
	if (out->n_notes == ETL_FORECAST_LIST_MAX)
		return;
	ETL_GROW(out->notes, out->n_notes, out->notes_cap);
	out->notes[out->n_notes++] = *note;
}

/* The clocks jump from `from` to `to`. Times of the job in between do not exist. The slot after
 * the jump stands for them (MOVED) unless it would be there on an ordinary day too (DROPPED).
 * Example: Europe/Paris, 02:00 to 03:00. `30 2 * * *` is moved to 03:00; of `30 * * * *` 02:30
 * is dropped, since 03:30 is there on every day. */
static void look_at_gap(const struct etl_job *job, const struct etl_calendar *plain,
	struct etl_forecast_note *note, struct etl_forecast *out)
{
	etl_wall first = {0}, local = {note->to * 1000 - 1};
	bool ordinary = etl_calendar_next(plain, local, &local) && local.ms == note->to * 1000;

	note->n = count(plain, note->from * 1000, note->to * 1000, &first);
	if (!note->n || !etl_calendar_next(job->calendar, (etl_wall){note->at.ms - 1}, &note->slot))
		return;
	note->first = first.ms / 1000;
	note->kind = note->slot.ms == note->at.ms && !ordinary ? ETL_FORECAST_MOVED :
								 ETL_FORECAST_DROPPED;
	add_note(out, note);
}

/* The clocks go back from `to` to `from`, and the times in between come twice: slots are
 * counted in either pass. Example: Europe/Paris, 03:00 to 02:00. `30 2 * * *` has one slot, in
 * the first pass (ONCE); `30 * * * *` has one in each (TWICE). */
static void look_at_fold(const struct etl_job *job, struct etl_forecast_note *note,
	struct etl_forecast *out)
{
	int64_t length = (note->to - note->from) * 1000;
	uint64_t again;
	etl_wall second;

	note->n = count(job->calendar, note->at.ms - length, note->at.ms, &note->slot);
	again = count(job->calendar, note->at.ms, note->at.ms + length, &second);
	if (!note->n)
		return;
	note->first = note->from + (note->slot.ms - (note->at.ms - length)) / 1000;
	note->kind = again ? ETL_FORECAST_TWICE : ETL_FORECAST_ONCE;
	add_note(out, note);
}

/* The expression in UTC is made when the first change is met: most ranges have none. */
void etl_forecast_clocks(const struct etl_forecast_job *of, size_t index, struct etl_window range,
	struct etl_forecast *out)
{
	const struct etl_job *job = of->job;
	struct etl_error ignored = ETL_ERROR_INIT;
	etl_cleanup(etl_calendar_free) struct etl_calendar *plain = NULL;
	etl_wall at = {range.start.ms - 1};

	/* `every` counts from the epoch and knows no zone */
	if (!job->calendar || !job->zone || etl_starts_with(job->schedule_text, "every "))
		return;
	while (etl_zone_next_transition(job->zone, at, &at) && at.ms < range.end.ms) {
		int64_t was = etl_zone_offset(job->zone, (etl_wall){at.ms - 1}, NULL);
		int64_t is = etl_zone_offset(job->zone, at, NULL);
		int64_t seconds = etl_wall_seconds(at);
		struct etl_forecast_note note = {.job = index, .at = at};

		if (!plain && !(plain = etl_calendar_cron(job->schedule_text, NULL, &ignored)))
			return;
		note.from = seconds + (is > was ? was : is);
		note.to = seconds + (is > was ? is : was);
		if (is > was)
			look_at_gap(job, plain, &note, out);
		else if (is < was)
			look_at_fold(job, &note, out);
	}
}

/* ---- words --------------------------------------------------------------------------------- */

/* Seconds only where there are some: a zone of 1910 had them. */
static void clock_text(int64_t local_seconds, char out[16])
{
	struct etl_civil c;

	etl_civil_from_seconds(local_seconds, &c);
	if (c.second)
		snprintf(out, 16, "%02d:%02d:%02d", c.hour % 24, c.minute % 60, c.second % 60);
	else
		snprintf(out, 16, "%02d:%02d", c.hour % 24, c.minute % 60);
}

/* One and several have sentences of their own, for "02:30 and 5 more does not exist" is no
 * language. */
static void say(char *out, size_t size, const struct etl_forecast_note *note, const char *first,
	const char *slot)
{
	bool one = note->n == 1;

	switch (note->kind) {
	case ETL_FORECAST_MOVED:
		snprintf(out, size, one ? "%s does not exist and runs at %s" :
			"%s do not exist; one run stands for them, at %s", first, slot);
		return;
	case ETL_FORECAST_DROPPED:
		snprintf(out, size, one ? "%s does not exist; the next slot is %s" :
			"%s do not exist; the next slot is %s", first, slot);
		return;
	case ETL_FORECAST_ONCE:
		snprintf(out, size, one ? "%s comes twice and runs once, at %s" :
			"%s come twice and run once, from %s on", first, slot);
		return;
	case ETL_FORECAST_TWICE:
		snprintf(out, size, one ? "%s comes twice and runs both times, first at %s" :
			"%s come twice and run both times, from %s on", first, slot);
		return;
	case ETL_FORECAST_CLOCK_MAX:
		return;
	}
}

/* "the clocks of Europe/Paris go forward from 02:00 to 03:00: 02:30 does not exist and runs at
 * 2026-03-29T01:00:00Z" */
void etl_forecast_note_text(const struct etl_forecast_note *note, const struct etl_job *job,
	char out[ETL_FORECAST_TEXT_BYTES])
{
	bool forward = note->kind == ETL_FORECAST_MOVED || note->kind == ETL_FORECAST_DROPPED;
	char from[16], to[16], first[48], slot[ETL_TIME_TEXT_BYTES];
	int n;

	clock_text(note->from, from);
	clock_text(note->to, to);
	clock_text(note->first, first);
	if (note->n > 1)
		snprintf(first + strlen(first), sizeof first - strlen(first), " and %llu more",
			(unsigned long long)(note->n - 1));
	etl_time_format_rfc3339(note->slot, slot);
	n = snprintf(out, ETL_FORECAST_TEXT_BYTES, "the clocks of %.64s go %s from %s to %s: ",
		job->timezone, forward ? "forward" : "back", forward ? from : to, forward ? to : from);
	say(out + n, ETL_FORECAST_TEXT_BYTES - (size_t)n, note, first, slot);
}

/* With the offset, since 02:30 alone may mean two instants. */
void etl_forecast_local(const struct etl_zone *zone, etl_wall t, char out[ETL_LOCAL_TEXT_BYTES])
{
	int32_t offset = etl_zone_offset(zone, t, NULL), minutes = (offset < 0 ? -offset : offset) / 60;
	struct etl_civil c;

	etl_civil_from_seconds(etl_wall_seconds(t) + offset, &c);
	snprintf(out, ETL_LOCAL_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", c.year, c.month,
		c.day, c.hour, c.minute, c.second, offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}
