/* SPDX-License-Identifier: MIT
 *
 * The contract of a transform: batch in, batch out, in place. One file, one descriptor named
 * after it (lib/transform/transform_foo.c: `etl_transform_foo`), found by the build. No I/O,
 * no clock. An instance serves one partition of one run, one worker at a time.
 * A batch may hold records of several units in any order, and a unit's records come in several
 * batches: what is remembered of records is remembered by unit (env->unit), so that a unit gives
 * the same whichever others were asked for with it.
 * A record that cannot be transformed is rejected (etl_batch_reject_record, step
 * "transform", rule = the transform's name) unless the transform's options say otherwise.
 */
#ifndef ETL_TRANSFORM_TRANSFORM_H
#define ETL_TRANSFORM_TRANSFORM_H

#include "base/error.h"
#include "conf/option.h"
#include "record/stage_env.h"

struct etl_transform_type {
	const char *name;
	const char *summary;
	const struct etl_option *options;
	size_t options_size;
	size_t size; /* of an instance; zeroed before open; 0 = none needed */
	/* It may remove records without a reject, or make some (in `apply`), and tells env->count of
	 * each: they are counted as filtered and made. One that keeps state (`flush`) tells nobody:
	 * merged is what it took, made what it gives. A record that is gone in another way is a
	 * bug, and ends the run. */
	bool filters;

	/* Cross-checks and compilation after the table was filled. NULL = none. */
	void (*check)(void *options, const struct etl_node *node,
		const struct etl_conf_env *env);

	/* True if no record has a top-level field of this name behind it, whatever came. NULL = it
	 * takes none away. */
	bool (*loses)(const void *options, const char *name);
	/* Why records of this window alone would not do, or NULL. NULL = any window will do. */
	const char *(*window_fault)(const void *options, const struct etl_window *window);

	/* A table that it looks into (env->table), read before the first record of a run. Lent as long as
	 * the options. NULL = it looks into none. */
	const struct etl_table_place *(*place)(const void *options);

	/* `env` is lent until close. */
	int (*open)(void *self, const void *options, const struct etl_stage_env *env,
		struct etl_error *err);

	/* Changes the batch in place; new documents go to the batch's arena. */
	int (*apply)(void *self, struct etl_batch *batch, struct etl_error *err);

	/* Transforms that keep state over batches (aggregate): the records of all units asked for
	 * have been seen, emit what is left into `out`, unit by unit, and forget. NULL = stateless. */
	int (*flush)(void *self, struct etl_batch *out, struct etl_error *err);

	/* Bytes of the state that it keeps over batches: they count against the run's share of
	 * limits.memory. NULL = stateless. */
	size_t (*held)(const void *self);

	void (*close)(void *self); /* always called once after open */
};

extern const struct etl_transform_type *const etl_transforms[]; /* generated, NULL-terminated */
const struct etl_transform_type *etl_transform_find(const char *name);

#endif
