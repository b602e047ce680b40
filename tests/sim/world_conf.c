/* SPDX-License-Identifier: MIT
 *
 * The schedules that jobs are drawn from, and the book of them: who has taken up which edit, and
 * what the store has heard of it.
 */
#include "world_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "time/calendar.h"

struct conf conf;

/* Four of each unit. */
const struct schedule schedules[SCHEDULES] = {
	{20 * SECOND, "every: 20s"},
	{20 * SECOND, "cron: '*/20 * * * * *'"},
	{20 * SECOND, "cron: '7,27,47 * * * * *', timezone: Europe/Paris"},
	{20 * SECOND, "every: 20s, offset: 4s"},
	{5 * MINUTE, "every: 5m"},
	{5 * MINUTE, "cron: '*/5 * * * *'"},
	{5 * MINUTE, "cron: '2-59/5 * * * *'"},
	{5 * MINUTE, "cron: '30 */5 * * * *', timezone: Asia/Kathmandu"},
	{15 * MINUTE, "every: 15m"},
	{15 * MINUTE, "cron: '7,22,37,52 * * * *'"},
	{15 * MINUTE, "every: 15m, offset: 4m"},
	{15 * MINUTE, "cron: '*/15 * * * *', timezone: America/St_Johns"},
	{HOUR, "cron: '10 * * * *'"},
	{HOUR, "cron: '@hourly', timezone: Europe/Paris"},
	{HOUR, "every: 1h, offset: 17m"},
	{HOUR, "cron: '0 * * * *', timezone: Australia/Lord_Howe"},
	{6 * HOUR, "cron: '30 */6 * * *'"},
	{6 * HOUR, "cron: '15 1,7,13,19 * * *', timezone: America/New_York"},
	{6 * HOUR, "every: 6h"},
	{6 * HOUR, "cron: '30 2,8,14,20 * * *', timezone: Europe/Paris"},
	{DAY, "cron: '30 2 * * *', timezone: Europe/Paris"},
	{DAY, "cron: '@daily'"},
	{DAY, "every: 1d, offset: 3h"},
	{DAY, "cron: '0 1 * * *', timezone: America/New_York"},
};

const char *const misfires[] = {"run_each", "run_latest", "run_if_younger(2h)", "skip"};
const char *const overlaps[] = {"skip", "queue_one", "cancel_running"};



/* With clocks that change at midnight, by half an hour, and in both halves of the year. */
const struct etl_zone *local_zone(unsigned i)
{
	static const char *const names[] = {"Europe/Paris", "Africa/Cairo", "America/Santiago",
		"Australia/Lord_Howe", "America/St_Johns"};
	static struct etl_zone *zones[sizeof names / sizeof *names];
	struct etl_error err = ETL_ERROR_INIT;

	i %= sizeof names / sizeof *names;
	if (!zones[i])
		zones[i] = etl_zone_load(names[i], &err);
	if (!zones[i])
		broken("the zones are there", "%s", err.message);
	return zones[i];
}

int64_t longest_of(const struct spec *s)
{
	return etl_dur_ms(etl_grid_longest(&s->grid));
}

int64_t end_of(const struct spec *s, int64_t start)
{
	return etl_grid_at(&s->grid, (etl_wall){start}).end.ms;
}

int job_index(const char *name)
{
	return name[0] - 'a';
}

int64_t period_of(const struct spec *spec)
{
	while (spec->schedule < 0)
		spec = &conf.specs[spec->up];
	return schedules[spec->schedule].unit;
}

/* ---- which schedule was in force ------------------------------------------------------------ */

static int64_t length_of(char unit)
{
	return unit == 's' ? SECOND : unit == 'm' ? MINUTE : unit == 'h' ? HOUR : DAY;
}

bool is_dense(void)
{
	return world.mood.unit < MINUTE;
}

int draw_overlap(void)
{
	return (int)roll(is_dense() ? 2 : 3);
}

