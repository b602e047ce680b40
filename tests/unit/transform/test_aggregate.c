/* SPDX-License-Identifier: MIT
 *
 * aggregate: cases by hand, and shuffled, split batches against a naive reference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "../../lib/plugin.h"

extern const struct etl_transform_type etl_transform_aggregate;

#define T(ms) "\"t\":{\"$date\":{\"$numberLong\":\"" ms "\"}}"
#define AT(ms) "\"timestamp\":{\"$date\":{\"$numberLong\":\"" ms "\"}}"
#define N(n) "{\"$numberLong\":\"" n "\"}"
#define D(n) "{\"$numberDouble\":\"" n "\"}"

/* All of `in` (NULL-ended) in batches of one; the results must be `out`. */
static void run(const char *yaml, const char *const *in, const char *const *out, size_t rejects)
{
	const struct etl_transform_type *type = &etl_transform_aggregate;
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_batch *batch = etl_batch_new(), *result = etl_batch_new();
	struct rig rig;
	size_t n = 0;

	transform_open(&rig, type, yaml);
	for (; *in; in++) {
		etl_batch_reset(batch);
		batch_put(batch, *in);
		assert_int_equal(type->apply(rig.self, batch, &err), 0);
		assert_int_equal(batch->n, 0);
		rejects -= batch->n_rejects;
	}
	assert_int_equal(rejects, 0);
	assert_int_equal(type->flush(rig.self, result, &err), 0);
	for (; out[n]; n++)
		need_record(result, n, out[n], yaml);
	assert_int_equal(result->n, n);
	etl_batch_reset(result);
	assert_int_equal(type->flush(rig.self, result, &err), 0);
	assert_int_equal(result->n, 0); /* forgotten */
	rig_free(&rig);
	etl_batch_free(batch);
	etl_batch_free(result);
}

#define RUN(yaml, in, out, rejects)                                                            \
	run(yaml, (const char *const[]){in, NULL}, (const char *const[]){out, NULL}, rejects)
#define L(...) __VA_ARGS__

#define M(n) "{\"$numberDecimal\":\"" n "\"}"

/* Decimals and whole numbers stay exact, and decimals, in any order; a double among them makes
 * the sum and the mean a double whatever comes first. */
static void test_decimals(void **state)
{
	(void)state;
	RUN("{every: 1h, sum: [v], mean: [v], min: [v], max: [v], first: [v], last: [v]}",
		L("{" T("0") ",\"v\":" M("0.10") "}", "{" T("1") ",\"v\":" M("0.10") "}",
			"{" T("2") ",\"v\":" M("0.10") "}"),
		L("{" AT("0") ",\"v_mean\":" M("0.10") ",\"v_min\":" M("0.10") ",\"v_max"
			"\":" M("0.10")
			",\"v_sum\":" M("0.30") ",\"v_first\":" M("0.10") ",\"v_last\":" M("0.1"
				"0") "}"), 0);
	RUN("{every: 1h, sum: [v], mean: [v]}",
		L("{" T("0") ",\"v\":2}", "{" T("1") ",\"v\":" M("0.5") "}",
			"{" T("2") ",\"v\":3}"),
		L("{" AT("0") ",\"v_mean\":" M("1.833333333333333333333333333333333") ",\"v_sum"
			"\":" M("5.5") "}"), 0);
	RUN("{every: 1h, sum: [v]}", L("{" T("0") ",\"v\":0.5}",
		"{" T("1") ",\"v\":" M("0.25") "}"),
		L("{" AT("0") ",\"v_sum\":" D("0.75") "}"), 0);
	RUN("{every: 1h, sum: [v]}", L("{" T("0") ",\"v\":" M("0.25") "}",
		"{" T("1") ",\"v\":0.5}"),
		L("{" AT("0") ",\"v_sum\":" D("0.75") "}"), 0);
	/* one and the same as doubles */
	RUN("{every: 1h, min: [v], max: [v]}",
		L("{" T("0") ",\"v\":" M("1.00000000000000000002") "}", "{" T("1") ",\"v\":1}",
			"{" T("2") ",\"v\":" M("1.00000000000000000003") "}"),
		L("{" AT("0") ",\"v_min\":1,\"v_max\":" M("1.00000000000000000003") "}"), 0);
}

