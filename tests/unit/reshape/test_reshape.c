/* SPDX-License-Identifier: MIT
 *
 * The stages of reshape on documents of all shapes, whole and byte by byte: what they make, what
 * they refuse and why, that no record goes without a word, and that an array of a million elements
 * is never more memory than a batch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../format/format_rig.h"

struct shape {
	const char *reshape, *payload, *told;
};

static size_t lines_of(const char *told)
{
	size_t n = 0;

	for (; *told; told++)
		n += *told == '\n';
	return n;
}

/* All that the format gave is there, or was told of. */
static void need_balance(const struct etl_decode *d, const char *told, const char *why)
{
	struct etl_decode_shaped shaped = etl_decode_shaped(d);
	uint64_t came = etl_decode_records(d) + shaped.unfolded;

	if (came != lines_of(told) - 1 + shaped.folded)
		fail_msg("%s: %llu + %llu records became %zu, %llu folded", why,
			(unsigned long long)etl_decode_records(d), (unsigned long
				long)shaped.unfolded,
			lines_of(told) - 1, (unsigned long long)shaped.folded);
}

static void expect_shape(const struct shape *shape)
{
	struct etl_arena *arena = etl_arena_new(0);
	char *yaml = etl_strf("{reshape: [%s]}", shape->reshape);
	const struct etl_decode_spec *spec = format_load(yaml, arena, NULL);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_decode *d;

	for (size_t step = 1; step < 300; step += 149) {
		char *told;

		assert_int_equal(etl_decode_new(spec, 0, &d, &err), 0);
		told = format_tell_by(d, shape->payload, strlen(shape->payload), step, step, true);
		assert_string_equal(told, shape->told);
		need_balance(d, told, shape->reshape);
		free(told);
		etl_decode_free(d);
	}
	free(yaml);
	etl_arena_free(arena);
}

#define EXPECT(shapes)                                                                          \
	for (size_t i_ = 0; i_ < sizeof(shapes) / sizeof *(shapes); i_++)                       \
	expect_shape(&(shapes)[i_])

/* ---- columns ------------------------------------------------------------------------------ */

static void test_columns(void **state)
{
	static const struct shape shapes[] = {
		{"columns", "[{\"s\":1,\"t\":[1,2],\"v\":[10,null]}]",
			"0 {\"s\":1,\"t\":1,\"v\":10}\n0 {\"s\":1,\"t\":2,\"v\":null}\n= 1\n"},
		{"columns", "[{\"t\":[],\"v\":[]}]", "= 1\n"},
		{"columns", "[{\"t\":[1,2],\"v\":[10,11,12]},{\"t\":[3]}]",
			"1 {\"t\":3}\n0 reject v: t has 2 values, and v has 3: "
			"{\"t\":[1,2],\"v\":[10,11,12]}\n= 2\n"},
		{"columns", "[{\"t\":1},{}]",
			"0 reject : there is no array to be a column: {\"t\":1}\n"
			"1 reject : there is no array to be a column: {}\n= 2\n"},
		{"columns: {in: /a/h}", "[{\"x\":9,\"a\":{\"k\":0,\"h\":{\"t\":[1,2],\"x\":[3,4],"
			"\"u\":7}}}]",
			"0 {\"a\":{\"k\":0},\"t\":1,\"x\":3,\"u\":7}\n0 {\"a\":{\"k\":0},\"t\":2,"
			"\"x\":4,\"u\":7}\n"
			"= 1\n"},
		{"columns: {in: h}", "[{\"h\":[1]},{\"x\":1}]",
			"0 reject h: 'h' is no document with columns: {\"h\":[1]}\n"
			"1 reject h: 'h' is no document with columns: {\"x\":1}\n= 2\n"},
		/* Only what is named is a column: another array stays what it is. */
		{"columns: {fields: [t]}", "[{\"t\":[1,2],\"box\":[0,0,0]}]",
			"0 {\"box\":[0,0,0],\"t\":1}\n0 {\"box\":[0,0,0],\"t\":2}\n= 1\n"},
		{"columns: {fields: [t, v]}", "[{\"t\":[1],\"v\":null},{\"t\":[1]}]",
			"0 reject v: v is null, and no array: {\"t\":[1],\"v\":null}\n"
			"1 reject v: the record has no column 'v': {\"t\":[1]}\n= 2\n"},
		{"columns: {fields: [t, v], on_bad: null, absent: default, default: -1}",
			"[{\"t\":[1],\"v\":7},{\"t\":[1]}]", "0 {\"t\":1,\"v\":null}\n1 {\"t\":1,"
			"\"v\":-1}\n= 2\n"},
		{"columns: {fields: [t, v], on_bad: text, absent: text}",
			"[{\"t\":[1],\"v\":7},{\"t\":[1]}]", "0 {\"t\":1,\"v\":7}\n1 {\"t\":1}\n"
			"= 2\n"},
	};

	(void)state;
	EXPECT(shapes);
}

