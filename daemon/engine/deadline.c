/* SPDX-License-Identifier: MIT
 *
 * Deadlines of windows: a timer for each job at the next one, and the alert for what was missed,
 * once over restarts and daemons. What the loop knows of watermarks may be old (a run goes on, or
 * another etld has the job), so a worker looks before it tells. While MongoDB is unreachable
 * nothing is told; what was missed meanwhile is, when it is back. Loop thread, but for what is
 * sent.
 *
 * Example: hourly windows with `deadline: window.end + 20m`. At 12:20 the window of 11:00 to 12:00
 * should be closed. The timer fires at 12:20, the watermark that the loop knows is 11:00: maybe
 * late. A worker reads the watermark: 12:00, for another etld has loaded the hour a second ago;
 * nothing is told. Were it 11:00 still, the alert is written once under its name (job, partition,
 * window), and whoever wrote it first tells it in the journal: of three etlds that see the same
 * miss one does.
 */
#include "engine/deadline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/outbox.h"
#include "engine/walk.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/message_ids.h"
#include "plan/deadline.h"
#include "run/run.h"
#include "time/civil.h"

#define AGAIN ETL_MINUTES(1) /* after an error that does not pass by itself */

/* One partition whose first due window seems late. */
struct late {
	char *partition;
	struct etl_deadline deadline;
	etl_wall watermark; /* fresh; ms == 0 = not read */
	bool told, is_new;
};

struct etld_alerts {
	struct etld_entry entry;
	struct etld_job *job; /* NULL = gone */
	char *name;
	struct late *late;
	size_t n, cap;
};

static struct etld_alerts *alerts_of(struct etld_entry *entry)
{
	return ETL_OF(struct etld_alerts, entry, entry);
}

static void alerts_free(struct etld_entry *entry)
{
	struct etld_alerts *a = alerts_of(entry);

	if (a->job)
		a->job->alerts = NULL;
	for (size_t i = 0; i < a->n; i++)
		free(a->late[i].partition);
	free(a->late);
	free(a->name);
	free(a);
}

/* ---- on a worker ----------------------------------------------------------------------------- */

/* The name is the identity: the same miss after a restart has it again, and is not new. */
static int tell_once(struct etl_state *state, const struct etld_alerts *a, struct late *late,
	struct etl_error *err)
{
	char start[ETL_TIME_TEXT_BYTES];
	char *key;
	int rc;

	etl_time_format_rfc3339(late->deadline.window.start, start);
	key = etl_strf("deadline/%s/%s/%s", a->name, late->partition, start);
	rc = etl_alert_once(state, key, err);
	free(key);
	late->told = rc >= 0;
	late->is_new = rc == 1;
	return rc;
}

/* What the worker read is kept even if nothing is told: the loop learns the newer watermark by it.
 */
static int look_again(struct etl_state *state, const struct etld_alerts *a, struct late *late,
	struct etl_error *err)
{
	struct etl_watermark mark;
	int found = state->ops->watermark_get(state, a->name, late->partition, &mark, err);

	if (found < 0)
		return -1;
	if (found)
		late->watermark = mark.processed;
	if (found && late->watermark.ms >= late->deadline.window.end.ms)
		return 0;
	return tell_once(state, a, late, err);
}

/* What is told once is not told by another attempt: a failure behind it is not one of these alerts,
 * and the rest is looked at anew. */
static int alerts_send(const struct etld *etld, struct etld_entry *entry, struct etl_error *err)
{
	const struct etld_alerts *a = alerts_of(entry);

	for (size_t i = 0; i < a->n; i++) {
		if (look_again(etld->state, a, &a->late[i], err) >= 0)
			continue;
		if (i == 0)
			return -1;
		etl_error_clear(err);
		break;
	}
	return 0;
}

/* ---- on the loop ----------------------------------------------------------------------------- */

