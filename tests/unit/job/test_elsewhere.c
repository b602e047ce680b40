/* SPDX-License-Identifier: MIT
 *
 * A load that goes to another target than before: what is told of the windows that stay where
 * they were, and that the record of them is what runs have done.
 */
#include "../flow/run_rig.h"

#include "job/elsewhere.h"

/* What is told of partition "a" of the rig's job: "" = nothing is elsewhere. */
static const char *told(struct rig *rig)
{
	static char text[ETL_ELSEWHERE_TEXT_BYTES];
	struct etl_state *s = rig->driver.state;
	struct etl_elsewhere sum = {.n = 0};
	struct etl_watermark mark;

	*text = '\0';
	etl_job_target(rig->job, "etl", sum.target);
	if (*sum.target && s->ops->watermark_get(s, rig->job->name, "a", &mark, &rig->err) == 1 &&
		etl_elsewhere_add(&sum, &rig->job->window, &mark))
		etl_elsewhere_text(&sum, text);
	return text;
}

static struct rig *rig_into(const char *name, int64_t now)
{
	struct rig *rig = rig_new(NULL, now);

	service_fill(rig, "a", 0, 48);
	rig->target->name = name;
	return rig;
}

/* A commit of nothing but the list of targets, as an older etld would have left it. */
static void need_commit_of(struct rig *rig, const struct etl_watermark *mark,
	const struct etl_targets *targets)
{
	struct etl_commit c = {.job = rig->job->name, .partition = "a", .run_id = mark->run_id,
		.fence = mark->fence, .origin = mark->origin, .watermark = mark->processed,
		.window_ms = mark->window_ms, .targets = targets};

	assert_int_equal(driver_real_ops->commit(rig->driver.state, NULL, &c, &rig->err), 0);
}

/* The piece of a restatement. */
static void restate(struct rig *rig, int from, int until)
{
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_BACKFILL, .reprocess = ETL_REPROCESS_STALE,
		.asked = {hour(from), hour(until)}};

	run_triggered(rig, rig->job, &trigger);
	assert_int_equal(rig->run->state, ETL_RUN_OK);
}

/* The target is another place now, where nothing is yet. */
static void leave_place(struct rig *rig)
{
	for (size_t i = 0; i < rig->target->n; i++)
		free(rig->target->rows[i].bson);
	rig->target->n = 0;
}

static void test_a_changed_target(void **state)
{
	struct rig *rig = rig_into("etl.a", 19);

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 19);
	assert_string_equal(told(rig), "");
	rig->target->name = "etl.b";
	assert_string_equal(told(rig), "19 windows are in 'a', none in 'b'");
	rig->target->name = "other.b";
	assert_string_equal(told(rig), "19 windows are in 'etl.a', none in 'other.b'");

	rig->target->name = "etl.b";
	leave_place(rig);
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK); /* the lookback takes a window with it, of the same content */
	assert_string_equal(told(rig), "18 windows are in 'a', 2 in 'b'");
	pass_hours(rig, 3);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(told(rig), "18 windows are in 'a', 5 in 'b'");
	assert_int_equal(rig->target->n, 5);
	assert_non_null(rig->run->parts[0]->elsewhere);
	assert_int_equal(rig->run->parts[0]->elsewhere->n, 18);
	assert_int_equal(rig->run->parts[0]->here, 5);

	rig->target->name = "etl.a"; /* back */
	assert_string_equal(told(rig), "5 windows are in 'b', 18 in 'a'");
	rig->target->name = "etl.c";
	assert_string_equal(told(rig), "18 windows are in 'a', 5 in 'b', none in 'c'");
	rig_free(rig);
}

/* Of several targets each is looked at: a new one has nothing, one less lacks nothing, and their order
 * says nothing of where the rows are. */
static void test_several_targets(void **state)
{
	struct rig *rig = rig_into("etl.a", 19);
	struct memory_target second = {.name = "etl.b"};
	struct etl_job_load both[] = {rig->job->loads[0], {&memory_target_type, &second}};

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	rig->job->loads = both;
	rig->job->n_loads = 2;
	assert_string_equal(told(rig), "19 windows are in 'a', none in 'a + b'");
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(told(rig), "18 windows are in 'a', 2 in 'a + b'");
	run_job(rig, rig->job, (struct etl_window){hour(0), hour(20)});
	assert_string_equal(told(rig), "");
	assert_int_equal(second.n, 20);

	rig->job->committing = 1;
	assert_string_equal(told(rig), "");
	second.name = "etl.c";
	assert_string_equal(told(rig), "20 windows are in 'a + b', none in 'c + a'");
	second.name = "other.b";
	assert_string_equal(told(rig), "20 windows are in 'etl.a + etl.b', none in 'other.b + etl.a'");
	rig->job->n_loads = 1;
	rig->job->committing = 0;
	assert_string_equal(told(rig), "");
	rig->target->name = "etl.c";
	assert_string_equal(told(rig), "20 windows are in 'a + b', none in 'c'");
	target_fini(&second);
	rig_free(rig);
}

