/* SPDX-License-Identifier: MIT
 *
 * Slots that will not run, on record: a document among the runs with state "skipped", then
 * the note in the schedule that they are decided. Worker thread.
 *
 * Example: slots 10:10 to 10:50 were missed, `misfire: run_latest`. 10:50 runs; 10:10 to 10:40 are
 * one document with state "skipped", first and last slot, how many, and the rule (code). `etlctl
 * runs` lists it, `why` reads it.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "run/run.h"
#include "sched/slots.h"

/* Made of job, first and last slot, in the form of a UUID (version 8, RFC 9562: our own bits), so
 * that a repeat after a crash replaces what it wrote before. The same slots of the same job always
 * have the same id: written twice it is there once. */
static void record_id(const char *job, const struct etl_skip *skip, char out[ETL_UUID_BYTES])
{
	const int64_t slots[] = {skip->first.ms, skip->last.ms};
	uint64_t seed = etl_hash64(slots, sizeof slots, 0);
	uint64_t a = etl_hash64(job, strlen(job), seed);
	uint64_t b = etl_hash64(job, strlen(job), ~seed);

	snprintf(out, ETL_UUID_BYTES, "%08x-%04x-8%03x-%04x-%012llx", (unsigned)(a >> 32),
		(unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff,
		((unsigned)(b >> 48) & 0x3fff) | 0x8000,
		(unsigned long long)b & 0xffffffffffff);
}

/* No host of a run: `host` is where it was decided. */
static int save_record(const struct etl_run_env *env, const char *job, const struct etl_skip *skip,
	struct etl_error *err)
{
	etl_wall now = etl_now(env->clock);
	char id[ETL_UUID_BYTES];
	struct etl_run_record record = {
		.run_id = id,
		.job = job,
		.trigger = "schedule",
		.state = "skipped",
		.reason = etl_skip_text(skip->code),
		.code = etl_skip_word(skip->code),
		.host = env->host,
		.slot = skip->last,
		.slot_first = skip->first,
		.slots = skip->slots,
		.started = now,
		.ended = now,
	};

	record_id(job, skip, id);
	return etl_doc_put(env->state, &etl_runs, &record, err);
}

/* Whoever brings another schedule into the store passes over what lies between `last`, the end of
 * what he knows of, and the cursor: another etld, whose clock is ahead, may have decided more by
 * the schedule before it, and none of ours can be claimed up to there. What lies too far ahead
 * is put back by whoever is refused for it. */
static int save_beyond(const struct etl_run_env *env, const char *job, const char *schedule,
	etl_wall *last, struct etl_error *err)
{
	etl_wall most = etl_wall_add(etl_now(env->clock), ETL_SLOT_AHEAD_MAX);
	struct etl_skip skip = {.first = {last->ms + 1}, .code = ETL_SKIP_EDITED};
	struct etl_schedule_info info;
	int found = env->state->ops->schedule_get(env->state, job, &info, err);

	if (found < 0)
		return -1;
	if (!found || etl_streq(info.schedule, schedule) || info.slot.ms <= last->ms ||
		info.slot.ms > most.ms)
		return 0;
	*last = skip.last = info.slot;
	return save_record(env, job, &skip, err);
}

/* The record before the note: a crash in between repeats the record, which replaces itself, and
 * loses nothing. A clock that was set back (ETL_SKIP_CLOCK) moves the cursor back to the first of
 * the slots. */
int etl_skip_save(const struct etl_run_env *env, const char *job, const struct etl_skip *skip,
	const char *schedule, struct etl_error *err)
{
	bool back = skip->code == ETL_SKIP_CLOCK;
	etl_wall last = skip->last;

	if (save_record(env, job, skip, err) < 0)
		return -1;
	if (!back && save_beyond(env, job, schedule, &last, err) < 0)
		return -1;
	struct etl_slot_note note = {job, back ? skip->first : last, schedule, back};

	return env->state->ops->slots_save(env->state, &note, 1, err);
}

int etl_skip_refused(const struct etl_run_env *env, const char *job, etl_wall slot,
	const char *schedule, struct etl_error *err)
{
	etl_wall last = {slot.ms - 1};

	return save_beyond(env, job, schedule, &last, err);
}

int etl_edit_save(const struct etl_run_env *env, const struct etl_slot_note *note,
	struct etl_error *err)
{
	etl_wall last = note->slot;

	if (save_beyond(env, note->job, note->schedule, &last, err) < 0)
		return -1;
	return env->state->ops->slots_save(env->state, note, 1, err);
}
