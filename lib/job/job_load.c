/* SPDX-License-Identifier: MIT
 *
 * A job from its file: the option rows that all jobs have, and the kind of work whose key the file has.
 *
 * The order is that of what depends on what: partitions first (templates may use their
 * names), then schedule and window, then the source (which has to fit the window),
 * transforms, checks, loads. What needs a job that is right (do its parts fit?) comes
 * last and only if nothing was wrong.
 */
#include "job/job_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/definition.h"

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

struct job_options {
	const char *description, *group;
	const struct etl_node *schedule, *window;
	struct retry_options retry;
	struct etl_strings after;
	const struct etl_node *wait_for, *deadline;
	const struct etl_node *partitions;
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
	{.name = "partitions", .type = ETL_OPT_NODE, .offset = AT(job_options, partitions),
		.help = "independent slices, such as stations"},
	{.name = "window", .type = ETL_OPT_NODE, .offset = AT(job_options, window),
		.required = true, .help = "the grid of windows, object, or none"},
	{0},
};

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

/* ---- kinds of work ----------------------------------------------------------------------- */

/* The kind whose key the file has. Two of them are an error: a job does one thing. */
static const struct etl_work_kind *kind_of(const struct etl_node *root,
	const struct etl_work_kind *kinds, const struct etl_conf_env *env)
{
	const struct etl_work_kind *found = NULL, *usual = NULL;

	for (; kinds->config; kinds++) {
		const struct etl_node *node = etl_node_get(root, kinds->config->key);

		if (kinds->config->is_usual)
			usual = kinds;
		if (node && found)
			etl_diag_add(env->diag, &node->mark, ETL_DIAG_CONFLICT,
				"make two jobs of it", NULL, "'%s' and '%s' are two kinds of work in %s",
				found->config->key, kinds->config->key, env->what);
		else if (node)
			found = kinds;
	}
	return found ? found : usual;
}

static size_t rows_of(const struct etl_option *table)
{
	size_t n = 0;

	while (table && table[n].name)
		n++;
	return n;
}

/* Rows of all jobs and those of the kind as one table, so that a misspelt key of either has its
 * nearest one. The struct of the kind's rows lies `behind` bytes behind the other. The caller's: kept
 * with each job they would be half of what a small one costs. */
static struct etl_option *join_rows(const struct etl_option *kind, size_t behind)
{
	size_t n = rows_of(job_table), m = rows_of(kind);
	struct etl_option *rows = etl_calloc(n + m + 1, sizeof *rows);

	memcpy(rows, job_table, n * sizeof *rows);
	for (size_t i = 0; i < m; i++) {
		rows[n + i] = kind[i];
		rows[n + i].offset += behind;
		rows[n + i].present += kind[i].present ? behind : 0;
	}
	return rows;
}

/* ---- a job ------------------------------------------------------------------------------- */

/* What all jobs have, in this order: windows belong to partitions and a schedule. */
static void load_common(struct etl_job *job, const struct job_options *o,
	const struct etl_node *root, struct etl_conf_env *env)
{
	size_t before;

	job->description = o->description ? o->description : "";
	load_group(job, o->group, root, env);
	job->retry_max = o->retry.max;
	job->retry_backoff = o->retry.backoff;
	job->retry_max_backoff = o->retry.max_backoff;
	job->after = o->after;
	before = etl_diag_count(env->diag);
	etl_job_load_partitions(job, o->partitions, env);
	if (etl_diag_count(env->diag) != before)
		job->n_partitions = 0; /* nobody may lean on them: etl_job_leave_out */
	etl_job_load_schedule(job, root, o->schedule, env);
	etl_job_load_wait(job, o->wait_for, env);
	if (o->window)
		etl_job_load_window(job, o->window, env);
	/* Transforms come behind the windows: aggregate counts its weeks from theirs. */
	env->objects = job->window.object;
	env->grid = etl_grid_has_windows(&job->window.grid) ? &job->window.grid : NULL;
	etl_job_load_deadline(job, o->deadline, env);
}

/* Everything is read even after an error, so that one pass tells all; the job that
 * comes of it is used only if nothing was told. */
struct etl_job *etl_job_load_as(const char *name, const struct etl_node *root,
	const struct etl_work_kind *kinds, struct etl_conf_env *env)
{
	struct etl_job *job = etl_arena_zalloc(env->arena, sizeof *job);
	/* The collection may hold errors of other files already: only what this job
	 * adds counts. */
	size_t at_begin = etl_diag_count(env->diag);
	const struct etl_work_kind *kind;
	size_t behind = (sizeof(struct job_options) + 15) & ~(size_t)15;
	struct etl_option *rows;
	struct job_options *o;
	char *filled;

	job->name = etl_arena_strdup(env->arena, name);
	job->description = "";
	if (!root) {
		job->group_unknown = true;
		return job;
	}
	kind = kind_of(root, kinds, env);
	rows = join_rows(kind->config->options, behind);
	filled = etl_calloc(1, behind + kind->config->options_size);
	o = (void *)filled;
	etl_options_fill(rows, root, filled, "job", env);
	load_common(job, o, root, env);
	if (etl_node_get(root, kind->config->key))
		job->work = kind->type;
	job->work_options = etl_arena_zalloc(env->arena, kind->config->options_size + 1);
	memcpy(job->work_options, filled + behind, kind->config->options_size);
	kind->config->check(job, job->work_options, root, at_begin, env);
	if (etl_diag_count(env->diag) == at_begin && o->window)
		etl_job_check_start(job, o->window, env);
	if (etl_diag_count(env->diag) == at_begin)
		etl_job_define(job, env);
	free(filled);
	free(rows);
	return job;
}

struct etl_job *etl_job_load(const char *name, const struct etl_node *root,
	struct etl_conf_env *env)
{
	return etl_job_load_as(name, root, etl_work_kinds, env);
}
