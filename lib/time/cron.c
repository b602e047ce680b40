/* SPDX-License-Identifier: MIT
 *
 * Reads cron expressions. A day field that begins with a star is not restricted, with or
 * without a step, as in the original cron: "0 0 1-7 * MON" is the first week or a Monday, but
 * with a stepped star as weekday both fields must match.
 *
 * The grammar of a field, after blanks have parted the fields:
 *   field   = element { "," element }
 *   element = "*" [ "/" step ] | "L" (day) | value "#" n | value "L" (weekday)
 *           | value [ "-" value ] [ "/" step ]
 *   value   = a number | JAN-DEC (month) | SUN-SAT (weekday)
 *
 * Examples, as minutes and as weekdays (a stepped star cannot be written in a comment of C):
 *   0-59/7    0 7 14 21 28 35 42 49 56     5/15    5 20 35 50
 *   1-30/5    1 6 11 16 21 26              20-10   refused: 20-59,0-10 are two ranges
 *   FRI-SUN   5 6 0                        7-2     0 1 2
 */
#include "time/cron.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

enum field_kind { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const char months[][4] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP",
	"OCT", "NOV", "DEC"};
static const char weekdays[][4] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

static const struct field {
	const char *name;
	int low, high; /* of a value */
	/* Weekdays have 8 numbers and 7 days: a star is 0 to 6, a 7 is read as Sunday. */
	int star_high; /* of a star, and of a start with a step */
	const char (*names)[4];
	int names_count;
} fields[FIELDS] = {
	[SECOND] = {"second", 0, 59, 59, NULL, 0},
	[MINUTE] = {"minute", 0, 59, 59, NULL, 0},
	[HOUR] = {"hour", 0, 23, 23, NULL, 0},
	[DAY] = {"day of month", 1, 31, 31, NULL, 0},
	[MONTH] = {"month", 1, 12, 12, months, 12},
	[WEEKDAY] = {"day of week", 0, 7, 6, weekdays, 7},
};

