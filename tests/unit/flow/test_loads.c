/* SPDX-License-Identifier: MIT
 *
 * A job with several loads: each target has each row once, whatever fails between them; what is told of
 * a row is what became of it in the committing one; what one refuses goes into none.
 */
#include "run_rig.h"

#define ROWS 5

/* Two targets in memory: `first` keeps what it gets before the ledger's commit, `main` commits with it. */
struct pair {
	struct rig *rig;
	struct memory_target first, main;
	struct etl_sink_type joins;
	struct etl_job_load loads[3];
	bool looked; /* the order was seen at a commit */
};
static struct pair pair;

static const struct target_row *row_of(const struct memory_target *t, int64_t h)
{
	return target_find(t, "a", (etl_wall){hour(h).ms + HOUR_MS / 2});
}

static struct rig *pair_rig(const char *yaml, int64_t now)
{
	pair = (struct pair){.rig = rig_new(yaml, now)};
	pair.first.name = "etl.first";
	pair.main.name = "etl.main";
	pair.loads[0] = (struct etl_job_load){&memory_target_type, &pair.first};
	pair.loads[1] = (struct etl_job_load){&memory_target_type, &pair.main};
	pair.rig->job->loads = pair.loads;
	pair.rig->job->n_loads = 2;
	pair.rig->job->committing = 1;
	return pair.rig;
}

static void pair_free(void)
{
	assert_int_equal(pair.first.opens, pair.first.closes);
	assert_int_equal(pair.main.opens, pair.main.closes);
	rig_free(pair.rig);
	target_fini(&pair.first);
	target_fini(&pair.main);
}

/* As a target in MongoDB without transactions: what it was given it has, and it cannot take it back. */
static void make_joining(size_t load)
{
	pair.joins = memory_target_type;
	pair.joins.joins_transaction = true;
	pair.loads[load].type = &pair.joins;
}

static void need_both(const struct rig *rig, size_t n)
{
	assert_int_equal(pair.first.n, n);
	assert_int_equal(pair.main.n, n);
	for (size_t i = 0; i < rig->n_rows; i++) {
		double first = -1, last = -1;
		int64_t h = (rig->rows[i].t.ms - T0) / HOUR_MS;

		target_double(row_of(&pair.first, h), "v", &first);
		target_double(row_of(&pair.main, h), "v", &last);
		assert_true(first == rig->rows[i].v && last == rig->rows[i].v);
	}
}

/* A number of the run record's target. */
static int64_t told(const struct rig *rig, size_t target, const char *what)
{
	char path[64];
	bson_iter_t it, found;
	bson_t doc = BSON_INITIALIZER;
	int64_t n;

	etl_run_to_bson(rig->run, &doc);
	snprintf(path, sizeof path, "targets.%zu.%s", target, what);
	assert_true(bson_iter_init(&it, &doc));
	if (!bson_iter_find_descendant(&it, path, &found))
		fail_msg("the record has no %s", path);
	n = bson_iter_as_int64(&found);
	bson_destroy(&doc);
	return n;
}

static void need_name(const struct rig *rig, size_t target, const char *name)
{
	char path[64];
	bson_iter_t it, found;
	bson_t doc = BSON_INITIALIZER;

	etl_run_to_bson(rig->run, &doc);
	snprintf(path, sizeof path, "targets.%zu.name", target);
	assert_true(bson_iter_init(&it, &doc) && bson_iter_find_descendant(&it, path, &found));
	assert_string_equal(bson_iter_utf8(&found, NULL), name);
	bson_destroy(&doc);
}

/* ---- all in both ---------------------------------------------------------------------------- */

