/* SPDX-License-Identifier: MIT
 *
 * Checks of a whole run: a partition that brings nothing while others do. The verdict stands in the
 * run's record, counts as a warning or fails the run, and takes nothing of what is loaded away.
 */
#include "run_rig.h"

static struct rig *rig_at(const char *check, int64_t now)
{
	char yaml[4096];
	const char *text = yaml_with("{station: [a]}", "{station: [a, b, c]}");
	const char *at = strstr(text, "load:");

	snprintf(yaml, sizeof yaml, "%.*scheck:\n  - expected_partitions: %s\n%s", (int)(at - text),
		text,
		check, at);
	return rig_new(yaml, now);
}

static struct rig *rig_with(const char *check)
{
	return rig_at(check, 3);
}

/* The one verdict of the run's record. */
static void need_verdict(struct rig *rig, const char *verdict, const char *message)
{
	bson_iter_t root, it;
	bson_t saved;

	assert_int_equal(etl_doc_get(rig->driver.state, &etl_runs, rig->run->run_id, &saved,
		&rig->err), 1);
	assert_true(bson_iter_init(&root, &saved) &&
		bson_iter_find_descendant(&root, "verdicts.0.check", &it));
	assert_string_equal(bson_iter_utf8(&it, NULL), "expected_partitions");
	assert_true(bson_iter_init(&root, &saved) &&
		bson_iter_find_descendant(&root, "verdicts.0.verdict", &it));
	assert_string_equal(bson_iter_utf8(&it, NULL), verdict);
	assert_true(bson_iter_init(&root, &saved) &&
		bson_iter_find_descendant(&root, "verdicts.0.message", &it));
	assert_string_equal(bson_iter_utf8(&it, NULL), message);
	assert_true(bson_iter_init(&root, &saved) && !bson_iter_find_descendant(&root, "verdicts.1",
		&it));
	bson_destroy(&saved);
}

static void test_warn(void **state)
{
	struct rig *rig = rig_with("{}");

	(void)state;
	service_fill(rig, "a", 0, 3);
	service_fill(rig, "c", 0, 1);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->warnings, 1);
	assert_int_equal(rig->run->last.warnings, 1);
	assert_int_equal(rig->run->warned.n, 1);
	assert_string_equal(rig->run->warned.rows[0].rule, "expected_partitions");
	need_verdict(rig, "warn", "1 of 3 partitions brought fewer than 1 record: b");
	assert_int_equal(watermark_of(rig, "job", "b").ms, hour(3).ms); /* empty by proof, and
		closed */
	rig_free(rig);
}

/* The run fails, the windows are closed: only the run's record and its lease tell of it. */
static void test_fail(void **state)
{
	struct rig *rig = rig_with("{min: 2, on_fail: fail}");

	(void)state;
	service_fill(rig, "a", 0, 3);
	service_fill(rig, "b", 0, 3);
	service_fill(rig, "c", 0, 1);
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, "check.failed");
	assert_string_equal(rig->run->error.message,
		"check expected_partitions: 1 of 3 partitions brought fewer than 2 records: c");
	need_verdict(rig, "fail", "1 of 3 partitions brought fewer than 2 records: c");
	assert_true(rig->run->checks_failed && rig->run->last.unitless);
	assert_int_equal(rig->run->windows.failed, 0);
	assert_int_equal(rig->run->warnings, 0);
	assert_int_equal(watermark_of(rig, "job", "c").ms, hour(3).ms);
	need_balance(rig);
	/* The next run reads the last two hours again, in which c has something now. */
	service_fill(rig, "c", 1, 3);
	NEED_RUN(rig, ETL_RUN_OK);
	need_verdict(rig, "pass", "");
	assert_false(rig->run->last.unitless);
	rig_free(rig);
}

/* Only what was asked is judged: a run for one partition says nothing of the others. */
static void test_one_partition(void **state)
{
	struct rig *rig = rig_with("{partitions: [a, z], on_fail: fail}");
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_MANUAL, .partition = etl_strdup("a")};

	(void)state;
	service_fill(rig, "a", 0, 3);
	rig->run = etl_run_new(rig->job, &rig->driver.env, 1, &trigger);
	assert_int_equal(driver_run(&rig->driver, rig->run, &rig->err), 0);
	assert_int_equal(rig->run->state, ETL_RUN_OK);
	need_verdict(rig, "pass", "");
	NEED_RUN(rig, ETL_RUN_FAILED); /* z is no partition of the job, and b is not expected */
	need_verdict(rig, "fail", "1 of 2 partitions brought fewer than 1 record: z");
	rig_free(rig);
}

/* A run of which nothing was due has read nothing, not even of a partition that the job does not have. */
static void test_nothing_due(void **state)
{
	static const char *const checks[] = {"{on_fail: fail}", "{partitions: [z], on_fail: fail}"};

	(void)state;
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		struct rig *rig = rig_at(checks[i], 0); /* the first hour has not ended */

		NEED_RUN(rig, ETL_RUN_OK);
		assert_int_equal(rig->run->n_verdicts, 0);
		rig_free(rig);
	}
}

/* A run that was cancelled has not seen all: it is not judged. */
static void test_cancelled(void **state)
{
	struct rig *rig = rig_with("{on_fail: fail}");

	(void)state;
	service_fill(rig, "a", 0, 3);
	rig->cancel_at = 4;
	NEED_RUN(rig, ETL_RUN_CANCELLED);
	assert_int_equal(rig->run->n_verdicts, 0);
	rig_free(rig);
}

/* A partition that failed has its own error; the verdict stands beside it. */
static void test_beside_a_failure(void **state)
{
	struct rig *rig = rig_with("{on_fail: fail}");

	(void)state;
	service_fill(rig, "b", 0, 3);
	service_fill(rig, "c", 0, 3);
	service_say(rig, (struct scripted){.status = 400});
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_not_equal(rig->run->error.code, "check.failed");
	need_verdict(rig, "fail", "1 of 3 partitions brought fewer than 1 record: a");
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_warn),
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_one_partition),
		cmocka_unit_test(test_nothing_due),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_beside_a_failure),
	};

	return cmocka_run_group_tests_name("flow/run_checks", tests, NULL, NULL);
}
