/* SPDX-License-Identifier: MIT
 *
 * Out of file descriptors: found, told with the limit, and over when there are some again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after the above */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/descriptors.h"

enum { MOST = 64 };

static void with_few(void **state)
{
	struct rlimit before, few;
	struct etl_error err = ETL_ERROR_INIT;
	int fds[MOST], n = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = MOST;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_false(etl_descriptors_short());
	while (n < MOST && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	assert_true(etl_descriptors_lack(errno));
	assert_true(etl_descriptors_short());
	close(fds[--n]); /* one is too few */
	assert_true(etl_descriptors_short());
	assert_int_equal(etl_descriptors_error(&err), -1);
	assert_int_equal(err.kind, ETL_TRANSIENT);
	assert_string_equal(err.code, "daemon.descriptors");
	assert_string_equal(err.message,
		"no file descriptors left: LimitNOFILE is 64; raise it or lower limits.max_active");
	while (n > 0)
		close(fds[--n]);
	assert_false(etl_descriptors_short());
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void other_errors(void **state)
{
	(void)state;
	assert_false(etl_descriptors_lack(0));
	assert_false(etl_descriptors_lack(ECONNREFUSED));
	assert_true(etl_descriptors_lack(ENFILE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_few),
		cmocka_unit_test(other_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