static void test_both_get_all(void **state)
{
	struct rig *rig = pair_rig(NULL, ROWS);

	(void)state;
	service_fill(rig, "a", 0, ROWS);
	NEED_RUN(rig, ETL_RUN_OK);
	need_both(rig, ROWS);
	NEED_WATERMARK(rig, ROWS);
	assert_int_equal(rig->run->counts.inserted, ROWS); /* not twice as many */
	need_name(rig, 0, "etl.first");
	need_name(rig, 1, "etl.main");
	assert_int_equal(told(rig, 0, "inserted"), ROWS);
	assert_int_equal(told(rig, 1, "inserted"), ROWS);
	need_balance(rig);

	service_put(rig, "a", rig->rows[4].t, 99);
	NEED_RUN(rig, ETL_RUN_OK); /* the lookback: one hour has changed, one has not */
	need_both(rig, ROWS);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(told(rig, i, "inserted"), 0);
		assert_int_equal(told(rig, i, "updated"), 1);
		assert_int_equal(told(rig, i, "unchanged"), 1);
	}
	pair_free();
}

/* What became of the rows in each is told apart: the first one had them already. */
static void test_each_tells_its_own(void **state)
{
	struct rig *rig = pair_rig(NULL, ROWS);

	(void)state;
	service_fill(rig, "a", 0, ROWS);
	rig->job->n_loads = 1; /* only the first one at first */
	rig->job->committing = 0;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_null(rig->run->targets);
	rig->job->n_loads = 2;
	rig->job->committing = 1;
	run_job(rig, rig->job, (struct etl_window){hour(0), hour(ROWS)});
	need_both(rig, ROWS);
	assert_int_equal(rig->run->counts.inserted, ROWS);
	assert_int_equal(told(rig, 0, "inserted"), 0);
	assert_int_equal(told(rig, 0, "unchanged"), ROWS);
	assert_int_equal(told(rig, 1, "inserted"), ROWS);
	assert_int_equal(told(rig, 1, "unchanged"), 0);
	need_balance(rig);
	pair_free();
}

/* A target that has lost its rows gets them again, and that is a change for those who read it. */
static void test_a_change_beside_is_a_change(void **state)
{
	struct rig *rig = pair_rig(NULL, ROWS);

	(void)state;
	service_fill(rig, "a", 0, ROWS);
	NEED_RUN(rig, ETL_RUN_OK);
	for (size_t i = 0; i < pair.first.n; i++)
		free(pair.first.rows[i].bson);
	pair.first.n = 0;
	run_job(rig, rig->job, (struct etl_window){hour(0), hour(ROWS)});
	need_both(rig, ROWS);
	assert_int_equal(rig->run->counts.unchanged, ROWS);
	assert_int_equal(rig->run->counts.inserted, 0); /* it is new beside alone */
	assert_int_equal(rig->run->windows_changed, ROWS);
	run_job(rig, rig->job, (struct etl_window){hour(0), hour(ROWS)});
	assert_int_equal(rig->run->windows_changed, 0);
	pair_free();
}

/* Each row is a document of the transaction for each target that joins it. */
static void test_a_slice_counts_for_all(void **state)
{
	struct rig *rig = pair_rig(NULL, 1);

	(void)state;
	make_joining(0);
	make_joining(1);
	for (size_t i = 0; i < 2500; i++)
		service_put(rig, "a", (etl_wall){hour(0).ms + (int64_t)i}, (double)i);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_true(pair.main.largest_slice <= (1000 - 2) / 2);
	assert_true(rig->run->counts.inserted + rig->run->counts.overwritten +
		rig->run->counts.updated == 2500);
	NEED_WATERMARK(rig, 1);
	pair_free();
}

/* ---- the order, and what fails between -------------------------------------------------------- */

static int look_at_commit(void *ctx, const struct etl_commit *c, struct etl_error *err)
{
	if (c->n_entries) {
		assert_int_equal(pair.first.n, ROWS); /* it is in before the ledger says so */
		pair.looked = true;
	}
	return before_commit(ctx, c, err);
}

static void test_the_others_come_before_the_ledger(void **state)
{
	struct rig *rig = pair_rig(NULL, ROWS);

	(void)state;
	service_fill(rig, "a", 0, ROWS);
	rig->driver.before_commit = look_at_commit;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_true(pair.looked);
	need_both(rig, ROWS);
	pair_free();
}

