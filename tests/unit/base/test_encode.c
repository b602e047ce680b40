/* SPDX-License-Identifier: MIT
 *
 * Percent-encoding, base64 (the vectors of RFC 4648 section 10), doubles as text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

static void percent(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"AZaz09-._~", "AZaz09-._~"},
		{" /?#[]@!$&'()*+,;=%", "%20%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%25"},
		{"\x01\x7f\xc3\xa9\xff", "%01%7F%C3%A9%FF"},
	};
	struct etl_buf out;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		etl_buf_init(&out, 1000);
		assert_true(etl_encode_percent(&out, cases[i][0]));
		assert_string_equal(etl_buf_text(&out), cases[i][1]);
		etl_buf_fini(&out);
	}
	etl_buf_init(&out, 4);
	assert_false(etl_encode_percent(&out, "a  "));
	etl_buf_fini(&out);
}

static void base64(void **state)
{
	static const char *const cases[][2] = {
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"},
	};
	struct etl_buf out;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		etl_buf_init(&out, 1000);
		assert_true(etl_encode_base64(&out, cases[i][0], strlen(cases[i][0])));
		assert_string_equal(etl_buf_text(&out), cases[i][1]);
		etl_buf_fini(&out);
	}
	etl_buf_init(&out, 7);
	assert_false(etl_encode_base64(&out, "foobar", 6));
	etl_buf_fini(&out);
}

static void shell_words(void **state)
{
	static const char *const cases[][2] = {{"station=283164601", "station=283164601"}, {"-", "'-'"},
		{"", "''"}, {"a b", "'a b'"}, {"it's $(x)", "'it'\\''s $(x)'"}, {"~root", "'~root'"},
		{"2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z"}, {"\u00e9", "'\u00e9'"}};
	struct etl_buf out;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		etl_buf_init(&out, 1000);
		assert_true(etl_encode_shell(&out, cases[i][0]));
		assert_string_equal(etl_buf_text(&out), cases[i][1]);
		etl_buf_fini(&out);
	}
}

static void doubles(void **state)
{
	static const double hard[] = {0, -0.0, 0.1, 1.0 / 3, 5e-324, DBL_MIN, DBL_MAX, -DBL_MAX,
		9007199254740993.0, 1e22, 1e23, 123456789012345680.0, 0.1 + 0.2};
	char text[ETL_DOUBLE_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof hard / sizeof *hard; i++) {
		double back;

		etl_encode_double(hard[i], text);
		back = strtod(text, NULL);
		assert_memory_equal(&back, &hard[i], sizeof back);
	}
	etl_encode_double(0.1, text);
	assert_string_equal(text, "0.1");
	etl_encode_double(0.1 + 0.2, text);
	assert_string_equal(text, "0.30000000000000004");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percent),
		cmocka_unit_test(base64),
		cmocka_unit_test(shell_words),
		cmocka_unit_test(doubles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
