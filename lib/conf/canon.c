/* SPDX-License-Identifier: MIT
 *
 * Walks filled options by their table, beside a struct that holds nothing but defaults. A text goes with
 * its length, so that no value can be taken for two others.
 */
#include "conf/canon.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/document.h"
#include "conf/secret.h"
#include "time/grid.h"

#define CANON_MAX (4 * 1024 * 1024) /* a file has less */

void etl_canon_init(struct etl_canon *c)
{
	etl_buf_init(&c->text, CANON_MAX);
	c->scratch = etl_arena_new(0);
}

void etl_canon_fini(struct etl_canon *c)
{
	etl_buf_fini(&c->text);
	etl_arena_free(c->scratch);
}

/* ---- values -------------------------------------------------------------------------------- */

static void put_bytes(struct etl_canon *c, char kind, const void *bytes, size_t len)
{
	etl_buf_printf(&c->text, "%c%zu:", kind, len);
	etl_buf_append(&c->text, bytes, len);
	etl_buf_char(&c->text, ' ');
}

void etl_canon_text(struct etl_canon *c, const char *text)
{
	if (text)
		put_bytes(c, 't', text, strlen(text));
	else
		etl_buf_str(&c->text, "- ");
}

void etl_canon_int(struct etl_canon *c, int64_t n)
{
	etl_buf_printf(&c->text, "i%" PRId64 " ", n);
}

void etl_canon_double(struct etl_canon *c, double n)
{
	etl_buf_printf(&c->text, "d%.17g ", n);
}

static struct etl_node *wrapped(struct etl_canon *c, const struct etl_node *node)
{
	struct etl_node *map = etl_arena_zalloc(c->scratch, sizeof *map);
	struct etl_node *key = etl_arena_zalloc(c->scratch, sizeof *key);

	*key = (struct etl_node){.kind = ETL_NODE_SCALAR, .mark = node->mark, .text = "v"};
	*map = (struct etl_node){.kind = ETL_NODE_MAP, .mark = node->mark, .n = 1};
	map->keys = etl_arena_alloc(c->scratch, sizeof *map->keys);
	map->items = etl_arena_alloc(c->scratch, sizeof *map->items);
	map->keys[0] = key;
	map->items[0] = (struct etl_node *)(uintptr_t)node;
	return map;
}

/* What BSON cannot say is an error of the option that has it; here its words will do. */
static void put_words(struct etl_canon *c, const struct etl_node *node)
{
	if (node->kind == ETL_NODE_SCALAR) {
		etl_canon_text(c, node->text);
		return;
	}
	etl_canon_int(c, (int64_t)node->n);
	for (size_t i = 0; i < node->n; i++) {
		if (node->kind == ETL_NODE_MAP)
			etl_canon_text(c, node->keys[i]->text);
		put_words(c, node->items[i]);
	}
}

void etl_canon_node(struct etl_canon *c, const struct etl_node *node)
{
	struct etl_diag *diag = etl_diag_new();
	struct etl_conf_env env = {.arena = c->scratch, .diag = diag, .what = ""};
	bson_t doc = BSON_INITIALIZER;

	if (!node)
		etl_canon_text(c, NULL);
	else if (etl_conf_to_bson(wrapped(c, node), true, &doc, &env) == 0)
		put_bytes(c, 'b', bson_get_data(&doc), doc.len);
	else
		put_words(c, node);
	bson_destroy(&doc);
	etl_diag_free(diag);
}

/* ---- several values ------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_strings(struct etl_canon *c, const struct etl_strings *strings, bool sorted)
{
	const char **items = etl_arena_alloc(c->scratch, (strings->n + 1) * sizeof *items);

	for (size_t i = 0; i < strings->n; i++)
		items[i] = strings->items[i];
	if (sorted && strings->n)
		qsort(items, strings->n, sizeof *items, by_text);
	etl_canon_int(c, (int64_t)strings->n);
	for (size_t i = 0; i < strings->n; i++)
		etl_canon_text(c, items[i]);
}

struct pair {
	const char *key, *value; /* the key first: by_text sorts by it */
};

void etl_canon_pairs(struct etl_canon *c, const struct etl_pairs *pairs, bool sorted)
{
	struct pair *items = etl_arena_alloc(c->scratch, (pairs->n + 1) * sizeof *items);

	for (size_t i = 0; i < pairs->n; i++)
		items[i] = (struct pair){pairs->keys[i], pairs->values[i]};
	if (sorted && pairs->n)
		qsort(items, pairs->n, sizeof *items, by_text);
	etl_canon_int(c, (int64_t)pairs->n);
	for (size_t i = 0; i < pairs->n; i++) {
		etl_canon_text(c, items[i].key);
		etl_canon_text(c, items[i].value);
	}
}

/* ---- options ------------------------------------------------------------------------------- */

