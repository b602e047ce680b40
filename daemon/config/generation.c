/* SPDX-License-Identifier: MIT
 *
 * Loading a configuration: the main configuration file, then each job file, all errors in one
 * pass.
 *
 * Example of what is refused when. A job file has a typo: at a start that job is left out and all
 * others run; a reload is refused as a whole and the old configuration goes on; `etld --check`
 * prints it and ends with 78. Why they differ: a start has nothing to go on with, and one bad file
 * must not keep fifty jobs from running after a reboot at night; at a reload somebody is there who
 * can mend it.
 */
#include "config/generation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/str.h"
#include "conf/load.h"
#include "config/job_files.h"

/* So large that the C library maps each block by itself (main.c, bound_heap): a page that is not
 * written to costs nothing, and the pages of a generation that nobody holds any more go back whole.
 * From the heap they would lie between what lives longer, and each reload would leave holes. */
#define ARENA_BLOCK (512 * 1024)

static const char *lookup(const char *name)
{
	return getenv(name);
}

/* The unit hands over credentials, or at least the socket that it is notified by. Outside of it
 * credentials cannot be read by anybody, which says nothing about the file that names them. */
static bool is_in_unit(void)
{
	return getenv("CREDENTIALS_DIRECTORY") || getenv("NOTIFY_SOCKET");
}

/* A manual check has no $CREDENTIALS_DIRECTORY; while the unit runs, root can look into its. */
static const char *credentials_folder(void)
{
	static const char of_unit[] = "/run/credentials/etld.service";
	const char *given = getenv("CREDENTIALS_DIRECTORY");

	return given || access(of_unit, X_OK) != 0 ? given : of_unit;
}

/* Paths in the file are relative to it, not to where somebody stands. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return etl_strdup(".");
	return etl_memdup0(path, slash == path ? 1 : (size_t)(slash - path));
}

/* A job file on its way to a job. */
struct job_file {
	const char *path;
	/* The tree of a file is larger than the job that comes of it, and goes at once; but errors
	 * of `after` are found when all files are read, and show the place: then it stays. */
	struct etl_arena *tree;
	struct etl_job *job;
	bool misnamed; /* the job is named by what is left of the file's name */
};

/* "jobs.d/airqino.yaml" -> "airqino"; an error, and '_' for what no name may hold, if that is
 * none: what is left out has to be called something. */
static const char *job_name(struct job_file *file, struct etl_conf_env *env)
{
	const char *base = strrchr(file->path, '/') ? strrchr(file->path, '/') + 1 : file->path;
	const char *dot = strrchr(base, '.');
	char *name = etl_arena_memdup0(env->arena, base, dot ? (size_t)(dot - base) : strlen(base));

	if (etl_is_name(name, ETL_JOB_NAME_MAX))
		return name;
	etl_diag_add(env->diag, NULL, ETL_DIAG_FILE, NULL,
		"letters, digits, '_', '.' and '-', at most 64", "%s: this cannot name a job",
		file->path);
	file->misnamed = true;
	if (strlen(name) > ETL_JOB_NAME_MAX)
		name[ETL_JOB_NAME_MAX] = '\0';
	for (char *c = name; *c; c++)
		if (!etl_is_name((char[]){*c, '\0'}, ETL_JOB_NAME_MAX))
			*c = '_';
	return etl_is_name(name, ETL_JOB_NAME_MAX) ? name :
						     etl_arena_strf(env->arena, "job%s", name);
}

/* Leaves the job out if anything of it is wrong, and says so to all. The first error is the job's
 * `left_out`, which status, jobs and why show. */
static void judge(struct etl_job *job, struct etl_diag *own, struct etl_diag *all,
	const struct etl_conf_env *env)
{
	struct etl_buf first ETL_BUF_CLEANUP;

	etl_buf_init(&first, 4096);
	if (etl_diag_count(own)) {
		etl_diag_first(own, &first);
		etl_job_leave_out(job, etl_buf_text(&first), env);
	}
	etl_diag_absorb(all, own);
}