static void test_cases(void **state)
{
	(void)state;
	/* The example of the file, at 0 in place of 10:00. */
	RUN("{every: 1h, by: [s], mean: [v], max: [v], count: n}",
		L("{" T("300000") ",\"s\":\"a\",\"v\":1}", "{" T("3300000") ",\"s\":\"a\",\"v\":3}",
			"{" T("1800000") ",\"s\":\"b\",\"v\":5}"),
		L("{\"s\":\"a\"," AT("0") ",\"v_mean\":" D("2.0") ",\"v_max\":3,\"n\":" N("2") "}",
			"{\"s\":\"b\"," AT("0") ",\"v_mean\":" D("5.0") ",\"v_max\":5,\"n\":"
			N("1") "}"),
		0);
	RUN("{every: 1h, mean: [v], count: n}",
		L("{" T("0") ",\"v\":1}", "{" T("3599999") ",\"v\":2}",
			"{" T("3600000") ",\"v\":5.5}", "{" T("-1") ",\"v\":7}"),
		L("{" AT("-3600000") ",\"v\":" D("7.0") ",\"n\":" N("1") "}",
			"{" AT("0") ",\"v\":" D("1.5") ",\"n\":" N("2") "}",
			"{" AT("3600000") ",\"v\":" D("5.5") ",\"n\":" N("1") "}"),
		0);
	RUN("{every: 1m, by: [s], mean: [v], max: [v], time: at}",
		L("{" T("5") ",\"s\":\"b\",\"v\":1}", "{" T("4") ",\"s\":\"a\",\"v\":2}",
			"{" T("3") ",\"v\":3}", "{" T("2") ",\"s\":null,\"v\":null}",
			"{" T("1") ",\"s\":\"b\"}"),
		L("{\"s\":\"b\",\"at\":{\"$date\":{\"$numberLong\":\"0\"}},\"v_mean\":" D(
			  "1.0") ",\"v_max\":1}",
			"{\"s\":\"a\",\"at\":{\"$date\":{\"$numberLong\":\"0\"}},\"v_mean\":" D(
				"2.0") ",\"v_max\":2}",
			"{\"at\":{\"$date\":{\"$numberLong\":\"0\"}},\"v_mean\":" D(
				"3.0") ",\"v_max\":3}",
			"{\"s\":null,\"at\":{\"$date\":{\"$numberLong\":\"0\"}},\"v_mean\":"
			"null,"
			"\"v_max\":null}"),
		0);
	/* Numbers as keys, by value; first and last by event time; integers stay integers. */
	RUN("{every: 1h, by: k, first: v, last: v, sum: [v], min: v, stddev: v}",
		L("{" T("3") ",\"k\":1,\"v\":5}", "{" T("9") ",\"k\":1.0,\"v\":2}",
			"{" T("1") ",\"k\":" N("1") ",\"v\":8}"),
		L("{\"k\":1," AT("0") ",\"v_min\":2,\"v_sum\":" N("15")
		  ",\"v_first\":8,\"v_last\":2,\"v_stddev\":" D("3.0") "}"),
		0);
	RUN("{every: 1h, sum: v, stddev: v}", L("{" T("3") ",\"v\":0.5}"),
		L("{" AT("0") ",\"v_sum\":" D("0.5") ",\"v_stddev\":null}"), 0);
	/* What cannot be aggregated leaves no trace. */
	RUN("{every: 1h, mean: v, count: n}",
		L("{\"v\":1}", "{" T("1") ",\"v\":\"1\"}", "{" T("1") ",\"v\":" D("NaN") "}",
			"{" T("1") ",\"v\":" D("-Infinity") "}", "{" T("1") ",\"v\":4}"),
		L("{" AT("0") ",\"v\":" D("4.0") ",\"n\":" N("1") "}"), 4);
	/* Large and small: a plain sum would give 0. */
	RUN("{every: 1h, sum: v}",
		L("{" T("1") ",\"v\":1e100}", "{" T("1") ",\"v\":1.0}",
			"{" T("1") ",\"v\":-1e100}"),
		L("{" AT("0") ",\"v_sum\":" D("1.0") "}"), 0);
	/* Days of a zone: 2023-03-26 in Rome has 23 hours, 2023-03-25T23:00Z to 26T22:00Z. */
	RUN("{every: 1d, timezone: Europe/Rome, count: n}",
		L("{" T("1679785199999") "}", "{" T("1679785200000") "}",
			"{" T("1679867999999") "}", "{" T("1679868000000") "}"),
		L("{" AT("1679698800000") ",\"n\":" N("1") "}",
			"{" AT("1679785200000") ",\"n\":" N("2") "}",
			"{" AT("1679868000000") ",\"n\":" N("1") "}"),
		0);
	/* Weeks begin on Mondays (2023-03-20), months and years with their first local day
	 * (2023-02-28T23:00Z). */
	RUN("{every: 1w, count: n}", L("{" T("1679785199999") "}", "{" T("1679875199999") "}"),
		L("{" AT("1679270400000") ",\"n\":" N("2") "}"), 0);
	RUN("{every: 1mo, timezone: Europe/Rome, count: n}",
		L("{" T("1677625199999") "}", "{" T("1677625200000") "}", "{" T("1680299999999") "}"),
		L("{" AT("1675206000000") ",\"n\":" N("1") "}",
			"{" AT("1677625200000") ",\"n\":" N("2") "}"),
		0);
	RUN("{every: 1y, count: n}", L("{" T("1672531200000") "}", "{" T("1704067199999") "}"),
		L("{" AT("1672531200000") ",\"n\":" N("2") "}"), 0);
}

