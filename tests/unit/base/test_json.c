/* SPDX-License-Identifier: MIT
 *
 * JSON: what is refused, what is read, what is printed and read back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"

static struct etl_json *parse(const char *text)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_json *json = etl_json_parse(text, strlen(text), 1 << 20, &err);

	if (!json)
		fail_msg("%s: %s", text, err.message);
	return json;
}

static void refused(const char *text, size_t len, enum etl_error_kind kind, const char *code)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_json *json = etl_json_parse(text, len, 1 << 20, &err);

	if (json || err.kind != kind || !etl_streq(err.code, code))
		fail_msg("\"%s\" gave %s %s instead of %s", text, err.code, err.message, code);
}

static void bad_syntax_is_refused(void **state)
{
	static const char *const texts[] = {"", " ", "{", "}", "[", "[1", "[1,", "[1,]", "[,1]",
		"{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "{\"a\":1 \"b\":2}", "[1 2]",
		"1 2", "{}{}", "[]]", "{]", "[}", "nul", "nulll", "True", "NaN", "Infinity", "-",
		"+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x1", "1_0", "\"", "\"a", "\"\\\"",
		"\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u0000\"", "\"a\nb\"", "\"\t\"", "\"\x01\"",
		"\"\\ud800\"", "\"\\ud800x\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "// x\n1", "/**/1",
		"[1]\f", "\v1", "{\"a\":1}x", "\xef\xbb\xbf{}", "{\"a\" 1}", "{1:2}", "tru", "-x"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		refused(texts[i], strlen(texts[i]), ETL_DATA, "json.syntax");
	refused("{}\0", 3, ETL_DATA, "json.syntax");
	refused("\"\0\"", 3, ETL_DATA, "json.syntax");
}

static void other_guards(void **state)
{
	char deep[2 * (ETL_JSON_DEPTH_MAX + 1) + 1];
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_json *json;

	(void)state;
	refused("\"\xff\"", 3, ETL_DATA, "json.utf8");
	refused("\"\xed\xa0\x80\"", 5, ETL_DATA, "json.utf8");
	refused("{\"a\":1,\"b\":{\"c\":1,\"d\":2,\"c\":3}}", 31, ETL_DATA, "json.duplicate_key");
	refused("{\"a\":1,\"\\u0061\":2}", 18, ETL_DATA, "json.duplicate_key");
	refused("[1e999]", 7, ETL_DATA, "json.number");
	memset(deep, '1', sizeof deep);
	deep[0] = '[';
	deep[64] = ']'; /* 63 digits: what the tree reads of a number */
	json = etl_json_parse(deep, 65, sizeof deep, &err);
	assert_non_null(json);
	etl_json_free(json);
	deep[64] = '1';
	deep[65] = ']';
	deep[66] = '\0';
	refused(deep, 66, ETL_LIMIT, "json.number");
	assert_null(etl_json_parse("[1,2]", 5, 4, &err));
	assert_int_equal(err.kind, ETL_LIMIT);
	assert_string_equal(err.code, "json.size");
	for (int n = ETL_JSON_DEPTH_MAX; n <= ETL_JSON_DEPTH_MAX + 1; n++) {
		memset(deep, '[', (size_t)n);
		memset(deep + n, ']', (size_t)n);
		if (n > ETL_JSON_DEPTH_MAX) {
			refused(deep, 2 * (size_t)n, ETL_LIMIT, "json.depth");
			continue;
		}
		json = etl_json_parse(deep, 2 * (size_t)n, sizeof deep, &err);
		assert_non_null(json);
		etl_json_free(json);
	}
}

