/* SPDX-License-Identifier: MIT
 *
 * The words on_bad and absent, and the value that `default` gives them.
 */
#include "record/bad_value.h"

#include <string.h>

#include "base/str.h"
#include "conf/document.h"

static const char *const words[] = {"reject", "null", "text", "default", NULL};
_Static_assert(sizeof words / sizeof *words == ETL_BAD_DEFAULT + 2, "a word for each");

static bool compile_word(const struct etl_node *node, const char *key, const char *what,
	enum etl_bad_value *out, const struct etl_conf_env *env)
{
	for (int i = 0; node && node->kind == ETL_NODE_SCALAR && words[i]; i++)
		if (etl_streq(node->text, words[i])) {
			*out = (enum etl_bad_value)i;
			return true;
		}
	if (!node)
		return true;
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_WORD, "reject, null, text or default", NULL,
		"'%s' in '%s' of %s is none of its words", key, what, env->what);
	return false;
}

/* The value once and for all: nothing in it may depend on a run. */
static bool compile_value(const struct etl_node *node, const char *what, struct etl_element *out,
	const struct etl_conf_env *env)
{
	const struct etl_value *value = etl_value_compile(node, env);
	const struct etl_vars none = {0};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_cursor cursor;
	bson_t doc = BSON_INITIALIZER;
	bool ok = false;

	if (!value)
		return false;
	if (etl_value_is_constant(value) && etl_value_append(value, &none, &doc, "v", &err) == 0) {
		const char *copy = etl_arena_memdup0(env->arena, (const char *)bson_get_data(&doc),
			doc.len);

		etl_cursor_init(&cursor, (const uint8_t *)copy, doc.len);
		ok = etl_cursor_next(&cursor, out);
		out->key = NULL;
		out->key_len = 0;
	} else {
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_RANGE, "a value without {templates}",
			NULL,
			"'default' in '%s' of %s is the same for all records", what, env->what);
	}
	bson_destroy(&doc);
	return ok;
}

bool etl_bad_compile(const struct etl_bad_options *options, struct etl_bad_rule *rule,
	const char *what, const struct etl_conf_env *env)
{
	const struct etl_node *asks = NULL;

	if (!compile_word(options->on_bad, "on_bad", what, &rule->on_bad, env) ||
		!compile_word(options->absent, "absent", what, &rule->absent, env))
		return false;
	if (rule->absent == ETL_BAD_DEFAULT)
		asks = options->absent;
	if (rule->on_bad == ETL_BAD_DEFAULT)
		asks = options->on_bad;
	if (asks && !options->fallback)
		etl_diag_add(env->diag, &asks->mark, ETL_DIAG_MISSING, "default: VALUE beside it",
			NULL,
			"'%s' of %s has no default", what, env->what);
	else if (!asks && options->fallback)
		etl_diag_add(env->diag, &options->fallback->mark, ETL_DIAG_CONFLICT,
			"on_bad: default or absent: default", NULL,
			"nothing in '%s' of %s uses its default", what, env->what);
	else
		return !asks || compile_value(options->fallback, what, &rule->fallback, env);
	return false;
}

struct etl_element etl_bad_element(const struct etl_bad_rule *rule, enum etl_bad_value word)
{
	return word == ETL_BAD_DEFAULT ? rule->fallback :
					 (struct etl_element){.type = BSON_TYPE_NULL};
}
