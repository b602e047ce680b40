/* SPDX-License-Identifier: MIT
 *
 * Values from outside of the records that are put into each of them. One that belongs to the
 * whole answer is kept to its end; one that belongs to a parent (its pointer has a '*') until
 * that parent ends. A record that comes before a value is held until it is known.
 *
 * attach: {city: /meta/city} of {"meta": {"city": "Florence"}, "rows": [{"v": 1}, {"v": 2}]},
 * with records at /rows, gives {"v": 1, "city": "Florence"}, {"v": 2, "city": "Florence"}.
 * attach: {id: "/st/" star "/id"} of {"st": [{"id": 7, "v": [{"t": 1}]}, {"id": 8, "v": [{"t":
 * 2}]}]}, with records at "/st/" star "/v", gives {"t": 1, "id": 7}, {"t": 2, "id": 8}. (A star
 * behind a slash cannot be written in a comment of C.)
 */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "record/decode_json.h"
#include "record/doc.h"
#include "record/json_frame.h"

/* Tokens of `path` up to its last '*'; 0 without one. */
static size_t scope_of(const struct etl_path *path)
{
	size_t scope = 0;

	for (size_t i = 0; i < path->n; i++)
		if (path->tokens[i].any)
			scope = i + 1;
	return scope;
}

static bool same_tokens(const struct etl_path *a, const struct etl_path *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a->tokens[i].any != b->tokens[i].any ||
			!etl_streq(a->tokens[i].name, b->tokens[i].name))
			return false;
	return true;
}

/* The star of the value must be one that the records have too, at the same place:
 * otherwise there are many values for one record, and none of them is the right one. */
static const char *attach_fault(const struct etl_path *records, const struct etl_path *attach)
{
	size_t scope = scope_of(attach);

	if (attach->n > records->n && same_tokens(records, attach, records->n))
		return "it lies inside of the records, which have it already";
	if (scope > records->n || !same_tokens(records, attach, scope))
		return "its '*' has to stand for what a '*' of 'records' stands for";
	return NULL;
}

const char *etl_json_attach_fault(const char *records, const char *attach)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_path r, a;
	const char *fault = NULL;

	if (etl_path_compile_pointer(records, arena, &r, &err) == 0 &&
		etl_path_compile_pointer(attach, arena, &a, &err) == 0)
		fault = attach_fault(&r, &a);
	etl_arena_free(arena);
	return fault;
}

/* A star of either one stands for each name. Example: '/st/a/ok' leads into one of the records
 * that are the members of '/st'. */
static bool leads_into(const struct etl_path *records, const struct etl_path *path)
{
	for (size_t i = 0; i < records->n; i++)
		if (i >= path->n ||
			(!records->tokens[i].any && !path->tokens[i].any &&
				!etl_streq(records->tokens[i].name, path->tokens[i].name)))
			return false;
	return path->n > records->n;
}

bool etl_json_is_inside(const char *records, const char *pointer)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_path r, p;
	bool inside = etl_path_compile_pointer(records, arena, &r, &err) == 0 &&
		etl_path_compile_pointer(pointer, arena, &p, &err) == 0 && leads_into(&r, &p);

	etl_arena_free(arena);
	return inside;
}

/* Wrong pointers are told by the loader; here they are kept as bad_spec, for those who
 * call without it. */
int etl_json_compile_attach(
	struct etl_json_decoder *d, const char *pointer, struct etl_json_target *t)
{
	const char *fault;

	if (etl_path_compile_pointer(pointer, d->arena, &t->path, &d->bad_spec))
		return -1;
	fault = attach_fault(&d->targets[0].path, &t->path);
	if (fault)
		return etl_error_set(&d->bad_spec, ETL_CONFIG, "json.attach", "'%s': %s", pointer,
			fault);
	t->scope = scope_of(&t->path);
	/* The outermost parent that has values of its own: when it ends, all memory of its
	 * values goes. */
	if (t->scope && (!d->scope_first || t->scope < d->scope_first))
		d->scope_first = t->scope;
	return 0;
}

/* Held record `at` with the attached values that it lacks, in `arena`; those of one scope, or
 * with scope SIZE_MAX of all. A value of a parent goes to the records that came under it.
 * Held records are rewritten, since they were written before the values were known. A
 * field of the record's own wins over one that is attached. */
static const uint8_t *with_values(const struct etl_json_decoder *d, struct etl_arena *arena,
	size_t at, size_t scope, uint32_t *len)
{
	const struct etl_record *record = &d->held->records[at];
	struct etl_cursor cursor;
	struct etl_element e;
	struct etl_writer w;

	etl_writer_begin(&w, arena, record->len + 256);
	etl_cursor_init(&cursor, record->bson, record->len);
	while (etl_cursor_next(&cursor, &e))
		etl_writer_copy(&w, &e);
	for (size_t i = 0; i < d->spec->n_attach; i++) {
		const char *name = d->spec->attach[i].name;
		size_t of = d->targets[1 + i].scope;

		if (!d->attached[i].key || at < d->held_from[of] ||
			(scope != SIZE_MAX && of != scope) ||
			etl_doc_find(record->bson, record->len, name, &e))
			continue;
		etl_writer_raw(&w, name, (uint32_t)strlen(name), d->attached[i].type,
			d->attached[i].value, d->attached[i].value_len);
	}
	return etl_writer_end(&w, len);
}

