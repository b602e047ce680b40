/* SPDX-License-Identifier: MIT
 *
 * The capped buffer: grows to its cap and not a byte beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

static void appends_keep_a_nul_behind(void **state)
{
	ETL_BUF_CLEANUP struct etl_buf buf;

	(void)state;
	etl_buf_init(&buf, 1000);
	assert_string_equal(etl_buf_text(&buf), "");
	assert_true(etl_buf_str(&buf, "ab"));
	assert_true(etl_buf_char(&buf, 'c'));
	assert_true(etl_buf_printf(&buf, "%03d", 7));
	assert_true(etl_buf_append(&buf, "\0x", 2));
	assert_int_equal(buf.len, 8);
	assert_memory_equal(buf.data, "abc007\0x\0", 9);
}

static void the_cap_holds_to_the_byte(void **state)
{
	(void)state;
	for (size_t max = 0; max < 200; max++) {
		ETL_BUF_CLEANUP struct etl_buf buf;

		etl_buf_init(&buf, max);
		for (size_t i = 0; i < max; i++)
			assert_true(etl_buf_char(&buf, 'x'));
		assert_true(etl_buf_ok(&buf));
		assert_false(etl_buf_printf(&buf, "%s", "yz"));
		assert_false(etl_buf_ok(&buf));
		assert_int_equal(buf.len, max);
		assert_int_equal(strspn(etl_buf_text(&buf), "x"), max);
	}
}

static void full_stays_full_until_cleared(void **state)
{
	ETL_BUF_CLEANUP struct etl_buf buf;

	(void)state;
	etl_buf_init(&buf, 3);
	assert_true(etl_buf_str(&buf, "ab"));
	assert_false(etl_buf_str(&buf, "cd"));
	assert_false(etl_buf_char(&buf, 'c')); /* would fit, but text with a hole is no text */
	assert_string_equal(etl_buf_text(&buf), "ab");
	etl_buf_clear(&buf);
	assert_true(etl_buf_ok(&buf));
	assert_string_equal(etl_buf_text(&buf), "");
	assert_true(etl_buf_str(&buf, "abc"));
}

static void consume_moves_the_rest(void **state)
{
	ETL_BUF_CLEANUP struct etl_buf buf;

	(void)state;
	etl_buf_init(&buf, 100);
	etl_buf_consume(&buf, 5);
	etl_buf_str(&buf, "abcdef");
	etl_buf_consume(&buf, 0);
	etl_buf_consume(&buf, 2);
	assert_string_equal(etl_buf_text(&buf), "cdef");
	assert_int_equal(buf.len, 4);
	etl_buf_consume(&buf, 99);
	assert_int_equal(buf.len, 0);
	assert_string_equal(etl_buf_text(&buf), "");
}

static void take_gives_and_empties(void **state)
{
	struct etl_buf buf;
	char *text;

	(void)state;
	etl_buf_init(&buf, 100);
	text = etl_buf_take(&buf);
	assert_string_equal(text, "");
	free(text);
	etl_buf_str(&buf, "abc");
	text = etl_buf_take(&buf);
	assert_string_equal(text, "abc");
	free(text);
	assert_null(buf.data);
	assert_int_equal(buf.max, 100);
	assert_true(etl_buf_str(&buf, "again"));
	etl_buf_fini(&buf);
}

static void reserve_is_written_by_the_caller(void **state)
{
	ETL_BUF_CLEANUP struct etl_buf buf;
	char *room;

	(void)state;
	etl_buf_init(&buf, 70);
	room = etl_buf_reserve(&buf, 70);
	assert_non_null(room);
	memset(room, 'r', 70);
	buf.len += 70;
	assert_null(etl_buf_reserve(&buf, 1));
	assert_false(etl_buf_ok(&buf));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_keep_a_nul_behind),
		cmocka_unit_test(the_cap_holds_to_the_byte),
		cmocka_unit_test(full_stays_full_until_cleared),
		cmocka_unit_test(consume_moves_the_rest),
		cmocka_unit_test(take_gives_and_empties),
		cmocka_unit_test(reserve_is_written_by_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
