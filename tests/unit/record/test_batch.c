/* SPDX-License-Identifier: MIT
 *
 * Batches, elements, writers, JSON for people, paths and event time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "record/batch.h"
#include "record/doc.h"
#include "record/encode_json.h"
#include "record/event_time.h"
#include "time/civil.h"
#include "record/path.h"

static void add(struct etl_batch *batch, const char *json, uint64_t position)
{
	bson_error_t error;
	bson_t doc;

	assert_true(bson_init_from_json(&doc, json, -1, &error));
	etl_batch_add_copy(batch, &doc, (etl_wall){ETL_NO_TIME}, position);
	bson_destroy(&doc);
}

static void assert_json(const uint8_t *bson, uint32_t len, const char *wanted)
{
	ETL_BUF_CLEANUP struct etl_buf text;

	etl_buf_init(&text, 1 << 20);
	assert_true(etl_json_encode(bson, len, 0, &text));
	assert_string_equal(etl_buf_text(&text), wanted);
}

static void test_batch(void **state)
{
	struct etl_batch *batch = etl_batch_new();
	size_t all;

	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		add(batch, "{\"a\":1}", i);
	all = batch->bytes;
	assert_int_equal(all, 5 * 12);
	etl_batch_remove(batch, 1);
	etl_batch_reject_record(batch, 3, "check", "range", "a", "%s\n%s", "one", "tw\xff");
	etl_batch_compact(batch);
	assert_int_equal(batch->n, 3);
	assert_int_equal(batch->bytes, 36);
	assert_int_equal(batch->records[1].position, 2);
	assert_int_equal(batch->records[2].position, 4);
	assert_int_equal(batch->n_rejects, 1);
	assert_string_equal(batch->rejects[0].message, "one?tw?");
	assert_string_equal(batch->rejects[0].path, "a");
	assert_true(batch->rejects[0].raw_is_bson);
	assert_int_equal(batch->rejects[0].raw_len, 12);
	assert_int_equal(batch->rejects[0].position, 3);
	etl_batch_reset(batch);
	assert_int_equal(batch->n + batch->n_rejects + batch->bytes, 0);
	etl_batch_free(batch);
	etl_batch_free(NULL);
}

static void test_full(void **state)
{
	struct etl_batch *batch = etl_batch_new();

	(void)state;
	for (uint64_t i = 0; i + 1 < ETL_BATCH_RECORDS; i++)
		add(batch, "{}", i);
	assert_false(etl_batch_is_full(batch));
	add(batch, "{}", 0);
	assert_true(etl_batch_is_full(batch));
	etl_batch_reset(batch);
	etl_batch_add(batch, (const uint8_t *)"", ETL_BATCH_BYTES, (etl_wall){0}, 0);
	assert_true(etl_batch_is_full(batch));
	etl_batch_free(batch);
}

static void test_long_reject(void **state)
{
	struct etl_batch *batch = etl_batch_new();
	char *text = etl_calloc(200001, 1);
	bson_t doc = BSON_INITIALIZER;

	(void)state;
	memset(text, 'y', 200000);
	BSON_APPEND_UTF8(&doc, "a", text);
	etl_batch_add_copy(batch, &doc, (etl_wall){5}, 0);
	etl_batch_reject_record(batch, 0, "load", "size", "", "too long");
	assert_false(batch->rejects[0].raw_is_bson);
	assert_true(batch->rejects[0].raw_cut);
	assert_int_equal(batch->rejects[0].raw_len, ETL_REJECT_RAW_MAX);
	assert_memory_equal(batch->rejects[0].raw, "{\"a\":\"yyy", 9);
	assert_int_equal(batch->rejects[0].time.ms, 5);
	etl_batch_reject(batch, &(struct etl_reject){.step = "decode", .raw = (const uint8_t *)text,
		.raw_len = ETL_REJECT_RAW_MAX});
	assert_false(batch->rejects[1].raw_cut);
	etl_batch_reject(batch, &(struct etl_reject){.step = "decode", .raw = (const uint8_t *)text,
		.raw_len = ETL_REJECT_RAW_MAX + 1});
	assert_true(batch->rejects[2].raw_cut);
	for (int i = 0; i < ETL_ALSO_MAX + 2; i++)
		etl_batch_reject_also(batch, "range", "v", i ? "too\nmuch" : "first");
	assert_int_equal(batch->rejects[2].n_also, ETL_ALSO_MAX);
	assert_string_equal(batch->rejects[2].also[0].message, "first");
	assert_string_equal(batch->rejects[2].also[1].message, "too?much");
	assert_int_equal(batch->rejects[1].n_also, 0);
	bson_destroy(&doc);
	free(text);
	etl_batch_free(batch);
}

static void test_writer_and_json(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_writer w;
	const uint8_t *doc, *all;
	struct etl_element e;
	uint32_t len, all_len;
	char text[100];
	bson_t check;
	int64_t whole;
	double real;

	(void)state;
	etl_writer_begin(&w, arena, 0);
	etl_writer_double(&w, "PM2.5", 2.9333334);
	etl_writer_int32(&w, "i", -1);
	etl_writer_int64(&w, "l", 9007199254740993);
	etl_writer_bool(&w, "b", true);
	etl_writer_date(&w, "t", (etl_wall){-1});
	etl_writer_text(&w, "s", "a\"\n\xff€", 7);
	etl_writer_null(&w, "n");
	etl_writer_double(&w, "nan", __builtin_nan(""));
	doc = etl_writer_end(&w, &len);
	assert_true(bson_init_static(&check, doc, len));
	assert_json(doc, len, "{\"PM2.5\":2.9333334,\"i\":-1,\"l\":9007199254740993,\"b\":true,"
		"\"t\":\"1969-12-31T23:59:59.999Z\",\"s\":\"a\\\"\\n\xef\xbf\xbd€\","
			"\"n\":null,\"nan\":null}");
	assert_true(etl_doc_find(doc, len, "l", &e));
	assert_true(etl_element_int64(&e, &whole));
	assert_int_equal(whole, 9007199254740993);
	assert_true(etl_doc_find(doc, len, "i", &e) && etl_element_double(&e, &real));
	assert_true(real == -1);
	etl_element_describe(&e, text, sizeof text);
	assert_string_equal(text, "int32 -1");
	assert_false(etl_doc_find(doc, len, "PM2", &e));
	etl_writer_begin(&w, arena, 16);
	etl_writer_document(&w, "d", doc, len);
	all = etl_writer_end(&w, &all_len);
	assert_true(bson_init_static(&check, all, all_len));
	assert_true(bson_validate(&check, BSON_VALIDATE_NONE, NULL));
	etl_doc_find(all, all_len, "d", &e);
	etl_element_describe(&e, text, sizeof text);
	assert_true(strlen(text) <= 80);
	etl_arena_free(arena);
}

static void test_rare_types(void **state)
{
	bson_t doc = BSON_INITIALIZER;
	bson_decimal128_t d;
	bson_oid_t oid;

	(void)state;
	bson_oid_init_from_string(&oid, "0123456789abcdef01234567");
	bson_decimal128_from_string("1234567890.12345678901234567890", &d);
	BSON_APPEND_OID(&doc, "o", &oid);
	BSON_APPEND_DECIMAL128(&doc, "d", &d);
	BSON_APPEND_BINARY(&doc, "b", BSON_SUBTYPE_BINARY, (const uint8_t *)"hello", 5);
	BSON_APPEND_REGEX(&doc, "r", "^a", "i");
	BSON_APPEND_TIMESTAMP(&doc, "ts", 60, 1);
	BSON_APPEND_MINKEY(&doc, "min");
	assert_json(bson_get_data(&doc), doc.len, "{\"o\":\"0123456789abcdef01234567\","
		"\"d\":1234567890.12345678901234567890,\"b\":\"aGVsbG8=\",\"r\":\"^a\","
		"\"ts\":\"1970-01-01T00:01:00Z\",\"min\":\"MinKey\"}");
	bson_destroy(&doc);
}

static size_t found;

static bool count(const struct etl_element *e, void *context)
{
	(void)context;
	found += e->type == 0x10;
	return true;
}

static void test_paths(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	const struct etl_record *r;
	struct etl_path path;
	struct etl_element e;
	int64_t v;

	(void)state;
	add(batch, "{\"a.b\":1,\"x\":{\"a/b\":[5,{\"m~n\":7},{\"m~n\":8}]}}", 0);
	r = &batch->records[0];
	assert_int_equal(etl_path_compile("a.b", arena, &path, &err), 0);
	assert_true(etl_path_find(&path, r->bson, r->len, &e));
	assert_int_equal(etl_path_compile("/x/a~1b/1/m~0n", arena, &path, &err), 0);
	assert_true(etl_path_find(&path, r->bson, r->len, &e) && etl_element_int64(&e, &v));
	assert_int_equal(v, 7);
	assert_int_equal(etl_path_compile("/x/a~1b/*/m~0n", arena, &path, &err), 0);
	assert_int_equal(etl_path_each(&path, r->bson, r->len, count, NULL), 2);
	assert_int_equal(found, 2);
	assert_int_equal(etl_path_compile("/x/none", arena, &path, &err), 0);
	assert_false(etl_path_find(&path, r->bson, r->len, &e));
	assert_int_equal(etl_path_compile("/a~2", arena, &path, &err), -1);
	assert_int_equal(etl_path_compile("", arena, &path, &err), -1);
	assert_int_equal(etl_path_compile_pointer("a", arena, &path, &err), -1);
	etl_batch_free(batch);
	etl_arena_free(arena);
}

