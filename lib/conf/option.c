/* SPDX-License-Identifier: MIT
 *
 * Walks a mapping by an option table. All errors of the mapping are reported: a wrong value
 * does not stop the look at the next key.
 *
 * The order of work on a mapping: unknown keys first, in the order of the file, then
 * each row of the table, in the order of the table. A row that is absent takes its
 * fallback, which is written as it would stand in the file and goes through the same
 * conversion: "60s" and not 60000000.
 */
#include "conf/option.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "conf/convert.h"
#include "conf/secret.h"

/* 128 rows are more than any table has; 160 bytes hold "extract.http.auth.oauth2 of job 'NAME'"
 * with a name of the full 64 bytes; 80 hold a quoted key of 60 bytes. What is longer is cut. */
enum { KEYS_MAX = 128, CONTEXT_BYTES = 160, NAME_BYTES = 80 };

struct filler {
	const struct etl_option *table;
	char *out;
	const char *context;
	const struct etl_conf_env *env;
};

static bool fill_table(const struct filler *fl, const struct etl_node *node, bool required);

/* "extract.http of job 'airqino'", or what the environment is if the context adds nothing.
 * context "extract.http", what "job 'a'"   ->   extract.http of job 'a'
 * context "job",          what "job 'a'"   ->   job 'a' */
static const char *place_text(const struct filler *fl, char out[CONTEXT_BYTES])
{
	const char *what = fl->env->what ? fl->env->what : "the configuration";

	if (!fl->context || !*fl->context || etl_starts_with(what, fl->context))
		snprintf(out, CONTEXT_BYTES, "%s", what);
	else
		snprintf(out, CONTEXT_BYTES, "%s of %s", fl->context, what);
	return out;
}

/* Tables have up to thirty rows: walking one is quicker than anything cleverer. */
static const struct etl_option *find_row(const struct etl_option *table, const char *name)
{
	for (; table->name; table++)
		if (etl_streq(table->name, name))
			return table;
	return NULL;
}

static struct etl_conversion conversion(const struct filler *fl, const struct etl_option *row,
	const struct etl_node *node, char name[NAME_BYTES])
{
	if (*row->name)
		snprintf(name, NAME_BYTES, "'%s'", row->name);
	else
		snprintf(name, NAME_BYTES, "%s", "the value");
	return (struct etl_conversion){
		.row = row,
		.node = node,
		.name = name,
		.context = fl->context,
		.env = fl->env,
	};
}

/* ---- values of several nodes ------------------------------------------------------------ */

/* `fields: a` is `fields: [a]`: a list of one is the commonest list. A mapping is an error, and so
 * is a list inside of the list. */
static bool fill_strings(const struct etl_conversion *cv, struct etl_strings *out)
{
	const struct etl_node *node = cv->node;
	const struct etl_node *const *from = (const struct etl_node *const *)node->items;
	size_t n = node->n;
	const char **items;
	const struct etl_node **nodes;
	bool good = true;

	if (node->kind == ETL_NODE_SCALAR) {
		from = &node;
		n = 1;
	} else if (node->kind == ETL_NODE_MAP) {
		return etl_convert_needs_scalar(cv);
	}
	/* `key: []` is no key: what has to be there has to say something. */
	if (!n && cv->row->required) {
		etl_convert_refuse(cv, ETL_DIAG_MISSING, cv->row->help, "%s is empty", cv->name);
		return false;
	}
	items = etl_arena_alloc(cv->env->arena, (n + 1) * sizeof *items);
	nodes = etl_arena_alloc(etl_conf_tree(cv->env), (n + 1) * sizeof *nodes);
	for (size_t i = 0; i < n; i++) {
		struct etl_option word = {.name = cv->row->name, .type = ETL_OPT_STRING};
		struct etl_conversion one = *cv;

		one.row = &word;
		one.node = from[i];
		good &= etl_convert_scalar(&one, &items[i]);
		nodes[i] = from[i];
	}
	/* Both ways of walking are served: by `n`, and to the NULL. */
	items[n] = NULL;
	nodes[n] = NULL;
	if (good)
		*out = (struct etl_strings){n, items, nodes};
	return good;
}

