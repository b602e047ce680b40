/* SPDX-License-Identifier: MIT
 *
 * Reading times. Numbers are exact as integers; a double's fraction of a millisecond is cut
 * after a microsecond was added, because 1.001 s is a hair less as a double.
 *
 *   iso8601     "2026-07-01T10:00:00+02:00"     epoch      1782900000, 1782900000.25, "1782900000"
 *   epoch_ms    1782900000250                   pattern    "%d/%m/%Y %H:%M" of "01/07/2026 10:00"
 * Local times, Europe/Paris, 2026-10-25 02:30 (shown twice, at 00:30Z and 01:30Z):
 *   fold: reject refuses it, first is 00:30Z, second is 01:30Z, sequence asks the record before.
 * 2026-03-29 02:30 (never shown): gap: reject refuses it, forward is 01:00Z.
 */
#include "record/time_format.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "conf/zones.h"
#include "record/number.h"
#include "time/civil.h"
#include "time/iso8601.h"

const char *const etl_fold_words[] = {"reject", "first", "second", "sequence", NULL};
const char *const etl_gap_words[] = {"reject", "forward", NULL};

#define FORMATS "iso8601, epoch, epoch_ms, epoch_us, epoch_ns"

static const struct {
	const char *word;
	int64_t per_second;
} kinds[] = {
	[ETL_TIME_ISO8601] = {"iso8601", 0},
	[ETL_TIME_EPOCH] = {"epoch", 1},
	[ETL_TIME_EPOCH_MS] = {"epoch_ms", 1000},
	[ETL_TIME_EPOCH_US] = {"epoch_us", 1000000},
	[ETL_TIME_EPOCH_NS] = {"epoch_ns", 1000000000},
};

/* By the whole word: "epoch_s" is none, and as a pattern it has no date, which is told. */
bool etl_time_kind_parse(const char *format, enum etl_time_kind *out)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (etl_streq(format, kinds[i].word)) {
			*out = (enum etl_time_kind)i;
			return true;
		}
	return false;
}

bool etl_time_format_compile(struct etl_time_format *out, const char *format,
	const char *zone, const struct etl_mark *format_mark, const struct etl_mark *zone_mark,
	const struct etl_conf_env *env)
{
	struct etl_error err = ETL_ERROR_INIT;
	bool ok = true;

	out->text = format;
	/* What is no word is a pattern; a word with a mistake in it is then one without
	 * a full date. */
	if (!etl_time_kind_parse(format, &out->kind)) {
		out->kind = ETL_TIME_PATTERN;
		if (etl_timefmt_compile(format, &out->pattern, &err) != 0)
			ok = false;
		else if (!etl_timefmt_is_complete(&out->pattern))
			ok = etl_error_set(&err, ETL_CONFIG, "time.format",
				     "the format '%s' names no full date", format) == 0;
		if (!ok)
			etl_diag_add(env->diag, format_mark, ETL_DIAG_RANGE, NULL,
				FORMATS " or a pattern with year, month and day", "%s: %s",
				env->what, err.message);
	}
	out->zone = etl_conf_zone(zone, env, &err);
	if (!out->zone)
		etl_diag_add(env->diag, zone_mark, ETL_DIAG_REFERENCE, NULL, NULL, "%s: %s",
			env->what, err.message);
	return ok && out->zone;
}

/* ---- numbers ---- */

/* As doubles, because a number may be far beyond an int64 of milliseconds. */
static bool in_years(double ms)
{
	return ms >= (double)ETL_CIVIL_SECONDS_MIN * 1000 &&
	       ms < ((double)ETL_CIVIL_SECONDS_MAX + 1) * 1000;
}

/* A number outside of the years 1 to 9999 is more likely in another unit than true.
 * epoch 1782900000 and 1782900000.25, epoch_ms 1782900000250; a true or a false is none. epoch_ms
 * of a value that was meant in seconds is a day in January 1970 and passes, but epoch of one in
 * milliseconds lies in the year 58468 and is refused. */
