/* SPDX-License-Identifier: MIT
 *
 * Compiles YAML subtrees to trees of typed values and renders them as BSON. Depth and size
 * are those of the configuration tree, which the loader capped.
 *
 * What is typed and what is text follows the quotes, as a writer of JSON expects it:
 *   {a: 1, b: "1", c: 1.0, d: true, e: "true", f: , g: 5000000000}
 *   becomes int32 1, "1", double 1.0, true, "true", null, int64 5000000000
 */
#include "conf/document.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "time/civil.h"

/* A template is a name, a path, an instant; 256 KiB is far above any of them and far
 * below the 16 MiB of a document, so one value cannot fill a pipeline by itself. */
enum { STRING_MAX = 256 * 1024 }; /* bytes of one filled template */

enum value_kind {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT32,
	VALUE_INT64,
	VALUE_DOUBLE,
	VALUE_DATE,
	VALUE_OID,
	VALUE_STRING,	/* constant */
	VALUE_TEMPLATE,
	VALUE_START,
	VALUE_END,
	VALUE_MTIME,
	VALUE_MAP,
	VALUE_LIST,
};

struct etl_value {
	enum value_kind kind;
	union {
		bool boolean;
		int64_t integer; /* INT32, INT64, DATE (milliseconds) */
		double number;
		bson_oid_t oid;
		const char *text;
		const struct etl_template *tpl;
		struct {
			size_t n;
			const char **keys; /* map */
			struct etl_value *items;
		};
	};
};

struct etl_document {
	struct etl_value value; /* MAP or LIST */
};

struct compiler {
	const struct etl_conf_env *env;
	bool operators; /* keys may begin with '$' */
	bool templates;
};

static bool compile(const struct compiler *co, const struct etl_node *node,
	struct etl_value *out);

static bool refuse(const struct compiler *co, const struct etl_node *node,
	enum etl_diag_code code, const char *hint, const char *what)
{
	etl_diag_add(co->env->diag, &node->mark, code, hint, NULL, "%s", what);
	return false;
}

/* ---- scalars ---------------------------------------------------------------------------- */


/* Whole numbers stay whole: 1 is int32, 2147483648 is int64, 1.0 and 1e3 are doubles, and what
 * passes 64 bits is refused instead of being rounded: 12345678901234567890 as a double would be
 * 12345678901234567168, and a filter on it would find other documents. */
static bool compile_number(const struct compiler *co, const struct etl_node *node, bool whole,
	struct etl_value *out)
{
	int64_t integer;

	if (whole && etl_parse_int64(node->text, &integer)) {
		out->kind = integer == (int32_t)integer ? VALUE_INT32 : VALUE_INT64;
		out->integer = integer;
		return true;
	}
	if (whole)
		return refuse(co, node, ETL_DIAG_RANGE, "quote it if it is text",
			"a whole number that is larger than 64 bits");
	if (!etl_parse_double(node->text, &out->number))
		return refuse(co, node, ETL_DIAG_RANGE, "quote it if it is text",
			"a number that is too large");
	out->kind = VALUE_DOUBLE;
	return true;
}

static bool compile_string(const struct compiler *co, const struct etl_node *node,
	struct etl_value *out)
{
	const struct etl_template *tpl;
	enum etl_template_instant instant;

	/* No brace, no template: most strings are constant and need no rendering. */
	if (!co->templates || !strpbrk(node->text, "{}")) {
		out->kind = VALUE_STRING;
		out->text = node->text;
		return true;
	}
	tpl = etl_template_parse(node->text, node, co->env);
	if (!tpl)
		return false;
	instant = etl_template_instant(tpl);
	out->kind = instant == ETL_INSTANT_START ? VALUE_START :
		    instant == ETL_INSTANT_END	 ? VALUE_END :
		    instant == ETL_INSTANT_MTIME ? VALUE_MTIME :
						   VALUE_TEMPLATE;
	out->tpl = tpl;
	return true;
}

/* A value that came out of a ${VAR} inside quotes stays text: only what was written
 * plain is typed. */
static bool compile_scalar(const struct compiler *co, const struct etl_node *node,
	struct etl_value *out)
{
	bool whole;

