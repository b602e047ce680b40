/* SPDX-License-Identifier: MIT
 *
 * What waits and what runs: one run a job, a pool for all, two lanes. In the live lane a job's
 * own order is: what its sensor let through, manual runs, missed slots one by one, the newest
 * trigger. The backfill lane moves when the live lane is empty. Decides no policy (slots.c) and
 * records nothing.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "sched/sched_internal.h"

/* ---- what waits in a job ------------------------------------------------------------------- */

static bool has_each(const struct etl_sched_job *job)
{
	return job->each_until.ms != 0;
}

/* While the job's sensor is asked, only manual runs and backfills start: these do not wait for
 * it. */
static bool has_live_work(const struct etl_sched_job *job)
{
	return job->manual ||
		(!job->paused && !job->held_until.us && !job->sensing && !job->recording &&
			(job->sensed || has_each(job) || job->live));
}

static bool has_work(const struct etl_sched_job *job, int lane)
{
	return lane == LANE_LIVE ? has_live_work(job) : job->backfill && !job->paused;
}

bool etl_sched_has_waiting(const struct etl_sched_job *job)
{
	return job->manual || job->sensed || has_each(job) || job->live || job->owed;
}

static struct etl_trigger take_manual(struct etl_sched_job *job)
{
	struct etl_pending *first = job->manual;
	struct etl_trigger trigger = first->trigger;

	job->manual = first->next;
	free(first);
	return trigger;
}

/* The run of a missed slot plans as of that slot, so that it loads what it would have loaded
 * then. */
static struct etl_trigger take_each(struct etl_sched_job *job)
{
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_CATCH_UP};
	etl_wall next;

	etl_calendar_next(job->job->calendar, job->each_after, &trigger.slot);
	trigger.as_of = trigger.slot;
	job->each_after = trigger.slot;
	if (!etl_calendar_next(job->job->calendar, trigger.slot, &next) ||
		next.ms > job->each_until.ms)
		job->each_until.ms = 0;
	return trigger;
}

static struct etl_trigger take_next(struct etl_sched_job *job, int lane)
{
	if (lane == LANE_BACKFILL)
		return etl_trigger_take(&job->backfill);
	if (job->sensed && !job->paused)
		return etl_trigger_take(&job->sensed);
	if (job->manual)
		return take_manual(job);
	if (has_each(job))
		return take_each(job);
	return etl_trigger_take(&job->live);
}

void etl_sched_drop_pending(struct etl_sched *sched, struct etl_sched_job *job)
{
	while (job->manual) {
		struct etl_trigger trigger = take_manual(job);

		if (trigger.tag)
			sched->ops->drop(sched->ctx, trigger.tag);
		etl_trigger_fini(&trigger);
	}
	etl_trigger_drop(&job->live);
	etl_trigger_drop(&job->backfill);
}

/* ---- hosts --------------------------------------------------------------------------------- */

#define NO_HOST SIZE_MAX

static size_t host_place(const struct etl_sched_job *job)
{
	const char *host = job->job->host;

	return host && *host ? etl_hash64(host, strlen(host), 0) % HOST_PLACES : NO_HOST;
}

void etl_sched_count_run(struct etl_sched *sched, struct etl_sched_job *job, bool begins)
{
	if (begins)
		/* the job may ask another host after a reload */
		job->host_place = host_place(job);
	if (job->host_place != NO_HOST)
		sched->of_host[job->host_place] += begins ? 1u : -1u;
}

/* ---- lanes --------------------------------------------------------------------------------- */

static void enter(struct etl_sched *sched, struct etl_sched_job *job, int lane)
{
	if (job->in_ready[lane])
		return;
	job->in_ready[lane] = true;
	job->ready_next[lane] = NULL;
	if (sched->ready[lane].last)
		sched->ready[lane].last->ready_next[lane] = job;
	else
		sched->ready[lane].first = job;
	sched->ready[lane].last = job;
	sched->ready[lane].n++;
}

/* A sensor is asked as soon as there is something for it to let through: the question needs no
 * place in the pool, and a full pool must not delay it. */
