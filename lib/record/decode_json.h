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
#include "record/layout.h"

struct etl_json_decoder;

/* An `attach` whose pointer has a "*" belongs to the parent that this "*" of `records` stands
 * for: records at stations, '*', values with attach stations, '*', id give each record the id of
 * its own station. NULL if the pointer is such a one or has no '*'; else the reason, static. */
const char *etl_json_attach_fault(const char *records, const char *attach);

/* Whether `pointer` can lead into a record: what stands there is not looked at by `expect`.
 * False for what is no pointer. */
bool etl_json_is_inside(const char *records, const char *pointer);

/* The spec and its strings are lent and must outlive the decoder. An array at `records`
 * gives one record for each element, which must be an object (another value is a reject); an
 * object is one record. Anything else there is no list of records: the answer fails. Under a
 * last '*' each member is a record or a list of them; of a member whose name begins with '_'
 * what is no object is passed over ("_params": ["temperature"]), an object counts as others. */
struct etl_json_decoder *etl_json_decoder_new(const struct etl_layout *spec);
void etl_json_decoder_free(struct etl_json_decoder *decoder);
void etl_json_decoder_reset(struct etl_json_decoder *decoder); /* ready for the next document */

/* The same for a further document of one payload, which begins at byte `offset` of it: ordinals of
 * its records begin with `position`. */
void etl_json_decoder_next(struct etl_json_decoder *decoder, uint64_t offset, uint64_t position);

/* False if no JSON text begins so; `len` is at least 1, `text` behind white space. */
bool etl_json_begins(const char *text, size_t len);

/* Who is told of the scalars outside of the records, down to ETL_NOTE_DEPTH. */
void etl_json_decoder_watch(struct etl_json_decoder *decoder, etl_note_fn fn, void *ctx);

/* Who is told of the value at `pointer`, outside of the records, once for each document that has it.
 * Before the first feed, once. `pointer` is lent; a wrong one fails the first feed. */
void etl_json_decoder_seek(struct etl_json_decoder *decoder, const char *pointer, etl_found_fn fn,
	void *ctx);

/* The ordinal that follows the records and rejects so far (their number since a reset), and
 * whether a single object stood where the records are due. */
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
