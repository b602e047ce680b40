/* SPDX-License-Identifier: MIT
 *
 * A stage gives as much as a batch has room for; here these are put together again, in the arena of
 * the batch that the transform was given.
 */
#include "transform/reshaped.h"

#include <stdlib.h>

#include "base/alloc.h"

#define HELD_MAX ((size_t)256 << 20) /* where nobody says less */

static size_t unit_number(void *ctx, etl_wall time)
{
	const struct etl_stage_env *stage = ((const struct etl_reshaped *)ctx)->stage;

	return stage->unit(stage->ctx, time).number;
}

static void count(void *ctx, etl_wall time, uint64_t made, uint64_t gone)
{
	const struct etl_stage_env *stage = ((const struct etl_reshaped *)ctx)->stage;

	if (stage->count)
		stage->count(stage->ctx, time, made, gone);
}

void etl_reshaped_open(struct etl_reshaped *reshaped, const struct etl_stage_env *env)
{
	*reshaped = (struct etl_reshaped){
		.stage = env,
		.env = {.step = "transform", .memory_max = env->memory_max, .ctx = reshaped, .count
			= count,
			.unit = unit_number},
	};
}

/* Moves what came into `part`, whose arena is the batch's. */
static int put_together(const struct etl_reshaped *reshaped, const char *name,
	struct etl_batch *batch, struct etl_batch *part, struct etl_error *err)
{
	size_t max = reshaped->env.memory_max ? reshaped->env.memory_max : HELD_MAX;

	for (size_t i = 0; i < part->n; i++)
		etl_batch_add(batch, part->records[i].bson, part->records[i].len,
			part->records[i].time,
			part->records[i].position);
	for (size_t i = 0; i < part->n_rejects; i++) {
		ETL_GROW(batch->rejects, batch->n_rejects, batch->rejects_cap);
		batch->rejects[batch->n_rejects++] = part->rejects[i];
	}
	part->n = part->n_rejects = part->bytes = 0;
	if (etl_batch_held(batch) <= max)
		return 0;
	return etl_error_set(err, ETL_LIMIT, "transform.memory",
		"%s makes more than a run's share of limits.memory (%zu KiB) of one batch: under "
		"extract.reshape it needs no more than a batch; or raise limits.memory", name, max /
			1024);
}

static void free_lists(struct etl_batch *batch)
{
	free(batch->records);
	free(batch->rejects);
}

int etl_reshaped_apply(struct etl_reshaped *reshaped, const char *name, etl_reshape_apply_fn *apply,
	void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct etl_batch in = *batch, part = {.arena = batch->arena};
	size_t at = 0;
	int rc = 0;

	batch->records = NULL;
	batch->n = batch->cap = batch->bytes = 0;
	while (rc == 0 && at < in.n) {
		rc = apply(self, &in, &at, &part, err);
		if (rc == 0)
			rc = put_together(reshaped, name, batch, &part, err);
	}
	free(in.records);
	free_lists(&part);
	return rc;
}

int etl_reshaped_flush(struct etl_reshaped *reshaped, const char *name, etl_reshape_flush_fn *flush,
	void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct etl_batch part = {.arena = batch->arena};
	int more = 1;

	while (more > 0) {
		more = flush(self, &part, err);
		if (more >= 0 && put_together(reshaped, name, batch, &part, err) < 0)
			more = -1;
	}
	free_lists(&part);
	return more;
}