/* The committing one is the last to be written, wherever it stands. */
static void test_the_committing_one_is_last(void **state)
{
	struct rig *rig = pair_rig(NULL, ROWS);

	(void)state;
	service_fill(rig, "a", 0, ROWS);
	rig->job->committing = 0;
	pair.main.write_fault = (struct target_fault){0, 1, ETL_PERMANENT, "target.full"};
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_non_null(strstr(rig->run->error.message, "into etl.main: "));
	assert_int_equal(pair.main.writes, 1);
	assert_int_equal(pair.first.writes, 0);
	NEED_RUN(rig, ETL_RUN_OK);
	need_both(rig, ROWS);
	pair_free();
}

/* The ledger's commit fails for good, after the others have theirs: as a death between the two. */
static int fail_commit(void *ctx, const struct etl_commit *c, struct etl_error *err)
{
	(void)ctx;
	(void)c;
	return etl_error_set(err, ETL_PERMANENT, "store.gone", "died between the two");
}

static void test_a_death_before_the_ledger(void **state)
{
	struct rig *rig = pair_rig(NULL, ROWS);

	(void)state;
	service_fill(rig, "a", 0, ROWS);
	rig->driver.before_commit = fail_commit;
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(pair.first.n, ROWS);
	NEED_WATERMARK(rig, 0);
	service_put(rig, "a", rig->rows[1].t, 77); /* the source has changed meanwhile */
	rig->driver.before_commit = before_commit;
	NEED_RUN(rig, ETL_RUN_OK);
	need_both(rig, ROWS);
	assert_int_equal(pair.first.inserts, ROWS);
	assert_int_equal(pair.first.updates, 1);
	NEED_WATERMARK(rig, ROWS);
	pair_free();
}

/* Whatever fails in either of them, at once or later, for a moment or for good: in the end both have
 * each row once, and before that the ledger claims nothing that one of them lacks. */
static void test_what_fails_between_them(void **state)
{
	static const char *const codes[] = {"txn.retry", "target.busy", "target.full"};
	static const enum etl_error_kind kinds[] = {ETL_TRANSIENT, ETL_TRANSIENT, ETL_PERMANENT};

	(void)state;
	for (unsigned point = 0; point < 4; point++)
		for (unsigned kind = 0; kind < 3; kind++)
			for (unsigned after = 0; after < 2; after++) {
				struct rig *rig = pair_rig(yaml_with("max_span: 1d", "max_span: 2h"), ROWS);
				struct memory_target *t = point & 1 ? &pair.main : &pair.first;
				struct target_fault fault = {after, 1, kinds[kind], codes[kind]};
				double v;

				service_fill(rig, "a", 0, ROWS);
				*(point & 2 ? &t->commit_fault : &t->write_fault) = fault;
				run_due(rig);
				for (int64_t h = 0; h < ROWS; h++)
					if (entry_at(rig, "job", "a", h).state == ETL_WINDOW_LOADED)
						assert_true(target_double(row_of(&pair.first, h), "v", &v) &&
							target_double(row_of(&pair.main, h), "v", &v));
				NEED_RUN(rig, ETL_RUN_OK);
				need_both(rig, ROWS);
				assert_int_equal(pair.first.inserts, ROWS);
				assert_int_equal(pair.main.inserts, ROWS);
				assert_int_equal(pair.first.updates + pair.main.updates, 0);
				NEED_WATERMARK(rig, ROWS);
				pair_free();
			}
}

/* The store refuses a few times: what an attempt has left is found by the next one. */
static void test_a_store_that_refuses(void **state)
{
	struct rig *rig = pair_rig(NULL, ROWS);

	(void)state;
	service_fill(rig, "a", 0, ROWS);
	rig->refuse_commits = 3;
	NEED_RUN(rig, ETL_RUN_OK);
	need_both(rig, ROWS);
	assert_int_equal(pair.first.inserts, ROWS);
	assert_int_equal(pair.main.inserts, ROWS);
	pair_free();
}

