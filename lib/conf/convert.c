/* SPDX-License-Identifier: MIT
 *
 * Conversion of scalars. Nothing is guessed: a number without its unit, `yes` for a boolean
 * or a quoted number are errors, and their hints are what the writer probably meant.
 *
 * What the file says is the law, not what YAML 1.1 would make of it: `NO` is the text
 * "NO" (Norway), `012` is no octal number, `1_000` is no number at all, and `on` is no
 * boolean. The table below shows each type with what it takes.
 *
 *   bool       true false                       not: yes, on, True, 1, "true"
 *   integer    10 -3 +7 007                     not: "10" (quoted), 1.0, 1e3, 0x10
 *   duration   90s 15m 1h30m 7d 0s              not: 90 (no unit), 1.5h
 *   size       512B 64KiB 1MiB                  not: 64 (no unit), 64k, 1MB
 *   rate       10/s 30/m 1500/d                 not: 10, 10/min, 0/s
 *   time       2024-01-31  2024-01-31T00:00:00Z not: 2024-01-31T00:00:00 (no zone)
 */
#include "conf/convert.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "time/civil.h"
#include "time/duration.h"

/* What an error says is due. The words are followed by examples where a type has a
 * notation of its own. */
static const char *const type_texts[] = {
	[ETL_OPT_STRING] = "text",
	[ETL_OPT_BOOL] = "true or false",
	[ETL_OPT_INT] = "a whole number",
	[ETL_OPT_DOUBLE] = "a number",
	[ETL_OPT_DURATION] = "a duration such as 90s, 15m, 1h30m or 7d",
	[ETL_OPT_STEP] = "a length such as 1h, 1d, 1w, 1mo or 1y",
	[ETL_OPT_SIZE] = "a size such as 512B, 64KiB, 1MiB or 2GiB",
	[ETL_OPT_RATE] = "a rate such as 10/s, 30/m, 100/h or 1500/d",
	[ETL_OPT_TIME] = "a time such as 2024-01-31T00:00:00Z or 2024-01-31",
	[ETL_OPT_WORD] = "a word",
	[ETL_OPT_STRINGS] = "a list of words",
	[ETL_OPT_PAIRS] = "a mapping of words to words",
	[ETL_OPT_SECRET] = "a reference to a secret",
	[ETL_OPT_NODE] = "a value",
	[ETL_OPT_TABLE] = "a mapping",
};

/* The help names the page and the part of it: `man etld.yaml, extract.http`. The text
 * is formatted before it is handed on, because etl_diag_add takes a format as well. */
void etl_convert_refuse(const struct etl_conversion *cv, enum etl_diag_code code,
	const char *hint, const char *fmt, ...)
{
	etl_cleanup(free) char *text = NULL;
	etl_cleanup(free) char *help = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	if (cv->context && *cv->context)
		help = etl_strf("man etld.yaml, %s", cv->context);
	etl_diag_add(cv->env->diag, &cv->node->mark, code, hint, help, "%s", text);
}

/* A value as a message may show it: not longer than this. */
#define SHOWN "%.60s%s"
#define SHOW(s) (s), strlen(s) > 60 ? "..." : ""

static bool refuse_type(const struct etl_conversion *cv, const char *hint)
{
	etl_convert_refuse(cv, ETL_DIAG_TYPE, hint, "%s must be %s, not '" SHOWN "'", cv->name,
		type_texts[cv->row->type], SHOW(cv->node->text));
	return false;
}

/* A rule may be the word null (`on_bad: null`), which YAML reads as no value. */
static bool is_word_null(const struct etl_conversion *cv)
{
	const char *const *words = cv->row->type == ETL_OPT_WORD ? cv->row->words : NULL;

	while (words && *words && !etl_streq(*words, "null"))
		words++;
	return words && *words && etl_streq(cv->node->text, "null");
}

/* Three mistakes end here: nothing at all (`timeout:`), a list or mapping where a word is due, and
 * a template without its quotes, which YAML reads as {station: null} and which gets the hint
 * `"{station}"`. */
