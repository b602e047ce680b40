/* SPDX-License-Identifier: MIT
 *
 * What the scheduler's files share: sched.c (slots), sched_record.c (the cursor), sched_queue.c
 * (what waits, pools, runs), sched_sensor.c (`wait_for`). Nobody else includes this.
 */
#ifndef ETL_SCHED_SCHED_INTERNAL_H
#define ETL_SCHED_SCHED_INTERNAL_H

#include "sched/sched.h"

enum { LANE_LIVE, LANE_BACKFILL, LANES };
enum { HOST_PLACES = 4096 }; /* hosts are told apart by a hash: two in one place share its limit */

struct etl_sched {
	struct etl_wheel *wheel;
	const struct etl_clock *clock;
	const char *host;
	const struct etl_sched_ops *ops;
	void *ctx;
	struct etl_sched_job *jobs;
	bool store, stopped;
	unsigned max_active, active, active_backfills;
	unsigned of_host[HOST_PLACES]; /* runs that go on, by the host that their job asks */
	struct {
		struct etl_sched_job *first, *last;
		size_t n;
	} ready[LANES];
};

/* sched.c: decides about the slots that have fallen due, and arms the timer for the next. */
void etl_sched_look(struct etl_sched *sched, struct etl_sched_job *job);

/* sched_record.c: these slots will not run; on record when all older ones have come to
 * something. */
void etl_sched_skip(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_skip *skip);
/* Skips that wait for the slot of `skip` are taken into it, whose successor claims past them. Those
 * before it stay: they are recorded before it can start, and what waits may be taken back. Example: 34:40
 * to 37:36 are passed over by an edit, behind the run of 34:20; 37:47 waits, and 38:07 takes its place. A
 * pause then takes 38:07 back as far as the edit, and with it whatever it had taken along. */
void etl_sched_take_kept(struct etl_sched_job *job, struct etl_skip *skip);
/* The cursor is to be stored, in its turn. */
void etl_sched_note(struct etl_sched *sched, struct etl_sched_job *job);
/* Records what may be recorded now. */
void etl_sched_record_kept(struct etl_sched *sched, struct etl_sched_job *job);
/* Slots up to `until` are never decided again; those of them that go and fail to claim their
 * slot are skipped with this reason. */
void etl_sched_close(struct etl_sched_job *job, etl_wall until, enum etl_skip_code code);
/* Slots after `point` are not decided any more; what waits to run them is dropped. */
void etl_sched_undecide(struct etl_sched_job *job, etl_wall point);
/* A run has not claimed its slot: nothing has come of it. */
void etl_sched_unrun(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_trigger *ran);
/* The point before all slots that wait for the job's next run; false if none waits. */
bool etl_sched_waits_from(const struct etl_sched_job *job, etl_wall *point);
/* What waits to run slots, taken back: they are decided when the time comes. */
void etl_sched_take_back(struct etl_sched_job *job);
void etl_sched_take_back_all(struct etl_sched_job *job); /* also what its sensor is asked for */

/* sched_queue.c: a slot's trigger; overlap decides. */
void etl_sched_offer(struct etl_sched *sched, struct etl_sched_job *job,
	struct etl_trigger *trigger);
/* Puts the job where it waits for a place, if something of it may start. */
void etl_sched_make_ready(struct etl_sched *sched, struct etl_sched_job *job);
void etl_sched_count_run(struct etl_sched *sched, struct etl_sched_job *job, bool begins);
void etl_sched_dispatch(struct etl_sched *sched);
void etl_sched_unready(struct etl_sched *sched, struct etl_sched_job *job);
void etl_sched_drop_live_slot(struct etl_sched_job *job);
void etl_sched_drop_pending(struct etl_sched *sched, struct etl_sched_job *job);

/* sched_sensor.c: the job's next live trigger waits for its sensor first. Takes it. */
void etl_sched_sense(struct etl_sched *sched, struct etl_sched_job *job,
	struct etl_trigger *trigger);
/* It is time to ask, or there is a reason to; who calls this dispatches. */
void etl_sched_sense_again(struct etl_sched *sched, struct etl_sched_job *job);

#endif
