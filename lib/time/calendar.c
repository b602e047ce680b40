/* SPDX-License-Identifier: MIT
 *
 * From an instant to the next slot. The cron text is read in cron.c. Keeps no state and reads
 * no clock: the same question has the same answer at any time, also about the past.
 *
 * A cron expression is six sets of numbers (cron.h). The search for the next slot goes
 * from the coarse to the fine: months that do not match are skipped as a whole, then
 * days, then the first second of a day. It works on local times that are counted like
 * UTC, without any zone; the zone comes in at the end, by one of two laws (next_fixed,
 * next_wild).
 */
#include "time/calendar.h"

#include "time/civil.h"
#include "time/cron.h"

/* A little more than that, in days; what has not come by then never does. */
/* 29 February on a given weekday can take 40 years (1888 to 1928, over 1900) */
enum { HORIZON_DAYS = 41 * 366 };

struct etl_calendar {
	int64_t every_ms, offset_ms; /* every_ms > 0: no cron */
	struct etl_cron cron;
	const struct etl_zone *zone;
};

struct etl_calendar *etl_calendar_cron(const char *text, const struct etl_zone *zone,
	struct etl_error *err)
{
	struct etl_cron cron = {0};
	struct etl_calendar *calendar;

	if (etl_cron_parse(text, &cron, err) != 0)
		return NULL;
	calendar = ETL_NEW(struct etl_calendar);
	calendar->cron = cron;
	calendar->zone = zone ? zone : etl_zone_utc();
	return calendar;
}

struct etl_calendar *etl_calendar_every(etl_dur every, etl_dur offset, struct etl_error *err)
{
	const char *wrong = NULL;
	struct etl_calendar *calendar;

	if (every.us < ETL_SECONDS(1).us)
		wrong = "`every` must be at least 1s";
	else if (offset.us < 0 || offset.us >= every.us)
		wrong = "`offset` must be shorter than `every`";
	else if (every.us % 1000 != 0 || offset.us % 1000 != 0)
		wrong = "`every` and `offset` must be whole milliseconds";
	if (wrong) {
		etl_error_set(err, ETL_CONFIG, "schedule.every", "%s", wrong);
		return NULL;
	}
	calendar = ETL_NEW(struct etl_calendar);
	calendar->every_ms = etl_dur_ms(every);
	calendar->offset_ms = etl_dur_ms(offset);
	return calendar;
}

void etl_calendar_free(struct etl_calendar *calendar)
{
	free(calendar);
}

/* Slots are counted from the epoch and not from the start of the daemon, so that all etlds and
 * all restarts have the same ones. Example: every 10m, offset 3m: 00:03, 00:13, 00:23. The
 * remainder is made positive for instants before 1970. */
static bool next_every(const struct etl_calendar *calendar, etl_wall after, etl_wall *out)
{
	int64_t every = calendar->every_ms;
	int64_t since = (after.ms % every - calendar->offset_ms) % every;
	int64_t next;

	if (since < 0)
		since += every;
	if (__builtin_add_overflow(after.ms, every - since, &next))
		return false;
	out->ms = next;
	return true;
}

/* ---- cron ---- */

/* The lowest bit at or above `from`, or -1.
 * bits 1000 1010 (1, 3, 7), from 2: 3. From 4: 7. From 8: -1. */
static int next_bit(uint64_t bits, int from)
{
	if (from > 63)
		return -1;
	bits &= ~UINT64_C(0) << from;
	return bits ? __builtin_ctzll(bits) : -1;
}

/* The first matching second of a day at or after `from`, or -1. The minute and second of `from`
 * bound only its own hour and minute; in later ones the search begins at 0. Example: minutes 0
 * and 30 of the hours 2 and 3, from 02:31: hour 2 has no minute left, so it is 03:00. */
