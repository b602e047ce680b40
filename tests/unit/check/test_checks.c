/* SPDX-License-Identifier: MIT
 *
 * The checks: tables of rows and facts, findings word for word, refused configurations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/plugin.h"

extern const struct etl_check_type etl_check_not_null, etl_check_range, etl_check_unique,
	etl_check_freshness;

struct row_case {
	const char *yaml, *in;
	const char *message; /* NULL = passes */
	const char *path;
};

static void need_row(struct rig *rig, const struct row_case *c)
{
	struct etl_finding finding = {0};
	bson_t *doc = doc_of(c->in);
	struct etl_record record = {.bson = bson_get_data(doc), .len = doc->len};
	struct etl_record_unit unit = rig_unit(NULL, record.time);
	bool passed = rig->check->row(rig->self, &record, &unit, &finding);

	if (passed != !c->message)
		fail_msg("%s on %s: %s", c->yaml, c->in, passed ? "passed" : finding.message);
	if (c->message) {
		assert_string_equal(finding.message, c->message);
		assert_string_equal(finding.path, c->path);
		assert_true(*finding.value && *finding.limit);
	}
	bson_destroy(doc);
}

static void run_rows(const struct etl_check_type *type, const struct row_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct rig rig;

		check_open(&rig, type, cases[i].yaml);
		need_row(&rig, &cases[i]);
		rig_free(&rig);
	}
}

static void test_not_null(void **state)
{
	static const struct row_case cases[] = {
		{"{fields: [a, PM2.5]}", "{\"a\":0,\"PM2.5\":\"\"}", NULL},
		{"{fields: [a, PM2.5]}", "{\"a\":1,\"PM2\":{\"5\":1}}", "PM2.5 is missing",
			"PM2.5"},
		{"{fields: a}", "{\"a\":null}", "a is null", "a"},
		{"{fields: [/a/b]}", "{\"a\":{\"b\":1}}", NULL},
		{"{fields: [/a/b]}", "{\"a\":{}}", "/a/b is missing", "/a/b"},
		{"{fields: [/a/1]}", "{\"a\":[1,null]}", "/a/1 is null", "/a/1"},
	};

	(void)state;
	run_rows(&etl_check_not_null, cases, sizeof cases / sizeof *cases);
	check_refused(&etl_check_not_null, "{}", "E013", "fields");
	check_refused(&etl_check_not_null, "{fields: [a, a]}", "E023", "twice");
	check_refused(&etl_check_not_null, "{fields: [/a/*]}", "E014", "'*'");
	check_refused(&etl_check_not_null, "{field: a}", "E012", "fields");
}

static void test_range(void **state)
{
	static const struct row_case cases[] = {
		{"{field: pm2_5, min: 0, max: 1000}", "{\"pm2_5\":1000}", NULL},
		{"{field: pm2_5, min: 0, max: 1000}", "{\"pm2_5\":0.0}", NULL},
		{"{field: pm2_5, min: 0, max: 1000}", "{\"pm2_5\":1200}",
			"pm2_5 is 1200, above 1000", "pm2_5"},
		{"{field: pm2_5, min: 0, max: 1000}", "{\"pm2_5\":1200.0}",
			"pm2_5 is 1200, above 1000", "pm2_5"},
		{"{field: v, min: -0.5}", "{\"v\":-0.75}", "v is -0.75, below -0.5", "v"},
		{"{field: v, min: 0}", "{}", NULL},
		{"{field: v, min: 0}", "{\"v\":null}", NULL},
		{"{field: v, min: 0}", "{\"v\":\"5\"}", "v is \"5\", not a number", "v"},
		{"{field: v, min: 0}", "{\"v\":true}", "v is true, not a number", "v"},
		{"{field: v, min: 0}", "{\"v\":{\"$numberDouble\":\"NaN\"}}",
			"v is nan, not a number", "v"},
		{"{field: v, max: 9}", "{\"v\":{\"$numberDouble\":\"Infinity\"}}",
			"v is inf, above 9", "v"},
		{"{field: v, max: 9007199254740992}", "{\"v\":9007199254740993}",
			"v is 9007199254740993, above 9007199254740992", "v"},
		{"{field: v, max: 1}", "{\"v\":{\"$numberDecimal\":\"1.5\"}}",
			"v is 1.5, above 1", "v"},
		{"{field: /a/v, max: 1}", "{\"a\":{\"v\":2}}", "/a/v is 2, above 1", "/a/v"},
		{"{field: t, min: \"2023-01-01T00:00:00Z\"}",
			"{\"t\":{\"$date\":\"2023-01-01T00:00:00Z\"}}", NULL},
		{"{field: t, max: \"2023-01-01\"}", "{\"t\":5}", "t is 5, not a date", "t"},
	};

	(void)state;
	run_rows(&etl_check_range, cases, sizeof cases / sizeof *cases);
	check_refused(&etl_check_range, "{field: v}", "E013", "no bound");
	check_refused(&etl_check_range, "{min: 1}", "E013", "field");
	check_refused(
		&etl_check_range, "{field: v, min: 2, max: 1}", "E023", "between 2 and 1");
	check_refused(
		&etl_check_range, "{field: v, min: 2, max: \"2023-01-01\"}", "E023", "date");
	check_refused(&etl_check_range, "{field: v, min: [1]}", "E014", "bound");
}

