/* SPDX-License-Identifier: MIT
 *
 * Option tables: what is filled, fallbacks, whole-body tables, the description. Errors have
 * their golden files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "conf/schema.h"
#include "sample.h"

struct fixture {
	struct etl_conf_env env;
};

static int setup(void **state)
{
	struct fixture *fx = ETL_NEW(struct fixture);

	fx->env = (struct etl_conf_env){
		.arena = etl_arena_new(0), .diag = etl_diag_new(), .what = "job 'x'"};
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;

	etl_diag_free(fx->env.diag);
	etl_arena_free(fx->env.arena);
	free(fx);
	return 0;
}

static struct etl_node *parse(struct fixture *fx, const char *text)
{
	return etl_conf_parse(fx->env.arena, "t", text, strlen(text), &sample_load, fx->env.diag);
}

static void a_job_is_filled(void **state)
{
	struct fixture *fx = *state;
	struct sample s = {.tolerance = 0};

	assert_true(etl_options_fill(sample_table,
		parse(fx, "schedule: {cron: \"@hourly\", jitter: 2m, misfire: skip}\n"
			  "retry: {max: \"${RETRIES}\"}\n"
			  "window: {size: 1h30m, start: 2024-01-01T01:00:00+01:00}\n"
			  "extract: {http: {url: NO, max_bytes: 2MiB, rate: 30/m, ipv4_only: true,\n"
			  "  query: {b: 010, a: \"1\"}}}\n"
			  "keep: one\n"
			  "tolerance: 1e-1\n"),
		&s, "job", &fx->env));
	assert_int_equal(etl_diag_count(fx->env.diag), 0);
	assert_null(s.description);
	assert_string_equal(s.schedule.cron, "@hourly");
	assert_int_equal(s.schedule.jitter.us, 120000000);
	assert_int_equal(s.schedule.misfire, 2);
	assert_true(s.has_retry);
	assert_int_equal(s.retry.max, 5);
	assert_int_equal(s.retry.backoff.us, 30000000);
	assert_int_equal(s.window.size.us, INT64_C(5400000000));
	assert_int_equal(s.window.start.ms, INT64_C(1704067200000));
	assert_string_equal(s.extract.http.url, "NO");
	assert_int_equal(s.extract.http.max_bytes, 2 << 20);
	assert_true(s.extract.http.rate == 0.5);
	assert_true(s.extract.http.ipv4_only);
	assert_int_equal(s.extract.http.timeout.us, 60000000);
	assert_int_equal(s.extract.http.query.n, 2);
	assert_string_equal(s.extract.http.query.keys[0], "b");
	assert_string_equal(s.extract.http.query.values[0], "010");
	assert_int_equal(s.keep.n, 1);
	assert_string_equal(s.keep.items[0], "one");
	assert_int_equal(s.keep.nodes[0]->mark.line, 6);
	assert_true(s.tolerance == 0.1);
}

static void absent_tables_get_their_fallbacks(void **state)
{
	struct fixture *fx = *state;
	struct sample s = {.tolerance = 0};

	assert_true(etl_options_fill(sample_table,
		parse(fx, "schedule: {cron: x}\nextract: {http: {url: x}}\n"), &s, "job", &fx->env));
	assert_false(s.has_retry);
	assert_int_equal(s.retry.max, 3);
	assert_int_equal(s.extract.http.max_bytes, 64 << 20);
	assert_true(s.extract.http.rate == 10);
	assert_true(s.tolerance == 0.5);
	assert_int_equal(s.keep.n, 0);
	assert_null(s.extract.http.auth.user); /* required, but only inside its table */
}

static void no_node_means_fallbacks_and_missing_keys(void **state)
{
	struct fixture *fx = *state;
	struct sample_http http = {.method = -1};
	struct sample_auth auth = {.user = NULL};

	assert_false(etl_options_fill(sample_http_table, NULL, &http, "extract.http", &fx->env));
	assert_int_equal(http.method, 0);
	assert_int_equal(http.timeout.us, 60000000);
	assert_int_equal(etl_diag_count(fx->env.diag), 1);
	assert_false(etl_options_fill(sample_auth_table, NULL, &auth, "auth", &fx->env));
	assert_int_equal(etl_diag_count(fx->env.diag), 3);
}

