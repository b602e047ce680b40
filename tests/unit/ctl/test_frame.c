/* SPDX-License-Identifier: MIT
 *
 * Frames: the same messages come out however the bytes are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "ctl/frame.h"

static const char stream[] = "one\0\0three is longer\0{\"a\":1}\0rest";
static const char *const messages[] = {"one", "", "three is longer", "{\"a\":1}"};
enum { N_MESSAGES = 4 };

/* Takes out what is there; the number of messages seen so far. */
static size_t take(struct etl_frame_reader *reader, size_t seen)
{
	struct etl_error err = ETL_ERROR_INIT;
	const char *text;
	size_t len;

	while (etl_frame_reader_next(reader, &text, &len, &err) == 1) {
		assert_true(seen < N_MESSAGES);
		assert_string_equal(text, messages[seen]);
		assert_int_equal(len, strlen(messages[seen]));
		seen++;
	}
	assert_int_equal(err.kind, ETL_OK);
	return seen;
}

static void in_one_piece(void **state)
{
	struct etl_frame_reader reader;
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	etl_frame_reader_init(&reader, 100);
	assert_false(etl_frame_reader_is_partial(&reader));
	assert_int_equal(etl_frame_reader_feed(&reader, stream, sizeof stream - 1, &err), 0);
	assert_int_equal(take(&reader, 0), N_MESSAGES);
	assert_true(etl_frame_reader_is_partial(&reader));
	etl_frame_reader_fini(&reader);
}

static void in_random_pieces(void **state)
{
	unsigned seed = (unsigned)getpid();

	(void)state;
	print_message("# seed %u\n", seed);
	for (int round = 0; round < 500; round++) {
		struct etl_frame_reader reader;
		struct etl_error err = ETL_ERROR_INIT;
		size_t seen = 0;

		etl_frame_reader_init(&reader, 16);
		for (size_t at = 0, n; at < sizeof stream - 1; at += n) {
			n = 1 + (size_t)rand_r(&seed) % 9;
			if (n > sizeof stream - 1 - at)
				n = sizeof stream - 1 - at;
			assert_int_equal(etl_frame_reader_feed(&reader, stream + at, n, &err), 0);
			if (rand_r(&seed) % 2)
				seen = take(&reader, seen);
		}
		assert_int_equal(take(&reader, seen), N_MESSAGES);
		etl_frame_reader_fini(&reader);
	}
}

static void a_message_in_hand_is_not_partial(void **state)
{
	struct etl_frame_reader reader;
	struct etl_error err = ETL_ERROR_INIT;
	const char *text;
	size_t len;

	(void)state;
	etl_frame_reader_init(&reader, 16);
	etl_frame_reader_feed(&reader, "ab", 2, &err);
	assert_int_equal(etl_frame_reader_next(&reader, &text, &len, &err), 0);
	assert_true(etl_frame_reader_is_partial(&reader));
	etl_frame_reader_feed(&reader, "c", 2, &err);
	assert_int_equal(etl_frame_reader_next(&reader, &text, &len, &err), 1);
	assert_string_equal(text, "abc");
	assert_false(etl_frame_reader_is_partial(&reader));
	etl_frame_reader_fini(&reader);
}

static void the_cap_holds_to_the_byte(void **state)
{
	char bytes[18] = "xxxxxxxxxxxxxxxxx"; /* 17 and a NUL */

	(void)state;
	for (size_t n = 15; n <= 17; n++)
		for (int ended = 0; ended < 2; ended++) {
			struct etl_frame_reader reader;
			struct etl_error err = ETL_ERROR_INIT;
			const char *text;
			size_t len;
			int rc;

			etl_frame_reader_init(&reader, 16);
			etl_frame_reader_feed(&reader, bytes + 17 - n, n + (size_t)ended, &err);
			rc = etl_frame_reader_next(&reader, &text, &len, &err);
			assert_int_equal(rc, n > 16 ? -1 : ended);
			assert_int_equal(err.kind, n > 16 ? ETL_LIMIT : ETL_OK);
			etl_frame_reader_fini(&reader);
		}
}

static void what_is_never_taken_out_is_refused(void **state)
{
	struct etl_frame_reader reader;
	struct etl_error err = ETL_ERROR_INIT;
	char chunk[4096] = "";
	int n = 0;

	(void)state;
	etl_frame_reader_init(&reader, 16);
	while (etl_frame_reader_feed(&reader, chunk, sizeof chunk, &err) == 0)
		assert_true(n++ < 100);
	assert_int_equal(err.kind, ETL_LIMIT);
	assert_string_equal(err.code, "ctl.frame");
	etl_frame_reader_fini(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_one_piece),
		cmocka_unit_test(in_random_pieces),
		cmocka_unit_test(a_message_in_hand_is_not_partial),
		cmocka_unit_test(the_cap_holds_to_the_byte),
		cmocka_unit_test(what_is_never_taken_out_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