static void test_unique(void **state)
{
	static const char yaml[] = "{fields: [s, /k/t]}";
	static const struct row_case cases[] = {
		{yaml, "{\"s\":\"a\",\"k\":{\"t\":1}}", NULL},
		{yaml, "{\"s\":\"a\",\"k\":{\"t\":2}}", NULL},
		{yaml, "{\"s\":\"b\",\"k\":{\"t\":1}}", NULL},
		{yaml, "{\"s\":\"a\",\"k\":{\"t\":1.0}}",
			"a second record with s \"a\", /k/t 1", "s"},
		{yaml, "{\"s\":\"a\",\"k\":{\"t\":\"1\"}}", NULL},
		{yaml, "{\"s\":\"a\"}", NULL},
		{yaml, "{\"s\":\"a\"}", NULL},
		{yaml, "{\"s\":null,\"k\":{\"t\":1}}", NULL},
		{yaml, "{\"s\":null,\"k\":{\"t\":1}}", NULL},
		{yaml, "{\"s\":\"b\",\"k\":{\"t\":1}}", "a second record with s \"b\", /k/t 1",
			"s"},
	};
	struct rig rig;

	(void)state;
	check_open(&rig, &etl_check_unique, yaml);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		need_row(&rig, &cases[i]);
	rig_window.start.ms += 3600000; /* another unit has had none of them */
	need_row(&rig, &cases[0]);
	rig_window.start.ms -= 3600000;
	need_row(&rig, &cases[3]);
	rig_free(&rig);
	check_refused(&etl_check_unique, "{fields: [a, a]}", "E023", "twice");
}

static struct etl_window looked_back;
static int look_back_says;

static int had_records(void *ctx, struct etl_window range, struct etl_error *err)
{
	(void)ctx;
	looked_back = range;
	return look_back_says < 0 ? etl_error_set(err, ETL_TRANSIENT, "test", "not now") : look_back_says;
}

#define NOW INT64_C(1700003600000) /* the unit's end */
#define MINUTE INT64_C(60000)

static void need_unit(struct rig *rig, int64_t newest, bool is_newest, const char *message)
{
	struct etl_unit_facts facts = {.unit = rig_unit(NULL, (etl_wall){0}), .now = {NOW},
		.newest = {newest}, .is_newest = is_newest};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_finding finding = {0};

	assert_int_equal(etl_check_freshness.unit(rig->self, &facts, &finding, &err), !message);
	if (message)
		assert_string_equal(finding.message, message);
}

static void test_freshness(void **state)
{
	static const struct {
		int64_t age_ms;
		bool newest_window;
		const char *message;
	} cases[] = {
		{3 * 60 * MINUTE, true, NULL},
		{3 * 60 * MINUTE + 1, false, NULL},
		{-5 * MINUTE, true, NULL},
		{312 * MINUTE + 5000, true, "newest record is 5h12m old, allowed 3h"},
		{76 * 60 * MINUTE, true, "newest record is 3d4h old, allowed 3h"},
	};
	struct rig rig;

	(void)state;
	check_open(&rig, &etl_check_freshness, "{max_age: 3h}");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		need_unit(&rig, NOW - cases[i].age_ms, cases[i].newest_window, cases[i].message);
	rig_free(&rig);
	check_refused(&etl_check_freshness, "{max_age: 3}", "E016", "3");
}