/* The keys are free here (headers, query parameters), so none is unknown. Their order
 * is kept: a service that signs its query needs it. */
static bool fill_pairs(const struct etl_conversion *cv, struct etl_pairs *out)
{
	const struct etl_node *node = cv->node;
	struct etl_arena *arena = cv->env->arena;
	const char **keys, **values;
	bool good = true;

	if (etl_node_is_null(node))
		return true;
	if (node->kind != ETL_NODE_MAP) {
		etl_convert_refuse(cv, ETL_DIAG_TYPE, NULL, "%s must be a mapping, not %s",
			cv->name, node->kind == ETL_NODE_LIST ? "a list" : "a word");
		return false;
	}
	keys = etl_arena_alloc(arena, (node->n + 1) * sizeof *keys);
	values = etl_arena_alloc(arena, (node->n + 1) * sizeof *values);
	for (size_t i = 0; i < node->n; i++) {
		struct etl_option word = {.name = node->keys[i]->text, .type = ETL_OPT_STRING};
		struct etl_conversion one = *cv;
		char name[NAME_BYTES];

		snprintf(name, sizeof name, "'%.60s'", word.name);
		one.row = &word;
		one.node = node->items[i];
		one.name = name;
		keys[i] = word.name;
		good &= etl_convert_scalar(&one, &values[i]);
	}
	keys[node->n] = NULL;
	values[node->n] = NULL;
	if (good)
		*out = (struct etl_pairs){node->n, keys, values,
			(const struct etl_node *const *)node->keys,
			(const struct etl_node *const *)node->items};
	return good;
}

static bool fill_secret(const struct etl_conversion *cv, void *out)
{
	struct etl_secret *secret = etl_secret_read(cv->node, cv->env);

	if (secret)
		*(struct etl_secret **)out = secret;
	return secret != NULL;
}

/* `required` is passed on only if the table stood there: of `auth: {basic: {user: ...,
 * password: ...}}` the user is required, but a job without any `auth` owes none. */
static bool fill_sub(const struct filler *fl, const struct etl_option *row,
	const struct etl_node *node, void *out)
{
	char context[CONTEXT_BYTES];
	/* "schedule of job 'x'" says enough, "job.schedule of job 'x'" too much. */
	bool bare = !fl->context || !*fl->context ||
		(fl->env->what && etl_starts_with(fl->env->what, fl->context));
	struct filler sub = {.table = row->sub, .out = out, .context = context, .env = fl->env};

	snprintf(context, sizeof context, "%s%s%s", bare ? "" : fl->context,
		bare || !*row->name ? "" : ".", row->name);
	return fill_table(&sub, node, node != NULL);
}

/* ---- one row ---------------------------------------------------------------------------- */

/* The offset leads to the member of the component's struct; its type is what the
 * comment at etl_option_type says. Nothing checks this but the tests of each
 * component's options. */
static bool fill_value(const struct filler *fl, const struct etl_option *row,
	const struct etl_node *node)
{
	void *out = fl->out + row->offset;
	char name[NAME_BYTES];
	struct etl_conversion cv = conversion(fl, row, node, name);

	switch (row->type) {
	case ETL_OPT_STRINGS:
		return fill_strings(&cv, out);
	case ETL_OPT_PAIRS:
		return fill_pairs(&cv, out);
	case ETL_OPT_SECRET:
		return fill_secret(&cv, out);
	case ETL_OPT_NODE:
		*(const struct etl_node **)out = node;
		return true;
	case ETL_OPT_TABLE:
		return fill_sub(fl, row, node, out);
	default:
		return etl_convert_scalar(&cv, out);
	}
}

/* A fallback makes a node as if it had been read, without a file: an error about it
 * would have no place, and there must be none. */
