/* SPDX-License-Identifier: MIT
 *
 * Reads what the store holds into what the loop knows. A reading is one question for each kind of
 * document, however many jobs there are; its lists are sorted by job on the worker and taken by
 * the loop job by job, in pieces. A job that has changed here since a reading began keeps what it
 * has: the next reading will have it.
 */
#include "picture.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "journal.h"

/* As long as a piece of taking may take: see walk.c. */
#define PIECE ((etl_dur){500})
/* Jobs whose start or end was moved over open windows: so many are counted anew in a reading. */
#define RECOUNTS_MAX 100

struct mark {
	char *job, *partition;
	etl_wall processed;
};

struct pause {
	char *job, *who, *why;
	etl_wall at;
};

struct schedule {
	char *job;
	struct etl_schedule_info info;
};

struct sum {
	const char *job, *partition; /* lent by the generation */
	enum etl_window_state state;
	bool dirty;
	uint64_t n;
	etl_wall oldest;
	char *reason;
};

struct etld_picture {
	struct etld_task task;
	struct etl_timer timer; /* between two pieces */
	struct etld *etld;
	struct etld_generation *generation;
	const struct etl_job *only; /* NULL = all */
	uint64_t began; /* of etld->changes */
	bool read, had_open;
	struct etl_error error;
	struct mark *marks;
	size_t n_marks, marks_cap;
	struct pause *pauses;
	size_t n_pauses, pauses_cap;
	struct schedule *schedules;
	size_t n_schedules, schedules_cap;
	struct sum *sums;
	size_t n_sums, sums_cap;
	int recounts;
	/* how far it is taken */
	size_t next, mark, pause, schedule, sum;
};

static struct etl_wheel *wheel_of(const struct etld_picture *p)
{
	return etld_loop_wheel(p->etld->loop);
}

struct etld_picture *etld_picture_new(struct etld *etld, const struct etld_job *job)
{
	struct etld_picture *p = ETL_NEW(struct etld_picture);

	p->etld = etld;
	p->generation = etld_generation_ref(etld->generation);
	p->only = job ? job->job : NULL;
	p->had_open = job && (job->windows.open || job->windows.dirty);
	p->began = etld->changes;
	p->error = (struct etl_error)ETL_ERROR_INIT;
	p->timer.name = "picture";
	return p;
}

void etld_picture_free(struct etld_picture *p)
{
	if (!p)
		return;
	etl_timer_cancel(wheel_of(p), &p->timer);
	for (size_t i = 0; i < p->n_marks; i++) {
		free(p->marks[i].job);
		free(p->marks[i].partition);
	}
	for (size_t i = 0; i < p->n_pauses; i++) {
		free(p->pauses[i].job);
		free(p->pauses[i].who);
		free(p->pauses[i].why);
	}
	for (size_t i = 0; i < p->n_schedules; i++)
		free(p->schedules[i].job);
	for (size_t i = 0; i < p->n_sums; i++)
		free(p->sums[i].reason);
	free(p->marks);
	free(p->pauses);
	free(p->schedules);
	free(p->sums);
	etld_generation_unref(p->generation);
	free(p);
}

/* ---- on a worker ----------------------------------------------------------------------------- */

static int keep_mark(void *ctx, const char *job, const char *partition,
	const struct etl_watermark *watermark)
{
	struct etld_picture *p = ctx;

	ETL_GROW(p->marks, p->n_marks, p->marks_cap);
	p->marks[p->n_marks++] =
		(struct mark){etl_strdup(job), etl_strdup(partition), watermark->processed};
	return 0;
}

static int keep_pause(void *ctx, const struct etl_pause *pause)
{
	struct etld_picture *p = ctx;

	ETL_GROW(p->pauses, p->n_pauses, p->pauses_cap);
	p->pauses[p->n_pauses++] = (struct pause){etl_strdup(pause->job), etl_strdup(pause->who),
		etl_strdup(pause->why), pause->at};
	return 0;
}

