/* SPDX-License-Identifier: MIT
 *
 * The stages between payload and records, the same for each source: charset, format, reshape, event
 * time. A source gives the bytes of its payloads (or documents, if it has them) and gets records;
 * what it has to know of a payload it is told while that is decoded (struct etl_decode_watch).
 * Sees no network, file or clock. The spec is immutable; the rest belongs to one worker at a time.
 */
#ifndef ETL_FORMAT_DECODE_H
#define ETL_FORMAT_DECODE_H

#include "conf/option.h"
#include "format/format.h"
#include "record/event_time.h"
#include "reshape/reshape.h"

/* ---- as configured: what stands beside the source under `extract` ---- */

struct etl_reshape_stage {
	const struct etl_reshape_type *type;
	void *options;
};

struct etl_decode_spec {
	const struct etl_format_type *format; /* NULL: the source gives documents */
	void *format_options;
	struct etl_layout layout;
	const char *charset; /* of payloads that are text; NULL = as the source says */
	struct etl_reshape_stage *reshape;
	size_t n_reshape;
	struct etl_event_time_options time_text;
	const struct etl_event_time *time; /* NULL = records have no event time */
};

/* The keys: format, records, null_records, attach, expect, charset, reshape, time. */
extern const struct etl_option etl_decode_option_table[];

/* Takes those keys out of `map` and puts them into `beside`, a mapping; gives the rest of it. Keys
 * that `own` (NULL = no) has a row for stay. A key that `beside` has already is an error. This is how
 * keys within the source's mapping, where they were once, are understood. */
const struct etl_node *etl_decode_split(const struct etl_node *map, const struct etl_option *own,
	struct etl_node *beside, const struct etl_conf_env *env);

/* Never NULL, in env->arena; what is wrong is in env->diag. `documents`: the source gives no
 * payloads. Loader's thread. */
const struct etl_decode_spec *etl_decode_load(const struct etl_node *beside, bool documents,
	const struct etl_conf_env *env);

/* What it makes of a payload, in canonical form (conf/canon.h). */
struct etl_canon;
void etl_decode_canon(const struct etl_decode_spec *spec, struct etl_canon *to);

/* How far stamps lie behind the times of their records: time.interval with `label: end`, else 0. */
etl_dur etl_decode_label(const struct etl_decode_spec *spec);

/* ---- while a run goes on ---- */

/* What a source wants to know of its payload. A member may be NULL. */
struct etl_decode_watch {
	void *ctx;
	/* A piece of the payload as UTF-8, before the format sees it. 1 = go on, 0 = the format shall
	 * not have it, -1 = the payload is refused. */
	int (*text)(void *ctx, const char *text, size_t len, struct etl_error *err);
	/* A scalar outside of the records. */
	etl_note_fn note;
	/* A lone object where a list of records is due: 0, or -1 if it is no record. */
	int (*lone)(void *ctx, const struct etl_record *record, struct etl_error *err);
	/* Records from `from` and rejects from `from_rejects` on are as the format gave them. */
	void (*given)(void *ctx, const struct etl_batch *batch, size_t from, size_t from_rejects);
	/* The value at `sought`, a JSON Pointer that leads outside of the records: only of a format
	 * with `seek`. NULL = nothing is sought. */
	const char *sought;
	etl_found_fn found;
};

struct etl_decode;

/* Gives; `*out` is filled also on failure, then good only for its end. The spec is lent.
 * `memory_max`: bytes that it may hold at once; 0 = no limit. */
int etl_decode_new(const struct etl_decode_spec *spec, size_t memory_max, struct etl_decode **out,
	struct etl_error *err);
void etl_decode_free(struct etl_decode *decode); /* NULL is fine */
const struct etl_decode_spec *etl_decode_spec_of(const struct etl_decode *decode);

/* `watch` is lent. Once, before the first payload. */
void etl_decode_set_watch(struct etl_decode *decode, const struct etl_decode_watch *watch);

/* Another payload, or another span of documents, begins. `charset`: what the payload says of itself,
 * NULL = nothing; the configured one goes before it. -1 for one that is not known. */
int etl_decode_begin(struct etl_decode *decode, const char *charset, struct etl_error *err);

/* The same for the next page of what the last payload began: numbers of records and the order of event
 * times go on. */
int etl_decode_continue(struct etl_decode *decode, const char *charset, struct etl_error *err);

/* A piece of the payload, of any size; its records with their event time, and rejects, go to `out`. -1
 * (ETL_DATA, ETL_LIMIT) when the payload as a whole is broken. What stages of reshape make of it comes as
 * long as `out` has room: the rest waits. */
int etl_decode_feed(struct etl_decode *decode, const char *bytes, size_t len,
	struct etl_batch *out, struct etl_error *err);

/* The payload's bytes ended: 0 only if the format proves that it was whole. Of a source of documents: the
 * span's end. */
int etl_decode_end(struct etl_decode *decode, struct etl_batch *out, struct etl_error *err);

/* Documents that the source put into `out` from index `from` on become records. 0, or -1. */
int etl_decode_documents(struct etl_decode *decode, struct etl_batch *out, size_t from,
	struct etl_error *err);

/* There is no further payload: what stages held back of all of them comes. 0, or -1 (ETL_BUG, here or by
 * etl_decode_more, if a stage has lost a record without a word). */
int etl_decode_finish(struct etl_decode *decode, struct etl_batch *out, struct etl_error *err);

/* True if something waits for room: then etl_decode_more, with a batch that has some, comes before all
 * else. Without stages of reshape it is never true. */
bool etl_decode_waits(const struct etl_decode *decode);
int etl_decode_more(struct etl_decode *decode, struct etl_batch *out, struct etl_error *err);

/* What reshape did so far, of all payloads: `unfolded` records were made in addition to those that the
 * format gave, `folded` of these went without a reject. Records and rejects that came out are those that
 * the format gave and the unfolded less the folded, once nothing waits. */
struct etl_decode_shaped {
	uint64_t unfolded, folded;
};
struct etl_decode_shaped etl_decode_shaped(const struct etl_decode *decode);

/* Records and rejects that the format gave of this payload. */
uint64_t etl_decode_records(const struct etl_decode *decode);

/* Bytes that it holds of records which it has not given yet. */
size_t etl_decode_held(const struct etl_decode *decode);

#endif