/* ---- explode ------------------------------------------------------------------------------ */

static void test_explode(void **state)
{
	static const struct shape shapes[] = {
		{"explode: {field: v}", "[{\"s\":1,\"v\":[{\"t\":1},{\"t\":2,\"s\":9},7,null,"
			"[3]]}]",
			"0 {\"s\":1,\"t\":1}\n0 {\"t\":2,\"s\":9}\n0 {\"s\":1,\"v\":7}\n0 {\"s"
			"\":1,\"v\":null}\n"
			"0 {\"s\":1,\"v\":[3]}\n= 1\n"},
		{"explode: {field: /a/v, as: w}", "[{\"w\":0,\"a\":{\"v\":[{\"t\":1},2]}}]",
			"0 {\"a\":{},\"w\":{\"t\":1}}\n0 {\"a\":{},\"w\":2}\n= 1\n"},
		{"explode: {field: v}", "[{\"v\":[]},{\"v\":[1]}]", "1 {\"v\":1}\n= 2\n"},
		{"explode: {field: v, keep_empty: true}", "[{\"s\":1,\"v\":[]}]", "0 {\"s\":1}\n"
			"= 1\n"},
		{"explode: {field: v}", "[{\"v\":null},{\"v\":{\"0\":1}},{\"s\":1}]",
			"0 reject v: v is null, and no array: {\"v\":null}\n"
			"1 reject v: v is document {\"0\":1}, and no array: {\"v\":{\"0\":1}}\n"
			"2 reject v: the record has no field 'v': {\"s\":1}\n= 3\n"},
		{"explode: {field: v, on_bad: null, absent: null}", "[{\"v\":\"\"},{\"s\":1}]",
			"0 {\"v\":null}\n1 {\"s\":1,\"v\":null}\n= 2\n"},
		{"explode: {field: /a/v, on_bad: text, absent: text}", "[{\"a\":{\"v\":1}},{\"a"
			"\":{}}]",
			"0 {\"a\":{\"v\":1}}\n1 {\"a\":{}}\n= 2\n"},
		{"explode: {field: v, on_bad: default, default: {n: 1}}", "[{\"v\":1}]",
			"0 {\"v\":{\"n\":1}}\n= 1\n"},
		/* One behind the other. */
		{"{explode: {field: a}}, {explode: {field: b}}", "[{\"a\":[{\"b\":[1,2]},{\"b"
			"\":[]},{\"b\":[3]}]}]",
			"0 {\"b\":1}\n0 {\"b\":2}\n0 {\"b\":3}\n= 1\n"},
	};

	(void)state;
	EXPECT(shapes);
}

/* ---- keyed -------------------------------------------------------------------------------- */

