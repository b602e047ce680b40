/* SPDX-License-Identifier: MIT
 *
 * tests/golden/job: each NAME.yaml is loaded as a job with all plugins of the build; the
 * errors must be NAME.txt to the byte (empty for a good file), each with its place.
 * ETLD_GOLDEN_WRITE=1 writes what comes out. Then a full file, value by value.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/load.h"
#include "flow/flow.h"
#include "job/job.h"

#define FOLDER "tests/golden/job"

struct loaded {
	struct etl_arena *arena;
	struct etl_diag *diag;
	struct etl_conf_env env;
	struct etl_job *job;
};

static void load(struct loaded *l, const char *name, const char *bytes, size_t len)
{
	struct etl_node *root;

	*l = (struct loaded){.arena = etl_arena_new(0), .diag = etl_diag_new()};
	l->env = (struct etl_conf_env){.arena = l->arena, .diag = l->diag, .what = "job 'sample'",
		.now = {INT64_C(4102444800000)}}; /* 2100 */
	root = etl_conf_parse(l->arena, name, bytes, len, NULL, l->diag);
	if (root)
		l->job = etl_job_load("sample", root, &l->env);
}

static void unload(struct loaded *l)
{
	if (l->job)
		etl_job_fini(l->job);
	etl_diag_free(l->diag);
	etl_arena_free(l->arena);
}

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *bytes = etl_calloc(1, ETL_CONF_FILE_MAX);

	if (file) {
		size_t n = fread(bytes, 1, ETL_CONF_FILE_MAX - 1, file);

		bytes[n] = '\0';
		fclose(file);
	}
	return bytes;
}

static void write_whole(const char *path, const char *text)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Every error and warning says where: as many arrows as words. */
static bool all_located(const char *text)
{
	size_t errors = 0, places = 0;

	for (const char *at = text; (at = strstr(at, "error[E")); at++)
		errors++;
	for (const char *at = text; (at = strstr(at, "warning[W")); at++)
		errors++;
	for (const char *at = text; (at = strstr(at, "--> ")); at++)
		places++;
	return errors == places;
}

static bool check_file(const char *name)
{
	char *yaml_path = etl_strf(FOLDER "/%s.yaml", name);
	char *txt_path = etl_strf(FOLDER "/%s.txt", name);
	char *bytes = read_whole(yaml_path), *want;
	struct loaded l;
	struct etl_buf got;
	bool same;

	load(&l, "sample.yaml", bytes, strlen(bytes));
	etl_buf_init(&got, 1 << 20);
	etl_diag_print(l.diag, &got);
	if (!l.job && !got.len)
		fail_msg("%s: neither job nor error", name);
	if (getenv("ETLD_GOLDEN_WRITE"))
		write_whole(txt_path, etl_buf_text(&got));
	want = read_whole(txt_path);
	same = strcmp(want, etl_buf_text(&got)) == 0;
	if (!same)
		print_error("%s: wanted\n%s\ngot\n%s\n", name, want, etl_buf_text(&got));
	if (!all_located(etl_buf_text(&got))) {
		print_error("%s: an error without a place:\n%s\n", name, etl_buf_text(&got));
		same = false;
	}
	etl_buf_fini(&got);
	unload(&l);
	free(want);
	free(bytes);
	free(txt_path);
	free(yaml_path);
	return same;
}

static void test_goldens(void **state)
{
	DIR *folder = opendir(FOLDER);
	size_t n = 0, wrong = 0;

	(void)state;
	assert_non_null(folder);
	for (struct dirent *e; (e = readdir(folder));) {
		const char *dot = strrchr(e->d_name, '.');
		char *name;

		if (!dot || strcmp(dot, ".yaml") != 0)
			continue;
		name = etl_strf("%.*s", (int)(dot - e->d_name), e->d_name);
		wrong += !check_file(name);
		n++;
		free(name);
	}
	closedir(folder);
	assert_true(n >= 40);
	assert_int_equal(wrong, 0);
}

