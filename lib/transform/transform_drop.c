/* SPDX-License-Identifier: MIT
 *
 * drop: [field, ...]. These fields go, all others stay in their order. A field that the
 * record does not have changes nothing.
 *
 * drop: [raw, /meta/debug] of {"t": 1, "raw": "...", "meta": {"id": 7, "debug": {}}}
 * gives {"t": 1, "meta": {"id": 7}}. A document that becomes empty stays.
 */
#include "transform/rewrite.h"
#include "transform/transform.h"

struct options {
	struct etl_strings names;
	struct etl_fields fields;
};

static const struct etl_option options[] = {
	{.name = "", .type = ETL_OPT_STRINGS, .unordered = true, .offset = offsetof(struct options, names),
		.required = true, .help = "the top-level fields that go"},
	{0}};

struct drop {
	const struct options *options;
	struct etl_hits hits;
};

static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;

	(void)node;
	if (etl_field_names_ok(&o->names, "drop", env))
		etl_fields_build(&o->fields, o->names.items, o->names.n, env->arena);
}

/* For the check of a job: a key or an event time that is dropped is told at load. */
static bool loses(const void *opts, const char *name)
{
	return etl_strings_have(&((const struct options *)opts)->names, name);
}

static int open_drop(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct drop *d = self;

	(void)env, (void)err;
	d->options = opts;
	return 0;
}

/* hits d1, d2: [start, d1) [d1 end, d2) [d2 end, end). Neighbours that go make empty slices. */
static void write_rest(const struct drop *d, struct etl_batch *batch, size_t i)
{
	const struct etl_record *record = &batch->records[i];
	const uint8_t *from = etl_record_start(record);
	struct etl_writer w;

	etl_writer_begin(&w, batch->arena, record->len);
	for (size_t h = 0; h < d->hits.n; h++) {
		const struct etl_element *e = &d->hits.items[h].e;

		etl_rewrite_slice(&w, from, etl_element_start(e));
		from = etl_element_end(e);
	}
	etl_rewrite_slice(&w, from, etl_record_end(record));
	etl_rewrite_done(batch, i, "drop", &w);
}

/* A record without any of the names is not copied. */
static int apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct drop *d = self;

	(void)err;
	for (size_t i = 0; i < batch->n; i++) {
		etl_hits_find(&d->hits, &d->options->fields, &batch->records[i]);
		if (d->hits.n)
			write_rest(d, batch, i);
	}
	etl_batch_compact(batch);
	/* Pointers are not lifted here: what goes is taken out where it is. */
	etl_fields_lower(&d->options->fields, batch, batch->n_rejects, true, "drop");
	return 0;
}

static void close_drop(void *self)
{
	etl_hits_fini(&((struct drop *)self)->hits);
}

const struct etl_transform_type etl_transform_drop = {
	.name = "drop",
	.summary = "takes the named fields out",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct drop),
	.check = compile,
	.loses = loses,
	.open = open_drop,
	.apply = apply,
	.close = close_drop,
};