bool etl_convert_needs_scalar(const struct etl_conversion *cv)
{
	const struct etl_node *node = cv->node;
	const char *due = type_texts[cv->row->type];
	etl_cleanup(free) char *hint = NULL;

	/* The variable behind it was reported already; a second error about the empty
	 * text would be noise. */
	if (node->unset)
		return false;
	if (node->kind == ETL_NODE_SCALAR && (!etl_node_is_null(node) || is_word_null(cv)))
		return true;
	if (node->kind == ETL_NODE_SCALAR) {
		/* `name: null` and `name:` both read as "no value". A text that is called
		 * null has to be quoted, and an empty text is written as one, so that a
		 * forgotten value is never taken for an empty one. */
		if (cv->row->type == ETL_OPT_STRING)
			hint = etl_strdup(*node->text ? "quote it if it is text" :
							"empty text is written \"\"");
		etl_convert_refuse(cv, ETL_DIAG_TYPE, hint, "%s has no value; %s is due",
			cv->name, due);
		return false;
	}
	/* A template that was not quoted reads as a mapping of one key without a value. */
	if (node->kind == ETL_NODE_MAP && node->n == 1 && etl_node_is_null(node->items[0]))
		hint = etl_strf("a template needs quotes: \"{%.60s}\"", node->keys[0]->text);
	etl_convert_refuse(cv, ETL_DIAG_TYPE, hint, "%s must be %s, not a %s", cv->name, due,
		node->kind == ETL_NODE_MAP ? "mapping" : "list");
	return false;
}

/* ---- numbers ---------------------------------------------------------------------------- */

/* Numbers and booleans are written without quotes: "10" is text.
 * Quotes are how a writer says "this is text": a station id "0042" keeps its zeros.
 * What came out of a ${VAR} counts as plain, since `"${PORT}"` is the usual way to
 * write a variable. */
static bool needs_plain(const struct etl_conversion *cv)
{
	if (cv->node->plain || cv->node->expanded)
		return true;
	return refuse_type(cv, "write it without quotes");
}

/* Powers of 1024 only. KB and MB mean 1000 to some and 1024 to others, so they are not
 * taken at all. */
static const char *const size_units[] = {"B", "KiB", "MiB", "GiB", "TiB"};

/* The largest unit that divides evenly: 65536 is "64KiB", 65537 is "65537B". */
static const char *bytes_text(double v, char out[32])
{
	uint64_t n = (uint64_t)v;
	size_t unit = 0;

	while (unit < 4 && n && n % 1024 == 0) {
		n /= 1024;
		unit++;
	}
	snprintf(out, 32, "%llu%s", (unsigned long long)n, size_units[unit]);
	return out;
}

/* Limits are told in the notation in which a value would be written, so that the word
 * of an error can be copied into the file: "1s to 1h are allowed", not "1 to 3600". */
const char *etl_option_limit_text(enum etl_option_type type, double v, char out[32])
{
	switch (type) {
	case ETL_OPT_DURATION:
	case ETL_OPT_STEP:
		etl_duration_format((etl_dur){(int64_t)(v * 1e6)}, out, 32);
		return out;
	case ETL_OPT_SIZE:
		return bytes_text(v, out);
	case ETL_OPT_RATE:
		snprintf(out, 32, "%.6g/s", v);
		return out;
	default:
		snprintf(out, 32, "%.15g", v);
		return out;
	}
}

/* A row without any bound leaves both at 0; so a range that is exactly 0 to 0 cannot be
 * written, and no option needs it. A lower bound alone has max == 0. */
static bool is_bounded(const struct etl_option *row)
{
	return row->min != 0 || row->max != 0;
}

static bool in_range(const struct etl_conversion *cv, double v)
{
	const struct etl_option *row = cv->row;
	char low[32], high[32];

	if (!is_bounded(row) || (v >= row->min && (row->max == 0 || v <= row->max)))
		return true;
	etl_option_limit_text(row->type, row->min, low);
	if (row->max == 0)
		etl_convert_refuse(cv, ETL_DIAG_RANGE, NULL,
			"%s is " SHOWN ", at least %s is allowed", cv->name,
			SHOW(cv->node->text), low);
	else
		etl_convert_refuse(cv, ETL_DIAG_RANGE, NULL,
			"%s is " SHOWN ", %s to %s are allowed", cv->name, SHOW(cv->node->text),
			low, etl_option_limit_text(row->type, row->max, high));
	return false;
}

static bool convert_int(const struct etl_conversion *cv, int64_t *out)
{
	int64_t v;
	double d;

	if (!needs_plain(cv))
		return false;
	if (!etl_parse_int64(cv->node->text, &v)) {
		/* All digits and yet no int64: too large, which deserves its own words.
		 * "12a" falls through to "must be a whole number". */
		const char *digits = cv->node->text + (*cv->node->text == '-');

		if (*digits && strspn(digits, "0123456789") == strlen(digits)) {
			etl_convert_refuse(cv, ETL_DIAG_RANGE, NULL,
				"%s is larger than 64 bits", cv->name);
			return false;
		}
		return refuse_type(cv, etl_parse_double(cv->node->text, &d) ?
						"no fraction and no exponent" :
						NULL);
	}
	if (!in_range(cv, (double)v))
		return false;
	*out = v;
	return true;
}

