/* SPDX-License-Identifier: MIT
 *
 * A stage of lib/reshape as a transform: the same options and rules, but behind the event time, so
 * that what it makes has that of its record, and what it keeps is kept by unit. A transform gives
 * all that it makes at once: what is more than the strand's memory is an error. Worker.
 */
#ifndef ETL_TRANSFORM_RESHAPED_H
#define ETL_TRANSFORM_RESHAPED_H

#include "reshape/reshape.h"
#include "transform/transform.h"

typedef int etl_reshape_apply_fn(void *self, const struct etl_batch *in, size_t *at,
	struct etl_batch *out, struct etl_error *err);
typedef int etl_reshape_flush_fn(void *self, struct etl_batch *out, struct etl_error *err);

/* What such a transform has of its environment; the stage's own instance stands behind it. */
struct etl_reshaped {
	const struct etl_stage_env *stage;
	struct etl_reshape_env env;
};

/* Fills `reshaped` from the transform's environment, which is lent until its close. */
void etl_reshaped_open(struct etl_reshaped *reshaped, const struct etl_stage_env *env);
/* All records of the batch through the stage `self`, whose name is `name`. 0, or -1. */
int etl_reshaped_apply(struct etl_reshaped *reshaped, const char *name, etl_reshape_apply_fn *apply,
	void *self, struct etl_batch *batch, struct etl_error *err);
/* All that it held back. */
int etl_reshaped_flush(struct etl_reshaped *reshaped, const char *name, etl_reshape_flush_fn *flush,
	void *self, struct etl_batch *batch, struct etl_error *err);

#endif
