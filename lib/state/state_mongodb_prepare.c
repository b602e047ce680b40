/* SPDX-License-Identifier: MIT
 *
 * Collections and indexes of the MongoDB store, made once at start and never while a
 * transaction is open: an index built then may miss that transaction's documents.
 */
#include <stdio.h>

#include "state/mongodb.h"

/* Of the fenced core. All of them exist before the first transaction writes to them. */
static const struct {
	const char *collection;
	struct etl_doc_index index; /* without a name: none */
} core[] = {
	{"windows", {"job_partition_start", {{"job", 1}, {"partition", 1}, {"start", 1}}}},
	{"windows", {"job_start", {{"job", 1}, {"start", 1}}}},
	/* What is open is looked for by job and over all jobs alike, so the state comes first. Not
	 * partial indexes: not every server puts a document in that comes to match later. */
	{"windows", {"state_job", {{"state", 1}, {"job", 1}}}},
	{"windows", {"dirty_job_start", {{"dirty", 1}, {"job", 1}, {"start", 1}}}},
	{"watermarks", {"job_name", {{"job_name", 1}}}},
	{"sessions", {"keep", {{"updated_at", 1}}, .keep_days = 7}},
	{"leases", {NULL}},
};

/* {key: {...}, name, expireAfterSeconds}. A TTL index removes documents that long after its date;
 * one without the date, a run that has not ended, stays. */
static void append_index(bson_t *list, const struct etl_doc_index *index)
{
	bson_t one, keys;

	BSON_APPEND_DOCUMENT_BEGIN(list, "0", &one);
	BSON_APPEND_DOCUMENT_BEGIN(&one, "key", &keys);
	for (size_t k = 0; k < ETL_INDEX_KEYS && index->keys[k].field; k++)
		BSON_APPEND_INT32(&keys, index->keys[k].field, index->keys[k].direction);
	bson_append_document_end(&one, &keys);
	BSON_APPEND_UTF8(&one, "name", index->name);
	if (index->keep_days)
		BSON_APPEND_INT32(&one, "expireAfterSeconds", index->keep_days * 86400);
	bson_append_document_end(list, &one);
}

/* `fine_code` is the answer that means "it is there already". An index that is there with the same
 * keys is no error anyway; one of the same name with other keys is, and an operator has to remove
 * it. */
static int run_command(mongoc_client_t *client, const char *database, const bson_t *command,
	uint32_t fine_code, struct etl_error *err)
{
	bson_error_t error;
	bson_t reply;
	int rc = 0;

	if (!mongoc_client_write_command_with_opts(
		    client, database, command, NULL, &reply, &error) &&
		error.code != fine_code)
		rc = etl_mongo_error(err, &error, &reply);
	bson_destroy(&reply);
	return rc;
}

#define CODE_NAMESPACE_EXISTS 48

/* A collection with this index; without a name, the collection alone. */
static int make(mongoc_client_t *client, const char *database, const char *collection,
	const struct etl_doc_index *index, struct etl_error *err)
{
	bson_t command = BSON_INITIALIZER;
	bson_t list;
	int rc;

	if (index->name) {
		BSON_APPEND_UTF8(&command, "createIndexes", collection);
		BSON_APPEND_ARRAY_BEGIN(&command, "indexes", &list);
		append_index(&list, index);
		bson_append_array_end(&command, &list);
	} else {
		BSON_APPEND_UTF8(&command, "create", collection);
	}
	rc = run_command(client, database, &command, CODE_NAMESPACE_EXISTS, err);
	bson_destroy(&command);
	if (rc < 0)
		etl_error_prefix(err, "%s.%s%s%s", database, collection,
			index->name ? ", index " : "", index->name ? index->name : "");
	return rc;
}

/* A collection without an index is still made, by its first, nameless row: a transaction on an old
 * server cannot make one. */
static int make_all(mongoc_client_t *client, const char *database, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof core / sizeof *core && rc == 0; i++)
		rc = make(client, database, core[i].collection, &core[i].index, err);
	for (const struct etl_collection *const *c = etl_collections; *c && rc == 0; c++) {
		const struct etl_doc_index *index = (*c)->indexes;

		do
			rc = make(client, database, (*c)->name, index++, err);
		while (rc == 0 && index->name);
	}
	return rc;
}

/* The order matters: first whether the server answers, then whether the metadata are of a layout
 * that we know, and only then the first write. Whatever was made before a failure stays and is
 * found made by the next try. */
int etl_smdb_prepare(struct etl_state *s, struct etl_error *err)
{
	struct etl_state_mongodb *store = etl_state_mongodb(s);
	struct etl_mongo_topology topology;
	mongoc_client_t *client;
	int rc;

	if (etl_mongo_ping(store->mongo, &topology, err) < 0 || etl_smdb_check_layout(s, err) < 0)
		return -1;
	client = etl_mongo_pop(store->mongo);
	if (!client)
		return etl_error_set(err, ETL_TRANSIENT, "mongodb.pool",
			"no client became free in time");
	rc = make_all(client, store->database, err);
	etl_mongo_push(store->mongo, client);
	if (rc == 0)
		store->transactions = topology.transactions;
	return rc;
}