static const struct {
	const char *name, *text;
} macros[] = {
	{"@hourly", "0 * * * *"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@weekly", "0 0 * * 0"},
	{"@monthly", "0 0 1 * *"},
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
};

/* Where we read; `text` is only kept to count columns. */
struct reader {
	const char *text, *p;
	enum field_kind kind;
	const struct field *field;
	struct etl_cron *cron;
	uint64_t set;
	struct etl_error *err;
};

/* cron: hour: 25 is out of range 0-23 (column 3)
 * The column counts in the expression that was written, or in the text of its macro. */
__attribute__((format(printf, 3, 4))) static int fail_at(
	struct reader *r, const char *at, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return etl_error_set(r->err, ETL_CONFIG, "schedule.cron", "cron: %s: %s (column %zu)",
		r->field->name, what, (size_t)(at - r->text) + 1);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}


/* What a reader takes for one word, for the error's text: up to whatever could end it. */
static int word_length(const char *p)
{
	return (int)strcspn(p, " \t,-/#");
}

static int read_number(struct reader *r, int low, int high, int *out)
{
	const char *start = r->p;
	int n = 0;

	if (!etl_is_digit(*start))
		return fail_at(r, start, "a number is due, not \"%.*s\"",
			word_length(start) ? word_length(start) : 1, start);
	for (; etl_is_digit(*r->p); r->p++)
		/* A number that is too large already grows no further: 99999999999 is
		 * out of range, not an overflow. */
		if (n <= high)
			n = n * 10 + (*r->p - '0');
	if (n < low || n > high)
		return fail_at(r, start, "%.*s is out of range %d-%d", (int)(r->p - start),
			start, low, high);
	*out = n;
	return 0;
}

/* A number or a name. */
static int read_value(struct reader *r, int *out)
{
	const struct field *f = r->field;

	for (int i = 0; i < f->names_count; i++)
		/* Three letters and nothing behind them: of "JANUARY" the rest is an
		 * "unexpected U". */
		if (strncasecmp(r->p, f->names[i], 3) == 0) {
			*out = i + (r->kind == MONTH);
			r->p += 3;
			return 0;
		}
	return read_number(r, f->low, f->high, out);
}

/* A step of 0 would never end; one larger than the field means its first value alone. */
static int read_step(struct reader *r, int *step)
{
	*step = 1;
	if (*r->p != '/')
		return 0;
	r->p++;
	return read_number(r, 1, r->field->high, step);
}

/* 7 and 0 are one bit, wherever the 7 came from. */
static void add_range(struct reader *r, int low, int high, int step)
{
	for (int n = low; n <= high; n += step)
		r->set |= UINT64_C(1) << (r->kind == WEEKDAY && n == 7 ? 0 : n);
}

static int read_star(struct reader *r)
{
	int step;

	r->p++;
	if (read_step(r, &step) != 0)
		return -1;
	add_range(r, r->field->low, r->field->star_high, step);
	return 0;
}

/* Behind a weekday: "#2" or "L". 1 if there was one.
 * 5#2 is the second Friday, 5L the last. They are kept apart from the plain weekdays (nth[5]),
 * so that "5#2,1" is the second Friday and all Mondays. */
static int read_nth(struct reader *r, int weekday)
{
	int n;

	if (r->kind != WEEKDAY)
		return 0;
	if (*r->p == 'L' || *r->p == 'l') {
		r->p++;
		r->cron->nth[weekday % 7] |= ETL_CRON_NTH_LAST;
		return 1;
	}
	if (*r->p != '#')
		return 0;
	r->p++;
	if (read_number(r, 1, 5, &n) != 0)
		return -1;
	r->cron->nth[weekday % 7] |= (uint8_t)(1U << n);
	return 1;
}

static int read_range(struct reader *r)
{
	const char *start = r->p;
	int low, high, step, rc;
	bool stepped;

	if (read_value(r, &low) != 0)
		return -1;
	if ((rc = read_nth(r, low)) != 0)
		return rc < 0 ? -1 : 0;
	high = low;
	if (*r->p == '-') {
		r->p++;
		if (read_value(r, &high) != 0)
			return -1;
		/* Sunday has two numbers: FRI-SUN ends on 7, 7-2 begins on 0.
		 * The names make it so: SUN is 0, and people write FRI-SUN. */
		if (r->kind == WEEKDAY && high == 0 && low > 0)
			high = 7;
		else if (r->kind == WEEKDAY && low == 7 && high < 7)
			low = 0;
		if (high < low)
			return fail_at(r, start,
				"the range %.*s runs backwards; as two it is %d-%d,%d-%d",
				(int)(r->p - start), start, low, r->field->star_high,
				r->field->low, high);
	} else if (*r->p == '/') {
		high = r->field->star_high > low ? r->field->star_high : low;
	}
	/* "5/15" without a step is "5", one value: high was moved only if a '/'
	 * follows. */
	stepped = *r->p == '/';
	if (read_step(r, &step) != 0)
		return -1;
	add_range(r, low, high, stepped ? step : 1);
	return 0;
}

static int read_element(struct reader *r)
{
	if (*r->p == '*')
		return read_star(r);
	if (r->kind == DAY && (*r->p == 'L' || *r->p == 'l')) {
		r->p++;
		r->cron->day_last = true;
		return 0;
	}
	return read_range(r);
}

static int read_field(struct reader *r)
{
	for (;;) {
		if (read_element(r) != 0)
			return -1;
		if (!*r->p || is_blank(*r->p))
			return 0;
		if (*r->p != ',')
			return fail_at(r, r->p, "unexpected \"%c\"", *r->p);
		r->p++;
	}
}

static void skip_blanks(const char **p)
{
	while (is_blank(**p))
		(*p)++;
}

static int count_fields(const char *p)
{
	int n = 0;

	for (skip_blanks(&p); *p; skip_blanks(&p), n++)
		while (*p && !is_blank(*p))
			p++;
	return n;
}

static int read_fields(
	const char *text, int first, struct etl_cron *cron, struct etl_error *err)
{
	uint64_t *const sets[FIELDS] = {[SECOND] = &cron->second, [MINUTE] = &cron->minute,
		[HOUR] = &cron->hour, [DAY] = &cron->day, [MONTH] = &cron->month,
		[WEEKDAY] = &cron->weekday};
	struct reader r = {.text = text, .p = text, .cron = cron, .err = err};
	bool star[FIELDS] = {false};

	for (int kind = first; kind < FIELDS; kind++) {
		const char *start;

		skip_blanks(&r.p);
		start = r.p;
		r.kind = (enum field_kind)kind;
		r.field = &fields[kind];
		r.set = 0;
		if (read_field(&r) != 0)
			return -1;
		/* Only the beginning counts, as in Vixie cron: a star with a step is a
		 * star, "1,*" is none. The hour field is asked for a star anywhere, since
		 * one expression cannot follow two laws. */
		star[kind] = *start == '*';
		if (kind == HOUR)
			cron->wild_hour = memchr(start, '*', (size_t)(r.p - start)) != NULL;
		*sets[kind] = r.set;
	}
	cron->either_day = !star[DAY] && !star[WEEKDAY];
	return 0;
}

/* @reboot is not among them: a start of the daemon is no point in time that a window
 * could have. */
static int expand_macro(const char **text, struct etl_error *err)
{
	for (size_t i = 0; i < sizeof macros / sizeof *macros; i++)
		if (strcmp(*text, macros[i].name) == 0) {
			*text = macros[i].text;
			return 0;
		}
	return etl_error_set(err, ETL_CONFIG, "schedule.cron",
		"cron: unknown word \"%.32s\"; there are @hourly @daily @midnight @weekly @monthly "
		"@yearly @annually",
		*text);
}

/* Five fields mean second 0: the set of seconds begins with that bit alone. */
int etl_cron_parse(const char *text, struct etl_cron *out, struct etl_error *err)
{
	struct etl_cron cron = {.second = 1};
	int n;

	if (*text == '@' && expand_macro(&text, err) != 0)
		return -1;
	n = count_fields(text);
	if (n != 5 && n != 6)
		return etl_error_set(err, ETL_CONFIG, "schedule.cron",
			"cron: %d fields instead of 5 (minute hour day month weekday) or 6 "
			"(second first)",
			n);
	if (read_fields(text, n == 6 ? SECOND : MINUTE, &cron, err) != 0)
		return -1;
	*out = cron;
	return 0;
}