/* The command loads all of them again, and then nothing is elsewhere. */
static void test_loaded_again(void **state)
{
	struct rig *rig = rig_into("etl.a", 10);
	char command[ETL_ELSEWHERE_TEXT_BYTES];
	struct etl_elsewhere sum = {.n = 0};
	struct etl_watermark mark;

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	rig->target->name = "etl.b";
	leave_place(rig);
	etl_job_target(rig->job, "etl", sum.target);
	rig->driver.state->ops->watermark_get(rig->driver.state, rig->job->name, "a", &mark, &rig->err);
	assert_true(etl_elsewhere_add(&sum, &rig->job->window, &mark));
	etl_elsewhere_command(rig->job, command);
	assert_string_equal(command, "etlctl restate job");
	restate(rig, 0, 10);
	assert_string_equal(told(rig), "");
	assert_int_equal(rig->target->n, 10);
	rig_free(rig);
}

/* What the source no longer has stays where it was loaded, and goes on being told. */
static void test_what_the_source_forgot_stays(void **state)
{
	struct rig *rig = rig_into("etl.a", 4);

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	rig->target->name = "etl.b";
	rig->n_rows = 0;
	run_job(rig, rig->job, (struct etl_window){hour(0), hour(4)});
	assert_string_equal(told(rig), "4 windows are in 'a', none in 'b'");
	rig_free(rig);
}

/* A load that keeps nothing closes nothing, has no target, and is told nothing. */
static void test_a_load_of_nothing(void **state)
{
	struct rig *rig = rig_new(NULL, 4);
	char target[ETL_TARGET_BYTES];

	(void)state;
	service_fill(rig, "a", 0, 4);
	rig->target->name = "etl.a";
	NEED_RUN(rig, ETL_RUN_OK);
	rig->target->name = NULL;
	assert_string_equal(told(rig), "");
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_null(rig->run->parts[0]->elsewhere);
	rig->job->loads[0].type = etl_sink_find("null");
	etl_job_target(rig->job, "etl", target);
	assert_string_equal(target, "");
	rig_free(rig);
}

/* ---- sums ----------------------------------------------------------------------------------- */

static const struct etl_window_rules hourly = {.grid = {.start = {T0}, .size = ETL_HOURS(1)}};

static struct etl_watermark marked(const char *a, int from, int until)
{
	struct etl_watermark mark = {.origin = hour(0), .processed = hour(until)};

	etl_targets_note(&mark.targets, a, (struct etl_window){hour(from), hour(until)});
	return mark;
}

static void test_partitions_that_differ(void **state)
{
	struct etl_watermark one = marked("etl.a", 0, 10), two = marked("etl.b", 0, 6);
	struct etl_elsewhere sum = {.target = "etl.b"}, part = {.target = "etl.b"};
	char text[ETL_ELSEWHERE_TEXT_BYTES];

	(void)state;
	assert_false(etl_elsewhere_add(&sum, &hourly, &two));
	assert_true(etl_elsewhere_add(&part, &hourly, &one));
	etl_elsewhere_join(&sum, &part);
	etl_elsewhere_text(&sum, text);
	assert_string_equal(text, "10 windows are in 'a', 6 in 'b'");
}

/* No record, as an older etld left it: nothing is claimed; what lies before the record is told. */
static void test_without_a_record(void **state)
{
	struct etl_watermark old = {.origin = hour(0), .processed = hour(9), .targets = {.absent = true}};
	struct etl_watermark part = marked("etl.a", 9, 12);
	struct etl_elsewhere sum = {.target = "etl.b"};
	char text[ETL_ELSEWHERE_TEXT_BYTES];

	(void)state;
	assert_false(etl_elsewhere_add(&sum, &hourly, &old));
	assert_int_equal(sum.unknown, 0);
	etl_targets_note(&part.targets, ETL_TARGET_UNKNOWN, (struct etl_window){hour(0), hour(9)});
	assert_true(etl_elsewhere_add(&sum, &hourly, &part));
	etl_elsewhere_text(&sum, text);
	assert_string_equal(text, "3 windows are in 'a', none in 'b'; of 9 more it is not on record");
}

