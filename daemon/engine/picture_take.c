/* SPDX-License-Identifier: MIT
 *
 * What was read goes into the jobs, one by one. A job that has changed here since the reading
 * began keeps what it has. Reads and writes no store. Loop thread.
 *
 * Example: a reading begins at 10:00:00.0; at 10:00:00.2 an operator pauses `orders`; at
 * 10:00:00.5 the reading is taken. It knows nothing of the pause and must not undo it: `orders`
 * is passed over, and the next reading has it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/deadline.h"
#include "engine/picture.h"
#include "engine/picture_parts.h"

/* ---- on the loop: one job -------------------------------------------------------------------- */

/* Nearly always the text is what it was, and is kept. */
static void set_text(char **to, const char *text)
{
	if (*to && text && etl_streq(*to, text))
		return;
	free(*to);
	*to = text && *text ? etl_strdup(text) : NULL;
}

/* A unit that is dirty is closed: it counts as dirty alone and not as open. */
static void add_to_partition(struct etld_partition *part, const struct sum *sum)
{
	bool first = !part->open;

	if (sum->dirty) {
		part->dirty += sum->n;
		return;
	}
	part->open += sum->n;
	part->failed += sum->state == ETL_WINDOW_FAILED ? sum->n : 0;
	part->held += sum->state == ETL_WINDOW_HELD ? sum->n : 0;
	if (first || sum->oldest.ms < part->oldest.ms)
		part->oldest = sum->oldest;
}

/* The reason of the oldest failed window speaks for all failed ones, and that of the oldest
 * held one for all held. */
struct oldest {
	const struct sum *failed, *held;
};

static void note_oldest(struct oldest *o, const struct sum *sum)
{
	const struct sum **at = sum->state == ETL_WINDOW_FAILED ? &o->failed :
		sum->state == ETL_WINDOW_HELD			? &o->held :
								  NULL;

	if (at && (!*at || sum->oldest.ms < (*at)->oldest.ms))
		*at = sum;
}

/* All counts begin at zero: what the reading has no sum of is not open any more. */
static void take_sums(struct etld_job *job, const struct sum *sums, size_t n)
{
	struct oldest oldest = {0};
	size_t near = 0;

	for (size_t i = 0; i < job->job->n_partitions; i++)
		job->partitions[i].failed = job->partitions[i].held = job->partitions[i].open =
			job->partitions[i].dirty = 0;
	job->windows = (struct etld_open){0};
	for (size_t i = 0; i < n; i++) {
		struct etld_partition *part = etld_job_partition(job, sums[i].partition, near);

		if (!part)
			continue;
		near = (size_t)(part - job->partitions);
		add_to_partition(part, &sums[i]);
		note_oldest(&oldest, &sums[i]);
		job->windows.dirty += sums[i].dirty ? sums[i].n : 0;
		job->windows.open += sums[i].dirty ? 0 : sums[i].n;
		job->windows.failed += sums[i].state == ETL_WINDOW_FAILED ? sums[i].n : 0;
		job->windows.held += sums[i].state == ETL_WINDOW_HELD ? sums[i].n : 0;
	}
	set_text(&job->failed_why, oldest.failed ? oldest.failed->reason : NULL);
	set_text(&job->held_why, oldest.held ? oldest.held->reason : NULL);
}

/* True if one of the watermarks has moved: deadlines depend on them. */
static bool take_marks(struct etld_job *job, const struct mark *marks, size_t n)
{
	bool moved = false;
	size_t near = 0;

	for (size_t i = 0; i < n; i++) {
		struct etld_partition *part = etld_job_partition(job, marks[i].partition, near);

		if (!part)
			continue;
		near = (size_t)(part - job->partitions) + 1;
		moved |= part->watermark.ms != marks[i].processed.ms;
		part->watermark = marks[i].processed;
	}
	return moved;
}

/* A reading that began before a reload is not taken here: its jobs may have had other targets. */
static void take_targets(struct etld_picture *p, struct etld_job *job, struct mark *marks, size_t n)
{
	size_t near = 0;

	if (p->generation != p->etld->generation)
		return;
	etld_elsewhere_forget(job);
	for (size_t i = 0; i < n; i++) {
		struct etld_partition *part = etld_job_partition(job, marks[i].partition, near);

		if (!part)
			continue;
		near = (size_t)(part - job->partitions) + 1;
		etld_elsewhere_set(part, ETL_TAKE(marks[i].elsewhere), marks[i].here);
	}
	etld_elsewhere_tell(p->etld, job);
}

