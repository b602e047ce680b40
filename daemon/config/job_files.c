/* SPDX-License-Identifier: MIT
 *
 * Lists job files, and looks through their folder for what was meant to be one.
 *
 * A file that is not read is a job that does not run, and nobody is told by its absence:
 * `airqino.yml` beside a pattern of `*.yaml` is a warning of the loader, with the name that it
 * should have.
 */
#include "config/job_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

/* x.yml, x.yaml.bak, x.YAML, x.json: a job's name with another ending. Hidden files and what
 * editors leave behind are nobody's job. */
static bool looks_like_a_job(const char *name)
{
	static const char *const endings[] = {".yml", ".yaml", ".json"};
	size_t len = strlen(name);

	if (*name == '.' || *name == '#' || name[len - 1] == '~')
		return false;
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (strcasestr(name, endings[i]))
			return true;
	return false;
}

/* Some file systems do not tell the type of an entry: then the name decides. */
static int is_candidate(const struct dirent *entry)
{
	return (entry->d_type == DT_REG || entry->d_type == DT_LNK ||
		       entry->d_type == DT_UNKNOWN) &&
	       looks_like_a_job(entry->d_name);
}

static bool is_taken(const glob_t *found, const char *path)
{
	for (size_t i = 0; i < found->gl_pathc; i++)
		if (etl_streq(found->gl_pathv[i], path))
			return true;
	return false;
}

/* The name up to the ending, as the pattern would take it. */
static void warn_unread(const char *path, const char *name, const char *pattern,
	const glob_t *found, const struct etl_conf_env *env)
{
	const char *dot = strchr(name, '.');
	const char *wanted = strrchr(pattern, '*');
	etl_cleanup(free) char *renamed = NULL, *help = NULL;

	if (wanted && wanted[1] == '.' && !strpbrk(wanted + 1, "?["))
		renamed = etl_strf("%.*s%.*s%s", (int)(name - path), path, (int)(dot - name), name,
			wanted + 1);
	if (renamed && !is_taken(found, renamed))
		help = etl_strf("rename it to %s, or move it to another folder",
			renamed + (name - path));
	else
		help = etl_strdup("move it to another folder");
	etl_diag_file(env->diag, ETL_DIAG_WARNING, path, ETL_DIAG_UNREAD, help,
		"%s is not read: the pattern is %s", name, pattern);
}

/* In the folder of the pattern; of a pattern of folders only the files that it takes are known.
 * Sorted, so that two reloads warn in the same order. */
static void look_beside(const char *full, const char *pattern, const glob_t *found,
	const struct etl_conf_env *env)
{
	const char *slash = strrchr(full, '/');
	etl_cleanup(free) char *folder = etl_memdup0(full, slash ? (size_t)(slash - full) : 0);
	struct dirent **entries;
	int n;

	if (!*folder || strpbrk(folder, "*?["))
		return;
	n = scandir(folder, &entries, is_candidate, alphasort);
	for (int i = 0; i < n; i++) {
		etl_cleanup(free) char *path = etl_strf("%s/%s", folder, entries[i]->d_name);

		if (!is_taken(found, path))
			warn_unread(path, path + strlen(folder) + 1, pattern, found, env);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

/* GLOB_ERR: a folder that cannot be read is an error and not an empty list, for jobs that ran would
 * silently vanish by a change of rights. */
void etld_job_files(const char *pattern, const struct etl_conf_env *env, glob_t *found)
{
	etl_cleanup(free) char *full = *pattern == '/' ? etl_strdup(pattern) :
							etl_strf("%s/%s", env->config_dir, pattern);
	int rc = glob(full, GLOB_ERR, NULL, found);

	if (rc != 0 && rc != GLOB_NOMATCH) {
		etl_diag_add(env->diag, NULL, ETL_DIAG_FILE, NULL, NULL, "cannot list %s: %s", full,
			strerror(errno));
		return;
	}
	look_beside(full, pattern, found, env);
	if (!found->gl_pathc)
		etl_diag_say(env->diag, ETL_DIAG_WARNING, NULL, ETL_DIAG_NO_JOB, NULL,
			"one file a job; etc/examples and man etld.yaml have some",
			"there is no job: no file is %s", full);
}
