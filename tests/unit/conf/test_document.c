/* SPDX-License-Identifier: MIT
 *
 * Templates and documents: what they render and what they refuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "sample.h"

static const char *const values[] = {"a b/\xc3\xa0", "..", NULL};
static const struct etl_vars vars = {
	.window = {{INT64_C(1704067200000)}, {INT64_C(1704070800000)}},
	.partition_names = sample_partition_names,
	.partition_values = values,
	.run_id = "run-1",
};

static int setup(void **state)
{
	struct etl_conf_env *env = ETL_NEW(struct etl_conf_env);

	env->arena = etl_arena_new(0);
	env->diag = etl_diag_new();
	env->what = "job 'x'";
	env->partition_names = sample_partition_names;
	*state = env;
	return 0;
}

static int teardown(void **state)
{
	struct etl_conf_env *env = *state;

	etl_diag_free(env->diag);
	etl_arena_free(env->arena);
	free(env);
	return 0;
}

static struct etl_node *parse(struct etl_conf_env *env, const char *text)
{
	return etl_conf_parse(env->arena, "t", text, strlen(text), NULL, env->diag);
}

static const struct etl_template *template(struct etl_conf_env *env, const char *text)
{
	return etl_template_parse(text, parse(env, "x"), env);
}

static void assert_rendered(struct etl_conf_env *env, const char *text, enum etl_escape escape,
	const char *expected)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_buf out;

	etl_buf_init(&out, 4096);
	etl_buf_str(&out, "before ");
	assert_int_equal(etl_template_render(template(env, text), &vars, escape, &out, &err),
		expected ? 0 : -1);
	assert_string_equal(etl_buf_text(&out) + 7, expected ? expected : "");
	assert_true((err.kind != ETL_OK) == !expected);
	etl_buf_fini(&out);
}

static void templates_are_filled(void **state)
{
	struct etl_conf_env *env = *state;

	assert_rendered(env, "", ETL_ESCAPE_NONE, "");
	assert_rendered(env, "{{a}} {run_id}", ETL_ESCAPE_NONE, "{a} run-1");
	assert_rendered(env, "{window.start}", ETL_ESCAPE_NONE, "2024-01-01T00:00:00Z");
	assert_rendered(env, "{window.end:%Y%m%d-%H%M}", ETL_ESCAPE_NONE, "20240101-0100");
	assert_rendered(env, "http://h/a b/{station}", ETL_ESCAPE_PATH,
		"http://h/a b/a%20b%2F%C3%A0");
	assert_rendered(env, "{window.start}", ETL_ESCAPE_QUERY, "2024-01-01T00%3A00%3A00Z");
	assert_rendered(env, "{station}", ETL_ESCAPE_HEADER, values[0]);
	assert_rendered(env, "x/{city}", ETL_ESCAPE_PATH, NULL);
	assert_rendered(env, "x/{city}", ETL_ESCAPE_QUERY, "x/..");
	assert_int_equal(etl_diag_count(env->diag), 0);
}

static void values_cannot_break_a_header_or_a_buffer(void **state)
{
	static const char *const evil[] = {"a\r\nX: y", "b", NULL};
	struct etl_conf_env *env = *state;
	struct etl_vars bad = vars;
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_buf out;

	bad.partition_values = evil;
	etl_buf_init(&out, 16);
	assert_int_equal(etl_template_render(template(env, "t: {station}"), &bad,
				 ETL_ESCAPE_HEADER, &out, &err),
		-1);
	assert_int_equal(err.kind, ETL_DATA);
	assert_int_equal(out.len, 0);
	assert_int_equal(etl_template_render(template(env, "0123456789{run_id}ab"), &vars,
				 ETL_ESCAPE_NONE, &out, &err),
		-1);
	assert_int_equal(err.kind, ETL_LIMIT);
	assert_int_equal(out.len, 0);
	etl_buf_fini(&out);
}

/* A format speaks of the clocks that the windows go by, unless it says UTC. */
static void instants_are_printed_in_the_zone_of_the_windows(void **state)
{
	struct etl_conf_env *env = *state;
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_zone_free) struct etl_zone *zone = etl_zone_load("Asia/Kolkata", &err);
	struct etl_grid_step days = {.length = ETL_DAYS(1)};
	struct etl_grid grid;

	etl_grid_init(&grid, vars.window.start, days, zone);
	env->grid = &grid;
	assert_rendered(env, "{window.start:%Y-%m-%d %H:%M}", ETL_ESCAPE_NONE, "2024-01-01 05:30");
	assert_rendered(env, "{window.start:%Y-%m-%dT%H:%M%z}", ETL_ESCAPE_NONE, "2024-01-01T05:30+0530");
	assert_rendered(env, "{window.start:%Y-%m-%dT%H:%MZ}", ETL_ESCAPE_NONE, "2024-01-01T00:00Z");
	assert_rendered(env, "{window.start:%s}", ETL_ESCAPE_NONE, "1704067200");
	assert_rendered(env, "{window.start}", ETL_ESCAPE_NONE, "2024-01-01T00:00:00Z");
	env->grid = NULL;
	assert_rendered(env, "{window.start:%Y-%m-%d %H:%M}", ETL_ESCAPE_NONE, "2024-01-01 00:00");
}

