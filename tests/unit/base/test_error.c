/* SPDX-License-Identifier: MIT
 *
 * The error object: filling, cutting, masking, prefixing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/str.h"

static void a_fresh_one_holds_nothing(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	assert_int_equal(err.kind, ETL_OK);
	assert_string_equal(err.code, "");
	assert_string_equal(err.message, "");
}

static void set_fills_and_returns_minus_one(void **state)
{
	struct etl_error err = {.retry_after_ms = 5, .status = 7};

	(void)state;
	assert_int_equal(etl_error_set(&err, ETL_DATA, "a.b", "%d of %s", 3, "x"), -1);
	assert_int_equal(err.kind, ETL_DATA);
	assert_string_equal(err.code, "a.b");
	assert_string_equal(err.message, "3 of x");
	assert_int_equal(err.retry_after_ms, 0);
	assert_int_equal(err.status, 0);
	etl_error_clear(&err);
	assert_int_equal(err.kind, ETL_OK);
	assert_string_equal(err.message, "");
}

static void arguments_may_come_from_the_message_itself(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	etl_error_set(&err, ETL_DATA, "a", "inner");
	etl_error_set(&err, ETL_BUG, "b", "outer (%s)", err.message);
	assert_string_equal(err.message, "outer (inner)");
	assert_int_equal(etl_error_prefix(&err, "job %s", "x"), -1);
	assert_string_equal(err.message, "job x: outer (inner)");
	assert_int_equal(err.kind, ETL_BUG);
	assert_string_equal(err.code, "b");
}

static void control_bytes_are_masked(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	etl_error_set(&err, ETL_DATA, "a", "a\nb\rc\033d\x7f\xc3\xa9");
	assert_string_equal(err.message, "a?b?c?d?\xc3\xa9");
	etl_error_prefix(&err, "x\ny");
	assert_string_equal(err.message, "x?y: a?b?c?d?\xc3\xa9");
}

/* Whatever the length of the text, what is kept is valid UTF-8 and has its NUL. */
static void long_text_is_cut_between_characters(void **state)
{
	char text[2 * ETL_ERROR_MESSAGE_MAX];

	(void)state;
	for (size_t pad = 0; pad < 4; pad++) {
		struct etl_error err = ETL_ERROR_INIT;
		size_t len = pad;

		memset(text, 'a', pad);
		for (; len + 4 < sizeof text; len += 3)
			memcpy(text + len, "\u2714", 3);
		text[len] = '\0';
		for (int twice = 0; twice < 2; twice++) {
			if (twice)
				etl_error_prefix(&err, "%s", text);
			else
				etl_error_set(&err, ETL_DATA, "a", "%s", text);
			size_t n = strlen(err.message);

			assert_true(n < ETL_ERROR_MESSAGE_MAX && n > ETL_ERROR_MESSAGE_MAX - 5);
			assert_int_equal(etl_utf8_check(err.message, n), n);
			/* behind a prefix that was cut there may be room for a colon */
			assert_memory_equal(err.message, text, n - 2);
		}
	}
}

static void every_kind_has_its_name(void **state)
{
	(void)state;
	for (int i = 0; i < ETL_ERROR_KIND_MAX; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(etl_error_kind_name((enum etl_error_kind)i),
				etl_error_kind_name((enum etl_error_kind)k));
	assert_string_equal(etl_error_kind_name(ETL_THROTTLED), "throttled");
	assert_string_equal(etl_error_kind_name(ETL_ERROR_KIND_MAX), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_one_holds_nothing),
		cmocka_unit_test(set_fills_and_returns_minus_one),
		cmocka_unit_test(arguments_may_come_from_the_message_itself),
		cmocka_unit_test(control_bytes_are_masked),
		cmocka_unit_test(long_text_is_cut_between_characters),
		cmocka_unit_test(every_kind_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
