/* SPDX-License-Identifier: MIT
 *
 * Runs over windows of local days and months: each has the records of its own hours, however many
 * were asked for with it, and holes among them are found.
 */
#include "run_rig.h"

#include "state/memory.h"

/* One request for all of it, in whole hours of UTC, which are all that the service knows. */
static char *local_yaml(const char *size, const char *start)
{
	return etl_strf(
		"schedule: {cron: '10 * * * *'}\n"
		"partitions: {station: [a]}\n"
		"window: {size: %s, timezone: Europe/Paris, settle: 10m, max_span: 800d, start: %s}\n"
		"extract:\n"
		"  http:\n"
		"    url: 'http://peer.test/{station}'\n"
		"    query: {from: '{window.start:%%Y%%m%%d%%HZ}', to: '{window.end:%%Y%%m%%d%%HZ}'}\n"
		"    records: /data\n"
		"    time: {field: ts, format: '%%Y-%%m-%%d %%H:%%M:%%S', timezone: UTC}\n"
		"transform:\n"
		"  - set: {station_id: '{station}'}\n"
		"load: {\"null\": {}}\n", size, start);
}

static void test_windows_have_their_own_hours(void **state)
{
	static const struct {
		const char *size, *start;
		int64_t days; /* that the service has, from two days before the start on */
		size_t windows;
	} rows[] = {
		{"1d", "2024-03-25", 12, 10}, {"1d", "2024-10-20", 14, 11}, {"1w", "2024-03-25", 30, 4},
		{"1mo", "2024-01-01", 400, 13}, {"1mo", "2024-09-01", 100, 3}, {"1y", "2024-01-01", 735, 2},
	};

	(void)state;
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		char *yaml = local_yaml(rows[r].size, rows[r].start);
		struct rig *rig = rig_new(yaml, 0);
		struct ledger_view view;
		int64_t from = (rig->job->window.grid.start.ms - T0) / HOUR_MS - 48;

		service_fill(rig, "a", from, from + rows[r].days * 24);
		pass_hours(rig, from + rows[r].days * 24);
		assert_int_equal(run_due(rig), ETL_RUN_OK);
		assert_int_equal(rig->driver.requests, 1);
		ledger_read(rig, "job", "a", &view);
		assert_int_equal(view.n, rows[r].windows);
		for (size_t i = 0; i < view.n; i++) {
			struct etl_window window = view.entries[i].window;

			assert_true(etl_grid_has(&rig->job->window.grid, window));
			assert_int_equal(view.entries[i].counts.in,
				(window.end.ms - window.start.ms) / HOUR_MS);
		}
		assert_int_equal(watermark_of(rig, "job", "a").ms, view.entries[view.n - 1].window.end.ms);
		free(view.entries);
		rig_free(rig);
		free(yaml);
	}
}

static void audit(struct rig *rig)
{
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_SCHEDULE};

	etl_run_free(rig->run);
	rig->run = etl_run_new(rig->job, &rig->driver.env, 1, &trigger);
	rig->run->seek_holes = true;
	assert_int_equal(driver_run(&rig->driver, rig->run, &rig->err), 0);
}

/* Days of 23, 24 and 25 hours count one each: none is missing, and of three that are lost three are. */
static void test_holes_of_days(void **state)
{
	char *yaml = local_yaml("1d", "2024-03-25");
	struct rig *rig = rig_new(yaml, 0);
	struct memory *m = (struct memory *)rig->driver.state;
	struct lane *lane;

	(void)state;
	service_fill(rig, "a", 84 * 24, 310 * 24);
	pass_hours(rig, 310 * 24);
	assert_int_equal(run_due(rig), ETL_RUN_OK);
	assert_int_equal(rig->run->windows.loaded, 226);
	rig->driver.after_commit = NULL; /* it would find the holes too */
	audit(rig);
	assert_int_equal(rig->run->windows.loaded, 0);
	lane = &m->lanes[0];
	memmove(&lane->entries[5], &lane->entries[8], (lane->n - 8) * sizeof *lane->entries);
	lane->n -= 3;
	audit(rig);
	assert_int_equal(rig->run->windows.loaded, 3);
	rig_free(rig);
	free(yaml);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows_have_their_own_hours),
		cmocka_unit_test(test_holes_of_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