/* ---- refused -------------------------------------------------------------------------------- */

static int keep_letter(void *ctx, const void *thing)
{
	const struct etl_dead_letter *letter = thing;
	struct etl_buf *out = ctx;

	etl_buf_printf(out, "%s %s: %s\n", letter->step, letter->rule, letter->message);
	return 0;
}

static void need_letters(struct rig *rig, const char *want)
{
	struct etl_state *s = rig->driver.state;
	struct etl_dead_query query = {.job = "job"};
	ETL_BUF_CLEANUP struct etl_buf text;

	etl_buf_init(&text, 4096);
	assert_int_equal(etl_dead_letter_list(s, &query, keep_letter, &text, &rig->err), 0);
	assert_string_equal(etl_buf_text(&text), want);
}

static void refuse_hour(struct memory_target *t, int64_t h)
{
	t->refuse_from = hour(h);
	t->refuse_to = hour(h + 1);
}

static void need_one_refused(struct rig *rig, size_t first, size_t last)
{
	assert_int_equal(rig->run->counts.rejected, 1);
	assert_int_equal(rig->run->counts.refused, 1);
	assert_int_equal(rig->run->counts.inserted, ROWS);
	assert_int_equal(told(rig, 0, "rejected"), first);
	assert_int_equal(told(rig, 1, "rejected"), last);
	need_balance(rig);
}

/* In one window of six rows one is refused: by the one or the other, it is in neither. */
static struct rig *rig_that_refuses(struct memory_target *who)
{
	struct rig *rig = pair_rig("schedule: {cron: '10 * * * *'}\n"
		"rejects: {max: 2, max_ratio: 0.25}\n"
		"partitions: {station: [a]}\n"
		"window: {size: 6h, settle: 10m, start: 2024-01-01}\n"
		"extract:\n"
		"  http:\n"
		"    url: 'http://peer.test/{station}'\n"
		"    query: {from: '{window.start:%Y%m%d%H}', to: '{window.end:%Y%m%d%H}'}\n"
		"    records: /data\n"
		"    time: {field: ts, format: '%Y-%m-%d %H:%M:%S', timezone: UTC}\n"
		"transform:\n"
		"  - set: {station_id: '{station}'}\n"
		"load: {\"null\": {}}\n", 6);

	service_fill(rig, "a", 0, ROWS + 1);
	refuse_hour(who, 2);
	return rig;
}

static void test_refused_by_the_first(void **state)
{
	struct rig *rig = rig_that_refuses(&pair.first);

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(pair.first.n, ROWS);
	assert_int_equal(pair.main.n, ROWS);
	assert_null(row_of(&pair.main, 2));
	need_one_refused(rig, 1, 0);
	need_letters(rig, "load test: etl.first refuses it: refused on command\n");
	pair_free();
}

/* The first one has it by then, and lets go of it. */
static void test_refused_by_the_committing_one(void **state)
{
	struct rig *rig = rig_that_refuses(&pair.main);

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(pair.first.n, ROWS);
	assert_int_equal(pair.main.n, ROWS);
	assert_null(row_of(&pair.first, 2));
	assert_int_equal(told(rig, 0, "inserted"), ROWS);
	assert_int_equal(told(rig, 1, "inserted"), ROWS);
	need_one_refused(rig, 0, 1);
	need_letters(rig, "load test: etl.main refuses it: refused on command\n");
	pair_free();
}