static void check_time(const struct etl_event_time_options *options, const char *json,
	const char *wanted)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new();
	const struct etl_conf_env env = {.arena = arena, .diag = diag, .what = "job 'x'"};
	const struct etl_event_time *spec = etl_event_time_compile(options, NULL, &env);
	struct etl_batch *batch = etl_batch_new();
	etl_wall last = {ETL_NO_TIME};

	assert_non_null(spec);
	add(batch, json, 0);
	etl_event_time_apply(spec, batch, 0, &last);
	if (wanted) {
		assert_int_equal(batch->n, 1);
		assert_json(batch->records[0].bson, batch->records[0].len, wanted);
		assert_true(batch->records[0].time.ms != ETL_NO_TIME);
	} else {
		assert_int_equal(batch->n, 0);
		assert_int_equal(batch->n_rejects, 1);
		assert_string_equal(batch->rejects[0].rule, "time");
	}
	etl_batch_free(batch);
	etl_diag_free(diag);
	etl_arena_free(arena);
}

static void test_event_time(void **state)
{
	struct etl_event_time_options o = {.field = "t", .format = "%Y-%m-%d %H:%M:%S"};

	(void)state;
	check_time(&o, "{\"a\":1,\"t\":\"2023-09-10 11:00:00\",\"b\":2}",
		"{\"a\":1,\"t\":\"2023-09-10T11:00:00Z\",\"b\":2}");
	check_time(&o, "{\"t\":\"2023-09-10\"}", NULL);
	check_time(&o, "{\"t\":5}", NULL);
	check_time(&o, "{\"t\":null}", NULL);
	check_time(&o, "{\"a\":5}", NULL);
	check_time(&o, "{\"t\":{\"$date\":\"2020-01-01T00:00:00Z\"}}",
		"{\"t\":\"2020-01-01T00:00:00Z\"}");
	o.label = 1;
	o.interval = ETL_HOURS(1);
	check_time(&o, "{\"t\":\"2023-09-10 13:00:00\"}", "{\"t\":\"2023-09-10T12:00:00Z\"}");
	check_time(&o, "{\"t\":{\"$date\":\"2020-01-01T13:00:00Z\"}}",
		"{\"t\":\"2020-01-01T12:00:00Z\"}");
	/* No window holds what lies beyond the years 1 to 9999; sums of it would overflow. */
	check_time(&o, "{\"t\":{\"$date\":{\"$numberLong\":\"-9223372036854775808\"}}}", NULL);
	check_time(&o, "{\"t\":{\"$date\":{\"$numberLong\":\"9223372036854775807\"}}}", NULL);
	check_time(&o, "{\"t\":{\"$date\":{\"$numberLong\":\"-62135596800000\"}}}", NULL);
	o = (struct etl_event_time_options){.field = "t", .format = "epoch"};
	check_time(&o, "{\"t\":1700000000}", "{\"t\":\"2023-11-14T22:13:20Z\"}");
	check_time(&o, "{\"t\":1700000000.25}", "{\"t\":\"2023-11-14T22:13:20.250Z\"}");
	check_time(&o, "{\"t\":\"1700000000\"}", "{\"t\":\"2023-11-14T22:13:20Z\"}");
	check_time(&o, "{\"t\":1e30}", NULL);
	o.format = "epoch_ms";
	check_time(&o, "{\"t\":1700000000123}", "{\"t\":\"2023-11-14T22:13:20.123Z\"}");
	o.format = "epoch_us";
	check_time(&o, "{\"t\":1700000000123999}", "{\"t\":\"2023-11-14T22:13:20.123Z\"}");
	check_time(&o, "{\"t\":-1}", "{\"t\":\"1969-12-31T23:59:59.999Z\"}");
	o.format = "epoch_ns";
	check_time(&o, "{\"t\":1700000000123999999}", "{\"t\":\"2023-11-14T22:13:20.123Z\"}");
	check_time(&o, "{\"t\":\"1700000000123999999\"}", "{\"t\":\"2023-11-14T22:13:20.123Z\"}");
	o.format = NULL;
	check_time(&o, "{\"t\":\"2023-09-10T11:00:00+02:00\"}",
		"{\"t\":\"2023-09-10T09:00:00Z\"}");
	check_time(&o, "{\"t\":\"2023-09-10 11:00:00\"}", "{\"t\":\"2023-09-10T11:00:00Z\"}");
	check_time(&o, "{\"t\":1700000000}", NULL);
}

