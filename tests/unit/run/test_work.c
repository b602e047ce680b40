/* SPDX-License-Identifier: MIT
 *
 * A run over a kind of work that is no flow: two parts without a source, a sink or a record. The run
 * takes the lease, adds up what the parts say came of them and writes the record, and knows no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "conf/load.h"
#include "run/run.h"

#define T0 INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */

/* What each part is to come to, and what the work saw of its life. */
static struct {
	bool begin_fails;
	enum etl_part_state end[2];
	unsigned begun, freed, visits;
} script;

static struct etl_clock_virtual clock_;
static struct etl_run_env env;
static struct etl_run *run;
static struct etl_error err;

static int fake_begin(struct etl_run *r, struct etl_error *e)
{
	struct etl_part *parts = etl_calloc(2, sizeof *parts);

	script.begun++;
	r->work = parts;
	if (script.begin_fails)
		return etl_error_set(e, ETL_PERMANENT, "fake.begin", "no work today");
	for (size_t i = 0; i < 2; i++) {
		etl_part_init(&parts[i], &r->job->partitions[i]);
		etl_run_add_part(r, &parts[i]);
	}
	return 0;
}

/* The first visit loads a window and asks for a worker once more, the second one ends. */
static enum etl_need fake_go(struct etl_part *part)
{
	script.visits++;
	if (!part->windows.loaded++) {
		part->counts.out += 7;
		part->windows_changed++;
		part->requests += 3;
		return ETL_NEED_WORK;
	}
	part->windows.loaded--;
	part->state = script.end[part == run->parts[1]];
	if (part->state == ETL_PART_FAILED) {
		part->windows.failed = part->windows_left_open = 1;
		part->failed_at = ETL_STEP_LOAD;
		etl_error_set(&part->error, ETL_DATA, "fake.merge", "the merge was refused");
	}
	return ETL_NEED_NOTHING;
}

static void fake_free(struct etl_run *r)
{
	script.freed++;
	for (size_t i = 0; i < r->n_parts; i++)
		etl_part_fini(r->parts[i]);
	free(ETL_TAKE(r->work));
}

struct fake_options {
	int64_t say;
	const char *word;
};

static const struct etl_option fake_table[] = {
	{.name = "say", .type = ETL_OPT_INT, .offset = offsetof(struct fake_options, say),
		.required = true, .min = 1, .max = 9, .help = "how often"},
	{.name = "word", .type = ETL_OPT_STRING, .offset = offsetof(struct fake_options, word),
		.fallback = "hello", .help = "what"},
	{0}};

/* It sees windows and partitions of the job, and does not want the word "no". */
static void fake_check(struct etl_job *job_, void *options, const struct etl_node *root,
	size_t at_begin, const struct etl_conf_env *conf)
{
	const struct fake_options *o = options;

	assert_true(etl_diag_count(conf->diag) > at_begin || job_->n_partitions == 2);
	if (o->word && strcmp(o->word, "no") == 0)
		etl_diag_add(conf->diag, &etl_node_get(root, "word")->mark, ETL_DIAG_RANGE, NULL, NULL,
			"'%s' is no word for %s", o->word, conf->what);
}

static const struct etl_work_type fake_work = {
	.name = "fake",
	.config = {.key = "say", .options = fake_table, .options_size = sizeof(struct fake_options),
		.check = fake_check},
	.begin = fake_begin,
	.go = fake_go,
	.free = fake_free,
};

static const char *const names[] = {"place", NULL};
static struct etl_partition partitions[] = {{.name = "a"}, {.name = "b"}};
static const struct etl_job job = {
	.name = "j",
	.work = &fake_work,
	.schedule_text = "every 1h",
	.timezone = "UTC",
	.partition_names = names,
	.partitions = partitions,
	.n_partitions = 2,
};

static int setup(void **state)
{
	(void)state;
	memset(&script, 0, sizeof script);
	err = (struct etl_error)ETL_ERROR_INIT;
	etl_clock_virtual_init(&clock_, (etl_wall){T0});
	env = (struct etl_run_env){.state = etl_state_memory_new(&clock_.clock),
		.clock = &clock_.clock, .host = "host", .holder = "holder 1"};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	etl_run_free(ETL_TAKE(run));
	assert_int_equal(script.freed, script.begun);
	env.state->ops->free(env.state);
	return 0;
}

static enum etl_run_state play(void)
{
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_SCHEDULE};

	run = etl_run_new(&job, &env, 1, &trigger);
	if (etl_run_begin(run) == 0)
		for (size_t i = 0; i < run->n_parts; i++)
			while (job.work->go(run->parts[i]) != ETL_NEED_NOTHING)
				continue;
	assert_int_equal(etl_run_finish(run, &err), 0);
	return run->state;
}

static void ends(enum etl_part_state a, enum etl_part_state b)
{
	script.end[0] = a;
	script.end[1] = b;
}

