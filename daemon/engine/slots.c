/* SPDX-License-Identifier: MIT
 *
 * What is to be stored about slots: those that were skipped, and up to where they are decided
 * when no run says so. Workers write it; what cannot be written because MongoDB is unreachable is
 * kept and written when it is back. What is written of one job keeps its order: a retirement
 * must not be overtaken by what was decided before it. Loop thread, but for the work of tasks.
 */
#include "engine/slots.h"

#include <string.h>
#include <utlist.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/backend.h"
#include "engine/slot_queue.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/pool.h"
#include "run/run.h"

/* Skipped slots of one job, or a note of it (no skip): that it has another schedule, or is gone. */
struct etld_slot_task {
	struct etld_task task;
	struct etld_slot_item item; /* while it waits, or is written */
	struct etld *etld;
	char *job;
	char schedule[ETL_SCHEDULE_BYTES];
	struct etl_skip skip;
	struct etl_slot_note note; /* job != NULL: this, and no skip */
	struct etl_error error;
};

struct etld_slots {
	struct etld_slot_queue queue;
	struct etld_notes *notes; /* decided slots that a task stores, */
	struct etld_job *due;	  /* and jobs whose slot is to be stored so next (note_next) */
};

static void task_free(struct etld_slot_task *t)
{
	free(t->job);
	free(t);
}

static struct etld_slot_task *task_of(struct etld_slot_item *item)
{
	return ETL_OF(struct etld_slot_task, item, item);
}

static void slot_work(struct etld_task *task)
{
	struct etld_slot_task *t = (struct etld_slot_task *)task;
	struct etl_state *state = t->etld->state;

	etld_on_worker();
	etl_error_clear(&t->error);
	if (t->note.job && *t->note.schedule)
		etl_edit_save(t->etld->run_env, &t->note, &t->error);
	else if (t->note.job)
		state->ops->slots_save(state, &t->note, 1, &t->error);
	else
		etl_skip_save(t->etld->run_env, t->job, &t->skip, t->schedule, &t->error);
}

/* It is due to be stored, as the scheduler said last. */
static void mark_due(struct etld_slots *slots, struct etld_job *job)
{
	if (!job->note_prev) /* of a list's element that is never NULL */
		DL_APPEND2(slots->due, job, note_prev, note_next);
}

static void slot_done(struct etld_task *task)
{
	struct etld_slot_task *t = (struct etld_slot_task *)task;
	struct etl_error error = t->error;
	struct etld *etld = t->etld;
	struct etld_job *job = etld_job_find(etld, t->job);

	if (error.kind == ETL_TRANSIENT && !etld->draining) {
		etld_slot_queue_again(&etld->slots->queue, &t->item);
		if (etl_store_is_away(&error))
			etld_backend_lost(etld, &error);
		return;
	}
	if (error.kind != ETL_OK)
		etld_log(ETLD_WARNING, NULL, NULL, 0, "slots of job %s could not be recorded: %s", t->job,
			error.message);
	if (etld_slot_queue_done(&etld->slots->queue, &t->item) && job && job->note_due)
		mark_due(etld->slots, job); /* it had to wait for this */
	if (job && !t->note.job)
		etl_sched_recorded(etld->sched, &job->sched);
	task_free(t);
	etld_slots_flush(etld);
}

static void send_task(struct etld_slot_task *t)
{
	t->task = (struct etld_task){.work = slot_work, .done = slot_done, .name = "slots",
		.of = t->job};
	etld_pool_submit(t->etld->pool, &t->task);
}

/* All that may go: while MongoDB is away, none. */
static void send_tasks(struct etld *etld)
{
	struct etld_slots *slots = etld->slots;
	struct etld_slot_item *item;

	while (etld->mongodb_up &&
		(item = etld_slot_queue_next(&slots->queue, slots->notes != NULL)) != NULL)
		send_task(task_of(item));
}

static void submit(struct etld_slot_task *t)
{
	etld_on_loop(t->etld->loop);
	t->item.is_note = t->note.job != NULL;
	etld_slot_queue_add(&t->etld->slots->queue, t->job, &t->item);
	send_tasks(t->etld);
}

static struct etld_slot_task *task_new(struct etld *etld, const char *job)
{
	struct etld_slot_task *t = ETL_NEW(struct etld_slot_task);

	t->etld = etld;
	t->job = etl_strdup(job);
	t->error = (struct etl_error)ETL_ERROR_INIT;
	return t;
}

void etld_slots_skip(struct etld *etld, const char *job, const struct etl_skip *skip,
	const char *schedule)
{
	struct etld_slot_task *t = task_new(etld, job);

	t->skip = *skip;
	snprintf(t->schedule, sizeof t->schedule, "%s", schedule);
	submit(t);
}

