/* SPDX-License-Identifier: MIT
 *
 * The MongoDB store keeps the stores' contract, with and without transactions, against the
 * server that ETLD_TEST_MONGODB_URI names; skipped without it.
 */
#include "contract.h"
#include "contract_backfill.h"
#include "contract_change.h"
#include "contract_ledger.h"
#include "contract_objects.h"

#include <stdlib.h>

#include "base/uuid.h"
#include "state/mongodb.h"
#include "../../lib/mongo_tests.h"

static struct etl_mongo *mongo;
static char database[64];
static bool without_transactions;

static void expire_lease(const char *job)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *c = mongoc_client_get_collection(client, database, "leases");
	bson_t *query = BCON_NEW("_id", BCON_UTF8(job));
	bson_t *update = BCON_NEW("$set", "{", "expires", BCON_DATE_TIME(1000), "}");
	bson_error_t error;

	assert_true(mongoc_collection_update_one(c, query, update, NULL, NULL, &error));
	bson_destroy(query);
	bson_destroy(update);
	mongoc_collection_destroy(c);
	etl_mongo_push(mongo, client);
}

/* What an operator, or a tool that restores, does to a document. */
static void edit(const char *collection, const char *id, bson_t *update)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *c = mongoc_client_get_collection(client, database, collection);
	bson_t *query = BCON_NEW("_id", BCON_UTF8(id));
	bson_error_t error;

	if (update ? !mongoc_collection_update_one(c, query, update, NULL, NULL, &error) :
		!mongoc_collection_delete_one(c, query, NULL, NULL, &error))
		fail_msg("%s", error.message);
	bson_destroy(query);
	if (update)
		bson_destroy(update);
	mongoc_collection_destroy(c);
	etl_mongo_push(mongo, client);
}

static int64_t count_where(const char *collection, bson_t *query)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *c = mongoc_client_get_collection(client, database, collection);
	bson_error_t error;
	int64_t n = mongoc_collection_count_documents(c, query, NULL, NULL, NULL, &error);

	mongoc_collection_destroy(c);
	etl_mongo_push(mongo, client);
	bson_destroy(query);
	return n;
}

static int64_t count(const char *collection)
{
	return count_where(collection, bson_new());
}

static void a_letter_read_twice_is_one_letter(void **state)
{
	(void)state;
	assert_int_equal(count_where("dead_letters", BCON_NEW("job", "l1")), 2);
	assert_int_equal(count_where("audit", BCON_NEW("what", "{", "$ne", "cancel", "}")), 2);
}

/* "job:1,at:-1,..." */
static void spell_keys(const bson_t *index, char *out)
{
	bson_iter_t it, key;

	*out = '\0';
	assert_true(bson_iter_init_find(&it, index, "key") && bson_iter_recurse(&it, &key));
	while (bson_iter_next(&key))
		sprintf(out + strlen(out), "%s%s:%d", *out ? "," : "", bson_iter_key(&key),
			(int)bson_iter_as_int64(&key));
}

static bool has_index(mongoc_collection_t *c, const char *keys)
{
	mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(c, NULL);
	const bson_t *index;
	bool found = false;
	char text[256];

	while (mongoc_cursor_next(cursor, &index)) {
		spell_keys(index, text);
		found |= strcmp(text, keys) == 0;
	}
	mongoc_cursor_destroy(cursor);
	return found;
}

/* Each question about dead letters goes along one of these in the order of its answer, and what is
 * counted stands in the index itself. */
static void dead_letters_have_an_index_for_each_question(void **state)
{
	static const char *const keys[] = {
		"at:-1,_id:-1,step:1,rule:1,window_start:1",
		"job:1,at:-1,_id:-1,step:1,rule:1,window_start:1",
		"job:1,partition:1,at:-1,_id:-1,step:1,rule:1,window_start:1",
		"job:1,window_start:1,at:-1,_id:-1,step:1,rule:1,partition:1",
		"run_id:1,at:-1,_id:-1,step:1,rule:1,window_start:1",
	};
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *c = mongoc_client_get_collection(client, database, "dead_letters");

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (!has_index(c, keys[i]))
			fail_msg("no index %s", keys[i]);
	mongoc_collection_destroy(c);
	etl_mongo_push(mongo, client);
}

