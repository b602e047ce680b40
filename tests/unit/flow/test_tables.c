/* SPDX-License-Identifier: MIT
 *
 * Runs that look into a file: read once a run, and what is wrong with it is the run's failure, told
 * with the line.
 */
#include "run_rig.h"

#include <unistd.h>

static char path[] = "/tmp/etld_tables_XXXXXX";
static struct rig *rig;

static void write_file(const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* Rows 0, 1, 2 ... of the service have their number in `n`. */
static int set_up(void **state)
{
	int fd;

	(void)state;
	memcpy(path + sizeof path - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	char *transform = etl_strf(
		"transform:\n  - lookup: {from: {file: '%s'}, on: {n: _id}, take: {place: "
		"name}}\n", path);
	rig = rig_new(yaml_with("transform:\n", transform), 2);
	free(transform);
	service_fill(rig, "a", 0, 2);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_free(rig);
	return unlink(path);
}

static const char *place_of(size_t row)
{
	static bson_t doc;
	bson_iter_t it;

	assert_true(row < rig->target->n);
	assert_true(bson_init_static(&doc, rig->target->rows[row].bson,
		rig->target->rows[row].len));
	assert_true(bson_iter_init_find(&it, &doc, "place"));
	return bson_iter_utf8(&it, NULL);
}

/* A table that has changed is no change of the job: windows that are closed stay as they are. */
static void test_as_it_is_when_the_run_begins(void **state)
{
	(void)state;
	write_file("{\"_id\": 0, \"name\": \"zero\"}\r\n\n{\"_id\": 1, \"name\": \"one\"}");
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(place_of(0), "zero");
	assert_string_equal(place_of(1), "one");
	NEED_WATERMARK(rig, 2);
	write_file("{\"_id\": 0, \"name\": \"other\"}\n{\"_id\": 1, \"name\": \"one\"}\n");
	pass_hours(rig, 3);
	service_fill(rig, "a", 2, 5);
	assert_int_equal(run_job(rig, rig->job, (struct etl_window){hour(0), hour(1)}), ETL_RUN_OK);
	assert_string_equal(place_of(0), "other");
}

static void test_nothing_found_is_a_reject(void **state)
{
	(void)state;
	write_file("{\"_id\": 0, \"name\": \"zero\"}\n");
	NEED_RUN(rig, ETL_RUN_FAILED); /* the second hour has nothing but a reject */
	assert_int_equal(rig->run->rejects.n, 1);
	assert_string_equal(rig->run->rejects.rows[0].rule, "lookup");
	NEED_STATE(rig, 0, ETL_WINDOW_LOADED);
	NEED_STATE(rig, 1, ETL_WINDOW_FAILED);
	need_balance(rig);
}

static void need_failure(const char *code, const char *words)
{
	NEED_RUN(rig, ETL_RUN_FAILED);
	assert_string_equal(rig->run->error.code, code);
	if (!strstr(rig->run->error.message, words) || !strstr(rig->run->error.message, path))
		fail_msg("wanted '%s' and the path in: %s", words, rig->run->error.message);
	assert_int_equal(rig->driver.requests, 0); /* the source is not even asked */
	assert_true(rig->run->last.unitless);
}

static void test_files_that_will_not_do(void **state)
{
	(void)state;
	write_file("{\"_id\": 0, \"name\": \"zero\"}\n{\"_id\": 1, \"name\": ");
	need_failure("lookup.line", "line 2 is no document");
	write_file("[{\"_id\": 0}, {\"_id\": 1}]\n");
	need_failure("lookup.line", "line 1 is no document");
	write_file("\n \n");
	need_failure("lookup.empty", "is the name right?");
	write_file("{\"_id\": 0, \"name\": \"zero\"}\n{\"_id\": 0, \"name\": \"one\"}\n");
	need_failure("lookup.twice", "two documents with _id int32 0");
	rig->driver.env.memory_max = 100;
	write_file("{\"_id\": 0, \"name\": \"zero\"}\n");
	need_failure("lookup.memory", "raise limits.memory");
	rig->driver.env.memory_max = 64 << 20;
	assert_int_equal(unlink(path), 0);
	need_failure("lookup.file", "No such file");
	assert_int_equal(symlink("/dev/zero", path), 0);
	need_failure("lookup.file", "no regular file");
}

/* Two tables of one run share what one strand may hold. */
static void test_together_no_more_than_a_share(void **state)
{
	struct etl_buf text ETL_BUF_CLEANUP;
	char *two = etl_strf("transform:\n"
		"  - lookup: {from: {file: '%s'}, on: {n: _id}, take: {place: name}}\n"
		"  - lookup: {from: {file: '%s'}, on: {n: _id}, take: {again: name}}\n", path, path);

	(void)state;
	rig_free(rig);
	rig = rig_new(yaml_with("transform:\n", two), 2);
	free(two);
	service_fill(rig, "a", 0, 2);
	etl_buf_init(&text, 1 << 20);
	for (int i = 0; i < 2000; i++)
		etl_buf_printf(&text, "{\"_id\": %d, \"name\": \"%0100d\"}\n", i, i);
	write_file(etl_buf_text(&text));
	rig->driver.env.memory_max = 700 << 10; /* one of them takes some 500 KiB */
	need_failure("lookup.memory", "raise limits.memory");
	rig->driver.env.memory_max = 64 << 20;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(place_of(0) + 99, "0");
}

/* A file without line breaks is no reason to hold all of it, nor to take its beginning for a line. */
static void test_a_line_without_end(void **state)
{
	size_t n = ETL_DOCUMENT_BYTES_MAX + 10;
	char *text = etl_calloc(1, n + 40);

	(void)state;
	strcpy(text, "{\"_id\": 0, \"name\": \"zero\"}");
	memset(text + strlen(text), ' ', n);
	write_file(text);
	free(text);
	need_failure("lookup.line", "line 1 is no document: it is longer");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_as_it_is_when_the_run_begins),
		TEST(test_nothing_found_is_a_reject),
		TEST(test_files_that_will_not_do),
		TEST(test_together_no_more_than_a_share),
		TEST(test_a_line_without_end),
	};

	return cmocka_run_group_tests_name("flow/tables", tests, NULL, NULL);
}
