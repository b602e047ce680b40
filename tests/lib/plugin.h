/* SPDX-License-Identifier: MIT
 *
 * For unit tests of transforms and checks: options from YAML by the real loader, records
 * from Extended JSON, tables of cases. A record's event time is its date field "t".
 * Header only; include after cmocka.h.
 */
#ifndef TESTS_LIB_PLUGIN_H
#define TESTS_LIB_PLUGIN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check/check.h"
#include "conf/load.h"
#include "conf/option.h"
#include "record/batch.h"
#include "record/doc.h"
#include "transform/transform.h"

#define UNUSED __attribute__((unused))

/* A configured component: options and, once opened, its instance. */
struct rig {
	struct etl_arena *arena;
	struct etl_diag *diag;
	struct etl_conf_env env;
	void *options, *self;
	const struct etl_transform_type *transform;
	const struct etl_check_type *check;
	struct etl_vars vars;
	struct etl_stage_env stage;
};

/* The unit of all records; a test may set another before it opens. */
static UNUSED struct etl_window rig_window = {
	{INT64_C(1700000000000)}, {INT64_C(1700003600000)}};
static const char *const rig_names[] = {"station", NULL};
static const char *const rig_values[] = {"283164601", NULL};

static UNUSED struct etl_record_unit rig_unit(void *ctx, etl_wall time)
{
	(void)ctx;
	(void)time;
	return (struct etl_record_unit){rig_window, 0};
}

/* Another one for a rig's stage.unit: each hour is a unit, of those from rig_window's on. */
static UNUSED struct etl_record_unit rig_unit_by_hour(void *ctx, etl_wall time)
{
	int64_t hour = (time.ms - rig_window.start.ms) / 3600000;
	etl_wall start = {rig_window.start.ms + hour * 3600000};

	(void)ctx;
	return (struct etl_record_unit){{start, {start.ms + 3600000}}, (size_t)hour};
}

/* Fills and compiles options as the loader of jobs does. */
static UNUSED void rig_configure(struct rig *rig, const struct etl_option *options, size_t size,
	void (*check)(void *, const struct etl_node *, const struct etl_conf_env *),
	const char *name, const char *yaml)
{
	struct etl_conf_load_options load = {0};
	struct etl_arena *tree = etl_arena_new(0);
	struct etl_node *node;
	bool filled;

	rig->arena = etl_arena_new(0);
	rig->diag = etl_diag_new();
	rig->env = (struct etl_conf_env){.arena = rig->arena, .diag = rig->diag,
		.what = "job 'test'", .partition_names = rig_names};
	rig->vars = (struct etl_vars){
		.partition_names = rig_names,
		.partition_values = rig_values,
		.run_id = "018bcfe5-6800-7000-8000-000000000000"};
	if (!rig->stage.unit)
		rig->stage.unit = rig_unit;
	rig->stage.vars = &rig->vars;
	load.texts = rig->arena;
	node = etl_conf_parse(tree, "test.yaml", yaml, strlen(yaml), &load, rig->diag);
	assert_non_null(node);
	rig->options = etl_arena_zalloc(rig->arena, size);
	filled = etl_options_fill(options, node, rig->options, name, &rig->env);
	if (filled && check)
		check(rig->options, node, &rig->env);
	etl_arena_free(tree);
}

static UNUSED void rig_free(struct rig *rig)
{
	if (rig->self && rig->transform)
		rig->transform->close(rig->self);
	if (rig->self && rig->check && rig->check->close)
		rig->check->close(rig->self);
	free(rig->self);
	etl_diag_free(rig->diag);
	etl_arena_free(rig->arena);
	*rig = (struct rig){0};
}

static UNUSED void rig_need_clean(const struct rig *rig, const char *yaml)
{
	struct etl_buf text;

	if (!etl_diag_count(rig->diag))
		return;
	etl_buf_init(&text, 65536);
	etl_diag_print(rig->diag, &text);
	fail_msg("%s: %s", yaml, etl_buf_text(&text));
}

/* The configuration must be refused with `code` and a text that holds `words`. */
static UNUSED void rig_need_error(struct rig *rig, const char *yaml, const char *code,
	const char *words)
{
	struct etl_buf text;

	etl_buf_init(&text, 65536);
	etl_diag_print(rig->diag, &text);
	if (!etl_diag_count(rig->diag) || !strstr(etl_buf_text(&text), code) ||
		!strstr(etl_buf_text(&text), words))
		fail_msg("%s: wanted %s with '%s', got: %s", yaml, code, words,
			etl_buf_text(&text));
	etl_buf_fini(&text);
	rig_free(rig);
}

static UNUSED void transform_open(struct rig *rig, const struct etl_transform_type *type,
	const char *yaml)
{
	struct etl_error err = ETL_ERROR_INIT;

	*rig = (struct rig){.transform = type};
	rig_configure(rig, type->options, type->options_size, type->check, type->name, yaml);
	rig_need_clean(rig, yaml);
	rig->self = etl_calloc(1, type->size ? type->size : 1);
	if (type->open && type->open(rig->self, rig->options, &rig->stage, &err) < 0)
		fail_msg("%s: %s", yaml, err.message);
}

