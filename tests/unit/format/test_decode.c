/* SPDX-License-Identifier: MIT
 *
 * The stages between payload and records, and what a source is told: text, notes, lone objects;
 * stages of reshape, one behind the other; configuration within and beside the source.
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

/* ---- stages of reshape, as the contract has them ---- */

static bool doubled_in_silence;

/* Gives each record twice. */
static int doubled(void *self, const struct etl_batch *in, size_t *at, struct etl_batch *out,
	struct etl_error *err)
{
	const struct etl_reshape_env *env = *(const struct etl_reshape_env **)self;

	(void)err;
	for (; *at < in->n && etl_reshape_has_room(out); ++*at)
		for (int twice = 0; twice < 2; twice++) {
			bson_t doc;

			assert_true(etl_record_bson(&in->records[*at], &doc));
			etl_batch_add_copy(out, &doc, in->records[*at].time,
				in->records[*at].position);
			etl_reshape_count(env, in->records[*at].time, (uint64_t)(twice &&
				!doubled_in_silence), 0);
		}
	return 0;
}

/* Keeps the newest record back until the next one or the end. */
struct late {
	bson_t *kept;
	unsigned begun;
};

static void late_begin(void *self)
{
	((struct late *)self)->begun++;
}

static int late_flush(void *self, struct etl_batch *out, struct etl_error *err)
{
	struct late *late = self;

	(void)err;
	if (late->kept)
		etl_batch_add_copy(out, late->kept, (etl_wall){ETL_NO_TIME}, 0);
	bson_destroy(late->kept);
	late->kept = NULL;
	return 0;
}

static int late_apply(void *self, const struct etl_batch *in, size_t *at, struct etl_batch *out,
	struct etl_error *err)
{
	struct late *late = self;

	for (; *at < in->n && etl_reshape_has_room(out); ++*at) {
		bson_t doc;

		(void)late_flush(self, out, err);
		assert_true(etl_record_bson(&in->records[*at], &doc));
		late->kept = bson_copy(&doc);
	}
	return 0;
}

static size_t late_held(const void *self)
{
	return ((const struct late *)self)->kept ? 100 : 0;
}

static void late_close(void *self)
{
	bson_destroy(((struct late *)self)->kept);
}

static int refuses(void *self, const struct etl_batch *in, size_t *at, struct etl_batch *out,
	struct etl_error *err)
{
	(void)self, (void)out;
	return in->n == *at ? 0 : etl_error_set(err, ETL_DATA, "test.refused", "no record is good");
}

static int opens(void *self, const void *options, const struct etl_reshape_env *env, struct
	etl_error *err)
{
	(void)self, (void)options, (void)env, (void)err;
	return 0;
}

static int opens_with_env(void *self, const void *options, const struct etl_reshape_env *env,
	struct etl_error *err)
{
	(void)options, (void)err;
	*(const struct etl_reshape_env **)self = env;
	return 0;
}

static const struct etl_reshape_type doubles = {
	.name = "doubles", .size = sizeof(void *), .open = opens_with_env, .apply = doubled};
static const struct etl_reshape_type keeps = {.name = "keeps", .size = sizeof(struct late), .open =
	opens,
	.begin = late_begin, .apply = late_apply, .flush = late_flush, .held = late_held, .close =
		late_close};
static const struct etl_reshape_type none = {.name = "none", .size = 1, .open = opens, .apply =
	refuses};

static struct etl_decode *decode_with(const char *yaml, struct etl_reshape_stage *stages, size_t n)
{
	struct etl_decode_spec *spec = etl_arena_zalloc(arena, sizeof *spec);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_decode *d;

	*spec = *format_load(yaml, arena, NULL);
	spec->reshape = stages;
	spec->n_reshape = n;
	assert_int_equal(etl_decode_new(spec, 0, &d, &err), 0);
	return d;
}

static void expect_told(struct etl_decode *d, const char *text, const char *expected)
{
	for (size_t step = 1; step < 60; step += 29) {
		char *told = format_tell_by(d, text, strlen(text), step, step, true);

		assert_string_equal(told, expected);
		free(told);
	}
}

