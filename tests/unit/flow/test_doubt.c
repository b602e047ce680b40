/* SPDX-License-Identifier: MIT
 *
 * A target in MongoDB without transactions: a write that nobody waits for any more may be executed
 * late, over newer data. The memory store has no transactions; the target says here that it would
 * take part in one.
 */
#include "run_rig.h"

static struct rig *standalone(int64_t now)
{
	static struct etl_sink_type sink;
	struct rig *rig = rig_new(NULL, now);

	sink = memory_target_type;
	sink.joins_transaction = true;
	rig->job->loads[0].type = &sink;
	return rig;
}

/* An old write comes in late: hour `h` has the value `v` again, and the ledger does not know. */
static void late_write(struct rig *rig, int64_t h, double v)
{
	etl_wall ts = {hour(h).ms + HOUR_MS / 2};
	bson_t *doc = BCON_NEW("station_id", "a", "ts", BCON_DATE_TIME(ts.ms), "v", BCON_DOUBLE(v));
	struct target_row row = {.station = "a", .ts = ts, .len = doc->len};

	row.bson = (uint8_t *)etl_memdup0((const char *)bson_get_data(doc), doc->len);
	bson_destroy(doc);
	target_put(rig->target, &row);
}

static double value_at(struct rig *rig, int64_t h)
{
	double v = -1;

	target_double(target_find(rig->target, "a", (etl_wall){hour(h).ms + HOUR_MS / 2}), "v", &v);
	return v;
}

/* The content is what it was and the ledger has its hash; the target is looked at all the same. */
static void the_hash_spares_no_look(void **state)
{
	struct rig *rig = standalone(5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_false(entry_at(rig, "job", "a", 4).dirty);
	late_write(rig, 4, 99);
	NEED_RUN(rig, ETL_RUN_OK); /* the lookback reads hours 3 and 4 again */
	assert_int_equal(rig->run->counts.updated, 1);
	assert_true(value_at(rig, 4) == 4);
	rig_free(rig);
}

static void need_dirty(struct rig *rig, int64_t h, bool dirty)
{
	struct etl_ledger_entry e = entry_at(rig, "job", "a", h);

	assert_int_equal(e.state, ETL_WINDOW_LOADED);
	assert_int_equal(e.dirty, dirty);
	assert_string_equal(e.writer, "");
	if (dirty)
		assert_non_null(strstr(e.reason, "never answered"));
}

/* Hour 0 lies behind the lookback: only its mark makes the next run read it again. */
static void an_unanswered_write_leaves_its_windows_dirty(void **state)
{
	struct rig *rig = standalone(5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	rig->target->write_fault = (struct target_fault){0, 1, ETL_TRANSIENT, "mongodb.network"};
	NEED_RUN(rig, ETL_RUN_OK);
	NEED_WATERMARK(rig, 5);
	need_dirty(rig, 0, true);
	late_write(rig, 0, 99);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_true(value_at(rig, 0) == 0);
	need_dirty(rig, 0, false);
	NEED_RUN(rig, ETL_RUN_OK);
	assert_string_equal(rig->asked[0], "a 3+2"); /* the lookback, and no more */
	rig_free(rig);
}

static void die_after_the_write(struct rig *rig)
{
	struct etl_unit_key units[5];
	struct etl_state *s = rig->driver.state;

	for (int64_t h = 0; h < 5; h++)
		units[h] = (struct etl_unit_key){{hour(h), hour(h + 1)}, NULL};
	assert_int_equal(s->ops->ledger_doubt(s, "job", "a", "a run that is dead", units, 5,
				 &rig->err), 0);
}

/* The one who wrote is dead: whoever loads its windows leaves them dirty, the next one does not. */
static void what_a_dead_run_wrote_is_read_twice(void **state)
{
	struct rig *rig = standalone(5);

	(void)state;
	service_fill(rig, "a", 0, 5);
	die_after_the_write(rig);
	NEED_RUN(rig, ETL_RUN_OK);
	need_dirty(rig, 0, true);
	NEED_RUN(rig, ETL_RUN_OK);
	need_dirty(rig, 0, false);
	rig_free(rig);
}

/* Its data went in after another one had taken the job: that one is told. */
static void a_fence_lost_after_a_write_is_told(void **state)
{
	struct rig *rig = standalone(5);
	struct etl_ledger_entry e;

	(void)state;
	service_fill(rig, "a", 0, 5);
	rig->fence_at = 1;
	NEED_RUN(rig, ETL_RUN_FENCED);
	e = entry_at(rig, "job", "a", 0);
	assert_true(e.dirty);
	assert_string_equal(e.writer, rig->run->run_id);
	pass_hours(rig, 1);
	NEED_RUN(rig, ETL_RUN_OK);
	need_dirty(rig, 0, true);
	NEED_RUN(rig, ETL_RUN_OK);
	need_dirty(rig, 0, false);
	rig_free(rig);
}

/* The other one's commit took our mark away, and then our data went in. */
static void a_fence_lost_before_a_write_is_told(void **state)
{
	struct rig *rig = standalone(5);
	struct etl_ledger_entry e;

	(void)state;
	service_fill(rig, "a", 0, 5);
	rig->fence_at = 1;
	rig->taker_commits = true;
	NEED_RUN(rig, ETL_RUN_FENCED);
	e = entry_at(rig, "job", "a", 0);
	assert_int_equal(e.state, ETL_WINDOW_LOADED);
	assert_true(e.dirty);
	assert_string_equal(e.writer, rig->run->run_id);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_spares_no_look),
		cmocka_unit_test(an_unanswered_write_leaves_its_windows_dirty),
		cmocka_unit_test(what_a_dead_run_wrote_is_read_twice),
		cmocka_unit_test(a_fence_lost_after_a_write_is_told),
		cmocka_unit_test(a_fence_lost_before_a_write_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
