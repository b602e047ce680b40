/* SPDX-License-Identifier: MIT
 *
 * UTF-8 (against an independent decoder), did-you-mean, numbers and names from text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"

static void utf8_of_every_scalar_value(void **state)
{
	(void)state;
	for (uint32_t c = 1; c <= 0x10ffff; c++) {
		char s[4];
		size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

		s[0] = n == 1 ? (char)c : (char)((0xf00 >> n & 0xff) | c >> 6 * (n - 1));
		for (size_t i = 1; i < n; i++)
			s[i] = (char)(0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
		assert_int_equal(etl_utf8_check(s, n), c >= 0xd800 && c <= 0xdfff ? 0 : n);
		if (n > 1)
			assert_int_equal(etl_utf8_check(s, n - 1), 0);
	}
}

static void utf8_bad_bytes_are_found_where_they_are(void **state)
{
	static const struct {
		const char *s;
		size_t len, at;
	} rows[] = {
		{"abc", 3, 3}, {"", 0, 0}, {"a\0b", 3, 3}, {"a\xffz", 3, 1}, {"ab\x80", 3, 2},
		{"\xc0\xaf", 2, 0}, {"\xc1\xbf", 2, 0}, {"\xe0\x9f\xbf", 3, 0},
		{"\xed\xa0\x80", 3, 0}, {"\xf0\x8f\xbf\xbf", 4, 0}, {"\xf4\x90\x80\x80", 4, 0},
		{"\xf5\x80\x80\x80", 4, 0}, {"\xc3\xa9\xc3", 3, 2}, {"\xe2\x9c(", 3, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(etl_utf8_check(rows[i].s, rows[i].len), rows[i].at);
}

static void utf8_cut_never_splits(void **state)
{
	static const char s[] = "a\xc3\xa9\xe2\x9c\x94\xf0\x9f\x98\x80z";
	static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};

	(void)state;
	for (size_t max = 0; max < sizeof cuts / sizeof *cuts; max++)
		assert_int_equal(etl_utf8_cut(s, max), cuts[max]);
}

static void copies_are_cut_between_characters(void **state)
{
	char out[8];

	(void)state;
	etl_text_copy(out, sizeof out, "whole");
	assert_string_equal(out, "whole");
	etl_text_copy(out, sizeof out, "1234567");
	assert_string_equal(out, "1234567");
	etl_text_copy(out, sizeof out, "123456\xc3\xa9");
	assert_string_equal(out, "123456");
	etl_text_shorten(out, sizeof out, "whole");
	assert_string_equal(out, "whole");
	etl_text_shorten(out, sizeof out, "1234567");
	assert_string_equal(out, "1234567");
	etl_text_shorten(out, sizeof out, "12345678");
	assert_string_equal(out, "1234\xe2\x80\xa6");
	etl_text_shorten(out, sizeof out, "123\xc3\xa9" "5678");
	assert_string_equal(out, "123\xe2\x80\xa6");
	etl_text_shorten(out, 4, "12345678");
	assert_string_equal(out, "\xe2\x80\xa6");
	etl_text_copy(out, 1, "x");
	assert_string_equal(out, "");
}

static void edit_distance_counts_edits(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned d;
	} rows[] = {
		{"", "", 0}, {"abc", "", 3}, {"abc", "abc", 0}, {"ABC", "abc", 0}, {"abc",
			"acb", 1},
		{"abc", "abd", 1}, {"abc", "abcd", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 1},
		{"schedule", "shcedule", 1}, {"timezone", "time_zone", 1}, {"a", "b", 1},
	};
	char wide[65] = "";

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(etl_edit_distance(rows[i].a, rows[i].b), rows[i].d);
		assert_int_equal(etl_edit_distance(rows[i].b, rows[i].a), rows[i].d);
	}
	memset(wide, 'x', 64);
	assert_int_equal(etl_edit_distance(wide, wide), 63);
	wide[63] = '\0';
	assert_int_equal(etl_edit_distance(wide, wide), 0);
	assert_int_equal(etl_edit_distance(wide, "x"), 62);
}

static void nearest_is_near(void **state)
{
	static const char *const words[] = {"schedule", NULL, "transform", "check", "load", "run"};

	(void)state;
	assert_string_equal(etl_nearest("shedule", words, 6), "schedule");
	assert_string_equal(etl_nearest("transfrom", words, 6), "transform");
	assert_string_equal(etl_nearest("chekc", words, 6), "check");
	assert_string_equal(etl_nearest("RUN", words, 6), "run");
	assert_null(etl_nearest("frobnicate", words, 6));
	assert_null(etl_nearest("reject", (const char *const[]){"extract"}, 1));
	assert_null(etl_nearest("lo", words, 6)); /* two edits are half of it */
	assert_null(etl_nearest("x", words, 0));
}