void etld_slots_retire(struct etld *etld, const char *job, etl_wall slot)
{
	struct etld_slot_task *t = task_new(etld, job);

	t->note = (struct etl_slot_note){t->job, slot, "", false};
	submit(t);
}

static void edited(struct etld *etld, const struct etld_job *job, etl_wall slot)
{
	struct etld_slot_task *t = task_new(etld, job->name);

	etl_job_schedule_key(job->sched.job, t->schedule);
	t->note = (struct etl_slot_note){t->job, slot, t->schedule, false};
	submit(t);
}

/* ---- decided slots of jobs that are new or edited ------------------------------------------ */

struct etld_notes {
	struct etld_task task;
	struct etld *etld;
	struct etl_slot_note *notes;
	size_t n, cap;
	struct etl_error error;
};

static void notes_free(struct etld_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++) {
		etl_free_const(notes->notes[i].job);
		etl_free_const(notes->notes[i].schedule);
	}
	free(notes->notes);
	free(notes);
}

static void notes_work(struct etld_task *task)
{
	struct etld_notes *notes = (struct etld_notes *)task;
	struct etl_state *state = notes->etld->state;

	etld_on_worker();
	state->ops->slots_save(state, notes->notes, notes->n, &notes->error);
}

static void notes_done(struct etld_task *task)
{
	struct etld_notes *notes = (struct etld_notes *)task;
	struct etld *etld = notes->etld;

	etld->slots->notes = NULL;
	etld_slot_queue_notes_ended(&etld->slots->queue);
	for (size_t i = 0; notes->error.kind != ETL_OK && i < notes->n; i++) {
		struct etld_job *job = etld_job_find(etld, notes->notes[i].job);

		if (job) {
			job->note_due = true;
			mark_due(etld->slots, job);
		}
	}
	if (etl_store_is_away(&notes->error))
		etld_backend_lost(etld, &notes->error);
	else if (notes->error.kind != ETL_OK)
		etld_log(ETLD_WARNING, NULL, NULL, 0, "decided slots could not be stored: %s",
			notes->error.message);
	else
		etld_slots_flush(etld);
	notes_free(notes);
}

/* Not while something of the job is to be written first: the end of that marks it as due again. */
static void add_note(struct etld_notes *notes, struct etld_job *job)
{
	char key[ETL_SCHEDULE_BYTES];

	if (etld_slot_queue_has(&notes->etld->slots->queue, job->name))
		return;
	job->note_due = false;
	etl_job_schedule_key(job->sched.job, key);
	ETL_GROW(notes->notes, notes->n, notes->cap);
	notes->notes[notes->n++] = (struct etl_slot_note){
		etl_strdup(job->name), job->noted, etl_strdup(key), false};
}

/* One task at a time takes all that is due. */
static void save_notes(struct etld *etld)
{
	struct etld_slots *slots = etld->slots;
	struct etld_notes *notes;

	if (slots->notes || !slots->due || !etld->mongodb_up)
		return;
	notes = ETL_NEW(struct etld_notes);
	notes->etld = etld;
	notes->error = (struct etl_error)ETL_ERROR_INIT;
	while (slots->due) {
		struct etld_job *job = slots->due;

		etld_slots_drop(etld, job);
		add_note(notes, job);
	}
	if (!notes->n) {
		notes_free(notes);
		return;
	}
	slots->notes = notes;
	notes->task = (struct etld_task){.work = notes_work, .done = notes_done, .name = "slots"};
	etld_pool_submit(etld->pool, &notes->task);
}

void etld_slots_note(struct etld *etld, struct etld_job *job, etl_wall slot)
{
	etld_on_loop(etld->loop);
	if (job->sched.edited) {
		edited(etld, job, slot);
		return;
	}
	job->noted = slot;
	job->note_due = true;
	mark_due(etld->slots, job);
}

void etld_slots_drop(struct etld *etld, struct etld_job *job)
{
	if (!job->note_prev)
		return;
	DL_DELETE2(etld->slots->due, job, note_prev, note_next);
	job->note_prev = job->note_next = NULL;
}

void etld_slots_flush(struct etld *etld)
{
	etld_on_loop(etld->loop);
	send_tasks(etld);
	save_notes(etld);
}

size_t etld_slots_waiting(const struct etld *etld)
{
	return etld->slots->queue.waiting;
}

void etld_slots_open(struct etld *etld)
{
	etld->slots = ETL_NEW(struct etld_slots);
}

/* The workers are gone: what they had is nobody's any more. */
void etld_slots_free(struct etld *etld)
{
	struct etld_slots *slots = etld->slots;
	struct etld_slot_item *item;

	if (!slots)
		return;
	while ((item = etld_slot_queue_take(&slots->queue)) != NULL)
		task_free(task_of(item));
	if (slots->notes)
		notes_free(slots->notes);
	while (slots->due)
		etld_slots_drop(etld, slots->due);
	free(ETL_TAKE(etld->slots));
}
