/* SPDX-License-Identifier: MIT
 *
 * A dead letter's document, and what is read of one that others wrote or edited.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "base/alloc.h"
#include "state/dead_letter.h"

static void what_was_written_is_read(void **state)
{
	struct etl_window window = {{3600000}, {7200000}};
	struct etl_dead_letter_info info = {"job", "a/b", "run", {9000000}, &window};
	struct etl_violation also[] = {{"not_null", "/w", "w is null"}, {"range", "", ""}};
	struct etl_reject reject = {.step = "check", .rule = "range", .path = "/v", .message = "bad \xff",
		.raw = (const uint8_t *)"a\0b", .raw_len = 3, .raw_is_bson = true, .raw_cut = true,
		.position = UINT64_C(1) << 40, .time = {-5}, .also = also, .n_also = 2};
	struct etl_dead_letter letter;
	bson_t doc = BSON_INITIALIZER;

	(void)state;
	etl_dead_letter_append(&doc, &info, &reject, &window);
	etl_dead_letter_read(&doc, &letter);
	assert_string_equal(letter.job, "job");
	assert_string_equal(letter.partition, "a/b");
	assert_string_equal(letter.run_id, "run");
	assert_string_equal(letter.step, "check");
	assert_string_equal(letter.rule, "range");
	assert_string_equal(letter.path, "/v");
	assert_string_equal(letter.message, "bad ?"); /* a text of BSON is UTF-8 */
	assert_int_equal(letter.at.ms, 9000000);
	assert_int_equal(letter.window.start.ms, 3600000);
	assert_int_equal(letter.window.end.ms, 7200000);
	assert_int_equal(letter.time.ms, -5);
	assert_int_equal(letter.position, INT64_C(1) << 40);
	assert_int_equal(letter.n_also, 2);
	assert_string_equal(letter.also[0].rule, "not_null");
	assert_string_equal(letter.also[0].path, "/w");
	assert_string_equal(letter.also[0].message, "w is null");
	assert_string_equal(letter.also[1].rule, "range");
	assert_int_equal(letter.raw_len, 3);
	assert_memory_equal(letter.raw, "a\0b", 3);
	assert_true(letter.raw_is_bson && letter.raw_cut);
	bson_destroy(&doc);
}

static void an_empty_document_is_a_letter_of_nothing(void **state)
{
	struct etl_dead_letter letter;
	bson_t doc = BSON_INITIALIZER;

	(void)state;
	etl_dead_letter_read(&doc, &letter);
	assert_string_equal(letter.id, "");
	assert_string_equal(letter.message, "");
	assert_int_equal(letter.at.ms, 0);
	assert_int_equal(letter.times, 0);
	assert_int_equal(letter.time.ms, ETL_NO_TIME);
	assert_int_equal(letter.window.start.ms, letter.window.end.ms);
	assert_null(letter.raw);
	assert_int_equal(letter.raw_len, 0);
	assert_false(letter.raw_is_bson || letter.raw_cut);
	bson_destroy(&doc);
}

static void fields_of_another_type_are_as_if_absent(void **state)
{
	bson_t *doc = BCON_NEW("_id", BCON_INT32(7), "also", "[", BCON_INT32(1), "{", "rule",
		BCON_INT32(2), "}", "]", "job", BCON_DATE_TIME(1), "message", "[", "]", "at", "today",
		"times", "many", "window_start", BCON_DATE_TIME(1), "window_end", BCON_NULL, "time",
		BCON_INT64(5), "raw", "text", "raw_is_bson", BCON_INT32(1), "raw_cut", BCON_INT32(1));
	struct etl_dead_letter letter;

	(void)state;
	etl_dead_letter_read(doc, &letter);
	assert_string_equal(letter.id, "");
	assert_string_equal(letter.job, "");
	assert_string_equal(letter.message, "");
	assert_int_equal(letter.at.ms, 0);
	assert_int_equal(letter.times, 0);
	assert_int_equal(letter.time.ms, ETL_NO_TIME);
	assert_int_equal(letter.window.start.ms, letter.window.end.ms);
	assert_int_equal(letter.n_also, 1); /* one that says nothing */
	assert_string_equal(letter.also[0].rule, "");
	assert_null(letter.raw);
	assert_false(letter.raw_is_bson || letter.raw_cut);
	bson_destroy(doc);
}

/* Those of an etld that did not say so were cut at a whole character. */
static void letters_of_before_that_fill_their_room_were_cut(void **state)
{
	static const struct {
		uint32_t len;
		bool bson, cut;
	} cases[] = {{ETL_REJECT_RAW_MAX, false, true}, {ETL_REJECT_RAW_MAX - 3, false, true},
		{ETL_REJECT_RAW_MAX - 4, false, false}, {ETL_REJECT_RAW_MAX, true, false}};
	uint8_t *raw = etl_calloc(ETL_REJECT_RAW_MAX, 1);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_dead_letter letter;
		bson_t doc = BSON_INITIALIZER;

		BSON_APPEND_BINARY(&doc, "raw", BSON_SUBTYPE_BINARY, raw, cases[i].len);
		BSON_APPEND_BOOL(&doc, "raw_is_bson", cases[i].bson);
		etl_dead_letter_read(&doc, &letter);
		assert_int_equal(letter.raw_cut, cases[i].cut);
		bson_destroy(&doc);
	}
	free(raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(an_empty_document_is_a_letter_of_nothing),
		cmocka_unit_test(fields_of_another_type_are_as_if_absent),
		cmocka_unit_test(letters_of_before_that_fill_their_room_were_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
