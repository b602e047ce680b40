/* SPDX-License-Identifier: MIT
 *
 * rename: {old: new, ...}. All names change at once, so {a: b, b: a} swaps; the order of the
 * fields stays. An absent field changes nothing. A record that holds the old and, besides,
 * the new name is rejected, unless both have the same value (then the old one goes).
 * `/a/b: c` copies a nested value to a top-level field at the end; the nested document
 * itself stays as it is. `a: /b/c` moves a field to where the pointer leads.
 *
 * {a: b, /m/x: y} of {"a": 1, "m": {"x": 2}} gives {"b": 1, "m": {"x": 2}, "y": 2}. {a:
 * b} of {"a": 1, "b": 1} gives {"b": 1}; of {"a": 1, "b": 2} it is a reject: one would
 * be lost.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "conf/canon.h"
#include "record/path.h"
#include "transform/rewrite.h"
#include "transform/transform.h"

struct lift {
	struct etl_path path;
	size_t pair;
};

/* Of one name: the pair in which it stands on the left and the one on the right, or -1. */
struct role {
	int as_old, as_new;
};

struct options {
	struct etl_pairs pairs;
	struct etl_fields fields; /* all top-level names on either side */
	struct role *roles;	  /* of each of them */
	uint32_t *new_lens;	  /* of each pair's right side */
	struct lift *lifts;
	size_t n_lifts;
};

/* All names change at once, in whatever order; what is lifted goes to the end in this one. */
static void canon(struct etl_canon *to, const void *options)
{
	const struct etl_pairs *pairs = &((const struct options *)options)->pairs;
	const char **keys = etl_arena_alloc(to->scratch, (pairs->n + 1) * sizeof *keys);
	const char **values = etl_arena_alloc(to->scratch, (pairs->n + 1) * sizeof *values);
	size_t n = 0;

	for (size_t i = 0; i < pairs->n; i++) {
		if (*pairs->keys[i] == '/') {
			etl_canon_text(to, pairs->keys[i]);
			etl_canon_text(to, pairs->values[i]);
			continue;
		}
		keys[n] = pairs->keys[i];
		values[n++] = pairs->values[i];
	}
	etl_canon_pairs(to, &(struct etl_pairs){n, keys, values, NULL, NULL}, true);
}

static const struct etl_option options[] = {
	{.name = "", .type = ETL_OPT_PAIRS, .offset = offsetof(struct options, pairs),
		.canon = canon, .required = true, .help = "old name: new name; /a/b: c lifts a nested value"},
	{0}};

struct rename {
	const struct options *options;
	struct etl_hits hits;
	struct etl_element *lifted; /* for each lift; key NULL = not there */
};

/* Two old names for one new one would make the outcome depend on the order of fields. */
static bool pair_ok(struct options *o, size_t i, const struct etl_conf_env *env)
{
	const struct etl_node *at = o->pairs.nodes[i];
	bool ok = etl_field_name_ok(o->pairs.values[i], at, "rename", env);

	if (*o->pairs.keys[i] != '/')
		ok &= etl_field_name_ok(o->pairs.keys[i], o->pairs.key_nodes[i], "rename", env);
	for (size_t k = 0; k < i; k++)
		if (etl_streq(o->pairs.values[i], o->pairs.values[k])) {
			etl_diag_add(env->diag, &at->mark, ETL_DIAG_CONFLICT, "is taken", NULL,
				"both '%s' and '%s' become '%s' in 'rename' of %s",
				o->pairs.keys[k], o->pairs.keys[i], o->pairs.values[i],
				env->what);
			return false;
		}
	return ok;
}

/* A pointer on the left is read before the record changes, and copied: the nested value
 * stays. */
static bool add_lift(struct options *o, size_t pair, const struct etl_conf_env *env)
{
	struct lift *lift = &o->lifts[o->n_lifts++];

	lift->pair = pair;
	return etl_path_configure(
		o->pairs.keys[pair], o->pairs.key_nodes[pair], "rename", env, &lift->path);
}