static const char full[] =
	"description: all of it\n"
	"schedule: {every: 30m, offset: 5m, timezone: Europe/Rome, jitter: 1m, misfire: run_each,\n"
	"  overlap: skip, timeout: 20m, max_active: 3}\n"
	"retry: {max: 7, backoff: 2s, max_backoff: 3m}\n"
	"rejects: {max_ratio: 0.5, max: 99}\n"
	"partitions:\n"
	"  station: [a, b]\n"
	"  kind: [x, y, z]\n"
	"  values: {lon: {a: '1', b: '2'}}\n"
	"group: stations\n"
	"wait_for: {collection: orders, database: shop, field: a.at, filter: {n: {$gt: 1}},\n"
	"  newer_than: 2h, poke: 30s, timeout: 10m}\n"
	"timeouts: {extract: 2m}\n"
	"deadline: window.end + 80m\n"
	"window: {size: 1h, settle: 70m, lookback: 3h, max_span: 30d, retention: 90d,\n"
	"  start: 2024-01-01T06:00:00Z, end: 2025-01-01, reread: {every: 1d, span: 7d}}\n"
	"extract:\n"
	"  http:\n"
	"    url: 'https://peer.test/{station}/{kind}/{lon}'\n"
	"    records: /data\n"
	"    time: {field: ts, format: '%s'}\n"
	"transform:\n"
	"  - set: {s: '{station}'}\n"
	"  - keep: [s, ts]\n"
	"check:\n"
	"  - unique: {fields: [s], on_fail: hold}\n"
	"load: {\"null\": {}}\n";

static void need_sensor(const struct etl_wait_for *wait)
{
	bson_t *filter = BCON_NEW("n", "{", "$gt", BCON_INT32(1), "}");

	assert_string_equal(wait->collection, "orders");
	assert_string_equal(wait->database, "shop");
	assert_string_equal(wait->field, "a.at");
	assert_true(bson_equal(wait->filter, filter));
	assert_int_equal(wait->newer_than.us, ETL_HOURS(2).us);
	assert_int_equal(wait->poke.us, ETL_SECONDS(30).us);
	assert_int_equal(wait->timeout.us, ETL_MINUTES(10).us);
	bson_destroy(filter);
}

static void test_sensor_defaults(void **state)
{
	static const char text[] = "schedule: {cron: '@hourly'}\nwindow: none\n"
				   "extract: {http: {url: 'http://a.test/'}}\nload: {\"null\": {}}\n"
				   "wait_for: {collection: orders, newer_than: 1h}\n";
	struct loaded l;

	(void)state;
	load(&l, "w.yaml", text, sizeof text - 1);
	assert_int_equal(etl_diag_count(l.diag), 0);
	assert_null(l.job->wait_for->database);
	assert_null(l.job->wait_for->filter);
	assert_string_equal(l.job->wait_for->field, "_id");
	assert_int_equal(l.job->wait_for->poke.us, ETL_MINUTES(5).us);
	assert_int_equal(l.job->wait_for->timeout.us, ETL_HOURS(1).us);
	unload(&l);
}

static void test_full_file(void **state)
{
	struct loaded l;
	const struct etl_job *job;

	(void)state;
	load(&l, "full.yaml", full, sizeof full - 1);
	assert_non_null(l.job);
	job = l.job;
	assert_string_equal(job->name, "sample");
	assert_string_equal(job->description, "all of it");
	assert_string_equal(job->schedule_text, "every 30m offset 5m");
	assert_string_equal(job->timezone, "Europe/Rome");
	assert_int_equal(job->jitter.us, ETL_MINUTES(1).us);
	assert_int_equal(job->misfire, ETL_MISFIRE_RUN_EACH);
	assert_int_equal(job->overlap, ETL_OVERLAP_SKIP);
	assert_int_equal(job->timeout.us, ETL_MINUTES(20).us);
	assert_int_equal(job->max_active, 3);
	assert_int_equal(job->retry_max, 7);
	assert_int_equal(job->retry_backoff.us, ETL_SECONDS(2).us);
	assert_int_equal(job->retry_max_backoff.us, ETL_MINUTES(3).us);
	assert_true(job->max_reject_ratio == 0.5);
	assert_int_equal(job->max_rejects, 99);
	assert_int_equal(job->window.grid.start.ms, INT64_C(1704088800000));
	assert_int_equal(job->window.end.ms, INT64_C(1735689600000));
	assert_int_equal(job->window.grid.size.us, ETL_HOURS(1).us);
	assert_int_equal(job->window.settle.us, ETL_MINUTES(70).us);
	assert_int_equal(job->window.lookback.us, ETL_HOURS(3).us);
	assert_int_equal(job->window.max_span.us, ETL_DAYS(30).us);
	assert_int_equal(job->window.retention.us, ETL_DAYS(90).us);
	assert_int_equal(job->window.reread_every.us, ETL_DAYS(1).us);
	assert_int_equal(job->window.reread_span.us, ETL_DAYS(7).us);
	assert_string_equal(job->group, "stations");
	assert_int_equal(job->step_timeout[ETL_STEP_EXTRACT].us, ETL_MINUTES(2).us);
	need_sensor(job->wait_for);
	assert_int_equal(job->deadline.us, ETL_MINUTES(80).us);
	assert_non_null(job->work);
	assert_ptr_equal(job->work, &etl_work_flow);
	assert_string_equal(job->source->name, "http");
	assert_int_equal(job->n_transforms, 2);
	assert_string_equal(job->transforms[1].type->name, "keep");
	assert_int_equal(job->n_checks, 1);
	assert_int_equal(job->checks[0].on_fail, ETL_ON_FAIL_HOLD);
	assert_int_equal(job->n_loads, 1);
	assert_string_equal(job->loads[0].type->name, "null");
	assert_non_null(job->calendar);
	unload(&l);
}

