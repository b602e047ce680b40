/* SPDX-License-Identifier: MIT
 *
 * rename: tables of cases, refused configurations, there and back again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/plugin.h"

extern const struct etl_transform_type etl_transform_rename;

static void test_cases(void **state)
{
	static const struct transform_case cases[] = {
		{"{a: x}", "{\"a\":1,\"b\":2}", "{\"x\":1,\"b\":2}"},
		/* The example of the file. */
		{"{a: b, /m/x: y}", "{\"a\":1,\"m\":{\"x\":2}}",
			"{\"b\":1,\"m\":{\"x\":2},\"y\":2}"},
		{"{PM2.5: pm2_5, \"T. int.\": t_int}",
			"{\"t\":1,\"PM2.5\":8.5,\"k\":{\"PM2.5\":1},\"T. int.\":\"x\"}",
			"{\"t\":1,\"pm2_5\":8.5,\"k\":{\"PM2.5\":1},\"t_int\":\"x\"}"},
		{"{z: x}", "{\"a\":1}", "{\"a\":1}"},
		{"{z: x}", "{}", "{}"},
		{"{z: a}", "{\"a\":1}", "{\"a\":1}"},
		{"{a: b, b: a}", "{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}"},
		{"{a: b, b: c}", "{\"b\":2,\"a\":1}", "{\"c\":2,\"b\":1}"},
		{"{a: b, b: c, c: a}", "{\"a\":1,\"b\":2,\"c\":3}",
			"{\"b\":1,\"c\":2,\"a\":3}"},
		{"{a: a}", "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}"},
		{"{a: ä€}", "{\"a\":1}", "{\"ä€\":1}"},
		{"{a: b}", "{\"x\":0,\"a\":null,\"y\":1}", "{\"x\":0,\"b\":null,\"y\":1}"},
		/* The new name is there already. */
		{"{a: b}", "{\"b\":1,\"a\":1,\"c\":2}", "{\"b\":1,\"c\":2}"},
		{"{a: b}", "{\"a\":\"v\",\"b\":\"v\"}", "{\"b\":\"v\"}"},
		{"{a: b}", "{\"a\":1,\"b\":2}", NULL, "a", "a (int32 1) cannot become b"},
		{"{a: b}", "{\"a\":1,\"b\":1.0}", NULL, "a", "(double 1"},
		{"{a: b, b: c}", "{\"a\":1,\"b\":2,\"c\":3}", NULL, "b", "cannot become c"},
		/* Nested values. */
		{"{/address/city: city}",
			"{\"address\":{\"city\":\"Turin\",\"zip\":1},\"n\":1}",
			"{\"address\":{\"city\":\"Turin\",\"zip\":1},\"n\":1,\"city\":"
			"\"Turin\"}"},
		{"{/a/1/b: x, n: m}", "{\"n\":1,\"a\":[0,{\"b\":{\"c\":2}}]}",
			"{\"m\":1,\"a\":[0,{\"b\":{\"c\":2}}],\"x\":{\"c\":2}}"},
		{"{/a/b: x}", "{\"a\":1}", "{\"a\":1}"},
		{"{/a/b: x}", "{\"a\":{\"b\":1},\"x\":1}", "{\"a\":{\"b\":1},\"x\":1}"},
		{"{/a/b: x}", "{\"a\":{\"b\":1},\"x\":2}", NULL, "/a/b", "/a/b (int32 1)"},
		{"{n: /a/b}", "{\"n\":1,\"a\":{\"c\":2}}", "{\"a\":{\"c\":2,\"b\":1}}"},
		{"{n: /x/y}", "{\"n\":1}", "{\"x\":{\"y\":1}}"},
		{"{/a/b: /x/y}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1},\"x\":{\"y\":1}}"},
		{"{n: /a/b}", "{\"a\":{\"b\":2}}", "{\"a\":{\"b\":2}}"},
		{"{n: /a/b}", "{\"n\":1,\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"},
		{"{n: /a/b}", "{\"n\":1,\"a\":{\"b\":2}}", NULL, "n",
			"cannot become /a/b, which is there already"},
		{"{n: /a/b}", "{\"n\":1,\"a\":2}", NULL, "/a/b", "what leads there is no document"},
	};

	(void)state;
	TRANSFORM_RUN_ALL(&etl_transform_rename, cases);
}

static void test_refused(void **state)
{
	const struct etl_transform_type *type = &etl_transform_rename;

	(void)state;
	transform_refused(type, "{a: x, b: x}", "E023", "both 'a' and 'b' become 'x'");
	transform_refused(type, "{a: x, /b/c: x}", "E023", "become 'x'");
	transform_refused(type, "{a: /x/*}", "E014", "'*'");
	transform_refused(type, "{a: ''}", "E015", "empty field name");
	transform_refused(type, "{/a/*/b: x}", "E014", "'*'");
	transform_refused(type, "{/a~2: x}", "E014", "rename");
	transform_refused(type, "[a, b]", "E014", "");
	transform_refused(type, "{a: [b]}", "E014", "");
}

static bson_t *random_doc(uint64_t *random)
{
	bson_t *doc = bson_new();
	size_t n = test_random(random) % 20;
	char key[8];

	for (size_t i = 0; i < n; i++) {
		snprintf(key, sizeof key, "k%zu", i);
		switch (test_random(random) % 4) {
		case 0:
			BSON_APPEND_INT32(doc, key, (int32_t)test_random(random));
			break;
		case 1:
			BSON_APPEND_UTF8(doc, key, "some text");
			break;
		case 2:
			BSON_APPEND_NULL(doc, key);
			break;
		default:
			BSON_APPEND_DOUBLE(doc, key, (double)(test_random(random) % 1000) / 8);
		}
	}
	return doc;
}

static void apply_to(const char *yaml, struct etl_batch *batch)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct rig rig;

	transform_open(&rig, &etl_transform_rename, yaml);
	assert_int_equal(etl_transform_rename.apply(rig.self, batch, &err), 0);
	rig_free(&rig);
}

/* A random permutation of some names and its inverse leave every record as it was. */
static void test_there_and_back(void **state)
{
	uint64_t random = test_seed();

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct etl_batch *batch = etl_batch_new();
		bson_t *docs[10];
		char there[1024] = "{", back[1024] = "{";
		size_t to[20], a = 0, b = 0;

		for (size_t i = 0; i < 20; i++)
			to[i] = i;
		for (size_t i = 19; i > 0; i--) {
			size_t k = test_random(&random) % (i + 1), t = to[i];

			to[i] = to[k];
			to[k] = t;
		}
		for (size_t i = 0; i < 20; i++) {
			a += (size_t)snprintf(there + a + 1, 1000 - a, "%sk%zu: k%zu",
				i ? ", " : "", i, to[i]);
			b += (size_t)snprintf(back + b + 1, 1000 - b, "%sk%zu: k%zu",
				i ? ", " : "", to[i], i);
		}
		snprintf(there + a + 1, 8, "}");
		snprintf(back + b + 1, 8, "}");
		for (size_t i = 0; i < 10; i++)
			batch_put_doc(batch, docs[i] = random_doc(&random));
		apply_to(there, batch);
		apply_to(back, batch);
		assert_int_equal(batch->n, 10);
		for (size_t i = 0; i < 10; i++) {
			assert_int_equal(batch->records[i].len, docs[i]->len);
			assert_memory_equal(batch->records[i].bson, bson_get_data(docs[i]),
				docs[i]->len);
			bson_destroy(docs[i]);
		}
		etl_batch_free(batch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests_name("transform/rename", tests, NULL, NULL);
}
