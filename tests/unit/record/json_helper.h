/* SPDX-License-Identifier: MIT
 *
 * One answer through the decoder, in pieces, told as text: records as hexadecimal BSON,
 * rejects with path, message and raw bytes, and the error. Equal texts = equal behaviour.
 */
#ifndef TEST_JSON_HELPER_H
#define TEST_JSON_HELPER_H

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "record/decode_json.h"
#include "record/encode_json.h"

/* Feeds an exactly sized copy, so that a sanitizer sees a read beyond the piece. */
static inline int feed_exact(struct etl_json_decoder *d, const char *p, size_t len,
	struct etl_batch *out, struct etl_error *err)
{
	char *copy = malloc(len ? len : 1);
	int rc;

	if (len)
		memcpy(copy, p, len);
	rc = etl_json_decoder_feed(d, copy, len, out, err);
	free(copy);
	return rc;
}

static inline void tell_batch(struct etl_batch *batch, bool as_json, struct etl_buf *records,
	struct etl_buf *rejects)
{
	for (size_t i = 0; i < batch->n; i++) {
		const struct etl_record *r = &batch->records[i];

		etl_buf_printf(records, "%llu ", (unsigned long long)r->position);
		for (uint32_t k = 0; !as_json && k < r->len; k++)
			etl_buf_printf(records, "%02x", r->bson[k]);
		if (as_json)
			etl_json_encode(r->bson, r->len, 0, records);
		etl_buf_char(records, '\n');
	}
	for (size_t i = 0; i < batch->n_rejects; i++) {
		const struct etl_reject *r = &batch->rejects[i];

		etl_buf_printf(rejects, "%llu reject %s: %s: ", (unsigned long long)r->position,
			r->path, r->message);
		etl_buf_append(rejects, r->raw, r->raw_len);
		etl_buf_char(rejects, '\n');
	}
	etl_batch_reset(batch);
}

/* Pieces: `first` bytes, then `step` bytes each (0 = all the rest). Heap text. */
static inline char *decode_told(const struct etl_layout *spec, const char *text, size_t len,
	size_t first, size_t step, bool as_json)
{
	struct etl_json_decoder *d = etl_json_decoder_new(spec);
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_buf records, rejects;
	size_t at = 0;
	int rc = 0;

	etl_buf_init(&records, 256 << 20);
	etl_buf_init(&rejects, 256 << 20);
	for (size_t n = first; rc == 0 && at < len; n = step ? step : len) {
		n = n > len - at ? len - at : n;
		rc = feed_exact(d, text + at, n, batch, &err);
		at += n;
		tell_batch(batch, as_json, &records, &rejects);
	}
	if (rc == 0)
		rc = etl_json_decoder_finish(d, batch, &err);
	tell_batch(batch, as_json, &records, &rejects);
	etl_buf_append(&records, etl_buf_text(&rejects), rejects.len);
	if (rc != 0)
		etl_buf_printf(&records, "error %s: %s\n", err.code, err.message);
	etl_batch_free(batch);
	etl_json_decoder_free(d);
	etl_buf_fini(&rejects);
	return etl_buf_take(&records);
}

#endif
