/* SPDX-License-Identifier: MIT
 *
 * Field names, hits and slices.
 *
 * drop: [b, d] of {a, b, c, d, e}: hits are b and d in the record's order; slices are
 * a, c and e. A slice is copied as it lies, however many fields it has, so the work is
 * that of the hits.
 */
#include "transform/rewrite.h"

#include "base/alloc.h"
#include "base/str.h"

/* A table of at least four slots a name: most names of a record are in none of them,
 * and one look says so. */
void etl_fields_build(struct etl_fields *fields, const char *const *names, size_t n,
	struct etl_arena *arena)
{
	uint32_t n_slots = 8;

	while (n_slots < 4 * n)
		n_slots *= 2;

	uint32_t *slots = etl_arena_zalloc(arena, n_slots * sizeof *slots);
	uint32_t *lens = etl_arena_alloc(arena, n * sizeof *lens);

	for (size_t i = 0; i < n; i++) {
		lens[i] = (uint32_t)strlen(names[i]);

		uint32_t at = etl_fields_hash(names[i], lens[i]) & (n_slots - 1);
		while (slots[at])
			at = (at + 1) & (n_slots - 1);
		slots[at] = (uint32_t)i + 1;
	}
	*fields = (struct etl_fields){
		.n = n, .names = names, .lens = lens, .slots = slots, .mask = n_slots - 1};
	etl_pointers_build(&fields->pointers, names, n, arena);
}

void etl_hits_fini(struct etl_hits *hits)
{
	free(hits->items);
	*hits = (struct etl_hits){0};
}

/* One walk over the record, whatever the number of names. */
void etl_hits_find(struct etl_hits *hits, const struct etl_fields *fields,
	const struct etl_record *record)
{
	struct etl_cursor cursor;
	struct etl_element e;

	hits->n = 0;
	etl_cursor_init(&cursor, record->bson, record->len);
	while (etl_cursor_next(&cursor, &e)) {
		int field = etl_fields_find(fields, e.key, e.key_len);

		if (field < 0)
			continue;
		ETL_GROW(hits->items, hits->n, hits->cap);
		hits->items[hits->n++] = (struct etl_hit){.e = e, .field = field};
	}
}

/* Several elements at once: the writer asks for the first one's name and takes all the
 * rest as its value, which it never looks into. */
void etl_rewrite_slice(struct etl_writer *w, const uint8_t *from, const uint8_t *to)
{
	if (from == to)
		return;

	/* To the writer the slice is one element whose value reaches to the slice's end. */
	const char *key = (const char *)from + 1;
	size_t key_len = strlen(key);
	const uint8_t *value = (const uint8_t *)key + key_len + 1;
	etl_writer_raw(w, key, (uint32_t)key_len, from[0], value, (uint32_t)(to - value));
}

/* A record that grew too large is refused with what it was before. */
void etl_rewrite_done(struct etl_batch *batch, size_t i, const char *rule, struct etl_writer *w)
{
	uint32_t len;
	const uint8_t *bson = etl_writer_end(w, &len);

	if (len > ETL_DOCUMENT_BYTES_MAX) {
		etl_batch_reject_record(batch, i, "transform", rule, "",
			"the record grew to %u bytes, more than a document may have", len);
		return;
	}
	batch->records[i].bson = bson;
	batch->records[i].len = len;
}

/* The path is not kept: the table of names compiles its own. */
bool etl_field_name_ok(const char *name, const struct etl_node *node, const char *what,
	const struct etl_conf_env *env)
{
	struct etl_path path;

	return etl_path_configure(name, node, what, env, &path);
}

/* A field that is named a second time is a slip of the pen, whatever the transform
 * would make of it. */
bool etl_field_names_ok(const struct etl_strings *names, const char *what,
	const struct etl_conf_env *env)
{
	bool ok = true;

	for (size_t i = 0; i < names->n; i++) {
		ok &= etl_field_name_ok(names->items[i], names->nodes[i], what, env);
		for (size_t k = 0; k < i; k++)
			if (etl_streq(names->items[i], names->items[k])) {
				etl_diag_add(env->diag, &names->nodes[i]->mark,
					ETL_DIAG_CONFLICT, "appears twice", NULL,
					"field '%s' twice in '%s' of %s", names->items[i], what,
					env->what);
				ok = false;
				break;
			}
	}
	return ok;
}