static void test_pointers(void **state)
{
	(void)state;
	RUN("{every: 1h, by: [/m/id], mean: [/v/a], max: [/v/b], count: /m/n, time: /m/at}",
		L("{" T("0") ",\"m\":{\"id\":\"x\",\"o\":1},\"v\":{\"a\":1,\"b\":5}}",
			"{" T("1") ",\"m\":{\"id\":\"x\"},\"v\":{\"a\":2,\"b\":7}}",
			"{" T("2") ",\"m\":{\"id\":\"x\"},\"v\":{\"a\":\"bad\"}}"),
		L("{\"m\":{\"id\":\"x\",\"at\":{\"$date\":{\"$numberLong\":\"0\"}},\"n\":" N("2")
		  "},\"v\":{\"a\":" D("1.5") ",\"b_max\":7}}"),
		1);
}

static void test_refused(void **state)
{
	const struct etl_transform_type *type = &etl_transform_aggregate;

	(void)state;
	transform_refused(type, "{mean: [v]}", "E013", "every");
	transform_refused(type, "{every: 1h}", "E023", "nothing to work out");
	transform_refused(type, "{every: 1h, by: [v], mean: [v]}", "E023", "named 'v'");
	transform_refused(type, "{every: 1h, mean: [timestamp]}", "E023", "named 'timestamp'");
	transform_refused(type, "{every: 1h, count: n, time: n}", "E023", "named 'n'");
	transform_refused(type, "{every: 1h, mean: [v, v]}", "E023", "twice");
	transform_refused(type, "{every: 1h, by: [s], min: [s]}", "E023", "'s' is in 'by'");
	transform_refused(type, "{every: 1h, mean: [/a/*]}", "E014", "has a '*'");
	transform_refused(
		type, "{every: 1h, timezone: Europe/Rome, count: n}", "E023", "whole days");
	transform_refused(
		type, "{every: 1d, timezone: Europe/Rom, count: n}", "E018", "Europe/Rom");
}

enum { VALUES = 3000, HOURS = 24, STATIONS = 3 };

struct sample {
	int64_t ms;
	int station;
	double v;
};

static void feed(struct rig *rig, const struct sample *samples, size_t n, size_t step)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_batch *batch = etl_batch_new();

	for (size_t i = 0; i < n; i++) {
		bson_t *doc = BCON_NEW("t", BCON_DATE_TIME(samples[i].ms), "s",
			BCON_INT32(samples[i].station), "v", BCON_DOUBLE(samples[i].v));

		batch_put_doc(batch, doc);
		bson_destroy(doc);
		if ((i + 1) % step == 0 || i + 1 == n) {
			assert_int_equal(
				etl_transform_aggregate.apply(rig->self, batch, &err), 0);
			etl_batch_reset(batch);
		}
	}
	etl_batch_free(batch);
}

static double number(const struct etl_record *r, const char *key)
{
	struct etl_element e;
	double v = 0;

	assert_true(etl_doc_find(r->bson, r->len, key, &e));
	assert_true(etl_element_double(&e, &v));
	return v;
}

static void need_near(double got, double want)
{
	if (!(fabs(got - want) <= 1e-12 * fmax(1, fabs(want))))
		fail_msg("%.17g is not %.17g", got, want);
}

static void compare(const struct etl_record *r, const struct sample *samples)
{
	long double sum = 0, squares = 0, low = 1e9L, high = -1e9L;
	int station = (int)number(r, "s");
	size_t n = 0;

	for (size_t i = 0; i < VALUES; i++) {
		long double v = samples[i].v;

		if (samples[i].station != station ||
			samples[i].ms / 3600000 * 3600000 != r->time.ms)
			continue;
		sum += v;
		low = v < low ? v : low;
		high = v > high ? v : high;
		n++;
	}
	for (size_t i = 0; i < VALUES; i++)
		if (samples[i].station == station &&
			samples[i].ms / 3600000 * 3600000 == r->time.ms)
			squares += (samples[i].v - sum / n) * (samples[i].v - sum / n);
	assert_int_equal((size_t)number(r, "n"), n);
	need_near(number(r, "v_mean"), (double)(sum / n));
	need_near(number(r, "v_sum"), (double)sum);
	need_near(number(r, "v_min"), (double)low);
	need_near(number(r, "v_max"), (double)high);
	if (n > 1)
		need_near(number(r, "v_stddev"), (double)sqrtl(squares / (n - 1)));
}