/* A pointer, or a name with dots where no field bears it; all lengths around it are right. */
static void test_event_time_nested(void **state)
{
	struct etl_event_time_options o = {.field = "/meta/t"};

	(void)state;
	check_time(&o, "{\"a\":1,\"meta\":{\"x\":[1],\"t\":\"2023-09-10T11:00:00Z\",\"y\":2},\"b"
		"\":2}",
		"{\"a\":1,\"meta\":{\"x\":[1],\"t\":\"2023-09-10T11:00:00Z\",\"y\":2},\"b\":2}");
	check_time(&o, "{\"meta.t\":\"2023-09-10T11:00:00Z\"}", NULL);
	check_time(&o, "{\"meta\":5}", NULL);
	o.field = "/a/1/t";
	check_time(&o, "{\"a\":[0,{\"t\":\"2023-09-10\"}]}",
		"{\"a\":[0,{\"t\":\"2023-09-10T00:00:00Z\"}]}");
	o.field = "meta.t";
	check_time(&o, "{\"meta\":{\"t\":\"2023-09-10\"},\"b\":2}",
		"{\"meta\":{\"t\":\"2023-09-10T00:00:00Z\"},\"b\":2}");
	check_time(&o, "{\"meta\":{\"t\":\"no\"},\"meta.t\":\"2023-09-10\"}",
		"{\"meta\":{\"t\":\"no\"},\"meta.t\":\"2023-09-10T00:00:00Z\"}");
	o.field = "/PM2.5~1t";
	check_time(&o, "{\"PM2.5/t\":\"2023-09-10\"}", "{\"PM2.5/t\":\"2023-09-10T00:00:00Z\"}");
}

