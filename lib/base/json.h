/* SPDX-License-Identifier: MIT
 *
 * JSON trees for control messages, configuration-sized answers and status documents: a thin
 * face over cJSON, which no other file includes. Not for data: records are decoded by
 * lib/record without a tree. Objects keep the order of their keys.
 *
 * Parsing is strict (RFC 8259 to the letter, UTF-8 checked, no duplicate keys, no NUL in
 * text, bounded size and depth), whatever cJSON itself would let pass. LC_NUMERIC must be
 * "C", as it is unless a program changes it. Any thread; a tree belongs to one.
 */
#ifndef ETL_BASE_JSON_H
#define ETL_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

struct etl_json;

enum etl_json_type {
	ETL_JSON_NONE, /* of NULL: there is no such member */
	ETL_JSON_NULL,
	ETL_JSON_BOOL,
	ETL_JSON_NUMBER,
	ETL_JSON_TEXT,
	ETL_JSON_ARRAY,
	ETL_JSON_OBJECT,
};

#define ETL_JSON_DEPTH_MAX 32
#define ETL_JSON_INT_MAX INT64_C(9007199254740991) /* 2^53 - 1, RFC 8259 section 6 */

/* The whole of text[0..len) is one JSON value. NULL with ETL_DATA (codes "json.syntax",
 * "json.utf8", "json.duplicate_key", "json.number") or ETL_LIMIT ("json.size",
 * "json.depth", "json.number" for one of over 63 bytes); messages name the byte offset.
 * Gives the tree. */
struct etl_json *etl_json_parse(const char *text, size_t len, size_t max_bytes,
	struct etl_error *err);

/* The grammar alone, without building anything (what etl_json_parse asks first). 0 or -1. */
int etl_json_check(const char *text, size_t len, struct etl_error *err);

void etl_json_free(struct etl_json *json); /* NULL is fine */
ETL_DEFINE_CLEANUP(struct etl_json *, etl_json_free)

/* The whole tree; NULL in, NULL out. Gives. */
struct etl_json *etl_json_copy(const struct etl_json *json);

/* ---- reading; NULL stands for "no such value" and is welcome everywhere ---- */

enum etl_json_type etl_json_type(const struct etl_json *json);
/* "text", "an object" ...: what a message says after "is not". Static. */
const char *etl_json_type_name(enum etl_json_type type);

/* The member of an object, or NULL (also when `json` is no object). Lent. */
const struct etl_json *etl_json_get(const struct etl_json *json, const char *key);

/* The value itself, or `or_else` if it has another type. Text is lent. An integer is exact:
 * numbers with a fraction or beyond 2^53 - 1 give `or_else`; decimal text is taken too,
 * because that is how etl_json_add_int writes larger ones. */
const char *etl_json_as_text(const struct etl_json *json, const char *or_else);
int64_t etl_json_as_int(const struct etl_json *json, int64_t or_else);
double etl_json_as_double(const struct etl_json *json, double or_else);
bool etl_json_as_bool(const struct etl_json *json, bool or_else);

/* The same of a member. */
const char *etl_json_text(const struct etl_json *json, const char *key, const char *or_else);
int64_t etl_json_int(const struct etl_json *json, const char *key, int64_t or_else);
double etl_json_double(const struct etl_json *json, const char *key, double or_else);
bool etl_json_bool(const struct etl_json *json, const char *key, bool or_else);

/* Elements of an array or members of an object, in order. etl_json_item is O(index). */
size_t etl_json_size(const struct etl_json *json);
const struct etl_json *etl_json_item(const struct etl_json *json, size_t index);
const struct etl_json *etl_json_first(const struct etl_json *json);
const struct etl_json *etl_json_next(const struct etl_json *item);
const char *etl_json_key(const struct etl_json *item); /* of an object's member; else NULL */

#define ETL_JSON_EACH(item, container)                                                          \
	for (const struct etl_json *item = etl_json_first(container); item;                     \
		item = etl_json_next(item))

/* ---- building; `key` is NULL to append to an array, else new in that object ---- */

struct etl_json *etl_json_object(void);
struct etl_json *etl_json_array(void);

/* These append to `to` and keep it valid; text is copied (NULL becomes null, bytes that are
 * no UTF-8 become U+FFFD when printed); a double that is not finite becomes null; an integer
 * beyond +-(2^53 - 1) becomes decimal text. */
void etl_json_add_text(struct etl_json *to, const char *key, const char *text);
void etl_json_add_int(struct etl_json *to, const char *key, int64_t v);
void etl_json_add_double(struct etl_json *to, const char *key, double v);
void etl_json_add_bool(struct etl_json *to, const char *key, bool v);
void etl_json_add_null(struct etl_json *to, const char *key);
void etl_json_add_item(struct etl_json *to, const char *key, struct etl_json *item); /* takes */
/* These lend the child: it belongs to `to`. */
struct etl_json *etl_json_add_object(struct etl_json *to, const char *key);
struct etl_json *etl_json_add_array(struct etl_json *to, const char *key);

/* Takes a text that etl_json_print made (or several, with commas and brackets): it is printed
 * as it is, and reads as null here. For what is too large to be kept as a tree. */
void etl_json_add_printed(struct etl_json *to, const char *key, struct etl_buf *text);

/* Takes a member out of its object and gives it; NULL if there is none. */
struct etl_json *etl_json_detach(struct etl_json *json, const char *key);

/* ---- printing; false when the buffer's cap was reached ---- */

/* On one line without blanks; indented by two. What could deceive a reader at a terminal
 * (etl_text_mask) is written as \u..., which a parser reads as the same text. */
bool etl_json_print(const struct etl_json *json, struct etl_buf *out);
bool etl_json_print_pretty(const struct etl_json *json, struct etl_buf *out);

#endif
