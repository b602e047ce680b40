/* SPDX-License-Identifier: MIT
 *
 * Partitions: the product of the dimensions in its order, names, extra values, limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/load.h"
#include "job/job.h"

struct rig {
	struct etl_arena *arena;
	struct etl_diag *diag;
	struct etl_conf_env env;
	struct etl_job job;
};

static void read_partitions(struct rig *rig, const char *yaml)
{
	*rig = (struct rig){.arena = etl_arena_new(0), .diag = etl_diag_new()};
	rig->env = (struct etl_conf_env){.arena = rig->arena, .diag = rig->diag, .what = "job 'p'"};
	etl_job_load_partitions(&rig->job,
		yaml ? etl_conf_parse(rig->arena, "p.yaml", yaml, strlen(yaml), NULL, rig->diag) : NULL,
		&rig->env);
}

static void rig_free(struct rig *rig)
{
	etl_diag_free(rig->diag);
	etl_arena_free(rig->arena);
}

static void test_without(void **state)
{
	struct rig rig;

	(void)state;
	read_partitions(&rig, NULL);
	assert_int_equal(rig.job.n_partitions, 1);
	assert_string_equal(rig.job.partitions[0].name, "all");
	assert_null(rig.job.partition_names[0]);
	rig_free(&rig);
}

static void test_product(void **state)
{
	static const char *const want[] = {"a/1", "a/2", "a/3", "b/1", "b/2", "b/3"};
	struct rig rig;

	(void)state;
	read_partitions(&rig, "letter: [a, b]\ndigit: ['1', '2', '3']\n"
			      "values: {lon: {a: east, b: west}, note: {'1': x, '2': y, '3': z}}\n");
	assert_int_equal(etl_diag_count(rig.diag), 0);
	assert_int_equal(rig.job.n_partitions, 6);
	assert_string_equal(rig.job.partition_names[0], "letter");
	assert_string_equal(rig.job.partition_names[3], "note");
	assert_null(rig.job.partition_names[4]);
	for (size_t i = 0; i < 6; i++) {
		const struct etl_partition *p = &rig.job.partitions[i];

		assert_string_equal(p->name, want[i]);
		assert_string_equal(p->values[2], i < 3 ? "east" : "west");
		assert_string_equal(p->values[3], i % 3 == 0 ? "x" : i % 3 == 1 ? "y" : "z");
		assert_ptr_equal(etl_job_partition(&rig.job, want[i]), p);
	}
	assert_null(etl_job_partition(&rig.job, "a"));
	rig_free(&rig);
}

static void test_refused(void **state)
{
	static const struct {
		const char *yaml, *code;
	} rows[] = {
		{"plain", "E014"},
		{"[a, b]", "E014"},
		{"station: a", "E014"},
		{"station: []", "E014"},
		{"station: [[a]]", "E014"},
		{"station: ['']", "E014"},
		{"station: [a, b, a]", "E010"},
		{"run_id: [a]", "E023"},
		{"window.start: [a]", "E023"},
		{"'a b': [a]", "E023"},
		{"station: [a]\nvalues: [b]", "E014"},
		{"station: [a]\nvalues: {lon: b}", "E014"},
		{"station: [a]\nvalues: {station: {a: b}}", "E023"},
		{"station: [a, b]\nvalues: {lon: {a: x}}", "E013"},
		/* "a/b" of one dimension would meet "a" and "b" of two. */
		{"x: [a, a/b]\ny: [b/c, c]", "E023"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct etl_buf text;
		struct rig rig;

		read_partitions(&rig, rows[i].yaml);
		etl_buf_init(&text, 65536);
		etl_diag_print(rig.diag, &text);
		if (!strstr(etl_buf_text(&text), rows[i].code))
			fail_msg("%s: wanted %s, got %s", rows[i].yaml, rows[i].code,
				etl_buf_text(&text));
		etl_buf_fini(&text);
		rig_free(&rig);
	}
}

static void test_named_by_people(void **state)
{
	char text[ETL_PARTITION_TEXT_BYTES];
	struct rig rig;

	(void)state;
	read_partitions(&rig, "station: [a, b, 'x=y']\n");
	etl_partition_text(&rig.job, &rig.job.partitions[1], text, sizeof text);
	assert_string_equal(text, "station=b");
	assert_ptr_equal(etl_partition_find(&rig.job, text), &rig.job.partitions[1]);
	assert_ptr_equal(etl_partition_find(&rig.job, "a"), &rig.job.partitions[0]);
	assert_ptr_equal(etl_partition_find(&rig.job, "x=y"), &rig.job.partitions[2]);
	assert_null(etl_partition_find(&rig.job, "-"));
	assert_null(etl_partition_find(&rig.job, "station=c"));
	rig_free(&rig);
	read_partitions(&rig, NULL);
	etl_partition_text(&rig.job, &rig.job.partitions[0], text, sizeof text);
	assert_string_equal(text, "-");
	assert_ptr_equal(etl_partition_find(&rig.job, "-"), &rig.job.partitions[0]);
	rig_free(&rig);
}

static void test_limit(void **state)
{
	struct etl_buf yaml;
	struct rig rig;

	(void)state;
	for (int more = 0; more < 2; more++) {
		etl_buf_init(&yaml, 1 << 20);
		etl_buf_str(&yaml, "a: [x, y]\nb: [");
		for (int i = 0; i < ETL_PARTITIONS_MAX / 2 + more; i++)
			etl_buf_printf(&yaml, "%s%d", i ? "," : "", i);
		etl_buf_str(&yaml, "]\n");
		read_partitions(&rig, etl_buf_text(&yaml));
		assert_int_equal(etl_diag_count(rig.diag), more);
		assert_int_equal(rig.job.n_partitions, more ? 1 : ETL_PARTITIONS_MAX);
		rig_free(&rig);
		etl_buf_fini(&yaml);
	}
}

/* Two partitions of one name would share a ledger, however long the list is. */
static void test_repeated_in_a_long_list(void **state)
{
	struct etl_buf yaml;
	struct rig rig;

	(void)state;
	etl_buf_init(&yaml, 1 << 20);
	etl_buf_str(&yaml, "a: [");
	for (int i = 0; i < 20000; i++)
		etl_buf_printf(&yaml, "%d,", i);
	etl_buf_str(&yaml, "17, 19999]\n");
	read_partitions(&rig, etl_buf_text(&yaml));
	assert_int_equal(etl_diag_count(rig.diag), 2);
	rig_free(&rig);
	etl_buf_fini(&yaml);
}

/* One dimension and so many extra values: names beyond the limit are refused, and none is kept. */
static void test_many_names(void **state)
{
	struct etl_buf yaml;
	struct rig rig;

	(void)state;
	for (int values = 62; values < 80; values++) {
		int names = 0, over = values > 63 ? values - 63 : 0;

		etl_buf_init(&yaml, 65536);
		etl_buf_str(&yaml, "station: [a]\nvalues:\n");
		for (int i = 0; i < values; i++)
			etl_buf_printf(&yaml, "  v%d: {a: x}\n", i);
		read_partitions(&rig, etl_buf_text(&yaml));
		assert_int_equal(etl_diag_count(rig.diag), over);
		while (rig.job.partition_names[names])
			names++;
		assert_int_equal(names, 1 + values - over);
		assert_int_equal(rig.job.n_partitions, 1);
		rig_free(&rig);
		etl_buf_fini(&yaml);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_product),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_named_by_people),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_repeated_in_a_long_list),
		cmocka_unit_test(test_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
