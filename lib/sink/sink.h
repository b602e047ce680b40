/* SPDX-License-Identifier: MIT
 *
 * The contract of a sink. One file, one descriptor named after it (lib/sink/sink_foo.c:
 * `etl_sink_foo`), found by the build. A sink never touches the watermark. An instance
 * serves one partition of one run, one worker at a time:
 *   open, (begin, write ..., commit | abort) ..., close.
 * A slice may be tried again from begin() with the same records: writing must be repeatable.
 * Whoever uses a sink calls the functions at the end of this file: they keep that order.
 */
#ifndef ETL_SINK_SINK_H
#define ETL_SINK_SINK_H

#include <assert.h>

#include "base/error.h"
#include "conf/option.h"
#include "record/batch.h"
#include "time/window.h"

struct etl_mongo;
struct etl_txn; /* a transaction of the state store that the sink may join; lib/mongo/txn.h */

/* What the bits of a load's result do not tell of a record. */
enum etl_load_fate {
	ETL_LOAD_AS_BITS,     /* inserted, updated or unchanged */
	ETL_LOAD_OVERWRITTEN, /* a later record of the batch has the same key: only that one is kept */
	ETL_LOAD_STALE,	      /* the target has a newer one, by its version */
	ETL_LOAD_REFUSED,     /* it became a reject */
};

/* What a load warns of: how often, and the first of them in words. */
struct etl_load_note {
	uint64_t n;
	char first[200];
};

