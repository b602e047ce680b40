/* SPDX-License-Identifier: MIT
 *
 * What a sink is told of its slices: by it a sink that keeps files names them, one for each unit
 * and part.
 * Files here are counts of rows under their names; what a slice that failed had written is not in
 * any.
 */
#include "run_rig.h"

static struct file {
	char name[32];
	size_t rows, writes;
	bool last; /* of its unit */
} files[64];
static size_t n_files;

static struct {
	struct file open; /* of the slice at hand */
	unsigned fail_at; /* this commit of a file, from 1; 0 = none */
	size_t most_units;
} sink;

static int begin_file(void *self, const struct etl_sink_slice *slice, struct etl_error *err)
{
	(void)self, (void)err;
	sink.open = (struct file){.last = !slice->more};
	sink.most_units = slice->n_units > sink.most_units ? slice->n_units : sink.most_units;
	if (slice->n_units)
		snprintf(sink.open.name, sizeof sink.open.name, "hour %lld.%u",
			(long long)((slice->units[0].start.ms - T0) / HOUR_MS), slice->part);
	return 0;
}

static int write_file(void *self, struct etl_batch *batch, struct etl_load_result *result,
	struct etl_error *err)
{
	(void)self, (void)err;
	sink.open.rows += batch->n;
	result->inserted += batch->n;
	for (size_t i = 0; i < batch->n; i++) {
		etl_bit_set(result->changed, i);
		if (result->created)
			etl_bit_set(result->created, i);
	}
	return 0;
}

/* The temporary name becomes the final one, over what was there. */
static int commit_file(void *self, struct etl_error *err)
{
	size_t i = 0;

	(void)self;
	if (sink.fail_at && --sink.fail_at == 0)
		return etl_error_set(err, ETL_TRANSIENT, "file.busy", "not now");
	if (!*sink.open.name)
		return 0;
	while (i < n_files && !etl_streq(files[i].name, sink.open.name))
		i++;
	sink.open.writes = i < n_files ? files[i].writes + 1 : 1;
	n_files += i == n_files;
	files[i] = sink.open;
	return 0;
}

static void target_of_files(const void *options, const char *database, char *out, size_t size)
{
	(void)options, (void)database;
	snprintf(out, size, "files");
}

static const struct etl_sink_type files_type = {.name = "files", .size = 1, .by_unit = true,
	.target = target_of_files, .begin = begin_file, .write = write_file, .commit = commit_file};

static struct etl_job_load loads[1];

static struct rig *files_rig(int64_t now)
{
	struct rig *rig = rig_new(NULL, now);

	n_files = 0;
	memset(&sink, 0, sizeof sink);
	loads[0] = (struct etl_job_load){&files_type, NULL};
	rig->job->loads = loads;
	return rig;
}

static void put_many(struct rig *rig, int64_t h, int n)
{
	for (int i = 0; i < n; i++)
		service_put(rig, "a", (etl_wall){hour(h).ms + i * 1000}, i);
}

static void need_file(size_t i, const char *name, size_t rows, bool last, size_t writes)
{
	assert_true(i < n_files);
	assert_string_equal(files[i].name, name);
	assert_int_equal(files[i].rows, rows);
	assert_int_equal(files[i].last, last);
	assert_int_equal(files[i].writes, writes);
}

/* Four hours of one answer, of which one is empty and one larger than a slice. */
static void test_a_file_for_each_unit(void **state)
{
	struct rig *rig = files_rig(4);
	size_t rows = 0;

	(void)state;
	service_fill(rig, "a", 0, 2);
	put_many(rig, 3, 2500);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->driver.requests, 1);
	need_file(0, "hour 0.0", 1, true, 1);
	need_file(1, "hour 1.0", 1, true, 1);
	assert_string_equal(files[2].name, "hour 3.0");
	assert_string_equal(files[4].name, "hour 3.2");
	assert_int_equal(n_files, 5);
	for (size_t i = 2; i < 5; i++) {
		rows += files[i].rows;
		assert_int_equal(files[i].last, i == 4);
	}
	assert_int_equal(rows, 2500);
	assert_int_equal(sink.most_units, 1);
	NEED_WATERMARK(rig, 4);
	rig_free(rig);
}

/* The store refuses a slice whose file is there already: it is written over under the same name. */
static void test_the_same_name_again(void **state)
{
	struct rig *rig = files_rig(2);

	(void)state;
	put_many(rig, 0, 1500);
	service_fill(rig, "a", 1, 2);
	rig->refuse_commits = 1;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(n_files, 3);
	assert_string_equal(files[0].name, "hour 0.0");
	assert_int_equal(files[0].writes, 2);
	assert_false(files[0].last);
	need_file(1, "hour 0.1", 1500 - files[0].rows, true, 1);
	need_file(2, "hour 1.0", 1, true, 1);
	/* Read again, and more of it: parts begin anew. Between two of them the window is open once
	 * more. */
	rig->driver.after_commit = NULL;
	service_put(rig, "a", (etl_wall){hour(0).ms + HOUR_MS / 2}, 5);
	assert_int_equal(run_job(rig, rig->job, (struct etl_window){hour(0), hour(1)}), ETL_RUN_OK);
	assert_int_equal(n_files, 3);
	assert_int_equal(files[0].writes, 3);
	assert_int_equal(files[0].rows + files[1].rows, 1501);
	rig_free(rig);
}

/* A unit larger than memory goes in while the rest comes: its parts count on. */
static void test_parts_of_a_spilled_unit(void **state)
{
	struct rig *rig = files_rig(1);
	size_t rows = 0;

	(void)state;
	rig->driver.env.memory_max = 100 * 1024;
	rig->driver.piece_max = 5000;
	put_many(rig, 0, 3000);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_true(n_files > 3);
	for (size_t i = 0; i < n_files; i++) {
		char name[32];

		snprintf(name, sizeof name, "hour 0.%zu", i);
		assert_string_equal(files[i].name, name);
		assert_int_equal(files[i].last, i + 1 == n_files);
		rows += files[i].rows;
	}
	assert_int_equal(rows, 3000);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_for_each_unit),
		cmocka_unit_test(test_the_same_name_again),
		cmocka_unit_test(test_parts_of_a_spilled_unit),
	};

	return cmocka_run_group_tests_name("flow/units_told", tests, NULL, NULL);
}