/* Local times that a change of the clocks skips or shows twice. */
static void test_event_time_where_clocks_change(void **state)
{
	static const struct {
		int fold, gap;
		const char *stamps[4], *times[4]; /* in the order of the answer; NULL = reject */
	} cases[] = {
		{0, 0, {"2026-03-29 01:30", "2026-03-29 02:30", "2026-03-29 03:00"},
			{"2026-03-29T00:30:00Z", NULL, "2026-03-29T01:00:00Z"}},
		{0, 1, {"2026-03-29 02:30"}, {"2026-03-29T01:00:00Z"}},
		{0, 0, {"2026-10-25 02:30"}, {NULL}},
		{1, 0, {"2026-10-25 02:30", "2026-10-25 02:30"},
			{"2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z"}},
		{2, 0, {"2026-10-25 02:30", "2026-10-25 03:00"},
			{"2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"}},
		{3, 0, {"2026-10-25 02:00", "2026-10-25 02:30", "2026-10-25 02:00",
			"2026-10-25 02:30"},
			{"2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z",
				"2026-10-25T01:30:00Z"}},
		{3, 0, {"2026-10-25 02:59", "2026-10-25 02:04"},
			{"2026-10-25T00:59:00Z", "2026-10-25T01:04:00Z"}},
	};
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new();
	const struct etl_conf_env env = {.arena = arena, .diag = diag, .what = "job 'x'"};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_event_time_options o = {.field = "t", .format = "%Y-%m-%d %H:%M",
			.timezone = "Europe/Paris", .fold = cases[i].fold, .gap = cases[i].gap};
		const struct etl_event_time *spec = etl_event_time_compile(&o, NULL, &env);
		etl_wall last = {ETL_NO_TIME};

		for (size_t k = 0; k < 4 && cases[i].stamps[k]; k++) {
			struct etl_batch *batch = etl_batch_new();
			char json[64], at[ETL_TIME_TEXT_BYTES];

			snprintf(json, sizeof json, "{\"t\":\"%s\"}", cases[i].stamps[k]);
			add(batch, json, 0);
			etl_event_time_apply(spec, batch, 0, &last);
			assert_int_equal(batch->n, cases[i].times[k] != NULL);
			if (batch->n) {
				etl_time_format_rfc3339(batch->records[0].time, at);
				assert_string_equal(at, cases[i].times[k]);
			} else {
				assert_non_null(strstr(batch->rejects[0].message,
					"in its time zone"));
			}
			etl_batch_free(batch);
		}
	}
	etl_diag_free(diag);
	etl_arena_free(arena);
}

