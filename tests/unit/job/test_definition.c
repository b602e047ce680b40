/* SPDX-License-Identifier: MIT
 *
 * The definition of a job: what changes it, what does not, and the fingerprints of the examples, which
 * are pinned: one that moves makes every unit of every ledger stale. A change of the form that is meant
 * raises ETL_DEFINITION_FORM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/load.h"
#include "job/definition.h"

#define EXAMPLES "etc/examples/r1-airqino/jobs.d"

static char credentials[] = "/tmp/etld-test-definition-XXXXXX";

/* ---- loading ------------------------------------------------------------------------------- */

struct loaded {
	struct etl_arena *arena;
	struct etl_diag *diag;
	struct etl_conf_env env;
	struct etl_job *job;
};

static void finish(struct loaded *l, struct etl_node *root)
{
	struct etl_buf errors ETL_BUF_CLEANUP;

	l->env = (struct etl_conf_env){.arena = l->arena, .diag = l->diag, .what = "job 'sample'",
		.now = {INT64_C(4102444800000)}, .database = "etl", .credentials_dir = credentials};
	assert_non_null(root);
	l->job = etl_job_load("sample", root, &l->env);
	etl_buf_init(&errors, 1 << 20);
	etl_diag_print(l->diag, &errors);
	if (etl_diag_count(l->diag))
		fail_msg("%s", etl_buf_text(&errors));
}

static void load(struct loaded *l, const char *text)
{
	*l = (struct loaded){.arena = etl_arena_new(0), .diag = etl_diag_new()};
	finish(l, etl_conf_parse(l->arena, "sample.yaml", text, strlen(text), NULL, l->diag));
}

static void unload(struct loaded *l)
{
	etl_job_fini(l->job);
	etl_diag_free(l->diag);
	etl_arena_free(l->arena);
}

/* The definition of its first partition. */
static uint64_t of(const char *text)
{
	struct loaded l;
	uint64_t definition;

	load(&l, text);
	definition = l.job->partitions[0].definition;
	unload(&l);
	assert_true(etl_definition_is_known(definition));
	return definition;
}

/* ---- parts of a job ------------------------------------------------------------------------ */

static const char plain[] =
	"schedule: {every: 1h}\n"
	"partitions:\n"
	"  station: [a, b]\n"
	"  values: {height: {a: '10', b: '20'}}\n"
	"window: {size: 1h, start: 2026-01-01}\n"
	"extract:\n"
	"  http: {url: 'http://h/{station}', query: {from: '{window.start}', to: '{window.end}'},\n"
	"         headers: {X-A: '1', X-B: '2'}, auth: {bearer: {token: {credential: airqino_secret}}}}\n"
	"  records: /data\n"
	"  time: {field: t}\n"
	"transform:\n"
	"  - rename: {x: y, v: w}\n"
	"  - set: {s: '{station}', n: 5}\n"
	"  - cast: {w: double, y: int}\n"
	"  - drop: [p, q]\n"
	"check:\n"
	"  - not_null: {fields: [t, w]}\n"
	"  - range: {field: w, min: 0, max: 10.5}\n"
	"load: {mongodb: {collection: c, key: [s, t]}}\n";

/* `plain` with one piece replaced. */
static uint64_t with(const char *piece, const char *instead)
{
	const char *at = strstr(plain, piece);
	etl_cleanup(free) char *text = NULL;

	if (!at)
		fail_msg("'%s' is not in the sample", piece);
	text = etl_strf("%.*s%s%s", (int)(at - plain), plain, instead, at + strlen(piece));
	return of(text);
}

#define ONE "{mongodb: {collection: c, key: [s, t]}}"
#define TWO "{mongodb: {collection: d, key: [t]}}"
#define SAME(piece, instead) assert_true(with(piece, instead) == of(plain))
#define OTHER(piece, instead) assert_true(with(piece, instead) != of(plain))

/* ---- tests --------------------------------------------------------------------------------- */

