/* SPDX-License-Identifier: MIT
 *
 * keyed: {key, in, as, keep, on_bad, absent, default}. A document whose names are data, such as
 * stations, becomes one record for each of its members, with the name in the field `key` and the
 * members of the value beside it; with `as` the value stands under that name, whatever it is.
 *
 * Example: {at: 5, s: {"a": {v: 1}, "b": {v: 2}}} with `in: s, key: station` gives {at: 5, station:
 * "a", v: 1} and {at: 5, station: "b", v: 2}.
 */
#include <string.h>

#include "base/str.h"
#include "record/bad_value.h"
#include "reshape/parent.h"

struct options {
	const char *key, *in, *as; /* in: NULL = the record itself */
	struct etl_strings keep;
	struct etl_bad_options bad;
	struct etl_bad_rule rule;
	struct etl_path path;
};

#define AT(member) offsetof(struct options, member)
static const struct etl_option options[] = {
	{.name = "key", .type = ETL_OPT_STRING, .offset = AT(key), .required = true,
		.help = "the field that gets a member's name"},
	{.name = "in", .type = ETL_OPT_STRING, .offset = AT(in),
		.help = "name or JSON Pointer of the document; without it the record itself"},
	{.name = "as", .type = ETL_OPT_STRING, .offset = AT(as),
		.help = "the field that gets a member's value; without it the members of the "
			"value do"},
	{.name = "keep", .type = ETL_OPT_STRINGS, .offset = AT(keep),
		.help = "without `in`: fields of the record that are no members, and stand in "
			"each record"},
	{.name = "on_bad", .type = ETL_OPT_NODE, .offset = AT(bad.on_bad),
		.help = "a member is no document, and there is no `as`: reject (default), null, "
			"text (it stands under its name), default"},
	{.name = "absent", .type = ETL_OPT_NODE, .offset = AT(bad.absent),
		.help = "`in` leads to no document: reject (default), null, text (the record as "
			"it is), default"},
	{.name = "default", .type = ETL_OPT_NODE, .offset = AT(bad.fallback),
		.help = "the value under the member's name, or of `in`"},
	{0}};
#undef AT

struct keyed {
	const struct options *options;
	struct etl_reshape_env env;
	struct etl_parent parent;
	struct etl_buf text; /* the name as a value */
	struct etl_cursor at;
	uint64_t taken; /* members of the record at hand */
	bool begun;
};

static bool top_name(const char *name, const struct etl_node *node, const struct etl_conf_env *env)
{
	if (!name || (*name && *name != '/'))
		return true;
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_RANGE, "rename moves it on", NULL,
		"'%s' in 'keyed' of %s is no name at the top", name, env->what);
	return false;
}

static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;

	if (!top_name(o->key, etl_node_get(node, "key"), env) ||
		!top_name(o->as, etl_node_get(node, "as"), env))
		return;
	if (o->in && !etl_path_configure(o->in, etl_node_get(node, "in"), "keyed", env, &o->path))
		return;
	if (o->as && etl_streq(o->as, o->key))
		etl_diag_add(env->diag, &etl_node_get(node, "as")->mark, ETL_DIAG_CONFLICT,
			"is taken", NULL,
			"'key' and 'as' in 'keyed' of %s are the same field", env->what);
	if (o->in && o->keep.n)
		etl_diag_add(env->diag, &etl_node_get(node, "keep")->mark, ETL_DIAG_CONFLICT, NULL,
			NULL,
			"'keep' beside 'in' in 'keyed' of %s: all fields beside it stay",
				env->what);
	etl_bad_compile(&o->bad, &o->rule, "keyed", env);
}

static int open_keyed(void *self, const void *opts, const struct etl_reshape_env *env,
	struct etl_error *err)
{
	struct keyed *k = self;

	(void)err;
	k->options = opts;
	k->env = *env;
	etl_parent_open(&k->parent, &k->env, "keyed");
	etl_buf_init(&k->text, ETL_DOCUMENT_BYTES_MAX + 16);
	return 0;
}

static void begin(void *self)
{
	((struct keyed *)self)->begun = false;
}

/* `in` leads to no document. */
static void settle(struct keyed *k, const struct etl_record *record, struct etl_batch *out)
{
	const struct options *o = k->options;
	struct etl_element value = etl_bad_element(&o->rule, o->rule.absent);

	if (o->rule.absent == ETL_BAD_REJECT) {
		etl_reshape_reject(&k->env, out, record, "keyed", o->in, "'%s' is no document",
			o->in);
		return;
	}
	etl_parent_take(&k->parent, record, NULL, NULL);
	if (o->rule.absent != ETL_BAD_TEXT)
		etl_parent_put(&k->parent, o->path.tokens[o->path.n - 1].name,
			o->path.tokens[o->path.n - 1].len, &value);
	etl_parent_give(&k->parent, out);
}

