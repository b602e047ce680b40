/* SPDX-License-Identifier: MIT
 *
 * The file source by itself: what the configuration may say, what a partition's value may do to a path,
 * and a full read over several files. Whole runs: tests/unit/flow/test_objects.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after the above */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/load.h"
#include "source/source.h"
#include "time/clock.h"

extern const struct etl_source_type etl_source_file;

static char root[64];
static const char *const names[] = {"station", NULL};

struct rig {
	struct etl_arena *arena;
	struct etl_diag *diag;
	void *options, *self;
	const struct etl_decode_spec *spec;
	struct etl_decode *decode;
	struct etl_source_env env;
	struct etl_vars vars;
	const char *values[2];
};

/* The number of errors. */
static size_t configure(struct rig *rig, const char *yaml)
{
	struct etl_conf_env env = {.what = "job 't'", .partition_names = names, .objects = true};
	struct etl_conf_load_options load = {0};
	struct etl_arena *tree = etl_arena_new(0);
	struct etl_node *node, beside = {.kind = ETL_NODE_MAP};
	const struct etl_node *own;

	*rig = (struct rig){.arena = etl_arena_new(0), .diag = etl_diag_new()};
	env.arena = rig->arena;
	env.diag = rig->diag;
	rig->options = etl_calloc(1, etl_source_file.options_size);
	load.texts = rig->arena;
	node = etl_conf_parse(tree, "t.yaml", yaml, strlen(yaml), &load, rig->diag);
	assert_non_null(node);
	own = etl_decode_split(node, etl_source_file.options, &beside, &env);
	rig->spec = etl_decode_load(&beside, false, &env);
	if (etl_options_fill(etl_source_file.options, own, rig->options, "extract.file", &env))
		etl_source_file.check(rig->options, own, rig->spec, &env);
	etl_arena_free(tree);
	return etl_diag_count(rig->diag);
}

static void rig_free(struct rig *rig)
{
	if (rig->self)
		etl_source_file.close(rig->self);
	free(rig->self);
	etl_decode_free(rig->decode);
	free(rig->options);
	etl_diag_free(rig->diag);
	etl_arena_free(rig->arena);
}

static int open_source(struct rig *rig, const char *station, struct etl_error *err)
{
	rig->values[0] = station;
	rig->vars = (struct etl_vars){.partition_names = names, .partition_values = rig->values,
		.run_id = "r"};
	rig->self = etl_calloc(1, etl_source_file.size);
	assert_int_equal(etl_decode_new(rig->spec, 0, &rig->decode, err), 0);
	rig->env = (struct etl_source_env){.vars = &rig->vars, .decode = rig->decode, .job = "t",
		.now = etl_now(etl_clock_real())};
	return etl_source_file.open(rig->self, rig->options, &rig->env, err);
}

static void what_the_configuration_may_say(void **state)
{
	static const struct {
		const char *yaml;
		size_t errors;
	} cases[] = {
		{"{path: /a/b.jsonl, format: jsonl}", 0},
		{"{path: '/a/{station}/*.json', min_age: 0s}", 0},
		{"{path: '/a/{run_id}'}", 0},
		{"{}", 1},
		{"{path: a/b.json}", 1},
		{"{path: '/a/../b'}", 1},
		{"{path: '/a/**'}", 1},
		{"{path: '/a/{window.start:%Y}.json'}", 1},
		{"{path: '/a/{object.name}'}", 1},
		{"{path: '/a/{nothing}'}", 1},
		{"{path: /a, min_age: 10}", 1},
		{"{path: /a, follow: true}", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig rig;
		size_t errors = configure(&rig, cases[i].yaml);

		if (errors != cases[i].errors)
			fail_msg("%s: %zu errors", cases[i].yaml, errors);
		rig_free(&rig);
	}
}

static void a_value_stays_in_its_place(void **state)
{
	static const char *const bad[] = {"../x", "a/b", "*", "a?", "..", "."};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct etl_error err = ETL_ERROR_INIT;
		struct rig rig;

		assert_int_equal(configure(&rig, "{path: '/data/{station}/x.json'}"), 0);
		if (open_source(&rig, bad[i], &err) == 0)
			fail_msg("'%s' is taken", bad[i]);
		assert_string_equal(err.code, "file.path");
		rig_free(&rig);
	}
}

static void put(const char *name, const char *text)
{
	etl_cleanup(free) char *path = etl_strf("%s/%s", root, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
}

/* Opens with this path behind `root` and these options, and reads to the end: records, or -1. */
static long read_all(const char *path, const char *more, struct etl_error *err)
{
	etl_cleanup(free) char *yaml = etl_strf("{path: '%s/%s', format: jsonl, %s}", root, path, more);
	struct etl_batch *batch = etl_batch_new();
	struct etl_window span = {{0}, {1}};
	struct rig rig;
	long n = -1;
	int rc = 1;

	assert_int_equal(configure(&rig, yaml), 0);
	assert_int_equal(open_source(&rig, "s", err), 0);
	while (rc == 1 && !etl_batch_is_full(batch))
		rc = etl_source_file.read(rig.self, &span, batch, err);
	if (rc == 0)
		n = (long)batch->n;
	etl_batch_free(batch);
	rig_free(&rig);
	return n;
}

static void a_full_read_takes_all_files(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	put("a.jsonl", "{\"v\":1}\n{\"v\":2}\n");
	put("b.jsonl", "");
	put("c.jsonl", "{\"v\":3}"); /* whole, though no line break ends it */
	put("d.txt", "no");
	assert_int_equal(read_all("*.jsonl", "min_age: 0s", &err), 3);
	assert_int_equal(read_all("a.jsonl", "min_age: 0s", &err), 2);
}

/* Each of these would close a unit on a guess. */
static void what_proves_nothing(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	assert_int_equal(read_all("none*.jsonl", "min_age: 0s", &err), -1);
	assert_string_equal(err.code, "file.none");
	put("young.jsonl", "{\"v\":1}\n");
	assert_int_equal(read_all("young.jsonl", "min_age: 1h", &err), -1);
	assert_string_equal(err.code, "file.young");
	assert_int_equal(err.kind, ETL_TRANSIENT);
	put("cut.jsonl", "{\"v\":1}\n{\"v\":");
	assert_int_equal(read_all("cut.jsonl", "min_age: 0s", &err), -1);
}

/* A file of the kernel's that claims a page and gives a line: whoever trusted the end of the bytes alone
 * would take the beginning of a file for all of it. */
static void fewer_bytes_than_it_claims(void **state)
{
	static const char file[] = "/sys/kernel/uevent_seqnum";
	const struct etl_window span = {{0}, {0}};
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct rig rig;

	(void)state;
	if (access(file, R_OK) < 0)
		skip();
	assert_int_equal(configure(&rig, "{path: /sys/kernel/uevent_seqnum, min_age: 0s, "
		"format: {csv: {header: none, names: [v]}}}"), 0);
	assert_int_equal(open_source(&rig, "s", &err), 0);
	assert_int_equal(etl_source_file.read(rig.self, &span, batch, &err), -1);
	assert_string_equal(err.code, "object.changed");
	etl_batch_free(batch);
	rig_free(&rig);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/etl-file-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", root);
	return system(command); /* NOLINT: our own folder */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_configuration_may_say),
		cmocka_unit_test(a_value_stays_in_its_place),
		cmocka_unit_test(a_full_read_takes_all_files),
		cmocka_unit_test(what_proves_nothing),
		cmocka_unit_test(fewer_bytes_than_it_claims),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