static void sense_first(struct etl_sched *sched, struct etl_sched_job *job)
{
	struct etl_trigger trigger;

	if (!job->job->wait_for || !sched->store || sched->stopped || job->sensed || job->manual ||
		!has_live_work(job))
		return;
	trigger = take_next(job, LANE_LIVE);
	etl_sched_sense(sched, job, &trigger);
}

void etl_sched_make_ready(struct etl_sched *sched, struct etl_sched_job *job)
{
	etl_sched_record_kept(sched, job);
	if (job->run)
		return;
	sense_first(sched, job);
	for (int lane = 0; lane < LANES; lane++)
		if (has_work(job, lane))
			enter(sched, job, lane);
}

/* An eighth of the places is kept from the jobs of any one host: a host that answers slowly
 * must not hold up the jobs of all others. Example: of 16 places one host's jobs get 14. With
 * fewer than eight places each one is used. */
static bool host_may_start(const struct etl_sched *sched, const struct etl_sched_job *job)
{
	unsigned kept = sched->max_active / 8;
	size_t place = host_place(job);

	return !kept || place == NO_HOST || sched->of_host[place] + kept < sched->max_active;
}

enum { LOOKED_AT = 256 }; /* jobs that are looked at in one search: bounds its time */

/* Takes the job that has waited longest among those that may start; NULL if none may. */
static struct etl_sched_job *leave(struct etl_sched *sched, int lane)
{
	struct etl_sched_job **p = &sched->ready[lane].first, *last = NULL, *job;

	for (int i = 0; *p && !host_may_start(sched, *p); i++) {
		if (i == LOOKED_AT)
			return NULL;
		last = *p;
		p = &(*p)->ready_next[lane];
	}
	job = *p;
	if (!job)
		return NULL;
	*p = job->ready_next[lane];
	if (sched->ready[lane].last == job)
		sched->ready[lane].last = last;
	sched->ready[lane].n--;
	job->in_ready[lane] = false;
	return job;
}

void etl_sched_unready(struct etl_sched *sched, struct etl_sched_job *job)
{
	for (int lane = 0; lane < LANES; lane++) {
		struct etl_sched_job **p = &sched->ready[lane].first, *last = NULL;

		if (!job->in_ready[lane])
			continue;
		for (; *p; last = *p, p = &(*p)->ready_next[lane])
			if (*p == job) {
				*p = job->ready_next[lane];
				break;
			}
		if (sched->ready[lane].last == job)
			sched->ready[lane].last = last;
		sched->ready[lane].n--;
		job->in_ready[lane] = false;
	}
}

/* ---- starting ------------------------------------------------------------------------------ */

static bool needs_sensor(const struct etl_sched_job *job, const struct etl_trigger *trigger,
	bool sensed)
{
	return job->job->wait_for && !sensed && trigger->kind != ETL_TRIGGER_MANUAL &&
		trigger->kind != ETL_TRIGGER_BACKFILL;
}

static void start(struct etl_sched *sched, struct etl_sched_job *job, struct etl_trigger *trigger)
{
	job->running = *trigger;
	job->running.partition = NULL;
	job->taken_back = false;
	sched->active++;
	etl_sched_count_run(sched, job, true);
	sched->active_backfills += trigger->kind == ETL_TRIGGER_BACKFILL;
	job->run = sched->ops->start(sched->ctx, job, trigger);
}

static void start_next(struct etl_sched *sched, struct etl_sched_job *job, int lane)
{
	bool sensed = lane == LANE_LIVE && job->sensed && !job->paused;
	struct etl_trigger trigger;

	if (job->run || !has_work(job, lane))
		return;
	trigger = take_next(job, lane);
	if (needs_sensor(job, &trigger, sensed))
		etl_sched_sense(sched, job, &trigger);
	else
		start(sched, job, &trigger);
}

/* Half of the places are kept for live runs. Example: with 4 places at most 2 pieces of
 * backfills run; with a single place one piece runs, when no live run is ready. */
static bool backfill_may_start(const struct etl_sched *sched)
{
	unsigned most = sched->max_active / 2 ? sched->max_active / 2 : 1;

	return sched->ready[LANE_BACKFILL].first && sched->active_backfills < most;
}

