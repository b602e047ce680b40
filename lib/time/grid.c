/* SPDX-License-Identifier: MIT
 *
 * Grids. A fixed one is arithmetic. A local one numbers its boundaries, 0 at the start, and asks the
 * zone for the instant of a number; the number of an instant is guessed from its local date and then
 * corrected, so that nothing is ever walked.
 */
#include "time/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "time/civil.h"
#include "time/duration.h"

enum { DAY_SECONDS = 86400 };

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* ---- steps --------------------------------------------------------------------------------- */

bool etl_grid_step_parse(const char *text, struct etl_grid_step *out, const char **why)
{
	size_t digits = strspn(text, "0123456789");
	bool years = strcmp(text + digits, "y") == 0;
	const char *ignored;
	int64_t months;
	etl_dur length;

	if (!years && strcmp(text + digits, "mo") != 0) {
		*why = "a number with its unit is due: ms s m h d w mo y, such as 6h, 1d or 1mo";
		if (!etl_duration_parse(text, &length, &ignored))
			return false;
		*out = (struct etl_grid_step){.length = length};
		return true;
	}
	*why = "a number of months or years is due, such as 1mo, 3mo or 1y";
	if (!digits || digits > 4)
		return false;
	months = strtol(text, NULL, 10) * (years ? 12 : 1);
	if (months < 1 || months > ETL_GRID_STEP_MONTHS_MAX)
		return false;
	*out = (struct etl_grid_step){.months = months};
	return true;
}

void etl_grid_step_format(struct etl_grid_step step, char *out, size_t n)
{
	if (!step.months)
		etl_duration_format(step.length, out, n);
	else if (step.months % 12 == 0)
		snprintf(out, n, "%lldy", (long long)step.months / 12);
	else
		snprintf(out, n, "%lldmo", (long long)step.months);
}

/* 400 years are 146,097 days. */
etl_dur etl_grid_step_mean(struct etl_grid_step step)
{
	if (!step.months)
		return step.length;
	return (etl_dur){step.months * (ETL_DAYS(146097).us / 4800)};
}

bool etl_grid_step_is_local(struct etl_grid_step step)
{
	return step.months || (step.length.us > 0 && step.length.us % ETL_DAYS(1).us == 0);
}

/* ---- boundaries of a local grid ------------------------------------------------------------ */

static int64_t local_day(const struct etl_grid *grid, etl_wall t)
{
	return floor_div(etl_wall_seconds(t) + etl_zone_offset(grid->zone, t, NULL), DAY_SECONDS);
}

/* Months since January of the year 0. */
static int64_t month_of(int64_t day)
{
	int year, month, day_of_month;

	etl_civil_from_days(day, &year, &month, &day_of_month);
	return (int64_t)year * 12 + month - 1;
}

/* The law of the local day: it begins with the first instant that has its date, and lasts until the
 * next day begins. So a midnight that the clocks leap over is the first instant after the leap, and of
 * one that they show twice the first pass counts: the hour that they repeat belongs to the day that
 * has begun already, though its date on the clock is that of the day before. A day that a zone left out
 * begins when the next one does: it has no window.
 *
 * Examples. Paris, 2026-03-29: from 23:00Z of the 28th to 22:00Z, 23 hours. Cairo, 2024-04-26, where
 * 00:00 became 01:00: the day begins at 01:00, and has 23 hours. St. John's, 2010-11-07, where 00:01
 * became 23:01 of the 6th: the 7th begins with the first 00:00, one minute before the clocks were set
 * back, and has 25 hours. Apia went from the end of 2011-12-29 to the beginning of the 31st: the windows
 * of these two touch. Months and years begin with their first day. */
static etl_wall boundary(const struct etl_grid *grid, int64_t number)
{
	int64_t day = grid->first + number * grid->days, month;
	etl_wall first, second;

	if (grid->months) {
		month = grid->first + number * grid->months;
		day = etl_civil_days(floor_div(month, 12), (int)(month - floor_div(month, 12) * 12) + 1, 1);
	}
	etl_zone_to_utc(grid->zone, day * DAY_SECONDS, &first, &second);
	return first;
}

/* Years 1 to 9999, less a margin: a step further is a date, too. */
static etl_wall clamp(etl_wall t)
{
	const int64_t low = ETL_CIVIL_SECONDS_MIN * 1000 + ETL_DAYS(400).us / 1000;
	const int64_t high = ETL_CIVIL_SECONDS_MAX * 1000 - ETL_DAYS(400).us / 1000;

	return (etl_wall){t.ms < low ? low : t.ms > high ? high : t.ms};
}

/* The number of the last boundary at or before `t`. The local date gives it but for the hours after a
 * midnight that came twice, and of equal boundaries the last is meant: with that window `t` is in. */
