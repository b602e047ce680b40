/* SPDX-License-Identifier: MIT
 *
 * A record is one BSON document on its way; a batch is a bounded group of them with the
 * arena they live in and the rejects that fell out on the way. A batch has one owner at any
 * moment (source -> run -> sink) and crosses threads only by a move.
 */
#ifndef ETL_RECORD_BATCH_H
#define ETL_RECORD_BATCH_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "time/clock.h"

#define ETL_NO_TIME INT64_MIN /* record.time.ms of a record without event time */

/* A batch is full at so many records or bytes of BSON, whichever comes first: past these a
 * bulk write gains nothing more, and a batch has to stay a small part of the memory budget. */
#define ETL_BATCH_RECORDS 1000
#define ETL_BATCH_BYTES (1024 * 1024)

/* A larger record is a reject: MongoDB's 16 MiB less room for what a write adds around it. */
#define ETL_DOCUMENT_BYTES_MAX (16 * 1024 * 1024 - 64 * 1024)
#define ETL_REJECT_RAW_MAX (64 * 1024)	 /* bytes of a reject that are kept */

struct etl_record {
	const uint8_t *bson; /* a whole document, little-endian length first; arena memory */
	uint32_t len;
	uint64_t position;   /* ordinal inside the source's answer, from 0 */
	etl_wall time;	     /* event time, or ETL_NO_TIME */
};

/* A rule that a record breaks. */
struct etl_violation {
	const char *rule;    /* "json", "cast", "range", ... */
	const char *path;    /* field or JSON Pointer it is about; "" = the whole record */
	const char *message; /* one sentence with the offending value, cut and masked */
};
#define ETL_ALSO_MAX 8 /* that are kept beside the first */

/* A record refused, with its reason: becomes a dead letter. All text in the arena. It counts under
 * the rule that it breaks first. */
struct etl_reject {
	const char *step;    /* "decode", "transform", "check", "load" */
	const char *rule;    /* "json", "cast", "range", ... */
	const char *path;    /* field or JSON Pointer it is about; "" = the whole record */
	const char *message; /* one sentence with the offending value, cut and masked */
	const uint8_t *raw;  /* the bytes as far as known, at most ETL_REJECT_RAW_MAX */
	uint32_t raw_len;
	bool raw_is_bson;
	bool raw_cut; /* they are the beginning of a longer one */
	uint64_t position;
	etl_wall time; /* event time if known, or ETL_NO_TIME */
	struct etl_violation *also; /* further rules that it breaks; NULL = none is known */
	size_t n_also;
};

struct etl_batch {
	struct etl_arena *arena;
	struct etl_record *records; /* in the source's order */
	size_t n, cap;
	size_t bytes; /* of BSON in records */
	struct etl_reject *rejects;
	size_t n_rejects, rejects_cap;
};

/* Gives. A reset keeps one block. */
struct etl_batch *etl_batch_new(void);
void etl_batch_free(struct etl_batch *batch); /* NULL is fine */
void etl_batch_reset(struct etl_batch *batch); /* empty again, memory kept */

bool etl_batch_is_full(const struct etl_batch *batch);

/* Bytes in use, with the lists; what of a block was never touched costs nothing. */
size_t etl_batch_held(const struct etl_batch *batch);

/* Adds a record whose bytes are already in the batch's arena (not copied). */
struct etl_record *etl_batch_add(struct etl_batch *batch, const uint8_t *bson, uint32_t len,
	etl_wall time, uint64_t position);

/* Adds a copy of any BSON document. */
struct etl_record *etl_batch_add_copy(struct etl_batch *batch, const bson_t *doc, etl_wall time,
	uint64_t position);

/* Adds a reject; texts and raw bytes are copied (raw is cut). The message is masked. */
void etl_batch_reject(struct etl_batch *batch, const struct etl_reject *reject);

/* Rejects record `i` with its BSON as raw bytes and marks it removed (len = 0). After the
 * walk over the batch call etl_batch_compact once. */
void etl_batch_reject_record(struct etl_batch *batch, size_t i, const char *step,
	const char *rule, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* A further rule that the newest reject breaks; texts are copied. Beyond ETL_ALSO_MAX nothing is
 * kept. */
void etl_batch_reject_also(struct etl_batch *batch, const char *rule, const char *path,
	const char *message);

/* Marks record `i` removed without a reject (filters). */
void etl_batch_remove(struct etl_batch *batch, size_t i);

/* Closes the holes left by removed records; order stays. Recounts n and bytes. */
void etl_batch_compact(struct etl_batch *batch);

/* A read-only bson_t over a record's bytes (no copy). */
static inline bool etl_record_bson(const struct etl_record *record, bson_t *out)
{
	return bson_init_static(out, record->bson, record->len);
}

#endif