static void test_keyed(void **state)
{
	static const struct shape shapes[] = {
		{"keyed: {key: id}", "[{\"a\":{\"v\":1},\"b\":{\"id\":\"x\",\"v\":2}}]",
			"0 {\"id\":\"a\",\"v\":1}\n0 {\"id\":\"b\",\"v\":2}\n= 1\n"},
		{"keyed: {key: id, in: s}", "[{\"at\":5,\"v\":0,\"s\":{\"a\":{\"v\":1},\"b\":{}}}]",
			"0 {\"at\":5,\"id\":\"a\",\"v\":1}\n0 {\"at\":5,\"v\":0,\"id\":\"b\"}\n= "
			"1\n"},
		{"keyed: {key: id, keep: [at]}", "[{\"at\":5,\"a\":{\"v\":1}}]",
			"0 {\"at\":5,\"id\":\"a\",\"v\":1}\n= 1\n"},
		{"keyed: {key: id, as: v}", "[{\"a\":1,\"b\":{\"c\":2},\"d\":[3]}]",
			"0 {\"id\":\"a\",\"v\":1}\n0 {\"id\":\"b\",\"v\":{\"c\":2}}\n0 {\"id\":"
			"\"d\",\"v\":[3]}\n= 1\n"},
		{"keyed: {key: id}", "[{\"a\":1,\"b\":{\"v\":2}},{}]",
			"0 {\"id\":\"b\",\"v\":2}\n"
			"0 reject : the member 'a' is int32 1, and no document: {\"id\":\"a\",\"a"
			"\":1}\n= 2\n"},
		{"keyed: {key: id, on_bad: text}", "[{\"a\":1}]", "0 {\"id\":\"a\",\"a\":1}\n= "
			"1\n"},
		{"keyed: {key: id, on_bad: null}", "[{\"a\":1}]", "0 {\"id\":\"a\",\"a\":null}\n"
			"= 1\n"},
		{"keyed: {key: id, in: s}", "[{\"s\":[]},{\"x\":1}]",
			"0 reject s: 's' is no document: {\"s\":[]}\n1 reject s: 's' is no "
			"document: {\"x\":1}\n"
			"= 2\n"},
		{"keyed: {key: id, in: s, absent: text}", "[{\"x\":1}]", "0 {\"x\":1}\n= 1\n"},
		{"keyed: {key: id, in: s, absent: null}", "[{\"x\":1}]", "0 {\"x\":1,\"s"
			"\":null}\n= 1\n"},
		{"keyed: {key: id, in: s}", "[{\"s\":{}}]", "= 1\n"},
	};

	(void)state;
	EXPECT(shapes);
}

/* ---- rows --------------------------------------------------------------------------------- */

static void test_rows(void **state)
{
	static const struct shape shapes[] = {
		{"rows: {header: h, rows: r}", "[{\"s\":1,\"h\":[\"t\",\"v\"],\"r\":[[1,10],[2,"
			"null]]}]",
			"0 {\"s\":1,\"t\":1,\"v\":10}\n0 {\"s\":1,\"t\":2,\"v\":null}\n= 1\n"},
		{"rows: {header: /d/h, rows: /d/r}", "[{\"t\":9,\"d\":{\"h\":[\"t\"],\"r"
			"\":[[1]]}}]",
			"0 {\"d\":{},\"t\":1}\n= 1\n"},
		{"rows: {header: h, rows: r}", "[{\"h\":[\"t\"],\"r\":[]}]", "= 1\n"},
		{"rows: {header: h, rows: r}", "[{\"h\":[\"t\",\"v\"],\"r\":[[1],[1,2,3],7,[4,"
			"5]]}]",
			"0 {\"t\":4,\"v\":5}\n"
			"0 reject r: row 0 has fewer values than there are names: {\"row\":[1]}\n"
			"0 reject r: row 1 has more values than there are names: {\"row\":[1,2,"
			"3]}\n"
			"0 reject r: row 2 is no array: {\"row\":7}\n= 1\n"},
		{"rows: {header: h, rows: r, absent: null}", "[{\"h\":[\"t\",\"v\"],\"r\":[[1],"
			"[]]}]",
			"0 {\"t\":1,\"v\":null}\n0 {\"t\":null,\"v\":null}\n= 1\n"},
		{"rows: {header: h, rows: r, absent: text}", "[{\"h\":[\"t\",\"v\"],\"r\":[[1]]}]",
			"0 {\"t\":1}\n= 1\n"},
		{"rows: {header: h, rows: r}",
			"[{\"h\":[\"t\",\"t\"],\"r\":[[1,2]]},{\"h\":[],\"r\":[[]]},{\"h\":[1],"
			"\"r\":[]},{\"r\":[]}]",
			"0 reject h: 'h' has a name twice: {\"h\":[\"t\",\"t\"],\"r\":[[1,2]]}\n"
			"1 reject h: 'h' is empty: {\"h\":[],\"r\":[[]]}\n"
			"2 reject h: 'h' has something in it that is no name: {\"h\":[1],\"r"
			"\":[]}\n"
			"3 reject h: 'h' is no list: {\"r\":[]}\n= 4\n"},
	};

	(void)state;
	EXPECT(shapes);
}

