/* SPDX-License-Identifier: MIT
 *
 * jsonl: lines, their records and rejects, and that it never matters where a payload is cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

struct expected {
	const char *text, *told;
};

/* Whole, and cut everywhere. */
static void tell(const char *yaml, const char *text, size_t len, const char *expected)
{
	const struct etl_decode_spec *spec = format_load(yaml, arena, NULL);
	char *whole = format_tell(spec, text, len, len, 0, true);

	if (expected && strcmp(whole, expected) != 0)
		fail_msg("%s gives\n%s, and not\n%s", text, whole, expected);
	for (size_t step = 1; step < 5; step++)
		for (size_t first = 0; first <= len && first < 200; first++) {
			char *pieces = format_tell(spec, text, len, first, step, true);

			if (strcmp(whole, pieces) != 0)
				fail_msg("%s: cut behind %zu bytes, then each %zu: %s", text, first, step,
					pieces);
			free(pieces);
		}
	free(whole);
}

static void test_lines(void **state)
{
	static const struct expected cases[] = {
		{"{\"a\":1}\n{\"a\":2}\n", "0 {\"a\":1}\n1 {\"a\":2}\n= 2\n"},
		{"{\"a\":1}\n{\"a\":2}", "0 {\"a\":1}\n1 {\"a\":2}\n= 2\n"}, /* without the last line break */
		{"{\"a\":1}\r\n\r\n \t\n{\"a\":2}\r\n", "0 {\"a\":1}\n1 {\"a\":2}\n= 2\n"},
		{"\xef\xbb\xbf{\"a\":1}\n{\"a\":2}\n", "0 {\"a\":1}\n1 {\"a\":2}\n= 2\n"},
		{"[{\"a\":1},{\"a\":2}]\n{\"a\":3}\n", "0 {\"a\":1}\n1 {\"a\":2}\n2 {\"a\":3}\n= 3\n"},
		{"", "= 0\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		tell("{format: jsonl}", cases[i].text, strlen(cases[i].text), cases[i].told);
}

/* An answer of blank lines is as little a proof as an empty one, unless it is said to be. */
static void test_blank_lines_alone(void **state)
{
	static const char fault[] = "error jsonl.no_lines: the answer has blank lines alone; 'no_lines: "
				    "empty' says that this stands for no records\n";

	(void)state;
	tell("{format: jsonl}", "\n", 1, fault);
	tell("{format: jsonl}", " ", 1, fault);
	tell("{format: jsonl}", "\r\n \t\n ", 6, fault);
	tell("{format: {jsonl: {no_lines: empty}}}", "\r\n\n", 3, "= 0\n");
	tell("{format: jsonl}", "\n5\n", 3,
		"0 reject : the answer has a number where its records should be (''): 5\n= 1\n");
}

/* One bad line is one reject, whatever of it could be read; the others are as they would be. */
static void test_bad_lines(void **state)
{
	static const struct expected cases[] = {
		{"{\"a\":1}\n<oops>\n{\"a\":2}\n",
			"0 {\"a\":1}\n2 {\"a\":2}\n"
			"1 reject : a value was expected at byte 8 of the answer: <oops>\n= 3\n"},
		{"{\"a\":1} x\n{\"a\":2}\n",
			"1 {\"a\":2}\n"
			"0 reject : something behind the document's end at byte 8 of the answer: "
			"{\"a\":1} x\n= 2\n"},
		{"[{\"a\":1},{\"a\":2}\n{\"a\":3}\n",
			"1 {\"a\":3}\n"
			"0 reject : the document ends too early at byte 16 of the answer: "
			"[{\"a\":1},{\"a\":2}\n= 2\n"},
		{"{\"a\":1,\"a\":2}\n{\"a\":3}\n",
			"1 {\"a\":3}\n0 reject /a: a key that appears twice: {\"a\":1,\"a\":2}\n= 2\n"},
		{"5\n{\"a\":3}\n",
			"1 {\"a\":3}\n"
			"0 reject : the answer has a number where its records should be (''): 5\n= 2\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		tell("{format: jsonl}", cases[i].text, strlen(cases[i].text), cases[i].told);
}

/* What breaks off in the middle of its last line was cut. */
static void test_cut(void **state)
{
	static const char text[] = "{\"a\":1}\n{\"a\":";

	(void)state;
	tell("{format: jsonl}", text, strlen(text),
		"0 {\"a\":1}\nerror json.syntax: the last line, which no line break ends: the document ends "
		"inside a record at byte 13 of the answer\n");
}

/* Each line is a document of its own: pointers begin in it. */
static void test_records_in_lines(void **state)
{
	static const char text[] =
		"{\"_airbyte_raw_id\":\"x\",\"_airbyte_data\":{\"t\":1},\"_airbyte_emitted_at\":7}\n"
		"{\"_airbyte_raw_id\":\"y\",\"other\":1}\n"
		"{\"_airbyte_emitted_at\":9,\"_airbyte_data\":[{\"t\":2},{\"t\":3}]}\n";

	(void)state;
	tell("{format: jsonl, records: /_airbyte_data, attach: {at: /_airbyte_emitted_at}}", text,
		strlen(text),
		"0 {\"t\":1,\"at\":7}\n2 {\"t\":2,\"at\":9}\n3 {\"t\":3,\"at\":9}\n"
		"1 reject : the answer has nothing at '/_airbyte_data', where its records should be: "
		"{\"_airbyte_raw_id\":\"y\",\"other\":1}\n= 4\n");
}

static void test_charset_and_time(void **state)
{
	static const char text[] = "{\"n\":\"Z\xfcrich\",\"t\":\"2027-01-15 08:00\"}\n{\"n\":1}\n";

	(void)state;
	tell("{format: jsonl, charset: windows-1252, time: {field: t, format: '%Y-%m-%d %H:%M'}}", text,
		strlen(text),
		"0 {\"n\":\"Z\xc3\xbcrich\",\"t\":\"2027-01-15T08:00:00Z\"}\n"
		"1 reject t: the record has no field 't': {\"n\":1}\n= 2\n");
}

/* Longer than a record may be: a reject that keeps the beginning, in one piece or in many. */
static void test_long_line(void **state)
{
	size_t n = ETL_DOCUMENT_BYTES_MAX + 10;
	const struct etl_decode_spec *spec = format_load("{format: jsonl}", arena, NULL);
	char *text = etl_calloc(1, n + 16), *whole, *pieces;

	(void)state;
	memset(text, ' ', n);
	memcpy(text, "{\"a\":1}", 7);
	strcpy(text + n, "\n{\"a\":2}\n");
	whole = format_tell(spec, text, n + 9, n + 9, 0, true);
	pieces = format_tell(spec, text, n + 9, 100, 1000003, true);
	assert_string_equal(whole, pieces);
	assert_memory_equal(whole,
		"1 {\"a\":2}\n0 reject : the line is longer than a record may be: {\"a\":1} ", 70);
	assert_true(strlen(whole) < ETL_REJECT_RAW_MAX + 200);
	free(whole);
	free(pieces);
	free(text);
}

/* An instance that failed, or has half a line, begins anew. */
static void test_begins_anew(void **state)
{
	const struct etl_decode_spec *spec = format_load("{format: jsonl}", arena, NULL);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_batch *batch = etl_batch_new();
	struct etl_decode *d;
	char *told;

	(void)state;
	assert_int_equal(etl_decode_new(spec, 0, &d, &err), 0);
	assert_int_equal(etl_decode_begin(d, NULL, &err), 0);
	assert_int_equal(format_feed(d, "{\"x\":", 5, batch, &err), 0);
	assert_int_equal(etl_decode_end(d, batch, &err), -1);
	assert_true(etl_decode_held(d) > 0);
	told = format_tell_by(d, "{\"a\":1}\n", 8, 8, 0, true);
	assert_string_equal(told, "0 {\"a\":1}\n= 1\n");
	free(told);
	etl_decode_free(d);
	etl_batch_free(batch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_blank_lines_alone),
		TEST(test_bad_lines),
		TEST(test_cut),
		TEST(test_records_in_lines),
		TEST(test_charset_and_time),
		TEST(test_long_line),
		TEST(test_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