static void test_event_time_errors(void **state)
{
	static const struct etl_event_time_options bad[] = {
		{.field = "t", .format = "%Q"},
		{.field = "t", .format = "%H:%M"},
		{.field = "t", .timezone = "Nowhere/City"},
		{.field = "t", .label = 1},
		{.field = "/a/*/t"},
		{.field = "/a~2"},
	};
	struct etl_arena *arena = etl_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct etl_diag *diag = etl_diag_new();
		const struct etl_conf_env env = {.arena = arena, .diag = diag,
			.what = "job 'x'"};

		assert_null(etl_event_time_compile(&bad[i], NULL, &env));
		assert_int_equal(etl_diag_count(diag), 1);
		etl_diag_free(diag);
	}
	etl_arena_free(arena);
}

/* What a broken server may send: lengths that lie about what follows. */
static void test_broken_bson(void **state)
{
	static const struct {
		uint8_t type, bytes[16];
		uint32_t n; /* of bytes */
	} cases[] = {
		{0x02, {0, 0, 0, 0}, 4},	     /* a string without its NUL */
		{0x02, {2, 0, 0, 0, 'a', 'b'}, 6},   /* a string that does not end in NUL */
		{0x0d, {0, 0, 0, 0}, 4},	     /* code */
		{0x0e, {0, 0, 0, 0}, 4},	     /* symbol */
		{0x03, {4, 0, 0, 0}, 4},	     /* a document without its NUL */
		{0x0f, {4, 0, 0, 0}, 4},	     /* code with scope, nothing in it */
		{0x0f, {14, 0, 0, 0, 9, 0, 0, 0, 0, 5, 0, 0, 0, 0}, 14}, /* its code is too long */
		{0x0c, {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 16}, /* DBPointer */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_buf text;
		uint8_t *doc = etl_calloc(1, 4 + 3 + cases[i].n + 1);
		uint32_t len = 4 + 3 + cases[i].n + 1;
		struct etl_cursor cursor;
		struct etl_element e;

		memcpy(doc, &len, sizeof len);
		memcpy(doc + 4, (const uint8_t[]){cases[i].type, 'k', 0}, 3);
		memcpy(doc + 7, cases[i].bytes, cases[i].n);
		etl_cursor_init(&cursor, doc, len);
		assert_false(etl_cursor_next(&cursor, &e));
		etl_buf_init(&text, 4096);
		assert_true(etl_json_encode(doc, len, 0, &text));
		assert_string_equal(etl_buf_text(&text), "{}");
		etl_buf_fini(&text);
		free(doc);
	}
}

static void test_extreme_dates(void **state)
{
	static const struct {
		const char *ms, *wanted;
	} cases[] = {
		{"-9223372036854775808", "{\"d\":-9223372036854775808}"},
		{"9223372036854775807", "{\"d\":9223372036854775807}"},
		{"-62135596800001", "{\"d\":-62135596800001}"},
		{"-62135596800000", "{\"d\":\"0001-01-01T00:00:00Z\"}"},
		{"-1", "{\"d\":\"1969-12-31T23:59:59.999Z\"}"},
		{"253402300799999", "{\"d\":\"9999-12-31T23:59:59.999Z\"}"},
		{"253402300800000", "{\"d\":253402300800000}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_batch *batch = etl_batch_new();
		etl_cleanup(free) char *json =
			etl_strf("{\"d\":{\"$date\":{\"$numberLong\":\"%s\"}}}", cases[i].ms);

		add(batch, json, 0);
		assert_json(batch->records[0].bson, batch->records[0].len, cases[i].wanted);
		etl_batch_free(batch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_long_reject),
		cmocka_unit_test(test_writer_and_json),
		cmocka_unit_test(test_rare_types),
		cmocka_unit_test(test_broken_bson),
		cmocka_unit_test(test_extreme_dates),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_event_time),
		cmocka_unit_test(test_event_time_errors),
		cmocka_unit_test(test_event_time_nested),
		cmocka_unit_test(test_event_time_where_clocks_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
