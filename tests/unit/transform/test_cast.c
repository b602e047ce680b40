/* SPDX-License-Identifier: MIT
 *
 * cast: every pair of types, the edges of each, and what on_bad does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/plugin.h"

extern const struct etl_transform_type etl_transform_cast;

#define LONG(text) "{\"$numberLong\":\"" text "\"}"
#define DOUBLE(text) "{\"$numberDouble\":\"" text "\"}"
#define DECIMAL(text) "{\"$numberDecimal\":\"" text "\"}"
#define DATE(text) "{\"$date\":{\"$numberLong\":\"" text "\"}}"
#define OID(text) "{\"$oid\":\"" text "\"}"

struct value_case {
	const char *to, *in;
	const char *out;   /* NULL = bad */
	const char *words; /* of the reject */
};

static const struct value_case values[] = {
	/* int */
	{"int", "7", "7"},
	{"int", LONG("2147483647"), "2147483647"},
	{"int", LONG("-2147483648"), "-2147483648"},
	{"int", LONG("2147483648"), NULL, "v is int64 2147483648, not an int"},
	{"int", DOUBLE("12.0"), "12"},
	{"int", DOUBLE("1.5"), NULL, "v is double 1.5, not an int"},
	{"int", DOUBLE("NaN"), NULL, "not an int"},
	{"int", DOUBLE("Infinity"), NULL, "not an int"},
	{"int", DOUBLE("1e300"), NULL, "not an int"},
	{"int", DECIMAL("1.20E+1"), "12"},
	{"int", DECIMAL("1.25"), NULL, "decimal 1.25"},
	{"int", DECIMAL("NaN"), NULL, "not an int"},
	{"int", "\"42\"", "42"},
	{"int", "\"-42\"", "-42"},
	{"int", "\"+42\"", "42"},
	{"int", "\"0042\"", "42"},
	{"int", "\"12.0\"", "12"},
	{"int", "\"12.5\"", NULL, "v is string \"12.5\", not an int"},
	{"int", "\" 42\"", NULL, "not an int"},
	{"int", "\"42 \"", NULL, "not an int"},
	{"int", "\"\"", NULL, "not an int"},
	{"int", "\"-\"", NULL, "not an int"},
	{"int", "\"1.\"", NULL, "not an int"},
	{"int", "\".5\"", NULL, "not an int"},
	{"int", "\"0x10\"", NULL, "not an int"},
	{"int", "\"42a\"", NULL, "not an int"},
	{"int", "\"4\\u00002\"", NULL, "not an int"},
	{"int", "\"99999999999\"", NULL, "not an int"},
	{"int", "true", "1"},
	{"int", DATE("5"), NULL, "not an int"},
	{"int", "{\"a\":1}", NULL, "not an int"},
	{"int", "[1]", NULL, "not an int"},
	{"int", "null", "null"},
	/* long */
	{"long", "7", LONG("7")},
	{"long", "\"9223372036854775807\"", LONG("9223372036854775807")},
	{"long", "\"-9223372036854775808\"", LONG("-9223372036854775808")},
	{"long", "\"9223372036854775808\"", NULL, "not a long"},
	{"long", "\"1e18\"", LONG("1000000000000000000")},
	{"long", "\"1e19\"", NULL, "not a long"},
	{"long", "\"0e999\"", LONG("0")},
	{"long", DOUBLE("9007199254740992"), LONG("9007199254740992")},
	{"long", DOUBLE("9223372036854775808"), NULL, "not a long"},
	{"long", DOUBLE("-9223372036854775808"), LONG("-9223372036854775808")},
	{"long", DECIMAL("9223372036854775807"), LONG("9223372036854775807")},
	{"long", DATE("1700000000123"), LONG("1700000000123")},
	{"long", OID("0123456789abcdef01234567"), NULL, "not a long"},
	/* double */
	{"double", "7", DOUBLE("7.0")},
	{"double", LONG("9007199254740992"), DOUBLE("9007199254740992.0")},
	{"double", LONG("9007199254740993"), NULL, "v is int64 9007199254740993, not a double"},
	{"double", LONG("9223372036854775807"), NULL, "not a double"},
	{"double", "\"0.1\"", DOUBLE("0.1")},
	{"double", "\"-1e-7\"", DOUBLE("-1e-7")},
	{"double", "\"9007199254740993\"", NULL, "not a double"},
	{"double", "\"1e400\"", NULL, "not a double"},
	{"double", "\"1e-400\"", NULL, "not a double"},
	{"double", "\"0e5\"", DOUBLE("0.0")},
	{"double", "\"NaN\"", NULL, "not a double"},
	{"double", "\"inf\"", NULL, "not a double"},
	{"double", "\"1,5\"", NULL, "not a double"},
	{"double", DECIMAL("0.12345678901234567890123"), DOUBLE("0.12345678901234568")},
	{"double", DECIMAL("NaN"), NULL, "not a double"},
	{"double", DOUBLE("NaN"), DOUBLE("NaN")},
	{"double", "false", DOUBLE("0.0")},
	/* decimal */
	{"decimal", "7", DECIMAL("7")},
	{"decimal", LONG("9223372036854775807"), DECIMAL("9223372036854775807")},
	{"decimal", DOUBLE("0.1"), DECIMAL("0.1")},
	{"decimal", DOUBLE("NaN"), NULL, "not a decimal"},
	{"decimal", "\"1.50\"", DECIMAL("1.50")},
	{"decimal", "\"1234567890123456789012345678901234\"",
		DECIMAL("1234567890123456789012345678901234")},
	{"decimal", "\"12345678901234567890123456789012345\"", NULL, "not a decimal"},
	{"decimal", "\"1e9000\"", NULL, "not a decimal"},
	{"decimal", "\"Infinity\"", NULL, "not a decimal"},
	/* bool */
	{"bool", "true", "true"},
	{"bool", "\"true\"", "true"},
	{"bool", "\"false\"", "false"},
	{"bool", "0", "false"},
	{"bool", LONG("1"), "true"},
	{"bool", DOUBLE("1.0"), "true"},
	{"bool", "2", NULL, "v is int32 2, not a bool"},
	{"bool", DOUBLE("0.5"), NULL, "not a bool"},
	{"bool", "\"NO\"", NULL, "v is string \"NO\", not a bool"},
	{"bool", "\"TRUE\"", NULL, "not a bool"},
	{"bool", "\"1\"", NULL, "not a bool"},
	{"bool", "\"\"", NULL, "not a bool"},
	/* date */
	{"date", "\"2023-11-14T22:13:20Z\"", DATE("1700000000000")},
	{"date", "\"2023-11-14T23:13:20.123+01:00\"", DATE("1700000000123")},
	{"date", "\"2023-11-14\"", DATE("1699920000000")},
	{"date", "\"2023-11-14T22:13:20\"", NULL, "not a date"},
	{"date", "\"2023-02-29\"", NULL, "not a date"},
	{"date", "1700000000", NULL, "not a date"},
	{"date", DATE("5"), DATE("5")},
	/* string */
	{"string", "7", "\"7\""},
	{"string", LONG("-9223372036854775808"), "\"-9223372036854775808\""},
	{"string", DOUBLE("0.1"), "\"0.1\""},
	{"string", DOUBLE("283164601"), "\"283164601\""},
	{"string", DOUBLE("0.30000000000000004"), "\"0.30000000000000004\""},
	{"string", DOUBLE("NaN"), NULL, "not a string"},
	{"string", DECIMAL("1.50"), "\"1.50\""},
	{"string", DECIMAL("Infinity"), NULL, "not a string"},
	{"string", "true", "\"true\""},
	{"string", DATE("1700000000123"), "\"2023-11-14T22:13:20.123Z\""},
	{"string", DATE("9223372036854775807"), NULL, "not a string"},
	{"string", OID("0123456789abcdef01234567"), "\"0123456789abcdef01234567\""},
	{"string", "[]", NULL, "not a string"},
	{"string", "null", "null"},
	/* objectId */
	{"objectId", "\"0123456789ABCDEF01234567\"", OID("0123456789abcdef01234567")},
	{"objectId", "\"0123456789abcdef0123456\"", NULL, "not an objectId"},
	{"objectId", "\"0123456789abcdef0123456g\"", NULL, "not an objectId"},
	{"objectId", "\"abcdefghijkl\"", NULL, "not an objectId"},
	{"objectId", "5", NULL, "not an objectId"},
};

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		const struct value_case *c = &values[i];
		char *yaml = etl_strf("{v: %s}", c->to);
		char *in = etl_strf("{\"a\":1,\"v\":%s,\"z\":2}", c->in);
		char *out = c->out ? etl_strf("{\"a\":1,\"v\":%s,\"z\":2}", c->out) : NULL;
		struct transform_case whole = {yaml, in, out, "v", c->words};

		transform_run(&etl_transform_cast, &whole);
		free(yaml);
		free(in);
		free(out);
	}
}

