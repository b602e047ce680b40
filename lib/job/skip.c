/* SPDX-License-Identifier: MIT
 *
 * Slots that will not run, on record: a document among the runs with state "skipped", then
 * the note in the schedule that they are decided. Worker thread.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "job/run.h"

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

int etl_skip_save(const struct etl_run_env *env, const char *job, const struct etl_skip *skip,
	const char *schedule, struct etl_error *err)
{
	etl_wall now = etl_now(env->clock);
	bool back = skip->code == ETL_SKIP_CLOCK;
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
	if (env->state->ops->run_save(env->state, &record, err) < 0)
		return -1;
	struct etl_slot_note note = {job, back ? skip->first : skip->last, schedule, back};

	return env->state->ops->slots_save(env->state, &note, 1, err);
}
