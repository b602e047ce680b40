/* SPDX-License-Identifier: MIT
 *
 * Slots that will not run, on record: a document among the runs with state "skipped", then
 * the note in the schedule that they are decided. Worker thread.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "job/run.h"
#include "job/slots.h"

/* Made of job, first and last slot, in the form of a UUID (version 8, RFC 9562: our own bits), so that
 * a repeat after a crash replaces what it wrote before. */
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
	return env->state->ops->run_save(env->state, &record, err);
}

/* The last slot that an edit passes over, `last` as far as this etld knows: another one, whose
 * clock is ahead, may have decided more by the old schedule. What of the new one lies there can
 * not be claimed either. What lies too far ahead is put back by whoever is refused for it. */
static int reach_of_edit(const struct etl_run_env *env, const char *job, const char *schedule,
	etl_wall *last, struct etl_error *err)
{
	etl_wall most = etl_wall_add(etl_now(env->clock), ETL_SLOT_AHEAD_MAX);
	struct etl_schedule_info info;
	int found = env->state->ops->schedule_get(env->state, job, &info, err);

	if (found < 0)
		return -1;
	if (found && !etl_streq(info.schedule, schedule) && info.slot.ms > last->ms &&
		info.slot.ms <= most.ms)
		*last = info.slot;
	return 0;
}

int etl_skip_save(const struct etl_run_env *env, const char *job, const struct etl_skip *skip,
	const char *schedule, struct etl_error *err)
{
	bool back = skip->code == ETL_SKIP_CLOCK;
	struct etl_skip all = *skip;

	if (skip->code == ETL_SKIP_EDITED &&
		reach_of_edit(env, job, schedule, &all.last, err) < 0)
		return -1;
	if (all.last.ms > skip->last.ms)
		all.slots = 0;
	if (save_record(env, job, &all, err) < 0)
		return -1;
	struct etl_slot_note note = {job, back ? all.first : all.last, schedule, back};

	return env->state->ops->slots_save(env->state, &note, 1, err);
}

int etl_edit_save(const struct etl_run_env *env, const struct etl_slot_note *note,
	struct etl_error *err)
{
	struct etl_skip skip = {{note->slot.ms + 1}, note->slot, 0, ETL_SKIP_EDITED};

	if (reach_of_edit(env, note->job, note->schedule, &skip.last, err) < 0)
		return -1;
	if (skip.last.ms > note->slot.ms && save_record(env, note->job, &skip, err) < 0)
		return -1;
	return env->state->ops->slots_save(env->state, note, 1, err);
}