static void test_cases(void **state)
{
	static const struct transform_case cases[] = {
		/* The example of the file. */
		{"{v: int, ok: bool, t: date}",
			"{\"v\":\"12\",\"ok\":\"true\",\"t\":\"2026-07-01T10:00:00Z\"}",
			"{\"v\":12,\"ok\":true,\"t\":{\"$date\":\"2026-07-01T10:00:00Z\"}}"},
		{"{v: int}", "{\"v\":\"12.5\"}", NULL, "v", "v is string \"12.5\", not an int"},
		{"{v: int}", "{\"v\":null}", "{\"v\":null}"},
		{"{x: int}", "{\"a\":1}", "{\"a\":1}"},
		{"{b: double, a: string}", "{\"a\":1,\"x\":0,\"b\":\"2.5\"}",
			"{\"a\":\"1\",\"x\":0,\"b\":2.5}"},
		{"{PM2.5: double}", "{\"PM2.5\":\"8\"}", "{\"PM2.5\":" DOUBLE("8.0") "}"},
		{"{v: {to: int, on_bad: null}}", "{\"v\":\"x\",\"w\":1}",
			"{\"v\":null,\"w\":1}"},
		{"{v: {to: int, on_bad: drop}}", "{\"v\":\"x\",\"w\":1}", "{\"w\":1}"},
		{"{v: {to: int, on_bad: null}}", "{\"v\":\"5\"}", "{\"v\":5}"},
		{"{v: {to: int, on_bad: reject}}", "{\"v\":\"x\"}", NULL, "v", "not an int"},
		{"{v: {to: int}}", "{\"v\":\"x\"}", NULL, "v", "not an int"},
		{"{v: int, w: {to: int, on_bad: drop}}", "{\"w\":\"x\",\"v\":\"y\"}", NULL, "v",
			"string \"y\""},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_cast, cases);
}

