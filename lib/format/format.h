/* SPDX-License-Identifier: MIT
 *
 * The contract of a format: the bytes of one payload to records. One file, one const descriptor at
 * its end, named after the file: lib/format/format_foo.c ends with `const struct etl_format_type
 * etl_format_foo`. The build finds it by its file name; there is no list to edit.
 *
 * A format sees no network, no file and no clock, and cannot tell where its bytes come from; what
 * it gives depends on them alone, never on where they were cut. Text comes as UTF-8. Event time is
 * given to records after it. One instance serves one partition of one run, on one worker at a time.
 */
#ifndef ETL_FORMAT_FORMAT_H
#define ETL_FORMAT_FORMAT_H

#include "base/error.h"
#include "conf/option.h"
#include "record/batch.h"
#include "record/layout.h"

/* What may stand beside the format; the loader refuses the rest. */
enum {
	ETL_FORMAT_RECORDS = 1, /* `records`, `null_records`: a pointer to where they are */
	ETL_FORMAT_ATTACH = 2,	/* `attach` */
	ETL_FORMAT_EXPECT = 4,	/* `expect` */
	ETL_FORMAT_TEXT = 8,	/* `charset`: its payload is text */
};

/* What an instance may use besides its options. Lent until close. */
struct etl_format_env {
	const struct etl_layout *layout; /* of a format with ETL_FORMAT_RECORDS */
	size_t memory_max; /* bytes that it may hold at once; 0 = no limit but its own */
	etl_note_fn note; /* who is told of scalars outside of the records; NULL = nobody */
	void *note_ctx;
};

struct etl_format_type {
	const char *name;    /* the word under `format`: "json" */
	const char *title;   /* as a person says it, in "the answer is not JSON" */
	const char *media;   /* its media type, which a web service is asked for; never NULL */
	const char *summary; /* one line for the manual */
	unsigned takes;	     /* of ETL_FORMAT_* */
	const struct etl_option *options;
	size_t options_size; /* of the struct that the table fills */
	size_t size;	     /* of an instance; zeroed before open */

	/* After the table filled `options`: cross-checks. Adds to env->diag. NULL = none. */
	void (*check)(void *options, const struct etl_node *node, const struct etl_conf_env *env);

	/* False if no payload of this format begins so. `text` is behind a byte order mark and white
	 * space, `len` at least 1. NULL = it may begin with anything. */
	bool (*begins)(const char *text, size_t len);

	/* True if a payload without a byte is one without records. NULL = it is none at all. */
	bool (*may_be_empty)(const void *options);

	int (*open)(void *self, const void *options, const struct etl_format_env *env,
		struct etl_error *err);

	/* `fn` is told of the value at `pointer`, outside of the records, in each payload that has it.
	 * Once, before the first payload; `pointer` is lent. NULL = it has no such places. */
	void (*seek)(void *self, const char *pointer, etl_found_fn fn, void *ctx);

	/* The first byte of a payload comes next; what is left of another is forgotten. */
	void (*begin)(void *self);
	/* Takes `len` bytes; adds finished records (time = ETL_NO_TIME) and rejects to `out`, which
	 * may grow past "full" by what one piece holds. -1 (ETL_DATA, ETL_LIMIT) when the payload as
	 * a whole is broken; all further calls then fail alike until the next begin. */
	int (*decode)(void *self, const char *bytes, size_t len, struct etl_batch *out,
		struct etl_error *err);
	/* The payload's bytes ended: 0 only if it proves to be whole. Gives what was held back. */
	int (*end)(void *self, struct etl_batch *out, struct etl_error *err);

	/* True if a single object stood where a list of records is due: a record only if it looks
	 * like one. NULL = it has no such place. */
	bool (*lone)(const void *self);

	/* Bytes that it holds of records which it has not given yet. NULL = hardly any. */
	size_t (*held)(const void *self);

	void (*close)(void *self); /* always called once after open, also when open failed */
};

/* All formats of this build, NULL-terminated, sorted by name (generated). */
extern const struct etl_format_type *const etl_formats[];
const struct etl_format_type *etl_format_find(const char *name);

#endif