static void tell(const struct etld_job *job, const struct late *late)
{
	char start[ETL_TIME_TEXT_BYTES], end[ETL_TIME_TEXT_BYTES], due[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339(late->deadline.window.start, start);
	etl_time_format_rfc3339(late->deadline.window.end, end);
	etl_time_format_rfc3339(late->deadline.due, due);
	struct etld_field fields[] = {{"ETL_JOB", job->name, 0},
		{"ETL_PARTITION", late->partition, 0}, {"ETL_WINDOW_START", start, 0},
		{"ETL_WINDOW_END", end, 0}, {"ETL_DEADLINE", due, 0}};

	etld_log(ETLD_WARNING, ETLD_MSG_DEADLINE_MISSED, fields, 5,
		"%s/%s: window %s to %s was not closed by its deadline %s", job->name,
		late->partition,
		start, end, due);
}

/* `told` keeps this window from being asked about again; the next one is another matter. */
static void take_answer(const struct etld_job *job, const struct late *late)
{
	struct etld_partition *p = etld_job_partition(job, late->partition, 0);

	if (p && late->watermark.ms > p->watermark.ms)
		p->watermark = late->watermark;
	if (p && late->told)
		p->told = late->deadline.window.start;
	if (late->is_new)
		tell(job, late);
}

/* A wait that lies behind already fires at once, in the next turn. */
static void arm(struct etld *etld, struct etld_job *job, etl_dur wait)
{
	etl_timer_arm(etld_loop_wheel(etld->loop), &job->deadline_timer,
		etl_mono_add(etl_mono_now(etld->clock), wait.us > 0 ? wait : (etl_dur){0}));
}

/* The job may have gone meanwhile (a reload): then nobody is to be told. After an error that is not
 * MongoDB's absence, which the outbox waits out, it is tried again in a minute. */
static void alerts_sent(struct etld *etld, struct etld_entry *entry, const struct etl_error *err)
{
	struct etld_alerts *a = alerts_of(entry);
	struct etld_job *job = a->job;

	if (!job)
		return;
	a->job->alerts = NULL;
	a->job = NULL;
	for (size_t i = 0; i < a->n; i++)
		take_answer(job, &a->late[i]);
	if (!err) {
		etld_deadline_look(etld, job);
		return;
	}
	etld_log(ETLD_WARNING, NULL, NULL, 0, "a missed deadline of job %s cannot be told: %s",
		job->name, err->message);
	arm(etld, job, AGAIN);
}

/* Whoever ends a pause looks again. */
static bool alerts_wanted(struct etld_entry *entry)
{
	const struct etld_alerts *a = alerts_of(entry);

	return a->job && !a->job->sched.paused;
}

static const struct etld_entry_kind alerts_kind = {
	.id = ETLD_ENTRY_ALERT, .send = alerts_send, .wanted = alerts_wanted, .sent = alerts_sent,
	.free = alerts_free};

/* Made only if something is late: most looks find nothing. */
static void note_late(struct etld_alerts **alerts, struct etld_job *job, const char *partition,
	const struct etl_deadline *deadline)
{
	struct etld_alerts *a = *alerts;

	if (!a) {
		a = *alerts = ETL_NEW(struct etld_alerts);
		a->job = job;
		a->name = etl_strdup(job->name);
	}
	ETL_GROW(a->late, a->n, a->cap);
	a->late[a->n++] = (struct late){.partition = etl_strdup(partition), .deadline = *deadline};
}

static void on_deadline(struct etl_timer *timer, void *ctx)
{
	struct etld_job *job = ETL_OF(struct etld_job, deadline_timer, timer);

	etld_deadline_look(ctx, job);
}

/* Asked after anything that could change the answer: a run's end, a watermark that moved, the end
 * of a pause, MongoDB's return. It costs some comparisons for each partition and asks nobody,
 * unless something is late. */
void etld_deadline_look(struct etld *etld, struct etld_job *job)
{
	etl_wall now = etl_now(etld->clock), next = {0};
	struct etld_alerts *alerts = NULL;
	struct etl_deadline d;

	etld_on_loop(etld->loop);
	etl_timer_cancel(etld_loop_wheel(etld->loop), &job->deadline_timer);
	job->deadline_timer =
		(struct etl_timer){.fire = on_deadline, .ctx = etld, .name = "deadline"};
	if (!job->job->deadline.us || job->sched.paused || job->alerts || !etld->mongodb_up ||
		etld->draining)
		return; /* whoever ends that looks again */
	for (size_t i = 0; i < job->job->n_partitions; i++) {
		if (!etl_deadline_next(&job->job->window, job->job->deadline,
			    job->partitions[i].watermark, &d))
			continue;
		if (!etl_deadline_is_missed(&d, now))
			next = !next.ms || d.due.ms < next.ms ? d.due : next;
		else if (d.window.start.ms > job->partitions[i].told.ms)
			note_late(&alerts, job, job->partitions[i].name, &d);
	}
	if (next.ms)
		arm(etld, job, etl_wall_diff(next, now));
	job->alerts = alerts;
	if (!alerts)
		return;
	etld_outbox_put(etld, job->name, &alerts_kind, &alerts->entry);
	etld_outbox_flush(etld);
}

static void look_at(struct etld_walk *walk, struct etld_job *job)
{
	etld_deadline_look(walk->etld, job);
}

static void look_free(struct etld_walk *walk)
{
	walk->etld->deadlines = NULL;
	free(walk);
}

/* In pieces, since a job may have a thousand partitions. A second one begins anew instead of
 * running beside the first: what it would have seen is older. */
void etld_deadline_look_all(struct etld *etld)
{
	struct etld_walk *walk = ETL_NEW(struct etld_walk);

	if (etld->deadlines) /* from the first job on, by what is so now */
		etld_walk_drop(etld->deadlines);
	*walk = (struct etld_walk){.look = look_at, .free = look_free};
	etld->deadlines = walk;
	etld_walk_begin(walk, etld, NULL);
}

/* What is with the outbox or a worker is told nothing any more, and frees itself there. */
void etld_deadline_drop(struct etld *etld, struct etld_job *job)
{
	etl_timer_cancel(etld_loop_wheel(etld->loop), &job->deadline_timer);
	if (job->alerts)
		job->alerts->job = NULL;
	job->alerts = NULL;
}