/* ---- pivot -------------------------------------------------------------------------------- */

static void test_pivot(void **state)
{
	static const struct shape shapes[] = {
		/* Neither the order of the rows nor what lies between shows. */
		{"pivot: {by: [s], name: p, value: v}",
			"[{\"s\":1,\"p\":\"no\",\"v\":7},{\"s\":2,\"p\":\"co\",\"v\":1},{\"s\":1,"
			"\"p\":\"co\",\"v\":4}]",
			"0 {\"s\":1,\"co\":4,\"no\":7}\n1 {\"s\":2,\"co\":1}\n= 3\n"},
		{"pivot: {by: [/m/s, t], name: p, value: /x/v}",
			"[{\"m\":{\"s\":1,\"q\":2},\"t\":3,\"p\":\"co\",\"x\":{\"v\":{\"n\":4}}}]",
			"0 {\"m\":{\"s\":1},\"t\":3,\"co\":{\"n\":4}}\n= 1\n"},
		{"pivot: {by: [s], name: p, value: v, fields: [no, co], absent: null}",
			"[{\"s\":1,\"p\":\"co\",\"v\":4},{\"s\":1,\"p\":\"o3\",\"v\":4}]",
			"0 {\"s\":1,\"no\":null,\"co\":4}\n"
			"1 reject p: 'o3' is none of 'fields': {\"s\":1,\"p\":\"o3\",\"v\":4}\n= "
			"2\n"},
		{"pivot: {by: [s], name: p, value: v, fields: [no, co], absent: reject}",
			"[{\"s\":1,\"p\":\"co\",\"v\":4}]",
			"0 reject no: 'no' did not come: {\"s\":1,\"co\":4}\n= 1\n"},
		/* Null is a value; what is not there is none. A group of which all is refused is
		 * none either. */
		{"pivot: {by: [s], name: p, value: v}",
			"[{\"s\":1,\"p\":\"co\",\"v\":null},{\"s\":2,\"p\":\"co\"},{\"p\":\"co\","
			"\"v\":1},{\"s\":null,"
			"\"p\":\"co\",\"v\":2}]",
			"0 {\"s\":1,\"co\":null}\n3 {\"s\":null,\"co\":2}\n"
			"1 reject v: 'v' is missing: {\"s\":2,\"p\":\"co\"}\n"
			"2 reject s: 's' is missing: {\"p\":\"co\",\"v\":1}\n= 4\n"},
		{"pivot: {by: [s], name: p, value: v}",
			"[{\"s\":1,\"p\":5,\"v\":1},{\"s\":1,\"p\":\"\",\"v\":1},{\"s\":1,\"p\":"
			"\"s\",\"v\":1}]",
			"0 reject p: 'p' is no text that could be a name: {\"s\":1,\"p\":5,\"v"
			"\":1}\n"
			"1 reject p: 'p' is no text that could be a name: {\"s\":1,\"p\":\"\",\"v"
			"\":1}\n"
			"2 reject p: 'p' is the name of a field of 'by': {\"s\":1,\"p\":\"s\",\"v"
			"\":1}\n= 3\n"},
		/* The same once more is no contradiction. */
		{"pivot: {by: [s], name: p, value: v}",
			"[{\"s\":1,\"p\":\"co\",\"v\":4},{\"s\":1,\"p\":\"co\",\"v\":4},{\"s\":1,"
			"\"p\":\"co\",\"v\":5}]",
			"0 {\"s\":1,\"co\":4}\n"
			"2 reject co: 'co' has another value in an earlier row of the same record: "
			"{\"s\":1,\"p\":\"co\",\"v\":5}\n= 3\n"},
		{"pivot: {by: [s], name: p, value: v, duplicates: last}",
			"[{\"s\":1,\"p\":\"co\",\"v\":4},{\"s\":1,\"p\":\"co\",\"v\":5}]",
			"0 {\"s\":1,\"co\":5}\n= 2\n"},
		{"pivot: {by: [s], name: p, value: v, duplicates: first}",
			"[{\"s\":1,\"p\":\"co\",\"v\":4},{\"s\":1,\"p\":\"co\",\"v\":5}]",
			"0 {\"s\":1,\"co\":4}\n= 2\n"},
		{"{explode: {field: r}}, {pivot: {by: [s], name: p, value: v}}",
			"[{\"s\":1,\"r\":[{\"p\":\"a\",\"v\":1},{\"p\":\"b\",\"v\":2}]}]",
			"0 {\"s\":1,\"a\":1,\"b\":2}\n= 1\n"},
	};

	(void)state;
	EXPECT(shapes);
}