static int keep_schedule(void *ctx, const char *job, const struct etl_schedule_info *info)
{
	struct etld_picture *p = ctx;

	ETL_GROW(p->schedules, p->n_schedules, p->schedules_cap);
	p->schedules[p->n_schedules++] = (struct schedule){etl_strdup(job), *info};
	return 0;
}

/* Units that a run would never find due: of an older grid, or beyond where the job begins or ends
 * now. They are nobody's business. */
static bool is_on_grid(const struct etl_window_rules *rules, const struct etl_open_sum *sum)
{
	int64_t size = etl_dur_ms(rules->size);

	if (rules->none)
		return sum->size_ms == 0;
	return sum->size_ms == size && (sum->oldest.ms - rules->start.ms) % size == 0;
}

static struct etl_window range_of(const struct etl_window_rules *rules)
{
	return (struct etl_window){rules->start, {rules->end.ms ? rules->end.ms : INT64_MAX}};
}

static int add_sum(struct etld_picture *p, const struct etl_job *job, const struct etl_open_sum *sum)
{
	const struct etl_partition *partition = etl_job_partition(job, sum->partition);

	if (!partition || !is_on_grid(&job->window, sum))
		return 0;
	ETL_GROW(p->sums, p->n_sums, p->sums_cap);
	p->sums[p->n_sums++] = (struct sum){job->name, partition->name, sum->state, sum->dirty, sum->n,
		sum->oldest, etl_strdup(sum->reason)};
	return 0;
}

struct recount {
	struct etld_picture *p;
	const struct etl_job *job;
	const struct etl_open_sum *of;
};

static int add_recounted(void *ctx, const struct etl_open_sum *sum)
{
	struct recount *r = ctx;

	if (!etl_streq(sum->partition, r->of->partition) || sum->state != r->of->state ||
		sum->size_ms != r->of->size_ms || sum->phase_ms != r->of->phase_ms)
		return 0;
	return add_sum(r->p, r->job, sum);
}

/* Some of these lie beyond the job's start or end, others do not: rare, and asked again. */
static int recount(struct etld_picture *p, const struct etl_job *job, const struct etl_open_sum *sum)
{
	struct etl_window range = range_of(&job->window);
	struct recount r = {p, job, sum};
	struct etl_state *state = p->etld->state;

	if (p->recounts++ >= RECOUNTS_MAX)
		return add_sum(p, job, sum);
	return state->ops->open_sums(state, job->name, &range, add_recounted, &r, &p->error);
}

static int keep_sum(void *ctx, const struct etl_open_sum *sum)
{
	struct etld_picture *p = ctx;
	const struct etl_job *job = etld_generation_job(p->generation, sum->job);
	struct etl_window range;

	if (!job)
		return 0;
	range = range_of(&job->window);
	if (job->window.none || (sum->oldest.ms >= range.start.ms && sum->newest.ms < range.end.ms))
		return add_sum(p, job, sum);
	if (sum->newest.ms < range.start.ms || sum->oldest.ms >= range.end.ms)
		return 0;
	return recount(p, job, sum);
}

static int by_mark(const void *a, const void *b)
{
	return strcmp(((const struct mark *)a)->job, ((const struct mark *)b)->job);
}

static int by_pause(const void *a, const void *b)
{
	return strcmp(((const struct pause *)a)->job, ((const struct pause *)b)->job);
}

static int by_schedule(const void *a, const void *b)
{
	return strcmp(((const struct schedule *)a)->job, ((const struct schedule *)b)->job);
}

static int by_sum(const void *a, const void *b)
{
	return strcmp(((const struct sum *)a)->job, ((const struct sum *)b)->job);
}

#define SORT(list, n, by)                                                                       \
	do {                                                                                    \
		if (n)                                                                          \
			qsort(list, n, sizeof *(list), by);                                     \
	} while (0)

static void sort(struct etld_picture *p)
{
	SORT(p->marks, p->n_marks, by_mark);
	SORT(p->pauses, p->n_pauses, by_pause);
	SORT(p->schedules, p->n_schedules, by_schedule);
	SORT(p->sums, p->n_sums, by_sum);
}