void etl_sched_dispatch(struct etl_sched *sched)
{
	while (sched->store && !sched->stopped && sched->active < sched->max_active) {
		struct etl_sched_job *job = leave(sched, LANE_LIVE);
		int lane = LANE_LIVE;

		if (!job && backfill_may_start(sched)) {
			lane = LANE_BACKFILL;
			job = leave(sched, lane);
		}
		if (!job)
			break;
		start_next(sched, job, lane);
	}
}

/* ---- triggers ------------------------------------------------------------------------------ */

/* One slot waits behind a run. A newer slot takes its place, and the skips of both become one,
 * since the claim of the newer slot decides all before it. Skips that waited for the older slot
 * to run go along, or that claim would pass them unrecorded. Example: the run of 00:10 goes on
 * while 00:20, 00:30 and 00:40 come: 00:40 runs next, and passes over 00:20 to 00:30, two
 * slots. */
static void replace_live(struct etl_sched_job *job, struct etl_trigger *trigger)
{
	const struct etl_trigger *old = job->live;

	if (old && old->slot.ms && trigger->slot.ms) {
		struct etl_skip skip = {old->slot, old->slot, 1, ETL_SKIP_QUEUE};

		if (old->skip.last.ms)
			etl_skip_merge(&skip, &old->skip);
		etl_sched_take_kept(job, &skip);
		if (trigger->skip.last.ms)
			etl_skip_merge(&skip, &trigger->skip);
		trigger->skip = skip;
	}
	etl_trigger_drop(&job->live);
	job->live = etl_trigger_keep(trigger);
}

void etl_sched_drop_live_slot(struct etl_sched_job *job)
{
	if (job->live && job->live->slot.ms)
		etl_trigger_drop(&job->live);
}

static void keep_live(struct etl_sched_job *job, struct etl_trigger *trigger)
{
	if (trigger->slot.ms || !job->live)
		replace_live(job, trigger);
	else /* the run that waits will find the same windows due */
		etl_trigger_fini(trigger);
}

static void skip_overlap(struct etl_sched *sched, struct etl_sched_job *job,
	struct etl_trigger *trigger)
{
	struct etl_skip skip = {.first = trigger->skip.last.ms ? trigger->skip.first : trigger->slot,
		.last = trigger->slot,
		.slots = trigger->skip.slots + 1,
		.code = ETL_SKIP_OVERLAP};

	etl_sched_skip(sched, job, &skip);
	etl_trigger_fini(trigger);
}

void etl_sched_offer(struct etl_sched *sched, struct etl_sched_job *job,
	struct etl_trigger *trigger)
{
	bool busy = job->run || job->sensing;
	bool live = !job->run || job->running.kind != ETL_TRIGGER_BACKFILL;
	enum etl_overlap_verdict verdict = busy ?
		etl_overlap_decide(job->job, trigger->kind, live) : ETL_OVERLAP_WAITS;

	if (verdict == ETL_OVERLAP_SKIPPED) {
		skip_overlap(sched, job, trigger);
		return;
	}
	if (verdict == ETL_OVERLAP_CANCELS && job->run)
		sched->ops->cancel(sched->ctx, job->run);
	keep_live(job, trigger);
	etl_sched_make_ready(sched, job);
}

static bool push_manual(struct etl_sched_job *job, struct etl_trigger *trigger)
{
	struct etl_pending **last = &job->manual;
	int n = 0;

	for (; *last; last = &(*last)->next)
		n++;
	if (n >= ETL_MANUAL_MAX) {
		etl_trigger_fini(trigger);
		return false;
	}
	*last = ETL_NEW(struct etl_pending);
	(*last)->trigger = *trigger;
	*trigger = (struct etl_trigger){0};
	return true;
}

/* False: the trigger was refused and freed. */
static bool accept(struct etl_sched *sched, struct etl_sched_job *job, struct etl_trigger *trigger)
{
	if (sched->stopped || job->job->left_out ||
		(trigger->kind == ETL_TRIGGER_BACKFILL && job->backfill) ||
		(job->paused && trigger->kind != ETL_TRIGGER_MANUAL)) {
		/* no slot will come to load what this trigger was for */
		job->owed |= job->paused && !job->job->calendar &&
			trigger->kind != ETL_TRIGGER_BACKFILL;
		etl_trigger_fini(trigger);
		return false;
	}
	if (trigger->kind == ETL_TRIGGER_MANUAL)
		return push_manual(job, trigger);
	if (trigger->kind == ETL_TRIGGER_BACKFILL) {
		job->backfill = etl_trigger_keep(trigger);
		return true;
	}
	if (!sched->store) {
		job->owed = true;
		etl_trigger_fini(trigger);
		return true;
	}
	keep_live(job, trigger);
	return true;
}

