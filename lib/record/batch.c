/* SPDX-License-Identifier: MIT
 *
 * The batch: two plain arrays (records, rejects) over one arena. Here is no decoding and no
 * judgement; a reject's text is only made fit for a journal line.
 *
 * One record's way through a batch: added (its bytes in the arena), perhaps replaced by a transform
 * (other bytes, same arena), perhaps refused (len = 0, a reject with the old bytes), and at the end
 * of the step the holes are closed. Nothing is freed before the batch is reset: a reject may
 * point to bytes that a record had, without a copy.
 */
#include "record/batch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "record/encode_json.h"

/* Batches wait in memory by the dozen, each full at 1,000 records, whatever their size: blocks
 * are so small that what one reserves and what it holds stay near each other.
 * 400 bytes are one long line of a journal: a message has to be read, the value itself
 * is in `raw`. */
enum { BLOCK_BYTES = 256 * 1024, MESSAGE_MAX = 400 };

struct etl_batch *etl_batch_new(void)
{
	struct etl_batch *batch = ETL_NEW(struct etl_batch);

	batch->arena = etl_arena_new(BLOCK_BYTES);
	return batch;
}

void etl_batch_free(struct etl_batch *batch)
{
	if (!batch)
		return;
	etl_arena_free(batch->arena);
	free(batch->records);
	free(batch->rejects);
	free(batch);
}

/* The lists keep their memory: the next batch of the run is about as long. */
void etl_batch_reset(struct etl_batch *batch)
{
	etl_arena_reset(batch->arena);
	batch->n = 0;
	batch->bytes = 0;
	batch->n_rejects = 0;
}

bool etl_batch_is_full(const struct etl_batch *batch)
{
	return batch->n >= ETL_BATCH_RECORDS || batch->bytes >= ETL_BATCH_BYTES;
}

/* By what is used and not by what is reserved: a batch whose block of 256 KiB holds one
 * record of 200 bytes counts for what it has, else ten thin batches would pass for a
 * run that needs megabytes. */
size_t etl_batch_held(const struct etl_batch *batch)
{
	return etl_arena_used(batch->arena) + batch->cap * sizeof *batch->records +
		batch->rejects_cap * sizeof *batch->rejects;
}

struct etl_record *etl_batch_add(struct etl_batch *batch, const uint8_t *bson, uint32_t len,
	etl_wall time, uint64_t position)
{
	struct etl_record *record;

	ETL_GROW(batch->records, batch->n, batch->cap);
	record = &batch->records[batch->n++];
	record->bson = bson;
	record->len = len;
	record->position = position;
	record->time = time;
	batch->bytes += len;
	return record;
}

/* For documents that lie elsewhere: a driver's answer, a builder's memory. */
struct etl_record *etl_batch_add_copy(struct etl_batch *batch, const bson_t *doc, etl_wall time,
	uint64_t position)
{
	uint8_t *copy = etl_arena_alloc(batch->arena, doc->len);

	memcpy(copy, bson_get_data(doc), doc->len);
	return etl_batch_add(batch, copy, doc->len, time, position);
}

/* A copy of at most `max` bytes without what could deceive a reader.
 * Cut before it is masked: masking makes text only shorter, so `max` holds afterwards
 * too. */
static char *copy_masked(struct etl_arena *arena, const char *text, size_t max)
{
	size_t len = text ? strlen(text) : 0;
	char *copy;

	if (len > max)
		len = etl_utf8_cut(text, max);
	copy = etl_arena_memdup0(arena, text ? text : "", len);
	etl_text_mask(copy);
	return copy;
}

static struct etl_reject *next_reject(struct etl_batch *batch)
{
	ETL_GROW(batch->rejects, batch->n_rejects, batch->rejects_cap);
	return &batch->rejects[batch->n_rejects++];
}

/* Steps and rules are words of ours; paths and messages may quote what a source sent. */
static void keep_texts(struct etl_batch *batch, struct etl_reject *to, const char *step,
	const char *rule, const char *path, const char *message)
{
	to->step = etl_arena_strdup(batch->arena, step ? step : "");
	to->rule = etl_arena_strdup(batch->arena, rule ? rule : "");
	to->path = copy_masked(batch->arena, path, MESSAGE_MAX);
	to->message = copy_masked(batch->arena, message, MESSAGE_MAX);
}

