/* SPDX-License-Identifier: MIT
 *
 * A transaction: a client, a session and what happened to it. Owned by one worker from
 * begin to commit or abort.
 */
#ifndef ETL_MONGO_TXN_H
#define ETL_MONGO_TXN_H

#include "mongo/mongo.h"
#include "time/clock.h"

struct etl_txn {
	struct etl_mongo *mongo;
	mongoc_client_t *client;
	mongoc_client_session_t *session;
	bson_t *opts; /* {sessionId: ...}: pass to each operation */
};

/* Starts a transaction (snapshot, w:majority + journal, maxCommitTimeMS 10 s). */
struct etl_txn *etl_txn_begin(struct etl_mongo *mongo, struct etl_error *err);

enum etl_txn_outcome {
	ETL_TXN_COMMITTED,
	ETL_TXN_NOTHING, /* proven not in: TransientTransactionError; try the whole again */
	/* Retried as prescribed and still unknown, or 251 (which a restarted server also says of
	 * a transaction that it committed): read the ledger to decide. */
	ETL_TXN_UNKNOWN,
	ETL_TXN_FAILED,	 /* refused for good; `err` says why */
};

/* Commits; retries UnknownTransactionCommitResult as the transactions specification says, for as
 * long as `patience` (its own is 120 s). Does not free txn. */
enum etl_txn_outcome etl_txn_commit(struct etl_txn *txn, etl_dur patience, struct etl_error *err);
/* Sleeps before something is asked for again: etl_backoff_transaction. */
void etl_txn_pause(unsigned attempt);
void etl_txn_free(struct etl_txn *txn); /* aborts if still open; NULL is fine */

#endif
