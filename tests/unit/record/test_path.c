/* SPDX-License-Identifier: MIT
 *
 * Changing what a JSON Pointer leads to: cases, and a law over random documents and paths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/plugin.h"
#include "record/path.h"

static struct etl_arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = etl_arena_new(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	etl_arena_free(arena);
	return 0;
}

static struct etl_path path_of(const char *text)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_path path;

	assert_int_equal(etl_path_compile(text, arena, &path, &err), 0);
	return path;
}

static const int32_t nine = 9;
static const struct etl_element value = {
	.type = BSON_TYPE_INT32, .key = "", .value = (const uint8_t *)&nine, .value_len = sizeof nine};

/* `out` NULL: refused with `why`. */
static void put(const char *pointer, bool away, const char *in, const char *out, const char *why)
{
	const struct etl_path path = path_of(pointer);
	bson_t *doc = doc_of(in), *want, got;
	const uint8_t *bson = NULL;
	uint32_t len = 0;
	const char *said = etl_path_put(
		&path, bson_get_data(doc), doc->len, away ? NULL : &value, arena, &bson, &len);

	if (!out) {
		assert_non_null(said);
		assert_string_equal(said, why);
		assert_null(bson); /* untouched */
	} else {
		want = doc_of(out);
		assert_null(said);
		assert_true(bson_init_static(&got, bson, len));
		if (len != want->len || memcmp(bson, bson_get_data(want), len) != 0)
			fail_msg("%s in %s: %s", pointer, in, bson_as_relaxed_extended_json(&got, NULL));
		bson_destroy(want);
	}
	bson_destroy(doc);
}

static void test_put(void **state)
{
	(void)state;
	put("a", false, "{\"a\":1,\"b\":2}", "{\"a\":9,\"b\":2}", NULL);
	put("a.b", false, "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1},\"a.b\":9}", NULL);
	put("/a/b", false, "{\"a\":{\"b\":\"x\",\"c\":2},\"d\":3}",
		"{\"a\":{\"b\":9,\"c\":2},\"d\":3}", NULL);
	put("/a/b/c", false, "{\"z\":1}", "{\"z\":1,\"a\":{\"b\":{\"c\":9}}}", NULL);
	put("/a~1b/", false, "{\"a/b\":{\"x\":1}}", "{\"a/b\":{\"x\":1,\"\":9}}", NULL);
	put("/a/1/b", false, "{\"a\":[1,{\"b\":2}]}", "{\"a\":[1,{\"b\":9}]}", NULL);
	put("/a/b", false, "{\"a\":1}", NULL, "what leads there is no document");
	put("/a/2", false, "{\"a\":[1,2]}", NULL, "the array has no such element");
	put("/a/2/b", false, "{\"a\":[1,2]}", NULL, "the array has no such element");
	put("/a/x", false, "{\"a\":[1,2]}", NULL, "the array has no such element");
}

static void test_take_away(void **state)
{
	(void)state;
	put("/a/b", true, "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":2}}", NULL);
	put("/a/b", true, "{\"a\":{\"b\":1}}", "{\"a\":{}}", NULL);
	put("/a/b", true, "{\"a\":5}", "{\"a\":5}", NULL);
	put("/a/b/c", true, "{\"a\":{\"x\":1}}", "{\"a\":{\"x\":1}}", NULL);
	put("/a/0/b", true, "{\"a\":[{\"b\":1}]}", "{\"a\":[{}]}", NULL);
	put("/a/0", true, "{\"a\":[1]}", NULL, "an array's element cannot go");
}

/* By text and compiled it is the same place. */
static void test_find_field(void **state)
{
	static const char *const fields[] = {
		"a", "/a", "/a/b", "/a~1b", "/a~0b", "/~01", "/a/1/b", "/a/b/c", "/", "/a/", "a.b"};
	static const char *const docs[] = {"{\"a\":{\"b\":1}}", "{\"a/b\":1,\"a~b\":2,\"~1\":3,\"a.b\":4}",
		"{\"a\":[0,{\"b\":1}],\"\":{\"\":1}}", "{\"a\":{\"\":1,\"b\":{\"c\":2}}}", "{}"};

	(void)state;
	for (size_t d = 0; d < sizeof docs / sizeof *docs; d++)
		for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
			bson_t *doc = doc_of(docs[d]);
			const struct etl_path path = path_of(fields[f]);
			struct etl_element a = {0}, b = {0};
			bool found = etl_path_find(&path, bson_get_data(doc), doc->len, &a);

			if (etl_path_find_field(fields[f], bson_get_data(doc), doc->len, &b) != found ||
				(found && a.value != b.value))
				fail_msg("%s in %s", fields[f], docs[d]);
			bson_destroy(doc);
		}
}

static bson_t *random_doc(uint64_t *random, unsigned depth)
{
	static const char *const keys[] = {"a", "b", "c", "0", "1"};
	bson_t *doc = bson_new();

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		bson_t *inner;

		if (test_random(random) % 2)
			continue;
		if (depth && test_random(random) % 2) {
			inner = random_doc(random, depth - 1);
			BSON_APPEND_DOCUMENT(doc, keys[i], inner);
			bson_destroy(inner);
		} else {
			BSON_APPEND_INT64(doc, keys[i], (int64_t)test_random(random));
		}
	}
	return doc;
}

/* What was put is found, the document is valid, and taking it away again leaves what the other names
 * had. */
static void test_law(void **state)
{
	static const char *const pointers[] = {"/a", "/a/b", "/b/0/c", "/c/1", "/0/0/0", "a", "/x/y"};
	uint64_t random = test_seed();

	(void)state;
	for (int i = 0; i < 20000; i++) {
		bson_t *doc = random_doc(&random, 3), got;
		const struct etl_path path = path_of(pointers[test_random(&random) % 7]);
		const uint8_t *bson, *without;
		uint32_t len, without_len;
		struct etl_element e;
		const char *why =
			etl_path_put(&path, bson_get_data(doc), doc->len, &value, arena, &bson, &len);

		if (why) {
			assert_string_equal(why, "what leads there is no document");
		} else {
			assert_true(bson_init_static(&got, bson, len));
			assert_true(bson_validate(&got, BSON_VALIDATE_NONE, NULL));
			assert_true(etl_path_find(&path, bson, len, &e));
			assert_memory_equal(e.value, &nine, sizeof nine);
			assert_null(etl_path_put(&path, bson, len, NULL, arena, &without, &without_len));
			assert_false(etl_path_find(&path, without, without_len, &e));
			assert_true(without_len < len);
		}
		bson_destroy(doc);
		etl_arena_reset(arena);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_put),
		TEST(test_take_away),
		TEST(test_find_field),
		TEST(test_law),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
