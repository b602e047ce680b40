/* SPDX-License-Identifier: MIT
 *
 * range: {field, min, max}. The bounds belong to the range; one of them may be left out.
 * Both are numbers, or both are dates (quoted RFC 3339 or YYYY-MM-DD). A missing or null
 * value passes (that is for not_null), NaN and a value of another kind fail.
 *
 * {field: t, min: -40, max: 60}: 60 and -40 pass, 60.1 is "above 60", "60" (a text) is
 * "not a number". {field: at, min: "2020-01-01"}: a date of 2019 is below, a number is
 * of another kind.
 */
#include <math.h>

#include "base/str.h"
#include "check/check.h"
#include "check/field.h"
#include "conf/canon.h"
#include "record/number.h"

/* Whole numbers are compared as such: a double does not hold 2^53 + 1. */
struct bound {
	const char *text; /* as the configuration says it; NULL = no bound */
	bool is_whole;
	int64_t whole; /* or the date's milliseconds */
	double real;
};

struct options {
	const char *name;
	const struct etl_node *min_node, *max_node;
	struct bound min, max;
	bool dates;
	struct etl_check_field field;
};

/* As values: 10.0 and 1e1 are one bound. */
static void canon_bound(struct etl_canon *to, const struct bound *bound)
{
	if (!bound->text)
		etl_canon_text(to, NULL);
	else if (bound->is_whole)
		etl_canon_int(to, bound->whole);
	else
		etl_canon_double(to, bound->real);
}

static void canon_min(struct etl_canon *to, const void *options)
{
	const struct options *o = options;

	canon_bound(to, &o->min);
	etl_canon_int(to, o->dates);
}

static void canon_max(struct etl_canon *to, const void *options)
{
	canon_bound(to, &((const struct options *)options)->max);
}

static const struct etl_option options[] = {
	{.name = "field", .type = ETL_OPT_STRING, .offset = offsetof(struct options, name),
		.required = true, .help = "name or JSON Pointer of the value"},
	{.name = "min", .type = ETL_OPT_NODE, .offset = offsetof(struct options, min_node),
		.canon = canon_min,
		.help = "the least value allowed: a number or a quoted date"},
	{.name = "max", .type = ETL_OPT_NODE, .offset = offsetof(struct options, max_node),
		.canon = canon_max,
		.help = "the greatest value allowed"},
	{0}};

struct range {
	const struct options *options;
};

/* ---- configuration --------------------------------------------------------------------- */

static bool compile_bound(struct bound *bound, const struct etl_node *node, bool *is_date,
	const struct etl_conf_env *env)
{
	etl_wall t;

	*is_date = false;
	if (node->kind != ETL_NODE_SCALAR || etl_node_is_null(node)) {
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_TYPE, "a number or a quoted date",
			NULL, "a bound of 'range' of %s is no single value", env->what);
		return false;
	}
	bound->text = node->text;
	/* Numbers before dates: "2024" is a number, "2024-01-31" is none. */
	if (etl_parse_int64(node->text, &bound->whole)) {
		bound->is_whole = true;
		bound->real = (double)bound->whole;
		return true;
	}
	if (etl_parse_double(node->text, &bound->real))
		return true;
	if (etl_conf_time(node, &t, env) < 0)
		return false;
	*is_date = true;
	bound->is_whole = true;
	bound->whole = t.ms;
	return true;
}

/* <0, 0, >0 for a < bound, equal, greater.
 * A whole number and a bound with a fraction are compared as doubles: 2^53 + 1 and
 * 9007199254740992.5 are the same there, which no real bound notices. */
static int compare_whole(int64_t a, const struct bound *bound)
{
	if (bound->is_whole)
		return (a > bound->whole) - (a < bound->whole);
	return ((double)a > bound->real) - ((double)a < bound->real);
}

/* NaN was refused before: it would be neither below nor above. */
static int compare_real(double a, const struct bound *bound)
{
	return (a > bound->real) - (a < bound->real);
}

/* {min: 5, max: 1} takes nothing at all: nobody means that. */
static void check_pair(const struct options *o, bool min_is_date, bool max_is_date,
	const struct etl_conf_env *env)
{
	const struct etl_mark *mark = &o->max_node->mark;
	bool swapped = o->min.is_whole ? compare_whole(o->min.whole, &o->max) > 0 :
					 compare_real(o->min.real, &o->max) > 0;

	if (min_is_date != max_is_date)
		etl_diag_add(env->diag, mark, ETL_DIAG_CONFLICT, NULL, NULL,
			"'range' of %s has a date and a number as bounds", env->what);
	else if (swapped)
		etl_diag_add(env->diag, mark, ETL_DIAG_CONFLICT, "less than min", NULL,
			"'range' of %s: no value lies between %s and %s", env->what,
			o->min.text, o->max.text);
}

