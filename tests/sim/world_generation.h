/* SPDX-License-Identifier: MIT
 *
 * A generation made of the jobs as they are configured now, in place of configuration files.
 */
#ifndef TESTS_SIM_WORLD_GENERATION_H
#define TESTS_SIM_WORLD_GENERATION_H

#include <stdatomic.h>

struct etl_diag;
struct etld_generation;

/* What etld_generation_load makes of files; the daemon's calls come here by the linker. */
struct etld_generation *__wrap_etld_generation_load(const char *path, const atomic_bool *stop,
	struct etl_diag *diag);

#endif
