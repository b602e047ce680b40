/* SPDX-License-Identifier: MIT
 *
 * json: one document (RFC 8259), its records where a JSON Pointer leads, by the streaming decoder
 * of lib/record. The end of the document is the proof that it is whole.
 *
 * {"data": [{"t": 1}, {"t": 2}]} with records: /data gives two records. Cut after the
 * first one the payload fails at its end: what was seen may be loaded only if the
 * bracket closed.
 */
#include "format/format.h"
#include "record/decode_json.h"

struct json {
	struct etl_json_decoder *decoder;
};

static const struct etl_option options[] = {{0}};

static int open_json(void *self, const void *opts, const struct etl_format_env *env,
	struct etl_error *err)
{
	struct json *json = self;

	(void)opts, (void)err;
	json->decoder = etl_json_decoder_new(env->layout);
	/* What waits for values to attach counts into the strand's memory. */
	etl_json_decoder_bound(json->decoder, env->memory_max);
	if (env->note)
		etl_json_decoder_watch(json->decoder, env->note, env->note_ctx);
	return 0;
}

static void seek(void *self, const char *pointer, etl_found_fn fn, void *ctx)
{
	etl_json_decoder_seek(((struct json *)self)->decoder, pointer, fn, ctx);
}

static void begin(void *self)
{
	etl_json_decoder_reset(((struct json *)self)->decoder);
}

static int decode(void *self, const char *bytes, size_t len, struct etl_batch *out,
	struct etl_error *err)
{
	return etl_json_decoder_feed(((struct json *)self)->decoder, bytes, len, out, err);
}

static int end(void *self, struct etl_batch *out, struct etl_error *err)
{
	return etl_json_decoder_finish(((struct json *)self)->decoder, out, err);
}

static bool lone(const void *self)
{
	return etl_json_decoder_is_single(((const struct json *)self)->decoder);
}

/* Records that wait for a value to attach count as well. */
static size_t held(const void *self)
{
	return etl_json_decoder_held(((const struct json *)self)->decoder);
}

static void close_json(void *self)
{
	etl_json_decoder_free(((struct json *)self)->decoder);
}

const struct etl_format_type etl_format_json = {
	.name = "json",
	.title = "JSON",
	.media = "application/json",
	.summary = "one JSON document, its records where `records` leads",
	.takes = ETL_FORMAT_RECORDS | ETL_FORMAT_ATTACH | ETL_FORMAT_EXPECT | ETL_FORMAT_TEXT,
	.options = options,
	.size = sizeof(struct json),
	.begins = etl_json_begins,
	.open = open_json,
	.seek = seek,
	.begin = begin,
	.decode = decode,
	.end = end,
	.lone = lone,
	.held = held,
	.close = close_json,
};
