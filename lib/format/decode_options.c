/* SPDX-License-Identifier: MIT
 *
 * What stands beside the source under `extract`: its table, and whether its parts fit one another.
 *
 * extract: {http: {...}, format: json, records: /data/rows, attach: {city: /meta/city},
 * expect: {pointer: /status, equals: ok}, time: {field: t}}. What a key means is in
 * etld.yaml(5); here is told, when the configuration is loaded, what can only be a
 * mistake.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "conf/canon.h"
#include "format/charset.h"
#include "format/decode.h"
#include "record/decode_json.h"
#include "record/path.h"

/* The rows as the file said them. */
struct beside {
	const struct etl_node *format, *expect, *reshape;
	const char *records, *charset;
	struct etl_pairs attach;
	int null_records;
	struct etl_event_time_options time;
};

/* `null` in place of a list is a failure of most services and an empty list of some:
 * only the owner knows which. */
enum { NULL_FAIL, NULL_EMPTY };
static const char *const null_words[] = {"fail", "empty", NULL};

#define ROW(member) .offset = offsetof(struct beside, member)
const struct etl_option etl_decode_option_table[] = {
	{.name = "format", .type = ETL_OPT_NODE, ROW(format), .fallback = "json",
		.help = "of a payload: a word, or a mapping with its options"},
	{.name = "records", .type = ETL_OPT_STRING, ROW(records), .fallback = "",
		.help = "JSON Pointer to the records; '*' stands for each member"},
	{.name = "null_records", .type = ETL_OPT_WORD, ROW(null_records), .words = null_words,
		.fallback = "fail",
		.help = "empty: null in place of the list of records stands for none"},
	{.name = "attach", .type = ETL_OPT_PAIRS, ROW(attach),
		.help = "field: JSON Pointer; puts a value outside the records into each record"},
	{.name = "expect", .type = ETL_OPT_NODE, ROW(expect),
		.help = "{pointer, equals} or a list: the payload fails without it"},
	{.name = "charset", .type = ETL_OPT_STRING, ROW(charset),
		.help = "of a payload that is text, such as windows-1252; as Content-Type says if "
			"absent, else UTF-8"},
	{.name = "reshape", .type = ETL_OPT_NODE, ROW(reshape),
		.help = "a list of stages that make records before these have a time"},
	{.name = "time", .type = ETL_OPT_TABLE, ROW(time), .sub = etl_event_time_table,
		.help = "the records' event time"},
	{0}};
#undef ROW

struct expect_options {
	const char *pointer;
	const char *equals;
};
/* expect: {pointer: /status, equals: ok}, or a list of such mappings. */
static const struct etl_option expect_table[] = {
	{.name = "pointer", .type = ETL_OPT_STRING, .offset = offsetof(struct expect_options, pointer),
		.required = true, .help = "JSON Pointer to a scalar outside the records"},
	{.name = "equals", .type = ETL_OPT_STRING, .offset = offsetof(struct expect_options, equals),
		.help = "its value: a number by value, a string by its text; if absent it has only to exist"},
	{0}};

/* ---- which keys are ours ---- */

/* No table is an empty one: some sources have no options. */
static bool has_row(const struct etl_option *table, const char *name)
{
	for (; table && table->name; table++)
		if (etl_streq(table->name, name))
			return true;
	return false;
}

/* Arrays of an arena grow by copying; a mapping of a job has a handful of keys. */
static void put(struct etl_node *map, struct etl_node *key, struct etl_node *item,
	const struct etl_conf_env *env)
{
	struct etl_node **keys = etl_arena_alloc(etl_conf_tree(env), (map->n + 1) * sizeof *keys);
	struct etl_node **items = etl_arena_alloc(etl_conf_tree(env), (map->n + 1) * sizeof *items);

	for (size_t i = 0; i < map->n; i++) {
		keys[i] = map->keys[i];
		items[i] = map->items[i];
	}
	keys[map->n] = key;
	items[map->n++] = item;
	map->keys = keys;
	map->items = items;
}

/* A key of a source that is no option of it, and was meant for one of ours: it says so and is gone.
 * http: {url: ..., recrods: /data}: `recrods` is no option of http and nearest to a key
 * of ours: did you mean 'records'? What is nearest to an option of the source is left
 * to its own table. */