/* One file after the other; the tree's arena is used again unless the file keeps it. Each job has
 * its own list of errors first, so that it is known which job they are of. The fault point holds a
 * test's loading in the middle. */
static void load_job(struct job_file *file, struct etl_texts *texts, struct etl_arena **tree,
	struct etl_conf_env *env)
{
	const struct etl_conf_load_options options = {
		.env = lookup, .outside = env->outside, .shared = texts};
	struct etl_diag *all = env->diag;
	struct etl_node *root;
	const char *name;

	(void)etl_fault("config.job", NULL);
	env->diag = etl_diag_new();
	name = job_name(file, env);
	if (!*tree)
		*tree = etl_arena_new(0);
	env->tree = *tree;
	root = etl_conf_load(*tree, file->path, &options, env->diag);
	env->what = etl_arena_strf(env->arena, "job '%s'", name);
	file->job = etl_job_load(name, root, env);
	judge(file->job, env->diag, all, env);
	env->diag = all;
	env->tree = NULL;
	if (file->job->after.n)
		file->tree = ETL_TAKE(*tree);
	else
		etl_arena_reset(*tree);
}

/* Of two files with one name the one that may have it comes first, then by path: which of them is
 * kept does not depend on the order of a directory. */
static int by_name(const void *a, const void *b)
{
	const struct job_file *x = a, *y = b;
	int order = strcmp(x->job->name, y->job->name);

	if (!order && x->misnamed != y->misnamed)
		return x->misnamed ? 1 : -1;
	return order ? order : strcmp(x->path, y->path);
}

/* One job of the name stays, and is left out; a file that cannot name a job takes no name away
 * from one that can. Both are wrong, as nobody knows which one is meant: the job stays, is left
 * out, and says why. */
static void same_name(struct job_file *kept, struct job_file *other, struct etl_conf_env *env)
{
	struct etl_diag *own = etl_diag_new();

	if (!other->misnamed) {
		etl_diag_add(own, NULL, ETL_DIAG_DUPLICATE, NULL, NULL,
			"two files make a job '%s': %s and %s", kept->job->name, kept->path,
			other->path);
		judge(kept->job, own, env->diag, env);
	} else {
		etl_diag_free(own);
	}
	etl_job_fini(other->job);
}

/* Sorted, each name once. */
static void take_jobs(struct etld_generation *g, struct job_file *files, size_t n,
	struct etl_conf_env *env)
{
	struct job_file *kept = NULL;

	if (n)
		qsort(files, n, sizeof *files, by_name);
	g->jobs = etl_arena_zalloc(env->arena, (n + 1) * sizeof *g->jobs);
	for (size_t i = 0; i < n; i++) {
		if (kept && etl_streq(kept->job->name, files[i].job->name)) {
			same_name(kept, &files[i], env);
			continue;
		}
		kept = &files[i];
		g->jobs[g->n_jobs++] = kept->job;
	}
}

/* A stopping daemon does not wait for a thousand files on a slow share. */
static bool stopped(const atomic_bool *stop)
{
	return stop && atomic_load(stop);
}

/* Two jobs into one collection may be meant; nothing to say. No job at all hardly is. Ties between
 * jobs are made when all are read: `after: raw` may stand in a file that is read before raw's. */
static void load_jobs(struct etld_generation *g, const glob_t *found, const atomic_bool *stop,
	struct etl_conf_env *env)
{
	struct job_file *files = etl_calloc(found->gl_pathc + 1, sizeof *files);
	struct etl_texts *texts = etl_texts_new(env->arena);
	struct etl_arena *tree = NULL;
	size_t n = 0;

	for (; n < found->gl_pathc && !stopped(stop); n++) {
		files[n].path = found->gl_pathv[n];
		load_job(&files[n], texts, &tree, env);
	}
	etl_arena_free(tree);
	etl_texts_free(texts);
	take_jobs(g, files, n, env);
	env->what = "the jobs";
	etl_graph_link(g->jobs, g->n_jobs, env);
	for (size_t i = 0; i < g->n_jobs; i++)
		g->n_left_out += g->jobs[i]->left_out != NULL;
	for (size_t i = 0; i < n; i++)
		etl_arena_free(files[i].tree);
	free(files);
}

