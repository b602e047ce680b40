/* SPDX-License-Identifier: MIT
 *
 * rows: {header, rows, absent, default}. A list of names and a list of rows, each an array of
 * values in the order of the names, become one record for each row; the other fields are in all of
 * them. A row with more values than names is a reject, for one with fewer `absent` says what its
 * last fields are.
 *
 * Example: {s: 1, head: ["t", "v"], data: [[1, 10], [2, 20]]} with `header: head, rows: data` gives
 * {s: 1, t: 1, v: 10} and {s: 1, t: 2, v: 20}.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/bad_value.h"
#include "record/keyset.h"
#include "reshape/parent.h"

struct options {
	const char *header, *rows;
	struct etl_bad_options bad;
	struct etl_bad_rule rule;
	struct etl_path header_path, rows_path;
};

#define AT(member) offsetof(struct options, member)
static const struct etl_option options[] = {
	{.name = "header", .type = ETL_OPT_STRING, .offset = AT(header), .required = true,
		.help = "name or JSON Pointer of the list of names"},
	{.name = "rows", .type = ETL_OPT_STRING, .offset = AT(rows), .required = true,
		.help = "name or JSON Pointer of the list of rows"},
	{.name = "absent", .type = ETL_OPT_NODE, .offset = AT(bad.absent),
		.help = "a row has fewer values than names: reject (default), null, text (the "
			"fields stay away), default"},
	{.name = "default", .type = ETL_OPT_NODE, .offset = AT(bad.fallback),
		.help = "the value of these fields, of absent: default"},
	{0}};
#undef AT

struct rows {
	const struct options *options;
	struct etl_reshape_env env;
	struct etl_parent parent;
	struct name {
		const char *text;
		uint32_t len;
	} *names; /* lent from the record at hand */
	size_t n, cap;
	struct etl_cursor at;
	uint64_t taken;
	bool begun;
};

static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;

	if (etl_path_configure(o->header, etl_node_get(node, "header"), "rows", env,
		&o->header_path) &&
		etl_path_configure(o->rows, etl_node_get(node, "rows"), "rows", env, &o->rows_path))
		etl_bad_compile(&o->bad, &o->rule, "rows", env);
}

static int open_rows(void *self, const void *opts, const struct etl_reshape_env *env,
	struct etl_error *err)
{
	struct rows *r = self;

	(void)err;
	r->options = opts;
	r->env = *env;
	etl_parent_open(&r->parent, &r->env, "rows");
	return 0;
}

static void begin(void *self)
{
	((struct rows *)self)->begun = false;
}

/* NULL, or what is wrong with the header. */
static const char *read_names(struct rows *r, const struct etl_element *header)
{
	struct etl_keyset *seen = etl_keyset_new(SIZE_MAX, SIZE_MAX);
	const char *why = NULL;
	struct etl_cursor cursor;
	struct etl_element e;
	size_t number;

	r->n = 0;
	etl_cursor_init(&cursor, header->value, header->value_len);
	while (!why && etl_cursor_next(&cursor, &e)) {
		struct name name;

		if (!etl_element_text(&e, &name.text, &name.len) || !name.len || strlen(name.text)
			!= name.len)
			why = "has something in it that is no name";
		else if (etl_keyset_put(seen, name.text, name.len, &number) != 1)
			why = "has a name twice";
		if (why)
			break;
		ETL_GROW(r->names, r->n, r->cap);
		r->names[r->n++] = name;
	}
	etl_keyset_free(seen);
	return why ? why : r->n ? NULL : "is empty";
}

/* The list at a path; false, with a reject, if there is none. */
static bool find_list(struct rows *r, const struct etl_path *path, const struct etl_record *record,
	struct etl_element *list, struct etl_batch *out)
{
	if (etl_path_find(path, record->bson, record->len, list) && list->type == BSON_TYPE_ARRAY)
		return true;
	etl_reshape_reject(&r->env, out, record, "rows", path->text, "'%s' is no list", path->text);
	return false;
}

