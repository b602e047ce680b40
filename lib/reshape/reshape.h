/* SPDX-License-Identifier: MIT
 *
 * The contract of a stage under `extract.reshape`: records to other records, before there is an
 * event time: what makes a record out of a row of columns, or several out of one. One file, one
 * const descriptor at its end, named after the file: lib/reshape/reshape_foo.c ends with `const
 * struct etl_reshape_type etl_reshape_foo`; the build finds it. One instance serves one partition
 * of one run, on one worker at a time.
 *
 * A stage pulls: it takes records from one batch and gives what it makes to another, and stops when
 * that has no more room, in the middle of a record if need be. Example: a record with an array of a
 * million elements gives a thousand records, the batch goes on its way, and the next call gives the
 * next thousand. So a few bytes cannot become more memory than a batch.
 */
#ifndef ETL_RESHAPE_RESHAPE_H
#define ETL_RESHAPE_RESHAPE_H

#include "base/error.h"
#include "conf/option.h"
#include "record/batch.h"

/* One record makes no more than this: what its parts have in common stands in each of them. */
#define ETL_RESHAPE_BYTES_MAX ((uint64_t)1 << 30)

/* What an instance may use besides its options. Lent until close. */
struct etl_reshape_env {
	const char *step;  /* of its rejects: "decode", or "transform" where it is used as one */
	size_t memory_max; /* bytes that it may hold at once; 0 = no limit but its own */
	void *ctx;	   /* of the functions */

	/* `made` records came in addition to, or `gone` without a reject of, those with this event
	 * time. Each record that a stage takes is given on, rejected or told here. NULL = nobody
	 * asks. */
	void (*count)(void *ctx, etl_wall time, uint64_t made, uint64_t gone);
	/* The number of a record's unit, by its event time. NULL = all records belong together. */
	size_t (*unit)(void *ctx, etl_wall time);
};

struct etl_reshape_type {
	const char *name;    /* the key of its item in the list */
	const char *summary; /* one line for the manual */
	const struct etl_option *options;
	size_t options_size; /* of the struct that the table fills */
	size_t size;	     /* of an instance; zeroed before open */

	/* After the table filled `options`: cross-checks. Adds to env->diag. NULL = none. */
	void (*check)(void *options, const struct etl_node *node, const struct etl_conf_env *env);

	int (*open)(void *self, const void *options, const struct etl_reshape_env *env,
		struct etl_error *err);

	/* Another payload begins, or the last one broke: a record that was begun is forgotten. What
	 * is kept of records that were taken stays: pages are one input. NULL = it begins none. */
	void (*begin)(void *self);

	/* Takes records of `in` from index *at on, which it moves behind those that it is done
	 * with, and adds what it makes of them to `out`, with their position and event time, as
	 * long as etl_reshape_has_room(out). In the middle of a record it stays there: the next
	 * call has the same one. A bad record is a reject of `out`. 0, or -1: the payload fails. */
	int (*apply)(void *self, const struct etl_batch *in, size_t *at, struct etl_batch *out,
		struct etl_error *err);
	/* The input ended, and with it the last payload: adds what was held back as long as there
	 * is room. 1 = there is more, 0 = that was all. NULL = it holds nothing back. */
	int (*flush)(void *self, struct etl_batch *out, struct etl_error *err);

	/* Bytes that it holds of records which it has not given yet. NULL = hardly any. */
	size_t (*held)(const void *self);

	void (*close)(void *self); /* once after open, also when open failed; NULL = nothing to do
		*/
};

/* All of this build, NULL-terminated, sorted by name (generated). */
extern const struct etl_reshape_type *const etl_reshapes[];
const struct etl_reshape_type *etl_reshape_find(const char *name);

/* True if a stage may add one more: rejects fill a batch as records do. */
static inline bool etl_reshape_has_room(const struct etl_batch *out)
{
	return !etl_batch_is_full(out) && out->n_rejects < ETL_BATCH_RECORDS;
}

/* A record as it came is refused by the stage `rule`: the reject is `out`'s. */
void etl_reshape_reject(const struct etl_reshape_env *env, struct etl_batch *out,
	const struct etl_record *record, const char *rule, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

static inline void etl_reshape_count(const struct etl_reshape_env *env, etl_wall time,
	uint64_t made, uint64_t gone)
{
	if (env->count && (made || gone))
		env->count(env->ctx, time, made, gone);
}

#endif
