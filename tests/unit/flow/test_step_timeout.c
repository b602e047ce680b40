/* SPDX-License-Identifier: MIT
 *
 * `timeouts`: each step of a strand is made to take time on the virtual clock. What passes
 * its limit is tried again; what is committed stays.
 */
#include "run_rig.h"

static const char limits_yaml[] =
	"retry: {max: 3, backoff: 5s, max_backoff: 10m}\n"
	"timeouts: {plan: 1s, extract: 2m, decode: 3s, transform: 4s, check: 5s, load: 30s, "
	"commit: 40s}\n";

/* What is slow, and how often still. The parts of the job are replaced by these, which let the
 * time pass and then do what the real ones do. */
static struct slow {
	struct driver *driver;
	enum etl_step_id step;
	etl_dur takes;
	int times, pages;
	struct etl_source_type source;
	struct etl_transform_type transform;
	struct etl_check_type check;
	struct etl_sink_type sink;
	struct etl_state_ops ops;
	const struct etl_source_type *real_source;
	const struct etl_transform_type *real_transform;
	const struct etl_check_type *real_check;
} slow;

static void pass_time(enum etl_step_id step)
{
	if (slow.step != step || !slow.times)
		return;
	slow.times--;
	etl_clock_virtual_advance(&slow.driver->clock, slow.takes);
}

static int slow_claim(struct etl_state *s, const char *job, const char *partition, int64_t fence,
	etl_wall origin, int64_t window_ms, struct etl_watermark *out, struct etl_error *err)
{
	pass_time(ETL_STEP_PLAN);
	return driver_real_ops->watermark_claim(s, job, partition, fence, origin, window_ms, out, err);
}

static int slow_decode(void *self, const char *bytes, size_t len, struct etl_batch *out,
	struct etl_error *err)
{
	pass_time(ETL_STEP_DECODE);
	return slow.real_source->decode(self, bytes, len, out, err);
}

/* The same page again, `pages` times. */
static int slow_next(void *self, etl_wall now, struct etl_batch *batch, struct etl_request *out,
	struct etl_error *err)
{
	struct etl_window span = {hour(0), hour(5)};
	int more = slow.real_source->next(self, now, batch, out, err);

	if (more || !slow.pages)
		return more;
	slow.pages--;
	return slow.real_source->first(self, &span, now, out, err) < 0 ? -1 : 1;
}

static int slow_read(void *self, const struct etl_window *span, struct etl_batch *out,
	struct etl_error *err)
{
	(void)self;
	(void)span;
	(void)out;
	(void)err;
	pass_time(ETL_STEP_EXTRACT);
	return slow.pages-- > 0;
}

static int slow_apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	pass_time(ETL_STEP_TRANSFORM);
	return slow.real_transform->apply(self, batch, err);
}

static bool slow_row(void *self, const struct etl_record *record, const struct etl_record_unit *unit,
	struct etl_finding *finding)
{
	pass_time(ETL_STEP_CHECK);
	return slow.real_check->row(self, record, unit, finding);
}

static int slow_write(void *self, struct etl_batch *batch, struct etl_load_result *result,
	struct etl_error *err)
{
	pass_time(ETL_STEP_LOAD);
	return target_write(self, batch, result, err);
}

static int slow_commit(void *ctx, const struct etl_commit *c, struct etl_error *err)
{
	pass_time(ETL_STEP_COMMIT);
	return before_commit(ctx, c, err);
}

static struct rig *slow_rig(int64_t now)
{
	static char yaml[8192];
	struct rig *rig;
	struct etl_job *job;

	snprintf(yaml, sizeof yaml, "%s%s%s", limits_yaml,
		"check:\n  - not_null: {fields: [v]}\n",
		yaml_with("retry: {max: 3, backoff: 5s, max_backoff: 10m}\n", ""));
	rig = rig_new(yaml, now);
	job = rig->job;
	slow = (struct slow){.driver = &rig->driver,
		.source = *job->source, .real_source = job->source,
		.transform = *job->transforms[0].type, .real_transform = job->transforms[0].type,
		.check = *job->checks[0].type, .real_check = job->checks[0].type,
		.sink = *job->loads[0].type, .ops = *rig->driver.state->ops};
	slow.source.decode = slow_decode;
	slow.source.next = slow_next;
	slow.transform.apply = slow_apply;
	slow.check.row = slow_row;
	slow.sink.write = slow_write;
	slow.ops.watermark_claim = slow_claim;
	job->source = &slow.source;
	job->transforms[0].type = &slow.transform;
	job->checks[0].type = &slow.check;
	job->loads[0].type = &slow.sink;
	rig->driver.state->ops = &slow.ops;
	rig->driver.before_commit = slow_commit;
	return rig;
}

