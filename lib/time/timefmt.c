/* SPDX-License-Identifier: MIT
 *
 * Compiled time formats. A format becomes a row of one-letter steps; reading and printing
 * walk the row. Strict in digits and dates: a time that was misread is worse than a reject.
 *
 *   "%d/%m/%Y %H:%M"  reads  "01/07/2026 10:00"  ->  2026-07-01T10:00
 *   "%Y%j"            reads  "2026182"           ->  2026-07-01
 *   "%s.%f"           reads  "1782900000.25"     ->  2026-07-01T10:00:00.250Z
 * Unlike strptime(3) it knows no locale, skips no blanks, takes no single digits (but %e) and
 * refuses a date that does not exist instead of counting on.
 */
#include "time/timefmt.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "time/civil.h"
#include "time/zone.h"

static const char month_names[12][10] = {"January", "February", "March", "April", "May", "June",
	"July", "August", "September", "October", "November", "December"};

/* Bits of etl_timefmt.has. */
enum has {
	HAS_YEAR = 1 << 0,
	HAS_MONTH = 1 << 1,
	HAS_DAY = 1 << 2,
	HAS_YEAR_DAY = 1 << 3,
	HAS_HOUR = 1 << 4,
	HAS_HOUR12 = 1 << 5,
	HAS_AM_PM = 1 << 6,
	HAS_OFFSET = 1 << 7,
	HAS_EPOCH = 1 << 8,
};

/* Texts whose length never varies ("%Y-%m-%d %H:%M" is 16 bytes) are refused by their length before
 * any byte is read. */
static const struct directive {
	char letter;
	uint8_t width; /* of its text; 0 = it varies */
	uint16_t has;
} directives[] = {
	{'Y', 4, HAS_YEAR},
	{'y', 2, HAS_YEAR},
	{'m', 2, HAS_MONTH},
	{'b', 3, HAS_MONTH},
	{'B', 0, HAS_MONTH},
	{'d', 2, HAS_DAY},
	{'e', 0, HAS_DAY},
	{'j', 3, HAS_YEAR_DAY},
	{'H', 2, HAS_HOUR},
	{'I', 2, HAS_HOUR12},
	{'p', 2, HAS_AM_PM},
	{'M', 2, 0},
	{'S', 2, 0},
	{'f', 0, 0},
	{'z', 0, HAS_OFFSET},
	{'Z', 0, HAS_OFFSET},
	{'s', 0, HAS_EPOCH},
};

static const struct directive *find_directive(char letter)
{
	for (size_t i = 0; i < sizeof directives / sizeof *directives; i++)
		if (directives[i].letter == letter)
			return &directives[i];
	return NULL;
}

static int refuse(struct etl_error *err, const char *format, const char *at)
{
	size_t column = (size_t)(at - format) + 1;

	if (!at[1])
		return etl_error_set(err, ETL_CONFIG, "time.format",
			"the time format ends in a single %% (column %zu)", column);
	return etl_error_set(err, ETL_CONFIG, "time.format",
		"unknown directive %%%c in the time format (column %zu); there are "
		"%%Y %%y %%m %%d %%e %%j %%b %%B %%H %%I %%p %%M %%S %%f %%z %%Z %%s %%%%",
		at[1], column);
}

int etl_timefmt_compile(const char *format, struct etl_timefmt *out, struct etl_error *err)
{
	struct etl_timefmt fmt = {0};
	bool varies = false;

	if (strlen(format) > ETL_TIMEFMT_MAX)
		return etl_error_set(err, ETL_CONFIG, "time.format",
			"the time format is longer than %d bytes", ETL_TIMEFMT_MAX);
	if (!*format)
		return etl_error_set(
			err, ETL_CONFIG, "time.format", "the time format is empty");
	for (const char *p = format; *p; p++) {
		const struct directive *d = NULL;

		/* "%%" is one literal byte, the second. */
		if (*p == '%' && p[1] != '%') {
			d = find_directive(p[1]);
			if (!p[1] || !d)
				return refuse(err, format, p);
		}
		if (*p == '%')
			p++;
		fmt.op[fmt.parts] = d ? d->letter : '\0';
		fmt.literal[fmt.parts] = *p;
		fmt.has |= d ? d->has : 0;
		varies |= d && !d->width;
		fmt.size = (uint16_t)(fmt.size + (d ? d->width : 1));
		fmt.parts++;
	}
	if (varies)
		fmt.size = 0;
	*out = fmt;
	return 0;
}