static inline bool etl_bit(const uint8_t *bits, size_t i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

static inline void etl_bit_set(uint8_t *bits, size_t i)
{
	bits[i / 8] |= (uint8_t)(1u << (i % 8));
}

struct etl_load_result {
	uint64_t inserted, updated, unchanged, rejected, overwritten, stale;
	struct etl_load_note keys;     /* the same key twice: as many as are overwritten */
	struct etl_load_note ids;      /* an `_id` of their own that the key has replaced */
	struct etl_load_note versions; /* a version that cannot be compared as a number or a date */
	/* Bit i tells whether record i of the batch, as it was given, changed the target, and
	 * whether it was new there. Owned by the caller, at least (n + 7) / 8 bytes each, zeroed
	 * by the caller. A new record sets both. `created` may be NULL: nobody asks. */
	uint8_t *changed, *created;
	/* One byte for each record, an enum etl_load_fate; as above. NULL: nobody asks. */
	uint8_t *fates;
	/* For each record a hash of the key that it has in the target, 0 if it has none; as above. */
	uint64_t *identities;
	size_t n; /* records of the batch, as it was given; the caller's word */
};

/* What goes in together: rows of one or more units, in the order of their units. A unit of more rows than
 * fit comes in several slices, one after another; the same rows once more, after a failure, come
 * as the same part. Example: of 10:00, 11:00 and 12:00, the last with 2,500 rows, the first slice has the
 * units 10:00 and 11:00; 12:00 follows as parts 0, 1 and 2, of which the last has not `more`. A file is
 * named "2024-01-01T12.1" by unit and part, and so is written over by another attempt. */
struct etl_sink_slice {
	struct etl_txn *txn; /* of the store, that it joins; NULL = it joins none */
	/* Those with rows in the slice, or with the end of theirs, the oldest first; one in each slice for a
	 * sink that is `by_unit`. Of a job without windows from 0 to when the run was planned. Lent until
	 * commit or abort. */
	const struct etl_window *units;
	size_t n_units;
	unsigned part; /* of the first of them, from 0 */
	bool more;     /* of the last of them: another part follows */
};

struct etl_sink;

struct etl_sink_env {
	struct etl_mongo *mongo; /* NULL in a process without MongoDB */
	const char *database;	 /* default database */
	const char *job;
	const char *run_id;
	struct etl_sink *next; /* open() of a stage: what it hands on to, open; NULL = it is the last */
};

/* A stage of a chain, as a sink names it. */
struct etl_sink_stage {
	const struct etl_sink_type *type;
	const void *options; /* of that type; lent as long as the job's */
};
#define ETL_SINK_STAGES_MAX 4

/* A sink may be a chain: encode -> compress -> file. Stages get records by write() or bytes by put(), and
 * hand on what they make of these with the functions below. A begin(), write() or commit() that a stage does
 * not have goes to the next one as it is; one that it has calls the next one's itself: commit() after
 * it has handed on what it held back. abort() and close() are called for each stage, the first first. */
struct etl_sink_type {
	const char *name;
	const char *summary;
	const struct etl_option *options;
	size_t options_size;
	size_t size;
	bool joins_transaction; /* write() takes part in the state store's transaction */
	bool discards; /* it keeps nothing: no window is closed by it */
	bool by_unit;  /* its slices have rows of one unit each */
	void (*check)(void *options, const struct etl_node *node, const struct etl_conf_env *env);

	/* Where it loads to, in a text that stays the same as long as the place does, without secrets:
	 * "etl.hourly". `database` is the default one. NULL: it keeps nothing. Any thread. */
	void (*target)(const void *options, const char *database, char *out, size_t size);

	/* Once per generation and job, before its first run, with no transaction open: creates
	 * collections and declared indexes; PERMANENT if the target cannot hold the promise. */
	int (*prepare)(const void *options, const struct etl_sink_env *env, struct etl_error *err);

	/* The stages before it, the first first: their number. NULL: none, as for a stage itself. */
	size_t (*stages)(const void *options, struct etl_sink_stage out[ETL_SINK_STAGES_MAX]);

	/* From here on NULL is allowed for what there is nothing to do in. */
	int (*open)(void *self, const void *options, const struct etl_sink_env *env,
		struct etl_error *err);
	int (*begin)(void *self, const struct etl_sink_slice *slice, struct etl_error *err);

	/* Writes all records. Unchanged documents cause no write. Records that the target refuses
	 * for their content are rejected in the batch (step "load"), in their order, and left out. */
	int (*write)(void *self, struct etl_batch *batch, struct etl_load_result *result,
		struct etl_error *err);
	/* Bytes that the stage before it made of records; lent for the call. */
	int (*put)(void *self, const void *bytes, size_t n, struct etl_error *err);
	int (*commit)(void *self, struct etl_error *err); /* after the txn committed; or flush */
	/* Takes back what was written since begin(), also one that failed. Who joined a transaction
	 * leaves that to its owner. */
	void (*abort)(void *self);
	void (*close)(void *self); /* always called once after open, also one that failed */
};

extern const struct etl_sink_type *const etl_sinks[]; /* generated, NULL-terminated */
const struct etl_sink_type *etl_sink_find(const char *name);

/* ---- a sink in use ----------------------------------------------------------------------- */

/* One stage, and those behind it. */
struct etl_sink {
	const struct etl_sink_type *type;
	void *self;
	struct etl_sink *next;
	bool begun; /* and neither committed nor aborted */
};

/* Opens all stages, the last first, so that each finds the next one open. Gives; NULL: none is open. */
struct etl_sink *etl_sink_open(const struct etl_sink_type *type, const void *options,
	const struct etl_sink_env *env, struct etl_error *err);
void etl_sink_close(struct etl_sink *sink); /* aborts what has begun; NULL is fine */

static inline int etl_sink_begin(struct etl_sink *sink, const struct etl_sink_slice *slice,
	struct etl_error *err)
{
	int rc = 0;

	assert(!sink->begun);
	sink->begun = true; /* a failed one is to be aborted as well */
	if (sink->type->begin)
		rc = sink->type->begin(sink->self, slice, err);
	else if (sink->next)
		rc = etl_sink_begin(sink->next, slice, err);
	assert(rc < 0 || !sink->next || sink->next->begun);
	return rc;
}

static inline int etl_sink_write(struct etl_sink *sink, struct etl_batch *batch,
	struct etl_load_result *result, struct etl_error *err)
{
	assert(sink->begun && (sink->type->write || sink->next));
	return sink->type->write ? sink->type->write(sink->self, batch, result, err) :
				   etl_sink_write(sink->next, batch, result, err);
}

static inline int etl_sink_put(struct etl_sink *sink, const void *bytes, size_t n, struct etl_error *err)
{
	assert(sink->begun && sink->type->put);
	return sink->type->put(sink->self, bytes, n, err);
}

/* A failed one is to be aborted. */
static inline int etl_sink_commit(struct etl_sink *sink, struct etl_error *err)
{
	int rc = 0;

	assert(sink->begun);
	if (sink->type->commit)
		rc = sink->type->commit(sink->self, err);
	else if (sink->next)
		rc = etl_sink_commit(sink->next, err);
	assert(rc < 0 || !sink->next || !sink->next->begun);
	sink->begun = rc < 0;
	return rc;
}

static inline void etl_sink_abort(struct etl_sink *sink)
{
	assert(sink->begun);
	sink->begun = false;
	if (sink->type->abort)
		sink->type->abort(sink->self);
	if (sink->next && sink->next->begun)
		etl_sink_abort(sink->next);
}

#endif