static void fill_fallback(const struct filler *fl, const struct etl_option *row)
{
	struct etl_node own, *node = &own;
	bool good;

	if (row->type == ETL_OPT_TABLE) {
		fill_sub(fl, row, NULL, fl->out + row->offset);
		return;
	}
	if (!row->fallback)
		return;
	if (row->type == ETL_OPT_STRING) {
		*(const char **)(fl->out + row->offset) = row->fallback;
		return;
	}
	if (row->type == ETL_OPT_STRINGS || row->type == ETL_OPT_NODE)
		node = etl_arena_zalloc(etl_conf_tree(fl->env), sizeof *node); /* they keep it */
	*node = (struct etl_node){.kind = ETL_NODE_SCALAR, .plain = true, .text = row->fallback};
	good = fill_value(fl, row, node);
	assert(good); /* a wrong fallback is a mistake of the table */
	(void)good;
}

/* ---- the whole mapping ------------------------------------------------------------------ */

/* unknown key 'shedule' in job 'airqino': the nearest of the table's own names is the hint. Keys
 * of other tables are not offered: "did you mean 'url'?" would not help in a schedule. */
static void refuse_unknown(const struct filler *fl, const struct etl_node *key)
{
	const char *names[KEYS_MAX];
	const char *near;
	char place[CONTEXT_BYTES], hint[NAME_BYTES + 32], help[CONTEXT_BYTES + 32];
	size_t n = 0;

	for (const struct etl_option *row = fl->table; row->name && n < KEYS_MAX; row++)
		names[n++] = row->name;
	near = etl_nearest(key->text, names, n);
	if (near)
		snprintf(hint, sizeof hint, "did you mean '%s'?", near);
	snprintf(help, sizeof help, "man etld.yaml, %s", fl->context ? fl->context : "");
	etl_diag_add(fl->env->diag, &key->mark, ETL_DIAG_UNKNOWN, near ? hint : NULL,
		fl->context && *fl->context ? help : NULL, "unknown key '%.80s' in %s",
		key->text, place_text(fl, place));
}

/* The hint shows the key with its help line as it would be written: "url: where to
 * ask". */
static void refuse_missing(const struct filler *fl, const struct etl_option *row,
	const struct etl_node *node)
{
	char place[CONTEXT_BYTES], hint[CONTEXT_BYTES], help[CONTEXT_BYTES + 32];

	snprintf(hint, sizeof hint, "%s: %s", row->name, row->help ? row->help : "");
	snprintf(help, sizeof help, "man etld.yaml, %s", fl->context ? fl->context : "");
	etl_diag_add(fl->env->diag, node ? &node->mark : NULL, ETL_DIAG_MISSING, hint,
		fl->context && *fl->context ? help : NULL, "the key '%s' is missing in %s",
		row->name, place_text(fl, place));
}

/* A mapping that says nothing (`retry:`) is one whose fallbacks all apply. */
static bool is_absent(const struct etl_node *node)
{
	return !node || etl_node_is_null(node);
}

/* A key without a value (`url:`) counts as present: for a scalar that is an error ("has no
 * value"), not a silent return to the default. */
static bool fill_row(const struct filler *fl, const struct etl_option *row,
	const struct etl_node *map, bool required)
{
	const struct etl_node *node = etl_node_get(map, row->name);

	if (node && row->present)
		*(bool *)(fl->out + row->present) = true;
	if (node)
		return fill_value(fl, row, node);
	if (row->required && required) {
		refuse_missing(fl, row, map);
		return false;
	}
	fill_fallback(fl, row);
	return true;
}

/* A table whose only row is "": the node itself is the value.
 * For `keep: [a, b]`: there is no key inside, the body itself is the one value. */
static bool fill_whole(const struct filler *fl, const struct etl_node *node, bool required)
{
	const struct etl_option *row = fl->table;

	if (!is_absent(node) || (node && row->type == ETL_OPT_NODE)) {
		if (row->present)
			*(bool *)(fl->out + row->present) = true;
		return fill_value(fl, row, node);
	}
	if (row->required && required) {
		char place[CONTEXT_BYTES];

		etl_diag_add(fl->env->diag, node ? &node->mark : NULL, ETL_DIAG_MISSING,
			row->help, NULL, "%s has no value", place_text(fl, place));
		return false;
	}
	fill_fallback(fl, row);
	return true;
}

