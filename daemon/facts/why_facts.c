/* SPDX-License-Identifier: MIT
 *
 * Adds to the facts of a job what only `why` tells, and what has to be searched for: its run's
 * progress, what waits, its host, its backfills. Loop thread.
 *
 * Only what `why` needs and status does not: to look for a job's host and backfills takes a walk
 * over all of them, which is nothing for one question and too much for each of ten thousand jobs.
 */
#include "facts/why_facts.h"

#include <stdio.h>

#include "base/str.h"
#include "engine/backfill.h"
#include "engine/runs_watch.h"
#include "io/http.h"

/* Timers run on a clock that no one sets; people read the wall. A time that was not set stays so.
 */
static etl_wall wall_of(const struct etld *etld, etl_mono t)
{
	etl_dur left = etl_mono_diff(t, etl_mono_now(etld->clock));

	return t.us ? etl_wall_add(etl_now(etld->clock), left) : (etl_wall){0};
}

/* An open breaker before a hold: it is our own decision, and its reason says what failed. */
static void look_at_host(void *ctx, const struct etld_gate_facts *gate)
{
	struct etld_why_facts *out = ctx;
	const struct etld_host_state *s = &gate->state;
	bool open = s->breaker.state == ETL_BREAKER_OPEN && s->breaker.until.ms > out->job.now.ms;

	if (!etl_streq(s->host, out->job.job->host) ||
		(!open && s->hold_until.ms <= out->job.now.ms))
		return;
	out->job.host_why = out->host;
	out->job.host_until = open ? s->breaker.until : s->hold_until;
	if (open)
		snprintf(out->host, sizeof out->host,
			"its breaker is open after %lld failed requests in a row, the last: %s",
			(long long)s->breaker.failures, s->breaker.reason);
	else
		snprintf(out->host, sizeof out->host, "it asked for that: %s", s->hold_reason);
}

/* The loop's notes about a run, never the run's own counts: those are the workers' while it goes.
 */
static void fill_running(const struct etld *etld, const struct etld_job *job, struct etl_why_job *f)
{
	struct etld_run *run = etld_running(job);
	struct etld_progress progress;

	if (!run)
		return;
	etld_run_progress(run, &progress);
	f->run_id = etld_run_id(run);
	f->started = etld_run_of(run)->started;
	f->step = progress.step;
	f->partition = progress.partition;
	f->records = progress.records;
	f->windows = progress.windows;
	f->retrying = progress.waiting;
	f->retry_at = wall_of(etld, progress.retry_at);
	f->retry_why = progress.retry_why;
	f->trigger = &job->sched.running;
}

/* All that could be waited for, whatever it is now: which of it applies is said by the phase. */
static void fill_waiting(const struct etld *etld, const struct etld_job *job, struct etl_why_job *f)
{
	struct etl_sched_facts facts;

	etl_sched_facts(etld->sched, &facts);
	f->ahead = etl_sched_ahead(etld->sched, &job->sched);
	f->active = facts.active;
	f->max_active = facts.max_active;
	f->active_backfills = facts.active_backfills;
	f->only_backfill = etl_sched_only_backfill(&job->sched);
	f->mongodb_why = etld->mongodb_reason;
	f->mongodb_since = etld->mongodb_tried ? etld->mongodb_since : (etl_wall){0};
	f->mongodb_next = etld->mongodb_next;
	f->held_until = wall_of(etld, job->sched.held_until);
	f->sense_said = job->sched.sense_said ? job->sched.sense_said : "";
	f->sense_slot = job->sched.waiting ? job->sched.waiting->slot : (etl_wall){0};
	f->sense_next = wall_of(etld, job->sched.sense_next);
	f->sense_until = wall_of(etld, job->sched.sensing_until);
}

/* For a callback that takes one pointer. */
struct backfill_search {
	const struct etld *etld;
	struct etld_why_facts *out;
};

/* Four are told and all are counted: "and 3 more backfills" is an answer. */
static void keep_backfill(void *ctx, const struct etld_backfill *backfill)
{
	const struct backfill_search *search = ctx;
	const struct etl_backfill *b = etld_backfill_facts(backfill);
	struct etl_why_job *f = &search->out->job;
	struct etl_why_backfill *kept;
	etl_mono until;

	if (!etl_streq(b->job, f->name) || f->n_backfills++ >= ETL_WHY_BACKFILLS)
		return;
	kept = &search->out->backfills[f->n_backfills - 1];
	kept->facts = *b;
	kept->waits_for = etld_backfill_waits_for(backfill, &until);
	kept->until = wall_of(search->etld, until);
}

/* Pointers go to what stands beside (`out`, `facts`): all of it is good until the loop goes on,
 * which is as long as the answer takes to word. */
void etld_why_facts(struct etld *etld, const struct etld_facts *facts, struct etld_why_facts *out)
{
	const struct etld_job *job = facts->job;
	struct etl_why_job *f = &out->job;

	*f = (struct etl_why_job){
		.name = job->name,
		.job = job->job,
		.now = etl_now(etld->clock),
		.phase = facts->phase,
		.slot = job->sched.next,
		.waiting = facts->queued,
		.jitter = etl_job_jitter(job->job, etld->host),
		.paused_by = job->pause_who,
		.pause_why = job->pause_reason,
		.paused_at = job->paused_at,
		.pause_unsaved = job->pausing ? 1 : job->pause_unsaved ? 2 : 0,
		.backfills = out->backfills,
		.skip = job->sched.last_skip.last.ms ? &job->sched.last_skip : NULL,
	};
	if (etl_elsewhere_any(&facts->elsewhere))
		f->elsewhere = &facts->elsewhere;
	if (facts->has_deadline) {
		out->deadline = (struct etl_deadline){facts->deadline.window, facts->deadline.due};
		f->deadline = &out->deadline;
		f->deadline_of = &job->job->partitions[facts->deadline.partition];
	}
	fill_running(etld, job, f);
	fill_waiting(etld, job, f);
	etld_backfills_each(etld, keep_backfill, &(struct backfill_search){etld, out});
	if (*job->job->host)
		etld_gates_each(etld_http_gates(etld->http), look_at_host, out);
}