static int32_t next_second(const struct etl_cron *cron, int32_t from)
{
	int h0 = from / 3600, m0 = from / 60 % 60, s0 = from % 60;

	for (int h = next_bit(cron->hour, h0); h >= 0; h = next_bit(cron->hour, h + 1)) {
		int m = next_bit(cron->minute, h == h0 ? m0 : 0);
		int s = m < 0 ? -1 : next_bit(cron->second, h == h0 && m == m0 ? s0 : 0);

		if (m >= 0 && s < 0) {
			m = next_bit(cron->minute, m + 1);
			s = next_bit(cron->second, 0);
		}
		if (m >= 0)
			return h * 3600 + m * 60 + s;
	}
	return -1;
}

/* The days of a month, bits 1 to `last`, that the weekday field names; the month begins on
 * `weekday`. The constant has bits 0, 7, 14, 21 and 28, so that shifted by a day it gives all
 * days of one weekday at once. Example: the month begins on a Thursday, so Friday is day 2:
 * Fridays are 2, 9, 16, 23 and 30, "5#2" is 9, "5L" is 30 (23 in a February). */
static uint64_t days_by_week(const struct etl_cron *cron, int weekday, int last)
{
	const uint64_t all = (UINT64_C(2) << last) - 2;
	uint64_t found = 0;

	if (cron->weekday == 0x7f)
		return all; /* nearly always */
	for (int day = 1; day <= 7; day++, weekday = (weekday + 1) % 7) {
		const uint64_t weekly = UINT64_C(0x10204081) << day & all; /* day, day + 7, ... */
		const uint8_t nth = cron->nth[weekday];

		if (cron->weekday >> weekday & 1)
			found |= weekly;
		for (int n = 1; nth && n <= 5; n++)
			if (nth >> n & 1)
				found |= UINT64_C(1) << (day + 7 * (n - 1)) & all;
		if (nth & ETL_CRON_NTH_LAST)
			found |= UINT64_C(1) << (63 - __builtin_clzll(weekly));
	}
	return found;
}

/* The matching days of a month as bits; `first` is the day number of its first. A month at a
 * time, because an expression that never matches (30 February) is searched for 40 years, in the
 * loop's thread. */
static uint64_t matching_days(const struct etl_cron *cron, int64_t first, int month, int last)
{
	uint64_t by_day, by_week;

	if (!(cron->month >> month & 1))
		return 0;
	by_day = cron->day & ((UINT64_C(2) << last) - 2);
	if (cron->day_last)
		by_day |= UINT64_C(1) << last;
	by_week = days_by_week(cron, etl_civil_weekday(first), last);
	return cron->either_day ? by_day | by_week : by_day & by_week;
}

/* The first matching local second in [from, limit).
 * `limit` is where the caller's stretch of constant offset ends, or the horizon: a slot
 * that lies behind it is another stretch's. An unmatched year costs twelve look-ups of
 * a bit. */
static bool next_local(const struct etl_cron *cron, int64_t from, int64_t limit, int64_t *out)
{
	int64_t day = (from >= 0 ? from : from - 86399) / 86400, first;
	const int32_t second = (int32_t)(from - day * 86400);
	int year, month, mday;

	etl_civil_from_days(day, &year, &month, &mday);
	first = day - mday + 1;
	while (first * 86400 < limit) {
		const int last = etl_civil_month_days(year, month);
		const uint64_t days = matching_days(cron, first, month, last);

		for (int d = next_bit(days, mday); d > 0; d = next_bit(days, d + 1)) {
			/* only on the day of `from` may it be too late already */
			int32_t found = next_second(cron, d == mday ? second : 0);

			if (found < 0)
				continue;
			*out = (first + d - 1) * 86400 + found;
			return *out < limit;
		}
		first += last;
		/* From the second month on any day and any second will do. */
		mday = 0;
		year += month == 12;
		month = month == 12 ? 1 : month + 1;
	}
	return false;
}

/* The local time at which a fold ends, `first` being an instant of its first pass: the first
 * local time that the clock shows only once again. */
