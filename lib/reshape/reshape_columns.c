/* SPDX-License-Identifier: MIT
 *
 * columns: {in, fields, on_bad, absent, default}. Arrays that lie side by side, one a field, become
 * one record for each row; the other fields are in all of them. Without `fields` every array is a
 * column. Columns of different lengths are a reject: nobody could tell which values belong
 * together.
 *
 * Example: {s: 1, t: [1, 2], v: [10, null]} gives {s: 1, t: 1, v: 10} and {s: 1, t: 2, v: null}.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "record/bad_value.h"
#include "reshape/parent.h"

struct options {
	const char *in; /* NULL = the record itself has the columns */
	struct etl_strings fields;
	struct etl_bad_options bad;
	struct etl_bad_rule rule;
	struct etl_path path; /* of `in`; n == 0 = none */
};

#define AT(member) offsetof(struct options, member)
static const struct etl_option options[] = {
	{.name = "in", .type = ETL_OPT_STRING, .offset = AT(in),
		.help = "name or JSON Pointer of the document that has the columns; without it "
			"the record"},
	{.name = "fields", .type = ETL_OPT_STRINGS, .offset = AT(fields),
		.help = "the columns; without it every array is one"},
	{.name = "on_bad", .type = ETL_OPT_NODE, .offset = AT(bad.on_bad),
		.help = "a column of `fields` is no array: reject (default), null, text (it "
			"stands in each record), default"},
	{.name = "absent", .type = ETL_OPT_NODE, .offset = AT(bad.absent),
		.help = "one is not there: reject (default), null, text (it stays away), default"},
	{.name = "default", .type = ETL_OPT_NODE, .offset = AT(bad.fallback),
		.help = "its value in each record, of on_bad: default and absent: default"},
	{0}};
#undef AT

/* A field of the rows: an array's next value, or the same in each. */
struct column {
	const char *key;
	uint32_t key_len;
	bool is_array;
	struct etl_cursor values;
	struct etl_element same;
};

struct columns {
	const struct options *options;
	struct etl_reshape_env env;
	struct etl_parent parent;
	struct column *columns;
	size_t n, cap;
	const char *first; /* array of the record: all have its length; NULL = there is none yet */
	uint64_t rows, row;
	bool begun;
};

static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;
	struct etl_path path;

	if (o->in && !etl_path_configure(o->in, etl_node_get(node, "in"), "columns", env, &o->path))
		return;
	for (size_t i = 0; i < o->fields.n; i++) {
		if (!etl_path_configure(o->fields.items[i], o->fields.nodes[i], "columns", env,
			&path))
			return;
		if (*o->fields.items[i] == '/') {
			etl_diag_add(env->diag, &o->fields.nodes[i]->mark, ETL_DIAG_RANGE,
				"in: /the/document", NULL, "'fields' in 'columns' of %s are "
				"names: 'in' says where they are", env->what);
			return;
		}
	}
	etl_bad_compile(&o->bad, &o->rule, "columns", env);
}

static int open_columns(void *self, const void *opts, const struct etl_reshape_env *env,
	struct etl_error *err)
{
	struct columns *c = self;

	(void)err;
	c->options = opts;
	c->env = *env;
	etl_parent_open(&c->parent, &c->env, "columns");
	return 0;
}

static void begin(void *self)
{
	((struct columns *)self)->begun = false;
}

static uint64_t length_of(struct etl_cursor values)
{
	struct etl_element e;
	uint64_t n = 0;

	while (etl_cursor_next(&values, &e))
		n++;
	return n;
}

/* False, with a reject, if it has not the length of the others. */
static bool add_array(struct columns *c, const struct etl_element *e,
	const struct etl_record *record, struct etl_batch *out)
{
	struct column column = {.key = e->key, .key_len = e->key_len, .is_array = true};
	uint64_t n;

	etl_cursor_init(&column.values, e->value, e->value_len);
	n = length_of(column.values);
	ETL_GROW(c->columns, c->n, c->cap);
	c->columns[c->n++] = column;
	if (!c->first) {
		c->first = e->key;
		c->rows = n;
	}
	if (n == c->rows)
		return true;
	etl_reshape_reject(&c->env, out, record, "columns", e->key,
		"%s has %" PRIu64 " value%s, and %s has %" PRIu64, c->first, c->rows,
		c->rows == 1 ? "" : "s", e->key, n);
	return false;
}

static void add_same(struct columns *c, const char *key, uint32_t key_len, struct etl_element value)
{
	ETL_GROW(c->columns, c->n, c->cap);
	c->columns[c->n++] = (struct column){.key = key, .key_len = key_len, .same = value};
}