/* A newest unit without records: units before it may have some that are young enough. */
static void test_freshness_of_an_empty_unit(void **state)
{
	struct etl_unit_facts facts = {.unit = rig_unit(NULL, (etl_wall){0}), .now = {NOW},
		.newest = {ETL_NO_TIME}, .is_newest = true};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_finding finding = {0};
	struct rig rig;

	(void)state;
	check_open(&rig, &etl_check_freshness, "{max_age: 3h}");
	need_unit(&rig, ETL_NO_TIME, true, "no record of the last 3h was seen");
	rig.stage.had_records = had_records;
	look_back_says = 0;
	need_unit(&rig, ETL_NO_TIME, true, "no record of the last 3h was seen");
	assert_int_equal(looked_back.start.ms, NOW - 180 * MINUTE);
	assert_int_equal(looked_back.end.ms, rig_window.start.ms);
	need_unit(&rig, ETL_NO_TIME, false, NULL);
	look_back_says = 1;
	need_unit(&rig, ETL_NO_TIME, true, NULL);
	look_back_says = -1;
	assert_int_equal(etl_check_freshness.unit(rig.self, &facts, &finding, &err), -1);
	rig_free(&rig);

	/* The unit alone reaches back further. */
	check_open(&rig, &etl_check_freshness, "{max_age: 1h}");
	rig.stage.had_records = had_records;
	need_unit(&rig, ETL_NO_TIME, true, "no record of the last 1h was seen");
	rig_free(&rig);
}

/* Every default is allowed; the words stand in the order of the enum. */
static void test_contract(void **state)
{
	(void)state;
	for (size_t i = 0; etl_checks[i]; i++)
		assert_true(
			etl_checks[i]->on_fail_allowed & 1U << etl_checks[i]->on_fail_default);
	assert_string_equal(etl_on_fail_words[ETL_ON_FAIL_HOLD], "hold");
	assert_null(etl_on_fail_words[ETL_ON_FAIL_FAIL + 1]);
	assert_ptr_equal(etl_check_find("range"), &etl_check_range);
}

/* ---- a run --------------------------------------------------------------------------------- */

static void need_run(const char *yaml, bool whole, size_t n, uint64_t units, uint64_t brought,
	const char *message)
{
	static const char *const names[] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"};
	struct etl_partition_facts partitions[8];
	const struct etl_run_facts facts = {.whole = whole, .partitions = partitions, .n = n};
	const struct etl_check_type *type = etl_check_find("expected_partitions");
	struct etl_finding finding = {.path = ""};
	struct etl_error err = ETL_ERROR_INIT;
	struct rig rig = {.check = type};

	for (size_t i = 0; i < n; i++)
		partitions[i] = (struct etl_partition_facts){names[i], units, i ? brought : 100};
	rig_configure(&rig, type->options, type->options_size, type->check, type->name, yaml);
	rig_need_clean(&rig, yaml);
	assert_int_equal(type->run(rig.options, &facts, &finding, &err), message == NULL);
	if (message)
		assert_string_equal(finding.message, message);
	rig_free(&rig);
}

/* p0 has brought 100 records. */
static void test_expected_partitions(void **state)
{
	(void)state;
	need_run("{}", true, 3, 1, 1, NULL);
	need_run("{}", true, 0, 1, 0, NULL);
	need_run("{}", true, 8, 1, 0,
		"7 of 8 partitions brought fewer than 1 record: p1, p2, p3, p4, p5, ...");
	need_run("{min: 100}", true, 2, 3, 99, "1 of 2 partitions brought fewer than 100 records: p1");
	need_run("{}", true, 3, 0, 0, NULL); /* nothing was due */
	need_run("{partitions: [p1]}", true, 3, 1, 0, "1 of 1 partitions brought fewer than 1 record: p1");
	need_run("{partitions: [p0]}", true, 3, 1, 0, NULL);
	need_run("{partitions: [gone]}", true, 1, 1, 0,
		"1 of 1 partitions brought fewer than 1 record: gone");
	need_run("{partitions: [gone]}", false, 1, 1, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_null),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_unique),
		cmocka_unit_test(test_freshness),
		cmocka_unit_test(test_freshness_of_an_empty_unit),
		cmocka_unit_test(test_contract),
		cmocka_unit_test(test_expected_partitions),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