static bool has_all(const struct etl_timefmt *fmt, uint32_t bits)
{
	return (fmt->has & bits) == bits;
}

bool etl_timefmt_is_complete(const struct etl_timefmt *fmt)
{
	if (fmt->has & HAS_EPOCH)
		return true;
	/* %I without %p: 03:00 could be either half of the day. */
	if ((fmt->has & HAS_HOUR12) && !(fmt->has & (HAS_HOUR | HAS_AM_PM)))
		return false;
	return has_all(fmt, HAS_YEAR | HAS_MONTH | HAS_DAY) ||
		has_all(fmt, HAS_YEAR | HAS_YEAR_DAY);
}

/* ---- reading ---- */

/* What the text said so far. Fields that a format does not name stay 0, which for
 * hours, minutes and seconds is what a missing one means. */
struct reading {
	const char *p, *end;
	struct etl_civil c;
	int year_day, hour12, offset; /* offset in seconds */
	bool pm;
	int64_t epoch;
};

/* Exactly two digits: the common case, by hand. */
static inline bool two(struct reading *r, int *out)
{
	unsigned a, b;

	if (r->end - r->p < 2)
		return false;
	a = (unsigned)(r->p[0] - '0');
	b = (unsigned)(r->p[1] - '0');
	if (a > 9 || b > 9)
		return false;
	*out = (int)(a * 10 + b);
	r->p += 2;
	return true;
}

static inline bool one(struct reading *r, int *out)
{
	if (r->p == r->end || *r->p < '0' || *r->p > '9')
		return false;
	*out = *r->p++ - '0';
	return true;
}

static bool read_day_padded(struct reading *r)
{
	if (r->p != r->end && *r->p == ' ') {
		r->p++;
		return one(r, &r->c.day);
	}
	return two(r, &r->c.day) || one(r, &r->c.day);
}

/* "May" is its own short form; with %B the longer names are compared whole, with %b
 * three letters. */
static bool read_month_name(struct reading *r, bool whole)
{
	for (int i = 0; i < 12; i++) {
		size_t len = whole ? strlen(month_names[i]) : 3;

		if ((size_t)(r->end - r->p) < len ||
			strncasecmp(r->p, month_names[i], len) != 0)
			continue;
		r->p += len;
		r->c.month = i + 1;
		return true;
	}
	return false;
}

static bool read_fraction(struct reading *r)
{
	int digits = 0, digit, ms = 0;

	for (; digits < 9 && one(r, &digit); digits++)
		if (digits < 3)
			ms = ms * 10 + digit;
	for (int i = digits; i < 3; i++)
		ms *= 10;
	r->c.ms = ms;
	return digits > 0;
}

static bool read_am_pm(struct reading *r)
{
	if (r->end - r->p < 2)
		return false;
	r->pm = strncasecmp(r->p, "PM", 2) == 0;
	if (!r->pm && strncasecmp(r->p, "AM", 2) != 0)
		return false;
	r->p += 2;
	return true;
}

/* +hh, +hhmm, +hh:mm or Z. */
static bool read_offset(struct reading *r)
{
	int hours, minutes = 0;
	bool west;

	if (r->p == r->end)
		return false;
	r->offset = 0;
	if (*r->p == 'Z') {
		r->p++;
		return true;
	}
	west = *r->p == '-';
	if (*r->p != '-' && *r->p != '+')
		return false;
	r->p++;
	if (!two(r, &hours))
		return false;
	if (r->p != r->end && *r->p == ':') {
		r->p++;
		if (!two(r, &minutes))
			return false;
	} else {
		two(r, &minutes);
	}
	r->offset = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return hours <= 23 && minutes <= 59;
}

static bool read_zone_name(struct reading *r)
{
	static const char names[][4] = {"UTC", "GMT", "Z"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t len = strlen(names[i]);

		if ((size_t)(r->end - r->p) >= len && memcmp(r->p, names[i], len) == 0) {
			r->p += len;
			r->offset = 0;
			return true;
		}
	}
	return false;
}