static bool fill_table(const struct filler *fl, const struct etl_node *node, bool required)
{
	bool good = true;

	if (fl->table->name && !*fl->table->name)
		return fill_whole(fl, node, required);
	/* `retry: 3` where a mapping is due: one error, and no "missing" for each
	 * required row. */
	if (!is_absent(node) && node->kind != ETL_NODE_MAP) {
		char place[CONTEXT_BYTES];

		etl_diag_add(fl->env->diag, &node->mark, ETL_DIAG_TYPE, NULL, NULL,
			"%s must be a mapping, not a %s", place_text(fl, place),
			node->kind == ETL_NODE_LIST ? "list" : "word");
		return false;
	}
	for (size_t i = 0; node && i < node->n; i++)
		if (!find_row(fl->table, node->keys[i]->text)) {
			refuse_unknown(fl, node->keys[i]);
			good = false;
		}
	for (const struct etl_option *row = fl->table; row->name; row++)
		good &= fill_row(fl, row, node, required);
	return good;
}

bool etl_options_fill(const struct etl_option *table, const struct etl_node *node, void *out,
	const char *context, const struct etl_conf_env *env)
{
	const struct filler fl = {.table = table, .out = out, .context = context, .env = env};

	return fill_table(&fl, node, true);
}

void etl_options_defaults(const struct etl_option *table, void *out, const struct etl_conf_env *env)
{
	const struct filler fl = {.table = table, .out = out, .env = env};

	fill_table(&fl, NULL, false);
}

void *etl_options_load(const struct etl_option *table, size_t size,
	void (*check)(void *options, const struct etl_node *node, const struct etl_conf_env *env),
	const struct etl_node *node, const char *context, const struct etl_conf_env *env)
{
	/* One byte at least: NULL is the answer for "could not be filled". */
	void *options = etl_arena_zalloc(env->arena, size ? size : 1);

	if (!etl_options_fill(table, node, options, context, env))
		return NULL;
	if (check)
		check(options, node, env);
	return options;
}

/* ---- one scalar ------------------------------------------------------------------------- */

/* The same conversion for values that stand in no table, so that a time reads alike
 * wherever it stands. */
static bool convert_one(const struct etl_node *node, enum etl_option_type type, void *out,
	const struct etl_conf_env *env)
{
	const struct etl_option row = {.name = "", .type = type};
	const struct etl_conversion cv = {
		.row = &row, .node = node, .name = "the value", .env = env};

	return etl_convert_scalar(&cv, out);
}

int etl_conf_time(const struct etl_node *node, etl_wall *out, const struct etl_conf_env *env)
{
	return convert_one(node, ETL_OPT_TIME, out, env) ? 0 : -1;
}

int etl_conf_word(const struct etl_node *node, const char *key, const char *context,
	const char *const *words, int *out, const struct etl_conf_env *env)
{
	struct etl_option row = {.name = key, .type = ETL_OPT_WORD, .words = words};
	char *name = etl_strf("'%s'", key);
	struct etl_conversion cv = {&row, node, name, context, env};
	bool ok = etl_convert_scalar(&cv, out);

	free(name);
	return ok ? 0 : -1;
}

/* unknown source 'htp' in job 'a': did you mean 'http'? there are: http, mongodb */
void etl_conf_unknown(const struct etl_node *key, const char *kind, const char *const *names,
	size_t n, const struct etl_conf_env *env)
{
	const char *near = etl_nearest(key->text, names, n);
	struct etl_buf all ETL_BUF_CLEANUP;
	char hint[128] = "";

	etl_buf_init(&all, 1024);
	for (size_t i = 0; i < n; i++)
		etl_buf_printf(&all, "%s%s", i ? ", " : "there are: ", names[i]);
	if (near)
		snprintf(hint, sizeof hint, "did you mean '%s'?", near);
	etl_diag_add(env->diag, &key->mark, ETL_DIAG_UNKNOWN, near ? hint : NULL,
		all.len ? etl_buf_text(&all) : NULL, "unknown %s '%s' in %s", kind, key->text,
		env->what);
}

bool etl_strings_have(const struct etl_strings *strings, const char *text)
{
	for (size_t i = 0; i < strings->n; i++)
		if (etl_streq(strings->items[i], text))
			return true;
	return false;
}
