/* SPDX-License-Identifier: MIT
 *
 * lookup: {from, on, take, absent, default}. Fields of the document of a collection or a file that
 * a record's own fields find become fields of the record, overwritten or put at the end. The table
 * is what it was when the run began. A field that is missing or null finds nothing.
 *
 * Example: {station: "a"} with `from: {collection: stations}, on: {station: _id}, take: {lat:
 * /geo/lat}` and the document {_id: "a", geo: {lat: 5.3}} becomes {station: "a", lat: 5.3}.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "record/bad_value.h"
#include "transform/rewrite.h"
#include "transform/transform.h"

struct from {
	const char *collection, *database, *file;
};

static const struct etl_option from_options[] = {
	{.name = "collection", .type = ETL_OPT_STRING, .offset = offsetof(struct from, collection),
		.help = "of MongoDB"},
	{.name = "database", .type = ETL_OPT_STRING, .offset = offsetof(struct from, database),
		.help = "of the collection; the default one if absent"},
	{.name = "file", .type = ETL_OPT_STRING, .offset = offsetof(struct from, file),
		.help = "JSON Lines; a relative path begins at the file of the daemon"},
	{0}};

struct options {
	struct from from;
	struct etl_pairs on, take;
	struct etl_bad_options bad;
	struct etl_bad_rule rule;
	struct etl_table_place place;
	struct etl_path *on_paths; /* of the record */
	struct etl_fields fields;  /* that are written */
};

#define AT(member) offsetof(struct options, member)
static const struct etl_option options[] = {
	{.name = "from", .type = ETL_OPT_TABLE, .offset = AT(from), .sub = from_options,
		.required = true, .help = "{collection, database} or {file}"},
	{.name = "on", .type = ETL_OPT_PAIRS, .offset = AT(on), .required = true,
		.help = "field of the record: field of the document"},
	{.name = "take", .type = ETL_OPT_PAIRS, .offset = AT(take), .required = true,
		.help = "field of the record: field of the document"},
	{.name = "absent", .type = ETL_OPT_NODE, .offset = AT(bad.absent),
		.help = "no such document or field: reject (default), null, text (the record "
			"stays as it is), default"},
	{.name = "default", .type = ETL_OPT_NODE, .offset = AT(bad.fallback),
		.help = "the value of absent: default"},
	{0}};
#undef AT

struct lookup {
	const struct options *options;
	const struct etl_table *table;
	struct etl_buf key;
	struct etl_element *by;	   /* one for each of `on` */
	struct etl_element *taken; /* one for each field, with its name; key NULL = it stays */
	bool *there;		   /* the record at hand has the field */
	struct etl_hits hits;
};

/* ---- configuration ----------------------------------------------------------------------- */

static bool compile_from(struct options *o, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const struct from *from = &o->from;

	if (!from->collection == !from->file || (from->file && from->database)) {
		etl_diag_add(env->diag, &etl_node_get(node, "from")->mark, ETL_DIAG_CONFLICT,
			"{collection: stations} or {file: stations.jsonl}", NULL,
			"'from' in 'lookup' of %s is a collection or a file", env->what);
		return false;
	}
	o->place.collection = from->collection;
	o->place.database = from->database;
	o->place.file = from->file;
	if (from->file && *from->file != '/' && env->config_dir)
		o->place.file = etl_arena_strf(env->arena, "%s/%s", env->config_dir, from->file);
	o->place.name = from->file ? o->place.file : from->collection;
	return true;
}

/* The paths of the values, which are fields of the documents. */
static const struct etl_path *compile_values(const struct etl_pairs *pairs,
	const struct etl_conf_env *env)
{
	struct etl_path *paths = etl_arena_zalloc(env->arena, (pairs->n + 1) * sizeof *paths);

	for (size_t i = 0; i < pairs->n; i++)
		if (!etl_path_configure(pairs->values[i], pairs->nodes[i], "lookup", env,
			&paths[i]))
			return NULL;
	return paths;
}

static bool has_pairs(const struct etl_pairs *pairs, const char *key, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	if (pairs->n)
		return true;
	etl_diag_add(env->diag, &etl_node_get(node, key)->mark, ETL_DIAG_MISSING,
		"field of the record: field of the document", NULL, "'%s' in 'lookup' of %s is "
		"empty",
		key, env->what);
	return false;
}

static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;

	if (!compile_from(o, node, env) || !has_pairs(&o->on, "on", node, env) ||
		!has_pairs(&o->take, "take", node, env) ||
		!etl_bad_compile(&o->bad, &o->rule, "lookup", env))
		return;
	o->place.n_on = o->on.n;
	o->place.n_take = o->take.n;
	o->place.on = compile_values(&o->on, env);
	o->place.take = compile_values(&o->take, env);
	o->on_paths = etl_arena_zalloc(env->arena, o->on.n * sizeof *o->on_paths);
	for (size_t i = 0; i < o->on.n; i++)
		if (!etl_path_configure(o->on.keys[i], o->on.key_nodes[i], "lookup", env,
			    &o->on_paths[i]))
			return;
	for (size_t i = 0; i < o->take.n; i++)
		if (!etl_field_name_ok(o->take.keys[i], o->take.key_nodes[i], "lookup", env))
			return;
	etl_fields_build(&o->fields, o->take.keys, o->take.n, env->arena);
}