/* The store refuses the slice too: the row stays one reject. */
static void test_refused_and_tried_again(void **state)
{
	struct rig *rig = rig_that_refuses(&pair.main);

	(void)state;
	rig->refuse_commits = 3;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(pair.first.n, ROWS);
	assert_int_equal(pair.main.n, ROWS);
	assert_int_equal(rig->run->counts.rejected, 1);
	assert_int_equal(rig->run->rejects.n, 1);
	assert_int_equal(rig->run->rejects.rows[0].n, 1);
	assert_int_equal(told(rig, 1, "rejected"), 1);
	need_balance(rig);
	pair_free();
}

/* Both refuse the same row: it is one reject. */
static void test_refused_by_both(void **state)
{
	struct rig *rig = rig_that_refuses(&pair.main);

	(void)state;
	refuse_hour(&pair.first, 2);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(pair.first.n, ROWS);
	assert_int_equal(pair.main.n, ROWS);
	need_one_refused(rig, 1, 0);
	pair_free();
}

/* Each refuses another row: both rows are in neither. */
static void test_each_refuses_another(void **state)
{
	struct rig *rig = rig_that_refuses(&pair.main);

	(void)state;
	refuse_hour(&pair.first, 4);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(pair.first.n, ROWS - 1);
	assert_int_equal(pair.main.n, ROWS - 1);
	assert_null(row_of(&pair.main, 4));
	assert_null(row_of(&pair.first, 2));
	assert_int_equal(rig->run->counts.refused, 2);
	assert_int_equal(told(rig, 0, "rejected"), 1);
	assert_int_equal(told(rig, 1, "rejected"), 1);
	need_balance(rig);
	pair_free();
}

/* Without transactions a target keeps what it was given; the row is one reject all the same, and the
 * slice is not done again for what nobody can take back. */
static void test_refused_after_one_that_keeps(void **state)
{
	struct rig *rig = rig_that_refuses(&pair.main);

	(void)state;
	make_joining(0);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(pair.first.n, ROWS + 1);
	assert_int_equal(pair.main.n, ROWS);
	assert_int_equal(pair.first.aborts, 0);
	need_one_refused(rig, 0, 1);
	pair_free();
}

/* Too many: nothing of the slice stays in either. */
static void test_too_many_refused(void **state)
{
	struct rig *rig = rig_that_refuses(&pair.main);

	(void)state;
	pair.main.refuse_from = hour(0);
	pair.main.refuse_to = hour(4);
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "span.rejects");
	assert_int_equal(pair.first.n, 0);
	assert_int_equal(pair.main.n, 0);
	assert_int_equal(rig->run->counts.refused, 4);
	need_balance(rig);
	pair_free();
}

/* ---- null beside a real one, and a chain --------------------------------------------------------- */

static void test_null_beside_a_real_one(void **state)
{
	struct rig *rig = pair_rig(NULL, ROWS);
	const struct etl_sink_type *null = etl_sink_find("null");

	(void)state;
	service_fill(rig, "a", 0, ROWS);
	pair.loads[0] = (struct etl_job_load){null, NULL};
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(pair.main.n, ROWS);
	assert_int_equal(rig->run->windows.loaded, ROWS);
	NEED_WATERMARK(rig, ROWS);
	need_name(rig, 0, "null");
	assert_int_equal(told(rig, 0, "inserted"), ROWS);
	need_balance(rig);
	pair_free();
}

/* Nothing takes it back: a slice is not done again for it. */
static void test_null_before_one_that_refuses(void **state)
{
	struct rig *rig = rig_that_refuses(&pair.main);

	(void)state;
	pair.loads[0] = (struct etl_job_load){etl_sink_find("null"), NULL};
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(pair.main.n, ROWS);
	assert_int_equal(pair.main.aborts, 0);
	need_balance(rig);
	pair_free();
}

static size_t rows_counted;

static int count_rows(void *self, struct etl_batch *batch, struct etl_load_result *result,
	struct etl_error *err)
{
	rows_counted += batch->n;
	return etl_sink_write(*(struct etl_sink **)self, batch, result, err);
}

static int open_counting(void *self, const void *options, const struct etl_sink_env *env,
	struct etl_error *err)
{
	(void)options;
	(void)err;
	*(struct etl_sink **)self = env->next;
	return 0;
}