static bool read_epoch(struct reading *r)
{
	bool minus = r->p != r->end && *r->p == '-';
	int64_t n = 0;
	int digits = 0, digit;

	r->p += minus;
	/* Twelve digits reach the year 9999 (253402300799); what is longer is
	 * milliseconds, most likely, and has its own reader (`unit: ms`). */
	for (; digits < 12 && one(r, &digit); digits++)
		n = n * 10 + digit;
	r->epoch = minus ? -n : n;
	return digits > 0 && r->epoch >= ETL_CIVIL_SECONDS_MIN &&
		r->epoch <= ETL_CIVIL_SECONDS_MAX;
}

static bool read_part(struct reading *r, char op)
{
	int n, high;

	switch (op) {
	case 'Y':
		if (!two(r, &high) || !two(r, &n))
			return false;
		r->c.year = high * 100 + n;
		return true;
	case 'y':
		if (!two(r, &n))
			return false;
		r->c.year = n <= 68 ? 2000 + n : 1900 + n;
		return true;
	case 'm':
		return two(r, &r->c.month);
	case 'd':
		return two(r, &r->c.day);
	case 'H':
		return two(r, &r->c.hour);
	case 'M':
		return two(r, &r->c.minute);
	case 'S':
		return two(r, &r->c.second);
	case 'I':
		return two(r, &r->hour12) && r->hour12 >= 1 && r->hour12 <= 12;
	case 'j':
		if (!two(r, &high) || !one(r, &n))
			return false;
		r->year_day = high * 10 + n;
		return true;
	case 'e':
		return read_day_padded(r);
	case 'b':
		return read_month_name(r, false);
	case 'B':
		return read_month_name(r, true);
	case 'p':
		return read_am_pm(r);
	case 'f':
		return read_fraction(r);
	case 'z':
		return read_offset(r);
	case 'Z':
		return read_zone_name(r);
	case 's':
		return read_epoch(r);
	default:
		return false;
	}
}

/* Puts together what overlaps: the day of the year, the 12-hour clock.
 * %j beside %m and %d has to agree with them: "2026-07-01 182" is good, "... 183" is refused.
 * 12 AM is 0, 12 PM is 12, 1 PM is 13. */
static bool settle(const struct etl_timefmt *fmt, struct reading *r)
{
	struct etl_civil *c = &r->c;

	if (fmt->has & HAS_YEAR_DAY) {
		int year, month, day;

		if (r->year_day < 1 || r->year_day > 365 + etl_civil_is_leap(c->year))
			return false;
		etl_civil_from_days(
			etl_civil_days(c->year, 1, r->year_day), &year, &month, &day);
		if (((fmt->has & HAS_MONTH) && month != c->month) ||
			((fmt->has & HAS_DAY) && day != c->day))
			return false;
		c->month = month;
		c->day = day;
	}
	if ((fmt->has & HAS_HOUR12) && !(fmt->has & HAS_HOUR))
		c->hour = r->hour12 % 12 + (r->pm ? 12 : 0);
	return etl_civil_is_valid(c);
}

bool etl_timefmt_parse_local(const struct etl_timefmt *fmt, const char *s, size_t len,
	etl_wall *out, bool *absolute)
{
	struct reading r = {.p = s, .end = s + len};

	if ((fmt->size && len != fmt->size) || !etl_timefmt_is_complete(fmt))
		return false;
	for (unsigned i = 0; i < fmt->parts; i++) {
		if (fmt->op[i]) {
			if (!read_part(&r, fmt->op[i]))
				return false;
		} else if (r.p == r.end || *r.p++ != fmt->literal[i]) {
			return false;
		}
	}
	if (r.p != r.end)
		return false;
	/* %s wins over everything beside it: it is a whole instant by itself. */
	*absolute = fmt->has & (HAS_EPOCH | HAS_OFFSET);
	if (fmt->has & HAS_EPOCH) {
		out->ms = r.epoch * 1000 + r.c.ms;
		return true;
	}
	if (!settle(fmt, &r))
		return false;
	out->ms = etl_civil_to_utc(&r.c).ms - (int64_t)r.offset * 1000;
	return true;
}

