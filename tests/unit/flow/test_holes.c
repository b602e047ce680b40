/* SPDX-License-Identifier: MIT
 *
 * Windows that the ledger has lost behind the watermark: a run that looks for them finds and loads
 * exactly them, a run that does not leaves them, and an older grid makes no holes.
 */
#include "run_rig.h"

#include "state/memory.h"

/* As if somebody had deleted documents. */
static void lose(struct rig *rig, int from, int to)
{
	struct memory *m = (struct memory *)rig->driver.state;
	struct lane *lane = &m->lanes[0];
	size_t kept = 0;

	rig->driver.after_commit = NULL; /* it would find the holes too */
	assert_int_equal(m->n_lanes, 1);
	for (size_t i = 0; i < lane->n; i++)
		if (lane->entries[i].window.start.ms < hour(from).ms ||
			lane->entries[i].window.start.ms >= hour(to).ms)
			lane->entries[kept++] = lane->entries[i];
	lane->n = kept;
}

static enum etl_run_state run(struct rig *rig, bool seek)
{
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_SCHEDULE};

	etl_run_free(rig->run);
	rig->run = etl_run_new(rig->job, &rig->driver.env, 1, &trigger);
	rig->run->seek_holes = seek;
	assert_int_equal(driver_run(&rig->driver, rig->run, &rig->err), 0);
	return rig->run->state;
}

static void test_lost_windows_are_loaded_again(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 100);

	(void)state;
	service_fill(rig, "a", 0, 100);
	assert_int_equal(run(rig, true), ETL_RUN_OK);
	lose(rig, 0, 3);
	lose(rig, 20, 21);
	lose(rig, 40, 60);
	assert_int_equal(run(rig, false), ETL_RUN_OK);
	assert_int_equal(rig->run->windows.loaded, 2); /* its lookback */
	assert_int_equal(run(rig, true), ETL_RUN_OK);
	assert_int_equal(rig->run->windows.loaded, 24 + 2);
	assert_int_equal(rig->run->counts.inserted, 0); /* the documents were there */
	NEED_STATE(rig, 0, ETL_WINDOW_LOADED);
	NEED_STATE(rig, 59, ETL_WINDOW_LOADED);
	assert_int_equal(watermark_of(rig, "job", "a").ms, hour(100).ms);
	assert_int_equal(run(rig, true), ETL_RUN_OK);
	assert_int_equal(rig->run->windows.loaded, 2);
	rig_free(rig);
}

/* The source has nothing for the middle any more: proven empty, and no hole afterwards. */
static void test_holes_that_stay_empty_are_closed(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 50);

	(void)state;
	service_fill(rig, "a", 0, 10);
	service_fill(rig, "a", 12, 50);
	assert_int_equal(run(rig, true), ETL_RUN_OK);
	lose(rig, 9, 13);
	assert_int_equal(run(rig, true), ETL_RUN_OK);
	NEED_STATE(rig, 10, ETL_WINDOW_EMPTY);
	NEED_STATE(rig, 12, ETL_WINDOW_LOADED);
	rig_free(rig);
}

/* A day's windows behind, an hour's from now on: the days are no holes of the hours. */
static void test_an_older_grid_makes_no_holes(void **state)
{
	struct rig *rig = rig_new(yaml_with("size: 1h", "size: 1d"), 24 * 10);
	struct etl_job *hourly;

	(void)state;
	service_fill(rig, "a", 0, 24 * 11);
	assert_int_equal(run(rig, true), ETL_RUN_OK);
	hourly = job_rig_add(&rig->jobs, "job", rig_yaml);
	rig->job = hourly;
	pass_hours(rig, 2);
	assert_int_equal(run(rig, true), ETL_RUN_OK); /* the watermark takes the new grid */
	pass_hours(rig, 2);
	assert_int_equal(run(rig, true), ETL_RUN_OK);
	assert_true(rig->run->windows.loaded + rig->run->windows.empty <= 2 + 2);
	lose(rig, 24 * 3, 24 * 4);
	assert_int_equal(run(rig, true), ETL_RUN_OK);
	assert_true(rig->run->windows.loaded >= 24);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_windows_are_loaded_again),
		cmocka_unit_test(test_holes_that_stay_empty_are_closed),
		cmocka_unit_test(test_an_older_grid_makes_no_holes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
