/* SPDX-License-Identifier: MIT
 *
 * YAML text to a configuration tree. The only user of libyaml. Scalars stay text; duplicate
 * keys, tags, directives, merge keys, mappings as keys and a second document are refused;
 * aliases are expanded (a node they name appears in the tree more than once). Loader's thread.
 */
#ifndef ETL_CONF_LOAD_H
#define ETL_CONF_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "conf/diag.h"
#include "conf/node.h"
#include "conf/texts.h"

#define ETL_CONF_FILE_MAX (1024 * 1024)	    /* bytes of a file */
#define ETL_CONF_DEPTH_MAX 32		    /* mappings and lists in one another */
#define ETL_CONF_NODES_MAX 200000	    /* of a file, each alias counted as what it names */
#define ETL_CONF_ANCHORS_MAX 1000
#define ETL_CONF_EXPANDED_MAX (1024 * 1024) /* bytes of all scalars with a ${VAR} together */

struct etl_conf_load_options {
	/* The value of ${name}, or NULL. The text is used before the call returns. NULL
	 * function or NULL options: no variable is set. */
	const char *(*env)(const char *name);
	bool outside; /* of the daemon's unit: a variable that is not set is a note, no error */
	/* The texts of scalars go here and outlive the tree, which is good for nothing any more
	 * when all is taken from it. NULL: where the tree goes. */
	struct etl_arena *texts;
	/* The same for a caller who reads many files: equal texts are kept once, where the set keeps
	 * them, and `texts` is not used. NULL: each is kept. */
	struct etl_texts *shared;
};

/* Reads a regular file. NULL if there is no tree (unreadable, syntax, a limit): diag says
 * why. A tree may come back although diag got errors (a duplicate key), so that all errors
 * are found in one pass: the caller looks at etl_diag_count. An empty file is a null scalar. */
struct etl_node *etl_conf_load(struct etl_arena *arena, const char *path,
	const struct etl_conf_load_options *options, struct etl_diag *diag);

/* The same from memory; `name` stands for the path in messages. Both are copied, to where the
 * tree goes. */
struct etl_node *etl_conf_parse(struct etl_arena *arena, const char *name, const char *bytes,
	size_t len, const struct etl_conf_load_options *options, struct etl_diag *diag);

#endif
