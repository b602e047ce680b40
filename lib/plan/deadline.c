/* SPDX-License-Identifier: MIT
 *
 * Deadlines: their text, and the window that is due first.
 */
#include "plan/deadline.h"

#include <string.h>

#include "base/str.h"
#include "plan/owed.h"
#include "time/duration.h"

bool etl_deadline_parse(const char *text, etl_dur *out, const char **why)
{
	static const char end[] = "window.end";
	const char *at = text + sizeof end - 1;
	etl_dur length;

	*why = "'window.end + ' and a length such as 20m are due";
	if (!etl_starts_with(text, end))
		return false;
	at += strspn(at, " ");
	if (*at != '+')
		return false;
	at++;
	at += strspn(at, " ");
	if (!etl_duration_parse(at, &length, why))
		return false;
	if (length.us <= 0) {
		*why = "the length is zero";
		return false;
	}
	*out = length;
	return true;
}

/* The window at the watermark is the oldest that is not closed, and no younger one can be late
 * before it. Example: hourly windows, deadline window.end + 20m, watermark 05:00: the window
 * 05:00 to 06:00 has to be closed by 06:20. */
bool etl_deadline_next(const struct etl_window_rules *rules, etl_dur deadline, etl_wall watermark,
	struct etl_deadline *out)
{
	if (!deadline.us || !watermark.ms || !etl_owed_next(rules, watermark, &out->window))
		return false;
	out->due = etl_wall_add(out->window.end, deadline);
	return true;
}