static void templates_know_what_they_are(void **state)
{
	struct etl_conf_env *env = *state;

	assert_true(etl_template_is_constant(template(env, "{{x}}")));
	assert_false(etl_template_is_constant(template(env, "x{run_id}")));
	assert_int_equal(etl_template_instant(template(env, "{window.start}")), ETL_INSTANT_START);
	assert_int_equal(etl_template_instant(template(env, "{window.end}")), ETL_INSTANT_END);
	assert_int_equal(etl_template_instant(template(env, "{window.end:%Y}")), ETL_INSTANT_NONE);
	assert_int_equal(etl_template_instant(template(env, " {window.end}")), ETL_INSTANT_NONE);
	assert_int_equal(etl_template_instant(template(env, "")), ETL_INSTANT_NONE);
}

static void malformed_templates_are_refused(void **state)
{
	static const char *const bad[] = {"{", "}", "{}", "{x", "x}", "{{{", "{station:%Y}",
		"{window.start:}", "{window.start:%Q}", "{ station}", "{stations}", "{{x}"};
	struct etl_conf_env *env = *state;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_null(template(env, bad[i]));
		assert_true(etl_diag_count(env->diag) == i + 1);
	}
}

static void assert_document(struct etl_conf_env *env, const char *yaml, const char *json)
{
	const struct etl_document *doc = etl_document_compile(parse(env, yaml), env);
	struct etl_error err = ETL_ERROR_INIT;
	bson_t out = BSON_INITIALIZER;
	char *got;

	assert_non_null(doc);
	assert_int_equal(etl_document_render(doc, &vars, &out, &err), 0);
	if (etl_document_is_list(doc)) {
		bson_t list = BSON_INITIALIZER;

		bson_append_array(&list, "", -1, &out);
		bson_destroy(&out);
		bson_steal(&out, &list);
	}
	got = bson_as_canonical_extended_json(&out, NULL);
	assert_string_equal(got, json);
	bson_free(got);
	bson_destroy(&out);
}

static void documents_are_typed_by_their_writing(void **state)
{
	struct etl_conf_env *env = *state;

	assert_document(env, "{}", "{ }");
	assert_document(env, "[]", "{ \"\" : [  ] }");
	assert_document(env, "{a: 1, b: -2147483649, c: 1.5, d: 1e3, e: -0}",
		"{ \"a\" : { \"$numberInt\" : \"1\" }, \"b\" : { \"$numberLong\" : "
		"\"-2147483649\" }, \"c\" : { \"$numberDouble\" : \"1.5\" }, \"d\" : { "
		"\"$numberDouble\" : \"1000.0\" }, \"e\" : { \"$numberInt\" : \"0\" } }");
	assert_document(env, "{a: true, b: False, c: null, d: ~, e: , f: NO}",
		"{ \"a\" : true, \"b\" : \"False\", \"c\" : null, \"d\" : null, \"e\" : null, "
		"\"f\" : \"NO\" }");
	assert_document(env, "['1', \"true\", 010, 1., .5, +1, 0x1, 1_000, '']",
		"{ \"\" : [ \"1\", \"true\", \"010\", \"1.\", \".5\", \"+1\", \"0x1\", \"1_000\", \"\" ] }");
	assert_int_equal(etl_diag_count(env->diag), 0);
}

