/* SPDX-License-Identifier: MIT
 *
 * Which job files the key `jobs` names, and what lies beside them unread. The loader's thread.
 */
#ifndef ETLD_JOB_FILES_H
#define ETLD_JOB_FILES_H

#include <glob.h>

#include "conf/option.h"

/* The files that the pattern takes (relative to env->config_dir), for globfree. Files beside them
 * that look as if they were meant to be read are warnings, and so is none that is. */
void etld_job_files(const char *pattern, const struct etl_conf_env *env, glob_t *found);

#endif
