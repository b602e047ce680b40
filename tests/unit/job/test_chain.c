/* SPDX-License-Identifier: MIT
 *
 * Hours, days of them, weeks of those: late and rewritten data makes exactly the windows that
 * it touches be computed again, all along the chain, and nothing else.
 */
#include "../flow/run_rig.h"

#include "../../lib/dice.h"

#define DAYS 28
#define HOURS_LOADED (DAYS * 24)
#define NOTHING_ASKED ((struct etl_window){0})

static const char dependant_yaml[] =
	"after: [%s]\n"
	"partitions: {station: [a]}\n"
	"window: {size: %s, settle: 10m, start: 2024-01-01}\n"
	"extract:\n"
	"  http:\n"
	"    url: 'http://peer.test/{station}'\n"
	"    query: {from: '{window.start:%%Y%%m%%d%%H}', to: '{window.end:%%Y%%m%%d%%H}'}\n"
	"    records: /data\n"
	"    time: {field: ts, format: '%%Y-%%m-%%d %%H:%%M:%%S', timezone: UTC}\n"
	"load: {\"null\": {}}\n";

static struct etl_job *day, *week;

static struct etl_job *add_dependant(struct rig *rig, const char *name, const char *after,
	const char *size)
{
	char text[2048];

	snprintf(text, sizeof text, dependant_yaml, after, size);
	return job_rig_add(&rig->jobs, name, text);
}

/* Four weeks, loaded from end to end; nothing is dirty. */
static struct rig *chain_new(void)
{
	struct rig *rig = rig_new(
		yaml_with("lookback: 2h", "lookback: 2h, reread: {every: 1d, span: 7d}"), HOURS_LOADED);

	day = add_dependant(rig, "day", "job", "1d");
	week = add_dependant(rig, "week", "day", "7d");
	job_rig_link(&rig->jobs);
	service_fill(rig, "a", 0, HOURS_LOADED);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(run_job(rig, day, NOTHING_ASKED), ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, DAYS);
	assert_int_equal(run_job(rig, week, NOTHING_ASKED), ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, DAYS / 7);
	return rig;
}

/* Runs the dependant; bit i of the answer: its window i was computed again. */
static uint64_t computed(struct rig *rig, const struct etl_job *job, int64_t hours)
{
	uint64_t bits = 0;

	assert_int_equal(run_job(rig, job, NOTHING_ASKED), ETL_RUN_OK);
	assert_true(rig->driver.requests <= 64);
	for (unsigned i = 0; i < rig->driver.requests; i++) {
		long long start, length;

		assert_int_equal(sscanf(rig->asked[i], "a %lld+%lld", &start, &length), 2);
		assert_int_equal(length, hours);
		assert_int_equal(start % hours, 0);
		assert_false(bits >> (start / hours) & 1); /* not twice */
		bits |= UINT64_C(1) << (start / hours);
	}
	return bits;
}

static void rewrite(struct rig *rig, int64_t h, double v)
{
	service_put(rig, "a", (etl_wall){hour(h).ms + HOUR_MS / 2}, v);
}

static void look_again(struct rig *rig, int64_t from, int64_t to)
{
	assert_int_equal(run_job(rig, rig->job, (struct etl_window){hour(from), hour(to)}),
		ETL_RUN_OK);
}

static void test_one_late_record(void **state)
{
	struct rig *rig = chain_new();

	(void)state;
	service_put(rig, "a", (etl_wall){hour(200).ms + 60000}, 7); /* beside the one at half past */
	look_again(rig, 190, 210);
	assert_int_equal(rig->run->windows_changed, 1);
	assert_int_equal(computed(rig, day, 24), UINT64_C(1) << 8);
	assert_int_equal(computed(rig, week, 168), UINT64_C(1) << 1);
	assert_int_equal(computed(rig, day, 24), 0);
	assert_int_equal(computed(rig, week, 168), 0);
	rig_free(rig);
}

/* The source rewrote two days of the last week; the deep re-read finds them by itself. */
static void test_a_reread_finds_what_was_rewritten(void **state)
{
	struct rig *rig = chain_new();

	(void)state;
	pass_hours(rig, 25);
	service_fill(rig, "a", HOURS_LOADED, HOURS_LOADED + 25);
	rewrite(rig, 22 * 24 + 3, -1);
	rewrite(rig, 22 * 24 + 4, -2);
	rewrite(rig, 26 * 24, -3);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->windows_changed, 3 + 25);
	/* The two days, and the new one; of the weeks the last, the new one is not over. */
	assert_int_equal(computed(rig, day, 24),
		UINT64_C(1) << 22 | UINT64_C(1) << 26 | UINT64_C(1) << 28);
	assert_int_equal(computed(rig, week, 168), UINT64_C(1) << 3);
	rig_free(rig);
}

static void test_a_reread_without_news_computes_nothing(void **state)
{
	struct rig *rig = chain_new();

	(void)state;
	look_again(rig, 0, HOURS_LOADED);
	assert_int_equal(rig->run->windows_changed, 0);
	assert_int_equal(computed(rig, day, 24), 0);
	assert_int_equal(computed(rig, week, 168), 0);
	rig_free(rig);
}

/* Rewritten and put right before the day looked: the day is read again and found as it was,
 * and the week is left alone. */
static void test_what_did_not_change_ends_there(void **state)
{
	struct rig *rig = chain_new();

	(void)state;
	rewrite(rig, 50, -1);
	look_again(rig, 48, 52);
	rewrite(rig, 50, 50);
	look_again(rig, 48, 52);
	assert_int_equal(computed(rig, day, 24), UINT64_C(1) << 2);
	assert_int_equal(rig->run->windows_changed, 0);
	assert_int_equal(computed(rig, week, 168), 0);
	rig_free(rig);
}

/* Whatever hours are rewritten, in how many runs: the days and weeks that hold them. */
static void test_any_hours(void **state)
{
	struct rig *rig = chain_new();

	(void)state;
	dice_seed();
	for (int round = 0; round < 40; round++) {
		uint64_t days = 0, weeks = 0;
		unsigned n = 1 + (unsigned)roll(12);

		for (unsigned i = 0; i < n; i++) {
			int64_t h = (int64_t)roll(HOURS_LOADED);

			rewrite(rig, h, round * 1000 + i + 0.5);
			days |= UINT64_C(1) << (h / 24);
			weeks |= UINT64_C(1) << (h / 168);
			if (roll(3) == 0) /* one by one, or all of them below */
				look_again(rig, h, h + 1);
		}
		look_again(rig, 0, HOURS_LOADED);
		assert_int_equal(computed(rig, day, 24), days);
		assert_int_equal(computed(rig, week, 168), weeks);
	}
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_late_record),
		cmocka_unit_test(test_a_reread_finds_what_was_rewritten),
		cmocka_unit_test(test_a_reread_without_news_computes_nothing),
		cmocka_unit_test(test_what_did_not_change_ends_there),
		cmocka_unit_test(test_any_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
