/* SPDX-License-Identifier: MIT
 *
 * Keys in a keyset, and for each of them what is taken of its document.
 */
#include "record/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/keyset.h"

struct etl_table {
	const struct etl_table_place *place;
	size_t bytes_max;
	struct etl_keyset *keys;
	struct etl_arena *arena;   /* bytes of the values */
	struct etl_element *taken; /* n_take for each key */
	size_t n, cap;		   /* keys */
	struct etl_buf key;
};

struct etl_table *etl_table_new(const struct etl_table_place *place, size_t bytes_max)
{
	struct etl_table *table = ETL_NEW(struct etl_table);

	table->place = place;
	table->bytes_max = bytes_max;
	table->keys = etl_keyset_new(UINT32_MAX - 1, bytes_max);
	table->arena = etl_arena_new(0);
	etl_buf_init(&table->key, ETL_DOCUMENT_BYTES_MAX + 1024);
	return table;
}

void etl_table_free(struct etl_table *table)
{
	if (!table)
		return;
	etl_keyset_free(table->keys);
	etl_arena_free(table->arena);
	free(table->taken);
	etl_buf_fini(&table->key);
	free(table);
}

size_t etl_table_documents(const struct etl_table *table)
{
	return table->n;
}

size_t etl_table_held(const struct etl_table *table)
{
	return etl_keyset_held(table->keys) + etl_arena_used(table->arena) +
		table->cap * table->place->n_take * sizeof *table->taken;
}

static int too_large(const struct etl_table *table, struct etl_error *err)
{
	return etl_error_set(err, ETL_LIMIT, "lookup.memory",
		"what is taken of %s (%zu documents so far) is more than a run's share of "
		"limits.memory (%zu KiB): take less of it, or raise limits.memory",
		table->place->name, table->n, table->bytes_max / 1024);
}

static struct etl_element take(struct etl_arena *arena, const struct etl_path *path,
	const uint8_t *bson, uint32_t len)
{
	struct etl_element e;

	if (!etl_path_find(path, bson, len, &e))
		return (struct etl_element){.type = BSON_TYPE_EOD};
	if (arena)
		e.value = (const uint8_t *)etl_arena_memdup0(arena, (const char *)e.value,
			e.value_len);
	e.key = NULL;
	e.key_len = 0;
	return e;
}

static bool gives_the_same(const struct etl_table *table, size_t number, const uint8_t *bson,
	uint32_t len)
{
	const struct etl_table_place *place = table->place;

	for (size_t i = 0; i < place->n_take; i++) {
		const struct etl_element *had = &table->taken[number * place->n_take + i];
		struct etl_element now = take(NULL, &place->take[i], bson, len);

		if (had->type != now.type || had->value_len != now.value_len ||
			(now.value_len && memcmp(had->value, now.value, now.value_len) != 0))
			return false;
	}
	return true;
}

static int twice(const struct etl_table *table, const uint8_t *bson, uint32_t len,
	struct etl_error *err)
{
	const struct etl_path *on = &table->place->on[0];
	char shown[128] = "";
	struct etl_element e;

	if (etl_path_find(on, bson, len, &e))
		etl_element_describe(&e, shown, sizeof shown);
	return etl_error_set(err, ETL_DATA, "lookup.twice",
		"there are two documents with %s %s%s: 'on' has to name what tells them apart", on->text,
		shown, table->place->n_on > 1 ? " and what else it is found by" : "");
}

/* False if nobody can ask for it. */
static bool make_key(struct etl_table *table, const uint8_t *bson, uint32_t len)
{
	struct etl_element e;

	etl_buf_clear(&table->key);
	for (size_t i = 0; i < table->place->n_on; i++) {
		if (!etl_path_find(&table->place->on[i], bson, len, &e) || etl_element_is_null(&e))
			return false;
		etl_key_add(&table->key, &e);
	}
	return true;
}

int etl_table_add(struct etl_table *table, const uint8_t *bson, uint32_t len,
	struct etl_error *err)
{
	const struct etl_table_place *place = table->place;
	size_t number;
	int fresh;

	if (!make_key(table, bson, len))
		return 0;
	fresh = etl_keyset_put(table->keys, table->key.data, table->key.len, &number);
	if (fresh < 0)
		return too_large(table, err);
	if (!fresh)
		return gives_the_same(table, number, bson, len) ? 0 : twice(table, bson, len, err);
	if (table->n == table->cap) {
		table->cap = table->cap ? 2 * table->cap : 64;
		table->taken = etl_realloc(
			table->taken, table->cap * place->n_take, sizeof *table->taken);
	}
	for (size_t i = 0; i < place->n_take; i++)
		table->taken[number * place->n_take + i] =
			take(table->arena, &place->take[i], bson, len);
	table->n++;
	return etl_table_held(table) > table->bytes_max ? too_large(table, err) : 0;
}

const struct etl_element *etl_table_find(const struct etl_table *table,
	const struct etl_element *values, struct etl_buf *key)
{
	size_t number;

	etl_buf_clear(key);
	for (size_t i = 0; i < table->place->n_on; i++)
		etl_key_add(key, &values[i]);
	return etl_keyset_find(table->keys, key->data, key->len, &number) ?
			&table->taken[number * table->place->n_take] :
			NULL;
}
