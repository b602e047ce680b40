/* SPDX-License-Identifier: MIT
 *
 * A job's plugins: one source, a list of transforms, a list of checks, its sinks, each found
 * by its name, filled by its own table and asked to check itself.
 *
 *   extract:                    the source's own key, and beside it what belongs to any source
 *     http: {url: ..., ...}     -> etl_source_http, its options by its table
 *     records: /data            -> decode (format, records, attach, expect, charset, reshape, time)
 *     covers: all               -> this file
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/job_parts.h"
#include "state/state.h"

/* `{name: body}`: one key. Returns the key's node, or NULL with an error that shows `example`. */
static const struct etl_node *single_key(const struct etl_node *node, const char *kind,
	const char *example, const struct etl_conf_env *env)
{
	if (node->kind == ETL_NODE_MAP && node->n == 1)
		return node->keys[0];
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_TYPE, NULL, NULL,
		"%s expects one mapping with one %s in it, such as `%s: {...}`", env->what, kind,
		example);
	return NULL;
}

/* The entries of a mapping but for one.
 * The file's order is kept: errors come in the order in which people read. */
static void without(struct etl_node *rest, const struct etl_node *body, const struct etl_node *item,
	const struct etl_conf_env *env)
{
	rest->n = 0;
	rest->items = etl_arena_alloc(env->arena, body->n * sizeof *rest->items);
	rest->keys = etl_arena_alloc(env->arena, body->n * sizeof *rest->keys);
	for (size_t i = 0; i < body->n; i++)
		if (body->items[i] != item) {
			rest->keys[rest->n] = body->keys[i];
			rest->items[rest->n++] = body->items[i];
		}
}

/* Finds the type by name or says what there is. `T` is source, transform, check or sink.
 * Four functions that differ in a word. The names are collected only when the look-up
 * failed. */
#define DEFINE_FIND(T)                                                                          \
	static const struct etl_##T##_type *find_##T(const struct etl_node *key,                \
		const struct etl_conf_env *env)                                                 \
	{                                                                                       \
		const struct etl_##T##_type *type = etl_##T##_find(key->text);                  \
		const char *names[ETL_CONF_NAMES_MAX];                                          \
		size_t n = 0;                                                                   \
                                                                                                \
		for (; !type && etl_##T##s[n] && n < ETL_CONF_NAMES_MAX; n++)                   \
			names[n] = etl_##T##s[n]->name;                                         \
		if (!type)                                                                      \
			etl_conf_unknown(key, #T, names, n, env);                               \
		return type;                                                                    \
	}
DEFINE_FIND(source)
DEFINE_FIND(transform)
DEFINE_FIND(check)
DEFINE_FIND(sink)

/* In small letters, because limits and breakers are kept by host, and names of hosts
 * have no case (RFC 4343). */
static const char *host_of(const struct etl_job *job, const struct etl_conf_env *env)
{
	char host[ETL_SOURCE_HOST_BYTES];

	if (!job->source->host || !job->source->host(job->source_options, host, sizeof host))
		return "";
	for (char *c = host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return etl_arena_strdup(env->arena, host);
}

/* `covers`, which stands beside the source's own key; the rest is the source.
 * `covers: all` is a promise about the source that no option of it can make for all
 * kinds of sources. */
static const struct etl_node *split_covers(const struct etl_node *body, int *all,
	const struct etl_conf_env *env)
{
	const struct etl_node *word = etl_node_get(body, "covers");
	struct etl_node *rest;

	if (!word)
		return body;
	if (word->kind == ETL_NODE_SCALAR && etl_streq(word->text, "all"))
		*all = true;
	else if (word->kind != ETL_NODE_SCALAR || !etl_streq(word->text, "asked"))
		etl_job_fail_at(env, word, ETL_DIAG_WORD, "asked (default) or all",
			"'covers' is neither 'asked' nor 'all'");
	rest = etl_arena_zalloc(env->arena, sizeof *rest);
	*rest = *body;
	without(rest, body, word, env);
	return rest;
}

/* Of several keys beside one another those that are neither a source nor an option of all
 * sources.
 * Only where several keys stand side by side: one alone is the source, and find_source
 * says if it is none. */
static bool has_unknown(const struct etl_node *node, const struct etl_conf_env *env)
{
	const char *names[2 * ETL_CONF_NAMES_MAX];
	size_t n = 0, before = etl_diag_count(env->diag);

	for (size_t i = 0; etl_sources[i] && n < ETL_CONF_NAMES_MAX; i++)
		names[n++] = etl_sources[i]->name;
	for (const struct etl_option *row = etl_decode_option_table; row->name; row++)
		names[n++] = row->name;
	names[n++] = "covers";
	for (size_t i = 0; node->kind == ETL_NODE_MAP && node->n > 1 && i < node->n; i++)
		if (!etl_source_find(node->keys[i]->text))
			etl_conf_unknown(node->keys[i], "key of extract", names, n, env);
	return etl_diag_count(env->diag) != before;
}

void etl_job_load_source(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	struct etl_node beside = {.kind = ETL_NODE_MAP, .mark = node->mark};
	const struct etl_node *key, *body;
	size_t before = etl_diag_count(env->diag);

	node = etl_decode_split(split_covers(node, &job->covers_all, env), NULL, &beside, env);
	key = has_unknown(node, env) ? NULL : single_key(node, "source", "http", env);
	if (!key)
		return;
	job->source = find_source(key, env);
	if (!job->source)
		return;
	body = etl_decode_split(node->items[0], job->source->options, &beside, env);
	job->decode = etl_decode_load(&beside, job->source->documents, env);
	job->source_options = etl_options_load(job->source->options, job->source->options_size,
		NULL, body, etl_arena_strf(env->arena, "extract.%s", key->text), env);
	if (job->source_options && job->source->check)
		job->source->check(job->source_options, body, job->decode, env);
	/* A source that is wrong is not asked for its host, and shares nothing. */
	if (!job->source_options || etl_diag_count(env->diag) != before)
		return;
	job->covers_all |= job->source->whole;
	if (job->window.object && !job->source->list)
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_CONFLICT,
			"window: none, or a grid: {size: 1h, start: ...}", "man etld.yaml, window",
			"%s has objects as its units, but source '%s' lists none", env->what,
			job->source->name);
	/* Without an event time no record could be given to a window. */
	if (!job->window.none && !job->decode->time_text.field)
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_MISSING, NULL,
			"time: {field: timestamp, format: ...}, or window: none",
			"%s has windows, but its source says no event time", env->what);
	job->host = host_of(job, env);
	if (job->source->shared_new)
		job->source_shared = job->source->shared_new(job->source_options);
}

bool etl_job_load_sink(struct etl_job_load *load, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const struct etl_node *key = single_key(node, "sink", "mongodb", env);

	load->type = key ? find_sink(key, env) : NULL;
	if (load->type)
		load->options = etl_options_load(load->type->options, load->type->options_size,
			load->type->check, node->items[0],
			etl_arena_strf(env->arena, "load.%s", key->text), env);
	return load->options != NULL;
}

/* The order of transforms is their meaning, and a mapping has none in YAML. */
static bool expect_list(const struct etl_node *node, const char *what,
	const struct etl_conf_env *env)
{
	if (node->kind == ETL_NODE_LIST)
		return true;
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_TYPE, "a list, each line with a dash", NULL,
		"`%s` in %s is a list", what, env->what);
	return false;
}