/* In any order, cut anywhere: the same groups, equal to the reference. */
static void test_reference(void **state)
{
	uint64_t random = test_seed();
	struct sample samples[VALUES];

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct etl_batch *result = etl_batch_new();
		struct etl_error err = ETL_ERROR_INIT;
		struct rig rig;
		double total = 0;

		for (size_t i = 0; i < VALUES; i++)
			samples[i] = (struct sample){
				.ms = (int64_t)(test_random(&random) % (HOURS * 3600000)),
				.station = (int)(test_random(&random) % STATIONS),
				.v = (double)(int64_t)(test_random(&random) >> 20) / 1e9 - 5000,
			};
		transform_open(&rig, &etl_transform_aggregate,
			"{every: 1h, by: [s], mean: v, sum: v, min: v, max: v, stddev: v, "
			"count: n}");
		feed(&rig, samples, VALUES, 1 + test_random(&random) % 700);
		assert_int_equal(etl_transform_aggregate.flush(rig.self, result, &err), 0);
		for (size_t i = 0; i < result->n; i++) {
			assert_true(!i || result->records[i].time.ms >=
						  result->records[i - 1].time.ms);
			compare(&result->records[i], samples);
			total += number(&result->records[i], "n");
		}
		assert_int_equal((size_t)total, VALUES);
		rig_free(&rig);
		etl_batch_free(result);
	}
}

static void sum_of(const double *values, size_t n, struct etl_batch *out)
{
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct rig rig;

	transform_open(&rig, &etl_transform_aggregate, "{every: 1h, mean: v, sum: v, stddev: v}");
	for (size_t i = 0; i < n; i++) {
		bson_t *doc = BCON_NEW("v", BCON_DOUBLE(values[i]));

		etl_batch_add_copy(batch, doc, (etl_wall){(int64_t)i}, i);
		bson_destroy(doc);
	}
	assert_int_equal(etl_transform_aggregate.apply(rig.self, batch, &err), 0);
	assert_int_equal(etl_transform_aggregate.flush(rig.self, out, &err), 0);
	assert_int_equal(out->n, 1);
	rig_free(&rig);
	etl_batch_free(batch);
}

/* Values of very different sizes, in two orders: not a bit differs. */
static void test_order(void **state)
{
	uint64_t random = test_seed();
	double values[200];

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct etl_batch *one = etl_batch_new(), *other = etl_batch_new();
		size_t n = 2 + test_random(&random) % 199;
		int sizes = 1 << test_random(&random) % 9;

		for (size_t i = 0; i < n; i++)
			values[i] = ldexp((double)(int64_t)test_random(&random) / 1e18,
				(int)(test_random(&random) % (unsigned)sizes));
		sum_of(values, n, one);
		for (size_t i = n; i > 1; i--) {
			size_t k = test_random(&random) % i;
			double v = values[k];

			values[k] = values[i - 1];
			values[i - 1] = v;
		}
		sum_of(values, n, other);
		assert_int_equal(one->records[0].len, other->records[0].len);
		assert_memory_equal(one->records[0].bson, other->records[0].bson, one->records[0].len);
		etl_batch_free(one);
		etl_batch_free(other);
	}
}

/* The nearest double to the exact sum, whatever lies between; ties go to the even one. */
static void test_exact_sums(void **state)
{
	static const struct {
		double values[4], sum;
	} cases[] = {
		{{1e300, 1, -1e300, 0}, 1},
		{{0.1, 0.2, 0.3, -0.6}, 2.7755575615628914e-17},
		{{1, 0x1p-53, 0, 0}, 1},
		{{1, 0x1p-53, 0x1p-106, 0}, 1 + 0x1p-52},
		{{1, 0x1p-52, 0x1p-53, -0x1p-106}, 1 + 0x1p-52},
		{{-1, -0x1p-53, -0x1p-106, 0}, -1 - 0x1p-52},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_batch *out = etl_batch_new();
		double got;

		sum_of(cases[i].values, 4, out);
		got = number(&out->records[0], "v_sum");
		if (memcmp(&got, &cases[i].sum, sizeof got) != 0)
			fail_msg("case %zu: %.17g is not %.17g", i, got, cases[i].sum);
		etl_batch_free(out);
	}
}