enum etl_accept etl_sched_trigger(struct etl_sched *sched, struct etl_sched_job *job,
	struct etl_trigger *trigger)
{
	bool was_running = job->run != NULL;

	if (!accept(sched, job, trigger))
		return ETL_ACCEPT_REFUSED;
	etl_sched_make_ready(sched, job);
	etl_sched_dispatch(sched);
	return !was_running && job->run ? ETL_ACCEPT_STARTED : ETL_ACCEPT_WAITS;
}

void etl_sched_drop_backfill(struct etl_sched *sched, struct etl_sched_job *job)
{
	(void)sched;
	etl_trigger_drop(&job->backfill); /* its entry in the lane stays and finds nothing to do */
}

/* ---- the end of a run ---------------------------------------------------------------------- */

void etl_sched_moved(struct etl_sched *sched, const struct etl_sched_job *job)
{
	for (size_t i = 0; !sched->stopped && i < job->job->n_dependants; i++) {
		struct etl_sched_job *dependant =
			sched->ops->find(sched->ctx, job->job->dependants[i]->name);
		struct etl_trigger trigger = {.kind = ETL_TRIGGER_AFTER};

		if (!dependant)
			continue;
		snprintf(trigger.cause, sizeof trigger.cause, "%s", job->name);
		etl_sched_trigger(sched, dependant, &trigger);
	}
}

static void look_later(struct etl_sched *sched, struct etl_sched_job *job, etl_dur wait)
{
	job->held_until = etl_mono_add(etl_mono_now(sched->clock), wait);
	etl_timer_arm(sched->wheel, &job->again_timer, job->held_until);
}

/* The stored cursor was moved by a clock that was far ahead: it goes back to before the slot
 * that was refused, with a record, or the job would stand still until that time comes. */
static void put_back(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_trigger *ran, etl_wall decided)
{
	struct etl_skip skip = {.first = etl_trigger_before(ran), .last = decided,
		.code = ETL_SKIP_CLOCK};

	etl_sched_undecide(job, skip.first);
	etl_sched_skip(sched, job, &skip);
}

/* Another etld has decided the slot that it refused, and perhaps newer ones: all of ours up to
 * there are done with. Example: 00:10 is refused with the cursor at 00:40; of 00:10 to 01:00
 * run one by one the next is 00:50. */
static void pass_decided(struct etl_sched_job *job, etl_wall decided)
{
	if (decided.ms > job->decided.ms)
		job->decided = decided;
	if (job->live && job->live->slot.ms <= decided.ms)
		etl_sched_drop_live_slot(job);
	if (has_each(job) && job->each_after.ms < decided.ms)
		job->each_after = decided;
	if (job->each_until.ms <= decided.ms)
		job->each_until.ms = 0;
}

static bool is_for_what_is_due(const struct etl_trigger *ran)
{
	return ran->kind == ETL_TRIGGER_AFTER || ran->kind == ETL_TRIGGER_CATCH_UP;
}

/* The law of claims: one etld runs a slot, and a refusal says why it is not this one. Example:
 * the claim of 00:10 is refused. Cursor 00:40: the slots up to 00:40 are decided. Cursor 00:00,
 * lease held for 20 s more: nothing has come of 00:10, it is looked at again in 21 s. Cursor a
 * year ahead: a wrong clock set it; it is put back, and 00:10 runs. A cursor before the slot
 * has refused nothing, however far ahead it is of a clock that was set back while the run
 * waited for its answer.
 *
 * A run that an upstream's end has started has no slot to lose, but the other etld's run may have planned
 * before that end. Example: A has planned the day of d when B's upstream marks it again; B is refused d's
 * lease. Unless B looks once more when that has run out, the day stays as it is until the upstream's
 * next run. */