static bool is_misspelt(const struct etl_node *key, const struct etl_option *own,
	const struct etl_conf_env *env)
{
	const char *names[ETL_CONF_NAMES_MAX], *near;
	char hint[96];
	size_t n = 0;

	if (!own || has_row(own, key->text))
		return false;
	for (const struct etl_option *row = own; row->name && n < ETL_CONF_NAMES_MAX; row++)
		names[n++] = row->name;
	for (size_t i = 0; etl_decode_option_table[i].name && n < ETL_CONF_NAMES_MAX; i++)
		names[n++] = etl_decode_option_table[i].name;
	near = etl_nearest(key->text, names, n);
	if (!near || !has_row(etl_decode_option_table, near))
		return false;
	snprintf(hint, sizeof hint, "did you mean '%s'?", near);
	etl_diag_add(env->diag, &key->mark, ETL_DIAG_UNKNOWN, hint, "man etld.yaml, extract",
		"unknown key '%.80s' in extract of %s", key->text, env->what);
	return true;
}

/* Keys inside of the source's mapping are how files were written once; they mean the
 * same. */
const struct etl_node *etl_decode_split(const struct etl_node *map, const struct etl_option *own,
	struct etl_node *beside, const struct etl_conf_env *env)
{
	struct etl_node *rest;

	if (map->kind != ETL_NODE_MAP)
		return map;
	rest = etl_arena_zalloc(etl_conf_tree(env), sizeof *rest);
	*rest = *map;
	rest->n = 0;
	for (size_t i = 0; i < map->n; i++) {
		const char *name = map->keys[i]->text;
		bool ours = has_row(etl_decode_option_table, name) && !has_row(own, name);

		/* In both places: neither can be known to be meant. */
		if (ours && etl_node_get(beside, name))
			etl_diag_add(env->diag, &map->keys[i]->mark, ETL_DIAG_DUPLICATE,
				"the other one is beside the source", NULL,
				"the key '%s' appears twice under extract in %s", name, env->what);
		else if (ours || !is_misspelt(map->keys[i], own, env))
			put(ours ? beside : rest, map->keys[i], map->items[i], env);
	}
	return rest;
}

/* ---- plugins ---- */

/* `format: json` is a word, `format: {jsonl: {no_lines: empty}}` a word with options. */
static void load_format(struct etl_decode_spec *spec, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const struct etl_node *key = node, *body = NULL;
	const char *names[ETL_CONF_NAMES_MAX];
	size_t n = 0;

	if (node->kind == ETL_NODE_MAP && node->n == 1) {
		key = node->keys[0];
		body = node->items[0];
	} else if (node->kind != ETL_NODE_SCALAR) {
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_TYPE, "such as json, or {jsonl: {...}}", NULL,
			"'format' is a word, or a mapping with one format in it, in %s", env->what);
		return;
	}
	spec->format = etl_format_find(key->text);
	if (!spec->format) {
		for (; etl_formats[n] && n < ETL_CONF_NAMES_MAX; n++)
			names[n] = etl_formats[n]->name;
		etl_conf_unknown(key, "format", names, n, env);
		return;
	}
	spec->format_options = etl_options_load(spec->format->options, spec->format->options_size,
		spec->format->check, body,
		etl_arena_strf(env->arena, "extract.format.%s", spec->format->name), env);
}

/* Each stage by its name, as transforms are; they run before a record has a time, so
 * they may make the field that holds it. */
static void load_reshape(struct etl_decode_spec *spec, const struct etl_node *list,
	const struct etl_conf_env *env)
{
	const char *names[ETL_CONF_NAMES_MAX];
	size_t n = 0;

	if (list->kind != ETL_NODE_LIST) {
		etl_diag_add(env->diag, &list->mark, ETL_DIAG_TYPE, "a list, each line with a dash", NULL,
			"'reshape' in %s is a list", env->what);
		return;
	}
	for (; etl_reshapes[n] && n < ETL_CONF_NAMES_MAX; n++)
		names[n] = etl_reshapes[n]->name;
	spec->reshape = etl_arena_zalloc(env->arena, (list->n + 1) * sizeof *spec->reshape);
	for (size_t i = 0; i < list->n; i++) {
		const struct etl_node *item = list->items[i];
		struct etl_reshape_stage *stage = &spec->reshape[spec->n_reshape];
		bool map = item->kind == ETL_NODE_MAP && item->n == 1;
		const struct etl_node *key = map ? item->keys[0] : item;

		stage->type = key->kind == ETL_NODE_SCALAR ? etl_reshape_find(key->text) : NULL;
		if (key->kind != ETL_NODE_SCALAR)
			etl_diag_add(env->diag, &item->mark, ETL_DIAG_TYPE, NULL, NULL,
				"'reshape' in %s expects mappings with one stage in each", env->what);
		else if (!stage->type)
			etl_conf_unknown(key, "stage of reshape", names, n, env);
		else
			stage->options = etl_options_load(stage->type->options, stage->type->options_size,
				stage->type->check, map ? item->items[0] : NULL,
				etl_arena_strf(env->arena, "extract.reshape.%s", key->text), env);
		/* A stage that is wrong is passed, and those behind it are still looked
		 * at. */
		spec->n_reshape += stage->options != NULL;
	}
}