static void how_it_is_written_means_nothing(void **state)
{
	(void)state;
	SAME("  records: /data\n", "  # where they are\n  records: \"/data\"\n");
	SAME("rename: {x: y, v: w}", "rename:\n      v: w\n      x: 'y'");
	SAME("cast: {w: double, y: int}", "cast: {y: int, w: {to: double}}");
	SAME("cast: {w: double, y: int}", "cast: {w: {to: double, on_bad: reject}, y: int}");
	SAME("drop: [p, q]", "drop: [q, p]");
	SAME("not_null: {fields: [t, w]}", "not_null: {fields: [w, t]}");
	SAME("headers: {X-A: '1', X-B: '2'}", "headers: {X-B: '2', X-A: '1'}");
	SAME("min: 0, max: 10.5", "max: 1.05e1, min: 0");
	SAME("load: {mongodb: {collection: c, key: [s, t]}}",
		"load: [{mongodb: {key: [s, t], collection: c}}]");
	assert_true(with("load: {mongodb: {collection: c, key: [s, t]}}", "load: [" ONE ", " TWO "]") ==
		with("load: {mongodb: {collection: c, key: [s, t]}}", "load: [" TWO ", " ONE "]"));
}

static void a_default_that_is_written_out_means_nothing(void **state)
{
	(void)state;
	SAME("{collection: c, ", "{collection: c, mode: upsert, ");
	SAME("{collection: c, ", "{collection: c, database: etl, ");
	SAME("  time: {field: t}",
		"  format: json\n  time: {field: t, format: iso8601, timezone: UTC, label: start}");
	SAME("  records: /data\n", "  records: /data\n  null_records: fail\n  covers: asked\n");
	SAME("http: {url:", "http: {method: GET, pagination: unknown, url:");
	SAME("max: 10.5}", "max: 10.5, on_fail: warn}");
}

/* The style of paging and its parameters decide what comes; budgets do not. */
static void how_pages_are_asked_for(void **state)
{
	uint64_t cursor = with("http: {url:", "http: {pagination: {cursor: {pointer: /c, param: c}}, url:");

	(void)state;
	assert_true(cursor != of(plain));
	assert_true(cursor == with("http: {url:", "http: {pagination: {max_pages: 5, announced: ignore, "
		"cursor: {pointer: /c, param: c}, max_bytes: 1GiB}, url:"));
	assert_true(cursor != with("http: {url:",
		"http: {pagination: {cursor: {pointer: /d, param: c}}, url:"));
}

static void what_does_not_decide_the_documents_means_nothing(void **state)
{
	(void)state;
	SAME("schedule: {every: 1h}",
		"schedule: {cron: '5 * * * *', timeout: 1h}\nretry: {max: 9}\ndescription: d");
	SAME("window: {size: 1h, start: 2026-01-01}", "window: {size: 1h, start: 2025-01-01, settle: 1h, "
		"lookback: 3h, max_span: 2h, retention: 30d}");
	/* the grid is another matter */
	SAME("window: {size: 1h,", "rejects: {max: 3}\nwindow: {size: 2h,");
	SAME("token: {credential: airqino_secret}", "token: {credential: airqino_password}");
	SAME("auth: {bearer: {token: {credential: airqino_secret}}}",
		"auth: {basic: {username: u, password: {credential: airqino_secret}}}");
	SAME("http: {url:", "http: {timeout: 10s, max_bytes: 1MiB, ipv4_only: true, url:");
	SAME("{collection: c, ", "{collection: c, indexes: [{fields: [s]}], ");
}

static void what_decides_the_documents_changes_it(void **state)
{
	(void)state;
	OTHER("http://h/", "http://g/");
	OTHER("records: /data", "records: /rows");
	OTHER("field: t}\n", "field: t, timezone: Europe/Paris}\n");
	OTHER("n: 5", "n: '5'");
	OTHER("n: 5", "n: 6");
	/* the fields of a document stand in another order */
	OTHER("set: {s: '{station}', n: 5}", "set: {n: 5, s: '{station}'}");
	OTHER("w: double", "w: decimal");
	OTHER("max: 10.5}", "max: 10.6}");
	OTHER("max: 10.5}", "max: 10.5, on_fail: hold}");
	OTHER("  - drop: [p, q]\n", "");
	OTHER("  - cast: {w: double, y: int}\n  - drop: [p, q]\n",
		"  - drop: [p, q]\n  - cast: {w: double, y: int}\n");
	OTHER("collection: c", "collection: d");
	OTHER("collection: c", "collection: c, database: other");
	OTHER("key: [s, t]", "key: [t, s]");
	OTHER("load: {mongodb: {collection: c, key: [s, t]}}", "load: [" ONE ", " TWO "]");
	OTHER("{collection: c, ", "{collection: c, mode: insert, ");
}

