/* SPDX-License-Identifier: MIT
 *
 * tests/golden/conf: each NAME.yaml is read as a job; the errors must be NAME.txt to the
 * byte (empty for a good file), outside-NAME.yaml as in a check outside of the daemon's unit.
 * ETLD_GOLDEN_WRITE=1 writes what comes out.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "sample.h"

#define FOLDER "tests/golden/conf"

static char *read_whole(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *bytes = etl_calloc(1, 2 * ETL_CONF_FILE_MAX);

	*len = file ? fread(bytes, 1, 2 * ETL_CONF_FILE_MAX - 1, file) : 0;
	if (file)
		fclose(file);
	return bytes;
}

static void write_whole(const char *path, const char *text)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static char *errors_of(const char *name, const char *bytes, size_t len)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new();
	struct etl_conf_env env = {
		.arena = arena,
		.diag = diag,
		.what = "job 'sample'",
		.partition_names = sample_partition_names,
	};
	struct etl_conf_load_options options = sample_load;
	struct sample sample;
	struct etl_buf out;

	options.outside = env.outside = strncmp(name, "outside-", 8) == 0;
	etl_buf_init(&out, 1 << 20);
	sample_read(etl_conf_parse(arena, name, bytes, len, &options, diag), &sample, &env);
	/* What is printed must not need the tree any more. */
	etl_arena_free(arena);
	etl_diag_print(diag, &out);
	assert_true((etl_diag_count(diag) > 0) == (out.len > 0));
	etl_diag_free(diag);
	return etl_buf_take(&out);
}

static bool check_file(const char *name)
{
	etl_cleanup(free) char *path = etl_strf(FOLDER "/%s", name);
	etl_cleanup(free) char *golden = etl_strf("%.*s.txt", (int)strlen(path) - 5, path);
	size_t len, expected_len;
	etl_cleanup(free) char *bytes = read_whole(path, &len);
	etl_cleanup(free) char *expected = read_whole(golden, &expected_len);
	etl_cleanup(free) char *got = errors_of(name, bytes, len);

	if (getenv("ETLD_GOLDEN_WRITE"))
		write_whole(golden, got);
	else if (strcmp(expected, got) != 0) {
		printf("# %s: expected\n%s# got\n%s", name, expected, got);
		return false;
	}
	return true;
}

static void golden_files_give_their_errors(void **state)
{
	DIR *dir = opendir(FOLDER);
	unsigned files = 0, wrong = 0;

	(void)state;
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		const char *dot = strrchr(entry->d_name, '.');

		if (!dot || strcmp(dot, ".yaml") != 0)
			continue;
		files++;
		wrong += !check_file(entry->d_name);
	}
	closedir(dir);
	assert_int_equal(wrong, 0);
	assert_true(files >= 30);
}

static unsigned count_of(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

static void five_mistakes_are_found_in_one_pass(void **state)
{
	static const char job[] =
		"schedule: {cron: \"@hourly\", jitter: 60}\n"	 /* no unit */
		"retry: {max: 99}\n"				 /* range */
		"extract:\n"
		"  http:\n"
		"    url: http://x/\n"
		"    url: http://y/\n"				 /* twice */
		"    methud: GET\n"				 /* unknown */
		"    ipv4_only: yes\n";				 /* type */
	etl_cleanup(free) char *got = errors_of("five.yaml", job, strlen(job));

	(void)state;
	assert_int_equal(count_of(got, "error["), 5);
	assert_int_equal(count_of(got, "five.yaml:1:37"), 1);
	assert_int_equal(count_of(got, "did you mean 60s, 60m or 60h?"), 1);
	assert_int_equal(count_of(got, "five.yaml:6:5"), 1);
	assert_int_equal(count_of(got, "did you mean 'method'?"), 1);
	assert_int_equal(count_of(got, "did you mean true?"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_files_give_their_errors),
		cmocka_unit_test(five_mistakes_are_found_in_one_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
