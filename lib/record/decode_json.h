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
	bool null_is_empty; /* null where the list of records is due says that there are none */
};

/* A scalar outside of the records, told while the answer is read: what the service says of
 * errors and of further pages. */
#define ETL_JSON_NOTE_DEPTH 4
struct etl_json_note {
	size_t depth;	   /* names that lead to it, 1 to ETL_JSON_NOTE_DEPTH */
	const char *names[ETL_JSON_NOTE_DEPTH]; /* "" = an element of an array; cut at 47 bytes */
	size_t on_way; /* so many of them stand in what some pointer leads through */
	const char *text;  /* a string as it is written between its quotes, else the word; cut */
	bool is_string;
};
typedef void (*etl_json_note_fn)(void *ctx, const struct etl_json_note *note);

struct etl_json_decoder;

/* An `attach` whose pointer has a "*" belongs to the parent that this "*" of `records` stands
 * for: records at stations, '*', values with attach stations, '*', id give each record the id of its
 * own station. NULL if the pointer is such a one or has no '*'; else the reason, static. */
const char *etl_json_attach_fault(const char *records, const char *attach);

/* The spec and its strings are lent and must outlive the decoder. An array at `records`
 * gives one record for each element, which must be an object (another value is a reject); an
 * object is one record. Anything else there is no list of records: the answer fails. Under a
 * last '*' each member is a record or a list of them; of a member whose name begins with '_'
 * what is no object is passed over ("_params": ["temperature"]), an object counts as others. */
struct etl_json_decoder *etl_json_decoder_new(const struct etl_json_spec *spec);
void etl_json_decoder_free(struct etl_json_decoder *decoder);
void etl_json_decoder_reset(struct etl_json_decoder *decoder); /* ready for the next document */

/* Who is told of the scalars outside of the records, down to ETL_JSON_NOTE_DEPTH. */
void etl_json_decoder_watch(struct etl_json_decoder *decoder, etl_json_note_fn fn, void *ctx);

/* Since the reset: records and rejects so far, and whether a single object stood where the
 * records are due. */
uint64_t etl_json_decoder_records(const struct etl_json_decoder *decoder);
bool etl_json_decoder_is_single(const struct etl_json_decoder *decoder);

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