static void make_slow(enum etl_step_id step, etl_dur takes, int times)
{
	slow.step = step;
	slow.takes = takes;
	slow.times = times;
}

static void need_late(const struct rig *rig, const char *words)
{
	const struct etl_error *last = &rig->run->parts[0]->last;

	assert_int_equal(last->kind, ETL_TRANSIENT);
	assert_string_equal(last->code, "step.timeout");
	if (!strstr(last->message, words))
		fail_msg("wanted '%s' in '%s'", words, last->message);
}

/* ---- configuration ----------------------------------------------------------------------- */

static void test_the_limits_are_read(void **state)
{
	struct rig *rig = slow_rig(5);

	(void)state;
	assert_int_equal(rig->job->step_timeout[ETL_STEP_PLAN].us, ETL_SECONDS(1).us);
	assert_int_equal(rig->job->step_timeout[ETL_STEP_EXTRACT].us, ETL_MINUTES(2).us);
	assert_int_equal(rig->job->step_timeout[ETL_STEP_COMMIT].us, ETL_SECONDS(40).us);
	assert_int_equal(rig->job->step_timeout[ETL_STEP_FINISH].us, 0);
	rig_free(rig);
	rig = rig_new(NULL, 5);
	for (int i = 0; i < ETL_STEP_MAX; i++)
		assert_int_equal(rig->job->step_timeout[i].us, 0);
	rig_free(rig);
}

/* ---- extract ----------------------------------------------------------------------------- */

static void test_no_answer_in_time(void **state)
{
	struct rig *rig = slow_rig(5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	service_say(rig, (struct scripted){.status = 200, .takes = ETL_MINUTES(10)});
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 2);
	assert_int_equal(rig->driver.timers, 1);
	need_late(rig, "step extract passed its limit of 2m (timeouts.extract) after 2m");
	assert_int_equal(rig->target->n, 5);
	rig_free(rig);
}

/* Two pages of 90 s are one extract of 3 minutes; asked again they come at once. */
static void test_pages_share_the_limit(void **state)
{
	struct rig *rig = slow_rig(5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	slow.pages = 1;
	service_say(rig, (struct scripted){.status = 200, .takes = ETL_SECONDS(90)});
	service_say(rig, (struct scripted){.status = 200, .takes = ETL_SECONDS(90)});
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 3);
	need_late(rig, "step extract passed its limit of 2m");
	NEED_WATERMARK(rig, 5);
	rig_free(rig);
}

/* Each span has the whole limit, and so has each attempt. */
static void test_spans_do_not_share_it(void **state)
{
	struct rig *rig = slow_rig(48);

	(void)state;
	service_fill(rig, "a", 0, 48);
	for (int i = 0; i < 2; i++)
		service_say(rig, (struct scripted){.status = 200, .takes = ETL_SECONDS(119)});
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 2);
	assert_int_equal(rig->driver.timers, 0);
	NEED_WATERMARK(rig, 48);
	rig_free(rig);
}

/* A source that blocks reads inside a worker: that is its extract, and not its decode. */
static void test_a_blocking_source(void **state)
{
	struct rig *rig = slow_rig(5);

	(void)state;
	slow.source.read = slow_read;
	make_slow(ETL_STEP_EXTRACT, ETL_SECONDS(50), 3);
	slow.pages = 2;
	NEED_RUN(rig, ETL_RUN_OK);
	need_late(rig, "step extract passed its limit of 2m (timeouts.extract) after 2m30s");
	assert_int_equal(rig->run->parts[0]->steps[ETL_STEP_EXTRACT].visits, 4);
	assert_int_equal(rig->run->parts[0]->steps[ETL_STEP_EXTRACT].busy.us, ETL_SECONDS(150).us);
	assert_int_equal(rig->run->parts[0]->steps[ETL_STEP_DECODE].busy.us, 0);
	rig_free(rig);
}

/* ---- workers ----------------------------------------------------------------------------- */