/* ---- where the records lie ---- */

/* "data" is no pointer, "/data" is: the commonest slip. */
static bool check_pointer(const char *pointer, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_path path;

	if (etl_path_compile_pointer(pointer, env->arena, &path, &err) == 0)
		return true;
	etl_diag_add(env->diag, node ? &node->mark : NULL, ETL_DIAG_RANGE, "such as /data or /result/items",
		NULL, "'%s' is no JSON Pointer in %s", pointer, env->what);
	return false;
}

/* attach: {city: /meta/city} beside records: /data puts the value of {"meta": {"city":
 * ...}} into each record as `city`. */
static void load_attach(struct etl_layout *layout, const struct etl_pairs *pairs, bool records_ok,
	const struct etl_conf_env *env)
{
	struct etl_attach *attach = etl_arena_zalloc(env->arena, (pairs->n + 1) * sizeof *attach);
	const char *fault;

	for (size_t i = 0; i < pairs->n; i++) {
		attach[i].name = pairs->keys[i];
		attach[i].pointer = pairs->values[i];
		/* Whether a star of the value fits the records can only be asked if
		 * both are pointers. */
		fault = check_pointer(pairs->values[i], pairs->nodes[i], env) && records_ok ?
				etl_json_attach_fault(layout->records, pairs->values[i]) :
				NULL;
		if (fault)
			etl_diag_add(env->diag, &pairs->nodes[i]->mark, ETL_DIAG_CONFLICT, fault,
				NULL, "'attach' of %s: '%s' means nothing beside records '%s'",
				env->what, pairs->values[i], layout->records);
	}
	layout->attach = attach;
	layout->n_attach = pairs->n;
}

/* One mapping or a list of them: one is the rule. */
static void load_expect(struct etl_layout *layout, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	bool list = node && node->kind == ETL_NODE_LIST;
	size_t n = !node ? 0 : list ? node->n : 1;
	struct etl_expect *expect = etl_arena_zalloc(env->arena, (n + 1) * sizeof *expect);

	for (size_t i = 0; i < n; i++) {
		const struct etl_node *item = list ? node->items[i] : node;
		struct expect_options one = {0};

		if (!etl_options_fill(expect_table, item, &one, "extract.expect", env))
			continue;
		check_pointer(one.pointer, etl_node_get(item, "pointer"), env);
		expect[layout->n_expect].pointer = one.pointer;
		expect[layout->n_expect++].equals = one.equals;
	}
	layout->expect = expect;
}

/* With a wrong charset every payload would fail, in the night, with the words of iconv. */
static void load_layout(struct etl_layout *layout, const struct beside *o, const struct etl_node *node,
	bool takes_attach, const struct etl_conf_env *env)
{
	bool records_ok = check_pointer(o->records, etl_node_get(node, "records"), env);

	layout->records = o->records;
	layout->null_is_empty = o->null_records == NULL_EMPTY;
	/* Of a format that takes none it is told that it is no key, and nothing more. */
	load_attach(layout, &o->attach, records_ok && takes_attach, env);
	load_expect(layout, o->expect, env);
	if (o->charset && !etl_charset_is_known(o->charset))
		etl_diag_add(env->diag, &etl_node_get(node, "charset")->mark, ETL_DIAG_RANGE,
			"a name that 'iconv --list' knows", NULL, "'%s' is no charset in %s", o->charset,
			env->what);
}

/* Keys that say nothing to this source or format.
 * A key that has no effect is a mistake: `expect` beside jsonl, `records` beside a source of
 * documents. Who wrote it believes in a check that nobody makes. */
static void refuse_useless(const struct etl_decode_spec *spec, const struct etl_node *beside,
	bool documents, const struct etl_conf_env *env)
{
	static const struct {
		const char *key;
		unsigned needs;
	} rules[] = {{"format", 0}, {"records", ETL_FORMAT_RECORDS}, {"null_records", ETL_FORMAT_RECORDS},
		{"attach", ETL_FORMAT_ATTACH}, {"expect", ETL_FORMAT_EXPECT}, {"charset", ETL_FORMAT_TEXT}};

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		const struct etl_node *node = etl_node_get(beside, rules[i].key);

		if (node && documents)
			etl_diag_add(env->diag, &node->mark, ETL_DIAG_CONFLICT, "leave it out",
				"man etld.yaml, EXTRACT",
				"'%s' is no key of a source that gives documents, in %s", rules[i].key,
				env->what);
		else if (node && spec->format && (spec->format->takes & rules[i].needs) != rules[i].needs)
			etl_diag_add(env->diag, &node->mark, ETL_DIAG_CONFLICT, "leave it out",
				"man etld.yaml, Formats", "'%s' is no key of format '%s' in %s",
				rules[i].key, spec->format->name, env->what);
	}
}

