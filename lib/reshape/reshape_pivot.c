/* SPDX-License-Identifier: MIT
 *
 * pivot: {by, name, value, fields, duplicates, absent, default}. Rows that each say one thing of
 * something (what it is `by`, the thing's `name`, its `value`) become one wide record for each of
 * these somethings. All pages of an answer are one input: a record is given when that has ended.
 *
 * Example: {s: "a", t: 1, p: "co", v: 4}, {s: "a", t: 1, p: "no", v: 7} with `by: [s, t], name: p,
 * value: v` gives {s: "a", t: 1, co: 4, no: 7}, whichever of the two came first: made fields stand
 * in the order of `fields`, else of their names.
 */
#include "reshape/pivot.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "record/keyset.h"

#define GROUPS_MAX 4000000
#define HELD_MAX ((size_t)256 << 20) /* where nobody says less */

enum duplicates { KEEP_NONE, KEEP_FIRST, KEEP_LAST };
static const char *const duplicate_words[] = {"reject", "first", "last", NULL};

#define AT(member) offsetof(struct etl_pivot_options, member)
const struct etl_option etl_pivot_options[] = {
	{.name = "by", .type = ETL_OPT_STRINGS, .offset = AT(by), .required = true,
		.help = "fields that say what a row is about: one record for each combination"},
	{.name = "name", .type = ETL_OPT_STRING, .offset = AT(name), .required = true,
		.help = "the field with the name of the thing"},
	{.name = "value", .type = ETL_OPT_STRING, .offset = AT(value), .required = true,
		.help = "the field with its value"},
	{.name = "fields", .type = ETL_OPT_STRINGS, .offset = AT(fields),
		.help = "the names that may come, in the order of the record; without it all "
			"that come"},
	{.name = "duplicates", .type = ETL_OPT_WORD, .offset = AT(duplicates),
		.words = duplicate_words,
		.fallback = "reject",
		.help = "a name twice with different values: reject the later row, keep the "
			"first, or the last"},
	{.name = "absent", .type = ETL_OPT_NODE, .offset = AT(bad.absent),
		.help = "one of `fields` did not come: text (it stays away, default), null, "
			"default, reject (the record)"},
	{.name = "default", .type = ETL_OPT_NODE, .offset = AT(bad.fallback),
		.help = "its value, of absent: default"},
	{0}};
#undef AT

/* A value of a record that is being put together; its bytes are the arena's. */
struct cell {
	const char *name; /* the arena's */
	size_t rank;	  /* among `fields`; 0 without */
	struct etl_element value;
	size_t next; /* of the same record, +1; 0 = none */
};

struct group {
	struct etl_record row; /* the first: position and bytes of `by`; time: the earliest */
	size_t cells; /* the newest, +1 */
	size_t n;
};

struct etl_pivot {
	const struct etl_pivot_options *options;
	struct etl_reshape_env env;
	struct etl_arena *arena; /* values, and documents of the `by` fields */
	struct etl_keyset *keys; /* of groups */
	struct etl_keyset *places; /* of cells: group and name */
	struct group *groups;
	size_t n_groups, groups_cap, given; /* of the flush */
	struct cell *cells;
	size_t n_cells, cells_cap;
	struct etl_buf key;
	const struct cell **row; /* of the record that is given */
	size_t row_cap;
};

/* ---- configuration --------------------------------------------------------------------------- */

static bool twice(const struct etl_strings *names, const struct etl_conf_env *env)
{
	for (size_t i = 0; i < names->n; i++)
		for (size_t k = 0; k < i; k++)
			if (etl_streq(names->items[i], names->items[k])) {
				etl_diag_add(env->diag, &names->nodes[i]->mark, ETL_DIAG_CONFLICT,
					"appears twice", NULL, "field '%s' twice in 'pivot' of %s",
					names->items[i], env->what);
				return true;
			}
	return false;
}

/* A field of `by` stands at the top under this name, or in a document of this name. */
static bool is_taken(const struct etl_pivot_options *o, const char *name)
{
	for (size_t i = 0; i < o->by.n; i++)
		if (etl_streq(o->by_paths[i].tokens[0].name, name))
			return true;
	return false;
}

static bool overlap(const struct etl_pivot_options *o, const struct etl_conf_env *env)
{
	for (size_t i = 0; i < o->fields.n; i++)
		if (is_taken(o, o->fields.items[i])) {
			etl_diag_add(env->diag, &o->fields.nodes[i]->mark, ETL_DIAG_CONFLICT,
				"is taken", NULL,
				"'%s' is in 'by' and in 'fields' of 'pivot' in %s",
					o->fields.items[i],
				env->what);
			return true;
		}
	return false;
}