static void readers_are_typed(void **state)
{
	struct etl_json *j = parse(" {\"t\":\"x\",\"i\":7,\"d\":1.5,\"b\":true,\"n\":null,"
				   "\"big\":9007199254740993,\"max\":9007199254740991,"
				   "\"text\":\"9223372036854775807\",\"A\":1,\"a\":2} ");

	(void)state;
	assert_string_equal(etl_json_text(j, "t", "?"), "x");
	assert_string_equal(etl_json_text(j, "i", "?"), "?");
	assert_null(etl_json_text(j, "none", NULL));
	assert_int_equal(etl_json_int(j, "i", -1), 7);
	assert_int_equal(etl_json_int(j, "d", -1), -1);
	assert_int_equal(etl_json_int(j, "t", -1), -1);
	assert_int_equal(etl_json_int(j, "big", -1), -1);
	assert_true(etl_json_int(j, "max", -1) == ETL_JSON_INT_MAX);
	assert_true(etl_json_int(j, "text", -1) == INT64_MAX);
	assert_true(etl_json_double(j, "d", 0) == 1.5);
	assert_true(etl_json_double(j, "i", 0) == 7);
	assert_true(etl_json_double(j, "t", -2) == -2);
	assert_true(etl_json_bool(j, "b", false));
	assert_true(etl_json_bool(j, "i", true));
	assert_false(etl_json_bool(j, "i", false));
	assert_int_equal(etl_json_type(etl_json_get(j, "n")), ETL_JSON_NULL);
	assert_int_equal(etl_json_type(etl_json_get(j, "none")), ETL_JSON_NONE);
	assert_int_equal(etl_json_int(j, "A", 0), 1); /* case matters */
	assert_int_equal(etl_json_int(j, "a", 0), 2);
	assert_null(etl_json_get(etl_json_get(j, "t"), "x"));
	assert_null(etl_json_get(NULL, "x"));
	assert_int_equal(etl_json_int(NULL, "x", 5), 5);
	etl_json_free(j);
	etl_json_free(NULL);
}

static void iteration_keeps_the_order(void **state)
{
	static const char *const keys[] = {"z", "a", "m"};
	struct etl_json *j = parse("{\"z\":[10,20,30],\"a\":{},\"m\":[]}");
	const struct etl_json *z = etl_json_get(j, "z");
	int64_t expected = 10;
	size_t i = 0;

	(void)state;
	ETL_JSON_EACH(item, z) {
		assert_int_equal(etl_json_as_int(item, 0), expected);
		assert_null(etl_json_key(item));
		expected += 10;
	}
	assert_int_equal(expected, 40);
	ETL_JSON_EACH(item, j)
		assert_string_equal(etl_json_key(item), keys[i++]);
	assert_int_equal(i, 3);
	assert_int_equal(etl_json_size(z), 3);
	assert_int_equal(etl_json_size(j), 3);
	assert_int_equal(etl_json_size(NULL), 0);
	assert_int_equal(etl_json_as_int(etl_json_item(z, 2), 0), 30);
	assert_null(etl_json_item(z, 3));
	assert_null(etl_json_first(etl_json_get(j, "m")));
	etl_json_free(j);
}

static void prints(const struct etl_json *json, const char *expected, bool pretty)
{
	struct etl_buf out;

	etl_buf_init(&out, 1 << 20);
	assert_true(pretty ? etl_json_print_pretty(json, &out) : etl_json_print(json, &out));
	assert_string_equal(etl_buf_text(&out), expected);
	etl_buf_fini(&out);
}