static const struct etl_table_place *place(const void *opts)
{
	return &((const struct options *)opts)->place;
}

/* ---- an instance ------------------------------------------------------------------------- */

static int open_lookup(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct lookup *l = self;
	const struct options *o = opts;

	(void)err;
	l->options = o;
	l->table = env->table(env->ctx, &o->place);
	l->by = etl_calloc(o->on.n, sizeof *l->by);
	l->taken = etl_calloc(o->take.n, sizeof *l->taken);
	l->there = etl_calloc(o->take.n, sizeof *l->there);
	etl_buf_init(&l->key, ETL_DOCUMENT_BYTES_MAX + 1024);
	return 0;
}

static void close_lookup(void *self)
{
	struct lookup *l = self;

	free(l->by);
	free(l->taken);
	free(l->there);
	etl_buf_fini(&l->key);
	etl_hits_fini(&l->hits);
}

/* The first field of `on` that has nothing to look for; NULL = all have. */
static const char *read_key(struct lookup *l, const struct etl_record *record)
{
	const struct options *o = l->options;

	for (size_t i = 0; i < o->on.n; i++)
		if (!etl_path_find(&o->on_paths[i], record->bson, record->len, &l->by[i]) ||
			etl_element_is_null(&l->by[i]))
			return o->on.keys[i];
	return NULL;
}

static void refuse(const struct lookup *l, struct etl_batch *batch, size_t i, const char *lacks,
	const char *field)
{
	const struct options *o = l->options;
	char shown[128];

	if (lacks) {
		etl_batch_reject_record(batch, i, "transform", "lookup", lacks,
			"'%s' is missing or null: there is nothing to look for", lacks);
		return;
	}
	etl_element_describe(&l->by[0], shown, sizeof shown);
	if (field)
		etl_batch_reject_record(batch, i, "transform", "lookup", o->on.keys[0],
			"the document of %s with %s %s has no '%s'", o->place.name, o->on.values[0],
			shown, field);
	else
		etl_batch_reject_record(batch, i, "transform", "lookup", o->on.keys[0],
			"%s has no document with %s %s", o->place.name, o->on.values[0], shown);
}

/* What the record gets. False = it is refused. */
static bool look_up(struct lookup *l, struct etl_batch *batch, size_t i)
{
	const struct options *o = l->options;
	const char *lacks = read_key(l, &batch->records[i]);
	const struct etl_element *found = lacks ? NULL : etl_table_find(l->table, l->by, &l->key);
	enum etl_bad_value absent = o->rule.absent;

	for (size_t k = 0; k < o->take.n; k++) {
		struct etl_element *to = &l->taken[k];

		*to = found ? found[k] : (struct etl_element){.type = BSON_TYPE_EOD};
		if (to->type == BSON_TYPE_EOD && absent == ETL_BAD_REJECT) {
			refuse(l, batch, i, lacks, found ? o->take.values[k] : NULL);
			return false;
		}
		if (to->type == BSON_TYPE_EOD && absent == ETL_BAD_TEXT)
			continue;
		if (to->type == BSON_TYPE_EOD)
			*to = etl_bad_element(&o->rule, absent);
		to->key = o->fields.names[k];
		to->key_len = o->fields.lens[k];
	}
	return true;
}

static void write_record(struct lookup *l, struct etl_batch *batch, size_t i)
{
	const struct etl_record *record = &batch->records[i];
	const struct etl_fields *fields = &l->options->fields;
	const uint8_t *from = etl_record_start(record);
	struct etl_writer w;

	memset(l->there, 0, fields->n * sizeof *l->there);
	etl_writer_begin(&w, batch->arena, record->len + 32 * fields->n);
	for (size_t h = 0; h < l->hits.n; h++) {
		const struct etl_hit *hit = &l->hits.items[h];

		if (!l->taken[hit->field].key)
			continue;
		etl_rewrite_slice(&w, from, etl_element_start(&hit->e));
		from = etl_element_end(&hit->e);
		if (!l->there[hit->field])
			etl_writer_copy(&w, &l->taken[hit->field]);
		l->there[hit->field] = true;
	}
	etl_rewrite_slice(&w, from, etl_record_end(record));
	for (size_t f = 0; f < fields->n; f++)
		if (l->taken[f].key && !l->there[f])
			etl_writer_copy(&w, &l->taken[f]);
	etl_rewrite_done(batch, i, "lookup", &w);
}

static int apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct lookup *l = self;
	const struct etl_fields *fields = &l->options->fields;
	size_t n_rejects = etl_fields_lift(fields, batch, "lookup");

	(void)err;
	for (size_t i = 0; i < batch->n; i++) {
		if (!look_up(l, batch, i))
			continue;
		etl_hits_find(&l->hits, fields, &batch->records[i]);
		write_record(l, batch, i);
	}
	etl_batch_compact(batch);
	etl_fields_lower(fields, batch, n_rejects, false, "lookup");
	return 0;
}

const struct etl_transform_type etl_transform_lookup = {
	.name = "lookup",
	.summary = "fields of a document of a collection or a file",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct lookup),
	.check = compile,
	.place = place,
	.open = open_lookup,
	.apply = apply,
	.close = close_lookup,
};