static void put_table(struct etl_canon *c, const struct etl_option *table, const char *options,
	const char *defaults);

/* A length is one of the two: of a fixed one the form is that of a duration. */
static void put_step(struct etl_canon *c, const struct etl_grid_step *step)
{
	etl_canon_int(c, step->length.us);
	if (step->months)
		etl_canon_int(c, step->months);
}

static void put_secret(struct etl_canon *c, const struct etl_secret *secret)
{
	etl_canon_text(c, secret ? secret->reference : NULL);
}

static void put_value(struct etl_canon *c, const struct etl_option *row, const char *options)
{
	const void *at = options + row->offset;
	int word;

	if (row->canon) {
		row->canon(c, options);
		return;
	}
	switch (row->type) {
	case ETL_OPT_STRING:
		etl_canon_text(c, *(const char *const *)at);
		return;
	case ETL_OPT_BOOL:
		etl_canon_int(c, *(const bool *)at);
		return;
	case ETL_OPT_INT:
		etl_canon_int(c, *(const int64_t *)at);
		return;
	case ETL_OPT_DOUBLE:
	case ETL_OPT_RATE:
		etl_canon_double(c, *(const double *)at);
		return;
	case ETL_OPT_DURATION:
		etl_canon_int(c, ((const etl_dur *)at)->us);
		return;
	case ETL_OPT_STEP:
		put_step(c, at);
		return;
	case ETL_OPT_SIZE:
		etl_canon_int(c, (int64_t)*(const uint64_t *)at);
		return;
	case ETL_OPT_TIME:
		etl_canon_int(c, ((const etl_wall *)at)->ms);
		return;
	case ETL_OPT_WORD: /* the word: its number changes when another one comes in between */
		word = *(const int *)at;
		etl_canon_text(c, row->words[word]);
		return;
	case ETL_OPT_STRINGS:
		put_strings(c, at, row->unordered);
		return;
	case ETL_OPT_PAIRS:
		etl_canon_pairs(c, at, row->unordered);
		return;
	case ETL_OPT_SECRET:
		put_secret(c, *(struct etl_secret *const *)at);
		return;
	case ETL_OPT_NODE:
		etl_canon_node(c, *(const struct etl_node *const *)at);
		return;
	case ETL_OPT_TABLE:
		return;
	}
}

static void cut(struct etl_canon *c, size_t len)
{
	if (c->text.len > len)
		c->text.data[len] = '\0';
	c->text.len = len;
}

static void put_sub(struct etl_canon *c, const struct etl_option *row, const char *options,
	const char *defaults)
{
	size_t begin = c->text.len, value;

	etl_buf_printf(&c->text, "%s{", row->name);
	value = c->text.len;
	put_table(c, row->sub, options + row->offset, defaults + row->offset);
	if (c->text.len > value)
		etl_buf_str(&c->text, "} ");
	else
		cut(c, begin);
}

/* Written, compared with what the default gives in the same place, and taken back if both are the same. */
static void put_row(struct etl_canon *c, const struct etl_option *row, const char *options,
	const char *defaults)
{
	size_t begin = c->text.len, value, end;

	if (row->type == ETL_OPT_TABLE) {
		put_sub(c, row, options, defaults);
		return;
	}
	etl_buf_printf(&c->text, "%s=", row->name);
	value = c->text.len;
	put_value(c, row, options);
	end = c->text.len;
	put_value(c, row, defaults);
	if (c->text.len - end == end - value &&
		memcmp(c->text.data + value, c->text.data + end, end - value) == 0)
		cut(c, begin);
	else
		cut(c, end);
}

/* By name: where a row stands in its table says nothing. */
static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct etl_option *const *)a)->name,
		(*(const struct etl_option *const *)b)->name);
}

static void put_table(struct etl_canon *c, const struct etl_option *table, const char *options,
	const char *defaults)
{
	const struct etl_option **rows;
	size_t n = 0;

	while (table[n].name)
		n++;
	rows = etl_arena_alloc(c->scratch, (n + 1) * sizeof *rows);
	for (size_t i = 0; i < n; i++)
		rows[i] = &table[i];
	if (n)
		qsort(rows, n, sizeof *rows, by_name);
	for (size_t i = 0; i < n; i++)
		if (!rows[i]->aside)
			put_row(c, rows[i], options, defaults);
}

void etl_canon_options(struct etl_canon *c, const struct etl_option *table, const void *options,
	size_t size)
{
	char *defaults = etl_arena_zalloc(c->scratch, size ? size : 1);
	struct etl_diag *diag = etl_diag_new();
	struct etl_conf_env env = {.arena = c->scratch, .diag = diag, .what = ""};

	if (table->name) {
		etl_options_defaults(table, defaults, &env);
		put_table(c, table, options, defaults);
	}
	etl_diag_free(diag);
}