/* Texts alone have marks; a number is one. */
static void test_marks(void **state)
{
	static const struct transform_case cases[] = {
		{"{v: {to: double, decimal: comma, thousands: blank}, w: {to: int, thousands: point,"
		 " decimal: comma}}", "{\"v\":\"1 234,5\",\"w\":\"1.234\"}",
			"{\"v\":" DOUBLE("1234.5") ",\"w\":1234}"},
		{"{v: {to: double, decimal: comma}}", "{\"v\":2.5}", "{\"v\":2.5}"},
		{"{v: {to: long, decimal: comma}}", "{\"v\":7}", "{\"v\":{\"$numberLong\":\"7\"}}"},
		{"{v: {to: double, decimal: comma}}", "{\"v\":\"2.5\"}", NULL, "v",
			"v is string \"2.5\", not a double"},
		{"{v: {to: double, decimal: comma, on_bad: drop}}", "{\"v\":\"2.5\",\"w\":1}",
			"{\"w\":1}"},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_cast, cases);
	transform_refused(&etl_transform_cast, "{v: {to: date, decimal: comma}}", "E023", "about numbers");
	transform_refused(&etl_transform_cast, "{v: {to: int, decimal: comma, thousands: comma}}", "E023",
		"the same mark");
}

static void test_refused(void **state)
{
	const struct etl_transform_type *type = &etl_transform_cast;

	(void)state;
	transform_refused(type, "{a: doubel}", "E017", "did you mean 'double'");
	transform_refused(type, "{a: {to: int, on_bad: ignore}}", "E017", "ignore");
	transform_refused(type, "{a: {on_bad: null}}", "E013", "to");
	transform_refused(type, "{a: {to: int, onbad: null}}", "E012", "on_bad");
	transform_refused(type, "{a: [int]}", "E014", "one type");
	transform_refused(type, "{/a/*: int}", "E014", "has a '*'");
	transform_refused(type, "[a]", "E014", "mapping");
}