/* The first commit into such a document says what it does not know; what an operator has skipped
 * before any commit is in no target, and is not told. */
static void test_the_first_commit_after_an_upgrade(void **state)
{
	struct rig *rig = rig_into("etl.a", 5);
	struct etl_state *s = rig->driver.state;
	struct etl_watermark mark;
	struct etl_targets none = {.absent = true};

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	s->ops->watermark_get(s, rig->job->name, "a", &mark, &rig->err);
	need_commit_of(rig, &mark, &none);
	rig->target->name = "etl.b";
	pass_hours(rig, 3);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(told(rig), "");
	rig->target->name = "etl.c";
	assert_string_equal(told(rig), "3 windows are in 'b', none in 'c'; of 5 more it is not on record");
	rig_free(rig);
}

/* The job begins later and ends earlier now: what lies beyond is not its own. */
static void test_beyond_the_job(void **state)
{
	struct etl_window_rules rules = hourly;
	struct etl_watermark mark = marked("etl.a", 0, 10);
	struct etl_elsewhere sum = {.target = "etl.b"};
	char text[ETL_ELSEWHERE_TEXT_BYTES];

	(void)state;
	rules.grid.start = hour(3);
	rules.end = hour(4);
	assert_true(etl_elsewhere_add(&sum, &rules, &mark));
	etl_elsewhere_text(&sum, text);
	assert_string_equal(text, "1 window is in 'a', none in 'b'");
	rules.grid.start = hour(10);
	rules.end = (etl_wall){0};
	sum = (struct etl_elsewhere){.target = "etl.b"};
	assert_false(etl_elsewhere_add(&sum, &rules, &mark));
}

static void test_without_windows(void **state)
{
	const struct etl_window_rules rules = {.none = true};
	struct etl_watermark mark = {.processed = hour(5)};
	struct etl_elsewhere sum = {.target = "etl.b"};
	struct etl_job job = {.name = "j", .window = rules};
	char text[ETL_ELSEWHERE_TEXT_BYTES];

	(void)state;
	etl_targets_note(&mark.targets, "etl.a", (struct etl_window){{0}, {0}});
	assert_true(etl_elsewhere_add(&sum, &rules, &mark));
	etl_elsewhere_text(&sum, text);
	assert_string_equal(text, "1 full read is in 'a', none in 'b'");
	etl_elsewhere_command(&job, text);
	assert_string_equal(text, "etlctl run j");
}

/* Each run reads all of it, and takes it with it. */
static void test_the_next_full_read(void **state)
{
	struct rig *rig = rig_new(
		yaml_with("window: {size: 1h, settle: 10m, lookback: 2h, max_span: 1d, start: 2024-01-01}",
			"window: none"), 4);

	(void)state;
	service_fill(rig, "a", 0, 3);
	rig->target->name = "etl.a";
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(told(rig), "");
	rig->target->name = "etl.b";
	assert_string_equal(told(rig), "1 full read is in 'a', none in 'b'");
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(told(rig), "");
	rig_free(rig);
}

/* What stood on the stack before is none of its memory. */
static void a_job_that_is_left_out_loads_nowhere(void **state)
{
	const struct etl_job job = {.name = "wrong", .left_out = "a key is missing"};
	char target[ETL_TARGET_BYTES] = "before";

	(void)state;
	etl_job_target(&job, "etl", target);
	assert_string_equal(target, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_that_is_left_out_loads_nowhere),
		cmocka_unit_test(test_a_changed_target),
		cmocka_unit_test(test_several_targets),
		cmocka_unit_test(test_loaded_again),
		cmocka_unit_test(test_what_the_source_forgot_stays),
		cmocka_unit_test(test_a_load_of_nothing),
		cmocka_unit_test(test_partitions_that_differ),
		cmocka_unit_test(test_without_a_record),
		cmocka_unit_test(test_the_first_commit_after_an_upgrade),
		cmocka_unit_test(test_beyond_the_job),
		cmocka_unit_test(test_without_windows),
		cmocka_unit_test(test_the_next_full_read),
	};

	return cmocka_run_group_tests_name("elsewhere", tests, NULL, NULL);
}