void etl_pivot_check(void *options, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct etl_pivot_options *o = options;

	o->by_paths = etl_arena_zalloc(env->arena, (o->by.n + 1) * sizeof *o->by_paths);
	for (size_t i = 0; i < o->by.n; i++)
		if (!etl_path_configure(o->by.items[i], o->by.nodes[i], "pivot", env,
			&o->by_paths[i]))
			return;
	o->rule.absent = ETL_BAD_TEXT;
	if (!etl_path_configure(o->name, etl_node_get(node, "name"), "pivot", env, &o->name_path) ||
		!etl_path_configure(o->value, etl_node_get(node, "value"), "pivot", env,
			&o->value_path) ||
		twice(&o->by, env) || twice(&o->fields, env) || overlap(o, env) ||
		!etl_bad_compile(&o->bad, &o->rule, "pivot", env))
		return;
	if (o->bad.absent && !o->fields.n)
		etl_diag_add(env->diag, &o->bad.absent->mark, ETL_DIAG_CONFLICT, "fields: [...] "
			"beside it", NULL,
			"'absent' in 'pivot' of %s: nobody says which fields there should be",
				env->what);
}

/* ---- an instance ----------------------------------------------------------------------------- */

static struct etl_pivot *pivot_of(const void *self)
{
	return *(struct etl_pivot *const *)self;
}

static size_t held_max(const struct etl_pivot *p)
{
	return p->env.memory_max ? p->env.memory_max : HELD_MAX;
}

int etl_pivot_open(void *self, const void *options, const struct etl_reshape_env *env,
	struct etl_error *err)
{
	struct etl_pivot *p = *(struct etl_pivot **)self = ETL_NEW(struct etl_pivot);

	(void)err;
	p->options = options;
	p->env = *env;
	p->arena = etl_arena_new(0);
	p->keys = etl_keyset_new(GROUPS_MAX, held_max(p));
	p->places = etl_keyset_new(UINT32_MAX, held_max(p));
	etl_buf_init(&p->key, 2 * ETL_DOCUMENT_BYTES_MAX);
	return 0;
}

void etl_pivot_close(void *self)
{
	struct etl_pivot *p = pivot_of(self);

	if (!p)
		return;
	etl_arena_free(p->arena);
	etl_keyset_free(p->keys);
	etl_keyset_free(p->places);
	free(p->groups);
	free(p->cells);
	free(p->row);
	etl_buf_fini(&p->key);
	free(p);
}

size_t etl_pivot_held(const void *self)
{
	const struct etl_pivot *p = pivot_of(self);

	return etl_arena_used(p->arena) + etl_keyset_held(p->keys) + etl_keyset_held(p->places) +
		p->groups_cap * sizeof *p->groups + p->cells_cap * sizeof *p->cells;
}