static bool convert_double(const struct etl_conversion *cv, double *out)
{
	double v;

	if (!needs_plain(cv))
		return false;
	/* 3,5 is how half of Europe writes three and a half; the hint says what is meant
	 * instead. */
	if (!etl_parse_double(cv->node->text, &v))
		return refuse_type(cv, strspn(cv->node->text, "-0123456789,") ==
							strlen(cv->node->text) ?
						"the decimal sign is a point" :
						NULL);
	if (!in_range(cv, v))
		return false;
	*out = v;
	return true;
}

/* `enabled: yes` is refused with "did you mean true?". Guessing would be easy and wrong in one
 * place: a list of country codes in which NO becomes false (YAML 1.1's best known trap). */
static bool convert_bool(const struct etl_conversion *cv, bool *out)
{
	static const char *const yes[] = {"yes", "on", "y", "true", "1"};
	static const char *const no[] = {"no", "off", "n", "false", "0"};
	const char *text = cv->node->text;
	const char *hint = NULL;

	if (!needs_plain(cv))
		return false;
	if (etl_streq(text, "true") || etl_streq(text, "false")) {
		*out = *text == 't';
		return true;
	}
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
		if (strcasecmp(text, yes[i]) == 0)
			hint = "did you mean true?";
		if (strcasecmp(text, no[i]) == 0)
			hint = "did you mean false?";
	}
	return refuse_type(cv, hint);
}

/* ---- values with units ------------------------------------------------------------------ */

/* `timeout: 60` could be seconds to its writer and milliseconds to the next reader. So a number
 * without its unit is an error of its own (E016) that offers three readings. */
static bool is_bare_number(const char *s)
{
	double v;

	return etl_parse_double(s, &v);
}

/* timeout: 60   ->   did you mean 60s, 60m or 60h?   The number is cut at 12 digits; a longer one
 * was not meant as a time anyway. */
static bool refuse_unit(const struct etl_conversion *cv, const char *a, const char *b,
	const char *c)
{
	const char *n = cv->node->text;
	char hint[128];

	/* Zero has no unit to mistake, but the type keeps its form: "did you mean 0s?". */
	if (strspn(n, "0") == strlen(n))
		snprintf(hint, sizeof hint, "did you mean 0%s?", a);
	else
		snprintf(hint, sizeof hint, "did you mean %.12s%s, %.12s%s or %.12s%s?", n, a,
			n, b, n, c);
	etl_convert_refuse(cv, ETL_DIAG_UNIT, hint, "%s is a number without its unit",
		cv->name);
	return false;
}

static bool convert_duration(const struct etl_conversion *cv, etl_dur *out)
{
	const char *why = NULL, *ignored;
	struct etl_grid_step months;
	etl_dur v;

	if (is_bare_number(cv->node->text))
		return refuse_unit(cv, "s", "m", "h");
	if (!etl_duration_parse(cv->node->text, &v, &why))
		return refuse_type(cv, etl_grid_step_parse(cv->node->text, &months, &ignored) ?
			"months and years differ in length; in days: 30d, 365d" : why);
	if (!in_range(cv, (double)v.us / 1e6))
		return false;
	*out = v;
	return true;
}

/* "1mo" and "1y" have no length in seconds, so that a range is asked of their mean:
 * 30.4 days (1mo). */
static bool convert_step(const struct etl_conversion *cv, struct etl_grid_step *out)
{
	const char *why = NULL;
	struct etl_grid_step v;

	if (is_bare_number(cv->node->text))
		return refuse_unit(cv, "s", "h", "d");
	if (!etl_grid_step_parse(cv->node->text, &v, &why))
		return refuse_type(cv, why);
	if (!in_range(cv, (double)etl_grid_step_mean(v).us / 1e6))
		return false;
	*out = v;
	return true;
}

/* KiB is a shift by 10, TiB by 40. */
static int size_shift(const char *unit)
{
	for (int i = 0; i < 5; i++)
		if (etl_streq(unit, size_units[i]))
			return 10 * i;
	return -1;
}

