/* SPDX-License-Identifier: MIT
 *
 * keep: [field, ...]. All other fields go; the order of the record stays. A field that the
 * record does not have changes nothing.
 *
 * keep: [station, /meta/id] of {"station": "a", "v": 1, "meta": {"id": 7, "debug": {}}} gives
 * {"station": "a", "meta": {"id": 7}}.
 */
#include "transform/rewrite.h"
#include "transform/transform.h"

struct options {
	struct etl_strings names;
	struct etl_fields fields;
};

static const struct etl_option options[] = {
	{.name = "", .type = ETL_OPT_STRINGS, .unordered = true, .offset = offsetof(struct options, names),
		.required = true, .help = "the top-level fields that stay"},
	{0}};

struct keep {
	const struct options *options;
	struct etl_hits hits;
};

static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;

	(void)node;
	if (etl_field_names_ok(&o->names, "keep", env))
		etl_fields_build(&o->fields, o->names.items, o->names.n, env->arena);
}

/* "/meta/id" keeps something of meta: the document itself is not lost. */
static bool loses(const void *opts, const char *name)
{
	const struct etl_strings *names = &((const struct options *)opts)->names;

	for (size_t i = 0; i < names->n; i++)
		if (etl_pointer_leads_into(names->items[i], name))
			return false;
	return !etl_strings_have(names, name);
}

static int open_keep(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct keep *k = self;

	(void)env, (void)err;
	k->options = opts;
	return 0;
}

/* Neighbours that stay are copied as one slice.
 * `from` and `to` are the slice that is being gathered; a gap between two hits ends it. */
static void write_kept(const struct keep *k, struct etl_batch *batch, size_t i)
{
	const uint8_t *from = etl_record_start(&batch->records[i]), *to = from;
	struct etl_writer w;

	etl_writer_begin(&w, batch->arena, batch->records[i].len);
	for (size_t h = 0; h < k->hits.n; h++) {
		const struct etl_element *e = &k->hits.items[h].e;

		if (etl_element_start(e) != to) {
			etl_rewrite_slice(&w, from, to);
			from = etl_element_start(e);
		}
		to = etl_element_end(e);
	}
	etl_rewrite_slice(&w, from, to);
	etl_rewrite_done(batch, i, "keep", &w);
}

/* A record without any of the names becomes an empty document: whether it may be one is
 * for a check. */
static int apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct keep *k = self;
	size_t n_rejects = etl_fields_lift(&k->options->fields, batch, "keep");

	(void)err;
	for (size_t i = 0; i < batch->n; i++) {
		etl_hits_find(&k->hits, &k->options->fields, &batch->records[i]);
		write_kept(k, batch, i);
	}
	etl_batch_compact(batch);
	etl_fields_lower(&k->options->fields, batch, n_rejects, false, "keep");
	return 0;
}

static void close_keep(void *self)
{
	etl_hits_fini(&((struct keep *)self)->hits);
}

const struct etl_transform_type etl_transform_keep = {
	.name = "keep",
	.summary = "leaves only the named fields",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct keep),
	.check = compile,
	.loses = loses,
	.open = open_keep,
	.apply = apply,
	.close = close_keep,
};
