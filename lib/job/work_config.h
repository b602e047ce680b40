/* SPDX-License-Identifier: MIT
 *
 * What a kind of work says of a job's file: the key by which its jobs are known, its option rows, and
 * its word about what they hold. The loader knows kinds of work by this alone, so that a new one is one
 * file that the build finds (lib/ROOM/work_NAME.c); what it does in a run stands in run/work.h.
 */
#ifndef ETL_JOB_WORK_CONFIG_H
#define ETL_JOB_WORK_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/option.h"

struct etl_job;
struct etl_work_type;

struct etl_work_config {
	/* At the top of a job's file; a file has the key of one kind: `extract` is flow's. */
	const char *key;
	/* A file without any such key is judged as one of this kind: it lacks the key. */
	bool is_usual;
	/* Rows at the top of the file beside those that all jobs have; `key` is one of them. */
	const struct etl_option *options;
	size_t options_size; /* of the struct that they fill, which stays as job->work_options */

	/* After the rows were filled and schedule, windows and partitions of the job are known: fills
	 * what of the job is this kind's, and adds what is wrong to env->diag. `at_begin`: errors there
	 * were before this job, so that a last look at the whole is taken only of one that is right so
	 * far. Loader's thread. */
	void (*check)(struct etl_job *job, void *options, const struct etl_node *root,
		size_t at_begin, const struct etl_conf_env *env);
};

struct etl_work_kind {
	const struct etl_work_config *config;
	const struct etl_work_type *type;
};

/* All kinds of this build; ends with zeroes (generated). */
extern const struct etl_work_kind etl_work_kinds[];

#endif