static void yield(struct etl_sched *sched, struct etl_sched_job *job, const struct etl_trigger *ran,
	const struct etl_run_outcome *outcome)
{
	bool refused = outcome->decided.ms >= ran->slot.ms;
	etl_dur wait = outcome->held_for;

	wait.us = wait.us > 0 ? wait.us + ETL_SECONDS(1).us : ETL_SECONDS(1).us;
	if (!ran->slot.ms) {
		if (is_for_what_is_due(ran) && !job->taken_back) {
			job->owed = true;
			look_later(sched, job, wait);
		}
		return;
	}
	if (refused && outcome->decided.ms > etl_wall_add(etl_now(sched->clock), ETL_SLOT_AHEAD_MAX).ms) {
		put_back(sched, job, ran, outcome->decided);
		return;
	}
	if (refused) {
		pass_decided(job, outcome->decided);
		return;
	}
	etl_sched_unrun(sched, job, ran);
	look_later(sched, job, wait);
}

/* MongoDB failed before the slot was claimed: nothing has come of it, so the slot is decided
 * again when MongoDB is back, or after 30 s if nobody noticed that it was unreachable. */
static void undo(struct etl_sched *sched, struct etl_sched_job *job, const struct etl_trigger *ran)
{
	etl_sched_unrun(sched, job, ran);
	look_later(sched, job, ETL_SECONDS(30));
}

void etl_sched_ended(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_run_outcome *outcome)
{
	struct etl_trigger ran = job->running;

	if (job->taken_back)
		ran.slot.ms = 0;
	job->run = NULL;
	sched->active--;
	etl_sched_count_run(sched, job, false);
	sched->active_backfills -= ran.kind == ETL_TRIGGER_BACKFILL;
	if (outcome->busy)
		yield(sched, job, &ran, outcome);
	else if (ran.slot.ms && !outcome->claimed)
		undo(sched, job, &ran);
	else if (outcome->store_lost)
		job->owed = true;
	if (outcome->moved)
		etl_sched_moved(sched, job);
	etl_sched_make_ready(sched, job);
	etl_sched_dispatch(sched);
}

/* ---- questions ----------------------------------------------------------------------------- */

const char *etl_sched_phase_word(enum etl_sched_phase phase)
{
	static const char *const words[] = {
#define X(id, word) [ETL_PHASE_##id] = word,
		ETL_PHASES(X)
#undef X
	};

	return words[phase];
}

enum etl_sched_phase etl_sched_phase(const struct etl_sched *sched,
	const struct etl_sched_job *job)
{
	if (job->run)
		return ETL_PHASE_RUNNING;
	if (sched->stopped)
		return ETL_PHASE_STOPPING;
	if (job->paused && !job->manual)
		return ETL_PHASE_PAUSED;
	if (!sched->store)
		return ETL_PHASE_STORE;
	if (job->sensing)
		return ETL_PHASE_SENSING;
	if (job->held_until.us)
		return ETL_PHASE_HELD;
	return job->in_ready[LANE_LIVE] || job->in_ready[LANE_BACKFILL] ? ETL_PHASE_PLACE :
									  ETL_PHASE_IDLE;
}

bool etl_sched_only_backfill(const struct etl_sched_job *job)
{
	return job->in_ready[LANE_BACKFILL] && !job->in_ready[LANE_LIVE];
}

size_t etl_sched_ahead(const struct etl_sched *sched, const struct etl_sched_job *job)
{
	int lane = job->in_ready[LANE_LIVE] ? LANE_LIVE : LANE_BACKFILL;
	const struct etl_sched_job *at = sched->ready[lane].first;
	size_t n = lane == LANE_BACKFILL ? sched->ready[LANE_LIVE].n : 0;

	if (!job->in_ready[lane])
		return 0;
	for (; at && at != job; at = at->ready_next[lane])
		n++;
	return n;
}

void etl_sched_facts(const struct etl_sched *sched, struct etl_sched_facts *out)
{
	*out = (struct etl_sched_facts){
		.active = sched->active,
		.active_backfills = sched->active_backfills,
		.max_active = sched->max_active,
		.ready = sched->ready[LANE_LIVE].n,
		.ready_backfills = sched->ready[LANE_BACKFILL].n,
	};
}
