/* SPDX-License-Identifier: MIT
 *
 * Two upserts of one document meet: the server refuses one of them with 11000, the store tries once
 * more, and no error is left behind. The driver's writes are taken through here: the first of them
 * fail so, and reach no server; bulks are counted. Against the server that ETLD_TEST_MONGODB_URI
 * names; skipped without it.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/uuid.h"
#include "state/mongodb.h"
#include "../../lib/mongo_tests.h"

#define H(n) ((etl_wall){(int64_t)(n) * 3600000})
#define RUN "01234567-89ab-7def-8123-456789abcdef"

static struct etl_mongo *mongo;
static struct etl_state *store;
static char database[64];

/* ---- the driver's writes ----------------------------------------------------------------- */

static int to_lose; /* so many more */
static int bulks;

static bool loses(bson_t *reply, bson_error_t *error)
{
	if (!to_lose)
		return false;
	to_lose--;
	bson_set_error(error, MONGOC_ERROR_SERVER, ETL_SMDB_DUPLICATE, "E11000 duplicate key");
	if (reply)
		bson_init(reply);
	return true;
}

/* As the driver has it, by its name. */
static void find_real(void *function, size_t size, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	assert_non_null(found);
	memcpy(function, &found, size);
}

uint32_t mongoc_bulk_operation_execute(mongoc_bulk_operation_t *bulk, bson_t *reply, bson_error_t *error)
{
	uint32_t (*real)(mongoc_bulk_operation_t *, bson_t *, bson_error_t *);

	bulks++;
	find_real(&real, sizeof real, "mongoc_bulk_operation_execute");
	return loses(reply, error) ? 0 : real(bulk, reply, error);
}

static enum { NEVER, IN_THE_WAY, ANSWER_LOST } commit_fails;
static int commits;

/* In the way: another transaction, and nothing is in. */
bool mongoc_client_session_commit_transaction(mongoc_client_session_t *session, bson_t *reply,
	bson_error_t *error)
{
	bool (*real)(mongoc_client_session_t *, bson_t *, bson_error_t *);

	commits++;
	find_real(&real, sizeof real, "mongoc_client_session_commit_transaction");
	if (commit_fails == IN_THE_WAY) {
		assert_true(mongoc_client_session_abort_transaction(session, error));
		bson_set_error(error, MONGOC_ERROR_SERVER, 112, "WriteConflict");
		bson_init(reply);
		BCON_APPEND(reply, "errorLabels", "[", "TransientTransactionError", "]");
		return false;
	}
	if (commit_fails == NEVER)
		return real(session, reply, error);
	assert_true(real(session, reply, error));
	bson_destroy(reply);
	bson_set_error(error, MONGOC_ERROR_SERVER, 50, "MaxTimeMSExpired");
	bson_init(reply);
	BCON_APPEND(reply, "errorLabels", "[", "UnknownTransactionCommitResult", "]");
	return false;
}

bool mongoc_collection_update_one(mongoc_collection_t *c, const bson_t *query, const bson_t *update,
	const bson_t *opts, bson_t *reply, bson_error_t *error)
{
	bool (*real)(mongoc_collection_t *, const bson_t *, const bson_t *, const bson_t *, bson_t *,
		bson_error_t *);

	find_real(&real, sizeof real, "mongoc_collection_update_one");
	return !loses(reply, error) && real(c, query, update, opts, reply, error);
}

bool mongoc_collection_find_and_modify_with_opts(mongoc_collection_t *c, const bson_t *query,
	const mongoc_find_and_modify_opts_t *opts, bson_t *reply, bson_error_t *error)
{
	bool (*real)(mongoc_collection_t *, const bson_t *, const mongoc_find_and_modify_opts_t *,
		bson_t *, bson_error_t *);

	find_real(&real, sizeof real, "mongoc_collection_find_and_modify_with_opts");
	return !loses(reply, error) && real(c, query, opts, reply, error);
}

/* ---- who may meet another ---------------------------------------------------------------- */

static int mark(struct etl_error *err)
{
	struct etl_ledger_entry e = {.window = {H(0), H(1)}, .state = ETL_WINDOW_FAILED};

	return store->ops->ledger_mark(store, "j", "p", 1, &e, 1, err);
}