void etl_job_load_transforms(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	if (!node || !expect_list(node, "transform", env))
		return;
	job->transforms = etl_arena_zalloc(env->arena, (node->n + 1) * sizeof *job->transforms);
	for (size_t i = 0; i < node->n; i++) {
		const struct etl_node *key = single_key(node->items[i], "transform", "rename", env);
		struct etl_job_stage *stage = &job->transforms[job->n_transforms];

		if (!key || !(stage->type = find_transform(key, env)))
			continue;
		/* Counted even if its options are wrong: the job is not used then, but
		 * the numbers in further errors stay those of the file. */
		stage->options = etl_options_load(stage->type->options, stage->type->options_size,
			stage->type->check, node->items[i]->items[0],
			etl_arena_strf(env->arena, "transform.%s", key->text), env);
		job->n_transforms++;
	}
}

/* Takes `on_fail` out of a check's body: it is the framework's own key.
 * The word is the framework's; which words a check allows follows from what it judges.
 * A check of whole windows cannot reject one record. */
static const struct etl_node *split_on_fail(const struct etl_node *body,
	const struct etl_check_type *type, enum etl_on_fail *on_fail,
	const struct etl_conf_env *env)
{
	const struct etl_node *word = etl_node_get(body, "on_fail");
	struct etl_node *rest;
	int found = -1;

	*on_fail = type->on_fail_default;
	if (!word)
		return body;
	for (int i = 0; etl_on_fail_words[i]; i++)
		if (word->kind == ETL_NODE_SCALAR && etl_streq(etl_on_fail_words[i], word->text))
			found = i;
	if (found < 0)
		etl_job_fail_at(env, word, ETL_DIAG_WORD, "warn, reject, hold or fail",
			"unknown on_fail");
	else if (!(type->on_fail_allowed & (1u << found)))
		etl_job_fail_at(env, word, ETL_DIAG_WORD, type->run ?
			"this check judges a whole run, whose records are loaded by then: warn or fail" :
			"this check judges windows, not single records",
			"on_fail does not fit the check");
	else
		*on_fail = (enum etl_on_fail)found;

	rest = etl_arena_zalloc(env->arena, sizeof *rest);
	*rest = *body;
	without(rest, body, word, env);
	return rest;
}

void etl_job_load_checks(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	if (!node || !expect_list(node, "check", env))
		return;
	job->checks = etl_arena_zalloc(env->arena, (node->n + 1) * sizeof *job->checks);
	for (size_t i = 0; i < node->n; i++) {
		const struct etl_node *key = single_key(node->items[i], "check", "range", env);
		struct etl_job_check *rule = &job->checks[job->n_checks];

		if (!key || !(rule->type = find_check(key, env)))
			continue;
		rule->options = etl_options_load(rule->type->options, rule->type->options_size,
			rule->type->check,
			split_on_fail(node->items[i]->items[0], rule->type, &rule->on_fail, env),
			etl_arena_strf(env->arena, "check.%s", key->text), env);
		job->n_checks++;
	}
}