static bool convert_size(const struct etl_conversion *cv, uint64_t *out)
{
	const char *text = cv->node->text;
	size_t digits = strspn(text, "0123456789");
	uint64_t v = 0, scaled;
	int shift;

	if (is_bare_number(text))
		return refuse_unit(cv, "B", "KiB", "MiB");
	shift = size_shift(text + digits);
	if (!digits || shift < 0)
		return refuse_type(cv,
			digits ? "the units are B, KiB, MiB, GiB and TiB" : NULL);
	/* Digit by digit: a size of thirty digits must be an error and not the rest of a
	 * division by 2^64. */
	for (size_t i = 0; i < digits; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(text[i] - '0'), &v))
			return refuse_type(cv, "too large");
	if (__builtin_mul_overflow(v, UINT64_C(1) << shift, &scaled))
		return refuse_type(cv, "too large");
	if (!in_range(cv, (double)scaled))
		return false;
	*out = scaled;
	return true;
}

/* Stored per second: 30/m is 0.5, 1500/d is 0.0173611. A rate of 0 would mean "never", which no
 * option means: it is refused. */
static bool convert_rate(const struct etl_conversion *cv, double *out)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	const char *slash = strchr(cv->node->text, '/');
	etl_cleanup(free) char *number = NULL;
	double v, seconds = 0;

	if (is_bare_number(cv->node->text))
		return refuse_unit(cv, "/s", "/m", "/h");
	if (!slash)
		return refuse_type(cv, NULL);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (etl_streq(slash + 1, units[i].unit))
			seconds = units[i].seconds;
	number = etl_memdup0(cv->node->text, (size_t)(slash - cv->node->text));
	if (seconds == 0)
		return refuse_type(cv, "the units are /s, /m, /h and /d");
	if (!etl_parse_double(number, &v) || v <= 0)
		return refuse_type(cv, "the number must be above 0");
	if (!in_range(cv, v / seconds))
		return false;
	*out = v / seconds;
	return true;
}

static bool convert_time(const struct etl_conversion *cv, etl_wall *out)
{
	const char *text = cv->node->text;
	size_t len = strlen(text);

	if (etl_time_parse_rfc3339(text, len, out) || etl_time_parse_date(text, len, out))
		return true;
	/* "2024-01-31T00:00:00" is 19 bytes long and ends with a digit; with fractions
	 * up to 23. Only the zone can be missing from such a text, so the hint says so. */
	return refuse_type(cv, len >= 19 && isdigit((unsigned char)text[len - 1]) && len < 24 ?
				       "the zone is missing; Z stands for UTC" :
				       NULL);
}

/* ---- words ------------------------------------------------------------------------------ */

/* `on_fail: rejct` is answered with "did you mean 'reject'?" and "allowed: warn, reject, hold or
 * fail": the nearest word and, since it may be wrong, all of them. */
static bool convert_word(const struct etl_conversion *cv, int *out)
{
	const char *const *words = cv->row->words;
	ETL_BUF_CLEANUP struct etl_buf all = {.max = 400};
	const char *near;
	size_t n = 0;
	char hint[96];

	for (; words[n]; n++)
		if (etl_streq(words[n], cv->node->text)) {
			*out = (int)n;
			return true;
		}
	near = etl_nearest(cv->node->text, words, n);
	if (near)
		snprintf(hint, sizeof hint, "did you mean '%.64s'?", near);
	for (size_t i = 0; i < n; i++)
		etl_buf_printf(&all, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", words[i]);
	etl_convert_refuse(cv, ETL_DIAG_WORD, near ? hint : NULL,
		"%s is '" SHOWN "', allowed: %s", cv->name, SHOW(cv->node->text),
		etl_buf_text(&all));
	return false;
}

/* A text is taken as it is and lent: it lies as long as the tree's texts do. */
bool etl_convert_scalar(const struct etl_conversion *cv, void *out)
{
	if (!etl_convert_needs_scalar(cv))
		return false;
	switch (cv->row->type) {
	case ETL_OPT_BOOL:
		return convert_bool(cv, out);
	case ETL_OPT_INT:
		return convert_int(cv, out);
	case ETL_OPT_DOUBLE:
		return convert_double(cv, out);
	case ETL_OPT_DURATION:
		return convert_duration(cv, out);
	case ETL_OPT_STEP:
		return convert_step(cv, out);
	case ETL_OPT_SIZE:
		return convert_size(cv, out);
	case ETL_OPT_RATE:
		return convert_rate(cv, out);
	case ETL_OPT_TIME:
		return convert_time(cv, out);
	case ETL_OPT_WORD:
		return convert_word(cv, out);
	default:
		*(const char **)out = cv->node->text;
		return true;
	}
}