static int too_much(const struct etl_pivot *p, struct etl_error *err)
{
	return etl_error_set(err, ETL_LIMIT, "pivot.memory",
		"pivot holds %zu KiB of %zu records that are being put together, more than a "
		"run's share of "
		"limits.memory (%zu KiB): take smaller windows (window.size), or raise "
		"limits.memory",
		etl_pivot_held(&p) / 1024, p->n_groups, held_max(p) / 1024);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void refuse(const struct etl_pivot *p, const struct etl_record *row, struct etl_batch *out,
	const char *path, const char *why)
{
	etl_reshape_reject(&p->env, out, row, "pivot", path, "'%s' %s", path, why);
}

/* The document of the `by` fields, in the arena. */
static void keep_row(struct etl_pivot *p, struct group *g, const struct etl_record *row)
{
	static const uint8_t empty[] = {5, 0, 0, 0, 0};
	const struct etl_pivot_options *o = p->options;
	struct etl_element e;

	g->row = (struct etl_record){empty, sizeof empty, row->position, row->time};
	for (size_t i = 0; i < o->by.n; i++)
		if (etl_path_find(&o->by_paths[i], row->bson, row->len, &e))
			(void)etl_path_put(&o->by_paths[i], g->row.bson, g->row.len, &e, p->arena,
				&g->row.bson, &g->row.len);
}

/* 1 = *out is its record's number, 0 = refused, -1. */
static int find_group(struct etl_pivot *p, const struct etl_record *row, struct etl_batch *out,
	size_t *number, struct etl_error *err)
{
	const struct etl_pivot_options *o = p->options;
	size_t unit = p->env.unit ? p->env.unit(p->env.ctx, row->time) : 0;
	struct etl_element e;
	int fresh;

	etl_buf_clear(&p->key);
	etl_buf_append(&p->key, &unit, sizeof unit);
	for (size_t i = 0; i < o->by.n; i++) {
		if (!etl_path_find(&o->by_paths[i], row->bson, row->len, &e)) {
			refuse(p, row, out, o->by.items[i], "is missing");
			return 0;
		}
		etl_key_add(&p->key, &e);
	}
	fresh = etl_keyset_put(p->keys, p->key.data, p->key.len, number);
	if (fresh < 0)
		return too_much(p, err);
	if (fresh) {
		ETL_GROW(p->groups, p->n_groups, p->groups_cap);
		p->groups[p->n_groups] = (struct group){0};
		keep_row(p, &p->groups[p->n_groups++], row);
	}
	if (row->time.ms < p->groups[*number].row.time.ms)
		p->groups[*number].row.time = row->time;
	return 1;
}

static void fill_cell(struct etl_pivot *p, struct cell *cell, const struct etl_element *value)
{
	cell->value = *value;
	cell->value.value = (const uint8_t *)etl_arena_memdup0(p->arena, (const char *)value->value,
		value->value_len);
}

static bool is_same(const struct etl_element *a, const struct etl_element *b)
{
	return a->type == b->type && a->value_len == b->value_len &&
		(!a->value_len || memcmp(a->value, b->value, a->value_len) == 0);
}

/* The name has a value already. False = the row is refused. */
static bool meet_again(struct etl_pivot *p, struct cell *cell, const struct etl_element *value,
	const struct etl_record *row, struct etl_batch *out)
{
	if (is_same(&cell->value, value) || p->options->duplicates == KEEP_FIRST)
		return true;
	if (p->options->duplicates == KEEP_LAST) {
		fill_cell(p, cell, value);
		return true;
	}
	refuse(p, row, out, cell->name, "has another value in an earlier row of the same record");
	return false;
}

/* The thing's name in the row, and its place among `fields`; NULL, with a reject, if it has
 * none. */
static const char *name_of(const struct etl_pivot *p, const struct etl_record *row, size_t *rank,
	struct etl_batch *out)
{
	const struct etl_pivot_options *o = p->options;
	struct etl_element e;
	const char *name;
	uint32_t len;

	if (!etl_path_find(&o->name_path, row->bson, row->len, &e) || !etl_element_text(&e, &name,
		&len) ||
		!len || strlen(name) != len) {
		refuse(p, row, out, o->name, "is no text that could be a name");
		return NULL;
	}
	if (is_taken(o, name)) {
		refuse(p, row, out, o->name, "is the name of a field of 'by'");
		return NULL;
	}
	for (*rank = 0; *rank < o->fields.n; ++*rank)
		if (etl_streq(o->fields.items[*rank], name))
			return name;
	if (!o->fields.n)
		return name;
	etl_reshape_reject(&p->env, out, row, "pivot", o->name, "'%s' is none of 'fields'", name);
	return NULL;
}

/* 1 = in its place, 0 = refused, -1. */
static int place(struct etl_pivot *p, size_t number, const char *name, size_t rank,
	const struct etl_record *row, struct etl_batch *out, struct etl_error *err)
{
	struct etl_element value;
	size_t at;
	int fresh;

	if (!etl_path_find(&p->options->value_path, row->bson, row->len, &value)) {
		refuse(p, row, out, p->options->value, "is missing");
		return 0;
	}
	etl_buf_clear(&p->key);
	etl_buf_append(&p->key, &number, sizeof number);
	etl_buf_str(&p->key, name);
	fresh = etl_keyset_put(p->places, p->key.data, p->key.len, &at);
	if (fresh < 0)
		return too_much(p, err);
	if (!fresh)
		return meet_again(p, &p->cells[at], &value, row, out);
	ETL_GROW(p->cells, p->n_cells, p->cells_cap);
	p->cells[p->n_cells] = (struct cell){.name = etl_arena_strdup(p->arena, name), .rank = rank,
		.next = p->groups[number].cells};
	fill_cell(p, &p->cells[p->n_cells], &value);
	p->groups[number].cells = ++p->n_cells;
	p->groups[number].n++;
	return 1;
}

/* 1 = the row is in its record, 0 = refused, -1. */
static int take(struct etl_pivot *p, const struct etl_record *row, struct etl_batch *out,
	struct etl_error *err)
{
	size_t number, rank;
	const char *name = name_of(p, row, &rank, out);
	int rc = name ? find_group(p, row, out, &number, err) : 0;

	return rc == 1 ? place(p, number, name, rank, row, out, err) : rc;
}

int etl_pivot_apply(void *self, const struct etl_batch *in, size_t *at, struct etl_batch *out,
	struct etl_error *err)
{
	struct etl_pivot *p = pivot_of(self);

	for (; *at < in->n && etl_reshape_has_room(out); ++*at) {
		int rc = take(p, &in->records[*at], out, err);

		if (rc < 0)
			return -1;
		etl_reshape_count(&p->env, in->records[*at].time, 0, rc == 1);
	}
	return etl_pivot_held(self) > held_max(p) ? too_much(p, err) : 0;
}

/* ---- records --------------------------------------------------------------------------------- */

static int by_rank(const void *a, const void *b)
{
	const struct cell *x = *(const struct cell *const *)a, *y = *(const struct cell *const *)b;

	return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank) : strcmp(x->name,
		y->name);
}

