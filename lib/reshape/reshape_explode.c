/* SPDX-License-Identifier: MIT
 *
 * explode: {field, as, keep_empty, on_bad, absent, default}. A record with an array becomes one
 * record for each element, which keeps the other fields. An element that is a document gives its
 * members, any other stands under the name of the field; with `as` either stands under that name.
 *
 * Example: {s: 1, v: [{t: 1}, {t: 2}]} with `field: v` gives {s: 1, t: 1} and {s: 1, t: 2}, with
 * `as: w` {s: 1, w: {t: 1}} and {s: 1, w: {t: 2}}; {s: 1, v: [7]} gives {s: 1, v: 7}.
 */
#include "reshape/explode.h"

#include <string.h>

#include "base/str.h"

#define AT(member) offsetof(struct etl_explode_options, member)
const struct etl_option etl_explode_options[] = {
	{.name = "field", .type = ETL_OPT_STRING, .offset = AT(field), .required = true,
		.help = "name or JSON Pointer of the array"},
	{.name = "as", .type = ETL_OPT_STRING, .offset = AT(as),
		.help = "the field that gets an element; without it a document gives its members"},
	{.name = "keep_empty", .type = ETL_OPT_BOOL, .offset = AT(keep_empty), .fallback = "false",
		.help = "an empty array leaves the record, without the field"},
	{.name = "on_bad", .type = ETL_OPT_NODE, .offset = AT(bad.on_bad),
		.help = "no array stands there: reject (default), null, text (as it stands), "
			"default"},
	{.name = "absent", .type = ETL_OPT_NODE, .offset = AT(bad.absent),
		.help = "nothing stands there: reject (default), null, text (as it is), default"},
	{.name = "default", .type = ETL_OPT_NODE, .offset = AT(bad.fallback),
		.help = "the value in place of the array, of on_bad: default and absent: default"},
	{0}};
#undef AT

void etl_explode_check(void *options, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct etl_explode_options *o = options;

	if (!etl_path_configure(o->field, etl_node_get(node, "field"), "explode", env, &o->path) ||
		!etl_bad_compile(&o->bad, &o->rule, "explode", env))
		return;
	if (o->as && (!*o->as || *o->as == '/'))
		etl_diag_add(env->diag, &etl_node_get(node, "as")->mark, ETL_DIAG_RANGE,
			"rename moves it on", NULL, "'as' in 'explode' of %s is a name at the top",
				env->what);
	o->name = o->as ? o->as : o->path.tokens[o->path.n - 1].name;
}

int etl_explode_open(void *self, const void *options, const struct etl_reshape_env *env,
	struct etl_error *err)
{
	struct etl_explode *x = self;

	(void)err;
	x->options = options;
	x->env = *env;
	etl_parent_open(&x->parent, &x->env, "explode");
	return 0;
}

static void begin(void *self)
{
	((struct etl_explode *)self)->begun = false;
}

/* One record in place of all: with `value` where the array would be, or without the field. */
static void give_one(struct etl_explode *x, const struct etl_record *record,
	const struct etl_element *value, struct etl_batch *out)
{
	etl_parent_take(&x->parent, record, &x->options->path, NULL);
	if (value)
		etl_parent_put(&x->parent, x->options->name, strlen(x->options->name), value);
	etl_parent_give(&x->parent, out);
}

/* No array. */
static void settle(struct etl_explode *x, const struct etl_record *record,
	const struct etl_element *is, struct etl_batch *out)
{
	const struct etl_explode_options *o = x->options;
	enum etl_bad_value word = is ? o->rule.on_bad : o->rule.absent;
	struct etl_element value = etl_bad_element(&o->rule, word);
	char shown[128];

	if (word == ETL_BAD_TEXT) {
		etl_parent_take(&x->parent, record, NULL, NULL);
		etl_parent_give(&x->parent, out);
		return;
	}
	if (word != ETL_BAD_REJECT) {
		give_one(x, record, &value, out);
		return;
	}
	if (!is) {
		etl_reshape_reject(&x->env, out, record, "explode", o->field, "the record has no field '%s'",
			o->field);
		return;
	}
	etl_element_describe(is, shown, sizeof shown);
	etl_reshape_reject(&x->env, out, record, "explode", o->field, "%s is %s, and no array", o->field,
		shown);
}

static uint64_t count_elements(const struct etl_element *array)
{
	struct etl_cursor cursor;
	struct etl_element e;
	uint64_t n = 0;

	etl_cursor_init(&cursor, array->value, array->value_len);
	while (etl_cursor_next(&cursor, &e))
		n++;
	return n;
}

/* False if it is done with: refused, or without a single element. */
static bool take(struct etl_explode *x, const struct etl_record *record, struct etl_batch *out)
{
	struct etl_element array;
	uint64_t n;

	if (!etl_path_find(&x->options->path, record->bson, record->len, &array)) {
		settle(x, record, NULL, out);
		return false;
	}
	if (array.type != BSON_TYPE_ARRAY) {
		settle(x, record, &array, out);
		return false;
	}
	n = count_elements(&array);
	if (!n && x->options->keep_empty)
		give_one(x, record, NULL, out);
	else if (!n)
		etl_reshape_count(&x->env, record->time, 0, 1);
	if (!n)
		return false;
	etl_parent_take(&x->parent, record, &x->options->path, NULL);
	etl_cursor_init(&x->at, array.value, array.value_len);
	x->given = 0;
	return etl_parent_fits(&x->parent, 0, n, out);
}

/* True if there was one. */
static bool give_next(struct etl_explode *x, struct etl_batch *out)
{
	const struct etl_explode_options *o = x->options;
	struct etl_element e;

	if (!etl_cursor_next(&x->at, &e))
		return false;
	if (e.type == BSON_TYPE_DOCUMENT && !o->as)
		etl_parent_put_members(&x->parent, &e);
	else
		etl_parent_put(&x->parent, o->name, strlen(o->name), &e);
	etl_parent_give(&x->parent, out);
	x->given++;
	return true;
}

int etl_explode_apply(void *self, const struct etl_batch *in, size_t *at, struct etl_batch *out,
	struct etl_error *err)
{
	struct etl_explode *x = self;

	(void)err;
	while (*at < in->n && etl_reshape_has_room(out)) {
		const struct etl_record *record = &in->records[*at];

		if (!x->begun && !take(x, record, out)) {
			++*at;
			continue;
		}
		x->begun = true;
		while (etl_reshape_has_room(out) && x->begun)
			x->begun = give_next(x, out);
		if (x->begun)
			break;
		etl_reshape_count(&x->env, record->time, x->given - 1, 0);
		++*at;
	}
	return 0;
}

void etl_explode_close(void *self)
{
	etl_parent_close(&((struct etl_explode *)self)->parent);
}

const struct etl_reshape_type etl_reshape_explode = {
	.name = "explode",
	.summary = "an array: a record for each element",
	.options = etl_explode_options,
	.options_size = sizeof(struct etl_explode_options),
	.size = sizeof(struct etl_explode),
	.check = etl_explode_check,
	.open = etl_explode_open,
	.begin = begin,
	.apply = etl_explode_apply,
	.close = etl_explode_close,
};
