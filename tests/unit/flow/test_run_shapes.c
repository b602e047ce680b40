/* SPDX-License-Identifier: MIT
 *
 * Whole runs of jobs that reshape: one record of an answer that is more than a batch, and more than
 * memory.
 */
#include "run_rig.h"

#define READINGS 5000

/* All readings of the hour in one record, each a second later. */
static void answer_list(void *ctx, const struct etl_strand *strand, struct driver_answer *out)
{
	etl_wall from = request_window(&strand->request).start;

	(void)ctx;
	etl_buf_str(&out->body, "{\"data\":[{\"place\":\"x\",\"rows\":[");
	for (int i = 0; i < READINGS; i++)
		etl_buf_printf(&out->body, "%s{\"ts\":%lld,\"v\":%d}", i ? "," : "",
			(long long)(from.ms / 1000 + i % 3600), i);
	etl_buf_str(&out->body, "]}]}");
}

static struct rig *rig_of(const char *reshape, const char *transform)
{
	static char yaml[2048];

	snprintf(yaml, sizeof yaml,
		"schedule: {cron: '10 * * * *', timeout: 1h}\n"
		"retry: {max: 0}\n"
		"partitions: {station: [a]}\n"
		"window: {size: 1h, settle: 10m, start: 2024-01-01}\n"
		"extract:\n"
		"  http:\n"
		"    url: 'http://peer.test/{station}'\n"
		"    query: {from: '{window.start:%%Y%%m%%d%%H}', to: "
		"'{window.end:%%Y%%m%%d%%H}'}\n"
		"  records: /data\n"
		"  reshape: [%s]\n"
		"  time: {field: ts, format: epoch}\n"
		"transform:\n"
		"  - set: {station_id: '{station}'}\n"
		"%s"
		"load: {\"null\": {}}\n", reshape, transform);
	struct rig *rig = rig_new(yaml, 2);

	rig->driver.answer = answer_list;
	return rig;
}

static struct rig *rig_of_lists(const char *transform)
{
	return rig_of("explode: {field: rows}", transform);
}

static void need_all(struct rig *rig)
{
	assert_int_equal(rig->run->windows.loaded, 2);
	assert_int_equal(rig->run->unfolded, 2 * (READINGS - 1));
	assert_int_equal(rig->run->folded, 0);
	assert_int_equal(rig->run->counts.seen, 2 * READINGS);
	assert_int_equal(rig->run->counts.in, 2 * READINGS);
	assert_int_equal(rig->target->n, 2 * 3600); /* of a second twice the later stays */
	need_balance(rig);
}

/* A thousand at a time: nothing is lost at the end of a batch, nor at the end of the answer. */
static void test_more_than_a_batch(void **state)
{
	struct rig *rig = rig_of_lists("");

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	need_all(rig);
	NEED_WATERMARK(rig, 2);
	rig_free(rig);
}

/* By now so much is held that leave was needed for it. */
static void need_grant(void *ctx, const struct etl_commit *c)
{
	struct rig *rig = ctx;

	(void)c;
	assert_int_not_equal(rig->run->parts[0]->granted, ETL_MEMORY_NONE);
}

/* The unit goes in by slices while the rest of the one record waits. */
static void test_more_than_memory(void **state)
{
	struct rig *rig = rig_of_lists("");

	(void)state;
	rig->driver.env.memory_max = 300 << 10;
	rig->driver.piece_max = 1 << 20; /* one piece: nothing else asks for memory */
	rig->driver.after_commit = need_grant;
	NEED_RUN(rig, ETL_RUN_OK);
	need_all(rig);
	assert_true(rig->driver.commits > 2 * (READINGS / 1000));
	rig_free(rig);
}

/* A transform that keeps state sees the whole unit before it lets go of it. */
static void test_state_behind_reshape(void **state)
{
	struct rig *rig = rig_of_lists("  - aggregate: {every: 1h, by: [station_id], count: n}\n");

	(void)state;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->target->n, 2);
	assert_int_equal(rig->run->counts.merged, 2 * READINGS);
	need_balance(rig);
	rig_free(rig);
}

/* Two rows for each second, all of the first kind before those of the second. */
static void answer_names(void *ctx, const struct etl_strand *strand, struct driver_answer *out)
{
	etl_wall from = request_window(&strand->request).start;

	(void)ctx;
	etl_buf_str(&out->body, "{\"data\":[");
	for (int i = 0; i < 2 * 3000; i++)
		etl_buf_printf(&out->body, "%s{\"ts\":%lld,\"p\":\"%s\",\"v\":%d}", i ? "," : "",
			(long long)(from.ms / 1000 + i % 3000), i < 3000 ? "a" : "b", i);
	etl_buf_str(&out->body, "]}");
}

/* All comes at the end of the input, and is more than a batch: what waits then is not the end. */
static void test_held_back_until_the_end(void **state)
{
	struct rig *rig = rig_of("pivot: {by: [ts], name: p, value: v}",
		"  - aggregate: {every: 1h, by: [station_id], count: n}\n");

	(void)state;
	rig->driver.answer = answer_names;
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(rig->run->counts.seen, 2 * 3000);
	assert_int_equal(rig->run->folded, 4 * 3000);
	assert_int_equal(rig->run->unfolded, 2 * 3000);
	assert_int_equal(rig->run->counts.merged, 2 * 3000);
	assert_int_equal(rig->target->n, 2);
	need_balance(rig);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_more_than_a_batch),
		cmocka_unit_test(test_more_than_memory),
		cmocka_unit_test(test_state_behind_reshape),
		cmocka_unit_test(test_held_back_until_the_end),
	};

	return cmocka_run_group_tests_name("flow/run_shapes", tests, NULL, NULL);
}