	if (etl_node_is_null(node)) {
		out->kind = VALUE_NULL;
		return true;
	}
	if (node->plain && (etl_streq(node->text, "true") || etl_streq(node->text, "false"))) {
		out->kind = VALUE_BOOL;
		out->boolean = *node->text == 't';
		return true;
	}
	if (node->plain && etl_is_json_number(node->text, &whole))
		return compile_number(co, node, whole, out);
	return compile_string(co, node, out);
}

/* ---- {$date: ...} and {$oid: ...} ------------------------------------------------------- */

/* {$date: "2024-01-31T00:00:00Z"} and {$date: "2024-01-31"} are dates now; {$date:
 * "{window.start}"} becomes one when a request is made. Milliseconds, as BSON keeps them. */
static bool compile_date(const struct compiler *co, const struct etl_node *text,
	struct etl_value *out)
{
	size_t len = strlen(text->text);
	etl_wall t;

	if (text->kind == ETL_NODE_SCALAR && (etl_time_parse_rfc3339(text->text, len, &t) ||
						     etl_time_parse_date(text->text, len, &t))) {
		out->kind = VALUE_DATE;
		out->integer = t.ms;
		return true;
	}
	if (co->templates && text->kind == ETL_NODE_SCALAR && compile_string(co, text, out) &&
		(out->kind == VALUE_START || out->kind == VALUE_END || out->kind == VALUE_MTIME))
		return true;
	return refuse(co, text, ETL_DIAG_TYPE, "such as \"2024-01-31T00:00:00Z\"",
		"$date takes a time with its zone, or a date");
}

static bool compile_oid(const struct compiler *co, const struct etl_node *text,
	struct etl_value *out)
{
	size_t len = strlen(text->text);

	if (text->kind != ETL_NODE_SCALAR || !bson_oid_is_valid(text->text, len))
		return refuse(co, text, ETL_DIAG_TYPE, NULL,
			"$oid takes 24 hexadecimal digits");
	out->kind = VALUE_OID;
	bson_oid_init_from_string(&out->oid, text->text);
	return true;
}

/* ---- trees ------------------------------------------------------------------------------ */

/* One wrong item does not hide the next: all are compiled, and the answer is "all were
 * good". */
static bool compile_items(const struct compiler *co, const struct etl_node *node,
	struct etl_value *out)
{
	bool good = true;

	out->n = node->n;
	out->items = etl_arena_zalloc(co->env->arena, (node->n + 1) * sizeof *out->items);
	for (size_t i = 0; i < node->n; i++)
		good &= compile(co, node->items[i], &out->items[i]);
	return good;
}

/* A template that was not quoted reads as a mapping of one key without a value. One key that is no
 * template's name may be meant so.
 * value: {station}   YAML reads a mapping with the key "station" and no value. It is refused
 * only if a template of that name exists: {sum: } may be an operator's odd but real argument. */
static bool is_bare_template(const struct compiler *co, const struct etl_node *node)
{
	const struct etl_node *value = node->n == 1 ? node->items[0] : NULL;

	return co->templates && value && etl_node_is_null(value) && !*value->text &&
		etl_template_knows(node->keys[0]->text, co->env);
}

static bool compile_map(const struct compiler *co, const struct etl_node *node,
	struct etl_value *out)
{
	bool good = true;

	if (is_bare_template(co, node))
		return refuse(co, node, ETL_DIAG_TYPE,
			etl_arena_strf(co->env->arena, "a template needs quotes: \"{%.60s}\"",
				node->keys[0]->text),
			"a mapping of one key without a value");
	if (node->n == 1 && etl_streq(node->keys[0]->text, "$date"))
		return compile_date(co, node->items[0], out);
	if (node->n == 1 && etl_streq(node->keys[0]->text, "$oid"))
		return compile_oid(co, node->items[0], out);
	out->kind = VALUE_MAP;
	out->keys = etl_arena_zalloc(co->env->arena, (node->n + 1) * sizeof *out->keys);
	for (size_t i = 0; i < node->n; i++) {
		out->keys[i] = node->keys[i]->text;
		/* Places that hold data (`set`, default values) take no operators:
		 * {$set: ...} stored as a field would be read as a command by whoever
		 * uses the document as an update. */
		if (*out->keys[i] == '$' && !co->operators)
			good = refuse(co, node->keys[i], ETL_DIAG_TYPE, NULL,
				"a key with '$' in a place that takes no operators");
	}
	return compile_items(co, node, out) && good;
}