/* What one keeps back until the end passes the next one too, and gets its time. */
static void test_reshape(void **state)
{
	struct etl_reshape_stage stages[] = {{&keeps, NULL}, {&doubles, NULL}};
	struct etl_decode *d = decode_with("{time: {field: t, format: epoch}}", stages, 2);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_batch *batch = etl_batch_new();

	(void)state;
	expect_told(d, "[{\"t\":0},{\"t\":60}]",
		"0 {\"t\":\"1970-01-01T00:00:00Z\"}\n0 {\"t\":\"1970-01-01T00:00:00Z\"}\n"
		"0 {\"t\":\"1970-01-01T00:01:00Z\"}\n0 {\"t\":\"1970-01-01T00:01:00Z\"}\n= 2\n");
	/* It says what it holds, and another page does not take it away. */
	assert_int_equal(etl_decode_begin(d, NULL, &err), 0);
	assert_int_equal(format_feed(d, "[{\"t\":0}]", 9, batch, &err), 0);
	assert_int_equal(etl_decode_end(d, batch, &err), 0);
	assert_true(etl_decode_held(d) >= 100);
	assert_int_equal(batch->n, 0);
	assert_int_equal(etl_decode_begin(d, NULL, &err), 0);
	assert_int_equal(format_feed(d, "[]", 2, batch, &err), 0);
	assert_int_equal(etl_decode_end(d, batch, &err), 0);
	assert_int_equal(etl_decode_finish(d, batch, &err), 0);
	assert_int_equal(batch->n, 2);
	etl_batch_free(batch);
	etl_decode_free(d);
}

static void test_reshape_fails(void **state)
{
	struct etl_reshape_stage stages[] = {{&none, NULL}};
	struct etl_decode *d = decode_with("{}", stages, 1);

	(void)state;
	expect_told(d, "[]", "= 0\n");
	expect_told(d, "[{\"t\":0}]", "error test.refused: no record is good\n");
	etl_decode_free(d);
}

/* A record that nobody knows of is a bug, and the payload fails. */
static void test_reshape_loses(void **state)
{
	struct etl_reshape_stage stages[] = {{&doubles, NULL}};
	struct etl_decode *d = decode_with("{}", stages, 1);
	char *told;

	(void)state;
	doubled_in_silence = true;
	told = format_tell_by(d, "[{\"t\":0}]", 9, 9, 0, true);
	doubled_in_silence = false;
	assert_non_null(strstr(told, "error reshape.lost: 1 records came"));
	free(told);
	etl_decode_free(d);
}

/* ---- what a source is told ---- */

struct heard {
	struct etl_buf text, notes;
	int say;
	unsigned lone;
};

static int hear_text(void *ctx, const char *text, size_t len, struct etl_error *err)
{
	struct heard *heard = ctx;

	etl_buf_append(&heard->text, text, len);
	return heard->say < 0 ? etl_error_set(err, ETL_DATA, "test.text", "not this") : heard->say;
}

static void hear_note(void *ctx, const struct etl_note *note)
{
	etl_buf_printf(&((struct heard *)ctx)->notes, "%s=%s ", note->names[note->depth - 1],
		note->text);
}

static int hear_lone(void *ctx, const struct etl_record *record, struct etl_error *err)
{
	struct heard *heard = ctx;
	struct etl_element e;

	heard->lone++;
	return etl_doc_find(record->bson, record->len, "error", &e) ?
		etl_error_set(err, ETL_DATA, "test.lone", "an error") : 0;
}

static struct heard *listen(struct etl_decode *d, struct etl_decode_watch *watch)
{
	struct heard *heard = etl_arena_zalloc(arena, sizeof *heard);

	heard->say = 1;
	etl_buf_init(&heard->text, 4096);
	etl_buf_init(&heard->notes, 4096);
	*watch = (struct etl_decode_watch){
		.ctx = heard, .text = hear_text, .note = hear_note, .lone = hear_lone};
	etl_decode_set_watch(d, watch);
	return heard;
}