/* The role of `name`, made if it has none yet.
 * In {a: b, b: c} b is a new name of the first pair and an old one of the second. */
static struct role *role_of(struct options *o, const char **names, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (etl_streq(names[i], name))
			return &o->roles[i];
	names[*n] = name;
	o->roles[*n] = (struct role){-1, -1};
	return &o->roles[(*n)++];
}

static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;
	size_t n_pairs = o->pairs.n, n = 0;
	const char **names = etl_arena_alloc(env->arena, (2 * n_pairs + 1) * sizeof *names);

	(void)node;
	o->roles = etl_arena_alloc(env->arena, (2 * n_pairs + 1) * sizeof *o->roles);
	o->lifts = etl_arena_alloc(env->arena, (n_pairs + 1) * sizeof *o->lifts);
	o->new_lens = etl_arena_alloc(env->arena, (n_pairs + 1) * sizeof *o->new_lens);
	for (size_t i = 0; i < n_pairs; i++) {
		if (!pair_ok(o, i, env))
			return;
		o->new_lens[i] = (uint32_t)strlen(o->pairs.values[i]);
		if (*o->pairs.keys[i] == '/') {
			if (!add_lift(o, i, env))
				return;
		} else {
			role_of(o, names, &n, o->pairs.keys[i])->as_old = (int)i;
		}
		role_of(o, names, &n, o->pairs.values[i])->as_new = (int)i;
	}
	etl_fields_build(&o->fields, names, n, env->arena);
}

/* It is an old name, and no new one.
 * {a: b}: a is lost, b is not. {a: b, b: a} loses neither. */
static bool loses(const void *opts, const char *name)
{
	const struct options *o = opts;
	bool old = false;

	for (size_t i = 0; i < o->pairs.n; i++) {
		if (etl_streq(o->pairs.values[i], name) || etl_pointer_leads_into(o->pairs.values[i], name))
			return false;
		old |= etl_streq(o->pairs.keys[i], name);
	}
	return old;
}

static int open_rename(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct rename *r = self;

	(void)env, (void)err;
	r->options = opts;
	r->lifted = etl_calloc(r->options->n_lifts + 1, sizeof *r->lifted);
	return 0;
}

static bool same_value(const struct etl_element *a, const struct etl_element *b)
{
	return a->type == b->type && a->value_len == b->value_len &&
		(!a->value_len || memcmp(a->value, b->value, a->value_len) == 0);
}

/* The element that already has pair's new name and keeps it, or NULL.
 * A field that is renamed itself gives its name up: then there is nobody to hold it. */
static const struct etl_hit *holder(const struct rename *r, int pair)
{
	for (size_t i = 0; i < r->hits.n; i++) {
		const struct role *role = &r->options->roles[r->hits.items[i].field];

		if (role->as_old < 0 && role->as_new == pair)
			return &r->hits.items[i];
	}
	return NULL;
}

static void reject(struct etl_batch *batch, size_t i, const struct rename *r, int pair,
	const struct etl_element *from, const struct etl_element *there)
{
	char a[128], b[128];

	etl_element_describe(from, a, sizeof a);
	etl_element_describe(there, b, sizeof b);
	etl_batch_reject_record(batch, i, "transform", "rename", r->options->pairs.keys[pair],
		"%s (%s) cannot become %s, which is there already (%s)",
		r->options->pairs.keys[pair], a, r->options->pairs.values[pair], b);
}

/* Reads the nested values. True if there is any.
 * Found before anything moves: what a pointer leads to may lie under a name that
 * changes. */
static bool find_lifts(struct rename *r, const struct etl_record *record)
{
	bool any = false;

	for (size_t i = 0; i < r->options->n_lifts; i++) {
		bool found = etl_path_find(
			&r->options->lifts[i].path, record->bson, record->len, &r->lifted[i]);

		if (!found)
			r->lifted[i].key = NULL;
		any |= found;
	}
	return any;
}

