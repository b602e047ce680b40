/* SPDX-License-Identifier: MIT
 *
 * A hand-written reader of ISO 8601: date, then time, then offset. Strict in digits; basic and
 * extended form are not mixed within a date or a time (ISO 8601-1:2019, 5.4.2.1).
 *
 *   2026-07-01T10:00:00Z   20260701T1000Z   2026-07-01 10:00:00 +0200   extended, basic, a blank
 *   2026-W27-3  2026-W27  2026-182  2026-07                             week, ordinal, reduced
 *   2026-07-01T10,5+02     10:30, east of Greenwich                     fraction of the last part
 *   2026-07-01T24:00       midnight at the end of the day
 *   202607 and 2026        refused: YYMMDD? a number?
 *   2026-07-01T1000:00     refused: basic and extended mixed
 */
#include "time/iso8601.h"

#include <stdint.h>
#include <string.h>

#include "time/civil.h"

struct reading {
	const char *p, *end;
	int64_t day; /* since 1970-01-01 */
	int64_t ms;  /* of the day; may be a whole day */
};

static bool take(struct reading *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

/* How many digits follow. */
static size_t run(const struct reading *r)
{
	size_t n = 0;

	while (r->p + n < r->end && r->p[n] >= '0' && r->p[n] <= '9')
		n++;
	return n;
}

/* At least so many digits must follow; more are the caller's next part. */
static bool digits(struct reading *r, size_t width, int *out)
{
	int n = 0;

	if (run(r) < width)
		return false;
	for (size_t i = 0; i < width; i++)
		n = n * 10 + (*r->p++ - '0');
	*out = n;
	return true;
}

/* ---- date ---- */

static bool set_calendar(struct reading *r, int year, int month, int day)
{
	struct etl_civil c = {.year = year, .month = month, .day = day};

	if (!etl_civil_is_valid(&c))
		return false;
	r->day = etl_civil_days(year, month, day);
	return true;
}

/* Day 366 exists in leap years alone. */
static bool set_ordinal(struct reading *r, int year, int day)
{
	if (year < ETL_CIVIL_YEAR_MIN || day < 1 || day > 365 + etl_civil_is_leap(year))
		return false;
	r->day = etl_civil_days(year, 1, 1) + day - 1;
	return true;
}

/* Week 1 is the one with 4 January; a year has 53 if its 1 January is a Thursday, or a
 * Wednesday of a leap year. */
static bool set_week(struct reading *r, int year, int week, int day)
{
	int64_t fourth = etl_civil_days(year, 1, 4);
	int first = etl_civil_weekday(etl_civil_days(year, 1, 1));
	int weeks = first == 4 || (first == 3 && etl_civil_is_leap(year)) ? 53 : 52;
	int64_t monday = fourth - (etl_civil_weekday(fourth) + 6) % 7;

	if (year < ETL_CIVIL_YEAR_MIN || week < 1 || week > weeks || day < 1 || day > 7)
		return false;
	r->day = monday + (week - 1) * 7 + day - 1;
	return true;
}

/* Behind "YYYY-": MM-DD, MM, DDD, Www-D, Www. */
static bool extended_date(struct reading *r, int year)
{
	int a, b;

	if (take(r, 'W')) {
		/* "2026-W273" would be a basic week with a day behind an extended year. */
		if (!digits(r, 2, &a) || (run(r) != 0))
			return false;
		b = 1;
		if (take(r, '-') && !digits(r, 1, &b))
			return false;
		return set_week(r, year, a, b);
	}
	if (run(r) == 3)
		return digits(r, 3, &a) && set_ordinal(r, year, a);
	if (run(r) != 2 || !digits(r, 2, &a))
		return false;
	b = 1;
	if (take(r, '-') && !digits(r, 2, &b))
		return false;
	return set_calendar(r, year, a, b);
}

/* Behind "YYYY": MMDD, DDD, WwwD, Www. YYYYMM is not allowed: it could be YYMMDD. */
static bool basic_date(struct reading *r, int year)
{
	int a, b = 1;

	if (take(r, 'W')) {
		if (!digits(r, 2, &a) || (run(r) && !digits(r, 1, &b)))
			return false;
		return set_week(r, year, a, b);
	}
	if (run(r) == 4)
		return digits(r, 2, &a) && digits(r, 2, &b) && set_calendar(r, year, a, b);
	return run(r) == 3 && digits(r, 3, &a) && set_ordinal(r, year, a);
}

static bool read_date(struct reading *r)
{
	int year;

	if (!digits(r, 4, &year))
		return false;
	return take(r, '-') ? extended_date(r, year) : basic_date(r, year);
}

/* ---- time ---- */

/* Digits behind a point or comma as a part of `unit_ms`, cut. */
static bool read_fraction(struct reading *r, int64_t unit_ms)
{
	int64_t value = 0, scale = 1;
	size_t n;

	if (!take(r, '.') && !take(r, ','))
		return true;
	n = run(r);
	if (!n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int digit = *r->p++ - '0';

		/* An hour has 3.6 million milliseconds, so nine digits decide each of
		 * them. */
		if (i >= 9) /* beyond what a millisecond of an hour needs */
			continue;
		value = value * 10 + digit;
		scale *= 10;
	}
	r->ms += value * unit_ms / scale;
	return true;
}

static bool read_time(struct reading *r)
{
	int hour, minute = 0, second = 0;
	int64_t unit = 3600000;
	bool extended, leap;

	if (!digits(r, 2, &hour))
		return false;
	extended = r->p < r->end && *r->p == ':';
	if (extended ? take(r, ':') : run(r) > 0) {
		/* A fraction belongs to the last part that stands there: 10.5 is half
		 * an hour, 10:00.5 half a minute. */
		unit = 60000;
		if (!digits(r, 2, &minute))
			return false;
		if (extended ? take(r, ':') : run(r) > 0) {
			unit = 1000;
			if (!digits(r, 2, &second))
				return false;
		}
	}
	/* A leap second is the last of an hour in UTC (of some minute in zones of odd
	 * offsets, which nobody writes); it is read as the next second, as POSIX clocks
	 * repeat it. Its fraction may follow. */
	leap = second == 60 && minute == 59;
	if (hour > 24 || minute > 59 || (second > 59 && !leap))
		return false;
	r->ms = hour * INT64_C(3600000) + minute * INT64_C(60000) + second * INT64_C(1000);
	/* 24:00 is the one time of hour 24; anything behind it is a time that does not
	 * exist. */
	return read_fraction(r, unit) && r->ms <= INT64_C(86400000) + (leap ? 999 : 0);
}

/* ---- offset ---- */

static bool read_offset(struct reading *r, bool *has, int *offset)
{
	static const char minus[] = "\xe2\x88\x92";
	int hours, minutes = 0;
	bool west = false;

	/* One blank, and only if something follows: a text that ends with a blank is
	 * not ISO 8601. */
	if (r->p + 1 < r->end && *r->p == ' ')
		r->p++;
	if (r->p == r->end)
		return true;
	*has = true;
	if (take(r, 'Z') || take(r, 'z'))
		return true;
	if (r->end - r->p >= 3 && memcmp(r->p, minus, 3) == 0) {
		r->p += 3;
		west = true;
	} else if (take(r, '-')) {
		west = true;
	} else if (!take(r, '+')) {
		return false;
	}
	if (!digits(r, 2, &hours) || ((take(r, ':') || run(r)) && !digits(r, 2, &minutes)) ||
		hours > 23 || minutes > 59)
		return false;
	*offset = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return true;
}

bool etl_iso8601_parse(const char *s, size_t len, struct etl_iso8601 *out)
{
	struct reading r = {.p = s, .end = s + len};
	struct etl_iso8601 got = {0};

	if (!read_date(&r))
		return false;
	if (r.p < r.end && strchr("Tt ", *r.p) && *r.p) {
		r.p++;
		got.has_time = true;
		if (!read_time(&r) || !read_offset(&r, &got.has_offset, &got.offset))
			return false;
	}
	if (r.p != r.end)
		return false;
	got.local.ms = r.day * INT64_C(86400000) + r.ms;
	*out = got;
	return true;
}
