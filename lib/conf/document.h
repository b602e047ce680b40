/* SPDX-License-Identifier: MIT
 *
 * YAML subtrees as BSON: filters, pipelines, validators, the values of `set`. A quoted
 * scalar is a string; a plain one that is exactly a JSON number, true, false or null is
 * typed (int32, int64 or double), an empty one and ~ are null, all else is a string.
 * {$date: "2024-01-31T00:00:00Z"} and {$oid: "24 hexadecimal digits"} are a date and an
 * object id. Strings are templates (conf/template.h); one that is exactly "{window.start}"
 * or "{window.end}" becomes a date. Keys are never templates. What comes from data is never
 * read as an operator: only the configuration's own keys may begin with '$'.
 */
#ifndef ETL_CONF_DOCUMENT_H
#define ETL_CONF_DOCUMENT_H

#include <bson/bson.h>

#include "conf/option.h"
#include "conf/template.h"

struct etl_document; /* a mapping or a list */
struct etl_value;    /* anything; `$` keys other than $date and $oid are refused */

/* Compiled in env->arena; immutable, any thread may render. NULL and errors in env->diag. */
const struct etl_document *etl_document_compile(const struct etl_node *node,
	const struct etl_conf_env *env);
const struct etl_value *etl_value_compile(const struct etl_node *node,
	const struct etl_conf_env *env);

bool etl_document_is_list(const struct etl_document *doc);

/* True if nothing in it depends on vars: it may be rendered once. True if something in it depends
 * on the window: it is rendered for each unit. */
bool etl_value_is_constant(const struct etl_value *value);
bool etl_value_has_window(const struct etl_value *value);

/* Appends the fields (a list's have the keys "0", "1", ...) to `out`, which the caller
 * initialised. On -1 `out` holds what came before the value that failed: throw it away. */
int etl_document_render(const struct etl_document *doc, const struct etl_vars *vars,
	bson_t *out, struct etl_error *err);

/* Appends one field. On -1 `doc` may hold a part of it if the value is no scalar. */
int etl_value_append(const struct etl_value *value, const struct etl_vars *vars, bson_t *doc,
	const char *key, struct etl_error *err);

/* At once and without templates: braces are text. For index keys, validators and the like.
 * `$` keys are refused unless allowed. -1 and errors in env->diag, `out` then untouched. */
int etl_conf_to_bson(const struct etl_node *node, bool allow_operators, bson_t *out,
	const struct etl_conf_env *env);

#endif