static void a_table_can_be_the_whole_body(void **state)
{
	static const struct etl_option list[] = {
		{.name = "", .type = ETL_OPT_STRINGS, .required = true, .help = "fields"}, {0}};
	static const struct etl_option pairs[] = {
		{.name = "", .type = ETL_OPT_PAIRS, .help = "names"}, {0}};
	static const struct etl_option body[] = {{.name = "", .type = ETL_OPT_NODE}, {0}};
	struct fixture *fx = *state;
	struct etl_strings strings = {0};
	struct etl_pairs names = {0};
	const struct etl_node *node = NULL, *null = parse(fx, "");

	assert_true(etl_options_fill(list, parse(fx, "[a, b]"), &strings, "keep", &fx->env));
	assert_int_equal(strings.n, 2);
	assert_true(etl_options_fill(pairs, parse(fx, "{a: b}"), &names, "rename", &fx->env));
	assert_string_equal(names.values[0], "b");
	assert_true(etl_options_fill(body, null, &node, "set", &fx->env));
	assert_ptr_equal(node, null);
	assert_false(etl_options_fill(list, null, &strings, "keep", &fx->env));
	assert_int_equal(etl_diag_count(fx->env.diag), 1);
}

static void limits_include_their_ends(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {{"1s", true}, {"999ms", false}, {"1h", true}, {"1h1ms", false},
		{"3600s", true}, {"0s", false}};
	struct fixture *fx = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sample_http http = {.url = NULL};
		etl_cleanup(free) char *yaml = etl_strf("{url: x, timeout: %s}", cases[i].text);

		assert_int_equal(etl_options_fill(sample_http_table, parse(fx, yaml), &http,
					 "http", &fx->env),
			cases[i].good);
	}
}

static void sizes_do_not_overflow(void **state)
{
	static const char *const bad[] = {"18446744073709551616B", "99999999999999999999GiB",
		"16777216TiB", "KiB", "1KB", "1 KiB", "-1KiB", "1.5KiB"};
	static const struct etl_option table[] = {{.name = "", .type = ETL_OPT_SIZE}, {0}};
	struct fixture *fx = *state;
	uint64_t v = 7;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(etl_options_fill(table, parse(fx, bad[i]), &v, "size", &fx->env));
	assert_int_equal(v, 7);
	assert_true(etl_options_fill(
		table, parse(fx, "18446744073709551615B"), &v, "size", &fx->env));
	assert_true(v == UINT64_MAX);
}

static void tables_describe_themselves(void **state)
{
	struct etl_buf out;

	(void)state;
	etl_buf_init(&out, 1 << 16);
	etl_options_describe(sample_extract_table, "extract", &out);
	assert_non_null(strstr(etl_buf_text(&out),
		"extract.http.url\ttext\trequired\t-\twhere to ask\n"));
	assert_non_null(strstr(etl_buf_text(&out),
		"extract.http.method\tword\tGET\tGET | POST\tthe request's method\n"));
	assert_non_null(strstr(etl_buf_text(&out),
		"extract.http.timeout\tduration\t60s\t1s to 1h\tfor the whole answer\n"));
	assert_non_null(strstr(etl_buf_text(&out),
		"extract.http.max_bytes\tsize\t64MiB\t1KiB to 1GiB\tof one answer\n"));
	assert_non_null(strstr(etl_buf_text(&out), "extract.http.auth.password\tsecret\t"));
	etl_buf_fini(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_is_filled),
		TEST(absent_tables_get_their_fallbacks),
		TEST(no_node_means_fallbacks_and_missing_keys),
		TEST(a_table_can_be_the_whole_body),
		TEST(limits_include_their_ends),
		TEST(sizes_do_not_overflow),
		cmocka_unit_test(tables_describe_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
