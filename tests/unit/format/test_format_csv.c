/* SPDX-License-Identifier: MIT
 *
 * csv: rows, headers, fields and what is wrong with them; and that it never matters where a payload is
 * cut. Corners of RFC 4180 and of what spreadsheets write.
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
	const char *yaml, *text, *told;
};

/* Whole, and cut everywhere. */
static void tell(const char *yaml, const char *text, size_t len, const char *expected)
{
	const struct etl_decode_spec *spec = format_load(yaml, arena, NULL);
	char *whole = format_tell(spec, text, len, len, 0, true);

	if (strcmp(whole, expected) != 0)
		fail_msg("%s: %s gives\n%s, and not\n%s", yaml, text, whole, expected);
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

static void tell_all(const struct expected *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		tell(cases[i].yaml, cases[i].text, strlen(cases[i].text), cases[i].told);
}
#define TELL(cases) tell_all(cases, sizeof cases / sizeof *cases)

#define AB "0 {\"a\":\"1\",\"b\":\"x\"}\n1 {\"a\":\"2\",\"b\":\"y\"}\n= 2\n"

static void test_rows(void **state)
{
	static const struct expected cases[] = {
		{"{format: csv}", "a,b\r\n1,x\r\n2,y\r\n", AB},
		{"{format: csv}", "a,b\n1,x\n2,y\n", AB},
		{"{format: csv}", "a,b\r1,x\r2,y\r", AB},
		{"{format: csv}", "a,b\n1,x\n2,y", AB}, /* without the last line break */
		{"{format: csv}", "\xef\xbb\xbf\"a\",b\n1,x\n\n\r\n2,y\n", AB},
		{"{format: {csv: {delimiter: ;}}}", "sep=;\na;b\n1;x\n2;y\n", AB},
		{"{format: {csv: {delimiter: tab}}}", "a\tb\n1\tx\n2\ty\n", AB},
		{"{format: {csv: {header: none, names: [a, b]}}}", "1,x\n2,y\n", AB},
		{"{format: {csv: {names: [a, b]}}}", "same,same\n1,x\n2,y\n", AB},
		{"{format: {csv: {skip: 2}}}", "\"made by a device\nof 2026,\",,\na,b\n1,x\n2,y\n", AB},
		{"{format: {csv: {comment: '#'}}}", "#\"made\na,b\n# half,\"m\n1,x\n2,y\n", AB},
		{"{format: csv}", "a,b\n", "= 0\n"},
		{"{format: csv}", "", "= 0\n"},
	};

	(void)state;
	TELL(cases);
}

static void test_fields(void **state)
{
	static const struct expected cases[] = {
		{"{format: csv}", "a,b\n\"x,\"\"y\"\"\r\nz\",\n\"\", b \n",
			"0 {\"a\":\"x,\\\"y\\\"\\r\\nz\",\"b\":null}\n1 {\"a\":\"\",\"b\":\" b "
			"\"}\n= 2\n"},
		{"{format: {csv: {empty: absent}}}", "a,b\n,x\n\"\",\n",
			"0 {\"b\":\"x\"}\n1 {\"a\":\"\"}\n= 2\n"},
		{"{format: {csv: {empty: text}}}", "a,b\n,x\n", "0 {\"a\":\"\",\"b\":\"x\"}\n= "
		"1\n"},
		{"{format: {csv: {null_text: [NA, '-']}}}", "a,b\nNA,-\nNAN,--\n",
			"0 {\"a\":null,\"b\":null}\n1 {\"a\":\"NAN\",\"b\":\"--\"}\n= 2\n"},
		{"{format: {csv: {null_text: [NA]}}}", "a,b\n\"NA\",\"N\"\n",
			"0 {\"a\":null,\"b\":\"N\"}\n= 1\n"},
		{"{format: {csv: {quote: none}}}", "a,b\n\"1,5\"\n",
			"0 {\"a\":\"\\\"1\",\"b\":\"5\\\"\"}\n= 1\n"},
		{"{format: {csv: {quote: \"'\"}}}", "a,b\n'1,5','it''s'\n",
			"0 {\"a\":\"1,5\",\"b\":\"it's\"}\n= 1\n"},
		{"{format: csv, charset: windows-1252}", "a,b\nZ\xfcrich,\x80\n",
			"0 {\"a\":\"Z\xc3\xbcrich\",\"b\":\"\xe2\x82\xac\"}\n= 1\n"},
	};

	(void)state;
	TELL(cases);
}

/* A NUL is a character as any other in a text of BSON. */
static void test_nul(void **state)
{
	(void)state;
	tell("{format: csv}", "a,b\nx\0y,z\n", 10, "0 {\"a\":\"x\\u0000y\",\"b\":\"z\"}\n= 1\n");
}

static void test_bad_rows(void **state)
{
	static const struct expected cases[] = {
		{"{format: csv}", "a,b\n1\n2,y,z\n3,x\n",
			"2 {\"a\":\"3\",\"b\":\"x\"}\n"
			"0 reject : line 2 has 1 field, and there are 2 columns: 1\n"
			"1 reject : line 3 has 3 fields, and there are 2 columns: 2,y,z\n= 3\n"},
		{"{format: {csv: {short_rows: fill}}}", "a,b,c\n1\n2,\n3,,,\n",
			"0 {\"a\":\"1\",\"b\":null,\"c\":null}\n1 "
			"{\"a\":\"2\",\"b\":null,\"c\":null}\n"
			"2 reject : line 4 has 4 fields, and there are 3 columns: 3,,,\n= 3\n"},
		{"{format: csv}", "a,b\n5\" pipe,x\n\"6\"x,y\n7,z\n",
			"2 {\"a\":\"7\",\"b\":\"z\"}\n"
			"0 reject : line 2 has a quote inside of a field, or text behind a "
			"closing one: 5\" pipe,x\n"
			"1 reject : line 3 has a quote inside of a field, or text behind a "
			"closing one: \"6\"x,y\n= 3\n"},
		/* "\r\n" is one line, and so is "\r". */
		{"{format: csv}", "a,b\r\n1,x\r\n2\r3\n",
			"0 {\"a\":\"1\",\"b\":\"x\"}\n"
			"1 reject : line 3 has 1 field, and there are 2 columns: 2\n"
			"2 reject : line 4 has 1 field, and there are 2 columns: 3\n= 3\n"},
		{"{format: csv}", "a,b\n1,\xff\n2,y\n",
			"1 {\"a\":\"2\",\"b\":\"y\"}\n"
			"0 reject b: line 2 is no UTF-8 text; 'charset' says what it is: "
			"1,\xff\n= 2\n"},
	};

	(void)state;
	TELL(cases);
}

/* What is wrong with the header is wrong with every row. */
static void test_bad_headers(void **state)
{
	static const struct expected cases[] = {
		{"{format: csv}", "a,b,a\n1,2,3\n",
			"error csv.header: the header in line 1 names column 1 and column 3 'a'; "
			"'names' can name all\n"},
		{"{format: csv}", ",b\n1,2\n",
			"error csv.header: column 1 of the header in line 1 has no name; 'names' "
			"can name all\n"},
		{"{format: {csv: {names: [a, b, c]}}}", "x,y\n1,2\n",
			"error csv.header: the header in line 1 has 2 columns, 'names' has 3\n"},
		{"{format: {csv: {required: [b, montant]}}}", "a,b,Montant\n1,2,3\n",
			"error csv.header: the header has no column 'montant' (there is "
			"'Montant')\n"},
		{"{format: csv}", "a,b\"\n1,2\n",
			"error csv.header: the header in line 1 cannot be used: a quote stands "
			"inside of a field, "
			"or text behind a closing one\n"},
		{"{format: {csv: {delimiter: ';'}}}", "sep=,\na,b\n",
			"error csv.delimiter: the payload says that its delimiter is ',', and "
			"'delimiter' is ';'\n"},
		{"{format: {csv: {skip: 3}}}", "a\nb\n",
			"error csv.header: the payload ends before its header: all its rows are "
			"comments or passed "
			"over by 'skip'\n"},
	};

	(void)state;
	TELL(cases);
}

/* A payload that breaks off is found where it can be: inside quotes, or in a row that lacks fields. */
static void test_cut(void **state)
{
	static const struct expected cases[] = {
		{"{format: csv}", "a,b\n1,x\n2",
			"0 {\"a\":\"1\",\"b\":\"x\"}\n1 reject : line 3 has 1 field, and there "
			"are 2 columns: 2\n"
			"error csv.cut: the last row, which no line break ends, is not whole: "
			"line 3 has 1 field, "
			"and there are 2 columns\n"},
		{"{format: csv}", "a,b\n1,x\n2,\"y\n3,z\n",
			"0 {\"a\":\"1\",\"b\":\"x\"}\nerror csv.quote: the payload ends inside a "
			"quoted field, in the "
			"row that begins in line 3\n"},
		{"{format: csv}", "\r\n\n",
			"error csv.no_rows: the payload has blank lines alone; 'no_rows: empty' "
			"says that this "
			"stands for no records\n"},
		{"{format: {csv: {no_rows: empty}}}", "\r\n\n", "= 0\n"},
	};

	(void)state;
	TELL(cases);
}

static void test_time(void **state)
{
	static const struct expected cases[] = {
		{"{format: csv, time: {field: t, format: '%d/%m/%Y %H:%M'}}",
			"t,v\n15/01/2027 08:00,1\n,2\n",
			"0 {\"t\":\"2027-01-15T08:00:00Z\",\"v\":\"1\"}\n"
			"1 reject t: 't' is null, which is not a time of its format (%d/%m/%Y "
			"%H:%M): "
			"{\"t\":null,\"v\":\"2\"}\n= 2\n"},
	};

	(void)state;
	TELL(cases);
}

/* Longer than a record may be: a reject that keeps the beginning, in one piece or in many. */
static void test_long_row(void **state)
{
	static const char head[] = "a\n";
	size_t n = ETL_DOCUMENT_BYTES_MAX + 10, len = n + strlen(head) + 3;
	const struct etl_decode_spec *spec = format_load("{format: csv}", arena, NULL);
	char *text = etl_calloc(1, len + 1), *whole, *pieces;

	(void)state;
	memset(text, 'x', len);
	memcpy(text, head, strlen(head));
	memcpy(text + len - 3, "\ny\n", 3);
	whole = format_tell(spec, text, len, len, 0, true);
	pieces = format_tell(spec, text, len, 100, 1000003, true);
	assert_string_equal(whole, pieces);
	assert_memory_equal(whole, "1 {\"a\":\"y\"}\n0 reject : the row in line 2 is longer than "
	"a record may be", 70);
	assert_true(strlen(whole) < ETL_REJECT_RAW_MAX + 200);
	free(whole);
	free(pieces);
	free(text);
}

/* An instance that failed, or has half a row and a header, begins anew. */
static void test_begins_anew(void **state)
{
	const struct etl_decode_spec *spec = format_load("{format: csv}", arena, NULL);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_batch *batch = etl_batch_new();
	struct etl_decode *d;
	char *told;

	(void)state;
	assert_int_equal(etl_decode_new(spec, 0, &d, &err), 0);
	assert_int_equal(etl_decode_begin(d, NULL, &err), 0);
	assert_int_equal(format_feed(d, "p,q\n1,\"2", 8, batch, &err), 0);
	assert_int_equal(etl_decode_end(d, batch, &err), -1);
	assert_true(etl_decode_held(d) > 0);
	told = format_tell_by(d, "a,b\n1,x\n2,y\n", 12, 12, 0, true);
	assert_string_equal(told, AB);
	free(told);
	etl_decode_free(d);
	etl_batch_free(batch);
}

/* The beginning of a byte order mark that is none stands in the row: no field begins behind it. */
static void test_half_a_mark(void **state)
{
	static const struct expected cases[] = {
		{"{format: {csv: {header: none, names: [a]}}}", "\xef\xbb\"x\ny\n",
			"1 {\"a\":\"y\"}\n"
			"0 reject : line 1 has a quote inside of a field, or text behind a closing one: "
			"\xef\xbb\"x\n= 2\n"},
	};

	(void)state;
	TELL(cases);
}

/* One row of two mebibytes does not cost as much until the source ends. */
static void test_long_row_is_let_go(void **state)
{
	const struct etl_decode_spec *spec = format_load("{format: csv}", arena, NULL);
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	size_t len = 2 << 20;
	char *text = etl_calloc(1, len + 1);
	struct etl_decode *d;

	(void)state;
	memset(text, ',', len);
	assert_int_equal(etl_decode_new(spec, 0, &d, &err), 0);
	assert_int_equal(etl_decode_begin(d, NULL, &err), 0);
	assert_int_equal(format_feed(d, "a,b\n", 4, batch, &err), 0);
	assert_int_equal(format_feed(d, text, len, batch, &err), 0);
	assert_true(etl_decode_held(d) > len);
	assert_int_equal(format_feed(d, "\n1,2\n", 5, batch, &err), 0);
	assert_true(etl_decode_held(d) < len / 2);
	assert_int_equal(batch->n, 1);
	etl_decode_free(d);
	etl_batch_free(batch);
	free(text);
}

/* Few bytes with a wide header: a row of two bytes is filled to 20 KiB, and 16 KiB of such rows would be
 * 160 MiB before anybody can take them. */
static void test_filled_rows_are_bounded(void **state)
{
	const struct etl_decode_spec *spec = format_load("{format: {csv: {short_rows: fill}}}", arena, NULL);
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_buf text ETL_BUF_CLEANUP;
	struct etl_decode *d;

	(void)state;
	etl_buf_init(&text, 1 << 20);
	for (int i = 0; i < 4096; i++)
		etl_buf_printf(&text, "%sc%d", i ? "," : "", i);
	etl_buf_char(&text, '\n');
	assert_int_equal(etl_decode_new(spec, 0, &d, &err), 0);
	assert_int_equal(etl_decode_begin(d, NULL, &err), 0);
	assert_int_equal(format_feed(d, text.data, text.len, batch, &err), 0);
	etl_buf_clear(&text);
	for (int i = 0; i < 8192; i++)
		etl_buf_str(&text, "x\n");
	assert_int_equal(format_feed(d, text.data, text.len, batch, &err), -1);
	assert_int_equal(err.kind, ETL_LIMIT);
	assert_string_equal(err.code, "csv.width");
	assert_true(etl_batch_held(batch) < (size_t)128 << 20);
	etl_decode_free(d);
	etl_batch_free(batch);
}

/* What the loader refuses, with its word. */
static void test_options(void **state)
{
	static const struct {
		const char *yaml, *word;
	} cases[] = {
		{"{format: {csv: {delimiter: ';;'}}}", "'delimiter' is one ASCII character"},
		{"{format: {csv: {delimiter: \"\xc2\xa7\"}}}", "'delimiter' is one ASCII "
		"character"},
		{"{format: {csv: {delimiter: \"\\n\"}}}", "'delimiter' is one ASCII character"},
		{"{format: {csv: {quote: ','}}}", "are the same character"},
		{"{format: {csv: {header: none}}}", "'names' has to name the columns"},
		{"{format: {csv: {header: none, names: [a], required: [a]}}}", "is about a header"},
		{"{format: {csv: {names: [a, b, a]}}}", "has a name that appears twice"},
		{"{format: {csv: {comment: '//'}}}", "'comment' is one ASCII character"},
		{"{format: csv, records: /a}", "'records' is no key of format 'csv'"},
		{"{format: csv, attach: {a: /b}}", "'attach' is no key of format 'csv'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_buf said ETL_BUF_CLEANUP;

		etl_buf_init(&said, 1 << 20);
		assert_null(format_load(cases[i].yaml, arena, &said));
		if (!strstr(etl_buf_text(&said), cases[i].word))
			fail_msg("%s says %s", cases[i].yaml, etl_buf_text(&said));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rows),
		TEST(test_fields),
		TEST(test_nul),
		TEST(test_bad_rows),
		TEST(test_bad_headers),
		TEST(test_cut),
		TEST(test_time),
		TEST(test_long_row),
		TEST(test_half_a_mark),
		TEST(test_long_row_is_let_go),
		TEST(test_filled_rows_are_bounded),
		TEST(test_begins_anew),
		TEST(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
