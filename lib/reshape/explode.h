/* SPDX-License-Identifier: MIT
 *
 * What the transform of the same name uses of the stage explode.
 */
#ifndef ETL_RESHAPE_EXPLODE_H
#define ETL_RESHAPE_EXPLODE_H

#include "record/bad_value.h"
#include "reshape/parent.h"

struct etl_explode_options {
	const char *field, *as; /* as: NULL = members of a document at the top, a value under the
		field's name */
	bool keep_empty;
	struct etl_bad_options bad;
	struct etl_bad_rule rule;
	struct etl_path path;
	const char *name; /* of a value: the last part of `field`, or `as` */
};
extern const struct etl_option etl_explode_options[];

struct etl_explode {
	const struct etl_explode_options *options;
	struct etl_reshape_env env;
	struct etl_parent parent;
	bool begun; /* the record at hand */
	struct etl_cursor at; /* its next element */
	uint64_t given;
};

void etl_explode_check(void *options, const struct etl_node *node, const struct etl_conf_env *env);
int etl_explode_open(void *self, const void *options, const struct etl_reshape_env *env,
	struct etl_error *err);
int etl_explode_apply(void *self, const struct etl_batch *in, size_t *at, struct etl_batch *out,
	struct etl_error *err);
void etl_explode_close(void *self);

#endif
