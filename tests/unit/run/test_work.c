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

static const struct etl_work_type fake_work = {
	.name = "fake",
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sums, setup, teardown),
		cmocka_unit_test_setup_teardown(test_states, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_begin, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_run, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
