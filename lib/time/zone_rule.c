/* SPDX-License-Identifier: MIT
 *
 * POSIX TZ rules: "CET-1CEST,M3.5.0,M10.5.0/3". Quoted names, Jn, n and Mm.w.d days, times from
 * -167 to 167 hours. Reads the text and spells the rule out as steps. The text comes from a
 * file: nothing in it is trusted, and a text that is not wholly understood adds nothing.
 *
 * The text of Europe/Paris: CET-1CEST,M3.5.0,M10.5.0/3
 *   CET-1        standard time is 1 h east (the sign is POSIX's: hours to add to reach UTC)
 *   CEST         summer time; without a number it is one hour more
 *   M3.5.0       begins on the last Sunday of March, at 02:00 of the time before (the default)
 *   M10.5.0/3    ends on the last Sunday of October, at 03:00 of summer time
 */
#include <stdlib.h>
#include <string.h>

#include "time/civil.h"
#include "time/zone_internal.h"

enum day_kind { DAY_JULIAN /* 1 to 365, no leap day */, DAY_ZERO /* 0 to 365 */, DAY_MONTH };

struct change {
	enum day_kind kind;
	int day; /* of the year, or weekday */
	int month, week;
	int32_t time; /* seconds of local time */
};

struct rule {
	int32_t std, dst; /* seconds east */
	bool has_dst;
	struct change start, end; /* of daylight saving time */
};

struct text {
	const char *p, *end;
};

static bool take(struct text *t, char c)
{
	if (t->p == t->end || *t->p != c)
		return false;
	t->p++;
	return true;
}

/* Three digits at the most: nothing in a rule is larger than 365. */
static bool take_number(struct text *t, int max, int *out)
{
	int n = 0, digits = 0;

	for (; t->p != t->end && *t->p >= '0' && *t->p <= '9'; t->p++) {
		n = n * 10 + (*t->p - '0');
		if (++digits > 3 || n > max)
			return false;
	}
	*out = n;
	return digits > 0;
}

