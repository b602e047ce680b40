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

/* The same for the text of a field that was found right (etl_path_configure): where nothing is
 * compiled. */
bool etl_path_find_field(const char *field, const uint8_t *bson, uint32_t len,
	struct etl_element *out);

/* Calls `each` for every element it leads to, in the document's order, until that returns
 * false. Gives the number of calls. */
size_t etl_path_each(const struct etl_path *path, const uint8_t *bson, uint32_t len,
	bool (*each)(const struct etl_element *e, void *context), void *context);

/* A copy of the document, in `arena`, with what the path (without "*", not "") leads to replaced
 * by `value`, in its place; NULL takes it away. What is not there is put at the end, and
 * documents that lead there are made. `value` is lent and may lie in the document. NULL, or the
 * reason why it cannot be, static: what leads there is no document, or the end is an element
 * that its array has not, or that would leave a gap in it. */
const char *etl_path_put(const struct etl_path *path, const uint8_t *bson, uint32_t len,
	const struct etl_element *value, struct etl_arena *arena, const uint8_t **out,
	uint32_t *out_len);

/* A field's name in the configuration: a pointer without "*" if it begins with "/", else
 * literal. False, with an error at `node`, if it is neither; `what` is the plugin's name.
 * Loader's thread. */
struct etl_node;
struct etl_conf_env;
bool etl_path_configure(const char *field, const struct etl_node *node, const char *what,
	const struct etl_conf_env *env, struct etl_path *out);

#endif
