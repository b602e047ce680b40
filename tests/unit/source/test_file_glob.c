/* SPDX-License-Identifier: MIT
 *
 * Names of files by a pattern: what a pattern is, what it matches, and that pages of any size give the
 * same names in the same order as one page does. Folders are made by dice (ETLD_SEED).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* after the above */
#include <cmocka.h>

#include "../../lib/dice.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "source/file/glob.h"

static char root[64];

static void make_folder(const char *name)
{
	etl_cleanup(free) char *path = etl_strf("%s/%s", root, name);

	if (mkdir(path, 0700) < 0)
		assert_int_equal(access(path, X_OK), 0); /* it was there */
}

static void make_file(const char *name)
{
	etl_cleanup(free) char *path = etl_strf("%s/%s", root, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fclose(file);
}

/* The names behind `root/`, one line each. Pages of `bytes`. */
static char *names_of(const char *pattern, size_t bytes)
{
	etl_cleanup(free) char *full = etl_strf("%s/%s", root, pattern);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_buf out;
	char *last = NULL;
	bool more = true;

	etl_buf_init(&out, 1 << 20);
	while (more) {
		struct etl_glob_page page = {.n = 0};

		if (etl_glob_page_read(full, last, bytes, &page, &err) < 0)
			fail_msg("%s", err.message);
		for (size_t i = 0; i < page.n; i++)
			etl_buf_printf(&out, "%s\n", page.names[i] + strlen(root) + 1);
		assert_true(page.n || !page.more);
		more = page.more;
		free(last);
		last = page.n ? etl_strdup(page.names[page.n - 1]) : NULL;
		etl_glob_page_fini(&page);
	}
	free(last);
	return etl_buf_take(&out);
}

static void what_a_pattern_is(void **state)
{
	static const char *const good[] = {"/a", "/a/*.csv", "/a/*/b?.jsonl",
		"/a b/\xc3\xa9*", "/a/...", "/*"};
	static const char *const bad[] = {"a", "", "/", "/a/", "/a//b", "/a/../b",
		"/a/./b", "/a/**/b", "./a"};
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!etl_glob_is_pattern(good[i], &why))
			fail_msg("'%s': %s", good[i], why);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (etl_glob_is_pattern(bad[i], &why))
			fail_msg("'%s' is taken", bad[i]);
		assert_non_null(why);
	}
}

static void what_it_matches(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} cases[] = {
		{"a", "a", true}, {"a", "b", false}, {"a", "ab", false}, {"*", "abc", true},
		{"*", ".hidden", false},
		{".*", ".hidden", true}, {"?", ".", false}, {"a*c", "abbc", true}, {"a*c", "acb", false},
		{"*a*b*", "xxaxxbxx", true}, {"*a*b", "ab", true}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"*.csv", "x.csv.gz", false}, {"*.csv*", "x.csv.gz", true}, {"**", "a", true},
		{"[a]", "a", false},
		{"[a]", "[a]", true}, {"*aab", "aaaab", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (etl_glob_matches(cases[i].pattern, cases[i].name) != cases[i].matches)
			fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].name);
}

/* A folder's stroke sorts behind '-' and '.': what lies in a folder is not always next to it. */
static void order_is_that_of_bytes(void **state)
{
	etl_cleanup(free) char *names = NULL;

	(void)state;
	make_folder("order");
	make_folder("order/a");
	make_folder("order/a-b");
	make_folder("order/a.b");
	make_file("order/a/x");
	make_file("order/a-b/x");
	make_file("order/a.b/x");
	names = names_of("order/*/*", 1);
	assert_string_equal(names, "order/a-b/x\norder/a.b/x\norder/a/x\n");
}

/* A file, or a folder with three, under a name of letters that sort before and behind the stroke. */
static void draw_name(void)
{
	char name[16] = "dice/", *p = name + 5;
	etl_cleanup(free) char *path = NULL;

	for (uint64_t n = 1 + roll(4); n; n--)
		*p++ = "ab-z"[roll(4)];
	*p = '\0';
	path = etl_strf("%s/%s", root, name);
	if (access(path, F_OK) == 0)
		return;
	if (roll(3)) {
		make_file(name);
		return;
	}
	make_folder(name);
	for (int i = 0; i < 3; i++) {
		etl_cleanup(free) char *file = etl_strf("%s/f%d", name, i);

		make_file(file);
	}
}

static void pages_give_what_one_page_gives(void **state)
{
	(void)state;
	dice_seed();
	make_folder("dice");
	for (int i = 0; i < 400; i++)
		draw_name();
	for (int round = 0; round < 40; round++) {
		static const char *const patterns[] = {"dice/*", "dice/*/f?", "dice/a*/f1", "dice/?-*",
			"dice/*b"};
		const char *pattern = patterns[roll(5)];
		etl_cleanup(free) char *whole = names_of(pattern, (size_t)1 << 20);
		etl_cleanup(free) char *pages = names_of(pattern, 1 + roll(500));

		assert_string_equal(whole, pages);
	}
}

static void folders_that_are_not_there(void **state)
{
	etl_cleanup(free) char *missing = etl_strf("%s/nowhere/*.csv", root);
	etl_cleanup(free) char *none = NULL;
	struct etl_glob_page page = {.n = 0};
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	assert_int_equal(etl_glob_page_read(missing, NULL, 1000, &page, &err), -1);
	assert_string_equal(err.code, "file.no_folder");
	make_folder("some");
	make_folder("some/d");
	make_file("some/f");
	none = names_of("some/*/in/x", 1000); /* behind a pattern a folder may lack it */
	assert_string_equal(none, "");
	free(none);
	none = names_of("some/absent", 1000); /* the folder is there, the file is not yet */
	assert_string_equal(none, "");
}

/* A link that a pattern finds is no way out of the folder. */
static void links_to_folders_are_not_followed(void **state)
{
	etl_cleanup(free) char *link = NULL;
	etl_cleanup(free) char *names = NULL;

	(void)state;
	make_folder("out");
	make_file("out/secret");
	make_folder("in");
	link = etl_strf("%s/in/way", root);
	assert_int_equal(symlink("../out", link), 0);
	names = names_of("in/*/secret", 1000);
	assert_string_equal(names, "");
	free(names);
	names = names_of("in/way/secret", 1000); /* the operator named it */
	assert_string_equal(names, "in/way/secret\n");
}

static int set_up(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/etl-glob-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", root);
	return system(command); /* NOLINT: our own folder */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_pattern_is),
		cmocka_unit_test(what_it_matches),
		cmocka_unit_test(order_is_that_of_bytes),
		cmocka_unit_test(pages_give_what_one_page_gives),
		cmocka_unit_test(folders_that_are_not_there),
		cmocka_unit_test(links_to_folders_are_not_followed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
