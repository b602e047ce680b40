/* SPDX-License-Identifier: MIT
 *
 * parse_time: formats, zones, numbers, the other field; refused configurations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/plugin.h"

extern const struct etl_transform_type etl_transform_parse_time;

#define DATE(ms) "{\"$date\":{\"$numberLong\":\"" ms "\"}}"
#define ROME "{at: {format: \"%Y-%m-%d %H:%M\", timezone: Europe/Rome}}"

static void test_cases(void **state)
{
	static const struct transform_case cases[] = {
		{"{at: \"%Y-%m-%d %H:%M:%S\"}",
			"{\"a\":1,\"at\":\"2023-11-14 22:13:20\",\"z\":2}",
			"{\"a\":1,\"at\":" DATE("1700000000000") ",\"z\":2}"},
		/* The example of the file. */
		{"{t: \"%d/%m/%Y %H:%M\", stamp: {format: epoch, to: at}}",
			"{\"t\":\"01/07/2026 10:00\",\"stamp\":1782900000}",
			"{\"t\":{\"$date\":\"2026-07-01T10:00:00Z\"},\"stamp\":1782900000,"
			"\"at\":{\"$date\":\"2026-07-01T10:00:00Z\"}}"},
		{"{at: iso8601}", "{\"at\":\"2023-11-14T23:13:20.5+01:00\"}",
			"{\"at\":" DATE("1700000000500") "}"},
		{"{at: {}}", "{\"at\":\"2023-11-14T22:13:20\"}",
			"{\"at\":" DATE("1700000000000") "}"},
		{"{at: {timezone: Europe/Rome}}", "{\"at\":\"2023-11-14\"}",
			"{\"at\":" DATE("1699916400000") "}"},
		{ROME, "{\"at\":\"2023-07-01 02:00\"}", "{\"at\":" DATE("1688169600000") "}"},
		/* 02:30 does not exist on 2023-03-26. */
		{ROME, "{\"at\":\"2023-03-26 02:30\"}", NULL, "at",
			"does not exist in its time zone"},
		{"{at: {timezone: Europe/Rome, gap: forward}}",
			"{\"at\":\"2023-03-26T02:30:00.750\"}",
			"{\"at\":" DATE("1679792400000") "}"},
		/* 02:30 comes twice on 2023-10-29. */
		{ROME, "{\"at\":\"2023-10-29 02:30\"}", NULL, "at",
			"exists twice in its time zone"},
		{"{at: {timezone: Europe/Rome, fold: first}}", "{\"at\":\"2023-10-29T02:30\"}",
			"{\"at\":" DATE("1698539400000") "}"},
		{"{at: {timezone: Europe/Rome, fold: second}}", "{\"at\":\"2023-10-29T02:30\"}",
			"{\"at\":" DATE("1698543000000") "}"},
		{"{at: {on_bad: null}}", "{\"at\":\"\",\"b\":1}", "{\"at\":null,\"b\":1}"},
		{"{at: {on_bad: \"null\"}}", "{\"at\":\"soon\"}", "{\"at\":null}"},
		{"{at: {on_bad: drop}}", "{\"at\":\"\",\"b\":1}", "{\"b\":1}"},
		{"{at: {on_bad: text}}", "{\"at\":\"soon\"}", "{\"at\":\"soon\"}"},
		{"{at: {on_bad: text, to: when}}", "{\"at\":\"soon\"}",
			"{\"at\":\"soon\",\"when\":\"soon\"}"},
		{"{at: {on_bad: null, to: when}}", "{\"at\":\"\"}", "{\"at\":\"\",\"when\":null}"},
		{"{at: {on_bad: null, timezone: Europe/Rome}}", "{\"at\":\"2023-03-26T02:30\"}",
			"{\"at\":null}"},
		{"{at: {absent: null}}", "{\"b\":1}", "{\"b\":1,\"at\":null}"},
		{"{at: {absent: keep}}", "{\"b\":1}", "{\"b\":1}"},
		{"{at: {absent: reject}}", "{\"b\":1}", NULL, "at", "has no field 'at'"},
		{"{at: epoch_us}", "{\"at\":1795168800000123}",
			"{\"at\":" DATE("1795168800000") "}"},
		{"{at: epoch_ns}", "{\"at\":1795168800000123456}",
			"{\"at\":" DATE("1795168800000") "}"},
		{"{at: epoch}", "{\"at\":1700000000}", "{\"at\":" DATE("1700000000000") "}"},
		{"{at: epoch}", "{\"at\":\"1700000000\"}",
			"{\"at\":" DATE("1700000000000") "}"},
		{"{at: epoch}", "{\"at\":1700000000.123}",
			"{\"at\":" DATE("1700000000123") "}"},
		{"{at: epoch}", "{\"at\":-1.5}", "{\"at\":" DATE("-1500") "}"},
		{"{at: epoch_ms}", "{\"at\":1700000000123}",
			"{\"at\":" DATE("1700000000123") "}"},
		{"{at: epoch}", "{\"at\":1700000000123}", NULL, "at",
			"not a time of its format (epoch)"},
		{"{at: epoch}", "{\"at\":true}", NULL, "at", "at is bool true"},
		{"{at: epoch_ms}", "{\"at\":{\"$numberDouble\":\"NaN\"}}", NULL, "at",
			"not a time"},
		{"{at: \"%Y-%m-%d\"}", "{\"at\":\"2023-02-30\"}", NULL, "at", "\"2023-02-30\""},
		{"{at: \"%Y-%m-%d\"}", "{\"at\":\"2023-02-20x\"}", NULL, "at", "not a time"},
		{"{at: \"%Y-%m-%d\"}", "{\"at\":20230220}", NULL, "at", "at is int32 20230220"},
		{"{at: iso8601}", "{\"at\":\"\"}", NULL, "at", "not a time"},
		/* Missing, null and dates pass. */
		{"{at: iso8601}", "{\"b\":1}", "{\"b\":1}"},
		{"{at: iso8601}", "{\"at\":null}", "{\"at\":null}"},
		{"{at: iso8601}", "{\"at\":" DATE("5") "}", "{\"at\":" DATE("5") "}"},
		/* Into another field. */
		{"{at: {to: when}}", "{\"at\":\"1970-01-01\",\"z\":1}",
			"{\"at\":\"1970-01-01\",\"z\":1,\"when\":" DATE("0") "}"},
		{"{at: {to: when}}", "{\"when\":7,\"at\":\"1970-01-01\"}",
			"{\"when\":" DATE("0") ",\"at\":\"1970-01-01\"}"},
		{"{at: {to: when}}", "{\"at\":null}", "{\"at\":null,\"when\":null}"},
		{"{a: {to: b}, b: {to: a}}", "{\"a\":\"1970-01-01\",\"b\":\"1970-01-02\"}",
			"{\"a\":" DATE("86400000") ",\"b\":" DATE("0") "}"},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_parse_time, cases);
}