/* Half a document is no BSON: one over the cap is kept as the beginning of its JSON. */
static void keep_long_bson(struct etl_arena *arena, struct etl_reject *to, const uint8_t *bson,
	uint32_t len)
{
	ETL_BUF_CLEANUP struct etl_buf text;

	etl_buf_init(&text, ETL_DOCUMENT_BYTES_MAX);
	/* The buffer may take a whole document, since its JSON is cut only when its
	 * length is known. */
	etl_json_encode(bson, len, 0, &text);
	to->raw_len = (uint32_t)(text.len > ETL_REJECT_RAW_MAX ?
			etl_utf8_cut(text.data, ETL_REJECT_RAW_MAX) :
			text.len);
	to->raw = (const uint8_t *)etl_arena_memdup0(arena, etl_buf_text(&text), to->raw_len);
	to->raw_is_bson = false;
	to->raw_cut = to->raw_len < text.len;
}

/* For records that never became BSON: what is kept is the text as it came. */
void etl_batch_reject(struct etl_batch *batch, const struct etl_reject *reject)
{
	struct etl_reject *to = next_reject(batch);

	*to = *reject;
	to->also = NULL;
	to->n_also = 0;
	keep_texts(batch, to, reject->step, reject->rule, reject->path, reject->message);
	if (reject->raw_is_bson && reject->raw_len > ETL_REJECT_RAW_MAX) {
		keep_long_bson(batch->arena, to, reject->raw, reject->raw_len);
		return;
	}
	if (to->raw_len > ETL_REJECT_RAW_MAX) {
		to->raw_len = ETL_REJECT_RAW_MAX;
		to->raw_cut = true;
	}
	to->raw = (const uint8_t *)etl_arena_memdup0(batch->arena, reject->raw, to->raw_len);
}

void etl_batch_reject_record(struct etl_batch *batch, size_t i, const char *step,
	const char *rule, const char *path, const char *fmt, ...)
{
	struct etl_record *record = &batch->records[i];
	struct etl_reject *to = next_reject(batch);
	char message[MESSAGE_MAX + 1];
	va_list ap;

	assert(i < batch->n && record->len);
	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	keep_texts(batch, to, step, rule, path, message);
	to->position = record->position;
	to->time = record->time;
	to->also = NULL;
	to->n_also = 0;
	if (record->len > ETL_REJECT_RAW_MAX) {
		keep_long_bson(batch->arena, to, record->bson, record->len);
	} else {
		/* Not copied: it stays until the batch is reset, and the reject does
		 * not outlive that. */
		to->raw = record->bson; /* already in the arena */
		to->raw_len = record->len;
		to->raw_is_bson = true;
		to->raw_cut = false;
	}
	record->len = 0;
}

/* Room for all eight at once: a second rule is rare, so the first one pays for those
 * behind it. */
void etl_batch_reject_also(struct etl_batch *batch, const char *rule, const char *path,
	const char *message)
{
	struct etl_reject *to = &batch->rejects[batch->n_rejects - 1];

	assert(batch->n_rejects);
	if (!to->also)
		to->also = etl_arena_alloc(batch->arena, ETL_ALSO_MAX * sizeof *to->also);
	if (to->n_also == ETL_ALSO_MAX)
		return;
	to->also[to->n_also++] = (struct etl_violation){
		etl_arena_strdup(batch->arena, rule),
		copy_masked(batch->arena, path, MESSAGE_MAX),
		copy_masked(batch->arena, message, MESSAGE_MAX),
	};
}

void etl_batch_remove(struct etl_batch *batch, size_t i)
{
	assert(i < batch->n);
	batch->records[i].len = 0;
}

/* len:  90 0 70 0 40  ->  90 70 40. Positions stay what they were in the answer: 0, 2, 4. */
void etl_batch_compact(struct etl_batch *batch)
{
	size_t kept = 0;

	batch->bytes = 0;
	for (size_t i = 0; i < batch->n; i++) {
		if (!batch->records[i].len)
			continue;
		batch->bytes += batch->records[i].len;
		if (kept != i)
			batch->records[kept] = batch->records[i];
		kept++;
	}
	batch->n = kept;
}