/* Whole numbers whose sum leaves 64 bits on the way, and one value as a double and as a whole number. */
static void test_order_of_types(void **state)
{
	static const char *const rows[] = {
		"{\"v\":9223372036854775807,\"w\":5}", "{\"v\":5,\"w\":5.0}", "{\"v\":-6,\"w\":1}"};
	static const char want[] = "{\"timestamp\":{\"$date\":\"1970-01-01T00:00:00Z\"},"
				   "\"w_max\":5,\"v_sum\":9223372036854775806}";
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	(void)state;
	for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
		struct etl_batch *batch = etl_batch_new();
		struct etl_error err = ETL_ERROR_INIT;
		struct rig rig;

		transform_open(&rig, &etl_transform_aggregate, "{every: 1h, sum: v, max: w}");
		for (size_t i = 0; i < 3; i++) {
			batch_put(batch, rows[orders[o][i]]);
			batch->records[i].time.ms = 0;
		}
		assert_int_equal(etl_transform_aggregate.apply(rig.self, batch, &err), 0);
		assert_int_equal(etl_transform_aggregate.flush(rig.self, batch, &err), 0);
		need_record(batch, 0, want, "any order");
		rig_free(&rig);
		etl_batch_free(batch);
	}
}

static void test_limit(void **state)
{
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct rig rig;
	size_t done = 0;
	int rc = 0;

	(void)state;
	transform_open(&rig, &etl_transform_aggregate, "{every: 1s, count: n}");
	for (; rc == 0 && done <= 1000000; done += 1000) {
		bson_t empty = BSON_INITIALIZER;

		etl_batch_reset(batch);
		for (size_t i = 0; i < 1000; i++)
			etl_batch_add_copy(
				batch, &empty, (etl_wall){(int64_t)(done + i) * 1000}, i);
		rc = etl_transform_aggregate.apply(rig.self, batch, &err);
	}
	assert_int_equal(rc, -1);
	assert_int_equal(done, 1001000); /* the first million fitted */
	assert_int_equal(err.kind, ETL_LIMIT);
	rig_free(&rig);
	etl_batch_free(batch);
}

/* A window may not cut a bucket: its mean would be that of some of its records. */
static void test_cut_buckets(void **state)
{
	static const struct {
		const char *yaml;
		int64_t start_h, end_h; /* hours since 1970 */
		bool fits;
	} cases[] = {
		{"{every: 1d, count: n}", 24, 72, true},
		{"{every: 1d, count: n}", 31, 79, false},
		{"{every: 1d, count: n}", 24, 36, false},
		{"{every: 1h, count: n}", 31, 79, true},
		/* Days of Rome, in winter and when the clocks changed (1982-03-28 has 23 hours). */
		{"{every: 1d, timezone: Europe/Rome, count: n}", 23, 71, true},
		{"{every: 1d, timezone: Europe/Rome, count: n}", 24, 72, false},
		{"{every: 1d, timezone: Europe/Rome, count: n}", 107255, 107278, true},
		{"{every: 1d, timezone: Europe/Rome, count: n}", 107255, 107279, false},
		/* A full read has no edges. */
		{"{every: 1d, count: n}", 0, 7, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct etl_transform_type *type = &etl_transform_aggregate;
		struct etl_error err = ETL_ERROR_INIT;
		struct etl_batch *batch = etl_batch_new();
		bson_t doc = BSON_INITIALIZER;
		struct rig rig;

		rig_window = (struct etl_window){{cases[i].start_h * 3600000}, {cases[i].end_h * 3600000}};
		transform_open(&rig, type, cases[i].yaml);
		etl_batch_add_copy(batch, &doc, rig_window.start, 0);
		etl_batch_add_copy(batch, &doc, (etl_wall){rig_window.end.ms - 1}, 1);
		assert_int_equal(type->apply(rig.self, batch, &err), cases[i].fits ? 0 : -1);
		assert_int_equal(err.kind, cases[i].fits ? ETL_OK : ETL_DATA);
		if (rig_window.start.ms)
			assert_int_equal(!type->window_fault(rig.options, &rig_window), cases[i].fits);
		rig_free(&rig);
		etl_batch_free(batch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_exact_sums),
		cmocka_unit_test(test_order_of_types),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_cut_buckets),
	};

	rig_window.start.ms = 0; /* as a full read: the records lie anywhere */

	return cmocka_run_group_tests_name("transform/aggregate", tests, NULL, NULL);
}
