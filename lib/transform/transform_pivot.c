/* SPDX-License-Identifier: MIT
 *
 * pivot: {by, name, value, fields, duplicates, absent, default}. The stage of lib/reshape behind the event
 * time: rows of different units are never put together, and the record has the earliest event time of
 * its rows.
 */
#include "reshape/pivot.h"
#include "transform/reshaped.h"

struct pivot {
	struct etl_reshaped reshaped;
	void *stage; /* ETL_PIVOT_SIZE bytes */
};
_Static_assert(ETL_PIVOT_SIZE == sizeof(void *), "it fits");

static int open_pivot(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct pivot *p = self;

	etl_reshaped_open(&p->reshaped, env);
	p->reshaped.env.count = NULL; /* it keeps state: who calls it counts what went in and came out */
	return etl_pivot_open(&p->stage, opts, &p->reshaped.env, err);
}

static int apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct pivot *p = self;

	return etl_reshaped_apply(&p->reshaped, "pivot", etl_pivot_apply, &p->stage, batch, err);
}

static int flush(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct pivot *p = self;

	return etl_reshaped_flush(&p->reshaped, "pivot", etl_pivot_flush, &p->stage, batch, err);
}

static size_t held(const void *self)
{
	return etl_pivot_held(&((const struct pivot *)self)->stage);
}

static void close_pivot(void *self)
{
	etl_pivot_close(&((struct pivot *)self)->stage);
}

const struct etl_transform_type etl_transform_pivot = {
	.name = "pivot",
	.summary = "rows of names and values: a wide record for all that say something of the same",
	.options = etl_pivot_options,
	.options_size = sizeof(struct etl_pivot_options),
	.size = sizeof(struct pivot),
	.check = etl_pivot_check,
	.open = open_pivot,
	.apply = apply,
	.flush = flush,
	.held = held,
	.close = close_pivot,
};