static void test_a_slow_step_is_tried_again(void **state)
{
	static const struct {
		enum etl_step_id step;
		const char *words;
	} cases[] = {
		{ETL_STEP_DECODE, "step decode passed its limit of 3s (timeouts.decode) after 10s"},
		{ETL_STEP_TRANSFORM, "step transform passed its limit of 4s"},
		{ETL_STEP_CHECK, "step check passed its limit of 5s"},
		{ETL_STEP_LOAD, "step load passed its limit of 30s (timeouts.load) after 31s"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig *rig = slow_rig(5);

		rig->driver.piece_max = 0;
		service_fill(rig, "a", 0, 5);
		make_slow(cases[i].step,
			cases[i].step == ETL_STEP_LOAD ? ETL_SECONDS(31) : ETL_SECONDS(10), 1);
		NEED_RUN(rig, ETL_RUN_OK);
		need_late(rig, cases[i].words);
		assert_int_equal(rig->driver.requests, 2);
		assert_int_equal(rig->target->n, 5);
		assert_int_equal(rig->target->commits, 1);
		assert_int_equal(rig->run->windows.loaded, 5);
		NEED_WATERMARK(rig, 5);
		rig_free(rig);
	}
}

/* Visits of one attempt add up: five rows, a second each, pass the limit of the check. */
static void test_visits_add_up(void **state)
{
	struct rig *rig = slow_rig(5);

	(void)state;
	rig->driver.piece_max = 60; /* a row comes in two pieces or three */
	service_fill(rig, "a", 0, 5);
	make_slow(ETL_STEP_DECODE, ETL_MS(500), 7);
	NEED_RUN(rig, ETL_RUN_OK);
	need_late(rig, "step decode passed its limit of 3s (timeouts.decode) after 3s500ms");
	rig_free(rig);
}

static void test_tries_are_used_up(void **state)
{
	struct rig *rig = slow_rig(5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	make_slow(ETL_STEP_LOAD, ETL_SECONDS(31), 4);
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_int_equal(rig->driver.requests, 4);
	assert_int_equal(rig->target->n, 0);
	assert_string_equal(rig->run->error.code, "step.timeout");
	assert_int_equal(entry_at(rig, "job", "a", 0).state, ETL_WINDOW_FAILED);
	assert_non_null(strstr(entry_at(rig, "job", "a", 0).reason, "step load passed"));
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 5);
	rig_free(rig);
}

/* No request goes out for a plan that was late, and nothing of it is counted twice. */
static void test_a_slow_plan(void **state)
{
	struct rig *rig = slow_rig(5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	make_slow(ETL_STEP_PLAN, ETL_SECONDS(2), 2);
	NEED_RUN(rig, ETL_RUN_OK);
	need_late(rig, "step plan passed its limit of 1s (timeouts.plan) after 2s");
	assert_int_equal(rig->driver.requests, 1);
	assert_int_equal(rig->driver.timers, 2);
	assert_int_equal(rig->run->parts[0]->windows_due, 5);
	assert_int_equal(rig->run->windows.loaded, 5);
	rig_free(rig);
}

/* ---- commit ------------------------------------------------------------------------------ */

static void test_a_slow_commit_that_went_well(void **state)
{
	struct rig *rig = slow_rig(48);

	(void)state;
	service_fill(rig, "a", 0, 48);
	make_slow(ETL_STEP_COMMIT, ETL_MINUTES(5), 2);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 2);
	assert_int_equal(rig->driver.timers, 0);
	assert_int_equal(rig->run->parts[0]->last.kind, ETL_OK);
	NEED_WATERMARK(rig, 48);
	rig_free(rig);
}

static void test_a_commit_that_is_refused_for_long(void **state)
{
	struct rig *rig = slow_rig(5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	rig->refuse_commits = 3;
	make_slow(ETL_STEP_COMMIT, ETL_SECONDS(15), 3);
	NEED_RUN(rig, ETL_RUN_OK);
	need_late(rig, "step commit passed its limit of 40s (timeouts.commit) after 45s");
	assert_int_equal(rig->driver.requests, 2);
	assert_int_equal(rig->target->n, 5);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_limits_are_read),
		cmocka_unit_test(test_no_answer_in_time),
		cmocka_unit_test(test_pages_share_the_limit),
		cmocka_unit_test(test_spans_do_not_share_it),
		cmocka_unit_test(test_a_blocking_source),
		cmocka_unit_test(test_a_slow_step_is_tried_again),
		cmocka_unit_test(test_visits_add_up),
		cmocka_unit_test(test_tries_are_used_up),
		cmocka_unit_test(test_a_slow_plan),
		cmocka_unit_test(test_a_slow_commit_that_went_well),
		cmocka_unit_test(test_a_commit_that_is_refused_for_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
