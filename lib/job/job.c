/* SPDX-License-Identifier: MIT
 *
 * A job from its file: the option rows of everything but the plugins' own, and the checks
 * that need more than one key.
 *
 * The order is that of what depends on what: partitions first (templates may use their
 * names), then schedule and window, then the source (which has to fit the window),
 * transforms, checks, loads. What needs a job that is right (do its parts fit?) comes
 * last and only if nothing was wrong.
 */
#include "job/job_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"

#define AT(type, member) offsetof(struct type, member)

struct retry_options {
	int64_t max;
	etl_dur backoff, max_backoff;
};

/* Waits of 5 s, 10 s, 20 s ... up to 10 min, with jitter (time/backoff.h); after the
 * third retry the span has failed. */
static const struct etl_option retry_table[] = {
	{.name = "max", .type = ETL_OPT_INT, .offset = AT(retry_options, max), .fallback = "3",
		.min = 0, .max = 100, .help = "tries after the first, for errors that may pass"},
	{.name = "backoff", .type = ETL_OPT_DURATION, .offset = AT(retry_options, backoff),
		.fallback = "5s", .max = 86400, .help = "before the first retry; doubles"},
	{.name = "max_backoff", .type = ETL_OPT_DURATION, .offset = AT(retry_options, max_backoff),
		.fallback = "10m", .max = 86400, .help = "the longest wait of our own"},
	{0},
};

struct reject_options {
	double max_ratio;
	int64_t max;
	int whole_unit;
};

static const char *const whole_unit_words[] = {"fail", "close", NULL};

/* A window of 1,000 records with 40 rejects: 4 %, below max_ratio: it closes, with 40
 * dead letters. One of 12 records with 2 rejects: 17 %, but not more than max: it
 * closes as well. 60 of 1,000: it fails, since a source that changed its format looks
 * like this. */
static const struct etl_option reject_table[] = {
	{.name = "max_ratio",
		.type = ETL_OPT_DOUBLE,
		.offset = AT(reject_options, max_ratio),
		.fallback = "0.05",
		.min = 0,
		.max = 1,
		.help = "a window with a larger share of rejected records fails"},
	{.name = "max",
		.type = ETL_OPT_INT,
		.offset = AT(reject_options, max),
		.fallback = "10",
		.min = 0,
		.max = 1e9,
		.help = "up to this many rejects never fail a window"},
	{.name = "whole_unit",
		.type = ETL_OPT_WORD,
		.offset = AT(reject_options, whole_unit),
		.words = whole_unit_words,
		.fallback = "fail",
		.help = "a window of which every record was rejected: fail, or close it all the same"},
	{0},
};

/* The offset is an index times the size of a duration: the table fills
 * job_options.timeouts as the array that it is. */
/* One row for each step of a strand. */
static const struct etl_option timeouts_table[] = {
#define X(id, text, thread, tells)                                                              \
	{.name = text, .type = ETL_OPT_DURATION, .offset = ETL_STEP_##id * sizeof(etl_dur),     \
		.min = 1, .max = 7 * 86400, .help = tells},
	ETL_STRAND_STEPS(X)
#undef X
	{0},
};

struct job_options {
	const char *description, *group;
	const struct etl_node *schedule, *window;
	struct retry_options retry;
	etl_dur timeouts[ETL_STEP_MAX];
	struct reject_options rejects;
	struct etl_strings after;
	const struct etl_node *wait_for, *deadline;
	const struct etl_node *partitions, *extract, *transform, *check, *load;
};

static const struct etl_option job_table[] = {
	{.name = "description", .type = ETL_OPT_STRING, .offset = AT(job_options, description),
		.help = "one line for people"},
	{.name = "group", .type = ETL_OPT_STRING, .offset = AT(job_options, group),
		.help = "a label: `after: [group:NAME]` waits for all jobs that have it"},
	{.name = "schedule", .type = ETL_OPT_NODE, .offset = AT(job_options, schedule),
		.help = "when it runs"},
	{.name = "after", .type = ETL_OPT_STRINGS, .offset = AT(job_options, after),
		.help = "jobs, or group:NAME, whose same windows must be closed first"},
	{.name = "wait_for", .type = ETL_OPT_NODE, .offset = AT(job_options, wait_for),
		.help = "a sensor: slots wait until a collection has something new enough"},
	{.name = "deadline", .type = ETL_OPT_NODE, .offset = AT(job_options, deadline),
		.help = "window.end + 20m: a window that is not closed by then raises one alert"},
	{.name = "retry", .type = ETL_OPT_TABLE, .offset = AT(job_options, retry),
		.sub = retry_table, .help = "errors that may pass"},
	{.name = "timeouts", .type = ETL_OPT_TABLE, .offset = AT(job_options, timeouts),
		.sub = timeouts_table, .help = "of steps, within one attempt at a span of windows"},
	{.name = "rejects", .type = ETL_OPT_TABLE, .offset = AT(job_options, rejects),
		.sub = reject_table, .help = "how many bad records are too many"},
	{.name = "partitions", .type = ETL_OPT_NODE, .offset = AT(job_options, partitions),
		.help = "independent slices, such as stations"},
	{.name = "window", .type = ETL_OPT_NODE, .offset = AT(job_options, window),
		.required = true, .help = "the grid of windows, object, or none"},
	{.name = "extract", .type = ETL_OPT_NODE, .offset = AT(job_options, extract),
		.required = true, .help = "one source"},
	{.name = "transform", .type = ETL_OPT_NODE, .offset = AT(job_options, transform),
		.help = "list of transforms, in order"},
	{.name = "check", .type = ETL_OPT_NODE, .offset = AT(job_options, check),
		.help = "list of checks"},
	{.name = "load", .type = ETL_OPT_NODE, .offset = AT(job_options, load), .required = true,
		.help = "one sink, or a list of sinks"},
	{0},
};