/* Rows of one record that come in two pages are one record. */
static void test_pivot_pages(void **state)
{
	static const char first[] = "[{\"s\":1,\"p\":\"a\",\"v\":1},{\"s\":2,\"p\":\"a\",\"v\":1}]";
	static const char second[] = "[{\"s\":1,\"p\":\"b\",\"v\":2}]";
	struct etl_arena *arena = etl_arena_new(0);
	const struct etl_decode_spec *spec =
		format_load("{reshape: [pivot: {by: [s], name: p, value: v}]}", arena, NULL);
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_decode *d;

	(void)state;
	assert_int_equal(etl_decode_new(spec, 0, &d, &err), 0);
	for (int page = 0; page < 2; page++) {
		const char *text = page ? second : first;

		assert_int_equal(etl_decode_begin(d, NULL, &err), 0);
		assert_int_equal(format_feed(d, text, strlen(text), batch, &err), 0);
		assert_int_equal(etl_decode_end(d, batch, &err), 0);
		assert_int_equal(batch->n, 0);
	}
	assert_int_equal(etl_decode_finish(d, batch, &err), 0);
	assert_int_equal(batch->n, 2);
	etl_decode_free(d);
	etl_batch_free(batch);
	etl_arena_free(arena);
}

/* ---- memory ------------------------------------------------------------------------------- */

static void put_many(struct etl_buf *body, size_t n, const char *begin, const char *each, const char
	*end)
{
	etl_buf_str(body, begin);
	for (size_t i = 0; i < n; i++)
		etl_buf_printf(body, "%s%s", i ? "," : "", each);
	etl_buf_str(body, end);
}

/* A payload broke while a record of it was being unfolded: nothing of it comes with the next one. The
 * law of reshape is not asked for, since a run throws all of such an input away. */
