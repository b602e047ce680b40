/* SPDX-License-Identifier: MIT
 *
 * Memory: zeroed, copied, grown, cleaned up; an impossible size ends the process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

static int freed;

struct thing {
	int x;
};

static void thing_free(struct thing *thing)
{
	freed++;
	free(thing);
}
ETL_DEFINE_CLEANUP(struct thing *, thing_free)

static void copies(void **state)
{
	char *a = etl_strdup("abc"), *b = etl_memdup0("abc", 2), *c = etl_strf("%s%d", a, 7);

	(void)state;
	assert_string_equal(a, "abc");
	assert_string_equal(b, "ab");
	assert_string_equal(c, "abc7");
	assert_null(etl_strdup(NULL));
	free(a);
	free(b);
	free(c);
}

static void nothing_is_something(void **state)
{
	void *a = etl_calloc(0, 8), *b = etl_realloc(NULL, 0, 1);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	free(a);
	free(b);
}

static void arrays_grow(void **state)
{
	int *array = NULL;
	size_t used = 0, cap = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		ETL_GROW(array, used, cap);
		array[used++] = i;
	}
	assert_int_equal(cap, 1024);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(array[i], i);
	free(array);
}

static struct thing *make(int take)
{
	etl_cleanup(thing_free) struct thing *thing = ETL_NEW(struct thing);

	assert_int_equal(thing->x, 0);
	return take ? ETL_TAKE(thing) : NULL;
}

static void cleanup_frees_what_was_not_taken(void **state)
{
	struct thing *thing;

	(void)state;
	freed = 0;
	assert_null(make(0));
	assert_int_equal(freed, 1);
	thing = make(1);
	assert_int_equal(freed, 1);
	thing_free(ETL_TAKE(thing));
	assert_null(thing);
	assert_int_equal(freed, 2);
}

static void an_impossible_size_ends_the_process(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct rlimit none = {0, 0};
		volatile size_t n = SIZE_MAX / 2;

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		free(etl_realloc(NULL, n, 3));
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),
		cmocka_unit_test(nothing_is_something),
		cmocka_unit_test(arrays_grow),
		cmocka_unit_test(cleanup_frees_what_was_not_taken),
		cmocka_unit_test(an_impossible_size_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