/* {a, b} and {ab} are two. */
static void values_do_not_run_into_one_another(void **state)
{
	(void)state;
	assert_true(with("drop: [p, q]", "drop: [pq]") != with("drop: [p, q]", "drop: [p, q]"));
	assert_true(with("{x: y, v: w}", "{x: yv, w: z}") != with("{x: y, v: w}", "{xy: v, w: z}"));
}

static void a_partition_has_its_own(void **state)
{
	struct loaded l;
	uint64_t a, b;

	(void)state;
	load(&l, plain);
	a = l.job->partitions[0].definition;
	b = l.job->partitions[1].definition;
	unload(&l);
	assert_true(a != b);
	assert_true(with("b: '20'", "b: '21'") == a);
	assert_true(with("a: '10'", "a: '11'") != a);
	assert_true(with("station: [a, b]\n  values: {height: {a: '10', b: '20'}}",
		"station: [a, b, c]\n  values: {height: {a: '10', b: '20', c: '1'}}") == a);
}

/* Its job may read it, the form of what it makes has neither it nor its name. */
static void a_secret_is_no_part_of_it(void **state)
{
	struct loaded l;
	size_t len;

	(void)state;
	load(&l, plain);

	etl_cleanup(free) char *text = etl_job_canon(l.job, &l.env, &len);

	assert_null(memmem(text, len, "airqino_secret", 14));
	assert_null(memmem(text, len, "s3cret", 6));
	unload(&l);
}

static void a_text_of_it(void **state)
{
	char text[ETL_DEFINITION_TEXT_BYTES];

	(void)state;
	etl_definition_text(0, text);
	assert_string_equal(text, "");
	etl_definition_text(UINT64_C(0x0100000000000abc), text);
	assert_string_equal(text, "0100000000000abc");
	assert_true(etl_definition_is_known(UINT64_C(0x0100000000000abc)));
	assert_false(etl_definition_is_known(UINT64_C(0x0200000000000abc)));
	assert_false(etl_definition_is_known(0));
}

static void an_example_keeps_its_own(const char *file, const char *wanted)
{
	etl_cleanup(free) char *path = etl_strf(EXAMPLES "/%s", file);
	char text[ETL_DEFINITION_TEXT_BYTES];
	struct loaded l = {.arena = etl_arena_new(0), .diag = etl_diag_new()};

	finish(&l, etl_conf_load(l.arena, path, NULL, l.diag));
	etl_definition_text(l.job->partitions[0].definition, text);
	if (!etl_streq(text, wanted)) {
		size_t len;
		etl_cleanup(free) char *canon = etl_job_canon(l.job, &l.env, &len);

		fail_msg("%s is %s and was %s: ledgers of this job would be stale as a whole. If its file "
			"was changed on purpose, or the form was (then raise ETL_DEFINITION_FORM), write the "
			"new one here.\n%.*s", file, text, wanted, (int)len, canon);
	}
	unload(&l);
}

static void the_examples_keep_theirs(void **state)
{
	(void)state;
	an_example_keeps_its_own("airqino.yaml", "01c71b915ec04996");
	an_example_keeps_its_own("airqino_daily.yaml", "019a147efb3047a6");
}

/* ---- credentials --------------------------------------------------------------------------- */

static const char *const names[] = {"airqino_secret", "airqino_password"};

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(credentials));
	for (size_t i = 0; i < 2; i++) {
		etl_cleanup(free) char *path = etl_strf("%s/%s", credentials, names[i]);
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		fputs("s3cret\n", file);
		fclose(file);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		etl_cleanup(free) char *path = etl_strf("%s/%s", credentials, names[i]);

		unlink(path);
	}
	return rmdir(credentials);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_it_is_written_means_nothing),
		cmocka_unit_test(a_default_that_is_written_out_means_nothing),
		cmocka_unit_test(how_pages_are_asked_for),
		cmocka_unit_test(what_does_not_decide_the_documents_means_nothing),
		cmocka_unit_test(what_decides_the_documents_changes_it),
		cmocka_unit_test(values_do_not_run_into_one_another),
		cmocka_unit_test(a_partition_has_its_own),
		cmocka_unit_test(a_secret_is_no_part_of_it),
		cmocka_unit_test(a_text_of_it),
		cmocka_unit_test(the_examples_keep_theirs),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
