/* SPDX-License-Identifier: MIT
 *
 * set: {name: value}. Overwrites the field in its place or puts it at the end. Values follow
 * the rules of conf/document.h; templates mean the partition, the run and the window of the
 * record's own unit. They are filled once, or, where one names the window, when the unit changes.
 * So a record costs one or two copies.
 *
 * set: {source: "airqino", station: "{station}", hour: "{window.start}"} puts a text,
 * the partition's value and a date into each record; a record of 11:20 gets the hour
 * 11:00, although 10:00 to 12:00 was asked for at once.
 */
#include "base/alloc.h"
#include "conf/document.h"
#include "transform/rewrite.h"
#include "transform/transform.h"

struct options {
	const struct etl_node *body;
	struct etl_fields fields;
	const struct etl_value **values; /* one a field */
	bool has_window;		 /* one of them is filled for each unit */
};

static const struct etl_option options[] = {
	{.name = "",
		.type = ETL_OPT_NODE,
		.offset = offsetof(struct options, body),
		.required = true,
		.help = "field: value; {station}, {window.start}, {run_id} are filled"},
	{0}};

struct set {
	const struct options *options;
	const struct etl_stage_env *env;
	struct etl_window window;   /* of the unit that doc is filled for */
	bson_t *doc;		    /* all fields with their values, in order */
	struct etl_element *values; /* lent from doc */
	struct etl_hits hits;
	bool *there; /* the record at hand has the field */
};

/* Values are compiled like those of a filter, but keys with '$' are refused: they are
 * data here. */
static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;
	const struct etl_node *body = o->body;
	bool ok = true;

	(void)node;
	if (!body || body->kind != ETL_NODE_MAP) {
		etl_diag_add(env->diag, body ? &body->mark : NULL, ETL_DIAG_TYPE,
			"field: value", NULL, "'set' of %s is a mapping", env->what);
		return;
	}
	const char **names = etl_arena_alloc(env->arena, (body->n + 1) * sizeof *names);
	o->values = etl_arena_zalloc(env->arena, (body->n + 1) * sizeof *o->values);
	for (size_t i = 0; i < body->n; i++) {
		names[i] = body->keys[i]->text;
		ok &= etl_field_name_ok(names[i], body->keys[i], "set", env);
		o->values[i] = etl_value_compile(body->items[i], env);
		ok &= o->values[i] != NULL;
		o->has_window |= o->values[i] && etl_value_has_window(o->values[i]);
	}
	if (ok)
		etl_fields_build(&o->fields, names, body->n, env->arena);
}

/* Fills all values for one unit.
 * Elements are lent from the document: filling it again makes the old ones void. */
static int fill(struct set *s, struct etl_window window, struct etl_error *err)
{
	const struct options *o = s->options;
	struct etl_vars vars = *s->env->vars;
	struct etl_cursor cursor;

	vars.window = s->window = window;
	/* One document holds all values: a record whose fields are all new gets it as
	 * one slice. */
	bson_reinit(s->doc);
	for (size_t i = 0; i < o->fields.n; i++)
		if (etl_value_append(o->values[i], &vars, s->doc, o->fields.names[i], err) < 0)
			return etl_error_prefix(err, "set %s", o->fields.names[i]);
	etl_cursor_init(&cursor, bson_get_data(s->doc), s->doc->len);
	for (size_t i = 0; i < o->fields.n; i++)
		if (!etl_cursor_next(&cursor, &s->values[i]))
			return etl_error_set(err, ETL_BUG, "transform.set", "set lost a value");
	return 0;
}

static int open_set(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct set *s = self;
	const struct options *o = opts;

	s->options = o;
	s->env = env;
	s->doc = bson_new();
	s->values = etl_calloc(o->fields.n + 1, sizeof *s->values);
	s->there = etl_calloc(o->fields.n + 1, sizeof *s->there);
	/* Also without a window, so that what cannot be filled is told before the first
	 * record. */
	return fill(s, (struct etl_window){{0}, {0}}, err);
}

/* Values without {window...} are filled once, at open. */
static int fill_for(struct set *s, const struct etl_record *record, struct etl_error *err)
{
	struct etl_window window;

	if (!s->options->has_window)
		return 0;
	window = s->env->unit(s->env->ctx, record->time).window;
	/* Records come sorted, mostly: the values change once a unit. */
	if (window.start.ms == s->window.start.ms && window.end.ms == s->window.end.ms)
		return 0;
	return fill(s, window, err);
}

/* Overwrites what is there, then puts the others at the end.
 * A name that a record has twice is written once. */
static void overwrite(struct set *s, const struct etl_record *record, struct etl_writer *w)
{
	const struct etl_fields *fields = &s->options->fields;
	const uint8_t *from = etl_record_start(record);

	memset(s->there, 0, fields->n * sizeof *s->there);
	for (size_t h = 0; h < s->hits.n; h++) {
		const struct etl_hit *hit = &s->hits.items[h];

		etl_rewrite_slice(w, from, etl_element_start(&hit->e));
		from = etl_element_end(&hit->e);
		if (!s->there[hit->field])
			etl_writer_copy(w, &s->values[hit->field]);
		s->there[hit->field] = true;
	}
	etl_rewrite_slice(w, from, etl_record_end(record));
	for (size_t i = 0; i < fields->n; i++)
		if (!s->there[i])
			etl_writer_copy(w, &s->values[i]);
}

/* A record is written anew in any case: a fixed value is in it, or is put there. */
static int apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct set *s = self;
	struct etl_writer w;

	for (size_t i = 0; i < batch->n; i++) {
		const struct etl_record *record = &batch->records[i];

		if (fill_for(s, record, err) < 0)
			return -1;
		etl_hits_find(&s->hits, &s->options->fields, record);
		etl_writer_begin(&w, batch->arena, record->len + s->doc->len);
		if (s->hits.n) {
			overwrite(s, record, &w);
		} else {
			etl_rewrite_slice(&w, etl_record_start(record), etl_record_end(record));
			etl_rewrite_slice(&w, bson_get_data(s->doc) + 4,
				bson_get_data(s->doc) + s->doc->len - 1);
		}
		etl_rewrite_done(batch, i, "set", &w);
	}
	etl_batch_compact(batch);
	etl_fields_lower(&s->options->fields, batch, batch->n_rejects, false, "set");
	return 0;
}

static void close_set(void *self)
{
	struct set *s = self;

	bson_destroy(s->doc);
	free(s->values);
	free(s->there);
	etl_hits_fini(&s->hits);
}

const struct etl_transform_type etl_transform_set = {
	.name = "set",
	.summary = "gives fields fixed values, or those of the record's window",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct set),
	.check = compile,
	.open = open_set,
	.apply = apply,
	.close = close_set,
};