/* Within the source's mapping the keys are what they are beside it. */
static void test_extract_in_both_places(void **state)
{
	static const char *const texts[] = {
		"extract:\n  http: {url: 'http://a.test/'}\n  records: /a\n  attach: {s: /b}\n"
		"  null_records: empty\n  expect: {pointer: /c, equals: OK}\n  charset: latin1\n"
		"  time: {field: t, label: end, interval: 1h}\n",
		"extract:\n  http:\n    url: 'http://a.test/'\n    records: /a\n    attach: {s: /b}\n"
		"    null_records: empty\n    expect: {pointer: /c, equals: OK}\n    charset: latin1\n"
		"    time: {field: t, label: end, interval: 1h}\n"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char *text = etl_strf("%sschedule: {cron: '@hourly'}\nwindow: {size: 1h, start: 2024-01-01, "
				      "settle: 1h}\nload: {\"null\": {}}\n", texts[i]);
		const struct etl_decode_spec *spec;
		struct loaded l;

		load(&l, "d.yaml", text, strlen(text));
		assert_int_equal(etl_diag_count(l.diag), 0);
		spec = l.job->decode;
		assert_string_equal(spec->format->name, "json");
		assert_string_equal(spec->layout.records, "/a");
		assert_true(spec->layout.null_is_empty);
		assert_int_equal(spec->layout.n_attach, 1);
		assert_string_equal(spec->layout.attach[0].pointer, "/b");
		assert_string_equal(spec->layout.expect[0].equals, "OK");
		assert_string_equal(spec->charset, "latin1");
		assert_string_equal(etl_event_time_field(spec->time), "t");
		assert_int_equal(etl_decode_label(spec).us, ETL_HOURS(1).us);
		unload(&l);
		free(text);
	}
}

/* What stands under `load` decides the digest; its place in the file does not. */
static void test_load_digest(void **state)
{
	static const char other[] = "extract: {http: {url: 'http://a.test/'}}\n"
				    "schedule: {cron: '@hourly'}\n"
				    "window: none\n";
	static const char *const loads[] = {"load: {mongodb: {collection: a, key: [k]}}\n",
		"load:\n  mongodb:\n    collection: a\n    key: [k]\n",
		"load: {mongodb: {collection: b, key: [k]}}\n",
		"load: {mongodb: {collection: a, key: [k, l]}}\n"};
	uint64_t digests[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char *text = etl_strf("%s%s", other, loads[i]);
		struct loaded l;

		load(&l, "d.yaml", text, strlen(text));
		assert_non_null(l.job);
		digests[i] = l.job->load_digest;
		unload(&l);
		free(text);
	}
	assert_true(digests[0] == digests[1]);
	assert_true(digests[0] != digests[2]);
	assert_true(digests[0] != digests[3]);
}

static const char one_job[] = "schedule: {cron: '@hourly'}\n"
			      "window: none\n"
			      "extract: {http: {url: 'http://a.test/'}}\n";
#define A "mongodb: {collection: a, key: [k]}"
#define B "mongodb: {collection: b, key: [k]}"
#define EXPLICIT_A "mongodb: {database: etl, collection: a, key: [k]}"

static void load_loads(struct loaded *l, const char *loads, const char *database)
{
	char *text = etl_strf("%sload: [%s]\n", one_job, loads);
	struct etl_node *root;

	*l = (struct loaded){.arena = etl_arena_new(0), .diag = etl_diag_new()};
	l->env = (struct etl_conf_env){.arena = l->arena, .diag = l->diag, .what = "job 'sample'",
		.database = database};
	root = etl_conf_parse(l->arena, "loads.yaml", text, strlen(text), NULL, l->diag);
	assert_non_null(root);
	l->job = etl_job_load("sample", root, &l->env);
	free(text);
}

/* The first that can join the store's transaction commits with the ledger, wherever it stands; the name of
 * all places begins with it. */