/* A job's file given in place of the daemon's. A common mistake with a message of its own: `etlctl
 * config check jobs.d/a.yaml`. */
static bool is_a_job(const struct etl_node *root)
{
	return !etl_node_get(root, "mongodb") && etl_node_get(root, "extract") &&
		(etl_node_get(root, "load") || etl_node_get(root, "window"));
}

/* The number of errors that are no job's own. The daemon's own file first; without its `jobs`
 * nothing else can be found. */
static size_t load_all(struct etld_generation *g, const atomic_bool *stop, struct etl_conf_env *env)
{
	const struct etl_conf_load_options options = {.env = lookup, .outside = env->outside};
	struct etl_node *root = etl_conf_load(g->arena, g->path, &options, env->diag);
	glob_t found = {0};
	size_t errors;

	if (root && is_a_job(root)) {
		etl_diag_add(env->diag, &root->mark, ETL_DIAG_FILE, NULL,
			"etld --config FILE and etlctl config check FILE take the daemon's file, "
			"such as /etc/etld/etld.yaml, and find the jobs by its key `jobs`",
			"%s: this is a job, not etld's own file", g->path);
		return 1;
	}
	if (root)
		etld_settings_load(&g->settings, root, env);
	env->database = g->settings.mongodb.database;
	env->metadata = g->settings.metadata.database;
	if (g->settings.jobs)
		etld_job_files(g->settings.jobs, env, &found);
	errors = etl_diag_count_of(env->diag, ETL_DIAG_ERROR);
	if (g->settings.jobs)
		load_jobs(g, &found, stop, env);
	globfree(&found);
	return errors;
}

enum purpose { FOR_RELOAD, FOR_START, FOR_CHECK };

/* Nobody else has the generation until this returns: no lock is needed, and half of one is never
 * seen. */
static struct etld_generation *load(const char *path, enum purpose purpose, const atomic_bool *stop,
	struct etl_diag *diag)
{
	struct etld_generation *g = ETL_NEW(struct etld_generation);
	char *folder = folder_of(path);
	size_t errors, own;

	g->arena = etl_arena_new(ARENA_BLOCK);
	g->secrets = etl_secrets_new();
	g->path = etl_strdup(path);
	g->loaded = etl_now(etl_clock_real());
	g->refs = 1;

	struct etl_conf_env env = {
		.arena = g->arena,
		.diag = diag,
		.what = "etld.yaml",
		.credentials_dir = credentials_folder(),
		.outside = purpose == FOR_CHECK && !is_in_unit(),
		.now = g->loaded,
		.config_dir = etl_arena_strdup(g->arena, folder),
		.secrets = g->secrets,
		.zones = &g->zones,
	};
	own = load_all(g, stop, &env);
	errors = etl_diag_count_of(diag, ETL_DIAG_ERROR);
	free(folder);
	if (!stopped(stop) && (!errors || (purpose == FOR_START && !own)))
		return g;
	etld_generation_unref(g);
	return NULL;
}

struct etld_generation *etld_generation_load(const char *path, const atomic_bool *stop,
	struct etl_diag *diag)
{
	return load(path, FOR_RELOAD, stop, diag);
}

struct etld_generation *etld_generation_start(const char *path, struct etl_diag *diag)
{
	return load(path, FOR_START, NULL, diag);
}

/* Nothing of it is put into force: what it made is printed and freed. */
struct etld_generation *etld_generation_check(const char *path, struct etl_diag *diag)
{
	return load(path, FOR_CHECK, NULL, diag);
}

struct etld_generation *etld_generation_ref(struct etld_generation *generation)
{
	generation->refs++;
	return generation;
}

/* Runs, requests, backfill steps and questions hold one each; the last of them to end frees all at
 * once, by one arena. Loop thread, so that the count needs no atomic. */
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