/* Takes the word of whoever paused or resumed the job, on this etld or another. A pause counts
 * at once, a resume only in the second reading that finds it: the record of the slots that the
 * pause skipped may still be on its way, and a cursor without it would run them. */
static void take_pause(struct etld *etld, struct etld_job *job, const struct pause *pause,
	const struct etl_schedule_info *info)
{
	bool resumed = job->resumed;

	job->resumed = false;
	if (job->pausing || job->pause_unsaved)
		return;
	if (pause) {
		if (!job->sched.paused || !job->pause_who ||
			!etl_streq(job->pause_who, pause->who) || job->paused_at.ms != pause->at.ms)
			etld_job_note_pause(job, pause->who, pause->why, pause->at);
		etl_sched_pause(etld->sched, &job->sched);
	} else if (job->sched.paused && !resumed) {
		/* the record of what the pause skipped may still be on its way */
		job->resumed = true;
	} else if (job->sched.paused) {
		etld_job_note_pause(job, NULL, NULL, (etl_wall){0});
		etl_sched_resumed_elsewhere(etld->sched, &job->sched, info);
	}
}

/* A run that has ended here since the reading is newer than what the reading found. */
static void take_last(struct etld_job *job, const struct etl_last_run *last)
{
	if (*last->run_id && last->ended.ms >= etld_job_last(job)->ended.ms)
		etld_job_note_last(job, last);
}

/* ---- on the loop: all of it ------------------------------------------------------------------ */

/* The part of a sorted list that is of this job; what is of no job any more is passed over. */
#define PART(list, n, at, name, first, count)                                                   \
	do {                                                                                    \
		while ((at) < (n) && strcmp((list)[at].job, name) < 0)                          \
			(at)++;                                                                 \
		(first) = (at);                                                                 \
		while ((at) < (n) && strcmp((list)[at].job, name) == 0)                         \
			(at)++;                                                                 \
		(count) = (at) - (first);                                                       \
	} while (0)

/* Has it changed here since the reading began? */
static bool is_newer_here(const struct etld_picture *p, const struct etld_job *job)
{
	return job->seen > p->began;
}

void etld_picture_take_job(struct etld_picture *p, const char *name)
{
	struct etld_job *job = etld_job_find(p->etld, name);
	size_t mark, marks, pause, pauses, schedule, schedules, sum, sums;
	bool moved, was_paused;

	PART(p->marks, p->n_marks, p->mark, name, mark, marks);
	PART(p->pauses, p->n_pauses, p->pause, name, pause, pauses);
	PART(p->schedules, p->n_schedules, p->schedule, name, schedule, schedules);
	PART(p->sums, p->n_sums, p->sum, name, sum, sums);
	if (!job || is_newer_here(p, job))
		return;
	if (p->targets) {
		if (job->retargeted)
			take_targets(p, job, p->marks + mark, marks);
		return;
	}
	take_sums(job, p->sums + sum, sums);
	if (p->only) {
		etld_job_changed(p->etld, job);
		return;
	}
	was_paused = job->sched.paused;
	moved = take_marks(job, p->marks + mark, marks);
	take_targets(p, job, p->marks + mark, marks);
	take_pause(p->etld, job, pauses ? &p->pauses[pause] : NULL,
		schedules ? &p->schedules[schedule].info : NULL);
	if (schedules)
		take_last(job, &p->schedules[schedule].info.last);
	if (moved || was_paused != job->sched.paused)
		etld_deadline_look(p->etld, job);
}

/* All at once: when MongoDB is back, jobs start by what is taken here, so that none may be left for
 * later. */
void etld_picture_take(struct etld_picture *p)
{
	if (!p || !p->read)
		return;
	if (p->only)
		etld_picture_take_job(p, p->only->name);
	for (size_t i = 0; !p->only && i < p->generation->n_jobs; i++)
		etld_picture_take_job(p, p->generation->jobs[i]->name);
}

/* Before etld_picture_take: slots are known before a pause or a watermark may start anything. */
void etld_picture_schedules(const struct etld_picture *p,
	void (*each)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx)
{
	for (size_t i = 0; i < p->n_schedules; i++)
		each(ctx, p->schedules[i].job, &p->schedules[i].info);
}
