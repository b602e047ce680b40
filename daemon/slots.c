/* SPDX-License-Identifier: MIT
 *
 * What is to be stored about slots: those that were skipped, and up to where they are decided
 * when no run says so. Workers write it; what cannot be written because MongoDB is unreachable is
 * kept and written when it is back. What is written of one job keeps its order: a retirement
 * must not be overtaken by what was decided before it. Loop thread, but for the work of tasks.
 */
#include <string.h>
#include <utlist.h>

#include "base/alloc.h"
#include "base/str.h"
#include "etld.h"
#include "journal.h"

/* Skipped slots of one job, or a note of it (no skip): that it has another schedule, or is gone.
 * Of each job one at a time is written. */
struct etld_slot_task {
	struct etld_task task;
	struct etld_slot_task *next; /* while it waits, or is written */
	struct etld *etld;
	char *job;
	char schedule[ETL_SCHEDULE_BYTES];
	struct etl_skip skip;
	struct etl_slot_note note; /* job != NULL: this, and no skip */
	struct etl_error error;
};

static void task_free(struct etld_slot_task *t)
{
	free(t->job);
	free(t);
}

static void slot_work(struct etld_task *task)
{
	struct etld_slot_task *t = (struct etld_slot_task *)task;
	struct etl_state *state = t->etld->state;

	etld_on_worker();
	etl_error_clear(&t->error);
	if (t->note.job && *t->note.schedule)
		etl_edit_save(&t->etld->run_env, &t->note, &t->error);
	else if (t->note.job)
		state->ops->slots_save(state, &t->note, 1, &t->error);
	else
		etl_skip_save(&t->etld->run_env, t->job, &t->skip, t->schedule, &t->error);
}

static void keep(struct etld_slot_task *t)
{
	LL_APPEND(t->etld->slot_tasks, t);
}

static bool is_of(const struct etld_slot_task *tasks, const char *job)
{
	while (tasks && !etl_streq(tasks->job, job))
		tasks = tasks->next;
	return tasks != NULL;
}

/* Something of the job is to be stored first. */
static bool is_behind(const struct etld *etld, const char *job)
{
	return is_of(etld->slot_tasks, job) || is_of(etld->slot_tasks_busy, job);
}

static void slot_done(struct etld_task *task)
{
	struct etld_slot_task *t = (struct etld_slot_task *)task;
	struct etl_error error = t->error;
	struct etld *etld = t->etld;
	struct etld_job *job;

	LL_DELETE(etld->slot_tasks_busy, t);
	if (error.kind == ETL_TRANSIENT && !etld->draining) {
		LL_PREPEND(etld->slot_tasks, t);
		if (etl_store_is_away(&error))
			etld_backend_lost(etld, &error);
		return;
	}
	if (error.kind != ETL_OK)
		etld_log(ETLD_WARNING, NULL, NULL, 0, "slots of job %s could not be recorded: %s", t->job,
			error.message);
	job = t->note.job ? NULL : etld_job_find(etld, t->job);
	if (job)
		etl_sched_recorded(etld->sched, &job->sched);
	task_free(t);
	etld_slots_flush(etld);
}

static void submit(struct etld_slot_task *t)
{
	struct etld *etld = t->etld;
	bool noted = t->note.job && etld->notes; /* the notes may be of this job */

	if (!etld->mongodb_up || noted || is_behind(etld, t->job)) {
		keep(t);
		return;
	}
	LL_APPEND(etld->slot_tasks_busy, t);
	t->task = (struct etld_task){.work = slot_work, .done = slot_done, .name = "slots",
		.of = t->job};
	etld_pool_submit(etld->pool, &t->task);
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
		free((char *)(uintptr_t)notes->notes[i].job);
		free((char *)(uintptr_t)notes->notes[i].schedule);
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

static void save_notes(struct etld *etld);

static void notes_done(struct etld_task *task)
{
	struct etld_notes *notes = (struct etld_notes *)task;
	struct etld *etld = notes->etld;

	etld->notes = NULL;
	for (size_t i = 0; notes->error.kind != ETL_OK && i < notes->n; i++) {
		struct etld_job *job = etld_job_find(etld, notes->notes[i].job);

		if (job)
			job->note_due = etld->notes_due = true;
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

/* One task at a time takes all that is due. */
static void save_notes(struct etld *etld)
{
	struct etld_notes *notes;

	if (etld->notes || !etld->notes_due || !etld->mongodb_up)
		return;
	notes = ETL_NEW(struct etld_notes);
	notes->etld = etld;
	notes->error = (struct etl_error)ETL_ERROR_INIT;
	etld->notes_due = false;
	for (struct etld_job *job = etld->jobs; job; job = job->hh.next) {
		char key[ETL_SCHEDULE_BYTES];

		if (!job->note_due)
			continue;
		if (is_behind(etld, job->name)) {
			etld->notes_due = true;
			continue;
		}
		job->note_due = false;
		etl_job_schedule_key(job->sched.job, key);
		ETL_GROW(notes->notes, notes->n, notes->cap);
		notes->notes[notes->n++] = (struct etl_slot_note){
			etl_strdup(job->name), job->noted, etl_strdup(key), false};
	}
	if (!notes->n) {
		notes_free(notes);
		return;
	}
	etld->notes = notes;
	notes->task = (struct etld_task){.work = notes_work, .done = notes_done, .name = "slots"};
	etld_pool_submit(etld->pool, &notes->task);
}

void etld_slots_note(struct etld *etld, struct etld_job *job, etl_wall slot)
{
	if (job->sched.edited) {
		edited(etld, job, slot);
		return;
	}
	job->noted = slot;
	job->note_due = etld->notes_due = true;
}

void etld_slots_flush(struct etld *etld)
{
	struct etld_slot_task *t = ETL_TAKE(etld->slot_tasks), *next;

	for (; t; t = next) {
		next = t->next;
		submit(t);
	}
	save_notes(etld);
}

size_t etld_slots_waiting(const struct etld *etld)
{
	size_t n = 0;

	for (const struct etld_slot_task *t = etld->slot_tasks; t; t = t->next)
		n++;
	return n;
}

static void free_tasks(struct etld_slot_task *t)
{
	while (t) {
		struct etld_slot_task *next = t->next;

		task_free(t);
		t = next;
	}
}

/* The workers are gone: what they had is nobody's any more. */
void etld_slots_free(struct etld *etld)
{
	free_tasks(ETL_TAKE(etld->slot_tasks));
	free_tasks(ETL_TAKE(etld->slot_tasks_busy));
	if (etld->notes)
		notes_free(ETL_TAKE(etld->notes));
}
