/* SPDX-License-Identifier: MIT
 *
 * `wait_for`: a trigger that waits until its sensor says yes, asked every `poke`, or until
 * `timeout` has passed; then its slot is skipped with that reason. It takes no place in a pool.
 * While MongoDB is unreachable nothing is given up: it is asked when it is back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sched/sched_internal.h"

/* The law of `wait_for`. Example: poke 2m, timeout 5m, the slot 00:10 comes. The sensor is
 * asked at 00:10, 00:12 and 00:14, and for the last time at 00:15, when the timeout ends, not a
 * whole poke later. If it says yes at 00:12, the slot waits for a place from then on; if it
 * still says no at 00:15, the slot is skipped with the reason `wait_for`. */
void etl_sched_sense(struct etl_sched *sched, struct etl_sched_job *job,
	struct etl_trigger *trigger)
{
	job->waiting = etl_trigger_keep(trigger);
	job->sensing = true;
	job->sensing_until = etl_mono_add(etl_mono_now(sched->clock), job->job->wait_for->timeout);
	free(ETL_TAKE(job->sense_said));
	job->sense_next.us = 0;
	sched->ops->sense(sched->ctx, job);
}

/* The timeout has passed. A trigger with a slot is skipped on record, together with what it
 * passed over. A trigger without a slot has nothing to record: its windows stay due, and the
 * next run takes them. */
static void give_up(struct etl_sched *sched, struct etl_sched_job *job)
{
	const struct etl_trigger *trigger = job->waiting;
	struct etl_skip skip = {
		.first = trigger->skip.last.ms ? trigger->skip.first : trigger->slot,
		.last = trigger->slot,
		.slots = trigger->skip.slots + 1,
		.code = ETL_SKIP_SENSOR,
	};

	if (trigger->slot.ms)
		etl_sched_skip(sched, job, &skip);
	etl_trigger_drop(&job->waiting);
	job->sensing = false;
	etl_sched_make_ready(sched, job);
}

/* The last question is moved forward to the timeout's end, so that a long poke does not
 * lengthen the timeout. An answer that comes later than that leads here only while MongoDB is
 * unreachable. */
static void ask_later(struct etl_sched *sched, struct etl_sched_job *job)
{
	etl_mono now = etl_mono_now(sched->clock);
	etl_mono at = etl_mono_add(now, job->job->wait_for->poke);

	if (at.us > job->sensing_until.us && now.us < job->sensing_until.us)
		at = job->sensing_until;
	job->sense_next = at;
	etl_timer_arm(sched->wheel, &job->again_timer, at);
}

/* A reload that removed `wait_for` counts as a yes: nothing is left to wait for. While MongoDB
 * is unreachable nobody can say no, so the timeout gives nothing up until it is back. */
static void answered(struct etl_sched *sched, struct etl_sched_job *job, bool satisfied,
	const char *said)
{
	if (!job->sensing)
		return; /* the job was paused or reloaded while the answer was on its way */
	free(job->sense_said);
	job->sense_said = etl_memdup0(said, strnlen(said, ETL_SENSE_SAID_BYTES - 1));
	if (satisfied || !job->job->wait_for) {
		job->sensed = ETL_TAKE(job->waiting);
		job->sensing = false;
		etl_sched_make_ready(sched, job);
	} else if (sched->store && etl_mono_now(sched->clock).us >= job->sensing_until.us) {
		give_up(sched, job);
	} else {
		ask_later(sched, job);
	}
}

/* Not asking while MongoDB is unreachable keeps the worker threads free; etl_sched_store asks
 * again when it is back. */
void etl_sched_sense_again(struct etl_sched *sched, struct etl_sched_job *job)
{
	etl_timer_cancel(sched->wheel, &job->again_timer);
	if (job->job->wait_for && sched->store) {
		job->sense_next.us = 0;
		sched->ops->sense(sched->ctx, job);
		return;
	}
	answered(sched, job, !job->job->wait_for, "MongoDB is unreachable");
}

void etl_sched_sensed(struct etl_sched *sched, struct etl_sched_job *job, bool satisfied,
	const char *said)
{
	answered(sched, job, satisfied, said);
	etl_sched_dispatch(sched);
}