static void prepare_can_be_repeated(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_mongo_topology topology;

	(void)state;
	if (store->ops->prepare(store, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(etl_mongo_ping(mongo, &topology, &err), 0);
	assert_int_equal(store->ops->has_transactions(store), topology.transactions);
	assert_true(topology.version[0] != '\0');
	if (without_transactions)
		etl_state_mongodb(store)->transactions = false;
}

static void a_newer_layout_is_refused(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	assert_int_equal(count("layout"), 1); /* made by the first prepare */
	edit("layout", "metadata", BCON_NEW("$set", "{", "version", BCON_INT32(ETL_LAYOUT + 1),
		"written_by", "etld 9.9", "}"));
	assert_int_equal(store->ops->prepare(store, &err), -1);
	assert_string_equal(err.code, "metadata.newer");
	assert_int_equal(err.kind, ETL_PERMANENT);
	assert_non_null(strstr(err.message, "etld 9.9"));
	assert_non_null(strstr(err.message, database));
	etl_error_clear(&err);
	edit("layout", "metadata", BCON_NEW("$set", "{", "version", "one", "}"));
	assert_int_equal(store->ops->prepare(store, &err), -1);
	assert_string_equal(err.code, "metadata.type");
	etl_error_clear(&err);
	edit("layout", "metadata", NULL); /* as etlds of before leave it */
	assert_int_equal(store->ops->prepare(store, &err), 0);
	assert_int_equal(count("layout"), 1);
	if (without_transactions)
		etl_state_mongodb(store)->transactions = false;
}

static void two_commits_of_one_partition_conflict(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct etl_commit c = {.job = "t1", .partition = "p", .run_id = RUN_A, .fence = 1,
		.entries = &e, .n_entries = 1, .origin = H(0), .watermark = H(1),
		.window_ms = 3600000};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_txn *first = NULL;

	(void)state;
	claim("t1", "p", 1);
	if (without_transactions)
		return;
	assert_int_equal(store->ops->begin(store, &first, &err), 0);
	assert_non_null(first);
	claim("t1", "p", 2); /* after our snapshot was asked for, before it wrote */
	assert_int_equal(store->ops->commit(store, first, &c, &err), -1);
	assert_true(err.kind == ETL_CONFLICT || strcmp(err.code, "txn.retry") == 0);
	assert_int_equal(scan("t1", "p", 0, 9, ETL_LEDGER_ALL).n, 0);
}

static void aborted_transaction_leaves_nothing(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	bson_t *doc = BCON_NEW("_id", BCON_INT32(1));
	struct etl_txn *txn = NULL;
	mongoc_collection_t *c;
	bson_error_t error;

	(void)state;
	assert_int_equal(store->ops->begin(store, &txn, &err), 0);
	if (txn) {
		c = mongoc_client_get_collection(txn->client, database, "pauses");
		assert_true(mongoc_collection_insert_one(c, doc, txn->opts, NULL, &error));
		mongoc_collection_destroy(c);
		store->ops->abort(store, txn);
		assert_int_equal(count_where("pauses", BCON_NEW("_id", BCON_INT32(1))), 0);
	}
	bson_destroy(doc);
}

static int letters_with_a_time(void)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_collection_t *c = mongoc_client_get_collection(client, database, "dead_letters");
	bson_t *query = BCON_NEW("job", "timed", "time", "{", "$exists", BCON_BOOL(true), "}");
	bson_error_t error;
	int n = (int)mongoc_collection_count_documents(c, query, NULL, NULL, NULL, &error);

	mongoc_collection_destroy(c);
	etl_mongo_push(mongo, client);
	bson_destroy(query);
	return n;
}

/* The same bytes, read by a job that has a time for them no more. */
static void a_letter_loses_a_time_that_it_has_no_more(void **state)
{
	struct etl_dead_letter_info info = {"timed", "p", RUN_A, recent(1)};
	struct etl_reject r = {.step = "check", .rule = "range", .path = "", .message = "too much",
		.raw = (const uint8_t *)"{}", .raw_len = 2, .time = H(1)};
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	assert_int_equal(etl_dead_letters_add(store, &info, &r, 1, &err), 0);
	assert_int_equal(letters_with_a_time(), 1);
	r.time.ms = ETL_NO_TIME;
	assert_int_equal(etl_dead_letters_add(store, &info, &r, 1, &err), 0);
	assert_int_equal(letters_with_a_time(), 0);
}

/* An entry of a later fence than the watermark's: it stays, and the watermark does not go before
 * it, whichever is written first. */
static void an_entry_of_a_later_fence_stays(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark w;

	(void)state;
	claim("later", "p", 1);
	commit_ok("later", "p", 1, &e, 1, H(0));
	edit("windows", "later/p/1970-01-01T00:00:00Z", BCON_NEW("$set", "{", "fence", BCON_INT64(9),
		"attempt", BCON_INT64(77), "}"));
	assert_int_equal(try_commit("later", "p", 1, &e, 1, H(1), &err), -1);
	assert_int_equal(err.kind, ETL_CONFLICT);
	assert_int_equal(scan("later", "p", 0, 9, ETL_LEDGER_ALL).items[0].attempt, 77);
	assert_int_equal(store->ops->watermark_get(store, "later", "p", &w, &err), 1);
	assert_int_equal(w.processed.ms, H(0).ms);
}

/* The data is in before the ledger and the watermark: where it is, and what dependants have to read, is known
 * whatever comes then. */
static void without_transactions_targets_and_marks_come_first(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct etl_dirty_mark mark = {"first-day", "p", {H(0), H(24)}};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_targets targets = {.n = 0};
	struct etl_commit c = {.job = "first", .partition = "p", .run_id = RUN_A, .fence = 1,
		.entries = &e, .n_entries = 1, .origin = H(0), .watermark = H(1),
		.window_ms = 3600000, .targets = &targets, .dirty = &mark, .n_dirty = 1};
	struct etl_watermark w;

	(void)state;
	if (!without_transactions)
		return;
	claim("first", "p", 1);
	commit_ok("first", "p", 1, &e, 1, H(0));
	edit("windows", "first/p/1970-01-01T00:00:00Z", BCON_NEW("$set", "{", "fence", BCON_INT64(9), "}"));
	etl_targets_note(&targets, "etl.a", e.window);
	assert_int_equal(store->ops->commit(store, NULL, &c, &err), -1);
	assert_int_equal(store->ops->watermark_get(store, "first", "p", &w, &err), 1);
	assert_int_equal(w.processed.ms, H(0).ms);
	assert_string_equal(etl_targets_at(&w.targets, H(0)), "etl.a");
	assert_int_equal(scan("first-day", "p", 0, 24, ETL_LEDGER_ALL).n, 1);
}

/* A slow server executes a request for a lease after its sender died or gave it up, when the lease
 * of the one who has the job now has run out and its renewal waits as well. */
static void a_late_request_takes_no_lease(void **state)
{
	struct etl_lease_ask late = {.job = "late", .holder = "host-dead", .run_id = RUN_B,
		.ttl = ETL_SECONDS(30), .slot = H(9), .schedule = "0 * * * *|UTC"};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_lease a, b;

	(void)state;
	assert_int_equal(acquire("late", "host-a", NULL, &a), 1);
	assert_int_equal(store->ops->lease_release(store, "late", a.fence, &err), 0);
	/* Here the dead one looked (fence a) and asked; meanwhile: */
	assert_int_equal(acquire("late", "host-a", NULL, &b), 1);
	expire_lease("late");
	assert_int_equal(etl_smdb_lease_ask(store, &late, a.fence, a.fence + 1, &a, &err), 0);
	assert_string_equal(a.holder, "host-a");
	assert_int_equal(a.slot.ms, 0); /* nor does it claim its slot */
	assert_int_equal(store->ops->lease_renew(store, "late", b.fence, ETL_SECONDS(30), &err), 0);
	/* An earlier try of our own is no better, nor one from before there was a lease. */
	late.holder = "host-a";
	expire_lease("late");
	assert_int_equal(etl_smdb_lease_ask(store, &late, b.fence - 1, b.fence, &a, &err), 0);
	assert_int_equal(etl_smdb_lease_ask(store, &late, 0, 1, &a, &err), 0);
	assert_int_equal(store->ops->lease_renew(store, "late", b.fence, ETL_SECONDS(30), &err), 0);
	/* A release that comes late gives nothing away. */
	assert_int_equal(store->ops->lease_release(store, "late", b.fence - 1, &err), 0);
	assert_int_equal(store->ops->lease_renew(store, "late", b.fence, ETL_SECONDS(30), &err), 0);
}

/* Only the ledger was kept: its entries' fences are in the way as well. */
static void a_lease_above_the_fences_of_the_ledger(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_lease a;

	(void)state;
	claim("kept", "p", 41);
	commit_ok("kept", "p", 41, &e, 1, H(1));
	edit("watermarks", "kept/p", NULL);
	save_slot("kept", H(3), "0 * * * *|UTC", false); /* which makes the document, with fence 0 */
	assert_int_equal(acquire("kept", "host-a", NULL, &a), 1);
	assert_int_equal(a.fence, 42);
	claim("kept", "p", a.fence);
	if (try_commit("kept", "p", a.fence, &e, 1, H(1), &err) < 0)
		fail_msg("%s", err.message);
}

static void need_named(int rc, struct etl_error *err, const char *document, const char *field)
{
	assert_int_equal(rc, -1);
	assert_int_equal(err->kind, ETL_DATA);
	assert_string_equal(err->code, "metadata.type");
	if (!strstr(err->message, document) || !strstr(err->message, field))
		fail_msg("%s", err->message);
	etl_error_clear(err);
}

/* A document of an etld that kept no targets: that is not the same as one with nothing anywhere. */
static void a_watermark_without_targets(void **state)
{
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark w;

	(void)state;
	claim("untold", "p", 1);
	commit_ok("untold", "p", 1, &e, 1, H(1));
	edit("watermarks", "untold/p", BCON_NEW("$unset", "{", "targets", "", "}"));
	for (int fence = 2; fence < 4; fence++) {
		assert_int_equal(store->ops->watermark_get(store, "untold", "p", &w, &err), 1);
		assert_true(w.targets.absent);
		assert_int_equal(
			store->ops->watermark_claim(store, "untold", "p", fence, H(0), 3600000, &w, &err), 0);
		assert_true(w.targets.absent);
	}
}

static void values_of_a_wrong_type_are_named(void **state)
{
	struct etl_lease_ask ask = {.job = "odd", .holder = "h", .ttl = ETL_SECONDS(30)};
	struct etl_ledger_entry e = entry(0, ETL_WINDOW_LOADED);
	struct etl_window all = {H(0), H(9)};
	struct etl_error err = ETL_ERROR_INIT;
	struct collected c = {.n = 0};
	struct etl_watermark w;
	struct etl_lease a;

	(void)state;
	claim("odd", "p", 1);
	commit_ok("odd", "p", 1, &e, 1, H(1));
	edit("watermarks", "odd/p", BCON_NEW("$set", "{", "last_processed", "yesterday", "}"));
	need_named(store->ops->watermark_claim(store, "odd", "p", 1, H(0), 3600000, &w, &err), &err,
		"'odd/p'", "'last_processed' is a text and has to be a date");
	need_named(store->ops->watermark_get(store, "odd", "p", &w, &err), &err, "'odd/p'",
		"'last_processed'");
	edit("watermarks", "odd/p", BCON_NEW("$set", "{", "last_processed", BCON_DATE_TIME(0), "fence",
		"7", "}"));
	need_named(store->ops->watermark_claim(store, "odd", "p", 1, H(0), 3600000, &w, &err), &err,
		"'odd/p'", "'fence' is a text and has to be a number");
	edit("watermarks", "odd/p", NULL);
	claim("odd", "p", 2); /* as the message says */

	edit("windows", "odd/p/1970-01-01T00:00:00Z", BCON_NEW("$set", "{", "fence", "[", "]", "}"));
	need_named(store->ops->ledger_scan(store, "odd", "p", &all, ETL_LEDGER_ALL, collect, &c, &err),
		&err, "'odd/p/1970-01-01T00:00:00Z'", "'fence' is an array");
	edit("windows", "odd/p/1970-01-01T00:00:00Z", BCON_NEW("$set", "{", "fence", BCON_INT32(1),
		"state", "lost", "}"));
	assert_int_equal(store->ops->ledger_scan(store, "odd", "p", &all, ETL_LEDGER_ALL, collect, &c,
				 &err), -1);
	if (!strstr(err.message, "odd/p/1970") || !strstr(err.message, "'lost'"))
		fail_msg("%s", err.message);
	etl_error_clear(&err);

	assert_int_equal(acquire("odd", "h", NULL, &a), 1);
	edit("leases", "odd", BCON_NEW("$set", "{", "expires", "never", "}"));
	need_named(store->ops->lease_acquire(store, &ask, &a, &err), &err, "'odd'",
		"'expires' is a text and has to be a date");
}

/* Entries keep eight states before the present one, however often they are changed. */
static void changes_over_one_another_stay_small(void **state)
{
	enum { FLIPS = 50, KEPT = 8 };
	char ids[FLIPS][ETL_UUID_BYTES];
	struct etl_error err = ETL_ERROR_INIT;
	char undo[ETL_UUID_BYTES];
	int last = FLIPS - 1;

	(void)state;
	claim("t2", "p", 1);
	for (int i = 0; i < FLIPS; i++) {
		bool set = i % 2 == 0;
		struct etl_change c;

		etl_uuid7(etl_now(etl_clock_real()).ms, ids[i]);
		c = change(ids[i], set ? ETL_CHANGE_SET : ETL_CHANGE_REWIND, "t2", !set, set);
		if (try_change(&c, !set, 0, 1, &err) < 0)
			fail_msg("%d: %s", i, err.message);
	}
	need_ledger("t2", "0:pending");
	for (int i = 0; i < KEPT; i++, last--) {
		bool set = last % 2 == 0;

		assert_string_equal(scan("t2", "p", 0, 1, ETL_LEDGER_ALL).items[0].change_id,
			ids[last]);
		etl_uuid7(etl_now(etl_clock_real()).ms, undo);
		undo_ok(undo, ids[last], "t2", set, !set, 0, 1);
		need_ledger("t2", set ? "0:pending" : "0:skipped");
	}
	assert_string_equal(scan("t2", "p", 0, 1, ETL_LEDGER_ALL).items[0].change_id, "");
	etl_uuid7(etl_now(etl_clock_real()).ms, undo);
	undo_ok(undo, ids[last], "t2", 0, 1, 0, 1); /* too old: left as it is */
	need_ledger("t2", "0:pending");
}

/* A try whose answer was lost is known by its id, if it was in as a whole; another's is not. */
static void a_slice_that_is_tried_again_is_known(void **state)
{
	struct etl_change c = change(RUN_A, ETL_CHANGE_SET, "t4", 0, 1);
	struct etl_window window = {H(0), H(1)};
	struct etl_change_slice slice = {.change = &c, .fence = 1, .expected = H(0), .commit_id = RUN_B,
		.windows = &window, .n = 1};
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	claim("t4", "p", 1);
	assert_int_equal(store->ops->change_apply(store, &slice, &err), 0);
	assert_int_equal(store->ops->change_apply(store, &slice, &err), without_transactions ? -1 : 0);
	assert_int_equal(err.kind, without_transactions ? ETL_CONFLICT : ETL_OK);
	slice.commit_id = RUN_A;
	assert_int_equal(store->ops->change_apply(store, &slice, &err), -1);
	assert_string_equal(err.code, "state.fenced");
	need_watermark("t4", 1);
}

static void drop_database(void)
{
	mongoc_client_t *client = etl_mongo_pop(mongo);
	mongoc_database_t *db = mongoc_client_get_database(client, database);

	mongoc_database_drop(db, NULL);
	mongoc_database_destroy(db);
	etl_mongo_push(mongo, client);
}

static int set_up(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	char id[ETL_UUID_BYTES];

	(void)state;
	etl_uuid7(etl_now(etl_clock_real()).ms, id);
	snprintf(database, sizeof database, "etld_test_%.8s%.4s%s", id, id + 9, id + 24);
	store = etl_state_mongodb_new(mongo, database);
	if (store->ops->prepare(store, &err) < 0) {
		print_error("%s\n", err.message);
		return -1;
	}
	if (without_transactions)
		etl_state_mongodb(store)->transactions = false;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	drop_database();
	store->ops->free(store);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_CONTRACT,
		STATE_CONTRACT_CHANGE,
		STATE_CONTRACT_BACKFILL,
		STATE_CONTRACT_LEDGER,
		STATE_CONTRACT_OBJECTS,
		cmocka_unit_test(a_letter_read_twice_is_one_letter),
		cmocka_unit_test(dead_letters_have_an_index_for_each_question),
		cmocka_unit_test(a_letter_loses_a_time_that_it_has_no_more),
		cmocka_unit_test(prepare_can_be_repeated),
		cmocka_unit_test(a_newer_layout_is_refused),
		cmocka_unit_test(two_commits_of_one_partition_conflict),
		cmocka_unit_test(aborted_transaction_leaves_nothing),
		cmocka_unit_test(changes_over_one_another_stay_small),
		cmocka_unit_test(a_slice_that_is_tried_again_is_known),
		cmocka_unit_test(an_entry_of_a_later_fence_stays),
		cmocka_unit_test(without_transactions_targets_and_marks_come_first),
		cmocka_unit_test(a_late_request_takes_no_lease),
		cmocka_unit_test(a_lease_above_the_fences_of_the_ledger),
		cmocka_unit_test(values_of_a_wrong_type_are_named),
		cmocka_unit_test(a_watermark_without_targets),
	};
	int failed;

	if (!mongo_tests_open(&mongo, 8, &failed))
		return failed;
	failed = cmocka_run_group_tests_name("with transactions", tests, set_up, tear_down);
	without_transactions = true;
	failed += cmocka_run_group_tests_name("without transactions", tests, set_up, tear_down);
	mongo_tests_close(mongo);
	return failed;
}
