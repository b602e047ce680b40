/* SPDX-License-Identifier: MIT
 *
 * Ways into a document. A name that starts with "/" is a JSON Pointer (RFC 6901) with one
 * addition: the token "*" stands for each member or element. Every other name is a literal
 * top-level key, dots and all ("PM2.5"). A compiled path is immutable; any thread.
 */
#ifndef ETL_RECORD_PATH_H
#define ETL_RECORD_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "record/doc.h"

#define ETL_PATH_TOKENS_MAX 64

struct etl_path_token {
	const char *name; /* unescaped; may be "" */
	uint32_t len;
	bool any;      /* "*" */
	int64_t index; /* as an array index: no sign, no leading zero; else -1 */
};

struct etl_path {
	const char *text; /* as it was written */
	size_t n;	  /* 0 = the document itself */
	const struct etl_path_token *tokens;
	bool has_any;
};

/* A JSON Pointer: "" or "/...". 0, or -1 and ETL_CONFIG. All memory in the arena. */
int etl_path_compile_pointer(const char *text, struct etl_arena *arena, struct etl_path *out,
	struct etl_error *err);

/* A field: a pointer if it starts with "/", else one literal name. */
int etl_path_compile(const char *field, struct etl_arena *arena, struct etl_path *out,
	struct etl_error *err);

bool etl_path_token_is_key(const struct etl_path_token *token, const char *key, size_t len);
bool etl_path_token_is_index(const struct etl_path_token *token, uint64_t index);

/* The first element it leads to; false if there is none. The path "" has no element. */
bool etl_path_find(const struct etl_path *path, const uint8_t *bson, uint32_t len,
	struct etl_element *out);

/* Calls `each` for every element it leads to, in the document's order, until that returns
 * false. Gives the number of calls. */
size_t etl_path_each(const struct etl_path *path, const uint8_t *bson, uint32_t len,
	bool (*each)(const struct etl_element *e, void *context), void *context);

#endif