void open_interval(struct spec *s)
{
	struct interval *in;
	struct etl_error err = ETL_ERROR_INIT;
	char cron[40] = "", zone[40] = "UTC";
	const char *yaml = s->schedule < 0 ? "" : schedules[s->schedule].yaml, *at;
	int every = 0, offset = 0;
	char unit = 'm', offset_unit = 'm';

	ETL_GROW(s->intervals, s->n_intervals, s->intervals_cap);
	in = &s->intervals[s->n_intervals++];
	*in = (struct interval){.schedule = s->schedule, .from = world.now, .to = NEVER,
		.known = NEVER, .let_go = NEVER, .last_wall = NEVER};
	if (s->schedule < 0)
		return;
	if ((at = strstr(yaml, "timezone: ")))
		snprintf(zone, sizeof zone, "%s", at + 10);
	if ((at = strstr(yaml, "offset: ")))
		sscanf(at, "offset: %d%c", &offset, &offset_unit);
	if (sscanf(yaml, "every: %d%c", &every, &unit) == 2) {
		in->calendar = etl_calendar_every(
			ETL_MS(every * length_of(unit)), ETL_MS(offset * length_of(offset_unit)), &err);
	} else {
		sscanf(yaml, "cron: '%39[^']'", cron);
		in->zone = etl_zone_load(zone, &err);
		in->calendar = etl_calendar_cron(cron, in->zone, &err);
	}
	if (!in->calendar)
		broken("the simulation's own calendars are good", "%s: %s", yaml, err.message);
}

void close_interval(struct spec *s, bool removed)
{
	struct interval *in = &s->intervals[s->n_intervals - 1];

	in->to = world.now;
	in->removed = removed;
}

void settle_intervals(void)
{
	bool any = false;

	for (int i = 0; i < MACHINES; i++) {
		any |= world.machines[i].etld != NULL;
		if (world.machines[i].etld && conf.taken[i] != conf.version)
			return;
	}
	for (int i = 0; any && i < conf.n; i++)
		for (size_t k = 0; k < conf.specs[i].n_intervals; k++) {
			struct interval *in = &conf.specs[i].intervals[k];

			if (in->known == NEVER)
				in->known = world.now;
			if (in->to != NEVER && in->let_go == NEVER)
				in->let_go = world.now;
		}
}

/* The schedule of an interval ends by the clock of whoever takes up the next one, and then brings
 * it into the store. As long as the store has heard of nothing that came after, that may be any
 * that starts: what the others saw of the end may die with them. Example: slots up to 15:00 ran, the
 * store is unreachable, and an edit at 17:48 passes over 16:00 and 17:00. Before that can be
 * recorded the process dies, and the next one starts by a clock that says 12:53. It finds a cursor
 * of another schedule at 15:00 and counts by the new one from there: of slots that are to come it
 * knows nothing. */
static bool may_end_yet(const struct spec *s, size_t k)
{
	if (s->intervals[k].to == NEVER)
		return false;
	if (s->intervals[k].let_go == NEVER)
		return true;
	for (size_t i = k + 1; i < s->n_intervals; i++)
		if (s->intervals[i].heard)
			return false;
	return k + 1 < s->n_intervals;
}

void taken_up(const struct machine *m)
{
	conf.taken[m->index] = conf.version;
	for (int i = 0; i < conf.n; i++) {
		struct spec *s = &conf.specs[i];
		struct interval *in = s->n_intervals ? &s->intervals[s->n_intervals - 1] : NULL;

		if (in && in->known == NEVER && wall_of(m) > in->wall)
			in->wall = wall_of(m);
		for (size_t k = 0; k < s->n_intervals; k++) {
			in = &s->intervals[k];
			if (may_end_yet(s, k) && wall_of(m) < in->last_wall)
				in->last_wall = wall_of(m);
		}
	}
	settle_intervals();
}

void heard_of(struct spec *s, int64_t slot)
{
	struct interval *in = s->n_intervals ? &s->intervals[s->n_intervals - 1] : NULL;

	if (!in || in->heard)
		return;
	in->heard = slot;
	in->heard_at = world.now;
}

void heard_of_removal(struct spec *s)
{
	for (size_t k = s->n_intervals; k-- > 0;)
		if (s->intervals[k].removed) {
			s->intervals[k].retired |= s->intervals[k].let_go != NEVER;
			return;
		}
}

void conf_fini(void)
{
	for (int i = 0; i < conf.n; i++) {
		for (size_t k = 0; k < conf.specs[i].n_intervals; k++) {
			etl_calendar_free(conf.specs[i].intervals[k].calendar);
			etl_zone_free(conf.specs[i].intervals[k].zone);
		}
		free(conf.specs[i].intervals);
	}
	conf = (struct conf){0};
}