static int doubt(struct etl_error *err)
{
	struct etl_unit_key unit = {{H(1), H(2)}, NULL};

	return store->ops->ledger_doubt(store, "j", "p", RUN, &unit, 1, err);
}

static int commit_of(size_t entries, size_t marks, struct etl_error *err)
{
	struct etl_ledger_entry e = {.window = {H(2), H(3)}, .state = ETL_WINDOW_LOADED};
	struct etl_dirty_mark dirty = {"other", "p", {H(3), H(4)}};
	struct etl_commit c = {.job = "j", .partition = "p", .run_id = RUN, .fence = 1, .entries = &e,
		.n_entries = entries, .window_ms = 3600000, .dirty = &dirty, .n_dirty = marks};

	return store->ops->commit(store, NULL, &c, err);
}

static int commit_ledger(struct etl_error *err)
{
	return commit_of(1, 0, err);
}

static int commit_dirty_mark(struct etl_error *err)
{
	return commit_of(0, 1, err);
}

static int add_letter(struct etl_error *err)
{
	struct etl_dead_letter_info info = {"j", "p", RUN, etl_now(etl_clock_real())};
	struct etl_reject r = {.step = "check", .rule = "range", .path = "", .message = "too much"};

	return etl_dead_letters_add(store, &info, &r, 1, err);
}

static int save_slot(struct etl_error *err)
{
	struct etl_slot_note note = {"k", H(4), "@daily|UTC", false};

	return store->ops->slots_save(store, &note, 1, err);
}

static int claim(struct etl_error *err)
{
	struct etl_watermark w;

	return store->ops->watermark_claim(store, "k", "p", 1, H(0), 3600000, &w, err);
}

static int acquire(struct etl_error *err)
{
	struct etl_lease_ask ask = {.job = "k", .holder = "h", .run_id = RUN, .ttl = ETL_SECONDS(30)};
	struct etl_lease lease;

	return store->ops->lease_acquire(store, &ask, &lease, err) == 1 ? 0 : -1;
}

static const struct {
	const char *what;
	int (*write)(struct etl_error *err);
} writes[] = {
	{"ledger_mark", mark},
	{"ledger_doubt", doubt},
	{"the ledger of a commit", commit_ledger},
	{"the dirty marks of a commit", commit_dirty_mark},
	{"dead_letters_add", add_letter},
	{"slots_save", save_slot},
	{"watermark_claim", claim},
	{"lease_acquire", acquire},
};

static void a_second_try_leaves_no_error_behind(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
		struct etl_error err = ETL_ERROR_INIT;

		to_lose = 1;
		if (writes[i].write(&err) < 0 || err.kind != ETL_OK || *err.code || *err.message)
			fail_msg("%s: %s %s", writes[i].what, err.code, err.message);
		if (to_lose)
			fail_msg("%s writes in another way", writes[i].what);
	}
}

/* As often as it looks: then it is no meeting. */
static void a_key_that_stays_taken_is_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
		struct etl_error err = ETL_ERROR_INIT;

		to_lose = 100;
		if (writes[i].write(&err) == 0 || err.kind == ETL_OK)
			fail_msg("%s: %s %s", writes[i].what, err.code, err.message);
	}
	to_lose = 0;
}

/* Two etlds that start together write the same layout. */
static void a_layout_that_another_writes_is_fine(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *c = mongoc_client_get_collection(client, database, "layout");

	(void)state;
	assert_true(mongoc_collection_drop(c, NULL));
	mongoc_collection_destroy(c);
	etl_mongo_push(mongo, client);
	to_lose = 1;
	assert_int_equal(etl_smdb_check_layout(store, &err), 0);
	assert_int_equal(err.kind, ETL_OK);
	assert_int_equal(to_lose, 0);
}

static int count_slots(void *ctx, const char *job, const struct etl_schedule_info *info)
{
	*(int *)ctx += strncmp(job, "many", 4) == 0 && info->slot.ms == H(4).ms;
	return 0;
}

