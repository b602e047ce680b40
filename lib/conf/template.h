/* SPDX-License-Identifier: MIT
 *
 * Text with variables in braces: {station} (a partition's value), {window.start:%Y%m%d-%H%M},
 * {window.end}, {run_id}, of a job with objects {object.name}, {object.basename} and {object.mtime};
 * `{{` and `}}` stand for braces. Without a format an instant is written as RFC 3339 in UTC
 * (2026-11-22T15:00:00Z), with one in the zone of the windows. Parsed and checked when configuration
 * is loaded, rendered for each request.
 */
#ifndef ETL_CONF_TEMPLATE_H
#define ETL_CONF_TEMPLATE_H

#include "base/buf.h"
#include "base/error.h"
#include "conf/node.h"
#include "conf/option.h"
#include "time/object.h"
#include "time/window.h"

struct etl_template;

/* The values of the variables. Lent for the call. */
struct etl_vars {
	struct etl_window window;
	const char *const *partition_names;  /* NULL-terminated, as in etl_conf_env */
	const char *const *partition_values; /* same order */
	const char *run_id;
	const struct etl_object *object; /* the unit's; NULL = the job has windows, or none */
};

enum etl_escape {
	ETL_ESCAPE_NONE,
	ETL_ESCAPE_PATH,   /* RFC 3986 path segment: all but unreserved is %XX */
	ETL_ESCAPE_QUERY,  /* the same set, for keys and values of a query or a form */
	ETL_ESCAPE_HEADER, /* as it is; a control byte is an error */
	/* Inside of a JSON string (the literal text says where one is) as its characters, outside
	 * only what is a number, true, false or null: a value never makes a second member. */
	ETL_ESCAPE_JSON,
	ETL_ESCAPE_XML, /* text or an attribute's value */
};

/* NULL and an error in env->diag (at `node`) if a variable is unknown or malformed. Lives in
 * env->arena; immutable, any thread may render. */
const struct etl_template *etl_template_parse(const char *text, const struct etl_node *node,
	const struct etl_conf_env *env);

/* True if the text would be a variable between braces: "station", "window.start:%Y". */
bool etl_template_knows(const char *inside, const struct etl_conf_env *env);

/* Appends the filled text. Only the variables' values are escaped, not the literal text.
 * -1 on a value that the escape refuses or a full buffer. */
int etl_template_render(const struct etl_template *tpl, const struct etl_vars *vars,
	enum etl_escape escape, struct etl_buf *out, struct etl_error *err);

/* True if there is no variable in it; true if there is one of the window. */
bool etl_template_is_constant(const struct etl_template *tpl);
bool etl_template_has_window(const struct etl_template *tpl);

/* If the whole text is one variable of an instant ("{window.start}"), tells which:
 * documents then get a BSON date instead of text. */
enum etl_template_instant { ETL_INSTANT_NONE, ETL_INSTANT_START, ETL_INSTANT_END, ETL_INSTANT_MTIME };
enum etl_template_instant etl_template_instant(const struct etl_template *tpl);

#endif