static void test_pointers(void **state)
{
	static const struct transform_case cases[] = {
		{"{/a/b: int, c: string}", "{\"a\":{\"x\":0,\"b\":\"5\",\"y\":0},\"c\":1}",
			"{\"a\":{\"x\":0,\"b\":5,\"y\":0},\"c\":\"1\"}"},
		{"{/l/1/v: double}", "{\"l\":[0,{\"v\":\"2.5\"}]}", "{\"l\":[0,{\"v\":2.5}]}"},
		{"{/a/b: int}", "{\"a\":{\"c\":1}}", "{\"a\":{\"c\":1}}"},
		{"{/a/b: {to: int, on_bad: drop}}", "{\"a\":{\"b\":\"x\",\"c\":1}}", "{\"a\":{\"c\":1}}"},
		{"{/a/b: {to: int, on_bad: null}}", "{\"a\":{\"b\":\"x\"}}", "{\"a\":{\"b\":null}}"},
		{"{/a/b: int}", "{\"a\":{\"b\":\"x\"}}", NULL, "/a/b", "/a/b is string \"x\", not an int"},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_cast, cases);
}

/* A dead letter shows the record as it came, without what was lifted for the work. */
static void test_reject_of_a_pointer(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_batch *batch = etl_batch_new();
	bson_t *came = doc_of("{\"a\":{\"b\":\"x\"}}");
	struct rig rig;

	(void)state;
	batch_put_doc(batch, came);
	transform_open(&rig, &etl_transform_cast, "{/a/b: int}");
	assert_int_equal(etl_transform_cast.apply(rig.self, batch, &err), 0);
	assert_int_equal(batch->n_rejects, 1);
	assert_int_equal(batch->rejects[0].raw_len, came->len);
	assert_memory_equal(batch->rejects[0].raw, bson_get_data(came), came->len);
	rig_free(&rig);
	etl_batch_free(batch);
	bson_destroy(came);
}

/* Every int64 and every double survives the way over text and back. */
static void test_there_and_back(void **state)
{
	uint64_t random = test_seed();
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct etl_batch *batch = etl_batch_new();
		struct rig text, back;
		uint64_t bits[100];

		for (size_t i = 0; i < 100; i++) {
			bson_t *doc = bson_new();
			double real;

			do {
				bits[i] = test_random(&random) >> (test_random(&random) % 64);
				memcpy(&real, &bits[i], sizeof real);
			} while (real - real != 0);
			BSON_APPEND_INT64(doc, "n", (int64_t)bits[i]);
			BSON_APPEND_DOUBLE(doc, "d", real);
			batch_put_doc(batch, doc);
			bson_destroy(doc);
		}
		transform_open(&text, &etl_transform_cast, "{n: string, d: string}");
		transform_open(&back, &etl_transform_cast, "{n: long, d: double}");
		assert_int_equal(etl_transform_cast.apply(text.self, batch, &err), 0);
		assert_int_equal(etl_transform_cast.apply(back.self, batch, &err), 0);
		assert_int_equal(batch->n, 100);
		for (size_t i = 0; i < 100; i++) {
			struct etl_element n, d;

			assert_true(etl_doc_find(
				batch->records[i].bson, batch->records[i].len, "n", &n));
			assert_true(etl_doc_find(
				batch->records[i].bson, batch->records[i].len, "d", &d));
			assert_memory_equal(n.value, &bits[i], 8);
			assert_memory_equal(d.value, &bits[i], 8);
		}
		rig_free(&text);
		rig_free(&back);
		etl_batch_free(batch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_reject_of_a_pointer),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests_name("transform/cast", tests, NULL, NULL);
}
