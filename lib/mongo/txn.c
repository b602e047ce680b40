/* SPDX-License-Identifier: MIT
 *
 * Transactions as the driver's transactions specification prescribes, with one rule of our own:
 * NoSuchTransaction (251) proves nothing, because the driver may have sent the commit twice by
 * itself and a restarted server forgets what it committed. Worker threads. Never reads what
 * came of a commit: the store does (state_mongodb_transact.c).
 */
#include "mongo/txn.h"

#include <time.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "time/backoff.h"

#define COMMIT_MS_MAX 10000
#define CODE_MAX_TIME_EXPIRED 50
#define CODE_NO_SUCH_TRANSACTION 251

/* Snapshot: all reads of a commit see one moment, so the compared documents, the ledger
 * and the watermark fit together. Majority and journal: a commit that was answered
 * survives the primary. */
static mongoc_transaction_opt_t *transaction_options(void)
{
	mongoc_transaction_opt_t *opts = mongoc_transaction_opts_new();
	mongoc_read_concern_t *reads = mongoc_read_concern_new();
	mongoc_write_concern_t *writes = mongoc_write_concern_new();

	mongoc_read_concern_set_level(reads, MONGOC_READ_CONCERN_LEVEL_SNAPSHOT);
	mongoc_write_concern_set_wmajority(writes, 30000);
	mongoc_write_concern_set_journal(writes, true);
	mongoc_transaction_opts_set_read_concern(opts, reads);
	mongoc_transaction_opts_set_write_concern(opts, writes);
	mongoc_transaction_opts_set_max_commit_time_ms(opts, COMMIT_MS_MAX);
	mongoc_read_concern_destroy(reads);
	mongoc_write_concern_destroy(writes);
	return opts;
}

/* The session's id has to go with every operation; one without it would run outside of
 * the transaction and be seen at once. */
static int start(struct etl_txn *txn, struct etl_error *err)
{
	mongoc_transaction_opt_t *opts;
	bson_error_t error;
	bool ok;

	txn->session = mongoc_client_start_session(txn->client, NULL, &error);
	if (!txn->session)
		return etl_mongo_error(err, &error, NULL);
	opts = transaction_options();
	ok = mongoc_client_session_start_transaction(txn->session, opts, &error) &&
		mongoc_client_session_append(txn->session, txn->opts, &error);
	mongoc_transaction_opts_destroy(opts);
	return ok ? 0 : etl_mongo_error(err, &error, NULL);
}

struct etl_txn *etl_txn_begin(struct etl_mongo *mongo, struct etl_error *err)
{
	struct etl_txn *txn = ETL_NEW(struct etl_txn);

	txn->mongo = mongo;
	txn->opts = bson_new();
	txn->client = etl_mongo_pop(mongo);
	if (!txn->client)
		etl_error_set(err, ETL_TRANSIENT, "mongodb.pool", "no client became free in time");
	else if (start(txn, err) == 0)
		return txn;
	etl_txn_free(txn);
	return NULL;
}

/* The clock makes the jitter: two workers that met in one document do not meet again a
 * moment later. */
void etl_txn_pause(unsigned attempt)
{
	etl_mono now = etl_mono_now(etl_clock_real());
	etl_dur wait =
		etl_backoff_transaction(attempt, etl_hash64(&now.us, sizeof now.us, attempt));
	struct timespec ts = {.tv_nsec = (long)wait.us * 1000};

	nanosleep(&ts, NULL);
}

/* One commitTransaction; the driver repeats it once by itself after a network error. The law of
 * a commit's answer:
 *
 *    UnknownTransactionCommitResult   nobody knows yet: the same commit is sent again, safely,
 *                                     since one that took effect is answered as committed again
 *    ... with "time limit exceeded"   unknown, and not sent again: the server is too slow for it
 *    251 NoSuchTransaction            unknown: the server may have committed and been restarted
 *    TransientTransactionError        nothing took effect: the transaction may be done again
 *    any other transient error        unknown: without a label there is no proof
 *    anything else                    refused for good
 *
 * Example: the connection breaks after the commit was sent, and the second try meets a new
 * primary that answers 251. The outcome is unknown, not "nothing": the first try may have
 * reached a majority before the connection broke. */
static enum etl_txn_outcome commit_once(struct etl_txn *txn, bool *again, struct etl_error *err)
{
	enum etl_txn_outcome outcome = ETL_TXN_FAILED;
	bson_error_t error;
	bson_t reply;

	*again = false;
	if (mongoc_client_session_commit_transaction(txn->session, &reply, &error)) {
		bson_destroy(&reply);
		return ETL_TXN_COMMITTED;
	}
	etl_mongo_error(err, &error, &reply);
	if (error.code == CODE_NO_SUCH_TRANSACTION && error.domain == MONGOC_ERROR_SERVER) {
		outcome = ETL_TXN_UNKNOWN;
	} else if (mongoc_error_has_label(&reply, "UnknownTransactionCommitResult")) {
		outcome = ETL_TXN_UNKNOWN;
		*again = error.code != CODE_MAX_TIME_EXPIRED;
	} else if (mongoc_error_has_label(&reply, "TransientTransactionError")) {
		outcome = ETL_TXN_NOTHING;
	} else if (err->kind == ETL_TRANSIENT) {
		outcome = ETL_TXN_UNKNOWN; /* no label, no proof */
	}
	bson_destroy(&reply);
	return outcome;
}

/* When `patience` is over the commit is unknown and not failed: the caller then looks for it in
 * the store. */
enum etl_txn_outcome etl_txn_commit(struct etl_txn *txn, etl_dur patience, struct etl_error *err)
{
	/* Measured by the monotonic clock: a wall clock that is set would end the
	 * patience early or never. */
	etl_mono began = etl_mono_now(etl_clock_real());
	bool unknown = false;
	bool again;

	for (unsigned attempt = 1;; attempt++) {
		enum etl_txn_outcome outcome = commit_once(txn, &again, err);
		etl_dur spent = etl_mono_diff(etl_mono_now(etl_clock_real()), began);

		if (outcome == ETL_TXN_COMMITTED) {
			etl_error_clear(err);
			return outcome;
		}
		/* Once an answer was lost, a later refusal says nothing about the first try. */
		if (unknown)
			outcome = ETL_TXN_UNKNOWN;
		if (!again || spent.us >= patience.us || etl_mongo_hurries(txn->mongo))
			return outcome;
		unknown = true;
		etl_txn_pause(attempt);
	}
}

/* Whether the abort succeeds is not looked at: a transaction that is never ended expires on the
 * server. */
void etl_txn_free(struct etl_txn *txn)
{
	if (!txn)
		return;
	if (txn->session) {
		if (mongoc_client_session_in_transaction(txn->session))
			mongoc_client_session_abort_transaction(txn->session, NULL);
		mongoc_client_session_destroy(txn->session);
	}
	etl_mongo_push(txn->mongo, txn->client);
	bson_destroy(txn->opts);
	free(txn);
}
