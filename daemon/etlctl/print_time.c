/* SPDX-License-Identifier: MIT
 *
 * Times and durations for people. The only file of etlctl that knows a calendar; "now" is
 * always the daemon's own, from its reply, so that two clocks are never compared.
 *
 * Example: a run that began two hours before the daemon wrote its answer is "2026-07-01 10:10Z
 * (2h00m ago)", whatever the clock of the machine says on which etlctl runs; a next slot is "(in
 * 4m)".
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "etlctl/print.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };
enum { AHEAD = 5 }; /* seconds by which the clocks of two machines may differ */

/* The zone behind the seconds: "Z", ".250Z", "+02:00". The daemon says Z; another implementation of
 * the protocol may say +02:00, which is RFC 3339 as well. */
static bool parse_zone(const char *p, int64_t *offset)
{
	int hours, minutes, used = 0;

	if (*p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	*offset = 0;
	if (strcmp(p, "Z") == 0)
		return true;
	if (strlen(p) != 6 || (*p != '+' && *p != '-') ||
		sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5)
		return false;
	*offset = (hours * HOUR + minutes * MINUTE) * (*p == '-' ? -1 : 1);
	return true;
}

bool print_time_parse(const char *text, int64_t *out)
{
	struct tm tm = {0};
	int64_t offset;
	int used = 0;

	if (!text ||
		sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
			&tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6 ||
		used != 19 || !parse_zone(text + used, &offset))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*out = (int64_t)timegm(&tm) - offset;
	return true;
}

/* To the minute: schedules and windows are whole minutes as a rule, and a table has room for other
 * things. The exact time is in -o json. */
void print_time(const char *text, struct etl_buf *out)
{
	char shown[32];
	struct tm tm;
	int64_t seconds;
	time_t when;

	if (!print_time_parse(text, &seconds)) {
		etl_buf_str(out, "-");
		return;
	}
	when = (time_t)seconds;
	if (!gmtime_r(&when, &tm) || !strftime(shown, sizeof shown, "%Y-%m-%d %H:%MZ", &tm))
		snprintf(shown, sizeof shown, "-");
	etl_buf_str(out, shown);
}

void print_range(const char *from, const char *to, struct etl_buf *out)
{
	print_time(from, out);
	etl_buf_str(out, " to ");
	print_time(to, out);
}

/* Two units at most: people compare ages, they do not add them. */
static void print_span(int64_t s, struct etl_buf *out)
{
	if (s < MINUTE)
		etl_buf_printf(out, "%llds", (long long)s);
	else if (s < HOUR)
		etl_buf_printf(out, "%lldm", (long long)(s / MINUTE));
	else if (s < DAY)
		etl_buf_printf(out, "%lldh%02lldm", (long long)(s / HOUR),
			(long long)(s % HOUR / MINUTE));
	else
		etl_buf_printf(out, "%lldd%lldh", (long long)(s / DAY),
			(long long)(s % DAY / HOUR));
}

/* Both: the time to compare with a log, the age to judge by. "in" and "ago" say which way it lies.
 */
void print_time_age(const char *text, const char *now, struct etl_buf *out)
{
	int64_t a, b;

	print_time(text, out);
	if (!print_time_parse(text, &a) || !print_time_parse(now, &b))
		return;
	etl_buf_str(out, a > b ? " (in " : " (");
	print_span(a > b ? a - b : b - a, out);
	etl_buf_str(out, a > b ? ")" : " ago)");
}

/* Seconds of difference are how two machines are; more is a clock that was wrong when it was noted,
 * and "in 3h" would read as if it were still to happen. */
void print_time_past(const char *text, const char *now, struct etl_buf *out)
{
	int64_t a, b;

	if (!print_time_parse(text, &a) || !print_time_parse(now, &b) || a <= b) {
		print_time_age(text, now, out);
		return;
	}
	print_time(text, out);
	etl_buf_str(out, a <= b + AHEAD ? " (0s ago)" : " (ahead of the clock)");
}

/* Cut and not rounded: "59m60s" and "1000ms" do not exist. Only what would be shown as 0 is rounded
 * up, so that a step that ran never reads as one that did not. */
void print_duration(double seconds, struct etl_buf *out)
{
	if (!(seconds >= 0 && seconds < 1e15)) /* also NaN: not known */
		etl_buf_str(out, "-");
	else if (seconds < 0.01 && seconds > 0) /* a step of a small run: 0.3ms, not 0ms */
		etl_buf_printf(out, "%.1fms", ceil(seconds * 10000) / 10);
	else if (seconds < 1)
		etl_buf_printf(out, "%.0fms", floor(seconds * 1000));
	else if (seconds < MINUTE)
		etl_buf_printf(out, "%.1fs", floor(seconds * 10) / 10);
	else if (seconds < HOUR)
		etl_buf_printf(out, "%dm%02ds", (int)seconds / MINUTE, (int)seconds % MINUTE);
	else
		print_span((int64_t)seconds, out);
}

/* Without a now there is no age. */
void table_time(struct table *table, const char *text)
{
	table_time_age(table, text, NULL);
}

void table_time_age(struct table *table, const char *text, const char *now)
{
	ETL_BUF_CLEANUP struct etl_buf cell;

	etl_buf_init(&cell, 128);
	print_time_age(text, now, &cell);
	table_text(table, etl_buf_text(&cell));
}

void table_time_past(struct table *table, const char *text, const char *now)
{
	ETL_BUF_CLEANUP struct etl_buf cell;

	etl_buf_init(&cell, 128);
	print_time_past(text, now, &cell);
	table_text(table, etl_buf_text(&cell));
}

void table_duration(struct table *table, double seconds)
{
	ETL_BUF_CLEANUP struct etl_buf cell;

	etl_buf_init(&cell, 64);
	print_duration(seconds, &cell);
	table_text(table, etl_buf_text(&cell));
}
