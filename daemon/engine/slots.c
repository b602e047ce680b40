/* SPDX-License-Identifier: MIT
 *
 * What is to be stored about slots: those that were skipped, and up to where they are decided when
 * no run says so. What is stored of one job keeps its order: a retirement must not be overtaken by
 * what was decided before it. Loop thread, but for what is sent.
 *
 * Example: the daemon was down from 10:05 to 10:35, and a job fires every ten minutes with
 * `misfire: skip`. 10:10, 10:20 and 10:30 are skipped: one record for the three of them, with the
 * reason, then the note that slots are decided up to 10:30. On any other host the store's cursor
 * says the same, and nobody runs one of them.
 */
#include "engine/slots.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/outbox.h"
#include "io/journal.h"
#include "run/run.h"

#define NOTES_TOGETHER 1000 /* in one command for the store */

/* Skipped slots of one job, or (no skip) a note of it. */
struct slot_entry {
	struct etld_entry entry;
	char *job;
	char schedule[ETL_SCHEDULE_BYTES]; /* "": the job is retired */
	struct etl_skip skip;
	etl_wall slot; /* of a note */
};

static struct slot_entry *slots_of(struct etld_entry *entry)
{
	return ETL_OF(struct slot_entry, entry, entry);
}

static void slots_free(struct etld_entry *entry)
{
	free(slots_of(entry)->job);
	free(slots_of(entry));
}

static struct etl_slot_note note_of(const struct slot_entry *s)
{
	return (struct etl_slot_note){s->job, s->slot, s->schedule, false};
}

/* A skip has a record among the runs and a note; a job with another schedule has a note that must
 * come behind whatever others have decided by the old one. */
static int slots_send(const struct etld *etld, struct etld_entry *entry, struct etl_error *err)
{
	const struct slot_entry *s = slots_of(entry);
	struct etl_slot_note note = note_of(s);

	if (s->skip.last.ms)
		return etl_skip_save(etld->run_env, s->job, &s->skip, s->schedule, err);
	return etl_edit_save(etld->run_env, &note, err);
}

/* Stored or given up: the scheduler has waited with the job's next slot until its skips are on
 * record. */
static void slots_sent(struct etld *etld, struct etld_entry *entry, const struct etl_error *err)
{
	const struct slot_entry *s = slots_of(entry);
	struct etld_job *job = etld_job_find(etld, s->job);

	if (err)
		etld_log(ETLD_WARNING, NULL, NULL, 0, "slots of job %s could not be recorded: %s",
			s->job, err->message);
	if (job && s->skip.last.ms)
		etl_sched_recorded(etld->sched, &job->sched);
}

/* One command for up to a thousand jobs: every job's cursor moves at each slot that needs no run.
 */
static int notes_send(const struct etld *etld, struct etld_entry *const *entries, size_t n,
	struct etl_error *err)
{
	struct etl_slot_note *notes = etl_calloc(n, sizeof *notes);
	int rc;

	for (size_t i = 0; i < n; i++)
		notes[i] = note_of(slots_of(entries[i]));
	rc = etld->state->ops->slots_save(etld->state, notes, n, err);
	free(notes);
	return rc;
}

/* Of many notes by one schedule only the newest is stored. */
static bool notes_merge(struct etld_entry *old, struct etld_entry *fresh)
{
	if (!etl_streq(slots_of(old)->schedule, slots_of(fresh)->schedule))
		return false;
	slots_of(old)->slot = slots_of(fresh)->slot;
	return true;
}

static const struct etld_entry_kind slots_kind = {
	.id = ETLD_ENTRY_SLOTS, .send = slots_send, .sent = slots_sent, .free = slots_free};
static const struct etld_entry_kind notes_kind = {
	.id = ETLD_ENTRY_NOTE, .together = NOTES_TOGETHER, .send_all = notes_send,
	.merge = notes_merge,
	.sent = slots_sent, .free = slots_free};

static struct slot_entry *slots_new(const char *job, etl_wall slot)
{
	struct slot_entry *s = ETL_NEW(struct slot_entry);

	s->job = etl_strdup(job);
	s->slot = slot;
	return s;
}

static void put(struct etld *etld, const struct etld_entry_kind *kind, struct slot_entry *s)
{
	etld_outbox_put(etld, s->job, kind, &s->entry);
	etld_outbox_flush(etld);
}

void etld_slots_skip(struct etld *etld, const char *job, const struct etl_skip *skip,
	const char *schedule)
{
	struct slot_entry *s = slots_new(job, (etl_wall){0});

	s->skip = *skip;
	snprintf(s->schedule, sizeof s->schedule, "%s", schedule);
	put(etld, &slots_kind, s);
}

/* A job whose schedule was edited goes alone and in order (slots_kind); the others are sent
 * together. */
void etld_slots_note(struct etld *etld, const struct etld_job *job, etl_wall slot)
{
	struct slot_entry *s = slots_new(job->name, slot);

	etl_job_schedule_key(job->sched.job, s->schedule);
	put(etld, job->sched.edited ? &slots_kind : &notes_kind, s);
}

void etld_slots_retire(struct etld *etld, const char *job, etl_wall slot)
{
	put(etld, &notes_kind, slots_new(job, slot));
}
