/* SPDX-License-Identifier: MIT
 *
 * Where the records lie in a payload that is a tree, and what is read beside them: JSON Pointers
 * (record/path.h), the same for each format that has members. All of it is lent.
 */
#ifndef ETL_RECORD_LAYOUT_H
#define ETL_RECORD_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

/* A value outside the records that is put into each record under `name`. */
struct etl_attach {
	const char *name;
	const char *pointer; /* RFC 6901 */
};

/* A condition on a scalar outside the records; the payload fails (ETL_DATA) without it. */
struct etl_expect {
	const char *pointer;
	const char *equals; /* a number by its value, a word as JSON writes it, a string's text;
			     * NULL = it has only to exist */
};

struct etl_layout {
	const char *records; /* JSON Pointer; "" = the document; the token "*" = each member */
	const struct etl_attach *attach;
	size_t n_attach;
	const struct etl_expect *expect;
	size_t n_expect;
	unsigned depth_max;	  /* nesting inside a record; 0 = 64 */
	size_t record_bytes_max;  /* text of one record; 0 = ETL_DOCUMENT_BYTES_MAX */
	size_t held_bytes_max;	  /* of records that wait for all of `attach`; 0 = 32 MiB */
	bool null_is_empty; /* null where the list of records is due says that there are none */
};

/* A scalar outside of the records, told while the payload is read: what a service says of
 * errors and of further pages. */
#define ETL_NOTE_DEPTH 4
struct etl_note {
	size_t depth;	   /* names that lead to it, 1 to ETL_NOTE_DEPTH */
	const char *names[ETL_NOTE_DEPTH]; /* "" = an element of an array; cut at 47 bytes */
	size_t on_way; /* so many of them stand in what some pointer leads through */
	const char *text;  /* a string as it is written between its quotes, else the word; cut */
	bool is_string;
};
typedef void (*etl_note_fn)(void *ctx, const struct etl_note *note);

/* The value that a pointer outside of the records leads to, whole: what leads to the next page. */
#define ETL_FOUND_BYTES_MAX 4096
struct etl_found {
	const char *text; /* what a string means, or a word or number as it is written; NUL behind it */
	size_t len;	  /* at most ETL_FOUND_BYTES_MAX */
	bool is_string;
	bool is_scalar; /* false: an object or an array, `text` is "" */
	bool is_cut;	/* it is longer than may be: `text` is "" */
};
typedef void (*etl_found_fn)(void *ctx, const struct etl_found *found);

#endif