static int64_t fold_end(const struct etl_zone *zone, etl_wall first)
{
	etl_wall back;

	/* Cannot fail: what has a second pass has a step back behind the first.
	 * What follows keeps the search finite even so. */
	if (!etl_zone_next_transition(zone, first, &back))
		back.ms = ETL_CIVIL_SECONDS_MAX * 1000;
	return etl_wall_seconds(back) + etl_zone_offset(zone, first, NULL);
}

/* The law of a fixed hour: it names times on the wall, each of which is one slot, its first
 * instant. Example: `30 2 * * *` in Europe/Paris. On 2024-03-31 the clock jumps from 02:00 to
 * 03:00: 02:30 does not exist, and the slot is the first instant after the gap, 01:00Z. On
 * 2024-10-27 the clock shows 02:30 twice, at 00:30Z and 01:30Z: the slot is 00:30Z. After that
 * slot the search goes on behind the fold, or the second pass would be taken for a new time. */
static bool next_fixed(const struct etl_calendar *calendar, int64_t after, int64_t limit,
	etl_wall *out)
{
	int64_t local = after + etl_zone_offset(calendar->zone, (etl_wall){after * 1000}, NULL);

	while (next_local(&calendar->cron, local + 1, limit, &local)) {
		etl_wall first, second;

		/* Several local times of one gap have the same first instant: 02:00,
		 * 02:15, 02:30 and 02:45 of a gap are one slot, since each next
		 * question is "strictly after" it. */
		etl_zone_to_utc(calendar->zone, local, &first, &second);
		if (first.ms <= after * 1000) {
			local = fold_end(calendar->zone, first) - 1;
			continue;
		}
		*out = first;
		return true;
	}
	return false;
}

/* The law of a wild hour: it follows elapsed time, so local times are searched along each
 * stretch of constant offset. Example: `30 * * * *` in Europe/Paris. On 2024-03-31 00:30Z is
 * followed by 01:30Z, an hour later, and nothing stands for the missing 02:30. On 2024-10-27
 * 00:30Z and 01:30Z both run, one hour apart, although the clock shows 02:30 at both. */
static bool next_wild(const struct etl_calendar *calendar, int64_t after, int64_t limit,
	etl_wall *out)
{
	int64_t from = after + 1;

	while (from < limit) {
		etl_wall start = {from * 1000}, change;
		int32_t offset = etl_zone_offset(calendar->zone, start, NULL);
		int64_t end = limit, local;

		/* A stretch of constant offset is months long, mostly; within it local
		 * time and elapsed time are the same but for a sum. */
		if (etl_zone_next_transition(calendar->zone, start, &change) &&
			change.ms / 1000 < end)
			end = etl_wall_seconds(change);
		if (next_local(&calendar->cron, from + offset, end + offset, &local)) {
			out->ms = (local - offset) * 1000;
			return true;
		}
		from = end;
	}
	return false;
}

/* Two days are kept from either end of civil time: an offset, or the search for a transition,
 * must not lead beyond what a civil date can say. */
bool etl_calendar_next(const struct etl_calendar *calendar, etl_wall after, etl_wall *out)
{
	const int64_t day = 86400;
	int64_t from, limit;

	if (calendar->every_ms)
		return next_every(calendar, after, out);
	from = etl_wall_seconds(after);
	if (from < ETL_CIVIL_SECONDS_MIN + 2 * day)
		from = ETL_CIVIL_SECONDS_MIN + 2 * day;
	if (from > ETL_CIVIL_SECONDS_MAX)
		return false;
	limit = from + HORIZON_DAYS * day;
	if (limit > ETL_CIVIL_SECONDS_MAX - 2 * day)
		limit = ETL_CIVIL_SECONDS_MAX - 2 * day;
	if (calendar->cron.wild_hour)
		return next_wild(calendar, from, limit, out);
	return next_fixed(calendar, from, limit, out);
}
