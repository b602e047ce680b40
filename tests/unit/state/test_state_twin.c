/* SPDX-License-Identifier: MIT
 *
 * The memory store and the MongoDB store are one another's twin: the same operations, by dice, get
 * the same answers, and leave the same behind. What the daemon's simulation proves on the one then
 * holds for the other. Against the server that ETLD_TEST_MONGODB_URI names; skipped without it.
 * ETLD_SEED gives other dice, ETLD_TWIN_STEPS as many steps; a slow server gets less far.
 */
#include "twin_change.h"
#include "twin_dead.h"
#include "twin_docs.h"
#include "twin_objects.h"
#include "twin_rows.h"

#include "base/uuid.h"
#include "state/mongodb.h"
#include "../../lib/mongo_tests.h"

#define STEPS_MAX 800
#define STEPS_MIN 200	      /* enough for the planted bugs (tests/mutants) */
#define TIME_MAX ETL_SECONDS(6) /* of one history, once it has so many steps */

static const struct op {
	const char *name;
	void (*play)(struct side *side, struct etl_error *err);
	int weight;
} ops[] = {
	{"acquire", acquire, 12}, {"give back", give_back, 7}, {"save slots", save_slots, 2},
	{"schedules", schedules, 2}, {"claim", claim, 12}, {"watermarks", watermarks, 2},
	{"commit", commit, 18}, {"mark", mark, 12}, {"doubt", doubt, 4}, {"plan", plan, 8},
	{"look", look, 5}, {"held", held, 3}, {"change", change, 4}, {"decide", decide, 10},
	{"undo", undo, 6}, {"repeat change", repeat_change, 1}, {"changes", changes, 2},
	{"save run", save_run, 2}, {"see runs", see_runs, 2}, {"add letters", add_letters, 6},
	{"list letters", list_letters, 5}, {"find letters", find_letters, 2}, {"audit", audit, 1},
	{"backfills", backfills, 4}, {"pauses", pauses, 2}, {"sources", sources, 2},
	{"alert", alert, 2}, {"row", any_row, 12}, {"commit objects", commit_objects, 9},
	{"mark objects", mark_objects, 6}, {"doubt objects", doubt_objects, 2},
	{"list objects", list_objects, 5}, {"decide object", decide_object, 5},
};

static struct etl_mongo *mongo;
static char database[64];

/* One side's turn; the dice are the same for both. */
static void play(struct side *side, const struct op *op, uint64_t dice)
{
	struct etl_error err = ETL_ERROR_INIT;

	dice_state = dice;
	etl_buf_clear(&side->said);
	op->play(side, &err);
	assert_true(etl_buf_ok(&side->said));
}

/* The first line in which they differ. */
static void need_the_same(const struct side sides[2], const char *what, int step)
{
	const char *a = etl_buf_text(&sides[0].said), *b = etl_buf_text(&sides[1].said);
	const char *line = a;

	if (strcmp(a, b) == 0)
		return;
	for (; *a && *a == *b; a++, b++)
		if (*a == '\n')
			line = a + 1;
	b -= a - line;
	fail_msg("ETLD_SEED=%llu, step %d, %s:\nmemory:  %.*s\nMongoDB: %.*s", (unsigned long long)dice_given,
		step, what, (int)strcspn(line, "\n"), line, (int)strcspn(b, "\n"), b);
}

static const struct op *any_op(void)
{
	const struct op *op = ops;
	int sum = 0, at;

	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		sum += ops[i].weight;
	at = (int)roll((uint64_t)sum);
	while (at >= op->weight)
		at -= op++->weight;
	return op;
}

/* ---- what is left behind ----------------------------------------------------------------- */

static void whole_ledger(struct side *side, struct etl_error *err)
{
	for (int j = 0; j < JOBS; j++)
		for (int p = 0; p < PARTITIONS; p++) {
			say_answer(side, jobs[j], side->s->ops->ledger_scan(side->s, jobs[j], partitions[p],
				NULL, ETL_LEDGER_ALL, keep_entry, side, err), err);
			say_list(side, false);
		}
}

static void whole_history(struct side *side, struct etl_error *err)
{
	for (int j = 0; j < JOBS; j++) {
		struct etl_change_query query = {.job = jobs[j]};

		say_answer(side, jobs[j], etl_change_list(side->s, &query, keep_change, side, err),
			err);
		say_list(side, false);
	}
}

