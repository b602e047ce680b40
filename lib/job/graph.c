/* SPDX-License-Identifier: MIT
 *
 * `after`: who waits for whom. Names become pointers, circles become errors.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/job.h"

static struct etl_job *find(struct etl_job **jobs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (etl_streq(jobs[i]->name, name))
			return jobs[i];
	return NULL;
}

static void unknown_job(struct etl_job **jobs, size_t n, const struct etl_job *job, size_t k,
	const struct etl_conf_env *env)
{
	const char **names = etl_calloc(n, sizeof *names);
	const char *near;
	char hint[128] = "";

	for (size_t i = 0; i < n; i++)
		names[i] = jobs[i]->name;
	near = etl_nearest(job->after.items[k], names, n);
	if (near)
		snprintf(hint, sizeof hint, "did you mean '%s'?", near);
	etl_diag_add(env->diag, &job->after.nodes[k]->mark, ETL_DIAG_REFERENCE,
		near ? hint : NULL, "`after` names other jobs: files in the jobs folder, without .yaml",
		"job '%s' waits for '%s', and there is no such job", job->name, job->after.items[k]);
	free(names);
}

/* Depth-first with three colours; a grey neighbour closes a circle. */
enum colour { WHITE, GREY, BLACK };

struct walk {
	struct etl_job **jobs;
	size_t n;
	enum colour *colours;
	const struct etl_conf_env *env;
};

static size_t index_of(const struct walk *walk, const struct etl_job *job)
{
	for (size_t i = 0; i < walk->n; i++)
		if (walk->jobs[i] == job)
			return i;
	return 0;
}

static void visit(struct walk *walk, size_t at)
{
	const struct etl_job *job = walk->jobs[at];

	walk->colours[at] = GREY;
	for (size_t k = 0; k < job->n_upstream; k++) {
		size_t up = index_of(walk, job->upstream[k]);

		if (walk->colours[up] == GREY)
			etl_diag_add(walk->env->diag, &job->after.nodes[k]->mark, ETL_DIAG_CYCLE,
				"this closes the circle", NULL,
				"jobs wait for each other: '%s' after '%s', which waits for '%s'",
				job->name, walk->jobs[up]->name, job->name);
		else if (walk->colours[up] == WHITE)
			visit(walk, up);
	}
	walk->colours[at] = BLACK;
}

static void link_one(struct etl_job **jobs, size_t n, struct etl_job *job,
	const struct etl_conf_env *env)
{
	if (!job->after.n)
		return;
	job->upstream = etl_arena_zalloc(env->arena, job->after.n * sizeof *job->upstream);
	for (size_t k = 0; k < job->after.n; k++) {
		struct etl_job *up = find(jobs, n, job->after.items[k]);

		if (!up) {
			unknown_job(jobs, n, job, k, env);
			continue;
		}
		job->upstream[job->n_upstream++] = up;
		up->n_dependants++; /* counted now, filled below */
	}
}

void etl_graph_link(struct etl_job **jobs, size_t n, const struct etl_conf_env *env)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		link_one(jobs, n, jobs[i], env);
		any |= jobs[i]->after.n > 0;
	}
	if (!any)
		return;
	for (size_t i = 0; i < n; i++) {
		jobs[i]->dependants = etl_arena_zalloc(env->arena,
			(jobs[i]->n_dependants + 1) * sizeof *jobs[i]->dependants);
		jobs[i]->n_dependants = 0;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < jobs[i]->n_upstream; k++) {
			struct etl_job *up = find(jobs, n, jobs[i]->upstream[k]->name);

			up->dependants[up->n_dependants++] = jobs[i];
		}

	struct walk walk = {jobs, n, etl_calloc(n, sizeof(enum colour)), env};
	for (size_t i = 0; i < n; i++)
		if (walk.colours[i] == WHITE)
			visit(&walk, i);
	free(walk.colours);
}