static const struct etl_sink_type counting = {.name = "counting", .size = sizeof(struct etl_sink *),
	.open = open_counting, .write = count_rows};

static size_t stages(const void *options, struct etl_sink_stage out[ETL_SINK_STAGES_MAX])
{
	out[0] = (struct etl_sink_stage){&counting, options};
	out[1] = (struct etl_sink_stage){&counting, options};
	return 2;
}

/* The run knows nothing of the stages of a sink. */
static void test_a_chain(void **state)
{
	struct rig *rig = pair_rig(NULL, ROWS);

	(void)state;
	service_fill(rig, "a", 0, ROWS);
	pair.joins = memory_target_type;
	pair.joins.stages = stages;
	pair.loads[0].type = &pair.joins;
	rows_counted = 0;
	rig->refuse_commits = 1;
	NEED_RUN(rig, ETL_RUN_OK);
	need_both(rig, ROWS);
	assert_int_equal(rows_counted, 2 * 2 * ROWS); /* two stages, two attempts */
	assert_int_equal(told(rig, 0, "unchanged"), ROWS); /* they were in before the store refused */
	pair_free();
}

static int note_keys(void *self, struct etl_batch *batch, struct etl_load_result *result,
	struct etl_error *err)
{
	result->keys.n += 2;
	result->stale++;
	etl_text_copy(result->keys.first, sizeof result->keys.first, "the same key");
	return etl_sink_write(*(struct etl_sink **)self, batch, result, err);
}

static const struct etl_sink_type noting = {.name = "noting", .size = sizeof(struct etl_sink *),
	.open = open_counting, .write = note_keys};

static size_t noting_stage(const void *options, struct etl_sink_stage out[ETL_SINK_STAGES_MAX])
{
	out[0] = (struct etl_sink_stage){&noting, options};
	return 1;
}

/* What one target warns of is told; what both warn of is told once. */
static void test_warnings_of_the_targets(void **state)
{
	for (size_t both = 0; both < 2; both++) {
		struct rig *rig = pair_rig(NULL, 1);

		(void)state;
		service_fill(rig, "a", 0, 1);
		pair.joins = memory_target_type;
		pair.joins.stages = noting_stage;
		pair.loads[0].type = &pair.joins;
		if (both)
			pair.loads[1].type = &pair.joins;
		NEED_RUN(rig, ETL_RUN_OK);
		assert_int_equal(rig->run->warnings, 2);
		assert_string_equal(rig->run->warned.rows[0].first, "the same key");
		assert_int_equal(told(rig, 0, "stale"), 1);
		pair_free();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_get_all),
		cmocka_unit_test(test_each_tells_its_own),
		cmocka_unit_test(test_a_change_beside_is_a_change),
		cmocka_unit_test(test_a_slice_counts_for_all),
		cmocka_unit_test(test_the_others_come_before_the_ledger),
		cmocka_unit_test(test_the_committing_one_is_last),
		cmocka_unit_test(test_a_death_before_the_ledger),
		cmocka_unit_test(test_what_fails_between_them),
		cmocka_unit_test(test_a_store_that_refuses),
		cmocka_unit_test(test_refused_by_the_first),
		cmocka_unit_test(test_refused_by_the_committing_one),
		cmocka_unit_test(test_refused_and_tried_again),
		cmocka_unit_test(test_refused_by_both),
		cmocka_unit_test(test_each_refuses_another),
		cmocka_unit_test(test_refused_after_one_that_keeps),
		cmocka_unit_test(test_too_many_refused),
		cmocka_unit_test(test_null_beside_a_real_one),
		cmocka_unit_test(test_null_before_one_that_refuses),
		cmocka_unit_test(test_a_chain),
		cmocka_unit_test(test_warnings_of_the_targets),
	};

	return cmocka_run_group_tests_name("loads", tests, NULL, NULL);
}
