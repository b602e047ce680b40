/* SPDX-License-Identifier: MIT
 *
 * Jobs for tests from YAML text, loaded and linked as the daemon does it, with the target
 * replaced by a memory_target. Header only; include after cmocka.h.
 */
#ifndef TESTS_LIB_JOB_RIG_H
#define TESTS_LIB_JOB_RIG_H

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "conf/load.h"
#include "job/job.h"
#include "memory_target.h"

#define JOB_RIG_MAX 8

struct job_rig {
	struct etl_arena *arena;
	struct etl_diag *diag;
	struct etl_conf_env env;
	struct etl_job *jobs[JOB_RIG_MAX];
	struct etl_arena *trees[JOB_RIG_MAX]; /* of those with `after`, until they are linked */
	struct memory_target targets[JOB_RIG_MAX];
	size_t n;
};

static inline void job_rig_init(struct job_rig *rig)
{
	*rig = (struct job_rig){.arena = etl_arena_new(0), .diag = etl_diag_new()};
	rig->env = (struct etl_conf_env){.arena = rig->arena, .diag = rig->diag};
}

static inline void job_rig_need_clean(const struct job_rig *rig)
{
	struct etl_buf text;

	etl_buf_init(&text, 1 << 20);
	etl_diag_print(rig->diag, &text);
	if (etl_diag_count(rig->diag))
		fail_msg("%s", etl_buf_text(&text));
	etl_buf_fini(&text);
}

/* Adds a job; `yaml` has `load: {"null": {}}`, which is replaced by a target of the rig's. */
static inline struct etl_job *job_rig_add(struct job_rig *rig, const char *name, const char *yaml)
{
	const struct etl_conf_load_options options = {.texts = rig->arena};
	struct etl_arena *tree = etl_arena_new(0);
	struct etl_node *root = etl_conf_parse(tree, name, yaml, strlen(yaml), &options, rig->diag);
	struct etl_job *job = NULL;

	assert_true(rig->n < JOB_RIG_MAX);
	rig->env.what = etl_arena_strf(rig->arena, "job '%s'", name);
	if (root)
		job = etl_job_load(name, root, &rig->env);
	job_rig_need_clean(rig);
	if (job->after.n)
		rig->trees[rig->n] = ETL_TAKE(tree);
	etl_arena_free(tree);
	job->loads[0] = (struct etl_job_load){&memory_target_type, &rig->targets[rig->n]};
	rig->jobs[rig->n++] = job;
	return job;
}

static inline void job_rig_link(struct job_rig *rig)
{
	etl_graph_link(rig->jobs, rig->n, &rig->env);
	job_rig_need_clean(rig);
	for (size_t i = 0; i < rig->n; i++)
		etl_arena_free(ETL_TAKE(rig->trees[i]));
}

static inline void job_rig_fini(struct job_rig *rig)
{
	for (size_t i = 0; i < rig->n; i++) {
		etl_job_fini(rig->jobs[i]);
		etl_arena_free(rig->trees[i]);
		target_fini(&rig->targets[i]);
	}
	etl_diag_free(rig->diag);
	etl_arena_free(rig->arena);
}

#endif
