/* SPDX-License-Identifier: MIT
 *
 * What the transform of the same name uses of the stage pivot.
 */
#ifndef ETL_RESHAPE_PIVOT_H
#define ETL_RESHAPE_PIVOT_H

#include "record/bad_value.h"
#include "record/path.h"
#include "reshape/reshape.h"

struct etl_pivot_options {
	struct etl_strings by, fields;
	const char *name, *value;
	int duplicates;
	struct etl_bad_options bad;
	struct etl_bad_rule rule;
	struct etl_path *by_paths;
	struct etl_path name_path, value_path;
};
extern const struct etl_option etl_pivot_options[];

struct etl_pivot;
#define ETL_PIVOT_SIZE sizeof(struct etl_pivot *) /* of an instance */

void etl_pivot_check(void *options, const struct etl_node *node, const struct etl_conf_env *env);
/* `self` has ETL_PIVOT_SIZE bytes. */
int etl_pivot_open(void *self, const void *options, const struct etl_reshape_env *env,
	struct etl_error *err);
int etl_pivot_apply(void *self, const struct etl_batch *in, size_t *at, struct etl_batch *out,
	struct etl_error *err);
int etl_pivot_flush(void *self, struct etl_batch *out, struct etl_error *err);
size_t etl_pivot_held(const void *self);
void etl_pivot_close(void *self);

#endif
