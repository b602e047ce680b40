/* SPDX-License-Identifier: MIT
 *
 * Secrets: where they are read from, what is refused, that they are wiped and redacted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "sample.h"

struct fixture {
	char folder[32];
	struct etl_conf_env env;
};

static int setup(void **state)
{
	struct fixture *fx = ETL_NEW(struct fixture);

	strncpy(fx->folder, "/tmp/etl-secret-XXXXXX", sizeof fx->folder - 1);
	if (!mkdtemp(fx->folder))
		return -1;
	fx->env = (struct etl_conf_env){
		.arena = etl_arena_new(0),
		.diag = etl_diag_new(),
		.what = "job 'x'",
		.credentials_dir = fx->folder,
		.config_dir = fx->folder,
		.secrets = etl_secrets_new(),
	};
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;

	etl_secrets_free(fx->env.secrets);
	etl_diag_free(fx->env.diag);
	etl_arena_free(fx->env.arena);
	rmdir(fx->folder);
	free(fx);
	return 0;
}

/* Reads `yaml` while the file "s" holds `bytes` with `mode`. */
static struct etl_secret *read_with(struct fixture *fx, const char *yaml, const char *bytes,
	size_t len, mode_t mode)
{
	etl_cleanup(free) char *path = etl_strf("%s/s", fx->folder);
	FILE *file = fopen(path, "w");
	struct etl_secret *secret;

	assert_non_null(file);
	fwrite(bytes, 1, len, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
	secret = etl_secret_read(etl_conf_parse(fx->env.arena, "t", yaml, strlen(yaml), NULL,
					 fx->env.diag),
		&fx->env);
	unlink(path);
	return secret;
}

static void good_ones_are_read(void **state)
{
	struct fixture *fx = *state;
	struct etl_secret *a = read_with(fx, "{credential: s}", "pa ss\n", 6, 0444);
	struct etl_secret *b = read_with(fx, "{file: s}", "w\xc3\xa0rd", 5, 0640);

	assert_string_equal(a->reference, "credential:s");
	assert_string_equal(a->value, "pa ss");
	assert_int_equal(a->len, 5);
	assert_string_equal(b->reference, "file:s");
	assert_int_equal(b->len, 5);
	assert_int_equal(etl_diag_count(fx->env.diag), 0);
}

static void bad_ones_are_refused(void **state)
{
	static const struct {
		const char *yaml, *bytes;
		size_t len;
		mode_t mode;
		const char *text;
	} cases[] = {
		{"{file: s}", "abc", 3, 0644, "open to others"},
		{"{file: s}", "abc", 3, 0602, "open to others"},
		{"{file: s}", "", 0, 0600, "empty"},
		{"{file: s}", "\n", 1, 0600, "empty"},
		{"{credential: s}", "a\nb", 3, 0400, "control byte"},
		{"{credential: s}", "a\0b", 3, 0400, "control byte"},
		{"{credential: s}", "ab\n\n", 4, 0400, "control byte"},
		{"{credential: t}", "abc", 3, 0400, "No such file"},
		{"{credential: ..}", "abc", 3, 0400, "a credential's name"},
		{"{credential: a/b}", "abc", 3, 0400, "a credential's name"},
		{"{file: s, credential: s}", "abc", 3, 0400, "exactly one reference"},
		{"{file: [s]}", "abc", 3, 0400, "exactly one reference"},
		{"{file: .}", "abc", 3, 0400, "not a regular file"},
		{"{file: ''}", "abc", 3, 0400, "path is empty"},
		{"", "abc", 3, 0400, "exactly one reference"},
		{"hunter2", "abc", 3, 0400, "secrets stand in files, not here"},
	};
	struct fixture *fx = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_buf out;

		etl_diag_free(fx->env.diag);
		fx->env.diag = etl_diag_new();
		assert_null(read_with(
			fx, cases[i].yaml, cases[i].bytes, cases[i].len, cases[i].mode));
		etl_buf_init(&out, 4096);
		etl_diag_print(fx->env.diag, &out);
		assert_int_equal(etl_diag_count(fx->env.diag), 1);
		assert_non_null(strstr(etl_buf_text(&out), "error[E021]"));
		assert_non_null(strstr(etl_buf_text(&out), cases[i].text));
		assert_null(strstr(etl_buf_text(&out), "hunter2"));
		etl_buf_fini(&out);
	}
}

