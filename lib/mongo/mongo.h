/* SPDX-License-Identifier: MIT
 *
 * The one way to MongoDB: a client pool, what the server can do, driver errors as
 * etl_errors, and transactions. Everything here blocks: worker threads only.
 */
#ifndef ETL_MONGO_MONGO_H
#define ETL_MONGO_MONGO_H

#include <mongoc/mongoc.h>

#include "base/error.h"

struct etl_mongo;

/* Makes the pool; connects lazily. `uri` is taken as it is; never shown (it may hold a
 * password). serverSelectionTimeoutMS defaults to 5 s, socketTimeoutMS to 60 s (also if the
 * URI says 0, without end), w:majority, journal, readConcern majority and reading from the primary
 * are forced; unacknowledged writes in the URI are ETL_CONFIG. NULL on a malformed URI. Call
 * etl_mongo_global_init once before. */
struct etl_mongo *etl_mongo_new(const char *uri, const char *app_name, unsigned pool_max,
	struct etl_error *err);
/* The same, but no longer than `answer_ms` is waited for a server or an answer; 0 = as above. */
struct etl_mongo *etl_mongo_new_within(const char *uri, const char *app_name, unsigned pool_max,
	int32_t answer_ms, struct etl_error *err);
/* What the URI asks for and does not get, in words: "w=1, journal=false"; "" = nothing. */
void etl_mongo_uri_overrides(const char *uri, char *out, size_t size);
/* All clients were pushed back. NULL is fine. */
void etl_mongo_free(struct etl_mongo *mongo);
void etl_mongo_global_init(void);    /* process-wide; silences the driver's own log */
void etl_mongo_global_cleanup(void);

/* Lends a client; blocks while all are lent, up to waitQueueTimeoutMS (60 s unless the URI says
 * otherwise), then NULL. One thread at a time uses it, and gives it back by etl_mongo_push. */
mongoc_client_t *etl_mongo_pop(struct etl_mongo *mongo);
/* Gives a client back. NULL is fine. */
void etl_mongo_push(struct etl_mongo *mongo, mongoc_client_t *client);

/* What the server is and can do. */
struct etl_mongo_topology {
	bool transactions; /* replica set or mongos with sessions */
	char kind[32];	   /* "replica set", "standalone", "sharded" */
	char version[32];
};
/* Asks by "hello" and "buildInfo" for a writable server. 0, or -1: ETL_TRANSIENT if there is
 * none, else as etl_mongo_error; `out` untouched then. */
int etl_mongo_ping(struct etl_mongo *mongo, struct etl_mongo_topology *out, struct etl_error *err);

/* Worker, after "mongodb.unreachable": looks at each host of the connection string (2 s each at the
 * most, longer for names) and puts into the message what is the matter with it: no such host,
 * connection refused, no answer, wrong replica set. Kind and code stay. Other errors stay as they
 * are: they know themselves. */
void etl_mongo_diagnose(struct etl_mongo *mongo, struct etl_error *err);

/* etld is to end now: whatever of these clients is tried again for minutes (a commit without an
 * answer) gives up at its next failure, and leaves the outcome to whoever reads the ledger next.
 * Any thread. */
void etl_mongo_hurry(struct etl_mongo *mongo);
bool etl_mongo_hurries(const struct etl_mongo *mongo);

/* The connection string; lent. Never to be shown: it may hold a password. */
const mongoc_uri_t *etl_mongo_uri(const struct etl_mongo *mongo);

/* Maps a driver error to a kind by numeric code and label (never by its text). `reply` may
 * be NULL. Keeps the message, with credentials masked. Returns -1. */
int etl_mongo_error(struct etl_error *err, const bson_error_t *error, const bson_t *reply);

#endif