/* A field of `fields`. False = the record is refused. */
static bool add_named(struct columns *c, const struct etl_element *of, const char *name,
	const struct etl_record *record, struct etl_batch *out)
{
	const struct etl_bad_rule *rule = &c->options->rule;
	struct etl_element e;
	bool there = etl_doc_find(of->value, of->value_len, name, &e);
	enum etl_bad_value word = there ? rule->on_bad : rule->absent;
	char shown[128];

	if (there && e.type == BSON_TYPE_ARRAY)
		return add_array(c, &e, record, out);
	if (word == ETL_BAD_TEXT && there)
		add_same(c, e.key, e.key_len, e);
	else if (word == ETL_BAD_NULL || word == ETL_BAD_DEFAULT)
		add_same(c, name, (uint32_t)strlen(name), etl_bad_element(rule, word));
	if (word != ETL_BAD_REJECT)
		return true;
	if (!there) {
		etl_reshape_reject(&c->env, out, record, "columns", name,
			"the record has no column '%s'", name);
		return false;
	}
	etl_element_describe(&e, shown, sizeof shown);
	etl_reshape_reject(&c->env, out, record, "columns", name, "%s is %s, and no array", name,
		shown);
	return false;
}

/* Without `fields`: arrays are columns, and what stands beside them is in each record. */
static bool add_all(struct columns *c, const struct etl_element *of,
	const struct etl_record *record, struct etl_batch *out)
{
	struct etl_cursor cursor;
	struct etl_element e;

	etl_cursor_init(&cursor, of->value, of->value_len);
	while (etl_cursor_next(&cursor, &e))
		if (e.type != BSON_TYPE_ARRAY)
			add_same(c, e.key, e.key_len, e);
		else if (!add_array(c, &e, record, out))
			return false;
	return true;
}

/* With `fields`: what of the document is no column stands in each record as well. */
static bool add_fields(struct columns *c, const struct etl_element *of,
	const struct etl_record *record, struct etl_batch *out)
{
	const struct etl_strings *fields = &c->options->fields;
	struct etl_cursor cursor;
	struct etl_element e;

	etl_cursor_init(&cursor, of->value, of->value_len);
	while (etl_cursor_next(&cursor, &e))
		if (!etl_strings_have(fields, e.key))
			add_same(c, e.key, e.key_len, e);
	for (size_t i = 0; i < fields->n; i++)
		if (!add_named(c, of, fields->items[i], record, out))
			return false;
	return true;
}

/* The document with the columns; false, with a reject, if there is none. */
static bool find_document(struct columns *c, const struct etl_record *record,
	struct etl_element *of, struct etl_batch *out)
{
	const struct options *o = c->options;

	*of = (struct etl_element){.value = record->bson, .value_len = record->len};
	if (!o->in)
		return true;
	if (etl_path_find(&o->path, record->bson, record->len, of) && of->type ==
		BSON_TYPE_DOCUMENT)
		return true;
	etl_reshape_reject(&c->env, out, record, "columns", o->in, "'%s' is no document with "
		"columns",
		o->in);
	return false;
}

/* False if it is done with. */
static bool take(struct columns *c, const struct etl_record *record, struct etl_batch *out)
{
	static const struct etl_strings none = {0};
	const struct options *o = c->options;
	struct etl_element of;
	size_t same = 0;

	c->n = c->row = c->rows = 0;
	c->first = NULL;
	if (o->in)
		etl_parent_take(&c->parent, record, &o->path, NULL);
	else
		etl_parent_take_only(&c->parent, record, &none);
	if (!find_document(c, record, &of, out) ||
		!(o->fields.n ? add_fields(c, &of, record, out) : add_all(c, &of, record, out)))
		return false;
	if (!c->first) {
		etl_reshape_reject(&c->env, out, record, "columns", o->in ? o->in : "",
			"there is no array to be a column");
		return false;
	}
	for (size_t i = 0; i < c->n; i++)
		same += c->columns[i].key_len + c->columns[i].same.value_len;
	if (!c->rows)
		etl_reshape_count(&c->env, record->time, 0, 1);
	return c->rows && etl_parent_fits(&c->parent, same, c->rows, out);
}

static void give_row(struct columns *c, struct etl_batch *out)
{
	for (size_t i = 0; i < c->n; i++) {
		struct column *column = &c->columns[i];
		struct etl_element e = column->same;

		if (column->is_array)
			(void)etl_cursor_next(&column->values, &e);
		etl_parent_put(&c->parent, column->key, column->key_len, &e);
	}
	etl_parent_give(&c->parent, out);
	c->row++;
}

static int apply(void *self, const struct etl_batch *in, size_t *at, struct etl_batch *out,
	struct etl_error *err)
{
	struct columns *c = self;

	(void)err;
	while (*at < in->n && etl_reshape_has_room(out)) {
		const struct etl_record *record = &in->records[*at];

		if (!c->begun && !take(c, record, out)) {
			++*at;
			continue;
		}
		c->begun = true;
		while (etl_reshape_has_room(out) && c->row < c->rows)
			give_row(c, out);
		if (c->row < c->rows)
			break;
		c->begun = false;
		etl_reshape_count(&c->env, record->time, c->rows - 1, 0);
		++*at;
	}
	return 0;
}

static size_t held(const void *self)
{
	const struct columns *c = self;

	return c->cap * sizeof *c->columns;
}

static void close_columns(void *self)
{
	struct columns *c = self;

	etl_parent_close(&c->parent);
	free(c->columns);
}

const struct etl_reshape_type etl_reshape_columns = {
	.name = "columns",
	.summary = "parallel arrays: a record for each row",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct columns),
	.check = compile,
	.open = open_columns,
	.begin = begin,
	.apply = apply,
	.held = held,
	.close = close_columns,
};