/* What is true of a record says nothing of the answer, and is not looked at.
 * records: /data, expect {pointer: /data/0/ok}: the record reader passes over what is inside. */
static void refuse_inside(const struct etl_decode_spec *spec, const struct etl_node *expect,
	const struct etl_conf_env *env)
{
	bool list = expect && expect->kind == ETL_NODE_LIST;

	if (!spec->format || !(spec->format->takes & ETL_FORMAT_EXPECT))
		return;
	for (size_t i = 0; expect && i < (list ? expect->n : 1); i++) {
		const struct etl_node *node = etl_node_get(list ? expect->items[i] : expect, "pointer");

		if (node && node->kind == ETL_NODE_SCALAR &&
			etl_json_is_inside(spec->layout.records, node->text))
			etl_diag_add(env->diag, &node->mark, ETL_DIAG_CONFLICT,
				"it needs a value outside of them", NULL,
				"'expect' of %s: '%s' lies inside of the records", env->what, node->text);
	}
}

static void load_time(struct etl_decode_spec *spec, const struct etl_node *beside,
	const struct etl_conf_env *env)
{
	const struct etl_node *node = etl_node_get(beside, "time");

	if (spec->time_text.field)
		spec->time = etl_event_time_compile(&spec->time_text, node, env);
	else if (node && node->kind == ETL_NODE_MAP)
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_MISSING, NULL, NULL,
			"time needs 'field' in %s", env->what);
}

const struct etl_decode_spec *etl_decode_load(const struct etl_node *node, bool documents,
	const struct etl_conf_env *env)
{
	struct etl_decode_spec *spec = etl_arena_zalloc(env->arena, sizeof *spec);
	struct beside o = {0};

	/* An empty spec is given even so, since the rest of the job is still to be
	 * judged. */
	if (!etl_options_fill(etl_decode_option_table, node, &o, "extract", env))
		return spec;
	if (!documents) {
		load_format(spec, o.format, env);
		load_layout(&spec->layout, &o, node,
			spec->format && spec->format->takes & ETL_FORMAT_ATTACH, env);
		spec->charset = o.charset;
	}
	refuse_useless(spec, node, documents, env);
	refuse_inside(spec, o.expect, env);
	if (o.reshape)
		load_reshape(spec, o.reshape, env);
	spec->time_text = o.time;
	load_time(spec, node, env);
	return spec;
}

/* Of sources that ask by time: a stamp at the end of its interval lies in the next
 * window, as they see it. */
etl_dur etl_decode_label(const struct etl_decode_spec *spec)
{
	return spec->time_text.label ? spec->time_text.interval : (etl_dur){0};
}

/* ---- canonical form ---- */

static void canon_layout(const struct etl_layout *layout, struct etl_canon *to)
{
	etl_canon_text(to, layout->records ? layout->records : "");
	etl_canon_int(to, layout->null_is_empty);
	etl_canon_int(to, (int64_t)layout->n_attach);
	for (size_t i = 0; i < layout->n_attach; i++) { /* in this order they stand in a record */
		etl_canon_text(to, layout->attach[i].name);
		etl_canon_text(to, layout->attach[i].pointer);
	}
	etl_canon_int(to, (int64_t)layout->n_expect);
	for (size_t i = 0; i < layout->n_expect; i++) {
		etl_canon_text(to, layout->expect[i].pointer);
		etl_canon_text(to, layout->expect[i].equals);
	}
}

void etl_decode_canon(const struct etl_decode_spec *spec, struct etl_canon *to)
{
	if (spec->format) {
		etl_canon_text(to, spec->format->name);
		etl_canon_options(to, spec->format->options, spec->format_options,
			spec->format->options_size);
		canon_layout(&spec->layout, to);
		etl_canon_text(to, spec->charset);
	}
	etl_canon_int(to, (int64_t)spec->n_reshape);
	for (size_t i = 0; i < spec->n_reshape; i++) {
		etl_canon_text(to, spec->reshape[i].type->name);
		etl_canon_options(to, spec->reshape[i].type->options, spec->reshape[i].options,
			spec->reshape[i].type->options_size);
	}
	etl_canon_options(to, etl_event_time_table, &spec->time_text, sizeof spec->time_text);
}
