/* SPDX-License-Identifier: MIT
 *
 * What is common to all checks: the words of on_fail, fields, findings.
 *
 * A finding says what a person needs: "temperature is 93.4, above 60" with the path,
 * and value and limit apart ("93.4", "max 60"), so that `held list` can show them in
 * columns.
 */
#include "check/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "check/field.h"

/* warn: counted and told. reject: the record becomes a dead letter. hold: the unit waits for an
 * operator, nothing of it is stored. fail: the unit fails and is tried again. */
const char *const etl_on_fail_words[] = {
	[ETL_ON_FAIL_WARN] = "warn",
	[ETL_ON_FAIL_REJECT] = "reject",
	[ETL_ON_FAIL_HOLD] = "hold",
	[ETL_ON_FAIL_FAIL] = "fail",
	NULL,
};
_Static_assert(sizeof etl_on_fail_words / sizeof *etl_on_fail_words == ETL_ON_FAIL_FAIL + 2,
	"a word for every on_fail");

bool etl_check_field_compile(struct etl_check_field *field, const char *name,
	const struct etl_node *node, const char *what, const struct etl_conf_env *env)
{
	field->name = name;
	return etl_path_configure(name, node, what, env, &field->path);
}

/* NULL after the first error, which is told; the check is then not used. */
struct etl_check_field *etl_check_fields_compile(const struct etl_strings *names,
	const char *what, const struct etl_conf_env *env)
{
	struct etl_check_field *fields =
		etl_arena_zalloc(env->arena, (names->n + 1) * sizeof *fields);

	for (size_t i = 0; i < names->n; i++) {
		const struct etl_node *node = names->nodes[i];

		if (!etl_check_field_compile(&fields[i], names->items[i], node, what, env))
			return NULL;
		for (size_t k = 0; k < i; k++)
			if (etl_streq(names->items[i], names->items[k])) {
				etl_diag_add(env->diag, &node->mark, ETL_DIAG_CONFLICT,
					"appears twice", NULL, "field '%s' twice in '%s' of %s",
					names->items[i], what, env->what);
				return NULL;
			}
	}
	return fields;
}

/* By the compiled path: a check is asked for every record of every run. */
bool etl_check_field_find(const struct etl_check_field *field, const struct etl_record *record,
	struct etl_element *out)
{
	return etl_path_find(&field->path, record->bson, record->len, out);
}

/* Twice the room: masking never makes text longer, and a cut between characters needs
 * the whole. */
bool etl_finding_set(struct etl_finding *finding, const char *path, const char *fmt, ...)
{
	char text[2 * ETL_CHECK_MESSAGE_MAX];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	len = strlen(text);
	if (len >= ETL_CHECK_MESSAGE_MAX)
		len = etl_utf8_cut(text, ETL_CHECK_MESSAGE_MAX - 1);
	for (size_t i = 0; i < len; i++)
		finding->message[i] =
			(unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	finding->message[len] = '\0';
	finding->path = path;
	return false;
}

/* For the columns of `held list`: cut and masked, since a value may be anything. */
void etl_finding_values(struct etl_finding *finding, const char *value, const char *limit)
{
	etl_text_copy(finding->value, sizeof finding->value, value);
	etl_text_copy(finding->limit, sizeof finding->limit, limit);
	etl_text_mask(finding->value);
	etl_text_mask(finding->limit);
}

/* A double as whole if it is: 1200 and not 1200.0. */
static bool show_double(const struct etl_element *e, char *out, size_t size)
{
	double v;

	if (e->type != BSON_TYPE_DOUBLE || !etl_element_double(e, &v))
		return false;
	snprintf(out, size, "%.15g", v);
	/* Fifteen digits where they suffice; else the full form, by
	 * etl_element_describe. v != v is NaN. */
	return strtod(out, NULL) == v || v != v;
}

/* int32 5 is shown as 5, a date as its time, an ObjectId with its word: what a number
 * or a text is everybody sees, what 24 hexadecimal digits are not everybody knows. */
void etl_check_show(const struct etl_element *e, char *out, size_t size)
{
	char text[128];
	char *shown = text;

	if (show_double(e, out, size))
		return;
	etl_element_describe(e, text, sizeof text);
	switch (e->type) { /* these need no word for their type */
	case BSON_TYPE_DOUBLE:
	case BSON_TYPE_UTF8:
	case BSON_TYPE_BOOL:
	case BSON_TYPE_DATE_TIME:
	case BSON_TYPE_INT32:
	case BSON_TYPE_INT64:
	case BSON_TYPE_DECIMAL128:
		shown = strchr(text, ' ');
		shown = shown ? shown + 1 : text;
		break;
	default:
		break;
	}
	size_t len = strlen(shown);
	if (len >= size)
		len = etl_utf8_cut(shown, size - 1);
	memcpy(out, shown, len);
	out[len] = '\0';
}