static bool compile(const struct compiler *co, const struct etl_node *node,
	struct etl_value *out)
{
	switch (node->kind) {
	case ETL_NODE_MAP:
		return compile_map(co, node, out);
	case ETL_NODE_LIST:
		out->kind = VALUE_LIST;
		return compile_items(co, node, out);
	default:
		return compile_scalar(co, node, out);
	}
}

/* The half that was compiled before an error stays in the arena and goes with its
 * generation. */
static const struct etl_document *compile_document(const struct compiler *co,
	const struct etl_node *node)
{
	struct etl_document *doc = etl_arena_zalloc(co->env->arena, sizeof *doc);

	if (!compile(co, node, &doc->value))
		return NULL;
	if (doc->value.kind == VALUE_MAP || doc->value.kind == VALUE_LIST)
		return doc;
	refuse(co, node, ETL_DIAG_TYPE, NULL, "a mapping or a list is due here");
	return NULL;
}

const struct etl_document *etl_document_compile(const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const struct compiler co = {.env = env, .operators = true, .templates = true};

	return compile_document(&co, node);
}

const struct etl_value *etl_value_compile(const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const struct compiler co = {.env = env, .operators = false, .templates = true};
	struct etl_value *value = etl_arena_zalloc(env->arena, sizeof *value);

	return compile(&co, node, value) ? value : NULL;
}

bool etl_document_is_list(const struct etl_document *doc)
{
	return doc->value.kind == VALUE_LIST;
}

/* {a: 1, b: ["x", "{{y}}"]} is constant: it is rendered once and copied from then on; one
 * {station} in it and it is rendered for each partition, one {window.start} for each unit. */
bool etl_value_is_constant(const struct etl_value *value)
{
	if (value->kind == VALUE_START || value->kind == VALUE_END)
		return false;
	if (value->kind == VALUE_TEMPLATE)
		return etl_template_is_constant(value->tpl);
	if (value->kind != VALUE_MAP && value->kind != VALUE_LIST)
		return true;
	for (size_t i = 0; i < value->n; i++)
		if (!etl_value_is_constant(&value->items[i]))
			return false;
	return true;
}

bool etl_value_has_window(const struct etl_value *value)
{
	if (value->kind == VALUE_TEMPLATE)
		return etl_template_has_window(value->tpl);
	if (value->kind != VALUE_MAP && value->kind != VALUE_LIST)
		return value->kind == VALUE_START || value->kind == VALUE_END;
	for (size_t i = 0; i < value->n; i++)
		if (etl_value_has_window(&value->items[i]))
			return true;
	return false;
}

/* ---- rendering -------------------------------------------------------------------------- */

/* A list is a document with the keys "0", "1", ...: the BSON specification says so. */
static int append_items(const struct etl_value *value, const struct etl_vars *vars, bson_t *out,
	struct etl_error *err)
{
	for (size_t i = 0; i < value->n; i++) {
		char buffer[16];
		const char *key;

		if (value->kind == VALUE_MAP)
			key = value->keys[i];
		else
			bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
		if (etl_value_append(&value->items[i], vars, out, key, err) != 0)
			return -1;
	}
	return 0;
}

/* The child must be closed even after a failure, else the parent keeps a length that is not
 * true; the caller throws the whole document away either way. `fits` tells "BSON would pass its
 * size" apart from errors that have a text of their own. */
static int append_tree(const struct etl_value *value, const struct etl_vars *vars, bson_t *doc,
	const char *key, struct etl_error *err, bool *fits)
{
	bson_t child;
	int rc;

	if (value->kind == VALUE_MAP) {
		*fits = bson_append_document_begin(doc, key, -1, &child);
		rc = *fits ? append_items(value, vars, &child, err) : 0;
		return *fits && !bson_append_document_end(doc, &child) ? -1 : rc;
	}
	*fits = bson_append_array_begin(doc, key, -1, &child);
	rc = *fits ? append_items(value, vars, &child, err) : 0;
	return *fits && !bson_append_array_end(doc, &child) ? -1 : rc;
}

