/* SPDX-License-Identifier: MIT
 *
 * Calendar arithmetic. A year is taken to start on 1 March, so that the leap day is its
 * last; 400 such years have exactly 146097 days.
 *
 * Why March: with the leap day at the end of a year the months before it never move, and their
 * beginnings follow one straight line: day (153 * m + 2) / 5 for m = 0 (March) to 11 (February)
 * is 0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337. No table, no branch.
 * The proleptic Gregorian calendar, as ISO 8601 and RFC 3339 want it; no leap seconds, as POSIX.
 */
#include "time/civil.h"

#include <stdio.h>
#include <string.h>

enum { ERA_DAYS = 146097, EPOCH_DAYS = 719468 /* from 0000-03-01 to 1970-01-01 */ };

/* 1970-01-01: y = 1969 (January belongs to the year before), era 4, of_era 369, of_year 306;
 * 4 * 146097 + 369 * 365 + 92 - 3 + 306 - 719468 = 0.
 * An era is 400 years; the division is rounded down so that years before 0 work as well. */
int64_t etl_civil_days(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS;
}

/* The year of an era: the day divided by 365, after the leap days up to it are taken
 * out (one each 1460 days, none each 36524, one at the end of the era). All of it is
 * unsigned and below 2^32. */
void etl_civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + EPOCH_DAYS;
	int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
	uint32_t of_era = (uint32_t)(z - era * ERA_DAYS);
	uint32_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * y + y / 4 - y / 100);
	uint32_t m = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = (int)(y + era * 400) + (*month <= 2);
}

int etl_civil_weekday(int64_t days)
{
	int64_t w = (days + 4) % 7; /* 1970-01-01 was a Thursday */

	return (int)(w < 0 ? w + 7 : w);
}

/* 1900 was none, 2000 was one. */
bool etl_civil_is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int etl_civil_month_days(int64_t year, int month)
{
	static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return lengths[month - 1] + (month == 2 && etl_civil_is_leap(year));
}

bool etl_civil_is_valid(const struct etl_civil *c)
{
	/* Days up to the 28th need no look at the month. */
	return c->year >= ETL_CIVIL_YEAR_MIN && c->year <= ETL_CIVIL_YEAR_MAX &&
	       c->month >= 1 && c->month <= 12 && c->day >= 1 &&
	       (c->day <= 28 || c->day <= etl_civil_month_days(c->year, c->month)) &&
	       c->hour >= 0 && c->hour <= 23 && c->minute >= 0 && c->minute <= 59 &&
	       c->second >= 0 && c->second <= 59 && c->ms >= 0 && c->ms <= 999;
}

int64_t etl_civil_seconds(const struct etl_civil *c)
{
	return etl_civil_days(c->year, c->month, c->day) * 86400 + c->hour * 3600 +
		c->minute * 60 + c->second;
}

void etl_civil_from_seconds(int64_t seconds, struct etl_civil *c)
{
	int64_t days;
	int32_t left;

	if (seconds < ETL_CIVIL_SECONDS_MIN)
		seconds = ETL_CIVIL_SECONDS_MIN;
	if (seconds > ETL_CIVIL_SECONDS_MAX)
		seconds = ETL_CIVIL_SECONDS_MAX;
	days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
	left = (int32_t)(seconds - days * 86400);
	etl_civil_from_days(days, &c->year, &c->month, &c->day);
	c->hour = left / 3600;
	c->minute = left / 60 % 60;
	c->second = left % 60;
	c->ms = 0;
}

etl_wall etl_civil_to_utc(const struct etl_civil *c)
{
	return (etl_wall){etl_civil_seconds(c) * 1000 + c->ms};
}

void etl_civil_from_utc(etl_wall t, struct etl_civil *c)
{
	etl_civil_from_seconds(etl_wall_seconds(t), c);
	c->ms = etl_wall_ms_part(t);
}

/* ---- RFC 3339 ---- */

/* Reads exactly `width` digits at *p; moves *p.
 * Exactly so many: "2026-7-1" is no RFC 3339, and "20260701" must not be read as a year
 * of 8 digits. */
static bool take_digits(const char **p, const char *end, int width, int *out)
{
	int n = 0;

	if (end - *p < width)
		return false;
	for (int i = 0; i < width; i++) {
		unsigned digit = (unsigned)((*p)[i] - '0');

		if (digit > 9)
			return false;
		n = n * 10 + (int)digit;
	}
	*p += width;
	*out = n;
	return true;
}

/* strchr() would find the NUL at the end of `any_of`, so a NUL in the text is refused
 * by hand. */
static bool take_char(const char **p, const char *end, const char *any_of)
{
	if (*p == end || !**p || !strchr(any_of, **p))
		return false;
	(*p)++;
	return true;
}

static bool take_date(const char **p, const char *end, struct etl_civil *c)
{
	return take_digits(p, end, 4, &c->year) && take_char(p, end, "-") &&
		take_digits(p, end, 2, &c->month) && take_char(p, end, "-") &&
		take_digits(p, end, 2, &c->day);
}

