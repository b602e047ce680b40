/* SPDX-License-Identifier: MIT
 *
 * The parts of loading a job, one file each: for lib/job, and for the kinds of work whose jobs have a
 * source, transforms, checks and loads. Each takes the node under its key and adds what is wrong to
 * env->diag; the job is then not used. Loader's thread.
 */
#ifndef ETL_JOB_JOB_PARTS_H
#define ETL_JOB_JOB_PARTS_H

#include "job/job.h"

/* job.c: an error at `node` (NULL = no place): "TEXT in job 'NAME'". */
void etl_job_fail_at(const struct etl_conf_env *env, const struct etl_node *node,
	enum etl_diag_code code, const char *hint, const char *text);

/* job_schedule.c; `node` is NULL where the file `body` gives no schedule */
void etl_job_load_schedule(struct etl_job *job, const struct etl_node *body,
	const struct etl_node *node, const struct etl_conf_env *env);
void etl_job_load_window(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env);

/* after the window; `node` NULL = none */
void etl_job_check_start(const struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env);
void etl_job_load_deadline(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env);

/* job_wait.c; `node` NULL = no sensor */
void etl_job_load_wait(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env);

/* job_plugins.c; the source after the window, since it has to fit it */
void etl_job_load_source(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env);
void etl_job_load_transforms(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env);
void etl_job_load_checks(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env);
bool etl_job_load_sink(struct etl_job_load *load, const struct etl_node *node,
	const struct etl_conf_env *env); /* true if it is right */

/* job_loads.c: one sink, or a list of them */
void etl_job_load_loads(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env);
/* The body of the load number `i` under the key `load`, of a job that is right so far. */
const struct etl_node *etl_job_load_body(const struct etl_node *node, size_t i);

/* job_fields.c, last of all, for a job that is right so far: do the parts fit one another? */
struct etl_job_nodes {
	const struct etl_node *transform, *check, *load; /* transform, check: may be NULL */
};
void etl_job_check_fields(const struct etl_job *job, const struct etl_job_nodes *nodes,
	const struct etl_conf_env *env);

#endif