static UNUSED void transform_refused(const struct etl_transform_type *type, const char *yaml,
	const char *code, const char *words)
{
	struct rig rig = {.transform = type};

	rig_configure(&rig, type->options, type->options_size, type->check, type->name, yaml);
	rig_need_error(&rig, yaml, code, words);
}

static UNUSED void check_open(
	struct rig *rig, const struct etl_check_type *type, const char *yaml)
{
	struct etl_error err = ETL_ERROR_INIT;

	*rig = (struct rig){.check = type};
	rig_configure(rig, type->options, type->options_size, type->check, type->name, yaml);
	rig_need_clean(rig, yaml);
	rig->self = etl_calloc(1, type->size ? type->size : 1);
	if (type->open && type->open(rig->self, rig->options, &rig->stage, &err) < 0)
		fail_msg("%s: %s", yaml, err.message);
}

static UNUSED void check_refused(const struct etl_check_type *type, const char *yaml,
	const char *code, const char *words)
{
	struct rig rig = {.check = type};

	rig_configure(&rig, type->options, type->options_size, type->check, type->name, yaml);
	rig_need_error(&rig, yaml, code, words);
}

static UNUSED bson_t *doc_of(const char *json)
{
	bson_error_t error;
	bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);

	if (!doc)
		fail_msg("%s: %s", json, error.message);
	return doc;
}

/* Adds a record from a document. */
static UNUSED void batch_put_doc(struct etl_batch *batch, const bson_t *doc)
{
	etl_wall time = {ETL_NO_TIME};
	struct etl_element e;

	if (etl_doc_find(bson_get_data(doc), doc->len, "t", &e))
		etl_element_date(&e, &time);
	etl_batch_add_copy(batch, doc, time, batch->n);
}

static UNUSED void batch_put(struct etl_batch *batch, const char *json)
{
	bson_t *doc = doc_of(json);

	batch_put_doc(batch, doc);
	bson_destroy(doc);
}

/* Record `i` must be exactly the document `json`, bytes and types. */
static UNUSED void need_record(const struct etl_batch *batch, size_t i, const char *json,
	const char *why)
{
	bson_t *want = doc_of(json), got;

	assert_true(i < batch->n);
	if (!etl_record_bson(&batch->records[i], &got) ||
		!bson_validate(&got, BSON_VALIDATE_UTF8, NULL))
		fail_msg("%s: not a BSON document", why);
	if (got.len != want->len ||
		memcmp(bson_get_data(&got), bson_get_data(want), got.len) != 0) {
		char *a = bson_as_canonical_extended_json(&got, NULL);
		char *b = bson_as_canonical_extended_json(want, NULL);

		fail_msg("%s:\n got %s\nwant %s", why, a, b);
	}
	bson_destroy(want);
}

struct transform_case {
	const char *yaml, *in;
	const char *out;     /* NULL = rejected */
	const char *path;    /* of the reject */
	const char *message; /* a part of the reject's message */
};

static UNUSED void transform_run(const struct etl_transform_type *type,
	const struct transform_case *c)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_batch *batch = etl_batch_new();
	struct rig rig;

	transform_open(&rig, type, c->yaml);
	batch_put(batch, c->in);
	assert_int_equal(type->apply(rig.self, batch, &err), 0);
	if (c->out) {
		if (batch->n != 1)
			fail_msg("%s on %s: %s", c->yaml, c->in,
				batch->n_rejects ? batch->rejects[0].message : "lost");
		assert_int_equal(batch->n_rejects, 0);
		need_record(batch, 0, c->out, c->yaml);
		assert_int_equal(batch->bytes, batch->records[0].len);
	} else {
		const struct etl_reject *r = batch->rejects;

		if (batch->n || batch->n_rejects != 1)
			fail_msg("%s on %s: wanted one reject", c->yaml, c->in);
		assert_string_equal(r->step, "transform");
		assert_string_equal(r->rule, type->name);
		assert_string_equal(r->path, c->path);
		if (!strstr(r->message, c->message))
			fail_msg("wanted '%s' in '%s'", c->message, r->message);
		assert_true(r->raw_is_bson && r->raw_len > 4);
	}
	rig_free(&rig);
	etl_batch_free(batch);
}

#define TRANSFORM_RUN_ALL(type, cases)                                                         \
	for (size_t i_ = 0; i_ < sizeof(cases) / sizeof *(cases); i_++)                        \
	transform_run(type, &(cases)[i_])

/* xorshift64*: the same numbers for the same seed on every machine. */
static UNUSED uint64_t test_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* ETLD_TEST_SEED or a fixed start; printed so that a failure can be run again. */
static UNUSED uint64_t test_seed(void)
{
	const char *given = getenv("ETLD_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : UINT64_C(20261122);

	print_message("# ETLD_TEST_SEED=%llu\n", (unsigned long long)seed);
	return seed ? seed : 1;
}

#endif