/* The slots of many jobs are no single command that a slow server would answer too late. */
static void many_slots_are_saved_in_pieces(void **state)
{
	enum { MANY = 1100 };
	struct etl_slot_note *notes = etl_calloc(MANY, sizeof *notes);
	struct etl_error err = ETL_ERROR_INIT;
	int found = 0;

	(void)state;
	for (int i = 0; i < MANY; i++)
		notes[i] = (struct etl_slot_note){etl_strf("many%d", i), H(4), "@daily|UTC", false};
	bulks = 0;
	to_lose = 1; /* the first of them, and only that, is sent again */
	assert_int_equal(store->ops->slots_save(store, notes, MANY, &err), 0);
	assert_int_equal(bulks, 4);
	assert_int_equal(store->ops->schedule_list(store, count_slots, &found, &err), 0);
	assert_int_equal(found, MANY);
	for (int i = 0; i < MANY; i++)
		free((char *)(uintptr_t)notes[i].job);
	free(notes);
}

static int skip_an_hour(const char *commit_id, int hour, struct etl_error *err)
{
	struct etl_change change = {.id = commit_id, .command = commit_id, .kind = ETL_CHANGE_SET,
		.job = "j", .partition = "p", .who = "", .why = "", .to = H(hour + 1),
		.reached = H(hour + 1), .done = true, .undoes = "", .undone_by = "", .run_id = ""};
	struct etl_window window = {H(hour), H(hour + 1)};
	struct etl_change_slice slice = {.change = &change, .fence = 1, .expected = H(hour),
		.commit_id = commit_id, .windows = &window, .n = 1};

	return store->ops->change_apply(store, &slice, err);
}

/* A worker waits for no other transaction: whoever asked for a change has a timer. */
static void a_change_is_tried_once(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark w;

	(void)state;
	etl_state_mongodb(store)->transactions = true;
	commits = 0;
	commit_fails = IN_THE_WAY;
	assert_int_equal(skip_an_hour("a", 0, &err), -1);
	if (err.kind != ETL_TRANSIENT || strcmp(err.code, "txn.retry") != 0)
		fail_msg("%s: %s", err.code, err.message);
	assert_int_equal(commits, 1);
	assert_int_equal(store->ops->watermark_get(store, "j", "p", &w, &err), 1);
	assert_int_equal(w.processed.ms, 0);
	commit_fails = NEVER;
	etl_error_clear(&err);
	assert_int_equal(skip_an_hour("a", 0, &err), 0);
	etl_state_mongodb(store)->transactions = false;
}

static void a_lost_answer_is_looked_up(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark w;

	(void)state;
	etl_state_mongodb(store)->transactions = true;
	commit_fails = ANSWER_LOST;
	assert_int_equal(skip_an_hour("b", 1, &err), 0);
	assert_int_equal(err.kind, ETL_OK);
	commit_fails = NEVER;
	assert_int_equal(store->ops->watermark_get(store, "j", "p", &w, &err), 1);
	assert_int_equal(w.processed.ms, H(2).ms);
	etl_state_mongodb(store)->transactions = false;
}

static int set_up(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark w;
	char id[ETL_UUID_BYTES];

	(void)state;
	etl_uuid7(etl_now(etl_clock_real()).ms, id);
	snprintf(database, sizeof database, "etld_test_%.8s%.4s%s", id, id + 9, id + 24);
	store = etl_state_mongodb_new(mongo, database);
	if (store->ops->prepare(store, &err) < 0 ||
		store->ops->watermark_claim(store, "j", "p", 1, H(0), 3600000, &w, &err) < 0) {
		print_error("%s\n", err.message);
		return -1;
	}
	etl_state_mongodb(store)->transactions = false;
	return 0;
}

static int tear_down(void **state)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_database_t *db = mongoc_client_get_database(client, database);

	(void)state;
	mongoc_database_drop(db, NULL);
	mongoc_database_destroy(db);
	etl_mongo_push(mongo, client);
	store->ops->free(store);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_try_leaves_no_error_behind),
		cmocka_unit_test(a_key_that_stays_taken_is_an_error),
		cmocka_unit_test(a_layout_that_another_writes_is_fine),
		cmocka_unit_test(many_slots_are_saved_in_pieces),
		cmocka_unit_test(a_change_is_tried_once),
		cmocka_unit_test(a_lost_answer_is_looked_up),
	};
	int failed;

	if (!mongo_tests_open(&mongo, 4, &failed))
		return failed;
	failed = cmocka_run_group_tests(tests, set_up, tear_down);
	mongo_tests_close(mongo);
	return failed;
}