/* For the many errors whose text needs no values; those that do call etl_diag_add
 * themselves. */
void etl_job_fail_at(const struct etl_conf_env *env, const struct etl_node *node,
	enum etl_diag_code code, const char *hint, const char *text)
{
	etl_diag_add(env->diag, node ? &node->mark : NULL, code, hint, NULL, "%s in %s", text,
		env->what);
}

/* A group that cannot be read is worse than a wrong one: who waits for `group:x` cannot
 * know whether this job is meant (group_unknown). */
static void load_group(struct etl_job *job, const char *group, const struct etl_node *root,
	const struct etl_conf_env *env)
{
	const struct etl_node *node = etl_node_get(root, "group");

	job->group = group;
	job->group_unknown = root->kind != ETL_NODE_MAP ||
		(node && (!group || !etl_is_name(group, ETL_JOB_NAME_MAX)));
	if (group && !etl_is_name(group, ETL_JOB_NAME_MAX))
		etl_job_fail_at(env, node, ETL_DIAG_RANGE,
			"letters, digits, '_', '-' and '.', at most 64", "wrong name of a group");
}

/* Everything is read even after an error, so that one pass tells all; the job that
 * comes of it is used only if nothing was told. */
struct etl_job *etl_job_load(const char *name, const struct etl_node *root,
	struct etl_conf_env *env)
{
	struct etl_job *job = etl_arena_zalloc(env->arena, sizeof *job);
	struct job_options o = {0};
	/* The collection may hold errors of other files already: only what this job
	 * adds counts. */
	size_t at_begin = etl_diag_count(env->diag), before;

	job->name = etl_arena_strdup(env->arena, name);
	job->description = "";
	if (!root) {
		job->group_unknown = true;
		return job;
	}
	etl_options_fill(job_table, root, &o, "job", env);
	job->description = o.description ? o.description : "";
	load_group(job, o.group, root, env);
	job->retry_max = o.retry.max;
	job->retry_backoff = o.retry.backoff;
	job->retry_max_backoff = o.retry.max_backoff;
	memcpy(job->step_timeout, o.timeouts, sizeof job->step_timeout);
	job->max_reject_ratio = o.rejects.max_ratio;
	job->max_rejects = o.rejects.max;
	job->close_refused = o.rejects.whole_unit;
	job->after = o.after;
	before = etl_diag_count(env->diag);
	etl_job_load_partitions(job, o.partitions, env);
	if (etl_diag_count(env->diag) != before)
		job->n_partitions = 0; /* nobody may lean on them: etl_job_leave_out */
	etl_job_load_schedule(job, root, o.schedule, env);
	etl_job_load_wait(job, o.wait_for, env);
	if (o.window)
		etl_job_load_window(job, o.window, env);
	env->objects = job->window.object;
	env->grid = etl_grid_has_windows(&job->window.grid) ? &job->window.grid : NULL;
	etl_job_load_deadline(job, o.deadline, env);
	/* Each kind of work has a key of its own; today `extract` is the only one. */
	job->work = o.extract ? etl_work_find("flow") : NULL;
	if (o.extract)
		etl_job_load_source(job, o.extract, env);
	etl_job_load_transforms(job, o.transform, env);
	etl_job_load_checks(job, o.check, env);
	if (o.load)
		etl_job_load_loads(job, o.load, env);
	if (etl_diag_count(env->diag) == at_begin && o.window)
		etl_job_check_start(job, o.window, env);
	if (etl_diag_count(env->diag) == at_begin)
		etl_job_check_fields(job, &(struct etl_job_nodes){o.transform, o.check, o.load},
			env);
	return job;
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
