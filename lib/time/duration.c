/* SPDX-License-Identifier: MIT
 *
 * Lengths of time as text, both ways.
 *
 *   1h30m  90m printed as 1h30m   7d printed as 1w   8d   250ms   0s
 *   90       refused: no unit         1.5h   refused: no fractions
 *   30m1h    refused: the order       1h 30m refused: blanks
 * Fixed lengths only: a month or a year has none, and a day is 24 hours even when the clocks
 * change.
 */
#include "time/duration.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const struct unit {
	char name[3];
	int64_t us;
} units[] = {
	{"w", INT64_C(604800000000)},
	{"d", INT64_C(86400000000)},
	{"h", INT64_C(3600000000)},
	{"m", INT64_C(60000000)},
	{"s", INT64_C(1000000)},
	{"ms", INT64_C(1000)},
};
enum { UNITS = sizeof units / sizeof *units };

static const char *const too_long = "too long";


/* Reads digits at *s; NULL if all is well, else the reason. */
static const char *read_number(const char **s, int64_t *out)
{
	int64_t n = 0;

	if (!etl_is_digit(**s))
		return **s == '-' ? "may not be negative" :
				    "a number with a unit is due: ms s m h d w, such as 1h30m";
	/* Each step is checked: "99999999999999999999s" is too long, not a small
	 * number. */
	for (; etl_is_digit(**s); (*s)++)
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, **s - '0', &n))
			return too_long;
	*out = n;
	return NULL;
}

/* Reads a unit smaller than units[*next - 1] and moves *next behind it. */
static const char *read_unit(const char **s, int *next, int64_t *us)
{
	/* A unit reaches to the next digit, so "ms" is never read as "m" with an s left
	 * over. */
	size_t len = strcspn(*s, "0123456789");

	if (len == 0)
		return "needs a unit: ms s m h d w, such as 90s or 1h30m";
	for (int i = 0; i < UNITS; i++) {
		if (strlen(units[i].name) != len || memcmp(*s, units[i].name, len) != 0)
			continue;
		if (i < *next)
			return "units go from large to small, each once: w d h m s ms";
		*next = i + 1;
		*us = units[i].us;
		*s += len;
		return NULL;
	}
	return "unknown unit; the units are ms s m h d w, without spaces";
}

bool etl_duration_parse(const char *s, etl_dur *out, const char **why)
{
	int64_t total = 0;
	int next = 0;

	do {
		int64_t n = 0, us = 0;
		const char *reason = read_number(&s, &n);

		if (!reason)
			reason = read_unit(&s, &next, &us);
		if (!reason && (__builtin_mul_overflow(n, us, &us) ||
				       __builtin_add_overflow(total, us, &total)))
			reason = too_long;
		if (reason) {
			*why = reason;
			return false;
		}
	} while (*s);
	out->us = total;
	return true;
}

void etl_duration_format(etl_dur d, char *out, size_t n)
{
	char text[ETL_DURATION_TEXT_BYTES];
	/* The negation is made unsigned: -INT64_MIN has no int64_t. */
	uint64_t left = d.us < 0 ? -(uint64_t)d.us : (uint64_t)d.us;
	size_t len = 0;

	if (d.us < 0 && left >= 1000)
		text[len++] = '-';
	/* "2w" but "8d": days are what people count in. */
	for (int i = left && left % (uint64_t)units[0].us == 0 ? 0 : 1; i < UNITS; i++) {
		uint64_t count = left / (uint64_t)units[i].us;

		left %= (uint64_t)units[i].us;
		if (count)
			len += (size_t)snprintf(text + len, sizeof text - len, "%llu%s",
				(unsigned long long)count, units[i].name);
	}
	snprintf(out, n, "%.*s", (int)(len ? len : 2), len ? text : "0s");
}
