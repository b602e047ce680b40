/* SPDX-License-Identifier: MIT
 *
 * The book of alerts and of watermarks, and the laws of deadlines.
 */
#include "world_deadline.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "io/journal.h"
#include "laws.h"
#include "time/civil.h"
#include "world_conf.h"

/* For a worker's way, and a look that failed and comes again. */
#define DEADLINE_SLACK (5 * MINUTE)

int64_t look_every(void)
{
	return world.mood.unit / 10 > MINUTE ? world.mood.unit / 10 : MINUTE;
}

struct alert {
	int job, station;
	int64_t start;
	bool told; /* its line is in a journal */
};

static struct {
	struct alert *alerts;
	size_t n, cap;
	struct {
		int64_t at, since; /* the watermark as the last commit left it; 0 = none yet */
	} mark[JOBS][STATIONS];
} deadlines;

void deadlines_fini(void)
{
	free(deadlines.alerts);
	memset(&deadlines, 0, sizeof deadlines);
}

static struct alert *alert_of(int job, int station, int64_t start)
{
	for (size_t i = 0; i < deadlines.n; i++) {
		struct alert *a = &deadlines.alerts[i];

		if (a->job == job && a->station == station && a->start == start)
			return a;
	}
	return NULL;
}

void law_alert(const struct machine *m, const char *key, bool is_new)
{
	int job = job_index(key + 9), station = key[12] - '0';
	const struct spec *s = &conf.specs[job];
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark mark;
	char partition[] = {'s', key[12], 0};
	etl_wall start = {0};

	etl_time_parse_rfc3339(key + 14, strlen(key + 14), &start);
	if (!world.mood.clocks && wall_of(m) < end_of(s, start.ms) + s->deadline)
		broken("no alert before its deadline", "%s", key);
	if (world.bare->watermark_get(world.state, s->name, partition, &mark, &err) == 1 &&
		mark.processed.ms >= end_of(s, start.ms))
		broken("no alert for a closed window", "%s", key);
	if (!is_new)
		return;
	counts.alerts++;
	tell("%s is claimed", key);
	ETL_GROW(deadlines.alerts, deadlines.n, deadlines.cap);
	deadlines.alerts[deadlines.n++] = (struct alert){job, station, start.ms, false};
}

void law_alert_told(const struct etld_field *fields)
{
	struct alert *a;
	etl_wall start = {0};

	etl_time_parse_rfc3339(fields[2].text, strlen(fields[2].text), &start);
	a = alert_of(job_index(fields[0].text), fields[1].text[1] - '0', start.ms);
	if (!a || a->told)
		broken("one alert a window", "%s/%s: window %s", fields[0].text, fields[1].text,
			fields[2].text);
	a->told = true;
}

/* From when on it could have told of the job's windows; NEVER = it could not. */
static int64_t fit_since(const struct machine *m, int job)
{
	if (!m->etld || m->asleep_until || m->off || m->paused[job])
		return NEVER;
	return m->fit_since > m->cut_off ? m->fit_since : m->cut_off;
}

/* A job that comes back with a reload promises nothing before its first run: the daemon reads
 * watermarks when it starts. */
static bool was_gone_since(const struct spec *s, int64_t since)
{
	for (size_t k = 0; k < s->n_intervals; k++)
		if (s->intervals[k].removed && s->intervals[k].to > since)
			return true;
	return false;
}

/* A pause is known to the etld that was told of it, and to others when they start. Paused at the
 * one that ran it, the job is only another's when something lets it run there. */
static bool is_paused_somewhere(int job)
{
	for (int i = 0; i < MACHINES; i++)
		if (world.machines[i].etld && world.machines[i].paused[job])
			return true;
	return false;
}

/* The watermark moves on: was the window that it stood at late, and told of? A machine that knew
 * it by an older watermark learns of the new one with its next run. */
static void law_late(const struct spec *s, int station, int64_t mark, int64_t since)
{
	int job = (int)(s - conf.specs);
	int64_t due = end_of(s, mark) + s->deadline;

	due = since > due ? since : due;
	if (was_gone_since(s, since) || is_paused_somewhere(job))
		return;
	for (int i = 0; i < MACHINES; i++) {
		int64_t fit = fit_since(&world.machines[i], job);

		if (fit == NEVER || alert_of(job, station, mark))
			continue;
		fit = fit > due ? fit : due;
		if (world.now > fit + look_every() + DEADLINE_SLACK)
			broken("a late window is told of", "%s/s%d: window %s, late since %s", s->name,
				station, time_text(mark), time_text(due));
	}
}

void book_mark(const char *name, const char *partition)
{
	int job = job_index(name), station = partition[1] - '0';
	const struct spec *s = &conf.specs[job];
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark mark;

	if (!s->deadline || world.bare->watermark_get(world.state, name, partition, &mark, &err) != 1 ||
		mark.processed.ms == deadlines.mark[job][station].at)
		return;
	if (deadlines.mark[job][station].at)
		law_late(s, station, deadlines.mark[job][station].at, deadlines.mark[job][station].since);
	deadlines.mark[job][station].at = mark.processed.ms;
	deadlines.mark[job][station].since = world.now;
}