/* Lets the held records go, with what is known.
 * They go in the order in which they came; their ordinals were given then. */
static void flush(struct etl_json_decoder *d)
{
	for (size_t i = 0; d->held && i < d->held->n; i++) {
		const struct etl_record *record = &d->held->records[i];
		uint32_t len;
		const uint8_t *bson = with_values(d, d->out->arena, i, SIZE_MAX, &len);

		etl_batch_add(d->out, bson, len, record->time, record->position);
	}
	etl_batch_free(ETL_TAKE(d->held));
	memset(d->held_from, 0, sizeof d->held_from);
}

/* All that will be attached is known: makes the tail and lets the held records go. */
void etl_json_release(struct etl_json_decoder *d)
{
	const struct etl_layout *spec = d->spec;
	struct etl_writer w;
	size_t n = 0;

	d->attach_missing = 0;
	/* The tail lives as long as what it is made of: a parent's values, or those of
	 * the whole answer. */
	etl_writer_begin(&w, d->scope_first ? d->scope_arena : d->attach_arena, 256);
	for (size_t i = 0; i < spec->n_attach; i++) {
		const struct etl_element *e = &d->attached[i];

		if (!e->key)
			continue;
		n++;
		etl_writer_raw(&w, spec->attach[i].name, (uint32_t)strlen(spec->attach[i].name),
			e->type, e->value, e->value_len);
	}
	d->tail = etl_writer_end(&w, &d->tail_len);
	if (!n)
		d->tail = NULL;
	d->record_arena = NULL; /* what is known of the last tail does not hold for this one */
	flush(d);
}

/* The parent's values go to its records and are forgotten; the next parent has its own. */
void etl_json_scope_ended(struct etl_json_decoder *d, size_t scope)
{
	bool waits = false;

	for (size_t i = d->held_from[scope]; d->held && i < d->held->n; i++) {
		struct etl_record *record = &d->held->records[i];
		uint32_t len;

		record->bson = with_values(d, d->held->arena, i, scope, &len);
		record->len = len;
	}
	for (size_t i = 0; i < d->spec->n_attach; i++) {
		struct etl_json_target *t = &d->targets[1 + i];

		if (t->scope == scope && t->seen) {
			t->seen = false;
			d->attached[i] = (struct etl_element){0};
			d->attach_missing++;
		}
		/* A value of an outer parent, or of the answer, may still be missing:
		 * then the records of this parent wait on, with the values that they
		 * have now. */
		waits |= t->scope < scope && !t->seen;
	}
	d->tail = NULL;
	d->held_from[scope] = d->held ? d->held->n : 0;
	if (!waits)
		flush(d);
	if (scope == d->scope_first)
		etl_arena_reset(d->scope_arena);
}

/* The captured text as an element, by way of a record with one member. */
int etl_json_attach_value(struct etl_json_decoder *d, size_t i, struct etl_error *err)
{
	ETL_BUF_CLEANUP struct etl_buf text;
	struct etl_json_fault fault = {0};
	struct etl_cursor cursor;
	const uint8_t *bson;
	const char *p;
	uint32_t len;

	etl_buf_init(&text, ETL_JSON_TOKEN_MAX + 64);
	/* A value has no reader of its own: inside an object of one member the record's
	 * reader does it, with the same numbers, escapes and refusals. */
	etl_buf_str(&text, "{\"v\":");
	etl_buf_append(&text, d->capture.data, d->capture.len);
	etl_buf_char(&text, '}');
	if (d->capture_cut)
		return etl_error_set(err, ETL_LIMIT, "json.attach",
			"the value at '%s' is longer than %d bytes",
			d->targets[1 + i].path.text, ETL_JSON_TOKEN_MAX);
	p = text.data;
	d->record_arena = NULL;
	etl_json_record_target(
		d->record, d->targets[1 + i].scope ? d->scope_arena : d->attach_arena);
	if (etl_json_record_read(d->record, &p, p + text.len, NULL, 0, &bson, &len, &fault) !=
		ETL_JSON_OK)
		return etl_error_set(err, ETL_DATA, "json.attach", "the value at '%s': %s",
			d->targets[1 + i].path.text, fault.message);
	etl_cursor_init(&cursor, bson, len);
	etl_cursor_next(&cursor, &d->attached[i]);
	d->attach_missing--;
	return 0;
}
