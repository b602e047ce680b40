/* SPDX-License-Identifier: MIT
 *
 * not_null: {fields: [...]}. A record in which one of the fields is missing or null fails.
 * An empty text is a value.
 *
 * fields: [station, /meta/id] of {"station": "a", "meta": {}}: "/meta/id is missing".
 */
#include "check/check.h"
#include "check/field.h"

struct options {
	struct etl_strings names;
	const struct etl_check_field *fields;
};

static const struct etl_option options[] = {
	{.name = "fields", .type = ETL_OPT_STRINGS, .offset = offsetof(struct options, names),
		.unordered = true, .required = true,
		.help = "names or JSON Pointers of what must have a value"},
	{0}};

struct not_null {
	const struct options *options;
};

static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;

	(void)node;
	o->fields = etl_check_fields_compile(&o->names, "not_null", env);
}

static int open_not_null(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	(void)env, (void)err;
	((struct not_null *)self)->options = opts;
	return 0;
}

/* 0, false and "" are values: only null and nothing are not. */
static bool row(void *self, const struct etl_record *record, const struct etl_record_unit *unit,
	struct etl_finding *finding)
{
	const struct options *o = ((struct not_null *)self)->options;
	struct etl_element e;

	(void)unit;
	for (size_t i = 0; i < o->names.n; i++) {
		const char *name = o->fields[i].name;

		/* The first field that has no value is told; the others stand in the
		 * record itself. */
		bool missing = !etl_check_field_find(&o->fields[i], record, &e);

		if (!missing && !etl_element_is_null(&e))
			continue;
		etl_finding_values(finding, missing ? "missing" : "null", "not null");
		return etl_finding_set(finding, name, "%s is %s", name, finding->value);
	}
	return true;
}

const struct etl_check_type etl_check_not_null = {
	.name = "not_null",
	.summary = "fields that must have a value",
	.options = options,
	.options_size = sizeof(struct options),
	.on_fail_allowed = 1 << ETL_ON_FAIL_WARN | 1 << ETL_ON_FAIL_REJECT |
		1 << ETL_ON_FAIL_HOLD | 1 << ETL_ON_FAIL_FAIL,
	.on_fail_default = ETL_ON_FAIL_REJECT,
	.size = sizeof(struct not_null),
	.check = compile,
	.open = open_not_null,
	.row = row,
};