static void test_sums(void **state)
{
	struct etl_run_outcome outcome;

	(void)state;
	ends(ETL_PART_OK, ETL_PART_OK);
	assert_int_equal(play(), ETL_RUN_OK);
	assert_int_equal(script.visits, 4);
	assert_int_equal(run->counts.out, 14);
	assert_int_equal(run->windows.loaded, 2);
	assert_int_equal(run->requests, 6);
	etl_run_tell_outcome(run, &outcome);
	assert_true(outcome.moved && outcome.claimed && !outcome.busy);
}

/* "ok" is earned by each part; nothing else is a reason for it. */
static void test_states(void **state)
{
	static const struct {
		enum etl_part_state a, b;
		enum etl_run_state run;
	} rows[] = {
		{ETL_PART_OK, ETL_PART_BLOCKED, ETL_RUN_OK},
		{ETL_PART_BLOCKED, ETL_PART_BLOCKED, ETL_RUN_BLOCKED},
		{ETL_PART_OK, ETL_PART_FAILED, ETL_RUN_PARTIAL},
		{ETL_PART_FAILED, ETL_PART_FAILED, ETL_RUN_FAILED},
		{ETL_PART_FAILED, ETL_PART_CANCELLED, ETL_RUN_CANCELLED},
		{ETL_PART_OK, ETL_PART_WAITING, ETL_RUN_CANCELLED},
		{ETL_PART_GOING, ETL_PART_GOING, ETL_RUN_FAILED}, /* nobody said what became of them */
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ends(rows[i].a, rows[i].b);
		assert_string_equal(etl_run_state_word(play()), etl_run_state_word(rows[i].run));
		etl_run_free(ETL_TAKE(run));
	}
	(void)state;
}

static const char *text_of(const bson_t *doc, const char *path)
{
	bson_iter_t root, it;

	assert_true(bson_iter_init(&root, doc) && bson_iter_find_descendant(&root, path, &it));
	return bson_iter_utf8(&it, NULL);
}

static void test_record(void **state)
{
	bson_t saved;

	(void)state;
	ends(ETL_PART_OK, ETL_PART_FAILED);
	assert_int_equal(play(), ETL_RUN_PARTIAL);
	assert_string_equal(run->error.message, "b: the merge was refused");
	assert_false(run->last.unitless); /* its window is open in the ledger, which tells of it */
	assert_int_equal(etl_doc_get(env.state, &etl_runs, run->run_id, &saved, &err), 1);
	assert_string_equal(text_of(&saved, "state"), "partial");
	assert_string_equal(text_of(&saved, "partitions.0.state"), "nothing_due");
	assert_string_equal(text_of(&saved, "partitions.1.partition"), "b");
	assert_string_equal(text_of(&saved, "partitions.1.reason"), "the merge was refused");
	bson_destroy(&saved);
}

/* Work that cannot begin is a run that failed, and the lease is given back. */
static void test_no_begin(void **state)
{
	struct etl_schedule_info info;

	(void)state;
	script.begin_fails = true;
	assert_int_equal(play(), ETL_RUN_FAILED);
	assert_int_equal(script.visits, 0);
	assert_true(run->last.unitless);
	assert_string_equal(run->error.code, "fake.begin");
	assert_int_equal(env.state->ops->schedule_get(env.state, "j", &info, &err), 1);
	assert_string_equal(info.holder, "");
}

/* Another etld has the lease: the work does not even begin. */
static void test_busy(void **state)
{
	struct etl_lease lease;
	struct etl_lease_ask ask = {.job = "j", .holder = "holder 2", .run_id = "other",
		.ttl = ETL_LEASE_TTL};

	(void)state;
	assert_int_equal(env.state->ops->lease_acquire(env.state, &ask, &lease, &err), 1);
	assert_int_equal(play(), ETL_RUN_BUSY);
	assert_int_equal(script.begun, 0);
}

/* ---- the run whose lease is taken ------------------------------------------------------------ */

static const struct etl_state_ops *good;
static struct etl_state_ops flaky;
static unsigned lists_to_fail;

static int flaky_list(struct etl_state *s, const struct etl_collection *c, const struct etl_doc_query *query,
	etl_doc_fn fn, void *ctx, struct etl_error *e)
{
	int rc = good->list(s, c, query, fn, ctx, e);

	if (lists_to_fail && lists_to_fail--)
		return etl_error_set(e, ETL_TRANSIENT, "mongodb.network", "the answer was lost");
	return rc;
}

/* Its etld died under it. Who takes the lease writes that down, also if MongoDB does not answer just
 * then: at its own end, and if need be when the record of that is saved at last. */
