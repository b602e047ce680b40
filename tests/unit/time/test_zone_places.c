/* SPDX-License-Identifier: MIT
 *
 * Where a look-up passes: plain files, links of all kinds, names that are missing, circles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "time/zone_internal.h"

static char root[] = "/tmp/zone_places.XXXXXX";

static const char *path(const char *name)
{
	static char paths[4][PATH_MAX];
	static int next;
	char *out = paths[next++ % 4];

	snprintf(out, PATH_MAX, "%s/%s", root, name);
	return out;
}

static void make_file(const char *name)
{
	FILE *file = fopen(path(name), "w");

	assert_non_null(file);
	fclose(file);
}

static void make_link(const char *target, const char *name)
{
	assert_int_equal(symlink(target, path(name)), 0);
}

static int make_tree(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root));
	assert_int_equal(mkdir(path("zi"), 0700), 0);
	assert_int_equal(mkdir(path("zi/Europe"), 0700), 0);
	assert_int_equal(mkdir(path("etc"), 0700), 0);
	make_file("zi/Europe/Paris");
	make_link("Europe/Paris", "zi/France");
	make_link("../France", "zi/Europe/Monaco");
	make_link(path("zi/Europe"), "zi/Alias");
	make_link("zi/Europe/Paris/", "localtime");
	make_link("b", "zi/a");
	make_link("a", "zi/b");
	make_link("gone", "zi/dangling");
	return 0;
}

static int remove_tree(void **state)
{
	static const char *const names[] = {"zi/dangling", "zi/b", "zi/a", "localtime", "zi/Alias",
		"zi/Europe/Monaco", "zi/France", "zi/Europe/Paris", "zi/Europe", "zi", "etc", ""};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(remove(path(names[i])), 0);
	return 0;
}

/* "folder:entry " for each place below the test's own folder, relative to it. */
static void note(void *ctx, const char *folder, const char *entry)
{
	if (strncmp(folder, root, strlen(root)) == 0)
		etl_buf_printf(ctx, "%s:%s ", folder + strlen(root), entry);
}

static void needs(const char *name, const char *wanted)
{
	struct etl_buf got;

	etl_buf_init(&got, 65536);
	etl_zone_walk(path(name), note, &got);
	assert_string_equal(etl_buf_text(&got), wanted);
	etl_buf_fini(&got);
}

static void plain(void **state)
{
	(void)state;
	needs("zi/Europe/Paris", ":zi /zi:Europe /zi/Europe:Paris ");
	needs("zi//./Europe/../Europe/Paris", ":zi /zi:Europe /zi:Europe /zi/Europe:Paris ");
}

static void links(void **state)
{
	(void)state;
	needs("zi/France", ":zi /zi:France /zi:Europe /zi/Europe:Paris ");
	needs("zi/Europe/Monaco",
		":zi /zi:Europe /zi/Europe:Monaco /zi:France /zi:Europe /zi/Europe:Paris ");
	needs("zi/Alias/Paris", ":zi /zi:Alias :zi /zi:Europe /zi/Europe:Paris ");
	needs("localtime", ":localtime :zi /zi:Europe /zi/Europe:Paris ");
}

/* When it comes it comes at the last place. */
static void missing(void **state)
{
	(void)state;
	needs("zi/Asia/Tokyo", ":zi /zi:Asia ");
	needs("zi/Europe/Rome", ":zi /zi:Europe /zi/Europe:Rome ");
	needs("zi/dangling", ":zi /zi:dangling /zi:gone ");
	needs("zi/Europe/Paris/more", ":zi /zi:Europe /zi/Europe:Paris /zi/Europe/Paris:more ");
}

static void circles_end(void **state)
{
	struct etl_buf got;

	(void)state;
	etl_buf_init(&got, 65536);
	etl_zone_walk(path("zi/a"), note, &got);
	assert_in_range(got.len, 41 * strlen("/zi:a "), 42 * strlen("/zi:a ") + 4);
	etl_buf_fini(&got);
}

static void note_any(void *ctx, const char *folder, const char *entry)
{
	etl_buf_printf(ctx, "%s:%s ", folder, entry);
}

static void names(void **state)
{
	struct etl_buf got;

	(void)state;
	etl_buf_init(&got, 65536);
	etl_zone_places("UTC", note_any, &got);
	assert_int_equal(got.len, 0);
	etl_zone_places("Nowhere", note_any, &got);
	assert_non_null(strstr(etl_buf_text(&got), "/:usr "));
	assert_non_null(strstr(etl_buf_text(&got), ":Nowhere "));
	etl_buf_fini(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(links),
		cmocka_unit_test(missing),
		cmocka_unit_test(circles_end),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
