/* SPDX-License-Identifier: MIT
 *
 * The decoder's inside, shared by decode_json.c (records, batches) and json_frame.c (the
 * answer around them). Nobody else includes this.
 *
 * The frame reader is a strict JSON reader that goes byte for byte, remembers where it is by
 * a stack, and matches JSON Pointers on the way. At a record it stops and hands over.
 */
#ifndef ETL_RECORD_JSON_FRAME_H
#define ETL_RECORD_JSON_FRAME_H

#include "base/buf.h"
#include "record/decode_json.h"
#include "record/json_record.h"
#include "record/json_scan.h"
#include "record/path.h"

enum {
	ETL_JSON_FRAME_DEPTH_MAX = 1000,
	ETL_JSON_TOKEN_MAX = 64 * 1024,
	ETL_JSON_NAME_BYTES = 48, /* of a name in a note, with its NUL */
	ETL_JSON_NOTE_BYTES = 256, /* of a note's text, with its NUL */
};

/* What the frame reader expects next. */
enum etl_json_state {
	ETL_JSON_AT_VALUE,
	ETL_JSON_AT_FIRST_VALUE, /* of an array: may be ']' */
	ETL_JSON_AT_KEY,
	ETL_JSON_AT_FIRST_KEY, /* of an object: may be '}' */
	ETL_JSON_IN_KEY,
	ETL_JSON_AT_COLON,
	ETL_JSON_AFTER_VALUE,
	ETL_JSON_IN_STRING,
	ETL_JSON_IN_WORD, /* a number, true, false, null */
	ETL_JSON_AT_RECORD, /* handed over: an object that is a record starts here */
	ETL_JSON_AT_END,
};

struct etl_json_level {
	uint32_t index; /* of the current element */
	bool is_array;
	bool of_records; /* its elements are the records */
	bool on_path;	 /* some pointer leads through it: its keys matter */
};

/* One pointer and how far the way to the current value agrees with it. */
struct etl_json_target {
	struct etl_path path;
	size_t matched; /* tokens, counted from the root */
	bool seen, capturing;
	size_t scope; /* attach with '*': depth of the parent that it belongs to; 0 = the answer */
};

struct etl_json_decoder {
	const struct etl_layout *spec;
	struct etl_arena *arena; /* compiled pointers */
	struct etl_error failed; /* kind is not ETL_OK: all further calls fail with it */
	struct etl_error bad_spec;
	size_t record_bytes_max, held_bytes_max;

	/* The frame. Targets: records, then attach, then expect, then what is sought. */
	struct etl_json_target *targets;
	size_t n_targets;
	struct etl_json_level *levels;
	size_t depth, levels_cap;
	enum etl_json_state state;
	bool escaped;	    /* in a string: a backslash came before */
	struct etl_buf key; /* text of the current key between its quotes */
	struct etl_buf word; /* text of the current number or word */
	const char *piece;   /* the bytes of this call, and their offset in the answer */
	uint64_t offset;
	unsigned bom;	     /* bytes of a byte order mark seen; 4 = past it */

	/* Scalars outside the records, told to who watches. */
	etl_note_fn watch;
	void *watch_ctx;
	char names[ETL_NOTE_DEPTH][ETL_JSON_NAME_BYTES];
	char note[ETL_JSON_NOTE_BYTES]; /* text of the current string */
	size_t note_len;
	bool noting;

	/* The value that is sought, told to who seeks it; NULL = nobody, and there is no such target. */
	etl_found_fn found;
	void *found_ctx;

	/* A value outside the records that is wanted, or an element that is no object. */
	bool capturing, capture_reject, captured, capture_cut;
	size_t capture_depth;
	struct etl_buf capture;

	/* Records. */
	struct etl_json_record *record;
	const struct etl_arena *record_arena; /* where it writes; NULL = to be told */
	enum { ETL_JSON_NO_RECORD, ETL_JSON_HELD_RECORD, ETL_JSON_REFUSED_RECORD } in_record;
	struct etl_json_skip skip;
	struct etl_buf text;	/* held: all of it; refused: its beginning */
	uint64_t text_offset;	/* of the record's first byte */
	uint64_t text_len;	/* bytes of the record so far */
	struct etl_json_fault fault; /* why it was refused */
	uint64_t position;
	bool records_seen;
	bool single;	 /* an object stood at a pointer without '*' */
	bool members_seen; /* something that a '*' of the pointer stands for */
	bool underscored; /* ... the current one of which has a name with a leading '_' */

	/* Attached values. */
	size_t attach_missing;
	struct etl_element *attached; /* in the order of the spec; key NULL = not seen yet */
	const uint8_t *tail;	      /* all of them as one document; NULL = none */
	uint32_t tail_len;
	struct etl_arena *attach_arena;
	struct etl_arena *scope_arena; /* values of the current parents, and the tail */
	size_t scope_first;	   /* the smallest scope but 0; 0 = there is none */
	struct etl_batch *held;	   /* records before the last attached value; NULL = none */
	/* By scope: the first record of the current parent. */
	size_t held_from[ETL_PATH_TOKENS_MAX + 1];
	struct etl_batch *out;
};

/* Reads on at `*p` until the bytes end (state is what it is), or a record begins (state
 * AT_RECORD, `*p` at its '{'). 0, or -1. */
int etl_json_frame_read(struct etl_json_decoder *d, const char **p, const char *end,
	struct etl_error *err);

/* The record that began was passed: goes on behind it. */
void etl_json_frame_value_done(struct etl_json_decoder *d);

/* At the end of the bytes: a number at the root has no other end. 0, or -1 if the document
 * is not complete. */
int etl_json_frame_finish(struct etl_json_decoder *d, struct etl_error *err);

/* Where `p`, a byte of this call's piece, lies in the answer. */
static inline uint64_t etl_json_offset(const struct etl_json_decoder *d, const char *p)
{
	return d->offset + (uint64_t)(p - d->piece);
}

/* A syntax error at byte `offset` of the answer. -1. */
int etl_json_broken(struct etl_error *err, uint64_t offset, const char *what);

/* From decode_json.c: the captured value is complete. */
int etl_json_captured(struct etl_json_decoder *d, struct etl_error *err);

/* From json_attach.c: compiles one of `attach` into its target. 0, or -1 and d->bad_spec. */
int etl_json_compile_attach(
	struct etl_json_decoder *d, const char *pointer, struct etl_json_target *t);
/* The captured text is the value of the i-th `attach`. 0, or -1. */
int etl_json_attach_value(struct etl_json_decoder *d, size_t i, struct etl_error *err);
/* Whatever will be attached is known: the held records go. */
void etl_json_release(struct etl_json_decoder *d);

/* From json_attach.c: the parent at this depth, to which some attached values belong, ends. */
void etl_json_scope_ended(struct etl_json_decoder *d, size_t scope);

/* From decode_json.c: `text` of the scalar that target `i`, an expected one, found, and whether it
 * is a `number`'s or a word's; NULL = it is no scalar. */
int etl_json_expected(struct etl_json_decoder *d, size_t i, const char *text, bool number,
	struct etl_error *err);

/* True if target `i` is the one that is sought. */
static inline bool etl_json_is_sought(const struct etl_json_decoder *d, size_t i)
{
	return d->found && i == d->n_targets - 1;
}

#endif
