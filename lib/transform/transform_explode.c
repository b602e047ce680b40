/* SPDX-License-Identifier: MIT
 *
 * explode: {field, as, keep_empty, on_bad, absent, default}. The stage of lib/reshape behind the event
 * time: each element's record has the event time of the record that it comes from.
 */
#include "reshape/explode.h"
#include "transform/reshaped.h"

struct explode {
	struct etl_reshaped reshaped;
	struct etl_explode stage;
};

static int open_explode(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct explode *x = self;

	etl_reshaped_open(&x->reshaped, env);
	return etl_explode_open(&x->stage, opts, &x->reshaped.env, err);
}

static int apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct explode *x = self;

	return etl_reshaped_apply(&x->reshaped, "explode", etl_explode_apply, &x->stage, batch, err);
}

static void close_explode(void *self)
{
	etl_explode_close(&((struct explode *)self)->stage);
}

const struct etl_transform_type etl_transform_explode = {
	.name = "explode",
	.summary = "an array: a record for each element",
	.options = etl_explode_options,
	.options_size = sizeof(struct etl_explode_options),
	.size = sizeof(struct explode),
	.filters = true,
	.check = etl_explode_check,
	.open = open_explode,
	.apply = apply,
	.close = close_explode,
};