/* False if it is done with. */
static bool take(struct rows *r, const struct etl_record *record, struct etl_batch *out)
{
	const struct options *o = r->options;
	struct etl_element header, list, e;
	struct etl_cursor count;
	const char *why;
	uint64_t n = 0;
	size_t names = 0;

	if (!find_list(r, &o->header_path, record, &header, out) ||
		!find_list(r, &o->rows_path, record, &list, out))
		return false;
	why = read_names(r, &header);
	if (why) {
		etl_reshape_reject(&r->env, out, record, "rows", o->header, "'%s' %s", o->header,
			why);
		return false;
	}
	etl_parent_take(&r->parent, record, &o->header_path, &o->rows_path);
	etl_cursor_init(&r->at, list.value, list.value_len);
	for (count = r->at; etl_cursor_next(&count, &e);)
		n++;
	for (size_t i = 0; i < r->n; i++)
		names += r->names[i].len + 2;
	r->taken = 0;
	return etl_parent_fits(&r->parent, names, n, out);
}

static void refuse(struct rows *r, const struct etl_element *row, struct etl_batch *out,
	const char *why)
{
	etl_parent_put(&r->parent, "row", 3, row);
	etl_parent_refuse(&r->parent, out, r->options->rows, "row %" PRIu64 " %s", r->taken, why);
}

static void give(struct rows *r, const struct etl_element *row, struct etl_batch *out)
{
	const struct etl_bad_rule *rule = &r->options->rule;
	struct etl_element e, missing = etl_bad_element(rule, rule->absent);
	struct etl_cursor cursor;
	size_t i = 0;

	if (row->type != BSON_TYPE_ARRAY) {
		refuse(r, row, out, "is no array");
		return;
	}
	etl_cursor_init(&cursor, row->value, row->value_len);
	for (; i < r->n && etl_cursor_next(&cursor, &e); i++)
		etl_parent_put(&r->parent, r->names[i].text, r->names[i].len, &e);
	if (i == r->n ? etl_cursor_next(&cursor, &e) : rule->absent == ETL_BAD_REJECT) {
		etl_parent_forget(&r->parent);
		refuse(r, row, out, i == r->n ? "has more values than there are names" :
						"has fewer values than there are names");
		return;
	}
	for (; i < r->n && rule->absent != ETL_BAD_TEXT; i++)
		etl_parent_put(&r->parent, r->names[i].text, r->names[i].len, &missing);
	etl_parent_give(&r->parent, out);
}

static int apply(void *self, const struct etl_batch *in, size_t *at, struct etl_batch *out,
	struct etl_error *err)
{
	struct rows *r = self;
	struct etl_element row;

	(void)err;
	while (*at < in->n && etl_reshape_has_room(out)) {
		const struct etl_record *record = &in->records[*at];

		if (!r->begun && !take(r, record, out)) {
			++*at;
			continue;
		}
		r->begun = true;
		while (etl_reshape_has_room(out) && (r->begun = etl_cursor_next(&r->at, &row))) {
			give(r, &row, out);
			r->taken++;
		}
		if (r->begun)
			break;
		etl_reshape_count(&r->env, record->time, r->taken ? r->taken - 1 : 0, !r->taken);
		++*at;
	}
	return 0;
}

static size_t held(const void *self)
{
	return ((const struct rows *)self)->cap * sizeof(struct name);
}

static void close_rows(void *self)
{
	struct rows *r = self;

	etl_parent_close(&r->parent);
	free(r->names);
}

const struct etl_reshape_type etl_reshape_rows = {
	.name = "rows",
	.summary = "a list of names and a list of rows: a record for each row",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct rows),
	.check = compile,
	.open = open_rows,
	.begin = begin,
	.apply = apply,
	.held = held,
	.close = close_rows,
};