static int append_template(const struct etl_value *value, const struct etl_vars *vars,
	bson_t *doc, const char *key, struct etl_error *err, bool *fits)
{
	ETL_BUF_CLEANUP struct etl_buf text;

	etl_buf_init(&text, STRING_MAX);
	if (etl_template_render(value->tpl, vars, ETL_ESCAPE_NONE, &text, err) != 0)
		return -1;
	/* The values of partitions come from the configuration or from data; BSON and
	 * its readers require UTF-8, and libbson does not look. */
	if (etl_utf8_check(etl_buf_text(&text), text.len) != text.len)
		return etl_error_set(err, ETL_DATA, "document.utf8",
			"the value of '%s' is not UTF-8", key);
	*fits = bson_append_utf8(doc, key, -1, etl_buf_text(&text), (int)text.len);
	return 0;
}

static bool append_scalar(const struct etl_value *value, const struct etl_vars *vars,
	bson_t *doc, const char *key)
{
	switch (value->kind) {
	case VALUE_BOOL:
		return bson_append_bool(doc, key, -1, value->boolean);
	case VALUE_INT32:
		return bson_append_int32(doc, key, -1, (int32_t)value->integer);
	case VALUE_INT64:
		return bson_append_int64(doc, key, -1, value->integer);
	case VALUE_DOUBLE:
		return bson_append_double(doc, key, -1, value->number);
	case VALUE_DATE:
		return bson_append_date_time(doc, key, -1, value->integer);
	case VALUE_OID:
		return bson_append_oid(doc, key, -1, &value->oid);
	case VALUE_STRING:
		return bson_append_utf8(doc, key, -1, value->text, -1);
	case VALUE_START:
		return bson_append_date_time(doc, key, -1, vars->window.start.ms);
	case VALUE_END:
		return bson_append_date_time(doc, key, -1, vars->window.end.ms);
	case VALUE_MTIME:
		return vars->object && bson_append_date_time(doc, key, -1, vars->object->mtime.ms);
	default:
		return bson_append_null(doc, key, -1);
	}
}

int etl_value_append(const struct etl_value *value, const struct etl_vars *vars, bson_t *doc,
	const char *key, struct etl_error *err)
{
	bool fits = true;
	int rc = 0;

	if (value->kind == VALUE_MAP || value->kind == VALUE_LIST)
		rc = append_tree(value, vars, doc, key, err, &fits);
	else if (value->kind == VALUE_TEMPLATE)
		rc = append_template(value, vars, doc, key, err, &fits);
	else
		fits = append_scalar(value, vars, doc, key);
	if (!fits)
		return etl_error_set(err, ETL_LIMIT, "document.size",
			"the document is too large for '%s'", key);
	return rc;
}

int etl_document_render(const struct etl_document *doc, const struct etl_vars *vars,
	bson_t *out, struct etl_error *err)
{
	return append_items(&doc->value, vars, out, err);
}

int etl_conf_to_bson(const struct etl_node *node, bool allow_operators, bson_t *out,
	const struct etl_conf_env *env)
{
	/* Without templates nothing can depend on variables, so it is rendered at once,
	 * into a document of its own: `out` stays untouched if it fails half way. */
	const struct compiler co = {.env = env, .operators = allow_operators};
	const struct etl_vars nothing = {.run_id = NULL};
	struct etl_error err = ETL_ERROR_INIT;
	const struct etl_document *doc = compile_document(&co, node);
	bson_t whole = BSON_INITIALIZER;
	int rc = -1;

	if (doc && (rc = etl_document_render(doc, &nothing, &whole, &err)) != 0)
		refuse(&co, node, ETL_DIAG_LIMIT, NULL, err.message);
	if (rc == 0 && !bson_concat(out, &whole))
		rc = -1;
	bson_destroy(&whole);
	return rc;
}