static void test_begins_anew(void **state)
{
	static const struct {
		const char *reshape, *before, *each, *behind, *next, *told;
		bool named;
	} cases[] = {
		{"columns", "[{\"v\":[", "1", "]}]", "[{\"v\":[7]}]", "0 {\"v\":7}\n"},
		{"explode: {field: v}", "[{\"v\":[", "1", "]}]", "[{\"v\":[7]}]", "0 {\"v\":7}\n"},
		{"rows: {header: h, rows: r}", "[{\"h\":[\"a\"],\"r\":[", "[1]", "]}]",
			"[{\"h\":[\"b\"],\"r\":[[7]]}]", "0 {\"b\":7}\n"},
		{"keyed: {key: k}", "[{", "{\"v\":1}", "}]", "[{\"x\":{\"v\":7}}]",
			"0 {\"k\":\"x\",\"v\":7}\n", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_arena *arena = etl_arena_new(0);
		char *yaml = etl_strf("{reshape: [%s]}", cases[i].reshape), *told;
		const struct etl_decode_spec *spec = format_load(yaml, arena, NULL);
		struct etl_batch *batch = etl_batch_new();
		struct etl_error err = ETL_ERROR_INIT;
		struct etl_decode *d;
		struct etl_buf body;

		etl_buf_init(&body, 1 << 20);
		etl_buf_str(&body, cases[i].before);
		for (int k = 0; k < 3000; k++) {
			etl_buf_str(&body, k ? "," : "");
			if (cases[i].named)
				etl_buf_printf(&body, "\"m%d\":", k);
			etl_buf_str(&body, cases[i].each);
		}
		etl_buf_str(&body, cases[i].behind);
		assert_int_equal(etl_decode_new(spec, 0, &d, &err), 0);
		assert_int_equal(etl_decode_begin(d, NULL, &err), 0);
		assert_int_equal(format_feed(d, body.data, body.len, batch, &err), 0);
		assert_true(etl_decode_waits(d));
		told = format_tell_by(d, cases[i].next, strlen(cases[i].next), 1, 1, true);
		assert_memory_equal(told, cases[i].told, strlen(cases[i].told));
		free(told);
		free(yaml);
		etl_decode_free(d);
		etl_batch_free(batch);
		etl_buf_fini(&body);
		etl_arena_free(arena);
	}
}

/* Feeds `body` in pieces of 64 KiB as a transfer does; format_drain aborts where a batch
 * overflows. */
static uint64_t count_made(const char *reshape, const struct etl_buf *body, size_t *held_most)
{
	struct etl_arena *arena = etl_arena_new(0);
	char *yaml = etl_strf("{reshape: [%s]}", reshape);
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	uint64_t made = 0;
	struct etl_decode *d;

	*held_most = 0;
	assert_int_equal(etl_decode_new(format_load(yaml, arena, NULL), 0, &d, &err), 0);
	assert_int_equal(etl_decode_begin(d, NULL, &err), 0);
	for (size_t at = 0, n; at < body->len + 1; at += n) {
		bool over = at == body->len;

		n = over ? 1 : body->len - at < 65536 ? body->len - at : 65536;
		if (over)
			assert_int_equal(etl_decode_end(d, batch, &err), 0);
		else
			assert_int_equal(etl_decode_feed(d, body->data + at, n, batch, &err), 0);
		for (bool more = true; more;) {
			size_t held = etl_decode_held(d) + etl_batch_held(batch);

			*held_most = held > *held_most ? held : *held_most;
			assert_true(batch->n <= ETL_BATCH_RECORDS);
			made += batch->n + batch->n_rejects;
			etl_batch_reset(batch);
			more = etl_decode_waits(d);
			if (more)
				assert_int_equal(etl_decode_more(d, batch, &err), 0);
		}
	}
	etl_decode_free(d);
	etl_batch_free(batch);
	etl_arena_free(arena);
	free(yaml);
	return made;
}

/* A million elements come out in batches, each with the 100 bytes beside them: 100 MB, of which
 * never more is held than the record itself and a batch. */
static void test_million(void **state)
{
	struct etl_buf body;
	size_t held;

	(void)state;
	etl_buf_init(&body, 32 << 20);
	put_many(&body, 1000000,
		"[{\"beside\":\"0123456789012345678901234567890123456789\",\"v\":[", "1", "]}]");
	assert_int_equal(count_made("explode: {field: v}", &body, &held), 1000000);
	assert_true(held < 64 << 20);
	/* Each of them refused: rejects fill a batch, too. */
	assert_int_equal(count_made("{explode: {field: v}}, {explode: {field: w}}", &body, &held),
		1000000);
	assert_true(held < 64 << 20);
	etl_buf_fini(&body);
}

/* A megabyte beside ten thousand elements would be ten gigabytes. */
static void test_unfolds_too_far(void **state)
{
	struct etl_buf body;
	size_t held;

	(void)state;
	etl_buf_init(&body, 32 << 20);
	put_many(&body, 1 << 19, "[{\"beside\":\"", "x", "\",");
	put_many(&body, 10000, "\"v\":[", "1", "]}]");
	assert_int_equal(count_made("explode: {field: v}", &body, &held), 1);
	etl_buf_fini(&body);
}

/* More rows than a share holds: an error that says what to do. */
static void test_pivot_memory(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	const struct etl_decode_spec *spec =
		format_load("{reshape: [pivot: {by: [s], name: p, value: v}]}", arena, NULL);
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_decode *d;
	int rc = 0;

	(void)state;
	assert_int_equal(etl_decode_new(spec, 1 << 20, &d, &err), 0);
	assert_int_equal(etl_decode_begin(d, NULL, &err), 0);
	assert_int_equal(etl_decode_feed(d, "[", 1, batch, &err), 0);
	for (int i = 0; rc == 0 && i < 100000; i++) {
		char row[64];
		int len = snprintf(row, sizeof row, "{\"s\":%d,\"p\":\"a\",\"v\":1},", i);

		rc = etl_decode_feed(d, row, (size_t)len, batch, &err);
		assert_true(etl_decode_held(d) < 4 << 20);
	}
	assert_int_equal(rc, -1);
	assert_int_equal(err.kind, ETL_LIMIT);
	assert_non_null(strstr(err.message, "raise limits.memory"));
	etl_decode_free(d);
	etl_batch_free(batch);
	etl_arena_free(arena);
}

/* ---- configuration ------------------------------------------------------------------------ */

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{"explode: {field: v, on_bad: default}", "has no default"},
		{"explode: {field: v, default: 1}", "uses its default"},
		{"explode: {field: v, on_bad: default, default: '{run_id}'}", "is the same for "
			"all records"},
		{"explode: {field: v, absent: drop}", "is none of its words"},
		{"explode: {field: v, as: /a}", "is a name at the top"},
		{"explode: {field: '/a/*'}", "takes one value"},
		{"columns: {fields: [/a/b]}", "'in' says where"},
		{"keyed: {key: id, as: id}", "the same field"},
		{"keyed: {key: id, in: s, keep: [a]}", "all fields beside it stay"},
		{"pivot: {by: [s, s], name: p, value: v}", "'s' twice"},
		{"pivot: {by: [s], name: p, value: v, fields: [s]}", "in 'by' and in 'fields'"},
		{"pivot: {by: [s], name: p, value: v, absent: null}", "which fields there should "
			"be"},
		{"rows: {header: h}", "rows"},
	};
	struct etl_arena *arena = etl_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *yaml = etl_strf("{reshape: [%s]}", rows[i][0]);
		struct etl_buf said;

		etl_buf_init(&said, 65536);
		if (format_load(yaml, arena, &said) || !strstr(etl_buf_text(&said), rows[i][1]))
			fail_msg("%s: wanted '%s' in: %s", yaml, rows[i][1], etl_buf_text(&said));
		etl_buf_fini(&said);
		free(yaml);
	}
	etl_arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_explode),
		cmocka_unit_test(test_keyed),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_pivot),
		cmocka_unit_test(test_pivot_pages),
		cmocka_unit_test(test_begins_anew),
		cmocka_unit_test(test_million),
		cmocka_unit_test(test_unfolds_too_far),
		cmocka_unit_test(test_pivot_memory),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("reshape", tests, NULL, NULL);
}