static void test_watch(void **state)
{
	struct etl_decode *d = decode_with("{records: /data, time: {field: t, format: epoch}}",
		NULL, 0);
	struct etl_decode_watch watch;
	struct heard *heard = listen(d, &watch);
	char *told;

	(void)state;
	told = format_tell_by(d, "{\"next\":\"x\",\"data\":[{\"t\":0}]}", 29, 4, 3, true);
	assert_string_equal(told, "0 {\"t\":\"1970-01-01T00:00:00Z\"}\n= 1\n");
	assert_string_equal(etl_buf_text(&heard->text), "{\"next\":\"x\",\"data\":[{\"t\":0}]}");
	assert_string_equal(etl_buf_text(&heard->notes), "next=x ");
	assert_int_equal(heard->lone, 0);
	free(told);
	/* The source's word about a lone object comes first, then the event time's. */
	expect_told(d, "{\"data\":{\"error\":1}}", "error test.lone: an error\n");
	expect_told(d, "{\"data\":{\"v\":1}}",
		"error json.records: the answer has an object without 't' where its records "
		"should be "
		"('/data')\n");
	expect_told(d, "{\"data\":{\"t\":0}}", "0 {\"t\":\"1970-01-01T00:00:00Z\"}\n= 1\n");
	/* What it holds back the format does not see. */
	heard->say = 0;
	told = format_tell_by(d, "<html>", 6, 6, 0, true);
	assert_string_equal(told, "error json.syntax: the document ends too early at byte 0 of "
		"the answer\n");
	free(told);
	heard->say = -1;
	expect_told(d, "{}", "error test.text: not this\n");
	etl_buf_fini(&heard->text);
	etl_buf_fini(&heard->notes);
	etl_decode_free(d);
}

struct came {
	uint64_t records, rejects;
};

static void count_given(void *ctx, const struct etl_batch *batch, size_t from, size_t from_rejects)
{
	struct came *came = ctx;

	came->records += batch->n - from;
	came->rejects += batch->n_rejects - from_rejects;
}

/* The next page of an answer: numbers go on behind its records and rejects; another payload begins
 * with 0 again. */
static void test_pages(void **state)
{
	struct etl_decode *d = decode_with("{records: /data}", NULL, 0);
	struct came came = {0};
	struct etl_decode_watch watch = {.ctx = &came, .given = count_given};
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	static const char page[] = "{\"data\":[{\"a\":1},5,{\"a\":2}]}";

	(void)state;
	etl_decode_set_watch(d, &watch);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(i == 0 || i == 3 ? etl_decode_begin(d, NULL, &err) :
			etl_decode_continue(d, NULL, &err), 0);
		assert_int_equal(etl_decode_feed(d, page, sizeof page - 1, batch, &err), 0);
		assert_int_equal(etl_decode_end(d, batch, &err), 0);
		assert_int_equal(etl_decode_records(d), 3);
		assert_int_equal(batch->records[2 * i + 1].position, (i % 3) * 3 + 2);
		assert_int_equal(batch->rejects[i].position, (i % 3) * 3 + 1);
	}
	assert_int_equal(came.records, 8);
	assert_int_equal(came.rejects, 4);
	etl_batch_free(batch);
	etl_decode_free(d);
}

/* A reject is one of the payload's records as well. */
static void test_rejects_count(void **state)
{
	struct etl_decode *d = decode_with("{}", NULL, 0);

	(void)state;
	expect_told(d, "[{\"a\":1},5,{\"a\":2}]",
		"0 {\"a\":1}\n2 {\"a\":2}\n1 reject : a record has to be an object: 5\n= 3\n");
	etl_decode_free(d);
}

/* The text is what the charset gives; the configured one goes before the payload's own. */
static void test_charset(void **state)
{
	static const char text[] = "[{\"n\":\"Z\xfcrich\"}]";
	struct etl_decode *d = decode_with("{}", NULL, 0);
	struct etl_decode_watch watch;
	struct heard *heard = listen(d, &watch);
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	assert_int_equal(etl_decode_begin(d, "klingon-1", &err), -1);
	assert_int_equal(etl_decode_begin(d, "iso-8859-1", &err), 0);
	assert_int_equal(format_feed(d, text, sizeof text - 1, batch, &err), 0);
	assert_int_equal(etl_decode_end(d, batch, &err), 0);
	assert_string_equal(etl_buf_text(&heard->text), "[{\"n\":\"Z\xc3\xbcrich\"}]");
	assert_int_equal(batch->n, 1);
	etl_decode_free(d);
	d = decode_with("{charset: windows-1252}", NULL, 0);
	assert_int_equal(etl_decode_begin(d, "utf-8", &err), 0);
	assert_int_equal(format_feed(d, text, sizeof text - 1, batch, &err), 0);
	assert_int_equal(etl_decode_end(d, batch, &err), 0);
	assert_int_equal(batch->n, 2);
	etl_batch_free(batch);
	etl_decode_free(d);
	etl_buf_fini(&heard->text);
	etl_buf_fini(&heard->notes);
}

