/* SPDX-License-Identifier: MIT
 *
 * Payloads in other charsets, cut anywhere: also in the middle of a character, or of what shifts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <iconv.h>

#include "format_rig.h"

static struct etl_arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = etl_arena_new(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	etl_arena_free(arena);
	return 0;
}

/* Bytes of `text` in the charset. */
static size_t encode(const char *charset, const char *text, char *out, size_t size)
{
	iconv_t conversion = iconv_open(charset, "UTF-8");
	char *from = etl_strdup(text), *in = from, *to = out;
	size_t left = strlen(text), room = size;

	assert_true(conversion != (iconv_t)-1);
	assert_int_equal(iconv(conversion, &in, &left, &to, &room), 0);
	assert_int_equal(iconv(conversion, NULL, NULL, &to, &room), 0);
	assert_int_equal(left, 0);
	iconv_close(conversion);
	free(from);
	return size - room;
}

static char *tell(const char *charset, const char *bytes, size_t len, size_t first, size_t step)
{
	etl_cleanup(free) char *yaml = etl_strf("{format: jsonl, charset: %s}", charset);

	return format_tell(format_load(yaml, arena, NULL), bytes, len, first, step, true);
}

static void test_cut_anywhere(void **state)
{
	static const struct {
		const char *charset, *word;
	} cases[] = {
		{"utf-16", "Z\u00fcrich \U0001f600"}, {"utf-16le", "\U0001f600\u20ac"},
		{"utf-32be", "\u20ac"},
		{"gb18030", "\u4e2d\u6587 \U0001f600"}, {"shift_jis", "\u65e5\u672c"},
		{"iso-2022-jp", "\u65e5\u672c a \u8a9e"}, {"big5-hkscs", "\u4e2d"},
		{"windows-1252", "\u20ac"}, {"windows-1255", "\u05e9\u05c1"},
		{"windows-1258", "Vi\u00ea\u0323t"}, {"tcvn", "a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		etl_cleanup(free) char *text = etl_strf("{\"n\":\"%s\"}\n{\"n\":2}", cases[i].word);
		char bytes[400], *whole;
		size_t len = encode(cases[i].charset, text, bytes, sizeof bytes);

		whole = tell(cases[i].charset, bytes, len, len, 0);
		if (!strstr(whole, "\n1 {\"n\":2}\n= 2\n"))
			fail_msg("%s: %s", cases[i].charset, whole);
		for (size_t step = 1; step < 4; step++)
			for (size_t first = 0; first < len; first++) {
				char *pieces = tell(cases[i].charset, bytes, len, first, step);

				if (strcmp(whole, pieces) != 0)
					fail_msg("%s, cut behind %zu, then each %zu: %s", cases[i].charset,
						first, step, pieces);
				free(pieces);
			}
		free(whole);
	}
}

/* A payload that ends inside a character was cut, wherever its pieces were. */
static void test_half_a_character_at_the_end(void **state)
{
	char bytes[100];
	size_t len = encode("utf-16le", "{\"n\":1}\n", bytes, sizeof bytes);

	(void)state;
	for (size_t first = 0; first < len; first++) {
		char *told = tell("utf-16le", bytes, len - 1, first, 1);

		assert_non_null(strstr(told, "error http.charset: byte 14 of the answer is no character "
			"of the charset 'utf-16le' that it names"));
		free(told);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cut_anywhere),
		TEST(test_half_a_character_at_the_end),
	};

	return cmocka_run_group_tests_name("format/charset", tests, NULL, NULL);
}