static void without_credentials_there_are_none(void **state)
{
	struct fixture *fx = *state;

	fx->env.credentials_dir = NULL;
	assert_null(read_with(fx, "{credential: s}", "abc", 3, 0400));
	assert_int_equal(etl_diag_count_of(fx->env.diag, ETL_DIAG_ERROR), 1);
	fx->env.outside = true; /* nobody can know it here */
	assert_null(read_with(fx, "{credential: s}", "abc", 3, 0400));
	assert_int_equal(etl_diag_count_of(fx->env.diag, ETL_DIAG_ERROR), 1);
	assert_int_equal(etl_diag_count_of(fx->env.diag, ETL_DIAG_NOTE), 1);
	assert_null(read_with(fx, "{file: s}", "abc", 3, 0666)); /* a file is no matter of the unit */
	assert_int_equal(etl_diag_count_of(fx->env.diag, ETL_DIAG_ERROR), 2);
}

/* The unit's folder can be looked into, and has no such credential: a reload would be refused. */
static void a_credential_that_the_unit_lacks(void **state)
{
	struct fixture *fx = *state;
	struct etl_buf out ETL_BUF_CLEANUP;

	fx->env.outside = true;
	assert_null(read_with(fx, "{credential: other}", "abc", 3, 0400));
	assert_int_equal(etl_diag_count_of(fx->env.diag, ETL_DIAG_ERROR), 1);
	etl_buf_init(&out, 1 << 16);
	etl_diag_print(fx->env.diag, &out);
	assert_non_null(strstr(etl_buf_text(&out), "LoadCredential=other:PATH"));
	assert_non_null(strstr(etl_buf_text(&out), "systemctl restart etld"));
}

static void the_end_wipes_values(void **state)
{
	struct fixture *fx = *state;
	struct etl_secret *secret = read_with(fx, "{file: s}", "wipe me", 7, 0600);

	etl_secrets_free(fx->env.secrets);
	fx->env.secrets = NULL;
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(secret->value[i], 0);
}

static void assert_redacted(const char *text, const char *expected)
{
	struct etl_secret values[] = {
		{"a", (char[]){"abcd"}, 4},
		{"b", (char[]){"abcdefgh"}, 8},
		{"c", (char[]){"cdXX"}, 4},
		{"d", (char[]){"p/w d"}, 5},
		{"e", (char[]){"123"}, 3},
	};
	const struct etl_secret *const secrets[] = {
		&values[0], &values[1], &values[2], &values[3], &values[4], NULL};
	struct etl_buf out;

	etl_buf_init(&out, 4096);
	etl_redact(&out, text, secrets);
	assert_string_equal(etl_buf_text(&out), expected);
	etl_buf_fini(&out);
}

static void redaction_leaves_nothing(void **state)
{
	struct etl_buf out;

	(void)state;
	assert_redacted("nothing here", "nothing here");
	assert_redacted("", "");
	assert_redacted("abcd", "***");
	assert_redacted("x=abcdefgh&y=abcd.", "x=***&y=***.");
	assert_redacted("abcdefg", "***efg");	   /* the longer one is not whole */
	assert_redacted("-abcdXX-", "-***-");	   /* overlapping */
	assert_redacted("abcdabcd", "******");	   /* next to one another */
	assert_redacted("?p=p%2Fw%20d p/w d", "?p=*** ***");
	assert_redacted("123 is too short", "123 is too short");

	etl_buf_init(&out, 64);
	etl_redact(&out, "abcd", NULL);
	assert_string_equal(etl_buf_text(&out), "abcd");
	etl_buf_fini(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good_ones_are_read),
		TEST(bad_ones_are_refused),
		TEST(without_credentials_there_are_none),
		TEST(a_credential_that_the_unit_lacks),
		TEST(the_end_wipes_values),
		cmocka_unit_test(redaction_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