static bool from_number(const struct etl_element *e, enum etl_time_kind kind, etl_wall *out)
{
	int64_t per = kinds[kind].per_second, whole;
	double v;

	if (e->type == BSON_TYPE_BOOL)
		return false;
	if (etl_number_int64(e, &whole)) {
		/* Rounded down, also before 1970: -1 microsecond is the millisecond -1,
		 * not 0. */
		if (per >= 1000)
			whole = whole / (per / 1000) - (whole % (per / 1000) < 0);
		else if (__builtin_mul_overflow(whole, 1000, &whole))
			return false;
		if (!in_years((double)whole))
			return false;
		out->ms = whole;
		return true;
	}
	if (!etl_number_double(e, &v))
		return false;
	v = floor(v * (1000.0 / (double)per) + 1e-3);
	if (!in_years(v))
		return false;
	out->ms = (int64_t)v;
	return true;
}

/* ---- local times ---- */

/* Which of the two passes of a fold: the order of the records tells by going back.
 * sequence: 01:30, 02:00, 02:30, 02:00, 02:30, 03:00 as a source writes an autumn night: the first
 * 02:00 is the first pass; the second one would lie before the 02:30 that came last, so it is the
 * second pass. */
static etl_wall pass(enum etl_fold fold, etl_wall first, etl_wall second, const etl_wall *last)
{
	if (fold == ETL_FOLD_SECOND)
		return second;
	if (fold == ETL_FOLD_SEQUENCE && last && last->ms != ETL_NO_TIME &&
		first.ms <= last->ms)
		return second;
	return first;
}

/* The words end a sentence: "'time' is string \"...\", which exists twice in its time
 * zone: ...". */
static const char *from_local(const struct etl_time_format *f, etl_wall local,
	const etl_wall *last, etl_wall *out)
{
	etl_wall first, second;
	int ms = etl_wall_ms_part(local);

	switch (etl_zone_to_utc(f->zone, etl_wall_seconds(local), &first, &second)) {
	case ETL_LOCAL_GAP:
		if (f->gap == ETL_GAP_REJECT)
			return "does not exist in its time zone: the clocks were set forward "
			       "over it ('gap: forward' takes the first time after it)";
		*out = first; /* the first instant after it, to which no fraction belongs */
		return NULL;
	case ETL_LOCAL_FOLD:
		if (f->fold == ETL_FOLD_REJECT)
			return "exists twice in its time zone: the clocks were set back over it "
			       "('fold: first', 'second' or 'sequence' says which is meant)";
		first.ms += ms;
		second.ms += ms;
		*out = pass(f->fold, first, second, last);
		return NULL;
	case ETL_LOCAL_UNIQUE:
	default:
		out->ms = first.ms + ms;
		return NULL;
	}
}

static const char no_time[] = "is not a time of its format";

const char *etl_time_format_read(const struct etl_time_format *f, const struct etl_element *e,
	const etl_wall *last, etl_wall *out)
{
	struct etl_iso8601 iso;
	etl_wall local;
	const char *text;
	bool absolute;
	uint32_t len;

	if (etl_element_date(e, out))
		return etl_wall_is_civil(*out) ? NULL : "lies beyond the years 1 to 9999";
	if (f->kind != ETL_TIME_ISO8601 && f->kind != ETL_TIME_PATTERN)
		return from_number(e, f->kind, out) ? NULL : no_time;
	if (!etl_element_text(e, &text, &len))
		return no_time;
	if (f->kind == ETL_TIME_ISO8601) {
		if (!etl_iso8601_parse(text, len, &iso))
			return no_time;
		absolute = iso.has_offset;
		local.ms = iso.local.ms - (absolute ? (int64_t)iso.offset * 1000 : 0);
	} else if (!etl_timefmt_parse_local(&f->pattern, text, len, &local, &absolute)) {
		return no_time;
	}
	if (!absolute && f->zone != etl_zone_utc()) {
		const char *why = from_local(f, local, last, out);

		if (why)
			return why;
	} else {
		*out = local;
	}
	return etl_wall_is_civil(*out) ? NULL : "lies beyond the years 1 to 9999";
}