/* By no order: the stores date what comes, each by its clock. */
static int keep_audit(void *ctx, const bson_t *doc)
{
	bson_t rest = BSON_INITIALIZER;

	bson_copy_to_excluding_noinit(doc, &rest, "_id", "at", NULL);
	keep_document(ctx, &rest);
	bson_destroy(&rest);
	return 0;
}

static void whole_audit(struct side *side, struct etl_error *err)
{
	static const struct etl_doc_query all;

	say_answer(side, "audit", side->s->ops->list(side->s, &etl_audit, &all, keep_audit, side, err), err);
	say_list(side, true);
}

/* ---- a history --------------------------------------------------------------------------- */

static void drop_database(void)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_database_t *db = mongoc_client_get_database(client, database);

	mongoc_database_drop(db, NULL);
	mongoc_database_destroy(db);
	etl_mongo_push(mongo, client);
}

static void open_sides(struct side sides[2], bool transactions)
{
	struct etl_error err = ETL_ERROR_INIT;
	char id[ETL_UUID_BYTES];

	etl_uuid7(etl_now(etl_clock_real()).ms, id);
	snprintf(database, sizeof database, "etld_test_%.8s%.4s%s", id, id + 9, id + 24);
	sides[0].s = etl_state_memory_new(etl_clock_real());
	sides[1].s = etl_state_mongodb_new(mongo, database);
	if (sides[1].s->ops->prepare(sides[1].s, &err) < 0)
		fail_msg("%s", err.message);
	if (!transactions)
		etl_state_mongodb(sides[1].s)->transactions = false;
	for (int i = 0; i < 2; i++)
		etl_buf_init(&sides[i].said, (size_t)8 << 20);
}

static void close_sides(struct side sides[2])
{
	drop_database();
	for (int i = 0; i < 2; i++) {
		sides[i].s->ops->free(sides[i].s);
		etl_buf_fini(&sides[i].said);
	}
}

/* The dice of an operation are a stream of their own, however many it throws. */
static void both(struct side sides[2], const struct op *op, int step)
{
	uint64_t dice = (roll(UINT64_MAX) * UINT64_C(0x9E3779B97F4A7C15)) | 1, course = dice_state;

	play(&sides[0], op, dice);
	play(&sides[1], op, dice);
	need_the_same(sides, op->name, step);
	dice_state = course;
}

/* True as long as there are steps, and time for them. */
static bool goes_on(int step, etl_mono began)
{
	const char *asked = getenv("ETLD_TWIN_STEPS");

	if (asked)
		return step < atoi(asked);
	return step < STEPS_MIN || (step < STEPS_MAX &&
		etl_mono_diff(etl_mono_now(etl_clock_real()), began).us < TIME_MAX.us);
}

static void compare(bool transactions)
{
	static const struct op last[] = {{"prepare once more", prepare, 0},
		{"all: ledger", whole_ledger, 0}, {"all: changes", whole_history, 0},
		{"all: objects", whole_objects, 0}, {"all: letters", whole_letters, 0},
		{"all: audit", whole_audit, 0},
		{"all: rows", whole_rows, 0}, {"all: watermarks", watermarks, 0},
		{"all: schedules", schedules, 0}, {"all: runs", see_runs, 0}};
	etl_mono began = etl_mono_now(etl_clock_real());
	struct side *sides = etl_calloc(2, sizeof *sides);
	int step;

	dice_seed();
	open_sides(sides, transactions);
	for (step = 0; goes_on(step, began); step++)
		both(sides, any_op(), step);
	for (size_t i = 0; i < sizeof last / sizeof *last; i++)
		both(sides, &last[i], step);
	printf("%d steps\n", step);
	close_sides(sides);
	free(sides);
}

static void twins_with_transactions(void **state)
{
	(void)state;
	compare(true);
}

static void twins_without_transactions(void **state)
{
	(void)state;
	compare(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twins_with_transactions),
		cmocka_unit_test(twins_without_transactions),
	};
	int failed;

	if (!mongo_tests_open(&mongo, 8, &failed))
		return failed;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mongo_tests_close(mongo);
	return failed;
}