static uint64_t count_members(struct etl_cursor cursor)
{
	struct etl_element e;
	uint64_t n = 0;

	while (etl_cursor_next(&cursor, &e))
		n++;
	return n;
}

/* False if it is done with. */
static bool take(struct keyed *k, const struct etl_record *record, struct etl_batch *out)
{
	const struct options *o = k->options;
	struct etl_element of = {.value = record->bson, .value_len = record->len};

	if (o->in && (!etl_path_find(&o->path, record->bson, record->len, &of) ||
			     of.type != BSON_TYPE_DOCUMENT)) {
		settle(k, record, out);
		return false;
	}
	if (o->in)
		etl_parent_take(&k->parent, record, &o->path, NULL);
	else
		etl_parent_take_only(&k->parent, record, &o->keep);
	etl_cursor_init(&k->at, of.value, of.value_len);
	k->taken = 0;
	return etl_parent_fits(&k->parent, 0, count_members(k->at), out);
}

/* The name as a text value. Its bytes are the buffer's until the next one. */
static struct etl_element name_value(struct keyed *k, const struct etl_element *member)
{
	uint32_t stored = member->key_len + 1;

	etl_buf_clear(&k->text);
	etl_buf_append(&k->text, &stored, sizeof stored);
	etl_buf_append(&k->text, member->key, stored);
	return (struct etl_element){.type = BSON_TYPE_UTF8, .value = (const uint8_t *)k->text.data,
		.value_len = (uint32_t)k->text.len};
}

/* A member that is no document. */
static void give_bad(struct keyed *k, const struct etl_element *member, struct etl_batch *out)
{
	const struct etl_bad_rule *rule = &k->options->rule;
	struct etl_element value = rule->on_bad == ETL_BAD_TEXT ? *member :
		etl_bad_element(rule, rule->on_bad);
	char shown[128];

	if (rule->on_bad != ETL_BAD_REJECT) {
		etl_parent_put(&k->parent, member->key, member->key_len, &value);
		etl_parent_give(&k->parent, out);
		return;
	}
	etl_element_describe(member, shown, sizeof shown);
	etl_parent_put(&k->parent, member->key, member->key_len, member);
	etl_parent_refuse(&k->parent, out, k->options->in ? k->options->in : "",
		"the member '%s' is %s, and no document", member->key, shown);
}

static void give(struct keyed *k, const struct etl_element *member, struct etl_batch *out)
{
	const struct options *o = k->options;
	struct etl_element name = name_value(k, member), e;
	struct etl_cursor cursor;

	etl_parent_put(&k->parent, o->key, strlen(o->key), &name);
	if (o->as) {
		etl_parent_put(&k->parent, o->as, strlen(o->as), member);
	} else if (member->type != BSON_TYPE_DOCUMENT) {
		give_bad(k, member, out);
		return;
	} else {
		etl_cursor_init(&cursor, member->value, member->value_len);
		while (etl_cursor_next(&cursor, &e))
			if (!etl_streq(e.key, o->key)) /* the name goes before it */
				etl_parent_put(&k->parent, NULL, 0, &e);
	}
	etl_parent_give(&k->parent, out);
}

/* False when there is no further member. */
static bool give_next(struct keyed *k, struct etl_batch *out)
{
	struct etl_element member;

	do
		if (!etl_cursor_next(&k->at, &member))
			return false;
	while (!k->options->in && etl_strings_have(&k->options->keep, member.key));
	k->taken++;
	give(k, &member, out);
	return true;
}

static int apply(void *self, const struct etl_batch *in, size_t *at, struct etl_batch *out,
	struct etl_error *err)
{
	struct keyed *k = self;

	(void)err;
	while (*at < in->n && etl_reshape_has_room(out)) {
		const struct etl_record *record = &in->records[*at];

		if (!k->begun && !take(k, record, out)) {
			++*at;
			continue;
		}
		k->begun = true;
		while (etl_reshape_has_room(out) && k->begun)
			k->begun = give_next(k, out);
		if (k->begun)
			break;
		etl_reshape_count(&k->env, record->time, k->taken ? k->taken - 1 : 0, !k->taken);
		++*at;
	}
	return 0;
}

static void close_keyed(void *self)
{
	struct keyed *k = self;

	etl_parent_close(&k->parent);
	etl_buf_fini(&k->text);
}

const struct etl_reshape_type etl_reshape_keyed = {
	.name = "keyed",
	.summary = "an object whose names are data: a record for each member",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct keyed),
	.check = compile,
	.open = open_keyed,
	.begin = begin,
	.apply = apply,
	.close = close_keyed,
};