/* 1 to 9 digits behind the point, cut to milliseconds.
 * ".5" is 500 ms, ".123456789" is 123 ms (cut, not rounded: a rounded .9995 would be another
 * second), "." alone and ten digits are refused. */
static bool take_fraction(const char **p, const char *end, int *ms)
{
	int digits = 0, digit;

	if (!take_char(p, end, "."))
		return true;
	for (*ms = 0; digits < 9 && take_digits(p, end, 1, &digit); digits++)
		if (digits < 3)
			*ms = *ms * 10 + digit;
	for (int i = digits; i < 3; i++)
		*ms *= 10;
	return digits > 0;
}

/* "Z" 0, "+01:00" 3600, "-00:30" -1800; "+0100" and "+24:00" are refused (RFC 3339 section 5.6). */
static bool take_offset(const char **p, const char *end, int *seconds)
{
	int hours, minutes;
	bool west;

	*seconds = 0;
	if (take_char(p, end, "Zz"))
		return true;
	west = *p != end && **p == '-';
	if (!take_char(p, end, "+-") || !take_digits(p, end, 2, &hours) ||
		!take_char(p, end, ":") || !take_digits(p, end, 2, &minutes) || hours > 23 ||
		minutes > 59)
		return false;
	*seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return true;
}

/* "2026-07-01T10:00:00+02:00" is 08:00Z. "2026-02-29T..." and second 60 are refused: POSIX time
 * has no place for a leap second, and moving it by one would make two instants equal. */
bool etl_time_parse_rfc3339(const char *s, size_t len, etl_wall *out)
{
	const char *p = s, *end = s + len;
	struct etl_civil c = {0};
	int offset;

	if (!take_date(&p, end, &c) || !take_char(&p, end, "Tt ") ||
		!take_digits(&p, end, 2, &c.hour) || !take_char(&p, end, ":") ||
		!take_digits(&p, end, 2, &c.minute) || !take_char(&p, end, ":") ||
		!take_digits(&p, end, 2, &c.second) || !take_fraction(&p, end, &c.ms) ||
		!take_offset(&p, end, &offset) || p != end || !etl_civil_is_valid(&c))
		return false;
	out->ms = etl_civil_to_utc(&c).ms - (int64_t)offset * 1000;
	return true;
}

bool etl_time_parse_date(const char *s, size_t len, etl_wall *out)
{
	const char *p = s, *end = s + len;
	struct etl_civil c = {0};

	if (!take_date(&p, end, &c) || p != end || !etl_civil_is_valid(&c))
		return false;
	*out = etl_civil_to_utc(&c);
	return true;
}

/* "2026-07-01T10:00Z" lacks the seconds that RFC 3339 wants. */
static bool parse_without_seconds(const char *text, etl_wall *out)
{
	char full[48];

	if (strlen(text) < 17 || strlen(text) > 30 || text[13] != ':' || text[16] == ':')
		return false;
	snprintf(full, sizeof full, "%.16s:00%s", text, text + 16);
	return etl_time_parse_rfc3339(full, strlen(full), out);
}

/* "2026-07-01", "2026-07-01 10:00": a calendar's and a clock's words, of whatever zone. */
bool etl_time_parse_zoneless(const char *text, etl_wall *out)
{
	char with_zone[48];

	if (etl_time_parse_date(text, strlen(text), out))
		return true;
	snprintf(with_zone, sizeof with_zone, "%.40sZ", text);
	return etl_time_parse_rfc3339(with_zone, strlen(with_zone), out) ||
		parse_without_seconds(with_zone, out);
}

/* "2026-07-01", "2026-07-01T10:00Z", "2026-07-01 10:00", "2026-07-01T10:00:00+02:00": whatever an
 * operator types at a command line. Without an offset it is UTC and never the terminal's zone: the
 * same command means the same window on every machine. */
bool etl_time_parse(const char *text, etl_wall *out)
{
	return etl_time_parse_zoneless(text, out) || etl_time_parse_rfc3339(text, strlen(text), out) ||
		parse_without_seconds(text, out);
}

static char *put_digits(char *p, int n, int width)
{
	for (int i = width - 1; i >= 0; i--, n /= 10)
		p[i] = (char)('0' + n % 10);
	return p + width;
}

/* By hand, since each stored or printed record passes here: printf is ten times slower
 * for it. */
void etl_time_format_rfc3339(etl_wall t, char out[ETL_TIME_TEXT_BYTES])
{
	struct etl_civil c;
	char *p = out;

	etl_civil_from_utc(t, &c);
	p = put_digits(p, c.year, 4);
	*p++ = '-';
	p = put_digits(p, c.month, 2);
	*p++ = '-';
	p = put_digits(p, c.day, 2);
	*p++ = 'T';
	p = put_digits(p, c.hour, 2);
	*p++ = ':';
	p = put_digits(p, c.minute, 2);
	*p++ = ':';
	p = put_digits(p, c.second, 2);
	if (c.ms) {
		*p++ = '.';
		p = put_digits(p, c.ms, 3);
	}
	*p++ = 'Z';
	*p = '\0';
}