static bool is_alpha(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Abbreviations are read over and not kept; two letters or none are refused, as POSIX has it. */
static bool take_name(struct text *t)
{
	const char *start;
	bool quoted = take(t, '<');

	for (start = t->p; t->p != t->end; t->p++) {
		char c = *t->p;

		if (!is_alpha(c) &&
			!(quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-')))
			break;
	}
	if (t->p - start < 3)
		return false;
	return !quoted || take(t, '>');
}

/* [+-]h[:m[:s]] in seconds. */
static bool take_time(struct text *t, int hours_max, int32_t *out)
{
	bool minus = take(t, '-');
	int h, m = 0, s = 0;

	if (!minus)
		take(t, '+');
	if (!take_number(t, hours_max, &h))
		return false;
	if (take(t, ':')) {
		if (!take_number(t, 59, &m))
			return false;
		if (take(t, ':') && !take_number(t, 59, &s))
			return false;
	}
	*out = (h * 3600 + m * 60 + s) * (minus ? -1 : 1);
	return true;
}

static bool take_day(struct text *t, struct change *c)
{
	if (take(t, 'J')) {
		c->kind = DAY_JULIAN;
		return take_number(t, 365, &c->day) && c->day >= 1;
	}
	if (take(t, 'M')) {
		c->kind = DAY_MONTH;
		return take_number(t, 12, &c->month) && c->month >= 1 && take(t, '.') &&
			take_number(t, 5, &c->week) && c->week >= 1 && take(t, '.') &&
			take_number(t, 6, &c->day);
	}
	c->kind = DAY_ZERO;
	return take_number(t, 365, &c->day);
}

/* Times may leave the day: Greenland's rule, M3.5.0/-1, begins summer an hour before midnight of
 * the Saturday (RFC 8536 section 3.3.1). */
static bool take_change(struct text *t, struct change *c)
{
	c->time = 7200;
	return take(t, ',') && take_day(t, c) && (!take(t, '/') || take_time(t, 167, &c->time));
}

/* The text counts hours west of Greenwich, a zone seconds east of it: "CET-1" is +3600. */
static bool take_rule(struct text *t, struct rule *r)
{
	int32_t west;

	if (!take_name(t) || !take_time(t, 24, &west))
		return false;
	r->std = -west;
	r->has_dst = t->p != t->end;
	if (!r->has_dst)
		return true;
	if (!take_name(t) || t->p == t->end)
		return false;
	r->dst = r->std + 3600;
	if (*t->p != ',') {
		if (!take_time(t, 24, &west))
			return false;
		r->dst = -west;
	}
	return take_change(t, &r->start) && take_change(t, &r->end) && t->p == t->end;
}

/* Example: M3.5.0 is the last Sunday of March. In 2024 March begins on a Friday, so the first
 * Sunday is the 3rd and a fifth one the 31st; where a month has no fifth, the fourth is the
 * last. */
static int64_t month_rule_day(const struct change *c, int64_t year)
{
	int64_t first = etl_civil_days(year, c->month, 1);
	int day = 1 + (c->day - etl_civil_weekday(first) + 7) % 7 + (c->week - 1) * 7;

	if (day > etl_civil_month_days(year, c->month))
		day -= 7;
	return first + day - 1;
}

/* The instant of a change, seconds since the epoch; `offset` is the one in force before. */
static int64_t change_at(const struct change *c, int64_t year, int32_t offset)
{
	int64_t day = etl_civil_days(year, 1, 1);

	if (c->kind == DAY_MONTH)
		day = month_rule_day(c, year);
	else if (c->kind == DAY_ZERO)
		day += c->day;
	else
		/* J60 is 1 March in every year: the leap day has no number of its own. */
		day += c->day - 1 + (c->day >= 60 && etl_civil_is_leap(year));
	return day * 86400 + c->time - offset;
}

/* Stable for equal instants: the end of one year's summer before the start of the next one's
 * makes daylight saving time all year round (RFC 8536 section 3.3.1). */
static void sort_steps(struct etl_zone_step *steps, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct etl_zone_step step = steps[i];
		size_t j = i;

		for (; j && steps[j - 1].at > step.at; j--)
			steps[j] = steps[j - 1];
		steps[j] = step;
	}
}

/* Two years before the last step of the file, so that the rule joins it without a hole, and a
 * little more than 400 years after, for the cycle that zone.c looks into. */
static void spell_out(
	struct etl_zone *zone, const struct rule *r, int64_t first_year, int years)
{
	struct etl_zone_step *all = etl_calloc(2 * (size_t)years, sizeof *all);
	size_t n = 0, count;
	bool had_steps = zone->count > 0;
	int64_t last = had_steps ? zone->steps[zone->count - 1].at : 0;
	/* The very last end of summer has no start behind it to replace it. */
	int64_t limit = zone->base + ETL_ZONE_CYCLE + INT64_C(400) * 86400;

	for (int64_t y = first_year; y < first_year + years; y++) {
		struct etl_zone_step on = {change_at(&r->start, y, r->std), r->dst, true};
		struct etl_zone_step off = {change_at(&r->end, y, r->dst), r->std, false};

		all[n++] = on.at <= off.at ? on : off;
		all[n++] = on.at <= off.at ? off : on;
	}
	sort_steps(all, n);
	count = n;
	for (n = 0; n < count; n++) {
		/* Of two changes at one instant the later one holds: the end that meets
		 * a start is no end. */
		bool replaced = n + 1 < count && all[n + 1].at == all[n].at;

		if (!replaced && (!had_steps || all[n].at > last) && all[n].at < limit)
			etl_zone_add_step(zone, all[n].at, all[n].offset, all[n].dst);
	}
	free(all);
}

/* Without steps before it the rule holds for all of the past as well, and its cycle begins in
 * 1973. */
bool etl_zone_add_rule(struct etl_zone *zone, const char *text, size_t len)
{
	struct text t = {text, text + len};
	struct rule r = {0};
	struct etl_civil c;

	if (!take_rule(&t, &r))
		return false;
	if (!r.has_dst) {
		if (!zone->count)
			zone->before = (struct etl_zone_step){0, r.std, false};
		return true;
	}
	zone->cyclic = true;
	zone->cyclic_past = zone->count == 0;
	etl_civil_from_seconds(zone->count ? zone->steps[zone->count - 1].at : 0, &c);
	if (!zone->count)
		zone->before = (struct etl_zone_step){0, r.std, false};
	zone->base = etl_civil_days(c.year + 3, 1, 1) * 86400;
	spell_out(zone, &r, c.year - 2, 408);
	return true;
}