static void windows_become_dates(void **state)
{
	struct etl_conf_env *env = *state;

	assert_document(env,
		"{at: {$gte: \"{window.start}\", $lt: \"{window.end}\"}, s: \"{window.end:%H}h\"}",
		"{ \"at\" : { \"$gte\" : { \"$date\" : { \"$numberLong\" : \"1704067200000\" } }, "
		"\"$lt\" : { \"$date\" : { \"$numberLong\" : \"1704070800000\" } } }, "
		"\"s\" : \"01h\" }");
	assert_document(env,
		"[{$match: {d: {$date: \"2024-01-01T01:00:00+01:00\"}}}, {e: {$date: 1970-01-01}}, "
		"{i: {$oid: 0123456789abcdef01234567}}, {w: {$date: \"{window.start}\"}}]",
		"{ \"\" : [ { \"$match\" : { \"d\" : { \"$date\" : { \"$numberLong\" : "
		"\"1704067200000\" } } } }, { \"e\" : { \"$date\" : { \"$numberLong\" : \"0\" } } }, "
		"{ \"i\" : { \"$oid\" : \"0123456789abcdef01234567\" } }, { \"w\" : { \"$date\" : "
		"{ \"$numberLong\" : \"1704067200000\" } } } ] }");
}

static void values_take_no_operators(void **state)
{
	struct etl_conf_env *env = *state;
	const struct etl_value *value = etl_value_compile(parse(env, "{s: \"{run_id}\"}"), env);
	struct etl_error err = ETL_ERROR_INIT;
	bson_t out = BSON_INITIALIZER;

	assert_false(etl_value_is_constant(value));
	assert_false(etl_value_has_window(etl_value_compile(parse(env, "[1, {a: '{run_id}'}]"), env)));
	assert_true(etl_value_has_window(
		etl_value_compile(parse(env, "[1, {a: 'x {window.end:%H}'}]"), env)));
	assert_true(etl_value_has_window(etl_value_compile(parse(env, "'{window.start}'"), env)));
	assert_true(etl_value_is_constant(etl_value_compile(parse(env, "[1, {a: b}]"), env)));
	assert_int_equal(etl_value_append(value, &vars, &out, "k", &err), 0);
	char *got = bson_as_canonical_extended_json(&out, NULL);
	assert_string_equal(got, "{ \"k\" : { \"s\" : \"run-1\" } }");
	bson_free(got);
	bson_destroy(&out);
	assert_null(etl_value_compile(parse(env, "{a: {$gt: 1}}"), env));
	assert_int_equal(etl_diag_count(env->diag), 1);
}

static void constants_keep_their_braces(void **state)
{
	struct etl_conf_env *env = *state;
	bson_t out = BSON_INITIALIZER;
	char *got;

	assert_int_equal(
		etl_conf_to_bson(parse(env, "{a: \"{x}\", b: {$gt: 1}}"), true, &out, env), 0);
	got = bson_as_canonical_extended_json(&out, NULL);
	assert_string_equal(got,
		"{ \"a\" : \"{x}\", \"b\" : { \"$gt\" : { \"$numberInt\" : \"1\" } } }");
	bson_free(got);
	assert_int_equal(etl_conf_to_bson(parse(env, "{c: {$gt: 1}}"), false, &out, env), -1);
	assert_int_equal(etl_conf_to_bson(parse(env, "word"), true, &out, env), -1);
	assert_int_equal(bson_count_keys(&out), 2);
	assert_int_equal(etl_diag_count(env->diag), 2);
	bson_destroy(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(templates_are_filled),
		TEST(values_cannot_break_a_header_or_a_buffer),
		TEST(instants_are_printed_in_the_zone_of_the_windows),
		TEST(templates_know_what_they_are),
		TEST(malformed_templates_are_refused),
		TEST(documents_are_typed_by_their_writing),
		TEST(windows_become_dates),
		TEST(values_take_no_operators),
		TEST(constants_keep_their_braces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
