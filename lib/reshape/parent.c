/* SPDX-License-Identifier: MIT
 *
 * Fields in common, sorted once a record, so that names which are made can be looked for among
 * them: a record with a hundred thousand fields and elements with as many is no more than their
 * sum.
 */
#include "reshape/parent.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void etl_reshape_reject(const struct etl_reshape_env *env, struct etl_batch *out,
	const struct etl_record *record, const char *rule, const char *path, const char *fmt, ...)
{
	char message[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	etl_batch_reject(out, &(struct etl_reject){.step = env->step, .rule = rule, .path = path,
		.message = message, .raw = record->bson, .raw_len = record->len, .raw_is_bson =
			true,
		.position = record->position, .time = record->time});
}

void etl_parent_open(struct etl_parent *parent, const struct etl_reshape_env *env, const char *rule)
{
	*parent = (struct etl_parent){.env = env, .rule = rule, .arena = etl_arena_new(0)};
}

void etl_parent_close(struct etl_parent *parent)
{
	etl_arena_free(parent->arena);
	free(parent->fields);
	free(parent->by_key);
	free(parent->made);
	*parent = (struct etl_parent){0};
}

/* ---- in common ------------------------------------------------------------------------------- */

static int compare_keys(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_key(const void *a, const void *b)
{
	const struct etl_element *x = &(*(struct etl_parent_field *const *)a)->e;
	const struct etl_element *y = &(*(struct etl_parent_field *const *)b)->e;

	return compare_keys(x->key, x->key_len, y->key, y->key_len);
}

static void add_field(struct etl_parent *parent, const struct etl_element *e)
{
	ETL_GROW(parent->fields, parent->n, parent->cap);
	parent->fields[parent->n] = (struct etl_parent_field){.e = *e, .order =
		(uint32_t)parent->n};
	parent->bytes += e->key_len + e->value_len + 2;
	parent->n++;
}

static void sort_fields(struct etl_parent *parent)
{
	if (parent->by_key_cap < parent->n) {
		parent->by_key_cap = parent->cap;
		parent->by_key = etl_realloc(parent->by_key, parent->by_key_cap, sizeof(void *));
	}
	for (size_t i = 0; i < parent->n; i++)
		parent->by_key[i] = &parent->fields[i];
	if (parent->n)
		qsort(parent->by_key, parent->n, sizeof(void *), by_key);
}

static void begin(struct etl_parent *parent, const struct etl_record *record)
{
	etl_arena_reset(parent->arena);
	parent->record = record;
	parent->n = parent->n_made = parent->bytes = parent->made_bytes = 0;
}

void etl_parent_take(struct etl_parent *parent, const struct etl_record *record,
	const struct etl_path *without, const struct etl_path *nor)
{
	const uint8_t *bson = record->bson;
	uint32_t len = record->len;
	struct etl_cursor cursor;
	struct etl_element e;

	begin(parent, record);
	/* What cannot be taken away, an element of an array, stays as it is. */
	if (without && without->n)
		(void)etl_path_put(without, bson, len, NULL, parent->arena, &bson, &len);
	if (nor && nor->n)
		(void)etl_path_put(nor, bson, len, NULL, parent->arena, &bson, &len);
	etl_cursor_init(&cursor, bson, len);
	while (etl_cursor_next(&cursor, &e))
		add_field(parent, &e);
	sort_fields(parent);
}

void etl_parent_take_only(struct etl_parent *parent, const struct etl_record *record,
	const struct etl_strings *names)
{
	struct etl_element e;

	begin(parent, record);
	for (size_t i = 0; i < names->n; i++)
		if (etl_doc_find(record->bson, record->len, names->items[i], &e))
			add_field(parent, &e);
	sort_fields(parent);
}

bool etl_parent_fits(const struct etl_parent *parent, size_t more, uint64_t n,
	struct etl_batch *out)
{
	size_t common = parent->bytes + more;

	if (!n || common <= ETL_RESHAPE_BYTES_MAX / n)
		return true;
	etl_reshape_reject(parent->env, out, parent->record, parent->rule, "",
		"%" PRIu64 " records with %zu bytes each of what they have in common are more "
		"than one may make", n, common);
	return false;
}

/* ---- made ------------------------------------------------------------------------------------ */

void etl_parent_put(struct etl_parent *parent, const char *key, size_t key_len,
	const struct etl_element *value)
{
	struct etl_element *to;

	ETL_GROW(parent->made, parent->n_made, parent->made_cap);
	to = &parent->made[parent->n_made++];
	*to = *value;
	if (key) {
		to->key = key;
		to->key_len = (uint32_t)key_len;
	}
	parent->made_bytes += to->key_len + to->value_len + 2;
}

void etl_parent_put_members(struct etl_parent *parent, const struct etl_element *document)
{
	struct etl_cursor cursor;
	struct etl_element e;

	etl_cursor_init(&cursor, document->value, document->value_len);
	while (etl_cursor_next(&cursor, &e))
		etl_parent_put(parent, NULL, 0, &e);
}

/* A name may stand there twice, in documents from a server. */
static void hide(struct etl_parent *parent, const struct etl_element *made, bool hidden)
{
	size_t low = 0, high = parent->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct etl_element *e = &parent->by_key[mid]->e;

		if (compare_keys(e->key, e->key_len, made->key, made->key_len) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < parent->n; low++) {
		const struct etl_element *e = &parent->by_key[low]->e;

		if (compare_keys(e->key, e->key_len, made->key, made->key_len) != 0)
			return;
		parent->by_key[low]->hidden = hidden;
	}
}

static void hide_all(struct etl_parent *parent, bool hidden)
{
	for (size_t i = 0; parent->n && i < parent->n_made; i++)
		hide(parent, &parent->made[i], hidden);
}

static void write_made(struct etl_writer *w, const struct etl_parent *parent)
{
	for (size_t i = 0; i < parent->n_made; i++) {
		const struct etl_element *e = &parent->made[i];

		etl_writer_raw(w, e->key, e->key_len, e->type, e->value, e->value_len);
	}
}

void etl_parent_give(struct etl_parent *parent, struct etl_batch *out)
{
	const struct etl_record *of = parent->record;
	struct etl_writer w;
	const uint8_t *bson;
	uint32_t len;

	hide_all(parent, true);
	etl_writer_begin(&w, out->arena, parent->bytes + parent->made_bytes + 8);
	for (size_t i = 0; i < parent->n; i++)
		if (!parent->fields[i].hidden)
			etl_writer_copy(&w, &parent->fields[i].e);
	write_made(&w, parent);
	bson = etl_writer_end(&w, &len);
	hide_all(parent, false);
	etl_parent_forget(parent);
	if (len > ETL_DOCUMENT_BYTES_MAX) {
		const struct etl_record made = {bson, len, of->position, of->time};

		etl_reshape_reject(parent->env, out, &made, parent->rule, "",
			"the record would have %u bytes, more than a document may", len);
		return;
	}
	etl_batch_add(out, bson, len, of->time, of->position);
}

void etl_parent_refuse(struct etl_parent *parent, struct etl_batch *out, const char *path,
	const char *fmt, ...)
{
	struct etl_record made = {.position = parent->record->position, .time =
		parent->record->time};
	struct etl_writer w;
	char message[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	etl_writer_begin(&w, out->arena, parent->made_bytes + 8);
	write_made(&w, parent);
	made.bson = etl_writer_end(&w, &made.len);
	etl_parent_forget(parent);
	etl_reshape_reject(parent->env, out, &made, parent->rule, path, "%s", message);
}
