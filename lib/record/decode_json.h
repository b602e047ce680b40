/* SPDX-License-Identifier: MIT
 *
 * Streaming JSON (RFC 8259) to records: bytes come in pieces of any size, each value at the
 * JSON Pointer becomes one BSON record in one pass, without a tree. Integers that fit 64
 * bits stay exact (int32 or int64 by size), other numbers become doubles only if that loses
 * nothing a double can hold as written (17 significant digits), else Decimal128; larger than
 * Decimal128 is a reject. Refused: invalid UTF-8, lone surrogates, NaN and Infinity, control
 * bytes, duplicate keys in a record, an empty or NUL-holding key, depth over the limit. What
 * spoils one record only rejects it; what spoils the document's frame fails the answer.
 * Extended JSON is never interpreted. No I/O; worker thread.
 */
#ifndef ETL_RECORD_DECODE_JSON_H
#define ETL_RECORD_DECODE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "record/batch.h"

/* A value outside the records that is put into each record under `name`. */
struct etl_json_attach {
	const char *name;
	const char *pointer; /* RFC 6901 */
};

/* A condition on a scalar outside the records; the answer fails (ETL_DATA) without it. */
struct etl_json_expect {
	const char *pointer;
	const char *equals; /* a number or word as JSON writes it, a string's meaning; NULL = it
			     * has only to exist */
};

struct etl_json_spec {
	const char *records; /* JSON Pointer; "" = the document; the token "*" = each member */
	const struct etl_json_attach *attach;
	size_t n_attach;
	const struct etl_json_expect *expect;
	size_t n_expect;
	unsigned depth_max;	  /* nesting inside a record; 0 = 64 */
	size_t record_bytes_max;  /* text of one record; 0 = ETL_DOCUMENT_BYTES_MAX */
	size_t held_bytes_max;	  /* of records that wait for all of `attach`; 0 = 32 MiB */
};

struct etl_json_decoder;

/* The spec and its strings are lent and must outlive the decoder. An array at `records`
 * gives one record for each element, an object one record; each must be an object (another
 * value is a reject). */
struct etl_json_decoder *etl_json_decoder_new(const struct etl_json_spec *spec);
void etl_json_decoder_free(struct etl_json_decoder *decoder);
void etl_json_decoder_reset(struct etl_json_decoder *decoder); /* ready for the next document */

/* Takes `len` bytes; adds finished records (time = ETL_NO_TIME) and rejects to `out`. The
 * batch may grow past "full" by what one piece holds. -1 with ETL_DATA or ETL_LIMIT when the
 * document as a whole is broken; the message names the byte offset. */
int etl_json_decoder_feed(struct etl_json_decoder *decoder, const char *bytes, size_t len,
	struct etl_batch *out, struct etl_error *err);

/* The end of the bytes: -1 unless the document was complete, nothing but white space
 * followed, `records` was found (an empty array is fine, an absent one is not) and every
 * `expect` held. Gives the records that were held back. */
int etl_json_decoder_finish(struct etl_json_decoder *decoder, struct etl_batch *out,
	struct etl_error *err);

/* Bytes that it holds or is about to: the text of a record that is not whole yet counts three
 * times, for its BSON and for what a transform makes of it; records that wait for `attach`. */
size_t etl_json_decoder_held(const struct etl_json_decoder *decoder);

/* Lowers the cap on records that wait for `attach`; 0 = leaves it. */
void etl_json_decoder_bound(struct etl_json_decoder *decoder, size_t held_bytes_max);

#endif