static void test_which_load_commits(void **state)
{
	static const struct {
		const char *loads;
		size_t n, committing;
		const char *target;
	} cases[] = {
		{"{" A "}", 1, 0, "etl.a"},
		{"{" A "}, {" B "}", 2, 0, "etl.a + etl.b"},
		{"{\"null\": {}}, {" B "}, {" A "}", 3, 1, "etl.b + etl.a"},
		{"{\"null\": {}}, {\"null\": {}}", 2, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char target[ETL_TARGET_BYTES];
		struct loaded l;

		load_loads(&l, cases[i].loads, "etl");
		assert_int_equal(etl_diag_count(l.diag), 0);
		assert_int_equal(l.job->n_loads, cases[i].n);
		assert_int_equal(l.job->committing, cases[i].committing);
		etl_job_target(l.job, "etl", target);
		assert_string_equal(target, cases[i].target);
		unload(&l);
	}
}

/* A list of one is that one; the places and their order are in the digest. */
static void test_digest_of_lists(void **state)
{
	static const char *const loads[] = {"{" A "}", "{" A "}, {" B "}", "{" B "}, {" A "}"};
	uint64_t digests[3], single;
	struct loaded l;
	char *text = etl_strf("%sload: {" A "}\n", one_job);

	(void)state;
	load(&l, "d.yaml", text, strlen(text));
	single = l.job->load_digest;
	unload(&l);
	free(text);
	for (size_t i = 0; i < 3; i++) {
		load_loads(&l, loads[i], "etl");
		digests[i] = l.job->load_digest;
		unload(&l);
	}
	assert_true(digests[0] == single);
	assert_true(digests[0] != digests[1] && digests[1] != digests[2]);
}

/* The default database is the same place as its name. */
static void test_the_same_place_by_default(void **state)
{
	struct loaded l;

	(void)state;
	load_loads(&l, "{" A "}, {" EXPLICIT_A "}", "etl");
	assert_int_equal(etl_diag_count(l.diag), 1);
	unload(&l);
	load_loads(&l, "{" A "}, {" EXPLICIT_A "}", "other");
	assert_int_equal(etl_diag_count(l.diag), 0);
	unload(&l);
}

/* Places that are too many for one name still have another name than others. */
static void test_many_places(void **state)
{
	char names[2][ETL_TARGET_BYTES];

	(void)state;
	for (int k = 0; k < 2; k++) {
		struct etl_buf loads ETL_BUF_CLEANUP;
		struct loaded l;

		etl_buf_init(&loads, 4096);
		for (int i = 0; i < 8; i++)
			etl_buf_printf(&loads, "%s{mongodb: {collection: '%040d', key: [k]}}", i ? ", " : "",
				i < 7 ? i : i + k);
		load_loads(&l, etl_buf_text(&loads), "etl");
		assert_int_equal(etl_diag_count(l.diag), 0);
		etl_job_target(l.job, "etl", names[k]);
		assert_int_equal(strlen(names[k]), ETL_TARGET_BYTES - 1);
		unload(&l);
	}
	assert_string_not_equal(names[0], names[1]);
}

/* A date is a day of the zone of the windows, at the end as at the start. */
static void test_dates_of_a_zone(void **state)
{
	static const char yaml[] = "schedule: {cron: '10 * * * *'}\n"
		"window: {size: 1d, timezone: Europe/Paris, start: 2026-03-01, end: 2026-04-01}\n"
		"extract: {mongodb: {collection: src, time: {field: t}}}\n"
		"load: {mongodb: {collection: out, key: [t]}}\n";
	struct loaded l;

	(void)state;
	load(&l, "t.yaml", yaml, strlen(yaml));
	assert_int_equal(etl_diag_count(l.diag), 0);
	assert_int_equal(l.job->window.grid.start.ms, INT64_C(1772319600000)); /* 2026-02-28T23:00Z */
	assert_int_equal(l.job->window.end.ms, INT64_C(1774994400000));	       /* 2026-03-31T22:00Z */
	unload(&l);
}

static void test_jitter(void **state)
{
	struct etl_job job = {.name = "airqino", .jitter = ETL_MINUTES(2)};
	etl_dur here = etl_job_jitter(&job, "host1"), there = etl_job_jitter(&job, "host2");

	(void)state;
	assert_true(here.us >= 0 && here.us < ETL_MINUTES(2).us);
	assert_int_equal(etl_job_jitter(&job, "host1").us, here.us);
	assert_int_not_equal(here.us, there.us);
	job.jitter = (etl_dur){0};
	assert_int_equal(etl_job_jitter(&job, "host1").us, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),
		cmocka_unit_test(test_full_file),
		cmocka_unit_test(test_sensor_defaults),
		cmocka_unit_test(test_extract_in_both_places),
		cmocka_unit_test(test_load_digest),
		cmocka_unit_test(test_which_load_commits),
		cmocka_unit_test(test_digest_of_lists),
		cmocka_unit_test(test_the_same_place_by_default),
		cmocka_unit_test(test_many_places),
		cmocka_unit_test(test_dates_of_a_zone),
		cmocka_unit_test(test_jitter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