static int64_t number_of(const struct etl_grid *grid, etl_wall t)
{
	int64_t day = local_day(grid, t), number;

	number = grid->months ? floor_div(month_of(day) - grid->first, grid->months) :
				floor_div(day - grid->first, grid->days);
	while (boundary(grid, number).ms > t.ms)
		number--;
	while (boundary(grid, number + 1).ms <= t.ms)
		number++;
	return number;
}

/* Boundaries of the range that are the same instant as the next one: days that the zone left out. That is
 * where its clocks have leapt, so that only these instants are looked at. */
static int64_t doubled(const struct etl_grid *grid, etl_wall from, etl_wall to)
{
	etl_wall at = {from.ms - 1};
	int64_t n = 0;

	while (etl_zone_next_transition(grid->zone, at, &at) && at.ms <= to.ms) {
		int64_t number = number_of(grid, at);

		while (boundary(grid, number).ms == at.ms && boundary(grid, number - 1).ms == at.ms) {
			number--;
			n++;
		}
	}
	return n;
}

/* ---- questions ----------------------------------------------------------------------------- */

bool etl_grid_init(struct etl_grid *grid, etl_wall start, struct etl_grid_step step,
	const struct etl_zone *zone)
{
	int64_t day;

	*grid = (struct etl_grid){.start = start, .size = step.length};
	if (!step.months && (!zone || strcmp(etl_zone_name(zone), "UTC") == 0))
		return true;
	*grid = (struct etl_grid){.start = start, .zone = zone ? zone : etl_zone_utc(),
		.months = step.months, .days = step.length.us / ETL_DAYS(1).us};
	day = local_day(grid, clamp(start));
	grid->first = step.months ? month_of(day) : day;
	grid->start = boundary(grid, 0);
	return grid->start.ms == start.ms;
}

struct etl_window etl_grid_at(const struct etl_grid *grid, etl_wall t)
{
	int64_t size = etl_dur_ms(grid->size), number;

	if (grid->zone) {
		number = number_of(grid, clamp(t));
		return (struct etl_window){boundary(grid, number), boundary(grid, number + 1)};
	}
	if (size <= 0)
		return (struct etl_window){grid->start, grid->start};
	t.ms = grid->start.ms + floor_div(t.ms - grid->start.ms, size) * size;
	return (struct etl_window){t, {t.ms + size}};
}

struct etl_window etl_grid_after(const struct etl_grid *grid, struct etl_window window)
{
	if (grid->zone)
		return etl_grid_at(grid, window.end);
	return (struct etl_window){window.end, etl_wall_add(window.end, grid->size)};
}

etl_wall etl_grid_steps(const struct etl_grid *grid, etl_wall at, int64_t n)
{
	if (grid->zone)
		return boundary(grid, number_of(grid, clamp(at)) + n);
	return (etl_wall){at.ms + n * etl_dur_ms(grid->size)};
}

bool etl_grid_has(const struct etl_grid *grid, struct etl_window window)
{
	struct etl_window here = etl_grid_at(grid, window.start);

	return here.start.ms == window.start.ms && here.end.ms == window.end.ms;
}

/* Example, days of Apia from 28 December 2011 to 2 January 2012: five numbers, and as one of them is
 * the 30th, which is the same instant as the 31st, four windows. */
uint64_t etl_grid_count(const struct etl_grid *grid, struct etl_window range)
{
	etl_wall first = {range.start.ms - 1}, last = {range.end.ms - 1};
	int64_t size = etl_dur_ms(grid->size);

	if (range.start.ms >= range.end.ms || !etl_grid_has_windows(grid))
		return 0;
	if (grid->zone)
		return (uint64_t)(number_of(grid, clamp(last)) - number_of(grid, clamp(first)) -
			doubled(grid, clamp(range.start), clamp(last)));
	return (uint64_t)(floor_div(last.ms - grid->start.ms, size) -
		floor_div(first.ms - grid->start.ms, size));
}

/* A day may have its date twice, as in Kwajalein in 1969. */
etl_dur etl_grid_longest(const struct etl_grid *grid)
{
	if (!grid->zone)
		return grid->size;
	return ETL_DAYS(grid->days + 31 * grid->months + 1);
}

static struct etl_grid_step step_of(const struct etl_grid *grid)
{
	return (struct etl_grid_step){.length = grid->zone ? ETL_DAYS(grid->days) : grid->size,
		.months = grid->months};
}

etl_dur etl_grid_mean(const struct etl_grid *grid)
{
	return etl_grid_step_mean(step_of(grid));
}

void etl_grid_text(const struct etl_grid *grid, char out[ETL_GRID_TEXT_BYTES])
{
	char length[ETL_DURATION_TEXT_BYTES];

	etl_grid_step_format(step_of(grid), length, sizeof length);
	snprintf(out, ETL_GRID_TEXT_BYTES, "%s%s%s", length, grid->zone ? " " : "",
		grid->zone ? etl_zone_name(grid->zone) : "");
}
