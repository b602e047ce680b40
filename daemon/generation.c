/* SPDX-License-Identifier: MIT
 *
 * Loading a configuration: the main configuration file, then each job file, all errors in one
 * pass.
 */
#include "generation.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/load.h"

static const char *lookup(const char *name)
{
	return getenv(name);
}

/* A manual check has no $CREDENTIALS_DIRECTORY; while the unit runs, root can look into its. */
static const char *credentials_folder(void)
{
	static const char of_unit[] = "/run/credentials/etld.service";
	const char *given = getenv("CREDENTIALS_DIRECTORY");

	return given || access(of_unit, X_OK) != 0 ? given : of_unit;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return etl_strdup(".");
	return etl_memdup0(path, slash == path ? 1 : (size_t)(slash - path));
}

/* "jobs.d/airqino.yaml" -> "airqino"; NULL with an error if that is no name. */
static const char *job_name(const char *path, struct etl_conf_env *env)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	const char *dot = strrchr(base, '.');
	char *name = etl_arena_memdup0(env->arena, base, dot ? (size_t)(dot - base) : strlen(base));

	if (etl_is_name(name, ETL_JOB_NAME_MAX))
		return name;
	etl_diag_add(env->diag, NULL, ETL_DIAG_FILE, NULL,
		"letters, digits, '_', '.' and '-', at most 64", "%s: this cannot name a job", path);
	return NULL;
}

/* The tree of a file is larger than the job that comes of it, and goes at once; but errors of
 * `after` are found when all files are read, and show the place: then it stays in *tree. */
static void load_job(struct etld_generation *g, const char *path, struct etl_conf_env *env,
	struct etl_arena **tree)
{
	const struct etl_conf_load_options options = {.env = lookup, .texts = env->arena};
	const char *name = job_name(path, env);
	struct etl_node *root;
	struct etl_job *job;

	if (!name)
		return;
	*tree = etl_arena_new(0);
	root = etl_conf_load(*tree, path, &options, env->diag);
	env->what = etl_arena_strf(env->arena, "job '%s'", name);
	g->jobs[g->n_jobs++] = job = etl_job_load(name, root, env);
	if (!job->after.n)
		etl_arena_free(ETL_TAKE(*tree));
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct etl_job *const *)a)->name, (*(struct etl_job *const *)b)->name);
}

static void same_names(struct etld_generation *g, const struct etl_conf_env *env)
{
	for (size_t i = 1; i < g->n_jobs; i++)
		if (etl_streq(g->jobs[i]->name, g->jobs[i - 1]->name))
			etl_diag_add(env->diag, NULL, ETL_DIAG_DUPLICATE, NULL, NULL,
				"two files make a job '%s'", g->jobs[i]->name);
}

/* Two jobs into one collection may be meant; nothing to say. No job at all hardly is. */
static void load_jobs(struct etld_generation *g, struct etl_conf_env *env)
{
	const char *pattern = g->settings.jobs;
	char *full = *pattern == '/' ? etl_strdup(pattern) :
				       etl_strf("%s/%s", env->config_dir, pattern);
	struct etl_arena **trees;
	glob_t found = {0};
	int rc = glob(full, GLOB_ERR, NULL, &found);

	if (rc != 0 && rc != GLOB_NOMATCH)
		etl_diag_add(env->diag, NULL, ETL_DIAG_FILE, NULL, NULL, "cannot list %s: %s", full,
			strerror(errno));
	g->jobs = etl_arena_zalloc(env->arena, (found.gl_pathc + 1) * sizeof *g->jobs);
	trees = etl_calloc(found.gl_pathc + 1, sizeof *trees);
	for (size_t i = 0; i < found.gl_pathc; i++)
		load_job(g, found.gl_pathv[i], env, &trees[i]);
	qsort(g->jobs, g->n_jobs, sizeof *g->jobs, by_name);
	same_names(g, env);
	env->what = "the jobs";
	etl_graph_link(g->jobs, g->n_jobs, env);
	for (size_t i = 0; i < found.gl_pathc; i++)
		etl_arena_free(trees[i]);
	free(trees);
	globfree(&found);
	free(full);
}

struct etld_generation *etld_generation_load(const char *path, struct etl_buf *report,
	struct etl_buf *first)
{
	struct etld_generation *g = ETL_NEW(struct etld_generation);
	const struct etl_conf_load_options options = {.env = lookup};
	struct etl_diag *diag = etl_diag_new();
	char *folder = folder_of(path);
	struct etl_node *root;
	size_t errors;

	g->arena = etl_arena_new(0);
	g->secrets = etl_secrets_new();
	g->path = etl_strdup(path);
	g->loaded = etl_now(etl_clock_real());
	g->refs = 1;

	struct etl_conf_env env = {
		.arena = g->arena,
		.diag = diag,
		.what = "etld.yaml",
		.credentials_dir = credentials_folder(),
		.config_dir = etl_arena_strdup(g->arena, folder),
		.secrets = g->secrets,
		.zones = &g->zones,
	};
	root = etl_conf_load(g->arena, path, &options, diag);
	if (root)
		etld_settings_load(&g->settings, root, &env);
	if (g->settings.jobs)
		load_jobs(g, &env);
	errors = etl_diag_count(diag);
	if (errors) {
		etl_diag_print(diag, report);
		etl_diag_first(diag, first);
	}
	etl_diag_free(diag);
	free(folder);
	if (!errors)
		return g;
	etld_generation_unref(g);
	return NULL;
}

struct etld_generation *etld_generation_ref(struct etld_generation *generation)
{
	generation->refs++;
	return generation;
}

void etld_generation_unref(struct etld_generation *g)
{
	if (!g || --g->refs)
		return;
	for (size_t i = 0; i < g->n_jobs; i++)
		etl_job_fini(g->jobs[i]);
	etl_secrets_free(g->secrets);
	etl_arena_free(g->arena);
	free(g->path);
	free(g);
}

const struct etl_job *etld_generation_job(const struct etld_generation *g, const char *name)
{
	size_t low = 0, high = g->n_jobs;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(g->jobs[middle]->name, name);

		if (!order)
			return g->jobs[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