int etld_picture_read(struct etld_picture *p, struct etl_error *err)
{
	struct etl_state *state = p->etld->state;
	int rc = 0;

	if (!p->only)
		rc = state->ops->watermark_list(state, keep_mark, p, err);
	if (rc == 0 && !p->only)
		rc = state->ops->pause_list(state, keep_pause, p, err);
	if (rc == 0 && !p->only)
		rc = state->ops->schedule_list(state, keep_schedule, p, err);
	if (rc == 0)
		rc = state->ops->open_sums(state, p->only ? p->only->name : NULL, NULL, keep_sum, p, err);
	if (rc == 0 && p->error.kind != ETL_OK) {
		*err = p->error; /* of a recount */
		rc = -1;
	}
	sort(p);
	p->read = rc == 0;
	return rc;
}

void etld_picture_read_after(struct etld_picture *p, const struct etl_run *run)
{
	struct etl_error ignored = ETL_ERROR_INIT; /* the next reading tries again */
	bool clean = run->state == ETL_RUN_OK && !run->windows_failed && !run->windows_held &&
		!run->windows_blocked && !run->windows_lost;

	if (p && (!clean || p->had_open))
		(void)etld_picture_read(p, &ignored);
}

/* ---- on the loop: one job -------------------------------------------------------------------- */

static void set_text(char **to, const char *text)
{
	if (*to && text && etl_streq(*to, text))
		return;
	free(*to);
	*to = text && *text ? etl_strdup(text) : NULL;
}

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

/* The reason of the oldest failed window speaks for all of them, and that of the oldest held. */
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

/* True if one of them has moved. */
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

/* The store has the word of whoever paused or resumed it, here or elsewhere. */
static void take_pause(struct etld *etld, struct etld_job *job, const struct pause *pause,
	const struct etl_schedule_info *info)
{
	bool resumed = job->resumed;

	job->resumed = false;
	if (job->pausing || job->pause_unsaved)
		return;
	if (pause) {
		if (!job->sched.paused || !job->pause_who || !etl_streq(job->pause_who, pause->who) ||
			job->paused_at.ms != pause->at.ms)
			etld_job_note_pause(job, pause->who, pause->why, pause->at);
		etl_sched_pause(etld->sched, &job->sched);
	} else if (job->sched.paused && !resumed) {
		job->resumed = true; /* what it skipped may still be on its way: the next reading has it */
	} else if (job->sched.paused) {
		etld_job_note_pause(job, NULL, NULL, (etl_wall){0});
		etl_sched_resumed_elsewhere(etld->sched, &job->sched, info);
	}
}

static void take_last(struct etld_job *job, const struct etl_last_run *last)
{
	if (*last->run_id && last->ended.ms >= job->last.ended.ms)
		job->last = *last;
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

static void take_job(struct etld_picture *p, const char *name)
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
	take_sums(job, p->sums + sum, sums);
	if (p->only) {
		etld_job_changed(p->etld, job);
		return;
	}
	was_paused = job->sched.paused;
	moved = take_marks(job, p->marks + mark, marks);
	take_pause(p->etld, job, pauses ? &p->pauses[pause] : NULL,
		schedules ? &p->schedules[schedule].info : NULL);
	if (schedules)
		take_last(job, &p->schedules[schedule].info.last);
	if (moved || was_paused != job->sched.paused)
		etld_deadline_look(p->etld, job);
}

void etld_picture_take(struct etld_picture *p)
{
	if (!p || !p->read)
		return;
	if (p->only)
		take_job(p, p->only->name);
	for (size_t i = 0; !p->only && i < p->generation->n_jobs; i++)
		take_job(p, p->generation->jobs[i]->name);
}

void etld_picture_schedules(const struct etld_picture *p,
	void (*each)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx)
{
	for (size_t i = 0; i < p->n_schedules; i++)
		each(ctx, p->schedules[i].job, &p->schedules[i].info);
}

/* ---- once a minute --------------------------------------------------------------------------- */

static void on_look(struct etl_timer *timer, void *ctx);