static void whole_integers_only(void **state)
{
	static const char *const wrong[] = {"", " 1", "1 ", "-", "+", "1.0", "0x10", "1e3", "--1",
		"9223372036854775808", "-9223372036854775809", "1a"};
	int64_t v = 42;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(etl_parse_int64(wrong[i], &v));
	assert_int_equal(v, 42);
	assert_true(etl_parse_int64("9223372036854775807", &v) && v == INT64_MAX);
	assert_true(etl_parse_int64("-9223372036854775808", &v) && v == INT64_MIN);
	assert_true(etl_parse_int64("+007", &v) && v == 7);
}

static void whole_finite_numbers_only(void **state)
{
	static const char *const wrong[] = {"", " 1", "nan", "inf", "0x1p3", "1e999", "1,5", "1.5x",
		"e5", "."};
	double v = 42;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(etl_parse_double(wrong[i], &v));
	assert_true(v == 42);
	assert_true(etl_parse_double("-0.5", &v) && v == -0.5);
	assert_true(etl_parse_double("1e9", &v) && v == 1e9);
}

static void names_have_a_small_alphabet(void **state)
{
	(void)state;
	assert_true(etl_is_name("airqino-hourly_v1.2", 64));
	assert_true(etl_is_name("abcd", 4));
	assert_false(etl_is_name("abcde", 4));
	assert_false(etl_is_name("", 4));
	assert_false(etl_is_name("a/b", 64));
	assert_false(etl_is_name("a b", 64));
	assert_false(etl_is_name("\xc3\xa9", 64));
}

static void what_deceives_a_reader_is_masked(void **state)
{
	static const struct {
		const char *is, *shown;
	} texts[] = {
		{"plain caf\xc3\xa9 \xf0\x9f\x98\x80", "plain caf\xc3\xa9 \xf0\x9f\x98\x80"},
		{"a\nb\x1b[2J\x7f", "a?b?[2J?"},
		{"\xc2\x9b" "31m\xc2\xa0", "?31m\xc2\xa0"},
			/* CSI as one C1; a no-break space may stay */
		{"user\xe2\x80\xaenimda", "user?nimda"},
		{"\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\xaa\xe2\x81\xa6\xe2\x81\xa9\xd8\x9c", "??????"},
		{"a\xe2\x80\xa8" "b\xe2\x80\xa9", "a?b?"},
		{"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
			"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"},
		{"\xff" "a\xc3", "?a?"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char text[64];

		etl_text_copy(text, sizeof text, texts[i].is);
		assert_int_equal(etl_text_mask(text), strlen(texts[i].shown));
		assert_string_equal(text, texts[i].shown);
	}
}

static void numbers_as_json_writes_them(void **state)
{
	static const struct {
		const char *text;
		bool is, whole;
	} rows[] = {
		{"0", true, true}, {"-0", true, true}, {"42", true, true},
		{"12345678901234567890", true, true}, {"-1.5", true, false}, {"1e9", true, false},
		{"1.50E-7", true, false}, {"01", false, false}, {"-01.5", false, false},
		{"+1", false, false}, {".5", false, false}, {"1.", false, false},
		{"1e", false, false}, {"1e+", false, false}, {"-", false, false}, {"", false, false},
		{"0x1", false, false}, {" 1", false, false}, {"1 ", false, false},
		{"NaN", false, false}, {"1.2.3", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool whole = false;

		assert_int_equal(etl_is_json_number(rows[i].text, &whole), rows[i].is);
		if (rows[i].is)
			assert_int_equal(whole, rows[i].whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_of_every_scalar_value),
		cmocka_unit_test(utf8_bad_bytes_are_found_where_they_are),
		cmocka_unit_test(utf8_cut_never_splits),
		cmocka_unit_test(copies_are_cut_between_characters),
		cmocka_unit_test(edit_distance_counts_edits),
		cmocka_unit_test(nearest_is_near),
		cmocka_unit_test(whole_integers_only),
		cmocka_unit_test(whole_finite_numbers_only),
		cmocka_unit_test(numbers_as_json_writes_them),
		cmocka_unit_test(names_have_a_small_alphabet),
		cmocka_unit_test(what_deceives_a_reader_is_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
