/* SPDX-License-Identifier: MIT
 *
 * The contract of a stage under `extract.reshape`: documents to other documents, before there is an
 * event time: what makes a record out of a row of columns, or several out of one. One file, one const
 * descriptor at its end, named after the file: lib/format/reshape_foo.c ends with `const struct
 * etl_reshape_type etl_reshape_foo`; the build finds it. One instance serves one partition of one
 * run, on one worker at a time.
 */
#ifndef ETL_FORMAT_RESHAPE_H
#define ETL_FORMAT_RESHAPE_H

#include "base/error.h"
#include "conf/option.h"
#include "record/batch.h"

struct etl_reshape_type {
	const char *name;    /* the key of its item in the list */
	const char *summary; /* one line for the manual */
	const struct etl_option *options;
	size_t options_size; /* of the struct that the table fills */
	size_t size;	     /* of an instance; zeroed before open */

	/* After the table filled `options`: cross-checks. Adds to env->diag. NULL = none. */
	void (*check)(void *options, const struct etl_node *node, const struct etl_conf_env *env);

	int (*open)(void *self, const void *options, struct etl_error *err);

	/* A payload begins; what is left of another is forgotten. NULL = it keeps nothing. */
	void (*begin)(void *self);
	/* Replaces the records of `batch` from index `from` on by what it makes of them; a bad one is a
	 * reject (step "decode"). Keeps those before `from` as they are. 0, or -1: the payload fails. */
	int (*apply)(void *self, struct etl_batch *batch, size_t from, struct etl_error *err);
	/* The payload ended: adds what was held back. NULL = it holds nothing back. */
	int (*end)(void *self, struct etl_batch *batch, struct etl_error *err);

	/* Bytes that it holds of records which it has not given yet. NULL = hardly any. */
	size_t (*held)(const void *self);

	void (*close)(void *self); /* once after open, also when open failed; NULL = nothing to do */
};

/* All of this build, NULL-terminated, sorted by name (generated). */
extern const struct etl_reshape_type *const etl_reshapes[];
const struct etl_reshape_type *etl_reshape_find(const char *name);

#endif
