/* SPDX-License-Identifier: MIT
 *
 * A job as it is used: its partitions, its keys, its jitter; and what is left of one of which something
 * is wrong. How it comes from its file is job_load.c, above all others here.
 */
#include "job/job_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

/* For the many errors whose text needs no values; those that do call etl_diag_add
 * themselves. */
void etl_job_fail_at(const struct etl_conf_env *env, const struct etl_node *node,
	enum etl_diag_code code, const char *hint, const char *text)
{
	etl_diag_add(env->diag, node ? &node->mark : NULL, code, hint, NULL, "%s in %s", text,
		env->what);
}

/* The fields are const for all readers of a generation; the one who frees them is the
 * loader. */
static void *writable(const void *p)
{
	return (void *)(uintptr_t)p; /* the job owns what it shows as const */
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* What is known of it for sure stays: its ledger can be looked at while it is mended. */
void etl_job_leave_out(struct etl_job *job, const char *error, const struct etl_conf_env *env)
{
	static const char *const no_names[] = {NULL};
	/* Static: a job that is left out may have lost its arena's partitions to an
	 * error in them. */
	static struct etl_partition all = {.name = "all", .values = no_names};
	struct etl_strings after = job->after;

	etl_job_fini(job);
	*job = (struct etl_job){
		.name = job->name,
		.description = or_empty(job->description),
		.group =
			job->group && etl_is_name(job->group, ETL_JOB_NAME_MAX) ? job->group : NULL,
		.group_unknown = job->group_unknown,
		.left_out = etl_arena_strdup(env->arena, error),
		.schedule_text = "",
		.timezone = job->timezone ? job->timezone : "UTC",
		.max_active = 1,
		.partition_names = job->n_partitions ? job->partition_names : no_names,
		.partitions = job->n_partitions ? job->partitions : &all,
		.n_partitions = job->n_partitions ? job->n_partitions : 1,
		.window = job->window,
		.host = "",
		.after = after,
		.number = job->number,
	};
	if (!etl_grid_has_windows(&job->window.grid))
		job->window = (struct etl_window_rules){.none = true, .object = job->window.object};
}

/* By the text of its first error, since that is all that is left of it: E020 is a
 * variable that is not set, E021 with "credential:" a credential that was not handed
 * over. A file that is missing is no such case: a reload reads it again. */
bool etl_job_wants_restart(const struct etl_job *job)
{
	return job->left_out && (strstr(job->left_out, "error[E020]") ||
		strstr(job->left_out, "error[E021]: secret credential:"));
}

/* Twice is fine, and so is a job that was never finished: what is gone is NULL. */
void etl_job_fini(struct etl_job *job)
{
	if (job->source_shared)
		job->source->shared_free(job->source_shared);
	job->source_shared = NULL;
	etl_calendar_free(writable(job->calendar));
	job->calendar = NULL;
}

const struct etl_partition *etl_job_partition(const struct etl_job *job, const char *name)
{
	for (size_t i = 0; i < job->n_partitions; i++)
		if (etl_streq(job->partitions[i].name, name))
			return &job->partitions[i];
	return NULL;
}

/* An edited expression or zone is another key, so slots of the old one are not
 * replayed. */
void etl_job_schedule_key(const struct etl_job *job, char out[ETL_SCHEDULE_BYTES])
{
	snprintf(out, ETL_SCHEDULE_BYTES, "%.255s|%.63s", job->schedule_text, job->timezone);
}

/* The seed is "etld" in ASCII. Name and host make the shift: a job fires at the same
 * second of each slot, before and after a restart, and two hosts with the same jobs do
 * not ask one service at once. */
etl_dur etl_job_jitter(const struct etl_job *job, const char *host)
{
	uint64_t hash = etl_hash64(job->name, strlen(job->name),
		etl_hash64(host, strlen(host), 0x65746c64));

	if (job->jitter.us <= 0)
		return (etl_dur){0};
	return (etl_dur){(int64_t)(hash % (uint64_t)job->jitter.us)};
}