static void look_later(struct etld *etld, etl_dur wait)
{
	etl_timer_cancel(etld_loop_wheel(etld->loop), &etld->look_timer);
	etld->look_timer = (struct etl_timer){.fire = on_look, .ctx = etld, .name = "look"};
	etl_timer_arm(etld_loop_wheel(etld->loop), &etld->look_timer,
		etl_mono_add(etl_mono_now(etld->clock), wait));
}

static void looked(struct etld_picture *p)
{
	struct etld *etld = p->etld;

	etld->looking = NULL;
	etld_picture_free(p);
	if (!etld->mongodb_up || etld->draining)
		return; /* whoever finds MongoDB again reads it */
	look_later(etld, etld->look_again ? (etl_dur){0} : etld->look_every);
	etld->look_again = false;
}

static void take_piece(struct etld_picture *p)
{
	const struct etld_generation *g = p->generation;
	etl_mono now = etl_mono_now(p->etld->clock), until = etl_mono_add(now, PIECE);

	for (; p->next < g->n_jobs && now.us < until.us; now = etl_mono_now(p->etld->clock))
		take_job(p, g->jobs[p->next++]->name);
	if (p->next < g->n_jobs && !p->etld->draining)
		etl_timer_arm(wheel_of(p), &p->timer, now);
	else
		looked(p);
}

static void on_piece(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	take_piece(ctx);
}

static void look_work(struct etld_task *task)
{
	struct etld_picture *p = (struct etld_picture *)task;
	struct etl_error err = ETL_ERROR_INIT;

	if (etld_picture_read(p, &err) < 0)
		p->error = err;
}

static void look_done(struct etld_task *task)
{
	struct etld_picture *p = (struct etld_picture *)task;

	if (p->read && p->etld->mongodb_up) {
		take_piece(p);
		return;
	}
	if (etl_store_is_away(&p->error))
		etld_backend_lost(p->etld, &p->error);
	else if (!p->read && !p->etld->draining)
		etld_log(ETLD_WARNING, NULL, NULL, 0,
			"what the metadata holds cannot be read, status may be old: %s", p->error.message);
	looked(p);
}

static void look(struct etld *etld)
{
	struct etld_picture *p;

	if (etld->looking || !etld->mongodb_up || etld->draining)
		return;
	p = etld->looking = etld_picture_new(etld, NULL);
	p->task = (struct etld_task){.work = look_work, .done = look_done, .name = "look"};
	p->timer.fire = on_piece;
	p->timer.ctx = p;
	etld_pool_submit(etld->pool, &p->task);
}

static void on_look(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	look(ctx);
}

void etld_picture_hurry(struct etld *etld)
{
	if (etld->looking)
		etld->look_again = true;
	else if (etld->mongodb_up && !etld->draining)
		look_later(etld, (etl_dur){0});
}

void etld_picture_watch(struct etld *etld)
{
	if (!etld->look_every.us)
		etld->look_every = ETLD_LOOK_EVERY;
	if (!etld->looking)
		look_later(etld, etld->look_every);
}

/* ---- one job, at once ------------------------------------------------------------------------ */

static void one_work(struct etld_task *task)
{
	struct etl_error ignored = ETL_ERROR_INIT; /* the reading of the next minute has it */

	(void)etld_picture_read((struct etld_picture *)task, &ignored);
}

static void one_done(struct etld_task *task)
{
	struct etld_picture *p = (struct etld_picture *)task;

	etld_picture_take(p);
	etld_picture_free(p);
}

void etld_picture_look(struct etld *etld, struct etld_job *job)
{
	struct etld_picture *p;

	if (!etld->mongodb_up || etld->draining)
		return;
	p = etld_picture_new(etld, job);
	p->task = (struct etld_task){.work = one_work, .done = one_done, .name = "look"};
	etld_pool_submit(etld->pool, &p->task);
}

void etld_picture_close(struct etld *etld)
{
	etl_timer_cancel(etld_loop_wheel(etld->loop), &etld->look_timer);
	etld_picture_free(ETL_TAKE(etld->looking));
}
