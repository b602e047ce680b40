/* SPDX-License-Identifier: MIT
 *
 * What the files of the MongoDB sink share. Internal to lib/sink.
 */
#ifndef ETL_SINK_MONGODB_H
#define ETL_SINK_MONGODB_H

#include <mongoc/mongoc.h>

#include "mongo/mongo.h"
#include "mongo/txn.h"
#include "record/doc.h"
#include "record/keyset.h"
#include "sink/sink.h"

enum etl_sink_mode { ETL_SINK_UPSERT, ETL_SINK_INSERT };

struct etl_sink_index {
	struct etl_strings fields; /* "a", "-b" */
	bool unique;
	const char *name; /* NULL = made of the fields */
	etl_dur expire_after;
	bool expires;
};

struct etl_sink_mongodb_options {
	const char *collection, *database;
	int mode;
	struct etl_strings key;
	const struct etl_node *indexes_node;
	const char *version;
	struct etl_sink_index *indexes; /* compiled from indexes_node */
	size_t n_indexes;
};

void etl_sink_indexes_compile(struct etl_sink_mongodb_options *o, const struct etl_conf_env *env);

/* Creates the collection and its indexes. PERMANENT names the index that does not fit. */
int etl_sink_indexes_ensure(const struct etl_sink_mongodb_options *o, mongoc_client_t *client,
	const char *database, struct etl_error *err);

/* What becomes of one record. */
enum etl_verdict {
	ETL_VERDICT_NEW,	/* not there: to be written */
	ETL_VERDICT_CHANGED,	/* there and different: to be written */
	ETL_VERDICT_SAME,	/* there, byte for byte; or mode insert and there */
	ETL_VERDICT_OLDER,	/* what is there, or an earlier record of the batch, has a greater version */
	ETL_VERDICT_SUPERSEDED, /* a later record of the batch has the same key */
	ETL_VERDICT_REFUSED,	/* becomes a reject */
};

struct etl_sink_item {
	enum etl_verdict verdict;
	const uint8_t *doc; /* with its _id first; in the arena of the plan */
	uint32_t len;
	size_t number;	    /* of its key in the keyset */
	const char *rule, *path;
	const char *message; /* why refused */
	bool written;	     /* by an attempt before this one */
	uint64_t identity;   /* a hash of its key; never 0 */
	bool had_id;	     /* the record's own `_id` is not the key's */
	const char *version; /* what cannot be compared well about its version; NULL = nothing */
};

/* Makes the document of one record, or a refusal. `key` gets the canonical bytes of its
 * identity (for comparing, not for storing). */
void etl_sink_document(const struct etl_sink_mongodb_options *o, const struct etl_record *record,
	struct etl_arena *arena, struct etl_buf *key, struct etl_sink_item *out);

/* The same bytes for a document that is stored; false if it has no such identity. */
bool etl_sink_stored_key(const bson_t *doc, struct etl_buf *key);

/* Appends one part of a key's canonical text (mongodb_identity.c). False for a value that
 * cannot be part of a key, or a full buffer. */
bool etl_sink_identity_add(struct etl_buf *out, const struct etl_element *e, bool is_first);

/* True if `stored` has a greater value of the version field than `doc`: numbers of any type as
 * numbers, dates as dates, texts by their bytes. Values of two kinds are not compared. */
bool etl_sink_is_newer(const char *version, const bson_t *stored, const uint8_t *doc,
	uint32_t len);

/* What makes the version of a document a bad one, or NULL. Static text. */
const char *etl_sink_version_fault(const char *version, const uint8_t *doc, uint32_t len);

#endif