/* All is read even after an error; the check is used only if there was none. */
static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;
	bool min_is_date = false, max_is_date = false, ok = true;

	if (o->name) {
		const struct etl_node *at = etl_node_get(node, "field");

		etl_check_field_compile(&o->field, o->name, at, "range", env);
	}
	if (!o->min_node && !o->max_node) {
		etl_diag_add(env->diag, node ? &node->mark : NULL, ETL_DIAG_MISSING,
			"needs min or max", NULL, "'range' of %s has no bound", env->what);
		return;
	}
	if (o->min_node)
		ok &= compile_bound(&o->min, o->min_node, &min_is_date, env);
	if (o->max_node)
		ok &= compile_bound(&o->max, o->max_node, &max_is_date, env);
	if (ok && o->min_node && o->max_node)
		check_pair(o, min_is_date, max_is_date, env);
	o->dates = min_is_date || max_is_date;
}

/* ---- rows ------------------------------------------------------------------------------ */

/* Where the value lies: -1 below, 1 above, 0 inside; 2 = it is of another kind, or NaN.
 * Both bounds may be missing but not at once; a value of another kind is judged before
 * either. */
static int place(const struct options *o, const struct etl_element *e)
{
	etl_wall t;
	int64_t whole = 0;
	double real = 0;
	bool is_whole = true;

	if (o->dates) {
		if (!etl_element_date(e, &t))
			return 2;
		whole = t.ms;
	} else if (!etl_element_int64(e, &whole)) {
		is_whole = false;
		if (!etl_element_double(e, &real) && !etl_number_nearest(e, &real))
			return 2;
		if (isnan(real))
			return 2;
	}
	if (o->min.text &&
		(is_whole ? compare_whole(whole, &o->min) : compare_real(real, &o->min)) < 0)
		return -1;
	if (o->max.text &&
		(is_whole ? compare_whole(whole, &o->max) : compare_real(real, &o->max)) > 0)
		return 1;
	return 0;
}

static int open_range(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	(void)env, (void)err;
	((struct range *)self)->options = opts;
	return 0;
}

/* "max 60" or, for a value of another kind, "a number". */
static void tell_limit(const struct options *o, int where, const char *shown,
	struct etl_finding *finding)
{
	char limit[ETL_CHECK_VALUE_MAX];

	if (where == 2)
		snprintf(limit, sizeof limit, "a %s", o->dates ? "date" : "number");
	else
		snprintf(limit, sizeof limit, "%s %s", where < 0 ? "min" : "max",
			where < 0 ? o->min.text : o->max.text);
	etl_finding_values(finding, shown, limit);
}

/* A missing value is not judged: `not_null` says whether it has to be there, and one
 * check tells one thing. */
static bool row(void *self, const struct etl_record *record, const struct etl_record_unit *unit,
	struct etl_finding *finding)
{
	const struct options *o = ((struct range *)self)->options;
	char shown[100];
	struct etl_element e;
	int where;

	(void)unit;
	if (!etl_check_field_find(&o->field, record, &e) || etl_element_is_null(&e))
		return true;
	where = place(o, &e);
	if (where == 0)
		return true;
	etl_check_show(&e, shown, sizeof shown);
	tell_limit(o, where, shown, finding);
	if (where == 2)
		return etl_finding_set(finding, o->name, "%s is %s, not a %s", o->name, shown,
			o->dates ? "date" : "number");
	return etl_finding_set(finding, o->name, "%s is %s, %s %s", o->name, shown,
		where < 0 ? "below" : "above", where < 0 ? o->min.text : o->max.text);
}

const struct etl_check_type etl_check_range = {
	.name = "range",
	.summary = "a number or a date between two bounds",
	.options = options,
	.options_size = sizeof(struct options),
	.on_fail_allowed = 1 << ETL_ON_FAIL_WARN | 1 << ETL_ON_FAIL_REJECT |
		1 << ETL_ON_FAIL_HOLD | 1 << ETL_ON_FAIL_FAIL,
	.on_fail_default = ETL_ON_FAIL_WARN,
	.size = sizeof(struct range),
	.check = compile,
	.open = open_range,
	.row = row,
};