static void building_and_printing(void **state)
{
	struct etl_json *j = etl_json_object(), *list, *part;

	(void)state;
	etl_json_add_text(j, "t", "a\"\\/\b\f\n\r\t\x01\x7f\xc3\xa9");
	etl_json_add_text(j, "null", NULL);
	etl_json_add_text(j, "bad", "a\xff\xfe" "b\xe2\x9c");
	list = etl_json_add_array(j, "list");
	etl_json_add_int(list, NULL, -7);
	etl_json_add_int(list, NULL, ETL_JSON_INT_MAX);
	etl_json_add_int(list, NULL, ETL_JSON_INT_MAX + 1);
	etl_json_add_int(list, NULL, INT64_MIN);
	etl_json_add_double(list, NULL, 0.1);
	etl_json_add_double(list, NULL, -0.0);
	etl_json_add_double(list, NULL, 1e300);
	etl_json_add_double(list, NULL, (double)NAN);
	etl_json_add_double(list, NULL, -(double)INFINITY);
	etl_json_add_bool(list, NULL, false);
	etl_json_add_null(etl_json_add_object(j, "o"), "n");
	etl_json_add_item(j, "empty", etl_json_array());
	prints(j,
		"{\"t\":\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u007f\xc3\xa9\",\"null\":null,"
		"\"bad\":\"a\xef\xbf\xbd\xef\xbf\xbd" "b\xef\xbf\xbd\xef\xbf\xbd\","
		"\"list\":[-7,9007199254740991,\"9007199254740992\",\"-9223372036854775808\",0.1,0,"
		"1e+300,null,null,false],\"o\":{\"n\":null},\"empty\":[]}",
		false);
	part = etl_json_detach(j, "o");
	prints(part, "{\n  \"n\": null\n}", true);
	etl_json_free(part);
	assert_null(etl_json_detach(j, "o"));
	etl_json_free(j);
	j = etl_json_object();
	etl_json_add_text(j, "user\xe2\x80\xaenimda", "\xc2\x9b" "31m\xff\xc2\xa0\xe2\x80\xa8");
	prints(j, "{\"user\\u202enimda\":\"\\u009b31m\xef\xbf\xbd\xc2\xa0\\u2028\"}", false);
	etl_json_free(j);
	j = parse("[[],{},[1,{\"a\":[2]}]]");
	prints(j, "[\n  [],\n  {},\n  [\n    1,\n    {\n      \"a\": [\n        2\n      ]\n    }\n  ]\n]",
		true);
	etl_json_free(j);
}

static void what_was_printed_is_put_in(void **state)
{
	struct etl_json *j = etl_json_object(), *copy;
	struct etl_buf text;

	(void)state;
	etl_buf_init(&text, 100);
	etl_buf_str(&text, "[{\"a\":1},2]");
	etl_json_add_int(j, "n", 1);
	etl_json_add_printed(j, "list", &text);
	assert_int_equal(text.len, 0);
	assert_int_equal(etl_json_type(etl_json_get(j, "list")), ETL_JSON_NULL);
	copy = etl_json_copy(j);
	etl_json_free(j);
	prints(copy, "{\"n\":1,\"list\":[{\"a\":1},2]}", false);
	etl_json_free(copy);
}

static void a_full_buffer_is_told(void **state)
{
	struct etl_json *j = parse("[1,2,3]");
	struct etl_buf out;

	(void)state;
	etl_buf_init(&out, 6);
	assert_false(etl_json_print(j, &out));
	etl_buf_fini(&out);
	etl_json_free(j);
}

/* Any finite double survives printing and reading. */
static void doubles_survive(void **state)
{
	unsigned seed = (unsigned)getpid();

	(void)state;
	print_message("# seed %u\n", seed);
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = 0;
		double v;
		struct etl_json *j, *back;
		struct etl_buf out;

		for (int k = 0; k < 5; k++)
			bits = bits << 13 ^ (uint64_t)rand_r(&seed);
		memcpy(&v, &bits, sizeof v);
		if (!isfinite(v))
			continue;
		j = etl_json_array();
		etl_json_add_double(j, NULL, v);
		etl_buf_init(&out, 100);
		assert_true(etl_json_print(j, &out));
		back = parse(etl_buf_text(&out));
		assert_true(etl_json_as_double(etl_json_first(back), -1) == v);
		etl_json_free(back);
		etl_json_free(j);
		etl_buf_fini(&out);
	}
}

static void a_copy_lives_alone(void **state)
{
	struct etl_json *j = parse("{\"a\":{\"b\":[1,\"x\"]}}"), *copy = etl_json_copy(j);

	(void)state;
	etl_json_free(j);
	prints(copy, "{\"a\":{\"b\":[1,\"x\"]}}", false);
	etl_json_free(copy);
	assert_null(etl_json_copy(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_syntax_is_refused),
		cmocka_unit_test(other_guards),
		cmocka_unit_test(readers_are_typed),
		cmocka_unit_test(iteration_keeps_the_order),
		cmocka_unit_test(building_and_printing),
		cmocka_unit_test(what_was_printed_is_put_in),
		cmocka_unit_test(a_full_buffer_is_told),
		cmocka_unit_test(doubles_survive),
		cmocka_unit_test(a_copy_lives_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