/* Its cells in order. */
static void gather(struct etl_pivot *p, const struct group *g)
{
	size_t n = 0;

	if (p->row_cap < g->n) {
		p->row_cap = 2 * g->n;
		p->row = etl_realloc(p->row, p->row_cap, sizeof *p->row);
	}
	for (size_t at = g->cells; at; at = p->cells[at - 1].next)
		p->row[n++] = &p->cells[at - 1];
	if (n)
		qsort(p->row, n, sizeof *p->row, by_rank);
}

static void write_cell(struct etl_writer *w, const char *name, const struct etl_element *value)
{
	etl_writer_raw(w, name, (uint32_t)strlen(name), value->type, value->value,
		value->value_len);
}

/* With `fields`: what came and what did not, in their order. The name of the first that lacks a
 * value that it must have, or NULL. */
static const char *write_fields(const struct etl_pivot *p, const struct group *g,
	struct etl_writer *w)
{
	const struct etl_pivot_options *o = p->options;
	const struct etl_element missing = etl_bad_element(&o->rule, o->rule.absent);
	const char *lacks = NULL;
	size_t k = 0;

	for (size_t i = 0; i < o->fields.n; i++) {
		if (k < g->n && p->row[k]->rank == i)
			write_cell(w, o->fields.items[i], &p->row[k++]->value);
		else if (o->rule.absent == ETL_BAD_REJECT)
			lacks = lacks ? lacks : o->fields.items[i];
		else if (o->rule.absent != ETL_BAD_TEXT)
			write_cell(w, o->fields.items[i], &missing);
	}
	return lacks;
}

static void give(struct etl_pivot *p, const struct group *g, struct etl_batch *out)
{
	struct etl_record made = g->row;
	const char *lacks = NULL;
	struct etl_cursor cursor;
	struct etl_element e;
	struct etl_writer w;

	gather(p, g);
	etl_writer_begin(&w, out->arena, made.len + 32 * g->n);
	etl_cursor_init(&cursor, made.bson, made.len);
	while (etl_cursor_next(&cursor, &e))
		etl_writer_copy(&w, &e);
	if (p->options->fields.n)
		lacks = write_fields(p, g, &w);
	for (size_t i = 0; !p->options->fields.n && i < g->n; i++)
		write_cell(&w, p->row[i]->name, &p->row[i]->value);
	made.bson = etl_writer_end(&w, &made.len);
	if (lacks)
		refuse(p, &made, out, lacks, "did not come");
	else if (made.len > ETL_DOCUMENT_BYTES_MAX)
		etl_reshape_reject(&p->env, out, &made, "pivot", "",
			"the record would have %u bytes, more than a document may", made.len);
	else
		etl_batch_add(out, made.bson, made.len, made.time, made.position);
}

static void forget(struct etl_pivot *p)
{
	etl_arena_reset(p->arena);
	etl_keyset_reset(p->keys);
	etl_keyset_reset(p->places);
	p->n_groups = p->n_cells = p->given = 0;
}

int etl_pivot_flush(void *self, struct etl_batch *out, struct etl_error *err)
{
	struct etl_pivot *p = pivot_of(self);

	(void)err;
	for (; p->given < p->n_groups && etl_reshape_has_room(out); p->given++) {
		const struct group *g = &p->groups[p->given];

		if (!g->n) /* its every row was refused */
			continue;
		give(p, g, out);
		etl_reshape_count(&p->env, g->row.time, 1, 0);
	}
	if (p->given < p->n_groups)
		return 1;
	forget(p);
	return 0;
}

const struct etl_reshape_type etl_reshape_pivot = {
	.name = "pivot",
	.summary = "rows of names and values: a wide record for all that say something of the same",
	.options = etl_pivot_options,
	.options_size = sizeof(struct etl_pivot_options),
	.size = ETL_PIVOT_SIZE,
	.check = etl_pivot_check,
	.open = etl_pivot_open,
	.apply = etl_pivot_apply,
	.flush = etl_pivot_flush,
	.held = etl_pivot_held,
	.close = etl_pivot_close,
};