static void test_lost_run(void **state)
{
	struct etl_lease lease;
	struct etl_lease_ask ask = {.job = "j", .holder = "holder 2", .run_id = "lost run",
		.ttl = ETL_LEASE_TTL, .slot = {T0}, .schedule = "every 1h|UTC"};
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_SCHEDULE};
	bson_t saved;

	(void)state;
	assert_int_equal(env.state->ops->lease_acquire(env.state, &ask, &lease, &err), 1);
	etl_clock_virtual_advance(&clock_, ETL_HOURS(1));
	good = env.state->ops;
	flaky = *good;
	flaky.list = flaky_list;
	env.state->ops = &flaky;
	lists_to_fail = 2;
	run = etl_run_new(&job, &env, 1, &trigger);
	assert_int_equal(etl_run_begin(run), 0);
	assert_int_equal(lists_to_fail, 1);
	assert_int_equal(etl_run_finish(run, &err), -1);
	assert_int_equal(etl_doc_get(env.state, &etl_runs, "lost run", &saved, &err), 0);
	assert_int_equal(etl_run_save_again(run, &err), 0);
	assert_int_equal(etl_doc_get(env.state, &etl_runs, "lost run", &saved, &err), 1);
	assert_string_equal(text_of(&saved, "state"), "interrupted");
	bson_destroy(&saved);
	assert_int_equal(etl_doc_get(env.state, &etl_runs, run->run_id, &saved, &err), 1);
	bson_destroy(&saved);
	lists_to_fail = 1; /* what came is let go, as the address sanitizer sees */
	assert_int_equal(etl_doc_get(env.state, &etl_runs, run->run_id, &saved, &err), -1);
	env.state->ops = good;
}

/* ---- its keys in a job's file ---------------------------------------------------------------- */

/* The build's kinds and this one; the job, or NULL with what is wrong in `said`. */
static struct etl_job *load(struct etl_arena *arena, const char *yaml, struct etl_buf *said)
{
	const struct etl_conf_load_options options = {.texts = arena};
	struct etl_diag *diag = etl_diag_new();
	struct etl_conf_env conf = {.arena = arena, .diag = diag, .what = "job 'j'"};
	struct etl_node *root = etl_conf_parse(arena, "j.yaml", yaml, strlen(yaml), &options, diag);
	const struct etl_work_kind kinds[] = {
		etl_work_kinds[0], {&fake_work.config, &fake_work}, {0}};
	struct etl_job *loaded = etl_job_load_as("j", root, kinds, &conf);
	bool wrong = etl_diag_count(diag) > 0;

	etl_buf_clear(said);
	etl_diag_print(diag, said);
	etl_diag_free(diag);
	if (wrong)
		etl_job_fini(loaded);
	return wrong ? NULL : loaded;
}

#define COMMON "schedule: {every: 1h}\npartitions: {place: [a, b]}\nwindow: none\n"

/* A new kind of work is one descriptor: the loader fills its rows, and a run does it. */
static void test_a_kind_of_its_own(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_SCHEDULE};
	struct etl_job *loaded;
	struct etl_buf said;

	(void)state;
	etl_buf_init(&said, 65536);
	loaded = load(arena, COMMON "say: 3\n", &said);
	if (!loaded)
		fail_msg("%s", etl_buf_text(&said));
	assert_ptr_equal(loaded->work, &fake_work);
	assert_int_equal(((struct fake_options *)loaded->work_options)->say, 3);
	assert_string_equal(((struct fake_options *)loaded->work_options)->word, "hello");
	assert_null(loaded->source);
	ends(ETL_PART_OK, ETL_PART_OK);
	run = etl_run_new(loaded, &env, 1, &trigger);
	assert_int_equal(etl_run_begin(run), 0);
	for (size_t i = 0; i < run->n_parts; i++)
		while (loaded->work->go(run->parts[i]) != ETL_NEED_NOTHING)
			continue;
	assert_int_equal(etl_run_finish(run, &err), 0);
	assert_int_equal(run->state, ETL_RUN_OK);
	etl_run_free(ETL_TAKE(run));
	etl_job_fini(loaded);
	etl_buf_fini(&said);
	etl_arena_free(arena);
}

static void test_wrong_files(void **state)
{
	static const char *const rows[][2] = {
		{COMMON "say: 3\nword: no\n", "'no' is no word for job 'j'"},
		{COMMON "say: 30\n", "'say' is 30, 1 to 9 are allowed"},
		{COMMON "say: 3\nwrod: x\n", "did you mean 'word'?"},
		{COMMON "say: 3\nload: {\"null\": {}}\n", "unknown key 'load'"},
		{COMMON "say: 3\nextract: {http: {url: 'http://x.test/'}}\n",
			"'extract' and 'say' are two kinds of work in job 'j'"},
		{COMMON "word: x\n", "extract"}, /* none of the keys: what is usual is missed */
	};
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_buf said;

	(void)state;
	etl_buf_init(&said, 65536);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (load(arena, rows[i][0], &said) || !strstr(etl_buf_text(&said), rows[i][1]))
			fail_msg("%s: wanted \"%s\" in: %s", rows[i][0], rows[i][1], etl_buf_text(&said));
	etl_buf_fini(&said);
	etl_arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sums, setup, teardown),
		cmocka_unit_test_setup_teardown(test_states, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_begin, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_kind_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_files, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