/* Bytes that are no text are left as they are. */
static void test_no_text(void **state)
{
	struct etl_decode_spec spec = *format_load("{}", arena, NULL);
	struct etl_format_type binary = *spec.format;
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_decode *d;

	(void)state;
	binary.takes &= ~(unsigned)ETL_FORMAT_TEXT;
	spec.format = &binary;
	assert_int_equal(etl_decode_new(&spec, 0, &d, &err), 0);
	assert_int_equal(etl_decode_begin(d, "utf-16", &err), 0);
	assert_int_equal(format_feed(d, "[{\"a\":1}]", 9, batch, &err), 0);
	assert_int_equal(batch->n, 1);
	etl_decode_free(d);
	etl_batch_free(batch);
}

/* Documents that a source has already pass reshape and time, and no format. */
static void test_documents(void **state)
{
	struct etl_reshape_stage stages[] = {{&doubles, NULL}};
	struct etl_decode_spec spec = *format_load("{time: {field: t, format: epoch}}", arena,
		NULL);
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_decode *d;
	bson_t doc = BSON_INITIALIZER, none_of_it = BSON_INITIALIZER;

	(void)state;
	spec.format = NULL;
	spec.reshape = stages;
	spec.n_reshape = 1;
	assert_int_equal(etl_decode_new(&spec, 0, &d, &err), 0);
	assert_int_equal(etl_decode_begin(d, NULL, &err), 0);
	BSON_APPEND_INT32(&doc, "t", 60);
	etl_batch_add_copy(batch, &none_of_it, (etl_wall){ETL_NO_TIME}, 0);
	etl_batch_add_copy(batch, &doc, (etl_wall){ETL_NO_TIME}, 1);
	assert_int_equal(etl_decode_documents(d, batch, 1, &err), 0);
	assert_int_equal(etl_decode_end(d, batch, &err), 0);
	assert_int_equal(etl_decode_finish(d, batch, &err), 0);
	assert_int_equal(batch->n, 3); /* what stood before is left alone */
	assert_int_equal(batch->records[0].time.ms, ETL_NO_TIME);
	assert_int_equal(batch->records[2].time.ms, 60000);
	bson_destroy(&doc);
	bson_destroy(&none_of_it);
	etl_batch_free(batch);
	etl_decode_free(d);
}

/* ---- configuration ---- */

static void test_split(void **state)
{
	static const struct etl_option own[] = {{.name = "time", .type = ETL_OPT_STRING}, {0}};
	static const char yaml[] = "{url: x, records: /a, time: y, attach: {b: /c}, recrods: /d}";
	struct etl_diag *diag = etl_diag_new();
	const struct etl_conf_env env = {.arena = arena, .diag = diag, .what = "job 't'"};
	struct etl_node beside = {.kind = ETL_NODE_MAP};
	const struct etl_node *rest = etl_decode_split(
		etl_conf_parse(arena, "t.yaml", yaml, strlen(yaml), NULL, diag), own, &beside,
			&env);

	(void)state;
	assert_int_equal(rest->n, 2); /* url and a `time` of the source's own */
	assert_non_null(etl_node_get(rest, "time"));
	assert_int_equal(beside.n, 2);
	assert_string_equal(etl_node_get(&beside, "records")->text, "/a");
	assert_int_equal(etl_diag_count(diag), 1); /* recrods */
	etl_diag_free(diag);
}

static void test_label(void **state)
{
	(void)state;
	assert_int_equal(etl_decode_label(format_load("{time: {field: t}}", arena, NULL)).us, 0);
	assert_int_equal(
		etl_decode_label(format_load("{time: {field: t, label: end, interval: 1h}}", arena,
			NULL)).us,
		INT64_C(3600000000));
	assert_int_equal(
		etl_decode_label(format_load("{time: {field: t, interval: 1h}}", arena, NULL)).us,
			0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reshape),
		TEST(test_reshape_fails),
		TEST(test_reshape_loses),
		TEST(test_watch),
		TEST(test_pages),
		TEST(test_rejects_count),
		TEST(test_charset),
		TEST(test_no_text),
		TEST(test_documents),
		TEST(test_split),
		TEST(test_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