static void test_pointers(void **state)
{
	static const struct transform_case cases[] = {
		{"{/m/at: iso8601}", "{\"m\":{\"at\":\"2026-07-01T10:00:00Z\",\"v\":1}}",
			"{\"m\":{\"at\":{\"$date\":\"2026-07-01T10:00:00Z\"},\"v\":1}}"},
		{"{at: {to: /m/at}}", "{\"at\":\"2026-07-01T10:00:00Z\"}",
			"{\"at\":\"2026-07-01T10:00:00Z\","
			"\"m\":{\"at\":{\"$date\":\"2026-07-01T10:00:00Z\"}}}"},
		{"{/m/at: {on_bad: drop}}", "{\"m\":{\"at\":\"x\",\"v\":1}}", "{\"m\":{\"v\":1}}"},
		{"{/m/at: iso8601}", "{\"m\":{\"at\":\"x\"}}", NULL, "/m/at", "x"},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_parse_time, cases);
}

static void test_refused(void **state)
{
	const struct etl_transform_type *type = &etl_transform_parse_time;

	(void)state;
	transform_refused(type, "{at: \"%Q\"}", "E015", "%Q");
	transform_refused(type, "{at: \"%H:%M\"}", "E015", "no full date");
	transform_refused(type, "{at: {timezone: Europe/Rom}}", "E018", "Europe/Rom");
	transform_refused(type, "{at: {to: /a/*}}", "E014", "has a '*'");
	transform_refused(type, "{/a/*: iso8601}", "E014", "has a '*'");
	transform_refused(type, "{a: {to: c}, b: {to: c}}", "E023", "two dates for field 'c'");
	transform_refused(type, "{a: {to: b}, b: iso8601}", "E023", "two dates for field 'b'");
	transform_refused(type, "{at: {on_bad: keep}}", "E015", "reject, null, drop, text");
	transform_refused(type, "{at: {fold: third}}", "", "fold");
	transform_refused(type, "[at]", "E014", "mapping");
}

/* The night of 2024-10-27 in Paris, 02:00 to 03:00 twice. The order counts within a unit; before its
 * first record lies the unit's begin, so that the second pass is read as such when it comes alone. */
static void test_sequence_by_unit(void **state)
{
	static const struct {
		const char *local;
		int64_t minute; /* event time, since 00:00Z: the first pass is unit 0, the second unit 1 */
		int64_t want;	/* minute */
	} rows[] = {
		{"2024-10-27T02:10", 10, 10}, {"2024-10-27T02:20", 80, 80}, {"2024-10-27T02:50", 50, 50},
		{"2024-10-27T02:30", 90, 90}, {"2024-10-27T02:40", 55, 100},
	};
	struct etl_window before = rig_window;
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_batch *batch = etl_batch_new();
	struct rig rig;

	(void)state;
	rig_window.start.ms = INT64_C(1729987200000);
	transform_open(&rig, &etl_transform_parse_time, "{at: {timezone: Europe/Paris, fold: sequence}}");
	rig.stage.unit = rig_unit_by_hour;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bson_t *doc = BCON_NEW("at", BCON_UTF8(rows[i].local));

		etl_batch_add_copy(batch, doc, (etl_wall){rig_window.start.ms + rows[i].minute * 60000}, i);
		bson_destroy(doc);
	}
	assert_int_equal(etl_transform_parse_time.apply(rig.self, batch, &err), 0);
	assert_int_equal(batch->n_rejects, 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct etl_element e;
		etl_wall at;

		assert_true(etl_doc_find(batch->records[i].bson, batch->records[i].len, "at", &e));
		assert_true(etl_element_date(&e, &at));
		assert_int_equal((at.ms - rig_window.start.ms) / 60000, rows[i].want);
	}
	rig_free(&rig);
	etl_batch_free(batch);
	rig_window = before;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sequence_by_unit),
		cmocka_unit_test(test_pointers),
	};

	return cmocka_run_group_tests_name("transform/parse_time", tests, NULL, NULL);
}