bool etl_timefmt_parse(const struct etl_timefmt *fmt, const char *s, size_t len,
	const struct etl_zone *zone, etl_wall *out)
{
	etl_wall local, first, second;
	bool absolute;

	if (!etl_timefmt_parse_local(fmt, s, len, &local, &absolute))
		return false;
	if (absolute || !zone || zone == etl_zone_utc()) {
		*out = local;
		return true;
	}
	/* In a gap the milliseconds are dropped: the text names no instant, and what it
	 * becomes is the first one after the gap, exactly. */
	if (etl_zone_to_utc(zone, etl_wall_seconds(local), &first, &second) != ETL_LOCAL_GAP)
		first.ms += etl_wall_ms_part(local);
	*out = first;
	return true;
}

/* ---- printing ---- */

struct printing {
	char *p, *end; /* `end` leaves room for the NUL */
	struct etl_civil c;
	int64_t epoch;
	int32_t offset;
};

static bool put_text(struct printing *o, const char *text, size_t len)
{
	if ((size_t)(o->end - o->p) < len)
		return false;
	memcpy(o->p, text, len);
	o->p += len;
	return true;
}

static bool put_number(struct printing *o, int n, int width)
{
	if (o->end - o->p < width)
		return false;
	for (int i = width - 1; i >= 0; i--, n /= 10)
		o->p[i] = (char)('0' + n % 10);
	o->p += width;
	return true;
}

static bool put_offset(struct printing *o)
{
	int32_t minutes = (o->offset < 0 ? -o->offset : o->offset) / 60;

	return put_text(o, o->offset < 0 ? "-" : "+", 1) && put_number(o, minutes / 60, 2) &&
		put_number(o, minutes % 60, 2);
}

static bool put_epoch(struct printing *o)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%lld", (long long)o->epoch);

	return put_text(o, text, (size_t)n);
}

static bool put_day_padded(struct printing *o)
{
	if (o->c.day >= 10)
		return put_number(o, o->c.day, 2);
	return put_text(o, " ", 1) && put_number(o, o->c.day, 1);
}

static int year_day(const struct etl_civil *c)
{
	return (int)(etl_civil_days(c->year, c->month, c->day) - etl_civil_days(c->year, 1, 0));
}

static bool put_part(struct printing *o, char op)
{
	const struct etl_civil *c = &o->c;
	const char *month = month_names[c->month - 1];

	switch (op) {
	case 'Y':
		return put_number(o, c->year, 4);
	case 'y':
		return put_number(o, c->year % 100, 2);
	case 'm':
		return put_number(o, c->month, 2);
	case 'd':
		return put_number(o, c->day, 2);
	case 'H':
		return put_number(o, c->hour, 2);
	case 'I':
		return put_number(o, (c->hour + 11) % 12 + 1, 2);
	case 'M':
		return put_number(o, c->minute, 2);
	case 'S':
		return put_number(o, c->second, 2);
	case 'f':
		return put_number(o, c->ms, 3);
	case 'j':
		return put_number(o, year_day(c), 3);
	case 'e':
		return put_day_padded(o);
	case 'b':
		return put_text(o, month, 3);
	case 'B':
		return put_text(o, month, strlen(month));
	case 'p':
		return put_text(o, c->hour < 12 ? "AM" : "PM", 2);
	case 'z':
		return put_offset(o);
	case 'Z':
		return o->offset ? put_offset(o) : put_text(o, "UTC", 3);
	case 's':
		return put_epoch(o);
	default:
		return false;
	}
}

int etl_timefmt_print(const struct etl_timefmt *fmt, etl_wall t, const struct etl_zone *zone,
	char *out, size_t size)
{
	struct printing o = {.p = out, .epoch = etl_wall_seconds(t)};

	if (!size)
		return -1;
	o.end = out + size - 1;
	if (zone && zone != etl_zone_utc())
		o.offset = etl_zone_offset(zone, t, NULL);
	/* The local year has four digits: an instant near the edges may lie in the year
	 * 0 or 10000 there. */
	if (o.epoch < ETL_CIVIL_SECONDS_MIN - o.offset ||
		o.epoch > ETL_CIVIL_SECONDS_MAX - o.offset)
		return -1;
	etl_civil_from_seconds(o.epoch + o.offset, &o.c);
	o.c.ms = etl_wall_ms_part(t);
	for (unsigned i = 0; i < fmt->parts; i++)
		if (!(fmt->op[i] ? put_part(&o, fmt->op[i])
				 : put_text(&o, &fmt->literal[i], 1)))
			return -1;
	*o.p = '\0';
	return (int)(o.p - out);
}