/* Settles the new names that are taken: an equal value makes the rename superfluous (its
 * hit's field or its lift's key is cleared). False if the record was rejected.
 * Looked at only where a new name is there already (`taken`): that is rare, and the
 * pairs are many. */
static bool settle_taken(struct rename *r, struct etl_batch *batch, size_t i)
{
	const struct options *o = r->options;
	const struct etl_hit *taken;

	for (size_t k = 0; k < r->hits.n; k++) {
		struct etl_hit *hit = &r->hits.items[k];
		int pair = o->roles[hit->field].as_old;

		if (pair < 0 || !(taken = holder(r, pair)))
			continue;
		if (!same_value(&hit->e, &taken->e)) {
			reject(batch, i, r, pair, &hit->e, &taken->e);
			return false;
		}
		/* Both say the same: the one under the old name goes. */
		hit->e.type = 0; /* no BSON type: leave it out */
	}
	for (size_t k = 0; k < o->n_lifts; k++) {
		struct etl_element *e = &r->lifted[k];

		if (!e->key || !(taken = holder(r, (int)o->lifts[k].pair)))
			continue;
		if (!same_value(e, &taken->e)) {
			reject(batch, i, r, (int)o->lifts[k].pair, e, &taken->e);
			return false;
		}
		e->key = NULL;
	}
	return true;
}

/* Type and value are copied as they are; only the name differs. */
static void write_renamed(struct rename *r, struct etl_batch *batch, size_t i)
{
	const struct options *o = r->options;
	const struct etl_record *record = &batch->records[i];
	const uint8_t *from = etl_record_start(record);
	struct etl_writer w;

	etl_writer_begin(&w, batch->arena, record->len + 16 * o->pairs.n);
	for (size_t k = 0; k < r->hits.n; k++) {
		const struct etl_element *e = &r->hits.items[k].e;
		int pair = o->roles[r->hits.items[k].field].as_old;

		if (pair < 0)
			continue;
		etl_rewrite_slice(&w, from, etl_element_start(e));
		from = etl_element_end(e);
		if (e->type)
			etl_writer_raw(&w, o->pairs.values[pair], o->new_lens[pair], e->type,
				e->value, e->value_len);
	}
	etl_rewrite_slice(&w, from, etl_record_end(record));
	for (size_t k = 0; k < o->n_lifts; k++) {
		const struct etl_element *e = &r->lifted[k];
		size_t pair = o->lifts[k].pair;

		if (e->key)
			etl_writer_raw(&w, o->pairs.values[pair], o->new_lens[pair], e->type,
				e->value, e->value_len);
	}
	etl_rewrite_done(batch, i, "rename", &w);
}

/* `any`: something is to be renamed or lifted. A record with none of the old names is
 * not touched. */
static int apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct rename *r = self;
	size_t n_rejects = etl_fields_lift(&r->options->fields, batch, "rename");

	(void)err;
	for (size_t i = 0; i < batch->n; i++) {
		bool any, taken = false;

		etl_hits_find(&r->hits, &r->options->fields, &batch->records[i]);
		any = find_lifts(r, &batch->records[i]);
		for (size_t k = 0; k < r->hits.n; k++) {
			bool is_old = r->options->roles[r->hits.items[k].field].as_old >= 0;

			any |= is_old;
			taken |= !is_old;
		}
		if (any && (!taken || settle_taken(r, batch, i)))
			write_renamed(r, batch, i);
	}
	etl_batch_compact(batch);
	etl_fields_lower(&r->options->fields, batch, n_rejects, false, "rename");
	return 0;
}

static void close_rename(void *self)
{
	struct rename *r = self;

	etl_hits_fini(&r->hits);
	free(r->lifted);
}

const struct etl_transform_type etl_transform_rename = {
	.name = "rename",
	.summary = "gives fields other names, lifts nested values to the top",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct rename),
	.check = compile,
	.loses = loses,
	.open = open_rename,
	.apply = apply,
	.close = close_rename,
};
